"""Losses as layers: the functions of the same names say what they compute, and for which shapes."""

from typing import Any, ClassVar

import numpy as np

from mlcore.nn.functional import _cross_entropy as classes
from mlcore.nn.functional import _losses as losses
from mlcore.nn.functional._binary_cross_entropy import binary_cross_entropy
from mlcore.nn.functional._reduction import check_reduction
from mlcore.nn.layers._function_layer import FunctionLayer
from mlcore.nn.tensor import Tensor, as_tensor


class _Loss(FunctionLayer):
    """Keeps `reduction`: "mean", "sum" or "none"."""

    _options: ClassVar[tuple[str, ...]] = ("reduction",)

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction)
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Tensor:  # type: ignore[override]
        """Return the loss of an input for a target, of shapes that the function takes."""
        return self._call(input, target)

    def extra_repr(self) -> str:
        """Return the reduction."""
        return f"reduction={self.reduction!r}"


class _WeightedLoss(_Loss):
    """Keeps weights as a buffer: they are part of the state, as in PyTorch."""

    _options: ClassVar[tuple[str, ...]] = ("weight", "reduction")

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", _buffer(weight))


def _buffer(values: Any) -> Any:
    return None if values is None else np.array(as_tensor(values).data, np.float32)


class CrossEntropyLoss(_WeightedLoss):
    """Cross-entropy of logits: :func:`mlcore.nn.functional.cross_entropy`.

    Parameters
    ----------
    weight : array (C,), optional
        Of the classes; 1 by default.
    ignore_index : int, default=-100
        Targets without a loss.
    reduction : {"mean", "sum", "none"}, default="mean"
        How the losses of the rows are reduced.
    label_smoothing : float in [0, 1], default=0
        Share of the uniform distribution in the target.
    """

    _function = staticmethod(classes.cross_entropy)
    _options = ("weight", "ignore_index", "reduction", "label_smoothing")

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of log-probabilities: :func:`mlcore.nn.functional.nll_loss`.

    Parameters
    ----------
    weight, ignore_index, reduction
        As those of :class:`CrossEntropyLoss`.
    """

    _function = staticmethod(classes.nll_loss)
    _options = ("weight", "ignore_index", "reduction")

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index


class FocalLoss(_WeightedLoss):
    """Focal loss of logits of several classes: :func:`mlcore.nn.functional.focal_loss`.

    Parameters
    ----------
    gamma : float, default=2
        How much less the well classified count.
    weight, ignore_index, reduction
        As those of :class:`CrossEntropyLoss`.
    """

    _function = staticmethod(classes.focal_loss)
    _options = ("gamma", "weight", "ignore_index", "reduction")

    def __init__(
        self, gamma: float = 2.0, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction)
        self.gamma, self.ignore_index = gamma, ignore_index


class SigmoidFocalLoss(_Loss):
    """Focal loss of independent logits: :func:`mlcore.nn.functional.sigmoid_focal_loss`.

    Parameters
    ----------
    alpha : float, default=0.25
        Weight of the targets that are 1; negative: no weights.
    gamma : float, default=2
        How much less the well classified count.
    reduction : {"mean", "sum", "none"}, default="mean"
        How the losses of the entries are reduced.
    """

    _function = staticmethod(losses.sigmoid_focal_loss)
    _options = ("alpha", "gamma", "reduction")

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.alpha, self.gamma = alpha, gamma


class BCEWithLogitsLoss(_WeightedLoss):
    """Binary cross-entropy of logits: :func:`mlcore.nn.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : array that broadcasts to the input, optional
        Of the entries; 1 by default.
    reduction : {"mean", "sum", "none"}, default="mean"
        How the losses of the entries are reduced.
    pos_weight : array that broadcasts to the input, optional
        Of the targets that are 1; 1 by default.
    """

    _function = staticmethod(losses.binary_cross_entropy_with_logits)
    _options = ("weight", "reduction", "pos_weight")

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", _buffer(pos_weight))


class BCELoss(_WeightedLoss):
    """Binary cross-entropy of probabilities: :func:`mlcore.nn.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight, reduction
        As those of :class:`BCEWithLogitsLoss`.
    """

    _function = staticmethod(binary_cross_entropy)


class MSELoss(_Loss):
    """``(x - t)^2``: :func:`mlcore.nn.functional.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        How the losses of the entries are reduced.
    """

    _function = staticmethod(losses.mse_loss)


class L1Loss(_Loss):
    """``|x - t|``: :func:`mlcore.nn.functional.l1_loss`. The parameter is that of :class:`MSELoss`."""

    _function = staticmethod(losses.l1_loss)


class SmoothL1Loss(_Loss):
    """Absolute error with a parabola around 0: :func:`mlcore.nn.functional.smooth_l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        As that of :class:`MSELoss`.
    beta : float, default=1
        Where the parabola ends.
    """

    _function = staticmethod(losses.smooth_l1_loss)
    _options = ("reduction", "beta")

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta


class HuberLoss(_Loss):
    """Squared error that grows linearly far from 0: :func:`mlcore.nn.functional.huber_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        As that of :class:`MSELoss`.
    delta : float, default=1
        Where the parabola ends.
    """

    _function = staticmethod(losses.huber_loss)
    _options = ("reduction", "delta")

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence from log-probabilities: :func:`mlcore.nn.functional.kl_div`.

    Parameters
    ----------
    reduction : {"mean", "batchmean", "sum", "none"}, default="mean"
        How the terms are reduced; "batchmean" gives the divergence per example.
    log_target : bool, default=False
        Whether targets are log-probabilities as well.
    """

    _function = staticmethod(losses.kl_div)
    _options = ("reduction", "log_target")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__("mean" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def extra_repr(self) -> str:
        """Return reduction and kind of target."""
        return f"{super().extra_repr()}, log_target={self.log_target}"
