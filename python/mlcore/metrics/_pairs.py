"""Comparisons of two clusterings by pairs of rows: whether both put them together."""

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.metrics._contingency import count_pairs

__all__ = ["adjusted_rand_score", "fowlkes_mallows_score", "pair_confusion_matrix", "rand_score"]


def pair_confusion_matrix(labels_true: Any, labels_pred: Any) -> NDArray[np.int64]:
    """Count ordered pairs of different rows by whether each labelling puts them together.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.

    Returns
    -------
    ndarray of int64 of shape (2, 2)
        Row 1: together in `labels_true`; column 1: together in `labels_pred`. [[tn, fp], [fn, tp]] of pairs.

    Raises
    ------
    ValueError
        If lengths differ or a column is no column of labels.

    References
    ----------
    Hubert and Arabie, "Comparing partitions", 1985.
    """
    tn, fp, fn, tp = count_pairs(labels_true, labels_pred, "pair_confusion_matrix")
    return np.array([[tn, fp], [fn, tp]], dtype=np.int64)


def rand_score(labels_true: Any, labels_pred: Any) -> float:
    """Share of the pairs of rows that both labellings put together, or both apart.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.

    Returns
    -------
    float
        In [0, 1]; 1 where the labellings are the same up to names, or there are no pairs.

    Raises
    ------
    ValueError
        If lengths differ or a column is no column of labels.
    """
    tn, fp, fn, tp = count_pairs(labels_true, labels_pred, "rand_score")
    return 1.0 if fp == fn == 0 else (tn + tp) / (tn + fp + fn + tp)


def adjusted_rand_score(labels_true: Any, labels_pred: Any) -> float:
    """Rand index beyond chance: 0 in the mean over random labellings with the same sizes, 1 where both are the same.

    2 (tp tn - fn fp) / ((tp + fn) (fn + tn) + (tp + fp) (fp + tn)) of `pair_confusion_matrix`, in integers of any size.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.

    Returns
    -------
    float
        In [-0.5, 1].

    Raises
    ------
    ValueError
        If lengths differ or a column is no column of labels.

    References
    ----------
    Hubert and Arabie, "Comparing partitions", 1985.
    """
    tn, fp, fn, tp = count_pairs(labels_true, labels_pred, "adjusted_rand_score")
    if fp == fn == 0:
        return 1.0
    return 2 * (tp * tn - fn * fp) / ((tp + fn) * (fn + tn) + (tp + fp) * (fp + tn))


def fowlkes_mallows_score(labels_true: Any, labels_pred: Any) -> float:
    """Geometric mean of precision and recall of pairs: tp / sqrt((tp + fp) (tp + fn)).

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters: labels of any type.

    Returns
    -------
    float
        In [0, 1]; 0 where no pair is together in both.

    Raises
    ------
    ValueError
        If lengths differ or a column is no column of labels.

    References
    ----------
    Fowlkes and Mallows, "A method for comparing two hierarchical clusterings", 1983.
    """
    _, fp, fn, tp = count_pairs(labels_true, labels_pred, "fowlkes_mallows_score")
    return sqrt(tp / (tp + fp)) * sqrt(tp / (tp + fn)) if tp else 0.0
