"""MultiheadAttention and positions: beside the formulas, masks, bad input."""

import numpy as np
import pytest

from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional._attention import scaled_dot_product_attention
from mlcore.nn.functional._linear import linear
from mlcore.nn.functional._position import rotary_embedding, sinusoids
from mlcore.nn.layers._attention import MultiheadAttention
from mlcore.nn.layers._position import PositionalEncoding
from mlcore.nn.tensor import ShapeError, Tensor, no_grad
from twins.nn import assert_close
from twins.nn import attention as twin


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def layer(**options):
    manual_seed(0)
    made = MultiheadAttention(24, 3, batch_first=True, **options)
    with no_grad():
        for parameter in made.parameters():
            parameter.copy_(normal(*parameter.shape) / 4)
    return made


def expected(made, q, k, v, bias=0.0):
    """Output and weights (B, H, Tq, Tk), in float64."""
    state = {name: x.astype(np.float64) for name, x in made.state_dict().items()}
    if "in_proj_weight" in state:
        parts = np.split(state["in_proj_weight"], 3)
    else:
        parts = [state[f"{x}_proj_weight"] for x in "qkv"]
    biases = np.split(state.get("in_proj_bias", np.zeros(72)), 3)

    def heads(x, w, b):
        y = x @ w.T + b
        return y.reshape(*y.shape[:2], 3, 8).transpose(0, 2, 1, 3)

    q, k, v = (heads(*three) for three in zip((q, k, v), parts, biases, strict=True))
    found = twin.attention(q, k, v, bias).transpose(0, 2, 1, 3).reshape(*q.shape[::2], 24)
    return found @ state["out_proj.weight"].T + state.get("out_proj.bias", 0), twin.weights(q, k, bias)


@pytest.mark.parametrize("bias", [True, False])
def test_self_attention_against_the_formula(bias):
    x = normal(2, 20, 24)
    made = layer(bias=bias)
    out, weights = made(x, x, x, need_weights=True, average_attn_weights=False)
    wanted = expected(made, x, x, x)
    assert_close(out.data, wanted[0])
    assert_close(weights.data, wanted[1])
    assert made(x, x, x)[1] is None
    assert_close(made(x, x, x, need_weights=True)[1].data, wanted[1].mean(axis=1))
    assert_close(made(x[0], x[0], x[0])[0].data, wanted[0][0])


def test_cross_attention_other_sizes_and_axes():
    q, k, v = normal(2, 5, 24), normal(2, 9, 24), normal(2, 9, 24, seed=1)
    made = layer()
    for key, value in ((k, v), (k, k), (q, q)):
        assert_close(made(q, key, value)[0].data, expected(made, q, key, value)[0])
    out = made(q, k, v)[0].data
    made.batch_first = False
    np.testing.assert_array_equal(made(*(x.swapaxes(0, 1) for x in (q, k, v)))[0].data.swapaxes(0, 1), out)
    x = Tensor(q.swapaxes(0, 1).copy())
    assert_close(made(x, x, x)[0].data.swapaxes(0, 1), expected(made, q, q, q)[0])
    made = layer(kdim=7, vdim=11)
    k, v = normal(2, 9, 7), normal(2, 9, 11)
    assert_close(made(q, k, v)[0].data, expected(made, q, k, v)[0])
    names = ["q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    assert list(made.state_dict()) == names


def test_one_fused_projection_has_the_gradients_of_three():
    made, values = layer(), normal(2, 40, 24)
    dout = normal(2, 40, 24, seed=1)
    results = []
    for fused in (True, False):
        made.zero_grad()
        x = Tensor(values, requires_grad=True)
        inputs = (x, x, x) if fused else [Tensor(values, requires_grad=True) for _ in range(3)]
        made(*inputs, is_causal=True)[0].backward(dout)
        gradient = x.grad if fused else sum(t.grad for t in inputs)
        results.append([gradient, *(p.grad for p in made.parameters())])
    for a, b in zip(*results, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("batch_first", [False, True])
def test_rotary_positions(batch_first):
    made, x = layer(rotary=True), normal(2, 9, 24)
    plain = layer()
    dout = normal(2, 9, 24, seed=1)
    values = [x, dout] if batch_first else [a.swapaxes(0, 1).copy() for a in (x, dout)]
    made.batch_first = batch_first
    ours = Tensor(values[0], requires_grad=True)
    out = made(ours, ours, ours, is_causal=True)[0]
    out.backward(values[1])

    theirs = Tensor(x, requires_grad=True)
    q, k, v = (
        linear(theirs, plain.in_proj_weight[i : i + 24], plain.in_proj_bias[i : i + 24])
        .reshape(2, 9, 3, 8)
        .transpose(1, 2)
        for i in (0, 24, 48)
    )
    found = scaled_dot_product_attention(rotary_embedding(q), rotary_embedding(k), v, is_causal=True)
    wanted = plain.out_proj(found.transpose(1, 2).reshape(2, 9, 24))
    wanted.backward(dout)
    assert_close(out.data if batch_first else out.data.swapaxes(0, 1), wanted.data)
    assert_close(ours.grad if batch_first else ours.grad.swapaxes(0, 1), theirs.grad)
    for a, b in zip(made.parameters(), plain.parameters(), strict=True):
        assert_close(a.grad, b.grad)
    with pytest.raises(ValueError, match="heads have 3"):
        MultiheadAttention(9, 3, rotary=True)


def test_masks():
    x, made = normal(3, 12, 24), layer()
    rng = np.random.default_rng(0)
    lengths = np.array([12, 5, 1])
    ends = np.arange(12) >= lengths[:, None]
    holes = rng.random((3, 12)) < 0.3
    square = rng.random((12, 12)) < 0.3
    cube = rng.random((9, 12, 12)) < 0.3
    added = normal(12, 12)

    def bias(mask):
        return np.where(mask, -np.inf, 0)

    later = np.triu(np.ones((12, 12), bool), 1)
    cases = [
        ({"key_padding_mask": ends}, bias(ends)[:, None, None]),
        ({"lengths": lengths}, bias(ends)[:, None, None]),
        ({"key_padding_mask": holes}, bias(holes)[:, None, None]),
        ({"key_padding_mask": holes, "lengths": lengths}, bias(holes | ends)[:, None, None]),
        ({"attn_mask": square}, bias(square)),
        ({"attn_mask": added}, added),
        ({"attn_mask": cube}, bias(cube).reshape(3, 3, 12, 12)),
        ({"attn_mask": square, "key_padding_mask": holes}, bias(square | holes[:, None, None])),
        ({"attn_mask": added, "key_padding_mask": holes}, added + bias(holes)[:, None, None]),
        (
            {"attn_mask": square, "is_causal": True, "key_padding_mask": ends},
            bias(square | later | ends[:, None, None]),
        ),
    ]
    for options, wanted in cases:
        assert_close(made(x, x, x, **options)[0].data, expected(made, x, x, x, wanted)[0])


def test_dropout_only_while_training():
    made, x = layer(dropout=0.5), normal(2, 12, 24)
    assert (made(x, x, x)[0].data != made(x, x, x)[0].data).any()
    made.eval()
    assert_close(made(x, x, x)[0].data, expected(made, x, x, x)[0])


def test_same_bits_for_any_number_of_threads():
    values, dout = normal(4, 100, 24), normal(4, 100, 24, seed=1)
    results = []
    for n in (1, 2, 3):
        with threads(n):
            made, x = layer(dropout=0.1), Tensor(values, requires_grad=True)
            made(x, x, x, is_causal=True)[0].backward(dout)
            results.append([x.grad, *(p.grad for p in made.parameters())])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_initial_values():
    manual_seed(0)
    made = MultiheadAttention(64, 4)
    bound = np.sqrt(6 / (4 * 64))
    weight = made.in_proj_weight.data
    assert bound * 0.99 < np.abs(weight).max() <= bound
    assert not made.in_proj_bias.data.any()
    assert not made.out_proj.bias.data.any()
    assert repr(made) == "MultiheadAttention(64, 4, dropout=0.0, batch_first=False)"


def test_bad_input():
    made, x = layer(), normal(2, 5, 24)
    with pytest.raises(ShapeError, match=r"MultiheadAttention\(24.*\(2, 5, 20\)"):
        made(x[..., :20], x, x)
    with pytest.raises(ShapeError, match="do not go together"):
        made(x, x[:1], x[:1])
    with pytest.raises(ShapeError, match="do not go together"):
        made(x, x, x[:, :4])
    with pytest.raises(ShapeError, match=r"key_padding_mask of shape \(2, 4\)"):
        made(x, x, x, key_padding_mask=np.zeros((2, 4), bool))
    with pytest.raises(ShapeError, match=r"attn_mask of shape \(5,\)"):
        made(x, x, x, attn_mask=np.zeros(5, bool))
    with pytest.raises(TypeError, match="attn_mask must be bool"):
        made(x, x, x, attn_mask=np.zeros((5, 5), np.int64))
    for arguments in ((24, 5), (24, 0), (0, 1)):
        with pytest.raises(ValueError, match="is not a multiple"):
            MultiheadAttention(*arguments)
    with pytest.raises(ValueError, match="dropout"):
        MultiheadAttention(24, 3, dropout=1.0)


def test_sinusoids_are_added():
    table = sinusoids(50, 7)
    for t, i in ((0, 0), (3, 0), (49, 6), (20, 4)):
        assert abs(table[t, i] - np.sin(t / 10000 ** (i / 7))) < 1e-6
        if i + 1 < 7:
            assert abs(table[t, i + 1] - np.cos(t / 10000 ** (i / 7))) < 1e-6
    x = normal(2, 10, 7)
    encoding = PositionalEncoding(7, 50)
    np.testing.assert_array_equal(encoding(x).data, x + table[:10])
    np.testing.assert_array_equal(encoding(x, offset=40).data, x + table[40:])
    np.testing.assert_array_equal(encoding(x[0]).data, x[0] + table[:10])
    time_first = PositionalEncoding(7, 50, batch_first=False)
    np.testing.assert_array_equal(time_first(x.swapaxes(0, 1)).data.swapaxes(0, 1), x + table[:10])
    assert not encoding.state_dict()
    with pytest.raises(ShapeError, match=r"\[0, 50\)"):
        encoding(x, offset=41)
    with pytest.raises(ShapeError, match="7 entries"):
        encoding(x[..., :6])


def test_learned_positions():
    encoding = PositionalEncoding(6, 20, "learned")
    x = Tensor(normal(3, 8, 6), requires_grad=True)
    dout = normal(3, 8, 6, seed=1)
    encoding(x, offset=2).backward(dout)
    np.testing.assert_array_equal(x.grad, dout)
    wanted = np.zeros((20, 6), np.float32)
    wanted[2:10] = dout.sum(axis=0)
    assert_close(encoding.weight.grad, wanted)


def test_rotations():
    x = normal(2, 3, 9, 8)
    angles = np.outer(np.arange(9), 10000.0 ** (-np.arange(4) / 4))
    turned = (x[..., :4] + 1j * x[..., 4:]) * np.exp(1j * angles)
    got = rotary_embedding(x).data
    assert_close(got, np.concatenate([turned.real, turned.imag], axis=-1))
    assert_close(rotary_embedding(x, np.arange(5, 14)).data, PositionalEncoding(8, kind="rotary")(x, offset=5).data)
    # an inner product sees the distance alone
    q, k = (np.broadcast_to(normal(8, seed=i), (9, 8)) for i in (0, 1))
    products = rotary_embedding(q).data @ rotary_embedding(k).data.T
    assert_close(products[2:, 2:], products[:-2, :-2])
    t, dout = Tensor(x, requires_grad=True), normal(2, 3, 9, 8, seed=1)
    rotary_embedding(t).backward(dout)
    assert_close((t.grad * x).sum(), (dout * got).sum())
    assert_close(np.linalg.norm(t.grad), np.linalg.norm(dout))
    with pytest.raises(ShapeError, match="even D"):
        rotary_embedding(x[..., :7])
    with pytest.raises(ShapeError, match="positions"):
        rotary_embedding(x, np.arange(8))
    with pytest.raises(ValueError, match="d_model is 7"):
        PositionalEncoding(7, kind="rotary")
    with pytest.raises(ValueError, match="kind must be"):
        PositionalEncoding(8, kind="none")
