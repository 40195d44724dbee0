"""One fit of a logistic regression: which solver, the call of the core, and what to tell the user about the end of it.

The core minimises, with S the sum of the weights s_i, W (K, d) the coefficients and b (K,) the intercepts,

    F(W, b) = (1/S) sum_i s_i loss_i(W, b) + l2/2 |W|^2 + l1 |W|_1

with l2 = (1 - l1_ratio) / (C S) and l1 = l1_ratio / (C S), which is scikit-learn's objective divided by C S. Two
classes have one row of coefficients (K = 1).
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from mlcore._linear import linear_scores
from mlcore._native import core
from mlcore._progress import Progress
from mlcore._tables import Floats, Sparse
from mlcore.linear_model._data import Rows

EXACT_SOLVERS = ("lbfgs", "newton-cholesky", "coordinate_descent", "saga")
L1_SOLVERS = ("coordinate_descent", "saga")
"""The exact solvers that can put a coefficient at zero."""
OPTIMIZERS = ("gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam")

_MAX_ITER_EXACT, _MAX_ITER_OPTIMIZER = 1000, 100
_CERTAIN = -math.log(np.finfo(np.float64).eps)  # log-odds beside which the other class has no probability


@dataclass(frozen=True)
class Settings:
    """How to solve; the fields are parameters of LogisticRegression."""

    solver: str
    l1_ratio: float
    tol: float
    fit_intercept: bool
    max_iter: int
    learning_rate: float
    batch_size: int
    momentum: float
    seed: int
    n_threads: int
    verbose: int
    owner: str


def default_max_iter(solver: str) -> int:
    """Iterations of the exact solvers; epochs of the others, which cost as much as an iteration but gain less."""
    return _MAX_ITER_OPTIMIZER if solver in OPTIMIZERS else _MAX_ITER_EXACT


def choose_solver(solver: str, rows: Rows, *, has_l1: bool, owner: str) -> str:
    """Return the solver that "auto" means, or check that the one named can solve the problem."""
    if solver != "auto":
        if has_l1 and solver in EXACT_SOLVERS and solver not in L1_SOLVERS:
            raise ValueError(
                f"solver={solver!r} of {owner} needs a smooth penalty, so l1_ratio must be 0; with an L1 part use "
                "solver='coordinate_descent', 'saga' or 'auto'"
            )
        return solver
    if has_l1:
        return "coordinate_descent"
    return "lbfgs" if isinstance(rows.X, tuple) and not _newton_pays(rows.X, len(rows.classes)) else "newton-cholesky"


def _newton_pays(X: Sparse, n_classes: int) -> bool:
    """Return whether few Newton steps take less time than many of L-BFGS on sparse rows.

    Of sparse rows a sweep is cheap; the Hessian takes the square of a row's entries, and its factor the cube of the
    columns. With more than two classes it has a block for each pair of them.
    """
    _, _, indptr, (n, d) = X
    entries = float(indptr[-1]) / max(n, 1)
    newton_step = n * entries**2 / 2 + 0.03 * float(d) ** 3  # nanoseconds, as is the next one
    lbfgs_step = n * (entries + 3)
    return n_classes == 2 and 8 * newton_step < 60 * lbfgs_step


def penalties(C: float, l1_ratio: float, total_weight: float, owner: str) -> tuple[float, float]:
    """Return l1 and l2 of the core's objective. Raises ValueError if C is too small for that."""
    with np.errstate(over="ignore", divide="ignore"):
        strength = float(np.float64(1.0) / (np.float64(C) * total_weight))
    if not np.isfinite(strength):
        raise ValueError(f"C={C!r} of {owner} is too small: 1 / (C * sum of weights) overflows")
    return l1_ratio * strength, (1.0 - l1_ratio) * strength


def fit(rows: Rows, start: Floats, C: float, settings: Settings) -> dict[str, Any]:
    """Solve one problem.

    Parameters
    ----------
    rows : Rows
    start : array of shape (K, n_features + 1)
        Where to start; the last column holds the intercepts.
    C : float
    settings : Settings
        With a solver from :func:`choose_solver`.

    Returns
    -------
    dict
        ``coef`` (K, n_features + 1), ``n_iter``, ``optimality``, ``converged``, ``loss_curve``.

    Raises
    ------
    ValueError
        If the numbers overflow: a learning rate that is too large, or values of X that are.
    """
    start = without_weightless(start, rows.has_weight)
    if rows.has_weight.sum() == 1:
        return _constant(start)
    l1, l2 = penalties(C, settings.l1_ratio, rows.total_weight, settings.owner)
    is_optimizer = settings.solver in OPTIMIZERS
    with Progress(
        settings.max_iter, settings.verbose, settings.owner, unit="epoch" if is_optimizer else "it"
    ) as progress:
        try:
            result = core.linear_model.logistic_fit(
                rows.X,
                rows.y,
                rows.weight,
                start,
                n_classes=len(rows.classes),
                l1=l1,
                l2=l2,
                fit_intercept=settings.fit_intercept,
                solver=settings.solver,
                tol=settings.tol,
                max_iter=settings.max_iter,
                learning_rate=settings.learning_rate,
                batch_size=settings.batch_size,
                momentum=settings.momentum,
                n_threads=settings.n_threads,
                seed=settings.seed,
                report=progress.callback("loss"),
            )
        except ValueError as error:
            if "overflow" not in str(error):
                raise
            raise ValueError(_explain_overflow(rows, settings, is_optimizer=is_optimizer)) from error
    found: dict[str, Any] = {**result}
    if not all(np.isfinite(found[key]).all() for key in ("coef", "optimality", "loss_curve")):
        raise ValueError(_explain_overflow(rows, settings, is_optimizer=is_optimizer))
    found["coef"] = one_solution(found["coef"], l1, l2)
    return found


def without_weightless(start: Floats, has_weight: NDArray[np.bool_]) -> Floats:
    """Return where to start, with next to no probability for classes that have no row with a weight.

    Their intercepts have no minimum, they would fall for ever; so low, a gradient cannot move them any further.
    """
    if has_weight.all():
        return start
    start = start.copy()
    if len(start) == 1:  # one of two classes
        start[:, :-1] = 0.0
        start[0, -1] = _CERTAIN if has_weight[1] else -_CERTAIN
        return start
    start[~has_weight] = start[has_weight].mean(axis=0)
    start[~has_weight, -1] = start[has_weight, -1].min() - _CERTAIN
    return start


def _constant(start: Floats) -> dict[str, Any]:
    """Return a model that predicts the only class with a weight, whatever the row; with an intercept in any case."""
    coef = start.copy()
    coef[:, :-1] = 0.0
    if len(coef) > 1:
        coef[:, -1] -= coef[:, -1].mean()
    return {"coef": coef, "n_iter": 0, "optimality": 0.0, "converged": True, "loss_curve": np.zeros(1)}


def one_solution(coef: Floats, l1: float, l2: float) -> Floats:
    """Return the solution of several that a softmax has, so that it is the same from any start.

    Its scores may all move by a constant: intercepts, and without penalty the coefficients of a column, are taken such
    that they sum to zero. With L1 alone and an even number of classes, those of a column may move between the two in
    the middle: one of these is made zero, such that the sum of squares is the smaller one.
    """
    n_outputs = len(coef)
    if n_outputs == 1:
        return coef
    shift = np.zeros(coef.shape[1])
    shift[-1] = coef[:, -1].mean()
    if l1 == 0 and l2 == 0:
        shift = coef.mean(axis=0)
    elif l2 == 0 and n_outputs % 2 == 0:
        low, high = np.sort(coef[:, :-1], axis=0)[n_outputs // 2 - 1 : n_outputs // 2 + 1]
        shift[:-1] = np.where(low + high < 2 * coef[:, :-1].mean(axis=0), high, low)
    return coef - shift


# ---- what to tell the user ----


def warn_of_the_end(rows: Rows, found: dict[str, Any], C: float, settings: Settings) -> None:
    """Issue a ConvergenceWarning if the solver stopped early, or if there is no solution to converge to."""
    if found["converged"]:
        if math.isinf(C) and rows.has_weight.sum() > 1 and is_separated(rows, found["coef"], settings.n_threads):
            warnings.warn(
                f"the classes are separated without error, so the likelihood of {settings.owner} with C=inf has no "
                "maximum: coefficients grow until the gradient falls below tol and mean nothing. Use a finite C",
                ConvergenceWarning,
                stacklevel=4,
            )
        return
    unit = "epochs" if settings.solver in OPTIMIZERS else "iterations"
    stopped = f"after {found['n_iter']} {unit}"
    if found["n_iter"] >= settings.max_iter:
        stopped += " (max_iter)"
    text = (
        f"solver={settings.solver!r} of {settings.owner} stopped {stopped} with a largest entry of the gradient of "
        f"{found['optimality']:.3g}, above tol={settings.tol:.3g}. "
    )
    warnings.warn(text + _advice(rows, found, C, settings), ConvergenceWarning, stacklevel=4)


def _advice(rows: Rows, found: dict[str, Any], C: float, settings: Settings) -> str:
    if is_separated(rows, found["coef"], settings.n_threads):
        return (
            f"The classes are separated without error: with so weak a penalty (C={C:g}) coefficients grow for long. "
            "Lower C, or raise max_iter"
        )
    if found["n_iter"] < settings.max_iter:
        return "Steps have become too small to change the loss: raise tol"
    if settings.solver in OPTIMIZERS:
        return (
            "Raise max_iter, change learning_rate (with single rows or batches a fixed rate goes on around the "
            "solution: lower is closer), or take an exact solver"
        )
    return "Raise max_iter or tol"


def is_separated(rows: Rows, coef: Floats, n_threads: int) -> bool:
    """Return whether all rows with a weight are on the right side: a proof that a fit without penalty never ends."""
    scores = linear_scores(rows.X, coef[:, :-1], coef[:, -1], n_threads)
    if scores.shape[1] == 1:
        margin = np.where(rows.y == 1, scores[:, 0], -scores[:, 0])
    else:
        at = np.arange(len(scores))
        own = scores[at, rows.y]
        scores[at, rows.y] = -np.inf
        margin = own - scores.max(axis=1)
    is_right = margin > 0
    return bool((is_right if rows.weight is None else is_right | (rows.weight == 0)).all())


def _explain_overflow(rows: Rows, settings: Settings, *, is_optimizer: bool) -> str:
    values = rows.X[0] if isinstance(rows.X, tuple) else rows.X
    largest = float(np.max(np.abs(values), initial=0.0))
    who = f"solver={settings.solver!r} of {settings.owner}"
    if is_optimizer and largest < 1e100:
        rate = f"learning_rate={settings.learning_rate:g}" if settings.learning_rate > 0 else "learning_rate='auto'"
        return f"{who} diverged with {rate}: lower it, or scale X (largest value: {largest:.3g})"
    return f"the numbers of {who} overflowed: X has values as large as {largest:.3g}, scale it"
