"""Additive attention and kernel regression: gradients, kernels beside their twins, masks, bad input, layers."""

import numpy as np
import pytest

from mlcore._native import core
from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional._pair_attention import additive_attention, dot_attention, kernel_regression
from mlcore.nn.layers._pair_attention import AdditiveAttention, NadarayaWatson
from mlcore.nn.tensor import ShapeError, Tensor
from twins.nn import assert_close, finite_difference_check
from twins.nn import attention as twin

KINDS = {
    "additive": (additive_attention, twin.additive_attention, twin.additive_attention_backward),
    "distance": (kernel_regression, twin.kernel_regression, twin.kernel_regression_backward),
}
everyone = pytest.mark.parametrize("kind", KINDS)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def case(kind, n_queries, n_keys, features, value_depth, lead=(3,)):
    """Queries, keys, values, what is learned, and the gradient by the output."""
    shapes = [(n_queries, features), (n_keys, features), (n_keys, value_depth)]
    learned = normal(features) if kind == "additive" else np.array([0.7], np.float32)
    inputs = [normal(*lead, *shape, seed=i) for i, shape in enumerate(shapes)]
    return [*inputs, learned, normal(*lead, n_queries, value_depth, seed=9)]


def run(kind, *arrays, **options):
    *inputs, dout = arrays
    inputs = [x if isinstance(x, Tensor) else Tensor(x, requires_grad=True) for x in inputs]
    out = KINDS[kind][0](*inputs, **options)
    out.backward(dout)
    return [out.data, *(x.grad for x in inputs)]


def expected(kind, *arrays, bias=0.0):
    *inputs, dout = (x.astype(np.float64) for x in arrays)
    return [KINDS[kind][1](*inputs, bias), *KINDS[kind][2](dout, *inputs, bias)]


@everyone
def test_gradient_of_the_twin(kind):
    q, k, v, learned, _ = (x.astype(np.float64) for x in case(kind, 4, 5, 3, 2))
    bias = np.random.default_rng(0).normal(size=(3, 4, 5))
    finite_difference_check(*KINDS[kind][1:], [q, k, v, learned, bias])


@everyone
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 15, 2, 1), (17, 16, 5, 3), (5, 65, 33, 17), (70, 130, 8, 1)])
def test_against_the_twin(kind, shape):
    arrays = case(kind, *shape)
    for a, b in zip(run(kind, *arrays), expected(kind, *arrays), strict=False):
        assert_close(a, b)


@everyone
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_masks_and_lengths(kind, lead):
    arrays = case(kind, 7, 40, 4, 3, lead)
    n_batch = int(np.prod(lead))
    mask = Tensor(normal(7, 40), requires_grad=True)
    lengths = np.array([13, 40, 0, 1, 39, 20])[:n_batch]
    hidden = np.where(np.arange(40) >= lengths.reshape(*lead, 1, 1), -np.inf, 0)
    got = run(kind, *arrays[:-1], mask, arrays[-1], lengths=lengths)
    wanted = expected(kind, *arrays, bias=mask.data + hidden)
    wanted[-1] = wanted[-1].reshape(-1, 7, 40).sum(axis=0)
    for a, b in zip(got, wanted, strict=True):
        assert_close(a, b)
    seen = np.random.default_rng(0).random((*lead, 7, 40)) < 0.5
    seen[..., 2, :] = False
    out, weights = KINDS[kind][0](*arrays[:-1], seen, need_weights=True)
    assert_close(out.data, expected(kind, *arrays, bias=np.where(seen, 0, -np.inf))[0])
    assert (out.data[..., 2, :] == 0).all()
    assert (weights.data[~seen] == 0).all()
    assert_close(np.delete(weights.data.sum(axis=-1), 2, -1), np.ones((*lead, 6)))


@everyone
def test_same_bits_for_any_number_of_threads(kind):
    arrays = case(kind, 100, 150, 40, 9)
    results = []
    for n in (1, 2, 3):
        with threads(n):
            results.append(run(kind, *arrays))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_without_a_kernel_it_is_the_plain_average():
    q, k, v, _, _ = case("distance", 5, 9, 1, 2)
    assert_close(kernel_regression(q, k, v).data, np.broadcast_to(v.mean(axis=1, keepdims=True), (3, 5, 2)))
    out = NadarayaWatson("average")(q, k, v, lengths=[9, 4, 1])
    assert_close(out.data[1], np.broadcast_to(v[1, :4].mean(axis=0), (5, 2)))
    assert_close(
        kernel_regression(q, k, v, 1e3).data, v[np.arange(3)[:, None], np.abs(q - k[..., 0][:, None]).argmin(2)]
    )


def test_learned_width_fits_a_curve():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 5, (50, 1)), axis=0).astype(np.float32)
    y = (2 * np.sin(x) + x**0.8 + rng.normal(0, 0.2, x.shape)).astype(np.float32)
    others = ~np.eye(50, dtype=bool)
    layer = NadarayaWatson()
    losses = []
    for _ in range(60):
        out = layer(x, x, y, others)
        residual = out.data - y
        losses.append(np.mean(residual**2))
        layer.zero_grad()
        out.backward((2 / len(y)) * residual)
        layer.width.data -= 10 * layer.width.grad
    assert losses[-1] < 0.5 * losses[0]
    assert layer.width.data[0] > 2
    assert list(layer.state_dict()) == list(NadarayaWatson("gaussian", 2.0).state_dict()) == ["width"]
    assert repr(layer) == "NadarayaWatson('learned')"


def test_layer_of_additive_attention():
    manual_seed(0)
    layer = AdditiveAttention(6, 5, 8)
    assert {name: p.shape for name, p in layer.named_parameters()} == {
        "weight": (8,),
        "query_proj.weight": (8, 6),
        "key_proj.weight": (8, 5),
    }
    q, k, v = normal(2, 3, 6), normal(2, 7, 5), normal(2, 7, 4)
    out, weights = layer(q, k, v, lengths=[7, 2], need_weights=True)
    assert out.shape == (2, 3, 4)
    assert (weights.data[1, :, 2:] == 0).all()
    projected = [x @ p.weight.data.T for x, p in ((q, layer.query_proj), (k, layer.key_proj))]
    bias = np.where(np.arange(7) >= np.array([7, 2]).reshape(-1, 1, 1), -np.inf, 0)
    assert_close(out.data, twin.additive_attention(*projected, v, layer.weight.data, bias))
    with pytest.raises(ShapeError, match="Linear"):
        layer(k, k, v)


@everyone
def test_bad_input(kind):
    attend = KINDS[kind][0]
    q, k, v, learned, _ = case(kind, 4, 6, 3, 2)
    with pytest.raises(ShapeError, match="do not go together"):
        attend(q, k[..., :2], v, learned)
    with pytest.raises(ShapeError, match=r"weight of shape|width must be one"):
        attend(q, k, v, normal(2))
    with pytest.raises(TypeError, match="float64"):
        attend(q, k, v.astype(np.float64), learned)
    if kind == "additive":
        with pytest.raises(TypeError, match="a Tensor holds float32"):
            attend(q, k, v, None)
    with pytest.raises(ShapeError, match="attn_mask"):
        attend(q, k, v, learned, np.ones((4, 5), bool))
    with pytest.raises(ValueError, match=r"\[0, 6\]"):
        attend(q, k, v, learned, lengths=[0, 1, 7])
    with pytest.raises(ValueError, match="kernel must be"):
        NadarayaWatson("box")
    with pytest.raises(ValueError, match="width must be finite"):
        NadarayaWatson(width=float("nan"))


QUERIES, KEYS = [0, 3, 3, 20, 21], [0, 5, 6, 6, 40]  # a sequence without queries, one without keys


def packed_case(features=37, depth=9):
    q, k, v = normal(21, features), normal(40, features, seed=1), normal(40, depth, seed=2)
    return [q, k, v, normal(features, seed=3), normal(21, depth, seed=4)]


def run_packed(score, q, k, v, w, dout, offsets, key_offsets):
    inputs = [Tensor(x, requires_grad=True) for x in (q, k, v, w)]
    called = inputs if score == "additive" else inputs[:3]
    attend = additive_attention if score == "additive" else dot_attention
    out, weights = attend(*called, offsets=offsets, key_offsets=key_offsets, need_weights=True)
    out.backward(dout)
    return [out.data, *(x.grad for x in called)], weights


@pytest.mark.parametrize("score", ["additive", "dot"])
def test_packed_sequences(score):
    q, k, v, w, dout = packed_case()
    got, weights = run_packed(score, q, k, v, w, dout, QUERIES, KEYS)
    dw = np.zeros(len(w))
    for b in range(4):
        of_q, of_k = slice(*QUERIES[b : b + 2]), slice(*KEYS[b : b + 2])
        wide = [x.astype(np.float64) for x in (q[of_q], k[of_k], v[of_k])]
        d = dout[of_q].astype(np.float64)
        assert weights[b].shape == (len(wide[0]), len(wide[1]))
        if not weights[b].size:  # nobody is seen
            assert not got[0][of_q].any()
            assert not any(x[part].any() for x, part in zip(got[1:4], (of_q, of_k, of_k), strict=True))
            continue
        assert_close(weights[b].sum(axis=1), np.ones(len(wide[0])))
        if score == "additive":
            expected = [twin.additive_attention(*wide, w.astype(float))]
            *more, part, _ = twin.additive_attention_backward(d, *wide, w.astype(float))
            dw += part
        else:
            expected = [twin.attention(*wide, scale=1)]
            more = twin.attention_backward(d, *wide, scale=1)[:3]
        for ours, part, theirs in zip(got, (of_q, of_q, of_k, of_k), [*expected, *more], strict=False):
            assert_close(ours[part], theirs)
        alone, _ = run_packed(score, q[of_q], k[of_k], v[of_k], w, dout[of_q], [0, len(d)], [0, len(wide[1])])
        for ours, part, other in zip(got, (of_q, of_q, of_k, of_k), alone, strict=False):
            assert np.array_equal(ours[part], other)
    if score == "additive":
        assert_close(got[4], dw)


@pytest.mark.parametrize("score", ["additive", "dot"])
def test_packed_sequences_have_the_same_bits_for_any_number_of_threads(score):
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 70, (2, 30))
    offsets = [np.concatenate([[0], np.cumsum(n)]) for n in lengths]
    q, k, v = normal(offsets[0][-1], 64), normal(offsets[1][-1], 64, seed=1), normal(offsets[1][-1], 20, seed=2)
    results = []
    for n in (1, 2, 3):
        with threads(n):
            results.append(run_packed(score, q, k, v, normal(64), normal(len(q), 20), *offsets)[0])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_packed_sequences_that_are_none():
    q, k, v, w, _ = packed_case()
    for options, error, message in (
        ({"offsets": [0, 21], "key_offsets": [0, 5, 40]}, ShapeError, "1 sequences and key_offsets of 2"),
        ({"offsets": [0, 20], "key_offsets": [0, 40]}, ValueError, "offsets must end"),
        ({"offsets": [0, 21], "key_offsets": [0, 41]}, ValueError, "key_offsets must end"),
        ({"offsets": [0, 22, 21], "key_offsets": [0, 1, 40]}, ValueError, "rise"),
        ({"offsets": [0.0, 21.0], "key_offsets": [0, 40]}, TypeError, "integers"),
        ({"key_offsets": [0, 40]}, ValueError, "need offsets"),
        ({"offsets": [0, 21], "key_offsets": [0, 40], "lengths": [3]}, ValueError, "no lengths"),
    ):
        with pytest.raises(error, match=message):
            additive_attention(q, k, v, w, **options)
    with pytest.raises(ShapeError, match="with offsets"):
        dot_attention(q, k[:, 1:], v, offsets=[0, 21], key_offsets=[0, 40])
    ends = [np.array(x, np.int64) for x in ([0, 21], [0, 40])]
    call = core.nn.pair_attention
    for wrong in ([0, 20], [0, 30, 21], [1, 21], [], [0, -1, 21]):
        with pytest.raises(ValueError, match=r"offsets(\[0\] must be 0| must (begin|not fall|end))"):
            call("dot", q, k, None, v, None, None, np.array(wrong, np.int64), ends[1], n_threads=1)
    with pytest.raises(TypeError):
        call("additive", q, k, None, v, None, None, *ends, n_threads=1)
    many, none = np.array([0, 2**32], np.int64), np.zeros((2**32, 0), np.float32)  # takes no memory
    with pytest.raises(ValueError, match="too many pairs"):
        call("dot", none, none, None, none, None, None, many, many, n_threads=1)


def test_layer_of_additive_attention_takes_packed_rows():
    layer = AdditiveAttention(6, 5, 8)
    q, k, v = normal(2, 3, 6), normal(2, 7, 5), normal(2, 7, 4)
    packed = layer(*(x.reshape(-1, x.shape[-1]) for x in (q, k, v)), offsets=[0, 3, 6], key_offsets=[0, 7, 14])
    np.testing.assert_array_equal(packed.data, layer(q, k, v).data.reshape(6, 4))
