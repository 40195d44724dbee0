"""The vectorizers give what scikit-learn's give: random texts, random parameters."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.feature_extraction.text as reference
from hypothesis import given, settings
from hypothesis import strategies as st

import mlcore

NAMES = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
named = pytest.mark.parametrize("name", NAMES)

# ---- what is drawn ---------------------------------------------------------------------------------------------------

WORDS = ["the", "cat", "Cat", "dog's", "über", "ÜBER", "İstanbul", "ΣΊΣΥΦΟΣ", "ﬁne", "naïve", "e\u0301te\u0301", "a_b"]
WORDS += ["x", "1st", "２３", "字", "字典", "ǅ", "ß", "the-cat", "don't", "\u0345", "\U0001d400bc", "\U0001f600", "no"]
SPACES = [" ", "  ", "\n", "\t \x1c", "\xa0", "\u2003 ", ", ", "-", "", "\u200b", "\x85 "]

likely = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SPACES)), max_size=12).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)
# Halves of surrogate pairs are apart: scikit-learn cannot hash them.
characters = st.characters(exclude_categories=["Cs"])
texts = st.one_of(likely, st.text(characters, max_size=30), st.text(st.sampled_from("aAb ."), max_size=20))
documents = st.lists(texts, min_size=1, max_size=6)

analyses = st.fixed_dictionaries(
    {
        "lowercase": st.booleans(),
        "strip_accents": st.sampled_from([None, "ascii", "unicode"]),
        "ngram_range": st.sampled_from([(1, 1), (1, 2), (2, 2), (1, 3), (2, 4), (3, 5)]),
        "binary": st.booleans(),
    }
)
kinds = st.one_of(
    st.fixed_dictionaries({"analyzer": st.sampled_from(["char", "char_wb"])}),
    st.fixed_dictionaries(
        {
            "token_pattern": st.sampled_from(
                [
                    r"(?u)\b\w\w+\b",
                    r"\w+",
                    r"\S+",
                    r"[a-z]+",
                    r"\b[^\W\d]+\b",
                    r"(\w)\w*",
                    r"\w*",
                    r"(?a)\w+",
                    "[\\w'-]+",
                ]
            ),
            "stop_words": st.sampled_from([None, "english", ["the", "cat", "über"], []]),
        }
    ),
)
limits = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "max_df": st.sampled_from([1.0, 0.8, 0.5, 3, 1]),
            "min_df": st.sampled_from([1, 2, 0.0, 0.3]),
            "max_features": st.sampled_from([None, 1, 3, 10]),
        }
    ),
)
weights = st.fixed_dictionaries(
    {
        "norm": st.sampled_from(["l1", "l2", None]),
        "use_idf": st.booleans(),
        "smooth_idf": st.booleans(),
        "sublinear_tf": st.booleans(),
        "dtype": st.sampled_from([np.float32, np.float64]),
    }
)
hashes = st.fixed_dictionaries(
    {
        "n_features": st.sampled_from([1, 7, 64, 2**20, 2**31 - 2]),
        "norm": st.sampled_from(["l1", "l2", None]),
        "alternate_sign": st.booleans(),
        "dtype": st.sampled_from([np.float32, np.float64]),
    }
)
count_types = st.fixed_dictionaries({"dtype": st.sampled_from([np.int64, np.int32, np.float64, np.float32, np.uint8])})
extra = {
    "CountVectorizer": st.tuples(limits, count_types),
    "TfidfVectorizer": st.tuples(limits, weights),
    "HashingVectorizer": st.tuples(hashes),
}


@st.composite
def cases(draw, name):
    options = {**draw(analyses), **draw(kinds)}
    for part in draw(extra[name]):
        options |= part
    return options, draw(documents), draw(documents)


# ---- how it is compared ----------------------------------------------------------------------------------------------


def outcome(call):
    """Return what a call gives, or the kind of its error, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except (ValueError, TypeError) as error:
            return "TypeError" if type(error) is TypeError else "ValueError"


def assert_same_rows(found, expected):
    """Entries are the same: counts exactly, weights but for the last digits, since rows are summed in another order."""
    if isinstance(expected, str):
        assert isinstance(found, str), f"scikit-learn raises {expected}"
        assert found == expected
        return
    assert not isinstance(found, str), f"scikit-learn raises nothing, we {found}"
    assert type(found) is type(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.indices.dtype == expected.indices.dtype
    assert found.indptr.dtype == expected.indptr.dtype
    expected = sp.csr_array(expected, copy=True)
    expected.has_sorted_indices = False
    expected.sort_indices()
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_array_equal(found.indices, expected.indices)
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-6 if found.dtype == np.float32 else 1e-14)
    else:
        np.testing.assert_array_equal(found.data, expected.data)


def compare(name, options, training, others):
    ours, theirs = getattr(mlcore, name)(**options), getattr(reference, name)(**options)
    expected = outcome(lambda: theirs.fit_transform(training))
    assert_same_rows(outcome(lambda: ours.fit_transform(training)), expected)
    if isinstance(expected, str):
        return
    assert_same_rows(outcome(lambda: ours.transform(others)), outcome(lambda: theirs.transform(others)))
    again = getattr(mlcore, name)(**options)
    outcome(lambda: again.fit(iter(training)))  # a stream, without rows
    assert_same_rows(outcome(lambda: again.transform(others)), outcome(lambda: theirs.transform(others)))
    if name == "HashingVectorizer":
        return
    assert ours.vocabulary_ == again.vocabulary_ == theirs.vocabulary_
    np.testing.assert_array_equal(ours.get_feature_names_out(), theirs.get_feature_names_out())
    rows = outcome(lambda: theirs.transform(others))
    if isinstance(rows, str) or not np.isfinite(rows.data).all():  # a weight is infinite
        return
    for found, wanted in zip(ours.inverse_transform(rows), theirs.inverse_transform(rows), strict=True):
        np.testing.assert_array_equal(found, wanted)
    if options.get("use_idf"):
        assert ours.idf_.dtype == theirs.idf_.dtype
        np.testing.assert_array_equal(ours.idf_, theirs.idf_)
        np.testing.assert_array_equal(again.idf_, theirs.idf_)


@named
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_random_documents(name, data):
    compare(name, *data.draw(cases(name)))


@named
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_fixed_vocabularies(name, data):
    options, training, others = data.draw(cases("CountVectorizer" if name == "HashingVectorizer" else name))
    terms = data.draw(st.lists(st.one_of(st.sampled_from(WORDS), likely), min_size=1, max_size=8, unique=True))
    if name != "HashingVectorizer":
        compare(name, options | {"vocabulary": terms}, training, others)
        columns = dict(zip(terms, np.random.default_rng(0).permutation(len(terms)).tolist(), strict=True))
        compare(name, options | {"vocabulary": columns}, training, others)


@settings(deadline=None, max_examples=60)
@given(document=texts, options=analyses, kind=kinds)
def test_analyzers(document, options, kind):
    ours, theirs = (module.CountVectorizer(**options, **kind) for module in (mlcore, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs.build_analyzer()(document)
        assert list(ours.build_analyzer()(document)) == list(expected)
    assert ours.build_preprocessor()(document) == theirs.build_preprocessor()(document)
    assert ours.build_tokenizer()(document) == theirs.build_tokenizer()(document)
    assert ours.get_stop_words() == theirs.get_stop_words()
    assert ours.decode(document.encode()) == document


@settings(deadline=None, max_examples=60)
@given(
    X=st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5), min_size=1, max_size=6),
    options=weights,
    form=st.sampled_from([np.array, sp.csr_array, sp.csc_matrix, sp.coo_array]),
)
def test_transformer(X, options, form):
    dtype = options.pop("dtype")
    X = form(np.array(X, dtype=dtype))
    ours, theirs = mlcore.TfidfTransformer(**options), reference.TfidfTransformer(**options)
    with np.errstate(divide="ignore"):
        expected = theirs.fit_transform(X)
        found = ours.fit_transform(X)
    if np.isnan(expected.data).any():
        return
    assert_same_rows(found, expected)
    if options["use_idf"]:
        np.testing.assert_array_equal(ours.idf_, theirs.idf_)
        assert ours.idf_.dtype == theirs.idf_.dtype
