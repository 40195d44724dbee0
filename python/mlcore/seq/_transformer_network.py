"""The networks of TransformerSeq2Seq and TransformerLM (Vaswani et al., "Attention is all you need", NIPS 2017).

Sequences are packed: all rows go through the products at once, attention and positions take the offsets. Left out on
purpose: relative positions but for rotary ones, and cross-attention in layers of another number than the encoder's.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn import functional as F
from mlcore.nn import init
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._offsets import checked_offsets
from mlcore.nn.functional._position import sinusoids
from mlcore.nn.layers._dropout import Dropout
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.layers._module import Parameter
from mlcore.nn.layers._norm import LayerNorm
from mlcore.nn.layers._transformer import TransformerDecoderLayer, TransformerEncoderLayer
from mlcore.nn.layers._transformer_stacks import TransformerDecoder, TransformerEncoder
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._steps import evaluating
from mlcore.nn.training._trained import Shapes
from mlcore.seq._network import SequenceNetwork, inputs_and_labels, new_embedding
from mlcore.seq._packed import Packed

POSITIONS = ("sinusoidal", "learned", "rotary")


class _Transformer(SequenceNetwork):
    """What both networks share: embeddings with positions, and the output layer.

    Parameters
    ----------
    n_tokens : int
        V, tokens of the target vocabulary.
    d_model : int
        Features of each position.
    n_heads : int
        Divides `d_model`.
    n_layers : int
        Blocks; of the encoder and of the decoder, where there are both.
    dim_feedforward : int
        Features between the two linear layers of a block.
    dropout : float
        Of embeddings, attention weights, what the activation gives, and the outputs of each part.
    attention_dropout, activation_dropout : float or None
        Of the attention weights, and of what the activation gives; None: `dropout`.
    norm_first : bool
        Whether layer norm comes before each part; there is one more at the end then.
    positions : {"sinusoidal", "learned", "rotary"}
        Added to the embeddings (the first two), or rotations of queries and keys of self-attention.
    max_positions : int
        Rows of the table of learned positions; no limit for the others.
    tied_embeddings : bool
        Whether the output layer has the weights of the embedding.
    label_smoothing : float
        Share of the probability that labels spread over all tokens, while training.
    never : tuple of int
        Tokens that :meth:`decoder` never writes.

    Attributes
    ----------
    embedding : Embedding (V, d_model)
        Drawn from N(0, 1 / d_model), and multiplied by sqrt(d_model) where it is looked up.
    output_bias : Parameter (V,)
        Of the logits, zeros.
    output_weight : Parameter (V, d_model) or None
        None: that of the embedding.
    position_table : Parameter (max_positions, d_model) or None
        Learned positions, drawn from N(0, 0.02^2).
    """

    def __init__(
        self,
        n_tokens: int,
        *,
        d_model: int = 256,
        n_heads: int = 4,
        n_layers: int = 4,
        dim_feedforward: int = 1024,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        norm_first: bool = False,
        positions: str = "sinusoidal",
        max_positions: int = 1024,
        tied_embeddings: bool = True,
        label_smoothing: float = 0.0,
        never: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        if positions not in POSITIONS:
            raise ValueError(f"positions must be 'sinusoidal', 'learned' or 'rotary', got {positions!r}")
        self.n_tokens, self.d_model, self.n_heads, self.n_layers = n_tokens, d_model, n_heads, n_layers
        self.norm_first, self.positions, self.max_positions = norm_first, positions, max_positions
        self.label_smoothing, self.never = label_smoothing, tuple(never)
        self._layer_options: dict[str, Any] = {
            "d_model": d_model,
            "nhead": n_heads,
            "dim_feedforward": dim_feedforward,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation_dropout": activation_dropout,
            "norm_first": norm_first,
            "rotary": positions == "rotary",
        }
        self.embedding = new_embedding(n_tokens, d_model)
        self.output_bias = Parameter(np.zeros(n_tokens, np.float32))
        weight = None if tied_embeddings else new_embedding(n_tokens, d_model).weight
        self.register_parameter("output_weight", weight)
        table = Parameter(np.empty((max_positions, d_model), np.float32)) if positions == "learned" else None
        self.register_parameter("position_table", table)
        if table is not None:
            init.normal_(table, std=0.02)
        self.dropout = Dropout(dropout)
        self._sinusoids = np.empty((0, d_model), np.float32)

    def _final_norm(self) -> LayerNorm | None:
        return LayerNorm(self.d_model) if self.norm_first else None

    def _initialize(self) -> None:
        """Draw the matrices of all layers as PyTorch's Transformer does: Xavier uniform."""
        for name, parameter in self.named_parameters():
            if "stack" in name and parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def _embedded(self, embedding: Embedding, packed: Packed) -> Tensor:
        """Return the rows (N, d_model) of tokens at their positions."""
        x, scale = embedding(packed.ids), math.sqrt(self.d_model)
        if self.positions == "rotary":
            return self.dropout(x * scale)  # type: ignore[no-any-return]
        table, offsets = self.position_table, checked_offsets(packed.offsets, len(packed.ids))
        if table is None:
            table = self._sinusoid_table(min(int(np.diff(offsets).max(initial=0)), len(packed.ids)))
        return self.dropout(F.add_positions(x, table, offsets=offsets, scale=scale))  # type: ignore[no-any-return]

    def _sinusoid_table(self, n_positions: int) -> NDArray[np.float32]:
        if n_positions > len(self._sinusoids):
            self._sinusoids = sinusoids(max(n_positions, 2 * len(self._sinusoids)), self.d_model)
        return self._sinusoids

    def _output_layer(self) -> tuple[Parameter, Parameter]:
        return self.embedding.weight if self.output_weight is None else self.output_weight, self.output_bias

    def forward(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        """Return the logits (N, V) of the token after each of the `target_inputs`."""
        return F.linear(self._hidden(source, target_inputs), *self._output_layer())

    def _last_norm(self) -> LayerNorm:
        """Return the layer norm whose output the output layer reads."""
        raise NotImplementedError

    def decoder(self, quantize: bool = False) -> Any:
        """Return a decoder without a tape, with the weights of now.

        Parameters
        ----------
        quantize : bool, default=False
            Whether its weights are held as int8.

        Returns
        -------
        mlcore.nn core object
            A step model; :meth:`start` gives it what to write about.
        """
        stack = self.decoder_stack
        norm = stack.norm
        positions = self.position_table.data if self.position_table is not None else self.positions
        return core.nn.TransformerDecoder(
            [{name: p.data for name, p in layer.named_parameters()} for layer in stack.layers],
            self.embedding.weight.data,
            self._output_layer()[0].data,
            n_heads=self.n_heads,
            output_bias=self._writing_bias(),
            embedding_scale=math.sqrt(self.d_model),
            positions=positions,
            final_norm=None if norm is None else (norm.weight.data, norm.bias.data),
            norm_first=self.norm_first,
            quantize=quantize,
            n_threads=n_threads(),
        )

    def write_frequencies(self, log_frequencies: NDArray[np.float64]) -> None:
        """Become the network that gives each token its frequency whatever it reads: the best that knows nothing."""
        self.start_at(log_frequencies)
        with no_grad():
            for parameter in self._last_norm().parameters():
                parameter.zero_()


class TransformerNetwork(_Transformer):
    """Encoder and decoder.

    Parameters
    ----------
    n_tokens : int
        V, tokens of the target vocabulary.
    n_source_tokens : int or None, default=None
        Tokens of the source vocabulary; None: source and target have one vocabulary and one embedding.
    **options
        Those of the base class: d_model, n_heads, n_layers, dim_feedforward, dropout, norm_first, positions,
        max_positions, tied_embeddings, label_smoothing, never.

    Attributes
    ----------
    embedding, source_embedding : Embedding
        The second is None where they are one.
    encoder_stack : TransformerEncoder
    decoder_stack : TransformerDecoder
    """

    def __init__(self, n_tokens: int, n_source_tokens: int | None = None, **options: Any) -> None:
        super().__init__(n_tokens, **options)
        self.source_embedding = None if n_source_tokens is None else new_embedding(n_source_tokens, self.d_model)
        options = self._layer_options
        self.encoder_stack = TransformerEncoder(TransformerEncoderLayer(**options), self.n_layers, self._final_norm())
        self.decoder_stack = TransformerDecoder(TransformerDecoderLayer(**options), self.n_layers, self._final_norm())
        self._initialize()

    def encode(self, source: Packed) -> Tensor:
        """Return what the encoder makes of sources: rows (N, d_model)."""
        rows = self._embedded(self._embedding_of_sources(), source)
        found: Tensor = self.encoder_stack(rows, offsets=source.offsets)
        return found

    def _embedding_of_sources(self) -> Embedding:
        return self.embedding if self.source_embedding is None else self.source_embedding

    def _hidden(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        assert source is not None
        found: Tensor = self.decoder_stack(
            self._embedded(self.embedding, target_inputs),
            self.encode(source),
            tgt_is_causal=True,
            offsets=target_inputs.offsets,
            memory_offsets=source.offsets,
        )
        return found

    def _last_norm(self) -> LayerNorm:
        last = self.decoder_stack.norm if self.norm_first else self.decoder_stack.layers[-1].norm3
        assert isinstance(last, LayerNorm)
        return last

    def decoder(self, quantize: bool = False) -> Any:
        """Return a decoder without a tape, as the base class, and with it an encoder: its attribute ``encoder``."""
        decoder = super().decoder(quantize)
        stack, norm = self.encoder_stack, self.encoder_stack.norm
        decoder.encoder = core.nn.TransformerEncoder(
            [{name: p.data for name, p in layer.named_parameters()} for layer in stack.layers],
            n_heads=self.n_heads,
            rotary=self.positions == "rotary",
            final_norm=None if norm is None else (norm.weight.data, norm.bias.data),
            norm_first=self.norm_first,
            quantize=quantize,
            n_threads=n_threads(),
        )
        return decoder

    def start(self, decoder: Any, source: Packed) -> None:
        """Encode the sources and hand what was found over to a decoder of :meth:`decoder`."""
        with evaluating(self):
            rows = self._embedded(self._embedding_of_sources(), source).data
        memory = decoder.encoder(rows, source.offsets, n_threads=n_threads())
        decoder.start(memory, source.offsets, n_threads=n_threads())

    def attention(self, source: Packed, target: Packed) -> list[NDArray[np.float32]]:
        """Return how the last layer of the decoder looked at the sources, the mean of its heads.

        Parameters
        ----------
        source, target : Packed
            As :meth:`loss` takes them.

        Returns
        -------
        list of arrays (tokens written, tokens read)
            Rows sum to 1. The end is a token on both sides.
        """
        look = self.decoder_stack.layers[-1].multihead_attn
        seen: list[tuple[Tensor, Tensor]] = []
        remove = look.register_forward_hook(lambda _, inputs, __: seen.append(inputs[:2]))
        inputs = inputs_and_labels(target)[0]
        try:
            with no_grad():
                self._hidden(source, inputs)
        finally:
            remove()
        ((queries, keys),) = seen
        with no_grad():
            _, weights = look(
                queries, keys, keys, need_weights=True, offsets=inputs.offsets, key_offsets=source.offsets
            )
        return [np.asarray(each.data) for each in weights]


class TransformerLMNetwork(_Transformer):
    """A decoder without a source: each token sees those before it.

    Parameters
    ----------
    n_tokens : int
        V.
    **options
        As those of :class:`TransformerNetwork`.

    Attributes
    ----------
    decoder_stack : TransformerEncoder
        Its layers have self-attention alone, which is causal here.
    """

    def __init__(self, n_tokens: int, **options: Any) -> None:
        super().__init__(n_tokens, **options)
        layer = TransformerEncoderLayer(**self._layer_options)
        self.decoder_stack = TransformerEncoder(layer, self.n_layers, self._final_norm())
        self._initialize()

    def _hidden(self, source: Packed | None, target_inputs: Packed) -> Tensor:  # noqa: ARG002
        x = self._embedded(self.embedding, target_inputs)
        return self.decoder_stack(x, is_causal=True, offsets=target_inputs.offsets)  # type: ignore[no-any-return]

    def _last_norm(self) -> LayerNorm:
        last = self.decoder_stack.norm if self.norm_first else self.decoder_stack.layers[-1].norm2
        assert isinstance(last, LayerNorm)
        return last

    def start(self, decoder: Any, source: Packed) -> None:
        """Hand prompts over to a decoder of :meth:`decoder`: each begins with the begin token."""
        decoder.start_prompts(source.ids, source.offsets, n_threads=n_threads())


def transformer_shapes(
    n_tokens: int,
    n_source_tokens: int | None,
    *,
    has_encoder: bool,
    d_model: int,
    n_layers: int,
    dim_feedforward: int,
    norm_first: bool,
    positions: str,
    max_positions: int,
    tied_embeddings: bool,
) -> Shapes:
    """Return the shapes in the state of a network of this file, without making it."""
    d, f = d_model, dim_feedforward
    shapes: Shapes = {"embedding.weight": (n_tokens, d), "output_bias": (n_tokens,)}
    if not tied_embeddings:
        shapes["output_weight"] = (n_tokens, d)
    if positions == "learned":
        shapes["position_table"] = (max_positions, d)
    if n_source_tokens is not None:
        shapes["source_embedding.weight"] = (n_source_tokens, d)
    attention: Shapes = {
        "in_proj_weight": (3 * d, d),
        "in_proj_bias": (3 * d,),
        "out_proj.weight": (d, d),
        "out_proj.bias": (d,),
    }
    feed_forward: Shapes = {
        "linear1.weight": (f, d),
        "linear1.bias": (f,),
        "linear2.weight": (d, f),
        "linear2.bias": (d,),
    }
    norm: Shapes = {"weight": (d,), "bias": (d,)}
    block = {**_under("self_attn", attention), **feed_forward, **_under("norm1", norm), **_under("norm2", norm)}
    blocks = {"decoder_stack": block}
    if has_encoder:
        blocks["encoder_stack"] = block
        blocks["decoder_stack"] = {**block, **_under("multihead_attn", attention), **_under("norm3", norm)}
    for stack, layer in blocks.items():
        for i in range(n_layers):
            shapes |= _under(f"{stack}.layers.{i}", layer)
        if norm_first:
            shapes |= _under(f"{stack}.norm", norm)
    return shapes


def _under(path: str, shapes: Shapes) -> Shapes:
    return {f"{path}.{name}": shape for name, shape in shapes.items()}
