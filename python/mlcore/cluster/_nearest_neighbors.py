"""Search for neighbours as an estimator: by kd-tree, by brute force, in given distances."""

from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, core_count, effective_n_jobs, fitting
from mlcore._sparse import validate_rows
from mlcore._state import FEATURES, Array, Csr, Int, OneOf, Sizes, Spec, Text
from mlcore._tables import Floats, as_rows
from mlcore.cluster._index import SPARSE_METRICS, CosineIndex, Distances, Index, SparseIndex
from mlcore.cluster._point_index import METRICS, PointIndex, Rows, Within


class NearestNeighbors(StateMixin, BaseEstimator):  # type: ignore[misc]
    """The nearest rows of each row, exactly: by a kd-tree [1]_ or by brute force.

    Neighbours are in order of (distance, row): of rows at the same distance the first one is nearer. Distances are
    those of float64 differences, never of an expanded square, so that neither the algorithm nor the number of threads
    changes a bit, and the place of the origin costs no digits.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that :meth:`kneighbors` returns where it is not told, >= 1.
    radius : float, default=1.0
        Largest distance of the neighbours that :meth:`radius_neighbors` returns where it is not told, >= 0.
    algorithm : {"auto", "kd_tree", "brute"}, default="auto"
        How to search; results are the same. "auto": a kd-tree unless some searches in it, tried in fit, look at so many
        of the points that brute force is faster, as in many dimensions. Sparse rows and given distances know brute
        force alone.
    leaf_size : int, default=32
        Points in a leaf of the kd-tree, >= 1. Results do not depend on it.
    metric : {"euclidean", "manhattan", "chebyshev", "cosine", "precomputed"}, default="euclidean"
        Distance of two rows. "cosine": 1 minus the cosine of their angle; a row of zeros is at distance 1 from all
        others. "precomputed": X holds distances, (rows, rows of fit), dense or CSR; what a CSR matrix does not store
        is far. Sparse rows have the metrics "euclidean" and "cosine".
    n_jobs : int or None, default=None
        Threads, in fit and search. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    effective_metric_ : str
        The metric of the fit.
    rows_ : {array, CSR array} of shape (n_samples_fit_, n_features_in_)
        The rows that are searched, float64.
    n_samples_fit_ : int
        Their number.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    Notes
    -----
    scikit-learn's ``metric="minkowski"`` with `p` of 1, 2 and infinity is "manhattan", "euclidean" and "chebyshev";
    `metric_params` and ``algorithm="ball_tree"`` are left out.

    References
    ----------
    .. [1] J. H. Friedman, J. L. Bentley and R. A. Finkel, "An algorithm for finding best matches in logarithmic
       expected time", ACM Transactions on Mathematical Software, 1977.

    Examples
    --------
    >>> from mlcore import NearestNeighbors
    >>> model = NearestNeighbors(n_neighbors=2).fit([[0.0], [1.0], [3.0]])
    >>> distances, rows = model.kneighbors([[0.9]])
    >>> rows.tolist()
    [[1, 0]]
    """

    rows_: Any
    n_samples_fit_: int
    effective_metric_: str

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "effective_metric_": Text((*METRICS, "precomputed")),
        "n_samples_fit_": Int(1, 2**31 - 1, size="n_rows"),
        "rows_": OneOf(Array("f8", ("n_rows", "n_features"), is_finite=True), Csr(("n_rows", "n_features"))),
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Real, 0, None, closed="both")],
        "algorithm": [StrOptions({"auto", "kd_tree", "brute"})],
        "leaf_size": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({*METRICS, "precomputed"})],
        "n_jobs": [*N_JOBS],
    }

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        radius: float = 1.0,
        algorithm: Literal["auto", "kd_tree", "brute"] = "auto",
        leaf_size: int = 32,
        metric: Literal["euclidean", "manhattan", "chebyshev", "cosine", "precomputed"] = "euclidean",
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.metric = metric
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.algorithm != "kd_tree" and self.metric in (*SPARSE_METRICS, "precomputed")
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Keep the rows and build the index.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            The rows, finite; distances, (n_samples, n_samples) and not negative, for ``metric="precomputed"``.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The fitted estimator; unfitted if fit fails or is interrupted (Ctrl-C).

        Raises
        ------
        ValueError
            If a parameter or the data is out of range, or parameters do not fit each other or the data.
        KeyboardInterrupt
            On Ctrl-C.
        """
        self._validate_params()
        self.__dict__.pop("_index", None)
        with fitting(self):
            rows = self._read(X, self.metric, reset=True)
            if self.metric == "precomputed" and rows.shape[0] != rows.shape[1]:
                raise ValueError(f"precomputed distances must be square in fit, got {rows.shape}")
            if self.algorithm == "kd_tree" and (self.metric == "precomputed" or sp.issparse(rows)):
                what = "given distances" if self.metric == "precomputed" else "sparse rows"
                raise ValueError(f"algorithm='kd_tree' of NearestNeighbors takes points, not {what}: use 'brute'")
            self.rows_ = rows
            self.n_samples_fit_ = int(rows.shape[0])
            self.effective_metric_ = self.metric
            self._index = self._make_index()
        return self

    def _read(self, X: Any, metric: str, *, reset: bool) -> Any:
        rows = as_rows(validate_rows(self, X, reset=reset, accept_sparse="csr", dtype=np.float64, order="C"))
        values = rows.data if sp.issparse(rows) else rows
        if metric == "precomputed" and values.size and values.min() < 0:
            raise ValueError(
                f"Negative values in data passed to NearestNeighbors as precomputed distances: {values.min():.6g}"
            )
        if sp.issparse(rows) and metric not in (*SPARSE_METRICS, "precomputed"):
            raise ValueError(
                f"sparse X of NearestNeighbors goes with the metrics {' and '.join(map(repr, SPARSE_METRICS))}, got "
                f"metric={metric!r}: use X.toarray()"
            )
        return rows

    def _make_index(self) -> Index:
        """Build what is searched; it is no part of the state."""
        metric, rows = self.effective_metric_, self.rows_
        if metric == "precomputed":
            return Distances(rows)
        make = (
            partial(SparseIndex, metric=metric)
            if sp.issparse(rows)
            else partial(
                PointIndex,
                metric=metric,
                algorithm=self.algorithm,
                leaf_size=core_count(self.leaf_size),
                n_neighbors=core_count(self.n_neighbors),
                n_threads=effective_n_jobs(self.n_jobs),
            )
        )
        return CosineIndex(rows, make) if metric == "cosine" else make(rows)

    def _get_state(self) -> dict[str, Any]:
        return {name: value for name, value in super()._get_state().items() if name != "_index"}

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        metric, values = state["effective_metric_"], state["rows_"]
        if metric == "precomputed":
            if sizes["n_rows"] != sizes["n_features"]:
                raise ValueError("rows_ of precomputed distances must be square")
            stored = values.get("csr", values)["data"] if isinstance(values, dict) else values
            if stored.size and stored.min() < 0:
                raise ValueError("rows_ of precomputed distances must not be negative")
        elif isinstance(values, dict) and metric not in SPARSE_METRICS:
            raise ValueError(f"rows_ must be dense for metric {metric!r}")

    def _asked(self, X: Any) -> tuple[Index, Any, int]:
        """Return the index, queries as it takes them, None for the rows of fit, and their number."""
        check_is_fitted(self)
        if not hasattr(self, "_index"):
            self._index = self._make_index()
        if X is None:
            return self._index, None, self.n_samples_fit_
        rows = self._read(X, self.effective_metric_, reset=False)
        n = int(rows.shape[0])
        if self.effective_metric_ != "precomputed" and sp.issparse(rows) != sp.issparse(self.rows_):
            rows = sp.csr_array(rows) if sp.issparse(self.rows_) else np.ascontiguousarray(rows.toarray())
        return self._index, rows, n

    def _nearest(self, X: Any, n_neighbors: int | None) -> tuple[Floats, Rows]:
        n_threads = effective_n_jobs(self.n_jobs)
        index, queries, _ = self._asked(X)
        k: Any = self.n_neighbors if n_neighbors is None else n_neighbors
        if isinstance(k, bool) or not isinstance(k, int | np.integer):
            raise TypeError(f"n_neighbors must be an int, got {k!r}")
        most = self.n_samples_fit_ - (queries is None)
        if not 1 <= k <= most:
            others = ", the rows of fit without the row itself" if queries is None else ", the rows of fit"
            raise ValueError(f"Expected 1 <= n_neighbors <= {most}{others}, got n_neighbors = {k}")
        if queries is not None:
            return index.k_nearest(queries, int(k), n_threads)
        distances, rows = index.k_nearest(None, int(k) + 1, n_threads)
        return np.ascontiguousarray(distances[:, 1:]), np.ascontiguousarray(rows[:, 1:])

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[Floats, Rows] | Rows:
        """Return the nearest rows of fit, nearest first.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_queries, n_features), default=None
            Rows whose neighbours are asked for; their distances to the rows of fit for ``metric="precomputed"``. None:
            the rows of fit, each without itself.
        n_neighbors : int or None, default=None
            How many, >= 1. None: `n_neighbors` of the estimator.
        return_distance : bool, default=True
            Whether distances are returned too.

        Returns
        -------
        distances : float64 array of shape (n_queries, n_neighbors)
            Only with `return_distance`.
        rows : int64 array of shape (n_queries, n_neighbors)
            Positions among the rows of fit.

        Raises
        ------
        ValueError
            If there are not so many rows.
        """
        distances, rows = self._nearest(X, n_neighbors)
        return (distances, rows) if return_distance else rows

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: Literal["connectivity", "distance"] = "connectivity"
    ) -> sp.csr_matrix:
        """Return the nearest rows of fit as a sparse matrix.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_queries, n_features), default=None
            As in :meth:`kneighbors`.
        n_neighbors : int or None, default=None
            How many, >= 1. None: `n_neighbors` of the estimator.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether entries are 1 or distances.

        Returns
        -------
        CSR matrix of shape (n_queries, n_samples_fit_)
            float64; the entries of a row are in order of distance.
        """
        _check_mode(mode)
        distances, rows = self._nearest(X, n_neighbors)
        n, k = rows.shape
        values = np.ones(n * k) if mode == "connectivity" else distances.ravel()
        return sp.csr_matrix((values, rows.ravel(), np.arange(0, n * k + 1, k)), shape=(n, self.n_samples_fit_))

    def _within(self, X: Any, radius: float | None) -> Within:
        n_threads = effective_n_jobs(self.n_jobs)
        index, queries, n = self._asked(X)
        most: Any = self.radius if radius is None else radius
        if isinstance(most, bool) or not isinstance(most, int | float | np.number):
            raise TypeError(f"radius must be a number, got {most!r}")
        if not most >= 0:
            raise ValueError(f"radius must be a number >= 0, got {most}")
        found = index.within(queries, float(most), n_threads)
        if queries is not None:
            return found
        owners = found.queries()
        others = owners != found.rows
        return Within.of_places(n, owners[others], found.rows[others], found.distances[others])

    def radius_neighbors(
        self, X: Any = None, radius: float | None = None, return_distance: bool = True, sort_results: bool = False
    ) -> tuple[NDArray[Any], NDArray[Any]] | NDArray[Any]:
        """Return all rows of fit at a distance of at most `radius`.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_queries, n_features), default=None
            As in :meth:`kneighbors`.
        radius : float or None, default=None
            Largest distance, >= 0. None: `radius` of the estimator.
        return_distance : bool, default=True
            Whether distances are returned too.
        sort_results : bool, default=False
            Whether the neighbours of a row are in order of distance; they are in order of row otherwise.

        Returns
        -------
        distances : array of shape (n_queries,) of float64 arrays
            Only with `return_distance`.
        rows : array of shape (n_queries,) of int64 arrays
            Positions among the rows of fit.

        Raises
        ------
        ValueError
            If `sort_results` is asked for without `return_distance`, as by scikit-learn.
        """
        if sort_results and not return_distance:
            raise ValueError("return_distance must be True if sort_results is True.")
        found = self._within(X, radius)
        if sort_results:
            found = _by_distance(found)
        rows = _pieces(found.rows, found.offsets)
        return (_pieces(found.distances, found.offsets), rows) if return_distance else rows

    def radius_neighbors_graph(
        self,
        X: Any = None,
        radius: float | None = None,
        mode: Literal["connectivity", "distance"] = "connectivity",
        sort_results: bool = False,
    ) -> sp.csr_matrix:
        """Return all rows of fit at a distance of at most `radius` as a sparse matrix.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_queries, n_features), default=None
            As in :meth:`kneighbors`.
        radius : float or None, default=None
            Largest distance, >= 0. None: `radius` of the estimator.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether entries are 1 or distances; distances of 0 are stored.
        sort_results : bool, default=False
            Whether the entries of a row are in order of distance; they are in order of row otherwise.

        Returns
        -------
        CSR matrix of shape (n_queries, n_samples_fit_)
            float64.
        """
        _check_mode(mode)
        found = self._within(X, radius)
        if sort_results:
            found = _by_distance(found)
        values = np.ones(len(found.rows)) if mode == "connectivity" else found.distances
        shape = (len(found.offsets) - 1, self.n_samples_fit_)
        return sp.csr_matrix((values, found.rows, found.offsets), shape=shape)


def _check_mode(mode: str) -> None:
    if mode not in ("connectivity", "distance"):
        raise ValueError(f"mode must be 'connectivity' or 'distance', got {mode!r}")


def _by_distance(found: Within) -> Within:
    order = np.lexsort((found.rows, found.distances, found.queries()))
    return Within(found.offsets, found.rows[order], found.distances[order])


def _pieces(values: NDArray[Any], offsets: Rows) -> NDArray[Any]:
    pieces = np.empty(len(offsets) - 1, dtype=object)
    for i in range(len(pieces)):
        pieces[i] = values[offsets[i] : offsets[i + 1]]
    return pieces
