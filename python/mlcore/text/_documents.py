"""Documents of users as batches for the core: of a list at once, of a stream as many as memory should hold.

A list of str goes to the core as it is, which reads each text where it lies. All else (generators, bytes, files,
columns of tables) is turned into str, or into lists of tokens, some megabytes at a time, so that a stream of any length
passes in bounded memory.
"""

from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

Prepare: TypeAlias = Callable[[Any, int], Any]
"""Makes of a document and its position what the core takes: a str, or a list of tokens."""

_BATCH = 1 << 22
"""Characters, or tokens times eight, of a batch."""

_TO_LIST = ("tolist", "to_list", "to_pylist")
"""What NumPy and pandas, polars, and Arrow call it."""

_MOST_DOCUMENTS = 1 << 16
"""Of a batch that is made of a stream or of slices of a column."""


def batches(documents: Any, who: str, prepare: Prepare, *, is_plain: bool) -> Iterator[list[Any]]:
    """Cut documents into batches, prepared.

    Parameters
    ----------
    documents : iterable
        What :func:`check_documents` has let pass.
    who : str
        What they are, for messages: "raw_documents of CountVectorizer".
    prepare : callable
        What is done to each document.
    is_plain : bool
        Whether `prepare` leaves a str as it is: lists of them are passed on uncopied then.

    Yields
    ------
    list of str or of lists of str
        In order, none of them empty.
    """
    check_documents(documents, who)
    position = 0
    for part in parts(documents):
        if is_plain and isinstance(part, list) and set(map(type, part)) <= {str}:
            if part:
                yield part
            position += len(part)
        else:
            for batch in _gather(part, prepare, position):
                position += len(batch)
                yield batch


def check_documents(documents: Any, who: str) -> None:
    """Raise ValueError or TypeError for what is one document, a table, or nothing to iterate over."""
    expected = f"{who} must be an iterable of documents"
    if isinstance(documents, str | bytes | bytearray):
        raise ValueError(f"{expected}, got one document, a {type(documents).__name__}: pass a list, [document]")
    if hasattr(documents, "columns"):
        raise TypeError(f"{expected}, got a {type(documents).__name__}: pass its column of texts")
    if isinstance(documents, np.ndarray) and documents.ndim != 1:
        raise TypeError(f"{expected}, got an array of shape {documents.shape}: pass one of shape (n_documents,)")
    if not hasattr(documents, "__iter__") and not hasattr(documents, "__getitem__"):
        raise TypeError(f"{expected}, got a value of type {type(documents).__name__!r}")


def length_of(documents: Any) -> int | None:
    """Return the number of documents where it is known before they are read."""
    return len(documents) if hasattr(documents, "__len__") else None


def is_missing(document: Any) -> bool:
    """Whether a document is None, NaN, or the missing value of a table."""
    if document is None or type(document).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(document, float | np.floating) and bool(document != document)


def missing(who: str, position: int, document: Any) -> ValueError:
    """Return the error for a document that is not there."""
    return ValueError(
        f"document {position} of {who} is missing ({document}): leave such documents out, or put '' in their place"
    )


def no_text(who: str, position: int, document: Any, expected: str = "a str or bytes") -> TypeError:
    """Return the error for a document of another type, with what its user may have meant."""
    hint = ""
    if isinstance(document, list | tuple):
        hint = ": documents that are lists of tokens already need analyzer=list"
    elif isinstance(document, PathLike):
        hint = ": paths need input='filename'"
    return TypeError(
        f"document {position} of {who} must be {expected}, got a value of type {type(document).__name__!r}{hint}"
    )


def parts(documents: Any) -> Iterator[Iterable[Any]]:
    """Return documents that are objects already as one list, others as slices, and what is no sequence as it is."""
    if isinstance(documents, list | tuple):
        yield list(documents) if isinstance(documents, tuple) else documents
    elif isinstance(documents, np.ndarray) and documents.dtype == object:
        yield documents.tolist()
    elif to_list := next((name for name in _TO_LIST if hasattr(documents, name)), None):
        rows = getattr(documents, "iloc", documents)  # of pandas, by position; the others have no other index
        for begin in range(0, len(documents), _MOST_DOCUMENTS):
            yield getattr(rows[begin : begin + _MOST_DOCUMENTS], to_list)()
    else:
        yield documents


def _gather(documents: Iterable[Any], prepare: Prepare, first: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for position, document in enumerate(documents, first):
        item = prepare(document, position)
        batch.append(item)
        size += len(item) if type(item) is str else 8 * len(item)
        if size >= _BATCH or len(batch) == _MOST_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
