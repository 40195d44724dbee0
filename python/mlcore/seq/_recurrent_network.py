"""The network of Seq2Seq: recurrent encoder and decoder with attention.

Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", NIPS 2014; Bahdanau, Cho and Bengio,
"Neural machine translation by jointly learning to align and translate", ICLR 2015; Luong, Pham and Manning, "Effective
approaches to attention-based neural machine translation", EMNLP 2015; Bengio et al., "Scheduled sampling for sequence
prediction with recurrent neural networks", NIPS 2015.

The decoder looks at the source after its step, with the state that it has come to, as Luong has it; Bahdanau's looks
before, with the state of the step before. So all states of a target are known before any of them looks: the decoder
runs over whole sequences in one call, and attention over all of them is one more. Only where a step reads what the
network made of the one before (input feeding, scheduled sampling) are the steps taken one by one.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn import init
from mlcore.nn._runtime import generator, n_threads
from mlcore.nn.layers._containers import ModuleList
from mlcore.nn.layers._dropout import Dropout
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Parameter
from mlcore.nn.layers._recurrent import GRU, LSTM, RNN
from mlcore.nn.tensor import Tensor, concatenate, no_grad, stack
from mlcore.nn.training._steps import evaluating
from mlcore.nn.training._trained import Shapes
from mlcore.seq._network import SequenceNetwork, inputs_and_labels, new_embedding
from mlcore.seq._packed import Packed
from mlcore.seq._recurrent_attention import RecurrentAttention

CELLS = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
States = tuple[Tensor, ...]  # h, and c of an LSTM, each (layers, B, H)
Weights = list[list[NDArray[np.float32]]]  # of the sequences, at one step or at all of them


class Encoded(NamedTuple):
    """What was read."""

    memory: Tensor
    """Rows (N, M) of all sources: the encoder's outputs."""

    offsets: NDArray[np.int64]
    """Where each source begins, (B + 1,)."""

    states: States
    """What the decoder starts from."""


class RecurrentNetwork(SequenceNetwork):
    """Encoder, bridge, decoder with attention, output layer.

    Parameters
    ----------
    n_tokens : int
        V, tokens of the target vocabulary.
    n_source_tokens : int or None, default=None
        Tokens of the source vocabulary; None: source and target have one vocabulary and one embedding.
    cell : {"rnn", "gru", "lstm"}, default="lstm"
        Of encoder and decoder.
    embedding_size : int, default=256
        Features of a token, E.
    hidden_size : int, default=512
        Features of a state, H, in each direction.
    n_layers : int, default=1
        Of the encoder and of the decoder.
    bidirectional : bool, default=True
        Whether the encoder reads from the end as well.
    attention : {"additive", "dot", "general"} or None, default="additive"
        How the decoder looks at the source: see :class:`RecurrentAttention`; None: it does not. For "dot" the outputs
        of two directions are added, because states of the decoder and rows of the source must be of one size.
    input_feeding : bool, default=False
        Whether each step of the decoder reads, beside the token, what attention made of the step before (zeros at
        first). Training then goes step by step.
    teacher_forcing : float in [0, 1], default=1.0
        While training, how likely a step reads the token of the target; else it reads the token that the network finds
        most likely after the step before (scheduled sampling). Below 1 training goes step by step.
    dropout : float, default=0.0
        Of embeddings, between layers, and of what the output layer reads.
    label_smoothing : float, default=0.0
        Share of the probability that labels spread over all tokens, while training.
    never : tuple of int, default=()
        Tokens that :meth:`decoder` never writes.

    Attributes
    ----------
    embedding, source_embedding : Embedding (V, E)
        Drawn from N(0, 1 / E). The second is None where they are one.
    encoder_stack, decoder_stack : RNN, GRU or LSTM
    bridge : ModuleList of Linear (H, D H) with tanh
        From the last states of the D directions of each layer of the encoder to the first state of that layer of the
        decoder: for h of all layers, then for c of an LSTM.
    attend : RecurrentAttention or None
    output : Linear (V, H)
        Its bias starts with zeros.
    """

    def __init__(
        self,
        n_tokens: int,
        n_source_tokens: int | None = None,
        *,
        cell: str = "lstm",
        embedding_size: int = 256,
        hidden_size: int = 512,
        n_layers: int = 1,
        bidirectional: bool = True,
        attention: str | None = "additive",
        input_feeding: bool = False,
        teacher_forcing: float = 1.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        never: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell must be 'rnn', 'gru' or 'lstm', got {cell!r}")
        if not 0 <= teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing must be in [0, 1], got {teacher_forcing}")
        if input_feeding and attention is None:
            raise ValueError("input_feeding feeds what attention has found: attention must not be None")
        self.n_tokens, self.cell, self.n_layers, self.hidden_size = n_tokens, cell, n_layers, hidden_size
        self.input_feeding, self.teacher_forcing = input_feeding, teacher_forcing
        self.label_smoothing, self.never = label_smoothing, tuple(never)
        self.sums_directions = attention == "dot" and bidirectional
        self.embedding = new_embedding(n_tokens, embedding_size)
        self.source_embedding = None if n_source_tokens is None else new_embedding(n_source_tokens, embedding_size)
        between = dropout if n_layers > 1 else 0.0
        directions = 1 + bidirectional
        self.encoder_stack = CELLS[cell](
            embedding_size, hidden_size, n_layers, dropout=between, bidirectional=bidirectional
        )
        fed = hidden_size if input_feeding else 0
        self.decoder_stack = CELLS[cell](embedding_size + fed, hidden_size, n_layers, dropout=between)
        n_bridges = n_layers * (2 if cell == "lstm" else 1)
        self.bridge = ModuleList(
            Linear(directions * hidden_size, hidden_size, activation="tanh") for _ in range(n_bridges)
        )
        memory_size = hidden_size if self.sums_directions else directions * hidden_size
        self.attend = None if attention is None else RecurrentAttention(attention, hidden_size, memory_size)
        self.dropout = Dropout(dropout)
        self.output = Linear(hidden_size, n_tokens)
        init.zeros_(self.output.bias)

    def encode(self, source: Packed) -> Encoded:
        """Read sources of one token or more."""
        embedding = self.embedding if self.source_embedding is None else self.source_embedding
        rows, last = self.encoder_stack(self.dropout(embedding(source.ids)), offsets=source.offsets)
        H = self.hidden_size
        if self.sums_directions:
            rows = rows[:, :H] + rows[:, H:]
        states = []
        for i, state in enumerate(last if isinstance(last, tuple) else (last,)):
            directions = state.shape[0] // self.n_layers
            by_layer = state.reshape(self.n_layers, directions, -1, H).transpose(1, 2)
            by_layer = by_layer.reshape(self.n_layers, -1, directions * H)  # directions side by side
            linears = list(self.bridge)[i * self.n_layers : (i + 1) * self.n_layers]
            states.append(stack([linear(by_layer[layer]) for layer, linear in enumerate(linears)]))
        return Encoded(rows, source.offsets, tuple(states))

    def _hidden(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        assert source is not None
        return self._decoded(source, target_inputs)[0]

    def _output_layer(self) -> tuple[Parameter, Parameter]:
        return self.output.weight, self.output.bias

    def _decoded(self, source: Packed, inputs: Packed) -> tuple[Tensor, Weights]:
        """Return what the output layer reads, rows (N, H), and how each target looked at its source."""
        if len(source.offsets) != len(inputs.offsets):
            raise ValueError(f"{len(source.offsets) - 1} sources for {len(inputs.offsets) - 1} targets")
        if self.input_feeding or (self.training and self.teacher_forcing < 1):
            return self._step_by_step(source, inputs)
        encoded = self.encode(source)
        hidden, _ = self.decoder_stack(
            self.dropout(self.embedding(inputs.ids)), _as_hx(encoded.states), offsets=inputs.offsets
        )
        weights: Weights = []
        if self.attend is not None:
            read = self.attend.read(encoded.memory)
            hidden, found = self.attend(hidden, read, inputs.offsets, encoded.offsets)
            weights = [[one] for one in found]
        return self.dropout(hidden), weights

    def _step_by_step(self, source: Packed, inputs: Packed) -> tuple[Tensor, Weights]:
        # Longest target first: the sequences that take part in a step are the first ones.
        order = np.argsort(-inputs.lengths, kind="stable")
        encoded = self.encode(source.take(order))
        read = None if self.attend is None else self.attend.read(encoded.memory)
        lengths, starts = inputs.lengths[order], inputs.offsets[:-1][order]
        given = np.ones(len(inputs.ids), bool)
        if self.training and self.teacher_forcing < 1:
            given = generator().numpy().random(len(inputs.ids)) < self.teacher_forcing
        states = encoded.states
        hidden = fed = Tensor(np.zeros((len(lengths), self.hidden_size), np.float32))
        steps: list[Tensor] = []
        weights: Weights = [[] for _ in lengths]
        for t in range(int(lengths.max(initial=0))):
            n = int(np.count_nonzero(lengths > t))
            ids = inputs.ids[starts[:n] + t]
            own = np.flatnonzero(~given[starts[:n] + t])
            if t > 0 and own.size:
                ids[own] = self._most_likely(hidden, own)
            x = self.dropout(self.embedding(ids))
            if self.input_feeding:
                x = concatenate([x, fed[:n]], dim=1)
            output, last = self.decoder_stack(x.reshape(1, *x.shape), _as_hx(tuple(s[:, :n] for s in states)))
            states = last if isinstance(last, tuple) else (last,)
            hidden = output.reshape(n, self.hidden_size)
            if self.attend is not None:
                taking_part = np.minimum(np.arange(len(lengths) + 1), n)
                hidden, found = self.attend(hidden, read, taking_part, encoded.offsets)
                for b in range(n):
                    weights[order[b]].append(found[b])
            hidden = fed = self.dropout(hidden)
            steps.append(hidden)
        # Back to sequence by sequence: where step t of each of them lies among the steps.
        counts = [step.shape[0] for step in steps]
        places = np.empty(len(inputs.ids), np.int64)
        for t, first in enumerate(np.cumsum([0, *counts[:-1]])):
            places[starts[: counts[t]] + t] = first + np.arange(counts[t])
        return concatenate(steps)[places], weights

    def _most_likely(self, hidden: Tensor, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the token that the network would write after some of the rows (n, H)."""
        with no_grad():
            logits = self.output(hidden.data[rows]).data
        logits[:, list(self.never)] = -np.inf
        return logits.argmax(axis=1)  # type: ignore[no-any-return]

    def forward(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        """Return the logits (N, V) of the token after each of the `target_inputs`."""
        return self.output(self._hidden(source, target_inputs))  # type: ignore[no-any-return]

    def attention(self, source: Packed, target: Packed) -> list[NDArray[np.float32]]:
        """Return how each target looked at its source.

        Parameters
        ----------
        source, target : Packed
            As :meth:`loss` takes them.

        Returns
        -------
        list of arrays (tokens written, tokens read)
            Rows sum to 1. The end is a token on both sides.
        """
        if self.attend is None:
            raise ValueError("a network without attention has none to look at")
        with evaluating(self):
            _, weights = self._decoded(source, inputs_and_labels(target)[0])
        return [np.concatenate(steps) for steps in weights]

    def decoder(self, quantize: bool = False) -> Any:
        """Return a decoder without a tape, with the weights of now: see :meth:`SequenceNetwork.decoder`."""
        own = dict(self.decoder_stack.named_parameters())
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        layers = [{name: own[f"{name}_l{i}"].data for name in names} for i in range(self.n_layers)]
        attend = self.attend
        return core.nn.RecurrentDecoder(
            "rnn_tanh" if self.cell == "rnn" else self.cell,
            layers,
            self.embedding.weight.data,
            self.output.weight.data,
            self._writing_bias(),
            attention=None if attend is None else attend.score,
            attention_arrays=None if attend is None else {k: p.data for k, p in attend.named_parameters()},
            input_feeding=self.input_feeding,
            quantize=quantize,
            n_threads=n_threads(),
        )

    def start(self, decoder: Any, source: Packed) -> None:
        """Encode the sources and hand what was found over to a decoder of :meth:`decoder`."""
        with evaluating(self):
            memory, offsets, states = self.encode(source)
        h, c = (*(state.data for state in states), None)[:2]
        decoder.start(h, c, None if self.attend is None else memory.data, offsets, n_threads=n_threads())

    def write_frequencies(self, log_frequencies: NDArray[np.float64]) -> None:
        """Become the network that gives each token its frequency, whatever it reads."""
        self.start_at(log_frequencies)
        with no_grad():
            self.output.weight.zero_()


def recurrent_shapes(
    n_tokens: int,
    n_source_tokens: int | None,
    *,
    cell: str,
    embedding_size: int,
    hidden_size: int,
    n_layers: int,
    bidirectional: bool,
    attention: str | None,
    input_feeding: bool,
) -> Shapes:
    """Return the shapes in the state of a :class:`RecurrentNetwork`, without making it."""
    E, H, D = embedding_size, hidden_size, 1 + bidirectional
    rows = {"rnn": 1, "gru": 3, "lstm": 4}[cell] * H
    shapes: Shapes = {"embedding.weight": (n_tokens, E), "output.weight": (n_tokens, H), "output.bias": (n_tokens,)}
    if n_source_tokens is not None:
        shapes["source_embedding.weight"] = (n_source_tokens, E)
    for part, suffixes, first, above in (
        ("encoder_stack", ("", "_reverse")[:D], E, D * H),
        ("decoder_stack", ("",), E + (H if input_feeding else 0), H),
    ):
        for i in range(n_layers):
            for suffix in suffixes:
                name = f"l{i}{suffix}"
                shapes[f"{part}.weight_ih_{name}"] = (rows, first if i == 0 else above)
                shapes[f"{part}.weight_hh_{name}"] = (rows, H)
                shapes[f"{part}.bias_ih_{name}"] = shapes[f"{part}.bias_hh_{name}"] = (rows,)
    for i in range(n_layers * (2 if cell == "lstm" else 1)):
        shapes[f"bridge.{i}.weight"], shapes[f"bridge.{i}.bias"] = (H, D * H), (H,)
    if attention is None:
        return shapes
    M = H if attention == "dot" else D * H
    shapes |= {"attend.state_proj.weight": (H, H), "attend.state_proj.bias": (H,), "attend.value_proj.weight": (H, M)}
    if attention != "dot":
        shapes["attend.key_proj.weight"] = (H, M)
    if attention == "additive":
        shapes |= {"attend.query_proj.weight": (H, H), "attend.weight": (H,)}
    return shapes


def _as_hx(states: States) -> Any:
    return states if len(states) == 2 else states[0]
