"""Inputs and targets of the estimators in units of their own: what a network sees depends on no unit.

A network starts with weights of one size and moves them by steps of one size, so that columns and targets must be about
as large as these. All sums and differences here are in float64, before anything is float32: a column far from zero (a
date in seconds) keeps its differences.

- An input is centred at the median of its column and divided by 1.48 times the median distance from there, of the
  entries that are not the median itself (1.48 makes it the standard deviation of a normal distribution). Neither cares
  for a heavy tail, and a column that is mostly zeros has a width. Then it is bent, ``2 arsinh(u / 2)``: a line within
  two widths, a logarithm in the tail, with an end, so that no input is huge. Last the mean is taken off.
- A target of a squared error is centred at its mean and divided by its standard deviation, where the best constant
  prediction is 0 and its loss is 1; that of an absolute error or Huber's at its median and by the width above.

Weights are those of rows: a row of weight 2 is the same as two rows. A column that is constant, or varies by no more
than the rounding of its own numbers, gives 0 for whatever comes later: nothing was learned of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = 1.482602218505602  # standard deviation of a normal distribution over its median distance from the middle
_FAR = 3e3  # in units of two widths: where the bend ends, at 17.4
_FAR_TARGET = 1e6  # in widths: farther away, absolute errors and Huber's pull no more anyway
_ROUNDING = 4  # in units of the last place: what a constant that was computed may vary by
_BLOCK = 1 << 21  # entries that are sorted at once: 16 MB
_IN_CACHE = 1 << 15  # entries that are transformed at once
_HALF = 0.5 - 1e-9  # weights are sums: what is half but for rounding counts as half


@dataclass
class Columns:
    """Statistics of the columns of X, or of channels: see :meth:`fit`."""

    center: Floats
    width: Floats  # 0: constant
    offset: Floats

    @classmethod
    def fit(cls, X: NDArray[Any], weight: Floats | None = None) -> "Columns":
        """Measure the columns of `X`.

        Parameters
        ----------
        X : array (n_samples, ...)
            Floats without NaN.
        weight : array (n_samples,) or None, default=None
            Weights > 0 of the rows.
        """
        shape = _shape_of_columns(X)
        center, width, offset = (np.empty(int(np.prod(shape))) for _ in range(3))
        with np.errstate(over="ignore", under="ignore"):
            for block, values, weights in _blocks(X, weight):
                center[block], width[block] = _middle_and_width(values, weights, X.dtype)
                bent = _bent(values, center[block, None], width[block, None])
                offset[block] = np.average(bent.astype(np.float64), axis=1, weights=weights)
        return cls(*(part.reshape(shape) for part in (center, width, offset)))

    def extend(self, X: NDArray[Any], weight: Floats | None = None) -> None:
        """Measure the columns that have been constant so far, if they vary now; their old value still gives 0."""
        center, width = self.center.reshape(-1), self.width.reshape(-1)
        for block, values, weights in _blocks(X, weight):
            still = np.flatnonzero(width[block] == 0)
            if len(still):
                places = still + block.start
                width[places] = _widths(values[still], center[places], weights, X.dtype)

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Return `X` (n_samples, ...) as the network sees it."""
        shape = self.center.shape if X.ndim < 4 else (*self.center.shape, *(1,) * (X.ndim - 2))
        center, width, offset = (part.reshape(shape) for part in (self.center, self.width, self.offset))
        result, offset = np.empty(X.shape, np.float32), offset.astype(np.float32)
        n_rows = max(1, _IN_CACHE // max(1, X[:1].size))
        with np.errstate(over="ignore", under="ignore"):
            for i in range(0, len(X), n_rows):
                np.subtract(
                    _bent(X[i : i + n_rows], center, width), offset, result[i : i + n_rows], casting="same_kind"
                )
        return result


def _shape_of_columns(X: NDArray[Any]) -> tuple[int, ...]:
    """Rows of numbers have columns; images (n, channels, ...) have channels; with three axes each entry is its own."""
    return X.shape[1:] if X.ndim < 4 else (X.shape[1],)


def _blocks(X: NDArray[Any], weight: Floats | None) -> Any:
    """Yield slices of columns, their values (k, m) as float64, and the weights (m,) of these."""
    if X.ndim < 4:
        columns = X.reshape(len(X), -1).T
    else:
        columns = np.moveaxis(X, 1, 0).reshape(X.shape[1], -1)
        weight = None if weight is None else np.repeat(weight, columns.shape[1] // len(X))
    step = max(1, _BLOCK // max(1, columns.shape[1]))
    for first in range(0, len(columns), step):
        block = slice(first, min(first + step, len(columns)))
        yield block, np.array(columns[block], np.float64, order="C"), weight


def _middle_and_width(values: Floats, weight: Floats | None, dtype: Any) -> tuple[Floats, Floats]:
    middle = weighted_medians(values, weight)
    return middle, _widths(values, middle, weight, dtype)


def _widths(values: Floats, middle: Floats, weight: Floats | None, dtype: Any) -> Floats:
    with np.errstate(over="ignore"):
        distance = np.abs(values - middle[:, None])
        moved = distance > _ROUNDING * np.finfo(dtype).eps * np.abs(middle)[:, None]
        return np.minimum(_NORMAL * weighted_medians(distance, weight, moved), np.finfo(np.float64).max / 4)


def weighted_medians(values: Floats, weight: Floats | None = None, counted: NDArray[np.bool_] | None = None) -> Floats:
    """Return the least value of each row up to which half of the weight lies; 0 where there is none.

    Parameters
    ----------
    values : array (k, m)
        Rows.
    weight : array (m,) or None, default=None
        Weights >= 0 of the entries of each.
    counted : array (k, m) of bool or None, default=None
        Where weights count. What does not is less than all that does.

    Returns
    -------
    array (k,)
    """
    if weight is None:
        n = values.shape[1]
        counts = np.full(len(values), n) if counted is None else counted.sum(axis=1)
        places = (n - counts + np.ceil(_HALF * counts).astype(int) - 1).clip(0, n - 1)
        found = [np.partition(row, place)[place] for row, place in zip(values, places, strict=True)]
        return np.where(counts > 0, found, 0.0)
    counted = np.ones(values.shape, bool) if counted is None else counted
    at = np.arange(len(values))
    order = np.argsort(values, axis=1)
    sums = np.take_along_axis(np.where(counted, weight, 0.0), order, axis=1).cumsum(axis=1)
    place = (sums >= _HALF * sums[:, -1:]).argmax(axis=1)
    return np.where(sums[:, -1] > 0, values[at, order[at, place]], 0.0)


def _bent(values: NDArray[Any], center: Floats, width: Floats) -> NDArray[np.float32]:
    u = _divided(values, center, 2 * width).astype(np.float32)
    v = np.minimum(np.abs(u), np.float32(_FAR))
    v += np.sqrt(1 + v * v)
    bent: NDArray[np.float32] = np.log(v, out=v)  # arsinh; in float32 these are fast
    bent *= 2
    return np.copysign(bent, u, out=bent)


def _divided(values: NDArray[Any], center: Floats, width: Floats) -> Floats:
    """Return ``(values - center) / width``, 0 where the width is 0."""
    is_constant = width == 0
    result: Floats = np.subtract(values, center, dtype=np.float64)
    result /= np.where(is_constant, 1.0, width)
    return np.where(is_constant, 0.0, result) if is_constant.any() else result


# ---- targets ---------------------------------------------------------------------------------------------------------


@dataclass
class Targets:
    """Centre and width of each output; the width of a constant is 0."""

    center: Floats
    width: Floats

    @classmethod
    def fit(cls, y: NDArray[Any], weight: Floats | None = None, *, is_robust: bool = False) -> "Targets":
        """Measure `y` (n_samples, n_outputs): means and standard deviations, or medians and widths."""
        values = np.array(y.T, np.float64, order="C")
        if is_robust:
            return cls(*_middle_and_width(values, weight, y.dtype))
        return cls(*_mean_and_deviation(values, weight, y.dtype))

    def extend(self, y: NDArray[Any], weight: Floats | None = None, *, is_robust: bool = False) -> None:
        """Measure the outputs that have been constant so far, if they vary now."""
        still = self.width == 0
        if still.any():
            center, values = self.center[still], np.asarray(y[:, still], np.float64)
            width = Targets.fit(y[:, still], weight, is_robust=is_robust).width
            apart = np.abs(values - center).max(axis=0)
            apart[apart <= _ROUNDING * np.finfo(y.dtype).eps * np.abs(center)] = 0
            self.width[still] = np.where(width == 0, apart, width)

    def transform(self, y: NDArray[Any]) -> NDArray[np.float32]:
        """Return `y` (n_samples, n_outputs) as the network learns it."""
        with np.errstate(over="ignore", under="ignore"):
            z = _divided(y, self.center, self.width)
        return np.clip(z, -_FAR_TARGET, _FAR_TARGET).astype(np.float32)

    def inverse(self, outputs: Floats) -> Floats:
        """Return outputs (n_samples, n_outputs) in the units of the target."""
        with np.errstate(over="ignore", invalid="ignore"):
            return outputs * self.width + self.center


def _mean_and_deviation(values: Floats, weight: Floats | None, dtype: Any) -> tuple[Floats, Floats]:
    unit = np.abs(values).max(axis=1)  # so that no square and no sum is too large or too small
    unit[unit == 0] = 1
    unit = np.exp2(np.floor(np.log2(unit)).clip(-1000, 1000))  # a power of two: no rounding
    scaled = values / unit[:, None]
    mean = np.average(scaled, axis=1, weights=weight)
    centred = scaled - mean[:, None]
    more = np.average(centred, axis=1, weights=weight)  # what rounding has left
    centred -= more[:, None]
    deviation = np.sqrt(np.average(centred**2, axis=1, weights=weight))
    deviation[deviation <= _ROUNDING * np.finfo(dtype).eps * np.abs(mean)] = 0
    return (mean + more) * unit, deviation * unit
