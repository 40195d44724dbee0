"""The network of Seq2Seq beside the same in PyTorch: equal weights, equal training."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import optim
from mlcore.seq import Packed, RecurrentNetwork

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

V, E, H = 40, 12, 20


class Peer(torch.nn.Module):
    """Padded, as PyTorch has it."""

    def __init__(self, cell, attention):
        super().__init__()
        make = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
        self.score = attention
        self.embedding, self.source_embedding = torch.nn.Embedding(V, E), torch.nn.Embedding(V, E)
        self.encoder_stack = make(E, H, batch_first=True, bidirectional=True)
        self.decoder_stack = make(E, H, batch_first=True)
        self.bridge = torch.nn.ModuleList(torch.nn.Linear(2 * H, H) for _ in range(1 + (cell == "lstm")))
        self.attend = torch.nn.Module()
        self.attend.key_proj = torch.nn.Linear(2 * H, H, bias=False)
        self.attend.value_proj = torch.nn.Linear(2 * H, H, bias=False)
        self.attend.state_proj = torch.nn.Linear(H, H)
        if attention == "additive":
            self.attend.query_proj = torch.nn.Linear(H, H, bias=False)
            self.attend.weight = torch.nn.Parameter(torch.empty(H))
        self.output = torch.nn.Linear(H, V)

    def forward(self, source, lengths, inputs, labels):
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            self.source_embedding(source), lengths, batch_first=True, enforce_sorted=False
        )
        memory, last = self.encoder_stack(packed)
        memory, _ = torch.nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
        states = [
            torch.tanh(linear(torch.cat([*state], 1)))[None]
            for linear, state in zip(self.bridge, last if isinstance(last, tuple) else (last,), strict=True)
        ]
        h, _ = self.decoder_stack(self.embedding(inputs), tuple(states) if len(states) == 2 else states[0])
        keys = self.attend.key_proj(memory)
        if self.score == "additive":
            scores = torch.tanh(self.attend.query_proj(h)[:, :, None] + keys[:, None]) @ self.attend.weight
        else:
            scores = h @ keys.transpose(1, 2)
        hidden = (torch.arange(source.shape[1])[None] >= lengths[:, None])[:, None]
        context = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ self.attend.value_proj(memory)
        logits = self.output(torch.tanh(self.attend.state_proj(h) + context))
        return torch.nn.functional.cross_entropy(logits.reshape(-1, V), labels.reshape(-1))


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads of PyTorch wait for each other on a busy machine, far longer than these sizes take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def padded(sequences, value):
    longest = max(map(len, sequences))
    return torch.tensor(np.array([np.pad(s, (0, longest - len(s)), constant_values=value) for s in sequences]))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("attention", ["additive", "general"])
def test_fifty_steps_of_training_have_the_same_losses(cell, attention):
    nn.manual_seed(0)
    network = RecurrentNetwork(V, V, cell=cell, attention=attention, embedding_size=E, hidden_size=H)
    peer = Peer(cell, attention)
    peer.load_state_dict({name: torch.tensor(np.array(values)) for name, values in network.state_dict().items()})
    ours, theirs = optim.Adam(network.parameters(), lr=3e-3), torch.optim.Adam(peer.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(50):
        sources = [rng.integers(4, V, n) for n in rng.integers(1, 12, 20)]
        targets = [np.array([2, *(s[::-1] + 7) % V, 3]) for s in sources]
        ours.zero_grad()
        loss, _ = network.loss(Packed.of(sources), Packed.of(targets))
        loss.backward()
        ours.step()
        theirs.zero_grad()
        expected = peer(
            padded(sources, 0),
            torch.tensor([len(s) for s in sources]),
            padded([t[:-1] for t in targets], 0),
            padded([t[1:] for t in targets], -100),
        )
        expected.backward()
        theirs.step()
        losses.append((loss.item(), expected.item()))
    found, expected = np.array(losses).T
    assert np.abs(found - expected).max() < 1e-4  # sums of float32 in another order
    assert found[-1] < found[0] - 0.1
