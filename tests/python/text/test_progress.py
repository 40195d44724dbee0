"""Progress of fits and of what is asked after them: bars on standard error, lines in the log, silence by default."""

import logging

import numpy as np
import pytest

import mlcore
from mlcore.text import _documents, _matrix

DOCUMENTS = [f"word{i % 50} and word{i % 7}" for i in range(300)]
NAMES = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
named = pytest.mark.parametrize("name", NAMES)


@named
@pytest.mark.parametrize("options", [{}, {"tokenizer": str.split, "token_pattern": None}], ids=["core", "Python"])
def test_lines_and_bars(name, options, caplog, capfd, monkeypatch):
    monkeypatch.setattr(_documents, "_MOST_DOCUMENTS", 100)
    with caplog.at_level(logging.INFO, "mlcore"):
        getattr(mlcore, name)(**options).fit_transform(DOCUMENTS)
        assert caplog.messages == []
        model = getattr(mlcore, name)(**options, verbose=2)
        model.fit_transform(iter(DOCUMENTS))
        assert caplog.messages[-1].split("  ")[0] == f"{name} 300"  # how many there are is not known before
        caplog.clear()
        model.transform(DOCUMENTS)
        assert caplog.messages[-1].split("  ")[0] == f"{name} 300/300"
        caplog.clear()
        model.partial_fit(DOCUMENTS)
        assert len(caplog.messages) == 0 if name == "HashingVectorizer" else len(caplog.messages) > 0
    assert capfd.readouterr().err == ""
    getattr(mlcore, name)(**options, verbose=1).fit_transform(DOCUMENTS)
    shown = capfd.readouterr().err
    assert name in shown
    assert "300/300" in shown


def test_parts_of_a_matrix(monkeypatch):
    rng = np.random.default_rng(0)
    whole = _matrix.sp.csr_array(rng.integers(0, 3, (9, 4)) * 1.0)
    parts = [whole[begin:end] for begin, end in ((0, 2), (2, 7), (7, 9))]
    triples = [(part.data, part.indices, part.indptr) for part in parts]
    for most, kind in ((2**31 - 1, np.int32), (5, np.int64)):
        monkeypatch.setattr(_matrix, "_MOST_OF_INT32", most)
        X = _matrix.as_matrix(triples, 4, np.dtype(np.float32))
        assert X.indices.dtype == X.indptr.dtype == kind
        assert X.dtype == np.float32
        X.check_format()
        np.testing.assert_array_equal(X.toarray(), whole.toarray())
    assert _matrix.as_matrix([], 4, np.dtype(np.int64)).shape == (0, 4)
