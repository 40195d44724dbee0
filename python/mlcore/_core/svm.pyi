# Submodule `svm` of every _core_<level> extension module: kernel machines.
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

def train(
    kind: str,
    X: Any,
    y: NDArray[np.float64],
    C: NDArray[np.float64],
    *,
    nu: float,
    epsilon: float,
    kernel: str,
    gamma: float,
    degree: int,
    coef0: float,
    tol: float,
    cache_size: int,
    shrinking: bool,
    max_iter: int,
    n_threads: int,
    report: Callable[[int, float], None] | None,
) -> dict[str, Any]: ...
def decision_function(
    X: Any,
    support_vectors: Any,
    dual_coef: NDArray[np.float64],
    n_support: NDArray[np.int32],
    intercept: NDArray[np.float64],
    *,
    kernel: str,
    gamma: float,
    degree: int,
    coef0: float,
    n_threads: int,
) -> NDArray[np.float64]: ...
def kernel_matrix(
    X: Any, Z: Any, *, kernel: str, gamma: float, degree: int, coef0: float, n_threads: int
) -> NDArray[np.float64]: ...
