"""GroupNorm, InstanceNorm1d and InstanceNorm2d."""

from typing import Any

import numpy as np

from mlcore.nn.functional._group_norm import group_norm, instance_norm
from mlcore.nn.layers._module import Module
from mlcore.nn.layers._running_norm import RunningNorm, register_affine
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


class GroupNorm(Module):
    """Normalise groups of channels of each example: see :func:`mlcore.nn.functional.group_norm`.

    Parameters
    ----------
    num_groups : int
        A divisor of `num_channels`.
    num_channels : int
        Length of axis 1.
    eps : float, default=1e-5
        Added to the variance.
    affine : bool, default=True
        Whether there are `weight` and `bias`.

    Attributes
    ----------
    weight, bias : Parameter (num_channels,) or None
        Start as 1 and 0.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        if num_groups < 1 or num_channels < 1 or num_channels % num_groups:
            raise ValueError(
                f"num_groups must divide num_channels, got num_groups={num_groups}, num_channels={num_channels}"
            )
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        register_affine(self, num_channels, affine)

    def forward(self, input: Any) -> Tensor:
        """Apply to (n, num_channels, ...)."""
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the parameters."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class _InstanceNorm(RunningNorm):
    n_axes: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, input: Any) -> Tensor:
        """Normalise (n, num_features, ...), or one example without n."""
        x = as_tensor(input)
        single = x.ndim == self.n_axes + 1
        if x.ndim not in (self.n_axes + 1, self.n_axes + 2) or x.shape[-self.n_axes - 1] != self.num_features:
            raise ShapeError(
                f"input of shape {x.shape} must be (n, {self.num_features}, ...) with {self.n_axes} more axes, or "
                "without n"
            )
        momentum = 0.0 if self.momentum is None else self.momentum
        averages = (self.running_mean, self.running_var) if self.track_running_stats else (None, None)
        batch = input.unsqueeze(0) if single and isinstance(input, Tensor) else x.data[np.newaxis] if single else input
        y = instance_norm(batch, *averages, self.weight, self.bias, self._uses_input, momentum, self.eps)
        return y.squeeze(0) if single else y


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image: see :func:`mlcore.nn.functional.instance_norm`.

    Parameters
    ----------
    num_features, eps, momentum
        As those of :class:`BatchNorm2d`.
    affine : bool, default=False
        Whether there are `weight` and `bias`.
    track_running_stats : bool, default=False
        Whether averages over examples are kept, which :meth:`eval` normalises by; otherwise each image by itself there
        as well.

    Attributes
    ----------
    weight, bias, running_mean, running_var
        As those of :class:`BatchNorm2d`.
    num_batches_tracked : ndarray of int64 () or None
        Part of the state for PyTorch's sake, which does not count either.
    """

    n_axes = 2


class InstanceNorm1d(_InstanceNorm):
    """As :class:`InstanceNorm2d`, for (n, channels, length) and (channels, length)."""

    n_axes = 1
