"""Comparisons of two clusterings by what one tells of the other, in nats."""

from math import sqrt
from typing import Any

from mlcore.metrics._contingency import count_partitions, counts_of
from mlcore.metrics._inputs import invalid, is_real

__all__ = [
    "adjusted_mutual_info_score",
    "completeness_score",
    "homogeneity_completeness_v_measure",
    "homogeneity_score",
    "mutual_info_score",
    "normalized_mutual_info_score",
    "v_measure_score",
]

_EPSILON = 2.0**-52

_MEANS = {
    "min": min,
    "geometric": lambda u, v: sqrt(u * v),
    "arithmetic": lambda u, v: 0.5 * (u + v),
    "max": max,
}


def mutual_info_score(labels_true: Any, labels_pred: Any, *, contingency: Any = None) -> float:
    """Mutual information of two labellings: sum_ij c_ij / n log(n c_ij / (a_i b_j)), in nats.

    c_ij counts the rows of class i in cluster j, a_i and b_j are its sums over clusters and over classes.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type. None if `contingency` is given.
    contingency : array-like or sparse matrix of shape (n_classes, n_clusters), default=None
        The counts c_ij, where they are known.

    Returns
    -------
    float
        0 or more; 0 where the labellings are independent, or one has a single label, or there are no rows.

    Raises
    ------
    ValueError
        If lengths differ, a column is no column of labels, or `contingency` holds no counts.
    """
    if contingency is not None:
        return counts_of(contingency).mutual_information()
    counts = count_partitions(labels_true, labels_pred, "mutual_info_score")
    return 0.0 if counts is None else counts.mutual_information()


def normalized_mutual_info_score(labels_true: Any, labels_pred: Any, *, average_method: str = "arithmetic") -> float:
    """Mutual information, divided by a mean of the entropies of both labellings.

    Not adjusted for chance: it grows with the number of clusters. `adjusted_mutual_info_score` does not.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.
    average_method : {"arithmetic", "geometric", "min", "max"}, default="arithmetic"
        The mean of the two entropies.

    Returns
    -------
    float
        In [0, 1]; exactly 1 where the labellings are the same up to names, or there are no rows.

    Raises
    ------
    ValueError
        If lengths differ, a column is no column of labels or `average_method` is another one.
    """
    mean = _mean(average_method, "normalized_mutual_info_score")
    counts = count_partitions(labels_true, labels_pred, "normalized_mutual_info_score")
    if counts is None or (counts.homogeneous and counts.complete):
        return 1.0
    information = counts.mutual_information()
    return information / mean(counts.class_entropy, counts.cluster_entropy) if information else 0.0


def adjusted_mutual_info_score(labels_true: Any, labels_pred: Any, *, average_method: str = "arithmetic") -> float:
    """Mutual information beyond chance: (MI - E[MI]) / (mean(H(true), H(pred)) - E[MI]).

    E[MI] is the mean over all labellings with the same sizes, found by recurrence from the most probable counts on
    instead of by factorials: to the last digits for any number of rows, in a small part of the time.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.
    average_method : {"arithmetic", "geometric", "min", "max"}, default="arithmetic"
        The mean of the two entropies.

    Returns
    -------
    float
        At most 1, which is exact where the labellings are the same up to names or there are no rows; about 0 for
        random ones; 0 where one of them has a single label.

    Raises
    ------
    ValueError
        If lengths differ, a column is no column of labels or `average_method` is another one.

    References
    ----------
    Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison", 2010.
    """
    mean = _mean(average_method, "adjusted_mutual_info_score")
    counts = count_partitions(labels_true, labels_pred, "adjusted_mutual_info_score")
    if counts is None or (counts.homogeneous and counts.complete):
        return 1.0
    if counts.n_classes == 1 or counts.n_clusters == 1:
        return 0.0
    expected = counts.expected_mutual_information()
    above = counts.mutual_information() - expected
    most = mean(counts.class_entropy, counts.cluster_entropy) - expected
    return _away_from_zero(above) / _away_from_zero(most)


def homogeneity_completeness_v_measure(
    labels_true: Any, labels_pred: Any, *, beta: float = 1.0
) -> tuple[float, float, float]:
    """Homogeneity, completeness and their weighted harmonic mean.

    Homogeneity h = MI / H(true) is 1 where each cluster has rows of one class alone, completeness c = MI / H(pred)
    where each class lies in one cluster. The V-measure is (1 + beta) h c / (beta h + c).

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.
    beta : float, default=1.0
        Weight of completeness, 0 or more: above 1 completeness counts more.

    Returns
    -------
    homogeneity, completeness, v_measure : float
        In [0, 1].

    Raises
    ------
    ValueError
        If lengths differ, a column is no column of labels or `beta` is negative.

    References
    ----------
    Rosenberg and Hirschberg, "V-measure: a conditional entropy-based external cluster evaluation measure", 2007.
    """
    return _measures(labels_true, labels_pred, beta, "homogeneity_completeness_v_measure")


def homogeneity_score(labels_true: Any, labels_pred: Any) -> float:
    """Share of the entropy of the classes that the clusters explain; see `homogeneity_completeness_v_measure`.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.

    Returns
    -------
    float
        In [0, 1]; exactly 1 where each cluster has rows of one class alone.

    Raises
    ------
    ValueError
        If lengths differ or a column is no column of labels.
    """
    return _measures(labels_true, labels_pred, 1.0, "homogeneity_score")[0]


def completeness_score(labels_true: Any, labels_pred: Any) -> float:
    """Share of the entropy of the clusters that the classes explain; see `homogeneity_completeness_v_measure`.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.

    Returns
    -------
    float
        In [0, 1]; exactly 1 where each class lies in one cluster alone.

    Raises
    ------
    ValueError
        If lengths differ or a column is no column of labels.
    """
    return _measures(labels_true, labels_pred, 1.0, "completeness_score")[1]


def v_measure_score(labels_true: Any, labels_pred: Any, *, beta: float = 1.0) -> float:
    """Weighted harmonic mean of homogeneity and completeness; see `homogeneity_completeness_v_measure`.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.
    beta : float, default=1.0
        Weight of completeness, 0 or more. With 1 it is `normalized_mutual_info_score` by the arithmetic mean.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If lengths differ, a column is no column of labels or `beta` is negative.
    """
    return _measures(labels_true, labels_pred, beta, "v_measure_score")[2]


def _measures(labels_true: Any, labels_pred: Any, beta: Any, function: str) -> tuple[float, float, float]:
    """Return homogeneity, completeness and the V-measure."""
    if not is_real(beta) or isinstance(beta, bool) or not beta >= 0:
        raise invalid(function, "beta", "a float >= 0", beta)
    counts = count_partitions(labels_true, labels_pred, function)
    if counts is None:
        return 1.0, 1.0, 1.0
    information = counts.mutual_information()
    h = 1.0 if counts.homogeneous else information / counts.class_entropy if counts.class_entropy else 1.0
    c = 1.0 if counts.complete else information / counts.cluster_entropy if counts.cluster_entropy else 1.0
    return h, c, (1 + beta) * h * c / (beta * h + c) if h * c else 0.0


def _mean(average_method: Any, function: str) -> Any:
    if not isinstance(average_method, str) or average_method not in _MEANS:
        raise invalid(function, "average_method", f"one of {sorted(_MEANS)}", average_method)
    return _MEANS[average_method]


def _away_from_zero(value: float) -> float:
    """Return a difference of at least one rounding error, of its own sign, so that 0 / 0 is 1."""
    return min(value, -_EPSILON) if value < 0 else max(value, _EPSILON)
