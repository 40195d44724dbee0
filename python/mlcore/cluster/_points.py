"""Rows as points: what all clusterers read in the same way, and the unit in which their squares are numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from mlcore._sparse import validate_rows

Points = NDArray[np.float64]


def read_points(estimator: BaseEstimator, X: Any, *, reset: bool = True) -> Points:
    """Return a table as finite float64 points (n, d) in C order: X itself where it is that.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose rows they are. Names and number of features are noted (`reset`) or compared.
    X : {array, pandas or polars frame} of shape (n_samples, n_features)
        The rows.
    reset : bool, default=True
        True in fit, False for rows that come later.

    Raises
    ------
    ValueError
        If there are no rows or features, or a value is NaN or infinite, or the features are not those of fit.
    """
    points: Points = validate_rows(estimator, X, reset=reset, dtype=np.float64, order="C")
    return points


_RANGE = 400  # 2^400 squared, times any number of dimensions, is a float64, and so is 2^-400 squared


def largest_value(points: Any) -> float:
    """Return the largest absolute value of dense or sparse rows, 0 if there is none."""
    values: Any = points.data if hasattr(points, "indptr") else points
    return max(float(values.max()), -float(values.min())) if values.size else 0.0


def require_squares(points: Any, owner: str) -> None:
    """Raise ValueError where sums of squares of these rows may leave the range of float64."""
    largest = largest_value(points)
    if not _has_square(largest):
        raise ValueError(
            f"{owner} sums squares of X, and those of values up to {largest:.3g} leave the range of float64: bring X "
            "to another unit"
        )


def require_variances(points: Points, owner: str, *, has_one: bool) -> None:
    """Raise ValueError where the variance of a column (`has_one`: of all together) may leave the range of float64."""
    with np.errstate(over="ignore"):
        ranges = points.max(axis=0) - points.min(axis=0)
    if has_one:
        ranges = ranges.max(keepdims=True)
    if not (fits := _has_square(ranges)).all():
        j = int(np.argmin(fits))
        which = "all columns" if has_one else f"column {j}"
        raise ValueError(
            f"the variance of {which} of X, a square of up to {ranges[j]:.3g}, leaves the range of float64 in {owner}: "
            "scale the features"
        )


def _has_square(values: Any) -> Any:
    """Say of which values, not negative, sums of squares are numbers."""
    return np.isfinite(values) & (abs(np.frexp(values)[1]) <= _RANGE)


@dataclass(frozen=True)
class Unit:
    """What distances are measured in: a power of two, by which no digit changes.

    The core squares differences of coordinates. Where these are so large or so small that a square would leave the
    range of float64, points are measured in units near their largest value; all others have the unit 1.
    """

    exponent: int = 0

    @classmethod
    def of(cls, points: Any) -> "Unit":
        """Return the unit of dense or sparse rows."""
        exponent = int(np.frexp(largest_value(points))[1])
        return cls(exponent if abs(exponent) > _RANGE // 2 else 0)

    def scaled(self, points: Any) -> Any:
        """Return coordinates in this unit: `points` themselves where it is 1."""
        if self.exponent == 0:
            return points
        if isinstance(points, sp.csr_array):
            return sp.csr_array((self.scaled(points.data), points.indices, points.indptr), points.shape)
        with np.errstate(under="ignore"):
            return np.ldexp(points.astype(np.float64), -self.exponent)

    def scaled_queries(self, queries: Points) -> Points:
        """Return coordinates of other points in this unit.

        Raises
        ------
        ValueError
            If they are too far away for their squares.
        """
        scaled: Points = self.scaled(queries)
        if not largest_value(scaled) <= 2.0**_RANGE:
            raise ValueError("X is too far from the rows of fit for distances in float64: is it in another unit?")
        return scaled

    def nearby_queries(self, queries: Points) -> Points:
        """Return coordinates of other points in this unit, no further away than their squares allow.

        From there all points of this unit are equally far, as they are from further away.
        """
        with np.errstate(over="ignore"):
            scaled: Points = self.scaled(queries)
        if largest_value(scaled) > 2.0**_RANGE:
            scaled = np.clip(scaled, -(2.0**_RANGE), 2.0**_RANGE)
        return scaled

    def lengths(self, values: Any, power: int = 1) -> Any:
        """Return distances in this unit as such in the unit 1; their squares where `power` is 2."""
        if self.exponent == 0:
            return values
        with np.errstate(over="ignore", under="ignore"):  # they are infinite or 0 then
            return np.ldexp(values, power * self.exponent)


def directions(points: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Return points (n, d) scaled to length 1, and which of them have a length at all: those of zeros stay zeros.

    Squares neither overflow nor vanish, and are summed in the order of the columns, as those of sparse rows are.
    """
    largest = np.abs(points).max(axis=1)
    has_length = largest > 0
    scaled = points / np.where(has_length, largest, 1.0)[:, np.newaxis]
    squares = np.zeros(len(scaled))
    for column in scaled.T:
        squares += column * column
    return scaled / np.where(has_length, np.sqrt(squares), 1.0)[:, np.newaxis], has_length


def as_measured(points: Points, metric: str) -> Points:
    """Return the points in the coordinates in which the core measures `metric`.

    Parameters
    ----------
    points : float64 array of shape (n, d)
    metric : {"euclidean", "manhattan", "chebyshev", "cosine"}

    Returns
    -------
    float64 array of shape (n, d), or (n, d + 1) for "cosine"
        For "cosine" rows of length 1. A row of zeros has no direction: it becomes one that is at a right angle to all
        others, so that it is far from them (1), as in scikit-learn.
    """
    if metric != "cosine":
        return points
    unit, has_length = directions(points)
    return np.column_stack([unit, (~has_length).astype(np.float64)])
