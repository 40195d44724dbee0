"""Where new rows fall in the hierarchy of a fitted HDBSCAN: their clusters, outlier scores and memberships."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore.cluster._condensed_tree import CondensedTree
from mlcore.cluster._point_index import PointIndex
from mlcore.cluster._points import Points, as_measured, read_points

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


class NewPointsMixin:
    """Prediction and soft clustering of HDBSCAN, by its hierarchy and a search among the fitted points."""

    algorithm: str
    n_jobs: int | None
    condensed_tree_: CondensedTree
    core_distances_: Floats
    min_samples_: int
    _points: Points | None
    _settings: dict[str, Any]
    _index: PointIndex | None

    def approximate_predict(self, X: Any) -> tuple[Labels, Floats]:
        """Say to which cluster each of some new rows belongs, without a change to the clusters.

        A row joins the hierarchy at the fitted point that is nearest by mutual reachability, as if it had been there
        alone; a row that is equal to a fitted one gets what that one has.

        Parameters
        ----------
        X : {array, pandas or polars frame} of shape (n_rows, n_features)
            New rows.

        Returns
        -------
        labels : int64 array of shape (n_rows,)
            Clusters; -1 is noise.
        probabilities : array of shape (n_rows,)
            How strongly each row belongs to its cluster.

        Raises
        ------
        ValueError
            If X is not finite, has other features, or the estimator was fitted to precomputed distances.
        """
        labels, probabilities, _ = self._predict(X)
        return labels, probabilities

    def approximate_predict_scores(self, X: Any) -> Floats:
        """Say how far each of some new rows is an outlier: GLOSH, as `outlier_scores_`.

        Parameters
        ----------
        X : {array, pandas or polars frame} of shape (n_rows, n_features)
            New rows.

        Returns
        -------
        array of shape (n_rows,)

        Raises
        ------
        ValueError
            As by :meth:`approximate_predict`.
        """
        return self._predict(X)[2]

    def membership_vector(self, X: Any) -> Floats:
        """Say how much each of some new rows belongs to each cluster: soft clustering.

        Parameters
        ----------
        X : {array, pandas or polars frame} of shape (n_rows, n_features)
            New rows.

        Returns
        -------
        array of shape (n_rows, n_clusters)
            Not negative. The sum of a row is at most 1; the rest is how much it belongs to none.

        Raises
        ------
        ValueError
            As by :meth:`approximate_predict`.
        """
        queries = self._queries(X)
        return self._memberships(self._reach(queries), queries)

    def all_points_membership_vectors(self) -> Floats:
        """Say how much each row of fit belongs to each cluster: soft clustering.

        Returns
        -------
        array of shape (n_samples, n_clusters)
            As by :meth:`membership_vector`.

        Raises
        ------
        ValueError
            If the estimator was fitted to precomputed distances.
        """
        self._check_points()
        return self._memberships(None, None)

    def _check_points(self) -> None:
        check_is_fitted(self)
        if self._points is None:
            raise ValueError("HDBSCAN was fitted to precomputed distances, and has no points to compare others with")

    def _queries(self, X: Any) -> Points:
        """Return new rows as the index measures them."""
        self._check_points()
        return as_measured(read_points(self, X, reset=False), self._settings["metric"])

    def _make_index(self, points: Points, metric: str) -> PointIndex:
        return PointIndex(
            as_measured(points, metric),
            metric=metric,
            algorithm=self.algorithm,
            n_threads=effective_n_jobs(self.n_jobs),
            moves_far_queries=True,  # they are noise all the same
        )

    def _searcher(self) -> PointIndex:
        """Return the index over the fitted points, which is no part of the state: it is made anew after loading."""
        if getattr(self, "_index", None) is None:
            assert self._points is not None
            self._index = self._make_index(self._points, self._settings["metric"])
        assert self._index is not None
        return self._index

    def _reach(self, queries: Points) -> tuple[Labels, Floats]:
        """Return the nearest fitted point of each query by mutual reachability, and how far it is."""
        n, n_threads = len(self.core_distances_), effective_n_jobs(self.n_jobs)
        rows = np.empty(len(queries), np.int64)
        distances = np.empty(len(queries))
        left = np.arange(len(queries))
        k = min(2 * self.min_samples_, n)
        while len(left):  # with ever more neighbours, until no others can be nearer
            far, near = self._searcher().k_nearest(queries[left], k, n_threads)
            rows[left], distances[left], is_certain = core.cluster.nearest_reachable(
                far,
                near,
                self.core_distances_,
                own_rank=self.min_samples_ - 1,
                alpha=self._settings["alpha"],
                n_threads=n_threads,
            )
            left = left[~is_certain]
            k = min(2 * k, n)
        return rows, distances

    def _predict(self, X: Any) -> tuple[Labels, Floats, Floats]:
        """Return labels, probabilities and outlier scores."""
        rows, distances = self._reach(self._queries(X))
        return self.condensed_tree_._predict(
            rows, distances, epsilon=self._settings["epsilon"], n_threads=effective_n_jobs(self.n_jobs)
        )

    def _memberships(self, reached: tuple[Labels, Floats] | None, queries: Points | None) -> Floats:
        n_threads = effective_n_jobs(self.n_jobs)
        distances = self._searcher().nearest_of_lists(queries, *self.condensed_tree_._exemplars(), n_threads)
        return self.condensed_tree_._memberships(reached, distances, n_threads=n_threads)
