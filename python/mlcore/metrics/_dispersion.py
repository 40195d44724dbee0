"""Indices of a clustering by the extent of its clusters and the distances of their centroids."""

from typing import Any

from mlcore._native import core
from mlcore.metrics._clusterings import read_clustering

__all__ = ["calinski_harabasz_score", "davies_bouldin_score"]


def calinski_harabasz_score(X: Any, labels: Any) -> float:
    """Ratio of the variance between clusters to that within them, the more the better.

    With n rows in k clusters of m_c rows, centroids mu_c and the mean mu of all rows:
    (sum_c m_c |mu_c - mu|² / (k - 1)) / (sum_c sum_{i in c} |x_i - mu_c|² / (n - k)).

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    labels : array-like of shape (n_samples,)
        The cluster of each row.

    Returns
    -------
    float
        0 or more; 1 where all rows are their centroids.

    Raises
    ------
    ValueError
        If there are not 2 to n_samples - 1 labels, lengths differ or values are not finite.

    References
    ----------
    Calinski and Harabasz, "A dendrite method for cluster analysis", 1974.
    """
    return core.metrics.calinski_harabasz(*read_clustering(X, labels, "calinski_harabasz_score"))


def davies_bouldin_score(X: Any, labels: Any) -> float:
    """Mean likeness of each cluster to the one that is most like it, the less the better.

    With S_c the mean distance of the rows of cluster c from its centroid mu_c:
    the mean over c of max_{e != c} (S_c + S_e) / |mu_c - mu_e|.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    labels : array-like of shape (n_samples,)
        The cluster of each row.

    Returns
    -------
    float
        0 or more. Clusters with the same centroid are not compared with each other. Both that and an extent of zero
        are judged at the scale of X, where scikit-learn takes all below 1e-8 for zero, whatever the unit.

    Raises
    ------
    ValueError
        If there are not 2 to n_samples - 1 labels, lengths differ or values are not finite.

    References
    ----------
    Davies and Bouldin, "A cluster separation measure", 1979.
    """
    return core.metrics.davies_bouldin(*read_clustering(X, labels, "davies_bouldin_score"))
