"""Sparse matrices of users, checked before any code trusts them.

SciPy looks at the places of a matrix when it makes one, and never again; its attributes can be set to anything. What
sorts, sums or converts such a matrix then reads and writes outside its arrays. So every estimator reads X through
:func:`validate_rows`, and nothing looks into a sparse matrix before :func:`check_sparse` has: one pass over the
indices, and one over the starts of the rows.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data


def validate_rows(estimator: Any, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """Call scikit-learn's ``validate_data`` on what has been checked by :func:`check_sparse`.

    Parameters
    ----------
    estimator : estimator
        On whose behalf.
    X : array, sparse matrix or frame of shape (n_samples, n_features)
    y : array or sparse matrix of shape (n_samples,) or (n_samples, n_targets); "no_validation": there is none
    **options : dict
        Those of ``validate_data``.

    Returns
    -------
    X, or the tuple (X, y)
    """
    owner = type(estimator).__name__
    check_sparse(X, owner)
    check_sparse(y, owner, "y")
    if hasattr(X, "iloc") and 0 in X.shape:  # an empty frame has no types, which scikit-learn would ask for first
        X = np.empty(X.shape)
    try:
        with np.errstate(over="ignore"):  # numbers too large for the type become infinite, which is refused in words
            found = validate_data(estimator, X, y, **options)
    except OverflowError as error:  # whole numbers of Python
        raise ValueError(f"X of {owner} has a number that is too large for float64: {error}") from error
    if isinstance(found, tuple):
        return _aligned(found[0]), *found[1:]
    return _aligned(found)


def _aligned(X: Any) -> Any:
    """Return an array whose numbers lie at odd addresses, as in a packed record or a mapped file, as a copy."""
    return X.copy() if isinstance(X, np.ndarray) and not X.flags.aligned else X


def check_sparse(X: Any, owner: str, name: str = "X") -> None:
    """Raise ValueError unless all that a sparse matrix says of its places is true; anything else passes.

    Parameters
    ----------
    X : object
        A matrix or array of scipy.sparse in any format, or anything else.
    owner : str
        Who asks, for messages.
    name : str, default="X"
        What it is, for messages.
    """
    if sp.issparse(X):
        _check(X, owner, name)


def _check(X: Any, owner: str, name: str) -> None:
    problem = f"Expected 2D array, got {X.ndim}D" if X.ndim != 2 else _CHECKS[X.format](X)
    if problem:
        raise ValueError(f"{name} of {owner} is no valid sparse matrix in {X.format.upper()} format: {problem}")


def _compressed(X: Any) -> str:
    """CSR, CSC and BSR: `indptr` cuts `indices` and `data` into rows (columns, rows of blocks)."""
    shape, n_data = X.shape, len(np.atleast_1d(X.data))
    if X.format == "bsr":
        if np.ndim(X.data) != 3 or 0 in X.data.shape[1:] or any(n % b for n, b in zip(shape, X.blocksize, strict=True)):
            return f"blocks of shape {np.shape(X.data)[1:]} do not tile a matrix of shape {shape}"
        shape = tuple(n // b for n, b in zip(shape, X.blocksize, strict=True))
    elif np.ndim(X.data) != 1:
        return f"data must be one-dimensional, got shape {np.shape(X.data)}"
    n_major, n_minor = shape[::-1] if X.format == "csc" else shape
    indptr, indices = np.asarray(X.indptr), np.asarray(X.indices)
    for name, array in (("indptr", indptr), ("indices", indices)):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            return f"{name} must be one-dimensional and of whole numbers, got {array.dtype} of shape {array.shape}"
    if len(indptr) != n_major + 1:
        return f"indptr must have {n_major + 1} entries, got {len(indptr)}"
    if indptr[0] != 0:
        return f"indptr must start with 0, got {indptr[0]}"
    if (falls := indptr[1:] < indptr[:-1]).any():
        at = int(falls.argmax())
        return f"indptr must not fall, but {indptr[at + 1]} stands after {indptr[at]}"
    used = int(indptr[-1])
    if used > min(len(indices), n_data):
        return f"indptr ends at {used}, but there are {len(indices)} indices and {n_data} values"
    return _outside(indices[:used], n_minor, "indices")


def _coo(X: Any) -> str:
    n = len(np.atleast_1d(X.data))
    for name, places, size in zip(("row", "col"), X.coords, X.shape, strict=True):
        places = np.asarray(places)
        if places.ndim != 1 or places.dtype.kind not in "iu" or len(places) != n or np.ndim(X.data) != 1:
            return f"{name} must be {n} whole numbers, as there are values, got {places.dtype} of shape {places.shape}"
        if problem := _outside(places, size, name):
            return problem
    return ""


def _dia(X: Any) -> str:
    offsets = np.asarray(X.offsets)
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(np.unique(offsets)) != len(offsets):
        return "offsets must be one-dimensional and of different whole numbers"
    if np.ndim(X.data) != 2 or len(X.data) != len(offsets):
        return f"data must have a row for each of {len(offsets)} offsets, got shape {np.shape(X.data)}"
    return ""


def _lil(X: Any) -> str:
    n_rows, n_columns = X.shape
    if np.shape(X.rows) != (n_rows,) or np.shape(X.data) != (n_rows,):
        return f"rows and data must have {n_rows} lists, got {np.shape(X.rows)} and {np.shape(X.data)}"
    for i, (places, values) in enumerate(zip(X.rows, X.data, strict=True)):
        if not isinstance(places, list) or not isinstance(values, list) or len(places) != len(values):
            return f"row {i} must be two lists of the same length"
        if not all(isinstance(place, int | np.integer) and 0 <= place < n_columns for place in places):
            return f"the places of row {i} must be whole numbers from 0 to {n_columns - 1}, got {places}"
    return ""


def _dok(X: Any) -> str:
    for key in X.keys():  # noqa: SIM118 - a sparse matrix iterates over its rows
        is_place = isinstance(key, tuple) and len(key) == 2 and all(isinstance(i, int | np.integer) for i in key)
        if not is_place or not all(0 <= i < size for i, size in zip(key, X.shape, strict=True)):
            return f"place {key!r} is outside of shape {X.shape}"
    return ""


_CHECKS = {"csr": _compressed, "csc": _compressed, "bsr": _compressed}
_CHECKS |= {"coo": _coo, "dia": _dia, "lil": _lil, "dok": _dok}


def _outside(places: Any, size: int, name: str) -> str:
    """Say which place is outside [0, size), if one is."""
    if places.size == 0:
        return ""
    # As unsigned numbers negative ones are larger than any size: one pass finds both.
    unsigned = places.view(places.dtype.str.replace("i", "u"))
    worst = int(unsigned.argmax()) if int(unsigned.max()) >= size else None
    return "" if worst is None else f"{name} must be from 0 to {size - 1}, got {places[worst]} at position {worst}"
