"""What kernels ask of a table of rows, dense or CSR: one kind for two tables, variance, sizes, symmetry."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from mlcore._tables import Dense, Floats, Rows

_BLOCK = 1 << 17  # numbers that are looked at in one go


def alike(X: Rows, Z: Rows) -> tuple[Rows, Rows]:
    """Return the rows of two tables as one kind of table with one type of number, the wider one."""
    if isinstance(X, sp.csr_array) != isinstance(Z, sp.csr_array):
        X, Z = (rows if isinstance(rows, sp.csr_array) else sp.csr_array(rows) for rows in (X, Z))
    dtype = np.result_type(X.dtype, Z.dtype)
    return X.astype(dtype, copy=False), Z.astype(dtype, copy=False)


def variance(X: Rows, weight: Floats | None) -> float:
    """Variance of all entries of a table, zeros of a sparse one included, in float64 without a copy of the table.

    The entries of a row count as often as its weight says. Deviations from one of the entries are summed: they are
    exactly 0 in a constant table, and keep their digits however far from zero it is.
    """
    n, d = X.shape
    total: float = d * float(n if weight is None else weight.sum())
    if isinstance(X, sp.csr_array):
        weights = None if weight is None else np.repeat(weight, np.diff(X.indptr))
        blocks = [slice(i, i + _BLOCK) for i in range(0, X.nnz, _BLOCK)]
        parts = [(X.data[block], None if weights is None else weights[block]) for block in blocks]
        n_zeros = total - (X.nnz if weights is None else float(weights.sum()))
    else:
        step, n_zeros = max(1, _BLOCK // d), 0.0
        blocks = [slice(i, i + step) for i in range(0, n, step)]
        parts = [(X[block], None if weight is None else weight[block, None]) for block in blocks]

    if isinstance(X, sp.csr_array):
        has_zeros = X.nnz < n * d
        first = 0.0 if has_zeros else float(X.data[0])
    else:
        has_zeros, first = False, float(X[0, 0])

    def sum_of(function: Callable[[Floats], Floats]) -> float:
        terms = ((function(part.astype(np.float64) - first), times) for part, times in parts)
        return sum(float((values if times is None else values * times).sum()) for values, times in terms)

    mean = sum_of(lambda values: values) / total
    zeros = n_zeros * mean * mean if has_zeros else 0.0
    return (sum_of(lambda values: np.square(values - mean)) + zeros) / total


def largest_square_norm(X: Rows) -> float:
    """Return the largest inner product of a row with itself."""
    if isinstance(X, sp.csr_array):
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        return float(np.bincount(rows, weights=np.square(X.data, dtype=np.float64), minlength=1).max())
    step = max(1, _BLOCK // X.shape[1])
    blocks = (X[i : i + step].astype(np.float64) for i in range(0, X.shape[0], step))
    return max(float(np.square(block).sum(axis=1).max()) for block in blocks)


def largest_asymmetry(K: Dense) -> tuple[float, int, int, float]:
    """Return the largest ``|K[i, j] - K[j, i]|`` of a square matrix, its i and j, and the largest ``|K|``."""
    found, size = (0.0, 0, 0), 0.0
    step = max(1, _BLOCK // K.shape[0])
    for i in range(0, K.shape[0], step):
        difference = np.abs(K[i : i + step] - K[:, i : i + step].T)
        at = int(difference.argmax())
        row, column = divmod(at, K.shape[1])
        found = max(found, (float(difference[row, column]), i + row, column))
        size = max(size, float(np.abs(K[i : i + step]).max()))
    return (*found, size)
