"""What metrics are given: the kind of a target, labels as codes, the positive label, weights.

Plain arrays and lists are read by the core, in a microsecond where they are short. Whatever is out of the ordinary
(mixed types, NaN, objects, frames, matrices) is read by scikit-learn's own functions, so that it is understood, or
refused, as scikit-learn does.
"""

from math import isfinite, isnan
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.multiclass import type_of_target

from mlcore._native import core

__all__ = [
    "Codes",
    "Floats",
    "Kind",
    "Labels",
    "invalid",
    "is_nan",
    "is_real",
    "kind_of_target",
    "known_classes",
    "plain_column",
    "positive_label",
    "quick_weights",
    "read_labels",
    "read_weights",
    "require_array",
]

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

Kind = Literal[
    "binary",
    "multiclass",
    "multilabel-indicator",
    "continuous",
    "continuous-multioutput",
    "multiclass-multioutput",
    "unknown",
]
"""What a target is, in the words of `sklearn.utils.multiclass.type_of_target`."""


class Labels(NamedTuple):
    """A column of labels."""

    classes: NDArray[Any]
    """The labels that occur, sorted, of shape (n_classes,)."""
    codes: Codes
    """The position of each row's label in `classes`, of shape (n_samples,)."""

    @property
    def kind(self) -> Literal["binary", "multiclass"]:
        """Up to two labels are binary."""
        return "binary" if len(self.classes) <= 2 else "multiclass"


def invalid(function: str, name: str, expected: str, got: Any) -> InvalidParameterError:
    """Return the error for an argument that is none of what it may be: both a ValueError and a TypeError."""
    return InvalidParameterError(f"The {name!r} parameter of {function} must be {expected}. Got {got!r} instead.")


def is_real(value: Any) -> bool:
    """Whether `value` is a real number, of Python or NumPy; booleans are."""
    return isinstance(value, Real)


def is_nan(value: Any) -> bool:
    """Whether `value` is the number NaN."""
    return isinstance(value, Real) and isnan(value)


def require_array(function: str, **arguments: Any) -> None:
    """Raise `invalid` for the first argument that is no array-like and no sparse matrix."""
    for name, value in arguments.items():
        if isinstance(value, str | bytes) or (not hasattr(value, "__len__") and not hasattr(value, "shape")):
            raise invalid(function, name, "an array-like", value)


def plain_column(y: Any) -> Any:
    """Return a pandas, polars or other column as the NumPy array that holds the same values; what is none, unchanged.

    Sparse and categorical columns of pandas stay what they are.
    """
    if type(y) in (np.ndarray, list) or not hasattr(y, "__array__") or getattr(y, "ndim", 1) != 1:
        return y
    dtype = getattr(y, "dtype", None)
    if hasattr(dtype, "categories") or hasattr(dtype, "subtype"):
        return y
    return np.asarray(y)


def kind_of_target(y: Any, name: str = "y") -> Kind:
    """Return what `y` is, as `sklearn.utils.multiclass.type_of_target` says it; `name` stands in its errors."""
    with np.errstate(invalid="ignore"):  # NaN among floats is an error, not a warning about a cast
        kind: Kind = type_of_target(y, input_name=name)
    return kind


def read_labels(y: Any, name: str = "y") -> Labels:
    """Return a column of labels as codes.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Whole numbers, booleans or strings.
    name : str, default="y"
        What the user knows `y` as.

    Raises
    ------
    ValueError
        If `y` is no column of labels: continuous, several columns, an indicator matrix, NaN.
    TypeError
        If labels are bytes, or of types that cannot be ordered among each other.
    """
    encoded = core.metrics.encode_labels(plain_column(y))
    if encoded is not None and len(encoded[1]):
        return Labels(*encoded)
    kind = kind_of_target(y, name)
    if kind not in ("binary", "multiclass"):
        raise ValueError(f"{name} must hold labels, one a row; {kind} targets are not supported")
    column = column_or_1d(y, input_name=name)
    if column.dtype.kind == "f":
        assert_all_finite(column, input_name=name)
    classes, codes = np.unique(column, return_inverse=True)
    return Labels(classes, codes.reshape(-1).astype(np.int32))


def known_classes(found: Labels, labels: Any, n_columns: int) -> tuple[Any, Any]:
    """Return the classes of the columns, and the column of each row's class.

    Raises
    ------
    ValueError
        If there are not as many classes as columns, or `labels` are not sorted and distinct, or lack one that occurs.
    """
    if labels is None:
        if len(found.classes) != n_columns:
            raise ValueError(
                f"y_true has {len(found.classes)} classes, and there are {n_columns} columns: name the classes of the "
                "columns with labels="
            )
        return found.classes, found.codes
    labels = column_or_1d(labels, input_name="labels")
    classes = np.unique(labels)
    if len(classes) != len(labels):
        raise ValueError("labels must be distinct")
    if not np.array_equal(classes, labels):
        raise ValueError("labels must be sorted, and the columns in their order")
    if len(classes) != n_columns:
        raise ValueError(f"labels names {len(classes)} classes, and there are {n_columns} columns")
    if len(np.setdiff1d(found.classes, classes)):
        raise ValueError("y_true has labels that labels does not name")
    return classes, np.searchsorted(classes, found.classes).astype(np.int32)[found.codes]


def positive_label(pos_label: Any, classes: NDArray[Any]) -> Any:
    """Return the label that counts as positive: `pos_label`, or 1 where it is None and the labels are 0, 1 or -1, 1.

    Parameters
    ----------
    pos_label : int, float, bool, str or None
    classes : ndarray of shape (n_classes,)
        The labels that occur, sorted.

    Raises
    ------
    ValueError
        If `pos_label` is None and the labels do not say themselves which is positive.
    """
    if pos_label is not None:
        return pos_label
    found = classes.tolist()
    if classes.dtype.kind in "OUS" or found not in ([0, 1], [-1, 1], [0], [-1], [1]):
        raise ValueError(
            f"y_true has the labels {found}, which do not say which one is positive: give pos_label, or labels 0 and 1 "
            "or -1 and 1"
        )
    return 1


def read_weights(sample_weight: Any, n_samples: int) -> Floats | None:
    """Return the weights of rows as a contiguous array of float64, or None where there are none.

    Negative weights pass, as in scikit-learn.

    Raises
    ------
    ValueError
        If they are not one finite number a row, or are all zero.
    """
    weight = quick_weights(sample_weight)
    if weight is None:
        return None
    if type(weight) is np.ndarray and weight.shape == (n_samples,) and n_samples and weight.dtype == np.float64:
        total = float(weight.sum())
        if isfinite(total) and total != 0:
            return weight
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, order="C", input_name="sample_weight", ensure_min_samples=0
    )
    if weight.ndim != 1:
        raise ValueError(
            f"sample_weight must be of shape ({n_samples},), one number a row, got an array of shape {weight.shape}"
        )
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight must be of shape ({n_samples},), one number a row, got {weight.shape}")
    if not weight.any():
        raise ValueError("sample_weight is 0 for every row")
    return np.asarray(weight)


def quick_weights(sample_weight: Any) -> Any:
    """Return plain weights as contiguous float64 without a look at them; what is not plain, unchanged."""
    if sample_weight is None:
        return None
    if type(sample_weight) is not np.ndarray:
        if not isinstance(sample_weight, list | tuple) and not hasattr(sample_weight, "__array__"):
            return sample_weight
        try:
            sample_weight = np.asarray(sample_weight)
        except ValueError:  # rows of unequal lengths
            return sample_weight
    if sample_weight.dtype.kind not in "fiub" or sample_weight.ndim != 1:
        return sample_weight
    return np.ascontiguousarray(sample_weight, dtype=np.float64)
