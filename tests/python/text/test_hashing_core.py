"""Hashed rows of the core, entry for entry those of scikit-learn's HashingVectorizer."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer

from mlcore._native import core

PATTERN = r"(?u)\b\w\w+\b"
WORDS = ["a", "to", "the", "word", "words", "Größe", "ΣΑΣ", "中文", "x" * 40, "I", "é", "𝐀𝟘", "İz"]
VALID = st.characters(exclude_categories=["Cs"])
DOCUMENTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join),
        st.text(VALID, max_size=60),
    ),
    min_size=1,
    max_size=6,
)


def hashed(documents, analyzer="word", ngram_range=(1, 1), stop_words=(), n_features=2**20, n_threads=2, **options):
    options = {"alternate_sign": True, "binary": False, "dtype": np.dtype(np.float64)} | options
    analysis = core.text.Analysis(analyzer, PATTERN, True, None, *ngram_range, list(stop_words))
    return core.text.hash_documents(documents, analysis, n_features=n_features, n_threads=n_threads, **options)


def assert_same(parts, expected):
    expected.sort_indices()
    data, indices, indptr = parts
    np.testing.assert_array_equal(indptr, expected.indptr)
    np.testing.assert_array_equal(indices, expected.indices)
    np.testing.assert_array_equal(data, expected.data)
    assert data.dtype == expected.dtype
    assert indices.dtype == indptr.dtype == np.int32


@pytest.mark.parametrize(
    ("analyzer", "ngram_range"),
    [("word", (1, 1)), ("word", (1, 3)), ("word", (2, 2)), ("char", (1, 4)), ("char", (3, 3)), ("char_wb", (2, 5))],
)
@given(
    documents=DOCUMENTS,
    n_features=st.sampled_from([1, 2, 7, 1000, 2**20, 2**31 - 1]),
    alternate_sign=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@example(documents=["the word"] * 3 + [""], n_features=7, alternate_sign=True, dtype=np.float64)
@example(documents=["ab \n\t cd " * 700], n_features=1000, alternate_sign=True, dtype=np.float64)
@settings(max_examples=40, deadline=None)
def test_rows_are_those_of_scikit_learn(analyzer, ngram_range, documents, n_features, alternate_sign, dtype):
    expected = HashingVectorizer(
        analyzer=analyzer,
        ngram_range=ngram_range,
        n_features=n_features,
        alternate_sign=alternate_sign,
        norm=None,
        dtype=dtype,
    ).transform(documents)
    options = {"alternate_sign": alternate_sign, "dtype": np.dtype(dtype)}
    assert_same(hashed(documents, analyzer, ngram_range, n_features=n_features, **options), expected)


@given(documents=DOCUMENTS)
@settings(max_examples=40, deadline=None)
def test_stop_words_go_before_ngrams_are_formed(documents):
    stop = ["the", "größe", "x" * 40, "nowhere"]
    expected = HashingVectorizer(stop_words=stop, ngram_range=(1, 2), norm=None).transform(documents)
    assert_same(hashed(documents, "word", (1, 2), stop), expected)


@given(
    documents=st.lists(st.lists(st.text(VALID, max_size=70)), min_size=1, max_size=5),
    n_features=st.sampled_from([3, 2**20]),
)
@settings(deadline=None)
def test_tokens_of_ones_own_work(documents, n_features):
    expected = FeatureHasher(n_features, input_type="string").transform(documents)
    options = {"alternate_sign": True, "binary": False, "dtype": np.dtype(np.float64)}
    assert_same(core.text.hash_tokens(documents, n_features=n_features, n_threads=2, **options), expected)


def test_a_hash_without_an_absolute_value():
    # The 32 bits of this term's hash are 0x80000000: its absolute value is no int32.
    term = "MHCraa"
    options = {"alternate_sign": True, "binary": False, "dtype": np.dtype(np.float64), "n_threads": 1}
    for n_features in (1, 3, 1000, 2**20, 2**31 - 1):
        expected = FeatureHasher(n_features, input_type="string").transform([[term]])
        assert_same(core.text.hash_tokens([[term]], n_features=n_features, **options), expected)


def test_entries_that_cancel_stay():
    rows = hashed(["the word to words " * 20], n_features=2)
    assert_same(rows, HashingVectorizer(n_features=2, norm=None).transform(["the word to words " * 20]))
    data, _, _ = hashed(["the to", "word"], n_features=1)
    binary, _, _ = hashed(["the to", "word"], n_features=1, binary=True)
    assert len(data) == 2
    np.testing.assert_array_equal(binary, [1, 1])


def test_rows_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, rng.integers(0, 4000))) for _ in range(60)]
    one = hashed(documents, "word", (1, 2), n_threads=1)
    for n_threads in (2, 3, 8):
        for mine, theirs in zip(hashed(documents, "word", (1, 2), n_threads=n_threads), one, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_halves_of_surrogate_pairs_are_no_error():
    data, _, indptr = hashed(["a\ud800b"], "char", (1, 2))
    assert indptr[-1] == len(data) == 5


def test_no_documents():
    data, indices, indptr = hashed([])
    assert len(data) == len(indices) == 0
    np.testing.assert_array_equal(indptr, [0])


def test_bad_arguments():
    with pytest.raises(TypeError, match=r"documents\[1\] must be a str, got"):
        hashed(["fine", 3])
    with pytest.raises(ValueError, match="n_features must be in"):
        hashed(["fine"], n_features=0)
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got int64"):
        hashed(["fine"], dtype=np.dtype(np.int64))
    options = {"n_features": 4, "alternate_sign": True, "binary": False, "dtype": np.dtype(float), "n_threads": 1}
    with pytest.raises(TypeError, match=r"documents\[0\]\[1\] must be a str, got"):
        core.text.hash_tokens([["fine", None]], **options)
    with pytest.raises(TypeError, match=r"documents\[0\] must be a list of str, got"):
        core.text.hash_tokens(["text"], **options)
    with pytest.raises(ValueError, match="analyzer must be 'word', 'char' or 'char_wb', got 'line'"):
        core.text.Analysis("line", PATTERN, True, None, 1, 1, [])
    with pytest.raises(ValueError, match="1 <= min_n <= max_n"):
        core.text.Analysis("word", PATTERN, True, None, 2, 1, [])
