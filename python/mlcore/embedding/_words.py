"""Lists of words: looked up by a dict, kept in files as two arrays.

Three million words are no rarity, so all here is a few passes over the list.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._state import Array, Tuple


def pack_words(words: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the words as bytes and offsets.

    Parameters
    ----------
    words : sequence of n str

    Returns
    -------
    utf8 : array of uint8
        The words in UTF-8, nothing between them.
    offsets : array of int64, shape (n + 1,)
        Word i is ``utf8[offsets[i]:offsets[i + 1]]``.

    Raises
    ------
    ValueError
        If a word holds half of a surrogate pair, which UTF-8 cannot write.
    """
    try:
        encoded = [word.encode() for word in words]
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the word {error.object!r} holds half of a surrogate pair, which UTF-8 cannot write"
        ) from error
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)), out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def unpack_words(utf8: NDArray[Any], offsets: NDArray[Any]) -> list[str]:
    """Return the words that :func:`pack_words` has packed.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or are not UTF-8.
    """
    check_packed(utf8, offsets)
    data = utf8.tobytes()
    ends = offsets.tolist()
    try:
        if data.isascii():  # one byte a letter: cut the decoded text
            text = data.decode("ascii")
            return [text[begin:end] for begin, end in pairwise(ends)]
        return [data[begin:end].decode() for begin, end in pairwise(ends)]
    except UnicodeDecodeError as error:
        raise ValueError(f"the packed words are not UTF-8: {error}") from error


PACKED_WORDS = Tuple(Array("u1", ("n_bytes",)), Array("i8", ("n_offsets",)))
"""What :func:`pack_words` returns, in the description of a state."""


def check_packed(utf8: NDArray[Any], offsets: NDArray[Any], n_words: int | None = None) -> None:
    """Raise ValueError unless the two arrays may be cut into words, `n_words` of them if a number is given."""
    if utf8.dtype != np.uint8 or utf8.ndim != 1 or offsets.dtype != np.int64 or offsets.ndim != 1 or offsets.size == 0:
        raise ValueError("packed words must be a 1-D array of uint8 and a non-empty 1-D array of int64")
    if offsets[0] != 0 or offsets[-1] != utf8.size or bool((offsets[1:] < offsets[:-1]).any()):
        raise ValueError("the offsets of packed words must ascend from 0 to the number of bytes")
    if n_words is not None and len(offsets) != n_words + 1:
        raise ValueError(f"there must be {n_words} words, got {len(offsets) - 1}")


def index_words(words: list[str]) -> dict[str, int]:
    """Return the position of each word. Raises ValueError if one occurs twice."""
    index = dict(zip(words, range(len(words)), strict=True))
    if len(index) == len(words):
        return index
    seen: dict[str, int] = {}
    for position, word in enumerate(words):
        if seen.setdefault(word, position) != position:
            raise ValueError(f"words must be unique, but {word!r} occurs in places {seen[word]} and {position}")
    raise AssertionError


def unknown_words(words: Sequence[str]) -> KeyError:
    """Return the error that names words which have no vector, each once; long ones by their beginning."""
    names = ", ".join(repr(word) if len(word) <= 100 else f"{word[:100]!r}..." for word in dict.fromkeys(words))
    return KeyError(
        f"word {names} is not in the vocabulary" if len(set(words)) == 1 else f"words {names} are not in the vocabulary"
    )
