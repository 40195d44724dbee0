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
import os
from pathlib import Path
from typing import Any

from mlcore import _registry
from mlcore._base import StateMixin
from mlcore._files import (
    Decoder,
    Encoder,
    checksum,
    header_checksum,
    library_version,
    read_tensors,
    replacing,
    write_tensors,
)
from mlcore._state import check_entries

FORMAT_VERSION = 1

_KEY = "mlcore"  # of the JSON text in the metadata
_CHECKSUM = "mlcore_crc32"  # of that text and all arrays
_HEADER_CHECKSUM = "mlcore_header_crc32"  # of that text and the arrays' types and shapes; older files have none


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
    params = estimator._file_params() if _has_params(cls) else {}
    kept = set(estimator._fitted_attributes())
    state = {name: value for name, value in estimator._get_state().items() if name in kept}
    encode = Encoder(cls.__name__)
    header = {
        "format_version": FORMAT_VERSION,
        "class": cls.__name__,
        "library_version": library_version(),
        "params": {name: encode(value, f"parameter {name!r}") for name, value in params.items()},
        "state": {name: encode(value, f"attribute {name!r}") for name, value in state.items()},
    }
    _check(estimator, state)  # what load would refuse is not written
    text = json.dumps(header, allow_nan=False)
    with replacing(Path(path)) as (file,):
        sums = {_CHECKSUM: checksum(text, encode.tensors), _HEADER_CHECKSUM: header_checksum(text, encode.tensors)}
        write_tensors(file, encode.tensors, {_KEY: text, **sums})


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
            f"is mlcore {library_version()}, which reads up to {FORMAT_VERSION}: update mlcore to load it"
        )
    expected = header_checksum(text, tensors)
    is_whole = metadata.get(_HEADER_CHECKSUM, expected) == expected
    if not is_whole or (mmap_mode is None and metadata.get(_CHECKSUM) != checksum(text, tensors)):
        raise ValueError(f"{path} is damaged: its checksum does not match")
    if not isinstance(name, str) or name not in _registry.CLASSES:
        raise ValueError(f"{path} holds a {name!r}, a class that mlcore {library_version()} does not have")
    cls = _registry.find(name)
    try:
        decode = Decoder(tensors)
        params = {key: decode(value) for key, value in header["params"].items()}
        state = {key: decode(value) for key, value in header["state"].items()}
        estimator = cls._of_file_params(params) if _has_params(cls) else cls.__new__(cls)
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
