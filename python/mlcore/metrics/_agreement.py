"""Coefficients of agreement between two columns of labels, beyond what chance would give."""

from math import nan
from typing import Any

from sklearn.exceptions import UndefinedMetricWarning

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._accuracy import warn_of_one_label
from mlcore.metrics._confusion import counted_matrix
from mlcore.metrics._counting import count_columns
from mlcore.metrics._inputs import invalid, is_nan, is_real

__all__ = ["cohen_kappa_score", "matthews_corrcoef"]


def matthews_corrcoef(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Matthews' correlation coefficient of labels and predictions (phi; R_k for more than two labels).

    With c right rows of s, and t_k and p_k rows of label k and predictions of it:
    (c s - sum_k t_k p_k) / sqrt((s² - sum_k p_k²) (s² - sum_k t_k²)).
    A fair single figure for rare labels, because it needs all four cells to be good.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Labels and predicted labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        In [-1, 1]: 1 is perfect, 0 no better than chance, or one of the columns constant.

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    counts = count_columns(y_true, y_pred, sample_weight, "matthews_corrcoef")
    if counts.n_labels == 1:
        warn_of_one_label()
    return counts.matthews()


def cohen_kappa_score(
    y1: Any,
    y2: Any,
    *,
    labels: Any = None,
    weights: str | None = None,
    sample_weight: Any = None,
    replace_undefined_by: float = nan,
) -> float:
    """Cohen's kappa, how far two annotators agree beyond chance: 1 - sum w_ij C_ij / sum w_ij E_ij.

    C is the confusion matrix, E what it would be if the two were independent.

    Parameters
    ----------
    y1, y2 : array-like of shape (n_samples,)
        Labels of the two annotators.
    labels : array-like of shape (n_labels,), default=None
        Labels that count, in this order; None: all that occur, sorted. One of them must be in `y1`.
    weights : {"linear", "quadratic"} or None, default=None
        What a disagreement between labels i and j counts: 1, their distance |i - j| in the order of labels, its square.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    replace_undefined_by : float, default=nan
        What stands for kappa where it is not defined (one label in common), in [-1, 1] or NaN.

    Returns
    -------
    float
        At most 1; 0 is chance.

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    if weights not in (None, "linear", "quadratic"):
        raise invalid("cohen_kappa_score", "weights", "'linear', 'quadratic' or None", weights)
    if not is_nan(replace_undefined_by) and not (is_real(replace_undefined_by) and -1 <= replace_undefined_by <= 1):
        raise invalid("cohen_kappa_score", "replace_undefined_by", "a float in [-1, 1] or nan", replace_undefined_by)
    counts = count_columns(y1, y2, sample_weight, "cohen_kappa_score")
    if labels is None:
        n_labels = counts.n_labels
        disagreement, expected, total = counts.disagreement(weights)
    else:
        matrix = counted_matrix(counts, labels, "y1 (to swap y1 and y2 changes nothing else)")
        n_labels = len(matrix)
        disagreement, expected, total = core.metrics.disagreement_of(matrix, weights)
    if n_labels == 1:
        warn_of_one_label()
    if total == 0:
        reason = "no row has one of the labels in both y1 and y2"
    elif expected == 0:
        reason = "y1 and y2 have a single label, the same one"
    else:
        return 1 - disagreement / expected
    warn(f"{reason}: kappa is 0 / 0, {replace_undefined_by} (replace_undefined_by) instead", UndefinedMetricWarning)
    return replace_undefined_by
