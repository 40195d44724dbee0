"""Whether, and how soon, the right answer comes among candidates in the order of their scores."""

from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import assert_all_finite, check_array

from mlcore._native import core
from mlcore._warnings import warn
from mlcore.metrics._averages import score_table
from mlcore.metrics._inputs import Floats, invalid, kind_of_target, known_classes, read_labels, require_array
from mlcore.metrics._scores import check_flag, is_count, quick_labels, threads
from mlcore.metrics._tables import mean_weights, number_table, relevance_table

__all__ = ["hits_at_k", "mean_reciprocal_rank", "top_k_accuracy_score"]

TIES = ("average", "best", "worst")


def top_k_accuracy_score(
    y_true: Any, y_score: Any, *, k: int = 2, normalize: bool = True, sample_weight: Any = None, labels: Any = None
) -> float:
    """Share of rows whose label is among the k with the highest scores.

    Of labels with equal scores the later one comes first.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_score : array-like of shape (n_samples,) or (n_samples, n_classes)
        Scores, a column for each class; for two classes those of the greater label: with k=1 it is predicted above
        0.5 if all scores are in [0, 1], else above 0.
    k : int, default=2
        Labels that are looked at.
    normalize : bool, default=True
        False: the number of such rows (the sum of their weights) instead of the share.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, sorted. By default those of `y_true`.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Warns
    -----
    UndefinedMetricWarning
        If `k` is not below the number of classes: then every row counts.

    Raises
    ------
    ValueError
        If classes and columns do not fit, or scores are not finite.
    """
    if not is_count(k):
        raise invalid("top_k_accuracy_score", "k", "an int above 0", k)
    check_flag("top_k_accuracy_score", "normalize", normalize)
    require_array("top_k_accuracy_score", y_true=y_true, y_score=y_score)
    found = quick_labels(y_true)
    kind: str = found.kind if found else kind_of_target(y_true, "y_true")
    if kind == "binary" and labels is not None and len(labels) > 2:
        kind = "multiclass"
    if kind not in ("binary", "multiclass"):
        raise ValueError(f"y_true of top_k_accuracy_score must hold one label a row, and is {kind}")
    found = found or read_labels(y_true, "y_true")
    scores = score_table(y_score)
    if kind == "binary":
        if scores.ndim == 2 and scores.shape[1] != 1:
            raise ValueError(
                f"y_true has two labels, and y_score {scores.shape[1]} columns: give the column of the second one, or "
                "name all classes with labels="
            )
        scores = scores.ravel()
        assert_all_finite(scores, input_name="y_score")
    elif scores.ndim != 2:
        raise ValueError(
            f"y_score must be of shape (n_samples, n_classes), since y_true has several classes; got {scores.shape}"
        )
    if len(found.codes) != len(scores):
        raise ValueError(f"y_true and y_score must have as many rows, got {len(found.codes)} and {len(scores)}")
    classes, codes = known_classes(found, labels, scores.shape[1] if scores.ndim == 2 else 2)
    if k >= len(classes):
        warn(
            f"k ({k}) is not below the number of classes ({len(classes)}): every row counts, the score says nothing",
            UndefinedMetricWarning,
        )
    if kind == "multiclass":
        hits = core.metrics.class_places(codes, number_table(scores, "y_score"), threads(scores.size)) < k
    elif k == 1:
        threshold = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0
        hits = (scores > threshold) == codes
    else:
        hits = np.ones(len(scores), dtype=bool)
    if not normalize:
        return float(hits.sum()) if sample_weight is None else float(np.dot(hits, sample_weight))
    return _mean(hits, sample_weight)


def mean_reciprocal_rank(
    y_true: Any, y_score: Any = None, *, ties: str = "average", sample_weight: Any = None
) -> float:
    """Mean over queries of 1 / rank of the first right answer.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_candidates)
        Without `y_score`, the rank of the right answer to each query, from 1; infinity where there is none. With it,
        the relevant candidates of each query, 1 or 0.
    y_score : array-like of shape (n_samples, n_candidates), default=None
        Any finite numbers, the higher the sooner a candidate comes.
    ties : {"average", "best", "worst"}, default="average"
        Where the first relevant candidate stands among irrelevant ones of its score: in their middle, before or after
        them. "best" flatters models that give many candidates the same score.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of queries.

    Returns
    -------
    float
        In [0, 1], higher is better; a query without a relevant candidate counts 0.

    Raises
    ------
    ValueError
        If ranks are below 1, shapes differ, scores are not finite.
    """
    ranks = _first_ranks("mean_reciprocal_rank", y_true, y_score, ties)
    return _mean(1 / ranks, sample_weight)


def hits_at_k(
    y_true: Any, y_score: Any = None, *, k: int = 10, ties: str = "average", sample_weight: Any = None
) -> float:
    """Share of queries with a right answer among the first k.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_candidates)
        Without `y_score`, the rank of the right answer to each query, from 1; infinity where there is none. With it,
        the relevant candidates of each query, 1 or 0.
    y_score : array-like of shape (n_samples, n_candidates), default=None
        Any finite numbers, the higher the sooner a candidate comes.
    k : int, default=10
        Places that count.
    ties : {"average", "best", "worst"}, default="average"
        Where the first relevant candidate stands among irrelevant ones of its score: in their middle, before or after
        them.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of queries.

    Returns
    -------
    float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If ranks are below 1, shapes differ, scores are not finite.
    """
    if not is_count(k):
        raise invalid("hits_at_k", "k", "an int above 0", k)
    ranks = _first_ranks("hits_at_k", y_true, y_score, ties)
    return _mean(ranks <= k, sample_weight)


def _mean(values: Any, sample_weight: Any) -> float:
    weight = mean_weights(sample_weight, len(values))
    return float(values.mean() if weight is None else np.average(values, weights=weight))


def _first_ranks(function: str, y_true: Any, y_score: Any, ties: str) -> Floats:
    if ties not in TIES:
        raise invalid(function, "ties", "'average', 'best' or 'worst'", ties)
    require_array(function, y_true=y_true)
    if y_score is None:
        ranks: Floats = check_array(
            y_true, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name="y_true"
        )
        if ranks.ndim != 1:
            raise ValueError(
                f"y_true of {function} without y_score holds ranks, one a query: it must be of shape (n_samples,), got "
                f"{ranks.shape}"
            )
        if not np.all(ranks >= 1):
            raise ValueError(f"ranks of {function} begin with 1, got {ranks[~(ranks >= 1)][0]}")
        return ranks
    require_array(function, y_score=y_score)
    relevant, scores = relevance_table(function, y_true, single=True), number_table(y_score, "y_score")
    if relevant.shape != scores.shape:
        raise ValueError(
            f"y_true and y_score of {function} must have the same shape, got {relevant.shape} and {scores.shape}"
        )
    return core.metrics.first_ranks(relevant, scores, ties, threads(scores.size))
