"""True and predicted numbers: reading them column by column, and putting several outputs together."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length

from mlcore.metrics._inputs import Floats, invalid, quick_weights, read_weights, require_array

__all__ = ["Numbers", "average_outputs", "checked_multioutput", "mean_of", "read_numbers"]

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


class Numbers:
    """True and predicted numbers of shape (n_samples,) or (n_samples, n_outputs), and weights of rows."""

    __slots__ = ("n_outputs", "n_samples", "weight", "y_pred", "y_true")

    def __init__(self, y_true: NDArray[Any], y_pred: NDArray[Any], weight: Floats | None):
        self.y_true, self.y_pred, self.weight = y_true, y_pred, weight
        self.n_samples = len(y_true)
        self.n_outputs = 1 if y_true.ndim == 1 else y_true.shape[1]

    def columns(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield the true and the predicted numbers of each output."""
        if self.y_true.ndim == 1:
            yield self.y_true, self.y_pred
        else:
            yield from zip(self.y_true.T, self.y_pred.T, strict=True)

    def require_finite(self) -> None:
        """Raise if a number is NaN or infinite: asked where a result is."""
        check_array(self.y_true, ensure_2d=False, input_name="y_true")
        check_array(self.y_pred, ensure_2d=False, input_name="y_pred")

    def per_output(self, figure: Callable[[Any, Any, Floats | None], float]) -> list[float]:
        """Return figure(true, predicted, weight) of each output; NaN and infinite input is an error."""
        figures = [figure(t, p, self.weight) for t, p in self.columns()]
        if not all(map(isfinite, figures)):
            self.require_finite()
        return figures


def read_numbers(y_true: Any, y_pred: Any, sample_weight: Any, function: str) -> Numbers:
    """Read what a metric of numbers is given.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,) or None
    function : str
        Who asks, for messages.

    Raises
    ------
    ValueError
        If lengths or numbers of outputs differ, or there are no rows. NaN is found later, by what it does to sums.
    """
    t, p = _quick_numbers(y_true), _quick_numbers(y_pred)
    if t is None or p is None or t.shape != p.shape or len(t) == 0:
        t, p = _read_any(y_true, y_pred, sample_weight, function)
    if sample_weight is None:
        return Numbers(t, p, None)
    weight = quick_weights(sample_weight)
    if not isinstance(weight, np.ndarray) or weight.shape != (len(t),):
        check_consistent_length(y_true, y_pred, sample_weight)
    return Numbers(t, p, read_weights(weight, len(t)))


def _quick_numbers(y: Any) -> NDArray[Any] | None:
    """Return plain numbers as float arrays of one dimension, or None."""
    if type(y) is not np.ndarray:
        if type(y) is not list:
            return None
        try:
            y = np.asarray(y)
        except ValueError:  # rows of unequal lengths
            return None
    if y.ndim != 1:
        return None
    array: NDArray[Any] = y
    if array.dtype in _FLOATS:
        return array
    return array.astype(np.float64) if array.dtype.kind in "iub" else None


def _read_any(y_true: Any, y_pred: Any, sample_weight: Any, function: str) -> tuple[NDArray[Any], NDArray[Any]]:
    require_array(function, y_true=y_true, y_pred=y_pred)
    check_consistent_length(y_true, y_pred, sample_weight)
    t, p = (
        check_array(y, ensure_2d=False, dtype=[np.float64, np.float32], input_name=name)
        for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))
    )
    t, p = (y.reshape(-1, 1) if y.ndim == 1 else y for y in (t, p))
    if t.shape[1] != p.shape[1]:
        raise ValueError(f"y_true has {t.shape[1]} outputs (columns), y_pred {p.shape[1]}")
    return t, p


def checked_multioutput(multioutput: Any, n_outputs: int, function: str, *, variance: bool = False) -> Any:
    """Return `multioutput` if it says how n_outputs outputs are put together: a word, or one weight an output.

    Raises
    ------
    ValueError
        If it does not.
    """
    if isinstance(multioutput, str):
        if multioutput in ("raw_values", "uniform_average") or (variance and multioutput == "variance_weighted"):
            return multioutput
        words = "'raw_values', 'uniform_average'" + ", 'variance_weighted'" * variance
        raise invalid(function, "multioutput", f"one of {words} or an array-like", multioutput)
    if multioutput is None and variance:
        return "uniform_average"
    require_array(function, multioutput=multioutput)
    weights = check_array(multioutput, ensure_2d=False)
    if n_outputs == 1:
        raise ValueError("multioutput weighs several outputs, and there is one: leave the weights out")
    if len(weights) != n_outputs:
        raise ValueError(f"multioutput must hold one weight for each of the {n_outputs} outputs, got {len(weights)}")
    return weights


def average_outputs(figures: list[float], multioutput: Any) -> Any:
    """Put the figures of outputs together: a float, or an array for "raw_values"."""
    if isinstance(multioutput, str):
        if multioutput == "raw_values":
            return np.array(figures)
        return figures[0] if len(figures) == 1 else float(np.mean(figures))
    return float(np.average(figures, weights=multioutput))


def mean_of(total: float, weight: float) -> float:
    """Return total / weight; weights that add up to zero have no mean."""
    if weight == 0:
        raise ZeroDivisionError("the weights sum to 0: there is no mean")
    return total / weight
