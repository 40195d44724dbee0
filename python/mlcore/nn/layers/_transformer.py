"""The layers of the Transformer of Vaswani et al., "Attention is all you need" (NeurIPS 2017), under PyTorch's names.

With `norm_first` a sublayer f acts as x + f(norm(x)) (Xiong et al., 2020: trains without warm-up), else as
norm(x + f(x)), as in the paper.

Sequences of different lengths may be padded, with masks as PyTorch's, or packed: the rows of all of them one after the
other, and offsets. All but attention runs over rows, so that packed ones cost no padding anywhere.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.functional._offsets import checked_offsets
from mlcore.nn.layers._attention import MultiheadAttention
from mlcore.nn.layers._dropout import Dropout
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.layers._norm import LayerNorm
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


def packed_rows(name: str, offsets: Any, rows: Tensor) -> NDArray[np.int64] | None:
    """Return checked offsets of packed rows; None where there are none."""
    if offsets is None:
        return None
    if rows.ndim != 2:
        raise ShapeError(f"{name} with offsets must have shape (rows, d_model), got {rows.shape}")
    return checked_offsets(offsets, len(rows.data), f"offsets of {name}")


class _Sublayers(Module):
    """What both layers share: the feed-forward part, and residuals around each part."""

    _has_memory = False

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rotary: bool = False,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.d_model, self.nhead, self.norm_first = d_model, nhead, norm_first
        of_weights = dropout if attention_dropout is None else attention_dropout
        self.self_attn = MultiheadAttention(d_model, nhead, of_weights, bias, batch_first=batch_first, rotary=rotary)
        if self._has_memory:  # here for PyTorch's order of parameters
            self.multihead_attn = MultiheadAttention(d_model, nhead, of_weights, bias, batch_first=batch_first)
        fused = activation if isinstance(activation, str) else "identity"
        self.activation = None if isinstance(activation, str) else activation
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, activation=fused)
        self.dropout = Dropout(dropout)
        self.activation_dropout = Dropout(dropout if activation_dropout is None else activation_dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias)
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        if self._has_memory:
            self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)

    def _through(self, x: Tensor, *sublayers: tuple[Module, Callable[[Tensor], Tensor]]) -> Tensor:
        """Apply sublayers in order, each with a norm before or after it, dropout and a residual connection."""
        for norm, sublayer in sublayers:
            x = self.dropout(sublayer(norm(x)), x) if self.norm_first else norm(self.dropout(sublayer(x), x))
        return x

    def _attention(
        self,
        attention: Module,
        memory: Tensor | None,
        mask: Any,
        padding: Any,
        is_causal: bool,
        offsets: Any,
        key_offsets: Any = None,
    ) -> Callable[[Tensor], Tensor]:
        """Return attention to `memory`, or to the input itself, as a function of the input."""
        packing = {"offsets": offsets, "key_offsets": key_offsets}

        def attend(x: Tensor) -> Tensor:
            keys = x if memory is None else memory
            found: Tensor = attention(x, keys, keys, padding, False, mask, is_causal=is_causal, **packing)[0]
            return found

        return attend

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden = self.linear1(x)
        if self.activation is not None:
            hidden = self.activation(hidden)
        return self.linear2(self.activation_dropout(hidden))  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.d_model}, nhead={self.nhead}, norm_first={self.norm_first}"


class TransformerEncoderLayer(_Sublayers):
    """Self-attention, then two linear layers with an activation between, each with dropout, residual and layer norm.

    Parameters
    ----------
    d_model : int
        Features of each position.
    nhead : int
        Heads; divides `d_model`.
    dim_feedforward : int, default=2048
        Features between the two linear layers.
    dropout : float, default=0.1
        Of the attention weights, after the activation and at the end of both parts.
    activation : str or callable, default="relu"
        As in :class:`Linear`, "gelu" in most later models; or a function of a tensor, which is not fused.
    layer_norm_eps : float, default=1e-5
    batch_first : bool, default=False
        Whether tensors are (batch, time, d_model); else (time, batch, d_model).
    norm_first : bool, default=False
        Whether layer norm comes before each part instead of after the residual.
    bias : bool, default=True
        Whether linear layers and norms have one.
    rotary : bool, default=False
        Whether self-attention rotates queries and keys by their positions: :class:`MultiheadAttention`.
    attention_dropout : float, optional
        Of the attention weights; None: `dropout`.
    activation_dropout : float, optional
        After the activation; None: `dropout`.
    """

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
        *,
        offsets: Any = None,
    ) -> Tensor:
        """Apply to (batch, time, d_model), or as `batch_first` says.

        Parameters
        ----------
        src : Tensor
            The input.
        src_mask : array, optional
            As `attn_mask` of :class:`MultiheadAttention`.
        src_key_padding_mask : array (batch, time), optional
            As `key_padding_mask` of :class:`MultiheadAttention`.
        is_causal : bool, default=False
            Whether a position sees only those up to itself.
        offsets : array of int (batch + 1,), optional
            Packed sequences: `src` is (rows, d_model), all sequences one after the other, and sequence b is rows
            ``offsets[b]`` to ``offsets[b + 1]``. There are no masks then.
        """
        src = as_tensor(src)
        offsets = packed_rows("src", offsets, src)
        attend = self._attention(self.self_attn, None, src_mask, src_key_padding_mask, is_causal, offsets)
        return self._through(src, (self.norm1, attend), (self.norm2, self._feed_forward))


class TransformerDecoderLayer(_Sublayers):
    """As :class:`TransformerEncoderLayer`, with attention to the output of an encoder ("memory") in the middle.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, rotary, \
            attention_dropout, activation_dropout
        As in :class:`TransformerEncoderLayer`; positions rotate self-attention alone.
    """

    _has_memory = True

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        *,
        offsets: Any = None,
        memory_offsets: Any = None,
    ) -> Tensor:
        """Apply to `tgt` (batch, time, d_model) and `memory` (batch, source time, d_model), or as `batch_first` says.

        The masks are those of :class:`MultiheadAttention`, for the two attentions. With `offsets` (batch + 1,) and
        `memory_offsets` both are packed: (rows, d_model), as in :class:`TransformerEncoderLayer`.
        """
        tgt, memory = as_tensor(tgt), as_tensor(memory)
        if (offsets is None) != (memory_offsets is None):
            raise ValueError("offsets and memory_offsets go together: both are packed, or none is")
        offsets, memory_offsets = packed_rows("tgt", offsets, tgt), packed_rows("memory", memory_offsets, memory)
        attend = self._attention(self.self_attn, None, tgt_mask, tgt_key_padding_mask, tgt_is_causal, offsets)
        look = self._attention(
            self.multihead_attn,
            memory,
            memory_mask,
            memory_key_padding_mask,
            memory_is_causal,
            offsets,
            memory_offsets,
        )
        return self._through(tgt, (self.norm1, attend), (self.norm2, look), (self.norm3, self._feed_forward))
