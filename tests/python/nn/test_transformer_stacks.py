"""TransformerEncoder, TransformerDecoder, Transformer: packed beside padded, frozen numbers, copies, bad input."""

from itertools import pairwise

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import functional as F
from twins.nn import assert_close

SOURCE, TARGET = [5, 1, 9, 0, 3], [4, 2, 1, 0, 6]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


def padded(rows, lengths):
    out = np.zeros((len(lengths), max(lengths), rows.shape[1]), np.float32)
    for b, (begin, end) in enumerate(pairwise(offsets_of(lengths))):
        out[b, : end - begin] = rows[begin:end]
    return out


def packed(values, lengths):
    return np.concatenate([values[b, :n] for b, n in enumerate(lengths)])


def padding(lengths):
    return np.arange(max(lengths)) >= np.array(lengths)[:, None]


def transformer(**options):
    nn.manual_seed(0)
    return nn.Transformer(16, 4, 2, 2, 32, **{"dropout": 0.0, "batch_first": True, **options})


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("rotary", [False, True])
def test_packed_is_padded(norm_first, rotary):
    model = transformer(norm_first=norm_first, rotary=rotary)
    src, tgt = draw(sum(SOURCE), 16), draw(sum(TARGET), 16, seed=1)
    dout = draw(sum(TARGET), 16, seed=2)
    offsets = {"src_offsets": offsets_of(SOURCE), "tgt_offsets": offsets_of(TARGET)}
    x = nn.Tensor(src, requires_grad=True)
    out = model(x, tgt, tgt_is_causal=True, **offsets)
    out.backward(dout)
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    wide = nn.Tensor(padded(src, SOURCE), requires_grad=True)
    masks = {
        "src_key_padding_mask": padding(SOURCE),
        "memory_key_padding_mask": padding(SOURCE),
        "tgt_key_padding_mask": padding(TARGET),
    }
    wanted = model(wide, padded(tgt, TARGET), tgt_is_causal=True, **masks)
    wanted.backward(padded(dout, TARGET))
    np.testing.assert_array_equal(out.data, packed(wanted.data, TARGET))
    assert_close(x.grad, packed(wide.grad, SOURCE))
    for got, parameter in zip(gradients, model.parameters(), strict=True):
        assert_close(got, parameter.grad, 2e-5)


# of PyTorch 2.13 with these weights: an output row, the gradient of a row of src, that of a row of a weight
FROZEN = {
    False: [
        [0.3480074, 0.7189243, -0.6982626, -0.1448793, 0.0241326, 2.5223982, 0.7216021, -0.1345264],
        [-0.0054112, -0.0066202, -0.0125218, 0.0160706, -0.0050424, -0.0333506, -0.0177879, 0.0456595],
        [0.0030934, 0.0274529, -0.0166504, -0.0628746, -0.0021107, 0.0134366, 0.107386, -0.0163689],
    ],
    True: [
        [1.1169454, 0.5313197, -1.945017, 0.821843, 0.1901438, 1.139226, 0.9652923, -0.0359627],
        [0.3142773, -0.0710247, 0.0107335, 0.2897864, -0.6251668, -0.2613957, 0.5623406, -0.2195506],
        [-0.3460652, 0.3900408, 0.0751474, -0.0945562, 0.0541535, -0.3675672, -0.0749675, 0.0516326],
    ],
}


@pytest.mark.parametrize("rows", ["padded", "packed"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_frozen_numbers(norm_first, rows):
    model = nn.Transformer(8, 2, 2, 2, 16, 0.0, "gelu", batch_first=True, norm_first=norm_first)
    with nn.no_grad():
        for i, (name, parameter) in enumerate(model.named_parameters()):
            is_scale = "norm" in name and "weight" in name
            parameter.copy_(draw(*parameter.shape, seed=i) * np.float32(0.4) + np.float32(is_scale))
    src, tgt, dout = draw(2, 5, 8), draw(2, 3, 8, seed=1), draw(2, 3, 8, seed=2)
    if rows == "padded":
        x = nn.Tensor(src, requires_grad=True)
        masks = {"src_key_padding_mask": padding([5, 2]), "memory_key_padding_mask": padding([5, 2])}
        out = model(x, tgt, tgt_mask=model.generate_square_subsequent_mask(3), **masks)
        out.backward(dout)
        row, gradient = out.data[1, 2], x.grad[1, 0]
    else:
        x = nn.Tensor(packed(src, [5, 2]), requires_grad=True)
        offsets = {"src_offsets": [0, 5, 7], "tgt_offsets": [0, 3, 6]}
        out = model(x, tgt.reshape(6, 8), tgt_is_causal=True, **offsets)
        out.backward(dout.reshape(6, 8))
        row, gradient = out.data[5], x.grad[5]
    weight = model.decoder.layers[0].multihead_attn.in_proj_weight
    for got, wanted in zip((row, gradient, weight.grad[20]), FROZEN[norm_first], strict=True):
        assert_close(got, wanted)


def test_a_sequence_has_the_same_bits_in_any_batch():
    model = transformer().eval()
    src, tgt = draw(sum(SOURCE), 16), draw(sum(TARGET), 16, seed=1)
    sources, targets = offsets_of(SOURCE), offsets_of(TARGET)
    together = model(src, tgt, tgt_is_causal=True, src_offsets=sources, tgt_offsets=targets).data
    for b in range(len(SOURCE)):
        here = slice(targets[b], targets[b + 1])
        alone = model(
            src[sources[b] : sources[b + 1]],
            tgt[here],
            tgt_is_causal=True,
            src_offsets=[0, SOURCE[b]],
            tgt_offsets=[0, TARGET[b]],
        )
        np.testing.assert_array_equal(alone.data, together[here])


def test_stacks_are_their_layers():
    nn.manual_seed(0)
    layer = nn.TransformerDecoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    stack = nn.TransformerDecoder(layer, 3, nn.LayerNorm(16))
    assert [name for name, _ in stack.named_parameters()][:1] == ["layers.0.self_attn.in_proj_weight"]
    assert "norm.weight" in stack.state_dict()
    for copied in stack.layers:
        assert copied is not layer
        np.testing.assert_array_equal(copied.linear1.weight.data, layer.linear1.weight.data)
    x, memory = draw(2, 5, 16), draw(2, 7, 16, seed=1)
    y = nn.Tensor(x)
    for copied in stack.layers:
        y = copied(y, memory, tgt_is_causal=True)
    np.testing.assert_array_equal(stack(x, memory, tgt_is_causal=True).data, stack.norm(y).data)


def test_activation_may_be_a_function():
    layers = []
    for activation in ("gelu", F.gelu):
        nn.manual_seed(0)
        layers.append(nn.TransformerEncoderLayer(16, 4, 32, 0.0, activation, batch_first=True))
    x = draw(2, 5, 16)
    assert_close(layers[0](x).data, layers[1](x).data, 1e-6)


def test_custom_parts_and_initial_values():
    class Twice(nn.Module):
        def forward(self, src, mask, padding, is_causal):
            assert mask is padding is None
            assert not is_causal
            return src * 2

    model = transformer(custom_encoder=Twice())
    src, tgt = draw(2, 5, 16), draw(2, 4, 16, seed=1)
    np.testing.assert_array_equal(model(src, tgt).data, model.decoder(tgt, src * 2).data)
    model = transformer()
    first, second = (layer.linear1.weight.data for layer in model.encoder.layers)
    assert (first != second).any()
    bound = np.sqrt(6 / (16 + 32))
    assert bound * 0.97 < np.abs(first).max() <= bound


def test_subsequent_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(np.isneginf(mask), np.triu(np.ones((4, 4), bool), 1))
    model, x, y = transformer(), draw(2, 5, 16), draw(2, 4, 16, seed=1)
    np.testing.assert_array_equal(model(x, y, tgt_mask=mask).data, model(x, y, tgt_is_causal=True).data)


def test_bad_input():
    model, src, tgt = transformer(), draw(9, 16), draw(4, 16)
    with pytest.raises(ValueError, match="offsets and memory_offsets go together"):
        model(src, tgt, src_offsets=[0, 9])
    with pytest.raises(ValueError, match="offsets of src must end with the number of rows, 9, got 8"):
        model(src, tgt, src_offsets=[0, 8], tgt_offsets=[0, 4])
    with pytest.raises(ValueError, match="offsets of tgt must rise"):
        model(src, tgt, src_offsets=[0, 5, 9], tgt_offsets=[0, 5, 4])
    with pytest.raises(nn.ShapeError, match="offsets of 1 sequences and key_offsets of 2"):
        model(src, tgt, src_offsets=[0, 5, 9], tgt_offsets=[0, 4])
    with pytest.raises(nn.ShapeError, match=r"src with offsets must have shape \(rows, d_model\), got \(1, 9, 16\)"):
        model(src[None], tgt, src_offsets=[0, 9], tgt_offsets=[0, 4])
    with pytest.raises(ValueError, match="neither a mask nor lengths"):
        model(src, tgt, np.zeros((9, 9), bool), src_offsets=[0, 9], tgt_offsets=[0, 4])
    with pytest.raises(nn.ShapeError, match="do not go together"):
        model(draw(2, 5, 16), draw(3, 4, 16))
    with pytest.raises(ValueError, match="num_layers of TransformerEncoder must be at least 1, got 0"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4), 0)
