"""Silhouettes: of each row, their mean, and the mean estimated from a sample."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.metrics import pairwise_distances, pairwise_distances_chunked
from sklearn.metrics.pairwise import _VALID_METRICS
from sklearn.utils import check_random_state

from mlcore._native import core
from mlcore.metrics._clusterings import Clustering, diagonal_is_zero, read_clustering
from mlcore.metrics._inputs import Floats, invalid

__all__ = ["SilhouetteEstimate", "silhouette_estimate", "silhouette_samples", "silhouette_score"]

_OURS = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "manhattan": "manhattan",
    "l1": "manhattan",
    "cityblock": "manhattan",
    "sqeuclidean": "sqeuclidean",
    "cosine": "cosine",
}
"""Metrics of the core, by all their names."""


class SilhouetteEstimate(NamedTuple):
    """A mean silhouette that was estimated from a sample of the rows."""

    score: float
    """Mean of the silhouettes of the sampled rows."""
    error: float
    """Standard error of `score` about the mean of all rows: 95 of 100 samples lie within 1.96 of it."""
    sample_size: int
    """Rows of the sample."""


def silhouette_samples(X: Any, labels: Any, *, metric: Any = "euclidean", **kwds: Any) -> Floats:
    """Silhouette of each row: how much nearer it is to its own cluster than to the nearest other one.

    With a_i the mean distance of row i from the others of its cluster, and b_i the least mean distance from the rows
    of another cluster: s_i = (b_i - a_i) / max(a_i, b_i), and 0 for the only row of a cluster.

    Distances are differences in float64, each row against all others in O(n²d) time and O(n d) memory. For
    "sqeuclidean" and "cosine" centroids say the same in O(n k d).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or (n_samples, n_samples) if precomputed
        Rows, or their distances from each other with zeros on the diagonal.
    labels : array-like of shape (n_samples,)
        The cluster of each row. -1, the noise of density-based clusterings, is a cluster as any other: leave such rows
        out first, if they are not to count.
    metric : str or callable, default="euclidean"
        "euclidean", "sqeuclidean", "manhattan", "cosine" and "precomputed" are computed by the core; all other
        metrics of `sklearn.metrics.pairwise_distances`, and sparse rows, by scikit-learn in chunks.
    **kwds
        Arguments of the metric.

    Returns
    -------
    ndarray of shape (n_samples,)
        In [-1, 1]: near 1 inside its cluster, near 0 between two, below 0 nearer to another one.

    Raises
    ------
    ValueError
        If there are not 2 to n_samples - 1 labels, lengths differ, values are not finite, or precomputed distances
        are not square or not zero on the diagonal.

    References
    ----------
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.
    """
    _check_metric(metric, "silhouette_samples")
    return _samples(read_clustering(X, labels, "silhouette_samples", sparse=True), metric, kwds)


def silhouette_score(
    X: Any,
    labels: Any,
    *,
    metric: Any = "euclidean",
    sample_size: int | None = None,
    random_state: Any = None,
    **kwds: Any,
) -> float:
    """Mean silhouette of all rows; see `silhouette_samples`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or (n_samples, n_samples) if precomputed
        Rows, or their distances from each other with zeros on the diagonal.
    labels : array-like of shape (n_samples,)
        The cluster of each row.
    metric : str or callable, default="euclidean"
        As in `silhouette_samples`.
    sample_size : int, default=None
        Rows drawn at random, whose clustering is then judged as if there were no others, as scikit-learn does. None:
        all. `silhouette_estimate` compares the drawn rows with all rows instead, and says how large its error is.
    random_state : int, RandomState instance or None, default=None
        Decides which rows are drawn: the same as by scikit-learn.
    **kwds
        Arguments of the metric.

    Returns
    -------
    float
        In [-1, 1], 1 is best.

    Raises
    ------
    ValueError
        As `silhouette_samples`, of the rows that are drawn.
    """
    _check_metric(metric, "silhouette_score")
    if sample_size is None:
        return float(np.mean(_samples(read_clustering(X, labels, "silhouette_score", sparse=True), metric, kwds)))
    _check_size(sample_size, "silhouette_score")
    c = read_clustering(X, labels, "silhouette_score", sparse=True)
    drawn = check_random_state(random_state).permutation(c.n_rows)[:sample_size]
    rows = c.X[drawn][:, drawn] if metric == "precomputed" else c.X[drawn]
    return float(
        np.mean(_samples(read_clustering(rows, c.codes[drawn], "silhouette_score", sparse=True), metric, kwds))
    )


def silhouette_estimate(
    X: Any, labels: Any, *, metric: str = "euclidean", sample_size: int = 2000, random_state: Any = None
) -> SilhouetteEstimate:
    """Mean silhouette of all rows, estimated from some of them, and its standard error.

    Rows are drawn without replacement, and the silhouette of each is exact: against all rows of all clusters. Their
    mean is unbiased. With sd the standard deviation of the m values drawn from n, its standard error is
    sd sqrt((1 - m / n) / m), which is 0 where all rows are drawn. Time is O(m n d) instead of O(n²d).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    labels : array-like of shape (n_samples,)
        The cluster of each row.
    metric : {"euclidean", "manhattan", "sqeuclidean", "cosine"}, default="euclidean"
        As in `silhouette_samples`.
    sample_size : int, default=2000
        Rows to draw; all where there are not as many.
    random_state : int, RandomState instance or None, default=None
        Decides which rows are drawn.

    Returns
    -------
    SilhouetteEstimate
        The mean, its standard error and the size of the sample.

    Raises
    ------
    ValueError
        As `silhouette_samples`, or if the metric is another one or the sample has fewer than 2 rows.
    """
    if not isinstance(metric, str) or metric not in _OURS:
        raise invalid("silhouette_estimate", "metric", f"one of {sorted(_OURS)}", metric)
    _check_size(sample_size, "silhouette_estimate", 2)
    c = read_clustering(X, labels, "silhouette_estimate", sparse=True)
    m = min(sample_size, c.n_rows)
    drawn = np.sort(check_random_state(random_state).permutation(c.n_rows)[:m]).astype(np.int64)
    if issparse(c.X):
        values = _of_sparse_rows(c, drawn, metric)
    else:
        values = core.metrics.silhouettes(c.X, c.codes, c.n_clusters, _OURS[metric], drawn)
    error = float(values.std(ddof=1)) * np.sqrt((1 - m / c.n_rows) / m)
    return SilhouetteEstimate(float(values.mean()), float(error), m)


def _check_metric(metric: Any, function: str) -> None:
    if callable(metric) or (isinstance(metric, str) and (metric == "precomputed" or metric in _VALID_METRICS)):
        return
    raise invalid(function, "metric", f"one of {sorted({*_VALID_METRICS, 'precomputed'})} or a callable", metric)


def _check_size(sample_size: Any, function: str, least: int = 1) -> None:
    if isinstance(sample_size, bool) or not isinstance(sample_size, Integral) or sample_size < least:
        raise invalid(function, "sample_size", f"an int >= {least}", sample_size)


def _samples(c: Clustering, metric: Any, kwds: dict[str, Any]) -> Floats:
    """Return the silhouettes of all rows."""
    X, sparse = c.X, bool(issparse(c.X))
    if metric == "precomputed":
        if X.shape[0] != X.shape[1]:
            raise ValueError(f"precomputed distances must be a square matrix, got one of shape {X.shape}")
        if not diagonal_is_zero(X):
            raise ValueError("precomputed distances must be 0 on the diagonal: use np.fill_diagonal(X, 0)")
        if not sparse:
            return core.metrics.silhouettes_of_distances(X, 0, c.codes, c.n_clusters)
        step = max(1, 2**23 // c.n_rows)  # rows whose distances take some 64 MB
        chunks = ((X[i : i + step].toarray(), i) for i in range(0, c.n_rows, step))
        return np.concatenate([_of_chunk(D, first, c) for D, first in chunks])
    if isinstance(metric, str) and metric in _OURS and not kwds and not sparse:
        return core.metrics.silhouettes(X, c.codes, c.n_clusters, _OURS[metric])
    chunks = pairwise_distances_chunked(X, metric=metric, reduce_func=lambda D, first: _of_chunk(D, first, c), **kwds)
    return np.concatenate(list(chunks))


def _of_sparse_rows(c: Clustering, drawn: NDArray[np.int64], metric: str) -> Floats:
    """Return the silhouettes of some sparse rows, by their distances to all."""
    order = np.concatenate([drawn, np.setdiff1d(np.arange(c.n_rows), drawn)])
    X, squared = c.X[order], metric == "sqeuclidean"
    ordered = Clustering(X, c.codes[order], c.n_clusters)
    step = max(1, 2**23 // c.n_rows)  # rows whose distances take some 64 MB
    found = []
    for i in range(0, len(drawn), step):
        D = pairwise_distances(X[i : min(i + step, len(drawn))], X, metric="euclidean" if squared else metric)
        D[np.arange(len(D)), np.arange(i, i + len(D))] = 0  # but for rounding
        found.append(_of_chunk(D * D if squared else D, i, ordered))
    return np.concatenate(found)


def _of_chunk(D: Any, first: int, c: Clustering) -> Floats:
    """Return the silhouettes of the rows from `first` on, from their distances to all rows."""
    return core.metrics.silhouettes_of_distances(
        np.ascontiguousarray(D, dtype=np.float64), first, c.codes, c.n_clusters
    )
