"""Transformer layers beside PyTorch: values and all gradients, with its weights."""

import numpy as np
import pytest

from mlcore import nn
from twins.nn import assert_close

pytestmark = pytest.mark.peers
torch = pytest.importorskip("torch")


def both(name, **options):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(32, 4, 64, **{"dropout": 0.0, "batch_first": True, **options})
    ours = getattr(nn, name)(32, 4, 64, **{"dropout": 0.0, "batch_first": True, **options})
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return ours, theirs


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def compare(ours, theirs, arrays, options, peer_options):
    inputs = [nn.Tensor(a, requires_grad=True) for a in arrays]
    peers = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, z = ours(*inputs, **options), theirs(*peers, **peer_options)
    assert_close(y.data, z.detach().numpy())
    g = values(*y.shape, seed=9)
    y.backward(g)
    z.backward(torch.from_numpy(g))
    for a, b in zip(inputs, peers, strict=True):
        assert_close(a.grad, b.grad.numpy())
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        assert_close(p.grad, q.grad.numpy(), 2e-5)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_encoder_layer(norm_first, activation, batch_first):
    ours, theirs = both(
        "TransformerEncoderLayer", norm_first=norm_first, activation=activation, batch_first=batch_first
    )
    compare(ours, theirs, [values(3, 9, 32)], {}, {})


def test_encoder_layer_with_masks():
    ours, theirs = both("TransformerEncoderLayer")
    padding = np.arange(9) >= np.array([[9], [6], [2]])
    mask = np.triu(np.ones((9, 9), bool), 1)
    options = {"src_mask": mask, "src_key_padding_mask": padding}
    compare(ours, theirs, [values(3, 9, 32)], options, {k: torch.from_numpy(v) for k, v in options.items()})
    ours.zero_grad()
    theirs.zero_grad()
    compare(ours, theirs, [values(3, 9, 32)], {"is_causal": True}, {"src_mask": torch.from_numpy(mask)})


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_layer(norm_first):
    ours, theirs = both("TransformerDecoderLayer", norm_first=norm_first)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(9)
    arrays = [values(3, 9, 32), values(3, 5, 32, seed=1)]
    compare(ours, theirs, arrays, {"tgt_is_causal": True}, {"tgt_mask": mask})
