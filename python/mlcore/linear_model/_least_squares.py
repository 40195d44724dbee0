"""What the estimators of least squares share: from users' data to a problem for the core."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin

from mlcore._base import TableEstimator
from mlcore._linear import LinearRegressor
from mlcore._sparse import validate_rows
from mlcore._state import FEATURES, Array, Number, OneOf, Sizes, Spec
from mlcore._tables import READ, Floats, Matrix, as_rows, for_core, is_sparse
from mlcore._validation import row_weights, sum_of_weights

COUNT = 2**31 - 1
"""No limit, for an int of C."""


@dataclass(frozen=True)
class Problem:
    """Rows and targets to fit."""

    X: Matrix
    Y: Floats
    """Shape (n_samples, n_targets)."""
    weight: Floats | None
    is_flat: bool
    """Whether y came with one dimension."""

    @property
    def n_features(self) -> int:
        return self.X[3][1] if isinstance(self.X, tuple) else self.X.shape[1]

    def rows(self, chosen: Any) -> "Problem":
        """Return the problem of some rows."""
        X = self.table
        weight = None if self.weight is None else self.weight[chosen]
        return Problem(for_core(as_rows(X[chosen])), self.Y[chosen], weight, self.is_flat)

    @property
    def table(self) -> Any:
        """X as an array or a CSR array."""
        return sp.csr_array(self.X[:3], shape=self.X[3]) if isinstance(self.X, tuple) else self.X

    def tolerance(self, tol: float, target: int, *, fit_intercept: bool) -> float:
        """Return the duality gap that `tol` allows."""
        y = self.Y[:, target]
        with np.errstate(over="ignore"):
            mean = np.average(y, weights=self.weight) if fit_intercept else 0.0
            return tol * float(np.average((y - mean) ** 2, weights=self.weight))


def make_problem(X: Any, y: Any, sample_weight: Any, owner: str) -> Problem:
    """Put together a checked X and y, and check the weights.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are zero, or their sum overflows.
    """
    weight = row_weights(sample_weight, X, owner)
    dense = y.toarray() if is_sparse(y) else np.asarray(y)
    targets = dense.astype(np.float64, copy=False)
    sum_of_weights(weight, len(targets), owner)
    return Problem(for_core(as_rows(X)), targets.reshape(len(targets), -1), weight, is_flat=dense.ndim == 1)


def check_finite(values: Any, problem: Problem, owner: str) -> None:
    """Raise ValueError if the numbers of a fit overflowed."""
    if np.isfinite(values).all():
        return
    entries = problem.X[0] if isinstance(problem.X, tuple) else problem.X
    largest = float(np.max(np.abs(entries), initial=0.0))
    raise ValueError(
        f"the numbers of {owner} overflowed: X has values as large as {largest:.3g}, y as large as "
        f"{np.max(np.abs(problem.Y)):.3g}; scale them down"
    )


class BaseLeastSquares(LinearRegressor, MultiOutputMixin, TableEstimator):  # type: ignore[misc]
    """Fit and predict of a linear model with squared loss."""

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "coef_": OneOf(
            Array("f8", ("n_features",), is_finite=True), Array("f8", ("n_targets", "n_features"), is_finite=True)
        ),
        "intercept_": OneOf(Number(is_finite=True), Array("f8", ("n_targets",), is_finite=True)),
    }
    coef_: Floats
    intercept_: float | Floats
    _many_targets = True
    """Whether y may have several columns."""

    @abstractmethod
    def _solve(self, problem: Problem, *, continuing: bool) -> None:
        """Fit the model: set all attributes at the end."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, continuing: bool) -> None:
        X, y = validate_rows(self, X, y, multi_output=self._many_targets, y_numeric=True, **READ)
        self._solve(make_problem(X, y, sample_weight, type(self).__name__), continuing=continuing)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._many_targets
        return tags

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        if sizes.get("n_targets", 1) < 1:
            raise ValueError("coef_ must have a row for one target at least, got none")
        if np.ndim(state["coef_"]) == 1 and np.size(state["intercept_"]) != 1:
            raise ValueError(f"intercept_ must be one number for one target, got {np.size(state['intercept_'])}")
