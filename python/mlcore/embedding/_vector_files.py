"""Files of word vectors as word2vec.c, gensim and GloVe write them; the core parses and formats.

Files are mapped, compressed ones unpacked in memory. What is written goes to the disk block by block, under another
name until it is whole.
"""

import bz2
import codecs
import gzip
import lzma
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import compress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mlcore._files import replacing
from mlcore._native import core
from mlcore.embedding._files import blocks, map_file
from mlcore.embedding._words import pack_words

_BLOCK = 1 << 21  # numbers formatted at once

_COMPRESS: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda file: gzip.GzipFile("", "wb", fileobj=file),  # the name would be that of the unfinished file
    ".xz": partial(lzma.open, mode="wb"),
    ".bz2": partial(bz2.open, mode="wb"),
}


def read_vectors(
    path: Path, *, binary: bool, limit: int | None, no_header: bool, errors: str, n_threads: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Return the words and vectors of a file. Raises ValueError, naming file and place, and OSError."""
    data = _read(path, None if binary else limit)
    try:
        vectors, begins, ends, has_more = core.embedding.parse_vectors(
            data, binary=binary, has_header=not no_header, limit=-1 if limit is None else limit, n_threads=n_threads
        )
        words = _decode(data, begins, ends, errors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if has_more:
        warnings.warn(
            f"{path}: more vectors follow than the {len(words)} that the first line announces; they are not read",
            stacklevel=3,
        )
    words, vectors, _ = without_repeats(path, words, vectors)
    return words, vectors


def write_vectors(
    file: IO[bytes], words: list[str], vectors: NDArray[np.float32], *, binary: bool, write_header: bool, n_threads: int
) -> None:
    """Write the file of the vectors. Raises ValueError for a word that no such file can hold."""
    rows = max(1, _BLOCK // vectors.shape[1])
    if write_header:
        file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
    for begin in range(0, len(words), rows):
        utf8, offsets = pack_words(words[begin : begin + rows])
        file.write(
            core.embedding.format_vectors(
                utf8, offsets, vectors[begin : begin + rows], binary=binary, n_threads=n_threads
            )
        )


def read_counts(path: Path, words: list[str], errors: str) -> NDArray[np.int64]:
    """Return how often each word was seen, from the file of ``word2vec -save-vocab``: a word and a number a line."""
    counts: dict[str, int] = {}
    data = b"".join(blocks(path)).removeprefix(codecs.BOM_UTF8)
    for number, line in enumerate(data.split(b"\n"), 1):
        fields = line.split()
        if not fields:
            continue
        try:
            word, digits = line.strip().rsplit(maxsplit=1)  # a word may have blanks inside
            count = int(digits)
            if not 0 <= count < 1 << 63:
                raise ValueError("no count")
            text = word.decode(errors=errors)
        except ValueError as error:
            raise ValueError(f"{path}: line {number} must be a word and a number, got {line[:80]!r}") from error
        counts.setdefault(text, count)  # of equal words the first one stays, as of the vectors
    missing = [word for word in words if word not in counts]
    if missing:
        raise ValueError(f"{path}: has no line for {missing[0]!r}")
    return np.fromiter((counts[word] for word in words), dtype=np.int64, count=len(words))


def write_counts(file: IO[bytes], words: list[str], counts: NDArray[np.int64]) -> None:
    """Write the file that :func:`read_counts` reads."""
    for word, count in zip(words, counts.tolist(), strict=True):
        file.write(f"{word} {count}\n".encode())


@contextmanager
def writing(*paths: Path) -> Iterator[list[IO[bytes]]]:
    """Give files to write to, compressed if their names end so; none is replaced before all are whole."""
    with replacing(*paths) as files, ExitStack() as packers:
        yield [
            packers.enter_context(_COMPRESS[ending](file)) if (ending := path.suffix.lower()) in _COMPRESS else file
            for path, file in zip(paths, files, strict=True)
        ]


def _read(path: Path, n_lines: int | None) -> NDArray[np.uint8]:
    """Content of a file: mapped if it can be. `n_lines`: more lines than these are not needed."""
    if path.suffix.lower() not in _COMPRESS:
        return map_file(path)
    data, seen = bytearray(), 0
    for block in blocks(path):
        data += block
        seen += block.count(b"\n") if n_lines is not None else 0
        if n_lines is not None and seen > n_lines:  # the header is one more
            break
    return np.frombuffer(data, dtype=np.uint8)


def _decode(data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], errors: str) -> list[str]:
    bytes_ = data.data
    places = zip(begins.tolist(), ends.tolist(), strict=True)
    words: list[str] = []
    try:
        for begin, end in places:
            words.append(str(bytes_[begin:end], "utf-8", errors))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the word of vector {len(words) + 1} is not UTF-8 at byte {int(begins[len(words)]) + error.start}: "
            f"{error.object!r}. errors='replace' or 'ignore' reads it all the same"
        ) from None
    return words


def without_repeats(
    path: Path, words: list[str], vectors: NDArray[np.float32], counts: NDArray[np.int64] | None = None
) -> tuple[list[str], NDArray[np.float32], NDArray[np.int64] | None]:
    """Leave out words that repeat earlier ones, as gensim does, or are empty because bytes of them were ignored."""
    if len(distinct := set(words)) == len(words) and "" not in distinct:
        return words, vectors, counts
    seen: set[str] = {""}
    is_new = [not (word in seen or seen.add(word)) for word in words]  # type: ignore[func-returns-value]
    n_left_out = len(words) - sum(is_new)
    if n_left_out == len(words):
        raise ValueError(f"{path}: no word is left: all {n_left_out} are empty without the bytes that are not UTF-8")
    warnings.warn(f"{path}: {n_left_out} words that are empty or repeat an earlier one are left out", stacklevel=4)
    kept = np.array(is_new)
    return list(compress(words, is_new)), vectors[kept], None if counts is None else counts[kept]
