"""Whether probabilities are what they say: of rows with a predicted probability of p, a share of p should be positive.

Rows are put in bins by their probability. Bin b has n_b rows, mean probability c_b and share of positive rows a_b: the
calibration curve is the points (c_b, a_b), the expected calibration error the mean of |a_b - c_b| over rows.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, column_or_1d

from mlcore._native import core
from mlcore.metrics._inputs import Floats, invalid, known_classes, read_labels, require_array
from mlcore.metrics._scores import Bytes, check_pos_label, codes_of, is_count, plain_numbers, threads
from mlcore.metrics._tables import number_table

__all__ = ["calibration_curve", "expected_calibration_error"]


def calibration_curve(
    y_true: Any, y_prob: Any, *, pos_label: Any = None, n_bins: int = 5, strategy: str = "uniform"
) -> tuple[Floats, Floats]:
    """Share of positive rows beside the mean predicted probability, in bins of the probability.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels, two of them.
    y_prob : array-like of shape (n_samples,)
        Probability of the positive label, in [0, 1].
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    n_bins : int, default=5
        Bins; those without rows are left out.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of about as many rows each.

    Returns
    -------
    prob_true, prob_pred : ndarray of shape (n_bins,) or smaller
        Share of positive rows, and mean probability.

    Raises
    ------
    ValueError
        If labels are not two, or probabilities not in [0, 1].
    """
    check_pos_label("calibration_curve", pos_label)
    _check_bins("calibration_curve", n_bins, strategy)
    codes, probability = _binary("calibration_curve", y_true, y_prob, pos_label)
    bins = _bins(codes, probability, n_bins, strategy)
    return bins[:, 1] / bins[:, 2], bins[:, 0] / bins[:, 2]


def expected_calibration_error(
    y_true: Any,
    y_prob: Any,
    *,
    n_bins: int = 15,
    strategy: str = "uniform",
    norm: str = "l1",
    pos_label: Any = None,
    labels: Any = None,
) -> float:
    """How far predicted probabilities are from the shares of rows that came true.

    With a column for each class it is that of the predicted class: its probability is compared with whether it is right
    (Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017). The result grows with the
    number of bins and shrinks with that of rows: compare models on the same rows and bins.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_prob : array-like of shape (n_samples,) or (n_samples, n_classes)
        Probabilities of the positive label, or a column for each class, in [0, 1].
    n_bins : int, default=15
        Bins; those without rows count nothing.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of about as many rows each.
    norm : {"l1", "l2", "max"}, default="l1"
        Mean over rows of |a_b - c_b|, root of the mean of its square, or the largest.
    pos_label : int, float, bool or str, default=None
        The positive label of two, 1 by default where labels are 0 and 1 or -1 and 1.
    labels : array-like of shape (n_classes,), default=None
        With several columns: the class of each, sorted. By default those of `y_true`.

    Returns
    -------
    float
        In [0, 1], lower is better.

    Raises
    ------
    ValueError
        If labels and columns do not fit, or probabilities are not in [0, 1].
    """
    check_pos_label("expected_calibration_error", pos_label)
    _check_bins("expected_calibration_error", n_bins, strategy)
    if norm not in ("l1", "l2", "max"):
        raise invalid("expected_calibration_error", "norm", "'l1', 'l2' or 'max'", norm)
    require_array("expected_calibration_error", y_true=y_true, y_prob=y_prob)
    if np.ndim(y_prob) == 2 and np.shape(y_prob)[1] > 1:
        codes, probability = _top_label(y_true, y_prob, labels)
    else:
        codes, probability = _binary("expected_calibration_error", y_true, y_prob, pos_label)
    bins = _bins(codes, probability, n_bins, strategy)
    error, share = np.abs(bins[:, 1] - bins[:, 0]) / bins[:, 2], bins[:, 2] / len(codes)
    if norm == "max":
        return float(error.max())
    return float(share @ error) if norm == "l1" else float(np.sqrt(share @ error**2))


def _check_bins(function: str, n_bins: Any, strategy: Any) -> None:
    if not is_count(n_bins):
        raise invalid(function, "n_bins", "an int above 0", n_bins)
    if strategy not in ("uniform", "quantile"):
        raise invalid(function, "strategy", "'uniform' or 'quantile'", strategy)


def _binary(function: str, y_true: Any, y_prob: Any, pos_label: Any) -> tuple[Bytes, Floats]:
    require_array(function, y_true=y_true, y_prob=y_prob)
    plain = plain_numbers(y_prob)
    if plain is None or plain.ndim != 1:
        plain = column_or_1d(y_prob, input_name="y_prob")
    probability = plain.astype(np.float64, copy=False)
    labels = read_labels(y_true, "y_true")
    _check_rows(labels.codes, probability)
    if labels.kind != "binary":
        raise ValueError(f"{function} takes two labels, got {labels.classes.tolist()}")
    _check_probabilities(probability)
    return codes_of(labels, pos_label), probability


def _check_rows(codes: Any, probabilities: Any) -> None:
    if len(codes) != len(probabilities):
        raise ValueError(f"y_true and y_prob must have as many rows, got {len(codes)} and {len(probabilities)}")


def _top_label(y_true: Any, y_prob: Any, labels: Any) -> tuple[Bytes, Floats]:
    probabilities = number_table(y_prob, "y_prob")
    found = read_labels(y_true, "y_true")
    _check_rows(found.codes, probabilities)
    _, codes = known_classes(found, labels, probabilities.shape[1])
    _check_probabilities(probabilities)
    predicted = probabilities.argmax(axis=1)
    top = np.take_along_axis(probabilities, predicted[:, np.newaxis], axis=1)[:, 0]
    return (predicted == codes).view(np.uint8), top


def _check_probabilities(probability: NDArray[Any]) -> None:
    if not (probability.min() >= 0 and probability.max() <= 1):
        assert_all_finite(probability, input_name="y_prob")
        raise ValueError("y_prob must hold probabilities, in [0, 1]")


@lru_cache(maxsize=16)
def _even_edges(n_bins: int) -> Floats:
    return np.linspace(0, 1, n_bins + 1)


def _bins(codes: Bytes, probability: Floats, n_bins: int, strategy: str) -> Floats:
    """Return sum of probabilities, number of rows that came true and number of rows of each bin that has rows."""
    share = _even_edges(int(n_bins))
    edges = np.percentile(probability, share * 100) if strategy == "quantile" else share
    inner = np.ascontiguousarray(edges[1:-1])
    bins = core.metrics.probability_bins(np.ascontiguousarray(codes), probability, inner, threads(len(codes)))
    return bins[bins[:, 2] > 0]
