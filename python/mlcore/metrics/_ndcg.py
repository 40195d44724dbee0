"""Discounted cumulative gain of rankings.

Document j of a query has the gain y_j and is put by its score on a place i = 0, 1, ... The discounted cumulative gain
is the sum of y / log2(i + 2) over the first k places; divided by that of the best order it is normalized (NDCG).
Documents of equal scores share the mean of their gains, so that the result does not depend on the order of rows.
"""

from functools import lru_cache
from math import inf
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.metrics._inputs import Floats, invalid, is_real, require_array
from mlcore.metrics._scores import check_flag, is_count, threads
from mlcore.metrics._tables import mean_weights, number_table

__all__ = ["dcg_score", "ndcg_score"]


def dcg_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int | None = None,
    log_base: float = 2,
    sample_weight: Any = None,
    ignore_ties: bool = False,
) -> float:
    """Discounted cumulative gain: the mean over queries of the gains in the order of the scores, later ones less.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Gain of each document (column) of each query (row).
    y_score : array-like of shape (n_samples, n_labels)
        Any finite numbers, the higher the sooner a document comes.
    k : int, default=None
        Places that count, all by default.
    log_base : float, default=2
        Place i counts 1 / log(i + 2) to this base.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of queries in the mean.
    ignore_ties : bool, default=False
        Take scores to be distinct: of equal ones the document with the higher number comes first.

    Returns
    -------
    float
        In the unit of `y_true`, higher is better.

    Raises
    ------
    ValueError
        If the arguments are no tables of the same shape, with two columns or more and finite numbers.
    ZeroDivisionError
        If weights sum to zero.
    """
    if not (is_real(log_base) and 0 < log_base < inf):
        raise invalid("dcg_score", "log_base", "a finite float above 0", log_base)
    return _mean_gain("dcg_score", y_true, y_score, k, float(log_base), sample_weight, ignore_ties, False)


def ndcg_score(
    y_true: Any, y_score: Any, *, k: int | None = None, sample_weight: Any = None, ignore_ties: bool = False
) -> float:
    """Normalized discounted cumulative gain: `dcg_score` of each query divided by that of its best order.

    A query without gains scores 0.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Gain of each document (column) of each query (row), not negative.
    y_score : array-like of shape (n_samples, n_labels)
        Any finite numbers, the higher the sooner a document comes.
    k : int, default=None
        Places that count, all by default.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of queries in the mean.
    ignore_ties : bool, default=False
        Take scores to be distinct: of equal ones the document with the higher number comes first.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If the arguments are no tables of the same shape, with two columns or more and finite numbers, or a gain is
        negative.
    ZeroDivisionError
        If weights sum to zero.
    """
    return _mean_gain("ndcg_score", y_true, y_score, k, 2.0, sample_weight, ignore_ties, True)


@lru_cache(maxsize=16)
def _discounts(n_places: int, log_base: float) -> Floats:
    with np.errstate(divide="ignore"):  # base 1
        discounts: Floats = 1 / (np.log(np.arange(n_places) + 2) / np.log(log_base))
    return discounts


def _mean_gain(
    function: str,
    y_true: Any,
    y_score: Any,
    k: Any,
    log_base: float,
    sample_weight: Any,
    ignore_ties: Any,
    normalized: bool,
) -> float:
    if k is not None and (not is_count(k)):
        raise invalid(function, "k", "an int above 0 or None", k)
    check_flag(function, "ignore_ties", ignore_ties)
    require_array(function, y_true=y_true, y_score=y_score)
    gains, scores = number_table(y_true, "y_true"), number_table(y_score, "y_score")
    if gains.ndim != 2 or gains.shape[1] < 2:
        raise ValueError(
            f"y_true of {function} must be of shape (n_samples, n_labels) with two columns or more, as "
            f"there is no order of one document; got {gains.shape}"
        )
    if scores.shape != gains.shape:
        raise ValueError(
            f"y_true and y_score of {function} must have the same shape, got {gains.shape}, {scores.shape}"
        )
    n_places = gains.shape[1] if k is None else min(int(k), gains.shape[1])
    weight = mean_weights(sample_weight, len(gains))
    return core.metrics.mean_gain(
        gains, scores, _discounts(n_places, log_base), bool(ignore_ties), normalized, weight, threads(gains.size)
    )
