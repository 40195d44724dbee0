"""Products with a weight, fused with what follows."""

import math
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, grad_enabled, operands, record


def linear(
    input: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    *,
    activation: str = "identity",
    residual: Tensor | Array | None = None,
) -> Tensor:
    """Compute ``y = activation(x W^T + b + r)`` in one pass over the result.

    Parameters
    ----------
    input : Tensor (..., k)
        x.
    weight : Tensor (n, k)
        W.
    bias : Tensor (n,), optional
        b.
    activation : str, default="identity"
        "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "softplus", "leaky_relu" or "identity".
    residual : Tensor (..., n), optional
        r.

    Returns
    -------
    Tensor (..., n)
        y. With z = x W^T + b + r and dz = activation'(z) dy the gradients are dx = dz W, dW = dz^T x (rows of all
        leading axes), db = the sum of dz over them, dr = dz.

    Raises
    ------
    ShapeError
        If the shapes do not go together.
    """
    x, w, b, r = operands(input, weight, bias, residual)
    if w.ndim != 2 or x.ndim < 1 or x.shape[-1] != w.shape[1]:
        raise ShapeError(f"input of shape {x.shape} does not fit weight of shape {w.shape}: (..., k) and (n, k)")
    if b is not None and b.shape != w.shape[:1]:
        raise ShapeError(f"bias of shape {b.shape} does not fit weight of shape {w.shape}")
    shape = (*x.shape[:-1], w.shape[0])
    if r is not None and r.shape != shape:
        raise ShapeError(f"residual of shape {r.shape} does not fit the result of shape {shape}")
    n, has_bias, n_rows = w.shape[0], b is not None, math.prod(x.shape[:-1])
    xs, ws = np.ascontiguousarray(x.data), np.ascontiguousarray(w.data)
    parents = [t for t in (x, w, b, r) if t is not None]
    needed = [t.requires_grad for t in parents]  # the residual itself need not stay in memory
    y, z = core.nn.linear(
        xs,
        ws,
        None if b is None else np.ascontiguousarray(b.data),
        None if r is None else np.ascontiguousarray(r.data),
        activation=activation,
        keep_input=grad_enabled() and any(needed),
        n_threads=n_threads(),
    )

    def backward(dy: Array) -> Gradients:
        threads = n_threads()
        dz: Any = np.ascontiguousarray(dy)
        if activation != "identity":
            dz = core.nn.activation_backward(y if z is None else z, dz, activation=activation, n_threads=threads)
        rows = dz.reshape(n_rows, n)
        gradients = [
            core.nn.matmul(rows, ws, n_threads=threads).reshape(x.shape) if needed[0] else None,
            core.nn.matmul(rows.T, xs.reshape(n_rows, ws.shape[1]), n_threads=threads) if needed[1] else None,
        ]
        if has_bias:
            gradients.append(core.nn.sum_rows(rows, n_threads=threads) if needed[2] else None)
        return [*gradients, dz] if len(gradients) < len(needed) else gradients

    output_saved = activation != "identity" and z is None
    return record("linear", y, parents, backward, saved=(x, w), output_saved=output_saved)
