"""Layer norm and RMS norm."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, operands, record


def normalized_sizes(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return the lengths of the normalised axes as a tuple."""
    sizes = (normalized_shape,) if isinstance(normalized_shape, int | np.integer) else tuple(normalized_shape)
    if not sizes or any(size < 1 for size in sizes):
        raise ShapeError(f"normalized_shape must hold one length or more, each at least 1, got {normalized_shape}")
    return tuple(int(size) for size in sizes)


def _norm(
    op: str,
    input: Tensor | Array,
    normalized_shape: int | Sequence[int],
    weight: Tensor | Array | None,
    bias: Tensor | Array | None,
    epsilon: float,
    centered: bool,
) -> Tensor:
    x, w, b = operands(input, weight, bias)
    x, sizes = float_tensor(x, f"input of {op}"), normalized_sizes(normalized_shape)
    if x.shape[-len(sizes) :] != sizes:
        raise ShapeError(f"input of {op} has shape {x.shape}, which does not end with normalized_shape {sizes}")
    for name, t in (("weight", w), ("bias", b)):
        if t is not None and t.shape != sizes:
            raise ShapeError(f"{name} of {op} has shape {t.shape}, but normalized_shape is {sizes}")
    n = math.prod(sizes)
    rows = np.ascontiguousarray(x.data)
    if len(sizes) > 1:
        rows = rows.reshape(-1, n)
    flat_w, flat_b = (None if t is None else np.ascontiguousarray(t.data).reshape(n) for t in (w, b))
    y, mean, rstd = core.nn.layer_norm(rows, flat_w, flat_b, epsilon=epsilon, centered=centered, n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        dx, dw, db = core.nn.layer_norm_backward(
            rows,
            np.ascontiguousarray(dy).reshape(rows.shape),
            mean,
            rstd,
            flat_w,
            want_input=x.requires_grad,
            want_weight=w is not None and w.requires_grad,
            want_bias=b is not None and b.requires_grad,
            n_threads=n_threads(),
        )
        gradients: list[Any] = [dx if dx is None or dx.shape == x.shape else dx.reshape(x.shape)]
        gradients += [dw if dw is None or dw.shape == sizes else dw.reshape(sizes)] * (w is not None)
        return gradients + [db if db is None or db.shape == sizes else db.reshape(sizes)] * (b is not None)

    parents = [t for t in (x, w, b) if t is not None]
    return record(op, y.reshape(x.shape), parents, backward, saved=(x,) if w is None else (x, w))


def layer_norm(
    input: Tensor | Array,
    normalized_shape: int | Sequence[int],
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Compute ``y = h w + b`` with ``h = (x - mean) / sqrt(variance + eps)`` over the last axes (Ba et al. 2016).

    Parameters
    ----------
    input : Tensor (..., *normalized_shape)
        x.
    normalized_shape : int or sequence of int
        Lengths of the axes over which mean and variance are taken.
    weight, bias : Tensor of that shape, optional
        w and b.
    eps : float, default=1e-5
        Added to the variance.

    Returns
    -------
    Tensor of input's shape
        y. With g = dy w and r = 1 / sqrt(variance + eps): dx = r (g - mean(g) - h mean(g h)), dw = sum of dy h and
        db = sum of dy over the leading axes.

    Raises
    ------
    ShapeError
        If the shapes do not go together.
    """
    return _norm("layer_norm", input, normalized_shape, weight, bias, eps, True)


def rms_norm(
    input: Tensor | Array,
    normalized_shape: int | Sequence[int],
    weight: Tensor | Array | None = None,
    eps: float | None = None,
) -> Tensor:
    """Compute ``y = h w`` with ``h = x / sqrt(mean(x^2) + eps)`` over the last axes (Zhang and Sennrich 2019).

    Parameters
    ----------
    input : Tensor (..., *normalized_shape)
        x.
    normalized_shape : int or sequence of int
        Lengths of the axes over which the mean is taken.
    weight : Tensor of that shape, optional
        w.
    eps : float, optional
        The smallest step from 1 in float32 if None.

    Returns
    -------
    Tensor of input's shape
        y. With g = dy w and r = 1 / sqrt(mean(x^2) + eps): dx = r (g - h mean(g h)), dw = sum of dy h over the
        leading axes. Errors are those of :func:`layer_norm`.
    """
    epsilon = float(np.finfo(np.float32).eps) if eps is None else eps
    return _norm("rms_norm", input, normalized_shape, weight, None, epsilon, False)
