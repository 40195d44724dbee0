"""A table and the labels of its rows: what the indices of a clustering are given."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d

from mlcore._native import core
from mlcore.metrics._inputs import Codes, Floats, plain_column, require_array

__all__ = ["Clustering", "encode", "read_clustering"]


class Clustering(NamedTuple):
    """Rows and their clusters."""

    X: Any
    """Rows, float64 in C order of shape (n_samples, n_features), or a CSR matrix."""
    codes: Codes
    """The cluster of each row, 0 .. n_clusters - 1, of shape (n_samples,)."""
    n_clusters: int

    @property
    def n_rows(self) -> int:
        """Rows of X."""
        return len(self.codes)


def encode(labels: Any, name: str) -> tuple[NDArray[Any], Codes]:
    """Return the distinct labels, sorted, and the position of each row's label in them.

    Labels of clusters may be anything that can be ordered, numbers with a fraction too; NaN is an error.

    Raises
    ------
    ValueError
        If `labels` is no column, or holds NaN or infinity.
    TypeError
        If labels cannot be ordered among each other.
    """
    encoded = core.metrics.encode_labels(plain_column(labels))
    if encoded is not None:
        return encoded
    column = column_or_1d(labels, input_name=name)
    if column.dtype.kind in "fO":
        assert_all_finite(column, input_name=name)
    distinct, codes = np.unique(column, return_inverse=True)
    return distinct, codes.reshape(-1).astype(np.int32)


def read_clustering(X: Any, labels: Any, function: str, *, sparse: bool = False) -> Clustering:
    """Read a table and the labels of its rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows; a sparse matrix too if `sparse`.
    labels : array-like of shape (n_samples,)
        The cluster of each row: labels of any type.
    function : str
        Who asks, for messages.
    sparse : bool, default=False
        Whether sparse matrices are taken.

    Raises
    ------
    ValueError
        If the lengths differ, a value is NaN or infinite, or there are not 2 to n_samples - 1 labels.
    """
    require_array(function, X=X, labels=labels)
    X = check_array(X, accept_sparse="csr" if sparse else False, dtype=np.float64, order="C", input_name="X")
    distinct, codes = encode(labels, "labels")
    check_consistent_length(X, codes)
    if not 1 < len(distinct) < len(codes):
        raise ValueError(
            f"Number of labels is {len(distinct)}. {function} needs 2 to n_samples - 1 of them, which is "
            f"{len(codes) - 1} here"
        )
    return Clustering(X if issparse(X) else np.asarray(X), codes, len(distinct))


def diagonal_is_zero(D: Any) -> bool:
    """Whether a matrix of distances has zeros on its diagonal, up to the rounding of the largest distance."""
    diagonal: Floats = np.abs(D.diagonal())
    return bool(diagonal.max() <= 100 * np.finfo(np.float64).eps * D.max())
