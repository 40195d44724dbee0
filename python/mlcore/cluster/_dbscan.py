"""DBSCAN: clusters as connected regions where points are dense."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, fitting
from mlcore._native import core
from mlcore._sparse import validate_rows
from mlcore._state import FEATURES, Array, Csr, OneOf, Spec
from mlcore._tables import as_rows, canonical_csr, for_core, is_sparse
from mlcore._validation import row_weights
from mlcore.cluster._distances import read_distances
from mlcore.cluster._index import SPARSE_METRICS, SparseIndex, unit_rows


class DBSCAN(ClusterMixin, StateMixin, BaseEstimator):  # type: ignore[misc]
    """Clusters as connected regions where points are dense, by DBSCAN [1]_ [2]_.

    A point is a core point if the points within `eps` of it, itself among them, have a weight of `min_samples` or more.
    Core points within `eps` of each other are in the same cluster. Any other point within `eps` of a core point is a
    border point of its cluster, the rest is noise.

    Labels are those of scikit-learn's class: clusters are numbered by their first core points in the order of the rows,
    and a border point of several clusters belongs to the first of these. Distances are compared with `eps` in float64
    as there. Memory is O(n_samples n_features): neighbourhoods are never listed [3]_, but those of sparse rows, which
    are found by brute force. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
    eps : float, default=0.5
        Largest distance between neighbours, > 0. :func:`mlcore.plotting.plot_k_distance` helps to choose it.
    min_samples : int, default=5
        Weight of the points within `eps` of a core point, itself among them.
    metric : {"euclidean", "manhattan", "chebyshev", "cosine", "precomputed"}, default="euclidean"
        The distance. "cosine": 1 minus the cosine of the angle; a row of zeros is at a distance of 1 from all others.
        Sparse rows have "euclidean" and "cosine", with the labels of the same dense rows.
        "precomputed": X holds distances itself, (n_samples, n_samples), dense or sparse. What a sparse matrix does not
        store is not a neighbour, zeros that it stores are, and each point is at a distance of 0 from itself unless
        another one is stored. Where distances are not symmetric, row i says which points are neighbours of point i, and
        a cluster is what can be reached from its first core point.
    n_jobs : int or None, default=None
        Threads, in fit. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    labels_ : int64 array of shape (n_samples,)
        The cluster of each row of X, from 0; -1 for noise.
    n_clusters_ : int
        Number of clusters, noise not counted.
    core_sample_indices_ : int64 array of shape (n_core_samples,)
        Rows of the core points, ascending.
    components_ : {array, CSR array} of shape (n_core_samples, n_features)
        Copy of the core points. Sparse where X is.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    Notes
    -----
    scikit-learn's `algorithm`, `leaf_size`, `p` and `metric_params` are left out. Other metrics: "precomputed" with
    :func:`sklearn.metrics.pairwise_distances`; "haversine": points on the unit sphere, see docs/clustering.md.

    References
    ----------
    .. [1] M. Ester, H.-P. Kriegel, J. Sander and X. Xu, "A density-based algorithm for discovering clusters in large
       spatial databases with noise", KDD 1996.
    .. [2] E. Schubert, J. Sander, M. Ester, H.-P. Kriegel and X. Xu, "DBSCAN revisited, revisited: why and how you
       should (still) use DBSCAN", TODS 2017.
    .. [3] Y. Wang, Y. Gu and J. Shun, "Theoretically-efficient and practical parallel DBSCAN", SIGMOD 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import DBSCAN
    >>> X = np.array([[1, 2], [2, 2], [2, 3], [8, 7], [8, 8], [25, 80]])
    >>> DBSCAN(eps=3, min_samples=2).fit_predict(X)
    array([ 0,  0,  0,  1,  1, -1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "eps": [Interval(Real, 0, None, closed="neither")],
        "min_samples": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"euclidean", "manhattan", "chebyshev", "cosine", "precomputed"})],
        "n_jobs": [*N_JOBS],
    }
    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "labels_": Array("i8", ("n_samples",), low=-1),
        "core_sample_indices_": Array("i8", ("n_core",), low=0),
        "components_": OneOf(
            Array("f8", ("n_core", "n_features"), is_finite=True),
            Csr(("n_core", "n_features")),
        ),
    }

    def __init__(
        self,
        eps: float = 0.5,
        *,
        min_samples: int = 5,
        metric: str = "euclidean",
        n_jobs: int | None = None,
    ) -> None:
        self.eps = eps
        self.min_samples = min_samples
        self.metric = metric
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Find the clusters of the rows of X.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Points, finite; with "precomputed" distances of shape (n_samples, n_samples).
        y : None, default=None
            Not used.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, finite and not all 0. They decide which points are core points alone: a point of weight
            `min_samples` is one by itself, a negative weight may keep its neighbours from being core points, and a
            point of weight 0 counts for nothing but is labelled. Sums are compensated: ten weights of 0.1 make 1.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        ValueError
            If a parameter or the data is out of range; the message says which.
        KeyboardInterrupt
            On Ctrl-C.
        """
        self._validate_params()
        with fitting(self):
            if not np.isfinite(self.eps):
                raise ValueError(f"eps of {type(self).__name__} must be finite, got {self.eps}")
            options: dict[str, Any] = {
                "eps": float(self.eps),
                "min_samples": float(self.min_samples),
                "n_threads": effective_n_jobs(self.n_jobs),
            }
            precomputed = self.metric == "precomputed"
            points = read_distances(self, X) if precomputed else self._read_points(X)
            weight = row_weights(sample_weight, points, type(self).__name__, may_be_negative=True)
            placed = _placed(points, float(self.eps)) if self.metric == "cosine" else points
            if is_sparse(points) and not precomputed:
                eps = float(self.eps)
                placed = _neighbours(placed, 2 * eps if self.metric == "cosine" else min(eps, 1e150) ** 2)
            if is_sparse(points) or precomputed:
                labels, rows = core.cluster.dbscan_of_distances(for_core(placed), sample_weight=weight, **options)
            else:
                labels, rows = core.cluster.dbscan(placed, metric=self.metric, sample_weight=weight, **options)
            self.labels_ = labels
            self.core_sample_indices_ = rows
            self.components_ = points[rows]
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[np.int64]:  # noqa: ARG002
        """Find the clusters of the rows of X, as `fit`, and return `labels_`.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
        y : None, default=None
            Not used.
        sample_weight : float or array of shape (n_samples,), default=None

        Returns
        -------
        int64 array of shape (n_samples,)
            The cluster of each row, -1 for noise.
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    @property
    def n_clusters_(self) -> int:
        """Number of clusters."""
        check_is_fitted(self)
        return int(self.labels_.max()) + 1

    def _read_points(self, X: Any) -> Any:
        """Return rows of float64, dense or in canonical CSR."""
        points = as_rows(validate_rows(self, X, accept_sparse="csr", dtype=np.float64, order="C"))
        if is_sparse(points) and self.metric not in SPARSE_METRICS:
            raise ValueError(
                f"sparse X of {type(self).__name__} goes with the metrics {' and '.join(map(repr, SPARSE_METRICS))} or "
                f"with 'precomputed', got metric={self.metric!r}: use X.toarray()"
            )
        return points

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        tags.input_tags.sparse = self.metric in (*SPARSE_METRICS, "precomputed")
        return tags


def _neighbours(rows: sp.csr_array, most: float) -> sp.csr_array:
    """Return a matrix (n, n) that stores a 0 where two rows are neighbours: at a squared distance of at most `most`."""
    found = SparseIndex(rows, "euclidean").within_squared(None, most)
    return sp.csr_array((np.zeros(len(found.rows)), found.rows, found.offsets), shape=(rows.shape[0], rows.shape[0]))


def _placed(points: Any, eps: float) -> Any:
    """Return rows of length 1, whose halved squared Euclidean distance is 1 minus the cosine.

    Rows of zeros have no direction and are at a distance of 1 from all others: they get a coordinate of their own, in
    which they are that far from the other rows. They are neighbours of each other too if `eps` is 1 or more, else
    further apart than any two directions.
    """
    unit, has_length = unit_rows(points)
    zero = np.flatnonzero(~has_length)
    if len(zero) == 0:
        return unit
    own = np.zeros((len(has_length), 1))
    own[zero, 0] = 1 if eps >= 1 else 1 + 3.0 * np.arange(len(zero))
    return canonical_csr(sp.hstack([unit, sp.csr_array(own)])) if is_sparse(unit) else np.hstack([unit, own])
