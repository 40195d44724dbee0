"""Rows from the core as a sparse matrix for users."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config

Parts: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""data, indices and indptr of rows."""

_MOST_OF_INT32 = np.iinfo(np.int32).max
_OF_THE_CORE = [np.dtype(name) for name in ("i4", "i8", "f4", "f8")]


def check_dtype(dtype: Any, who: str) -> np.dtype[Any]:
    """Return the dtype of counts. Raises ValueError for what no sparse matrix can hold."""
    found: np.dtype[Any]
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "biufc" or found == np.float16:
        raise ValueError(
            f"The 'dtype' parameter of {who} must be a type of numbers that sparse matrices can hold, such as int64 or "
            f"float32. Got {dtype!r} instead."
        )
    return found


def core_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which the core counts, where others are made of its counts."""
    return dtype if any(dtype == one for one in _OF_THE_CORE) else np.dtype(np.int64)


def as_matrix(parts: list[Parts], n_columns: int, dtype: np.dtype[Any]) -> Any:
    """Return rows as one CSR matrix, or array if scikit-learn is so configured (``sparse_interface``).

    Parameters
    ----------
    parts : list of tuple
        Rows in order, with ascending indices in each.
    n_columns : int
    dtype : numpy.dtype
        Of the entries.
    """
    data, indices, indptr = _joined(parts)
    X = _csr_class()((1, 1))  # whose constructor would look at what the core has just made: 60 us a matrix
    X.data, X.indices, X.indptr = data.astype(dtype, copy=False), indices, indptr
    X._shape = (len(indptr) - 1, n_columns)
    X.has_canonical_format = True
    return X


def configured(X: Any) -> Any:
    """Return rows as a CSR matrix or array, as scikit-learn is configured, without a copy where they are one."""
    cls = _csr_class()
    return X if isinstance(X, cls) else cls(X)


def _csr_class() -> Any:
    return sp.csr_array if get_config().get("sparse_interface", "spmatrix") == "sparray" else sp.csr_matrix


def _joined(parts: list[Parts]) -> Parts:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return np.zeros(0), np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int32)
    n_stored = sum(len(data) for data, _, _ in parts)
    index = np.int64 if n_stored > _MOST_OF_INT32 else np.int32
    ends = [np.zeros(1, dtype=np.int64)]
    for _, _, indptr in parts:
        ends.append(indptr[1:] + ends[-1][-1])
    return (
        np.concatenate([data for data, _, _ in parts]),
        np.concatenate([indices for _, indices, _ in parts], dtype=index),
        np.concatenate(ends, dtype=index),
    )
