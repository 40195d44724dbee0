"""From what users pass (arrays, sparse matrices, pandas and polars frames) to the matrix that the core takes.

A frame becomes one float matrix, column after column. A categorical column becomes codes 0, 1, ... by descending weight
of its categories, so that the rare ones lie at the end, where the core lets them share a bin; a missing or unseen
category is NaN. The categories, in the order of their codes, are all that is learned here: they are kept in the model
as plain arrays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, check_array

from mlcore._categories import Categories, Codes
from mlcore._frames import ArrayTable, Table, from_arrow, wrap_frame
from mlcore._sparse import validate_rows
from mlcore._tables import Floats, canonical_csr

_MAX_FLOAT32_CODE = 2**24  # from here on float32 skips whole numbers


@dataclass(frozen=True)
class Given:
    """Rows as the user passes them to fit; `suffix` is what the names of these arguments end in."""

    X: Any
    y: Any
    weight: Any
    margin: Any
    suffix: str = ""

    @property
    def margin_name(self) -> str:
        """What the user knows `margin` as."""
        return f"base_margin{self.suffix}"


def read(estimator: Any, X: Any, *, reset: bool, may_hold_text: bool) -> Table | sp.csr_array:
    """Check `X` and its column names and wrap it; sets ``n_features_in_`` and ``feature_names_in_`` if `reset`.

    Parameters
    ----------
    estimator : estimator
        On whose behalf: its name is used in messages, its names and number of features are compared.
    X : array, sparse matrix or frame of shape (n_samples, n_features)
    reset : bool
        True in fit, False in all other methods.
    may_hold_text : bool
        Whether an array may have columns of strings: some of its columns are categorical.
    """
    X = from_arrow(X)
    table = wrap_frame(X)
    if table is not None:
        validate_rows(estimator, X, reset=reset, skip_check_array=True)
        for count, what in zip(table.shape, ("sample", "feature"), strict=True):
            if count == 0:
                raise ValueError(
                    f"Found array with 0 {what}(s) (shape={table.shape}) while a minimum of 1 is required."
                )
        return table
    checked = validate_rows(
        estimator,
        X,
        reset=reset,
        accept_sparse=("csr", "csc"),
        dtype=None if may_hold_text else "numeric",
        ensure_all_finite="allow-nan",
    )
    if sp.issparse(checked):
        if may_hold_text:
            raise ValueError(
                f"categorical features of {type(estimator).__name__} must come in an array or a frame, got sparse X"
            )
        return canonical_csr(checked, make_float=True)
    return ArrayTable(checked)


def fit_categories(
    table: Table | sp.csr_array, is_categorical: NDArray[np.bool_], weight: Floats | None
) -> tuple[list[Categories | None], Any]:
    """Learn the categories of the columns that have them and encode the table by them.

    Parameters
    ----------
    table : Table of shape (n_samples, n_features)
    is_categorical : array of shape (n_features,)
    weight : array of shape (n_samples,), or None
        Categories are ordered by their sum of weights (ties: by value); one without weight counts as not seen.

    Returns
    -------
    categories : list of n_features arrays or None
        In the order of their codes; None for numeric columns.
    matrix : array of shape (n_samples, n_features)
    """
    if isinstance(table, sp.csr_array):
        return [None] * table.shape[1], table
    categories: list[Categories | None] = []
    codes: list[Codes | None] = []
    for j in range(table.shape[1]):
        if is_categorical[j]:
            found = _by_frequency(*table.factorize(j), weight)
            codes.append(found[0])
            categories.append(found[1])
        else:
            codes.append(None)
            categories.append(None)
    return categories, _assemble(table, codes, categories)


def encode(table: Table | sp.csr_array, categories: list[Categories | None]) -> Any:
    """Return the matrix of a table for the core, by categories learned before. Raises ValueError for inf."""
    if isinstance(table, sp.csr_array):
        return table
    codes = [None if c is None else table.lookup(j, c) for j, c in enumerate(categories)]
    return _assemble(table, codes, categories)


def check_margin(margin: Any, name: str, n_rows: int, n_outputs: int) -> Floats | None:
    """Return raw scores that a user gives as float64 (n_rows, n_outputs), or None where none are given.

    Raises
    ------
    ValueError
        If they are no finite numbers, or not one a row (and output); `name` is theirs in the message.
    """
    if margin is None:
        return None
    checked: Floats = check_array(margin, dtype=np.float64, ensure_2d=False, input_name=name, ensure_min_samples=0)
    if checked.ndim == 1 and n_outputs == 1:
        checked = checked[:, None]
    if checked.shape != (n_rows, n_outputs):
        wanted = (n_rows,) if n_outputs == 1 else (n_rows, n_outputs)
        raise ValueError(f"{name} must have shape {wanted}, got {np.shape(margin)}")
    return np.ascontiguousarray(checked)


def take_rows(matrix: Any, rows: NDArray[Any]) -> Any:
    """Return the rows named by an index or a mask, in the memory order of the matrix."""
    if isinstance(matrix, np.ndarray) and matrix.flags.f_contiguous:
        return np.take(matrix.T, np.flatnonzero(rows) if rows.dtype == bool else rows, axis=1).T
    return matrix[rows]


def check_categorical(estimator: Any, table: Table | sp.csr_array, wanted: Any) -> NDArray[np.bool_]:
    """Return which features are categorical.

    `wanted` is the parameter `categorical_features`: "from_dtype", None, a mask, or a list of names or of positions.
    """
    n_features = table.shape[1]
    owner = f"categorical_features of {type(estimator).__name__}"
    if wanted is None:
        return np.zeros(n_features, dtype=bool)
    if isinstance(wanted, str):  # "from_dtype"
        if isinstance(table, sp.csr_array):
            return np.zeros(n_features, dtype=bool)
        return np.array([table.looks_categorical(j) for j in range(n_features)], dtype=np.bool_)
    wanted = np.asarray(wanted)
    if wanted.ndim != 1:
        raise ValueError(f"{owner} must be one-dimensional, got shape {wanted.shape}")
    mask = np.zeros(n_features, dtype=bool)
    if wanted.size == 0:
        return mask
    if wanted.dtype.kind == "b":
        if wanted.size != n_features:
            raise ValueError(f"{owner}, a mask, must have one entry a feature ({n_features}), got {wanted.size}")
        return np.asarray(wanted, dtype=np.bool_)
    if wanted.dtype.kind in "iu":
        outside = wanted[(wanted < 0) | (wanted >= n_features)]
        if outside.size:
            raise ValueError(f"{owner} must be positions from 0 to {n_features - 1}, got {outside.tolist()}")
        mask[wanted] = True
        return mask
    if wanted.dtype.kind not in "OUT" or not all(isinstance(name, str) for name in wanted.tolist()):
        raise ValueError(f"{owner} must be a mask, a list of names or a list of positions, got {wanted.tolist()}")
    if not hasattr(estimator, "feature_names_in_"):
        raise ValueError(f"{owner} has names, but X has no column names: pass a frame or positions")
    names = list(estimator.feature_names_in_)
    unknown = sorted(set(wanted.tolist()) - set(names))
    if unknown:
        raise ValueError(f"{owner} must be names of columns of X, got also {unknown}")
    return np.isin(np.asarray(names, dtype=object), wanted.astype(object))


def _by_frequency(codes: Codes, values: Categories, weight: Floats | None) -> tuple[Codes, Categories]:
    known = codes >= 0
    counts = np.bincount(codes[known], weights=None if weight is None else weight[known], minlength=len(values))
    by_value = np.argsort(values, kind="stable")
    order = by_value[np.argsort(-counts[by_value], kind="stable")]
    order = order[counts[order] > 0]
    new_code = np.full(len(values) + 1, -1, dtype=np.intp)  # the last entry is for missing: code -1 reads it
    new_code[order] = np.arange(len(order))
    return new_code[codes], values[order]


def _assemble(table: Table, codes: list[Codes | None], categories: list[Categories | None]) -> NDArray[Any]:
    if isinstance(table, ArrayTable) and table.is_numeric and all(c is None for c in codes):
        return table.as_floats()  # checked before
    columns = [table.numeric(j) if c is None else c for j, c in enumerate(codes)]
    sizes = [0 if c is None else len(c) for c in categories]
    is_narrow = max(sizes) <= _MAX_FLOAT32_CODE and all(
        c is not None or column.dtype == np.float32 for c, column in zip(codes, columns, strict=True)
    )
    matrix = np.empty(table.shape, dtype=np.float32 if is_narrow else np.float64, order="F")
    for j, column in enumerate(columns):
        matrix[:, j] = column
        if codes[j] is not None:
            matrix[column < 0, j] = np.nan
    assert_all_finite(matrix, allow_nan=True, input_name="X")
    return matrix
