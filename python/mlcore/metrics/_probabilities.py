"""Losses of probabilities and of decision values, and the shares of them that predictions explain."""

from math import inf, isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import _num_samples

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._inputs import (
    Floats,
    invalid,
    is_real,
    kind_of_target,
    plain_column,
    positive_label,
    quick_weights,
    read_weights,
    require_array,
)
from mlcore.metrics._numbers import mean_of

__all__ = ["brier_score_loss", "d2_brier_score", "d2_log_loss_score", "hinge_loss", "log_loss"]

_FLOATS = [np.float64, np.float32]


def log_loss(
    y_true: Any,
    y_proba: Any = None,
    *,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
    y_pred: Any = "deprecated",
) -> float:
    """Mean of -log q, q the probability that was given to the label that came (cross-entropy).

    q is clipped to [eps, 1 - eps], eps that of the type of `y_proba`. One row that was sure and wrong costs as much as
    many that were slightly wrong.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), or indicator matrix of shape (n_samples, n_labels)
        Labels.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels in sorted order; a single column is that of the second of two labels.
    normalize : bool, default=True
        False: the sum instead of the mean.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    labels : array-like of shape (n_labels,), default=None
        The labels of the columns, sorted; None: those that occur in `y_true`.
    y_pred : array-like
        Former name of `y_proba`.

    Returns
    -------
    float
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If a probability is outside of [0, 1] or NaN, lengths differ, or labels and columns do not match.

    Warns
    -----
    UserWarning
        If rows do not sum to one, or `labels` are not sorted.
    """
    if not isinstance(normalize, bool | np.bool_ | int):
        raise invalid("log_loss", "normalize", "a bool", normalize)
    loss, weights, _ = _several_loss("log", y_true, _renamed(y_proba, y_pred), sample_weight, labels, "log_loss")
    return mean_of(loss, weights) if normalize else loss


def brier_score_loss(
    y_true: Any,
    y_proba: Any,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    labels: Any = None,
    scale_by_half: Any = "auto",
) -> float:
    """Mean over rows of sum_j (1{j is the label} - p_j)²: the squared error of probabilities.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_labels)
        Probabilities of the positive label, or of all labels in sorted order.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    pos_label : int, float, bool or str, default=None
        The label that a single column is of; None: 1 where labels are 0 or -1 and 1, else the larger number.
    labels : array-like of shape (n_labels,), default=None
        The labels of several columns, sorted; None: those that occur.
    scale_by_half : bool or "auto", default="auto"
        Whether to halve it, to [0, 1] instead of [0, 2]; "auto": for two labels.

    Returns
    -------
    float
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If a probability is outside of [0, 1] or NaN, lengths differ, or labels and columns do not match.
    """
    if not isinstance(scale_by_half, bool | np.bool_) and scale_by_half != "auto":
        raise invalid("brier_score_loss", "scale_by_half", "a bool or 'auto'", scale_by_half)
    loss, weights, n_columns = _brier(y_true, y_proba, sample_weight, pos_label, labels, "brier_score_loss")[:3]
    halved = n_columns < 3 if isinstance(scale_by_half, str) else scale_by_half
    return mean_of(loss, weights) * (0.5 if halved else 1.0)


def d2_log_loss_score(
    y_true: Any, y_proba: Any = None, *, sample_weight: Any = None, labels: Any = None, y_pred: Any = "deprecated"
) -> float:
    """Share of the log loss that predictions explain: 1 - loss / loss of the labels' frequencies.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), or indicator matrix of shape (n_samples, n_labels)
        Labels.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels in sorted order; a single column is that of the second of two labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    labels : array-like of shape (n_labels,), default=None
        The labels of the columns, sorted; None: those that occur in `y_true`.
    y_pred : array-like
        Former name of `y_proba`.

    Returns
    -------
    float
        At most 1; 0 is as good as the frequencies. NaN, with a warning, for less than two rows.

    Raises
    ------
    ValueError
        As `log_loss`.
    """
    y_proba = _renamed(y_proba, y_pred)
    if _too_few(y_true, y_proba, sample_weight, "d2_log_loss_score"):
        return nan
    loss, _, of_frequencies = _several_loss(
        "log", y_true, y_proba, sample_weight, labels, "d2_log_loss_score", frequencies=True
    )
    return _explained(loss, of_frequencies)


def d2_brier_score(
    y_true: Any, y_proba: Any, *, sample_weight: Any = None, pos_label: Any = None, labels: Any = None
) -> float:
    """Share of the Brier score that predictions explain (Brier skill score): 1 - score / score of the frequencies.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_labels)
        Probabilities of the positive label, or of all labels in sorted order.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    pos_label : int, float, bool or str, default=None
        The label that a single column is of, see `brier_score_loss`.
    labels : array-like of shape (n_labels,), default=None
        The labels of several columns, sorted; None: those that occur.

    Returns
    -------
    float
        At most 1; 0 is as good as the frequencies. NaN, with a warning, for less than two rows.

    Raises
    ------
    ValueError
        As `brier_score_loss`.
    """
    if _too_few(y_true, y_proba, sample_weight, "d2_brier_score"):
        return nan
    loss, _, _, of_frequencies = _brier(
        y_true, y_proba, sample_weight, pos_label, labels, "d2_brier_score", frequencies=True
    )
    return _explained(loss, of_frequencies)


def hinge_loss(y_true: Any, pred_decision: Any, *, labels: Any = None, sample_weight: Any = None) -> float:
    """Mean of max(0, 1 - m), m how far the decision value of the label is above the largest of the others.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    pred_decision : array-like of shape (n_samples,) or (n_samples, n_labels)
        Decision values, as `decision_function` gives them; a single column d is above 0 for the second label, and then
        m = d or -d.
    labels : array-like of shape (n_labels,), default=None
        The labels of several columns; None: those that occur.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        At least 0, lower is better; it bounds the zero-one loss from above.

    Raises
    ------
    ValueError
        If lengths differ, labels and columns do not match, or a value is NaN or infinite.
    """
    values = _quick_values(pred_decision)
    n_columns = values.shape[1] if values is not None and values.ndim == 2 else 1
    known = None if labels is None else _known_columns(labels, require_sorted=False)
    n_known = 0 if known is None else len(known)
    if values is not None and n_columns != 2 and (n_known > 2) == (n_columns > 2 and labels is not None):
        weight = quick_weights(sample_weight)
        found = core.metrics.row_loss(
            "hinge", plain_column(y_true), values, weight, known if n_columns > 1 else None, exact=False
        )
        if found is not None and found[2]:
            return mean_of(found[0], found[1])
    return _hinge_any(y_true, pred_decision, labels, sample_weight)


def _renamed(y_proba: Any, y_pred: Any) -> Any:
    """Return the probabilities, under either name."""
    if isinstance(y_pred, str) and y_pred == "deprecated":
        return y_proba
    if y_proba is not None:
        raise ValueError("y_pred is the former name of y_proba: give one of both, y_proba")
    warn("y_pred was renamed to `y_proba`, as in scikit-learn 1.9, and will go: pass y_proba", FutureWarning)
    return y_pred


def _too_few(y_true: Any, y_proba: Any, sample_weight: Any, function: str) -> bool:
    """Whether there are less than two rows, with a warning if so."""
    if type(y_proba) in (np.ndarray, list) and len(y_proba) >= 2:
        return False
    require_array(function, y_true=y_true, y_proba=y_proba)
    if _num_samples(y_proba) >= 2:
        return False
    check_consistent_length(y_proba, y_true, sample_weight)
    warn("D^2 is undefined for fewer than two rows", UndefinedMetricWarning)
    return True


def _explained(loss: float, of_frequencies: float) -> float:
    """Return 1 - loss / of_frequencies; -inf or NaN where the frequencies are never wrong."""
    if of_frequencies == 0:
        return nan if loss == 0 else -inf
    return 1 - loss / of_frequencies


def _quick_values(values: Any) -> NDArray[Any] | None:
    """Return plain numbers as an array of float32 or float64, or None."""
    if type(values) is not np.ndarray:
        if type(values) is not list:
            return None
        try:
            values = np.asarray(values)
        except ValueError:  # rows of unequal lengths
            return None
    array: NDArray[Any] = values
    if array.dtype in (np.float64, np.float32):
        return array
    return array.astype(np.float64) if array.dtype.kind in "iub" else None


def _known_columns(labels: Any, *, require_sorted: bool = True) -> dict[Any, int] | None:
    """Return the column of each of `labels`, or None if they are not plain, or not sorted."""
    try:
        given = np.asarray(labels).tolist()
        distinct = sorted(set(given))
    except (TypeError, ValueError):
        return None
    if require_sorted and given != distinct:
        return None
    return {label: column for column, label in enumerate(distinct)}


def _usable(found: Any, sample_weight: Any) -> bool:
    """Whether a quick answer needs no closer look at the input."""
    return found is not None and found[2] and (sample_weight is None or (isfinite(found[1]) and found[1] != 0))


def _several_loss(
    loss: str,
    y_true: Any,
    y_proba: Any,
    sample_weight: Any,
    labels: Any,
    function: str,
    *,
    frequencies: bool = False,
) -> tuple[float, float, float]:
    """Return the sum of losses, that of weights, and, if asked, the sum of losses of the labels' frequencies."""
    values = _quick_values(y_proba)
    known = None if labels is None else _known_columns(labels)
    if values is not None and (labels is None or known is not None):
        column, weight = plain_column(y_true), quick_weights(sample_weight)
        found = core.metrics.row_loss(loss, column, values, weight, known)
        if found is not None and _usable(found, sample_weight):
            if not found[3]:
                _warn_of_sums()
            null = _loss_of_frequencies(loss, column, values, weight, known) if frequencies else nan
            return found[0], found[1], null
    require_array(function, y_true=y_true, y_proba=y_proba)
    values = check_array(y_proba, ensure_2d=False, dtype=_FLOATS)
    indicators, values, weight = _one_hot(y_true, values, sample_weight, labels)
    return _indicator_losses(loss, indicators, values, weight)


def _brier(
    y_true: Any,
    y_proba: Any,
    sample_weight: Any,
    pos_label: Any,
    labels: Any,
    function: str,
    *,
    frequencies: bool = False,
) -> tuple[float, float, int, float]:
    """Return the sum of losses, that of weights, the number of labels and, if asked, the losses of frequencies."""
    if pos_label is not None and not isinstance(pos_label, str | np.bool_) and not is_real(pos_label):
        raise invalid(function, "pos_label", "a number, a str, a bool or None", pos_label)
    values = _quick_values(y_proba)
    if values is None:
        require_array(function, y_true=y_true, y_proba=y_proba)
        values = check_array(y_proba, ensure_2d=False, dtype=_FLOATS)
    if values.ndim == 2 and values.shape[1] > 1:
        loss, weights, null = _several_loss(
            "brier", y_true, values, sample_weight, labels, function, frequencies=frequencies
        )
        return loss, weights, values.shape[1], null
    if not (frequencies and pos_label is not None):  # its share is not that of a label
        column, weight = plain_column(y_true), quick_weights(sample_weight)
        found = core.metrics.row_loss("brier", column, values, weight, None, pos_label, False)
        if found is not None and _usable(found, sample_weight):
            null = _loss_of_frequencies("brier", column, values, weight, None) if frequencies else nan
            return found[0], found[1], 2, null
    require_array(function, y_true=y_true)
    values = check_array(values, ensure_2d=False, dtype=_FLOATS)
    indicators, values, weight = _positive_or_not(y_true, values, sample_weight, pos_label)
    loss, weights, null = _indicator_losses("brier", indicators, values, weight)
    return loss, weights, 2, null


def _loss_of_frequencies(
    loss: str, column: Any, values: NDArray[Any], weight: Any, known: dict[Any, int] | None
) -> float:
    """Return the sum of losses that labels have if their frequencies are predicted, by the same additions."""
    counts = core.metrics.count_labels(column, column, weight)
    assert counts is not None  # the column was read before
    labels = counts.classes.tolist()
    if len(labels) == 1 and known is None:
        return 0.0
    share = dict(zip(labels, (counts.true_sums / counts.true_sum).tolist(), strict=True))
    shares = np.array([share.get(label, 0.0) for label in known or labels])
    if values.ndim == 1 or values.shape[1] == 1:
        shares = shares[1:]
    constant = np.ndarray(
        values.shape, np.float64, shares, strides=(0, shares.itemsize)[: values.ndim]
    )  # a row, n times
    found = core.metrics.row_loss(loss, column, constant, weight, known, None, False)
    assert found is not None
    return found[0]


def _indicator_losses(
    loss: str, indicators: NDArray[Any], values: NDArray[Any], weight: Floats | None
) -> tuple[float, float, float]:
    """Return the weighted sum of losses against indicators (n_samples, n_labels), of weights, of losses of shares."""
    each = np.ones(len(values)) if weight is None else weight
    sums = each @ indicators
    one_label_each = (indicators.sum(axis=1) == 1).all()
    total = float(sums.sum() if one_label_each else each.sum())  # the same, and a label that is alone has exactly 1
    null = nan
    if total != 0:
        null = _indicator_loss(loss, indicators, np.broadcast_to(sums / total, indicators.shape), each)
    return _indicator_loss(loss, indicators, values, each), float(each.sum()), null


def _indicator_loss(loss: str, indicators: NDArray[Any], values: NDArray[Any], weight: Floats) -> float:
    """Return the weighted sum of losses against indicators, both of shape (n_samples, n_labels)."""
    if loss == "brier":
        rows = ((indicators - values) ** 2).sum(axis=1)
    else:
        eps = np.finfo(values.dtype).eps
        rows = -(indicators * np.log(np.clip(values, eps, 1 - eps))).sum(axis=1)
    return float(weight @ rows)


def _warn_of_sums() -> None:
    warn("rows of y_proba do not sum to 1: they are no probabilities of classes that exclude each other")


def _require_probabilities(values: NDArray[Any]) -> None:
    if values.max() > 1 or values.min() < 0:
        outside = values.max() if values.max() > 1 else values.min()
        raise ValueError(f"y_proba must hold probabilities, in [0, 1], got {outside}")


def _one_hot(
    y_true: Any, values: NDArray[Any], sample_weight: Any, labels: Any
) -> tuple[NDArray[Any], NDArray[Any], Floats | None]:
    """Return indicators of labels, probabilities of all labels, and weights; raise and warn as is due."""
    _require_probabilities(values)
    check_consistent_length(values, y_true, sample_weight)
    weight = read_weights(sample_weight, len(values))
    binarizer = LabelBinarizer().fit(y_true if labels is None else labels)
    classes = binarizer.classes_
    if labels is not None:
        if list(classes) != list(labels):
            warn(
                f"labels={list(labels)} are not sorted, and the columns of y_proba are taken for those of "
                f"{classes.tolist()}: bring labels and columns into that order"
            )
        if not np.isin(y_true, labels).all():
            undeclared = set(np.asarray(y_true).ravel().tolist()) - set(np.asarray(labels).tolist())
            raise ValueError(f"y_true has labels that are not in labels={list(labels)}: {sorted(undeclared)}")
    if len(classes) == 1:
        if labels is None:
            raise ValueError(
                f"y_true has one label alone, {classes[0]}: name all classes, in the order of the columns, with labels="
            )
        raise ValueError(f"labels must name at least two classes, got {classes.tolist()}")
    indicators = np.asarray(binarizer.transform(y_true))
    if indicators.shape[1] == 1:
        indicators = np.hstack([1 - indicators, indicators])
    if values.ndim == 1:
        values = values[:, None]
    if values.shape[1] == 1:
        values = np.hstack([1 - values, values])
    if not np.allclose(values.sum(axis=1), 1, rtol=np.sqrt(np.finfo(values.dtype).eps)):
        _warn_of_sums()
    if len(classes) != values.shape[1]:
        if labels is None:
            raise ValueError(
                f"y_proba has {values.shape[1]} columns, and y_true {indicators.shape[1]} classes, {classes.tolist()}: "
                "name the classes of the columns with labels="
            )
        raise ValueError(
            f"labels names {len(classes)} classes, {classes.tolist()}, and y_proba has {values.shape[1]} columns"
        )
    return indicators, values, weight


def _positive_or_not(
    y_true: Any, values: NDArray[Any], sample_weight: Any, pos_label: Any
) -> tuple[NDArray[Any], NDArray[Any], Floats | None]:
    """Return the same for a single column of probabilities of a positive label."""
    labels = column_or_1d(y_true)
    if labels.dtype.kind == "f":
        check_array(labels, ensure_2d=False, input_name="y_true")
    values = column_or_1d(values)
    check_consistent_length(values, labels, sample_weight)
    weight = read_weights(sample_weight, len(values))
    kind = kind_of_target(labels, "y_true")
    if kind != "binary":
        raise ValueError(
            f"y_proba has a single column, that of the positive one of two labels, and y_true is {kind}: give a column "
            "for each class"
        )
    _require_probabilities(values)
    classes = np.unique(labels)
    if classes.dtype.kind in "OUS" or classes.tolist() in ([0], [-1], [1]):
        pos_label = positive_label(pos_label, classes)
    elif pos_label is None:
        pos_label = classes[-1]
    positive = np.asarray(labels == pos_label, dtype=np.int64) * np.ones(len(labels), dtype=np.int64)
    return np.stack([1 - positive, positive], axis=1), np.stack([1 - values, values], axis=1), weight


def _hinge_any(y_true: Any, pred_decision: Any, labels: Any, sample_weight: Any) -> float:
    """Read what is not plain, raise what is to be raised, and compute."""
    require_array("hinge_loss", y_true=y_true, pred_decision=pred_decision)
    check_consistent_length(y_true, pred_decision, sample_weight)
    values = check_array(pred_decision, ensure_2d=False)
    column = column_or_1d(y_true)
    classes = np.unique(column if labels is None else labels)
    if len(classes) > 2:
        if values.ndim <= 1:
            raise ValueError(
                f"{len(classes)} labels need a column of pred_decision each, shape ({len(column)}, {len(classes)}), "
                f"got {values.shape}"
            )
        if len(classes) != values.shape[1]:
            if labels is None:
                raise ValueError(
                    f"pred_decision has {values.shape[1]} columns, y_true {len(classes)} labels: name all by labels="
                )
            raise ValueError(
                f"labels names {len(classes)} classes, and pred_decision is of shape {values.shape}: one column a "
                "class is needed"
            )
        if unseen := set(column.tolist()) - set(classes.tolist()):
            raise ValueError(f"y_true has labels that are not among labels: {sorted(unseen)}")
        codes = np.searchsorted(classes, column)
        own = np.zeros(values.shape, dtype=bool)
        own[np.arange(len(codes)), codes] = True
        margin = values[own] - np.where(own, -np.inf, values).max(axis=1)
    else:
        signs = LabelBinarizer(neg_label=-1).fit_transform(column)[:, 0]
        values = column_or_1d(values)
        try:
            margin = signs * values
        except TypeError as error:
            raise TypeError(f"pred_decision must hold numbers, got {values.dtype}") from error
    return float(np.average(np.clip(1 - margin, 0, None), weights=sample_weight))
