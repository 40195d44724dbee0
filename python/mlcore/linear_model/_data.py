"""From what users pass (arrays, sparse matrices, frames, labels, weights) to what the core takes."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from mlcore._matrix import Floats, Matrix, for_core

READ: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
"""Options of scikit-learn's checks of X: what the core reads in place is not converted."""


def is_sparse(X: Any) -> bool:
    """Return scipy.sparse.issparse, for which mypy would take the attributes of X away."""
    return bool(sp.issparse(X))


@dataclass(frozen=True)
class Rows:
    """Rows to train a classifier on."""

    X: Matrix
    y: NDArray[np.int32]
    """Positions in `classes`, shape (n_samples,); 0 where a row has no weight."""
    weight: Floats | None
    """Sample weights times class weights."""
    total_weight: float
    classes: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        return self.X[3] if isinstance(self.X, tuple) else self.X.shape

    @property
    def is_sparse(self) -> bool:
        return isinstance(self.X, tuple)


def classification_rows(X: Any, y: NDArray[Any], sample_weight: Any, class_weight: Any, owner: str) -> Rows:
    """Put together the rows of a classifier.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Checked.
    y : array of shape (n_samples,)
        Labels, checked for length only.
    sample_weight : array of shape (n_samples,), or None
    class_weight : dict, "balanced" or None
    owner : str
        Who asks, for messages.

    Raises
    ------
    ValueError
        If `y` holds no labels or less than two of them, or a weight is negative, not finite, or all are zero.
    """
    weight: Floats | None = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError(f"sample_weight of {owner} must have a weight that is not zero, got zeros only")
    classes, codes = encode_labels(y, weight, owner)
    factors = class_factors(class_weight, classes, codes, weight, owner)
    if factors is not None:
        weight = factors[codes] if weight is None else weight * factors[codes]
    with np.errstate(over="ignore"):
        total = float(len(codes)) if weight is None else float(weight.sum())
    if not np.isfinite(total):
        raise ValueError(f"the weights of {owner} have no finite sum: scale them down")
    return Rows(for_core(X), codes, weight, total, classes)


def encode_labels(y: NDArray[Any], weight: Floats | None, owner: str) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return the sorted labels of the rows that have a weight, and the position of each row's label in them."""
    has_weight = None if weight is None or weight.all() else weight > 0
    try:
        if y.dtype.kind not in "biuU":  # these are labels whatever they hold
            check_classification_targets(y)
        classes, codes = _unique(y if has_weight is None else y[has_weight])
    except TypeError as error:
        raise TypeError(f"labels of {owner} must be of one type: {error}") from error
    if len(classes) < 2:
        rows = "y" if has_weight is None else "y, where sample_weight is not zero,"
        raise ValueError(
            f"{rows} must hold at least 2 classes for {owner}, got 1 class: {classes.tolist()}. Were the rows sorted "
            "by class before they were split? train_test_split(..., stratify=y) keeps all classes in each part"
        )
    if y.dtype.kind in "biuU" and len(classes) > max(10, len(y) // 2):
        warnings.warn(
            f"y of {owner} has {len(classes)} classes in {len(y)} rows: is it a target for a regression?", stacklevel=5
        )
    if has_weight is not None:
        of_all = np.zeros(len(y), dtype=np.int32)
        of_all[has_weight] = codes
        codes = of_all
    return classes, codes


def _unique(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """np.unique with the inverse; whole numbers in a small range are counted instead of sorted."""
    if y.dtype.kind in "biuf":
        low, high = int(y.min()), int(y.max())
        if high - low < 2 * len(y) and low > -(2**53) and high < 2**53:
            places = y.astype(np.int64) - low
            present = np.flatnonzero(np.bincount(places))
            code_of = np.zeros(high - low + 1, dtype=np.int32)
            code_of[present] = np.arange(len(present), dtype=np.int32)
            return (present + low).astype(y.dtype), code_of[places]
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes.reshape(-1).astype(np.int32)


def class_factors(
    class_weight: Any, classes: NDArray[Any], codes: NDArray[np.int32], weight: Floats | None, owner: str
) -> Floats | None:
    """Return the factor on the weights of each class, or None."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str):  # "balanced"
        sums = np.bincount(codes, weights=weight, minlength=len(classes))
        return np.asarray(sums.sum() / (len(sums) * sums))
    factors = np.asarray(compute_class_weight(class_weight, classes=classes, y=classes), dtype=np.float64)
    if not (np.isfinite(factors).all() and (factors > 0).all()):
        raise ValueError(f"class_weight of {owner} must be finite and > 0, got {class_weight!r}")
    return factors
