"""Additive attention and kernel regression: gradients, kernels beside their twins, masks, bad input, layers."""

import numpy as np
import pytest

from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional._pair_attention import additive_attention, kernel_regression
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
    with pytest.raises(ShapeError, match="attn_mask"):
        attend(q, k, v, learned, np.ones((4, 5), bool))
    with pytest.raises(ValueError, match=r"\[0, 6\]"):
        attend(q, k, v, learned, lengths=[0, 1, 7])
    with pytest.raises(ValueError, match="kernel must be"):
        NadarayaWatson("box")
    with pytest.raises(ValueError, match="width must be finite"):
        NadarayaWatson(width=float("nan"))
