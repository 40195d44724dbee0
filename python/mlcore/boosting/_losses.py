"""What Python must know of a loss: which targets it takes, the score it starts from, how raw scores become predictions.

Values, gradients and hessians live in the C++ core; a user's own loss is a callable (see `CustomLoss`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcore._tables import Floats

Link: TypeAlias = Literal["identity", "log", "logit", "softmax"]
CustomLoss: TypeAlias = Callable[[NDArray[Any], Floats, Floats | None], tuple[Any, Any]]


@dataclass(frozen=True)
class Loss:
    """A loss of the core, or a user's own (``name == "custom"``)."""

    name: str
    link: Link
    n_outputs: int = 1
    parameter: float = 0.0
    """Level of the quantile, slope of Huber (0: from the targets, see `fitted_to`), power of Tweedie."""
    custom: CustomLoss | None = None

    def baseline(self, y: Floats, weight: Floats | None) -> Floats:
        """Return the best constant raw score of each output, shape (n_outputs,); 0 for a user's own loss."""
        if self.name == "custom":
            return np.zeros(self.n_outputs)
        if self.name == "log_loss":
            return _prior_scores(y, weight, self.n_outputs)
        if self.name in ("absolute_error", "huber"):
            return np.array([weighted_quantile(y, weight, 0.5)])
        if self.name == "quantile":
            return np.array([weighted_quantile(y, weight, self.parameter)])
        mean = np.average(y, weights=weight)
        return np.array([np.log(mean) if self.link == "log" else mean])

    def fitted_to(self, y: Floats, weight: Floats | None) -> "Loss":
        """Return the loss with what it takes from the targets: the slope of Huber, if none is given.

        It is the median distance from the median of `y`, so that the loss means the same in any unit; where that is 0,
        the mean distance; where that is 0 too, 1, as nothing is left to fit.
        """
        if self.name != "huber" or self.parameter > 0:
            return self
        distance = np.abs(y - weighted_quantile(y, weight, 0.5))
        slope = weighted_quantile(distance, weight, 0.5) or float(np.average(distance, weights=weight)) or 1.0
        return replace(self, parameter=slope)

    def least(self, y: Floats, weight: Floats | None) -> float:
        """Return the mean loss of predictions that equal `y`: the least there is."""
        if self.name == "poisson":
            losses = y - _times_log(y, y)
        elif self.name == "gamma":
            losses = 1.0 + np.log(y)
        elif self.name == "tweedie":
            p = self.parameter
            losses = y ** (2.0 - p) * (1.0 / (2.0 - p) - 1.0 / (1.0 - p))
        else:
            return 0.0
        return float(np.average(losses, weights=weight))

    def check_target(self, y: Floats, owner: str, name: str = "y") -> None:
        """Raise ValueError if `y` has values that the loss is not defined for; `name` is what it is called."""
        least, loss = y.min(), f"loss={self.name!r}"
        if self.name == "gamma" and least <= 0:
            raise ValueError(f"{name} of {owner} must be > 0 for {loss}, got a smallest value of {least:g}")
        if self.name in ("poisson", "tweedie"):
            if least < 0:
                raise ValueError(f"{name} of {owner} must be >= 0 for {loss}, got a smallest value of {least:g}")
            if name == "y" and y.max() == 0:  # validation rows may well have none
                raise ValueError(f"{name} of {owner} must have a value > 0 for {loss}, got zeros only")

    def inverse_link(self, raw: Floats) -> Floats:
        """Turn raw scores (n, n_outputs) into predictions: means (n,), or probabilities (n, n_classes)."""
        return inverse_link(self.link, raw)

    def gradients(self, y: NDArray[Any], raw: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
        """Call the user's own loss; returns gradient and hessian of shape (n, n_outputs). Raises ValueError."""
        assert self.custom is not None
        result = self.custom(y, raw[:, 0] if self.n_outputs == 1 else raw, weight)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(f"a loss of your own must return a tuple (gradient, hessian), got {type(result).__name__}")
        shape = raw.shape[:1] if self.n_outputs == 1 else raw.shape
        checked = []
        for name, values in zip(("gradient", "hessian"), result, strict=True):
            values = np.asarray(values, dtype=np.float64)
            if values.shape != shape:
                raise ValueError(f"the {name} of a loss of your own must have shape {shape}, got {values.shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"the {name} of a loss of your own must be finite, got NaN or inf")
            checked.append(np.ascontiguousarray(values.reshape(raw.shape)))
        return checked[0], checked[1]


def inverse_link(link: Link, raw: Floats) -> Floats:
    """Turn raw scores (n, n_outputs) into predictions: means (n,), or probabilities (n, n_classes)."""
    if link == "identity":
        return raw[:, 0]
    if link == "log":
        return np.exp(raw[:, 0])
    if link == "logit":
        from scipy.special import expit

        positive = expit(raw[:, 0])
        return np.column_stack([1.0 - positive, positive])
    scores = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def _times_log(a: Floats, b: Floats) -> Floats:
    """Return a log b, and 0 where a is 0."""
    return a * np.log(np.where(a > 0, b, 1.0))


def weighted_quantile(y: Floats, weight: Floats | None, level: float) -> float:
    """Return the quantile of weighted values: where the share of weight reaches `level`.

    If a value reaches it exactly, the mean of it and the next one is taken, so that the median is the usual one. A
    weight of 2 is the same as a second copy of the row.
    """
    order = np.argsort(y, kind="stable")
    y = y[order]
    reached = np.arange(1.0, len(y) + 1) if weight is None else np.cumsum(weight[order])
    target = level * reached[-1]
    last = len(y) - 1
    low = min(int(np.searchsorted(reached, target, side="left")), last)
    high = min(int(np.searchsorted(reached, target, side="right")), last)
    return float((y[low] + y[high]) / 2)


def _prior_scores(y: Floats, weight: Floats | None, n_outputs: int) -> Floats:
    """Return the logit of the share of class 1, or the centred logarithms of all shares."""
    shares = np.bincount(y.astype(np.intp), weights=weight, minlength=max(n_outputs, 2))
    eps = np.finfo(np.float64).eps  # a class may be absent from the training part of a split
    shares = np.clip(shares / shares.sum(), eps, 1 - eps)
    if n_outputs == 1:
        return np.array([np.log(shares[1] / shares[0])])
    scores = np.log(shares)
    return np.asarray(scores - scores.mean())
