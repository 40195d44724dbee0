"""BertPretrainer: it learns what the text around a token tells, and the same on any number of threads."""

import json
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import mlcore
from mlcore.seq.bert import (
    BertClassifier,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertModel,
    BertPretrainer,
    BertTokenizer,
)

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 200,
}
FEW = {"config": SIZES, "max_length": 32, "batch_tokens": 256, "random_state": 0, "n_jobs": 1}
ANIMALS = ["cat", "dog", "bird", "fish", "horse", "mouse"]
PLACES = ["house", "tree", "water", "field", "hole", "stable"]


def documents(n=120, seed=0):
    """Stories of one animal each, in its place: words tell each other, and sentences what document they are of."""
    rng = np.random.default_rng(seed)
    found = []
    for i in rng.integers(0, len(ANIMALS), n):
        animal, place = ANIMALS[i], PLACES[i]
        found.append(
            [
                f"the {animal} lives in the {place} with {rng.integers(1000)} others",
                f"no {animal} leaves the {place} before {rng.integers(1000)}",
                f"in the {place} sleeps the {animal} for {rng.integers(1000)} hours",
            ]
        )
    return found


def quick(**options):
    """Too few steps to learn much, which a warning says."""
    return BertPretrainer(**{**FEW, "max_steps": 6, **options})


def fitted(model, X, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, **options)


def weights(model):
    return model.module_.state_dict()


def assert_same(a, b):
    assert list(weights(a)) == list(weights(b))
    for name, values in weights(a).items():
        np.testing.assert_array_equal(values, weights(b)[name], err_msg=name)


def entropy(model, X):
    """Return the loss of who knows the frequencies of tokens alone."""
    counts = np.bincount(model.tokenizer_.encode([" ".join(document) for document in X]).batch.ids)[5:]
    p = counts[counts > 0] / counts.sum()
    return -p @ np.log(p)


@pytest.fixture(scope="module")
def learned():
    """With pairs of sentences."""
    model = BertPretrainer(**{**FEW, "max_steps": 300, "learning_rate": 5e-3, "dropout": 0.0})
    return model.fit(documents(), X_val=documents(30, seed=1))


# ---- learning ----


def test_masked_words_and_next_sentences_are_learned(learned):
    assert isinstance(learned.module_, BertForPreTraining)
    found = learned.evaluate(documents(40, seed=2))
    assert found["masked_accuracy"] > 0.4  # numbers cannot be known; the most frequent token is a tenth of all
    assert found["masked_loss"] < 0.7 * entropy(learned, documents(40, seed=2))
    assert found["next_sentence_accuracy"] > 0.7  # an animal may meet itself in another document
    assert found["loss"] == pytest.approx(found["masked_loss"] + found["next_sentence_loss"])
    assert learned.score(documents(40, seed=2)) == -found["masked_loss"]
    assert learned.loss_curve_[-1] < 0.7 * learned.loss_curve_[0]
    assert len(learned.loss_curve_) == learned.n_iter_
    last = learned.history_.epochs[-1]
    names = ["loss", "masked_loss", "masked_accuracy", "next_sentence_loss", "next_sentence_accuracy"]
    assert all(f"validation_{name}" in last for name in names)
    assert last["validation_masked_loss"] < learned.history_.epochs[0]["validation_masked_loss"]


def test_it_starts_at_the_frequencies():
    """The loss of the first step is their entropy, not the logarithm of the number of tokens."""
    model = fitted(
        quick(max_steps=1, learning_rate=1e-9, next_sentence=False, config={**SIZES, "initializer_range": 0.02}),
        documents(),
    )
    assert model.loss_curve_[0] == pytest.approx(entropy(model, documents()), rel=0.15)
    assert model.loss_curve_[0] < 0.85 * np.log(len(model.tokenizer_))


def test_texts_without_pairs():
    texts = [" ".join(document) for document in documents(60)]
    alone = fitted(quick(next_sentence=False), texts)
    assert isinstance(alone.module_, BertForMaskedLM)
    assert set(alone.evaluate(texts)) == {"loss", "masked_loss", "masked_accuracy"}
    assert isinstance(fitted(quick(), ["a cat", "a dog", "a bird", "the rest"]).module_, BertForMaskedLM)


def test_what_learns_nothing_says_so():
    rng = np.random.default_rng(0)
    noise = [" ".join(rng.choice(list("abcdefghij"), 20)) for _ in range(60)]
    with pytest.warns(ConvergenceWarning, match="no better than their frequencies"):
        model = quick(max_steps=20).fit(noise)
    assert -model.score(noise) < 1.05 * np.log(10)


def test_a_network_is_never_worse_than_the_frequencies():
    with pytest.warns(ConvergenceWarning):
        model = quick(max_steps=30, learning_rate=50.0, max_norm=None).fit(documents())
    assert -model.score(documents()) < 1.05 * entropy(model, documents())
    assert model.evaluate(documents())["next_sentence_loss"] == pytest.approx(np.log(2), abs=1e-3)


def test_repeated_text_is_told_of():
    with pytest.warns(UserWarning, match="are repeated sentences"):
        fitted(quick(), [["the same sentence", "and one more"]] * 20)


# ---- the same bits ----


@pytest.mark.parametrize("next_sentence", [False, True])
def test_threads_do_not_matter(next_sentence):
    options = {"next_sentence": next_sentence, "max_steps": 4, "whole_word": next_sentence}
    X = documents(40)
    one, two = (fitted(quick(**{**options, "n_jobs": n}), X) for n in (1, 2))
    assert_same(one, two)
    assert one.loss_curve_.tolist() == two.loss_curve_.tolist()


def test_seeds_matter():
    X = documents(20)
    a, b = (fitted(quick(random_state=seed), X) for seed in (0, 1))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert (weights(a)[name] != weights(b)[name]).any()


@pytest.mark.parametrize("by_steps", [False, True])
def test_a_run_that_is_gone_on_with_is_the_same(tmp_path, by_steps):
    X, X_val = documents(20), documents(5, seed=1)
    options = {"max_steps": 9, "accumulate": 2} if by_steps else {"max_steps": None, "max_epochs": 3}
    whole = fitted(quick(**options), X, X_val=X_val)
    path = tmp_path / "run.safetensors"
    every = 1 if by_steps else None
    part = quick(**options, checkpoint=path, checkpoint_every=every, verbose=0)
    stop_after(part, X, X_val, n_batches=7 if by_steps else 4)
    again = fitted(part, X, X_val=X_val, resume=True)
    assert_same(whole, again)
    assert again.loss_curve_.tolist() == whole.loss_curve_.tolist()


def stop_after(model, X, X_val, n_batches):
    """Fit, and interrupt it at a batch."""
    import mlcore.seq.bert.pretraining._training as module

    step, seen = module.train_step, []

    def interrupted(network, batch):
        seen.append(batch)
        if len(seen) > n_batches:
            raise KeyboardInterrupt
        return step(network, batch)

    module.train_step = interrupted
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, X_val=X_val)
    finally:
        module.train_step = step
    assert not hasattr(model, "module_")


def test_early_stopping():
    model = quick(max_steps=None, max_epochs=40, early_stopping=True, n_iter_no_change=2, learning_rate=5e-2)
    fitted(model, documents(40))
    assert model.n_iter_ < 40
    losses = model.history_["validation_loss"]
    assert model.history_.best_epoch == losses.argmin()
    assert "validation_loss" not in fitted(quick(), documents(10)).history_.epochs[0]


def test_warm_start(learned):
    model = fitted(quick(), documents(40))
    before, vocabulary = model.score(documents(20)), model.tokenizer_.to_json()
    model.set_params(warm_start=True, max_steps=60, learning_rate=5e-3)
    n = model.n_iter_
    fitted(model, documents(40))
    assert model.n_iter_ == len(model.history_) > n
    assert model.score(documents(20)) > before
    assert model.tokenizer_.to_json() == vocabulary


# ---- starts ----


def test_tokenizer_that_is_given(learned):
    tokenizer = learned.tokenizer_
    model = fitted(quick(tokenizer=tokenizer), documents(20))
    assert model.tokenizer_ is tokenizer
    assert model.module_.config.vocab_size == len(tokenizer)
    subwords = fitted(quick(tokenizer=tokenizer.subwords), documents(20))
    assert_same(model, subwords)
    assert clone(model).tokenizer.to_json() == tokenizer.to_json()


def test_going_on_from_an_estimator_and_from_its_folder(learned, tmp_path):
    learned.save_pretrained(tmp_path / "folder")
    options = {"config": None, "learning_rate": 1e-9}
    for start in (learned, tmp_path / "folder"):
        model = fitted(quick(model=start, **options), documents(20))
        assert model.score(documents(20)) == pytest.approx(learned.score(documents(20)), abs=1e-3)
    assert clone(model).model == tmp_path / "folder"
    words = fitted(quick(model=learned, next_sentence=False, **options), documents(20))
    assert isinstance(words.module_, BertForMaskedLM)
    np.testing.assert_allclose(
        weights(words)["cls.predictions.bias"], weights(learned)["cls.predictions.bias"], atol=1e-6
    )


def test_fine_tuning_starts_from_it(learned):
    texts = [sentence for document in documents(40, seed=3) for sentence in document]
    labels = ["cat" in text for text in texts]
    model = BertClassifier(learned, max_epochs=20, learning_rate=3e-3, random_state=0, n_jobs=1).fit(texts, labels)
    assert model.tokenizer_.to_json() == learned.tokenizer_.to_json()
    assert model.score(texts, labels) > 0.9


# ---- files ----


def test_save_and_load(learned, tmp_path):
    for model in (learned, fitted(quick(next_sentence=False, tokenizer=learned.tokenizer_), documents(20))):
        path = tmp_path / "model.safetensors"
        mlcore.save(model, path)
        again = mlcore.load(path)
        assert_same(model, again)
        assert type(again.module_) is type(model.module_)
        assert again.evaluate(documents(10)) == model.evaluate(documents(10))
        assert again.get_params()["max_steps"] == model.max_steps
        assert (again.tokenizer is None) == (model.tokenizer is None)


def test_folder(learned, tmp_path):
    learned.save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["BertForPreTraining"]
    text = documents(1)[0][0]
    batch = BertTokenizer.from_pretrained(tmp_path).encode([text]).batch
    found = BertModel.from_pretrained(tmp_path)(batch.ids, offsets=batch.offsets)
    expected = learned.module_.bert(batch.ids, offsets=batch.offsets)
    np.testing.assert_array_equal(found.last_hidden_state.data, expected.last_hidden_state.data)


@pytest.mark.peers
def test_transformers_reads_the_folder(learned, tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    learned.save_pretrained(tmp_path)
    network = transformers.BertForPreTraining.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    first, second = documents(1)[0][:2]
    read = tokenizer(first, second, return_tensors="pt")
    batch = learned.tokenizer_.encode([first], [second]).batch
    np.testing.assert_array_equal(read["input_ids"][0].numpy(), batch.ids)
    with torch.no_grad():
        theirs = network(**read)
    ours = learned.module_(batch.ids, token_type_ids=batch.types, offsets=batch.offsets)
    # Sums in another order: float32 rounds to 1e-7 of numbers of about 10.
    np.testing.assert_allclose(ours.prediction_logits.data, theirs.prediction_logits[0].numpy(), atol=2e-4)
    np.testing.assert_allclose(ours.seq_relationship_logits.data, theirs.seq_relationship_logits.numpy(), atol=2e-4)


# ---- bad input ----


@pytest.mark.parametrize(
    ("options", "X", "error", "message"),
    [
        ({}, [], ValueError, "got none"),
        ({}, ["", " "], ValueError, "empty ones alone"),
        ({}, "one text", ValueError, "one document"),
        ({}, [3], TypeError, "document 0 of X of BertPretrainer"),
        ({"next_sentence": True}, ["a b c"] * 5, ValueError, "needs two documents or more"),
        ({"next_sentence": True}, [["a b c", "d e f"]], ValueError, "needs two documents or more"),
        ({"max_epochs": 2}, documents(5), ValueError, "max_epochs and max_steps"),
        ({"checkpoint_every": 2}, documents(5), ValueError, "needs a checkpoint"),
        ({"max_length": 4}, documents(5), ValueError, "max_length"),
        ({"mlm_probability": 0.0}, documents(5), ValueError, "mlm_probability"),
        ({"config": {**SIZES, "num_attention_heads": 5}}, documents(5), ValueError, "num_attention_heads"),
        ({"config": {**SIZES, "max_position_embeddings": 4}}, documents(5), ValueError, "at least 8"),
        ({"tokenizer": 3}, documents(5), ValueError, "tokenizer"),
        ({"model": "no-such-folder", "config": None}, documents(5), FileNotFoundError, "no-such-folder"),
        ({"model": "no-such-folder"}, documents(5), ValueError, "with a model both must be None"),
        ({"model": BertClassifier(), "config": None}, documents(5), ValueError, "not fitted"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*are repeated sentences")
def test_bad_input(options, X, error, message):
    model = quick(**options)
    with pytest.raises(error, match=message):
        model.fit(X)
    assert not hasattr(model, "module_")


def test_texts_of_unknown_tokens_alone(learned):
    with pytest.raises(ValueError, match="nothing to mask"):
        quick(tokenizer=learned.tokenizer_).fit(["\u4e00 \u4e01", "\u4e02"])
    with pytest.raises(ValueError, match="nothing to mask"):
        learned.evaluate(["\u4e00 \u4e01"])


def test_documents_to_score_need_pairs_too(learned):
    with pytest.raises(ValueError, match="documents to score"):
        learned.evaluate(["the cat"])


def test_config_as_an_object():
    model = fitted(quick(config=BertConfig(**{**SIZES, "max_position_embeddings": 16})), documents(10))
    assert model.module_.config.max_position_embeddings == 16
    assert (np.diff(model.tokenizer_.encode(["a b"]).batch.offsets) <= 16).all()
