"""Tables of numbers on their way to the core: dense ones as they are, sparse ones as canonical CSR.

Columns that hold categories are read by `_frames.py`; whether a sparse matrix is one, `_sparse.py` has looked before.
"""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mlcore._sparse import validate_rows

Floats: TypeAlias = NDArray[np.float64]
Dense: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Rows: TypeAlias = Dense | sp.csr_array
Sparse: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[int, int]]
Matrix: TypeAlias = Dense | Sparse

READ: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
"""Options of scikit-learn's checks of X: what the core reads in place is not converted."""


def read_rows(estimator: Any, X: Any, *, reset: bool = False, accept_sparse: bool = True) -> Rows:
    """Check the rows of `X` and its column names: finite, two-dimensional, as many features as in fit.

    float32 and float64 arrays are not copied, whatever their strides; a CSR matrix is only if its columns are not in
    order or name a place twice.

    Parameters
    ----------
    estimator : estimator
        On whose behalf.
    X : array, sparse matrix or frame of shape (n_samples, n_features)
    reset : bool, default=False
        True in fit: sets ``n_features_in_`` and ``feature_names_in_``.
    accept_sparse : bool, default=True
        Whether X may be sparse.

    Returns
    -------
    array or CSR array of shape (n_samples, n_features)
    """
    options = READ if accept_sparse else READ | {"accept_sparse": False}
    return as_rows(validate_rows(estimator, X, reset=reset, **options))


def as_rows(X: Any) -> Rows:
    """Return a table that was checked: a dense one as it is, a sparse one as canonical CSR."""
    return canonical_csr(X) if sp.issparse(X) else X


def for_core(rows: Rows) -> Matrix:
    """Return dense rows as they are, sparse ones as the four parts of CSR.

    `rows` come from :func:`as_rows`, or are some of such rows.
    """
    if not isinstance(rows, sp.csr_array):
        return rows
    # SciPy has kept what canonical_csr found; rows that were taken out of others are looked at here.
    csr = rows if rows.has_canonical_format and _has_one_index_type(rows) else canonical_csr(rows)
    n_rows, n_columns = csr.shape
    return csr.data, csr.indices, csr.indptr, (int(n_rows), int(n_columns))


def canonical_csr(X: Any, *, make_float: bool = False) -> sp.csr_array:
    """Return CSR with sorted columns, no place named twice and indices of one type; the user's own matrix stays.

    With `make_float` values of other types become floats.
    """
    csr = sp.csr_array(X)
    if make_float and csr.dtype not in (np.float32, np.float64):
        csr = csr.astype(float_type(csr.dtype))
    csr.prune()  # users may leave room behind the last entry
    if not csr.has_canonical_format:
        if csr is X or np.shares_memory(csr.data, X.data):
            csr = csr.copy()
        csr.sum_duplicates()
    if not _has_one_index_type(csr):
        wide = np.result_type(csr.indices.dtype, csr.indptr.dtype)
        csr.indices, csr.indptr = csr.indices.astype(wide, copy=False), csr.indptr.astype(wide, copy=False)
    return csr


def _has_one_index_type(csr: sp.csr_array) -> bool:
    return bool(csr.indices.dtype == csr.indptr.dtype)


def is_sparse(X: Any) -> bool:
    """Return scipy.sparse.issparse, for which mypy would take the attributes of X away."""
    return bool(sp.issparse(X))


def float_type(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Return the smallest of float32 and float64 that holds every value of a NumPy type (of long integers: most)."""
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64
