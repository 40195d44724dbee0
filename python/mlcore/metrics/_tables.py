"""Tables of scores, a row for each query or sample, on their way to the core."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from mlcore.metrics._inputs import Floats, kind_of_target, require_array
from mlcore.metrics._scores import Bytes, plain_numbers

__all__ = ["mean_weights", "number_table", "quick_relevance", "relevance_table"]


def number_table(values: Any, name: str) -> Floats:
    """Return numbers as float64, of shape (n_samples,) or (n_samples, n_labels); the core looks for NaN.

    Raises
    ------
    ValueError
        If they are no numbers, or none at all.
    """
    plain = plain_numbers(values)
    if plain is not None and plain.ndim == 2:
        return plain.astype(np.float64, copy=False)
    if isinstance(values, list | tuple) and len({np.size(row) for row in values}) > 1:
        raise ValueError(
            f"rows of {name} must be of one length: measure queries of different lengths one by one, or fill up with "
            "columns that have no relevance and the lowest scores"
        )
    table = check_array(values, input_name=name, ensure_2d=False, ensure_all_finite=False)
    if table.dtype.kind not in "fiub":
        table = check_array(values, input_name=name, ensure_2d=False, dtype=np.float64)
    return np.asarray(table, dtype=np.float64)


def quick_relevance(y_true: Any) -> Bytes | None:
    """Return whole numbers 0 and 1 in two columns or more as bytes, else None."""
    table = plain_numbers(y_true)
    if table is None or table.ndim != 2 or table.shape[1] < 2 or table.dtype.kind not in "biu":
        return None
    if table.dtype.kind != "b" and not (table.min() >= 0 and table.max() <= 1):
        return None
    return table.astype(np.uint8)


def relevance_table(function: str, y_true: Any, single: bool = False) -> Bytes:
    """Return an indicator matrix, sparse or not, as bytes of 0 and 1, of shape (n_samples, n_labels).

    Raises
    ------
    ValueError
        If it is none; one column alone passes where `single`.
    """
    if hasattr(y_true, "toarray"):  # a sparse matrix
        y_true = y_true.toarray()
    quick = quick_relevance(y_true)
    if quick is not None:
        return quick
    table: NDArray[Any] = check_array(y_true, ensure_2d=False, input_name="y_true", dtype=None)
    kind = kind_of_target(table, "y_true")
    if kind != "multilabel-indicator" and not (single and kind == "binary" and table.ndim == 2):
        raise ValueError(f"y_true of {function} must be an indicator matrix: {kind} format is not supported")
    relevant: Bytes = (table != 0).view(np.uint8)
    return relevant


def mean_weights(sample_weight: Any, n_samples: int) -> Floats | None:
    """Return the weights of rows in a mean, or None.

    Raises
    ------
    ValueError
        If they are not one finite number a row.
    ZeroDivisionError
        If they sum to zero.
    """
    if sample_weight is None:
        return None
    require_array("a mean of rows", sample_weight=sample_weight)
    weight = np.ascontiguousarray(
        check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    )
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape {(n_samples,)}, got {weight.shape}")
    if weight.sum() == 0:
        raise ZeroDivisionError("sample_weight sums to zero: there is no weighted mean")
    return weight
