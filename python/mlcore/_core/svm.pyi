# Submodule `svm` of every _core_<level> extension module.
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# ---- kernel machines (svm.cpp) ----

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

# ---- linear machines (linear_model/hinge.cpp) ----

def linear_svc(
    X: Any,
    y: NDArray[np.int32],
    cost: NDArray[np.float64],
    positive_factor: NDArray[np.float64],
    negative_factor: NDArray[np.float64],
    *,
    penalty: str,
    loss: str,
    dual: bool,
    bias: float,
    tol: float,
    max_iter: int,
    solver: str,
    n_threads: int,
    seed: int,
    report: Callable[[int, float], None] | None,
) -> dict[str, Any]: ...
def linear_svr(
    X: Any,
    y: NDArray[np.float64],
    cost: NDArray[np.float64],
    *,
    loss: str,
    epsilon: float,
    dual: bool,
    bias: float,
    tol: float,
    max_iter: int,
    solver: str,
    n_threads: int,
    seed: int,
    report: Callable[[int, float], None] | None,
) -> dict[str, Any]: ...
def linear_scores(
    X: Any, coef: NDArray[np.float64], intercept: NDArray[np.float64], *, n_threads: int
) -> NDArray[np.float64]: ...
