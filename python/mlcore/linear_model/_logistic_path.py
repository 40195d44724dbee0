"""Logistic regression along a grid of C: each solution is the start of the next one, from strong penalties to weak."""

import warnings
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from mlcore._base import N_JOBS, effective_n_jobs, seed_from
from mlcore._native import core
from mlcore._progress import Progress
from mlcore._sparse import check_sparse
from mlcore._tables import READ, Floats
from mlcore.linear_model._data import Rows, classification_rows
from mlcore.linear_model._logistic_fit import (
    EXACT_SOLVERS,
    Settings,
    choose_solver,
    default_max_iter,
    fit,
    without_weightless,
)

_OWNER = "logistic_path"
_LEAST_L1_RATIO = 1e-3  # of the default grid: with L2 alone no C makes coefficients vanish

_CONSTRAINTS: dict[str, list[Any]] = {
    "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "solver": [StrOptions({"auto", *EXACT_SOLVERS})],
    "tol": [Interval(Real, 0, None, closed="left")],
    "fit_intercept": ["boolean"],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "random_state": ["random_state"],
    "n_jobs": [*N_JOBS],
    "verbose": ["verbose"],
}


def logistic_path(
    X: Any,
    y: Any,
    *,
    Cs: Any = 100,
    eps: float = 1e-3,
    l1_ratio: float = 1.0,
    sample_weight: Any = None,
    solver: str = "auto",
    tol: float = 1e-4,
    fit_intercept: bool = True,
    class_weight: dict[Any, float] | Literal["balanced"] | None = None,
    max_iter: int | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Fit logistic regressions along a grid of C, each from the solution of the one before.

    Parameters
    ----------
    X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
        Training rows.
    y : array of shape (n_samples,)
        Class labels.
    Cs : int or array of shape (n_Cs,), default=100
        Inverse strengths of the penalty, > 0, or how many: then they rise by a constant factor from the C up to which
        all coefficients are zero to ``1 / eps`` times it. With `l1_ratio` below 0.001 no such C is near, and the grid
        of 0.001 is taken.
    eps : float, default=1e-3
        Length of the default grid, smallest C over largest, in (0, 1).
    l1_ratio : float, default=1.0
        Share of the L1 penalty, in [0, 1], as in :class:`LogisticRegression`.
    sample_weight : array of shape (n_samples,), default=None
        Weights, not negative.
    solver : {"auto", "lbfgs", "newton-cholesky", "coordinate_descent", "saga"}, default="auto"
        The exact solvers of :class:`LogisticRegression`.
    tol, fit_intercept, class_weight, max_iter, random_state, n_jobs :
        As in :class:`LogisticRegression`, for each C.
    verbose : int, default=0
        1: a progress bar; 2: a line for each C through ``logging.getLogger("mlcore")``.

    Returns
    -------
    Cs : array of shape (n_Cs,)
        Ascending.
    coefs : array of shape (n_Cs, n_outputs, n_features + 1)
        Coefficients for each of them, intercepts in the last column; n_outputs is 1 for two classes, else the number
        of classes, sorted.
    n_iters : int32 array of shape (n_Cs,)
        Iterations.

    Raises
    ------
    ValueError
        If a parameter or the data is out of range; the message says which.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` was reached for some C.

    See Also
    --------
    LogisticRegression : A model for one C.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate
    descent", Journal of Statistical Software, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore.linear_model import logistic_path
    >>> X, y = load_iris(return_X_y=True)
    >>> Cs, coefs, n_iters = logistic_path(X, y, Cs=5)
    >>> coefs.shape
    (5, 3, 5)
    >>> (coefs[:, :, :-1] != 0).sum(axis=(1, 2)).tolist()[0]
    0
    """
    validate_parameter_constraints(
        _CONSTRAINTS,
        {
            "Cs": Cs,
            "eps": eps,
            "l1_ratio": l1_ratio,
            "solver": solver,
            "tol": tol,
            "fit_intercept": fit_intercept,
            "class_weight": class_weight,
            "max_iter": max_iter,
            "random_state": random_state,
            "n_jobs": n_jobs,
            "verbose": verbose,
        },
        caller_name=_OWNER,
    )
    n_threads = effective_n_jobs(n_jobs)
    seed = seed_from(random_state)
    grid = None if isinstance(Cs, Integral) else _given_grid(Cs)
    check_sparse(X, _OWNER)
    X = check_array(X, estimator=_OWNER, input_name="X", **READ)
    rows = classification_rows(X, y, sample_weight, class_weight, _OWNER)
    if rows.has_weight.sum() < 2:
        raise ValueError(
            f"sample_weight and class_weight of {_OWNER} must leave weight to 2 classes at least, got weight for "
            f"{rows.classes[rows.has_weight].tolist()} alone"
        )
    null = _null_model(rows, fit_intercept=fit_intercept)
    if grid is None:
        least = _least_c(rows, null, l1_ratio, fit_intercept=fit_intercept, n_threads=n_threads)
        grid = np.geomspace(least, least / eps, int(Cs)) if Cs > 1 else np.array([least])
    chosen = choose_solver(solver, rows, has_l1=l1_ratio > 0, owner=_OWNER)
    settings = Settings(
        solver=chosen,
        l1_ratio=float(l1_ratio),
        tol=float(tol),
        fit_intercept=bool(fit_intercept),
        max_iter=default_max_iter(chosen) if max_iter is None else min(int(max_iter), 2**31 - 1),
        learning_rate=0.0,
        batch_size=rows.shape[0],
        momentum=0.0,
        seed=seed,
        n_threads=n_threads,
        verbose=0,
        owner=_OWNER,
    )
    coefs = np.empty((len(grid), *null.shape))
    n_iters = np.empty(len(grid), dtype=np.int32)
    left: list[tuple[float, float]] = []
    coef = null
    with Progress(len(grid), verbose, _OWNER, unit="C") as progress:
        for i, C in enumerate(grid.tolist()):
            found = fit(rows, coef, C, settings)
            coefs[i] = coef = found["coef"]
            n_iters[i] = found["n_iter"]
            if not found["converged"]:
                left.append((C, found["optimality"]))
            progress.update(1, C=C, loss=float(found["loss_curve"][-1]))
    if left:
        worst = max(left, key=lambda pair: pair[1])
        limit = f"at max_iter={settings.max_iter} iterations" if n_iters.max() >= settings.max_iter else "early"
        warnings.warn(
            f"solver={chosen!r} of {_OWNER} stopped {limit} for {len(left)} of {len(grid)} values of C; the largest "
            f"entry of the gradient left is {worst[1]:.3g} (C={worst[0]:.3g}), above tol={settings.tol:.3g}. Raise "
            "max_iter or tol, scale X, or end the grid at a smaller C",
            ConvergenceWarning,
            stacklevel=2,
        )
    return grid, coefs, n_iters


def _given_grid(Cs: Any) -> Floats:
    grid = np.sort(np.asarray(Cs, dtype=np.float64))
    if grid.ndim != 1 or grid.size == 0 or not (grid > 0).all():
        raise ValueError(f"Cs of {_OWNER} must be a list of numbers > 0, or how many, got {Cs!r}")
    return grid


def _null_model(rows: Rows, *, fit_intercept: bool) -> Floats:
    """Return the best model without coefficients: log-odds or log shares of the classes as intercepts."""
    n_outputs = 1 if len(rows.classes) == 2 else len(rows.classes)
    coef = np.zeros((n_outputs, rows.shape[1] + 1))
    if fit_intercept:
        shares = np.bincount(rows.y, weights=rows.weight, minlength=len(rows.classes))
        log_shares = np.log(np.where(rows.has_weight, shares, 1.0))
        if n_outputs == 1:
            coef[:, -1] = log_shares[1] - log_shares[0]
        else:
            coef[:, -1] = log_shares
            coef = without_weightless(coef, rows.has_weight)
            coef[:, -1] -= coef[:, -1].mean()
    return coef


def _least_c(rows: Rows, null: Floats, l1_ratio: float, *, fit_intercept: bool, n_threads: int) -> float:
    """Return the largest C at which all coefficients are zero: l1 = l1_ratio / (C S) is the largest slope there."""
    _, gradient = core.linear_model.logistic_value_and_gradient(
        rows.X,
        rows.y,
        rows.weight,
        null,
        n_classes=len(rows.classes),
        l2=0.0,
        fit_intercept=fit_intercept,
        n_threads=n_threads,
    )
    slope = float(np.abs(gradient[:, :-1]).max())
    if not np.isfinite(slope):
        raise ValueError(f"the gradient of {_OWNER} overflowed: scale X")
    least = max(l1_ratio, _LEAST_L1_RATIO) / (rows.total_weight * slope) if slope > 0 else 1.0
    return least * (1 - 1e-12) if np.isfinite(least) else 1.0  # rounding must not let one of them in
