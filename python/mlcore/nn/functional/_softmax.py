"""Softmax, its logarithm, and log-sum-exp along one axis."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, AxisError, Gradients, Tensor, float_tensor, one_axis, operands, record


def _axis_last(op: str, x: Tensor, dim: int) -> tuple[Array, int]:
    """Return the values in C order with axis `dim` moved to the end, and its number."""
    try:
        d = one_axis(dim, x.shape)
    except AxisError:
        raise AxisError(f"dim={dim} of {op} is not an axis of input with shape {x.shape}") from None
    return _moved(x.data.reshape(x.shape or (1,)), d, -1), d


def _moved(y: Array, source: int, destination: int) -> Array:
    """Return the array itself where nothing moves: a leaf can then keep it as its gradient, without a copy."""
    if source % y.ndim != destination % y.ndim:
        y = np.moveaxis(y, source, destination)
    return np.ascontiguousarray(y)


def _along(op: str, kernel: Any, backward_kernel: Any, input: Any, dim: int) -> Tensor:
    """Apply a kernel that works on rows along axis `dim`; its gradient is made from the result."""
    x = float_tensor(input, f"input of {op}")
    rows, d = _axis_last(op, x, dim)
    y = kernel(rows, n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        rows = _moved(dy.reshape(x.shape or (1,)), d, -1)
        return [_moved(backward_kernel(y, rows, n_threads=n_threads()), -1, d).reshape(x.shape)]

    return record(op, _moved(y, -1, d).reshape(x.shape), [x], backward, output_saved=True)


def softmax(input: Tensor | Array, dim: int) -> Tensor:
    """Compute ``y_j = exp(x_j) / sum_k exp(x_k)`` along an axis, without overflow for any finite x.

    Parameters
    ----------
    input : Tensor of any shape
        x.
    dim : int
        The axis.

    Returns
    -------
    Tensor of the same shape
        y; ``dx_j = y_j (dy_j - sum_k dy_k y_k)``. Where all x are -inf y is 0.

    Raises
    ------
    ShapeError
        If there is no such axis.

    Examples
    --------
    >>> from mlcore.nn import functional as F
    >>> F.softmax([-10000.0, -1000.0, -34343.0], dim=0).numpy()
    array([0., 1., 0.], dtype=float32)
    """
    return _along("softmax", core.nn.softmax, core.nn.softmax_backward, input, dim)


def log_softmax(input: Tensor | Array, dim: int) -> Tensor:
    """Compute ``y_j = x_j - log(sum_k exp(x_k))`` along an axis.

    Arguments, shapes and errors are those of :func:`softmax`; ``dx_j = dy_j - exp(y_j) sum_k dy_k``.
    """
    return _along("log_softmax", core.nn.log_softmax, core.nn.log_softmax_backward, input, dim)


def logsumexp(input: Tensor | Array, dim: int, keepdim: bool = False) -> Tensor:
    """Compute ``log(sum_j exp(x_j))`` along an axis.

    Parameters
    ----------
    input : Tensor of any shape
        x.
    dim : int
        The axis.
    keepdim : bool, default=False
        Whether the axis stays, with length 1.

    Returns
    -------
    Tensor without that axis
        L; ``dx_j = dL softmax(x)_j``. -inf where there is nothing along the axis.

    Raises
    ------
    ShapeError
        If there is no such axis.
    """
    x = float_tensor(operands(input)[0], "input of logsumexp")
    rows, axis = _axis_last("logsumexp", x, dim)
    if rows.shape[-1] == 0:
        lse = np.full(rows.shape[:-1], -np.inf, np.float32)
    else:
        lse = core.nn.logsumexp(rows, n_threads=n_threads())
    out = np.expand_dims(lse, axis) if keepdim and x.ndim else lse

    def backward(dy: Array) -> Gradients:
        d: Any = np.ascontiguousarray(dy).reshape(lse.shape)
        return [_moved(core.nn.logsumexp_backward(rows, d, n_threads=n_threads()), -1, axis).reshape(x.shape)]

    return record("logsumexp", out, [x], backward, saved=(x,))
