"""Two columns of labels, or two indicator matrices, counted: what all metrics of labels start from."""

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import _num_samples

from mlcore._native import core
from mlcore.metrics._inputs import (
    Floats,
    kind_of_target,
    plain_column,
    quick_weights,
    read_weights,
    require_array,
)

__all__ = ["IndicatorCounts", "LabelCounts", "count", "count_columns", "positions_of"]

LabelCounts = core.metrics.LabelCounts
_count_labels = core.metrics.count_labels


class IndicatorCounts:
    """Two indicator matrices of shape (n_samples, n_labels): in each row any number of labels.

    Parameters
    ----------
    y_true, y_pred : ndarray or csr_array of shape (n_samples, n_labels)
        What is not zero is a label.
    weight : ndarray of shape (n_samples,), or None
    """

    kind = "multilabel-indicator"

    def __init__(self, y_true: Any, y_pred: Any, weight: Floats | None):
        if issparse(y_true) or issparse(y_pred):
            y_true, y_pred = csr_array(y_true), csr_array(y_pred)
        self.y_true, self.y_pred, self.weight = y_true, y_pred, weight
        self.n_rows, self.n_labels = y_true.shape
        self.classes = np.arange(self.n_labels)

    def differences(self) -> Floats:
        """Return the number of labels in which each row differs, of shape (n_samples,)."""
        unequal = self.y_true != self.y_pred
        return np.asarray(unequal @ np.ones(self.n_labels))

    def sums(self, columns: NDArray[np.int64] | None, *, samplewise: bool) -> tuple[Floats, Floats, Floats]:
        """Return the weighted counts of true labels, predicted ones and hits: a label each, or a row each."""
        t: Any
        p: Any
        t, p = (y if columns is None else y[:, columns] for y in (self.y_true, self.y_pred))
        t, p = t != 0, p != 0
        sums = _row_sums if samplewise else _column_sums
        return sums(t, self.weight), sums(p, self.weight), sums(t * p, self.weight)


def _row_sums(indicators: Any, weight: Floats | None) -> Floats:
    """Return the labels of each row, times its weight."""
    counts = np.asarray(indicators @ np.ones(indicators.shape[1]))
    return counts if weight is None else counts * weight


def _column_sums(indicators: Any, weight: Floats | None) -> Floats:
    """Return the weight of the rows of each label, added row after row."""
    rows, columns = indicators.nonzero()
    each = None if weight is None else weight[rows]
    return np.bincount(columns, weights=each, minlength=indicators.shape[1]).astype(np.float64)


def count(y_true: Any, y_pred: Any, sample_weight: Any = None, function: str = "") -> LabelCounts | IndicatorCounts:
    """Count labels and predictions.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
    sample_weight : array-like of shape (n_samples,), default=None
    function : str
        Who asks, for messages.

    Raises
    ------
    ValueError
        If lengths or kinds of the targets differ, they are no labels or empty, or weights are no weights.
    TypeError
        If labels cannot be ordered among each other.
    """
    weight = quick_weights(sample_weight)
    counts = _count_labels(y_true, y_pred, weight)
    if counts is None:
        columns = plain_column(y_true), plain_column(y_pred)
        counts = _count_labels(*columns, weight) or _count_categories(*columns, weight)
    if counts is None or (weight is not None and not _usable(counts.weight_sum)):
        return _count_any(y_true, y_pred, sample_weight, function)
    return counts


def count_columns(y_true: Any, y_pred: Any, sample_weight: Any, function: str) -> LabelCounts:
    """As `count`, but indicator matrices are an error."""
    counts = count(y_true, y_pred, sample_weight, function)
    if isinstance(counts, IndicatorCounts):
        raise ValueError(f"{function} takes one label a row, got an indicator matrix ({counts.kind})")
    return counts


def _usable(weight_sum: float) -> bool:
    """Whether weights need no second look: they are finite, and not all zero."""
    return isfinite(weight_sum) and weight_sum != 0


def _count_categories(y_true: Any, y_pred: Any, weight: Any) -> LabelCounts | None:
    """Count two categorical columns of pandas by their codes, or return None."""
    columns = []
    for y in (y_true, y_pred):
        categories = getattr(getattr(y, "dtype", None), "categories", None)
        if categories is None or not hasattr(y, "cat"):
            return None
        codes, categories = y.cat.codes.to_numpy(), np.asarray(categories)
        if len(codes) == 0 or codes.min() < 0 or categories.dtype.kind not in "biO":
            return None
        if categories.dtype.kind == "O":
            if not all(isinstance(c, str) for c in categories):
                return None
            categories = categories.astype(str)
        columns.append((codes, categories))
    (true_codes, true_names), (predicted_codes, predicted_names) = columns
    if (true_names.dtype.kind == "U") != (predicted_names.dtype.kind == "U"):
        return None
    names = np.unique(np.concatenate([true_names, predicted_names]))
    return _count_labels(
        np.searchsorted(names, true_names)[true_codes],
        np.searchsorted(names, predicted_names)[predicted_codes],
        weight,
        names,
    )


def _count_any(y_true: Any, y_pred: Any, sample_weight: Any, function: str) -> LabelCounts | IndicatorCounts:
    """Read targets of any form by scikit-learn's functions, which raise what is to be raised."""
    require_array(function, y_true=y_true, y_pred=y_pred)
    if sample_weight is not None:
        require_array(function, sample_weight=sample_weight)
    check_consistent_length(y_true, y_pred, sample_weight)
    kinds = {"y_true": kind_of_target(y_true, "y_true"), "y_pred": kind_of_target(y_pred, "y_pred")}
    if min(_num_samples(y_true), _num_samples(y_pred)) < 1:
        raise ValueError(f"{function} needs at least one row, got none")
    weight = read_weights(sample_weight, _num_samples(y_true))

    distinct = {"multiclass" if kind == "binary" else kind for kind in kinds.values()}
    if len(distinct) > 1:
        raise ValueError(
            f"y_true and y_pred of {function} must be labels of one kind, got {kinds['y_true']} and {kinds['y_pred']}"
            + scores_hint(kinds["y_pred"])
        )
    kind = distinct.pop()
    if kind == "multilabel-indicator":
        unique_labels(y_true, y_pred)  # raises where the numbers of labels differ
        t, p = (y if issparse(y) else np.asarray(y) for y in (y_true, y_pred))
        return IndicatorCounts(t, p, weight)
    if kind != "multiclass":
        raise ValueError(f"{function} takes labels, and the targets are {kind}")
    if issparse(y_true) or issparse(y_pred):
        raise TypeError(f"{function} takes sparse matrices as indicators of several labels a row alone")
    true, predicted = column_or_1d(y_true, input_name="y_true"), column_or_1d(y_pred, input_name="y_pred")
    names = unique_labels(true, predicted)  # raises where strings and numbers are mixed
    counts: LabelCounts | None = _count_labels(true, predicted, weight)
    if counts is None:  # labels of a type of their own
        code = {label: k for k, label in enumerate(names.tolist())}
        true, predicted = (np.array([code[label] for label in y.tolist()]) for y in (true, predicted))
        counts = _count_labels(true, predicted, weight, names)
    assert counts is not None  # two columns of codes
    return counts


def scores_hint(kind: str) -> str:
    """Return what to do where `y_pred` holds scores."""
    if not kind.startswith("continuous"):
        return ""
    return ": scores become labels by a threshold (y_score >= 0.5) or, of several columns, by argmax(axis=1)"


def chosen_labels(labels: Any) -> NDArray[Any]:
    """Return the argument `labels` as an array of one axis. Raises ValueError if it is none, as one label alone."""
    chosen = np.asarray(labels)
    if chosen.ndim != 1:
        raise ValueError(f"labels must be a list or an array of labels, with one axis, got {labels!r}")
    return chosen


def positions_of(labels: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the position of each of `labels` in the labels that occur, -1 for one that does not."""
    wanted = chosen_labels(labels)
    if (wanted.dtype.kind == "U") != (classes.dtype.kind == "U"):
        wanted, classes = wanted.astype(str), classes.astype(str)
    place = {label: k for k, label in enumerate(classes.tolist())}
    return np.array([place.get(label, -1) for label in wanted.tolist()], dtype=np.int64)
