"""Lasso and elastic net along a path of penalties: all of them in one call of the core, from strong to weak."""

import warnings
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_X_y
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from mlcore._progress import Progress
from mlcore._sparse import check_sparse
from mlcore._tables import READ, Floats
from mlcore.linear_model._descent import DESCENT, descend
from mlcore.linear_model._least_squares import make_problem

_CONSTRAINTS: dict[str, list[Any]] = {
    **DESCENT,
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "eps": [Interval(Real, 0, 1, closed="right")],
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "coef_init": ["array-like", None],
    "verbose": ["verbose"],
    "return_n_iter": ["boolean"],
}


def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    alphas: Any = 100,
    precompute: Any = "auto",
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: int = 0,
    return_n_iter: bool = False,
    positive: bool = False,
    sample_weight: Any = None,
    fit_intercept: bool = False,
    tol: float = 1e-4,
    max_iter: int | None = 1000,
    selection: Literal["cyclic", "random"] = "cyclic",
    random_state: Any = None,
    n_jobs: int | None = None,
) -> Any:
    """Fit elastic nets along a path of alphas, each from the solution of the one before.

    The objective is that of :class:`ElasticNet`.

    Parameters
    ----------
    X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
        Training rows, finite. float32, float64 and CSR are read in place.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        Targets. Each column is a problem of its own, on the same alphas (scikit-learn ties columns together by a
        multi-task penalty here).
    l1_ratio : float, default=0.5
        Share of the L1 penalty, in [0, 1]; must be > 0 where `alphas` is a number.
    eps : float, default=1e-3
        Length of the path, smallest alpha over largest, in (0, 1].
    alphas : int or array of shape (n_alphas,), default=100
        Strengths of the penalty, >= 0, or how many: then they fall by a constant factor from the smallest that makes
        all coefficients zero.
    precompute : "auto", bool or array of shape (n_features, n_features), default="auto"
        True: use the Gram matrix of all features; otherwise whichever is faster. An array is taken as True.
    copy_X : bool, default=True
        Without effect, as X is never written to; scikit-learn's parameter.
    coef_init : array of shape (n_features,) or (n_targets, n_features), default=None
        Where the first alpha starts; zeros if None.
    verbose : int, default=0
        1: a progress bar; 2: a line for each alpha through ``logging.getLogger("mlcore")``.
    return_n_iter : bool, default=False
        Whether to return the numbers of sweeps.
    positive : bool, default=False
        Whether coefficients may not be negative.
    sample_weight : array of shape (n_samples,), default=None
        Weights, not negative.
    fit_intercept : bool, default=False
        Whether to centre columns and targets first (without making sparse data dense). The intercepts, which are
        ``mean(y) - mean(X) @ coef``, are not returned.
    tol, max_iter, selection, random_state, n_jobs :
        As in :class:`ElasticNet`, for each alpha.

    Returns
    -------
    alphas : array of shape (n_alphas,)
        Descending.
    coefs : array of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients.
    dual_gaps : array of shape (n_alphas,) or (n_targets, n_alphas)
        Upper bounds of how far each objective is above its minimum.
    n_iters : list of n_alphas ints, or n_targets such lists
        Sweeps; only with `return_n_iter`.

    Raises
    ------
    ValueError
        If a parameter or the data is out of range; the message says which.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` was reached for some alpha.

    See Also
    --------
    lasso_path : The same with ``l1_ratio=1``.
    ElasticNet : A model for one alpha.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate
    descent", Journal of Statistical Software, 2010.
    R. Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", Journal of the Royal
    Statistical Society B, 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mlcore.linear_model import enet_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, gaps = enet_path(X, y, l1_ratio=0.8, alphas=5, fit_intercept=True)
    >>> coefs.shape
    (10, 5)
    >>> (coefs != 0).sum(axis=0).tolist()[0]
    0
    """
    return _path("enet_path", **locals())


def lasso_path(
    X: Any,
    y: Any,
    *,
    eps: float = 1e-3,
    alphas: Any = 100,
    precompute: Any = "auto",
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: int = 0,
    return_n_iter: bool = False,
    positive: bool = False,
    sample_weight: Any = None,
    fit_intercept: bool = False,
    tol: float = 1e-4,
    max_iter: int | None = 1000,
    selection: Literal["cyclic", "random"] = "cyclic",
    random_state: Any = None,
    n_jobs: int | None = None,
) -> Any:
    """Fit lassos along a path of alphas, each from the solution of the one before.

    :func:`enet_path` with ``l1_ratio=1``: parameters, what is returned, raised and warned of are described there.

    Parameters
    ----------
    X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
        Training rows.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    eps : float, default=1e-3
        Length of the path, smallest alpha over largest.
    alphas : int or array of shape (n_alphas,), default=100
        Strengths of the penalty, or how many.
    precompute, copy_X, coef_init, verbose, return_n_iter, positive, sample_weight, fit_intercept, tol, max_iter, \
selection, random_state, n_jobs :
        As in :func:`enet_path`.

    Returns
    -------
    alphas : array of shape (n_alphas,)
        Descending.
    coefs : array of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients.
    dual_gaps : array of shape (n_alphas,) or (n_targets, n_alphas)
        Upper bounds of how far each objective is above its minimum.
    n_iters : list of n_alphas ints, or n_targets such lists
        Sweeps; only with `return_n_iter`.

    See Also
    --------
    Lasso : A model for one alpha.

    Examples
    --------
    >>> from mlcore.linear_model import lasso_path
    >>> alphas, coefs, gaps = lasso_path([[1, 2.3], [2, 5.4], [3.1, 4.3]], [1, 2, 3.1], alphas=[5.0, 1.0, 0.5])
    >>> coefs.round(3).tolist()
    [[0.0, 0.0, 0.469], [0.216, 0.443, 0.237]]
    """
    return _path("lasso_path", l1_ratio=1.0, **locals())


def _path(
    owner: str,
    *,
    X: Any,
    y: Any,
    alphas: Any,
    coef_init: Any,
    sample_weight: Any,
    return_n_iter: bool,
    **params: Any,
) -> Any:
    given = {"alphas": alphas, "coef_init": coef_init, "return_n_iter": return_n_iter, **params}
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name=owner)
    is_number = isinstance(alphas, Integral)
    if is_number and params["l1_ratio"] == 0:
        raise ValueError(f"with l1_ratio=0 of {owner} no alpha makes all coefficients zero: give alphas as an array")
    check_sparse(X, owner)
    check_sparse(y, owner, "y")
    X, y = check_X_y(X, y, multi_output=True, y_numeric=True, estimator=owner, **READ)
    problem = make_problem(X, y, sample_weight, owner)
    n_targets, n_features = problem.Y.shape[1], problem.n_features
    grid = int(alphas) if is_number else given_alphas(alphas, owner)
    n_alphas = grid if isinstance(grid, int) else len(grid)
    with Progress(n_targets * n_alphas, int(params["verbose"]), owner) as progress:
        found = descend(
            problem,
            grid,
            params["l1_ratio"],
            params,
            owner,
            eps=params["eps"],
            start=_start(coef_init, n_targets, n_features, owner),
            report=progress.callback("gap"),
        )
    left = ~found["converged"].astype(bool)
    if left.any():
        at = np.unravel_index(np.argmax(np.where(left, found["gap"], -1.0)), left.shape)
        wanted = problem.tolerance(float(params["tol"]), int(at[0]), fit_intercept=bool(params["fit_intercept"]))
        warnings.warn(
            f"coordinate descent of {owner} stopped after max_iter={params['max_iter']} sweeps for {left.sum()} of "
            f"{left.size} alphas; the largest duality gap left is {found['gap'][at]:.3g} (alpha="
            f"{found['alphas'][at[1]]:.3g}), above the {wanted:.3g} that tol={params['tol']:g} asks for. Raise "
            "max_iter, the smallest alpha or tol, or bring the columns of X to one scale (StandardScaler)",
            ConvergenceWarning,
            stacklevel=3,
        )
    coefs, gaps, n_iters = np.swapaxes(found["coef"], 1, 2), found["gap"], found["n_iter"].tolist()
    if problem.is_flat:
        coefs, gaps, n_iters = coefs[0], gaps[0], n_iters[0]
    return (found["alphas"], coefs, gaps, n_iters) if return_n_iter else (found["alphas"], coefs, gaps)


def given_alphas(alphas: Any, owner: str) -> Floats:
    """Return the alphas, descending."""
    try:
        grid = np.array(alphas, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"alphas of {owner} must be a number or an array of floats, got {alphas!r}") from error
    if grid.ndim != 1 or grid.size == 0 or not (np.isfinite(grid).all() and (grid >= 0).all()):
        raise ValueError(f"alphas of {owner} must be a 1-D array of finite floats >= 0, got {alphas!r}")
    return np.ascontiguousarray(np.sort(grid)[::-1])


def _start(coef_init: Any, n_targets: int, n_features: int, owner: str) -> Floats | None:
    if coef_init is None:
        return None
    start = np.array(coef_init, dtype=np.float64)
    if start.size != n_targets * n_features or start.shape[-1] != n_features or not np.isfinite(start).all():
        raise ValueError(
            f"coef_init of {owner} must be finite, of shape ({n_features},) or {(n_targets, n_features)}, got shape "
            f"{start.shape}"
        )
    return start.reshape(-1)
