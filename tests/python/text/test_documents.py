"""What documents may be: lists, arrays, columns, streams, bytes, files; what is refused, and by which words."""

import io
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mlcore
from mlcore.text import _documents

DOCUMENTS = ["A cat and a dog.", "", "One dog, ein Fuß", "the cat the", "été İstanbul 字典"]
NAMES = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
named = pytest.mark.parametrize("name", NAMES)


def make(name, **options):
    return getattr(mlcore, name)(**options)


def dense(X):
    return (X.tocsr()[:, np.unique(X.indices)] if X.shape[1] > 1000 else X).toarray()


def assert_same(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_array_equal(dense(found), dense(expected))


class Reiterable:
    """Documents by ``__iter__`` alone."""

    def __iter__(self):
        return iter(DOCUMENTS)


class Text(str):
    """A str of another type, which shows itself otherwise."""

    def __str__(self):
        return "shown"


FORMS = {
    "tuple": tuple,
    "array": np.array,
    "objects": lambda documents: np.array(documents, dtype=object),
    "strings of NumPy": lambda documents: np.array(documents, dtype=np.dtypes.StringDType()),
    "np.str_": lambda documents: list(np.array(documents)),
    "every second": lambda documents: np.repeat(np.array(documents, dtype=object), 2)[::2],
    "pandas": pd.Series,
    "pandas, another index": lambda documents: pd.Series(documents, index=[7, 7, 0, 1, 2]),
    "pandas, objects": lambda documents: pd.Series(documents, dtype=object),
    "pandas, Arrow": lambda documents: pd.Series(documents, dtype="string[pyarrow]"),
    "pandas, categories": lambda documents: pd.Series(documents, dtype="category"),
    "index": pd.Index,
    "polars": pl.Series,
    "Arrow": lambda documents: pl.Series(documents).to_arrow(),
    "Arrow, in chunks": lambda documents: pa.chunked_array([documents[:2], documents[2:]]),
    "generator": lambda documents: (document for document in documents),
    "map": lambda documents: map(str, documents),
    "keys": dict.fromkeys,
    "iterable": lambda documents: Reiterable(),
    "subclass of str": lambda documents: [Text(document) for document in documents],
    "bytes": lambda documents: [document.encode() for document in documents],
    "str and bytes": lambda documents: [*documents[:2], *(document.encode() for document in documents[2:])],
}


@named
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms_of_documents(name, form, monkeypatch):
    expected = make(name).fit_transform(DOCUMENTS)
    for most in (_documents._MOST_DOCUMENTS, 2):  # in slices too
        monkeypatch.setattr(_documents, "_MOST_DOCUMENTS", most)
        model = make(name)
        assert_same(model.fit_transform(form(DOCUMENTS)), expected)
        assert_same(model.transform(form(DOCUMENTS)), expected)
        assert_same(make(name).fit(form(DOCUMENTS)).transform(DOCUMENTS), expected)
        if name != "HashingVectorizer":
            assert model.n_samples_seen_ == len(DOCUMENTS)


@named
def test_files_and_encodings(name, tmp_path):
    expected = make(name).fit_transform(DOCUMENTS[2:])
    for encoding in ("utf-8", "utf-16", "utf-7"):
        data = [document.encode(encoding) for document in DOCUMENTS[2:]]
        paths = [tmp_path / f"{i}" for i in range(len(data))]
        for path, content in zip(paths, data, strict=True):
            path.write_bytes(content)
        names = [str(path) for path in paths]
        assert_same(make(name, encoding=encoding).fit_transform(data), expected)
        for given in (paths, names):
            assert_same(make(name, encoding=encoding, input="filename").fit_transform(given), expected)
        model = make(name, encoding=encoding, input="file")
        assert_same(model.fit_transform(map(io.BytesIO, data)), expected)
        assert_same(model.transform([io.StringIO(document) for document in DOCUMENTS[2:]]), expected)


@named
def test_bytes_that_cannot_be_decoded(name):
    documents = ["a word", b"caf\xe9 noir", "another word"]
    with pytest.raises(UnicodeDecodeError) as caught:
        make(name).fit_transform(documents)
    argument = "X" if name == "HashingVectorizer" else "raw_documents"
    (note,) = caught.value.__notes__
    assert note == f"This is document 1 of {argument} of {name}; see the parameters encoding and decode_error."
    for error, text in (("ignore", "caf noir"), ("replace", "caf\ufffd noir")):
        expected = make(name).fit_transform(["a word", text, "another word"])
        assert_same(make(name, decode_error=error).fit_transform(documents), expected)
    expected = make(name).fit_transform(["a word", "café noir", "another word"])
    assert_same(make(name, encoding="latin-1").fit_transform(documents), expected)
    with pytest.raises(LookupError):
        make(name, encoding="no such encoding").fit_transform([b"a word"])


MISSING = [None, np.nan, float("nan"), np.float64("nan"), np.float32("nan"), pd.NA, pd.NaT]


@named
@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_documents_are_named(name, missing):
    argument = "X" if name == "HashingVectorizer" else "raw_documents"
    message = rf"document 1 of {argument} of {name} is missing \(.*\): leave such documents out, or put '' in"
    for documents in (["a word", missing], np.array(["a word", missing], dtype=object), iter(["a word", missing])):
        with pytest.raises(ValueError, match=message):
            make(name).fit_transform(documents)
    with pytest.raises(ValueError, match=message):
        make(name).fit(["a word"]).transform(["a word", missing])
    with pytest.raises(ValueError, match=message):
        make(name, token_pattern=r"(?i)[a-z]+").fit_transform(["a word", missing])  # Python's tokens


@named
@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a word", None]),
        pd.Series(["a word", None], dtype=object),
        pd.Series(["a word", pd.NA], dtype="string[pyarrow]"),
        pd.Series(["a word", np.nan], dtype="category"),
        pl.Series(["a word", None]),
    ],
)
def test_missing_values_of_columns_are_named(name, column):
    with pytest.raises(ValueError, match=r"document 1 of .* is missing"):
        make(name).fit_transform(column)


@named
@pytest.mark.parametrize(
    "other", [7, 1.5, ["a", "word"], {"a": 1}, bytearray(b"a word"), object()], ids=lambda other: type(other).__name__
)
def test_documents_of_other_types_are_named(name, other):
    argument = "X" if name == "HashingVectorizer" else "raw_documents"
    message = f"document 2 of {argument} of {name} must be a str or bytes, got a value of type '{type(other).__name__}'"
    with pytest.raises(TypeError, match=message):
        make(name).fit_transform(["a word", b"another", other])


@named
@pytest.mark.parametrize(
    ("documents", "error", "message"),
    [
        ("a text", ValueError, r"got one document, a str: pass a list, \[document\]"),
        (b"a text", ValueError, r"got one document, a bytes"),
        (7, TypeError, "got a value of type 'int'"),
        (None, TypeError, "got a value of type 'NoneType'"),
        (pd.DataFrame({"text": ["a word"]}), TypeError, "got a DataFrame: pass its column of texts"),
        (pl.DataFrame({"text": ["a word"]}), TypeError, "got a DataFrame: pass its column of texts"),
        (np.array([["a word"]]), TypeError, r"got an array of shape \(1, 1\): pass one of shape \(n_documents,\)"),
        (np.array("a word"), TypeError, r"got an array of shape \(\)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_iterable_of_documents(name, documents, error, message):
    argument = "X" if name == "HashingVectorizer" else "raw_documents"
    message = f"{argument} of {name} must be an iterable of documents, {message}"
    model = make(name).fit(["a word"])
    for method in ("fit", "fit_transform", "transform", "partial_fit"):
        with pytest.raises(error, match=message):
            getattr(model, method)(documents)


@named
def test_files_that_are_not_there(name):
    for options in ({}, {"analyzer": str.split}):
        with pytest.raises(FileNotFoundError):
            make(name, input="filename", **options).fit_transform(["no such file"])
    with pytest.raises(TypeError, match="read"):
        make(name, input="file").fit_transform(["no file"])


def test_half_a_surrogate_pair_is_a_character():
    documents = ["a\ud83d b\ud83d", "\udc00a \U0001f600"]
    for options in ({"analyzer": "char"}, {"analyzer": "char_wb", "ngram_range": (1, 3)}, {"token_pattern": r"\S+"}):
        model = mlcore.CountVectorizer(**options)
        X = model.fit_transform(documents)
        analyze = model.build_analyzer()
        assert model.vocabulary_ == {
            term: i for i, term in enumerate(sorted({term for text in documents for term in analyze(text)}))
        }
        found = pickle.loads(pickle.dumps(model))
        assert found.vocabulary_ == model.vocabulary_
        assert_same(found.transform(documents), X)
    hashed = mlcore.HashingVectorizer(analyzer="char", norm=None)  # scikit-learn raises an error
    assert np.abs(hashed.transform(documents)).sum(axis=1).ravel().tolist() == [[5.0, 4.0]]


def test_a_stream_passes_in_bounded_memory(monkeypatch):
    """40 MB of documents, one alive at a time."""
    monkeypatch.setattr(_documents, "_BATCH", 1 << 18)
    text = " ".join(f"word{i}" for i in range(5000))
    stream = (f"{text} {i % 7}" for i in range(1000))
    model = mlcore.CountVectorizer(n_jobs=1)
    tracemalloc.start()
    model.fit(stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6
    assert model.n_samples_seen_ == 1000
    assert len(model.vocabulary_) == 5000


def test_documents_are_not_changed_or_kept():
    documents = [str(i) + " words" for i in range(3)]
    given = list(documents)
    mlcore.CountVectorizer().fit(given)
    assert given == documents


def test_white_space_and_empty_documents_have_empty_rows():
    for analyzer in ("word", "char_wb"):
        model = mlcore.CountVectorizer(analyzer=analyzer).fit(["a word"])
        X = model.transform(["", " \t\n", "a word"])
        assert np.diff(X.indptr).tolist()[:2] == [0, 0]
