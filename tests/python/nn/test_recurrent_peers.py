"""Recurrent layers beside those of PyTorch: values, gradients, state dicts, packed sequences."""

import numpy as np
import pytest

from mlcore.nn import Tensor
from mlcore.nn.layers._recurrent import GRU, LSTM, RNN
from twins.nn import assert_close

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers


@pytest.mark.parametrize("with_lengths", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RNN", {"nonlinearity": "relu"}),
        ("RNN", {"num_layers": 2, "bidirectional": True}),
        ("LSTM", {}),
        ("LSTM", {"num_layers": 3, "bidirectional": True, "bias": False}),
        ("GRU", {}),
        ("GRU", {"num_layers": 2, "bidirectional": True}),
    ],
)
def test_values_and_gradients(name, options, batch_first, with_lengths):
    B, T, n_inputs, hidden = 19, 11, 23, 41
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(n_inputs, hidden, batch_first=batch_first, **options)
    ours = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}[name](n_inputs, hidden, batch_first=batch_first, **options)
    state = {k: v.numpy() for k, v in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)

    x = torch.randn(*((B, T) if batch_first else (T, B)), n_inputs, requires_grad=True)
    n_states = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    states = [torch.randn(n_states, B, hidden, requires_grad=True) for _ in range(1 + (name == "LSTM"))]
    lengths = None
    given = x
    if with_lengths:
        lengths = np.random.default_rng(0).integers(1, T + 1, B)
        given = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=batch_first, enforce_sorted=False
        )
    output, last = theirs(given, tuple(states) if name == "LSTM" else states[0])
    if with_lengths:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=batch_first, total_length=T)
    results = [output, *(last if name == "LSTM" else [last])]
    gradients = [torch.randn_like(r) for r in results]
    torch.autograd.backward(results, gradients)

    inputs = [Tensor(t.detach().numpy(), requires_grad=True) for t in (x, *states)]
    our_output, our_last = ours(inputs[0], tuple(inputs[1:]) if name == "LSTM" else inputs[1], lengths=lengths)
    our_results = [our_output, *(our_last if name == "LSTM" else [our_last])]
    for i, (result, expected, gradient) in enumerate(zip(our_results, results, gradients, strict=True)):
        assert_close(result.data, expected.detach().numpy())
        result.backward(gradient.numpy(), retain_graph=i + 1 < len(results))
    for tensor, expected in zip(inputs, (x, *states), strict=True):
        assert_close(tensor.grad, expected.grad.numpy())
    for parameter, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(parameter.grad, expected.grad.numpy())
