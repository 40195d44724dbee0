"""Tokens and vocabularies: from what users have to ids, and back."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlcore import TransformerSeq2Seq
from mlcore.seq._inputs import read_sequences, read_texts
from mlcore.seq._tokens import Tokens, learn_tokens, pack_sources, pack_targets
from mlcore.seq._vocabulary import BEGIN, END, UNKNOWN, Vocabulary
from mlcore.text import SubwordTokenizer

SOURCES = ["The dog barks, loudly.", "A dog sleeps", "", "the bird (small) sings"]
TARGETS = ["Der Hund bellt, laut.", "Ein Hund schläft", "", "der Vogel (klein) singt"]
DEFAULTS = {"lowercase": False, "min_count": 1, "max_vocab": None, "share": None}


def learn(columns, tokenizer, **options):
    names = ["X", "Y"][: len(columns)]
    return learn_tokens(columns, names, tokenizer, **{**DEFAULTS, **options})


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
@pytest.mark.parametrize("share", [None, True, False])
def test_texts_come_back(tokenizer, share):
    tokens, ids = learn([SOURCES, TARGETS], tokenizer, share=share)
    for column, side, entries in zip([SOURCES, TARGETS], tokens, ids, strict=True):
        assert [side.decode(entry) for entry in entries] == column
        assert side.encode(column, "X") == entries
        again = Tokens.of_state(side.state_dict(), tokenizer, lowercase=False)
        assert again.encode(column, "X") == entries
        assert again.shown() == side.shown()
    assert (tokens[0] is tokens[1]) == (share if share is not None else tokenizer != "word")


def test_wordpieces_come_back_in_the_spelling_of_their_model():
    tokens, ids = learn([SOURCES], "wordpiece", share=False)
    assert tokens[0].decode(ids[0][0]) == "The dog barks, loudly."


def test_a_tokenizer_of_the_user_and_its_package():
    trained = SubwordTokenizer.train(SOURCES + TARGETS, vocab_size=300, min_frequency=1)
    for tokenizer in (trained, trained._tokenizer):
        tokens, ids = learn([SOURCES, TARGETS], tokenizer)
        assert tokens[0] is tokens[1]
        assert [tokens[0].decode(entry) for entry in ids[1]] == TARGETS
    few, _ = learn([SOURCES, TARGETS], trained, max_vocab=10)
    assert len(few[0]) == 10


def test_a_callable():
    tokens, ids = learn([["a-b", "b-c-c"]], lambda text: text.split("-"), share=False)
    assert tokens[0].decode(ids[0][1]) == "b c c"
    with pytest.raises(TypeError, match="must return a list of str"):
        learn([["a"]], len, share=False)


@pytest.mark.parametrize("sequences", [[[5, 3], [], [3, 3, 9]], [["x", "y z"], ["y z"], []]])
def test_sequences_come_back(sequences):
    tokens, ids = learn([sequences], None, share=False)
    assert [tokens[0].decode(entry) for entry in ids[0]] == sequences
    state = tokens[0].state_dict()
    assert Tokens.of_state(state, None, lowercase=False).encode(sequences, "X") == ids[0]


def test_counts_and_limits():
    sequences = [["a", "b", "a"], ["b", "a", "c"], ["d"]]
    vocabulary = Vocabulary.learn(sequences)
    assert vocabulary.tokens == ["a", "b", "c", "d"]
    assert Vocabulary.learn(sequences, min_count=2).encode(["a", "c"]) == [4, UNKNOWN]
    assert Vocabulary.learn(sequences, max_vocab=6).tokens == ["a", "b"]
    with pytest.raises(ValueError, match="each token once"):
        Vocabulary(["a", "a"])


def test_lower_case():
    tokens, ids = learn([["The THE the"]], "word", lowercase=True, share=False)
    assert tokens[0].vocabulary.tokens == ["the"]
    assert tokens[0].decode(ids[0][0]) == "the the the"


def test_what_columns_there_are():
    texts = ["a b", "c", "ä"]
    for form in (tuple(texts), np.array(texts), np.array(texts, object), pd.Series(texts), pl.Series(texts)):
        assert read_texts(form, "X") == texts
    assert read_texts((text for text in texts), "X") == texts
    rows = [[1, 2], [3, 4]]
    for form in (np.array(rows), tuple(map(tuple, rows)), [np.array(row) for row in rows], pl.Series(rows)):
        assert read_sequences(form, "X") == rows
    assert read_sequences(pd.Series([["a"], ["b", "c"]]), "X") == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one text", ValueError, "X must be an iterable of documents, got one document"),
        (b"bytes", ValueError, "got one document, a bytes"),
        (["a", None], ValueError, "entry 1 of X is missing"),
        (["a", float("nan")], ValueError, "entry 1 of X is missing"),
        (pd.Series(["a", None]), ValueError, "entry 1 of X is missing"),
        (["a", b"b"], TypeError, "text 1 of X must be a str, got a value of type 'bytes'"),
        ([1.5], TypeError, "text 0 of X must be a str"),
        ([["a", "b"]], TypeError, "sequences of tokens need tokenizer=None"),
        (["\ud800"], ValueError, "half of a surrogate pair"),
        (pd.DataFrame({"a": ["b"]}), TypeError, "pass its column of texts"),
        (np.array([["a"]]), TypeError, "got an array of shape"),
        (None, TypeError, "must be an iterable"),
        (7, TypeError, "must be an iterable"),
    ],
)
def test_what_is_no_column_of_texts(texts, error, message):
    with pytest.raises(error, match=message):
        read_texts(texts, "X")


@pytest.mark.parametrize(
    ("sequences", "error", "message"),
    [
        (["a text"], TypeError, "texts need a tokenizer"),
        ([[1], None], ValueError, "entry 1 of X is missing"),
        ([[1], ["a"]], TypeError, "all str or all int"),
        ([[1.0]], TypeError, "must be str or int, got a value of type 'float'"),
        ([[True]], TypeError, "got a value of type 'bool'"),
        ([[2**70]], ValueError, "64 bits"),
        ([3], TypeError, "must be a list of tokens"),
        ([{"a", "b"}], TypeError, "sequence 0 of X must be a list of tokens, got a value of type 'set'"),
        ([{"a": 1}], TypeError, "sequence 0 of X must be a list of tokens, got a value of type 'dict'"),
        ([np.array(3)], TypeError, "must be a list of tokens"),
        (np.zeros((2, 2)), TypeError, "must be str or int"),
    ],
)
def test_what_are_no_sequences(sequences, error, message):
    with pytest.raises(error, match=message):
        read_sequences(sequences, "X")


def test_markers_of_sequences():
    sources, targets = pack_sources([[7, 8], []]), pack_targets([[7], [9, 9]], [True, False])
    np.testing.assert_array_equal(sources.ids, [7, 8, END, END])
    np.testing.assert_array_equal(targets.ids, [BEGIN, 7, END, BEGIN, 9, 9])
    np.testing.assert_array_equal(targets.offsets, [0, 3, 6])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": "{}"}, "needs their tokenizer, any other must have none"),
        ({"vocabulary": {"tokens": ["a", "a"]}}, "each token once"),
        ({"vocabulary": {"tokens": np.array([1, 2])}}, "must hold texts"),
        ({"vocabulary": {"tokens": np.array([1.0])}}, "tokens"),
    ],
)
def test_a_state_that_is_none(change, message):
    state = learn([SOURCES], "word", share=False)[0][0].state_dict() | change
    with pytest.raises(ValueError, match=message):
        Tokens.of_state(state, "word", lowercase=False)


def test_a_state_of_subwords_that_is_none():
    state = learn([SOURCES], "bpe", share=False)[0][0].state_dict()
    for change in ({"tokenizer": None}, {"tokenizer": "{}"}, {"vocabulary": {"tokens": np.array([10**9])}}):
        with pytest.raises(ValueError, match=r"tokenizer|numbers below"):
            Tokens.of_state(state | change, "bpe", lowercase=False)


def test_a_tokenizer_that_fails():
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}))  # without a piece for unknown words
    with pytest.raises(ValueError, match="the tokenizer cannot cut X of TransformerSeq2Seq: WordLevel error"):
        TransformerSeq2Seq(tokenizer=words).fit(["b"], ["a"])
