"""Precision and recall at every threshold, and the average precision.

With tp and fp as in `_roc.py`: precision is tp / (tp + fp), recall tp / P. The average precision is the sum over
thresholds of the rise in recall times the precision there: steps, not trapezoids, which are too optimistic between far
points.
"""

from typing import Any

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._averages import (
    average_of_columns,
    binarized,
    check_average,
    check_table,
    column_areas,
    one_column,
    score_table,
    weightless,
)
from mlcore.metrics._inputs import Floats, kind_of_target, read_labels, require_array
from mlcore.metrics._roc import _own_type
from mlcore.metrics._scores import check_flag, check_pos_label, codes_of, from_codes, from_core, quick_labels, quickly
from mlcore.metrics._tables import quick_relevance

__all__ = ["average_precision_score", "precision_recall_curve"]

NO_POSITIVES = "y_true has no positive rows: recall is 0 / 0, taken as 1 at every threshold"


def precision_recall_curve(
    y_true: Any, y_score: Any, *, pos_label: Any = None, sample_weight: Any = None, drop_intermediate: bool = False
) -> tuple[Floats, Floats, Any]:
    """Precision and recall at every threshold.

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
    drop_intermediate : bool, default=False
        Leave out thresholds whose true positives are those of both neighbours.

    Returns
    -------
    precision : ndarray of shape (n_thresholds + 1,)
        tp / (tp + fp), and 1 at the end, which has no threshold.
    recall : ndarray of shape (n_thresholds + 1,)
        tp / P, descending, and 0 at the end. 1 where there are no positive rows.
    thresholds : ndarray of shape (n_thresholds,)
        Distinct scores, ascending.

    Warns
    -----
    UserWarning
        If there are no positive rows.

    Raises
    ------
    ValueError
        If labels are not two, scores not finite numbers, or lengths differ.
    """
    check_pos_label("precision_recall_curve", pos_label)
    check_flag("precision_recall_curve", "drop_intermediate", drop_intermediate)
    (precision, recall, thresholds, positive, _), scores = from_core(
        core.metrics.precision_recall_curve,
        "precision_recall_curve",
        y_true,
        y_score,
        sample_weight,
        pos_label,
        bool(drop_intermediate),
    )
    if positive == 0:
        warn(NO_POSITIVES)
    return precision, recall, _own_type(thresholds, scores, y_score)


def average_precision_score(
    y_true: Any, y_score: Any, *, average: str | None = "macro", pos_label: Any = 1, sample_weight: Any = None
) -> Any:
    """Average precision: the sum over thresholds of the rise in recall times the precision.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_classes)
        Labels of two or of more classes, or several labels a row.
    y_score : array-like of shape (n_samples,) or (n_samples, n_classes)
        Scores, a column for each class (sorted) or label where there are more than two classes.
    average : {"micro", "macro", "samples", "weighted"} or None, default="macro"
        Of several columns: the mean of their average precisions ("macro"), the same weighted by their positive rows
        ("weighted"), all entries as one column ("micro"), the mean over rows ("samples"), or one number a column
        (None). Without a meaning for two classes.
    pos_label : int, float, bool or str, default=1
        The positive label of two. 1 for more classes and for several labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float or ndarray of shape (n_classes,)
        In [0, 1]; a random order has the share of positive rows. 0 without positive rows.

    Warns
    -----
    UserWarning
        If a column has no positive rows.

    Raises
    ------
    ValueError
        If `pos_label` does not occur, scores are not finite numbers, or shapes do not fit.
    """
    check_average("average_precision_score", average)
    check_pos_label("average_precision_score", pos_label, none=False)
    call = core.metrics.average_precision
    if pos_label == 1:
        result = quickly(call, y_true, y_score, sample_weight, None)
        if result is not None:
            return _with_warning(result)
    require_array("average_precision_score", y_true=y_true, y_score=y_score)
    labels, table = quick_labels(y_true), quick_relevance(y_true)
    kind = labels.kind if labels else "multilabel-indicator" if table is not None else kind_of_target(y_true, "y_true")
    if kind == "binary":
        labels = labels or read_labels(y_true, "y_true")
        if len(labels.classes) == 2 and pos_label not in labels.classes.tolist():
            raise ValueError(f"pos_label={pos_label!r} does not occur: the labels are {labels.classes.tolist()}")
        result, _ = from_codes(call, codes_of(labels, pos_label), y_score, sample_weight)
        return _with_warning(result)
    if kind not in ("multiclass", "multilabel-indicator"):
        raise ValueError(f"y_true of average_precision_score must hold labels or indicators, and is {kind}")
    if pos_label != 1:
        raise ValueError(f"pos_label is of use for two labels alone, and y_true is {kind}: leave it out")
    scores = score_table(y_score)
    if kind == "multiclass":
        table = binarized(labels or read_labels(y_true, "y_true"))
    elif table is None:
        table = check_table(y_true)
    if scores.shape != table.shape:
        raise ValueError(
            f"y_score must be of shape (n_samples, n_classes) = {table.shape}, since y_true has several classes or "
            f"labels; got {scores.shape}"
        )

    def one(labels: Any, column: Any, weight: Any) -> Any:
        return from_codes(call, labels, column, weight)[0]

    if average == "micro":
        return _with_warning(one_column(one, table, scores, sample_weight))
    values, support, weight = column_areas("average_precision", one, table, scores, average, sample_weight)
    if weightless(average, support):
        return 0.0
    if (support == 0).any():
        warn(NO_POSITIVES)
    return average_of_columns(values, average, weight)


def _with_warning(result: Any) -> float:
    value, positive, _, _ = result
    if positive == 0:
        warn(NO_POSITIVES)
    return float(value)
