"""Attention and its gradients as formulas. Leading axes are any; `bias` is added to the scores, -inf hides.

`kept` holds 1 / (1 - p) where dropout keeps a weight, else 0.
"""

import numpy as np


def softmax(scores):
    """Of each row; zeros where nothing is seen."""
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def swapped(x):
    return np.swapaxes(x, -1, -2)


def hidden(bias, n_queries, n_keys, lengths=None, causal=False):
    """`bias`, and -inf for keys behind the end and, if causal, for later ones."""
    keys, queries = np.arange(n_keys), np.arange(n_queries)[:, None]
    bias = np.zeros((n_queries, n_keys)) if bias is None else bias
    if causal:
        bias = np.where(keys > queries, -np.inf, bias)
    if lengths is not None:
        ends = np.reshape(lengths, (-1, 1, 1, 1))
        bias = np.where(keys >= ends, -np.inf, bias)
    return bias


def weights(q, k, bias=0.0, scale=None):
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    return softmax(scale * (q @ swapped(k)) + bias)


def attention(q, k, v, bias=0.0, scale=None, kept=1.0):
    return (weights(q, k, bias, scale) * kept) @ v


def attention_backward(dout, q, k, v, bias=0.0, scale=None, kept=1.0):
    """Gradients by q, k, v and the scores."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    p = weights(q, k, bias, scale)
    dscores, dv = by_scores(dout, p, v, kept)
    return scale * (dscores @ k), scale * (swapped(dscores) @ q), dv, dscores


def by_scores(dout, p, v, kept=1.0):
    """Gradients by the scores and by v, given the weights p = softmax(scores)."""
    dp = (dout @ swapped(v)) * kept
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True)), swapped(p * kept) @ dout


def additive_scores(q, k, w):
    return np.tanh(q[..., :, None, :] + k[..., None, :, :]) @ w


def additive_attention(q, k, v, w, bias=0.0):
    return softmax(additive_scores(q, k, w) + bias) @ v


def additive_attention_backward(dout, q, k, v, w, bias=0.0):
    """Gradients by q, k, v, w and the scores."""
    ds, dv = by_scores(dout, softmax(additive_scores(q, k, w) + bias), v)
    t = np.tanh(q[..., :, None, :] + k[..., None, :, :])
    by_sum = ds[..., None] * (1 - t * t) * w
    dw = (ds[..., None] * t).sum(axis=tuple(range(t.ndim - 1)))
    return by_sum.sum(axis=-2), by_sum.sum(axis=-3), dv, dw, ds


def distances(q, k):
    return q[..., :, None, :] - k[..., None, :, :]


def kernel_regression(q, k, v, width, bias=0.0):
    return softmax(-0.5 * width**2 * (distances(q, k) ** 2).sum(axis=-1) + bias) @ v


def kernel_regression_backward(dout, q, k, v, width, bias=0.0):
    """Gradients by q, k, v, width and the scores."""
    d = distances(q, k)
    squares = (d**2).sum(axis=-1)
    ds, dv = by_scores(dout, softmax(-0.5 * width**2 * squares + bias), v)
    pull = -(width**2) * ds[..., None] * d
    return pull.sum(axis=-2), -pull.sum(axis=-3), dv, -width * np.sum(ds * squares).reshape(np.shape(width)), ds
