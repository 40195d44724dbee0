"""Attention whose weights are kept: additive, by inner products of whole vectors, and kernel regression."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._attention import Mask, _operands_and_mask, checked_lengths, checked_qkv
from mlcore.nn.functional._offsets import checked_offsets
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, operands, record


def additive_attention(
    query: Tensor | Array,
    key: Tensor | Array,
    value: Tensor | Array,
    weight: Tensor | Array,
    attn_mask: Tensor | NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    offsets: Any = None,
    key_offsets: Any = None,
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
    offsets, key_offsets : (B + 1,) integers, optional
        As of :func:`dot_attention`.

    Notes
    -----
    The tanh of all pairs, (..., Tq, Tk, F), is never in memory: backward computes it again. With t = tanh(q + k), P the
    weights and dS = P (dO V^T - rowsum(dO O)): dq = sum over keys of dS w (1 - t^2), dk the same over queries, dw = sum
    of dS t, dV = P^T dO. Bahdanau, Cho and Bengio, ICLR 2015.
    """
    query, key, value, w = operands(query, key, value, weight)
    q, k, v, packed = _queries_keys_values(query, key, value, attn_mask, lengths, offsets, key_offsets)
    w = float_tensor(w, "weight of additive_attention")
    if w.shape != q.shape[-1:]:
        raise ShapeError(f"weight of shape {w.shape} does not fit query of shape {q.shape}: expected (F,)")

    def gradients_of_w(dw: Array | None) -> list[Array | None]:
        return [dw]

    return _attend("additive", q, k, v, w.data, [w], gradients_of_w, attn_mask, lengths, packed, need_weights)


def dot_attention(
    query: Tensor | Array,
    key: Tensor | Array,
    value: Tensor | Array,
    *,
    offsets: Any,
    key_offsets: Any = None,
    need_weights: bool = False,
) -> Any:
    """Average values of packed sequences by ``softmax(q . k)``, unscaled, with one head of any depth.

    Parameters
    ----------
    query : Tensor (Nq, D)
        Queries of all sequences, one after the other.
    key : Tensor (Nk, D)
        Keys.
    value : Tensor (Nk, Dv)
        V.
    offsets : (B + 1,) integers
        The queries of sequence b are rows ``offsets[b]`` to ``offsets[b + 1]``, from 0 to Nq. A sequence may be empty.
    key_offsets : (B + 1,) integers, optional
        Of keys and values; `offsets` unless given. A query without keys gets zeros.
    need_weights : bool, default=False
        Return the weights as well, through which no gradient flows.

    Returns
    -------
    Tensor (Nq, Dv)
        The averages.
    list of arrays (Tq, Tk)
        The weights of each sequence, if `need_weights`.

    Raises
    ------
    ShapeError, TypeError
        If shapes or types do not go together.
    ValueError
        If offsets do not rise from 0 to the number of rows.

    Notes
    -----
    Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015. Many
    heads of some dozens of features are the part of :func:`scaled_dot_product_attention`.
    """
    query, key, value = operands(query, key, value)
    q, k, v, packed = _queries_keys_values(query, key, value, None, None, offsets, key_offsets)
    return _attend("dot", q, k, v, None, [], lambda _: [], None, None, packed, need_weights)


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
    return _attend("distance", q, k, v, w, parents, gradients_of_width, attn_mask, lengths, None, need_weights)


_Offsets = tuple[NDArray[np.int64], NDArray[np.int64]]  # of queries and of keys


def _queries_keys_values(
    query: Any, key: Any, value: Any, attn_mask: Any, lengths: Any, offsets: Any, key_offsets: Any
) -> tuple[Tensor, Tensor, Tensor, _Offsets | None]:
    """Return three tensors that fit one another, and the offsets of packed ones."""
    if offsets is None:
        if key_offsets is not None:
            raise ValueError("key_offsets need offsets")
        return *checked_qkv(query, key, value), None
    if attn_mask is not None or lengths is not None:
        raise ValueError("packed sequences take no attn_mask and no lengths: offsets say where each ends")
    q, k, v = (float_tensor(x, name) for x, name in ((query, "query"), (key, "key"), (value, "value")))
    if not q.ndim == k.ndim == v.ndim == 2 or k.shape[1] != q.shape[1] or len(v.data) != len(k.data):
        raise ShapeError(
            f"query {q.shape}, key {k.shape} and value {v.shape} do not fit: (Nq, F), (Nk, F) and (Nk, Dv) with offsets"
        )
    of_queries = checked_offsets(offsets, len(q.data))
    of_keys = checked_offsets(offsets if key_offsets is None else key_offsets, len(k.data), "key_offsets")
    if len(of_keys) != len(of_queries):
        raise ShapeError(f"offsets of {len(of_queries) - 1} sequences and key_offsets of {len(of_keys) - 1}")
    return q, k, v, (of_queries, of_keys)


def _attend(
    score: str,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    w: Array | None,
    learned: list[Tensor],
    gradients_of_learned: Any,
    attn_mask: Any,
    lengths: Any,
    packed: _Offsets | None,
    need_weights: bool,
) -> Any:
    lead, n_queries, n_keys = q.shape[:-2], q.shape[-2], k.shape[-2]
    by_sequence = () if packed else (math.prod(lead),)
    a, c, values = (np.ascontiguousarray(x.data).reshape(*by_sequence, *x.shape[-2:]) for x in (q, k, v))
    *_, attn_mask = _operands_and_mask(q, k, v, *learned, attn_mask)
    mask = None if attn_mask is None else Mask(attn_mask, (*lead, n_queries, n_keys))
    bias = None if mask is None else mask.flat()
    seen = None if packed else checked_lengths(lengths, len(a), n_keys)
    weight = None if w is None else np.ascontiguousarray(w)
    query_offsets, key_offsets = packed or (None, None)
    arguments = (score, a, c, weight, values, bias, seen, query_offsets, key_offsets)
    out, weights = core.nn.pair_attention(*arguments, n_threads=n_threads())
    masks = [] if mask is None or mask.tensor is None else [mask.tensor]
    parents = [q, k, v, *learned, *masks]

    def backward(dout: Array) -> Gradients:
        dout = np.ascontiguousarray(dout).reshape(out.shape)
        needs = [q.requires_grad, k.requires_grad, any(t.requires_grad for t in learned), v.requires_grad]
        da, dc, dw, dv, ds = core.nn.pair_attention_backward(
            *arguments, weights, dout, needs=needs, n_threads=n_threads()
        )
        gradients = [None if x is None else x.reshape(t.shape) for x, t in ((da, q), (dc, k), (dv, v))]
        gradients += gradients_of_learned(dw)
        return gradients + [mask.gradient(ds) if t.requires_grad and mask is not None else None for t in masks]

    shape = (*lead, n_queries, v.shape[-1])
    result = record(f"{score} attention", out.reshape(shape), parents, backward, saved=parents)
    if not need_weights:
        return result
    if not packed:
        return result, Tensor(weights.reshape(*lead, n_queries, n_keys).copy())
    shapes = list(zip(*(np.diff(offsets).tolist() for offsets in packed), strict=True))
    pieces = np.split(weights, np.cumsum([n * m for n, m in shapes])[:-1])
    return result, [piece.reshape(of).copy() for piece, of in zip(pieces, shapes, strict=False)]
