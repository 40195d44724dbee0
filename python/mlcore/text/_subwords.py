"""What goes into a tokenizer of subwords, checked, and what comes out of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._progress import Progress


@dataclass(frozen=True)
class EncodedText:
    """The subwords of a text, or of a pair of texts."""

    ids: NDArray[np.int64]
    """Shape (n,): the number of each."""
    tokens: list[str]
    """How each is written in the vocabulary."""
    offsets: NDArray[np.int64]
    """Shape (n, 2): the place of each in its text, from one character up to another; (0, 0) for added markers."""
    type_ids: NDArray[np.int64]
    """Shape (n,): 0 for those of the first text, 1 for those of the second."""
    special_tokens_mask: NDArray[np.bool_]
    """Shape (n,): whether each is a marker that was added."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class PaddedTexts:
    """The subwords of several texts as arrays as wide as the longest; what is shorter is filled up on the right."""

    ids: NDArray[np.int64]
    """Shape (n_texts, longest)."""
    attention_mask: NDArray[np.bool_]
    """Shape (n_texts, longest): False where a row was filled up."""
    type_ids: NDArray[np.int64]
    """Shape (n_texts, longest): 0 for the first text of a pair and where a row was filled up, 1 for the second."""
    rows: NDArray[np.intp]
    """Shape (n_texts,): the place of each among the texts that were given."""


def as_encoded(found: Any) -> EncodedText:
    return EncodedText(
        np.array(found.ids, dtype=np.int64),
        found.tokens,
        np.array(found.offsets, dtype=np.int64).reshape(-1, 2),
        np.array(found.type_ids, dtype=np.int64),
        np.array(found.special_tokens_mask, dtype=bool),
    )


def check_text(text: Any, what: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, got a value of type {type(text).__name__!r}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{what} holds half of a surrogate pair, at {error.start}, which is no text") from error
    return text


def check_texts(texts: Any, what: str) -> list[str]:
    if isinstance(texts, str | bytes):
        raise ValueError(f"{what} must be an iterable of texts, got one, a {type(texts).__name__}: pass a list, [text]")
    return [check_text(text, f"text {i} of {what}") for i, text in enumerate(texts)]


def checked(texts: Any, progress: Progress) -> Iterator[str]:
    if isinstance(texts, str | bytes):
        raise ValueError(f"texts of train must be an iterable of texts, got one, a {type(texts).__name__}: pass [text]")
    for i, text in enumerate(texts):
        yield check_text(text, f"text {i} of train")
        progress.update()


def check_count(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{what} must be an int >= 1, got {value!r}")
