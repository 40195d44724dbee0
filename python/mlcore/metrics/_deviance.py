"""Deviances of the Tweedie family, and shares of a deviance that predictions explain: R², D²."""

from math import inf, nan
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._inputs import invalid, is_real
from mlcore.metrics._numbers import Numbers, average_outputs, checked_multioutput, mean_of, read_numbers

__all__ = [
    "d2_absolute_error_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "explained_variance_score",
    "mean_gamma_deviance",
    "mean_poisson_deviance",
    "mean_tweedie_deviance",
    "r2_score",
]


def r2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
) -> Any:
    """Share of the variance that predictions explain, R²: 1 - sum w (t - p)² / sum w (t - mean t)².

    It compares with the mean of these very rows; few rows, or rows alike, make it jump.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values", "variance_weighted"} or array-like of shape (n_outputs,), \
default="uniform_average"
        How several outputs are put together: their mean, an array, the mean weighted by the variance of each, or with
        these weights.
    force_finite : bool, default=True
        For a constant target: 1 if all predictions are right, else 0; False: NaN and -inf.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At most 1; 0 is as good as the mean. NaN, with a warning, for less than two rows.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    numbers = read_numbers(y_true, y_pred, sample_weight, "r2_score")
    multioutput = checked_multioutput(multioutput, numbers.n_outputs, "r2_score", variance=True)
    if numbers.n_samples < 2:
        return _too_few("R^2")
    sums = [_variance_sums(t, p, numbers) for t, p in numbers.columns()]
    return _explained([(squared, total) for squared, total, _ in sums], multioutput, force_finite)


def explained_variance_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
) -> Any:
    """Share of the variance that predictions explain but for a constant: 1 - var(t - p) / var(t).

    Unlike R² it does not see that predictions are too high or too low by the same amount.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    multioutput : {"uniform_average", "raw_values", "variance_weighted"} or array-like of shape (n_outputs,), \
default="uniform_average"
        How several outputs are put together: their mean, an array, the mean weighted by the variance of each, or with
        these weights.
    force_finite : bool, default=True
        For a constant target: 1 if predictions are off by a constant, else 0; False: NaN and -inf.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At most 1.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    numbers = read_numbers(y_true, y_pred, sample_weight, "explained_variance_score")
    multioutput = checked_multioutput(multioutput, numbers.n_outputs, "explained_variance_score", variance=True)
    sums = [_variance_sums(t, p, numbers) for t, p in numbers.columns()]
    return _explained([(unexplained, total) for _, total, unexplained in sums], multioutput, force_finite)


def mean_tweedie_deviance(y_true: Any, y_pred: Any, *, sample_weight: Any = None, power: float = 0) -> float:
    """Mean unit deviance of a Tweedie distribution, whose variance grows like mean ** power.

    0 is the squared error, 1 the Poisson, 2 the Gamma, 3 the inverse Gaussian deviance. For other powers
    2 (max(t, 0)^(2 - power) / ((1 - power) (2 - power)) - t p^(1 - power) / (1 - power) + p^(2 - power) / (2 - power)).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers; what signs they may have depends on `power`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    power : float, default=0
        At most 0, or at least 1.

    Returns
    -------
    float
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If `power` is in (0, 1), a number has a sign that the distribution has not, shapes differ, there are several
        outputs, or a number is NaN or infinite.
    """
    numbers = _single(y_true, y_pred, sample_weight, power, "mean_tweedie_deviance")
    return _tweedie(numbers, power)


def mean_poisson_deviance(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Mean of 2 (t log(t / p) - t + p), the deviance of counts.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True numbers, at least 0, and predicted ones, above 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If a number is out of range, NaN or infinite, shapes differ, or there are several outputs.
    """
    return _tweedie(_single(y_true, y_pred, sample_weight, 1, "mean_poisson_deviance"), 1)


def mean_gamma_deviance(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Mean of 2 (log(p / t) + t / p - 1): errors by factors.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers above 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        At least 0, lower is better.

    Raises
    ------
    ValueError
        If a number is not above 0, NaN or infinite, shapes differ, or there are several outputs.
    """
    return _tweedie(_single(y_true, y_pred, sample_weight, 2, "mean_gamma_deviance"), 2)


def d2_tweedie_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None, power: float = 0) -> float:
    """Share of the Tweedie deviance that predictions explain: 1 - D(t, p) / D(t, mean t). Power 0 is R².

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers; what signs they may have depends on `power`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    power : float, default=0
        At most 0, or at least 1; see `mean_tweedie_deviance`.

    Returns
    -------
    float
        At most 1; 0 is as good as the mean. NaN, with a warning, for less than two rows.

    Raises
    ------
    ValueError
        As `mean_tweedie_deviance`.
    ZeroDivisionError
        If the target is constant.
    """
    numbers = _single(y_true, y_pred, sample_weight, power, "d2_tweedie_score")
    if numbers.n_samples < 2:
        return _too_few("D^2")
    deviance = _tweedie(numbers, power)
    t, _ = next(numbers.columns())
    weights, _, _, _, mean = core.metrics.variance_sums(t, t, numbers.weight)
    total, *_ = core.metrics.error_sum("tweedie", float(power), t, mean, numbers.weight)
    return 1 - deviance / mean_of(total, weights)


def d2_pinball_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, alpha: float = 0.5, multioutput: Any = "uniform_average"
) -> Any:
    """Share of the pinball loss that predictions explain: 1 - loss(t, p) / loss(t, quantile of t).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
        True and predicted numbers; integers and float32 are summed in float64.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    alpha : float, default=0.5
        Level of the quantile, in [0, 1].
    multioutput : {"uniform_average", "raw_values"} or array-like of shape (n_outputs,), default="uniform_average"
        How several outputs are put together: their mean, an array, or the mean with these weights.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        At most 1; 0 is as good as the quantile. NaN, with a warning, for less than two rows.

    Raises
    ------
    ValueError
        If `alpha` is outside of [0, 1], shapes differ, or a number is NaN or infinite.
    """
    if not is_real(alpha) or not 0 <= alpha <= 1:
        raise invalid("d2_pinball_score", "alpha", "a float in [0, 1]", alpha)
    return _d2_pinball(y_true, y_pred, sample_weight, float(alpha), multioutput, "d2_pinball_score")


def d2_absolute_error_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Share of the absolute error that predictions explain: 1 - sum |t - p| / sum |t - median t|.

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
        At most 1; 0 is as good as the median. NaN, with a warning, for less than two rows.

    Raises
    ------
    ValueError
        If shapes differ, or a number is NaN or infinite.
    """
    return _d2_pinball(y_true, y_pred, sample_weight, 0.5, multioutput, "d2_absolute_error_score")


def _too_few(name: str) -> float:
    warn(f"{name} is undefined for fewer than two rows", UndefinedMetricWarning)
    return nan


def _variance_sums(t: Any, p: Any, numbers: Numbers) -> tuple[float, float, float]:
    """Return sums of squares: of t - p, of t from its mean, of t - p from its mean."""
    weights, squared, total, unexplained, _ = core.metrics.variance_sums(t, p, numbers.weight)
    mean_of(total, weights)
    if not np.isfinite(squared + total + unexplained):
        numbers.require_finite()
    return squared, total, unexplained


def _explained(parts: list[tuple[float, float]], multioutput: Any, force_finite: bool) -> Any:
    """Return 1 - numerator / denominator of each output, put together."""
    scores = []
    for numerator, denominator in parts:
        if denominator != 0:
            scores.append(1 - numerator / denominator)
        elif force_finite:
            scores.append(1.0 if numerator == 0 else 0.0)
        else:
            scores.append(nan if numerator == 0 else -inf)
    if isinstance(multioutput, str) and multioutput == "variance_weighted":
        weights = [denominator for _, denominator in parts]
        multioutput = weights if any(weights) else "uniform_average"
    return average_outputs(scores, multioutput)


def _single(y_true: Any, y_pred: Any, sample_weight: Any, power: Any, function: str) -> Numbers:
    """Read numbers of one output, and check the power."""
    if not is_real(power) or not (-inf < power <= 0 or 1 <= power < inf):
        raise invalid(function, "power", "a float in (-inf, 0] or [1, inf)", power)
    numbers = read_numbers(y_true, y_pred, sample_weight, function)
    if numbers.n_outputs > 1:
        raise ValueError(f"{function} takes one output, got several columns")
    return numbers


def _tweedie(numbers: Numbers, power: float) -> float:
    t, p = next(numbers.columns())
    total, weights, lowest_true, lowest_predicted, finite = core.metrics.error_sum(
        "tweedie", float(power), t, p, numbers.weight
    )
    if not finite:
        numbers.require_finite()
    message = f"the Tweedie deviance of power {power:g} needs "
    if power < 0 and lowest_predicted <= 0:
        raise ValueError(message + f"y_pred above 0, got {lowest_predicted:g}")
    if 1 <= power < 2 and (lowest_true < 0 or lowest_predicted <= 0):
        raise ValueError(
            message + f"y_true of at least 0 and y_pred above 0, got {lowest_true:g} and {lowest_predicted:g}"
        )
    if power >= 2 and (lowest_true <= 0 or lowest_predicted <= 0):
        raise ValueError(message + f"y_true and y_pred above 0, got {lowest_true:g} and {lowest_predicted:g}")
    return mean_of(total, weights)


def _d2_pinball(y_true: Any, y_pred: Any, sample_weight: Any, alpha: float, multioutput: Any, function: str) -> Any:
    numbers = read_numbers(y_true, y_pred, sample_weight, function)
    multioutput = checked_multioutput(multioutput, numbers.n_outputs, function)
    if numbers.n_samples < 2:
        return _too_few("D^2")

    def parts(t: Any, p: Any) -> tuple[float, float]:
        loss, weights, *_ = core.metrics.error_sum("pinball", alpha, t, p, numbers.weight)
        if not np.isfinite(loss):
            numbers.require_finite()
        quantile = core.metrics.quantile(t, numbers.weight, alpha * 100 / 100)
        of_quantile, *_ = core.metrics.error_sum("pinball", alpha, t, quantile, numbers.weight)
        return mean_of(loss, weights), mean_of(of_quantile, weights)

    return _explained([parts(t, p) for t, p in numbers.columns()], multioutput, force_finite=True)
