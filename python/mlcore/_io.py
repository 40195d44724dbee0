"""Model files: ``mlcore.save`` and ``mlcore.load``.

A file is in the safetensors format: arrays as tensors, and in the metadata one JSON text with the version of the
layout, the class, its parameters and the rest of its state. Nothing in a file is executed: classes are looked up in
the registry, and values are numbers, strings, lists, dicts and arrays. A checksum finds damage; against forged files
parameters are validated and the state is compared with the description of its class (`_state.py`) before anything is
built, so that such a file can give a wrong model, but no crash, and none that fails later. Arrays go to the file as
they lie in memory, without a copy, and can be mapped from it without being read.

Left out on purpose: estimators inside estimators, and Python callables (a loss or a scorer of one's own).
"""

import json
import math
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from mlcore import _registry
from mlcore._base import StateMixin
from mlcore._replacing import replacing
from mlcore._state import check_entries

FORMAT_VERSION = 1

_KEY = "mlcore"  # of the JSON text in the metadata
_CHECKSUM = "mlcore_crc32"  # of that text and all arrays
_HEADER_CHECKSUM = "mlcore_header_crc32"  # of that text and the arrays' types and shapes; older files have none

_LONGEST_HEADER = 99_999_992  # what is longer the reader refuses

_DTYPES = {
    ("BOOL" if kind == "b" else f"{kind.upper()}{8 * size}"): np.dtype(f"<{kind}{size}")
    for kind, sizes in {"b": [1], "i": [1, 2, 4, 8], "u": [1, 2, 4, 8], "f": [2, 4, 8]}.items()
    for size in sizes
}
"""The names that safetensors has for the types of arrays that we write."""


def save(estimator: StateMixin, path: str | os.PathLike[str]) -> None:
    """Write an estimator, fitted or not, to a file.

    The file is written beside its place under another name and moved there when it is whole: a save that is interrupted
    leaves an older file as it was.

    Parameters
    ----------
    estimator : estimator of mlcore
        What to save.
    path : str or path-like
        Where to. An existing file is replaced; a link to it stays one, and its permissions stay. ``.safetensors`` is a
        good ending: other programs can read the arrays.

    Raises
    ------
    TypeError
        If `estimator` is not an instance of a class of mlcore (subclasses of your own included: pickle them).
    ValueError
        If a parameter cannot be stored, such as a callable loss; the message names it.
    OSError
        If the file cannot be written, or `path` is a folder, a device or a pipe.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import mlcore, numpy as np, os, tempfile
    >>> X = np.arange(100.0).reshape(-1, 1)
    >>> model = mlcore.GBDTRegressor(n_estimators=5).fit(X, X[:, 0] ** 2)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> mlcore.save(model, path)
    >>> bool((mlcore.load(path).predict(X) == model.predict(X)).all())
    True
    """
    cls = type(estimator)
    if not _is_registered(cls):
        known = ", ".join(sorted(_registry.CLASSES))
        raise TypeError(
            f"save takes an estimator of one of the classes {known}; got {cls.__module__}.{cls.__qualname__}"
        )
    params: dict[str, Any] = estimator.get_params(deep=False) if _has_params(cls) else {}  # type: ignore[attr-defined]
    kept = set(estimator._fitted_attributes())
    state = {name: value for name, value in estimator._get_state().items() if name in kept}
    tensors: dict[str, NDArray[Any]] = {}
    header = {
        "format_version": FORMAT_VERSION,
        "class": cls.__name__,
        "library_version": _library_version(),
        "params": {name: _encode(value, tensors, f"parameter {name!r}", cls) for name, value in params.items()},
        "state": {name: _encode(value, tensors, f"attribute {name!r}", cls) for name, value in state.items()},
    }
    _check(estimator, state)  # what load would refuse is not written
    text = json.dumps(header, allow_nan=False)
    with replacing(Path(path)) as (file,):
        checksums = {_CHECKSUM: _checksum(text, tensors), _HEADER_CHECKSUM: _header_checksum(text, tensors)}
        write_tensors(file, tensors, {_KEY: text, **checksums})


def load(path: str | os.PathLike[str], *, mmap_mode: str | None = None) -> Any:
    """Read an estimator that :func:`save` has written. No code from the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap_mode : {None, "r"}, default=None
        "r": the arrays are mapped from the file, read-only, instead of being read. A table of many word vectors is
        then there at once, and processes that map the same file share its memory. What is not read cannot be compared
        with its checksum: damage within the arrays is not found, only that in the rest of the file. The file must
        stay as it is as long as the estimator is in use (:func:`save` puts a new file in its place and does no harm).

    Returns
    -------
    estimator
        Predicts bit for bit as the saved one did.

    Raises
    ------
    ValueError
        If the file is damaged, truncated, not of mlcore, or written by a newer mlcore with another layout.
    OSError
        If there is no such file or it cannot be read.
    """
    if mmap_mode not in (None, "r"):
        raise ValueError(f"mmap_mode of load must be None or 'r', got {mmap_mode!r}")
    path = Path(path)
    metadata, tensors = read_tensors(path, is_mapped=mmap_mode is not None)
    if _KEY not in metadata:
        raise ValueError(f"{path} is a safetensors file, but not one that mlcore.save has written")
    text = metadata[_KEY]
    try:
        header = json.loads(text)
        version, name = header["format_version"], header["class"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: its header cannot be read") from error
    # The version first: what comes after it may mean something else in a newer file, the checksum included.
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{path} is damaged: format version {version!r}")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, written by mlcore {header.get('library_version', 'unknown')}; this "
            f"is mlcore {_library_version()}, which reads up to {FORMAT_VERSION}: update mlcore to load it"
        )
    is_whole = metadata.get(_HEADER_CHECKSUM, header_checksum := _header_checksum(text, tensors)) == header_checksum
    if not is_whole or (mmap_mode is None and metadata.get(_CHECKSUM) != _checksum(text, tensors)):
        raise ValueError(f"{path} is damaged: its checksum does not match")
    if not isinstance(name, str) or name not in _registry.CLASSES:
        raise ValueError(f"{path} holds a {name!r}, a class that mlcore {_library_version()} does not have")
    cls = _registry.find(name)
    try:
        decode = Decoder(tensors)
        params = {key: decode(value) for key, value in header["params"].items()}
        state = {key: decode(value) for key, value in header["state"].items()}
        estimator = cls(**params) if _has_params(cls) else cls.__new__(cls)
        _check(estimator, state)
        estimator._set_state(state)
        if state:
            estimator._check_loaded(is_mapped=mmap_mode is not None)
    except MemoryError:
        raise
    except RecursionError as error:
        raise ValueError(f"{path} is damaged: its values are nested too deep") from error
    except Exception as error:  # what constructors and checks make of values of other types
        raise ValueError(f"{path} does not hold a valid {name}: {error}") from error
    return estimator


def _check(estimator: StateMixin, state: dict[str, Any]) -> None:
    """Raise ValueError unless the parameters are valid and the state, if there is one, is as its class describes it."""
    if _has_params(type(estimator)):
        estimator._validate_params()  # type: ignore[attr-defined]
    if state or not _has_params(type(estimator)):
        sizes = check_entries(estimator._state_spec, state, type(estimator).__name__)
        estimator._check_state(state, sizes)


def _is_registered(cls: type) -> bool:
    return cls.__name__ in _registry.CLASSES and _registry.find(cls.__name__) is cls


def _has_params(cls: type) -> bool:
    """False for what is no estimator but data, such as KeyedVectors: its state is all there is."""
    return hasattr(cls, "get_params")


def _library_version() -> str:
    from mlcore import __version__

    return __version__


def _checksum(text: str, tensors: dict[str, NDArray[Any]]) -> str:
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(_bytes(tensors[name]).data, crc)
    return f"{crc:08x}"


def _header_checksum(text: str, tensors: dict[str, NDArray[Any]]) -> str:
    forms = [(name, tensors[name].dtype.str, list(tensors[name].shape)) for name in sorted(tensors)]
    return f"{zlib.crc32((text + json.dumps(forms)).encode()):08x}"


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The memory of a contiguous array, not copied."""
    return array.reshape(-1).view(np.uint8)


def write_tensors(file: IO[bytes], tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    names = {dtype: name for name, dtype in _DTYPES.items()}
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
        dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):
            raise ValueError(f"tensor {name!r} has no valid shape or place")
        if start + end > data.size or end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"tensor {name!r} does not fit its place in the file")
        tensor = data[start + begin : start + end].view(dtype).reshape(shape)
        tensors[name] = np.require(tensor, requirements="A")  # other writers may not align: then a copy
    return tensors


# Values that JSON lacks are written as a dict with one key that begins with "!".


def _encode(value: Any, tensors: dict[str, NDArray[Any]], where: str, cls: type) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"!float": repr(value)}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, tensors, where, cls) for item in value]
        return items if isinstance(value, list) else {"!tuple": items}
    if isinstance(value, (set, frozenset)):
        items = [_encode(item, tensors, where, cls) for item in sorted(value, key=repr)]
        return {"!set" if isinstance(value, set) else "!frozenset": items}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("!") for key in value):
            return {key: _encode(item, tensors, where, cls) for key, item in value.items()}
        pairs = [[_encode(part, tensors, where, cls) for part in pair] for pair in value.items()]
        return {"!dict": pairs}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
            name = str(len(tensors))
            # written as it lies in memory: little-endian, row by row; not copied if it lies so
            tensors[name] = np.asarray(value, dtype=value.dtype.newbyteorder("<"), order="C")
            return {"!tensor": name}
        if value.dtype.kind in "OUT":
            items = [_encode(item, tensors, where, cls) for item in value.ravel().tolist()]
            if value.dtype.kind == "U":
                _check_width(items)
            return {"!array": items, "dtype": "U" if value.dtype.kind == "U" else "O", "shape": list(value.shape)}
    raise ValueError(
        f"{where} of {cls.__name__} cannot be saved: {value!r} is a {type(value).__name__}, and a model file holds "
        "only numbers, strings, lists, dicts and arrays. Set it to None or a plain value before saving, or use pickle."
    )


class Decoder:
    """The way back. Raises ValueError, TypeError and KeyError for what :func:`_encode` does not write."""

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
        return {key: self(item) for key, item in value.items()}


def _check_width(texts: list[str]) -> None:
    """Raise ValueError if an array of texts, as wide as the longest, would take far more memory than the texts."""
    n_letters, longest = sum(map(len, texts)), max(map(len, texts), default=0)
    if len(texts) * longest > 64 * n_letters + (1 << 24):
        raise ValueError(
            f"an array of {len(texts)} texts of up to {longest} letters is too wide: make it one of dtype object"
        )
