"""Dense points that are searched: by kd-tree or by brute force, in a unit that float64 can square."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._tables import Floats
from mlcore.cluster._points import Unit

METRICS = ("euclidean", "manhattan", "chebyshev", "cosine")
"""Those between points. For "cosine" points have length 1."""

Rows = NDArray[np.int64]
Edges = tuple[NDArray[np.int32], NDArray[np.int32], Floats]

_MOST_TREE_FEATURES = 100  # beyond, boxes rule out too little even in the search for a spanning tree


class Within(NamedTuple):
    """All neighbours within a radius: those of query i are at [offsets[i], offsets[i + 1]), by ascending row."""

    offsets: Rows
    rows: Rows
    distances: Floats

    @classmethod
    def of_places(cls, n_queries: int, queries: Rows, rows: Rows, distances: Floats) -> "Within":
        """Return neighbours given one by one, in order of (query, row)."""
        offsets = np.zeros(n_queries + 1, np.int64)
        np.cumsum(np.bincount(queries, minlength=n_queries), out=offsets[1:])
        return cls(offsets, rows, distances)

    def queries(self) -> Rows:
        """Return the query that each neighbour belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class PointIndex:
    """Dense points, by kd-tree or by brute force: the answers are the same to the bit.

    They are measured in a unit in which squares of differences are numbers.

    Parameters
    ----------
    points : float64 array of shape (n, d)
        Finite, in C order.
    metric : {"euclidean", "manhattan", "chebyshev", "cosine"}
    algorithm : {"auto", "kd_tree", "brute"}
        "auto" for neighbours tries some searches in a tree and keeps it if they end soon; for a spanning tree the
        number of features decides.
    n_threads : int
    leaf_size : int, default=32
    n_neighbors : int or None, default=None
        What will be searched: so many neighbours, or a spanning tree.
    moves_far_queries : bool, default=False
        Whether queries too far away for their squares are moved nearer, to where all points are equally far still; else
        they are an error.
    """

    def __init__(
        self,
        points: Floats,
        *,
        metric: str,
        algorithm: str,
        n_threads: int,
        leaf_size: int = 32,
        n_neighbors: int | None = None,
        moves_far_queries: bool = False,
    ) -> None:
        self._unit = Unit.of(points)
        self._points: Floats = self._unit.scaled(points)
        self._moves_far_queries = moves_far_queries
        self._metric, self._tree = metric, None
        if algorithm == "brute" or (
            algorithm == "auto" and n_neighbors is None and points.shape[1] > _MOST_TREE_FEATURES
        ):
            return
        tree = core.neighbors.KdTree(self._points, metric=metric, leaf_size=leaf_size, n_threads=n_threads)
        if algorithm == "kd_tree" or n_neighbors is None or self._tree_pays(tree, n_neighbors, n_threads):
            self._tree = tree

    def _tree_pays(self, tree: core.neighbors.KdTree, n_neighbors: int, n_threads: int) -> bool:
        """Say whether search by the tree is faster than by products, of which other metrics know nothing.

        The figures are nanoseconds for a distance of d dimensions, measured on one core with AVX-512.
        """
        d = self._points.shape[1]
        if self._metric not in ("euclidean", "cosine") or d <= 4:
            return True
        share = tree.scanned_share(n_neighbors, n_threads=n_threads)
        return bool(share * (0.1 + 0.05 * d) < 0.25 + 0.0085 * d)

    def k_nearest(self, queries: Floats | None, k: int, n_threads: int) -> tuple[Floats, Rows]:
        """Return distances and rows (n_queries, k), nearest first; None: of the points, each its own first."""
        queries = self._in_unit(queries)
        if self._tree is None:
            distances, rows = core.neighbors.k_nearest(
                self._points, queries, k, metric=self._metric, n_threads=n_threads
            )
        else:
            distances, rows = self._tree.k_nearest(queries, k, n_threads=n_threads)
        return self._unit.lengths(distances), rows

    def within(self, queries: Floats | None, radius: float, n_threads: int) -> Within:
        """Return all points at a distance of at most `radius`; None: from the points, each among its own."""
        queries = self._in_unit(queries)
        radius = float(self._unit.scaled(np.float64(radius)))
        if self._tree is None:
            found = core.neighbors.within(self._points, queries, radius, metric=self._metric, n_threads=n_threads)
        else:
            found = self._tree.within(queries, radius, n_threads=n_threads)
        offsets, rows, distances = found
        return Within(offsets, rows, self._unit.lengths(distances))

    def spanning_tree(self, n_threads: int) -> Edges:
        """Return the minimum spanning tree: both ends of n - 1 edges, ascending, and their lengths."""
        start, end, lengths = core.neighbors.spanning_tree(
            self._searched(), None, metric=self._metric, n_threads=n_threads
        )
        return start, end, self._unit.lengths(lengths)

    def reachability_tree(self, k: int, alpha: float, n_threads: int) -> tuple[Floats, Edges]:
        """Return the distances to the k-th nearest, each point its own first, and the tree by mutual reachability."""
        cores, start, end, weights = core.neighbors.reachability_tree(
            self._searched(), k, alpha=alpha, metric=self._metric, n_threads=n_threads
        )
        return self._unit.lengths(cores), (start, end, self._unit.lengths(weights))

    def nearest_of_lists(self, queries: Floats | None, offsets: Rows, members: Rows, n_threads: int) -> Floats:
        """Return the distances (n_queries, k) to the nearest of ``members[offsets[j] : offsets[j + 1]]``, j < k."""
        asked = self._in_unit(queries)
        distances = core.cluster.nearest_of_lists(
            self._points if asked is None else asked,
            self._points,
            offsets,
            members,
            metric=self._metric,
            n_threads=n_threads,
        )
        lengths: Floats = self._unit.lengths(distances)
        return lengths

    def medoids(self, labels: Rows, weights: Floats, k: int, n_threads: int) -> Rows:
        """Return, for each of k clusters, the point with the least weighted sum of distances to it."""
        return core.cluster.medoids(self._points, labels, weights, k, metric=self._metric, n_threads=n_threads)

    def _searched(self) -> "core.neighbors.KdTree | Floats":
        return self._points if self._tree is None else self._tree

    def _in_unit(self, queries: Floats | None) -> Floats | None:
        if queries is None:
            return None
        return self._unit.nearby_queries(queries) if self._moves_far_queries else self._unit.scaled_queries(queries)
