"""Density-based validity of a clustering with noise."""

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from mlcore._native import core
from mlcore.metrics._clusterings import diagonal_is_zero, encode
from mlcore.metrics._inputs import Floats, invalid, is_real, require_array

__all__ = ["dbcv_score"]

_METRICS = {"euclidean": "euclidean", "l2": "euclidean", "manhattan": "manhattan", "l1": "manhattan"}


def dbcv_score(
    X: Any,
    labels: Any,
    *,
    metric: str = "euclidean",
    d: float | None = None,
    noise_label: Any = -1,
    per_cluster_scores: bool = False,
) -> Any:
    """Density-based cluster validity: whether clusters are denser inside than what lies between them.

    Fit for clusters of any form, where `silhouette_score` prefers round ones. With the core distances
    a_i = (sum_{j != i} dist(i, j)^-d / (m - 1))^(-1 / d) of the m rows of a cluster and
    r(i, j) = max(a_i, a_j, dist(i, j)): S_c is the largest edge of the minimum spanning tree of cluster c by r between
    rows of two edges or more, T_c the least r of such a row of c and one of another cluster, and
    V_c = (T_c - S_c) / max(T_c, S_c). The index is the mean of V_c, weighted by the share of all rows in c: noise is
    what lowers it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or (n_samples, n_samples) if precomputed
        Rows, or their distances.
    labels : array-like of shape (n_samples,)
        The cluster of each row.
    metric : {"euclidean", "manhattan", "precomputed"}, default="euclidean"
        Distance of rows.
    d : float, default=None
        Dimension of the rows of precomputed distances, which must be given with them and only then.
    noise_label : default=-1
        The label of rows in no cluster.
    per_cluster_scores : bool, default=False
        Return V_c too.

    Returns
    -------
    score : float
        In [-1, 1], the more the better.
    cluster_scores : ndarray of shape (n_clusters,)
        V_c of the clusters in the order of their sorted labels, noise left out; 0 for a cluster of a single row, which
        counts as noise. With `per_cluster_scores`.

    Raises
    ------
    ValueError
        If fewer than two clusters have two rows or more, lengths differ or values are not finite.

    Notes
    -----
    The values of `hdbscan.validity.validity_index`, where that has one. As there, rows at distance 0 are left out of
    the sum of a_i but count in m, and noise counts in the shares alone. Different: edges of a tree are compared exactly
    and not within 1e-8, so that units do not matter; a cluster of one row, or all of whose rows are equal, gives no
    NaN; one cluster alone is an error; powers cannot overflow, however many features there are.

    References
    ----------
    Moulavi, Jaskowiak, Campello, Zimek and Sander, "Density-based clustering validation", 2014.
    """
    require_array("dbcv_score", X=X, labels=labels)
    if not isinstance(metric, str) or metric not in {*_METRICS, "precomputed"}:
        raise invalid("dbcv_score", "metric", f"one of {sorted({*_METRICS, 'precomputed'})}", metric)
    precomputed = metric == "precomputed"
    if precomputed != (d is not None) or (precomputed and not (is_real(d) and 0 < float(d or 0) < np.inf)):
        raise invalid("dbcv_score", "d", "a float > 0 with metric='precomputed', and None otherwise", d)
    X = np.asarray(check_array(X, dtype=np.float64, order="C", input_name="X"))
    if precomputed and (X.shape[0] != X.shape[1] or not diagonal_is_zero(X)):
        raise ValueError(f"precomputed distances must be a square matrix with 0 on its diagonal, got shape {X.shape}")
    distinct, codes = encode(labels, "labels")
    check_consistent_length(X, codes)

    clusters = np.array([not _same(label, noise_label) for label in distinct.tolist()], dtype=bool)
    sizes = np.bincount(codes, minlength=len(distinct))
    judged = clusters & (sizes > 1)
    n_judged = int(judged.sum())
    if n_judged < 2:
        raise ValueError(f"dbcv_score needs two clusters of two rows or more, got {n_judged}")
    place = np.full(len(distinct), -1, dtype=np.int32)
    place[judged] = np.arange(n_judged)
    of_row = place[codes]
    rows = np.flatnonzero(of_row >= 0).astype(np.int64)
    chosen = np.ascontiguousarray(of_row[rows])
    values = core.metrics.density_validity(X, rows, chosen, n_judged, None if precomputed else _METRICS[metric], d)
    score = float(values @ sizes[judged] / len(codes))
    if not per_cluster_scores:
        return score
    every: Floats = np.zeros(len(distinct))
    every[judged] = values
    return score, every[clusters]


def _same(label: Any, noise_label: Any) -> bool:
    """Whether a label is that of noise: a number is not a string."""
    return isinstance(label, str) == isinstance(noise_label, str) and label == noise_label
