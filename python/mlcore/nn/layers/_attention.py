"""MultiheadAttention: attention of several heads between projections."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import init
from mlcore.nn.functional._attention import packed_attention
from mlcore.nn.functional._linear import linear
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Array, ShapeError, Tensor, as_tensor


class MultiheadAttention(Module):
    """Attention of `num_heads` heads between linear projections, and a projection of what they find.

    Parameters
    ----------
    embed_dim : int
        E, a multiple of `num_heads`; each head has E / num_heads of it.
    num_heads : int
        H.
    dropout : float, default=0.0
        Share of the weights dropped while training.
    bias : bool, default=True
        Whether the projections have a bias.
    kdim, vdim : int, optional
        Lengths of the vectors of keys and of values; E unless given.
    batch_first : bool, default=False
        Axes are (B, T, E) rather than (T, B, E).
    rotary : bool, default=False
        Rotate queries and keys by their positions, so that scores see how far they are apart (Su et al., 2021).

    Attributes
    ----------
    in_proj_weight : Parameter (3 E, E)
        Of queries, keys and values, one above the other, Xavier uniform. With `kdim` or `vdim`: q_proj_weight
        (E, E), k_proj_weight (E, kdim), v_proj_weight (E, vdim) instead.
    in_proj_bias : Parameter (3 E,) or None
        Zeros.
    out_proj : Linear
        E to E.

    Notes
    -----
    Where query, key and value are one tensor they are one projection, which the kernel reads in place.

    PyTorch's `add_bias_kv` and `add_zero_attn` are left out. Vaswani et al., "Attention is all you need", NIPS 2017.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ValueError(f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        if rotary and embed_dim // num_heads % 2:
            raise ValueError(f"rotary positions rotate pairs of entries, but heads have {embed_dim // num_heads}")
        self.kdim, self.vdim, self.rotary = kdim or embed_dim, vdim or embed_dim, rotary
        same = self.kdim == self.vdim == embed_dim
        shapes = {"in_proj_weight": (3 * embed_dim, embed_dim)} if same else {}
        if not same:
            shapes = {"q": (embed_dim, embed_dim), "k": (embed_dim, self.kdim), "v": (embed_dim, self.vdim)}
            shapes = {f"{name}_proj_weight": shape for name, shape in shapes.items()}
        for name, shape in shapes.items():
            setattr(self, name, Parameter(np.empty(shape, np.float32)))
            init.xavier_uniform_(getattr(self, name))
        self.register_parameter("in_proj_bias", Parameter(np.zeros(3 * embed_dim, np.float32)) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = False,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        lengths: Any = None,
        offsets: Any = None,
        key_offsets: Any = None,
    ) -> tuple[Tensor, Any]:
        """Attend.

        Parameters
        ----------
        query : Tensor (Tq, B, E), (B, Tq, E) with `batch_first`, or (Tq, E)
            What asks.
        key : Tensor (Tk, B, kdim), ...
            What is compared to it.
        value : Tensor (Tk, B, vdim), ...
            What is averaged.
        key_padding_mask : array (B, Tk), optional
            Of bool: True where a key is padding and hidden; or of float32, added to the scores.
        need_weights : bool, default=False
            Return the weights (without dropout; no gradient flows through them). Unlike in PyTorch this is not the
            default, because they are the one thing whose size is the product of the lengths.
        attn_mask : array (Tq, Tk) or (B H, Tq, Tk), optional
            Of bool: True hides, as PyTorch has it in this place (in scaled_dot_product_attention True shows); or of
            float32, added.
        average_attn_weights : bool, default=True
            Weights are averaged over the heads.
        is_causal : bool, default=False
            Query t sees the keys 0 .. t; no mask is needed for it.
        lengths : array of int (B,), optional
            Numbers of keys that are not padding.
        offsets, key_offsets : array of int (B + 1,), optional
            Packed sequences: query (Nq, E) and key (Nk, kdim) hold the rows of all sequences one after the other, and
            sequence b is rows ``offsets[b]`` to ``offsets[b + 1]``. Those of the keys are those of the queries unless
            given. There is no mask then, and no padding: nothing is computed for it.

        Returns
        -------
        Tensor like query
            What was found.
        Tensor (B, Tq, Tk), (B, H, Tq, Tk) without averaging, or None
            The weights; of packed sequences a list of (Tq, Tk) or (H, Tq, Tk).
        """
        same_keys, same = key is value, query is key and key is value
        q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
        self._check(q, k, v)
        batch_axis, time_axis = (0, 1) if self.batch_first else (1, 0)
        batch = 1 if q.ndim == 2 else q.shape[batch_axis]
        n_queries, n_keys = (x.shape[0 if x.ndim == 2 else time_axis] for x in (q, k))
        mask, lengths = self._hidden(key_padding_mask, attn_mask, lengths, (batch, self.num_heads, n_queries, n_keys))
        found, weights = packed_attention(
            self._projected(q, k, v, same, same_keys),
            self.num_heads,
            mask,
            self.dropout if self.training else 0.0,
            is_causal,
            lengths=lengths,
            offsets=offsets,
            key_offsets=key_offsets,
            need_weights=need_weights,
            batch_first=self.batch_first,
            rotary=self.rotary,
        )
        if isinstance(weights, list):  # of packed sequences
            return self.out_proj(found), [Tensor(w.mean(axis=0) if average_attn_weights else w) for w in weights]
        if weights is not None:
            weights = weights.mean(axis=1) if average_attn_weights else weights
            weights = weights[0] if q.ndim == 2 else weights
        return self.out_proj(found), None if weights is None else Tensor(weights)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.embed_dim}, {self.num_heads}, dropout={self.dropout}, batch_first={self.batch_first}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _check(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        fit = q.ndim == k.ndim == v.ndim and q.ndim in (2, 3) and k.shape[:-1] == v.shape[:-1]
        if fit and q.ndim == 3:
            axis = 0 if self.batch_first else 1
            fit = q.shape[axis] == k.shape[axis]
        sizes = (self.embed_dim, self.kdim, self.vdim)
        if not fit or (q.shape[-1], k.shape[-1], v.shape[-1]) != sizes:
            axes = "(B, T, E)" if self.batch_first else "(T, B, E)"
            raise ShapeError(
                f"query of shape {q.shape}, key of shape {k.shape} and value of shape {v.shape} do not go together as "
                f"{axes} or (T, E) with last axes of {sizes[0]}, {sizes[1]} and {sizes[2]}"
            )

    def _projected(self, q: Tensor, k: Tensor, v: Tensor, same: bool, same_keys: bool) -> list[Tensor]:
        e, bias = self.embed_dim, self.in_proj_bias
        if "in_proj_weight" in self._parameters:
            weight = self.in_proj_weight
            if same:
                return [linear(q, weight, bias)]
            cuts = [(q, 0, e), (k, e, 3 * e)] if same_keys else [(q, 0, e), (k, e, 2 * e), (v, 2 * e, 3 * e)]
            return [linear(x, weight[i:j], None if bias is None else bias[i:j]) for x, i, j in cuts]
        weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = [None if bias is None else bias[i * e : (i + 1) * e] for i in range(3)]
        return [linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True)]

    def _hidden(
        self, padding: Any, attn_mask: Any, lengths: Any, score_shape: tuple[int, ...]
    ) -> tuple[Tensor | Array | None, Any]:
        """One mask, in which True or 0 shows, and the lengths."""
        batch, heads, n_queries, n_keys = score_shape
        mask = None if attn_mask is None else _shown("attn_mask", attn_mask)
        if mask is not None:
            if mask.shape == (batch * heads, n_queries, n_keys):
                mask = mask.reshape(score_shape)
            elif mask.shape != (n_queries, n_keys):
                raise ShapeError(
                    f"attn_mask of shape {mask.shape} is neither {(n_queries, n_keys)} nor "
                    f"{(batch * heads, n_queries, n_keys)}"
                )
        if padding is None:
            return mask, lengths
        shown = _shown("key_padding_mask", padding)
        if shown.shape != (batch, n_keys) and not (batch == 1 and shown.shape == (n_keys,)):
            raise ShapeError(f"key_padding_mask of shape {shown.shape} is not {(batch, n_keys)}")
        shown = shown.reshape(batch, n_keys)
        if shown.dtype == np.bool_ and lengths is None:
            counts = shown.sum(axis=1)
            if (shown == (np.arange(n_keys) < counts[:, None])).all():
                return mask, counts  # all padding at the end: those tiles are skipped
        shown = shown[:, None, None]
        if mask is None:
            return shown, lengths
        if shown.dtype == mask.dtype == np.bool_:
            return mask & shown, lengths
        return _as_bias(mask) + _as_bias(shown), lengths


def _shown(name: str, mask: Any) -> NDArray[Any]:
    """Return a mask of PyTorch's layer, where True hides, as one where True shows; float32 as it is."""
    if isinstance(mask, Tensor) and mask.requires_grad:
        raise ValueError(
            f"no gradient flows to {name} of MultiheadAttention: give mask.detach(), or call "
            "scaled_dot_product_attention, which has one"
        )
    values = np.asarray(mask.data if isinstance(mask, Tensor) else mask)
    if values.dtype == np.bool_:
        return ~values
    if values.dtype != np.float32:
        raise TypeError(f"{name} must be bool (True hides) or float32 (added to the scores), got {values.dtype}")
    return values


def _as_bias(mask: NDArray[Any]) -> Array:
    return np.where(mask, np.float32(0), np.float32(-np.inf)) if mask.dtype == np.bool_ else mask
