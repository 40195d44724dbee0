"""Encoder, decoder and Transformer beside PyTorch: states, values, gradients, a training."""

import numpy as np
import pytest

from mlcore import nn
from twins.nn import assert_close

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors"),
]

SOURCE, TARGET = [9, 4, 1], [6, 2, 7]
SIZES = (16, 4, 2, 2, 32)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def both(**options):
    torch.manual_seed(0)
    theirs = torch.nn.Transformer(*SIZES, **{"dropout": 0.0, "batch_first": True, **options})
    with torch.no_grad():
        for parameter in theirs.parameters():  # biases and scales that tell one another apart
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    ours = nn.Transformer(*SIZES, **{"dropout": 0.0, "batch_first": True, **options})
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def padding(lengths):
    return np.arange(max(lengths)) >= np.array(lengths)[:, None]


def rows(values, lengths):
    return np.concatenate([values[b, :n] for b, n in enumerate(lengths)])


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


def compare_gradients(ours, theirs):
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        assert_close(p.grad, q.grad.numpy(), 5e-5)  # sums of some hundred rounded terms, in another order


def test_states_go_both_ways():
    ours, theirs = both()
    state = ours.state_dict()
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.from_numpy(value * 2) for name, value in state.items()})
    np.testing.assert_array_equal(theirs.encoder.norm.weight.detach().numpy(), state["encoder.norm.weight"] * 2)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("packed", [False, True])
def test_values_and_gradients(norm_first, activation, packed):
    ours, theirs = both(norm_first=norm_first, activation=activation)
    src, tgt, dout = draw(3, 9, 16), draw(3, 7, 16, seed=1), draw(3, 7, 16, seed=2)
    dout[padding(TARGET)] = 0
    peers = [torch.tensor(x, requires_grad=True) for x in (src, tgt)]
    hidden = torch.from_numpy(padding(SOURCE))
    mask = torch.nn.Transformer.generate_square_subsequent_mask(7)
    z = theirs(*peers, tgt_mask=mask, src_key_padding_mask=hidden, memory_key_padding_mask=hidden)
    z.backward(torch.from_numpy(dout))
    if packed:
        inputs = [nn.Tensor(rows(src, SOURCE), requires_grad=True), nn.Tensor(rows(tgt, TARGET), requires_grad=True)]
        offsets = {"src_offsets": offsets_of(SOURCE), "tgt_offsets": offsets_of(TARGET)}
        y = ours(*inputs, tgt_is_causal=True, **offsets)
        y.backward(rows(dout, TARGET))
        assert_close(y.data, rows(z.detach().numpy(), TARGET))
        for x, peer, lengths in zip(inputs, peers, (SOURCE, TARGET), strict=True):
            assert_close(x.grad, rows(peer.grad.numpy(), lengths), 2e-5)
    else:
        inputs = [nn.Tensor(x, requires_grad=True) for x in (src, tgt)]
        masks = {"src_key_padding_mask": padding(SOURCE), "memory_key_padding_mask": padding(SOURCE)}
        y = ours(*inputs, tgt_mask=mask.numpy(), **masks)
        y.backward(dout)
        assert_close(y.data, z.detach().numpy())
        for x, peer in zip(inputs, peers, strict=True):
            assert_close(x.grad, peer.grad.numpy(), 2e-5)
    compare_gradients(ours, theirs)


def test_time_first_and_all_masks():
    ours, theirs = both(batch_first=False)
    src, tgt = draw(9, 3, 16), draw(7, 3, 16, seed=1)
    rng = np.random.default_rng(2)
    masks = {
        "src_mask": np.triu(np.ones((9, 9), bool), 3),
        "tgt_mask": draw(7, 7, seed=3),
        "memory_mask": rng.random((7, 9)) < 0.3,
        "src_key_padding_mask": padding(SOURCE),
        "tgt_key_padding_mask": np.where(padding(TARGET), -np.inf, 0).astype(np.float32),
        "memory_key_padding_mask": padding([9, 9, 8]),
    }
    y = ours(src, tgt, **masks)
    z = theirs(*map(torch.from_numpy, (src, tgt)), **{name: torch.from_numpy(mask) for name, mask in masks.items()})
    assert_close(y.data, z.detach().numpy())


def test_encoder_and_decoder_alone():
    torch.manual_seed(0)
    their_layer = torch.nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True)
    theirs = torch.nn.TransformerEncoder(their_layer, 2)
    ours = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True), 2)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = draw(3, 9, 16)
    hidden = torch.from_numpy(padding(SOURCE))
    z = theirs(torch.from_numpy(x), src_key_padding_mask=hidden).detach().numpy()
    assert_close(rows(ours(x, src_key_padding_mask=padding(SOURCE)).data, SOURCE), rows(z, SOURCE))
    theirs = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(16, 4, 32, 0.0), 2, torch.nn.LayerNorm(16))
    ours = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 32, 0.0), 2, nn.LayerNorm(16))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x, memory = draw(9, 3, 16), draw(5, 3, 16, seed=1)
    z = theirs(torch.from_numpy(x), torch.from_numpy(memory)).detach().numpy()
    assert_close(ours(x, memory).data, z)


def test_training_side_by_side():
    ours, theirs = both()
    ours_optimizer = nn.optim.Adam(ours.parameters(), 1e-3, betas=(0.9, 0.98), eps=1e-9)
    optimizer = torch.optim.Adam(theirs.parameters(), 1e-3, betas=(0.9, 0.98), eps=1e-9)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(7)
    hidden = torch.from_numpy(padding(SOURCE))
    present = ~padding(TARGET)
    offsets = {"src_offsets": offsets_of(SOURCE), "tgt_offsets": offsets_of(TARGET)}
    losses = []
    for step in range(30):
        src, tgt, wanted = (draw(3, n, 16, seed=10 * (step % 4) + i) for i, n in enumerate((9, 7, 7)))
        found = ours(rows(src, SOURCE), rows(tgt, TARGET), tgt_is_causal=True, **offsets)
        loss = ((found - rows(wanted, TARGET)) ** 2).mean()
        ours.zero_grad()
        loss.backward()
        ours_optimizer.step()
        z = theirs(
            torch.from_numpy(src),
            torch.from_numpy(tgt),
            tgt_mask=mask,
            src_key_padding_mask=hidden,
            memory_key_padding_mask=hidden,
        )
        their_loss = ((z - torch.from_numpy(wanted))[torch.from_numpy(present)] ** 2).mean()
        optimizer.zero_grad()
        their_loss.backward()
        optimizer.step()
        losses.append((loss.item(), their_loss.item()))
    losses = np.array(losses)
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], atol=1e-4)
    assert losses[-1, 0] < losses[0, 0] * 0.8
