"""What users pass to fit and ask about: columns of texts, or of sequences of tokens, as lists."""

from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from mlcore.text._documents import check_documents, is_missing, parts
from mlcore.text._subwords import check_text

Token = str | int


def read_texts(texts: Any, who: str) -> list[str]:
    """Return the texts of a list, tuple, generator or column of NumPy, pandas, polars or Arrow.

    Parameters
    ----------
    texts : iterable of str
    who : str
        What they are, for messages: "X of TransformerLM".

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If `texts` is one text, one of them is missing, or holds half of a surrogate pair.
    TypeError
        If they are no texts, or a set or dict.
    """
    _check_column(texts, who)
    found = []
    for i, text in enumerate(_items(texts)):
        if is_missing(text):
            raise _missing(who, i, text, "''")
        if not isinstance(text, str):
            hint = ": sequences of tokens need tokenizer=None" if hasattr(text, "__len__") else ""
            raise TypeError(f"text {i} of {who} must be a str, got a value of type {type(text).__name__!r}{hint}")
        found.append(check_text(str(text), f"text {i} of {who}"))
    return found


def read_sequences(sequences: Any, who: str) -> list[list[Token]]:
    """Return sequences of tokens, all of them str or all int.

    Parameters
    ----------
    sequences : iterable of sequences of str or int
        Lists, tuples, arrays, or columns of them; an array (n, length) is n sequences.
    who : str
        What they are, for messages.

    Returns
    -------
    list of lists of str, or of int

    Raises
    ------
    ValueError
        If `sequences` is one text, or a sequence is missing.
    TypeError
        If they are no such sequences, or a set or dict.
    """
    if not (isinstance(sequences, np.ndarray) and sequences.ndim == 2):
        _check_column(sequences, who)
    kind: type | None = None
    found = []
    for i, sequence in enumerate(_items(sequences)):
        if is_missing(sequence):
            raise _missing(who, i, sequence, "[]")
        is_row = hasattr(sequence, "__len__") and not isinstance(sequence, str | bytes | Set | Mapping)
        if not is_row or getattr(sequence, "ndim", 1) == 0:
            hint = ": texts need a tokenizer, such as tokenizer='word'" if isinstance(sequence, str) else ""
            raise TypeError(
                f"sequence {i} of {who} must be a list of tokens, got a value of type {type(sequence).__name__!r}{hint}"
            )
        tokens = [_token(token, i, who) for token in (sequence.tolist() if hasattr(sequence, "tolist") else sequence)]
        kinds = {type(token) for token in tokens} | ({kind} if kind else set())
        if len(kinds) > 1:
            raise TypeError(f"tokens of {who} must be all str or all int, got both in sequence {i} or before")
        kind = next(iter(kinds), kind)
        found.append(tokens)
    return found


def _check_column(column: Any, who: str) -> None:
    check_documents(column, who)
    if isinstance(column, Set | Mapping):  # a set has no order to tell which entries belong together
        raise TypeError(f"{who} must be a list, a column or an iterable in order, got a {type(column).__name__}")


def _items(values: Any) -> Iterator[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 2:
        yield from values
        return
    for part in parts(values):
        yield from part


def _token(token: Any, i: int, who: str) -> Token:
    if isinstance(token, str):
        return check_text(str(token), f"a token of sequence {i} of {who}")
    if isinstance(token, int | np.integer) and not isinstance(token, bool):
        if not -(2**63) <= token < 2**63:
            raise ValueError(f"tokens of {who} that are numbers must fit into 64 bits, got {token}")
        return int(token)
    raise TypeError(f"tokens of {who} must be str or int, got a value of type {type(token).__name__!r} in sequence {i}")


def _missing(who: str, i: int, value: Any, empty: str) -> ValueError:
    return ValueError(f"entry {i} of {who} is missing ({value}): leave such entries out, or put {empty} in their place")
