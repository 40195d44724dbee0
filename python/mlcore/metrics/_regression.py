"""Errors of predicted numbers, in the unit of the target or as a share of it."""

from math import isfinite, sqrt
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.metrics._inputs import invalid, is_real
from mlcore.metrics._numbers import average_outputs, checked_multioutput, mean_of, read_numbers

__all__ = [
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_pinball_loss",
    "mean_squared_error",
    "mean_squared_log_error",
    "median_absolute_error",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
]


def mean_absolute_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Mean of |y_true - y_pred|, in the unit of the target; the median of the target minimises it.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    return _mean_error("absolute", 0.0, y_true, y_pred, sample_weight, multioutput, "mean_absolute_error")


def mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Mean of (y_true - y_pred)²; the mean of the target minimises it. One row far out can decide it.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    return _mean_error("squared", 0.0, y_true, y_pred, sample_weight, multioutput, "mean_squared_error")


def root_mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Root of the mean of (y_true - y_pred)², in the unit of the target; of several outputs the mean of their roots.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    return _mean_error("squared", 0.0, y_true, y_pred, sample_weight, multioutput, "root_mean_squared_error", root=True)


def mean_absolute_percentage_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Mean of |y_true - y_pred| / max(|y_true|, eps), as a share (1 is 100 %), eps = 2.2e-16.

    A target of 0 makes it enormous, and predictions that are too low cost less than those that are too high.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    return _mean_error("percentage", 0.0, y_true, y_pred, sample_weight, multioutput, "mean_absolute_percentage_error")


def mean_squared_log_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Mean of (log(1 + y_true) - log(1 + y_pred))²: errors by factors, for targets that span powers of ten.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, a number is NaN or infinite, or -1 or less.
    """
    return _mean_error("squared_log", 0.0, y_true, y_pred, sample_weight, multioutput, "mean_squared_log_error")


def root_mean_squared_log_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Root of `mean_squared_log_error`; of several outputs the mean of their roots.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, a number is NaN or infinite, or -1 or less.
    """
    return _mean_error(
        "squared_log", 0.0, y_true, y_pred, sample_weight, multioutput, "root_mean_squared_log_error", root=True
    )


def mean_pinball_loss(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, alpha: float = 0.5, multioutput: Any = "uniform_average"
) -> Any:
    """Mean of alpha (t - p) where p is too low, (1 - alpha) (p - t) where it is too high: what a quantile minimises.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    alpha : float, default=0.5
        Level of the quantile, in [0, 1]; 0.5 is half the mean absolute error.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If `alpha` is outside of [0, 1], shapes differ, or a number is NaN or infinite.
    """
    if not is_real(alpha) or not 0 <= alpha <= 1:
        raise invalid("mean_pinball_loss", "alpha", "a float in [0, 1]", alpha)
    return _mean_error("pinball", float(alpha), y_true, y_pred, sample_weight, multioutput, "mean_pinball_loss")


def median_absolute_error(
    y_true: Any, y_pred: Any, *, multioutput: Any = "uniform_average", sample_weight: Any = None
) -> Any:
    """Median of |y_true - y_pred|: rows far out, up to half of all, do not move it.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    numbers = read_numbers(y_true, y_pred, sample_weight, "median_absolute_error")
    multioutput = checked_multioutput(multioutput, numbers.n_outputs, "median_absolute_error")
    for column in (numbers.y_true, numbers.y_pred):
        if not np.isfinite(column).all():  # a median can be finite beside them
            numbers.require_finite()
    return average_outputs(numbers.per_output(core.metrics.median_error), multioutput)


def max_error(y_true: Any, y_pred: Any) -> float:
    """Largest |y_true - y_pred|: of the worst row alone.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers.

    Returns
    -------
    float
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If shapes differ, there are several outputs, or a number is NaN or infinite.
    """
    numbers = read_numbers(y_true, y_pred, None, "max_error")
    if numbers.n_outputs > 1:
        raise ValueError("max_error takes one output, got several columns")
    return numbers.per_output(lambda t, p, _: core.metrics.largest_error(t, p))[0]


def _mean_error(
    error: str,
    parameter: float,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    multioutput: Any,
    function: str,
    *,
    root: bool = False,
) -> Any:
    """Return the mean of an error of the core, of each output or averaged."""
    numbers = read_numbers(y_true, y_pred, sample_weight, function)
    multioutput = checked_multioutput(multioutput, numbers.n_outputs, function)

    def mean(t: Any, p: Any, weight: Any) -> float:
        total, weights, lowest_true, lowest_predicted, finite = core.metrics.error_sum(error, parameter, t, p, weight)
        if error == "squared_log" and (not finite or min(lowest_true, lowest_predicted) <= -1):
            numbers.require_finite()
            lowest = min(lowest_true, lowest_predicted)
            raise ValueError(
                f"{function} takes logarithms of 1 + y: y_true and y_pred must be above -1, got {lowest:g}"
            )
        if not isfinite(total):
            numbers.require_finite()
        value = mean_of(total, weights)
        return sqrt(value) if root and value >= 0 else value

    return average_outputs(numbers.per_output(mean), multioutput)
