"""From the parameters `kernel`, `gamma`, `degree`, `coef0` to what the core computes, and the kernels it is given.

A precomputed kernel is a matrix in the place of X; a callable one is asked for that matrix, rows of X by rows of X in
fit, rows of X by support vectors later.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from mlcore._tables import Dense, Floats, Rows
from mlcore.svm._rows import largest_asymmetry, largest_square_norm, variance

ROUNDING = 1e-5
"""How far a kernel matrix may be from symmetric, as a share of its largest entry: float32 is allowed for."""


COMPUTED = ("linear", "poly", "rbf", "sigmoid")
LARGEST_DEGREE = 2**31 - 1  # the core has an int of C
_LARGEST = 1e36  # differences and sums of a few still fit
_LEAST = 1e-30  # below, digits are lost


@dataclass(frozen=True)
class Kernel:
    """A kernel with the values of a fit: later changes of the estimator's parameters do not touch it."""

    name: str
    gamma: float = 0.0
    degree: int = 3
    coef0: float = 0.0

    def __post_init__(self) -> None:
        """Check what may come from a file. Raises ValueError, TypeError."""
        if self.name not in (*COMPUTED, "precomputed", "callable"):
            raise ValueError(f"there is no kernel {self.name!r}")
        if not (math.isfinite(self.gamma) and self.gamma >= 0 and math.isfinite(self.coef0)):
            raise ValueError(f"gamma must be finite and >= 0 and coef0 finite, got {self.gamma} and {self.coef0}")
        if not isinstance(self.degree, int) or not 0 <= self.degree <= LARGEST_DEGREE:
            raise ValueError(f"degree must be an int from 0 to {LARGEST_DEGREE}, got {self.degree!r}")

    @property
    def reads_rows(self) -> bool:
        """Whether the core computes it from rows; otherwise it is given a matrix."""
        return self.name in COMPUTED

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the core."""
        name = self.name if self.reads_rows else "precomputed"
        return {"kernel": name, "gamma": self.gamma, "degree": self.degree, "coef0": self.coef0}


def fit_kernel(estimator: Any, X: Rows | None, weight: Floats | None) -> Kernel:
    """Return the kernel that the parameters of `estimator` describe, on weighted rows (`X` None: for a callable)."""
    name = "callable" if callable(estimator.kernel) else estimator.kernel
    degree, coef0 = int(estimator.degree), float(estimator.coef0)
    if X is None or name not in ("rbf", "poly", "sigmoid"):
        return Kernel(name, 0.0, degree, coef0)
    return Kernel(name, _gamma(estimator, X, weight), degree, coef0)


def check_range(estimator: Any, kernel: Kernel, X: Rows) -> None:
    """Raise ValueError if a float32 cannot hold kernel values of the rows `X`, or those in the kernel matrix `X`."""
    if kernel.name in ("rbf", "sigmoid"):
        return  # at most 1
    with np.errstate(over="ignore", invalid="ignore"):
        if kernel.reads_rows:
            largest = largest_square_norm(X)
            if kernel.name == "poly":
                largest = float(np.power(np.float64(kernel.gamma * largest + abs(kernel.coef0)), kernel.degree))
        else:
            largest = max(float(X.max()), -float(X.min()))
    if not largest <= _LARGEST or 0 < largest < _LEAST:
        raise ValueError(
            f"kernel values of {type(estimator).__name__} must fit a float32, got {largest:.3g}: scale the features, "
            "with StandardScaler for example"
        )


def _gamma(estimator: Any, X: Rows, weight: Floats | None) -> float:
    gamma = estimator.gamma
    if isinstance(gamma, Real):
        return float(gamma)
    if gamma == "auto":
        return 1.0 / int(X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        scale = X.shape[1] * variance(X, weight)
    if not np.isfinite(scale):
        raise ValueError(
            f"gamma='scale' of {type(estimator).__name__} is 1 / (n_features * X.var()), and the variance of X is too "
            "large for a float64: scale the features, with StandardScaler for example"
        )
    with np.errstate(divide="ignore"):
        value = float(1.0 / np.float64(scale))
    if np.isfinite(value):
        return value
    warnings.warn(
        f"gamma='scale' of {type(estimator).__name__} is 1 / (n_features * X.var()), and the variance of X is 0: gamma "
        "is set to 1. All rows are the same to the kernel, so that nothing can be learned from X.",
        UserWarning,
        stacklevel=5,
    )
    return 1.0


def check_square(estimator: Any, K: Dense) -> None:
    """Raise ValueError if a precomputed kernel of the training rows is not square."""
    if K.shape[0] != K.shape[1]:
        raise ValueError(
            f"the precomputed kernel matrix of {type(estimator).__name__} must be square in fit, a row and a column "
            f"for each training row, got {K.shape}"
        )


def check_symmetric(estimator: Any, K: Dense) -> None:
    """Raise ValueError if the kernel matrix of the training rows is not symmetric."""
    with np.errstate(over="ignore", invalid="ignore"):
        distance, i, j, size = largest_asymmetry(K)
    if not distance <= ROUNDING * size:
        what = "matrix that the kernel returns for" if callable(estimator.kernel) else "precomputed kernel matrix of"
        raise ValueError(
            f"the {what} the training rows of {type(estimator).__name__} must be symmetric, got {K[i, j]:.6g} for rows "
            f"{i} and {j} and {K[j, i]:.6g} for rows {j} and {i}"
        )


def call_kernel(estimator: Any, X: Any, Z: Any) -> Dense:
    """Return the matrix of a callable kernel, checked: shape (rows of X, rows of Z), finite numbers.

    What the callable raises goes on as it is, with a note that says where it was called.
    """
    kernel: Callable[[Any, Any], Any] = estimator.kernel
    shape = _num_samples(X), _num_samples(Z)
    owner = f"the kernel of {type(estimator).__name__}"
    try:
        result = kernel(X, Z)
    except Exception as error:
        error.add_note(f"raised by {owner}, {kernel!r}, for {shape[0]} by {shape[1]} rows")
        raise
    try:
        K = np.asarray(result.toarray() if hasattr(result, "toarray") else result)
        if K.dtype not in (np.float32, np.float64):
            if K.dtype.kind == "c":
                raise TypeError("complex numbers")
            K = K.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{owner} must return a matrix of real numbers, got {type(result).__name__}: {error}"
        ) from error
    if K.shape != shape:
        raise ValueError(
            f"{owner}, called for {shape[0]} by {shape[1]} rows, must return an array of shape {shape}, got {K.shape}"
        )
    if not np.isfinite(K).all():
        i, j = np.argwhere(~np.isfinite(K))[0].tolist()
        raise ValueError(f"{owner} must return finite numbers, got {K[i, j]} for row {i} and row {j}")
    return K
