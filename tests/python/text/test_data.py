"""Real texts: the vectorizers give what scikit-learn's give. The data lie beside the checkout, where they are."""

import json
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sklearn.feature_extraction.text as reference

import mlcore

DATA = Path(__file__).parents[4] / "shared" / "data"


def lines(path):
    file = DATA / path
    if not file.exists():
        pytest.skip(f"the data set {path} is not there: it is no part of the repository")
    with lzma.open(file, "rt", encoding="utf-8") as opened:
        return [line.rstrip("\n") for line in opened]


@cache
def texts(name):
    """A few thousand documents of a data set; of long ones fewer."""
    if name == "sst2":
        return [line.split("\t")[0] for line in lines("textclass/sst2.dev.tsv.xz")]
    if name == "trec":
        return [line.split(" ", 1)[1] for line in lines("textclass/trec.train.txt.xz")]
    if name == "20news":
        return [json.loads(line)["text"] for line in lines("textclass/20news_bydate.jsonl.xz")[::90]]
    return lines(f"mt/multi30k.val.{name}.xz")


SETTINGS = {
    "words": ("TfidfVectorizer", {}),
    "pairs of words": ("CountVectorizer", {"ngram_range": (1, 2), "min_df": 2, "stop_words": "english"}),
    "accents": ("TfidfVectorizer", {"strip_accents": "unicode", "max_df": 0.5, "max_features": 1000}),
    "ASCII": ("CountVectorizer", {"strip_accents": "ascii", "token_pattern": r"[a-z]+", "binary": True}),
    "characters": ("CountVectorizer", {"analyzer": "char", "ngram_range": (1, 3), "lowercase": False}),
    "of words": ("TfidfVectorizer", {"analyzer": "char_wb", "ngram_range": (3, 5), "sublinear_tf": True}),
    "hashes": ("HashingVectorizer", {"ngram_range": (1, 2)}),
    "hashed characters": ("HashingVectorizer", {"analyzer": "char_wb", "ngram_range": (2, 3), "norm": "l1"}),
    "white space": ("CountVectorizer", {"token_pattern": r"\S+"}),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("data", ["sst2", "trec", "20news", "de", "fr"])
def test_real_texts(data, setting):
    name, options = SETTINGS[setting]
    documents = texts(data)
    half = len(documents) // 2
    ours, theirs = getattr(mlcore, name)(**options, n_jobs=3), getattr(reference, name)(**options)
    for found, expected in (
        (ours.fit_transform(documents[:half]), theirs.fit_transform(documents[:half])),
        (ours.transform(documents[half:]), theirs.transform(documents[half:])),
    ):
        expected.has_sorted_indices = False
        expected.sort_indices()
        np.testing.assert_array_equal(found.indptr, expected.indptr)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-13)
    if name != "HashingVectorizer":
        np.testing.assert_array_equal(ours.get_feature_names_out(), theirs.get_feature_names_out())


def test_a_stream_of_real_texts():
    documents = texts("20news")
    whole = mlcore.TfidfVectorizer(min_df=3).fit(documents)
    stream = mlcore.TfidfVectorizer(min_df=3)
    for begin in range(0, len(documents), 50):
        stream.partial_fit(iter(documents[begin : begin + 50]))
    np.testing.assert_array_equal(stream.idf_, whole.idf_)
    assert stream.vocabulary_ == whole.vocabulary_
