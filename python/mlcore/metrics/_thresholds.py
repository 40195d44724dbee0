"""Every metric of a binary decision at every threshold, and the best threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.metrics import _rates
from mlcore.metrics._inputs import Floats, invalid, is_real
from mlcore.metrics._scores import check_pos_label, from_core

__all__ = ["BestThreshold", "ThresholdCurve", "threshold_curve"]

COUNTS = ("tp", "fp", "tn", "fn")


class BestThreshold(NamedTuple):
    """What :meth:`ThresholdCurve.best` has found."""

    threshold: float
    """Rows with this score or a higher one are positive; infinity: none is."""
    value: float
    """The metric there."""
    place: int
    """Where it is in the arrays of the curve."""


@dataclass(frozen=True)
class ThresholdCurve:
    """Counts and metrics at every threshold, arrays of shape (n_thresholds,). Made by :func:`threshold_curve`.

    Ratios whose denominator is 0 are 0.
    """

    thresholds: Floats
    """Descending: infinity, then the distinct scores. Rows with a score of at least that are positive."""
    tp: Floats
    fp: Floats
    tn: Floats
    fn: Floats
    costs: Mapping[str, float] | None = None
    """Cost of a row of each of the four kinds, as given."""

    @cached_property
    def precision(self) -> Floats:
        """Tp / (tp + fp)."""
        return self._of("precision")

    @cached_property
    def recall(self) -> Floats:
        """Tp / (tp + fn), the rate of true positives."""
        return self._of("recall")

    @cached_property
    def fpr(self) -> Floats:
        """Fp / (fp + tn), the rate of false positives."""
        fpr: Floats = _rates.rate(self.fp, self.fp + self.tn)
        return fpr

    @cached_property
    def specificity(self) -> Floats:
        """Tn / (fp + tn)."""
        return self._of("specificity")

    @cached_property
    def accuracy(self) -> Floats:
        """(tp + tn) / all."""
        return self._of("accuracy")

    @cached_property
    def balanced_accuracy(self) -> Floats:
        """Mean of recall and specificity."""
        return self._of("balanced_accuracy")

    @cached_property
    def f1(self) -> Floats:
        """2 tp / (2 tp + fp + fn)."""
        return self._of("f1")

    @cached_property
    def matthews(self) -> Floats:
        """Matthews correlation coefficient."""
        return self._of("matthews")

    @cached_property
    def youden_j(self) -> Floats:
        """Recall + specificity - 1; its largest value is the KS statistic."""
        return self._of("youden_j")

    @cached_property
    def cost(self) -> Floats:
        """Sum over rows of the costs given to :func:`threshold_curve`."""
        if self.costs is None:
            raise ValueError("the curve has no costs: give costs= to threshold_curve, or cost= to best")
        return self._cost(self.costs)

    def fbeta(self, beta: float) -> Floats:
        """Return F-beta: recall counts beta times as much as precision."""
        if not (is_real(beta) and beta > 0):
            raise invalid("ThresholdCurve.fbeta", "beta", "a float above 0", beta)
        scores: Floats = _rates.f_beta(self._counts, float(beta))
        return scores

    def best(
        self, metric: str | None = None, *, beta: float | None = None, cost: Mapping[str, float] | None = None
    ) -> BestThreshold:
        """Return the threshold at which a metric is best, the highest of several.

        Parameters
        ----------
        metric : str, default=None
            "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "fbeta", "matthews",
            "youden_j", of which the largest is best, or "cost", of which the smallest is. "cost" by default.
        beta : float, default=None
            Of "fbeta".
        cost : mapping, default=None
            Costs as of :func:`threshold_curve`, instead of those given to it.

        Returns
        -------
        BestThreshold
            `threshold`, `value` and `place`.

        Raises
        ------
        ValueError
            If the metric is none of these, or lacks its `beta` or costs.
        """
        if metric not in (None, "cost", "fbeta", *_rates.METRICS) or (
            metric not in (None, "cost") and cost is not None
        ):
            raise invalid(
                "ThresholdCurve.best", "metric", f"'cost', 'fbeta' or one of {sorted(_rates.METRICS)}", metric
            )
        if (metric == "fbeta") != (beta is not None):
            raise ValueError("beta goes with the metric 'fbeta', and 'fbeta' needs it")
        if metric is None or metric == "cost":
            values = self.cost if cost is None else self._cost(_checked_costs("ThresholdCurve.best", "cost", cost))
            index = int(np.argmin(values))
        else:
            values = self._of(metric) if beta is None else self.fbeta(beta)
            index = int(np.argmax(values))
        return BestThreshold(float(self.thresholds[index]), float(values[index]), index)

    @property
    def _counts(self) -> _rates.Counts:
        return _rates.Counts(self.tn, self.fp, self.fn, self.tp)

    def _of(self, metric: str) -> Floats:
        values: Floats = _rates.METRICS[metric](self._counts)
        return values

    def _cost(self, costs: Mapping[str, float]) -> Floats:
        total: Floats = np.zeros(len(self.thresholds))
        for name, cost in costs.items():
            total += cost * getattr(self, name)
        return total


def threshold_curve(
    y_true: Any,
    y_score: Any,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    costs: Mapping[str, float] | None = None,
) -> ThresholdCurve:
    """Every metric of a binary decision at every threshold, from one sort of the scores.

    A threshold that was chosen on rows is too good on these rows: choose it on rows set aside.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: two, or more where `pos_label` is given.
    y_score : array-like of shape (n_samples,)
        The higher, the more positive a row is held to be. Any finite numbers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows; rows of weight 0 are left out.
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    costs : mapping, default=None
        Cost of a row by what becomes of it: keys "tp", "fp", "tn", "fn", 0 where left out.

    Returns
    -------
    ThresholdCurve
        Arrays of thresholds, counts and metrics, and `best`.

    Raises
    ------
    ValueError
        If labels are not two, scores not finite numbers, lengths differ, or costs are no such numbers.

    Examples
    --------
    >>> from mlcore.metrics import threshold_curve
    >>> curve = threshold_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.best("f1").threshold
    0.35
    >>> curve.best(cost={"fp": 5, "fn": 1})
    BestThreshold(threshold=0.8, value=1.0, place=1)
    """
    check_pos_label("threshold_curve", pos_label)
    checked = None if costs is None else _checked_costs("threshold_curve", "costs", costs)
    (tn, fp, fn, tp, thresholds), scores = from_core(
        core.metrics.counts_at_thresholds, "threshold_curve", y_true, y_score, sample_weight, pos_label
    )
    if scores is not None:
        thresholds = scores.thresholds(thresholds, np.float64)
    positive, negative = tp[-1], fp[-1]

    def with_first(first: float, values: NDArray[Any]) -> Floats:
        return np.concatenate(([first], values))

    return ThresholdCurve(
        with_first(np.inf, thresholds),
        tp=with_first(0.0, tp),
        fp=with_first(0.0, fp),
        tn=with_first(negative, tn),
        fn=with_first(positive, fn),
        costs=checked,
    )


def _checked_costs(function: str, name: str, costs: Any) -> Mapping[str, float]:
    if not isinstance(costs, Mapping) or not costs or not set(costs) <= set(COUNTS):
        raise invalid(function, name, f"a mapping from {', '.join(COUNTS)} to costs", costs)
    for cost in costs.values():
        if not is_real(cost) or not np.isfinite(cost):
            raise invalid(function, name, "a mapping to finite numbers", costs)
    return {key: float(cost) for key, cost in costs.items()}
