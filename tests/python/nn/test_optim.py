"""Optimizers against their papers' formulas; groups, clipping, rows, state; schedules; bad input."""

import math

import numpy as np
import pytest

from mlcore._native import core
from mlcore.nn import _runtime, optim
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import ShapeError, SparseGradient, Tensor
from twins.nn import assert_close
from twins.nn.optim import Twin

RULES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.9, 0.98), "eps": 1e-9}),
    ("AdamW", {}),
    ("AdamW", {"betas": (0.8, 0.9), "weight_decay": 0.3}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"centered": True, "eps": 1e-3}),
    ("RMSprop", {"momentum": 0.8}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.8, 0.7), "amsgrad": True, "maximize": True}),
    ("AdamW", {"betas": (0.8, 0.7), "amsgrad": True}),
    ("NAdam", {}),
    ("NAdam", {"betas": (0.8, 0.9), "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
]
SHAPES = [(), (1,), (7, 5), (3, 1, 2), (16385,)]


def rules(test):
    return pytest.mark.parametrize(("name", "settings"), RULES, ids=lambda value: str(value))(test)


def make(name, parameters, settings, **options):
    return getattr(optim, name)(parameters, lr=0.01, **settings, **options)


def parameters_of(rng, shapes=SHAPES):
    return [Parameter(rng.normal(size=shape).astype(np.float32)) for shape in shapes]


def give_gradients(rng, parameters):
    for p in parameters:
        p.grad = rng.normal(size=p.shape).astype(np.float32)


@rules
@pytest.mark.parametrize("clip_value", [None, 0.5])
def test_rules_follow_their_twins(name, settings, clip_value):
    rng = np.random.default_rng(0)
    parameters = parameters_of(rng)
    expected = [p.data.astype(np.float64) for p in parameters]
    twins = [Twin(name, 0.01, **settings) for _ in parameters]
    optimizer = make(name, parameters, settings, clip_value=clip_value)
    for _ in range(5):
        give_gradients(rng, parameters)
        grads = [p.grad.copy() for p in parameters]
        optimizer.step(gradient_scale=0.5)
        expected = [
            twin.step(p, g.astype(np.float64), 0.5, clip_value or np.inf)
            for twin, p, g in zip(twins, expected, grads, strict=True)
        ]
        for p, value, grad in zip(parameters, expected, grads, strict=True):
            assert_close(p.data, value, 2e-6)
            assert np.array_equal(p.grad, grad)  # the gradient itself stays


@rules
def test_any_number_of_threads_gives_the_same_bits(name, settings):
    results = []
    for n_jobs in (1, 2, 3):
        rng = np.random.default_rng(0)
        parameters = parameters_of(rng, [(300, 200), (7,), (70000,)])
        optimizer = make(name, parameters, settings, max_norm=1.0)
        with _runtime.threads(n_jobs):
            for _ in range(3):
                give_gradients(rng, parameters)
                optimizer.step()
        results.append([p.data.tobytes() for p in parameters])
    assert results[0] == results[1] == results[2]


def test_clipping_by_the_norm_of_all_parameters():
    rng = np.random.default_rng(0)
    for norm in (1e-3, 1e3):
        parameters = parameters_of(rng)
        before = [p.data.copy() for p in parameters]
        give_gradients(rng, parameters)
        total = math.sqrt(sum(float(np.sum(p.grad.astype(np.float64) ** 2)) for p in parameters))
        optimizer = optim.SGD(parameters, lr=1.0, max_norm=norm)
        optimizer.step()
        assert optimizer.grad_norm == pytest.approx(total, rel=1e-6)
        for p, old in zip(parameters, before, strict=True):
            assert_close(p.data, old - p.grad * min(1.0, norm / total), 1e-6)


def test_the_clipping_functions_change_gradients():
    rng = np.random.default_rng(0)
    parameters = parameters_of(rng)
    give_gradients(rng, parameters)
    parameters.append(Parameter(np.ones(3, np.float32)))  # without one
    before = [p.grad.copy() for p in parameters[:-1]]
    total = optim.clip_grad_norm_(iter(parameters), 0.5)
    assert optim.clip_grad_norm_(parameters, 10.0) == pytest.approx(0.5, rel=1e-4)
    for p, old in zip(parameters, before, strict=False):
        assert_close(p.grad, old * 0.5 / total)
    optim.clip_grad_value_(parameters, 0.001)
    assert max(float(np.abs(p.grad).max()) for p in parameters[:-1]) == np.float32(0.001)


@pytest.mark.parametrize(("name", "settings"), [("SGD", {}), ("Adagrad", {})])
def test_rows_move_as_with_a_dense_gradient(name, settings):
    rng = np.random.default_rng(0)
    dense, sparse = (Parameter(np.ones((50, 6), np.float32)) for _ in range(2))
    optimizers = [make(name, [p], settings) for p in (dense, sparse)]
    for _ in range(4):
        rows = np.sort(rng.choice(50, 9, replace=False))
        values = rng.normal(size=(9, 6)).astype(np.float32)
        sparse.grad = SparseGradient(rows, values, (50, 6))
        dense.grad = sparse.grad.to_dense()
        for optimizer in optimizers:
            optimizer.step()
        assert np.array_equal(dense.data, sparse.data)


@rules
def test_rows_that_are_not_named_stay(name, settings):
    p = Parameter(np.ones((5, 3), np.float32))
    optimizer = make(name, [p], settings, max_norm=1.0)
    p.grad = SparseGradient(np.array([1, 4]), np.ones((2, 3), np.float32), (5, 3))
    optimizer.step()
    assert (p.data[[0, 2, 3]] == 1).all()
    assert (p.data[[1, 4]] != 1).all()


def test_a_parameter_without_gradient_is_left_alone():
    a, b = Parameter(np.ones(3, np.float32)), Parameter(np.ones(3, np.float32))
    optimizer = optim.AdamW([a, b])
    a.grad = np.ones(3, np.float32)
    versions = (a._version.n_changes, b._version.n_changes)
    optimizer.step()
    assert (a.data < 1).all()
    assert (b.data == 1).all()
    assert b not in optimizer.state
    assert (a._version.n_changes, b._version.n_changes) == (versions[0] + 1, versions[1])
    optimizer.zero_grad()
    assert a.grad is None
    optimizer.step()  # nothing to do
    assert optimizer.state[a]["step"] == 1


def test_each_parameter_counts_its_own_steps():
    rng = np.random.default_rng(0)
    a, b = parameters_of(rng, [(4,), (4,)])
    start = b.data.copy()
    optimizer = optim.Adam([a, b], lr=0.01)
    for i in range(4):
        a.grad = np.ones(4, np.float32)
        b.grad = np.ones(4, np.float32) if i == 3 else None
        optimizer.step()
    assert [optimizer.state[p]["step"] for p in (a, b)] == [4, 1]
    assert_close(b.data, start - 0.01)


def test_groups_have_settings_of_their_own():
    a, b = Parameter(np.ones(2, np.float32)), Parameter(np.ones(2, np.float32))
    optimizer = optim.SGD([{"params": [a], "lr": 0.1}, {"params": b}], lr=0.01)
    a.grad, b.grad = np.ones(2, np.float32), np.ones(2, np.float32)
    optimizer.step()
    assert_close(a.data, [0.9, 0.9])
    assert_close(b.data, [0.99, 0.99])
    optimizer.param_groups[1]["lr"] = 1.0
    optimizer.step()
    assert_close(b.data, [-0.01, -0.01])
    assert "lr" in repr(optimizer)


def test_weight_decay_groups():
    class Net(Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = Parameter(np.ones((2, 2))), Parameter(np.ones(2))

    net = Net()
    groups = optim.weight_decay_groups(net, 0.1)
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.1), (1, 0.0)]
    assert groups[0]["params"][0] is net.weight
    optim.AdamW(groups)


@rules
def test_state_goes_on_bit_for_bit(name, settings):
    rng = np.random.default_rng(0)
    a, gradients = parameters_of(rng), np.random.default_rng(1)
    first = make(name, a, settings)
    for _ in range(3):
        give_gradients(gradients, a)
        first.step()
    b = [Parameter(p.data) for p in a]
    second = make(name, b, {})
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        give_gradients(gradients, a)
        for p, q in zip(a, b, strict=True):
            q.grad = p.grad
        first.step()
        second.step()
    assert all(p.data.tobytes() == q.data.tobytes() for p, q in zip(a, b, strict=True))


def test_state_that_does_not_fit_is_refused():
    one, two = (optim.Adam([Parameter(np.ones(n, np.float32))]) for n in (3, 4))
    one.param_groups[0]["params"][0].grad = np.ones(3, np.float32)
    one.step()
    with pytest.raises(ValueError, match=r"exp_avg of parameter 0 has shape \(3,\), the parameter \(4,\)"):
        two.load_state_dict(one.state_dict())
    three = optim.Adam([Parameter(np.ones(3, np.float32)), Parameter(np.ones(3, np.float32))])
    with pytest.raises(ValueError, match="groups of"):
        three.load_state_dict(one.state_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1.0}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"eps": -1e-8}, "eps"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"max_norm": 0}, "max_norm"),
        ({"clip_value": -1.0}, "clip_value"),
        ({"amsgrad": "yes", "eps": math.inf}, "eps"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        optim.Adam([Parameter(np.ones(2))], **settings)


def test_parameters_that_cannot_be_moved_are_refused():
    p = Parameter(np.ones((2, 3)))
    with pytest.raises(ValueError, match="empty"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable"):
        optim.SGD(p)
    with pytest.raises(TypeError, match="moves tensors"):
        optim.SGD([np.ones(2, np.float32)])
    with pytest.raises(ValueError, match="twice"):
        optim.SGD([p, p])
    with pytest.raises(ValueError, match="float32"):
        optim.SGD([Tensor([1, 2])])
    with pytest.raises(ValueError, match="C order"):
        optim.SGD([Tensor(np.ones((2, 3), np.float32).T)])
    with pytest.raises(ValueError, match="no setting rate"):
        optim.SGD([{"params": [p], "rate": 1}])
    with pytest.raises(ValueError, match="nesterov"):
        optim.SGD([p], nesterov=True)
    optimizer = optim.SGD([p])
    p.grad = np.ones((3, 2), np.float32)
    with pytest.raises(ShapeError, match=r"\(3, 2\).*\(2, 3\)"):
        optimizer.step()
    p.grad = SparseGradient(np.array([0, 2]), np.ones((2, 3), np.float32), (2, 3))
    with pytest.raises(ValueError, match="rows"):
        optimizer.step()
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        with pytest.raises(ValueError, match="positive"):
            clip([p], 0.0)


def test_the_core_checks_what_it_is_given():
    p, g = np.zeros(3, np.float32), np.ones(3, np.float32)
    options = {"rule": "adam", "learning_rate": 0.1, "n_threads": 1}
    step = core.nn.optimizer_step
    with pytest.raises(ValueError, match="gradients must have 1 arrays"):
        step([p], [], [None], [p.copy()], [p.copy()], [], [1], **options)
    with pytest.raises(ValueError, match="velocities must have 1"):
        step([p], [g], [None], [], [p.copy()], [], [1], **options)
    with pytest.raises(ValueError, match="squares"):
        step([p], [g], [None], [p.copy()], [np.zeros(2, np.float32)], [], [1], **options)
    with pytest.raises(ValueError, match="extras must have 1"):
        step([p], [g], [None], [p.copy()], [p.copy()], [], [1], amsgrad=True, **options)
    with pytest.raises(ValueError, match="from 1"):
        step([p], [g], [None], [p.copy()], [p.copy()], [], [0], **options)
    with pytest.raises(TypeError, match="float32"):
        step([p], [g.astype(np.float64)], [None], [p.copy()], [p.copy()], [], [1], **options)
    with pytest.raises(ValueError, match="optimizer must be"):
        step([p], [g], [None], [], [], [], [1], **options | {"rule": "lion"})
    frozen = p.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        step([frozen], [g], [None], [p.copy()], [p.copy()], [], [1], **options)
    with pytest.raises(ValueError, match="sources"):
        core.nn.blend([p], [], weight=0.5, n_threads=1)
    assert core.nn.square_sums([g, g[:0]], n_threads=1).tolist() == [3.0, 0.0]
    assert (p == 0).all()


def test_state_of_another_kind_of_optimizer():
    p = Parameter(np.ones(3, np.float32))
    p.grad = np.ones(3, np.float32)
    other = optim.AdamW([p])
    other.step()
    with pytest.raises(ValueError, match=r"another kind of optimizer.*betas"):
        optim.SGD([p]).load_state_dict(other.state_dict())
    state = other.state_dict()
    state["state"][7] = state["state"].pop(0)
    with pytest.raises(ValueError, match="parameter 7, AdamW has 1"):
        other.load_state_dict(state)


def test_states_of_former_versions_are_taken_over():
    p = Parameter(np.ones(3, np.float32))
    p.grad = np.ones(3, np.float32)
    for optimizer, added in (
        (optim.Adam([p], amsgrad=True), ("maximize", "amsgrad")),
        (optim.RMSprop([p]), ("maximize", "momentum", "centered")),
    ):
        optimizer.step()
        state = optimizer.state_dict()
        for name in added:
            del state["param_groups"][0][name]
        state["state"][0].pop("max_exp_avg_sq", None)
        optimizer.load_state_dict(state)
        optimizer.step()
        assert optimizer.state[p]["step"] == 2


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_clipping_does_not_depend_on_units(unit):
    p = Parameter(np.zeros(2, np.float32))
    p.grad = np.float32([3, 4]) * np.float32(unit)
    optim.SGD([p], lr=1.0, max_norm=unit).step()
    assert_close(p.data, -np.float32([0.6, 0.8]) * np.float32(unit), 1e-6 * unit)
    assert optim.clip_grad_norm_([p], unit) == pytest.approx(5 * unit)
    assert_close(p.grad, np.float32([0.6, 0.8]) * np.float32(unit), 1e-6 * unit)
