"""Matrices of distances that users bring along."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from mlcore._native import core
from mlcore._sparse import validate_rows
from mlcore._tables import canonical_csr, for_core, is_sparse
from mlcore.cluster._point_index import Edges

_BLOCK = 1 << 22  # entries that are looked at together


def read_distances(estimator: BaseEstimator, D: Any, **options: Any) -> Any:
    """Return a square matrix of distances as float64, dense or in canonical CSR.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose they are.
    D : {array, sparse matrix} of shape (n_samples, n_samples)
    **options : dict
        Those of `validate_rows`.

    Returns
    -------
    float64 array or CSR array of shape (n_samples, n_samples)

    Raises
    ------
    ValueError
        If it is not square, or an entry is negative or NaN.
    """
    found = validate_rows(estimator, D, accept_sparse="csr", dtype=np.float64, **options)
    if is_sparse(found):
        found = canonical_csr(found)
    check_distances(found, type(estimator).__name__)
    return found


def check_distances(D: Any, owner: str) -> None:
    """Raise ValueError unless D, dense or CSR, is square and nothing in it is negative or NaN."""
    if D.shape[0] != D.shape[1]:
        raise ValueError(f"X of {owner} must be a square matrix for metric='precomputed', got shape {D.shape}")
    if not (D.data if is_sparse(D) else D).min(initial=0) >= 0:
        raise ValueError(f"X of {owner} must hold distances for metric='precomputed': one is negative or NaN")


def check_symmetric(D: NDArray[np.float64], owner: str) -> None:
    """Raise ValueError unless both sides of a dense matrix agree to 1e-8."""
    for rows in _row_blocks(len(D)):
        part, across = D[rows], D[:, rows].T
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


def reachability_tree_of_distances(D: Any, k: int, alpha: float, n_threads: int) -> tuple[NDArray[np.float64], Edges]:
    """Return what :meth:`PointIndex.reachability_tree` does, of distances that are given.

    Parameters
    ----------
    D : float64 array or CSR array of shape (n, n)
        As `read_distances` gives it.
    k : int
        From 1 to n.
    alpha : float
    n_threads : int

    Raises
    ------
    ValueError
        If D is not symmetric, or no row has k finite distances.
    """
    if is_sparse(D):
        cores, start, end, weights = core.neighbors.reachability_tree_of_graph(
            for_core(D), k, alpha=alpha, n_threads=n_threads
        )
    else:
        check_symmetric(D, "HDBSCAN")
        cores = kth_smallest(D, k)
        start, end, weights = core.neighbors.spanning_tree_of_distances(D, cores, alpha)
    if np.isinf(cores).all():
        raise ValueError(f"no row of X has min_samples={k} finite distances, that to itself among them")
    return cores, (start, end, weights)
