"""Scaled dot product attention: gradients, the kernel beside its twin, masks, dropout, threads, bad input."""

import numpy as np
import pytest

from mlcore._native import core
from mlcore.nn import functional as F
from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional._attention import scaled_dot_product_attention
from mlcore.nn.tensor import ShapeError, Tensor
from twins.nn import assert_close, finite_difference_check
from twins.nn import attention as twin

# tiles are 32 queries (8 to 32) by 128 keys, vectors 4 to 16: sizes around these borders, and single entries
SHAPES = [(1, 1, 1, 1), (5, 3, 1, 2), (31, 33, 16, 15), (32, 127, 17, 16), (33, 129, 33, 31), (100, 128, 64, 64)]
SHAPES += [(130, 300, 20, 70), (65, 40, 128, 1), (9, 260, 256, 256)]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def case(n_queries, n_keys, depth, value_depth, lead=(2, 3)):
    shapes = [(n_queries, depth), (n_keys, depth), (n_keys, value_depth), (n_queries, value_depth)]
    return [normal(*lead, *shape, seed=i) for i, shape in enumerate(shapes)]


def run(q, k, v, dout, *args, **options):
    """Output, and gradients by q, k, v and by a mask that requires one."""
    inputs = [Tensor(x, requires_grad=True) for x in (q, k, v)]
    out = scaled_dot_product_attention(*inputs, *args, **options)
    out.backward(dout)
    return [out.data, *(x.grad for x in inputs), *(a.grad for a in args if isinstance(a, Tensor) and a.requires_grad)]


def expected(q, k, v, dout, bias=0.0, scale=None, kept=1.0):
    wide = [x.astype(np.float64) for x in (q, k, v, dout)]
    return [
        twin.attention(*wide[:3], bias, scale, kept),
        *twin.attention_backward(wide[3], *wide[:3], bias, scale, kept),
    ]


def compare(got, wanted, tolerance=1e-5):
    for a, b in zip(got, wanted, strict=False):
        assert_close(a, b, tolerance)


@pytest.mark.parametrize("causal", [False, True])
def test_gradient_of_the_twin(causal):
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, n, d)) for n, d in ((4, 3), (5, 3), (5, 2)))
    bias = rng.normal(size=(2, 4, 5))
    hidden = twin.hidden(None, 4, 5, causal=causal)
    kept = rng.integers(0, 2, (2, 4, 5)) / 0.5

    def forward(q, k, v, bias):
        return twin.attention(q, k, v, bias + hidden, 0.7, kept)

    def backward(dout, q, k, v, bias):
        return twin.attention_backward(dout, q, k, v, bias + hidden, 0.7, kept)

    finite_difference_check(forward, backward, [q, k, v, bias])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_against_the_twin(shape, causal):
    q, k, v, dout = case(*shape)
    bias = twin.hidden(None, *shape[:2], causal=causal)
    compare(run(q, k, v, dout, is_causal=causal), expected(q, k, v, dout, bias))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize("mask_axes", [(), (0,), (-2,), (-1,), "all"])
def test_float_mask_and_its_gradient(lead, mask_axes, causal):
    n_queries, n_keys = 37, 45
    q, k, v, dout = case(n_queries, n_keys, 8, 8, lead)
    shape = [*lead, n_queries, n_keys]
    for axis in range(len(shape)) if mask_axes == "all" else mask_axes:
        shape[axis] = 1
    mask = Tensor(normal(*shape), requires_grad=True)
    wanted = expected(q, k, v, dout, twin.hidden(mask.data, n_queries, n_keys, causal=causal))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1)
    wanted[4] = wanted[4].sum(axis=repeated, keepdims=True)
    got = run(q, k, v, dout, mask, is_causal=causal)
    assert len(got) == 5
    compare(got, wanted)


def test_mask_of_bool_and_a_query_that_sees_nothing():
    q, k, v, dout = case(40, 50, 16, 16)
    mask = np.random.default_rng(0).random((2, 1, 40, 50)) < 0.5
    mask[0, 0, 7] = False
    got = run(q, k, v, dout, mask)
    compare(got, expected(q, k, v, dout, np.where(mask, 0, -np.inf)))
    assert (got[0][0, :, 7] == 0).all()
    assert (got[1][0, :, 7] == 0).all()
    assert not np.isnan(np.concatenate([g.ravel() for g in got])).any()
    got = run(q, k, v, dout, np.zeros(50, bool))
    assert all((g == 0).all() for g in got)


@pytest.mark.parametrize("causal", [False, True])
def test_lengths(causal):
    q, k, v, dout = case(70, 300, 16, 16, (4, 2))
    lengths = np.array([300, 0, 1, 129])
    k[2, :, 1:], v[3, :, 129:] = np.nan, np.inf  # padding may hold anything
    got = run(q, k, v, dout, lengths=lengths, is_causal=causal)
    k[2, :, 1:], v[3, :, 129:] = 0, 0
    bias = twin.hidden(None, 70, 300, lengths, causal)
    compare(got, expected(q, k, v, dout, bias))
    assert (got[0][1] == 0).all()
    assert (got[2][3, :, 129:] == 0).all()


def test_scale_and_large_scores():
    q, k, v, dout = case(20, 30, 8, 8)
    compare(run(q, k, v, dout, scale=-0.3), expected(q, k, v, dout, scale=-0.3))
    compare(run(100 * q, 100 * k, v, dout)[:1], expected(100 * q, 100 * k, v, dout)[:1], 2e-3)
    out = run(1e4 * q, 1e4 * k, v, dout)
    assert all(np.isfinite(x).all() for x in out)


def test_views_are_read_and_written_in_place():
    packed = normal(2, 50, 3, 4, 16)
    views = [packed[:, :, part].transpose(0, 2, 1, 3) for part in range(3)]
    dout = normal(2, 50, 4, 16, seed=1).transpose(0, 2, 1, 3)
    copies = [np.ascontiguousarray(x) for x in (*views, dout)]
    for a, b in zip(run(*views, dout), run(*copies), strict=True):
        np.testing.assert_array_equal(a, b)
    across = [np.asfortranarray(x) for x in copies]
    for a, b in zip(run(*across), run(*copies), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("causal", [False, True])
def test_weights(causal):
    q, k, v, _ = case(50, 140, 8, 8)
    lengths = [140, 60]
    _, w = scaled_dot_product_attention(q, k, v, is_causal=causal, lengths=lengths, need_weights=True)
    bias = twin.hidden(None, 50, 140, lengths, causal)
    assert_close(w.data, twin.weights(q.astype(np.float64), k.astype(np.float64), bias))
    assert (w.data[1, :, :, 60:] == 0).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout(p):
    n_queries, n_keys = 75, 130
    q, k, _, dout = case(n_queries, n_keys, 8, n_keys)
    v = np.broadcast_to(np.eye(n_keys, dtype=np.float32), (2, 3, n_keys, n_keys)).copy()  # the output is the weights
    manual_seed(3)
    got = run(q, k, v, dout, dropout_p=p)
    kept = np.where(got[0] > 0, 1 / (1 - round(p * 65536) / 65536), 0)
    n = kept.size
    assert abs((kept > 0).mean() - (1 - p)) < 4 * np.sqrt(p * (1 - p) / n)
    for axis in (-1, -2):  # neighbours are independent
        a, b = np.delete(kept > 0, 0, axis), np.delete(kept > 0, -1, axis)
        assert abs((a & b).mean() - (1 - p) ** 2) < 4 / np.sqrt(n)
    compare(got, expected(q, k, v, dout, kept=kept))
    assert (run(q, k, v, dout, dropout_p=p)[0] != got[0]).any()
    manual_seed(3)
    np.testing.assert_array_equal(run(q, k, v, dout, dropout_p=p)[0], got[0])
    whole = run(q, k, v, dout, dropout_p=p)[0]
    manual_seed(3)
    run(q, k, v, dout, dropout_p=p)
    part = run(q, k, v, dout, dropout_p=p, is_causal=True)[0]
    np.testing.assert_array_equal((part > 0), (whole > 0) & np.tri(n_queries, n_keys, dtype=bool))


@pytest.mark.parametrize("shape", [(2, 3, 100, 140), (1, 2, 1100, 2300)])  # the second one is cut along its keys
def test_same_bits_for_any_number_of_threads(shape):
    *lead, n_queries, n_keys = shape
    q, k, v, dout = case(n_queries, n_keys, 16, 16, lead)
    mask = normal(1, 1, n_queries, n_keys)
    results = []
    for n in (1, 2, 3):
        manual_seed(0)
        with threads(n):
            results.append(run(q, k, v, dout, mask, 0.2, True))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_long_head_against_the_twin():
    q, k, v, dout = case(600, 2500, 8, 8, (1, 1))
    compare(run(q, k, v, dout), expected(q, k, v, dout))


def test_memory_is_linear_in_the_length():
    def used(length):
        """Bytes that one pass forward and back takes from the pool, inputs apart."""
        arrays = case(length, length, 16, 16, (1, 16))
        core.nn.release_memory()
        with threads(1):
            run(*arrays, is_causal=True)
        return core.nn.idle_bytes()

    short, long = used(512), used(2048)
    assert 2 * short < long < 5 * short


def test_gradients_only_where_asked_for():
    q, k, v, dout = case(10, 12, 4, 4)
    wanted = expected(q, k, v, dout)
    for i in range(3):
        inputs = [Tensor(x, requires_grad=i == j) for j, x in enumerate((q, k, v))]
        scaled_dot_product_attention(*inputs).backward(dout)
        assert [x.grad is not None for x in inputs] == [i == j for j in range(3)]
        assert_close(inputs[i].grad, wanted[1 + i])


def test_bad_input():
    q, k, v, _ = case(4, 6, 8, 5)
    attend = scaled_dot_product_attention
    with pytest.raises(ShapeError, match=r"\(2, 3, 4, 8\).*\(2, 3, 6, 7\)"):
        attend(q, k[..., :7], v)
    with pytest.raises(ShapeError, match="do not go together"):
        attend(q, k, v[:, :, :5])
    with pytest.raises(ShapeError, match="do not go together"):
        attend(q[0], k, v)
    with pytest.raises(ShapeError, match="do not go together"):
        attend(q[0, 0, 0], k[0, 0, 0], v[0, 0, 0])
    with pytest.raises(TypeError, match="float64"):
        attend(q.astype(np.float64), k, v)
    with pytest.raises(TypeError, match="key must be float32"):
        attend(q, k.astype(np.int32), v)
    with pytest.raises(TypeError, match="lengths must be integers"):
        attend(q, k, v, lengths=[1.0, 2.0])
    with pytest.raises(ShapeError, match="batch of 2"):
        attend(q, k, v, lengths=[1, 2, 3])
    for bad in (-1, 7):
        with pytest.raises(ValueError, match=rf"\[0, 6\].*got {bad}"):
            attend(q, k, v, lengths=[1, bad])
    with pytest.raises(ShapeError, match=r"attn_mask of shape \(4, 5\)"):
        attend(q, k, v, np.ones((4, 5), bool))
    with pytest.raises(ShapeError, match="attn_mask"):
        attend(q, k, v, np.ones((5, 2, 3, 4, 6), bool))
    with pytest.raises(TypeError, match="attn_mask must be bool"):
        attend(q, k, v, np.ones((4, 6), np.int64))
    for p in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="dropout_p"):
            attend(q, k, v, dropout_p=p)
    with pytest.raises(ValueError, match="scale must be finite"):
        attend(q, k, v, scale=float("inf"))
    inputs = [Tensor(x, requires_grad=True) for x in (q, k, v)]
    out = attend(*inputs)
    inputs[1]._version.n_changes += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        out.backward(np.ones(out.shape, np.float32))


def test_nan_is_not_hidden():
    q, k, v, _ = case(4, 6, 8, 5)
    q[0, 0, 0, 0] = np.nan
    assert np.isnan(scaled_dot_product_attention(q, k, v).data[0, 0, 0]).all()


LOWEST = np.finfo(np.float32).min


@pytest.mark.parametrize("n_keys", [3, 130, 300])
@pytest.mark.parametrize("value", [LOWEST, -1e38, 1e38, -LOWEST])
def test_a_bias_that_is_the_same_for_all_keys_changes_nothing(value, n_keys):
    """As large as it may be, finite: it absorbs the scores, and what is left is uniform; its gradients as well."""
    q, k, v = (Tensor(normal(1, 2, n, 4, seed=i), requires_grad=True) for i, n in enumerate((5, n_keys, n_keys)))
    mask = Tensor(np.full((5, n_keys), value, np.float32), requires_grad=True)
    out, weights = F.scaled_dot_product_attention(q, k, v, mask, need_weights=True)
    np.testing.assert_allclose(weights.data, 1 / n_keys, rtol=1e-6)
    np.testing.assert_allclose(out.data, np.broadcast_to(v.data.mean(2, keepdims=True), out.shape), atol=1e-6)
    dout = normal(*out.shape, seed=7)
    out.backward(dout)
    right = np.broadcast_to(dout.sum(2, keepdims=True) / n_keys, v.shape)
    np.testing.assert_allclose(v.grad, right, atol=1e-6)
    assert np.abs(mask.grad.sum(-1)).max() < 1e-5


def test_the_largest_of_finite_biases_wins():
    q, k, v = normal(1, 1, 2, 4), normal(1, 1, 3, 4, seed=1), normal(1, 1, 3, 4, seed=2)
    mask = np.float32([[LOWEST, LOWEST / 2, LOWEST], [-np.inf, LOWEST, LOWEST]])
    out = F.scaled_dot_product_attention(q, k, v, mask).data[0, 0]
    np.testing.assert_allclose(out[0], v[0, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(out[1], v[0, 0, 1:].mean(0), rtol=1e-5)


@pytest.mark.parametrize("function", ["additive", "distance"])
def test_pairs_with_the_lowest_bias(function):
    q, k, v = (Tensor(normal(1, n, 4, seed=i), requires_grad=True) for i, n in enumerate((2, 3, 3)))
    mask = np.full((2, 3), LOWEST, np.float32)
    if function == "additive":
        out = F.additive_attention(q, k, v, np.ones(4, np.float32), mask)
    else:
        out = F.kernel_regression(q, k, v, 1.0, mask)
    np.testing.assert_allclose(out.data[0], np.tile(v.data[0].mean(0), (2, 1)), atol=1e-6)
    out.sum().backward()
    np.testing.assert_allclose(v.grad, 2 / 3, rtol=1e-6)
