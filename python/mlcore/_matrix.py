"""Tables of numbers on their way to the core: dense ones as they are, sparse ones as canonical CSR."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Dense: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Sparse: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[int, int]]
Matrix: TypeAlias = Dense | Sparse


def float_type(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Return the smallest of float32 and float64 that holds every value of a NumPy type (of long integers: most)."""
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64


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
    if csr.indices.dtype != csr.indptr.dtype:
        wide = np.result_type(csr.indices.dtype, csr.indptr.dtype)
        csr.indices, csr.indptr = csr.indices.astype(wide, copy=False), csr.indptr.astype(wide, copy=False)
    return csr


def for_core(X: Any) -> Matrix:
    """Return a dense matrix as it is, a sparse one as the four parts of its canonical CSR."""
    if not sp.issparse(X):
        return X  # type: ignore[no-any-return]
    csr = canonical_csr(X)
    rows, columns = csr.shape
    return csr.data, csr.indices, csr.indptr, (int(rows), int(columns))
