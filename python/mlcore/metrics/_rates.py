"""Metrics of a binary decision as functions of its four counts, which may be arrays: numbers of rows or their weights.

A ratio whose denominator is 0 is 0.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mlcore.metrics._inputs import Floats

__all__ = ["METRICS", "Counts", "f_beta", "rate"]


class Counts(NamedTuple):
    """The four counts, arrays of one shape."""

    tn: Floats
    fp: Floats
    fn: Floats
    tp: Floats


def rate(part: Any, whole: Any) -> Any:
    """Return part / whole, 0 where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)


def precision(c: Counts) -> Any:
    """Return tp / (tp + fp)."""
    return rate(c.tp, c.tp + c.fp)


def recall(c: Counts) -> Any:
    """Return tp / (tp + fn)."""
    return rate(c.tp, c.tp + c.fn)


def specificity(c: Counts) -> Any:
    """Return tn / (tn + fp)."""
    return rate(c.tn, c.tn + c.fp)


def accuracy(c: Counts) -> Any:
    """Return (tp + tn) / all."""
    return rate(c.tp + c.tn, c.tp + c.tn + c.fp + c.fn)


def balanced_accuracy(c: Counts) -> Any:
    """Return the mean of recall and specificity."""
    return (recall(c) + specificity(c)) / 2


def youden_j(c: Counts) -> Any:
    """Return recall + specificity - 1."""
    return recall(c) + specificity(c) - 1


def f_beta(c: Counts, beta: float = 1.0) -> Any:
    """Return (1 + beta^2) tp / ((1 + beta^2) tp + beta^2 fn + fp)."""
    square = beta * beta
    return rate((1 + square) * c.tp, (1 + square) * c.tp + square * c.fn + c.fp)


def matthews(c: Counts) -> Any:
    """Return (tp tn - fp fn) / sqrt((tp + fp) (tp + fn) (tn + fp) (tn + fn))."""
    whole = np.sqrt(c.tp + c.fp) * np.sqrt(c.tp + c.fn) * np.sqrt(c.tn + c.fp) * np.sqrt(c.tn + c.fn)
    return rate(c.tp * c.tn - c.fp * c.fn, whole)


METRICS: dict[str, Callable[[Counts], Any]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
    "f1": f_beta,
    "matthews": matthews,
    "youden_j": youden_j,
}
"""By name; the higher the better."""
