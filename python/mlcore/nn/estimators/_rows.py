"""From what users pass to the rows that a network sees: checks, weights, standardized inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._sparse import validate_rows
from mlcore._validation import require_target, row_weights, weighted_rows, with_factors
from mlcore.nn.estimators._standardize import Columns
from mlcore.nn.estimators._state import NetworkState

Floats = NDArray[np.float64]
Rows = tuple[Any, Any, Floats | None]  # inputs, target, weights; None: all weigh the same


class NetworkRows(NetworkState):
    """Reads and standardizes the data of an estimator."""

    standardize: bool | str
    input_center_: Floats | None
    input_width_: Floats | None
    input_offset_: Floats | None

    def _encode_target(self, y: Any, *, reset: bool, name: str = "y") -> NDArray[Any]:
        """Check `y` and return classes as positions (n,), numbers as (n, n_outputs)."""
        raise NotImplementedError

    def _class_factors(self, target: NDArray[Any], weight: Floats | None) -> Floats | None:  # noqa: ARG002
        """Return the factors on the weights of classes (n_classes,), or None where there are none."""
        return None

    def _as_learned(self, target: NDArray[Any]) -> NDArray[Any]:
        """Return the target as the loss takes it."""
        return target

    def _plain_target(self, y: Any) -> Any:
        """Return `y` in a form that scikit-learn's checks do not change."""
        return y

    def _read(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """Check `X`, and `y` for its length; X is of floats, or whole numbers for a module of one's own."""
        own = self.module is not None
        # In float64 until columns are centred: float32 would lose the differences of a column far from zero.
        kinds: Any = "numeric" if own else [np.float64, np.float32] if self.standardize else np.float32
        options = {"dtype": kinds, "allow_nd": own, "order": "C", "reset": reset}
        if isinstance(y, str):
            X = validate_rows(self, X, **options)
        else:
            X, y = validate_rows(self, X, self._plain_target(y), multi_output=True, y_numeric=False, **options)
        if X.dtype.kind == "f" and X.dtype not in (np.float32, np.float64):
            X = X.astype(np.float64)
        return X if isinstance(y, str) else (X, y)

    def _training_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Any, Any, Floats | None, Floats | None]:
        """Return inputs, target and weights of the rows that have weight, and the factors of classes in these."""
        owner = type(self).__name__
        require_target(y, owner)
        X, y = self._read(X, y, reset=reset)
        target = self._encode_target(y, reset=reset)
        weight = row_weights(sample_weight, X, owner)
        factors = self._class_factors(target, weight)
        if factors is not None:
            weight = with_factors(weight, factors, target, owner)
        return *_weighted(X, target, weight), factors

    def _validation_rows(self, X: Any, y: Any, sample_weight: Any, factors: Floats | None) -> Rows:
        owner = type(self).__name__
        X, y = self._read(X, y, reset=False)
        target = self._encode_target(y, reset=False, name="y_val")
        weight = row_weights(sample_weight, X, owner, "sample_weight_val")
        if factors is not None:
            weight = with_factors(weight, factors, target, owner, "sample_weight_val")
        return _weighted(X, target, weight)

    def _measure(self, X: NDArray[Any], weight: Floats | None, *, reset: bool) -> None:
        """Measure centres and widths of columns."""
        if reset:
            self.input_center_ = self.input_width_ = self.input_offset_ = None
            if self.standardize and (self.module is None or X.dtype.kind == "f"):
                columns = Columns.fit(X, weight)
                self.input_center_, self.input_width_ = columns.center, columns.width
                self.input_offset_ = columns.offset
        elif (measured := self._measured()) is not None:
            measured = Columns(measured.center, measured.width.copy(), measured.offset)
            measured.extend(X, weight)
            self.input_width_ = measured.width

    def _measured(self) -> Columns | None:
        center, width, offset = self.input_center_, self.input_width_, self.input_offset_
        return None if center is None or width is None or offset is None else Columns(center, width, offset)

    def _columns(self, X: NDArray[Any], target: NDArray[Any], weight: Floats | None) -> tuple[NDArray[Any], ...]:
        """Return inputs, weights where there are any, and target, as training takes them."""
        weights = () if weight is None else ((weight / weight.mean()).astype(np.float32),)
        return self._inputs(X), *weights, self._as_learned(target)

    def _inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return `X` as the network sees it."""
        measured = self._measured()
        return _narrow(X) if measured is None else measured.transform(X)


def _weighted(X: Any, target: Any, weight: Floats | None) -> Rows:
    """Leave out rows without weight; the largest weight becomes 1."""
    if weight is None:
        return X, target, None
    kept = weighted_rows(weight)
    if kept is not None:
        X, target, weight = X[kept], target[kept], weight[kept]
    weight = weight / weight.max()  # sums of huge ones could overflow
    return X, target, None if (weight == 1).all() else weight


def _narrow(X: NDArray[Any]) -> NDArray[Any]:
    return X.astype(np.float32) if X.dtype.kind == "f" and X.dtype != np.float32 else X
