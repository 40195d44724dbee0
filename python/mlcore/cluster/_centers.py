"""What KMeans and MiniBatchKMeans share: first centers, and what is told of rows by fitted centers."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, seed_from
from mlcore._native import core
from mlcore._state import FEATURES, Array, Int, Number, Sizes, Spec
from mlcore._tables import Floats, Rows, for_core, is_sparse, read_rows
from mlcore._validation import row_weights

Labels: TypeAlias = NDArray[np.int32]
Init: TypeAlias = str | Callable[..., Any] | Any


def prepare(rows: Rows, weight: Floats | None, n_threads: int) -> Any:
    """Return rows as the core's points: dense ones are read in place where each row lies in one piece."""
    if isinstance(rows, np.ndarray) and rows.strides[1] != rows.itemsize:
        return core.cluster.KMeansPoints(np.ascontiguousarray(rows), weight, n_threads=n_threads)
    return core.cluster.KMeansPoints(for_core(rows), weight, n_threads=n_threads)


def dense_rows(rows: Rows, indices: NDArray[Any]) -> Floats:
    """Return some of the rows as a dense float64 array in C order."""
    chosen: Any = rows[indices]
    return np.ascontiguousarray(chosen.toarray() if is_sparse(chosen) else chosen, dtype=np.float64)


def local_trials(k: int) -> int:
    """Return the candidates that k-means++ draws for each of k centers, as scikit-learn's does."""
    return 2 + int(np.log(k))


def check_n_clusters(n_clusters: int, n_rows: int, weight: Floats | None) -> None:
    """Raise ValueError where there are fewer rows, or rows with a weight, than clusters."""
    if n_rows < n_clusters:
        raise ValueError(f"n_samples={n_rows} should be >= n_clusters={n_clusters}.")
    if weight is not None and (n_used := int(np.count_nonzero(weight))) < n_clusters:
        raise ValueError(f"{n_used} rows have a weight, which should be >= n_clusters={n_clusters}.")


class CentersEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, StateMixin, BaseEstimator  # type: ignore[misc]
):  # fmt: skip
    """An estimator of cluster centers: parameters, first centers, and all that is told of rows."""

    n_clusters: int
    init: Init
    n_init: int | str
    random_state: Any
    n_jobs: int | None
    cluster_centers_: Floats
    labels_: Labels
    inertia_: float
    n_iter_: int
    n_features_in_: int

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "cluster_centers_": Array("f8", ("n_centers", "n_features"), is_finite=True),
        "labels_": Array("i4", ("n_samples",), low=0),
        "inertia_": Number(0),
        "n_iter_": Int(1),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        if sizes["n_centers"] < 1:
            raise ValueError("cluster_centers_ must have a row at least")
        labels = state.get("labels_")
        if labels is not None and len(labels) and labels.max() >= sizes["n_centers"]:
            raise ValueError(f"labels_ must be below {sizes['n_centers']}, the number of centers, got {labels.max()}")

    @property
    def n_clusters_(self) -> int:
        """Number of centers."""
        check_is_fitted(self)
        return len(self.cluster_centers_)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

    def _n_starts(self, n_random: int) -> int:
        """Return how often to start: once from given centers, `n_random` times from random ones."""
        if not (isinstance(self.init, str) or callable(self.init)):
            return 1
        if self.n_init == "auto":
            return 1 if isinstance(self.init, str) and self.init == "k-means++" else n_random
        return int(self.n_init)

    def _first_centers(
        self, rows: Rows, weight: Floats | None, points: Any, random: np.random.RandomState, n_threads: int
    ) -> Floats:
        """Return centers to start from (n_clusters, n_features); `points` are the rows as the core has them."""
        k = self.n_clusters
        if isinstance(self.init, str) and self.init == "k-means++":
            trials = local_trials(k)
            chosen = points.plus_plus(k, seed=seed_from(random), n_local_trials=trials, n_threads=n_threads)
            return dense_rows(rows, chosen)
        if isinstance(self.init, str):
            n = rows.shape[0]
            p = np.full(n, 1 / n) if weight is None else weight / weight.sum()
            return dense_rows(rows, random.choice(n, size=k, replace=False, p=p))
        centers = self.init(rows, k, random_state=random) if callable(self.init) else self.init
        centers = check_array(centers, accept_sparse=True, dtype=np.float64, order="C", input_name="init")
        if centers.shape != (k, rows.shape[1]):
            raise ValueError(
                f"init of {type(self).__name__} must have shape {(k, rows.shape[1])}, one row for each of n_clusters, "
                f"got {centers.shape}"
            )
        return np.ascontiguousarray(centers.toarray() if is_sparse(centers) else centers)

    def _points(self, X: Any, sample_weight: Any = None) -> Any:
        """Check rows that come after fit; return them as the core has them."""
        check_is_fitted(self)
        rows = read_rows(self, X)
        weight = row_weights(sample_weight, rows, type(self).__name__)
        return prepare(rows, weight, effective_n_jobs(self.n_jobs)), weight

    def predict(self, X: Any) -> Labels:
        """Return the nearest center of each row.

        Distances are compared in float64, and of equal ones the first center is taken: the label of a row does not
        depend on other rows or on `n_jobs`.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        int32 array of shape (n_samples,)
        """
        points, _ = self._points(X)
        labels: Labels = points.assign(self._fitted_centers(), n_threads=effective_n_jobs(self.n_jobs))[0]
        return labels

    def transform(self, X: Any) -> Floats:
        """Return the distance of each row to each center.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_clusters)
            Dense for sparse X too; column names are those of ``get_feature_names_out``.
        """
        points, _ = self._points(X)
        distances: Floats = points.distances(self._fitted_centers(), n_threads=effective_n_jobs(self.n_jobs))
        return distances

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:  # noqa: ARG002
        """Return minus the weighted sum of squared distances of rows to their nearest centers.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        points, weight = self._points(X, sample_weight)
        squared = points.assign(self._fitted_centers(), n_threads=effective_n_jobs(self.n_jobs))[1]
        return -float(squared.sum() if weight is None else weight @ squared)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Labels:  # noqa: ARG002
        """Fit, and return the label of each row. Parameters are those of :meth:`fit`.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None

        Returns
        -------
        int32 array of shape (n_samples,)
        """
        self.fit(X, sample_weight=sample_weight)
        return self.labels_ if hasattr(self, "labels_") else self.predict(X)

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Floats:  # noqa: ARG002
        """Fit, and return the distances of the same rows. Parameters are those of :meth:`fit`.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None

        Returns
        -------
        array of shape (n_samples, n_clusters)
        """
        distances: Floats = self.fit(X, sample_weight=sample_weight).transform(X)
        return distances

    def _fitted_centers(self) -> Floats:
        """Return `cluster_centers_`, which users may have changed, as the core takes them."""
        return np.ascontiguousarray(self.cluster_centers_, dtype=np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
