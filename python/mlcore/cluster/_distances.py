"""Matrices of distances that users bring along."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from mlcore._sparse import validate_rows

_BLOCK = 1 << 22  # entries that are looked at together


def read_distances(estimator: BaseEstimator, D: Any) -> NDArray[np.float64]:
    """Return a symmetric matrix of distances as float64 in C order; infinite ones are allowed.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose they are.
    D : array of shape (n_samples, n_samples)
        Not negative. The diagonal does not matter.

    Raises
    ------
    ValueError
        If it is not square or not symmetric, or an entry is negative or NaN.
    """
    found: NDArray[np.float64] = validate_rows(estimator, D, dtype=np.float64, order="C", ensure_all_finite=False)
    check_distances(found, type(estimator).__name__)
    return found


def check_distances(D: NDArray[np.float64], owner: str) -> None:
    """Raise ValueError unless D is square and symmetric and nothing in it is negative or NaN."""
    n = len(D)
    if D.shape[1] != n:
        raise ValueError(f"X of {owner} must be a square matrix for metric='precomputed', got shape {D.shape}")
    for rows in _row_blocks(n):
        part, across = D[rows], D[:, rows].T
        if not (part >= 0).all():
            raise ValueError(f"X of {owner} must hold distances for metric='precomputed': one is negative or NaN")
        with np.errstate(invalid="ignore"):
            same = (part == across) | (np.abs(part - across) <= 1e-8 * part)
        if not same.all():
            raise ValueError(f"X of {owner} must be symmetric for metric='precomputed', and is not")


def kth_smallest(D: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the distance of each row to its k-th nearest, itself the first."""
    found = np.empty(len(D))
    for rows in _row_blocks(len(D)):
        part = D[rows].copy()
        part[np.arange(len(part)), np.arange(rows.start, rows.stop)] = 0
        found[rows] = np.partition(part, k - 1, axis=1)[:, k - 1]
    return found


def _row_blocks(n: int) -> list[slice]:
    step = max(1, _BLOCK // n)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
