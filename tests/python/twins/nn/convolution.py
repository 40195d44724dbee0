"""Convolution, pooling and batch norm as their definitions read; arrays (n, channels, rows, columns), any dtype."""

from collections.abc import Iterator
from typing import Any

import numpy as np

Pair = tuple[int, int]


def padded(x: Any, padding: Pair, value: float = 0.0) -> Any:
    """Return x with so many rows and columns of a value on each side."""
    (a, b) = padding
    return np.pad(x, ((0, 0), (0, 0), (a, a), (b, b)), constant_values=value)


def taps(kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> Iterator[tuple[int, int, slice, slice]]:
    """Yield each entry (u, v) of a window with the rows and columns that it meets over all outputs."""
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            rows = slice(u * dilation[0], u * dilation[0] + (out[0] - 1) * stride[0] + 1, stride[0])
            cols = slice(v * dilation[1], v * dilation[1] + (out[1] - 1) * stride[1] + 1, stride[1])
            yield u, v, rows, cols


def out_size(x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Windows along rows and columns."""
    n = [(x.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2)]
    return n[0], n[1]


def convolution(x: Any, w: Any, b: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Any:
    """Return y[n, f] = b[f] + sum over the channels c of f's group of w[f, c] * x[n, c]."""
    out = out_size(x, w.shape[2:], stride, padding, dilation)
    by_group = padded(x, padding).reshape(len(x), groups, w.shape[1], x.shape[2] + 2 * padding[0], -1)
    w = w.reshape(groups, -1, *w.shape[1:])
    y = np.zeros((len(x), groups, w.shape[1], *out), x.dtype)
    for u, v, rows, cols in taps(w.shape[3:], stride, dilation, out):
        y += np.einsum("ngchw,gfc->ngfhw", by_group[:, :, :, rows, cols], w[..., u, v])
    return y.reshape(len(x), -1, *out) + b[:, None, None]


def convolution_backward(
    dy: Any, x: Any, w: Any, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Any, Any, Any]:
    """Return dx, dw, db."""
    n, out = len(x), dy.shape[2:]
    by_group = padded(x, padding).reshape(n, groups, w.shape[1], x.shape[2] + 2 * padding[0], -1)
    wg, d = w.reshape(groups, -1, *w.shape[1:]), dy.reshape(n, groups, -1, *out)
    dx, dw = np.zeros_like(by_group), np.zeros_like(wg)
    for u, v, rows, cols in taps(w.shape[2:], stride, dilation, out):
        dx[:, :, :, rows, cols] += np.einsum("ngfhw,gfc->ngchw", d, wg[..., u, v])
        dw[..., u, v] = np.einsum("ngfhw,ngchw->gfc", d, by_group[:, :, :, rows, cols])
    dx = dx.reshape(n, x.shape[1], *dx.shape[3:])
    inside = dx[:, :, padding[0] : padding[0] + x.shape[2], padding[1] : padding[1] + x.shape[3]]
    return inside, dw.reshape(w.shape), dy.sum(axis=(0, 2, 3))


def max_pool(x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Any:
    """Return the largest entry of each window."""
    out = out_size(x, kernel, stride, padding, dilation)
    full = padded(x, padding, -np.inf)
    return np.max([full[:, :, r, c] for _, _, r, c in taps(kernel, stride, dilation, out)], axis=0)


def max_pool_backward(dy: Any, x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Any:
    """To the first of the largest entries."""
    full, out = padded(x, padding, -np.inf), dy.shape[2:]
    dx = np.zeros_like(full)
    all_taps = list(taps(kernel, stride, dilation, out))
    first = np.argmax([full[:, :, r, c] for _, _, r, c in all_taps], axis=0)
    for i, (_, _, rows, cols) in enumerate(all_taps):
        dx[:, :, rows, cols] += np.where(first == i, dy, 0)
    return dx[:, :, padding[0] : padding[0] + x.shape[2], padding[1] : padding[1] + x.shape[3]]


def average_pool(x: Any, kernel: Pair, stride: Pair, padding: Pair) -> Any:
    """Return the mean of each window, the zeros of the padding included."""
    out = out_size(x, kernel, stride, padding, (1, 1))
    full = padded(x, padding)
    return np.mean([full[:, :, r, c] for _, _, r, c in taps(kernel, stride, (1, 1), out)], axis=0)


def average_pool_backward(dy: Any, x: Any, kernel: Pair, stride: Pair, padding: Pair) -> Any:
    """Each entry of a window gets an equal share."""
    dx = np.zeros_like(padded(x, padding))
    for _, _, rows, cols in taps(kernel, stride, (1, 1), dy.shape[2:]):
        dx[:, :, rows, cols] += dy / (kernel[0] * kernel[1])
    return dx[:, :, padding[0] : padding[0] + x.shape[2], padding[1] : padding[1] + x.shape[3]]


def adaptive_average_pool(x: Any, out: Pair) -> Any:
    """Window i of m over N entries is [i N // m, ceil((i + 1) N / m))."""
    y = np.empty((*x.shape[:2], *out), x.dtype)
    for i in range(out[0]):
        for j in range(out[1]):
            rows = slice(i * x.shape[2] // out[0], -(-(i + 1) * x.shape[2] // out[0]))
            cols = slice(j * x.shape[3] // out[1], -(-(j + 1) * x.shape[3] // out[1]))
            y[:, :, i, j] = x[:, :, rows, cols].mean(axis=(2, 3))
    return y


def batch_norm(x: Any, w: Any, b: Any, epsilon: float) -> Any:
    """Return w (x - mean) / sqrt(variance + epsilon) + b, with the statistics of x (n, channels, ...)."""
    axes = (0, *range(2, x.ndim))
    each = (1, -1, *[1] * (x.ndim - 2))
    centred = x - x.mean(axis=axes, keepdims=True)
    return w.reshape(each) * centred / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + epsilon) + b.reshape(each)


def batch_norm_backward(dy: Any, x: Any, w: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Return dx, dw, db."""
    axes = (0, *range(2, x.ndim))
    each = (1, -1, *[1] * (x.ndim - 2))
    centred = x - x.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + epsilon)
    normal = centred * inverse
    dw, db = (dy * normal).sum(axis=axes), dy.sum(axis=axes)
    m = x.size / x.shape[1]
    dx = w.reshape(each) * inverse * (dy - db.reshape(each) / m - normal * dw.reshape(each) / m)
    return dx, dw, db
