"""Clusterings of the same rows for ascending numbers of clusters, by each kind of estimator, sharing what they can.

KMeans and the starts of GaussianMixture share prepared points and centers (`_kmeans_path.py`), AgglomerativeClustering
grows one tree and cuts it. Any other estimator with `n_clusters` or `n_components` is fitted for each number.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone

from mlcore._base import fitting
from mlcore._tables import Floats, read_rows
from mlcore.cluster._agglomerative import AgglomerativeClustering, cut_tree
from mlcore.cluster._criteria import spherical_criteria
from mlcore.cluster._gaussian_mixture import GaussianMixture
from mlcore.cluster._kmeans import KMeans
from mlcore.cluster._kmeans_path import KMeansFit, KMeansPath
from mlcore.cluster._mixture_start import kmeans_path
from mlcore.cluster._points import read_points, require_squares, require_variances


@dataclass(frozen=True)
class Partition:
    """The clustering of one number of clusters."""

    k: int
    labels: NDArray[Any]
    inertia: float
    """Sum of squared distances from the means of the clusters."""
    likelihoods: dict[str, float]
    """BIC and AIC, where the estimator has them."""
    estimator: Callable[[], Any]
    """Makes the fitted estimator."""


def partitions(
    estimator: Any, X: Any, weight: Floats | None, ks: Sequence[int], random_state: np.random.RandomState
) -> Iterator[Partition]:
    """Yield a clustering for each of the ascending `ks`; those end where the rows have fewer distinct places."""
    if isinstance(estimator, KMeans):
        yield from _of_kmeans(estimator, X, weight, ks, random_state)
    elif isinstance(estimator, GaussianMixture):
        yield from _of_mixture(estimator, X, weight, ks, random_state)
    elif {"linkage", "distance_threshold"} <= estimator.get_params().keys():
        yield from _of_tree(estimator, X, ks)
    else:
        yield from _of_any(estimator, X, weight, ks, random_state)


def kmeans_partition(model: KMeans, X: Any, rows: Any, weight: Floats | None, fit: KMeansFit) -> Partition:
    """Return one run of k-means as a partition."""
    likelihoods = spherical_criteria(fit.labels, weight, fit.inertia, rows.shape[1])

    def fitted() -> KMeans:
        best: KMeans = clone(model).set_params(n_clusters=len(fit.centers))
        with fitting(best):
            _set_kmeans(best, X, fit)
        return best

    return Partition(len(fit.centers), fit.labels, fit.inertia, likelihoods, fitted)


def _set_kmeans(model: KMeans, X: Any, fit: KMeansFit) -> None:
    """Set what fit of KMeans sets."""
    read_rows(model, X, reset=True)
    model.labels_, model.cluster_centers_, model.inertia_, model.n_iter_ = fit


def _of_kmeans(
    model: KMeans, X: Any, weight: Floats | None, ks: Sequence[int], random_state: np.random.RandomState
) -> Iterator[Partition]:
    rows = read_rows(clone(model), X, reset=True)
    require_squares(rows, "choose_k")
    for fit in KMeansPath(model, rows, weight, random_state, ks[-1]).run_all(ks):
        yield kmeans_partition(model, X, rows, weight, fit)


def _of_mixture(
    model: GaussianMixture, X: Any, weight: Floats | None, ks: Sequence[int], random_state: np.random.RandomState
) -> Iterator[Partition]:
    points = read_points(clone(model), X)
    require_variances(points, "choose_k", has_one=model.covariance_type == "spherical")
    starts: list[NDArray[np.int32] | None] = [None] * len(ks)
    if model.init_params == "kmeans":
        path = kmeans_path(points, weight, model.covariance_type, random_state, model.n_jobs, ks[-1])
        starts = [fit.labels for fit in path.run_all(ks)]
    for k, first in zip(ks, starts, strict=False):
        found = clone(model).set_params(n_components=k)
        with fitting(found):
            read_points(found, X)
            found._run(points, weight, first=first, random_state=random_state)
        labels = found.predict(points)
        likelihoods = {"bic": found.bic(points), "aic": found.aic(points)}
        yield Partition(k, labels, inertia_of(points, labels), likelihoods, _same(found))


def _of_tree(model: Any, X: Any, ks: Sequence[int]) -> Iterator[Partition]:
    tree = clone(model).set_params(n_clusters=None, distance_threshold=0.0).fit(X)
    children = np.ascontiguousarray(tree.children_, dtype=np.int64)
    for k in ks:
        labels = cut_tree(children, k)

        def fitted(k: int = k, labels: NDArray[np.int64] = labels) -> Any:
            if not isinstance(model, AgglomerativeClustering):
                return clone(model).set_params(n_clusters=k, distance_threshold=None).fit(X)
            best = copy(tree).set_params(n_clusters=k, distance_threshold=None)  # the merges are the same
            best.n_clusters_, best.labels_ = k, labels
            return best

        yield Partition(k, labels, inertia_of(X, labels), {}, fitted)


def _of_any(
    model: Any, X: Any, weight: Floats | None, ks: Sequence[int], random_state: np.random.RandomState
) -> Iterator[Partition]:
    params = model.get_params()
    name = "n_clusters" if "n_clusters" in params else "n_components"
    for k in ks:
        found = clone(model).set_params(**{name: k})
        if "random_state" in params:
            found.set_params(random_state=int(random_state.randint(2**31)))
        found = found.fit(X) if weight is None else found.fit(X, sample_weight=weight)
        labels = np.asarray(found.labels_ if hasattr(found, "labels_") else found.predict(X))
        likelihoods = {}
        if hasattr(found, "bic") and hasattr(found, "aic"):
            likelihoods = {"bic": float(found.bic(X)), "aic": float(found.aic(X))}
        yield Partition(k, labels, inertia_of(X, labels), likelihoods, _same(found))


def _same(estimator: Any) -> Callable[[], Any]:
    return lambda: estimator


def inertia_of(X: Any, labels: NDArray[Any]) -> float:
    """Return the sum of squared distances from the means of clusters; NaN for sparse rows."""
    if sp.issparse(X):
        return float("nan")
    X = np.asarray(X, dtype=np.float64)
    require_squares(X, "choose_k")
    X = X - X.mean(axis=0)
    _, codes = np.unique(labels, return_inverse=True)
    means = np.stack([np.bincount(codes, weights=column) for column in X.T], axis=1) / np.bincount(codes)[:, None]
    return float(((X - means[codes]) ** 2).sum())
