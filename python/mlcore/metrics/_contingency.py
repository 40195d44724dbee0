"""Two labellings of the same rows, counted: what all comparisons of two clusterings start from."""

import warnings
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import type_of_target

from mlcore._native import core
from mlcore.metrics._clusterings import encode
from mlcore.metrics._inputs import invalid, is_real, plain_column, require_array

__all__ = ["Contingency", "contingency_matrix", "count_pairs", "count_partitions"]

Contingency = core.metrics.Contingency


def count_partitions(labels_true: Any, labels_pred: Any, function: str) -> Contingency | None:
    """Count the rows of each class in each cluster; None if there are no rows.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Labels of any type that can be ordered, and not of the same type in both.
    function : str
        Who asks, for messages.

    Raises
    ------
    ValueError
        If a column is not 1-D, lengths differ, or there is NaN.
    """
    counts = core.metrics.contingency(plain_column(labels_true), plain_column(labels_pred))
    if counts is not None:
        return counts
    require_array(function, labels_true=labels_true, labels_pred=labels_pred)
    columns, kinds = [], []
    for name, labels in (("labels_true", labels_true), ("labels_pred", labels_pred)):
        column = check_array(labels, ensure_2d=False, ensure_min_samples=0, dtype=None, input_name=name)
        if column.ndim != 1:
            raise ValueError(f"{name} must be of shape (n_samples,), one label a row, got an array of {column.shape}")
        kinds.append(type_of_target(column, input_name=name))
        columns.append(column)
    check_consistent_length(*columns)
    if "continuous" in kinds:
        warnings.warn(
            f"{function} compares labels, and takes each distinct number for one: labels_true is {kinds[0]}, "
            f"labels_pred {kinds[1]}",
            UserWarning,
            stacklevel=3,
        )
    if len(columns[0]) == 0:
        return None
    codes = [encode(c, name)[1] for name, c in zip(("labels_true", "labels_pred"), columns, strict=True)]
    return core.metrics.contingency(*codes)


def contingency_matrix(
    labels_true: Any, labels_pred: Any, *, eps: float | None = None, sparse: bool = False, dtype: Any = np.int64
) -> Any:
    """Count the rows of class i in cluster j.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters.
    eps : float, default=None
        Added to all counts.
    sparse : bool, default=False
        Return a CSR matrix, which holds the counts that are not 0 alone.
    dtype : numeric type, default=int64
        Type of the counts; with `eps`, float64.

    Returns
    -------
    ndarray or CSR matrix of shape (n_classes, n_clusters)
        Rows and columns in the order of the sorted labels.

    Raises
    ------
    ValueError
        If lengths differ, a column is no column of labels, or `eps` is given with `sparse`.
    """
    if eps is not None and not (is_real(eps) and eps >= 0):
        raise invalid("contingency_matrix", "eps", "a float >= 0 or None", eps)
    if not isinstance(sparse, bool | np.bool_):
        raise invalid("contingency_matrix", "sparse", "a bool", sparse)
    if eps is not None and sparse:
        raise ValueError("eps cannot be added to a sparse matrix: sparse=True takes eps=None")
    counts = count_partitions(labels_true, labels_pred, "contingency_matrix")
    if counts is None:
        matrix = coo_array((0, 0), dtype=dtype)
    else:
        rows, columns, cells = counts.cells()
        matrix = coo_array((cells.astype(dtype), (rows, columns)), shape=(counts.n_classes, counts.n_clusters))
    if sparse:
        return _as_sklearn_gives(matrix.tocsr())
    dense = matrix.toarray()
    return dense if eps is None else dense + eps


def _as_sklearn_gives(matrix: Any) -> Any:
    """Return a sparse array of the kind that the installed scikit-learn returns, a matrix or an array."""
    try:
        from sklearn.utils import _align_api_if_sparse
    except ImportError:  # before it could return arrays
        from scipy.sparse import csr_matrix

        return csr_matrix(matrix)
    return _align_api_if_sparse(matrix)


def counts_of(contingency: Any) -> Contingency:
    """Return the counts that a matrix of shape (n_classes, n_clusters), dense or sparse, holds.

    Raises
    ------
    ValueError
        If it is no matrix of whole numbers, has negative counts or no rows at all.
    """
    matrix = check_array(contingency, accept_sparse=["csr", "csc", "coo"], dtype=[np.int64, np.int32])
    cells = matrix.tocoo() if hasattr(matrix, "tocoo") else coo_array(matrix)
    rows, columns = (np.ascontiguousarray(i, dtype=np.int64) for i in (cells.row, cells.col))
    return core.metrics.contingency_of_cells(rows, columns, np.ascontiguousarray(cells.data, dtype=np.int64))


def count_pairs(labels_true: Any, labels_pred: Any, function: str) -> tuple[int, int, int, int]:
    """Return the ordered pairs of rows: apart in both, together in labels_pred alone, in labels_true alone, in both."""
    counts = count_partitions(labels_true, labels_pred, function)
    return (0, 0, 0, 0) if counts is None else counts.pairs()
