"""Points as a metric measures them, who is near, and the tree of mutual reachability over them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._tables import is_sparse
from mlcore.cluster._distances import check_symmetric, kth_smallest
from mlcore.cluster._index import exponent_of
from mlcore.cluster._points import Points, directions

Tree = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]
"""Both ends of n - 1 edges, and their weights."""

METRICS = ("chebyshev", "cosine", "euclidean", "manhattan")
"""Those between points; what is precomputed has none."""

MOST_TREE_FEATURES = 100
"""Beyond this many features a kd-tree rules out too little to be worth it, even in the search for a spanning tree."""

LEAF_SIZE = 32


def as_measured(points: Points, metric: str) -> Points:
    """Return the points in the coordinates in which the core measures `metric`.

    Parameters
    ----------
    points : float64 array of shape (n, d)
    metric : {"chebyshev", "cosine", "euclidean", "manhattan"}

    Returns
    -------
    float64 array of shape (n, d), or (n, d + 1) for "cosine"
        For "cosine" rows of length 1. A row of zeros has no direction: it becomes one that is at a right angle to all
        others, so that it is far from them (1), as in scikit-learn.
    """
    if metric != "cosine":
        return points
    unit, has_length = directions(points)
    return np.column_stack([unit, (~has_length).astype(np.float64)])


class ReachabilityIndex:
    """Points with a kd-tree over them, or without where there are many features: the answers are the same.

    The core squares differences of coordinates: points whose squares would leave the range of float64 are measured in
    another unit, a power of two, which changes no digit.

    Parameters
    ----------
    points : float64 array of shape (n, d)
        Finite, in C order.
    metric : {"chebyshev", "cosine", "euclidean", "manhattan"}
    algorithm : {"auto", "brute", "kd_tree"}
    n_threads : int
    """

    def __init__(self, points: Points, metric: str, algorithm: str, n_threads: int) -> None:
        self._metric = metric
        measured = as_measured(points, metric)
        self._exponent = exponent_of(measured)
        self.points = np.ldexp(measured, -self._exponent) if self._exponent else measured
        has_tree = algorithm == "kd_tree" or (algorithm == "auto" and points.shape[1] <= MOST_TREE_FEATURES)
        self._tree = (
            core.neighbors.KdTree(self.points, metric=metric, leaf_size=LEAF_SIZE, n_threads=n_threads)
            if has_tree
            else None
        )

    def k_nearest(
        self, queries: Points | None, k: int, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the distances and rows (q, k) of the nearest points, nearest first; None: of the points themselves."""
        measured = None if queries is None else self._measured(queries)
        if self._tree is not None:
            distances, rows = self._tree.k_nearest(measured, k, n_threads=n_threads)
        else:
            distances, rows = core.neighbors.k_nearest(
                self.points, measured, k, metric=self._metric, n_threads=n_threads
            )
        return self._in_users_unit(distances), rows

    def reachability_tree(self, k: int, alpha: float, n_threads: int) -> tuple[NDArray[np.float64], Tree]:
        """Return the distances to the k-th nearest, each point its own first, and the minimum spanning tree.

        The tree is by mutual reachability.
        """
        points = self.points if self._tree is None else self._tree
        cores, start, end, weights = core.neighbors.reachability_tree(
            points, k, alpha=alpha, metric=self._metric, n_threads=n_threads
        )
        return self._in_users_unit(cores), (start, end, self._in_users_unit(weights))

    def nearest_of_lists(
        self, queries: Points | None, offsets: NDArray[np.int64], members: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the distances (q, k) to the nearest of ``members[offsets[j] : offsets[j + 1]]`` for each j."""
        measured = self.points if queries is None else self._measured(queries)
        return self._in_users_unit(
            core.cluster.nearest_of_lists(
                measured, self.points, offsets, members, metric=self._metric, n_threads=n_threads
            )
        )

    def _measured(self, queries: Points) -> Points:
        measured = as_measured(queries, self._metric)
        return np.ldexp(measured, -self._exponent) if self._exponent else measured

    def _in_users_unit(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ldexp(distances, self._exponent) if self._exponent else distances


def reachability_tree_of_distances(D: Any, k: int, alpha: float, n_threads: int) -> tuple[NDArray[np.float64], Tree]:
    """Return what :meth:`ReachabilityIndex.reachability_tree` does, of distances that are given.

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
        stored = (D.data, D.indices, D.indptr, D.shape)
        cores, start, end, weights = core.neighbors.reachability_tree_of_graph(
            stored, k, alpha=alpha, n_threads=n_threads
        )
    else:
        check_symmetric(D, "HDBSCAN")
        cores = kth_smallest(D, k)
        start, end, weights = core.neighbors.spanning_tree_of_distances(D, cores, alpha)
    if np.isinf(cores).all():
        raise ValueError(f"no row of X has min_samples={k} finite distances, that to itself among them")
    return cores, (start, end, weights)
