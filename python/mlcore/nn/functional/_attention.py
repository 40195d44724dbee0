"""Scaled dot product attention: softmax of scores, by which values are averaged, without a matrix of all scores."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import generator, n_threads
from mlcore.nn.functional._offsets import checked_offsets, positions_in
from mlcore.nn.functional._position import Rotations
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, as_tensor, operands, record, sum_over


def scaled_dot_product_attention(
    query: Tensor | Array,
    key: Tensor | Array,
    value: Tensor | Array,
    attn_mask: Tensor | NDArray[Any] | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    *,
    lengths: Any = None,
    need_weights: bool = False,
) -> Any:
    """Compute ``softmax(scale Q K^T + mask) V`` for each head, in tiles: memory is linear in the lengths.

    Parameters
    ----------
    query : Tensor (..., Tq, D)
        Q: any number of leading axes, as (B, H). D from 1 to some hundreds.
    key : Tensor (..., Tk, D)
        K.
    value : Tensor (..., Tk, Dv)
        V.
    attn_mask : Tensor or array that broadcasts to (..., Tq, Tk), optional
        Of bool: True where a query may see a key. Of float32: added to the scores, -inf hides. It is not expanded.
    dropout_p : float in [0, 1), default=0.0
        Share of the weights that are dropped, the others are scaled up; drawn again at each call. As in PyTorch there
        is no notion of training here: pass 0 when evaluating. Rounded to a multiple of 2^-16.
    is_causal : bool, default=False
        Query t sees the keys 0 .. t. Goes together with a mask; tiles that no query sees are skipped.
    scale : float, optional
        1 / sqrt(D) unless given.
    lengths : array of int (B,), optional
        How many keys there are in each entry of the first axis; those from there on are hidden.
    need_weights : bool, default=False
        Return the weights as well, for pictures: the whole matrix, without dropout, through which no gradient flows.

    Returns
    -------
    Tensor (..., Tq, Dv)
        The averages. Zero where a query sees no key at all.
    Tensor (..., Tq, Tk)
        The weights, if `need_weights`.

    Raises
    ------
    ShapeError
        If the shapes do not go together, or nothing is there to attend to.
    TypeError
        For other dtypes.
    ValueError
        If a length is outside [0, Tk], or `dropout_p` outside [0, 1).

    Notes
    -----
    With P = softmax(S), S = scale Q K^T + mask: dV = P^T dO, dS = P (dO V^T - rowsum(dO O)), dQ = scale dS K, dK =
    scale dS^T Q; dS is the gradient with respect to a float mask that requires one (this costs the whole matrix). P is
    computed again in the backward pass from the sums of its rows, dropout from its seed. Dao et al., "FlashAttention",
    NeurIPS 2022.
    """
    query, key, value, attn_mask = _operands_and_mask(query, key, value, attn_mask)
    q, k, v = checked_qkv(query, key, value)
    lead = q.shape[:-2]
    out_shape, score_shape = (*lead, q.shape[-2], v.shape[-1]), (*lead, q.shape[-2], k.shape[-2])
    mask = None if attn_mask is None else Mask(attn_mask, score_shape)
    parents = [q, k, v] if mask is None or mask.tensor is None else [q, k, v, mask.tensor]
    pass_ = _Pass(_heads(q.data), _heads(k.data), _heads(v.data), mask, lengths, dropout_p, is_causal, scale)
    out = core.nn.empty(out_shape)
    log_sums = pass_.forward(_heads(out))

    def backward(dout: Array) -> Gradients:
        gradients = [core.nn.empty(t.shape) if t.requires_grad else None for t in (q, k, v)]
        heads = [None if g is None else _heads(g) for g in gradients]
        needs_mask = len(parents) == 4 and parents[3].requires_grad
        dscores = pass_.backward(_heads(out), log_sums, _heads(dout), heads, needs_mask)
        if len(parents) == 4:
            gradients.append(mask.gradient(dscores) if needs_mask and mask is not None else None)
        return gradients

    result = record("scaled_dot_product_attention", out, parents, backward, saved=parents, output_saved=True)
    if not need_weights:
        return result
    return result, Tensor(pass_.weights(log_sums).reshape(score_shape))


def packed_attention(
    projected: Sequence[Tensor | Array],
    num_heads: int,
    attn_mask: Tensor | NDArray[Any] | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    *,
    lengths: Any = None,
    offsets: Any = None,
    key_offsets: Any = None,
    need_weights: bool = False,
    batch_first: bool = True,
    rotary: bool = False,
) -> tuple[Tensor, Any]:
    """Attention of all heads on projections that lie side by side, read and written in place.

    Parameters
    ----------
    projected : sequence of Tensor
        One, (B, T, 3 E): queries, keys, values; or two, (B, Tq, E) and (B, Tk, 2 E); or three, (B, Tq, E) and
        (B, Tk, E) twice. Each E is cut into `num_heads` heads. Without the axis B: a batch of one, or packed rows.
    num_heads : int
        H.
    attn_mask, dropout_p, is_causal, scale, lengths, need_weights
        As in :func:`scaled_dot_product_attention`; the mask broadcasts to (B, H, Tq, Tk).
    offsets : array of int (B + 1,), optional
        Sequences of different lengths, packed: `projected` have shapes (N, 3 E), or (Nq, E) and (Nk, 2 E), and
        sequence b is rows ``offsets[b]`` to ``offsets[b + 1]``, from 0 to N. Each attends to itself alone, and has the
        same bits in any batch. A sequence may be empty. There is neither `attn_mask` nor `lengths` then.
    key_offsets : array of int (B + 1,), optional
        Of the keys; `offsets` unless given.
    batch_first : bool, default=True
        False: the axes are (T, B, ...).
    rotary : bool, default=False
        Rotate queries and keys by their positions: :func:`rotary_embedding`.

    Returns
    -------
    Tensor (B, Tq, E)
        Heads side by side.
    ndarray (B, H, Tq, Tk), list of ndarray (H, Tq, Tk) where rows are packed, or None
        The weights.

    Raises
    ------
    ShapeError
        If the shapes do not go together.
    ValueError
        If offsets do not rise from 0 to the number of rows.
    TypeError
        For other dtypes.
    """
    inputs: list[Tensor] = list(operands(*projected))
    n_parts = _checked_parts(inputs, num_heads)
    to_heads = (0, 2, 1, 3) if batch_first else (1, 2, 0, 3)  # from the axes of the input, heads, vectors

    def split(array: Array, n: int) -> list[Array]:
        shape = array.shape[:2] if array.ndim == 3 else (1, len(array)) if batch_first else (len(array), 1)
        view = array.reshape(*shape, n, num_heads, array.shape[-1] // (n * num_heads))
        return [view[:, :, part].transpose(to_heads) for part in range(n)]

    def split_all(arrays: Sequence[Array | None]) -> list[Array | None]:
        parts = [[None] * n if x is None else split(x, n) for x, n in zip(arrays, n_parts, strict=True)]
        return [part for piece in parts for part in piece]

    q, k, v = (x for t, n in zip(inputs, n_parts, strict=True) for x in split(np.ascontiguousarray(t.data), n))
    packed = _checked_packing(inputs, q, k, attn_mask, lengths, offsets, key_offsets)
    if q.shape[0] != k.shape[0] or k.shape[:3] != v.shape[:3]:
        shapes = " and ".join(str(t.shape) for t in inputs)
        raise ShapeError(f"projections of shapes {shapes} do not go together")
    attn_mask = _operands_and_mask(*inputs, attn_mask)[-1]
    mask = None if attn_mask is None else Mask(attn_mask, (*q.shape[:3], k.shape[2]))
    parents = [*inputs] if mask is None or mask.tensor is None else [*inputs, mask.tensor]
    rotations = _rotations(q, k, packed) if rotary else []
    if rotary:
        q, k = (turn.turned(x) for turn, x in zip(rotations, (q, k), strict=True))
    pass_ = _Pass(q, k, v, mask, lengths, dropout_p, is_causal, scale, packed)
    out = core.nn.empty((*inputs[0].shape[:-1], num_heads * v.shape[3]))
    log_sums = pass_.forward(split(out, 1)[0])

    def backward(dout: Array) -> Gradients:
        gradients = [core.nn.empty(t.shape) if t.requires_grad else None for t in inputs]
        needs_mask = len(parents) > len(inputs) and parents[-1].requires_grad
        dout = split(np.ascontiguousarray(dout), 1)[0]
        heads = split_all(gradients)
        dscores = pass_.backward(split(out, 1)[0], log_sums, dout, heads, needs_mask)
        for turn, head in zip(rotations, heads, strict=False):
            if head is not None:
                turn.turned(head, back=True, out=head)
        if len(parents) > len(inputs):
            gradients.append(mask.gradient(dscores) if needs_mask and mask is not None else None)
        return gradients

    result = record("multi-head attention", out, parents, backward, saved=parents, output_saved=True)
    return result, pass_.weights(log_sums) if need_weights else None


def _rotations(q: Array, k: Array, packed: tuple[NDArray[np.int64], NDArray[np.int64]] | None) -> list[Rotations]:
    """Of queries and of keys (B, H, T, D)."""
    if packed is None:
        return [Rotations(x.shape[2], x.shape[3]) for x in (q, k)]
    places = [positions_in(packed[0])]
    places.append(places[0] if packed[1] is packed[0] else positions_in(packed[1]))
    return [Rotations(x.shape[2], x.shape[3], place) for x, place in zip((q, k), places, strict=True)]


def _checked_parts(projected: Sequence[Tensor], num_heads: int) -> tuple[int, ...]:
    """How many of queries, keys and values each of the projections holds."""
    shapes = " and ".join(str(t.shape) for t in projected)
    if not 1 <= len(projected) <= 3:
        raise ValueError(f"projected must be one, two or three tensors, got {len(projected)}")
    n_parts = {1: (3,), 2: (1, 2), 3: (1, 1, 1)}[len(projected)]
    fit = all(t.ndim in (2, 3) and t.ndim == projected[0].ndim for t in projected) and num_heads >= 1
    if not fit or any(t.shape[-1] % (n * num_heads) for t, n in zip(projected, n_parts, strict=True)):
        raise ShapeError(f"projections of shapes {shapes} do not hold {num_heads} heads of {n_parts} parts")
    for t in projected:
        if t.dtype != np.float32:
            raise TypeError(f"projections must be float32, got {t.dtype}")
    return n_parts


def _checked_packing(
    projected: Sequence[Tensor], q: Array, k: Array, attn_mask: Any, lengths: Any, offsets: Any, key_offsets: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Offsets of queries and of keys; None where nothing is packed."""
    if offsets is None and key_offsets is None:
        return None
    if offsets is None:
        raise ValueError("key_offsets need offsets")
    if attn_mask is not None or lengths is not None:
        raise ValueError("packed rows take neither a mask nor lengths: each sequence sees its own keys")
    if any(t.ndim != 2 for t in projected):
        shapes = " and ".join(str(t.shape) for t in projected)
        raise ShapeError(f"packed rows have two axes, got projections of shapes {shapes}")
    of_queries = checked_offsets(offsets, q.shape[2])
    of_keys = checked_offsets(of_queries if key_offsets is None else key_offsets, k.shape[2], "key_offsets")
    if of_queries.shape != of_keys.shape:
        raise ShapeError(f"offsets of {len(of_queries) - 1} sequences and key_offsets of {len(of_keys) - 1}")
    return of_queries, of_keys


def _operands_and_mask(*values: Any) -> tuple[Any, ...]:
    """Return as `operands`; the last one is a mask, which may be a list of bools or numbers."""
    *tensors, mask = values
    if isinstance(mask, np.ndarray) and mask.dtype not in (np.bool_, np.float32):
        raise TypeError(f"attn_mask must be bool (True: may be seen) or float32, got {mask.dtype}")
    return operands(*tensors, mask)


def checked_qkv(query: Any, key: Any, value: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return (..., Tq, D), (..., Tk, D) and (..., Tk, Dv) as tensors, or raise: TypeError, ShapeError."""
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    fit = min(q.ndim, k.ndim, v.ndim) >= 2 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if not fit or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"query of shape {q.shape}, key of shape {k.shape} and value of shape {v.shape} do not go together: "
            "(..., Tq, D), (..., Tk, D) and (..., Tk, Dv)"
        )
    for name, x in (("query", q), ("key", k), ("value", v)):
        if x.dtype != np.float32:
            raise TypeError(f"{name} must be float32, got {x.dtype}")
    return q, k, v


def checked_lengths(lengths: Any, batch: int, n_keys: int) -> NDArray[np.int64] | None:
    """Return numbers of keys as int64, or raise: TypeError, ShapeError, ValueError."""
    if lengths is None:
        return None
    values = np.array(lengths.data if isinstance(lengths, Tensor) else lengths)  # ours: backward needs them
    if values.dtype.kind not in "iu":
        raise TypeError(f"lengths must be integers, got {values.dtype}")
    if values.shape != (batch,):
        raise ShapeError(f"lengths of shape {values.shape} do not fit a batch of {batch}")
    if values.size and (values.min() < 0 or values.max() > n_keys):
        worst = int(values.min() if values.min() < 0 else values.max())
        raise ValueError(f"lengths must be in [0, {n_keys}], the number of keys, got {worst}")
    return np.ascontiguousarray(values, dtype=np.int64)


class Mask:
    """A mask as what is added to scores."""

    def __init__(self, mask: Any, score_shape: tuple[int, ...]) -> None:
        mask = as_tensor(mask)
        self.tensor = mask if mask.dtype == np.float32 else None
        values = mask.data
        if values.dtype == np.bool_:
            values = np.where(values, np.float32(0), np.float32(-np.inf))
        elif values.dtype != np.float32:
            raise TypeError(f"attn_mask must be bool (True: may be seen) or float32, got {values.dtype}")
        self.shape = values.shape
        try:
            fits = np.broadcast_shapes(values.shape, score_shape) == score_shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(f"attn_mask of shape {values.shape} does not broadcast to scores of shape {score_shape}")
        self.padded = (1,) * (len(score_shape) - values.ndim) + values.shape
        self.score_shape = score_shape
        self.values: Array = values.reshape(self.padded)

    def heads(self) -> Array:
        """As (B, H, Tq, Tk), 1 where it is broadcast."""
        deep = len(self.score_shape) > 4
        return _heads(np.broadcast_to(self.values, self.score_shape) if deep else self.values, any_strides=True)

    def flat(self) -> Array:
        """As (B, Tq, Tk), 1 where it is broadcast."""
        if self.values.ndim > 3 and self.values.size > self.values.shape[-1] * self.values.shape[-2]:
            whole = np.broadcast_to(self.values, self.score_shape)
            return whole.reshape(math.prod(self.score_shape[:-2]), *self.score_shape[-2:])
        return self.values.reshape(math.prod(self.padded[:-2]), *self.padded[-2:])

    def gradient(self, dscores: Array) -> Array:
        """Sum over what the mask was broadcast over."""
        dscores = dscores.reshape(self.score_shape)
        axes = tuple(i for i, n in enumerate(self.padded) if n == 1 and self.score_shape[i] != 1)
        return sum_over(dscores, axes).reshape(self.shape)


class _Pass:
    """One use of the kernels: heads as (B, H, T, D), and all options."""

    def __init__(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: Mask | None,
        lengths: Any,
        dropout_p: float,
        is_causal: bool,
        scale: float | None,
        packed: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    ) -> None:
        if not 0 <= dropout_p < 1:
            raise ValueError(f"dropout_p must be in [0, 1), got {dropout_p}")
        self.qkv = (q, k, v)
        bias = None if mask is None else mask.heads()
        self.packed = packed
        self.hidden = (bias, checked_lengths(lengths, q.shape[0], k.shape[2]), *(packed or (None, None)))
        self.options: dict[str, Any] = {
            "scale": 1 / math.sqrt(max(q.shape[3], 1)) if scale is None else float(scale),
            "causal": bool(is_causal),
        }
        self.dropout: dict[str, Any] = {
            "dropout": dropout_p,
            "seed": generator().next_seed() if dropout_p > 0 else 0,
        }

    def forward(self, out: Array) -> Array:
        """Fill `out`, return the logarithms of the sums of the rows."""
        options = {**self.options, **self.dropout}
        return core.nn.attention(*self.qkv, out, *self.hidden, **options, n_threads=n_threads())

    def backward(
        self, out: Array, log_sums: Array, dout: Array, gradients: Sequence[Array | None], needs_dscores: bool
    ) -> Any:
        """Fill `gradients` with respect to q, k and v; return that with respect to the scores if it is needed."""
        q, k, v = self.qkv
        dq, dk, dv = gradients
        options = {**self.options, **self.dropout, "needs_dscores": needs_dscores, "n_threads": n_threads()}
        return core.nn.attention_backward(q, k, v, out, log_sums, dout, dq, dk, dv, *self.hidden, **options)

    def weights(self, log_sums: Array) -> Any:
        """(B, H, Tq, Tk), or a list of (H, Tq, Tk)."""
        found = core.nn.attention_weights(*self.qkv, log_sums, *self.hidden, **self.options, n_threads=n_threads())
        if self.packed is None:
            return found
        heads = self.qkv[0].shape[1]
        n_queries, n_keys = (np.diff(offsets) for offsets in self.packed)
        ends = np.cumsum(heads * n_queries * n_keys)
        return (
            [
                part.reshape(heads, i, j)
                for part, i, j in zip(np.split(found, ends[:-1]), n_queries, n_keys, strict=True)
            ]
            if len(ends)
            else []
        )


def _heads(x: Array, any_strides: bool = False) -> Array:
    """View as (B, H, T, D) with contiguous vectors; copied only where that is impossible."""
    if x.ndim == 2:
        x = x[None, None]
    elif x.ndim == 3:
        x = x[:, None]
    elif x.ndim > 4:
        x = x.reshape(math.prod(x.shape[:-3]), *x.shape[-3:])
    if any_strides or x.strides[3] == x.itemsize or x.shape[3] == 1:
        return x
    return np.ascontiguousarray(x)
