"""Tokens and hashed rows of real texts: mails with binary rests, German and French with accents."""

import json
import lzma
import os
import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer, strip_accents_unicode

from mlcore._native import core

DATA = Path(os.environ.get("MLCORE_DATA", Path(__file__).parents[4] / "shared" / "data"))
PATTERN = r"(?u)\b\w\w+\b"


def lines(name: str, n: int) -> list[str]:
    """The first lines of a file of the data sets."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: the data sets are no part of the package")
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return list(islice(file, n))


@pytest.fixture(scope="module", params=["mails", "de", "fr"])
def texts(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "mails":
        return [json.loads(line)["text"] for line in lines("textclass/20news_bydate.jsonl.xz", 300)]
    return lines(f"mt/multi30k.train.{request.param}.xz", 1500)


@pytest.mark.parametrize("pattern", [PATTERN, r"\S+", r"\b[a-zA-Z]+\b"])
def test_tokens(texts, pattern):
    assert core.text.words(texts, pattern, True, None) == [re.findall(pattern, text.lower()) for text in texts]
    plain = [strip_accents_unicode(text.lower()) for text in texts]
    assert core.text.words(texts, pattern, True, "unicode") == [re.findall(pattern, text) for text in plain]


@pytest.mark.parametrize(("analyzer", "ngram_range"), [("word", (1, 2)), ("char_wb", (3, 5)), ("char", (2, 3))])
def test_hashed_rows(texts, analyzer, ngram_range):
    texts = texts[:100]
    expected = HashingVectorizer(analyzer=analyzer, ngram_range=ngram_range, norm=None).transform(texts)
    analysis = core.text.Analysis(analyzer, PATTERN, True, None, *ngram_range, [])
    options = {"n_features": 2**20, "alternate_sign": True, "binary": False, "n_threads": 2}
    data, indices, indptr = core.text.hash_documents(texts, analysis, dtype=np.dtype(np.float64), **options)
    np.testing.assert_array_equal(indptr, expected.indptr)
    np.testing.assert_array_equal(indices, expected.indices)
    np.testing.assert_array_equal(data, expected.data)
