"""Pooling: the largest entry or the mean of each window of an image or of a sequence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._convolution import Sizes, sizes
from mlcore.nn.functional._fixed_axes import fixed_axes
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, as_tensor, record

Windows = list[tuple[Any, Any, Array]]  # begins, ends and divisors along each axis


def adaptive_avg_pool2d(input: Tensor | Array, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Compute the means of windows that are as equal as can be and give just `output_size` of them.

    Parameters
    ----------
    input : Tensor (n, channels, rows, columns) or (channels, rows, columns)
        x.
    output_size : int, or a pair of int or None
        Rows and columns of the result; None: those of the input. Window i of m over N entries is
        ``[i N // m, ceil((i + 1) N / m))``.

    Returns
    -------
    Tensor (n, channels, rows out, columns out), or without n
        1 gives the mean of each channel.

    Raises
    ------
    ShapeError
        If the input has another number of axes or an empty one.
    ValueError
        For sizes below 1.
    """
    return _average(2, *_adaptive(2, input, output_size), "adaptive_avg_pool2d")


def adaptive_avg_pool1d(input: Tensor | Array, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Compute :func:`adaptive_avg_pool2d` along one axis: (n, channels, length) or (channels, length)."""
    return _average(1, *_adaptive(1, input, output_size), "adaptive_avg_pool1d")


def adaptive_max_pool2d(input: Tensor | Array, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Compute the largest entries of the windows of :func:`adaptive_avg_pool2d`.

    Parameters, shapes and errors are those of :func:`adaptive_avg_pool2d`. NaN where a window holds one; the gradient
    goes to the largest entry, the first of several.
    """
    return _largest(2, *_adaptive(2, input, output_size))


def adaptive_max_pool1d(input: Tensor | Array, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Compute :func:`adaptive_max_pool2d` along one axis: (n, channels, length) or (channels, length)."""
    return _largest(1, *_adaptive(1, input, output_size))


def _adaptive(n_axes: int, input: Tensor | Array, output_size: Any) -> tuple[Tensor, Windows]:
    x = as_tensor(input)
    _check(x, n_axes)
    wanted = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * n_axes
    if len(wanted) != n_axes:
        raise ValueError(f"output_size must be an int or {n_axes} of them, got {output_size!r}")
    windows = []
    for size, n_in in zip(wanted, x.shape[-n_axes:], strict=True):
        m = n_in if size is None else sizes("output_size", size, 1, 1)[0]
        out = np.arange(m, dtype=np.int64)
        begin, end = out * n_in // m, -(-(out + 1) * n_in // m)
        windows.append((begin, end, (end - begin).astype(np.float32)))
    return x, windows


def _check(x: Tensor, n_axes: int) -> None:
    places = ", ".join(("rows", "columns") if n_axes == 2 else ("length",))
    if x.ndim not in (n_axes + 1, n_axes + 2):
        raise ShapeError(f"input of shape {x.shape} must be (n, channels, {places}) or (channels, {places})")
    if 0 in x.shape[-n_axes:]:
        raise ShapeError(f"input of shape {x.shape} has an empty axis")


def _geometry(
    x: Tensor, n_axes: int, kernel_size: Sizes, stride: Sizes | None, padding: Sizes
) -> tuple[tuple[int, ...], ...]:
    """Return size, stride and padding of the windows along each axis, for an input that fits."""
    _check(x, n_axes)
    kernel = sizes("kernel_size", kernel_size, n_axes, 1)
    step = kernel if stride is None else sizes("stride", stride, n_axes, 1)
    return kernel, step, sizes("padding", padding, n_axes, 0)


def _images(x: Tensor, n_axes: int) -> Array:
    """Return the input as (n, channels, rows, columns)."""
    *_, channels = x.shape[:-n_axes]
    lead = 1 if x.ndim == n_axes + 1 else x.shape[0]
    spatial = x.shape[-n_axes:] if n_axes == 2 else (1, x.shape[-1])
    return np.ascontiguousarray(x.data).reshape(lead, channels, *spatial)


def _n_windows(x: Tensor, n_in: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    span = dilation * (kernel - 1) + 1
    if 2 * padding > span:
        raise ValueError(f"padding {padding} is more than half of a window of {span}")
    free = n_in + 2 * padding - span
    n = (-(-free // stride) if ceil_mode else free // stride) + 1
    if ceil_mode and (n - 1) * stride >= n_in + padding:
        n -= 1
    if n < 1:
        raise ShapeError(f"input of shape {x.shape} with padding {padding} is smaller than a window of {span}")
    return n


def _max_pool(
    n_axes: int,
    input: Tensor | Array,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Compute the largest entry of each window of each channel.

    Parameters
    ----------
    input : Tensor (n, channels, rows, columns) or (channels, rows, columns)
        x.
    kernel_size : int or (int, int)
        Rows and columns of a window.
    stride : int or (int, int), optional
        Steps from one window to the next; `kernel_size` unless given.
    padding : int or (int, int), default=0
        Places around x that are never the largest: at most half a window.
    dilation : int or (int, int), default=1
        Steps from one entry of a window to the next.
    ceil_mode : bool, default=False
        Whether a last window that reaches beyond the padding counts, if it starts within x or the padding before it;
        it may be the only one, where x is smaller than a window.

    Returns
    -------
    Tensor (n, channels, rows out, columns out), or without n
        ``(rows + 2 padding - dilation (kernel - 1) - 1) // stride + 1`` rows. NaN where a window holds one. The
        gradient goes to the largest entry, the first of several.

    Raises
    ------
    ShapeError
        If the input has another number of axes, an empty one, or is smaller than a window.
    ValueError
        For sizes out of range.
    """
    x = as_tensor(input)
    kernel, step, pad = _geometry(x, n_axes, kernel_size, stride, padding)
    dilations = sizes("dilation", dilation, n_axes, 1)
    per_axis = zip(x.shape[-n_axes:], kernel, step, pad, dilations, strict=True)
    out = tuple(_n_windows(x, *axis, ceil_mode) for axis in per_axis)

    def pair(values: tuple[int, ...], single: int) -> tuple[int, ...]:
        return values if n_axes == 2 else (single, *values)

    xs = _images(x, n_axes)
    y, where = core.nn.max_pool(
        xs,
        kernel_size=pair(kernel, 1),
        stride=pair(step, 1),
        padding=pair(pad, 0),
        dilation=pair(dilations, 1),
        output_size=pair(out, 1),
        n_threads=n_threads(),
    )

    shape = (*x.shape[:-n_axes], *out)
    return record(f"max_pool{n_axes}d", y.reshape(shape), (x,), _gradient_to_largest(x, xs, y, where))


def _avg_pool(
    n_axes: int,
    input: Tensor | Array,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Compute the mean of each window of each channel.

    Parameters
    ----------
    input, kernel_size, stride, padding, ceil_mode
        As of :func:`max_pool2d`; the padding holds zeros.
    count_include_pad : bool, default=True
        Whether the places of the padding count in the divisor.

    Returns
    -------
    Tensor (n, channels, rows out, columns out), or without n
        The gradient of an entry is the sum over its windows of dy / divisor.

    Raises
    ------
    ShapeError, ValueError
        As :func:`max_pool2d`.
    """
    x, windows = as_tensor(input), []
    kernel, step, pad = _geometry(x, n_axes, kernel_size, stride, padding)
    for n_in, k, s, p in zip(x.shape[-n_axes:], kernel, step, pad, strict=True):
        begin = np.arange(_n_windows(x, n_in, k, s, p, 1, ceil_mode), dtype=np.int64) * s - p
        end = np.minimum(begin + k, n_in + p)
        inside = np.maximum(begin, 0), np.minimum(end, n_in)
        divisor = end - begin if count_include_pad else inside[1] - inside[0]
        windows.append((*inside, divisor.astype(np.float32)))
    return _average(n_axes, x, windows, f"avg_pool{n_axes}d")


def _rows_and_columns(n_axes: int, windows: Windows) -> Windows:
    single = (np.zeros(1, np.int64), np.ones(1, np.int64), np.ones(1, np.float32))
    return windows if n_axes == 2 else [single, *windows]


def _largest(n_axes: int, x: Tensor, windows: Windows) -> Tensor:
    rows, cols = _rows_and_columns(n_axes, windows)
    xs = _images(x, n_axes)
    y, where = core.nn.max_pool_spans(xs, rows=rows, cols=cols, n_threads=n_threads())
    shape = (*x.shape[:-n_axes], *(len(w[0]) for w in windows))
    return record(f"adaptive_max_pool{n_axes}d", y.reshape(shape), (x,), _gradient_to_largest(x, xs, y, where))


def _gradient_to_largest(x: Tensor, xs: Array, y: Array, where: Any) -> Any:
    before, shape, made = x.shape, xs.shape, y.shape

    def backward(dy: Array) -> Gradients:
        gradient = np.ascontiguousarray(dy).reshape(made)
        return (core.nn.max_pool_backward(gradient, where, shape=shape, n_threads=n_threads()).reshape(before),)

    return backward


def _average(n_axes: int, x: Tensor, windows: Windows, op: str) -> Tensor:
    rows, cols = _rows_and_columns(n_axes, windows)
    xs = _images(x, n_axes)
    y = core.nn.average_pool(xs, rows=rows, cols=cols, n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        gradient = np.ascontiguousarray(dy).reshape(y.shape)
        dx = core.nn.average_pool_backward(gradient, rows=rows, cols=cols, shape=xs.shape, n_threads=n_threads())
        return (dx.reshape(x.shape),)

    shape = (*x.shape[:-n_axes], *(len(w[0]) for w in windows))
    return record(op, y.reshape(shape), (x,), backward)


max_pool2d = fixed_axes(_max_pool, 2, "max_pool2d")
max_pool1d = fixed_axes(
    _max_pool,
    1,
    "max_pool1d",
    "Compute :func:`max_pool2d` along one axis: (n, channels, length) or (channels, length).",
)


avg_pool2d = fixed_axes(_avg_pool, 2, "avg_pool2d")
avg_pool1d = fixed_axes(
    _avg_pool,
    1,
    "avg_pool1d",
    "Compute :func:`avg_pool2d` along one axis: (n, channels, length) or (channels, length).",
)
