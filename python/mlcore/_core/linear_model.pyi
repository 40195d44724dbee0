# Submodule `linear_model` of every _core_<level> extension module.
from collections.abc import Callable
from typing import Any, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

SparseArg: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[int, int]]
Matrix: TypeAlias = NDArray[np.float32] | NDArray[np.float64] | SparseArg
Floats: TypeAlias = NDArray[np.float64]
Report: TypeAlias = Callable[[int, float], None]

# ---- predictions of all linear models (linear_model/linear_model.cpp) ----

def linear_scores(X: Matrix, coef: Floats, intercept: Floats, *, n_threads: int) -> Floats: ...

# ---- logistic regression (linear_model/linear_model.cpp) ----

class LogisticResult(TypedDict):
    coef: Floats
    n_iter: int
    optimality: float
    converged: bool
    loss_curve: Floats

def logistic_fit(
    X: Matrix,
    y: NDArray[np.int32],
    sample_weight: Floats | None,
    start: Floats,
    *,
    n_classes: int,
    l1: float,
    l2: float,
    fit_intercept: bool,
    solver: str,
    tol: float,
    max_iter: int,
    learning_rate: float,
    batch_size: int,
    momentum: float,
    n_threads: int,
    seed: int,
    report: Report | None,
) -> LogisticResult: ...
def logistic_value_and_gradient(
    X: Matrix,
    y: NDArray[np.int32],
    sample_weight: Floats | None,
    coef: Floats,
    *,
    n_classes: int,
    l2: float,
    fit_intercept: bool,
    n_threads: int,
) -> tuple[float, Floats]: ...

# ---- least squares (linear_model/least_squares.cpp) ----

def elastic_net_path(
    X: Matrix,
    Y: Floats,
    sample_weight: Floats | None,
    alphas: Floats | None,
    n_alphas: int,
    eps: float,
    start: Floats | None,
    *,
    l1_ratio: float,
    tol: float,
    max_iter: int,
    fit_intercept: bool,
    positive: bool,
    random_order: bool,
    precompute: str,
    n_threads: int,
    seed: int,
    report: Report | None,
) -> dict[str, Any]: ...
def ridge(
    X: Matrix,
    Y: Floats,
    sample_weight: Floats | None,
    alphas: Floats,
    *,
    solver: str,
    tol: float,
    max_iter: int,
    fit_intercept: bool,
    n_threads: int,
    report: Report | None,
) -> dict[str, Any]: ...

# ---- linear support vector machines (linear_model/hinge.cpp) ----

def linear_svc(
    X: Matrix,
    y: NDArray[np.int32],
    cost: Floats,
    positive_factor: Floats,
    negative_factor: Floats,
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
    report: Report | None,
) -> dict[str, Any]: ...
def linear_svr(
    X: Matrix,
    y: Floats,
    cost: Floats,
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
    report: Report | None,
) -> dict[str, Any]: ...
