"""Batch normalisation (Ioffe and Szegedy, 2015)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, operands, record


def batch_norm(
    input: Tensor | Array,
    running_mean: NDArray[np.float32] | None,
    running_var: NDArray[np.float32] | None,
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Compute ``y = w (x - mean) / sqrt(variance + eps) + b`` for each channel.

    Parameters
    ----------
    input : Tensor (n, channels, ...)
        x.
    running_mean, running_var : ndarray of float32 (channels,) or None
        Running statistics; changed in place while training, used as mean and variance otherwise.
    weight, bias : Tensor (channels,), optional
        w and b.
    training : bool, default=False
        Whether mean and variance (with 1 / m, m the values of a channel) are those of `input`.
    momentum : float, default=0.1
        While training, ``running = (1 - momentum) running + momentum * that of the batch``, where the variance of the
        batch is taken with 1 / (m - 1).
    eps : float, default=1e-5
        Added to the variance.

    Returns
    -------
    Tensor (n, channels, ...)
        y. With x^ = (x - mean) r and r = 1 / sqrt(variance + eps): db = sum dy, dw = sum dy x^, and
        dx = w r (dy - db / m - x^ dw / m) while training, w r dy otherwise.

    Raises
    ------
    ShapeError
        If shapes do not go together.
    ValueError
        While training on a single value a channel, or without running statistics otherwise.
    """
    x, w, b = operands(input, weight, bias)
    if x.ndim < 2:
        raise ShapeError(f"input of shape {x.shape} must be (n, channels, ...)")
    n, channels = x.shape[:2]
    for name, part in (("weight", w), ("bias", b), ("running_mean", running_mean), ("running_var", running_var)):
        if part is not None and part.shape != (channels,):
            raise ShapeError(f"{name} of shape {part.shape} does not fit the {channels} channels of {x.shape}")
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm needs running_mean and running_var unless it is training")
    m = n * math.prod(x.shape[2:])
    if x.size == 0:  # nothing to learn from: the running statistics stay
        zeros = [np.zeros(t.shape, np.float32) for t in (x, w, b) if t is not None]
        return record("batch_norm", zeros[0].copy(), [t for t in (x, w, b) if t is not None], lambda _: zeros)
    xs = np.ascontiguousarray(x.data).reshape(n, channels, -1)
    if training:
        if m == 1:
            raise ValueError(f"batch_norm needs more than one value a channel to train on, got input of {x.shape}")
        mean, variance = core.nn.batch_statistics(xs, n_threads=n_threads())
        _update(running_mean, mean, momentum)
        _update(running_var, variance * np.float32(m / (m - 1)), momentum)
    else:  # copies: the arrays go on changing
        mean, variance = np.array(running_mean, np.float32), np.asarray(running_var, np.float32)
    inverse = (1 / np.sqrt(variance.astype(np.float64) + eps)).astype(np.float32)
    ws = None if w is None else np.ascontiguousarray(w.data)
    bs = None if b is None else np.ascontiguousarray(b.data)
    y = core.nn.batch_normalize(xs, mean, inverse, ws, bs, n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        gradient = np.ascontiguousarray(dy).reshape(xs.shape)
        dx, dw, db = core.nn.batch_norm_backward(
            gradient, xs, mean, inverse, ws, of_batch=training, want_dx=x.requires_grad, n_threads=n_threads()
        )
        found: list[Any] = [None if dx is None else dx.reshape(x.shape)]
        found += [None if not p.requires_grad else g for p, g in ((w, dw), (b, db)) if p is not None]
        return found

    parents = [t for t in (x, w, b) if t is not None]
    saved = parents[:-1] if b is not None else parents
    return record("batch_norm", y.reshape(x.shape), parents, backward, saved=saved)


def _update(running: NDArray[np.float32] | None, value: Array, momentum: float) -> None:
    if running is not None:
        running += np.float32(momentum) * (value - running)
