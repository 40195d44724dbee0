"""Logistic regression with C (and l1_ratio) chosen by cross-validation, along a path in each fold."""

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import N_JOBS, effective_n_jobs, seed_from
from mlcore._linear import ProbabilisticLinearClassifier
from mlcore._progress import Progress
from mlcore._sparse import validate_rows
from mlcore._state import Array, Number, Spec, Text
from mlcore._tables import READ, Floats, as_rows, for_core
from mlcore._validation import has_weight, read_labels, row_weights
from mlcore.linear_model._data import Rows, classification_rows
from mlcore.linear_model._logistic import LogisticRegression
from mlcore.linear_model._logistic_fit import EXACT_SOLVERS, Settings, choose_solver, default_max_iter, fit
from mlcore.metrics._scorers import find_scorer


class LogisticRegressionCV(LogisticRegression):
    """:class:`LogisticRegression` with `C` and `l1_ratio` chosen by cross-validation.

    In each fold one path from small C to large is fitted for each l1_ratio, each solution the start of the next; the
    pair with the best mean score on what was left out is fitted on all rows. scikit-learn's parameters (but for those
    of penalties it has dropped), results, and attributes as with its ``use_legacy_attributes=False``.

    Parameters
    ----------
    Cs : int or array of shape (n_Cs,), default=10
        Inverse strengths of the penalty to try, > 0, or how many between 1e-4 and 1e4.
    l1_ratios : array of shape (n_l1_ratios,), default=(0.0,)
        Shares of the L1 penalty to try, in [0, 1].
    fit_intercept : bool, default=True
        Whether to have intercepts; without, they are zero.
    cv : int, splitter, iterable of pairs of row numbers, or None, default=None
        Folds. None: 5, stratified by class.
    scoring : str, callable or None, default=None
        How models are compared, as in scikit-learn. None: accuracy.
    solver : {"auto", "lbfgs", "newton-cholesky", "coordinate_descent", "saga"}, default="auto"
        The exact solvers of :class:`LogisticRegression`.
    tol : float, default=1e-4
        As in :class:`LogisticRegression`, for each fit.
    max_iter : int or None, default=None
        Most iterations of a fit; reached, it is a ConvergenceWarning. None: 1000.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights, over all rows, not those of a fold. A factor of 0 takes the rows of a class out of the fit.
        Scores are without factors.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar over folds; 2: a line a fold through ``logging.getLogger("mlcore")``.
    refit : bool, default=True
        Whether the best pair is fitted on all rows; without, `coef_`, `C_` and `l1_ratio_` are means of the best of
        each fold.
    random_state : int, RandomState or None, default=None
        Seed of the order of rows in "saga".

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    C_ : float
        The C chosen.
    l1_ratio_ : float
        The share of the L1 penalty chosen.
    Cs_ : array of shape (n_Cs,)
        The values of C tried.
    l1_ratios_ : array of shape (n_l1_ratios,)
        The shares tried.
    scores_ : array of shape (n_folds, n_l1_ratios, n_Cs)
        Scores on the rows left out, with their weights.
    coefs_paths_ : array of shape (n_folds, n_l1_ratios, n_Cs, n_outputs, n_features_in_ + 1)
        Coefficients in each fold, intercepts in the last column; n_outputs is 1 for two classes.
    n_iter_ : int32 array of shape (n_folds, n_l1_ratios, n_Cs)
        Iterations; 1 at least.
    coef_ : array of shape (1, n_features_in_) or (n_classes, n_features_in_)
        Coefficients, float64; one row for two classes.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts.
    solver_ : str
        The solver that was used.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    LogisticRegression : A model for one C.
    logistic_path : Coefficients along a grid of C.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate
    descent", Journal of Statistical Software, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore import LogisticRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegressionCV(scoring="neg_log_loss").fit(X, y)
    >>> model.scores_.shape, bool(model.score(X, y) > -0.1)
    ((5, 1, 10), True)
    """

    C_: float
    l1_ratio_: float
    Cs_: Floats
    l1_ratios_: Floats
    scores_: Floats
    coefs_paths_: Floats
    warm_start = False

    _state_spec: ClassVar[Spec] = {
        **ProbabilisticLinearClassifier._state_spec,
        "solver_": Text(),
        "C_": Number(low=0),
        "l1_ratio_": Number(low=0, high=1),
        "Cs_": Array("f8", ("n_Cs",), low=0),
        "l1_ratios_": Array("f8", ("n_ratios",), low=0, high=1),
        "scores_": Array("f8", ("n_folds", "n_ratios", "n_Cs")),
        "coefs_paths_": Array(
            "f8", ("n_folds", "n_ratios", "n_Cs", "n_outputs", lambda sizes: sizes["n_features"] + 1), is_finite=True
        ),
        "n_iter_": Array("i4", ("n_folds", "n_ratios", "n_Cs"), low=1),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like"],
        "fit_intercept": ["boolean"],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "solver": [StrOptions({"auto", *EXACT_SOLVERS})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
        "refit": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = (0.0,),
        fit_intercept: bool = True,
        cv: Any = None,
        scoring: Any = None,
        solver: str = "auto",
        tol: float = 1e-4,
        max_iter: int | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        random_state: Any = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.random_state = random_state

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score of the model on rows, by the parameter `scoring`.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        y : array of shape (n_samples,)
            Their labels.
        sample_weight : array of shape (n_samples,), default=None
            Weights, not negative.

        Returns
        -------
        float
        """
        options = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._scorer()(self, X, y, **options))

    def _scorer(self) -> Any:
        return find_scorer(self, "accuracy" if self.scoring is None else self.scoring)

    def _grid(self, name: str, values: Any, *, low: float, high: float) -> Floats:
        try:
            grid = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} of LogisticRegressionCV must be floats, got {values!r}") from error
        if grid.ndim != 1 or grid.size == 0 or not ((grid >= low) & (grid <= high)).all():
            raise ValueError(f"{name} of LogisticRegressionCV must be a list of floats in range, got {values!r}")
        return grid

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, continuing: bool) -> None:  # noqa: ARG002
        owner = type(self).__name__
        smallest = np.finfo(np.float64).tiny
        is_number = isinstance(self.Cs, Integral)
        Cs = np.logspace(-4, 4, int(self.Cs)) if is_number else self._grid("Cs", self.Cs, low=smallest, high=np.inf)
        ratios = self._grid("l1_ratios", self.l1_ratios, low=0.0, high=1.0)
        X = validate_rows(self, X, **READ)
        rows = classification_rows(X, y, sample_weight, self.class_weight, owner)
        labels, weight = read_labels(y, owner), row_weights(sample_weight, X, owner)
        settings = self._settings(rows, has_l1=bool((ratios > 0).any()), owner=owner)
        try:
            folds = list(check_cv(self.cv, labels, classifier=True).split(X, labels))
        except ValueError as error:
            raise ValueError(f"cv of {owner} cannot split {len(labels)} rows: {error}") from error
        n_outputs = 1 if len(rows.classes) == 2 else len(rows.classes)
        scores = np.empty((len(folds), len(ratios), len(Cs)))
        paths = np.empty((*scores.shape, n_outputs, X.shape[1] + 1))
        n_iter = np.empty(scores.shape, dtype=np.int32)
        scorer = self._scorer()
        missed = 0
        with Progress(len(folds) * len(ratios), int(self.verbose), owner, unit="fold") as progress:
            for f, (train, test) in enumerate(folds):
                kept = _some_rows(X, rows, train)
                options = {} if weight is None else {"sample_weight": weight[test]}
                for r, ratio in enumerate(ratios.tolist()):
                    coef = np.zeros(paths.shape[3:])
                    for c in np.argsort(Cs, kind="stable"):
                        found = fit(kept, coef, float(Cs[c]), replace(settings, l1_ratio=ratio))
                        coef = paths[f, r, c] = found["coef"]
                        n_iter[f, r, c] = max(found["n_iter"], 1)
                        missed += not found["converged"]
                        scores[f, r, c] = scorer(self._model(rows, coef), X[test], labels[test], **options)
                    progress.update(1, score=float(scores[f, r].max()))
        found = self._choose(rows, settings, Cs, ratios, scores, paths)
        missed += not found["converged"]
        if missed:  # before the attributes: where warnings are errors, it must stay unfitted
            warnings.warn(
                f"solver={settings.solver!r} of {owner} stopped early, or at max_iter={settings.max_iter} "
                f"iterations, in {missed} of {scores.size + bool(self.refit)} fits. Raise max_iter or tol, or end Cs "
                "at a smaller C",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.classes_, self.class_weight_ = rows.classes, rows.class_weight
        self.coef_ = np.ascontiguousarray(found["coef"][:, :-1])
        self.intercept_ = np.ascontiguousarray(found["coef"][:, -1])
        self.C_, self.l1_ratio_ = found["C"], found["l1_ratio"]
        self.Cs_, self.l1_ratios_, self.scores_, self.coefs_paths_, self.n_iter_ = Cs, ratios, scores, paths, n_iter
        self.solver_ = settings.solver

    def _settings(self, rows: Rows, *, has_l1: bool, owner: str) -> Settings:
        solver = choose_solver(self.solver, rows, has_l1=has_l1, owner=owner)
        return Settings(
            solver=solver,
            l1_ratio=0.0,
            tol=float(self.tol),
            fit_intercept=bool(self.fit_intercept),
            max_iter=default_max_iter(solver) if self.max_iter is None else min(int(self.max_iter), 2**31 - 1),
            learning_rate=0.0,
            batch_size=rows.shape[0],
            momentum=0.0,
            seed=seed_from(self.random_state),
            n_threads=effective_n_jobs(self.n_jobs),
            verbose=0,
            owner=owner,
        )

    def _model(self, rows: Rows, coef: Floats) -> LogisticRegression:
        """A fitted estimator for scorers."""
        model = LogisticRegression(n_jobs=self.n_jobs)
        model.classes_, model.n_features_in_ = rows.classes, rows.shape[1]
        model.coef_, model.intercept_ = coef[:, :-1], coef[:, -1]
        return model

    def _choose(
        self, rows: Rows, settings: Settings, Cs: Floats, ratios: Floats, scores: Floats, paths: Floats
    ) -> dict[str, Any]:
        if self.refit:
            r, c = np.unravel_index(int(np.argmax(scores.sum(axis=0))), scores.shape[1:])
            chosen = {"C": float(Cs[c]), "l1_ratio": float(ratios[r])}
            found = fit(rows, paths[:, r, c].mean(axis=0), chosen["C"], replace(settings, l1_ratio=chosen["l1_ratio"]))
            return found | chosen
        best = scores.reshape(len(scores), -1).argmax(axis=1)
        by_fold, by_ratio, by_C = np.arange(len(scores)), best // len(Cs), best % len(Cs)
        coef = paths[by_fold, by_ratio, by_C].mean(axis=0)
        chosen = {"C": float(Cs[by_C].mean()), "l1_ratio": float(ratios[by_ratio].mean())}
        return {"coef": coef, "converged": True, **chosen}


def _some_rows(X: Any, rows: Rows, chosen: NDArray[np.intp]) -> Rows:
    """Rows of a fold, all classes kept."""
    y = rows.y[chosen]
    weight = None if rows.weight is None else rows.weight[chosen]
    total = float(len(y)) if weight is None else float(weight.sum())
    if not total > 0:
        raise ValueError("the rows of a fold of LogisticRegressionCV have no weight: weights must be spread over folds")
    present = has_weight(y, weight, len(rows.classes))
    return Rows(for_core(as_rows(X[chosen])), y, weight, total, rows.classes, present, rows.class_weight)
