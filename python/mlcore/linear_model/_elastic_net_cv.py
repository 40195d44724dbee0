"""Lasso and elastic net with alpha (and l1_ratio) chosen by cross-validation, along a path in each fold."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import Interval

from mlcore._base import effective_n_jobs
from mlcore._linear import linear_scores
from mlcore._progress import Progress
from mlcore._state import Array, Int, Number, OneOf, Spec
from mlcore._tables import Floats
from mlcore.linear_model._descent import DESCENT, descend
from mlcore.linear_model._elastic_net_path import given_alphas
from mlcore.linear_model._least_squares import BaseLeastSquares, Problem, check_finite


class _PathCV(BaseLeastSquares):
    """What both estimators share."""

    l1_ratio: Any
    eps: float
    alphas: Any
    fit_intercept: bool
    precompute: Any
    max_iter: int | None
    tol: float
    cv: Any
    verbose: int
    positive: bool
    random_state: Any
    selection: str
    alpha_: float
    alphas_: Floats
    mse_path_: Floats
    dual_gap_: float
    n_iter_: int
    _many_targets = False
    _state_spec: ClassVar[Spec] = {
        **BaseLeastSquares._state_spec,
        "alpha_": Number(low=0, is_finite=True),
        "alphas_": OneOf(
            Array("f8", ("n_alphas",), low=0, is_finite=True),
            Array("f8", ("n_ratios", "n_alphas"), low=0, is_finite=True),
        ),
        "mse_path_": OneOf(Array("f8", ("n_alphas", "n_folds")), Array("f8", ("n_ratios", "n_alphas", "n_folds"))),
        "dual_gap_": Number(),
        "n_iter_": Int(),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DESCENT,
        "eps": [Interval(Real, 0, 1, closed="right")],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "cv": ["cv_object"],
        "verbose": ["verbose"],
    }

    def _ratios(self) -> list[float]:
        return [1.0]

    def _solve(self, problem: Problem, *, continuing: bool) -> None:  # noqa: ARG002
        owner = type(self).__name__
        y = problem.Y[:, 0]
        ratios = self._ratios()
        grids = self._grids(problem, ratios)
        try:
            folds = list(check_cv(self.cv).split(problem.table, y))
        except ValueError as error:
            raise ValueError(f"cv of {owner} cannot split {len(y)} rows: {error}") from error
        errors = np.empty((len(ratios), grids.shape[1], len(folds)))
        left: list[bool] = []
        with Progress(len(ratios) * len(folds), int(self.verbose), owner, unit="fold") as progress:
            for f, (train, test) in enumerate(folds):
                kept, held = problem.rows(train), problem.rows(test)
                for r, ratio in enumerate(ratios):
                    found = self._path(kept, grids[r], ratio)
                    left.extend(found["converged"][0] == 0)
                    line = found["coef"][0], found["intercept"][0]
                    predicted = linear_scores(held.X, *line, effective_n_jobs(self.n_jobs))
                    squares = (predicted - held.Y) ** 2
                    errors[r, :, f] = np.average(squares, axis=0, weights=held.weight)
                    progress.update(1, mse=float(errors[r, :, f].min()))
        check_finite(errors, problem, owner)
        # As scikit-learn: the mean over folds, each of the same weight; of equals the strongest penalty.
        mean = errors.mean(axis=2)
        best_ratio, best = np.unravel_index(int(np.argmin(mean)), mean.shape)
        final = self._path(problem, grids[best_ratio, : best + 1], ratios[best_ratio])
        left.append(final["converged"][0, -1] == 0)
        if any(left):  # before the attributes: where warnings are errors, it must stay unfitted
            warnings.warn(
                f"coordinate descent of {owner} stopped after max_iter={self.max_iter} sweeps, or where rounding let "
                f"it come no further, in {sum(left)} of {len(left)} fits. Raise max_iter, eps or tol, or bring the "
                "columns of X to one scale (StandardScaler)",
                ConvergenceWarning,
                stacklevel=4,
            )
        self.mse_path_ = errors[0] if len(ratios) == 1 else errors
        self.alphas_ = grids if len(ratios) > 1 and isinstance(self.alphas, Integral) else grids[0]
        self.alpha_ = float(grids[best_ratio, best])
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = ratios[best_ratio]
        self.coef_ = final["coef"][0, -1].copy()
        self.intercept_ = float(final["intercept"][0, -1]) if self.fit_intercept else 0.0
        self.dual_gap_ = float(final["gap"][0, -1])
        self.n_iter_ = int(final["n_iter"][0, -1])

    def _grids(self, problem: Problem, ratios: list[float]) -> Floats:
        """Alphas for each l1_ratio, descending, shape (n_l1_ratios, n_alphas)."""
        owner = type(self).__name__
        if not isinstance(self.alphas, Integral):
            return np.tile(given_alphas(self.alphas, owner), (len(ratios), 1))
        if min(ratios) == 0:
            raise ValueError(
                f"with l1_ratio=0 of {owner} no alpha makes all coefficients zero: give alphas as an array"
            )
        # The path of one alpha is the start of each grid, where all coefficients are zero.
        first = [self._path(problem, 1, ratio)["alphas"][0] for ratio in ratios]
        n = int(self.alphas)
        return np.asarray(np.outer(first, self.eps ** (np.arange(n) / max(n - 1, 1))))

    def _path(self, problem: Problem, alphas: Floats | int, l1_ratio: float) -> dict[str, Any]:
        return descend(problem, alphas, l1_ratio, vars(self), type(self).__name__, eps=self.eps)


class ElasticNetCV(_PathCV):
    """:class:`ElasticNet` with `alpha` and `l1_ratio` chosen by cross-validation.

    In each fold one path of alphas is fitted for each `l1_ratio`, each solution the start of the next; the pair with
    the smallest mean squared error on what was left out, averaged over folds, is fitted on all rows. scikit-learn's
    parameters, attributes and results. The same bits for any `n_jobs`.

    Parameters
    ----------
    l1_ratio : float or list of floats, default=0.5
        Shares of the L1 penalty to try, in [0, 1]; > 0 where `alphas` is a number.
    eps : float, default=1e-3
        Length of the paths, smallest alpha over largest.
    alphas : int or array of shape (n_alphas,), default=100
        Strengths of the penalty, >= 0, or how many: then they fall by a constant factor from the smallest that makes
        all coefficients of a fit on all rows zero.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    precompute : "auto", bool or array of shape (n_features, n_features), default="auto"
        True: use the Gram matrix of all features; otherwise whichever is faster. An array is taken as True.
    max_iter : int or None, default=1000
        Most sweeps over the features for each alpha; reached, it is a ConvergenceWarning. None: no limit.
    tol : float, default=1e-4
        Stop at a duality gap of at most ``tol`` times the (weighted) mean square of the centred targets.
    cv : int, splitter, iterable of pairs of row numbers, or None, default=None
        Folds. None: 5, of rows in their order.
    copy_X : bool, default=True
        Without effect, as X is never written to; scikit-learn's parameter.
    verbose : int, default=0
        1: a progress bar over folds; 2: a line a fold through ``logging.getLogger("mlcore")``.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    positive : bool, default=False
        Whether coefficients may not be negative.
    random_state : int, RandomState or None, default=None
        Seed of the order of features, for ``selection="random"``.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the coordinates in a sweep.

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.
    l1_ratio_ : float
        The share of the L1 penalty chosen.
    alphas_ : array of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        The alphas tried, descending; for each l1_ratio where there are several and `alphas` is a number.
    mse_path_ : array of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Mean squared errors on the rows left out, with their weights.
    coef_ : array of shape (n_features_in_,)
        Coefficients, float64.
    intercept_ : float
        Intercept.
    dual_gap_ : float
        Upper bound of how far the objective is above its minimum.
    n_iter_ : int
        Sweeps for the alpha chosen, from the solution of the one before.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    ElasticNet : A model for one alpha.
    LassoCV : The same with ``l1_ratio=1``.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate
    descent", Journal of Statistical Software, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mlcore import ElasticNetCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 0.95]).fit(X, y)
    >>> model.l1_ratio_, model.mse_path_.shape
    (0.95, (2, 100, 5))
    """

    l1_ratio_: float

    _state_spec: ClassVar[Spec] = {**_PathCV._state_spec, "l1_ratio_": Number(low=0, high=1)}

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_PathCV._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"],
    }

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: Literal["cyclic", "random"] = "cyclic",
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def _ratios(self) -> list[float]:
        try:
            ratios = np.array(self.l1_ratio, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(f"l1_ratio of ElasticNetCV must be floats in [0, 1], got {self.l1_ratio!r}") from error
        if ratios.size == 0 or not ((ratios >= 0) & (ratios <= 1)).all():
            raise ValueError(f"l1_ratio of ElasticNetCV must be floats in [0, 1], got {self.l1_ratio!r}")
        return [float(ratio) for ratio in ratios]


class LassoCV(_PathCV):
    """:class:`Lasso` with `alpha` chosen by cross-validation.

    In each fold one path of alphas is fitted, each solution the start of the next; the alpha with the smallest mean
    squared error on what was left out, averaged over folds, is fitted on all rows. scikit-learn's parameters,
    attributes and results. The same bits for any `n_jobs`.

    Parameters
    ----------
    eps : float, default=1e-3
        Length of the paths, smallest alpha over largest.
    alphas : int or array of shape (n_alphas,), default=100
        Strengths of the penalty, >= 0, or how many: then they fall by a constant factor from the smallest that makes
        all coefficients of a fit on all rows zero.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    precompute : "auto", bool or array of shape (n_features, n_features), default="auto"
        True: use the Gram matrix of all features; otherwise whichever is faster. An array is taken as True.
    max_iter : int or None, default=1000
        Most sweeps over the features for each alpha; reached, it is a ConvergenceWarning. None: no limit.
    tol : float, default=1e-4
        Stop at a duality gap of at most ``tol`` times the (weighted) mean square of the centred targets.
    copy_X : bool, default=True
        Without effect, as X is never written to; scikit-learn's parameter.
    cv : int, splitter, iterable of pairs of row numbers, or None, default=None
        Folds. None: 5, of rows in their order.
    verbose : int, default=0
        1: a progress bar over folds; 2: a line a fold through ``logging.getLogger("mlcore")``.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    positive : bool, default=False
        Whether coefficients may not be negative.
    random_state : int, RandomState or None, default=None
        Seed of the order of features, for ``selection="random"``.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the coordinates in a sweep.

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.
    alphas_ : array of shape (n_alphas,)
        The alphas tried, descending.
    mse_path_ : array of shape (n_alphas, n_folds)
        Mean squared errors on the rows left out, with their weights.
    coef_ : array of shape (n_features_in_,)
        Coefficients, float64.
    intercept_ : float
        Intercept.
    dual_gap_ : float
        Upper bound of how far the objective is above its minimum.
    n_iter_ : int
        Sweeps for the alpha chosen, from the solution of the one before.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    Lasso : A model for one alpha.
    ElasticNetCV : With an L2 penalty beside.

    References
    ----------
    R. Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", Journal of the Royal
    Statistical Society B, 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mlcore import LassoCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCV().fit(X, y)
    >>> round(model.alpha_, 4), int((model.coef_ == 0).sum())
    (0.0038, 1)
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: Literal["cyclic", "random"] = "cyclic",
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
