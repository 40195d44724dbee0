"""The parts of BERT over packed rows (N, d): embeddings, layers of attention and feed-forward, and the pooler.

Names of parameters are those of `transformers`, which has queries, keys and values as three layers. Their weights are
joined on the tape in each step, so that all three are one product, which attention reads in place.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn import init
from mlcore.nn.layers._containers import ModuleList
from mlcore.nn.layers._dropout import Dropout
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.layers._norm import LayerNorm
from mlcore.nn.tensor import Tensor, concatenate, no_grad
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._inputs import BertInputs, rows_of


def new_linear(config: BertConfig, n_inputs: int, n_outputs: int, activation: str = "identity") -> Linear:
    """Return a linear layer with weights drawn from N(0, initializer_range^2) and a bias of 0."""
    with init.skipped():
        layer = Linear(n_inputs, n_outputs, activation=activation)
    init.normal_(layer.weight, std=config.initializer_range)
    init.zeros_(layer.bias)
    return layer


def new_embedding(config: BertConfig, n: int, padding_idx: int | None = None) -> Embedding:
    """Return n vectors drawn from N(0, initializer_range^2); 0 at `padding_idx`."""
    with init.skipped():
        layer = Embedding(n, config.hidden_size, padding_idx)
    init.normal_(layer.weight, std=config.initializer_range)
    if padding_idx is not None:
        with no_grad():
            layer.weight.data[padding_idx] = 0
    return layer


class BertEmbeddings(Module):
    """Sum of the vectors of token, position and segment, then layer norm and dropout."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = new_embedding(config, config.vocab_size, config.pad_token_id)
        self.position_embeddings = new_embedding(config, config.max_position_embeddings)
        self.token_type_embeddings = new_embedding(config, config.type_vocab_size)
        self.LayerNorm = LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, inputs: BertInputs) -> Tensor:
        """Return rows (N, d)."""
        total = self.word_embeddings(inputs.ids) + self.token_type_embeddings(inputs.types)
        total = total + self.position_embeddings(inputs.positions)
        return self.dropout(self.LayerNorm(total))  # type: ignore[no-any-return]


class BertSelfAttention(Module):
    """Attention of all heads of each sequence to itself."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        d = config.hidden_size
        self.n_heads = config.num_attention_heads
        self.query, self.key, self.value = (new_linear(config, d, d) for _ in range(3))
        self.dropout = Dropout(config.attention_probs_dropout_prob)

    def forward(self, x: Tensor, offsets: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Tensor:
        """Return what all rows (N, d) find, or those of `rows`, ascending, alone."""
        if rows is None:
            projected, query_offsets = [_joined(x, self.query, self.key, self.value)], offsets
        else:
            projected = [self.query(rows_of(x, rows)), _joined(x, self.key, self.value)]
            query_offsets = np.searchsorted(rows, offsets)
        p = self.dropout.p if self.training else 0.0
        return F.packed_attention(projected, self.n_heads, dropout_p=p, offsets=query_offsets, key_offsets=offsets)[0]


def _joined(x: Tensor, *layers: Linear) -> Tensor:
    """Apply several layers in one product; results lie side by side."""
    weight = concatenate([layer.weight for layer in layers])
    return F.linear(x, weight, concatenate([layer.bias for layer in layers]))


class _Output(Module):
    """A product, dropout, the residual and layer norm: the end of both parts of a layer."""

    def __init__(self, config: BertConfig, n_inputs: int) -> None:
        super().__init__()
        self.dense = new_linear(config, n_inputs, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """Apply to rows (N, n_inputs), with a residual (N, d)."""
        if self.training and self.dropout.p:
            total = self.dropout(self.dense(x), residual)
        else:  # the residual is added by the product
            total = F.linear(x, self.dense.weight, self.dense.bias, residual=residual)
        return self.LayerNorm(total)  # type: ignore[no-any-return]


class BertAttention(Module):
    """Attention, and what follows it."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.self = BertSelfAttention(config)
        self.output = _Output(config, config.hidden_size)

    def forward(self, x: Tensor, offsets: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Tensor:
        """Apply to rows (N, d); see :class:`BertSelfAttention`."""
        return self.output(self.self(x, offsets, rows), x if rows is None else rows_of(x, rows))  # type: ignore[no-any-return]


class BertIntermediate(Module):
    """The first product of the feed-forward part and its activation."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = new_linear(config, config.hidden_size, config.intermediate_size, config.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to rows (N, d)."""
        return self.dense(x)  # type: ignore[no-any-return]


class BertLayer(Module):
    """Attention and a feed-forward part, each with a residual and layer norm after it."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = BertAttention(config)
        self.intermediate = BertIntermediate(config)
        self.output = _Output(config, config.intermediate_size)

    def forward(self, x: Tensor, offsets: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Tensor:
        """Apply to packed rows (N, d), and return them, or those of `rows`, ascending, alone."""
        found = self.attention(x, offsets, rows)
        return self.output(self.intermediate(found), found)  # type: ignore[no-any-return]


class BertLayers(Module):
    """All layers, one after the other (`encoder` of `transformers`)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, offsets: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Tensor:
        """Apply to packed rows (N, d). The last layer computes those of `rows`, ascending, alone."""
        *layers, last = self.layer
        for layer in layers:
            x = layer(x, offsets)
        return last(x, offsets, rows)  # type: ignore[no-any-return]


class BertPooler(Module):
    """tanh of a product of the first token of each sequence."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = new_linear(config, config.hidden_size, config.hidden_size, "tanh")

    def forward(self, firsts: Any) -> Tensor:
        """Apply to rows (B, d)."""
        return self.dense(firsts)  # type: ignore[no-any-return]
