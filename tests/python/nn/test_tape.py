"""Tensors and the tape: each operation against NumPy and finite differences, and what goes wrong must say so."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor


def rng(seed=0):
    return np.random.default_rng(seed)


def leaf(*shape, seed=0, positive=False):
    values = rng(seed).normal(size=shape).astype(np.float32)
    return Tensor(np.abs(values) + 0.5 if positive else values, requires_grad=True)


def check_gradient(function, *leaves, step=1e-2, tolerance=2e-3):
    """Compare gradients with central differences, in float32: the step is large, the functions smooth."""
    out = function(*leaves)
    weights = rng(9).normal(size=out.shape).astype(np.float32)
    out.backward(weights)
    for i, x in enumerate(leaves):
        direction = rng(10 + i).normal(size=x.shape).astype(np.float32)
        values = []
        for sign in (1, -1):
            moved = [Tensor(t.data + sign * step * direction) if t is x else t for t in leaves]
            values.append(np.sum(function(*moved).data.astype(np.float64) * weights))
        expected = (values[0] - values[1]) / (2 * step)
        got = float(np.sum(x.grad.astype(np.float64) * direction))
        scale = 1 + float(np.sum(np.abs(x.grad * direction)))
        assert x.grad.shape == x.shape
        assert abs(got - expected) <= tolerance * scale, f"input {i}: {got}, differences {expected}"


SHAPES = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((2, 1, 4), (3, 1)),
    ((), (3,)),
    ((200, 200), (200, 200)),
    ((200, 200), (200,)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("op", ["+", "-", "*", "/"])
def test_operators_broadcast(op, shapes):
    a, b = leaf(*shapes[0], positive=True), leaf(*shapes[1], seed=1, positive=True)
    function = {
        "+": lambda x, y: x + y,
        "-": lambda x, y: x - y,
        "*": lambda x, y: x * y,
        "/": lambda x, y: x / y,
    }[op]
    np.testing.assert_allclose(function(a, b).data, function(a.data, b.data), rtol=1e-6)
    check_gradient(function, a, b)


@pytest.mark.parametrize(
    ("ours", "numpy"),
    [
        (lambda x: 2 - x, lambda x: 2 - x),
        (lambda x: 3 / x, lambda x: 3 / x),
        (lambda x: -x * 2.5, lambda x: -x * np.float32(2.5)),
        (lambda x: x**3, lambda x: x**3),
        (lambda x: x.exp(), np.exp),
        (lambda x: x.log(), np.log),
        (lambda x: x.sqrt(), np.sqrt),
        (lambda x: x.abs(), np.abs),
        (lambda x: x.sum(), np.sum),
        (lambda x: x.sum((0, 2)), lambda x: x.sum((0, 2))),
        (lambda x: x.sum(-1, keepdim=True), lambda x: x.sum(-1, keepdims=True)),
        (lambda x: x.mean(1), lambda x: x.mean(1)),
        (lambda x: x.max(1).values, lambda x: x.max(1)),
        (lambda x: x.reshape(4, -1), lambda x: x.reshape(4, -1)),
        (lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1)),
        (lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, -1)),
        (lambda x: x.flatten(1), lambda x: x.reshape(2, -1)),
        (lambda x: x.unsqueeze(1).squeeze(1), lambda x: x),
        (lambda x: x.unsqueeze(1).expand(2, 5, 3, 4), lambda x: np.broadcast_to(x[:, None], (2, 5, 3, 4))),
        (lambda x: x[1], lambda x: x[1]),
        (lambda x: x[:, ::2, 1:3], lambda x: x[:, ::2, 1:3]),
        (lambda x: x[[0, 1, 1], [2, 0, 0]], lambda x: x[[0, 1, 1], [2, 0, 0]]),
        (lambda x: x.masked_fill(np.eye(3, 4, dtype=bool), 7), lambda x: np.where(np.eye(3, 4) > 0, np.float32(7), x)),
        (lambda x: nn.concatenate([x, x * 2], 1), lambda x: np.concatenate([x, x * 2], 1)),
        (lambda x: nn.stack([x, x * 2], -1), lambda x: np.stack([x, x * 2], -1)),
    ],
)
def test_operations(ours, numpy):
    x = leaf(2, 3, 4, positive=True)
    np.testing.assert_allclose(ours(x).data, numpy(x.data), rtol=1e-6)
    check_gradient(ours, x, step=1e-3, tolerance=1e-2)


@pytest.mark.parametrize(
    "shapes",
    [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (5, 4, 2))],
    ids=str,
)
def test_matmul(shapes):
    a, b = leaf(*shapes[0]), leaf(*shapes[1], seed=1)
    np.testing.assert_allclose((a @ b).data, a.data @ b.data, rtol=1e-5, atol=1e-6)
    check_gradient(lambda x, y: x @ y, a, b)


def test_a_value_that_is_used_several_times_gets_all_its_gradients():
    x = Tensor(np.float32([2.0]), requires_grad=True)
    y = x * 3
    z = y + y * y + x
    z.backward()
    assert x.grad.item() == 3 + 2 * 6 * 3 + 1


def test_gradients_add_up_over_calls_until_zero_grad():
    x = leaf(3)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad, [5, 5, 5])
    x.zero_grad()
    assert x.grad is None


def test_leaves_never_share_a_gradient():
    x, y = leaf(3), leaf(3)
    gradient = np.ones(3, np.float32)
    (x + y).backward(gradient)
    x.grad += 1
    np.testing.assert_array_equal(y.grad, [1, 1, 1])
    np.testing.assert_array_equal(gradient, [1, 1, 1])
    x.grad = y.grad = None
    x.reshape(3, 1).backward(gradient.reshape(3, 1))
    x.grad += 1
    np.testing.assert_array_equal(gradient, [1, 1, 1])


def test_no_grad_records_nothing():
    x = leaf(3)
    with nn.no_grad():
        y = x * 2
    assert not y.requires_grad
    assert nn.grad_enabled()
    with pytest.raises(RuntimeError, match="depends on nothing"):
        y.sum().backward()


def test_activations_that_nobody_saved_are_freed():
    import weakref

    x = leaf(4)
    y = x + 1
    gone = weakref.ref(y)
    z = y + 1
    del y
    assert gone() is None
    z.sum().backward()
    np.testing.assert_array_equal(x.grad, np.ones(4))


def test_backward_twice():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad, 4 * x.data)
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_change_in_place_of_what_was_saved():
    x, factor = leaf(3), Tensor(np.ones(3, np.float32))
    y = (x * factor).sum()
    factor.mul_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
    z = factor * x  # a view shares the memory, and the count of its changes
    factor.reshape(3, 1).fill_(0)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="no_grad"):
        x.add_(1)
    with nn.no_grad():
        x.add_(1).zero_()
    np.testing.assert_array_equal(x.data, [0, 0, 0])


def test_sparse_gradients_add():
    a = nn.SparseGradient(np.array([0, 2]), np.ones((2, 2), np.float32), (4, 2))
    b = nn.SparseGradient(np.array([2, 3]), np.ones((2, 2), np.float32), (4, 2))
    np.testing.assert_array_equal((a + b).to_dense(), [[1, 1], [0, 0], [2, 2], [1, 1]])
    dense = np.zeros((4, 2), np.float32)
    np.testing.assert_array_equal(a + dense, a.to_dense())
    np.testing.assert_array_equal(dense + a, a.to_dense())


def test_same_bits_for_any_number_of_threads():
    results = []
    for n in (1, 2, 3):
        with nn.threads(n):
            x, w = leaf(300, 200), leaf(200, 150, seed=1)
            ((x @ w) * (x @ w) + w[0, :]).sum().backward()
            results.append((x.grad, w.grad))
    for x_grad, w_grad in results[1:]:
        np.testing.assert_array_equal(x_grad, results[0][0])
        np.testing.assert_array_equal(w_grad, results[0][1])


def test_wrong_types_and_shapes():
    with pytest.raises(TypeError, match="float64"):
        Tensor(np.zeros(3))
    with pytest.raises(TypeError, match="int64"):
        Tensor(np.zeros(3, np.int64), requires_grad=True)
    with pytest.raises(TypeError, match="int64"):
        leaf(3) + Tensor(np.zeros(3, np.int64))
    with pytest.raises(nn.ShapeError, match=r"\(3,\) and \(4,\)"):
        leaf(3) + leaf(4)
    with pytest.raises(nn.ShapeError, match=r"\(2, 3\) and \(4, 5\)"):
        leaf(2, 3) @ leaf(4, 5)
    with pytest.raises(nn.ShapeError, match=r"\(2, 3\).*\(4,\)"):
        leaf(2, 3).reshape(4)
    with pytest.raises(nn.ShapeError, match="needs the gradient"):
        leaf(3).backward()
    with pytest.raises(nn.ShapeError, match=r"\(2,\).*\(3,\)"):
        leaf(3).backward(np.ones(2, np.float32))
    with pytest.raises(nn.ShapeError, match="dim 5"):
        leaf(3).sum(5)
    with pytest.raises(IndexError, match=r"shape \(3,\)"):
        leaf(3)[7]


def test_seeds():
    nn.manual_seed(3)
    first = [nn.generator().next_seed() for _ in range(3)]
    state = nn.generator().get_state()
    later = nn.generator().next_seed()
    assert len({*first, later}) == 4
    nn.manual_seed(3)
    assert [nn.generator().next_seed() for _ in range(3)] == first
    nn.generator().set_state(state)
    assert nn.generator().next_seed() == later
    with pytest.raises(ValueError, match="seed"):
        nn.manual_seed(-1)


def test_a_training_step_allocates_nothing_after_the_first():
    net = nn.Sequential(nn.Linear(64, 256, activation="gelu"), nn.Dropout(0.1), nn.LayerNorm(256), nn.Linear(256, 10))
    x, y = np.ones((512, 64), np.float32), np.arange(512) % 10
    optimizer = nn.optim.AdamW(net.parameters())

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    nn.release_memory()
    assert nn.idle_memory() == 0
    step()
    step()
    idle = nn.idle_memory()
    assert idle > 0
    for _ in range(3):
        step()
        assert nn.idle_memory() == idle  # all that was taken has come back, and nothing was added
    nn.release_memory()
    assert nn.idle_memory() == 0


def test_a_gradient_that_still_waits_elsewhere_is_not_changed():
    w, x = nn.Parameter(np.ones(3, np.float32)), nn.Parameter(np.ones(3, np.float32))
    y = (w + x * 5) + w * 3
    (y * 2).sum().backward()
    np.testing.assert_array_equal(w.grad, [8, 8, 8])
    np.testing.assert_array_equal(x.grad, [10, 10, 10])


def test_random_graphs_against_a_count_of_paths():
    """Sums of earlier values with small factors: the gradient of each leaf is a sum over paths, exact in float32."""
    for seed in range(200):
        random = rng(seed)
        leaves = [nn.Parameter(np.ones(2, np.float32)) for _ in range(3)]
        values = [(leaf, np.eye(3)[i]) for i, leaf in enumerate(leaves)]
        for _ in range(random.integers(1, 8)):
            (a, by_a), (b, by_b) = (values[i] for i in random.integers(0, len(values), 2))
            factor = float(random.integers(1, 4))
            values.append(
                (a + b * factor, by_a + factor * by_b) if random.random() < 0.5 else (a * factor, factor * by_a)
            )
        values[-1][0].backward(np.ones(2, np.float32)) if values[-1][0].requires_grad else None
        for leaf, expected in zip(leaves, values[-1][1], strict=True):
            got = np.zeros(2) if leaf.grad is None else leaf.grad
            np.testing.assert_array_equal(got, [expected, expected], err_msg=f"seed {seed}")


def test_tensors_without_axes():
    w = nn.Parameter(np.float32(2))
    s = w * 1.0
    (s + s + s).backward()
    assert w.grad == 3
    assert isinstance(w.grad, np.ndarray)


def test_sequences_of_tensors_are_not_taken_for_numbers():
    x = leaf(2, 3)
    with pytest.raises(TypeError, match=r"nn\.stack"):
        nn.functional.softmax([x, x], 0)
    with pytest.raises(TypeError, match="exponent"):
        _ = x**x


def test_change_of_a_saved_output():
    x, w = leaf(2, 3), leaf(4, 3, seed=1)
    y = nn.functional.linear(x, w, activation="relu")
    with nn.no_grad():
        y.fill_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
