"""Softmax, its logarithm, and log-sum-exp along one axis."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn._tape import Array, Gradients, ShapeError, Tensor, float_tensor, record


def _axis_last(op: str, x: Tensor, dim: int) -> Array:
    """Return the values in C order with axis `dim` moved to the end."""
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(f"dim={dim} of {op} is not an axis of input with shape {x.shape}")
    if x.shape[dim] == 0:
        raise ShapeError(f"{op} over axis {dim} of input with shape {x.shape}: there is nothing in it")
    return _moved(x.data, dim, -1)


def _moved(y: Array, source: int, destination: int) -> Array:
    """Return the array itself where nothing moves: a leaf can then keep it as its gradient, without a copy."""
    if source % y.ndim != destination % y.ndim:
        y = np.moveaxis(y, source, destination)
    return np.ascontiguousarray(y)


def softmax(input: Tensor | Array, dim: int) -> Tensor:  # noqa: A002 - PyTorch's name
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
        If there is no such axis, or nothing in it.

    Examples
    --------
    >>> from mlcore.nn import functional as F
    >>> F.softmax([-10000.0, -1000.0, -34343.0], dim=0).numpy()
    array([0., 1., 0.], dtype=float32)
    """
    x = float_tensor(input, "input of softmax")
    y = core.nn.softmax(_axis_last("softmax", x, dim), n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        rows = _moved(dy, dim, -1)
        return [_moved(core.nn.softmax_backward(y, rows, n_threads=n_threads()), -1, dim)]

    return record("softmax", _moved(y, -1, dim), [x], backward, output_saved=True)


def log_softmax(input: Tensor | Array, dim: int) -> Tensor:  # noqa: A002 - PyTorch's name
    """Compute ``y_j = x_j - log(sum_k exp(x_k))`` along an axis.

    Parameters
    ----------
    input : Tensor of any shape
        x.
    dim : int
        The axis.

    Returns
    -------
    Tensor of the same shape
        y; ``dx_j = dy_j - exp(y_j) sum_k dy_k``.

    Raises
    ------
    ShapeError
        If there is no such axis, or nothing in it.
    """
    x = float_tensor(input, "input of log_softmax")
    y = core.nn.log_softmax(_axis_last("log_softmax", x, dim), n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        rows = _moved(dy, dim, -1)
        return [_moved(core.nn.log_softmax_backward(y, rows, n_threads=n_threads()), -1, dim)]

    return record("log_softmax", _moved(y, -1, dim), [x], backward, output_saved=True)


def logsumexp(input: Tensor | Array, dim: int, keepdim: bool = False) -> Tensor:  # noqa: A002 - PyTorch's name
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
        L; ``dx_j = dL exp(x_j - L)``.

    Raises
    ------
    ShapeError
        If there is no such axis, or nothing in it.
    """
    x = float_tensor(input, "input of logsumexp")
    rows = _axis_last("logsumexp", x, dim)
    lse = core.nn.logsumexp(rows, n_threads=n_threads())
    out = np.expand_dims(lse, dim) if keepdim else lse

    def backward(dy: Array) -> Gradients:
        d: Any = np.ascontiguousarray(dy).reshape(lse.shape)
        return [_moved(core.nn.logsumexp_backward(rows, lse, d, n_threads=n_threads()), -1, dim)]

    return record("logsumexp", out, [x], backward, saved=(x,), output_saved=True)
