"""Corpora of users: the same texts in other forms give the same model, what is no corpus gives a clear error."""

import gzip

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from contract.cases import make, names_of, typical
from support.fingerprint import fingerprint

every = pytest.mark.parametrize("name", names_of("texts"))


@every
def test_other_forms_of_a_corpus(name, tmp_path):
    texts, _ = typical(name)
    expected = fingerprint(make(name).fit(texts), texts)
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    packed = tmp_path / "texts.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    split = [text.split() for text in texts]
    for form in (tuple(texts), split, np.array(texts), np.array(texts, dtype=object), pd.Series(texts), path, packed):
        assert fingerprint(make(name).fit(form), texts) == expected, type(form)


@every
@pytest.mark.parametrize(
    ("corpus", "error"),
    [
        ([], ValueError),
        (["", " \t ", "\n"], ValueError),
        (["a \0 b"], ValueError),
        (["a \ud800 b"], ValueError),
        ("no such file.txt", FileNotFoundError),
        (b"bytes", TypeError),
        (7, TypeError),
        (None, TypeError),
        ((text for text in ("a b", "b c")), TypeError),
        (["a b", 7], TypeError),
        (["a b", None], TypeError),
        (["a b", b"c d"], TypeError),
        (["a b", ["c", 7]], TypeError),
        (np.zeros((3, 2)), TypeError),
    ],
)
def test_what_is_no_corpus(name, corpus, error):
    texts, _ = typical(name)
    model = make(name).fit(texts)
    before = fingerprint(model)
    with pytest.raises(error):
        model.fit(corpus)
    assert fingerprint(model) in ("", before)
    with pytest.raises(error):
        make(name).fit(corpus)


@every
def test_nothing_is_said_before_a_fit(name):
    with pytest.raises(NotFittedError):
        make(name).transform(typical(name)[0])
