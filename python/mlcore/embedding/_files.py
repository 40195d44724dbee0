"""Files that are read as they are, or unpacked by their ending while they are read."""

import bz2
import gzip
import lzma
import mmap
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", bound=np.generic)

PACKED = {".gz", ".xz", ".bz2"}
"""Endings of packed files."""

_BLOCK = 1 << 20  # bytes read at once


def open_binary(path: Path) -> IO[bytes]:
    """Open a file, to be unpacked by its ending while it is read."""
    match path.suffix.lower():
        case ".gz":
            return cast(IO[bytes], gzip.open(path))
        case ".xz":
            return lzma.open(path)
        case ".bz2":
            return bz2.open(path)
    return path.open("rb")


def map_file(path: Path) -> NDArray[np.uint8]:
    """Bytes of a file: mapped into memory, or read where that cannot be (pipes; those in /proc that have no size)."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size > 0:
            return map_open_file(file, np.uint8)
        return np.frombuffer(file.read(), dtype=np.uint8)


def map_open_file(file: IO[bytes], dtype: type[_Number]) -> NDArray[_Number]:
    """Map a file that is not empty into memory as an array; the file may be closed then."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=dtype)


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the unpacked content of a file. Raises ValueError if it is damaged, OSError if it cannot be read."""
    with open_binary(path) as file:
        while True:
            try:
                block = file.read(_BLOCK)
            except (EOFError, zlib.error, lzma.LZMAError) as error:
                raise ValueError(f"{path} is damaged: {error}") from error
            except OSError as error:
                if error.errno is not None:
                    raise
                raise ValueError(f"{path} is damaged: {error}") from error  # what gzip and bz2 make of bad data
            if not block:
                return
            yield block


class Lines:
    """The lines of files as str: texts that can be iterated over again and again. Raises ValueError, OSError."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __iter__(self) -> Iterator[str]:
        for path in self._paths:
            yield from _lines_of(path)


def _lines_of(path: Path) -> Iterator[str]:
    offset = 0
    parts: list[bytes] = []  # of a line that goes on in the next block
    for block in blocks(path):
        *whole, rest = block.split(b"\n")
        for end in whole:
            line = b"".join([*parts, end])
            yield _decode(line, path, offset)
            offset += len(line) + 1
            parts.clear()
        parts.append(rest)
    line = b"".join(parts)
    if line:
        yield _decode(line, path, offset)


def _decode(line: bytes, path: Path, offset: int) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise ValueError(f"{path}: not UTF-8: 0x{line[error.start]:02X} at byte {place}; convert it") from error
    return text.removeprefix("\ufeff") if offset == 0 else text  # the byte order mark of some editors
