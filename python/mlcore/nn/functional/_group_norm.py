"""Group norm and instance norm: each example by itself, some or single channels together."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.functional._batch_norm import batch_norm
from mlcore.nn.functional._norm import layer_norm
from mlcore.nn.tensor import Array, ShapeError, Tensor, float_tensor, operands


def group_norm(
    input: Tensor | Array,
    num_groups: int,
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Compute ``y = h w + b`` with ``h = (x - mean) / sqrt(variance + eps)`` over groups of channels (Wu, He 2018).

    Parameters
    ----------
    input : Tensor (n, channels, ...)
        x.
    num_groups : int
        Into so many groups the channels are cut; mean and variance are those of a group of one example, over all
        positions.
    weight, bias, eps
        w and b (channels,), and what is added to the variance, as of :func:`batch_norm`.

    Returns
    -------
    Tensor of input's shape
        y; gradients as of :func:`layer_norm`, dw and db summed over examples and positions.

    Raises
    ------
    ShapeError
        If shapes do not go together.
    ValueError
        If the groups do not divide the channels.
    """
    x, w, b = operands(input, weight, bias)
    float_tensor(x, "input of group_norm")
    if x.ndim < 2:
        raise ShapeError(f"input of group_norm of shape {x.shape} must be (n, channels, ...)")
    n, channels = x.shape[:2]
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"num_groups must divide the {channels} channels, got {num_groups}")
    for name, part in (("weight", w), ("bias", b)):
        if part is not None and part.shape != (channels,):
            raise ShapeError(f"{name} of shape {part.shape} does not fit the {channels} channels of {x.shape}")
    size = channels // num_groups * math.prod(x.shape[2:])
    y = x if x.size == 0 else layer_norm(x.reshape(n * num_groups, size), size, eps=eps).reshape(x.shape)
    return _by_channel(y, w, b)


def instance_norm(
    input: Tensor | Array,
    running_mean: NDArray[np.float32] | None = None,
    running_var: NDArray[np.float32] | None = None,
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Compute ``y = h w + b`` with h normalised over the positions of one channel of one example (Ulyanov et al. 2016).

    Parameters
    ----------
    input : Tensor (n, channels, ...)
        x.
    running_mean, running_var : ndarray of float32 (channels,), optional
        Running averages over examples; changed in place with `use_input_stats`, used as mean and variance without.
    use_input_stats : bool, default=True
        Whether mean and variance are those of `input`.
    weight, bias, momentum, eps
        As of :func:`batch_norm`.

    Returns
    -------
    Tensor of input's shape
        y; gradients as of :func:`layer_norm`.

    Raises
    ------
    ShapeError
        If shapes do not go together.
    ValueError
        For a single position a channel, or without running averages where they are to be used.
    """
    x, w, b = operands(input, weight, bias)
    if x.ndim < 3:
        raise ShapeError(
            f"input of instance_norm of shape {x.shape} must be (n, channels, ...) with an axis of positions"
        )
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, w, b, False, momentum, eps)
    n, channels = x.shape[:2]
    positions = math.prod(x.shape[2:])
    if positions == 1:
        raise ValueError(f"instance_norm needs more than one position a channel, got input of shape {x.shape}")
    if running_mean is None or running_var is None:
        return group_norm(x, channels, w, b, eps)
    # All channels of all examples as the channels of one, whose running averages are then averaged.
    means, variances = np.tile(running_mean, n), np.tile(running_var, n)
    y = batch_norm(x.reshape(1, n * channels, positions), means, variances, None, None, True, momentum, eps)
    if n > 0:
        running_mean[...] = means.reshape(n, channels).mean(0, dtype=np.float64)
        running_var[...] = variances.reshape(n, channels).mean(0, dtype=np.float64)
    return _by_channel(y.reshape(x.shape), w, b)


def _by_channel(y: Tensor, w: Any, b: Any) -> Tensor:
    shape = (-1, *(1,) * (y.ndim - 2))
    y = y if w is None else y * w.reshape(shape)
    return y if b is None else y + b.reshape(shape)
