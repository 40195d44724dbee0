"""Ridge regression as an estimator."""

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import N_JOBS, effective_n_jobs
from mlcore._native import core
from mlcore._state import Array, Spec, Text
from mlcore._tables import Floats
from mlcore.linear_model._descent import descend
from mlcore.linear_model._least_squares import COUNT, BaseLeastSquares, Problem, check_finite


class Ridge(BaseLeastSquares):
    """Linear regression with an L2 penalty [1]_.

    Minimises, for each target, ``sum_i s_i (y_i - x_i w - b)^2 + alpha * |w|^2`` with the weights s_i: by Cholesky
    factorisation of the smaller of the two Gram matrices, of columns or of rows, or by conjugate gradients [2]_. Sparse
    data is centred without becoming dense. The same bits for any `n_jobs`.

    Parameters
    ----------
    alpha : float or array of shape (n_targets,), default=1.0
        Strength of the penalty, >= 0, for all targets or each. What it means depends on the scale of the columns: put
        a StandardScaler before. With 0 (least squares) columns that depend on each other get the solution of least
        norm.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    copy_X : bool, default=True
        Without effect, as X is never written to; scikit-learn's parameter.
    max_iter : int or None, default=None
        Most iterations of an iterative solver; reached, it is a ConvergenceWarning. None: ten times the number of
        features, 1000 at least; with `positive` 1000.
    tol : float, default=1e-4
        Of "sparse_cg": norm of the gradient, over that at zero coefficients. With `positive`: see :class:`ElasticNet`,
        with the square of `tol`.
    solver : {"auto", "cholesky", "sparse_cg"}, default="auto"
        "cholesky": exact; "sparse_cg": conjugate gradients, one pass over X an iteration. "auto": exact unless
        neither number of rows nor of columns is small, or X is sparse and wide.
    positive : bool, default=False
        Whether coefficients may not be negative; then by coordinate descent, with ``solver="auto"``.
    random_state : int, RandomState or None, default=None
        Without effect: nothing here is random. For code that sets it.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    coef_ : array of shape (n_features_in_,) or (n_targets, n_features_in_)
        Coefficients, float64.
    intercept_ : float or array of shape (n_targets,)
        Intercepts.
    n_iter_ : int32 array of shape (n_targets,)
        Iterations; 1 for "cholesky".
    solver_ : str
        "cholesky", "sparse_cg" or "coordinate_descent" (for `positive`).
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    ElasticNet : With an L1 penalty beside.

    References
    ----------
    .. [1] A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
       Technometrics, 1970.
    .. [2] M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear systems", Journal of
       Research of the National Bureau of Standards, 1952.

    Examples
    --------
    >>> from mlcore import Ridge
    >>> model = Ridge(alpha=1.0).fit([[0, 0], [1, 1], [2, 2]], [0, 1, 2])
    >>> model.coef_.round(4).tolist(), round(model.intercept_, 4)
    ([0.4, 0.4], 0.2)
    """

    n_iter_: NDArray[np.int32]
    solver_: str

    _state_spec: ClassVar[Spec] = {
        **BaseLeastSquares._state_spec,
        "n_iter_": Array("i4", ("n_solved",), low=0),
        "solver_": Text(),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"auto", "cholesky", "sparse_cg"})],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: Literal["auto", "cholesky", "sparse_cg"] = "auto",
        positive: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _solve(self, problem: Problem, *, continuing: bool) -> None:  # noqa: ARG002
        owner = type(self).__name__
        alphas = self._alphas(problem.Y.shape[1])
        if self.positive:
            if self.solver != "auto":
                raise ValueError(f"positive=True of {owner} needs solver='auto', got {self.solver!r}")
            found = self._by_coordinate_descent(problem, alphas)
        else:
            default = max(1000, 10 * problem.n_features)
            found = core.linear_model.ridge(
                problem.X,
                problem.Y,
                problem.weight,
                alphas,
                solver=self.solver,
                tol=float(self.tol),
                max_iter=min(default if self.max_iter is None else int(self.max_iter), COUNT),
                fit_intercept=bool(self.fit_intercept),
                n_threads=effective_n_jobs(self.n_jobs),
                report=None,
            )
            found["missed"] = found["residual"] > self.tol
        check_finite(found["coef"], problem, owner)
        check_finite(found["intercept"], problem, owner)
        check_finite(found["residual"], problem, owner)
        if found["missed"].any():  # before the attributes: where warnings are errors, it must stay unfitted
            worst = int(np.argmax(np.where(found["missed"], found["residual"], -1.0)))
            what = "duality gap" if self.positive else "relative gradient"
            warnings.warn(
                f"solver={found['solver']!r} of {owner} stopped after {found['n_iter'][worst]} iterations with a "
                f"{what} of {found['residual'][worst]:.3g}, which is not what tol={self.tol:g} asks for. Raise "
                "max_iter or tol, bring the columns of X to one scale (StandardScaler), or take solver='cholesky'",
                ConvergenceWarning,
                stacklevel=4,
            )
        self.solver_ = found["solver"]
        self.n_iter_ = np.maximum(found["n_iter"], 1)
        self.coef_ = found["coef"][0] if len(alphas) == 1 else found["coef"]
        if not self.fit_intercept:
            self.intercept_ = 0.0
        else:
            self.intercept_ = float(found["intercept"][0]) if problem.is_flat else found["intercept"]

    def _alphas(self, n_targets: int) -> Floats:
        owner = type(self).__name__
        try:
            alphas = np.array(self.alpha, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"alpha of {owner} must be a float or an array of floats, got {self.alpha!r}") from error
        if alphas.ndim > 1 or (alphas.ndim == 1 and alphas.size not in (1, n_targets)):
            raise ValueError(
                f"alpha of {owner} must be a float or have an entry for each of the {n_targets} targets, got shape "
                f"{alphas.shape}"
            )
        if not (np.isfinite(alphas).all() and (alphas >= 0).all()):
            raise ValueError(f"alpha of {owner} must be finite and >= 0, got {self.alpha!r}")
        return np.ascontiguousarray(np.broadcast_to(alphas.reshape(-1), (n_targets,)))

    def _by_coordinate_descent(self, problem: Problem, alphas: Floats) -> dict[str, Any]:
        """Solve with coefficients >= 0; the elastic net's objective is this one over twice the sum of weights."""
        total = float(len(problem.Y) if problem.weight is None else problem.weight.sum())
        params = {
            "tol": float(self.tol) ** 2,
            "max_iter": 1000 if self.max_iter is None else self.max_iter,
            "fit_intercept": self.fit_intercept,
            "positive": True,
            "selection": "cyclic",
            "precompute": "auto",
            "n_jobs": self.n_jobs,
        }
        parts = [
            descend(replace(problem, Y=problem.Y[:, t : t + 1]), alphas[t : t + 1] / total, 0.0, params, "Ridge")
            for t in range(len(alphas))
        ]
        return {
            "coef": np.concatenate([part["coef"][:, 0] for part in parts]),
            "intercept": np.concatenate([part["intercept"][:, 0] for part in parts]),
            "residual": np.concatenate([part["gap"][:, 0] for part in parts]),
            "n_iter": np.concatenate([part["n_iter"][:, 0] for part in parts]),
            "missed": np.concatenate([part["converged"][:, 0] == 0 for part in parts]),
            "solver": "coordinate_descent",
        }
