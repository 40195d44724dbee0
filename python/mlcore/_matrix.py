"""Tables of numbers on their way to the core: dense ones as they are, sparse ones as canonical CSR."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Dense: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Sparse: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[int, int]]
Matrix: TypeAlias = Dense | Sparse


def canonical_csr(X: Any) -> sp.csr_array:
    """Return CSR with sorted columns, no place named twice and indices of one type; the user's own matrix stays."""
    csr = sp.csr_array(X)
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
