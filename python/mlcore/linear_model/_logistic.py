"""Logistic regression as an estimator. How one problem is solved is in `_logistic_fit.py` and in C++.

Left out on purpose: one-versus-rest (sklearn.multiclass has it), the dual problem, a penalty on the intercept.
"""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import N_JOBS, TableEstimator, effective_n_jobs, seed_from
from mlcore._linear import ProbabilisticLinearClassifier
from mlcore._sparse import validate_rows
from mlcore._state import Array, Number, Spec, Text
from mlcore._tables import READ, Floats
from mlcore.linear_model._data import Rows, classification_rows
from mlcore.linear_model._logistic_fit import (
    EXACT_SOLVERS,
    OPTIMIZERS,
    Settings,
    choose_solver,
    default_max_iter,
    fit,
    warn_of_the_end,
)


class LogisticRegression(ProbabilisticLinearClassifier, TableEstimator):
    """Logistic regression with an L2, L1 or elastic-net penalty, for two classes or more [1]_.

    Minimises ``C * sum_i s_i loss_i + (1 - l1_ratio) / 2 * |W|^2 + l1_ratio * |W|_1`` over coefficients W and
    intercepts, with the weights s_i and the negative log-likelihood of row i as its loss: of a sigmoid of one score for
    two classes, of a softmax over one score a class for more. Intercepts are not penalised. All solvers minimise the
    same function; the exact ones stop when its gradient is below `tol`, whatever `n_jobs` is with the same bits. They
    work with standardised columns (and the penalty that makes it the same problem), so that neither the units of
    columns nor their distance from zero make a difference to how well they solve it.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, > 0; ``np.inf``: none. What it means depends on the scale of the columns: put
        a StandardScaler before.
    l1_ratio : float, default=0.0
        Share of the L1 penalty, in [0, 1]. 0: L2 alone; 1: L1 alone, coefficients of columns that help little are
        exactly zero; between: elastic net.
    solver : str, default="auto"
        Exact solvers: "lbfgs" [2]_ and "newton-cholesky" (for `l1_ratio` 0), "coordinate_descent" [3]_ and "saga" [4]_.
        "auto" takes the fastest of them by size and penalty. The classical optimizers solve the same problem in epochs
        over batches, with a fixed learning rate, to show how they do it: "gd" (one step on all rows an epoch), "sgd"
        (one on each row), and, on batches of `batch_size` rows, "minibatch", "momentum", "nesterov", "adagrad",
        "rmsprop" and "adam". An L1 part is a proximal step after each of their steps.
    tol : float, default=1e-4
        Stop when no entry of the gradient of the objective, divided by C and the sum of weights, is larger (where
        there is an L1 part: of its smallest subgradient). It is the gradient in coefficients of standardised columns,
        so that units of columns and weights do not matter.
    fit_intercept : bool, default=True
        Whether to have intercepts; without, they are zero.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights. A factor of 0 takes the rows of a class out of the fit. A class without weight, by this or
        by `sample_weight`, stays one of the classes and gets next to no probability; if only one is left, the model is
        constant.
    max_iter : int or None, default=None
        Most iterations, or epochs of a classical optimizer; reached, it is a ConvergenceWarning. None: 1000, or 100
        epochs.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    learning_rate : float or "auto", default="auto"
        Of the classical optimizers, > 0, for coefficients of standardised columns. "auto": from a bound on the
        curvature, one over it for "gd", half of that for batches, times the root of 1 - `momentum` for "momentum" and
        "nesterov"; 0.1 for "adagrad", 0.01 for "rmsprop" and "adam".
    batch_size : int or None, default=128
        Rows in a batch of the classical optimizers but "gd" and "sgd"; None: all rows.
    momentum : float, default=0.9
        Share of the last step in the next one, in [0, 1), for "momentum" and "nesterov".
    random_state : int, RandomState or None, default=None
        Seed of the order of rows in "saga" and the classical optimizers.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an iteration through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    coef_ : array or CSR matrix of shape (1, n_features_in_) or (n_classes, n_features_in_)
        Coefficients, float64; one row for two classes. Without an L1 part those of a column sum to zero over more than
        two classes. Sparse after :meth:`sparsify`.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; those of more than two classes sum to zero.
    n_iter_ : int32 array of shape (1,)
        Iterations, or epochs of a classical optimizer.
    loss_curve_ : array of shape (n_iter_ + 1,)
        Objective divided by C and the sum of weights: at the start and after each iteration.
    optimality_ : float
        What `tol` is compared with, at the end.
    solver_ : str
        The solver that was used.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    logistic_path : Coefficients along a grid of C.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani and J. Friedman, "The elements of statistical learning", 2nd edition, section 4.4.
    .. [2] D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
       Programming, 1989.
    .. [3] J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate
       descent", Journal of Statistical Software, 2010.
    .. [4] A. Defazio, F. Bach and S. Lacoste-Julien, "SAGA: a fast incremental gradient method with support for
       non-strongly convex composite objectives", NeurIPS 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mlcore import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression(l1_ratio=1)).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.95)
    True
    >>> bool((model[-1].coef_ == 0).sum() > 15)
    True
    """

    classes_: NDArray[Any]
    coef_: Any
    intercept_: Floats
    n_iter_: NDArray[np.int32]
    loss_curve_: Floats
    optimality_: float
    solver_: str
    n_features_in_: int

    _state_spec: ClassVar[Spec] = {
        **ProbabilisticLinearClassifier._state_spec,
        "n_iter_": Array("i4", (1,), low=0),
        "loss_curve_": Array("f8", ("n_recorded",)),
        "optimality_": Number(),
        "solver_": Text(),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "solver": [StrOptions({"auto", *EXACT_SOLVERS, *OPTIMIZERS})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "warm_start": ["boolean"],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        solver: str = "auto",
        tol: float = 1e-4,
        fit_intercept: bool = True,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        max_iter: int | None = None,
        warm_start: bool = False,
        learning_rate: float | Literal["auto"] = "auto",
        batch_size: int | None = 128,
        momentum: float = 0.9,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.solver = solver
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.momentum = momentum
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    # ---- fit ----

    def _continues(self) -> bool:
        return self.warm_start and hasattr(self, "coef_")

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, continuing: bool) -> None:
        owner = type(self).__name__
        n_threads = effective_n_jobs(self.n_jobs)
        seed = seed_from(self.random_state)
        X = validate_rows(self, X, **READ)
        rows = classification_rows(X, y, sample_weight, self.class_weight, owner)
        has_l1 = self.l1_ratio > 0 and np.inf > self.C
        solver = choose_solver(self.solver, rows, has_l1=has_l1, owner=owner)
        settings = Settings(
            solver=solver,
            l1_ratio=float(self.l1_ratio),
            tol=float(self.tol),
            fit_intercept=bool(self.fit_intercept),
            max_iter=default_max_iter(solver) if self.max_iter is None else min(int(self.max_iter), 2**31 - 1),
            learning_rate=0.0 if isinstance(self.learning_rate, str) else float(self.learning_rate),
            batch_size=rows.shape[0] if self.batch_size is None else min(int(self.batch_size), rows.shape[0]),
            momentum=float(self.momentum),
            seed=seed,
            n_threads=n_threads,
            verbose=int(self.verbose),
            owner=owner,
        )
        found = fit(rows, self._start(rows, continuing=continuing), float(self.C), settings)
        # Last before the attributes: where warnings are errors, the estimator must stay unfitted.
        warn_of_the_end(rows, found, float(self.C), settings)
        self.classes_, self.class_weight_ = rows.classes, rows.class_weight
        self.coef_ = np.ascontiguousarray(found["coef"][:, :-1])
        self.intercept_ = np.ascontiguousarray(found["coef"][:, -1])
        self.n_iter_ = np.array([found["n_iter"]], dtype=np.int32)
        self.loss_curve_ = found["loss_curve"]
        self.optimality_ = float(found["optimality"])
        self.solver_ = solver

    def _start(self, rows: Rows, *, continuing: bool) -> Floats:
        n_outputs = 1 if len(rows.classes) == 2 else len(rows.classes)
        n_features = rows.shape[1]
        if not continuing:
            return np.zeros((n_outputs, n_features + 1))
        if self.coef_.shape[1] != n_features:
            raise ValueError(
                f"X has {n_features} features, but {type(self).__name__} with warm_start=True goes on from "
                f"{self.coef_.shape[1]}; use a new estimator or warm_start=False"
            )
        if not np.array_equal(self.classes_, rows.classes):
            raise ValueError(
                f"y holds the classes {rows.classes.tolist()}, but {type(self).__name__} with warm_start=True goes on "
                f"from {self.classes_.tolist()}; use a new estimator or warm_start=False"
            )
        start = np.column_stack(self._coefficients())
        if not self.fit_intercept:
            start[:, -1] = 0
        return start
