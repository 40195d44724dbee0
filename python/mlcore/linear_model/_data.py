"""From what users pass (arrays, sparse matrices, frames, labels, weights) to what the core takes."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length

from mlcore._tables import Floats, Matrix, as_rows, for_core
from mlcore._validation import (
    class_factors,
    encode_labels,
    has_weight,
    read_labels,
    row_weights,
    sum_of_weights,
    with_factors,
)


@dataclass(frozen=True)
class Rows:
    """Rows to train a classifier on."""

    X: Matrix
    y: NDArray[np.int32]
    """Positions in `classes`, shape (n_samples,)."""
    weight: Floats | None
    """Sample weights times class weights."""
    total_weight: float
    classes: NDArray[Any]
    has_weight: NDArray[np.bool_]
    """Whether a class has rows with a weight, shape (n_classes,)."""
    class_weight: Floats
    """Factor on the weights of each class, shape (n_classes,)."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.X[3] if isinstance(self.X, tuple) else self.X.shape

    @property
    def is_sparse(self) -> bool:
        return isinstance(self.X, tuple)


def classification_rows(X: Any, y: Any, sample_weight: Any, class_weight: Any, owner: str) -> Rows:
    """Put together the rows of a classifier.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Checked.
    y : array-like of shape (n_samples,)
        Labels, as the user passed them; their number is that of the rows of X.
    sample_weight : array of shape (n_samples,), or None
    class_weight : dict, "balanced" or None
    owner : str
        Who asks, for messages.

    Raises
    ------
    ValueError
        If `y` holds no labels or less than two of them, a weight is negative or not finite, or all are zero.
    """
    y = read_labels(y, owner)
    check_consistent_length(X, y)
    weight = row_weights(sample_weight, X, owner)
    classes, codes = encode_labels(y, owner)
    if y.dtype.kind in "biuU" and len(classes) > max(10, len(y) // 2):
        warnings.warn(
            f"y of {owner} has {len(classes)} classes in {len(y)} rows: is it a target for a regression?", stacklevel=4
        )
    factors = class_factors(class_weight, classes, codes, weight, owner)
    if factors is not None:
        weight = with_factors(weight, factors, codes, owner)
    total = sum_of_weights(weight, len(codes), owner)
    present = has_weight(codes, weight, len(classes))
    factors = np.ones(len(classes)) if factors is None else factors
    return Rows(for_core(as_rows(X)), codes, weight, total, classes, present, factors)
