"""SparseGradient: the gradient of a table of which only some rows were used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]


class SparseGradient:
    """Gradient with respect to some rows of a table; it is zero for all others.

    Parameters
    ----------
    rows : array (n,) of int64
        Their numbers, ascending, each once.
    values : array (n, ...) of float32
        Their gradients.
    shape : tuple of int
        Of the table.
    """

    __slots__ = ("rows", "shape", "values")
    __array_ufunc__ = None  # ndarray + SparseGradient is for us to compute

    def __init__(self, rows: NDArray[np.int64], values: _Array, shape: tuple[int, ...]) -> None:
        self.rows, self.values, self.shape = rows, values, shape

    def to_dense(self) -> _Array:
        """Return an array of the table's shape, zero elsewhere."""
        dense = np.zeros(self.shape, np.float32)
        dense[self.rows] = self.values
        return dense

    def __add__(self, other: "SparseGradient | _Array") -> "SparseGradient | _Array":
        if not isinstance(other, SparseGradient):
            total: _Array = other.copy()
            total[self.rows] += self.values
            return total
        rows, inverse = np.unique(np.concatenate([self.rows, other.rows]), return_inverse=True)
        values = np.zeros((len(rows), *self.shape[1:]), np.float32)
        values[inverse[: len(self.rows)]] = self.values
        values[inverse[len(self.rows) :]] += other.values
        return SparseGradient(rows, values, self.shape)

    __radd__ = __add__


def stored_values(gradient: Any) -> Any:
    """Return the entries of a gradient that are stored: all of them, or those of the rows that were used."""
    return gradient.values if isinstance(gradient, SparseGradient) else gradient
