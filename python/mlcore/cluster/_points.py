"""Rows as points: what all clusterers read in the same way."""

from typing import Any

import numpy as np
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
