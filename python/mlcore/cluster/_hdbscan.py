"""HDBSCAN: clusters of any shape and density, and noise, from a hierarchy of the points."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, fitting
from mlcore._native import core
from mlcore._state import FEATURES, Array, Dict, Int, Nothing, Number, OneOf, Optional, Sizes, Spec, Text
from mlcore._validation import read_count, read_number
from mlcore.cluster._condensed_tree import CONDENSED_TREE, CondensedTree, condensed_tree
from mlcore.cluster._distances import reachability_tree_of_distances, read_distances
from mlcore.cluster._hdbscan_new_points import NewPointsMixin
from mlcore.cluster._point_index import METRICS
from mlcore.cluster._points import Points, read_points
from mlcore.cluster._relative_validity import relative_validity

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_OF_THE_TREE = ("single_linkage_tree_", "minimum_spanning_tree_", "core_distances_", "min_samples_", "_points")
"""Fitted attributes that do not depend on the selection."""

_SELECTION = (
    "min_cluster_size",
    "cluster_selection_method",
    "cluster_selection_epsilon",
    "cluster_selection_persistence",
    "max_cluster_size",
    "allow_single_cluster",
    "store_centers",
)
"""Parameters that the hierarchy of the points does not depend on."""


class HDBSCAN(NewPointsMixin, ClusterMixin, StateMixin, BaseEstimator):  # type: ignore[misc]
    """Clusters of any shape and density, with noise: no number of clusters and no distance is asked for [1]_ [2]_.

    Points are as far apart as their mutual reachability says, the largest of their distance and their core distances,
    so that points in sparse regions are far from everything. From the minimum spanning tree of that follows the
    hierarchy of single linkage, from it, by `min_cluster_size`, a small tree of clusters, and from that those with the
    greatest stability. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
    min_cluster_size : int, default=5
        Fewest points of a cluster, >= 2; smaller groups are noise. The size of the smallest group that is of interest.
    min_samples : int or None, default=None
        The core distance of a point is that to its `min_samples`-th nearest, **the point itself counted as the first**,
        as in scikit-learn; the package hdbscan does not count it: ``min_samples=k`` there is ``min_samples=k + 1``
        here. More makes more points noise, and merges groups that nearly touch. None: `min_cluster_size`; where that is
        large, 5 to 15 is often better.
    cluster_selection_epsilon : float, default=0.0
        Clusters that have split at less than this distance are merged [3]_; 0: none.
    cluster_selection_persistence : float, default=0.0
        Clusters that live over less than this range of densities (1 / distance) are merged before any are selected;
        0: none.
    max_cluster_size : int or None, default=None
        Most points of a cluster that "eom" selects; `cluster_selection_epsilon` may merge to more. None: any.
    metric : {"euclidean", "manhattan", "chebyshev", "cosine", "precomputed"}, default="euclidean"
        Distance between rows. "precomputed": X is a symmetric matrix of distances, (n_samples, n_samples), dense or
        sparse, whose diagonal does not matter; infinite ones are allowed. What a sparse matrix does not store is
        infinite, zeros that it stores are distances of 0, and one side of a pair is enough, as in a graph of nearest
        neighbours. See Notes.
    alpha : float, default=1.0
        Distances are divided by it where they are compared with core distances, > 0.
    algorithm : {"auto", "brute", "kd_tree"}, default="auto"
        How neighbours are searched: in a kd-tree, or all of them, which "auto" takes for more than 100 features. The
        result is the same.
    cluster_selection_method : {"eom", "leaf"}, default="eom"
        "eom": the clusters whose stabilities have the largest sum; "leaf": the smallest and most homogeneous ones.
    allow_single_cluster : bool, default=False
        Allow that all points are one cluster, with noise around it.
    store_centers : {"centroid", "medoid", "both"} or None, default=None
        Compute `centroids_`, `medoids_` or both.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    labels_ : int64 array of shape (n_samples,)
        Cluster of each row; -1 is noise.
    n_clusters_ : int
        Number of clusters, noise not counted.
    probabilities_ : array of shape (n_samples,)
        How strongly each row belongs to its cluster, in [0, 1]; 0 for noise.
    outlier_scores_ : array of shape (n_samples,)
        How far each row is an outlier to the nearest part of the hierarchy, in [0, 1): GLOSH [2]_.
    cluster_persistence_ : array of shape (n_clusters,)
        Stability of each cluster, as a share of the most that it could be.
    relative_validity_ : float
        How well the clusters are separated, in [-1, 1]: DBCV as far as the edges of `minimum_spanning_tree_` tell it.
        It compares parameters on the same rows; :func:`mlcore.metrics.dbcv_score` is the index itself.
    condensed_tree_ : CondensedTree
        The tree of clusters, with ``to_numpy`` and ``to_pandas``; :func:`mlcore.plotting.plot_condensed_tree` draws it.
    single_linkage_tree_ : array of shape (n_samples - 1, 4)
        The hierarchy in the form of ``scipy.cluster.hierarchy``.
    minimum_spanning_tree_ : array of shape (n_samples - 1, 3)
        Its edges, ascending: two rows of X and their mutual reachability distance.
    core_distances_ : array of shape (n_samples,)
        Distance of each row to its `min_samples_`-th nearest.
    min_samples_ : int
        `min_samples` or, if that is None, `min_cluster_size`.
    exemplars_ : list of n_clusters arrays of shape (n_exemplars, n_features)
        The points in the midst of each cluster: those that are the last to leave. Not for "precomputed".
    centroids_ : array of shape (n_clusters, n_features)
        Means of the clusters, weighted by `probabilities_`. Only with `store_centers`.
    medoids_ : array of shape (n_clusters, n_features)
        Rows with the least sum of distances to their clusters, weighted likewise. Only with `store_centers`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    mlcore.plotting.plot_condensed_tree : A picture of the tree of clusters.

    Notes
    -----
    The parameters `prediction_data`, `gen_min_span_tree`, `approx_min_span_tree`, `core_dist_n_jobs`, `leaf_size`,
    `copy` and `memory` of hdbscan and scikit-learn are left out: everything is always there and exact. What takes the
    place of the functions of the package hdbscan: docs/clustering.md.

    Where more than `min_samples` points coincide, densities are infinite. Such points are never split, have
    probability 1 and outlier score 0, and the others of their cluster are measured by the highest finite density.

    With precomputed distances a row that has fewer than `min_samples` finite ones, that to itself among them, has an
    infinite core distance: it is noise. Groups without a finite distance between them are joined last, at infinity,
    where scikit-learn and hdbscan raise an error. A sparse matrix takes memory in proportion to what it stores, and
    gives what the dense matrix with infinity everywhere else gives. scikit-learn reads sparse matrices otherwise: a row
    counts for its own neighbour only where a 0 is stored for it.

    References
    ----------
    .. [1] R. J. G. B. Campello, D. Moulavi and J. Sander, "Density-based clustering based on hierarchical density
       estimates", PAKDD, 2013.
    .. [2] R. J. G. B. Campello, D. Moulavi, A. Zimek and J. Sander, "Hierarchical density estimates for data
       clustering, visualization, and outlier detection", ACM TKDD, 2015.
    .. [3] C. Malzer and M. Baum, "A hybrid approach to hierarchical density-based cluster selection", MFI, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import HDBSCAN
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 0.1, (50, 2)), rng.normal(3, 0.5, (100, 2))])
    >>> model = HDBSCAN(min_cluster_size=15).fit(X)
    >>> len(model.condensed_tree_.selected_clusters)
    2
    >>> model.approximate_predict([[0.0, 0.0], [20.0, 20.0]])[0].tolist() == [model.labels_[0], -1]
    True
    """

    labels_: Labels
    probabilities_: Floats
    outlier_scores_: Floats
    cluster_persistence_: Floats
    condensed_tree_: CondensedTree
    single_linkage_tree_: Floats
    minimum_spanning_tree_: Floats
    core_distances_: Floats
    min_samples_: int
    centroids_: Floats
    medoids_: Floats
    n_features_in_: int

    _private_state = ("_points", "_settings")
    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "labels_": Array("i8", ("n_rows",), low=-1),
        "probabilities_": Array("f8", ("n_rows",), low=0, high=1, is_finite=True),
        "outlier_scores_": Array("f8", ("n_rows",), low=0, high=1, is_finite=True),
        "cluster_persistence_": Array("f8", ("n_clusters",), low=0),
        "condensed_tree_": CONDENSED_TREE,
        "single_linkage_tree_": Array("f8", ("n_merges", 4), low=0),
        "minimum_spanning_tree_": Array("f8", ("n_merges", 3), low=0),
        "core_distances_": Array("f8", ("n_rows",), low=0),
        "min_samples_": Int(1, 2**31 - 1),
        "centroids_": Optional(Array("f8", ("n_clusters", "n_features"))),
        "medoids_": Optional(Array("f8", ("n_clusters", "n_features"))),
        "_points": OneOf(Nothing(), Array("f8", ("n_rows", "n_features"), is_finite=True)),
        "_settings": Dict(
            {
                "metric": Text((*METRICS, "precomputed")),
                "alpha": Number(np.nextafter(0, 1), is_finite=True),
                "epsilon": Number(0, is_finite=True),
            }
        ),
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "min_cluster_size": [Interval(Integral, 2, None, closed="left")],
        "min_samples": [Interval(Integral, 1, None, closed="left"), None],
        "cluster_selection_epsilon": [Interval(Real, 0, None, closed="left")],
        "cluster_selection_persistence": [Interval(Real, 0, None, closed="left")],
        "max_cluster_size": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions({*METRICS, "precomputed"})],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "algorithm": [StrOptions({"auto", "brute", "kd_tree"})],
        "cluster_selection_method": [StrOptions({"eom", "leaf"})],
        "allow_single_cluster": ["boolean"],
        "store_centers": [StrOptions({"centroid", "medoid", "both"}), None],
        "n_jobs": [*N_JOBS],
    }

    def __init__(
        self,
        min_cluster_size: int = 5,
        min_samples: int | None = None,
        *,
        cluster_selection_epsilon: float = 0.0,
        cluster_selection_persistence: float = 0.0,
        max_cluster_size: int | None = None,
        metric: str = "euclidean",
        alpha: float = 1.0,
        algorithm: str = "auto",
        cluster_selection_method: str = "eom",
        allow_single_cluster: bool = False,
        store_centers: str | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.cluster_selection_persistence = cluster_selection_persistence
        self.max_cluster_size = max_cluster_size
        self.metric = metric
        self.alpha = alpha
        self.algorithm = algorithm
        self.cluster_selection_method = cluster_selection_method
        self.allow_single_cluster = allow_single_cluster
        self.store_centers = store_centers
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        tags.input_tags.sparse = self.metric == "precomputed"
        return tags

    # ---- fit ---------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Find the clusters of the rows.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            The rows, finite; two at least. For ``metric="precomputed"`` a matrix of distances of shape (n_samples,
            n_samples), which may be sparse.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The fitted estimator; unfitted if fit fails or is interrupted (Ctrl-C).

        Raises
        ------
        ValueError
            If a parameter is out of range, X is not finite or has fewer rows than `min_samples`; of precomputed
            distances, if centers are asked for or no row has `min_samples` finite ones.
        KeyboardInterrupt
            On Ctrl-C.
        """
        self._validate_params()
        with fitting(self):
            self._find_tree(X)
            self._select()
        return self

    def _find_tree(self, X: Any) -> None:
        """Set the attributes that do not depend on the selection."""
        n_threads = effective_n_jobs(self.n_jobs)
        if self.metric == "precomputed":
            if self.store_centers is not None:
                raise ValueError("HDBSCAN cannot store centers of precomputed distances: store_centers must be None")
            D = read_distances(self, X, order="C", ensure_all_finite=False)
            k = self._neighbours_of(D.shape[0])
            self._points = None
            self.core_distances_, edges = reachability_tree_of_distances(D, k, float(self.alpha), n_threads)
        else:
            points = read_points(self, X)
            k = self._neighbours_of(len(points))
            self._points = points.copy()  # what becomes of X later is none of its business
            self._index = self._make_index(self._points, self.metric)
            self.core_distances_, edges = self._index.reachability_tree(k, float(self.alpha), n_threads)
        self.min_samples_ = k
        self.minimum_spanning_tree_ = np.column_stack(edges)
        self.single_linkage_tree_ = core.cluster.single_linkage(*edges)

    def _neighbours_of(self, n_samples: int) -> int:
        """Return the `min_samples` that counts."""
        if n_samples == 1:
            raise ValueError("n_samples=1 while HDBSCAN requires more than one sample")
        k = self.min_cluster_size if self.min_samples is None else self.min_samples
        if k > n_samples:
            raise ValueError(f"min_samples ({k}) must be at most the number of samples in X ({n_samples})")
        return int(k)

    def _select(self) -> None:
        """Set the attributes that depend on the selection."""
        self._settings = {
            "metric": self.metric,
            "alpha": float(self.alpha),
            "epsilon": float(self.cluster_selection_epsilon),
        }
        self.condensed_tree_, found = condensed_tree(
            self.single_linkage_tree_,
            int(min(self.min_cluster_size, 2**31)),
            persistence=self.cluster_selection_persistence,
            method=self.cluster_selection_method,
            epsilon=self.cluster_selection_epsilon,
            max_cluster_size=self.max_cluster_size and int(min(self.max_cluster_size, 2**31)),
            allow_single_cluster=bool(self.allow_single_cluster),
        )
        self.labels_ = found["labels"]
        self.probabilities_ = found["probabilities"]
        self.outlier_scores_ = found["outlier_scores"]
        self.cluster_persistence_ = found["persistence"]
        if self.store_centers is not None and self._points is not None:
            self._find_centers(self._points)

    def _find_centers(self, points: Points) -> None:
        n_threads = effective_n_jobs(self.n_jobs)
        of = (self.labels_, self.probabilities_, len(self.cluster_persistence_))
        if self.store_centers in ("centroid", "both"):
            self.centroids_ = core.cluster.centroids(points, *of, n_threads=n_threads)
        if self.store_centers in ("medoid", "both"):
            self.medoids_ = points[self._searcher().medoids(*of, n_threads)]

    def reselect(self, **parameters: Any) -> Self:
        """Return an estimator with other clusters from the same hierarchy: in milliseconds, where a fit takes seconds.

        Parameters
        ----------
        **parameters
            Any of `min_cluster_size`, `cluster_selection_method`, `cluster_selection_epsilon`,
            `cluster_selection_persistence`, `max_cluster_size`, `allow_single_cluster` and `store_centers`, to be
            changed. The others, and `min_samples` also where it was None, stay what they were in fit.

        Returns
        -------
        HDBSCAN
            A new estimator, fitted as by ``fit`` with all its parameters. This one stays as it is.

        Raises
        ------
        ValueError
            If a parameter is out of range, or the hierarchy depends on it.

        Examples
        --------
        >>> import numpy as np
        >>> from mlcore import HDBSCAN
        >>> X = np.random.default_rng(0).normal(size=(200, 2))
        >>> model = HDBSCAN(min_samples=5).fit(X)
        >>> [model.reselect(min_cluster_size=m).labels_.max() + 1 for m in (5, 50)] # doctest: +SKIP
        """
        check_is_fitted(self)
        if unknown := sorted(set(parameters) - set(_SELECTION)):
            raise ValueError(
                f"reselect of HDBSCAN cannot change {', '.join(unknown)}: the hierarchy of the points depends on "
                f"it, or it is no parameter; it takes {', '.join(_SELECTION)}"
            )
        found: Self = clone(self).set_params(
            min_samples=self.min_samples_, metric=self._settings["metric"], alpha=self._settings["alpha"], **parameters
        )
        found._validate_params()
        if found.store_centers is not None and self._points is None:
            raise ValueError("HDBSCAN cannot store centers of precomputed distances: store_centers must be None")
        for name in (*_OF_THE_TREE, "n_features_in_", "feature_names_in_", "_index"):
            if name in vars(self):
                setattr(found, name, getattr(self, name))
        found._select()
        return found

    def dbscan_clustering(self, cut_distance: float, min_cluster_size: int = 5) -> Labels:
        """Return the clusters at one distance: DBSCAN without border points, for any distance from one fit.

        Parameters
        ----------
        cut_distance : float
            Points are connected where their mutual reachability distance is less, >= 0.
        min_cluster_size : int, default=5
            Smaller groups are noise, >= 1.

        Returns
        -------
        int64 array of shape (n_samples,)
            Clusters, numbered by their first rows; -1 is noise.

        Raises
        ------
        ValueError
            If an argument is out of range.
        TypeError
            If one is no number.
        """
        check_is_fitted(self)
        owner = "dbscan_clustering"
        distance = read_number(cut_distance, "cut_distance", owner)
        size = read_count(min_cluster_size, "min_cluster_size", owner)
        return core.cluster.labels_at_cut(self.single_linkage_tree_, distance, size)

    @property
    def n_clusters_(self) -> int:
        """Number of clusters."""
        check_is_fitted(self)
        return len(self.cluster_persistence_)

    @property
    def relative_validity_(self) -> float:
        """DBCV, roughly, from the spanning tree."""
        check_is_fitted(self)
        return relative_validity(self.minimum_spanning_tree_, self.labels_)

    @property
    def exemplars_(self) -> list[Floats]:
        """Points in the midst of each cluster."""
        if "condensed_tree_" not in vars(self) or self._points is None:
            raise AttributeError("HDBSCAN has exemplars_ only after a fit to points")
        offsets, rows = self.condensed_tree_._exemplars()
        return np.split(self._points[rows], offsets[1:-1]) if len(offsets) > 1 else []

    # ---- state -------------------------------------------------------------------------------------------------------

    def _clear_fitted(self) -> None:
        super()._clear_fitted()
        self.__dict__.pop("_index", None)

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        state.pop("_index", None)
        if "condensed_tree_" in state:
            state["condensed_tree_"] = state["condensed_tree_"].__getstate__()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "condensed_tree_" in state:
            state = {**state, "condensed_tree_": CondensedTree(**state["condensed_tree_"])}
        super()._set_state(state)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        n = sizes["n_rows"]
        tree = CondensedTree(**state["condensed_tree_"])
        if tree.n_points != n or sizes["n_merges"] != n - 1:
            raise ValueError(f"trees must be of {n} points, got {tree.n_points} and {sizes['n_merges'] + 1}")
        tree._exemplars()  # refuses clusters that are none, or within another one
        core.cluster.labels_at_cut(state["single_linkage_tree_"], 0.0, 1)  # refuses what is no tree
        if state["labels_"].max() >= sizes["n_clusters"]:
            raise ValueError(f"labels_ must be below {sizes['n_clusters']} clusters, got {state['labels_'].max()}")
        if np.isnan(state["core_distances_"]).any():
            raise ValueError("core_distances_ must not be NaN")
        if state["min_samples_"] > n:
            raise ValueError(f"min_samples_ must be at most {n}, got {state['min_samples_']}")
        if (state["_points"] is None) != (state["_settings"]["metric"] == "precomputed"):
            raise ValueError("_points must be there unless distances were precomputed")
