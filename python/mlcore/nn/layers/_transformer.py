"""The layers of the Transformer of Vaswani et al., "Attention is all you need" (NeurIPS 2017), under PyTorch's names.

With `norm_first` a sublayer f acts as x + f(norm(x)) (Xiong et al., 2020: trains without warm-up), else as
norm(x + f(x)), as in the paper.
"""

from typing import Any

from mlcore.nn.layers._attention import MultiheadAttention
from mlcore.nn.layers._dropout import Dropout
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.layers._norm import LayerNorm
from mlcore.nn.tensor import Tensor, as_tensor


class _Sublayers(Module):
    """What both layers share: the feed-forward part, and residuals around each part."""

    _has_memory = False

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.d_model, self.nhead, self.norm_first = d_model, nhead, norm_first
        self.self_attn = MultiheadAttention(d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first)
        if self._has_memory:  # here for PyTorch's order of parameters
            self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, activation=activation)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias)
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        if self._has_memory:
            self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias)

    def _add(self, residual: Tensor, x: Tensor) -> Tensor:
        return self.dropout(x, residual)  # type: ignore[no-any-return]

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.linear1(x)))  # type: ignore[no-any-return]

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
    activation : str, default="relu"
        As in :class:`Linear`; "gelu" in most later models.
    layer_norm_eps : float, default=1e-5
    batch_first : bool, default=False
        Whether tensors are (batch, time, d_model); else (time, batch, d_model).
    norm_first : bool, default=False
        Whether layer norm comes before each part instead of after the residual.
    bias : bool, default=True
        Whether linear layers and norms have one.
    """

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
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
        """
        x = as_tensor(src)

        def attend(y: Tensor) -> Tensor:
            return self.self_attn(  # type: ignore[no-any-return]
                y,
                y,
                y,
                key_padding_mask=src_key_padding_mask,
                need_weights=False,
                attn_mask=src_mask,
                is_causal=is_causal,
            )[0]

        if self.norm_first:
            x = self._add(x, attend(self.norm1(x)))
            return self._add(x, self._feed_forward(self.norm2(x)))
        x = self.norm1(self._add(x, attend(x)))
        return self.norm2(self._add(x, self._feed_forward(x)))  # type: ignore[no-any-return]


class TransformerDecoderLayer(_Sublayers):
    """As :class:`TransformerEncoderLayer`, with attention to the output of an encoder ("memory") in the middle.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        As in :class:`TransformerEncoderLayer`.
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
    ) -> Tensor:
        """Apply to `tgt` (batch, time, d_model) and `memory` (batch, source time, d_model), or as `batch_first` says.

        The masks are those of :class:`MultiheadAttention`, for the two attentions.
        """
        x, source = as_tensor(tgt), as_tensor(memory)

        def attend(y: Tensor) -> Tensor:
            return self.self_attn(  # type: ignore[no-any-return]
                y,
                y,
                y,
                key_padding_mask=tgt_key_padding_mask,
                need_weights=False,
                attn_mask=tgt_mask,
                is_causal=tgt_is_causal,
            )[0]

        def look(y: Tensor) -> Tensor:
            return self.multihead_attn(  # type: ignore[no-any-return]
                y,
                source,
                source,
                key_padding_mask=memory_key_padding_mask,
                need_weights=False,
                attn_mask=memory_mask,
                is_causal=memory_is_causal,
            )[0]

        if self.norm_first:
            x = self._add(x, attend(self.norm1(x)))
            x = self._add(x, look(self.norm2(x)))
            return self._add(x, self._feed_forward(self.norm3(x)))
        x = self.norm1(self._add(x, attend(x)))
        x = self.norm2(self._add(x, look(x)))
        return self.norm3(self._add(x, self._feed_forward(x)))  # type: ignore[no-any-return]
