"""How well the scores of a row put its relevant labels before the others."""

from typing import Any

from mlcore._native import core
from mlcore.metrics._inputs import require_array
from mlcore.metrics._scores import threads
from mlcore.metrics._tables import mean_weights, number_table, relevance_table

__all__ = ["coverage_error", "label_ranking_average_precision_score", "label_ranking_loss"]


def label_ranking_average_precision_score(y_true: Any, y_score: Any, *, sample_weight: Any = None) -> float:
    """Mean over rows and their relevant labels of the share of relevant ones among labels with that score or more.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Relevant labels are 1, others 0.
    y_score : array-like of shape (n_samples, n_labels)
        Any finite numbers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        In (0, 1], higher is better; a row without relevant labels, or with these alone, counts 1.

    Raises
    ------
    ValueError
        If the arguments are no tables of the same shape.
    """
    return _mean("label_ranking_average_precision_score", "average_precision", y_true, y_score, sample_weight, True)


def label_ranking_loss(y_true: Any, y_score: Any, *, sample_weight: Any = None) -> float:
    """Mean over rows of the share of pairs of a relevant and an irrelevant label that are in the wrong order or tied.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Relevant labels are 1, others 0.
    y_score : array-like of shape (n_samples, n_labels)
        Any finite numbers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        In [0, 1], lower is better; a row without such pairs counts 0.

    Raises
    ------
    ValueError
        If the arguments are no tables of the same shape.
    """
    return _mean("label_ranking_loss", "loss", y_true, y_score, sample_weight, False)


def coverage_error(y_true: Any, y_score: Any, *, sample_weight: Any = None) -> float:
    """Mean over rows of how many of the highest scored labels cover all relevant ones, those of equal scores included.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Relevant labels are 1, others 0.
    y_score : array-like of shape (n_samples, n_labels)
        Any finite numbers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.

    Returns
    -------
    float
        At least the mean number of relevant labels, lower is better; a row without relevant labels counts 0.

    Raises
    ------
    ValueError
        If the arguments are no tables of the same shape.
    """
    return _mean("coverage_error", "coverage", y_true, y_score, sample_weight, False)


def _mean(function: str, metric: str, y_true: Any, y_score: Any, sample_weight: Any, single: bool) -> float:
    require_array(function, y_true=y_true, y_score=y_score)
    relevant, scores = relevance_table(function, y_true, single), number_table(y_score, "y_score")
    if relevant.shape != scores.shape:
        raise ValueError(
            f"y_true and y_score of {function} must have the same shape, got {relevant.shape} and {scores.shape}"
        )
    weight = mean_weights(sample_weight, len(relevant))
    return core.metrics.label_ranking(metric, relevant, scores, weight, threads(scores.size))
