"""How sure a metric is: its distribution over resamples of the rows, by the bootstrap.

A resample draws n rows of n with replacement, each with all that belongs to it (Efron and Tibshirani, "An introduction
to the bootstrap", 1993). It is told by how often each row was drawn. For metrics of scores the rows are sorted once,
and a resample is one pass over these counts; for metrics of labels see `_bootstrap_labels.py`; a metric of one's own is
called on the rows themselves.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import assert_all_finite, check_consistent_length

from mlcore._base import seed_from
from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics import _rates
from mlcore.metrics._bootstrap_labels import are_predictions, named_score, resample_labels
from mlcore.metrics._calibration import _check_probabilities
from mlcore.metrics._inputs import Floats, invalid, is_real, require_array
from mlcore.metrics._scorers import scores as all_scores
from mlcore.metrics._scores import (
    Bytes,
    Scores,
    binary_codes,
    check_flag,
    check_pos_label,
    is_count,
    read_scores,
    row_weights,
)

__all__ = ["BootstrapInterval", "bootstrap"]

OF_SCORES = ("roc_auc", "average_precision", "ks")
OF_PROBABILITIES = ("brier", "log_loss")
METHODS = ("percentile", "basic", "normal")


@dataclass(frozen=True)
class BootstrapInterval:
    """A metric, and how far it may be off. Made by :func:`bootstrap`."""

    value: float
    """The metric of the rows as they are."""
    low: float
    high: float
    """Ends of the confidence interval."""
    standard_error: float
    """Standard deviation of `samples`."""
    samples: Floats = field(repr=False)
    """The metric of each resample, of shape (n_resamples,); NaN where it is undefined."""
    n_undefined: int
    """Resamples without a value (one class alone); they are left out of the interval and the standard error."""
    confidence_level: float
    method: str

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high


def bootstrap(
    metric: str | Callable[..., float],
    y_true: Any,
    y_score: Any,
    *,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    sample_weight: Any = None,
    random_state: Any = None,
    stratified: bool = False,
    method: str = "percentile",
    pos_label: Any = None,
    threshold: float = 0.5,
) -> BootstrapInterval:
    """Confidence interval of a metric by resampling rows.

    It tells how much the metric would vary with other rows of the same kind, not with another training of the model.
    Rows must be independent: of several rows a patient it makes too much.

    Parameters
    ----------
    metric : str or callable
        "roc_auc", "average_precision", "ks"; "brier", "log_loss" of probabilities; "accuracy", "balanced_accuracy",
        "precision", "recall", "specificity", "f1", "matthews", "youden_j" of the decision `y_score` >= `threshold`.
        Of predictions in the place of scores: all that `scoring` calls by name and that takes predictions, such as
        "accuracy", "balanced_accuracy", "matthews_corrcoef", "f1_macro", "recall_weighted" of any number of labels,
        "r2" or "neg_mean_absolute_error" of numbers. Or a function (y_true, y_score) -> float, which also gets
        `sample_weight` if that is given. Functions and metrics of numbers are called on each resample and take their
        time; metrics of labels take some microseconds a resample, however many rows there are.
    y_true : array-like of shape (n_samples,)
        Labels, of two classes for metrics of scores; numbers; for a function, anything with a row for each sample.
    y_score : array-like of shape (n_samples,)
        Scores, probabilities or predictions. For "accuracy", "balanced_accuracy", "precision", "recall" and "f1" it
        holds predicted labels where it holds strings, or where `y_true` has other numbers than 0 and 1 or -1 and 1, and
        `pos_label` is None or all of `y_score` are among these numbers.
    n_resamples : int, default=1000
        Resamples. The ends of an interval need some 1000 or more.
    confidence_level : float, default=0.95
        Probability that the interval holds the true value, in (0, 1).
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows. A row is drawn as often as any other and counts by its weight.
    random_state : int, RandomState or None, default=None
        Seed. Results are the same for any number of threads.
    stratified : bool, default=False
        Draw as many rows of each class as there are, so that no resample lacks one. Two classes at most, but for
        predicted labels.
    method : {"percentile", "basic", "normal"}, default="percentile"
        Quantiles of the resamples; these reflected at the value; or the value plus and minus standard errors.
    pos_label : int, float, bool or str, default=None
        The positive label, 1 by default where labels are 0 and 1 or -1 and 1.
    threshold : float, default=0.5
        Where the decision is positive.

    Returns
    -------
    BootstrapInterval
        `value`, `low`, `high` (`interval`), `standard_error`, `samples`, `n_undefined`.

    Warns
    -----
    UndefinedMetricWarning
        If some resamples have no value.

    Raises
    ------
    ValueError
        If the metric is none of these, or the arguments are not what it takes.

    Examples
    --------
    >>> from mlcore.metrics import bootstrap
    >>> result = bootstrap("roc_auc", [0, 0, 1, 1] * 50, [0.1, 0.4, 0.35, 0.8] * 50, random_state=0)
    >>> result.value
    0.75
    >>> result.low < result.value < result.high
    True
    >>> round(bootstrap("f1_macro", ["a", "b", "c"] * 50, ["a", "c", "c"] * 50, random_state=0).value, 3)
    0.556
    """
    _check_options(metric, n_resamples, confidence_level, stratified, method, threshold)
    check_pos_label("bootstrap", pos_label)
    require_array("bootstrap", y_true=y_true, y_score=y_score)
    seed, stratified = seed_from(random_state), bool(stratified)
    if callable(metric):
        value, samples = _of_function(metric, y_true, y_score, sample_weight, n_resamples, seed, stratified)
        return _result(value, samples, confidence_level, method)
    if metric not in (*OF_SCORES, *OF_PROBABILITIES) and are_predictions(metric, y_true, y_score, pos_label):
        arguments = (y_true, y_score, sample_weight, n_resamples, seed, stratified)
        return _result(*_of_predictions(metric, *arguments, pos_label), confidence_level, method)
    codes, scores = binary_codes(y_true, pos_label), read_scores(y_score)
    check_consistent_length(codes, scores.values, sample_weight)
    weight = row_weights(sample_weight, len(codes))
    if weight is not None and (weight < 0).any():
        raise ValueError("sample_weight of bootstrap must not be negative")
    if metric in OF_SCORES:
        value, samples = _of_scores(metric, codes, scores, weight, n_resamples, seed, stratified)
    else:
        if weight is not None:  # a row without weight is no row
            kept = weight > 0
            codes, scores, weight = codes[kept], scores._replace(values=scores.values[kept]), weight[kept]
        numbers = scores.values if scores.table is None else scores.table[scores.values.astype(np.int64)]
        numbers = numbers.astype(np.float64)
        assert_all_finite(numbers, input_name="y_score")
        if metric in OF_PROBABILITIES:
            value, samples = _of_losses(metric, codes, numbers, weight, n_resamples, seed, stratified)
        else:
            positive = numbers >= threshold
            value, samples = _of_decisions(metric, codes, positive, weight, n_resamples, seed, stratified)
    return _result(value, samples, confidence_level, method)


def _check_options(
    metric: Any, n_resamples: Any, confidence_level: Any, stratified: Any, method: Any, threshold: Any
) -> None:
    names = (*OF_SCORES, *OF_PROBABILITIES, *_rates.METRICS)
    if not callable(metric) and metric not in names and named_score(metric) is None:
        names = tuple(dict.fromkeys((*names, *filter(named_score, all_scores()))))
        raise invalid("bootstrap", "metric", f"a callable or one of {', '.join(names)}", metric)
    if not is_count(n_resamples) or n_resamples < 2:
        raise invalid("bootstrap", "n_resamples", "an int above 1", n_resamples)
    if not (is_real(confidence_level) and 0 < confidence_level < 1):
        raise invalid("bootstrap", "confidence_level", "a float in (0, 1)", confidence_level)
    check_flag("bootstrap", "stratified", stratified)
    if method not in METHODS:
        raise invalid("bootstrap", "method", f"one of {', '.join(METHODS)}", method)
    if not is_real(threshold):
        raise invalid("bootstrap", "threshold", "a float", threshold)


def _of_scores(
    metric: str, codes: Bytes, scores: Scores, weight: Floats | None, n: int, seed: int, stratified: bool
) -> tuple[float, Floats]:
    call = getattr(core.metrics, {"ks": "ks_statistic"}.get(metric, metric))
    options = (1.0,) if metric == "roc_auc" else ()
    n_threads = core.available_cpus()
    while True:
        samples = core.metrics.bootstrap_scores(metric, codes, scores.values, weight, n, stratified, seed, n_threads)
        if samples is not None:
            break
        scores = scores.as_ranks()
    value, positive, _, _ = call(codes, scores.values, weight, None, *options, n_threads)
    return (float(value) if positive > 0 else float("nan")), samples


def _of_losses(
    metric: str, codes: Bytes, probability: Floats, weight: Floats | None, n: int, seed: int, stratified: bool
) -> tuple[float, Floats]:
    _check_probabilities(probability)
    if metric == "brier":
        losses = (probability - codes) ** 2
    else:
        eps = np.finfo(np.float64).eps
        clipped = np.clip(probability, eps, 1 - eps)
        losses = -np.log(np.where(codes == 1, clipped, 1 - clipped))
    samples = core.metrics.bootstrap_means(
        losses, weight, codes if stratified else None, n, seed, core.available_cpus()
    )
    return float(np.average(losses, weights=weight)), samples


def _of_decisions(
    metric: str, codes: Bytes, positive: NDArray[np.bool_], weight: Floats | None, n: int, seed: int, stratified: bool
) -> tuple[float, Floats]:
    cells = 2 * codes + positive.view(np.uint8)  # tn, fp, fn, tp
    sums = core.metrics.bootstrap_cells(cells, 4, weight, codes if stratified else None, n, seed, core.available_cpus())
    own = np.bincount(cells, weights=weight, minlength=4).astype(np.float64)
    samples, value = _rates.METRICS[metric](_rates.Counts(*sums.T)), float(_rates.METRICS[metric](_rates.Counts(*own)))
    if metric in ("balanced_accuracy", "youden_j", "recall"):
        samples[sums[:, 2] + sums[:, 3] == 0] = np.nan
    if metric in ("balanced_accuracy", "youden_j", "specificity"):
        samples[sums[:, 0] + sums[:, 1] == 0] = np.nan
    return value, samples


def _of_predictions(
    metric: str, y_true: Any, y_pred: Any, sample_weight: Any, n: int, seed: int, stratified: bool, pos_label: Any
) -> tuple[float, Floats]:
    score = named_score(metric)
    assert score is not None  # the name was looked up
    if score.is_of_numbers or np.ndim(y_true) > 1:  # rows that are all different, or have several labels
        sign = 1 if score.greater_is_better else -1

        def measure(*columns: Any, **weights: Any) -> float:
            return sign * float(score.metric(*columns, **weights, **score.arguments))

        return _of_function(measure, y_true, y_pred, sample_weight, n, seed, stratified)
    check_consistent_length(y_true, y_pred, sample_weight)
    weight = row_weights(sample_weight, len(y_true))
    if weight is not None:
        if (weight < 0).any():
            raise ValueError("sample_weight of bootstrap must not be negative")
        kept = weight > 0
        y_true, y_pred, weight = np.asarray(y_true)[kept], np.asarray(y_pred)[kept], weight[kept]
    return resample_labels(score, y_true, y_pred, weight, n, seed, stratified, pos_label)


def _of_function(
    metric: Callable[..., float], y_true: Any, y_score: Any, sample_weight: Any, n: int, seed: int, stratified: bool
) -> tuple[float, Floats]:
    y_true, y_score = np.asarray(y_true), np.asarray(y_score)
    check_consistent_length(y_true, y_score, sample_weight)
    n_rows = len(y_true)
    if n_rows == 0:
        raise ValueError("bootstrap needs at least one row, got none")
    weight = None if sample_weight is None else np.asarray(sample_weight)
    strata: Bytes | None = None
    if stratified:
        labels, codes = np.unique(y_true, return_inverse=True)
        if y_true.ndim != 1 or len(labels) > 2:
            raise ValueError("stratified resamples need a column of two labels")
        strata = codes.reshape(-1).astype(np.uint8)

    def measure(rows: Any) -> float:
        if weight is None:
            return float(metric(y_true[rows], y_score[rows]))
        return float(metric(y_true[rows], y_score[rows], sample_weight=weight[rows]))

    value = measure(slice(None))
    samples, numbers = np.empty(n), np.arange(n_rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # told once, for all resamples
        for i in range(n):
            samples[i] = measure(np.repeat(numbers, core.metrics.bootstrap_counts(n_rows, strata, i, seed)))
    return value, samples


def _result(value: float, samples: Floats, confidence_level: float, method: str) -> BootstrapInterval:
    defined = samples[~np.isnan(samples)]
    n_undefined = len(samples) - len(defined)
    if n_undefined:
        warn(
            f"{n_undefined} of {len(samples)} resamples have no value (one class alone) and are left out; "
            "stratified=True draws both classes",
            UndefinedMetricWarning,
        )
    error = float(np.std(defined, ddof=1)) if len(defined) > 1 else float("nan")
    tail = (1 - float(confidence_level)) / 2
    low = high = float("nan")
    if method == "normal":
        reach = NormalDist().inv_cdf(1 - tail) * error
        low, high = value - reach, value + reach
    elif len(defined):
        low, high = (float(q) for q in np.quantile(defined, [tail, 1 - tail]))
        if method == "basic":
            low, high = 2 * value - high, 2 * value - low
    return BootstrapInterval(value, low, high, error, samples, n_undefined, float(confidence_level), method)
