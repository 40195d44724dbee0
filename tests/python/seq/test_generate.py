"""What TransformerSeq2Seq and TransformerLM write: small tasks learned exactly, the same in any batch, attention."""

import pickle
from functools import cache

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import mlcore
from mlcore import TransformerLM, TransformerSeq2Seq
from mlcore.metrics import corpus_bleu
from mlcore.plotting import plot_attention
from mlcore.text import SubwordTokenizer

RNG = np.random.default_rng(0)
IDS = [RNG.integers(0, 6, n).tolist() for n in RNG.integers(1, 5, 800)]
SMALL = {"d_model": 32, "n_heads": 2, "n_layers": 1, "dim_feedforward": 64, "random_state": 0, "learning_rate": 1e-2}
DAYS, MONTHS = ["first", "second", "third", "fourth"], ["May", "June", "July", "August"]
DATES = [f"the {day} of {month}, {year}" for day in DAYS for month in MONTHS for year in range(1990, 2000)]
SHORT = [f"{d}.{m}.{y}" for d in range(1, 5) for m in range(5, 9) for y in range(1990, 2000)]
LINES = ["the cat drinks milk", "the dog drinks water", "the bird eats seeds", "a fish swims"] * 10

FROZEN_LOSSES = [3.6115, 3.2372, 3.0868, 3.0269, 2.9785, 2.9177]
FROZEN_BLEU = 35.3


@cache
def reverser():
    options = {**SMALL, "dropout": 0.0, "label_smoothing": 0.0, "tokenizer": None, "max_epochs": 18}
    return TransformerSeq2Seq(**options, batch_tokens=100).fit(IDS, [ids[::-1] for ids in IDS])


@cache
def dates(tokenizer="word", max_epochs=30):
    options = {**SMALL, "tokenizer": tokenizer, "dropout": 0.0, "max_epochs": max_epochs, "batch_tokens": 100}
    return TransformerSeq2Seq(**options).fit(DATES, SHORT)


@cache
def lm():
    return TransformerLM(**SMALL, dropout=0.0, max_epochs=30, batch_tokens=60).fit(LINES)


# ---- right answers ---------------------------------------------------------------------------------------------------


def test_it_learns_to_reverse():
    new = [RNG.integers(0, 6, n).tolist() for n in RNG.integers(1, 5, 100)]
    right = [ids[::-1] for ids in new]
    found = reverser().predict(new)
    assert np.mean([a == b for a, b in zip(found, right, strict=True)]) > 0.95
    assert reverser().score(new, right) > 97
    assert reverser().generate(new[:20], sampling="greedy") == right[:20]


def test_it_learns_to_write_dates():
    model = dates()
    assert model.predict(DATES[::7]) == SHORT[::7]
    assert model.score(DATES, SHORT) == pytest.approx(100)
    assert model.predict([]) == []
    assert model.predict(iter(DATES[:2])) == SHORT[:2]
    half = [*SHORT[:80], *SHORT[79::-1]]
    assert model.score(DATES, half) == pytest.approx(
        corpus_bleu(model.predict(DATES), [half], effective_order=True).score
    )


@pytest.mark.parametrize("tokenizer", ["bpe", "char"])
def test_other_tokens(tokenizer, tmp_path):
    model = dates(tokenizer, 12)
    assert model.score(DATES, SHORT) > 30
    mlcore.save(model, tmp_path / "model")
    assert mlcore.load(tmp_path / "model").predict(DATES[:9]) == model.predict(DATES[:9])


def test_a_language_model_goes_on():
    model = lm()
    assert model.generate(["the dog", "a"], sampling="greedy") == ["the dog drinks water", "a fish swims"]
    assert set(model.generate([""] * 20, top_p=0.9, random_state=0)) <= set(LINES)
    assert model.generate(sampling="beam", n_best=2)[0][0] in LINES
    assert 1 < model.perplexity(LINES) < 2
    assert model.perplexity(["milk drinks cat the"]) > 50


# ---- searches --------------------------------------------------------------------------------------------------------


def test_greedy_search_is_a_beam_of_one():
    model, sources = reverser(), IDS[:30]
    texts, scores = model.generate(sources, sampling="greedy", return_scores=True)
    assert model.generate(sources, beam_size=1) == texts
    assert scores.shape == (30,)


def test_scores_are_those_of_the_network():
    model = reverser()
    texts, scores = model.generate(IDS[:20], return_scores=True, length_penalty=0.0)
    pairs = model._pairs((model._source.encode(IDS[:20], "X"), model._target.encode(texts, "Y")))
    np.testing.assert_allclose(
        scores, -model.module_.negative_log_likelihoods(pairs[1], pairs[0]), rtol=1e-3, atol=1e-4
    )
    lines, scores = lm().generate(["", ""], sampling="greedy", return_scores=True, length_penalty=0.0)
    np.testing.assert_allclose(scores, lm().score_samples(lines), rtol=1e-3, atol=1e-4)


def test_the_best_come_first():
    texts, scores = reverser().generate(IDS[:10], n_best=4, return_scores=True)
    for some, values in zip(texts, scores, strict=True):
        assert len(some) == len(values) == 4
        assert len({tuple(text) for text in some}) == 4
        assert (np.diff(values) <= 0).all()


def test_a_source_is_written_alike_in_any_batch_and_with_any_threads():
    model, sources = reverser(), IDS[:40]
    for options in ({}, {"sampling": "greedy"}):
        texts, scores = model.generate(sources, return_scores=True, **options)
        alone = [model.generate([source], return_scores=True, **options) for source in sources]
        assert [text for (text,), _ in alone] == texts
        np.testing.assert_array_equal(np.concatenate([score for _, score in alone]), scores)
    for n_jobs in (1, 3):
        other = pickle.loads(pickle.dumps(model)).set_params(n_jobs=n_jobs)
        np.testing.assert_array_equal(other.generate(sources, sampling="greedy", return_scores=True)[1], scores)


def test_samples():
    model, sources = reverser(), IDS[:20]
    options = {"sampling": "sample", "temperature": 3.0, "n_best": 3}
    texts = model.generate(sources, random_state=0, **options)
    assert texts == model.generate(sources, random_state=0, **options)
    assert texts != model.generate(sources, random_state=1, **options)
    assert texts[:5] == model.generate(sources[:5], random_state=0, **options)
    greedy = model.generate(sources, sampling="greedy")
    assert model.generate(sources, sampling="sample", top_k=1) == greedy
    assert model.generate(sources, sampling="sample", top_p=1e-9) == greedy


def test_lengths():
    model = reverser()
    assert max(map(len, model.generate(IDS[:50], max_length=2))) == 2
    with pytest.warns(UserWarning, match="1 of 2 sources are longer than max_length=256"):
        assert len(model.predict([[1], [1] * 300])) == 2
    assert all(len(line.split()) <= 3 for line in lm().generate(["", "the", "the cat"], max_length=3))
    with pytest.warns(UserWarning, match="1 of 1 prompts leave no room within max_length=3 tokens: of each the last 2"):
        lm().generate(["the cat drinks milk"], max_length=3)


def test_quantize_takes_no_single_text():
    with pytest.raises(ValueError, match="got one document"):
        lm().quantize("the cat")
    assert not lm().is_quantized_


def test_unknown_words_alone():
    assert isinstance(dates().predict(["zzz yyy", "zzz", ""])[0], str)
    assert isinstance(lm().generate(["zzz"], sampling="greedy")[0], str)
    texts = dates().generate(["zzz"] * 50, sampling="sample", temperature=50.0, random_state=0)
    assert not any("<" in text for text in texts)  # no marker is written


# ---- attention, int8, state ------------------------------------------------------------------------------------------


def test_attention_is_drawn():
    texts, scores, attention = reverser().generate([[1, 2, 3], [4]], return_scores=True, return_attention=True)
    assert texts == [[3, 2, 1], [4]]
    assert [a.weights.shape for a in attention] == [(4, 4), (2, 2)]
    assert attention[0].queries == ["3", "2", "1", "</s>"]
    assert attention[0].keys == ["1", "2", "3", "</s>"]
    assert len(scores) == 2
    assert plot_attention(attention[0]) is not None
    many = reverser().generate([[1, 2, 3]], n_best=2, return_attention=True)[1]
    np.testing.assert_allclose(many[0][0].weights, attention[0].weights, rtol=1e-4, atol=1e-6)


def test_int8_writes_nearly_the_same(tmp_path):
    model = pickle.loads(pickle.dumps(dates()))
    report = model.quantize(DATES, SHORT)
    assert report.keys() == {"agreement", "bleu_float32", "bleu_int8"}
    assert report["agreement"] > 90
    assert abs(report["bleu_int8"] - report["bleu_float32"]) < 10
    assert model.is_quantized_
    scores = model.generate(DATES[:9], return_scores=True)[1]
    assert (scores != dates().generate(DATES[:9], return_scores=True)[1]).any()
    mlcore.save(model, tmp_path / "model")
    np.testing.assert_array_equal(mlcore.load(tmp_path / "model").generate(DATES[:9], return_scores=True)[1], scores)
    other = pickle.loads(pickle.dumps(lm()))
    assert other.quantize(["", "the"])["agreement"] > 0.5
    assert other.quantize() == {}
    with pytest.raises(ValueError, match="needs X where Y is given"):
        model.quantize(None, SHORT)


def test_a_small_run_is_what_it_was():
    """Frozen: other ISA levels round otherwise, which a few epochs do not blow up to more than this."""
    model = TransformerSeq2Seq(**SMALL, max_epochs=6, batch_tokens=100).fit(DATES, SHORT)
    np.testing.assert_allclose(model.loss_curve_, FROZEN_LOSSES, rtol=2e-3)
    rng = np.random.default_rng(1)
    new = [rng.integers(0, 6, n).tolist() for n in rng.integers(5, 8, 100)]  # longer than what it has learned from
    assert abs(reverser().score(new, [ids[::-1] for ids in new]) - FROZEN_BLEU) < 5


@pytest.mark.parametrize("make", [dates, lm])
def test_a_model_comes_back_from_a_file(make, tmp_path):
    model = make()
    mlcore.save(model, tmp_path / "model")
    found = mlcore.load(tmp_path / "model")
    X = DATES[:9] if make is dates else ["", "the"]
    assert found.generate(X, return_scores=True, sampling="greedy")[0] == model.generate(X, sampling="greedy")
    assert found.get_params() == model.get_params()


def test_a_tokenizer_that_is_an_object_is_in_the_file(tmp_path):
    trained = SubwordTokenizer.train(DATES + SHORT, vocab_size=300)
    for tokenizer in (trained, trained._tokenizer):
        model = TransformerSeq2Seq(**SMALL, tokenizer=tokenizer, max_epochs=2, batch_tokens=300).fit(DATES, SHORT)
        mlcore.save(model, tmp_path / "model")
        found = mlcore.load(tmp_path / "model")
        assert isinstance(found.tokenizer, SubwordTokenizer)
        assert found.predict(DATES[:5]) == model.predict(DATES[:5])
        mlcore.save(found, tmp_path / "again")
    model = TransformerSeq2Seq(**SMALL, tokenizer=str.split, max_epochs=1, batch_tokens=300).fit(DATES, SHORT)
    with pytest.raises(ValueError, match="parameter 'tokenizer'"):
        mlcore.save(model, tmp_path / "model")


@pytest.mark.parametrize("scoring", ["loss", "bleu"])
def test_validation_by_bleu(scoring):
    options = {**SMALL, "max_epochs": 4, "batch_tokens": 100}
    model = TransformerSeq2Seq(**options, scoring=scoring).fit(DATES, SHORT, X_val=DATES[:30], Y_val=SHORT[:30])
    assert ("validation_bleu" in model.history_) == (scoring == "bleu")
    if scoring == "bleu":
        best = model.history_["validation_bleu"].max()
        model.beam_size = 1
        np.testing.assert_allclose(model.score(DATES[:30], SHORT[:30]), best)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_best": 6}, "n_best=6 must be at most beam_size=5"),
        ({"n_best": 2, "sampling": "greedy"}, "greedy search finds one text"),
        ({"sampling": "best"}, "The 'sampling' parameter of generate of TransformerSeq2Seq must be"),
        ({"beam_size": 0}, "The 'beam_size' parameter"),
        ({"beam_size": 10**30}, "The 'beam_size' parameter"),
        ({"n_best": 2**30, "sampling": "sample"}, "The 'n_best' parameter"),
        ({"temperature": 0.0}, "The 'temperature' parameter"),
        ({"temperature": 0.5}, "they need sampling='sample', got 'beam'"),
        ({"top_p": 0.5, "sampling": "greedy"}, "they need sampling='sample', got 'greedy'"),
        ({"top_p": 0.0}, "The 'top_p' parameter"),
        ({"top_k": -1}, "The 'top_k' parameter"),
        ({"max_length": 0}, "The 'max_length' parameter"),
        ({"max_length": "3"}, "The 'max_length' parameter"),
        ({"max_length": 2**31}, "The 'max_length' parameter"),
        ({"beam_size": 3, "sampling": "greedy"}, "it needs sampling='beam', got 'greedy'"),
        ({"early_stopping": True, "sampling": "sample"}, "it needs sampling='beam', got 'sample'"),
        ({"early_stopping": "soon"}, "The 'early_stopping' parameter"),
    ],
)
def test_what_generate_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        dates().generate(DATES[:2], **options)


def test_what_else_is_refused():
    with pytest.raises(NotFittedError):
        TransformerSeq2Seq().predict(["a"])
    with pytest.raises(NotFittedError):
        TransformerLM().generate(["a"])
    with pytest.raises(ValueError, match="same number of entries, got 2 and 3"):
        dates().score(DATES[:2], SHORT[:3])
    with pytest.raises(ValueError, match="max_length of generate must be at most 256"):
        lm().generate([""], max_length=257)
    with pytest.raises(ValueError, match="The 'max_length' parameter"):
        lm().generate([""], max_length="3")
    with pytest.raises(ValueError, match="got one document, a str"):  # not its letters
        lm().quantize("the first")
    with pytest.raises(ValueError, match="it needs sampling='beam', got 'sample'"):
        lm().generate([""], beam_size=3)
    with pytest.raises(TypeError, match="got a set"):
        dates().predict(set(DATES))
    with pytest.raises(TypeError, match="text 0 of X of TransformerSeq2Seq must be a str"):
        dates().predict([["a"]])
    with pytest.raises(ValueError, match="hold a text or more"):
        lm().score([])


def test_a_beam_larger_than_the_vocabulary():
    model = TransformerSeq2Seq(**SMALL, max_epochs=3).fit(["a", "a a"], ["b", "b b"])
    assert set(model.generate(["a"], beam_size=50, n_best=3)[0]) <= {"", *(" ".join(["b"] * n) for n in range(1, 300))}
