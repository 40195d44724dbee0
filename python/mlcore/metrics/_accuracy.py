"""Shares of right and of wrong predictions."""

from typing import Any

import numpy as np

from mlcore._warnings import warn
from mlcore.metrics._counting import IndicatorCounts, count, count_columns
from mlcore.metrics._inputs import invalid

__all__ = ["accuracy_score", "balanced_accuracy_score", "hamming_loss", "zero_one_loss"]


def accuracy_score(y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None) -> float:
    """Share of rows whose label is predicted; of indicator matrices, rows whose labels are all predicted.

    It misleads where one label is rare: to predict the common one always is 99 % right where the other makes 1 %.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    normalize : bool, default=True
        False: the number of right rows (the sum of their weights) instead of the share.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    right, total = _right_rows(y_true, y_pred, normalize, sample_weight, "accuracy_score")
    return _share(right, total) if normalize else right


def zero_one_loss(y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None) -> float:
    """Share of rows that are predicted wrongly: 1 - `accuracy_score`.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    normalize : bool, default=True
        False: the number of wrong rows (the sum of their weights) instead of the share.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        In [0, 1], lower is better.

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    right, total = _right_rows(y_true, y_pred, normalize, sample_weight, "zero_one_loss")
    return 1 - _share(right, total) if normalize else total - right


def hamming_loss(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Share of labels that are predicted wrongly: of all entries of indicator matrices, else of rows.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        In [0, 1], lower is better.

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    counts = count(y_true, y_pred, sample_weight, "hamming_loss")
    if isinstance(counts, IndicatorCounts):
        differences, weight = counts.differences(), counts.weight
        if weight is None:
            return float(differences.sum() / (counts.n_rows * counts.n_labels))
        return float(weight @ differences / (counts.n_labels * weight.sum()))
    return _share(counts.true_sum - counts.hit_sum, counts.true_sum)


def balanced_accuracy_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None, adjusted: bool = False) -> float:
    """Mean over labels of the share of their rows that is predicted: the mean recall.

    Every label counts alike, however rare. It says nothing of precision: a rare label may be predicted far too often.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Labels and predicted labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    adjusted : bool, default=False
        Whether a guess at random is to score 0 instead of 1 / n_labels; 1 stays 1.

    Returns
    -------
    float
        In [0, 1], higher is better; adjusted in [1 / (1 - n_labels), 1].

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    counts = count_columns(y_true, y_pred, sample_weight, "balanced_accuracy_score")
    if counts.n_labels == 1:
        warn_of_one_label()
    score, n_averaged, n_labels = counts.balanced()
    if n_averaged < n_labels:
        warn("some predicted labels never occur in y_true: they have no recall, and the mean leaves them out")
    if adjusted:
        chance = 1 / n_averaged if n_averaged else np.inf
        score = (score - chance) / (1 - chance) if chance != 1 else (np.nan if score == 1 else -np.inf)
    return float(score)


def warn_of_one_label() -> None:
    """Warn that a confusion matrix is of one label alone."""
    warn("one label alone occurs, and the confusion matrix has a single cell: name all labels with labels=")


def _right_rows(y_true: Any, y_pred: Any, normalize: Any, sample_weight: Any, function: str) -> tuple[float, float]:
    """Return the weight of right rows and of all."""
    if normalize is not True and normalize is not False and not isinstance(normalize, np.bool_ | int):
        raise invalid(function, "normalize", "a bool", normalize)
    counts = count(y_true, y_pred, sample_weight, function)
    if isinstance(counts, IndicatorCounts):
        right = counts.differences() == 0
        if counts.weight is None:
            return float(right.sum()), float(counts.n_rows)
        return float(counts.weight @ right), float(counts.weight.sum())
    return counts.hit_sum, counts.true_sum


def _share(part: float, total: float) -> float:
    """Return part / total; weights that add up to zero have no average."""
    if total == 0:
        raise ZeroDivisionError("the weights sum to 0: there is no mean")
    return part / total
