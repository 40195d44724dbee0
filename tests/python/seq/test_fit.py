"""Training of TransformerSeq2Seq and TransformerLM: what stops it, goes on, and adds up."""

import logging
import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from mlcore import TransformerLM, TransformerSeq2Seq
from support.fingerprint import fingerprint

RNG = np.random.default_rng(0)
SOURCES = [" ".join(RNG.choice(list("abcdefgh"), n)) for n in RNG.integers(1, 7, 120)]
TARGETS = [" ".join(reversed(source.split())) for source in SOURCES]
SMALL = {"d_model": 16, "n_heads": 2, "n_layers": 1, "dim_feedforward": 32, "batch_tokens": 120, "random_state": 0}
QUICK = {**SMALL, "max_epochs": 3, "learning_rate": 0.01}


def pairs(**options):
    return TransformerSeq2Seq(**{**QUICK, **options})


def texts(**options):
    return TransformerLM(**{**QUICK, **options})


def weights(model):
    return np.concatenate([p.data.ravel() for p in model.module_.parameters()])


def loss(model, sources=SOURCES, targets=TARGETS):
    ids = model._source.encode(sources, "X"), model._target.encode(targets, "Y")
    return model.module_.loss(*model._pairs(ids))[0].item()


# ---- the same bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pairs, texts])
def test_threads_do_not_change_the_weights(make):
    data = (SOURCES, TARGETS) if make is pairs else (SOURCES,)
    found = {fingerprint(make(n_jobs=n_jobs).fit(*data)) for n_jobs in (1, 2, 3)}
    assert len(found) == 1
    assert fingerprint(make(random_state=1).fit(*data)) not in found


def test_a_fit_that_fails_leaves_nothing_of_the_former():
    model = pairs().fit(SOURCES, TARGETS)
    model.predict(SOURCES[:1])
    with pytest.raises(ValueError, match="same number"):
        model.fit(SOURCES, TARGETS[1:])
    assert vars(model) == vars(pairs())


@pytest.mark.parametrize("make", [pairs, texts])
def test_a_fit_that_is_gone_on_with_is_the_same(make, tmp_path):
    data = (SOURCES, TARGETS) if make is pairs else (SOURCES,)
    whole = make(max_epochs=4, average_last=2, warmup_steps=5).fit(*data)
    path = tmp_path / "run"
    make(max_epochs=2, average_last=2, warmup_steps=5, checkpoint=path).fit(*data)
    resumed = make(max_epochs=4, average_last=2, warmup_steps=5, checkpoint=path).fit(*data, resume=True)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    np.testing.assert_array_equal(resumed.loss_curve_, whole.loss_curve_)
    with pytest.raises(ValueError, match="resume=True needs a checkpoint"):
        make().fit(*data, resume=True)


def test_batches_that_are_accumulated_are_as_one():
    """One batch of all pairs, and two: rounding alone differs."""
    n_tokens = sum(len(source.split()) + 2 for source in SOURCES)
    options = {"max_epochs": 3, "dropout": 0.0, "batch_tokens": 10**6, "average_last": 1, "label_smoothing": 0.0}
    once = pairs(**options).fit(SOURCES, TARGETS)
    halves = pairs(**{**options, "batch_tokens": -(-n_tokens // 2), "accumulate": 2}).fit(SOURCES, TARGETS)
    assert len(halves.history_) == len(once.history_)
    np.testing.assert_allclose(halves.loss_curve_, once.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(loss(halves), loss(once), rtol=1e-4)


# ---- when it stops, and with what ------------------------------------------------------------------------------------


def test_it_stops_when_validation_gains_no_more():
    rng = np.random.default_rng(1)
    shuffled = [TARGETS[i] for i in rng.permutation(len(TARGETS))]  # nothing to learn but by heart
    model = pairs(max_epochs=60, n_iter_no_change=2, dropout=0.0, batch_tokens=60)
    model.fit(SOURCES[:60], shuffled[:60], X_val=SOURCES[60:], Y_val=shuffled[60:])
    history = model.history_["validation_loss"]
    assert model.n_iter_ < 60
    assert model.history_.best_epoch == np.argmin(history) == model.n_iter_ - 3
    np.testing.assert_allclose(loss(model, SOURCES[60:], shuffled[60:]), history.min(), rtol=1e-5)
    longer = model.set_params(early_stopping=False, max_epochs=model.n_iter_ + 2)
    longer.fit(SOURCES[:60], shuffled[:60], X_val=SOURCES[60:], Y_val=shuffled[60:])
    assert longer.n_iter_ == longer.max_epochs


def test_pairs_are_set_aside():
    model = pairs(early_stopping=True, validation_fraction=0.2).fit(SOURCES, TARGETS)
    assert "validation_loss" in model.history_
    assert "validation_loss" not in pairs().fit(SOURCES, TARGETS).history_
    assert "validation_loss" in texts().fit(SOURCES, X_val=TARGETS).history_


def test_the_network_at_the_end_is_an_average():
    models = [pairs(max_epochs=n, average_last=1, warmup_steps=4).fit(SOURCES, TARGETS) for n in (2, 3, 4)]
    average = pairs(max_epochs=4, average_last=3, warmup_steps=4).fit(SOURCES, TARGETS)
    expected = np.mean([weights(model) for model in models], axis=0)
    np.testing.assert_allclose(weights(average), expected, rtol=1e-4, atol=1e-6)


def test_a_warm_start_goes_on():
    model = pairs(warm_start=True, average_last=1).fit(SOURCES, TARGETS)
    before, words = loss(model), model.source_vocabulary_
    model.fit([*SOURCES, "zebra"], [*TARGETS, "zebra"])
    assert model.n_iter_ == 6 == len(model.loss_curve_)
    assert loss(model) < before
    assert model.source_vocabulary_ == words
    bits = fingerprint(model)
    with pytest.raises(ValueError, match="d_model of TransformerSeq2Seq has changed since fit"):
        model.set_params(d_model=32).fit(SOURCES, TARGETS)
    assert fingerprint(model.set_params(d_model=SMALL["d_model"])) == bits


@pytest.mark.parametrize(("name", "value"), [("n_heads", 1), ("positions", "learned"), ("tokenizer", "char")])
def test_what_the_network_is_made_of_stays_as_it_was(name, value):
    """Weights fit other numbers of heads too, and mean something else there."""
    model = texts(warm_start=True).fit(SOURCES)
    former = getattr(model, name)
    model.set_params(**{name: value})
    for use in (pickle.dumps, lambda model: model.fit(SOURCES)):
        with pytest.raises(ValueError, match=f"{name} of TransformerLM has changed since fit"):
            use(model)
    model.set_params(**{name: former}, learning_rate=0.5)
    assert fingerprint(pickle.loads(pickle.dumps(model))) == fingerprint(model)


@pytest.mark.parametrize("make", [pairs, texts])
def test_it_never_ends_worse_than_the_frequencies_of_the_tokens(make):
    data = (SOURCES, TARGETS) if make is pairs else (TARGETS,)
    with pytest.warns(ConvergenceWarning, match="did not get below the loss of the frequencies"):
        model = make(learning_rate=1e6, max_norm=None).fit(*data)
    words, counts = np.unique([*" ".join(TARGETS).split(), *["</s>"] * len(TARGETS)], return_counts=True)
    p = counts / counts.sum()
    entropy = -(p * np.log(p)).sum()
    assert len(words) == 9
    found = loss(model) if make is pairs else -model.score(TARGETS)
    assert abs(found - entropy) < 0.01


@pytest.mark.parametrize(
    ("sources", "targets"),
    [
        (["one"], ["un"]),
        (["a"] * 5, ["a"] * 5),
        ([""], [""]),
        (["", "a b"], ["c", ""]),
        (["a b"] * 3, ["x", "y", "z"]),
    ],
)
def test_data_without_much_to_learn(sources, targets):
    model = TransformerSeq2Seq(**SMALL, max_epochs=60, learning_rate=0.01).fit(sources, targets)
    assert np.isfinite(model.loss_curve_).all()
    lm = TransformerLM(**SMALL, max_epochs=60, learning_rate=0.01).fit(targets)
    assert np.isfinite(lm.perplexity(targets))


# ---- what users see --------------------------------------------------------------------------------------------------


def test_long_entries_are_cut_with_one_warning():
    short, long = ["a b"] * 20, ["a b c d e f g"] * 2
    with pytest.warns(UserWarning, match="4 of 44 sources and targets are longer than max_length=5") as caught:
        pairs(max_length=5).fit(short + long, short + long)
    assert len(caught) == 1


def test_a_language_model_reads_long_texts_in_pieces():
    text = " ".join(SOURCES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = texts(max_length=16).fit([text])
    n = len(text.split()) + 1
    np.testing.assert_allclose(model.score_samples([text])[0] / n, model.score([text]), rtol=1e-6)
    np.testing.assert_allclose(np.exp(-model.score([text])), model.perplexity([text]), rtol=1e-6)
    assert len(model.score_samples(["", "a", "unknown"])) == 3


def test_progress_is_told_in_tokens(caplog, capsys):
    with caplog.at_level(logging.INFO, "mlcore"):
        pairs(verbose=2).fit(SOURCES, TARGETS)
    assert len(caplog.messages) == 3
    assert "tokens a second" in caplog.messages[0]
    pairs(verbose=1).fit(SOURCES, TARGETS)
    shown = capsys.readouterr().err
    assert "tokens/s" in shown
    assert "100%" in shown


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pairs().fit(SOURCES, TARGETS[1:]), ValueError, "same number of entries, got 120 and 119"),
        (lambda: pairs().fit([], []), ValueError, "X of TransformerSeq2Seq must hold an entry or more"),
        (lambda: texts().fit([]), ValueError, "X of TransformerLM must hold a text or more"),
        (lambda: pairs().fit(SOURCES, None), ValueError, "requires Y to be passed"),
        (lambda: pairs().fit("text", TARGETS), ValueError, "got one document"),
        (lambda: pairs().fit(SOURCES, TARGETS, X_val=SOURCES), ValueError, "given together, got only X_val"),
        (lambda: pairs().fit(SOURCES, TARGETS, X_val=SOURCES, Y_val=["a"]), ValueError, "X_val and Y_val of"),
        (lambda: pairs(n_heads=3).fit(SOURCES, TARGETS), ValueError, "n_heads=3 of .* must divide d_model=16"),
        (lambda: pairs(n_heads=16, positions="rotary").fit(SOURCES, TARGETS), ValueError, "even number"),
        (lambda: pairs(tokenizer=None).fit(SOURCES, TARGETS), TypeError, "texts need a tokenizer"),
        (
            lambda: pairs(tokenizer="bpe", max_vocab=50).fit(SOURCES, TARGETS),
            ValueError,
            "max_vocab must be >= 261 with tokenizer='bpe'",
        ),
        (lambda: pairs(min_count=1000).fit(SOURCES, TARGETS), ValueError, "occurs min_count=1000 times"),
        (lambda: pairs(dropout=1.0).fit(SOURCES, TARGETS), ValueError, "The 'dropout' parameter"),
    ],
)
def test_what_fit_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
