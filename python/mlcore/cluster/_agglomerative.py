"""Agglomerative clustering: a tree of merges, and cuts of it."""

import warnings
from heapq import heappush, heappushpop
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, fitting
from mlcore._native import core
from mlcore._sparse import check_sparse
from mlcore._state import FEATURES, Array, Csr, Int, Sizes, Spec, is_packed_csr, pack_csr, unpack_csr
from mlcore._validation import read_count, read_number
from mlcore.cluster._distances import check_distances, check_symmetric
from mlcore.cluster._point_index import PointIndex
from mlcore.cluster._points import Points, directions, read_points

Labels = NDArray[np.int64]


class AgglomerativeClustering(ClusterMixin, StateMixin, BaseEstimator):  # type: ignore[misc]
    """Clusters that are merged, the two nearest first, until one is left; the tree of merges is cut into clusters.

    Trees and labels are those of scikit-learn and SciPy; where distances are equal, any of the merges may come first
    [1]_. Pairs of clusters that are nearest to each other are merged at once, all that there are; for Ward's, average
    and complete linkage this makes the same tree, because a merged cluster is never nearer to another one than its
    parts were [2]_. What would take many such rounds is merged along nearest-neighbour chains [1]_. `fit` gives the
    same bits for any `n_jobs`.

    Memory is O(n_samples n_features) for "single", and for "ward" with a matrix of 64 MB at most. For "average" and
    "complete" it is that of the matrix between the clusters that are left when these become too large to be compared
    row by row: about 2000 of them, or up to all rows where columns are many and no group is near another. A MemoryError
    says so before the memory is used up.

    Parameters
    ----------
    n_clusters : int or None, default=2
        Number of clusters, from 1 to n_samples. None with `distance_threshold`.
    metric : {"euclidean", "manhattan", "chebyshev", "cosine", "precomputed"}, default="euclidean"
        Distance of rows; "ward" takes "euclidean" alone. "cosine": 1 minus the cosine of the angle. "precomputed": X is
        the matrix of distances itself, (n_samples, n_samples), symmetric.
    connectivity : {array, sparse matrix} of shape (n_samples, n_samples) or callable, default=None
        Which rows may be merged: those i and k with an entry (i, k) or (k, i) that is not 0, and clusters with such
        rows. A callable makes it of X, as ``partial(kneighbors_graph, n_neighbors=10)``. Where it falls apart, the two
        nearest rows of each two parts are connected, with a warning. None: all of them.
    linkage : {"ward", "average", "complete", "single"}, default="ward"
        Distance of clusters. "ward": sqrt(2 a b / (a + b)) times that of the centroids, with a and b rows in them, so
        that the merge that adds least to the sum of squared distances to centroids comes first. "average", "complete",
        "single": the mean, the largest, the least distance between a row of the one and a row of the other.
    distance_threshold : float or None, default=None
        Clusters at this distance or above are not merged. None with `n_clusters`.
    n_jobs : int or None, default=None
        Threads, in fit. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    labels_ : int64 array of shape (n_samples,)
        The cluster of each row, from 0, numbered as in scikit-learn.
    n_clusters_ : int
        Number of clusters.
    children_ : int64 array of shape (n_samples - 1, 2)
        The two clusters of each merge, the lower number first. Numbers below n_samples are rows; merge i makes cluster
        n_samples + i.
    distances_ : array of shape (n_samples - 1,)
        The distance of the two, ascending; not with `connectivity` and "average" or "ward", where a merge may bring
        clusters nearer.
    n_leaves_ : int
        Number of rows.
    n_connected_components_ : int
        Number of parts into which `connectivity` fell, 1 without it.
    linkage_matrix_ : array of shape (n_samples - 1, 4)
        `children_`, `distances_` and the number of rows of each merge: what :mod:`scipy.cluster.hierarchy` calls Z.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    Notes
    -----
    scikit-learn's ``compute_distances``, ``compute_full_tree`` and ``memory`` are left out: distances are always there
    and the tree is always whole, because neither costs anything, and :meth:`cut` cuts it again without a new fit.

    With `connectivity`, "average" and "complete" know the distances of connected rows only, as in scikit-learn: a
    cluster that is connected with one part of a merge alone keeps its distance from that part, so that clusters may be
    wider than `distance_threshold`.

    References
    ----------
    .. [1] D. Müllner, "Modern hierarchical, agglomerative clustering algorithms", arXiv:1109.2378, 2011.
    .. [2] S. Yu, Y. Wang, Y. Gu, L. Dhulipala and J. Shun, "ParChain: a framework for parallel hierarchical
       agglomerative clustering using nearest-neighbor chain", VLDB, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import AgglomerativeClustering
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [4, 2], [4, 4], [4, 0]])
    >>> model = AgglomerativeClustering().fit(X)
    >>> model.labels_
    array([1, 1, 1, 0, 0, 0])
    >>> model.cut(n_clusters=1)
    array([0, 0, 0, 0, 0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions({"euclidean", "manhattan", "chebyshev", "cosine", "precomputed"})],
        "connectivity": ["array-like", "sparse matrix", callable, None],
        "linkage": [StrOptions({"ward", "average", "complete", "single"})],
        "distance_threshold": [Interval(Real, 0, None, closed="left"), None],
        "n_jobs": [*N_JOBS],
    }
    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "labels_": Array("i8", ("n_leaves",), low=0),
        "n_clusters_": Int(1),
        "children_": Array("i8", (lambda sizes: sizes["n_leaves"] - 1, 2), low=0),
        "distances_": Array("f8", (lambda sizes: sizes["n_leaves"] - 1,), low=0.0),
        "n_leaves_": Int(2, 2**30, size="n_leaves"),
        "n_connected_components_": Int(1),
    }

    def __init__(
        self,
        n_clusters: int | None = 2,
        *,
        metric: str = "euclidean",
        connectivity: Any = None,
        linkage: str = "ward",
        distance_threshold: float | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.metric = metric
        self.connectivity = connectivity
        self.linkage = linkage
        self.distance_threshold = distance_threshold
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Build the tree of merges and cut it.

        Parameters
        ----------
        X : {array, pandas or polars frame} of shape (n_samples, n_features)
            Two rows or more, finite; with "precomputed" distances of shape (n_samples, n_samples).
        y : None, default=None
            Not used.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        ValueError
            If a parameter, a combination of them, or the data is out of range; the message says which.
        MemoryError
            If the matrix that "average" or "complete" needs is larger than the memory that is left.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        UserWarning
            If `connectivity` falls apart.
        """
        self._validate_params()
        with fitting(self):
            if self.linkage == "ward" and self.metric != "euclidean":
                raise ValueError(f"linkage='ward' needs metric='euclidean', got {self.metric!r}: take 'average'")
            _check_cut(self.n_clusters, self.distance_threshold, type(self).__name__)
            points = read_points(self, X)
            graph = None if self.connectivity is None else self._graph(points)
            points = self._placed(points)
            options: dict[str, Any] = {"metric": self.metric, "n_threads": effective_n_jobs(self.n_jobs)}
            self.n_connected_components_ = 1
            if graph is None:
                children, distances = _tree(points, self.linkage, options)
            else:
                edges, self.n_connected_components_ = _connected_edges(points, graph, options)
                children, distances = core.cluster.agglomerate_connected(
                    points, *edges, linkage=self.linkage, **options
                )
            self.children_, self.distances_ = children, distances
            self.n_leaves_ = len(points)
            self.n_clusters_ = self._n_clusters_of(self.n_clusters, self.distance_threshold)
            self.labels_ = cut_tree(self.children_, self.n_clusters_)
        return self

    def fit_predict(self, X: Any, y: Any = None) -> Labels:  # noqa: ARG002
        """Fit and return `labels_`.

        Parameters
        ----------
        X : {array, pandas or polars frame} of shape (n_samples, n_features)
            As in :meth:`fit`.
        y : None, default=None
            Not used.

        Returns
        -------
        int64 array of shape (n_samples,)
            The cluster of each row.
        """
        return self.fit(X).labels_

    def cut(self, *, n_clusters: int | None = None, distance_threshold: float | None = None) -> Labels:
        """Return the labels of another cut of the same tree; `labels_` stay.

        Parameters
        ----------
        n_clusters : int or None, default=None
            Number of clusters.
        distance_threshold : float or None, default=None
            Clusters at this distance or above are not merged. One of the two must be given.

        Returns
        -------
        int64 array of shape (n_samples,)
            The cluster of each row.

        Raises
        ------
        ValueError
            If not one of the two is given, or it is out of range.
        TypeError
            If it is no number.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(self)
        _check_cut(n_clusters, distance_threshold, type(self).__name__)
        if n_clusters is not None:
            n_clusters = read_count(n_clusters, "n_clusters", type(self).__name__)
        if distance_threshold is not None:
            distance_threshold = read_number(distance_threshold, "distance_threshold", type(self).__name__)
        return cut_tree(self.children_, self._n_clusters_of(n_clusters, distance_threshold))

    @property
    def linkage_matrix_(self) -> NDArray[np.float64]:
        """The tree in SciPy's form."""
        check_is_fitted(self)
        n = self.n_leaves_
        sizes = np.ones(2 * n - 1, dtype=np.int64)
        for i, (a, b) in enumerate(self.children_.tolist()):
            sizes[n + i] = sizes[a] + sizes[b]
        return np.column_stack([self.children_.astype(np.float64), self.distances_, sizes[n:]])

    def _placed(self, points: Points) -> Points:
        """Return points, of length 1 for "cosine", or the matrix of distances."""
        name = type(self).__name__
        if len(points) < 2:
            raise ValueError(f"{name} needs a minimum of 2 rows, got n_samples = {len(points)}")
        if self.metric == "precomputed":
            check_distances(points, name)
            check_symmetric(points, name)
            return points
        if self.metric == "cosine":
            unit, has_length = directions(points)
            if not has_length.all():
                raise ValueError(f"metric='cosine' of {name} needs rows that are not zero, as they have no direction")
            return unit
        return points

    def _graph(self, points: Points) -> sp.csr_array:
        """Return the connectivity of these rows, (n, n)."""
        graph = self.connectivity(points) if callable(self.connectivity) else self.connectivity
        check_sparse(graph, type(self).__name__, "connectivity")
        graph = sp.csr_array(check_array(graph, accept_sparse="csr", input_name="connectivity", estimator=self))
        if graph.shape != (len(points), len(points)):
            raise ValueError(f"connectivity must have shape {(len(points), len(points))}, got {graph.shape}")
        return graph

    def _n_clusters_of(self, n_clusters: int | None, threshold: float | None) -> int:
        """Return the number of clusters of a cut."""
        if threshold is not None:
            return int(np.count_nonzero(self.distances_ >= threshold)) + 1
        assert n_clusters is not None
        if n_clusters > self.n_leaves_:
            raise ValueError(
                f"n_clusters of {type(self).__name__} must be at most n_samples = {self.n_leaves_}, got {n_clusters}"
            )
        return int(n_clusters)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        children, n = state["children_"], sizes["n_leaves"]
        numbers = np.arange(n, 2 * n - 1)
        if (children.max(axis=1) >= numbers).any() or len(np.unique(children)) < 2 * n - 2:
            raise ValueError("children_ must hold each cluster once, before it is merged")
        if not state["n_clusters_"] == state["labels_"].max() + 1 <= n:
            raise ValueError("labels_ must be below n_clusters_")

    def _file_params(self) -> dict[str, Any]:
        params = super()._file_params()
        if sp.issparse(params["connectivity"]):
            params["connectivity"] = pack_csr(params["connectivity"])
        return params

    @classmethod
    def _of_file_params(cls, params: dict[str, Any]) -> Self:
        graph: Any = params.get("connectivity")
        if is_packed_csr("connectivity_", graph):
            Csr(("n_rows", "n_cols")).check(graph, "connectivity", {})
            params = {**params, "connectivity": unpack_csr(graph)}
        return super()._of_file_params(params)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        return tags


def cut_tree(children: Labels, n_clusters: int) -> Labels:
    """Return the labels of the leaves where the last merges of a tree are undone.

    Clusters are numbered by their places in a heap, which are scikit-learn's.
    """
    heap = [-2 * len(children)]
    for first, second in children[:-n_clusters:-1].tolist():
        heappush(heap, -first)
        heappushpop(heap, -second)
    return core.cluster.cut_labels(children, -np.array(heap, dtype=np.int64))


def _check_cut(n_clusters: int | None, distance_threshold: float | None, owner: str) -> None:
    """Raise ValueError unless one of the two is given."""
    if (n_clusters is None) == (distance_threshold is None):
        raise ValueError(
            f"exactly one of n_clusters and distance_threshold of {owner} must be None, got n_clusters={n_clusters}, "
            f"distance_threshold={distance_threshold}"
        )


def _tree(points: Points, linkage: str, options: dict[str, Any]) -> tuple[Labels, NDArray[np.float64]]:
    """Return children and distances of the tree over all rows."""
    if linkage != "single":
        children, distances = core.cluster.agglomerate(points, linkage=linkage, **options)
        return children, distances
    if options["metric"] == "precomputed":
        merges = core.cluster.single_linkage(*core.neighbors.spanning_tree_of_distances(points, None))
    else:
        algorithm = "kd_tree" if points.shape[1] <= 64 else "brute"  # in many columns boxes part little
        edges = PointIndex(points, algorithm=algorithm, **options).spanning_tree(options["n_threads"])
        merges = core.cluster.single_linkage(*edges)
    return np.ascontiguousarray(merges[:, :2]).astype(np.int64), merges[:, 2].copy()


def _connected_edges(
    points: Points, graph: sp.csr_array, options: dict[str, Any]
) -> tuple[tuple[NDArray[np.int32], NDArray[np.int32]], int]:
    """Return the edges of a graph, each once, and those that make it whole; and into how many parts it fell."""
    graph = graph.copy()
    graph.eliminate_zeros()
    n_parts, parts = connected_components(graph, directed=False)
    edges = graph.tocoo()
    rows = np.column_stack([np.maximum(edges.row, edges.col), np.minimum(edges.row, edges.col)])
    rows = rows[rows[:, 0] != rows[:, 1]]
    if n_parts > 1:
        warnings.warn(
            f"the connectivity has {n_parts} parts that are not connected: their nearest rows are connected, so that "
            "the tree has one root",
            UserWarning,
            stacklevel=3,
        )
        added = core.cluster.closest_pairs(points, parts.astype(np.int32), n_parts, **options)
        rows = np.vstack([rows, np.sort(added, axis=1)[:, ::-1]])
    keys = np.unique(rows[:, 0].astype(np.int64) * len(points) + rows[:, 1])
    high, low = np.divmod(keys, len(points))
    return (high.astype(np.int32), low.astype(np.int32)), int(n_parts)
