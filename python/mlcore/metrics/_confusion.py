"""Confusion matrices and what is read off the one of two labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from mlcore._warnings import warn
from mlcore.metrics._accuracy import warn_of_one_label
from mlcore.metrics._counting import IndicatorCounts, LabelCounts, count, count_columns, positions_of
from mlcore.metrics._inputs import invalid, is_nan, is_real
from mlcore.metrics._precision import Selection, columns_of

__all__ = ["class_likelihood_ratios", "confusion_matrix", "counted_matrix", "multilabel_confusion_matrix"]


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None, normalize: str | None = None
) -> NDArray[Any]:
    """Count the rows of label i that are predicted as label j.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Labels and predicted labels.
    labels : array-like of shape (n_labels,), default=None
        Labels of rows and columns, in this order; others are left out. None: all that occur, sorted.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    normalize : {"true", "pred", "all"} or None, default=None
        Divide by the sum of each row, of each column, or of all.

    Returns
    -------
    ndarray of shape (n_labels, n_labels)
        Entry (i, j): rows of label i that are predicted as j. int64, or float64 with weights of floating
        point or with sums of weights beyond 2**53.

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty, or none of `labels` is in `y_true`.
    """
    if normalize not in (None, "true", "pred", "all"):
        raise invalid("confusion_matrix", "normalize", "'true', 'pred', 'all' or None", normalize)
    counts = count_columns(y_true, y_pred, sample_weight, "confusion_matrix")
    matrix: NDArray[Any] = counted_matrix(counts, labels)
    whole = not counts.weighted or np.asarray(sample_weight).dtype.kind in "iub"
    if whole and np.abs(matrix).max() < 2**53:  # beyond, sums of weights are not exact
        matrix = matrix.astype(np.int64)
    if normalize is not None:
        with np.errstate(all="ignore"):
            axis = {"true": 1, "pred": 0, "all": None}[normalize]
            matrix = np.nan_to_num(matrix / matrix.sum(axis=axis, keepdims=True))
    if len(matrix) == 1:
        warn_of_one_label()
    return matrix


def counted_matrix(counts: LabelCounts, labels: Any, where: str = "y_true") -> NDArray[np.float64]:
    """Return the confusion matrix of `labels`, or of all labels that occur where it is None."""
    matrix = counts.matrix()
    if labels is None:
        return matrix
    at = positions_of(labels, counts.classes)
    if len(at) == 0:
        raise ValueError("labels names no label: give one or more")
    positions = at.tolist()
    if not any(k >= 0 and counts.occurs(k) for k in positions):
        raise ValueError(f"none of the labels occurs in {where}")
    last = {k: place for place, k in enumerate(positions)}
    if len(last) < len(positions):  # of a label that is named twice, the last place counts
        at = np.array([k if last[k] == place else -1 for place, k in enumerate(positions)])
    padded = np.zeros((len(matrix) + 1, len(matrix) + 1))  # position -1, the last, has nothing
    padded[:-1, :-1] = matrix
    return padded[at[:, None], at]


def multilabel_confusion_matrix(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, labels: Any = None, samplewise: bool = False
) -> NDArray[Any]:
    """Confusion matrix of each label against the rest: [[tn, fp], [fn, tp]].

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    labels : array-like of shape (n_labels,), default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    samplewise : bool, default=False
        A matrix a row instead of one a label; for indicator matrices.

    Returns
    -------
    ndarray of shape (n_labels, 2, 2), or (n_samples, 2, 2) if `samplewise`

    Raises
    ------
    ValueError
        If the arguments are no labels, differ in length or kind, or are empty.
    """
    counts = count(y_true, y_pred, sample_weight, "multilabel_confusion_matrix")
    total: Any
    true: Any
    predicted: Any
    hits: Any
    if isinstance(counts, IndicatorCounts):
        columns = None if labels is None else columns_of(labels, counts)
        if samplewise:
            true, predicted, hits = counts.sums(columns, samplewise=True)
            total = counts.n_labels if columns is None else len(columns)
            if counts.weight is None:
                true, predicted, hits = (s.astype(np.int64) for s in (true, predicted, hits))
            else:
                total = total * counts.weight
        else:
            true, predicted, hits = Selection(counts, columns).sums()
            total = counts.n_rows if counts.weight is None else counts.weight.sum()
    else:
        if samplewise:
            raise ValueError(
                "samplewise=True is for indicator matrices (several labels a row), and y_true has one label a row"
            )
        at = None if labels is None else positions_of(labels, counts.classes)
        true, predicted, hits = Selection(counts, at).sums()
        total = counts.weight_sum if counts.weighted else counts.n_rows
    fp, fn = predicted - hits, true - hits
    matrices = np.empty((len(hits), 2, 2), dtype=hits.dtype)
    matrices[:, 0, 0], matrices[:, 0, 1] = total - hits - fp - fn, fp
    matrices[:, 1, 0], matrices[:, 1, 1] = fn, hits
    return matrices


def class_likelihood_ratios(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None, replace_undefined_by: Any = np.nan
) -> tuple[float, float]:
    """Positive and negative likelihood ratio of a test with two outcomes.

    LR+ = sensitivity / (1 - specificity) and LR- = (1 - sensitivity) / specificity: by what the odds of the positive
    label are multiplied after a positive, or negative, prediction. They do not depend on how frequent the label is.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Labels and predicted labels, of two kinds.
    labels : array-like of shape (2,), default=None
        Negative and positive label; None: sorted.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    replace_undefined_by : {nan, 1.0} or dict, default=nan
        What stands for a ratio that is not defined: a number, or one for each of the keys "LR+" and "LR-".

    Returns
    -------
    positive, negative : float
        LR+ in [0, inf), 1 and more is better; LR- in [0, inf), near 0 is better.

    Raises
    ------
    ValueError
        If there are not two labels, or `replace_undefined_by` is none of the above.
    """
    counts = count(y_true, y_pred, sample_weight, "class_likelihood_ratios")
    if isinstance(counts, IndicatorCounts) or counts.n_labels > 2:
        kind = counts.kind if isinstance(counts, IndicatorCounts) else "multiclass"
        raise ValueError(f"class_likelihood_ratios is defined for two labels, and the targets are {kind}")
    instead_positive, instead_negative = _replacements(replace_undefined_by)
    matrix = counted_matrix(counts, labels)
    if matrix.shape != (2, 2):
        raise ValueError(f"class_likelihood_ratios needs two labels, got {len(matrix)}: pass both as labels")
    tn, fp, fn, tp = matrix.ravel().tolist()
    positives, negatives = tp + fn, tn + fp
    if positives == 0:
        _undefined("y_true has no positive rows: LR+ and LR- are undefined")
    if fp == 0:
        _undefined("no row is predicted positive: LR+ is 0 / 0" if tp == 0 else "no false positives: LR+ is x / 0")
        positive = instead_positive
    else:
        positive = tp * negatives / (fp * positives) if positives else np.nan
    if tn == 0:
        _undefined("no true negatives: LR- is x / 0")
        negative = instead_negative
    else:
        negative = fn * negatives / (tn * positives) if positives else np.nan
    return float(positive), float(negative)


def _undefined(what: str) -> None:
    warn(f"{what}; replace_undefined_by= says what stands for it", UndefinedMetricWarning)


def _replacements(replace_undefined_by: Any) -> tuple[float, float]:
    """Return what stands for LR+ and LR- where they are not defined."""
    if isinstance(replace_undefined_by, dict):
        pair: list[Any] = [replace_undefined_by.get("LR+"), replace_undefined_by.get("LR-")]
        ranges = ((1.0, np.inf), (0.0, 1.0))
        if all(is_real(x) and (is_nan(x) or low <= x <= high) for x, (low, high) in zip(pair, ranges, strict=True)):
            return float(pair[0]), float(pair[1])
        raise ValueError(
            "replace_undefined_by, as a dict, must have the keys 'LR+', with a value in [1, inf] or NaN, and 'LR-', "
            f"with one in [0, 1] or NaN; got {replace_undefined_by}"
        )
    if is_nan(replace_undefined_by) or (is_real(replace_undefined_by) and replace_undefined_by == 1):
        return float(replace_undefined_by), float(replace_undefined_by)
    raise invalid("class_likelihood_ratios", "replace_undefined_by", "nan, 1.0 or a dict", replace_undefined_by)
