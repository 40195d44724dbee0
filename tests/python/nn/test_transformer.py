"""Transformer layers: what follows from their definition without another library."""

import numpy as np
import pytest

from mlcore import nn
from twins.nn import assert_close


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def encoder(**options):
    nn.manual_seed(0)
    return nn.TransformerEncoderLayer(16, 4, 32, **{"dropout": 0.0, "batch_first": True, **options})


def decoder(**options):
    nn.manual_seed(0)
    return nn.TransformerDecoderLayer(16, 4, 32, **{"dropout": 0.0, "batch_first": True, **options})


@pytest.mark.parametrize("norm_first", [False, True])
def test_causal_positions_do_not_see_later_ones(norm_first):
    layer, x = encoder(norm_first=norm_first), values(2, 7, 16)
    before = layer(x, is_causal=True).data
    x[:, 5:] += 1
    after = layer(x, is_causal=True).data
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).min() > 0


def test_padding_is_not_seen():
    layer, x = encoder(), values(2, 7, 16)
    padding = np.arange(7) >= np.array([[7], [4]])
    before = layer(x, src_key_padding_mask=padding).data
    x[1, 4:] = 9
    after = layer(x, src_key_padding_mask=padding).data
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1, :4], after[1, :4])


def test_time_first():
    x, memory = values(2, 5, 16), values(2, 3, 16, seed=1)
    swapped = decoder(batch_first=False)(x.swapaxes(0, 1), memory.swapaxes(0, 1)).data
    assert_close(swapped.swapaxes(0, 1), decoder()(x, memory).data)


def test_dropout_is_for_training_alone():
    layer, x = encoder(dropout=0.5), values(2, 5, 16)
    assert not np.array_equal(layer(x).data, layer(x).data)
    layer.eval()
    np.testing.assert_array_equal(layer(x).data, layer(x).data)
    nn.manual_seed(4)
    layer.train()
    first = layer(x).data
    nn.manual_seed(4)
    np.testing.assert_array_equal(layer(x).data, first)


def test_memory_gets_a_gradient():
    layer, memory = decoder(), nn.Tensor(values(2, 3, 16), requires_grad=True)
    layer(values(2, 5, 16), memory).sum().backward()
    assert memory.grad.shape == memory.shape
    assert np.isfinite(memory.grad).all()
    assert all(p.grad is not None for p in layer.parameters())


def test_same_bits_for_any_number_of_threads():
    results = []
    for n in (1, 2, 3):
        with nn.threads(n):
            nn.manual_seed(0)
            layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
            layer(values(8, 40, 64), is_causal=True).sum().backward()
            results.append([p.grad for p in layer.parameters()])
    for others in zip(*results, strict=True):
        for other in others[1:]:
            np.testing.assert_array_equal(other, others[0])


def test_errors_name_the_layer():
    with pytest.raises(nn.ShapeError, match=r"\(2, 5, 15\)"):
        encoder()(values(2, 5, 15))
    with pytest.raises(ValueError, match="16 is not a multiple of num_heads 3"):
        nn.TransformerEncoderLayer(16, 3)
