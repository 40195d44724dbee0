"""Attention by other scores than inner products: additive, and kernel regression."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._attention import Mask, _operands_and_mask, checked_lengths, checked_qkv
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, operands, record


def additive_attention(
    query: Tensor | Array,
    key: Tensor | Array,
    value: Tensor | Array,
    weight: Tensor | Array,
    attn_mask: Tensor | NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    need_weights: bool = False,
) -> Any:
    """Average values by ``softmax(w . tanh(q + k))``.

    Parameters
    ----------
    query : Tensor (..., Tq, F)
        Queries, projected.
    key : Tensor (..., Tk, F)
        Keys, projected.
    value : Tensor (..., Tk, Dv)
        V.
    weight : Tensor (F,)
        w.
    attn_mask, lengths, need_weights
        As of :func:`scaled_dot_product_attention`; so are the results and the errors.

    Notes
    -----
    The tanh of all pairs, (..., Tq, Tk, F), is never in memory: backward computes it again. With t = tanh(q + k), P the
    weights and dS = P (dO V^T - rowsum(dO O)): dq = sum over keys of dS w (1 - t^2), dk the same over queries, dw = sum
    of dS t, dV = P^T dO. Bahdanau, Cho and Bengio, ICLR 2015.
    """
    query, key, value, w = operands(query, key, value, weight)
    q, k, v = checked_qkv(query, key, value)
    if w.shape != q.shape[-1:] or w.dtype != np.float32:
        raise ShapeError(
            f"weight of shape {w.shape} and {w.dtype} does not fit query of shape {q.shape}: (F,), float32"
        )

    def gradients_of_w(dw: Array | None) -> list[Array | None]:
        return [dw]

    return _attend("additive", q, k, v, w.data, [w], gradients_of_w, attn_mask, lengths, need_weights)


def kernel_regression(
    query: Tensor | Array,
    key: Tensor | Array,
    value: Tensor | Array,
    width: Tensor | Array | float | None = None,
    attn_mask: Tensor | NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    need_weights: bool = False,
) -> Any:
    """Average values by how near their keys are: ``softmax(-|q - k|^2 width^2 / 2)``, of Nadaraya and Watson.

    Parameters
    ----------
    query : Tensor (..., Tq, D)
        Points at which the regression is asked.
    key : Tensor (..., Tk, D)
        Points at which values are known.
    value : Tensor (..., Tk, Dv)
        The values.
    width : float or Tensor of one entry, optional
        How narrow the Gaussian kernel is: 1 / its standard deviation. It may be learned. None, as 0: no kernel, the
        plain average of all values.
    attn_mask, lengths, need_weights
        As of :func:`scaled_dot_product_attention`, with the same results and errors.

    Notes
    -----
    With P the weights and dS = P (dO V^T - rowsum(dO O)): dq = -width^2 sum over keys of dS (q - k), dk = width^2 sum
    over queries of dS (q - k), dwidth = -width sum of dS |q - k|^2, dV = P^T dO.
    """
    given = width if width is None or isinstance(width, Tensor | np.ndarray) else np.float32(width)
    query, key, value, s = operands(query, key, value, given)
    q, k, v = checked_qkv(query, key, value)
    if s is not None and (s.size != 1 or s.dtype != np.float32):
        raise ShapeError(f"width must be one float32, got shape {s.shape} and {s.dtype}")
    value_of_width = 0.0 if s is None else float(s.data.reshape(()))
    w = np.full(q.shape[-1], -0.5 * value_of_width**2, np.float32)

    def gradients_of_width(dw: Array | None) -> list[Array | None]:
        if s is None:
            return []
        return [None if dw is None else np.full(s.shape, -value_of_width * dw.sum(dtype=np.float64), np.float32)]

    parents = [] if s is None else [s]
    return _attend("distance", q, k, v, w, parents, gradients_of_width, attn_mask, lengths, need_weights)


def _attend(
    score: str,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    w: Array,
    learned: list[Tensor],
    gradients_of_learned: Any,
    attn_mask: Any,
    lengths: Any,
    need_weights: bool,
) -> Any:
    lead, n_queries, n_keys = q.shape[:-2], q.shape[-2], k.shape[-2]
    n_lead = math.prod(lead)
    a, c, values = (np.ascontiguousarray(x.data).reshape(n_lead, *x.shape[-2:]) for x in (q, k, v))
    *_, attn_mask = _operands_and_mask(q, k, v, *learned, attn_mask)
    mask = None if attn_mask is None else Mask(attn_mask, (*lead, n_queries, n_keys))
    bias = None if mask is None else mask.flat()
    arguments = (score, a, c, np.ascontiguousarray(w), values, bias, checked_lengths(lengths, len(a), n_keys))
    out, weights = core.nn.pair_attention(*arguments, n_threads=n_threads())
    masks = [] if mask is None or mask.tensor is None else [mask.tensor]
    parents = [q, k, v, *learned, *masks]

    def backward(dout: Array) -> Gradients:
        dout = np.ascontiguousarray(dout).reshape(out.shape)
        needs = [q.requires_grad, k.requires_grad, any(t.requires_grad for t in learned), v.requires_grad]
        da, dc, dw, dv, ds = core.nn.pair_attention_backward(
            *arguments, weights, out, dout, needs=needs, n_threads=n_threads()
        )
        gradients = [None if x is None else x.reshape(t.shape) for x, t in ((da, q), (dc, k), (dv, v))]
        gradients += gradients_of_learned(dw)
        return gradients + [mask.gradient(ds) if t.requires_grad and mask is not None else None for t in masks]

    shape = (*lead, n_queries, v.shape[-1])
    result = record(f"{score} attention", out.reshape(shape), parents, backward, saved=parents, output_saved=True)
    if not need_weights:
        return result
    return result, Tensor(weights.reshape(*lead, n_queries, n_keys).copy())
