"""Receiver operating characteristic (ROC), the curve of detection errors, and the area under a curve.

tp and fp are the weights of positive and negative rows whose score is at least a threshold, P and N those of all
positive and negative rows. The curve is (fp / N, tp / P) from the highest threshold to the lowest; its area is the
probability that a positive row has a higher score than a negative one, a tie counting one half.
"""

from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import column_or_1d

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._inputs import Floats, read_labels, require_array
from mlcore.metrics._scores import check_flag, check_pos_label, codes_of, from_codes, from_core, plain_numbers, quickly

__all__ = ["auc", "confusion_matrix_at_thresholds", "det_curve", "ks_statistic", "roc_curve"]


def auc(x: Any, y: Any) -> float:
    """Area under a curve, by trapezoids between its points.

    Parameters
    ----------
    x : array-like of shape (n_points,)
        Ascending or descending.
    y : array-like of shape (n_points,)

    Returns
    -------
    float
        Sum over neighbours of (x_{i+1} - x_i) (y_{i+1} + y_i) / 2, with the opposite sign where x descends.

    Raises
    ------
    ValueError
        If there are fewer than two points, x goes up and down, or lengths differ.
    """
    require_array("auc", x=x, y=y)
    plain_x, plain_y = plain_numbers(x), plain_numbers(y)
    if plain_x is None or plain_y is None or plain_x.ndim != 1 or plain_y.ndim != 1:
        plain_x, plain_y = column_or_1d(x), column_or_1d(y)
    x, y = plain_x, plain_y
    if len(x) != len(y):
        raise ValueError(f"x and y of auc must have as many entries as each other, got {len(x)} and {len(y)}")
    if len(x) < 2:
        raise ValueError(f"auc needs at least 2 points to compute an area under a curve, got {len(x)}")
    steps = np.diff(x)
    direction = 1
    if np.any(steps < 0):
        if not np.all(steps <= 0):
            raise ValueError("x of auc must ascend or descend, and goes up and down")
        direction = -1
    return float(direction * (steps * (y[1:] + y[:-1]) / 2.0).sum())


def roc_curve(
    y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None, drop_intermediate: bool = True
) -> tuple[Floats, Floats, Floats]:
    """Receiver operating characteristic: the rates of false and true positives at every threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: two, or more where `pos_label` is given.
    y_score : array-like of shape (n_samples,)
        The higher, the more positive a row is held to be. Any finite numbers.
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows; rows of weight 0 are left out.
    drop_intermediate : bool, default=True
        Leave out points on a line between their neighbours, which change neither the picture nor the area.

    Returns
    -------
    fpr, tpr : ndarray of shape (n_thresholds,)
        fp / N and tp / P, ascending from 0 to 1; NaN where a class has no rows.
    thresholds : ndarray of shape (n_thresholds,)
        Descending: infinity, where nothing is positive, then scores.

    Warns
    -----
    UndefinedMetricWarning
        If there are no negative or no positive rows.

    Raises
    ------
    ValueError
        If labels are not two, scores not finite numbers, or lengths differ.
    """
    check_pos_label("roc_curve", pos_label)
    check_flag("roc_curve", "drop_intermediate", drop_intermediate)
    (fpr, tpr, thresholds, positive, negative), scores = from_core(
        core.metrics.roc_curve, "roc_curve", y_true, y_score, sample_weight, pos_label, bool(drop_intermediate)
    )
    if scores is not None:
        thresholds = scores.thresholds(thresholds, np.float64)
    if negative <= 0:
        warn("y_true has no negative samples: the rate of false positives is undefined", UndefinedMetricWarning)
    if positive <= 0:
        warn("y_true has no positive samples: the rate of true positives is undefined", UndefinedMetricWarning)
    return fpr, tpr, thresholds


def det_curve(
    y_true: Any, y_score: Any, pos_label: Any = None, sample_weight: Any = None, drop_intermediate: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Curve of detection errors: the rates of false positives and false negatives at every threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, two of them.
    y_score : array-like of shape (n_samples,)
        The higher, the more positive a row is held to be. Any finite numbers.
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows; rows of weight 0 are left out.
    drop_intermediate : bool, default=False
        Leave out thresholds whose false negatives are those of both neighbours.

    Returns
    -------
    fpr, fnr : ndarray of shape (n_thresholds,)
        fp / N descending and (P - tp) / P ascending, from the last threshold without a false negative to the first
        without a false positive.
    thresholds : ndarray of shape (n_thresholds,)
        Ascending; the last is infinity where only that has no false positive.

    Raises
    ------
    ValueError
        If labels are not two, or one has no weight, scores are not finite numbers, or lengths differ.
    """
    check_pos_label("det_curve", pos_label)
    check_flag("det_curve", "drop_intermediate", drop_intermediate)
    call, drop = core.metrics.det_curve, bool(drop_intermediate)
    result = quickly(call, y_true, y_score, sample_weight, None, drop) if pos_label is None else None
    scores = None
    if result is None:
        require_array("det_curve", y_true=y_true, y_score=y_score)
        labels = read_labels(y_true, "y_true")
        codes = codes_of(labels, pos_label)
        if labels.kind != "binary":
            raise ValueError("det_curve takes two classes, y_true has more")
        result, scores = from_codes(call, codes, y_score, sample_weight, drop)
    fpr, fnr, thresholds, positive, negative = result
    if positive == 0 or negative == 0:
        raise ValueError("y_true has one class alone: the curve of detection errors is undefined")
    if scores is not None:
        thresholds = scores.thresholds(thresholds, np.float64)
    return fpr, fnr, thresholds


def confusion_matrix_at_thresholds(
    y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None
) -> tuple[Floats, Floats, Floats, Floats, Any]:
    """Counts of true and false negatives and positives at every threshold.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: two, or more where `pos_label` is given.
    y_score : array-like of shape (n_samples,)
        The higher, the more positive a row is held to be. Any finite numbers.
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows; rows of weight 0 are left out.

    Returns
    -------
    tns, fps, fns, tps : ndarray of shape (n_thresholds,)
        Weights of rows that are rightly and wrongly negative, and wrongly and rightly positive.
    thresholds : ndarray of shape (n_thresholds,)
        The distinct scores, descending: rows with that score or a higher one are positive.

    Raises
    ------
    ValueError
        If labels are not two, scores not finite numbers, or lengths differ.
    """
    check_pos_label("confusion_matrix_at_thresholds", pos_label)
    (tns, fps, fns, tps, thresholds), scores = from_core(
        core.metrics.counts_at_thresholds,
        "confusion_matrix_at_thresholds",
        y_true,
        y_score,
        sample_weight,
        pos_label,
    )
    return tns, fps, fns, tps, _own_type(thresholds, scores, y_score)


def ks_statistic(y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None) -> float:
    """Largest difference between the rates of true and false positives: the statistic of Kolmogorov and Smirnov.

    It is the largest distance between the distributions of the scores of both classes, max |tp / P - fp / N| over
    thresholds. Unlike the area under the curve it looks at the best threshold alone.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: two, or more where `pos_label` is given.
    y_score : array-like of shape (n_samples,)
        Any finite numbers.
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows; rows of weight 0 are left out.

    Returns
    -------
    float
        In [0, 1]: 0 where both classes have the same scores, 1 where a threshold parts them. NaN where a class has no
        rows.

    Warns
    -----
    UndefinedMetricWarning
        If there are no negative or no positive rows.

    Raises
    ------
    ValueError
        If labels are not two, scores not finite numbers, or lengths differ.
    """
    check_pos_label("ks_statistic", pos_label)
    (value, positive, negative, _), _ = from_core(
        core.metrics.ks_statistic, "ks_statistic", y_true, y_score, sample_weight, pos_label
    )
    if positive <= 0 or negative <= 0:
        warn("y_true has one class alone: the KS statistic is undefined", UndefinedMetricWarning)
    return float(value)


def _own_type(thresholds: Any, scores: Any, y_score: Any) -> Any:
    """Return thresholds in the type of the scores."""
    if scores is not None:
        return scores.thresholds(thresholds)
    dtype = y_score.dtype if type(y_score) is np.ndarray else np.asarray(y_score).dtype
    return thresholds.astype(dtype, copy=False)
