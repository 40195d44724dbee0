"""Losses as layers: the functions of the same names say what they compute."""

from typing import Any

import numpy as np

from mlcore.nn.functional import _cross_entropy as classes
from mlcore.nn.functional import _losses as losses
from mlcore.nn.functional._binary_cross_entropy import binary_cross_entropy
from mlcore.nn.functional._reduction import check_reduction
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, as_tensor


class _Loss(Module):
    """Keeps `reduction`: "mean", "sum" or "none"."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class _WeightedLoss(_Loss):
    """Keeps weights as a buffer: they are part of the state, as in PyTorch."""

    def __init__(self, weight: Any, reduction: str) -> None:
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
        What is made of the single losses.
    label_smoothing : float in [0, 1], default=0
        Share of the uniform distribution in the target.
    """

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to logits (N, C), (N, C, ...) or (C,) and classes or distributions."""
        return classes.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of log-probabilities: :func:`mlcore.nn.functional.nll_loss`.

    Parameters
    ----------
    weight : array (C,), optional
        Of the classes; 1 by default.
    ignore_index : int, default=-100
        Targets without a loss.
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to log-probabilities (N, C), (N, C, ...) or (C,) and classes."""
        return classes.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class FocalLoss(_WeightedLoss):
    """Focal loss of logits of several classes: :func:`mlcore.nn.functional.focal_loss`.

    Parameters
    ----------
    gamma : float, default=2
        How much less the well classified count.
    weight : array (C,), optional
        Of the classes; 1 by default.
    ignore_index : int, default=-100
        Targets without a loss.
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    """

    def __init__(
        self, gamma: float = 2.0, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction)
        self.gamma, self.ignore_index = gamma, ignore_index

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to logits (N, C), (N, C, ...) or (C,) and classes."""
        return classes.focal_loss(input, target, self.gamma, self.weight, self.ignore_index, self.reduction)


class SigmoidFocalLoss(_Loss):
    """Focal loss of independent logits: :func:`mlcore.nn.functional.sigmoid_focal_loss`.

    Parameters
    ----------
    alpha : float, default=0.25
        Weight of the targets that are 1; negative: no weights.
    gamma : float, default=2
        How much less the well classified count.
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.alpha, self.gamma = alpha, gamma

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to logits and targets of one shape."""
        return losses.sigmoid_focal_loss(input, target, self.alpha, self.gamma, self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Binary cross-entropy of logits: :func:`mlcore.nn.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : array that broadcasts to the input, optional
        Of the entries; 1 by default.
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    pos_weight : array that broadcasts to the input, optional
        Of the targets that are 1; 1 by default.
    """

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", _buffer(pos_weight))

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to logits and targets of one shape."""
        return losses.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class BCELoss(_WeightedLoss):
    """Binary cross-entropy of probabilities: :func:`mlcore.nn.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight : array that broadcasts to the input, optional
        Of the entries; 1 by default.
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    """

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to probabilities and targets of one shape."""
        return binary_cross_entropy(input, target, self.weight, self.reduction)


class MSELoss(_Loss):
    """``(x - t)^2``: :func:`mlcore.nn.functional.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to predictions and targets of one shape."""
        return losses.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """``|x - t|``: :func:`mlcore.nn.functional.l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to predictions and targets of one shape."""
        return losses.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """Absolute error with a parabola around 0: :func:`mlcore.nn.functional.smooth_l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    beta : float, default=1
        Where the parabola ends.
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to predictions and targets of one shape."""
        return losses.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """Squared error that grows linearly far from 0: :func:`mlcore.nn.functional.huber_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default="mean"
        What is made of the single losses.
    delta : float, default=1
        Where the parabola ends.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to predictions and targets of one shape."""
        return losses.huber_loss(input, target, self.reduction, self.delta)


class KLDivLoss(Module):
    """Kullback-Leibler divergence from log-probabilities: :func:`mlcore.nn.functional.kl_div`.

    Parameters
    ----------
    reduction : {"mean", "batchmean", "sum", "none"}, default="mean"
        What is made of the single losses; "batchmean" gives the divergence per example.
    log_target : bool, default=False
        Whether targets are log-probabilities as well.
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__()
        if reduction != "batchmean":
            check_reduction("KLDivLoss", reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Any, target: Any) -> Tensor:
        """Apply to log-probabilities and targets of one shape."""
        return losses.kl_div(input, target, self.reduction, self.log_target)

    def extra_repr(self) -> str:
        """Return reduction and kind of target."""
        return f"reduction={self.reduction!r}, log_target={self.log_target}"
