"""Model files and their parts: atomic replacement, tensors in the safetensors format, values as JSON with tensors.

A file takes the place of another when it is whole. What is written has another name until then, and a lock that ends
with its process. A process that is killed leaves such a file behind; the next one that writes to the folder finds it
without a lock, and removes it.

Nothing in a file is executed. Checksums find damage; what forged files say is for the readers to check, by
:func:`mlcore._state.check_entries`.
"""

import errno
import fcntl
import json
import math
import os
import secrets
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

_PREFIX, _SUFFIX = ".mlcore-", ".part"

_LONGEST_HEADER = 99_999_992  # what is longer the reader refuses

DTYPES = {
    ("BOOL" if kind == "b" else f"{kind.upper()}{8 * size}"): np.dtype(f"<{kind}{size}")
    for kind, sizes in {"b": [1], "i": [1, 2, 4, 8], "u": [1, 2, 4, 8], "f": [2, 4, 8]}.items()
    for size in sizes
}
"""The names that safetensors has for the types of arrays that we write."""


# ---- atomic replacement ----


@contextmanager
def replacing(*paths: Path) -> Iterator[list[IO[bytes]]]:
    """Give files to write to, under other names beside `paths`; move all there at the end, or remove them on an error.

    Links are followed, and a file that is replaced leaves its permissions to the new one.
    """
    places = [Path(os.path.realpath(path)) for path in paths]
    modes = [_mode_of(place) for place in places]
    folders = {place.parent for place in places}
    for folder in folders:
        _remove_abandoned(folder)
    parts: list[Path] = []
    try:
        with ExitStack() as stack:  # the files, and with them the locks, are held until all are in their places
            files: list[IO[bytes]] = []
            for place, mode in zip(places, modes, strict=True):
                part, file = _open_part(place.parent)
                parts.append(part)
                files.append(stack.enter_context(file))
                if mode is not None:
                    part.chmod(mode)  # before anything secret is in it
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
            for part, place in zip(parts, places, strict=True):
                part.replace(place)
    except BaseException:  # KeyboardInterrupt too
        for part in parts:
            with suppress(OSError):
                part.unlink()
        raise
    for folder in folders:
        with suppress(OSError):  # so that new names survive a power cut; not every file system lets one sync a folder
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _open_part(folder: Path) -> tuple[Path, IO[bytes]]:
    """Make a file, locked. Its name is short, as names have a longest length."""
    while True:
        part = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        file = part.open("xb")
        with suppress(OSError):  # a file system without locks: then nobody takes the file for abandoned
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return part, file
        file.close()  # somebody has removed it before it was locked


def _remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files of processes that are gone."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)):
                continue
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: somebody is writing it
        Path(path).unlink()
    finally:
        os.close(descriptor)


def _mode_of(place: Path) -> int | None:
    """Permissions of a file that shall be replaced, None if there is none. Raises OSError if it is not a plain file."""
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EEXIST
        raise OSError(code, "only a regular file can be replaced, and this is a folder, device or pipe", str(place))
    return stat.S_IMODE(mode)


# ---- tensors ----


def write_tensors(file: IO[bytes], tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Write arrays of the types in `DTYPES`, little-endian and contiguous, and texts by name, as a safetensors file.

    Raises
    ------
    ValueError
        If the texts are longer than readers of the format take.
    OSError
        If the file cannot be written.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    by_size = sorted(tensors.items(), key=lambda item: -item[1].itemsize)  # every tensor is then aligned
    for name, tensor in by_size:
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    if len(text) > _LONGEST_HEADER:
        raise ValueError(
            f"a header of {len(text)} bytes is longer than the {_LONGEST_HEADER} that safetensors reads: the model has "
            "too many texts for a file of this format; use pickle"
        )
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, tensor in by_size:
        file.write(_bytes(tensor).data)


def read_tensors(path: Path, *, is_mapped: bool) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Return the texts and the arrays of a safetensors file, by name.

    With `is_mapped` arrays are read-only views of the file instead of copies; bfloat16, which NumPy does not have, is
    read as float32.

    Raises
    ------
    ValueError
        If the file is damaged, truncated or of another format.
    OSError
        If there is no such file or it cannot be read.
    """
    with path.open("rb"):  # a missing or forbidden file: the usual OSError
        pass
    try:
        with safe_open(path, framework="numpy") as file:  # checks the header
            metadata = file.metadata() or {}
            if not is_mapped:
                return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return metadata, _map_tensors(path)
    except (SafetensorError, TypeError, ValueError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is damaged, truncated or not a model file: {error}") from error


def _map_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors of a safetensors file as views of the mapped file. Raises ValueError, TypeError or KeyError."""
    data: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if kind not in DTYPES and kind != "BF16":
            raise ValueError(f"tensor {name!r} has the type {kind!r:.20}, which is not read")
        dtype = DTYPES["U16" if kind == "BF16" else kind]
        if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):
            raise ValueError(f"tensor {name!r} has no valid shape or place")
        if start + end > data.size or end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"tensor {name!r} does not fit its place in the file")
        tensor = data[start + begin : start + end].view(dtype).reshape(shape)
        tensor = np.require(tensor, requirements="A")  # other writers may not align: then a copy
        if kind == "BF16":  # the upper half of a float32
            tensor = (tensor.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = tensor
    return tensors


def library_version() -> str:
    """Return the version of mlcore, which files name for messages."""
    from mlcore import __version__

    return __version__


def checksum(text: str, tensors: dict[str, NDArray[Any]]) -> str:
    """Return the CRC-32 of a header text and the contents of all arrays."""
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(_bytes(tensors[name]).data, crc)
    return f"{crc:08x}"


def header_checksum(text: str, tensors: dict[str, NDArray[Any]]) -> str:
    """Return the CRC-32 of a header text and the types and shapes of all arrays: what can be checked of mapped ones."""
    forms = [(name, tensors[name].dtype.str, list(tensors[name].shape)) for name in sorted(tensors)]
    return f"{zlib.crc32((text + json.dumps(forms)).encode()):08x}"


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The memory of a contiguous array, not copied."""
    return array.reshape(-1).view(np.uint8)


# ---- values: JSON with tensors ----
# Values that JSON lacks are written as a dict with one key that begins with "!".


class Encoder:
    """Values as JSON has them; arrays of numbers are put into `tensors`, and their names stand in their place.

    Takes None, numbers, strings, arrays, types of numbers, and lists, tuples, sets and dicts of them.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.tensors: dict[str, NDArray[Any]] = {}

    def __call__(self, value: Any, where: str) -> Any:
        """Return a value for ``json.dumps``. Raises ValueError with the name `where` for one of another type."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"!float": repr(value)}
        if isinstance(value, (list, tuple)):
            items = [self(item, where) for item in value]
            return items if isinstance(value, list) else {"!tuple": items}
        if isinstance(value, (set, frozenset)):
            items = [self(item, where) for item in sorted(value, key=repr)]
            return {"!set" if isinstance(value, set) else "!frozenset": items}
        if isinstance(value, dict):
            if all(isinstance(key, str) and not key.startswith("!") for key in value):
                return {key: self(item, where) for key, item in value.items()}
            return {"!dict": [[self(part, where) for part in pair] for pair in value.items()]}
        if isinstance(value, np.ndarray):
            if value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
                name = str(len(self.tensors))
                # written as it lies in memory: little-endian, row by row; not copied if it lies so
                self.tensors[name] = np.asarray(value, dtype=value.dtype.newbyteorder("<"), order="C")
                return {"!tensor": name}
            if value.dtype.kind in "OUT":
                items = [self(item, where) for item in value.ravel().tolist()]
                if value.dtype.kind == "U":
                    _check_width(items)
                return {"!array": items, "dtype": "U" if value.dtype.kind == "U" else "O", "shape": list(value.shape)}
        if isinstance(value, np.dtype) and value.kind in _KINDS:
            return {"!dtype": value.str}
        if isinstance(value, type) and issubclass(value, np.generic) and np.dtype(value).kind in _KINDS:
            return {"!type": np.dtype(value).str}
        if isinstance(value, type) and _TYPES.get(value.__name__) is value:
            return {"!type": value.__name__}
        raise ValueError(
            f"{where} of {self._owner} cannot be saved: {value!r} is a {type(value).__name__}, and a model file holds "
            "only numbers, strings, lists, dicts and arrays. Set it to None or a plain value before saving, or use "
            "pickle."
        )


class Decoder:
    """The way back. Raises ValueError, TypeError and KeyError for what :class:`Encoder` does not write."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        self._left = dict(tensors)  # each is written once: many names for one would make much out of a small file

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "!float" in value:
            return float(value["!float"])
        if "!tuple" in value:
            return tuple(self(item) for item in value["!tuple"])
        for key, kind in (("!set", set), ("!frozenset", frozenset)):
            if key in value:
                return kind(self(item) for item in value[key])
        if "!dict" in value:
            return {self(key): self(item) for key, item in value["!dict"]}
        if "!tensor" in value:
            if value["!tensor"] not in self._left:
                raise ValueError(f"tensor {value['!tensor']!r:.80} is missing, or named twice")
            return self._left.pop(value["!tensor"])
        if "!array" in value:
            items = [self(item) for item in value["!array"]]
            if value["dtype"] == "U":
                _check_width(items)
            flat = np.empty(len(items), dtype=object)
            flat[:] = items
            return (flat.astype(str) if value["dtype"] == "U" else flat).reshape(value["shape"])
        if "!dtype" in value:
            return _dtype(value["!dtype"])
        if "!type" in value:
            name = value["!type"]
            return _TYPES[name] if name in _TYPES else _dtype(name).type
        return {key: self(item) for key, item in value.items()}


_KINDS = "biufc"
"""Kinds of dtypes of numbers."""

_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "complex": complex}
"""Types of Python that stand for dtypes."""


def _dtype(text: Any) -> np.dtype[Any]:
    dtype = np.dtype(str(text))
    if dtype.kind not in _KINDS:
        raise ValueError(f"{text!r:.80} is no dtype of numbers")
    return dtype


def _check_width(texts: list[str]) -> None:
    """Raise ValueError if an array of texts, as wide as the longest, would take far more memory than the texts."""
    n_letters, longest = sum(map(len, texts)), max(map(len, texts), default=0)
    if len(texts) * longest > 64 * n_letters + (1 << 24):
        raise ValueError(
            f"an array of {len(texts)} texts of up to {longest} letters is too wide: make it one of dtype object"
        )
