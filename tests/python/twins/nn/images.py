"""Padding, transposed convolution, adaptive windows and norms of channels, as plain NumPy."""

import numpy as np

_NUMPY_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x, sides, mode="constant", value=0.0):
    """`sides`: of the last axis first, as PyTorch orders them."""
    pairs = [(0, 0)] * (x.ndim - len(sides) // 2)
    pairs += [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
    return np.pad(x, pairs, _NUMPY_MODES[mode], **({"constant_values": value} if mode == "constant" else {}))


def conv_transpose2d(x, w, b, stride, padding, output_padding, groups, dilation):
    """Every entry of x adds its kernel, times the entry, to the result."""
    (n, channels, rows, cols), (per_group, kr, kc) = x.shape, w.shape[1:]
    size = [
        (m - 1) * s + d * (k - 1) + 1 + e
        for m, s, d, k, e in zip((rows, cols), stride, dilation, (kr, kc), output_padding, strict=True)
    ]
    y = np.zeros((n, per_group * groups, *size), x.dtype)
    for c in range(channels):
        first = c // (channels // groups) * per_group
        for i in range(rows):
            for j in range(cols):
                for u in range(kr):
                    for v in range(kc):
                        at = (i * stride[0] + u * dilation[0], j * stride[1] + v * dilation[1])
                        y[:, first : first + per_group, at[0], at[1]] += x[:, c, i, j, None] * w[c, :, u, v]
    y = y[:, :, padding[0] : size[0] - padding[0], padding[1] : size[1] - padding[1]]
    return y if b is None else y + b[:, None, None]


def adaptive_max(x, output_size):
    """The largest entries of (..., rows, columns)."""
    y = np.empty((*x.shape[:-2], *output_size), x.dtype)
    for i in range(output_size[0]):
        for j in range(output_size[1]):
            spans = [
                slice(at * n // m, -(-(at + 1) * n // m))
                for at, n, m in zip((i, j), x.shape[-2:], output_size, strict=True)
            ]
            y[..., i, j] = x[..., spans[0], spans[1]].max((-2, -1))
    return y


def group_norm(x, groups, w, b, eps=1e-5):
    rows = x.reshape(x.shape[0], groups, -1)
    h = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + eps)
    shape = (-1, *(1,) * (x.ndim - 2))
    return h.reshape(x.shape) * w.reshape(shape) + b.reshape(shape)


def binary_cross_entropy(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))
