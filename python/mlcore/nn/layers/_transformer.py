"""The layers of the Transformer of Vaswani et al., "Attention is all you need" (NeurIPS 2017), under PyTorch's names.

With `norm_first` a sublayer f acts as x + f(norm(x)) (Xiong et al., 2020: trains without warm-up), else as
norm(x + f(x)), as in the paper.
"""

from collections.abc import Callable
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

    def _through(self, x: Tensor, *sublayers: tuple[Module, Callable[[Tensor], Tensor]]) -> Tensor:
        """Apply sublayers in order, each with a norm before or after it, dropout and a residual connection."""
        for norm, sublayer in sublayers:
            x = self.dropout(sublayer(norm(x)), x) if self.norm_first else norm(self.dropout(sublayer(x), x))
        return x

    def _attention(
        self, attention: Module, memory: Tensor | None, mask: Any, padding: Any, is_causal: bool
    ) -> Callable[[Tensor], Tensor]:
        """Return attention to `memory`, or to the input itself, as a function of the input."""

        def attend(x: Tensor) -> Tensor:
            keys = x if memory is None else memory
            found: Tensor = attention(x, keys, keys, padding, False, mask, is_causal=is_causal)[0]
            return found

        return attend

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
        attend = self._attention(self.self_attn, None, src_mask, src_key_padding_mask, is_causal)
        return self._through(as_tensor(src), (self.norm1, attend), (self.norm2, self._feed_forward))


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
        attend = self._attention(self.self_attn, None, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        look = self._attention(
            self.multihead_attn, as_tensor(memory), memory_mask, memory_key_padding_mask, memory_is_causal
        )
        return self._through(as_tensor(tgt), (self.norm1, attend), (self.norm2, look), (self.norm3, self._feed_forward))
