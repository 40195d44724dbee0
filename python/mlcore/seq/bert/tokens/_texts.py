"""What users pass to estimators of texts: a column of texts, or of pairs of them."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

from mlcore.seq._inputs import read_texts
from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer
from mlcore.text._documents import parts

Example = str | tuple[str, str]
"""A text, or a pair."""


def read_examples(X: Any, who: str) -> list[Any]:
    """Return texts, or pairs of texts.

    Parameters
    ----------
    X : iterable of str, or of pairs (str, str)
        A list, a generator, or a column of NumPy, pandas, polars or Arrow; pairs as tuples or lists of two, as an array
        (n, 2), or as a frame of two columns.
    who : str
        What they are, for messages: "X of BertClassifier".

    Returns
    -------
    list of str, or list of tuples of two str

    Raises
    ------
    ValueError
        If `X` is one text, a text is missing, or holds half of a surrogate pair.
    TypeError
        If they are neither texts nor pairs, or some are this and some that.
    """
    if hasattr(X, "columns"):
        return _pairs_of_columns(_columns_of_frame(X), who)
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return _pairs_of_columns([X[:, j] for j in range(X.shape[1])], who)
    if isinstance(X, str | bytes | bytearray | Set | Mapping) or not isinstance(X, Iterable):
        return read_texts(X, who)  # which says what is wrong
    if isinstance(X, np.ndarray) and X.ndim != 1:
        return read_texts(X, who)
    items = [item for part in parts(X) for item in part]
    is_pair = [isinstance(item, tuple | list | np.ndarray) for item in items]
    if not any(is_pair):
        return read_texts(items, who)
    for i, item in enumerate(items):
        if not is_pair[i] or len(item) != 2:
            what = f"one of {len(item)}" if is_pair[i] else f"a {type(item).__name__}"
            raise TypeError(f"entries of {who} must be texts, or pairs of two texts, all of them: entry {i} is {what}")
    return _pairs_of_columns([[item[j] for item in items] for j in (0, 1)], who)


def _columns_of_frame(frame: Any) -> list[Any]:
    if hasattr(frame, "iloc"):
        return [frame.iloc[:, j] for j in range(frame.shape[1])]
    if hasattr(frame, "to_series"):  # polars
        return [frame.to_series(j) for j in range(frame.shape[1])]
    return list(frame.columns)


def _pairs_of_columns(columns: list[Any], who: str) -> list[Any]:
    if len(columns) != 2:
        raise TypeError(
            f"{who} must be a column of texts, or two columns for pairs of texts, got a table of {len(columns)}: pass "
            "its column, as X['text']"
        )
    first = read_texts(columns[0], f"first texts of {who}")
    return list(zip(first, read_texts(columns[1], f"second texts of {who}"), strict=True))


def texts_of(examples: list[Any]) -> Iterable[str]:
    """Return all texts, of pairs both."""
    for example in examples:
        if isinstance(example, str):
            yield example
        else:
            yield from example


def columns_of(examples: list[Any]) -> tuple[list[str], list[str] | None]:
    """Return the texts, or the first and the second texts of pairs."""
    if examples and not isinstance(examples[0], str):
        first, second = zip(*examples, strict=True)
        return list(first), list(second)
    return examples, None


def encode(examples: list[Any], tokenizer: BertTokenizer, max_length: int, n_jobs: int | None) -> BertBatch:
    """Return the tokens of texts or pairs; what is longer than `max_length` is cut, with a warning."""
    first, second = columns_of(examples)
    return tokenizer.encode(first, second, max_length=max_length, n_jobs=n_jobs).batch
