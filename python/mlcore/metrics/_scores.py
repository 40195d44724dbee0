"""Labels and scores of a problem with two classes on their way to the core.

Arrays of 0 and 1 (or -1 and 1) and of floating-point scores are read by the core as they are, in a microsecond where
they are short. All else is read by scikit-learn's own functions, so that it is understood, or refused, as scikit-learn
does, and becomes codes and floating-point scores, or the ranks of the scores where these fit into none.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, column_or_1d

from mlcore._native import core
from mlcore.metrics._inputs import (
    Floats,
    Labels,
    invalid,
    is_real,
    plain_column,
    positive_label,
    quick_weights,
    read_labels,
    read_weights,
    require_array,
)

__all__ = [
    "Bytes",
    "Scores",
    "binary_codes",
    "check_flag",
    "check_pos_label",
    "codes_of",
    "from_codes",
    "from_core",
    "is_count",
    "plain_numbers",
    "quick_labels",
    "quickly",
    "read_scores",
    "row_weights",
    "threads",
]

Bytes = NDArray[np.uint8]

ROWS_OF_ONE_THREAD = 32_768
"""Up to here (a third of a millisecond) a second thread brings less than it costs on a machine that is busy."""

LARGEST_EXACT = 2**53
"""Whole numbers up to here are numbers of float64."""


class Scores(NamedTuple):
    """A column of scores as the core takes it."""

    values: NDArray[Any]
    """float32 or float64, of shape (n_samples,), ordered as the scores are."""
    table: NDArray[Any] | None
    """The score of each rank, where `values` are ranks, else None."""
    dtype: np.dtype[Any]
    """Type of the scores as they were given."""

    def thresholds(self, found: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
        """Return the scores that the core has found among `values`, in the given type or that of the user's scores."""
        dtype = dtype or self.dtype
        if self.table is None:
            return found.astype(dtype, copy=False)
        finite = np.isfinite(found)
        scores = self.table[np.where(finite, found, 0).astype(np.int64)].astype(dtype)
        return scores if finite.all() else np.where(finite, scores, found)

    def as_ranks(self) -> "Scores":
        """Return the ranks of the scores in their stead."""
        table, ranks = np.unique(self.values, return_inverse=True)
        return Scores(ranks.reshape(-1).astype(np.float64), table, self.dtype)


def row_weights(sample_weight: Any, n_samples: int) -> Floats | None:
    """As `read_weights`; a single column of weights passes too."""
    if getattr(sample_weight, "ndim", 1) == 2 and sample_weight.shape[1] == 1:
        sample_weight = column_or_1d(sample_weight)
    return read_weights(sample_weight, n_samples)


def threads(n_samples: int) -> int:
    """Return how many threads a column of this length may have."""
    return 1 if n_samples <= ROWS_OF_ONE_THREAD else core.available_cpus()


def plain_numbers(values: Any) -> NDArray[Any] | None:
    """Return an array or a list of numbers of up to 64 bits, not empty, as an array; None for all else."""
    array = values if type(values) is np.ndarray else _plain(values)
    if array is None or array.dtype.kind not in "fiub" or array.dtype.itemsize > 8 or array.size == 0:
        return None
    return array


def quick_labels(y: Any) -> Labels | None:
    """Return a column of labels as codes where the core can read it, else None."""
    encoded = core.metrics.encode_labels(plain_column(y))
    return Labels(*encoded) if encoded is not None and len(encoded[1]) else None


def read_scores(y_score: Any) -> Scores:
    """Return a column of scores.

    Raises
    ------
    ValueError
        If `y_score` is no column of finite numbers.
    """
    plain = plain_numbers(y_score)
    if plain is not None and plain.ndim == 1 and (floats := _as_floats(plain)) is not None:
        return Scores(floats, None, plain.dtype)  # the core looks for NaN
    if np.ndim(y_score) == 2 and np.shape(y_score)[1] > 1:
        raise ValueError(
            f"y_score must be one score a row, got shape {np.shape(y_score)}: of two columns of probabilities take "
            "y_score[:, 1]"
        )
    column = column_or_1d(y_score, input_name="y_score")
    if column.dtype.kind in "US":
        raise ValueError(f"y_score must hold numbers, got strings ({column.dtype})")
    if column.dtype.kind not in "fiub":
        try:
            column = column.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y_score must hold numbers, got {column.dtype}: {error}") from error
    assert_all_finite(column, input_name="y_score")
    floats = _as_floats(column)
    return Scores(column, None, column.dtype).as_ranks() if floats is None else Scores(floats, None, column.dtype)


def _as_floats(column: NDArray[Any]) -> NDArray[Any] | None:
    """Return a column of numbers as float32 or float64 without a loss, or None."""
    kind, size = column.dtype.kind, column.dtype.itemsize
    if kind == "f":
        if size > 8:
            return None
        return column.astype(np.float32 if size <= 4 else np.float64, copy=False)
    if kind not in "iub":
        return None
    if size == 8 and len(column) and not -LARGEST_EXACT <= column.min() <= column.max() <= LARGEST_EXACT:
        return None
    return column.astype(np.float64)


def binary_codes(y_true: Any, pos_label: Any) -> Bytes:
    """Return 1 for rows of the positive label and 0 for the others, of shape (n_samples,).

    Raises
    ------
    ValueError
        If `y_true` is no column of labels, or has more than two while `pos_label` is None, or does not say itself which
        one is positive.
    """
    return codes_of(read_labels(y_true, "y_true"), pos_label)


def codes_of(labels: Labels, pos_label: Any) -> Bytes:
    """As `binary_codes`, of labels that were read."""
    if labels.kind == "multiclass" and pos_label is None:
        raise ValueError("y_true has more than two labels: give pos_label, which is then measured against all others")
    positive = positive_label(pos_label, labels.classes)
    is_positive = np.array([label == positive for label in labels.classes.tolist()], dtype=np.uint8)
    return is_positive[labels.codes]


def check_pos_label(function: str, pos_label: Any, none: bool = True) -> None:
    """Raise where `pos_label` can be no label."""
    if (pos_label is None and none) or isinstance(pos_label, str | bool | np.bool_) or is_real(pos_label):
        return
    raise invalid(function, "pos_label", "an int, a float, a bool or a str" + (" or None" if none else ""), pos_label)


def check_flag(function: str, name: str, value: Any) -> None:
    """Raise where a flag is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise invalid(function, name, "True or False", value)


def is_count(value: Any) -> bool:
    """Whether `value` is a whole number above 0."""
    return isinstance(value, int | np.integer) and int(value) >= 1


def quickly(
    call: Callable[..., Any], y_true: Any, y_score: Any, sample_weight: Any, positive: Any, *options: Any
) -> Any:
    """Return what the core's `call` makes of the arguments if it can read them as they are, else None."""
    labels = y_true if type(y_true) is np.ndarray else _plain(y_true)
    scores = y_score if type(y_score) is np.ndarray else _plain(y_score)
    if labels is None or scores is None or scores.ndim != 1:
        return None
    if scores.dtype.kind != "f":
        scores = _as_floats(scores)
        if scores is None:
            return None
    if positive is not None and not isinstance(positive, int):
        return None
    if sample_weight is not None:
        sample_weight = quick_weights(sample_weight)
        if type(sample_weight) is not np.ndarray or sample_weight.ndim != 1 or sample_weight.dtype != np.float64:
            return None
    return call(labels, scores, sample_weight, positive, *options, threads(len(scores)))


def _plain(column: Any) -> NDArray[Any] | None:
    if isinstance(column, list | tuple):
        try:
            return np.asarray(column)
        except ValueError:  # rows of unequal lengths
            return None
    column = plain_column(column)
    return column if type(column) is np.ndarray else None


def from_core(
    call: Callable[..., Any],
    function: str,
    y_true: Any,
    y_score: Any,
    sample_weight: Any,
    pos_label: Any,
    *options: Any,
) -> tuple[Any, Scores | None]:
    """Return what the core's `call` makes of labels of two classes and scores, and the scores if it was not quick.

    Raises
    ------
    ValueError
        If the arguments cannot be used.
    TypeError
        If they are no arrays.
    """
    result = quickly(call, y_true, y_score, sample_weight, pos_label, *options)
    if result is not None:
        return result, None
    require_array(function, y_true=y_true, y_score=y_score)
    codes = binary_codes(y_true, pos_label)
    return from_codes(call, codes, y_score, sample_weight, *options)


def from_codes(
    call: Callable[..., Any], codes: Bytes, y_score: Any, sample_weight: Any, *options: Any
) -> tuple[Any, Scores]:
    """As `from_core`, from labels that are codes."""
    scores = read_scores(y_score)
    weight = row_weights(sample_weight, len(codes))
    n_threads = threads(len(codes))
    result = call(codes, scores.values, weight, None, *options, n_threads)
    if result is None:
        scores = scores.as_ranks()
        result = call(codes, scores.values, weight, None, *options, n_threads)
    return result, scores
