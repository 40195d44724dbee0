"""Precision, recall, F-measure and Jaccard index, of a label each and averaged."""

from collections.abc import Collection
from math import inf
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._counting import IndicatorCounts, LabelCounts, chosen_labels, count, positions_of
from mlcore.metrics._inputs import invalid, is_nan, is_real

__all__ = [
    "Selection",
    "f1_score",
    "fbeta_score",
    "jaccard_score",
    "precision_recall_fscore_support",
    "precision_score",
    "recall_score",
    "score_selection",
    "select",
]

_AVERAGES = (None, "micro", "macro", "weighted", "samples")


def precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Share of the predictions of a label that are right: tp / (tp + fp).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    labels : array-like, default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    pos_label : int, float, bool or str, default=1
        The label asked about where `average` is "binary".
    average : {"binary", "micro", "macro", "weighted", "samples"} or None, default="binary"
        "binary": of `pos_label`. "micro": of all decisions together. "macro": the mean over labels. "weighted": the
        mean weighted by the rows of each label. "samples": the mean over rows of indicator matrices. None: an array.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    zero_division : {"warn", 0, 1, nan}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning; NaN is left out of averages.

    Returns
    -------
    float or ndarray of shape (n_labels,)
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    selection = select(y_true, y_pred, labels, pos_label, average, sample_weight, "precision_score")
    return score_selection(selection, average, 1.0, ("precision",), zero_division, "precision_score")[0]


def recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Share of the rows of a label that are predicted: tp / (tp + fn).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    labels : array-like, default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    pos_label : int, float, bool or str, default=1
        The label asked about where `average` is "binary".
    average : {"binary", "micro", "macro", "weighted", "samples"} or None, default="binary"
        How labels are averaged, see `precision_score`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    zero_division : {"warn", 0, 1, nan}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning; NaN is left out of averages.

    Returns
    -------
    float or ndarray of shape (n_labels,)
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    selection = select(y_true, y_pred, labels, pos_label, average, sample_weight, "recall_score")
    return score_selection(selection, average, 1.0, ("recall",), zero_division, "recall_score")[1]


def f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    labels : array-like, default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    pos_label : int, float, bool or str, default=1
        The label asked about where `average` is "binary".
    average : {"binary", "micro", "macro", "weighted", "samples"} or None, default="binary"
        How labels are averaged, see `precision_score`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    zero_division : {"warn", 0, 1, nan}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning; NaN is left out of averages.

    Returns
    -------
    float or ndarray of shape (n_labels,)
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    selection = select(y_true, y_pred, labels, pos_label, average, sample_weight, "f1_score")
    return score_selection(selection, average, 1.0, ("f-score",), zero_division, "f1_score")[2]


def fbeta_score(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Weighted harmonic mean of precision and recall: (1 + beta²) tp / ((1 + beta²) tp + fp + beta² fn).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    beta : float
        How many times recall counts as much as precision, at least 0; 0 is precision, infinity recall.
    labels : array-like, default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    pos_label : int, float, bool or str, default=1
        The label asked about where `average` is "binary".
    average : {"binary", "micro", "macro", "weighted", "samples"} or None, default="binary"
        How labels are averaged, see `precision_score`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    zero_division : {"warn", 0, 1, nan}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning; NaN is left out of averages.

    Returns
    -------
    float or ndarray of shape (n_labels,)
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If `beta` is negative, the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    selection = select(y_true, y_pred, labels, pos_label, average, sample_weight, "fbeta_score")
    return score_selection(selection, average, beta, ("f-score",), zero_division, "fbeta_score")[2]


def precision_recall_fscore_support(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float = 1.0,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = None,
    warn_for: Collection[str] = ("precision", "recall", "f-score"),
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> tuple[Any, Any, Any, Any]:
    """Precision, recall, F-beta and the rows of each label, from one count.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    beta : float, default=1.0
        How many times recall counts as much as precision in F-beta.
    labels : array-like, default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    pos_label : int, float, bool or str, default=1
        The label asked about where `average` is "binary".
    average : {"binary", "micro", "macro", "weighted", "samples"} or None, default=None
        How labels are averaged, see `precision_score`; None: arrays.
    warn_for : collection of {"precision", "recall", "f-score"}
        Which of them warn of 0 / 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    zero_division : {"warn", 0, 1, nan}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning; NaN is left out of averages.

    Returns
    -------
    precision, recall, fbeta : float or ndarray of shape (n_labels,)
        In [0, 1], higher is better.
    support : ndarray of shape (n_labels,), or None
        Rows of each label (or their weight); None where there is an average.

    Raises
    ------
    ValueError
        If the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    name = "precision_recall_fscore_support"
    if not isinstance(warn_for, list | tuple | set):
        raise invalid(name, "warn_for", "a list, a tuple or a set", warn_for)
    selection = select(y_true, y_pred, labels, pos_label, average, sample_weight, name)
    precision, recall, f, _ = score_selection(selection, average, beta, warn_for, zero_division, name)
    return precision, recall, f, selection.support() if average is None else None


def jaccard_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Rows that have a label and its prediction, by those that have either: tp / (tp + fp + fn).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    labels : array-like, default=None
        Labels asked about, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    pos_label : int, float, bool or str, default=1
        The label asked about where `average` is "binary".
    average : {"binary", "micro", "macro", "weighted", "samples"} or None, default="binary"
        How labels are averaged, see `precision_score`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    zero_division : {"warn", 0, 1}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning.

    Returns
    -------
    float or ndarray of shape (n_labels,)
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    if is_nan(zero_division):
        raise invalid("jaccard_score", "zero_division", "0, 1 or 'warn'", zero_division)
    selection = select(y_true, y_pred, labels, pos_label, average, sample_weight, "jaccard_score")
    return score_selection(selection, average, 1.0, ("jaccard",), zero_division, "jaccard_score")[3]


class Selection(NamedTuple):
    """Counts, and the labels of them that are asked about."""

    counts: LabelCounts | IndicatorCounts
    positions: Any
    """Positions of the labels asked about, an int for one, None for all."""

    @property
    def n_asked(self) -> int:
        """How many labels are asked about."""
        if self.positions is None:
            return self.counts.n_labels
        return 1 if isinstance(self.positions, int) else len(self.positions)

    def sums(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return true counts, predicted counts and hits, of the type that scikit-learn gives them."""
        counts = self.counts
        if isinstance(counts, IndicatorCounts):
            true, predicted, hits = counts.sums(self.positions, samplewise=False)
            whole = counts.weight is None
        else:
            true, predicted, hits = counts.true_sums, counts.predicted_sums, counts.hits
            whole = counts.whole
            if self.positions is not None:
                at = np.atleast_1d(self.positions)
                true, predicted, hits = (np.where(at < 0, 0.0, s[at]) for s in (true, predicted, hits))
        return tuple(s.astype(np.int64) if whole else s for s in (true, predicted, hits))  # type: ignore[return-value]

    def support(self) -> NDArray[Any]:
        """Return the rows of each label, tp + fn: of weights, with the rounding of scikit-learn."""
        true, _, hits = self.sums()
        support: NDArray[Any] = hits + (true - hits)
        return support


def select(
    y_true: Any, y_pred: Any, labels: Any, pos_label: Any, average: Any, sample_weight: Any, function: str
) -> Selection:
    """Count, and find the labels that `labels`, `pos_label` and `average` ask about.

    Raises
    ------
    ValueError
        If the targets are no labels or do not suit `average`, or `pos_label` does not occur.
    """
    if average != "binary" and average not in _AVERAGES:
        raise invalid(function, "average", f"'binary' or one of {_AVERAGES}", average)
    if pos_label is not None and not isinstance(pos_label, str | Real | np.bool_):
        raise invalid(function, "pos_label", "a number, a str, a bool or None", pos_label)
    counts = count(y_true, y_pred, sample_weight, function)
    several = isinstance(counts, IndicatorCounts)
    if average == "binary":
        if several or counts.n_labels > 2:
            kind = "multilabel-indicator" if several else "multiclass"
            options = [a for a in _AVERAGES if a != "samples" or several]
            raise ValueError(
                f"average='binary' asks about one of two labels, and the targets are {kind}: take one of {options}"
            )
        at = counts.position(pos_label)  # type: ignore[union-attr]
        if at < 0 and (counts.n_labels >= 2 or pos_label is None):
            raise ValueError(f"pos_label={pos_label!r} does not occur: the labels are {counts.classes.tolist()}")
        return Selection(counts, at)
    if pos_label not in (None, 1):
        warn(
            f"pos_label={pos_label!r} counts with average='binary' alone, not with {average!r}; labels=[{pos_label!r}] "
            "asks about that label"
        )
    if average == "samples" and not several:
        raise ValueError(
            "average='samples' is for indicator matrices (several labels a row), and y_true has one label a row"
        )
    if labels is None:
        return Selection(counts, None)
    return Selection(counts, columns_of(labels, counts) if several else positions_of(labels, counts.classes))


def columns_of(labels: Any, counts: LabelCounts | IndicatorCounts) -> NDArray[np.int64]:
    """Return `labels` as numbers of columns of indicator matrices."""
    columns = chosen_labels(labels)
    for column in columns.tolist():
        if not isinstance(column, int) or not 0 <= column < counts.n_labels:
            raise ValueError(
                f"labels of indicator matrices are numbers of columns, 0 to {counts.n_labels - 1}, got {column!r}"
            )
    return columns


def score_selection(
    selection: Selection, average: str | None, beta: float, warn_for: Collection[str], zero_division: Any, function: str
) -> tuple[Any, Any, Any, Any]:
    """Return precision, recall, F-beta and Jaccard of the labels asked about, and warn of 0 / 0."""
    if zero_division == "warn":
        instead = 0.0
    elif is_nan(zero_division) or (is_real(zero_division) and zero_division in (0, 1)):
        instead = float(zero_division)
    else:
        raise invalid(function, "zero_division", "0, 1, nan or 'warn'", zero_division)
    if not is_real(beta) or not 0 <= beta <= inf:
        raise invalid(function, "beta", "a float in [0, inf]", beta)
    counts, positions = selection
    mean = "macro" if average == "binary" else average
    if isinstance(counts, IndicatorCounts):
        samplewise = average == "samples"
        sums = counts.sums(positions, samplewise=samplewise)
        weight = counts.weight if samplewise else None
        *scores, undefined = core.metrics.scores_of(*sums, weight, mean, beta, instead)
        n_entries = len(sums[0])
    else:
        *scores, undefined = counts.scores(positions, mean, beta, instead)
        n_entries = selection.n_asked
    if undefined and zero_division == "warn":
        _warn_of_undefined(undefined, average, 1 if average == "micro" else n_entries, warn_for)
    return tuple(scores)


def _warn_of_undefined(undefined: int, average: str | None, n_entries: int, warn_for: Collection[str]) -> None:
    """Warn of the metrics of `warn_for` that were 0 / 0, which the bits of `undefined` name."""
    metrics = (
        ("precision", "predicted"),
        ("recall", "true"),
        ("f-score", "true nor predicted"),
        ("jaccard", "true or predicted"),
    )
    entry, other = ("label", "sample") if average == "samples" else ("sample", "label")
    for bit, (metric, modifier) in enumerate(metrics):
        if undefined >> bit & 1 and metric in warn_for:
            place = "due to" if n_entries == 1 else f"in {other}s with"
            message = f"{metric} is 0 / 0, counted as 0, {place} no {modifier} {entry}s; zero_division= says as what"
            warn(message, UndefinedMetricWarning)
