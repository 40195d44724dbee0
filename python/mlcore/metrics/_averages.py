"""Several columns of scores: one a class or a label, each measured by itself, and the mean of their numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from mlcore._native import core
from mlcore.metrics._inputs import Floats, Labels, invalid
from mlcore.metrics._scores import Bytes, plain_numbers, row_weights, threads

__all__ = [
    "average_of_columns",
    "binarized",
    "check_average",
    "check_table",
    "column_areas",
    "one_column",
    "score_table",
    "weightless",
]

AVERAGES = ("micro", "macro", "samples", "weighted", None)


def check_average(function: str, average: Any) -> None:
    """Raise where `average` is none of scikit-learn's."""
    if average not in AVERAGES:
        raise invalid(function, "average", "'micro', 'macro', 'samples', 'weighted' or None", average)


def weightless(average: str | None, support: Floats) -> bool:
    """Whether the mean by positive entries has none: it is 0 then, without a warning."""
    return average == "weighted" and bool(np.isclose(support.sum(), 0))


def check_table(y_true: Any) -> Bytes:
    """Return an indicator matrix as bytes of 0 and 1, of shape (n_samples, n_labels)."""
    table = check_array(y_true, input_name="y_true")
    return np.ascontiguousarray(table != 0).view(np.uint8)


def binarized(labels: Labels) -> Bytes:
    """Return labels as an indicator matrix of shape (n_samples, n_classes)."""
    table = np.zeros((len(labels.codes), len(labels.classes)), dtype=np.uint8)
    table[np.arange(len(table)), labels.codes] = 1
    return table


def float_table(scores: NDArray[Any]) -> NDArray[Any]:
    """Return a table of numbers as float32 where it is that, else as float64."""
    return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)


def one_column(one: Callable[..., Any], table: Bytes, scores: NDArray[Any], sample_weight: Any) -> Any:
    """Return what `one` makes of all entries as a single column."""
    weight = row_weights(sample_weight, len(table))
    return one(table.ravel(), scores.ravel(), None if weight is None else np.repeat(weight, table.shape[1]))


def column_areas(
    metric: str | None,
    one: Callable[..., Any],
    table: Bytes,
    scores: NDArray[Any],
    average: str | None,
    sample_weight: Any,
) -> tuple[Floats, Floats, Floats | None]:
    """Return the metric of each column, the weight of its positive entries, and the weight that it has in the mean.

    For "samples" it is that of each row. The core measures all columns in one call; where it cannot (scores of too many
    magnitudes, negative weights, a `metric` that it lacks: None), `one` measures each.
    """
    weight = row_weights(sample_weight, len(table))
    mean_weight = None
    if average == "samples":
        table, scores, weight, mean_weight = table.T, scores.T, None, weight
    found = None
    if metric is not None and (weight is None or weight.min() >= 0):
        found = core.metrics.column_areas(metric, table, float_table(scores), weight, threads(scores.size))
    if found is None:
        rows = [one(table[:, c].copy(), scores[:, c], weight)[:2] for c in range(table.shape[1])]
        values, support = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    else:
        values, support, _ = found
    return values, support, support if average == "weighted" else mean_weight


def score_table(y_score: Any) -> NDArray[Any]:
    """Return numbers as an array of one or two dimensions; the core looks for NaN."""
    plain = plain_numbers(y_score)
    if plain is not None and plain.ndim <= 2:
        return plain
    scores: NDArray[Any] = check_array(y_score, input_name="y_score", ensure_2d=False)
    return scores


def average_of_columns(values: Floats, average: str | None, weight: Floats | None) -> Any:
    """Return the mean of the columns' numbers, or the numbers where `average` is None."""
    if average is None:
        return values
    if weight is not None:
        values = np.where(weight == 0, 0.0, values)  # a NaN without a weight is no part of the mean
    return float(values.mean() if weight is None else np.average(values, weights=weight))
