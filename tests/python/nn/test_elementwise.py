"""Activations, dropout, noise, embedding, arithmetic of arrays: against their formulas."""

import numpy as np
import pytest

from mlcore._native import core
from mlcore.nn._runtime import manual_seed, threads
from mlcore.nn.functional import _activation as F
from mlcore.nn.functional._dropout import dropout, gaussian_noise
from mlcore.nn.functional._embedding import embedding
from mlcore.nn.functional._softmax import log_softmax, softmax
from mlcore.nn.layers import _activation as layers
from mlcore.nn.layers._dropout import Dropout, GaussianNoise
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.tensor import ShapeError, SparseGradient, Tensor
from twins.nn import activation as twin
from twins.nn import assert_close, finite_difference_check

SIZES = [1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 65, 1000]
KINDS = ["identity", "relu", "leaky_relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "softplus"]
FROM_INPUT = ["gelu", "gelu_tanh", "silu", "softplus"]


def normal(*shape, seed=0, scale=1.0):
    return np.asarray(scale * np.random.default_rng(seed).normal(size=shape), np.float32)


# ---- activations ----


@pytest.mark.parametrize("kind", KINDS)
def test_activation_twins_have_the_right_gradients(kind):
    finite_difference_check(
        lambda x: twin.activation(kind, x)[0],
        lambda dy, x: [dy * twin.activation(kind, x)[1]],
        [np.random.default_rng(0).normal(size=(5, 7))],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_activations_against_twin(kind):
    for n in SIZES:
        x, dy = normal(n, seed=n, scale=3), normal(n, seed=n + 1)
        value, slope = twin.activation(kind, x.astype(np.float64))
        y = core.nn.activation(x, activation=kind, n_threads=2)
        assert_close(y, value, 1e-6)
        saved = x if kind in FROM_INPUT else y
        dx = core.nn.activation_backward(saved, dy, activation=kind, n_threads=2)
        assert_close(dx, slope * dy, 2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_activations_at_the_ends(kind):
    x = np.array([-1e30, -1e4, -100, -0.0, 0, 100, 1e4, 1e18, np.nan], np.float32)
    y = core.nn.activation(x, activation=kind, n_threads=1)
    assert np.isnan(y[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        value, slope = twin.activation(kind, x[:-1].astype(np.float64))
    assert_close(y[:-1] / 1e18 if kind in ("identity", "leaky_relu") else y[:-1], np.nan_to_num(value) / 1e18
                 if kind in ("identity", "leaky_relu") else np.nan_to_num(value))  # fmt: skip
    saved = x if kind in FROM_INPUT else y
    dx = core.nn.activation_backward(saved, np.ones_like(x), activation=kind, n_threads=1)[1:-2]
    assert_close(dx, slope[1:-1], 2e-6)


def test_activation_functions_and_layers():
    x, dy = normal(3, 5, scale=2), normal(3, 5, seed=1)
    for layer, kind, slope in [
        (layers.ReLU(), "relu", 0.01),
        (layers.LeakyReLU(0.2), "leaky_relu", 0.2),
        (layers.Sigmoid(), "sigmoid", 0.01),
        (layers.Tanh(), "tanh", 0.01),
        (layers.GELU(), "gelu", 0.01),
        (layers.GELU("tanh"), "gelu_tanh", 0.01),
        (layers.SiLU(), "silu", 0.01),
        (layers.Softplus(), "softplus", 0.01),
    ]:
        t = Tensor(x, requires_grad=True)
        y = layer(t)
        y.backward(dy)
        value, derivative = twin.activation(kind, x.astype(np.float64), slope)
        assert_close(y.data, value, 1e-6)
        assert_close(t.grad, dy * derivative, 2e-6)
    t = Tensor(x, requires_grad=True)
    y = layers.Softplus(2.0)(t)
    y.backward(dy)
    value, derivative = twin.activation("softplus", 2 * x.astype(np.float64))
    assert_close(y.data, value / 2)
    assert_close(t.grad, dy * derivative)
    assert np.array_equal(layers.Softmax(0)(x).data, softmax(x, 0).data)
    assert np.array_equal(layers.LogSoftmax(1)(x).data, log_softmax(x, 1).data)
    assert repr(layers.LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"


def test_activations_take_views_and_numbers():
    x = normal(6, 4)[::2].T
    assert_close(F.gelu(x).data, twin.activation("gelu", x.astype(np.float64))[0])
    assert F.relu(np.float32(-1)).shape == ()


def test_relu_of_a_saved_output_that_changed():
    y = F.relu(Tensor(normal(3), requires_grad=True))
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward(normal(3))


# ---- dropout and noise ----


@pytest.mark.parametrize("n", SIZES)
def test_dropout_draws_what_philox_does(n):
    x, seed = normal(n, seed=n), 0x123456789ABCDEF
    for p in (0.0, 0.3, 0.5, 1.0):
        assert_close(core.nn.dropout(x, None, p=p, seed=seed, n_threads=2), twin.dropout(x, p, seed), 1e-6)
    r = normal(n, seed=3)
    got, mask = core.nn.dropout_with_mask(x, r, p=0.3, seed=seed, n_threads=2)
    assert got.tobytes() == core.nn.dropout(x, r, p=0.3, seed=seed, n_threads=2).tobytes()
    assert_close(got, twin.dropout(x, 0.3, seed) + r, 1e-6)
    for n_jobs in (1, 2):
        dx = core.nn.dropout_backward(r, mask, p=0.3, n_threads=n_jobs)
        assert dx.tobytes() == core.nn.dropout(r, None, p=0.3, seed=seed, n_threads=2).tobytes()
    with pytest.raises(ValueError, match="mask"):
        core.nn.dropout_backward(r, np.zeros(len(mask) + 16, np.int32), p=0.3, n_threads=1)


def test_dropout_gradient_uses_the_same_draws():
    manual_seed(0)
    x, r = Tensor(np.ones((50, 41), np.float32), requires_grad=True), Tensor(normal(50, 41), requires_grad=True)
    y = dropout(x, 0.4, residual=r)
    y.backward(np.ones(y.shape, np.float32))
    assert_close(x.grad, y.data - r.data)
    assert np.array_equal(r.grad, np.ones(r.shape))
    again = dropout(x, 0.4)
    assert (again.data != y.data - r.data).any()
    assert abs((again.data == 0).mean() - 0.4) < 0.05
    manual_seed(0)
    assert np.array_equal(dropout(x, 0.4, residual=r).data, y.data)


def test_dropout_that_does_nothing():
    x = Tensor(normal(4, 5), requires_grad=True)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x
    layer = Dropout(0.5).eval()
    assert layer(x) is x
    assert np.array_equal(layer(x, residual=x).data, 2 * x.data)
    assert not dropout(x, 1.0).data.any()


def test_noise_is_normal():
    manual_seed(1)
    x = Tensor(np.full((1000, 301), 2, np.float32), requires_grad=True)
    y = GaussianNoise(0.5)(x)
    y.backward(y.data)
    assert np.array_equal(x.grad, y.data)
    z = (y.data.astype(np.float64).ravel() - 2) / 0.5
    n = len(z)
    assert abs(z.mean()) < 4 / n**0.5
    assert abs(z.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**3).mean()) < 4 * (15 / n) ** 0.5
    assert abs((z**4).mean() - 3) < 4 * (96 / n) ** 0.5
    for lag in (1, 2, 16, 32):
        assert abs((z[lag:] * z[:-lag]).mean()) < 4.5 / n**0.5
    assert gaussian_noise(x, 0.5, training=False) is x
    assert GaussianNoise(0.5).eval()(x) is x


# ---- embedding ----


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("d", [1, 16, 65, 130])
def test_embedding_sums_gradients_of_equal_ids(sparse, d):
    rng = np.random.default_rng(d)
    ids, dy = rng.integers(0, 20, (7, 11)), normal(7, 11, d)
    layer = Embedding(30, d, padding_idx=-25, sparse=sparse)
    assert not layer.weight.data[5].any()
    y = layer(ids)
    assert np.array_equal(y.data, layer.weight.data[ids])
    y.backward(dy)
    expected = np.zeros((30, d))
    np.add.at(expected, ids, dy.astype(np.float64))
    expected[5] = 0
    gradient = layer.weight.grad
    if sparse:
        assert isinstance(gradient, SparseGradient)
        assert np.array_equal(gradient.rows, np.setdiff1d(ids, [5]))
        gradient = gradient.to_dense()
    assert_close(gradient, expected)


def test_embedding_takes_any_integers_and_shapes():
    table = normal(10, 3)
    for ids in (np.uint8(7), np.array([[1, 2]], np.int32), np.zeros((0, 4), np.int64), np.arange(8)[::2], [1, 2]):
        assert np.array_equal(embedding(ids, table).data, table[np.asarray(ids)])


def test_ids_that_change_before_the_gradient_are_noticed():
    ids = Tensor(np.array([1, 2]))
    y = embedding(ids, Tensor(normal(5, 3), requires_grad=True))
    ids.fill_(0)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward(normal(2, 3))


# ---- arithmetic ----


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 17), (130, 3, 50)])
def test_arithmetic_of_arrays(shape):
    a, b = normal(*shape), normal(*shape, seed=1)
    nn = core.nn
    assert np.array_equal(nn.add(a, b, n_threads=2), a + b)
    assert np.array_equal(nn.mul(a, b, n_threads=2), a * b)
    assert np.array_equal(nn.scale(a, 0.3, n_threads=2), a * np.float32(0.3))
    c = a.copy()
    assert nn.scale(c, 0.3, out=c, n_threads=2) is c
    assert np.array_equal(c, a * np.float32(0.3))
    if shape:
        assert np.array_equal(nn.add(a, np.asarray(b[0]), n_threads=2), a + b[0])
    if len(shape) == 2:
        assert_close(nn.sum_rows(a, n_threads=2), a.sum(0, dtype=np.float64), 1e-6)


def test_sums_of_many_rows_stay_accurate():
    x = normal(100_000, 3) + 1
    assert_close(core.nn.sum_rows(x, n_threads=2), x.sum(0, dtype=np.float64), 1e-6)
    assert core.nn.sum_rows(x[:0], n_threads=2).tolist() == [0, 0, 0]


# ---- all of them ----


def test_same_bits_for_any_number_of_threads():
    x, ids = normal(1000, 130), np.random.default_rng(0).integers(0, 50, 1000)
    calls = [
        lambda n: core.nn.activation(x, activation="gelu", n_threads=n),
        lambda n: core.nn.activation_backward(x, x, activation="silu", n_threads=n),
        lambda n: core.nn.sum_rows(x, n_threads=n),
        lambda n: core.nn.dropout(x, None, p=0.3, seed=5, n_threads=n),
        lambda n: core.nn.gaussian_noise(x, std=0.3, seed=5, n_threads=n),
        lambda n: core.nn.scatter_add_rows(x, ids, n_rows=50, n_threads=n),
    ]
    for call in calls:
        assert len({call(n).tobytes() for n in (1, 2, 3)}) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.relu(np.arange(3)), TypeError, "float32"),
        (lambda: F.gelu(normal(3), "fast"), ValueError, "approximate"),
        (lambda: F.softplus(normal(3), 0.0), ValueError, "beta"),
        (lambda: F.leaky_relu(normal(3), -0.1), ValueError, "slope"),
        (lambda: dropout(normal(3), 1.5), ValueError, r"\[0, 1\]"),
        (lambda: dropout(normal(3), 0.5, residual=normal(4)), ShapeError, r"\(4,\).*\(3,\)"),
        (lambda: Dropout(-0.1), ValueError, r"\[0, 1\]"),
        (lambda: GaussianNoise(-1.0), ValueError, "std"),
        (lambda: gaussian_noise(normal(3), float("nan")), ValueError, "std"),
        (lambda: embedding(np.array([0, 3]), normal(3, 2)), ValueError, "id 3 at position 1 .* 3 rows"),
        (lambda: embedding(np.array([-1]), normal(3, 2)), ValueError, "id -1"),
        (lambda: embedding(normal(3), normal(3, 2)), TypeError, "integers"),
        (lambda: embedding(np.array([0]), normal(3)), ShapeError, r"\(n, d\)"),
        (lambda: embedding(np.array([0]), normal(3, 2), padding_idx=3), ValueError, "padding_idx"),
        (lambda: Embedding(3, 2, padding_idx=-4), ValueError, "padding_idx"),
        (lambda: core.nn.add(normal(3, 4), normal(3), n_threads=1), ValueError, r"\(3,\)"),
        (lambda: core.nn.scale(normal(3), 2.0, out=normal(4), n_threads=1), ValueError, r"\(4,\)"),
        (lambda: core.nn.activation(normal(3), activation="swish", n_threads=1), ValueError, "swish"),
        (lambda: core.nn.activation(np.ones(3), activation="relu", n_threads=1), TypeError, "float32"),
        (lambda: core.nn.activation(normal(3), activation="relu", n_threads=0), ValueError, "n_threads"),
        (lambda: core.nn.gather_rows(normal(3, 2), np.array([3]), n_threads=1), ValueError, "id 3"),
        (
            lambda: core.nn.scatter_add_rows(normal(3, 2), np.arange(2), n_rows=5, n_threads=1),
            ValueError,
            r"\(3, 2\).*\(2,\)",
        ),
        (
            lambda: core.nn.scatter_add_rows(normal(2, 2), np.arange(2), n_rows=1, n_threads=1),
            ValueError,
            "id 1",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message), threads(1):
        call()
