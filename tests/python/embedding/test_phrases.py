"""Phrases: the scores by hand and beside gensim, joining beside a twin, chains, state, bad input."""

import copy
import pickle
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import mlcore
from mlcore import _io
from mlcore._base import StateMixin
from mlcore.embedding import Phrases
from mlcore.embedding import phrases as phrases_module
from mlcore.embedding.phrases import ENGLISH_CONNECTOR_WORDS

TEXTS = [
    "new york is a city in the state of new york",
    "she went to new york and he to the bank of america",
    "a new day in york",
    "",
    "new york by night is not the bank of america",
    "the state of affairs",
]


def candidates(texts, connectors):
    """Count pairs and their connectors as they stand in the texts, one text after the other."""
    words, pairs = Counter(), Counter()
    for text in texts:
        for i, word in enumerate(text):
            if word in connectors:
                continue
            words[word] += 1
            end = i + 1
            while end < len(text) and text[end] in connectors:
                end += 1
            if end < len(text):
                pairs[tuple(text[i : end + 1])] += 1
    return words, pairs


def scores_by_hand(texts, *, min_count, threshold, scoring, connectors=()):
    words, pairs = candidates(texts, connectors)
    n = sum(map(len, texts))
    scores = {}
    for pair, count in pairs.items():
        if count < min_count:
            continue
        a, b = words[pair[0]], words[pair[-1]]
        if scoring == "default":
            score = (count - min_count) / (a * b) * (len(words) + len(pairs))
        else:
            score = np.log((count / n) / (a / n * b / n)) / -np.log(count / n)
        if score > threshold:
            scores[pair] = score
    return scores


def joined_by_hand(text, phrases, connectors, delimiter="_"):
    result, i = [], 0
    while i < len(text):
        end = i + 1
        while end < len(text) and text[end] in connectors:
            end += 1
        if tuple(text[i : end + 1]) in phrases:
            result.append(delimiter.join(text[i : end + 1]))
            i = end + 1
        else:
            result.append(text[i])
            i += 1
    return result


@pytest.fixture(scope="module")
def corpus():
    """Texts of drawn words, some of which like to stand together."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(300)] + ["of", "the"])
    texts = []
    for _ in range(4000):
        text = words[np.minimum(rng.zipf(1.4, rng.integers(0, 15)) - 1, len(words) - 1)].tolist()
        for pair in (["hong", "kong"], ["bank", "of", "the", "west"], ["w0", "w1"]):
            if rng.random() < 0.05:
                place = rng.integers(0, len(text) + 1)
                text[place:place] = pair
        texts.append(text)
    return texts


# ---- fit ----


def test_example_by_hand():
    phrases = Phrases(min_count=1, threshold=2.0).fit([text.split() for text in TEXTS])
    words, pairs = candidates([text.split() for text in TEXTS], ())
    expected = (pairs["new", "york"] - 1) / (words["new"] * words["york"]) * (len(words) + len(pairs))
    found = dict(zip(phrases.phrases_, phrases.scores_, strict=True))
    assert found["new", "york"] == pytest.approx(expected, rel=1e-15)
    assert phrases.phrase_counts_[phrases.phrases_.index(("new", "york"))] == 4
    assert phrases.n_words_ == sum(len(text.split()) for text in TEXTS)


@pytest.mark.parametrize("connectors", [(), ("of", "the"), ENGLISH_CONNECTOR_WORDS])
@pytest.mark.parametrize(("scoring", "threshold"), [("default", 1.0), ("default", 10.0), ("npmi", 0.1), ("npmi", -1)])
@pytest.mark.parametrize("min_count", [1, 5])
def test_phrases_and_scores_are_those_of_the_formulas(corpus, connectors, scoring, threshold, min_count):
    phrases = Phrases(min_count, threshold, scoring, connector_words=connectors).fit(corpus)
    expected = scores_by_hand(
        corpus, min_count=min_count, threshold=threshold, scoring=scoring, connectors=set(connectors)
    )
    assert set(phrases.phrases_) == set(expected)
    assert len(phrases.phrases_) == len(expected) > 0
    # The logarithm of a number near 1 has few right digits.
    np.testing.assert_allclose(phrases.scores_, [expected[phrase] for phrase in phrases.phrases_], 1e-13, atol=1e-15)
    assert (np.diff(phrases.scores_) <= 0).all()
    _, pairs = candidates(corpus, set(connectors))
    assert phrases.phrase_counts_.tolist() == [pairs[phrase] for phrase in phrases.phrases_]


def test_result_depends_neither_on_threads_nor_on_the_way_of_the_corpus(corpus, tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    texts = corpus * 5  # several pieces
    path.write_text("\n".join(" ".join(text) for text in texts))
    expected = Phrases(threshold=0.1, connector_words=["of"]).fit(texts)
    assert len(expected.phrases_) > 20
    for n_jobs in (1, 2, 7):
        for X in (path, str(path), [path], texts, [" ".join(text) for text in texts]):
            found = Phrases(threshold=0.1, connector_words=["of"], n_jobs=n_jobs).fit(X)
            assert found.phrases_ == expected.phrases_
            assert found.scores_.tolist() == expected.scores_.tolist()
    monkeypatch.setattr(phrases_module, "_MAX_DISTINCT", 1000)  # several passes
    found = Phrases(threshold=0.1, connector_words=["of"]).fit(path)
    assert found.phrases_ == expected.phrases_
    assert found.scores_.tolist() == expected.scores_.tolist()


def test_connectors_that_the_corpus_lacks(corpus):
    assert Phrases(threshold=1.0, connector_words={"und", "oder"}).fit(corpus).phrases_ == (
        Phrases(threshold=1.0).fit(corpus).phrases_
    )


def test_no_phrases():
    phrases = Phrases().fit(["a b c"])
    assert phrases.phrases_ == []
    assert phrases.scores_.shape == phrases.phrase_counts_.shape == (0,)
    assert phrases.transform(["a b", ["c", "d"]]) == [["a", "b"], ["c", "d"]]


# ---- transform ----


@pytest.mark.parametrize("connectors", [(), ("of", "the")])
def test_texts_are_joined_from_left_to_right(corpus, connectors):
    phrases = Phrases(min_count=2, threshold=0.5, connector_words=connectors).fit(corpus)
    known = set(phrases.phrases_)
    joined = phrases.transform(corpus)
    assert joined == [joined_by_hand(text, known, connectors) for text in corpus]
    assert joined == phrases.transform([" ".join(text) for text in corpus])
    assert sum(map(len, joined)) < sum(map(len, corpus))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "of", "é", "x y", "of_"]), max_size=9), min_size=1, max_size=6),
    st.sets(st.sampled_from(["of", "é", "other"])),
)
def test_any_texts(texts, connectors):
    if not any(texts):
        return
    phrases = Phrases(1, -0.5, "npmi", delimiter="+", connector_words=connectors).fit(texts)
    known = set(phrases.phrases_)
    expected = scores_by_hand(texts, min_count=1, threshold=-0.5, scoring="npmi", connectors=connectors)
    # Scores at the threshold itself may fall on either side by their last digits.
    clear = {pair for pair, score in expected.items() if abs(score + 0.5) > 1e-9}
    assert clear <= known <= set(expected) | {pair for pair in known if pair not in clear}
    assert phrases.transform(texts) == [joined_by_hand(text, known, connectors, "+") for text in texts]


def test_overlapping_phrases_and_unknown_words():
    phrases = Phrases(1, 0.0, "npmi").fit([["a", "b"], ["b", "c"], ["x"] * 9])
    assert ("a", "b") in phrases.phrases_
    assert ("b", "c") in phrases.phrases_
    assert phrases.transform(["a b c", "b c a b", "a ? b", "? a b ?", "a", ""]) == [
        ["a_b", "c"],
        ["b_c", "a_b"],
        ["a", "?", "b"],
        ["?", "a_b", "?"],
        ["a"],
        [],
    ]


def test_files_give_a_text_a_line(tmp_path):
    phrases = Phrases(min_count=1, threshold=2.0).fit(TEXTS)
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    assert phrases.transform(path) == phrases.transform(TEXTS)
    assert phrases.transform([path, path]) == phrases.transform(TEXTS) * 2


def test_chain_finds_longer_phrases():
    texts = ["the new york times wrote", "we read the new york times", "new york times", "times are new", "york"] * 3
    pairs = Phrases(min_count=1, threshold=0.5, connector_words=["the"]).fit(texts)
    longer = Phrases(min_count=1, threshold=0.5, connector_words=["the"]).fit(pairs.stream(texts))
    once, twice = pairs.transform(texts), longer.transform(pairs.transform(texts))
    assert once[2] == ["new_york", "times"]
    assert twice[2] == ["new_york_times"]
    assert list(longer.stream(pairs.stream(texts))) == twice
    assert longer.phrases_[0][0].count("_") + longer.phrases_[0][1].count("_") == 1


def test_stream_starts_anew_each_time(corpus):
    stream = Phrases(threshold=1.0).fit(corpus).stream(corpus)
    assert iter(stream) is not stream
    assert list(stream) == list(stream)


def test_words_of_lists_stay_the_same_objects():
    text = ["".join(["un", "known"]), "new", "york"]
    joined = Phrases(min_count=1, threshold=2.0).fit(TEXTS).transform([text])[0]
    assert joined == ["unknown", "new_york"]
    assert joined[0] is text[0]


# ---- estimator ----


def test_pipeline_and_clone():
    texts = ["New York is big", "I like New York", "New ideas from York"]
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: [text.lower() for text in X]), Phrases(min_count=1, threshold=1.5)
    )
    assert pipeline.fit_transform(texts)[0] == ["new_york", "is", "big"]
    phrases = Phrases(3, 4.0, "npmi", "+", ("of",), 2)
    assert clone(phrases).get_params() == phrases.get_params()
    assert re.fullmatch(r"Phrases\(.*\)", repr(phrases), re.DOTALL)


def test_state_survives(corpus, tmp_path):
    phrases = Phrases(threshold=1.0, connector_words=ENGLISH_CONNECTOR_WORDS).fit(corpus)
    expected = phrases.transform(corpus)
    mlcore.save(phrases, tmp_path / "phrases.safetensors")
    for other in (
        pickle.loads(pickle.dumps(phrases)),
        copy.deepcopy(phrases),
        mlcore.load(tmp_path / "phrases.safetensors"),
    ):
        assert other.phrases_ == phrases.phrases_
        assert other.scores_.tolist() == phrases.scores_.tolist()
        assert other.get_params() == phrases.get_params()
        assert other.transform(corpus) == expected
    assert isinstance(phrases, StateMixin)


@pytest.mark.parametrize("kind", [set, frozenset, list, tuple])
def test_connector_words_of_any_collection_are_saved(kind, tmp_path):
    phrases = Phrases(min_count=1, threshold=0.5, connector_words=kind(["of", "the"])).fit(TEXTS)
    mlcore.save(phrases, tmp_path / "p.safetensors")
    loaded = mlcore.load(tmp_path / "p.safetensors")
    assert loaded.connector_words == phrases.connector_words
    assert type(loaded.connector_words) is kind
    assert loaded.transform(TEXTS) == phrases.transform(TEXTS)


def test_damaged_state(corpus):
    phrases = Phrases(threshold=1.0).fit(corpus)
    state = {name: value for name, value in phrases._get_state().items() if name in Phrases._state_spec}
    _io._check(phrases, state)
    utf8, offsets, starts = state["phrases_"]
    for damage in (
        {"phrases_": (utf8, offsets, starts[:-1])},
        {"phrases_": (utf8, offsets, starts + 1)},
        {"phrases_": (utf8[:-1], offsets, starts)},
        {"phrases_": (utf8, offsets, np.array([0, 1, starts[-1]]))},
        {"scores_": phrases.scores_[:-1]},
    ):
        with pytest.raises(ValueError, match=r"phrase|packed"):
            _io._check(phrases, {**state, **damage})


def test_a_new_fit_forgets_the_old_one():
    phrases = Phrases(min_count=1, threshold=2.0).fit(TEXTS)
    assert phrases.transform(["new york"]) == [["new_york"]]
    phrases.fit(["hong kong", "hong kong", "in hong kong"])
    assert phrases.transform(["new york"]) == [["new", "york"]]
    with pytest.raises(ValueError, match="has no words"):
        phrases.fit([])
    with pytest.raises(NotFittedError):
        phrases.transform(["new york"])


# ---- bad input ----


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"min_count": 0}, ValueError, "'min_count' parameter of Phrases"),
        ({"threshold": 0}, ValueError, "threshold must be > 0 for scoring='default', got 0"),
        ({"threshold": -2}, ValueError, "'threshold' parameter"),
        ({"scoring": "npmi"}, ValueError, "threshold must be from -1 to 1 for scoring='npmi', got 10.0"),
        ({"scoring": "pmi"}, ValueError, "'scoring' parameter"),
        ({"delimiter": None}, ValueError, "'delimiter' parameter"),
        ({"connector_words": "of the"}, ValueError, "'connector_words' parameter"),
        ({"connector_words": ["of", 3]}, TypeError, "connector_words must hold str, got 3"),
        ({"delimiter": "\0"}, ValueError, r"delimiter of Phrases must be text that UTF-8 can write, .* got '\\x00'"),
        ({"delimiter": "_\udc80"}, ValueError, r"delimiter of Phrases must be text .* got '_\\udc80'"),
        ({"connector_words": ["of", "a\0"]}, ValueError, "connector_words of Phrases must be text .* without NUL"),
        ({"connector_words": {"\ud800"}}, ValueError, r"connector_words of Phrases must be text .* got '\\ud800'"),
        ({"n_jobs": 1.5}, ValueError, "'n_jobs' parameter of Phrases"),
        ({"n_jobs": 0}, ValueError, "'n_jobs' parameter of"),
    ],
)
def test_bad_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        Phrases(**parameters).fit(TEXTS)


def test_bad_corpora(tmp_path):
    phrases = Phrases(min_count=1, threshold=2.0).fit(TEXTS)
    for call in (Phrases().fit, phrases.transform, phrases.stream):
        with pytest.raises(TypeError, match=r"X of Phrases must be .* can be read only once"):
            call(text for text in TEXTS)
        with pytest.raises(TypeError, match="decode it first"):
            call(b"text")
        with pytest.raises(FileNotFoundError, match="A str as X of Phrases is a path"):
            call("new york")
    for call in (Phrases().fit, phrases.transform):
        with pytest.raises(TypeError, match="text 1 must be a str or a list of str"):
            call(["a", 1])
        with pytest.raises(TypeError, match="word 1 of text 0 must be a str"):
            call([["a", 1]])
        with pytest.raises(IsADirectoryError):
            call(tmp_path)
    with pytest.raises(ValueError, match="X of Phrases has no words"):
        Phrases().fit([""])
    with pytest.raises(NotFittedError):
        Phrases().transform(TEXTS)


# ---- gensim ----


@pytest.mark.peers
@pytest.mark.parametrize("connectors", [frozenset(), frozenset(["of", "the"])])
@pytest.mark.parametrize(("scoring", "threshold"), [("default", 2.0), ("npmi", 0.2)])
def test_same_phrases_scores_and_texts_as_gensim(corpus, connectors, scoring, threshold):
    gensim = pytest.importorskip("gensim.models.phrases")
    theirs = gensim.Phrases(
        corpus, min_count=3, threshold=threshold, scoring=scoring, delimiter="+", connector_words=connectors
    )
    ours = Phrases(3, threshold, scoring, "+", connectors).fit(corpus)
    exported = theirs.export_phrases()
    assert {"+".join(phrase) for phrase in ours.phrases_} == set(exported)
    # Both compute in double precision, in another order.
    np.testing.assert_allclose(ours.scores_, [exported["+".join(phrase)] for phrase in ours.phrases_], rtol=1e-12)
    assert ours.transform(corpus) == [theirs[text] for text in corpus]
    frozen = theirs.freeze()
    assert ours.transform(corpus) == [frozen[text] for text in corpus]
