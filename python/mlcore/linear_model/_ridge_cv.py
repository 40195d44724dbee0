"""Ridge regression with alpha chosen by leave-one-out or by cross-validation.

Leave-one-out needs no second fit: ridge with a free intercept is a linear smoother, the predictions on its own rows are
H y, and the row's error without itself is e_i / (1 - H_ii) (Golub, Heath, Wahba 1979, section 2). With z_i =
sqrt(s_i) (x_i - m), Z = U diag(sigma) V', and u the vector of sqrt(s_i / S), in which the intercept lives,

    I - H = I - u u' - U U' + U diag(alpha / (sigma^2 + alpha)) U'

for all alphas from one decomposition. Nothing is subtracted that nearly cancels: of U, what belongs to sigma = 0 and so
to the same space as u is made orthogonal to it first.
"""

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import column_or_1d

from mlcore._base import N_JOBS
from mlcore._state import Array, Number, OneOf, Optional, Spec
from mlcore._tables import Floats, is_sparse
from mlcore.linear_model._least_squares import BaseLeastSquares, Problem, check_finite
from mlcore.linear_model._ridge import Ridge
from mlcore.metrics._scorers import find_scorer


class RidgeCV(BaseLeastSquares):
    """:class:`Ridge` with `alpha` chosen by leave-one-out, or by cross-validation.

    With ``cv=None`` each row is predicted by the model of all others, exactly and for all alphas from one decomposition
    of X [1]_; else one model is fitted for each alpha and fold. The best alpha is fitted on all rows. scikit-learn's
    parameters, attributes and results.

    Parameters
    ----------
    alphas : array of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        Strengths of the penalty to try, > 0 with ``cv=None``, else >= 0.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    scoring : str, callable or None, default=None
        How models are compared, as in scikit-learn. None: by the (weighted) mean squared error with ``cv=None``, else
        by R2. With ``cv=None`` a callable is asked for a score of the predictions of all rows, each made without it.
    cv : int, splitter, iterable of pairs of row numbers, or None, default=None
        Folds. None: leave-one-out; a sparse X is made dense for it.
    gcv_mode : {"auto", "svd", "eigen"}, default=None
        Without effect, as there is one way here, for X of any shape; scikit-learn's parameter.
    store_cv_results : bool, default=False
        Whether to keep what was found for each row; with ``cv=None``.
    alpha_per_target : bool, default=False
        Whether each target has its own alpha; with ``cv=None``.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    alpha_ : float or array of shape (n_targets,)
        The alpha chosen; for each target with `alpha_per_target`.
    best_score_ : float or array of shape (n_targets,)
        Its score: the mean squared error with a minus sign, or that of `scoring`.
    cv_results_ : array of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        Squared errors of rows by models without them or, with `scoring`, their predictions. Only with
        `store_cv_results`.
    coef_ : array of shape (n_features_in_,) or (n_targets, n_features_in_)
        Coefficients, float64.
    intercept_ : float or array of shape (n_targets,)
        Intercepts.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    Ridge : A model for one alpha.

    References
    ----------
    .. [1] G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge
       parameter", Technometrics, 1979.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mlcore import RidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1]).fit(X, y)
    >>> model.alpha_, round(model.best_score_)
    (0.01, -3000)
    """

    alpha_: float | Floats
    best_score_: float | Floats
    cv_results_: Floats

    _state_spec: ClassVar[Spec] = {
        **BaseLeastSquares._state_spec,
        "alpha_": OneOf(Number(low=0, is_finite=True), Array("f8", ("n_targets",), low=0, is_finite=True)),
        "best_score_": OneOf(Number(), Array("f8", ("n_targets",))),
        "cv_results_": Optional(
            OneOf(Array("f8", ("n_rows", "n_alphas")), Array("f8", ("n_rows", "n_targets", "n_alphas")))
        ),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alphas": ["array-like", Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "cv": ["cv_object"],
        "gcv_mode": [StrOptions({"auto", "svd", "eigen"}), None],
        "store_cv_results": ["boolean"],
        "alpha_per_target": ["boolean"],
        "n_jobs": [*N_JOBS],
    }

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: Literal["auto", "svd", "eigen"] | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.n_jobs = n_jobs

    def _solve(self, problem: Problem, *, continuing: bool) -> None:  # noqa: ARG002
        alphas = self._alphas()
        model = self._by_leave_one_out(problem, alphas) if self.cv is None else self._by_folds(problem, alphas)
        self.coef_, self.intercept_ = model.coef_, model.intercept_

    def _alphas(self) -> Floats:
        try:
            alphas = np.array(self.alphas, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError) as error:
            raise ValueError(f"alphas of RidgeCV must be floats, got {self.alphas!r}") from error
        is_in = alphas > 0 if self.cv is None else alphas >= 0
        if alphas.size == 0 or not (np.isfinite(alphas) & is_in).all():
            bound = "> 0 (with cv=None)" if self.cv is None else ">= 0"
            raise ValueError(f"alphas of RidgeCV must be finite floats {bound}, at least one, got {self.alphas!r}")
        return alphas

    def _targets(self, problem: Problem) -> Any:
        return problem.Y[:, 0] if problem.is_flat else problem.Y

    def _model(self, alpha: Any) -> Ridge:
        return Ridge(alpha, fit_intercept=self.fit_intercept, n_jobs=self.n_jobs)

    def _by_folds(self, problem: Problem, alphas: Floats) -> Ridge:
        if self.store_cv_results:
            raise ValueError("store_cv_results=True of RidgeCV needs cv=None: it keeps errors of leave-one-out")
        if self.alpha_per_target:
            raise ValueError("alpha_per_target=True of RidgeCV needs cv=None")
        search = GridSearchCV(self._model(1.0), {"alpha": alphas.tolist()}, cv=self.cv, scoring=self.scoring)
        search.fit(problem.table, self._targets(problem), sample_weight=problem.weight)
        best: Ridge = search.best_estimator_
        self.alpha_, self.best_score_ = float(best.alpha), float(search.best_score_)
        return best

    def _by_leave_one_out(self, problem: Problem, alphas: Floats) -> Ridge:
        errors = leave_one_out_errors(problem, alphas, fit_intercept=bool(self.fit_intercept))
        check_finite(errors, problem, "RidgeCV")
        results, scores = self._compare(problem, errors)
        if not self.alpha_per_target:
            scores = scores.mean(axis=1, keepdims=True) if self.scoring is None else scores[:, :1]
        best = scores.argmax(axis=0)
        chosen, top = alphas[best], scores[best, np.arange(len(best))]
        if self.alpha_per_target and not problem.is_flat:
            self.alpha_, self.best_score_ = chosen, top
        else:
            self.alpha_, self.best_score_ = float(chosen[0]), float(top[0])
        if self.store_cv_results:
            stored = np.moveaxis(results, 0, -1)
            self.cv_results_ = stored[:, 0] if problem.is_flat else stored
        return self._model(self.alpha_).fit(problem.table, self._targets(problem), sample_weight=problem.weight)

    def _compare(self, problem: Problem, errors: Floats) -> tuple[Floats, Floats]:
        """What is stored, shape (n_alphas, n_samples, n_targets), and scores (n_alphas, n_targets)."""
        if self.scoring is None:
            squares = errors**2
            return squares, -np.average(squares, axis=1, weights=problem.weight)
        predictions = problem.Y - errors
        scorer = find_scorer(self, self.scoring)
        options = {} if problem.weight is None else {"sample_weight": problem.weight}
        per_target = self.alpha_per_target and not problem.is_flat
        scores = np.empty((len(errors), errors.shape[2] if per_target else 1))
        for a, predicted in enumerate(predictions):
            for t in range(scores.shape[1]):
                columns = t if per_target or problem.is_flat else slice(None)
                scores[a, t] = scorer(_Identity(), predicted[:, columns], problem.Y[:, columns], **options)
        return predictions, scores


class _Identity(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose predictions are its input, so that scorers see predictions made elsewhere."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, predicted: NDArray[Any]) -> NDArray[Any]:
        return predicted if predicted.ndim == 2 else column_or_1d(predicted)


def leave_one_out_errors(problem: Problem, alphas: Floats, *, fit_intercept: bool) -> Floats:
    """Return the error of each row by the model of all others.

    Parameters
    ----------
    problem : Problem
    alphas : array of shape (n_alphas,)
        Strengths of the penalty, > 0.
    fit_intercept : bool

    Returns
    -------
    array of shape (n_alphas, n_samples, n_targets)
        Targets minus predictions. A row without weight is in no model.
    """
    if (n := len(problem.Y) if problem.weight is None else int((problem.weight > 0).sum())) < 2:
        raise ValueError(f"leave-one-out of RidgeCV needs 2 rows with a weight at least, got n_samples = {n}")
    X = problem.table.toarray() if is_sparse(problem.table) else problem.table
    X = np.asarray(X, dtype=np.float64)
    weight = np.ones(len(X)) if problem.weight is None else problem.weight
    total = weight.sum()
    root = np.sqrt(weight)[:, None]
    mean = np.average(X, axis=0, weights=weight) if fit_intercept else np.zeros(X.shape[1])
    target_mean = np.average(problem.Y, axis=0, weights=weight) if fit_intercept else np.zeros(problem.Y.shape[1])
    Y = root * (problem.Y - target_mean)
    Z = root * (X - mean)
    u = root / np.sqrt(total) if fit_intercept else np.zeros_like(root)
    Z -= u @ (u.T @ Z)  # what rounding of the means left of it, far from zero
    U, sigma, V = svd(Z, full_matrices=False, check_finite=False)
    is_null = sigma <= 10 * np.finfo(np.float64).eps * max(Z.shape) * sigma.max(initial=0)
    U[:, is_null] -= u @ (u.T @ U[:, is_null])
    sigma[is_null] = 0
    outside = np.maximum(1 - (U**2).sum(axis=1, keepdims=True) - u**2, 0)  # of all that U and u span
    if Z.shape[0] <= Z.shape[1]:
        outside[:] = 0  # they span everything
    UY = U.T @ Y
    rest = np.zeros_like(Y) if Z.shape[0] <= Z.shape[1] else Y - U @ UY
    errors = np.empty((len(alphas), *Y.shape))
    for a, alpha in enumerate(alphas):
        share = (alpha / (sigma**2 + alpha))[:, None]
        kept = outside + (U**2) @ share
        with np.errstate(divide="ignore", invalid="ignore"):
            errors[a] = (rest + U @ (share * UY)) / (kept * root)
        if (weight == 0).any():
            away = weight == 0  # of these the model of all rows knows nothing
            coef = V.T @ ((sigma / (sigma**2 + alpha))[:, None] * UY)
            errors[a, away] = problem.Y[away] - target_mean - (X[away] - mean) @ coef
    return errors
