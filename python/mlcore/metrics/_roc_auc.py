"""Area under the receiver operating characteristic of two classes, of more, and of several labels."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._averages import (
    average_of_columns,
    binarized,
    check_average,
    check_table,
    column_areas,
    float_table,
    one_column,
    score_table,
    weightless,
)
from mlcore.metrics._inputs import (
    Floats,
    Labels,
    invalid,
    is_real,
    kind_of_target,
    known_classes,
    read_labels,
    require_array,
)
from mlcore.metrics._roc import auc, roc_curve
from mlcore.metrics._scores import from_codes, quick_labels, quickly, row_weights, threads
from mlcore.metrics._tables import quick_relevance

__all__ = ["roc_auc_score"]

ONE_CLASS = "y_true has one class alone: there is no area under the ROC curve"


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    average: str | None = "macro",
    sample_weight: Any = None,
    max_fpr: float | None = None,
    multi_class: str = "raise",
    labels: Any = None,
) -> Any:
    """Area under the receiver operating characteristic: how well scores put positive rows before negative ones.

    It is the probability that a positive row has a higher score than a negative one, a tie counting one half. It looks
    at the order alone: scores that are far too high or too low as probabilities have the same area.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_classes)
        Labels of two (the greater one is positive) or of more classes, or several labels a row.
    y_score : array-like of shape (n_samples,) or (n_samples, n_classes)
        Scores; for more than two classes probabilities, a column for each, whose rows sum to 1.
    average : {"micro", "macro", "samples", "weighted"} or None, default="macro"
        Of several columns: the mean of their areas ("macro"), the same weighted by their positive rows ("weighted"),
        all entries as one column ("micro"), the mean over rows ("samples", for several labels), or one number a column
        (None). Pairs of classes have "macro" and "weighted", by the rows of both.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    max_fpr : float in (0, 1], default=None
        The area up to this rate of false positives alone, scaled so that a random order is 0.5 and the best 1. Not for
        more than two classes.
    multi_class : {"raise", "ovr", "ovo"}, default="raise"
        More than two classes: each against all others ("ovr"), or each against each other one ("ovo"), which does not
        depend on how frequent they are.
    labels : array-like of shape (n_classes,), default=None
        More than two classes: the class of each column, sorted. By default those of `y_true`.

    Returns
    -------
    float or ndarray of shape (n_classes,)
        In [0, 1]: 1 is the best order, 0.5 a random one. NaN where a class has no rows.

    Warns
    -----
    UndefinedMetricWarning
        If a column has one class alone.

    Raises
    ------
    ValueError
        If arguments do not fit each other, scores are not finite, or no probabilities where they must be.
    NotImplementedError
        If `average` is None for pairs of classes.
    """
    check_average("roc_auc_score", average)
    if multi_class not in ("raise", "ovr", "ovo"):
        raise invalid("roc_auc_score", "multi_class", "'raise', 'ovr' or 'ovo'", multi_class)
    if max_fpr is not None and not (is_real(max_fpr) and 0 < max_fpr <= 1):
        raise invalid("roc_auc_score", "max_fpr", "a float in (0, 1] or None", max_fpr)
    limit = 1.0 if max_fpr is None else float(max_fpr)
    area = quickly(core.metrics.roc_auc, y_true, y_score, sample_weight, None, limit)
    if area is not None and not area[3]:
        if area[1] > 0 and area[2] > 0:
            return area[0]
        warn(ONE_CLASS, UndefinedMetricWarning)
        return float("nan")

    require_array("roc_auc_score", y_true=y_true, y_score=y_score)
    found, table = quick_labels(y_true), quick_relevance(y_true)
    kind = found.kind if found else "multilabel-indicator" if table is not None else kind_of_target(y_true, "y_true")
    scores = score_table(y_score)
    if kind == "multiclass" or (kind == "binary" and scores.ndim == 2 and scores.shape[1] > 2):
        if limit != 1:
            raise ValueError(f"max_fpr must be None for more than two classes, got {max_fpr}")
        if multi_class == "raise":
            raise ValueError(
                "more than two classes need multi_class='ovr' (each against the rest) or 'ovo' (each pair)"
            )
        return _of_classes(found or read_labels(y_true, "y_true"), scores, labels, multi_class, average, sample_weight)
    if kind == "binary":
        found = found or read_labels(y_true, "y_true")
        if scores.ndim == 2 and scores.shape[1] == 2:
            raise ValueError(
                "y_true has two labels, and y_score two columns: give the scores of the greater label, y_score[:, 1]"
            )
        codes = (found.codes == 1).astype(np.uint8)
        return _warned(_binary(codes, scores, sample_weight, limit))
    if kind != "multilabel-indicator":
        raise ValueError(f"y_true of roc_auc_score must hold labels or indicators, and is {kind}")
    table = check_table(y_true) if table is None else table
    if scores.shape != table.shape:
        raise ValueError(f"y_true and y_score must have the same shape, got {table.shape} and {scores.shape}")
    return _of_columns(table, scores, average, sample_weight, limit)


def _binary(codes: Any, scores: Any, sample_weight: Any, limit: float = 1.0) -> tuple[float, float, float]:
    """Return the area and the weights of both classes."""
    (value, positive, negative, descends), _ = from_codes(core.metrics.roc_auc, codes, scores, sample_weight, limit)
    if descends and positive > 0 and negative > 0:  # by negative weights
        fpr, tpr, _ = roc_curve(codes, scores, sample_weight=sample_weight)
        if limit != 1:
            raise ValueError("max_fpr needs weights under which false positives do not decrease")
        value = auc(fpr, tpr)
    if positive <= 0 or negative <= 0:
        value = float("nan")
    return value, positive, negative


def _warned(area: tuple[float, float, float]) -> float:
    if not (area[1] > 0 and area[2] > 0):
        warn(ONE_CLASS, UndefinedMetricWarning)
    return area[0]


def _of_columns(table: Any, scores: Any, average: str | None, sample_weight: Any, limit: float = 1.0) -> Any:
    def one(labels: Any, column: Any, weight: Any) -> Any:
        return _binary(np.ascontiguousarray(labels), column, weight, limit)

    if average == "micro":
        return _warned(one_column(one, table, scores, sample_weight))
    metric = "roc_auc" if limit == 1 else None
    values, support, weight = column_areas(metric, one, table, scores, average, sample_weight)
    if weightless(average, support):
        return 0.0
    if np.isnan(values).any():
        warn(ONE_CLASS, UndefinedMetricWarning)
    return average_of_columns(values, average, weight)


def _of_classes(
    found: Labels, scores: Any, labels: Any, multi_class: str, average: str | None, sample_weight: Any
) -> Any:
    if scores.ndim != 2:
        raise ValueError(
            f"y_score must be of shape (n_samples, n_classes), as y_true has more than two classes; got {scores.shape}"
        )
    allowed = ("macro", "weighted", None) + (("micro",) if multi_class == "ovr" else ())
    if average not in allowed:
        raise ValueError(f"average must be one of {allowed} for more than two classes with multi_class={multi_class!r}")
    if average is None and multi_class == "ovo":
        raise NotImplementedError(
            "pairs of classes (multi_class='ovo') have a mean, and no area a class: average must not be None"
        )
    if len(found.codes) != len(scores):
        raise ValueError(f"y_true and y_score must have as many rows, got {len(found.codes)} and {len(scores)}")
    _, codes = known_classes(found, labels, scores.shape[1])
    table = float_table(scores)
    if multi_class == "ovo":
        if sample_weight is not None:
            raise ValueError("sample_weight must be None for multi_class='ovo'")
        return _of_pairs(codes, table, average)
    weight = row_weights(sample_weight, len(codes))
    result = core.metrics.class_areas("roc_auc", codes, table, weight, True, threads(scores.size))
    if result is None or average == "micro" or (weight is not None and weight.min() < 0):
        return _of_columns(binarized(Labels(np.arange(scores.shape[1]), codes)), scores, average, sample_weight)
    values, support, _ = result
    if weightless(average, support):
        return 0.0
    if np.isnan(values).any():
        warn(ONE_CLASS, UndefinedMetricWarning)
    return average_of_columns(values, average, support if average == "weighted" else None)


def _of_pairs(codes: Any, scores: Any, average: str | None) -> float:
    """Return the mean over pairs of classes of the areas of both columns.

    Hand and Till, "A simple generalisation of the area under the ROC curve for multiple class classification problems",
    2001.
    """
    areas = core.metrics.pair_areas(codes, scores, threads(scores.size))
    rows = np.bincount(codes, minlength=scores.shape[1])
    first, second = _pairs(scores.shape[1])
    rows_of_both = np.where((rows[first] > 0) & (rows[second] > 0), rows[first] + rows[second], 0)
    present = rows_of_both > 0
    pairs: Floats = ((areas + areas.T) / 2)[first, second][present]
    return float(np.average(pairs, weights=rows_of_both[present]) if average == "weighted" else pairs.mean())


@lru_cache(maxsize=16)
def _pairs(n_classes: int) -> tuple[NDArray[np.intp], ...]:
    return np.triu_indices(n_classes, 1)
