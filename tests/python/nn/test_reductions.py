"""Sums, moments, extremes of tensors: exact to the last digits along any axis, gradients against differences."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor
from mlcore.nn import functional as F
from twins.nn import tensor as twin


def draw(*shape, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


LONG = [((300_000, 2), 0), ((2, 300_000), 1), ((3, 100_000, 2), 1), ((2, 300_000, 3), (0, 1)), ((70_000, 3, 5), (0, 2))]


@pytest.mark.parametrize(("shape", "dim"), LONG, ids=str)
def test_sums_over_long_axes_keep_their_digits(shape, dim):
    x = draw(*shape, low=250, high=320)
    exact = x.astype(np.float64)
    # One rounding of the result: half a unit of 2^-24. Two where two groups of axes are summed one after the other.
    np.testing.assert_allclose(Tensor(x).sum(dim).data, exact.sum(dim), rtol=1.3e-7)
    np.testing.assert_allclose(Tensor(x).mean(dim).data, exact.mean(dim), rtol=1.3e-7)
    np.testing.assert_allclose(Tensor(x).var(dim).data, exact.var(dim, ddof=1), rtol=3e-7)
    np.testing.assert_allclose(Tensor(x).std(dim).data, exact.std(dim, ddof=1), rtol=3e-7)


def test_a_float_sum_of_ones_would_stop_at_two_to_the_24():
    ones = nn.as_tensor(np.broadcast_to(np.float32(1), (20_000_000, 2)))
    np.testing.assert_array_equal(ones.mean(0).data, [1, 1])
    many = nn.as_tensor(np.ones(17_000_000, np.float32))
    assert many.sum().item() == 17_000_000
    assert many.cumsum(0)[-1].item() == 17_000_000


def test_gradients_of_what_was_repeated_keep_their_digits():
    n = 400_000
    x = draw(n, 2, low=250, high=320)
    exact = x.astype(np.float64).sum(0)
    for shape, made in (((2,), lambda b: b + x), ((1, 2), lambda b: b * np.ones((n, 1), np.float32))):
        b = Tensor(np.zeros(shape, np.float32), requires_grad=True)
        made(b).backward(x)
        np.testing.assert_allclose(b.grad.reshape(2), exact, rtol=1e-6)
    w, b = Tensor(np.ones((2, 1), np.float32), requires_grad=True), Tensor(np.zeros(2, np.float32), requires_grad=True)
    F.linear(np.ones((n, 1), np.float32), w, b).backward(x)
    np.testing.assert_allclose(b.grad, exact, rtol=1e-6)
    table = Tensor(np.zeros((3, 2), np.float32), requires_grad=True)
    F.embedding(np.ones(n, np.int64), table).backward(x)  # one id comes all the time
    np.testing.assert_allclose(table.grad[1], exact, rtol=1e-6)
    table.zero_grad()
    table[np.ones(n, np.int64)].backward(x)
    np.testing.assert_allclose(table.grad[1], exact, rtol=1e-6)
    table.zero_grad()
    table[np.ones(n, np.int64), np.zeros(n, np.int64)].backward(x[:, 0])
    np.testing.assert_allclose(table.grad[1, 0], exact[0], rtol=1e-6)


def test_gradients_of_norms_and_convolutions_keep_their_digits():
    n = 400_000
    dy = draw(1, 1, n, low=250, high=320)
    exact = dy.astype(np.float64).sum()
    w, b = (Tensor(np.ones(1, np.float32), requires_grad=True) for _ in range(2))
    F.batch_norm(draw(1, 1, n), np.zeros(1, np.float32), np.ones(1, np.float32), w, b).backward(dy)
    np.testing.assert_allclose(b.grad, [exact], rtol=1e-6)
    b.zero_grad()
    F.layer_norm(draw(n, 1), 1, w, b).backward(dy.reshape(n, 1))
    np.testing.assert_allclose(b.grad, [exact], rtol=1e-6)
    b.zero_grad()
    F.conv1d(draw(1, 1, n), Tensor(np.ones((1, 1, 1), np.float32), requires_grad=True), b).backward(dy)
    np.testing.assert_allclose(b.grad, [exact], rtol=1e-6)
    pooled = F.adaptive_avg_pool2d(dy[:, :, None], 1)
    np.testing.assert_allclose(pooled.item(), exact / n, rtol=1e-6)


def test_means_of_losses_keep_their_digits():
    x = draw(2_000_000, low=16, high=18)
    np.testing.assert_allclose(F.mse_loss(x, np.zeros_like(x)).item(), np.mean(x.astype(np.float64) ** 2), rtol=2e-7)
    np.testing.assert_allclose(F.l1_loss(x, np.zeros_like(x)).item(), np.mean(x, dtype=np.float64), rtol=2e-7)


@pytest.mark.parametrize("shape", [(70_001, 3), (3, 70_001), (257, 130, 3), (1, 5), (0, 3), (3, 0)], ids=str)
def test_bits_do_not_depend_on_the_threads(shape):
    x = draw(*shape)
    for dim in range(len(shape)):
        found = []
        for n in (1, 3):
            with nn.threads(n):
                t = Tensor(x, requires_grad=True)
                y = t.sum(dim) + t.mean(dim)
                y.sum().backward()
                found.append((y.data.tobytes(), t.grad.tobytes(), t.cumsum(dim).data.tobytes()))
        assert found[0] == found[1]


def test_a_mean_does_not_overflow_where_its_sum_would():
    assert Tensor(np.full(4, 3e38, np.float32)).mean().item() == np.float32(3e38)


def test_variance_far_from_zero():
    x = np.float32([1e8, 1e8 + 8, 1e8, 1e8 + 8])  # the mean is no float
    np.testing.assert_allclose(Tensor(x).var().item(), np.var(x.astype(np.float64), ddof=1), rtol=1e-6)


PLACES, TWICE = np.arange(6).reshape(2, 3, 1) % 4, np.ones((4, 2, 3), int)
METHODS = {
    "sum": (lambda t: t.sum(1), lambda x: x.sum(1)),
    "mean": (lambda t: t.mean((0, 2)), lambda x: x.mean((0, 2))),
    "prod": (lambda t: t.prod(1), lambda x: x.prod(1)),
    "prod of all": (lambda t: t.prod(), lambda x: x.prod()),
    "prod kept": (lambda t: t.prod(-1, keepdim=True), lambda x: x.prod(-1, keepdims=True)),
    "cumsum": (lambda t: t.cumsum(1), lambda x: x.cumsum(1)),
    "cumsum of the last": (lambda t: t.cumsum(-1), lambda x: x.cumsum(-1)),
    "var": (lambda t: t.var(1), lambda x: twin.var(x, 1)),
    "var of all": (lambda t: t.var(), lambda x: twin.var(x)),
    "var, correction": (lambda t: t.var((0, 1), correction=0, keepdim=True), lambda x: twin.var(x, (0, 1), 0, True)),
    "std": (lambda t: t.std(-1), lambda x: np.sqrt(twin.var(x, -1))),
    "max": (lambda t: t.max(), lambda x: x.max()),
    "max along": (lambda t: t.max(1).values, lambda x: x.max(1)),
    "min along": (lambda t: t.min(-1, keepdim=True)[0], lambda x: x.min(-1, keepdims=True)),
    "clamp": (lambda t: t.clamp(-0.7, 1.1), lambda x: np.clip(x, -0.7, 1.1)),
    "clamp below": (lambda t: t.clamp(min=0.1), lambda x: np.maximum(x, np.float32(0.1))),
    "where": (lambda t: t.where(np.eye(3, 4) > 0, 0.5), lambda x: np.where(np.eye(3, 4) > 0, x, 0.5)),
    "nn.where": (lambda t: nn.where(np.eye(3, 4) > 0, 0.5, t), lambda x: np.where(np.eye(3, 4) > 0, 0.5, x)),
    "gather": (lambda t: t.gather(2, PLACES), lambda x: twin.gather(x, 2, PLACES)),
    "gather twice": (lambda t: t.gather(0, TWICE), lambda x: twin.gather(x, 0, TWICE)),
}


@pytest.mark.parametrize("name", METHODS)
def test_against_the_twin(name):
    ours, theirs = METHODS[name]
    values = draw(2, 3, 4, seed=3)
    x = Tensor(values, requires_grad=True)
    y = ours(x)
    exact = np.asarray(theirs(values.astype(np.float64)))
    assert y.shape == exact.shape
    np.testing.assert_allclose(y.data, exact, rtol=2e-6, atol=1e-7)
    dy = draw(*exact.shape, seed=4)
    y.backward(dy)
    np.testing.assert_allclose(x.grad, twin.differences(theirs, values, dy), rtol=1e-5, atol=1e-5)


def test_product_with_zeros():
    x = Tensor(np.float32([[2, 0, 3], [0, 0, 5]]), requires_grad=True)
    x.prod(1).sum().backward()
    np.testing.assert_array_equal(x.grad, [[0, 6, 0], [0, 0, 0]])


def test_extremes():
    x = Tensor(np.float32([[1, 5, 5], [7, 0, -1]]), requires_grad=True)
    values, indices = x.max(1)
    assert (values.data.tolist(), indices.data.tolist(), indices.dtype) == ([5, 7], [1, 0], np.int64)
    assert x.min(0).indices.data.tolist() == [0, 1, 1]
    assert (x.argmax().item(), x.argmin().item()) == (3, 5)
    assert x.argmax(1, keepdim=True).data.tolist() == [[1], [0]]
    assert x.max(np.int64(-1)).values.data.tolist() == [5, 7]
    ties = Tensor(np.float32([3, 1, 3]), requires_grad=True)
    ties.max().backward()
    np.testing.assert_array_equal(ties.grad, [0.5, 0, 0.5])  # as PyTorch shares it
    assert np.isnan(Tensor(np.float32([1, np.nan])).max().item())
    assert Tensor(np.float32([1, np.nan, 2])).argmin().item() == 1
    assert Tensor(np.int64([4, 9])).max().item() == 9
    scalar = Tensor(np.float32(4), requires_grad=True)
    scalar.max(0).values.backward()
    assert (scalar.grad.item(), scalar.argmax(-1).item()) == (1, 0)
    for call in (lambda t: t.max(), lambda t: t.min(1), lambda t: t.argmax(), lambda t: t.argmin(1)):
        with pytest.raises(nn.ShapeError, match="no entries"):
            call(Tensor(np.zeros((2, 0), np.float32)))


def test_integers_and_bools_are_counted():
    found = (Tensor(np.int64([1, 2, 3])) > 1).sum()
    assert (found.item(), found.dtype) == (2, np.int64)
    assert (Tensor(np.float32([1, 2])) > 1.5).mean().item() == 0.5
    identity = Tensor(np.eye(2, dtype=bool))
    assert (identity.all(1).data.tolist(), identity.any().item()) == ([False, False], True)
    with pytest.raises(TypeError, match="var takes a tensor of float32"):
        Tensor(np.int64([1])).var()


def test_std_of_equal_entries_has_no_slope():
    x = Tensor(np.float32([2, 2, 2]), requires_grad=True)
    x.std().backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 0])
    assert np.isnan(Tensor(np.float32([2])).var().item())


def test_gather_says_what_does_not_fit():
    x = Tensor(draw(2, 3))
    with pytest.raises(IndexError, match=r"index 3 of gather is outside \[0, 3\)"):
        x.gather(1, [[3]])
    with pytest.raises(nn.ShapeError, match=r"index of shape \(3, 1\)"):
        x.gather(1, np.zeros((3, 1), int))
    with pytest.raises(TypeError, match="integers"):
        x.gather(1, [[0.5]])
    with pytest.raises(ValueError, match="min or max"):
        x.clamp()
    with pytest.raises(TypeError, match="condition of where must be bool"):
        nn.where(np.ones(3), x, 0)
