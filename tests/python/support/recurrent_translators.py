"""The network of `mlcore.seq.Seq2Seq` by PyTorch's layers, with the same weights: what ours is compared with.

Bidirectional encoder, bridge, one-way decoder that reads the true tokens, attention after its step for all of them at
once (Luong et al., 2015), output layer. Batches are padded; the encoder packs them where they are ragged, because its
backward direction must not read padding.
"""

from typing import Any

import numpy as np
import torch

from support.translators import PAD

TF = torch.nn.functional


class TorchRecurrent(torch.nn.Module):
    """LSTM, one layer, one vocabulary for both sides."""

    def __init__(self, vocabulary: int, embedding_size: int, hidden_size: int, attention: str, dropout: float) -> None:
        super().__init__()
        lib, h = torch.nn, hidden_size
        self.score, self.hidden_size = attention, h
        self.embedding = lib.Embedding(vocabulary, embedding_size)
        self.encoder_stack = lib.LSTM(embedding_size, h, batch_first=True, bidirectional=True)
        self.decoder_stack = lib.LSTM(embedding_size, h, batch_first=True)
        self.bridge = lib.ModuleList(lib.Linear(2 * h, h) for _ in range(2))
        self.attend = lib.Module()
        if attention == "additive":
            self.attend.query_proj = lib.Linear(h, h, bias=False)
            self.attend.weight = lib.Parameter(torch.empty(h))
        self.attend.key_proj = lib.Linear(2 * h, h, bias=False)
        self.attend.state_proj = lib.Linear(h, h)
        self.attend.value_proj = lib.Linear(2 * h, h, bias=False)
        self.dropout = lib.Dropout(dropout)
        self.output = lib.Linear(h, vocabulary)

    def encode(self, source: torch.Tensor, lengths: torch.Tensor | None) -> tuple[torch.Tensor, Any]:
        x = self.dropout(self.embedding(source))
        if lengths is None:
            memory, last = self.encoder_stack(x)
        else:
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            memory, last = self.encoder_stack(packed)
            memory, _ = torch.nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
        sides = [state.transpose(0, 1).reshape(1, -1, 2 * self.hidden_size) for state in last]
        return memory, tuple(torch.tanh(linear(side)) for linear, side in zip(self.bridge, sides, strict=True))

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        is_padding = source == PAD
        lengths = (~is_padding).sum(1) if bool(is_padding.any()) else None
        memory, states = self.encode(source, lengths)
        hidden, _ = self.decoder_stack(self.dropout(self.embedding(target)), states)
        attend = self.attend
        keys, values = attend.key_proj(memory), attend.value_proj(memory)
        if self.score == "additive":
            sums = attend.query_proj(hidden)[:, :, None] + keys[:, None]
            scores = torch.tanh(sums) @ attend.weight
        else:
            scores = hidden @ keys.transpose(1, 2)
        if lengths is not None:
            scores = scores.masked_fill(is_padding[:, None], -torch.inf)
        found = torch.tanh(attend.state_proj(hidden) + scores.softmax(2) @ values)
        return self.output(self.dropout(found))

    def loss(self, source: torch.Tensor, target: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
        """Return the mean over the tokens of `target` (B, T) behind the first, without padding."""
        logits = self(source, target[:, :-1])
        labels = target[:, 1:].reshape(-1)
        return TF.cross_entropy(logits.flatten(0, 1), labels, ignore_index=PAD, label_smoothing=label_smoothing)


def pair(
    vocabulary: int,
    embedding_size: int,
    hidden_size: int,
    *,
    attention: str = "additive",
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
) -> tuple[Any, TorchRecurrent]:
    """Return networks of equal weights, ours and PyTorch's, whose names agree."""
    from mlcore import nn
    from mlcore.seq._recurrent_network import RecurrentNetwork

    nn.manual_seed(0)
    ours = RecurrentNetwork(
        vocabulary,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        attention=attention,
        dropout=dropout,
        label_smoothing=label_smoothing,
    )
    theirs = TorchRecurrent(vocabulary, embedding_size, hidden_size, attention, dropout)
    state = {name: torch.from_numpy(np.array(values)) for name, values in ours.state_dict().items()}
    theirs.load_state_dict(state)
    return ours, theirs
