"""Lasso and elastic net as estimators.

The path over many penalties is in `_elastic_net_path.py`, the choice of alpha in `_elastic_net_cv.py`.

Left out on purpose: joint penalties on several targets (MultiTaskLasso).
"""

import warnings
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval

from mlcore._state import Array, Int, ListOf, Number, OneOf, Spec
from mlcore._tables import Floats
from mlcore.linear_model._descent import DESCENT, descend
from mlcore.linear_model._least_squares import BaseLeastSquares, Problem


class _CoordinateDescent(BaseLeastSquares):
    """What both estimators share."""

    alpha: float
    l1_ratio: float
    fit_intercept: bool
    precompute: Any
    max_iter: int | None
    tol: float
    warm_start: bool
    positive: bool
    random_state: Any
    selection: str
    n_iter_: int | list[int]
    dual_gap_: float | Floats

    _state_spec: ClassVar[Spec] = {
        **BaseLeastSquares._state_spec,
        "n_iter_": OneOf(Int(), ListOf(Int(), "n_targets")),
        "dual_gap_": OneOf(Number(), Array("f8", ("n_targets",))),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DESCENT,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "precompute": ["boolean", "array-like"],
        "warm_start": ["boolean"],
    }

    def _continues(self) -> bool:
        return self.warm_start and hasattr(self, "coef_")

    def _start(self, problem: Problem) -> Floats:
        """The coefficients of the last fit, shape (n_targets * n_features,)."""
        start = np.atleast_2d(self.coef_)
        wanted = (problem.Y.shape[1], problem.n_features)
        if start.shape != wanted:
            raise ValueError(
                f"X and y have {wanted[1]} features and {wanted[0]} targets, but {type(self).__name__} with "
                f"warm_start=True goes on from {start.shape[1]} and {start.shape[0]}; use a new estimator or "
                "warm_start=False"
            )
        return start.astype(np.float64).reshape(-1)

    def _solve(self, problem: Problem, *, continuing: bool) -> None:
        owner = type(self).__name__
        if not np.isfinite(self.alpha):
            raise ValueError(f"alpha of {owner} must be finite, got {self.alpha}")
        alphas = np.array([self.alpha], dtype=np.float64)
        start = self._start(problem) if continuing else None
        found = descend(problem, alphas, self.l1_ratio, vars(self), owner, start=start)
        coef, intercept, gap = found["coef"][:, 0], found["intercept"][:, 0], found["gap"][:, 0]
        if not found["converged"].all():
            self._warn(problem, found)  # before the attributes: where warnings are errors, it must stay unfitted
        n_iter = found["n_iter"][:, 0].tolist()
        if len(coef) == 1:
            self.coef_, self.n_iter_, self.dual_gap_ = coef[0], n_iter[0], float(gap[0])
        else:
            self.coef_, self.n_iter_, self.dual_gap_ = coef, n_iter, gap
        if not self.fit_intercept:
            self.intercept_ = 0.0
        else:
            self.intercept_ = float(intercept[0]) if problem.is_flat else intercept

    def _warn(self, problem: Problem, found: dict[str, Any]) -> None:
        left = np.flatnonzero(~found["converged"][:, 0].astype(bool))
        worst = int(left[np.argmax(found["gap"][left, 0])])
        wanted = problem.tolerance(float(self.tol), worst, fit_intercept=bool(self.fit_intercept))
        what = "gap" if self.alpha > 0 else "squared gradient"
        text = (
            f"coordinate descent of {type(self).__name__} stopped after {found['n_iter'][worst, 0]} sweeps "
            f"(max_iter={self.max_iter}) with a duality {what} of {found['gap'][worst, 0]:.3g}, above the {wanted:.3g} "
            f"that tol={self.tol:g} asks for"
        )
        if len(found["coef"]) > 1:
            text += f" (target {worst}; {len(left)} of {len(found['coef'])} targets)"
        advice = ". Raise max_iter, alpha or tol, or bring the columns of X to one scale (StandardScaler)"
        warnings.warn(text + advice, ConvergenceWarning, stacklevel=5)

    @property
    def sparse_coef_(self) -> sp.csr_array:
        """`coef_` as a CSR array of shape (n_targets, n_features)."""
        return sp.csr_array(np.atleast_2d(self.coef_))


class ElasticNet(_CoordinateDescent):
    """Linear regression with an elastic-net penalty [1]_.

    Minimises, for each target, ``1 / (2 S) sum_i s_i (y_i - x_i w - b)^2 + alpha * l1_ratio * |w|_1
    + alpha * (1 - l1_ratio) / 2 * |w|^2`` with the weights s_i and their sum S, by coordinate descent on working sets
    of features that are screened by safe bounds [2]_, until the duality gap is small. Sparse data is centred without
    becoming dense. The same bits for any `n_jobs`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, >= 0. What it means depends on the scale of the columns: put a StandardScaler before.
    l1_ratio : float, default=0.5
        Share of the L1 penalty, in [0, 1].
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    precompute : bool or array of shape (n_features, n_features), default=False
        True: use the Gram matrix of all features. False: whichever is faster, which may be the same. An array
        is taken as True: the matrix costs little here, and is computed.
    max_iter : int or None, default=1000
        Most sweeps over the features; reached, it is a ConvergenceWarning. None: no limit.
    copy_X : bool, default=True
        Without effect, as X is never written to; scikit-learn's parameter.
    tol : float, default=1e-4
        Stop at a duality gap of at most ``tol`` times the (weighted) mean square of the centred targets. scikit-learn's
        rule. Coefficients are usually much closer to the optimum, because the last step is exact.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    positive : bool, default=False
        Whether coefficients may not be negative.
    random_state : int, RandomState or None, default=None
        Seed of the order of features, for ``selection="random"``.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the coordinates in a sweep.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    coef_ : array of shape (n_features_in_,) or (n_targets, n_features_in_)
        Coefficients, float64.
    sparse_coef_ : CSR array of shape (n_targets, n_features_in_)
        The same without the zeros.
    intercept_ : float or array of shape (n_targets,)
        Intercepts.
    n_iter_ : int or list of n_targets ints
        Sweeps, over all features or those that matter.
    dual_gap_ : float or array of shape (n_targets,)
        Upper bound of how far the objective is above its minimum.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    Lasso : The same with ``l1_ratio=1``.
    enet_path : Coefficients along a path of alphas.

    References
    ----------
    .. [1] J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate
       descent", Journal of Statistical Software, 2010.
    .. [2] O. Fercoq, A. Gramfort and J. Salmon, "Mind the duality gap: safer rules for the Lasso", ICML 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mlcore import ElasticNet
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNet(alpha=0.02, l1_ratio=0.9).fit(X, y)
    >>> int((model.coef_ == 0).sum())
    1
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_CoordinateDescent._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: Literal["cyclic", "random"] = "cyclic",
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_jobs = n_jobs


class Lasso(_CoordinateDescent):
    """Linear regression with an L1 penalty [1]_: coefficients of columns that help little are exactly zero.

    Minimises, for each target, ``1 / (2 S) sum_i s_i (y_i - x_i w - b)^2 + alpha * |w|_1`` with the weights s_i and
    their sum S, by coordinate descent on working sets of features that are screened by safe bounds [2]_, until the
    duality gap is small. Sparse data is centred without becoming dense. The same bits for any `n_jobs`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, >= 0. What it means depends on the scale of the columns: put a StandardScaler before.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    precompute : bool or array of shape (n_features, n_features), default=False
        True: use the Gram matrix of all features. False: whichever is faster, which may be the same. An array
        is taken as True: the matrix costs little here, and is computed.
    copy_X : bool, default=True
        Without effect, as X is never written to; scikit-learn's parameter.
    max_iter : int or None, default=1000
        Most sweeps over the features; reached, it is a ConvergenceWarning. None: no limit.
    tol : float, default=1e-4
        Stop at a duality gap of at most ``tol`` times the (weighted) mean square of the centred targets. scikit-learn's
        rule. Coefficients are usually much closer to the optimum, because the last step is exact.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    positive : bool, default=False
        Whether coefficients may not be negative.
    random_state : int, RandomState or None, default=None
        Seed of the order of features, for ``selection="random"``.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the coordinates in a sweep.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    coef_ : array of shape (n_features_in_,) or (n_targets, n_features_in_)
        Coefficients, float64.
    sparse_coef_ : CSR array of shape (n_targets, n_features_in_)
        The same without the zeros.
    intercept_ : float or array of shape (n_targets,)
        Intercepts.
    n_iter_ : int or list of n_targets ints
        Sweeps, over all features or those that matter.
    dual_gap_ : float or array of shape (n_targets,)
        Upper bound of how far the objective is above its minimum.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    ElasticNet : With an L2 penalty beside.
    lasso_path : Coefficients along a path of alphas.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal Statistical Society
       B, 1996.
    .. [2] O. Fercoq, A. Gramfort and J. Salmon, "Mind the duality gap: safer rules for the Lasso", ICML 2015.

    Examples
    --------
    >>> from mlcore import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> model.coef_.round(4).tolist()
    [0.85, 0.0]
    """

    l1_ratio = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: Literal["cyclic", "random"] = "cyclic",
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_jobs = n_jobs
