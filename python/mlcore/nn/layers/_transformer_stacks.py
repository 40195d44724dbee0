"""Transformer layers one above the other, under PyTorch's names: encoder, decoder, and both.

Vaswani et al., "Attention is all you need", NIPS 2017.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.layers._containers import ModuleList
from mlcore.nn.layers._module import Module
from mlcore.nn.layers._norm import LayerNorm
from mlcore.nn.layers._transformer import TransformerDecoderLayer, TransformerEncoderLayer, packed_rows
from mlcore.nn.tensor import Array, Tensor, as_tensor


class _Stack(Module):
    """Copies of a layer, and a norm at the end."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers of {type(self).__name__} must be at least 1, got {num_layers}")
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def _through(self, x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *arguments, **options)
        return x if self.norm is None else self.norm(x)

    def extra_repr(self) -> str:
        """Return the number of layers."""
        return f"num_layers={self.num_layers}"


class TransformerEncoder(_Stack):
    """Encoder layers one above the other.

    Parameters
    ----------
    encoder_layer : TransformerEncoderLayer
        Copied `num_layers` times, as in PyTorch: all copies start with its weights. Initialise them again if they
        shall differ; :class:`Transformer` does.
    num_layers : int
        How many.
    norm : Module, optional
        Applied to the result: a LayerNorm, as a rule, where layers have `norm_first`.

    Attributes
    ----------
    layers : ModuleList
        The layers: "layers.0", "layers.1", ... in the state.
    norm : Module or None
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Any,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
        *,
        offsets: Any = None,
    ) -> Tensor:
        """Apply all layers; arguments as those of :class:`TransformerEncoderLayer`, packed sequences too."""
        src = as_tensor(src)
        offsets = packed_rows("src", offsets, src)
        return self._through(src, mask, src_key_padding_mask, is_causal, offsets=offsets)


class TransformerDecoder(_Stack):
    """Decoder layers one above the other, all of which look at the same memory.

    Parameters
    ----------
    decoder_layer : TransformerDecoderLayer
        Copied `num_layers` times: see :class:`TransformerEncoder`.
    num_layers : int
        How many.
    norm : Module, optional
        Applied to the result.

    Attributes
    ----------
    layers : ModuleList
    norm : Module or None
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

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
        """Apply all layers; arguments as those of :class:`TransformerDecoderLayer`, packed sequences too."""
        tgt, memory = as_tensor(tgt), as_tensor(memory)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal, memory_is_causal)
        offsets, memory_offsets = packed_rows("tgt", offsets, tgt), packed_rows("memory", memory_offsets, memory)
        return self._through(tgt, memory, *masks, offsets=offsets, memory_offsets=memory_offsets)


class Transformer(Module):
    """An encoder and a decoder that looks at its output.

    Parameters
    ----------
    d_model : int, default=512
        Features of each position.
    nhead : int, default=8
        Heads; divides `d_model`.
    num_encoder_layers, num_decoder_layers : int, default=6
        Layers of each.
    dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, rotary
        As in :class:`TransformerEncoderLayer`.
    custom_encoder, custom_decoder : Module, optional
        In the place of the :class:`TransformerEncoder` or the :class:`TransformerDecoder`.

    Attributes
    ----------
    encoder, decoder : Module
        Each with a final LayerNorm, as in PyTorch, whether `norm_first` or not.

    Notes
    -----
    All matrices are drawn by Xavier's uniform distribution. Embeddings, positions and the output layer are the
    caller's.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import nn
    >>> model = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
    >>> model(np.zeros((3, 7, 16), np.float32), np.zeros((3, 5, 16), np.float32), tgt_is_causal=True).shape
    (3, 5, 16)

    Sequences of 7 and 2 rows, and 3 and 1, packed:

    >>> source, target = np.zeros((9, 16), np.float32), np.zeros((4, 16), np.float32)
    >>> model(source, target, tgt_is_causal=True, src_offsets=[0, 7, 9], tgt_offsets=[0, 3, 4]).shape
    (4, 16)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

        def stack(kind: Callable[..., Module], layer: Callable[..., Module], num_layers: int) -> Module:
            one = layer(
                d_model,
                nhead,
                dim_feedforward,
                dropout,
                activation,
                layer_norm_eps,
                batch_first,
                norm_first,
                bias,
                rotary=rotary,
            )
            return kind(one, num_layers, LayerNorm(d_model, eps=layer_norm_eps, bias=bias))

        self.encoder = custom_encoder or stack(TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        self.decoder = custom_decoder or stack(TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        *,
        src_offsets: Any = None,
        tgt_offsets: Any = None,
    ) -> Tensor:
        """Encode `src`, and decode `tgt` beside it.

        Parameters
        ----------
        src : Tensor (batch, source time, d_model), or as `batch_first` says
            What the encoder reads.
        tgt : Tensor (batch, time, d_model)
            What the decoder reads.
        src_mask, tgt_mask, memory_mask : array, optional
            As `attn_mask` of :class:`MultiheadAttention`.
        src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask : array, optional
            As `key_padding_mask` of :class:`MultiheadAttention`.
        src_is_causal, tgt_is_causal, memory_is_causal : bool, default=False
            Whether a position sees only those up to itself; no mask is needed for it.
        src_offsets, tgt_offsets : array of int (batch + 1,), optional
            Packed sequences: `src` and `tgt` are (rows, d_model), as in :class:`TransformerEncoderLayer`.

        Returns
        -------
        Tensor like tgt
        """
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal, **_given(offsets=src_offsets))
        return self.decoder(  # type: ignore[no-any-return]
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
            **_given(offsets=tgt_offsets, memory_offsets=src_offsets),
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int) -> Array:
        """Return a mask (sz, sz) that hides later positions: -inf above the diagonal, else 0."""
        return np.triu(np.full((sz, sz), -np.inf, np.float32), 1)


def _given(**options: Any) -> dict[str, Any]:
    """Options that are not None: custom encoders and decoders need not know the others."""
    return {name: value for name, value in options.items() if value is not None}
