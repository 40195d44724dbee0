"""Models of fastText (.bin): the input matrix, whose rows are words and then buckets of n-grams, and the dictionary.

The file: magic number and version, the options of the training, the dictionary (sizes, then an entry a word or label),
the input matrix, the output matrix. All is little-endian and nothing is aligned. Nothing is believed before it was
compared with the number of bytes that are there, and the input matrix is not read but mapped.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.embedding._files import map_file

_MAGIC, _VERSIONS = 793712314, (11, 12)
_OPTIONS = struct.Struct("<12id")  # dim, ws, epoch, min_count, neg, word_ngrams, loss, model, bucket, minn, maxn, ...
_SIZES = struct.Struct("<iiiqq")  # entries, words, labels, tokens, size of the index of pruned rows
_MATRIX = struct.Struct("<?qq")  # whether it is quantised, rows, columns
_SUPERVISED = 3


@dataclass(frozen=True)
class FasttextModel:
    """What a file of fastText holds, but for the output matrix."""

    words: list[str]
    counts: NDArray[np.int64]
    input_rows: NDArray[np.uint8]
    """The input matrix (n_words + n_buckets, vector_size) of float32 as bytes, mapped from the file."""
    vector_size: int
    n_buckets: int
    min_n: int
    max_n: int


def read_fasttext(path: Path, errors: str) -> FasttextModel:
    """Read a file of fastText. Raises ValueError, naming it, and OSError."""
    try:
        return _parse(map_file(path), errors)
    except (ValueError, struct.error) as error:
        raise ValueError(f"{path}: {error}") from None


def _parse(data: NDArray[np.uint8], errors: str) -> FasttextModel:
    if data.size < 8 or struct.unpack_from("<i", data.data)[0] != _MAGIC:
        raise ValueError("is no model of fastText (.bin): its first bytes are others")
    version = struct.unpack_from("<i", data.data, 4)[0]
    if version not in _VERSIONS:
        raise ValueError(f"has version {version} of fastText's format; versions {_VERSIONS} can be read")
    place = 8
    if data.size < place + _OPTIONS.size + _SIZES.size:
        raise ValueError("ends within its header: it is truncated")
    vector_size, _, _, _, _, _, _, model, n_buckets, min_n, max_n, _, _ = _OPTIONS.unpack_from(data.data, place)
    place += _OPTIONS.size
    n_entries, n_words, n_labels, _, n_pruned = _SIZES.unpack_from(data.data, place)
    place += _SIZES.size
    if min(n_words, n_labels, n_buckets) < 0 or vector_size < 1 or n_words + n_labels != n_entries or n_words < 1:
        raise ValueError(
            f"promises {n_entries} entries, {n_words} of them words and {n_labels} labels, {n_buckets} buckets and "
            f"vectors of {vector_size}: it is damaged"
        )
    if version == 11 and model == _SUPERVISED:  # such models had no n-grams of characters yet
        max_n = 0
    if max_n != 0 and not 1 <= min_n <= max_n:
        raise ValueError(f"has n-grams of {min_n} to {max_n} characters: it is damaged")
    begins, ends, counts, n_bytes = core.embedding.parse_fasttext_entries(data[place:], n_entries)
    if len(begins) != n_words:
        raise ValueError(f"promises {n_words} words and has {len(begins)}: it is damaged")
    text = data[place : place + n_bytes].data
    words = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        try:
            words.append(str(text[begin:end], "utf-8", errors))
        except UnicodeDecodeError:
            raise ValueError(
                f"word {len(words) + 1} is not UTF-8: {bytes(text[begin:end])!r:.100}. errors='replace' or 'ignore' "
                "reads it all the same"
            ) from None
    place += n_bytes
    if data.size < place + _MATRIX.size:
        raise ValueError("ends within its dictionary: it is truncated")
    is_quantised, n_rows, n_columns = _MATRIX.unpack_from(data.data, place)
    place += _MATRIX.size
    if is_quantised or n_pruned > 0:
        raise ValueError("is quantised or pruned (.ftz), which cannot be read: take the .bin that it was made from")
    if max_n == 0:
        n_buckets = 0
    if n_columns != vector_size or n_rows < n_words + n_buckets:
        raise ValueError(
            f"has an input matrix of {n_rows} x {n_columns} for {n_words} words, {n_buckets} buckets and vectors of "
            f"{vector_size}: it is damaged"
        )
    size = 4 * n_rows * n_columns
    if size > data.size - place:
        raise ValueError(f"has {data.size - place} bytes left for an input matrix of {size}: it is truncated")
    return FasttextModel(
        words=words,
        counts=counts,
        input_rows=data[place : place + 4 * (n_words + n_buckets) * vector_size],
        vector_size=vector_size,
        n_buckets=n_buckets,
        min_n=min_n,
        max_n=max_n,
    )
