"""What LinearSVC and LinearSVR share: from parameters and data to problems for the core."""

import warnings
from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import N_JOBS, TableEstimator, effective_n_jobs, seed_from
from mlcore._linear import LinearModel
from mlcore._progress import Progress
from mlcore._tables import Floats, Rows, for_core, read_rows
from mlcore._validation import row_weights

_MOST_ITERATIONS = (1 << 31) - 1  # of the core


class BaseLinearSVM(LinearModel, TableEstimator):
    """Parameters and fit of both linear machines."""

    coef_: Any
    intercept_: Floats
    n_iter_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "dual": ["boolean", StrOptions({"auto"})],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _check_target(self, y: Any) -> NDArray[Any]:
        """Check `y`; classifiers keep its type."""

    @abstractmethod
    def _solve(self, rows: Any, y: NDArray[Any], weight: Floats, **settings: Any) -> dict[str, Any]:
        """Call the core on rows with targets `y` and weights, some of which may be zero."""

    @abstractmethod
    def _can_be_primal(self) -> bool:
        """Say whether the primal problem is smooth enough for this loss."""

    @abstractmethod
    def _can_be_dual(self) -> bool:
        """Say whether the dual problem is solved for this penalty."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, continuing: bool) -> None:  # noqa: ARG002
        name, n_threads = type(self).__name__, effective_n_jobs(self.n_jobs)
        rows = read_rows(self, X, reset=True)
        target = self._check_target(y)
        check_consistent_length(rows, target)
        dual = self._is_dual(rows)
        weight = row_weights(sample_weight, target, name)
        if weight is None:
            weight = np.ones(len(target))
        with Progress(None, self.verbose, name) as progress:
            result = self._solve(
                for_core(rows),
                target,
                weight,
                dual=dual,
                bias=float(self.intercept_scaling) if self.fit_intercept else 0.0,
                tol=float(self.tol),
                max_iter=min(int(self.max_iter), _MOST_ITERATIONS),
                solver="auto",
                n_threads=n_threads,
                seed=seed_from(self.random_state),
                report=progress.callback("violation"),
            )
        self.coef_, self.intercept_ = result["coef"], result["intercept"]
        self.n_iter_ = int(result["n_iter"].max())
        if not (np.isfinite(self.coef_).all() and np.isfinite(self.intercept_).all()):
            raise ValueError(
                f"{name} found coefficients that are not finite: values of X are too large. Scale the features, with "
                "StandardScaler for example"
            )
        self._warn_if_not_converged(result)

    def _is_dual(self, rows: Rows) -> bool:
        if self.dual == "auto":
            wanted = rows.shape[0] < rows.shape[1]
            return self._can_be_dual() and (wanted or not self._can_be_primal())
        return bool(self.dual)

    def _costs(self, weight: Floats) -> Floats:
        with np.errstate(over="ignore"):
            cost = np.float64(self.C) * weight
        if not np.isfinite(cost).all():
            raise ValueError(f"C * sample_weight of {type(self).__name__} must be finite, got a value that is not")
        return np.ascontiguousarray(cost)

    def _warn_if_not_converged(self, result: dict[str, Any]) -> None:
        left = ~result["converged"]
        if not left.any():
            return
        worst = int(np.argmax(np.where(left, result["violation"] / np.maximum(result["allowed"], 1e-300), -1.0)))
        at_limit = result["n_iter"][worst] >= self.max_iter
        why = f"at max_iter={self.max_iter} iterations" if at_limit else "as rounding allowed no more progress"
        of_problems = f" in {left.sum()} of {len(left)} one-vs-rest problems" if len(left) > 1 else ""
        warnings.warn(
            f"{type(self).__name__} stopped {why}{of_problems}: the violation of the optimality conditions left is "
            f"{result['violation'][worst]:.3g}, and tol={self.tol:g} allows {result['allowed'][worst]:.3g}. Scale the "
            f"features (StandardScaler or MaxAbsScaler), {'raise max_iter, ' if at_limit else ''}or take a smaller C "
            "or a larger tol.",
            ConvergenceWarning,
            stacklevel=4,
        )
