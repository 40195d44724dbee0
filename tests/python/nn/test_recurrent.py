"""Recurrent layers: against their twin, and the twin against finite differences; lengths, states, bad input."""

import numpy as np
import pytest

from mlcore._native import core
from mlcore.nn import ShapeError, Tensor, manual_seed, no_grad, threads
from mlcore.nn.functional._recurrent import lstm
from mlcore.nn.layers._recurrent import GRU, LSTM, RNN
from twins.nn import assert_close, finite_difference_check
from twins.nn import recurrent as twin

KINDS = ["rnn_tanh", "rnn_relu", "lstm", "gru"]


def layer(kind, *args, **options):
    if kind.startswith("rnn"):
        return RNN(*args, nonlinearity=kind[4:], **options)
    return {"lstm": LSTM, "gru": GRU}[kind](*args, **options)


def weights_of(module):
    return [[np.zeros(1) if w is None else w.data.astype(np.float64) for w in part] for part in module._weights()]


def draw(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def run(module, x, states, lengths, gradients):
    """Values and gradients of a layer: as what twin.layers returns."""
    inputs = [Tensor(a, requires_grad=True) for a in (x, *states)]
    hx = tuple(inputs[1:])
    output, last = module(inputs[0], hx if len(hx) == 2 else hx[0], lengths=lengths)
    results = (output, *(last if isinstance(last, tuple) else (last,)))
    module.zero_grad()
    for i, (result, gradient) in enumerate(zip(results, gradients, strict=False)):
        result.backward(gradient, retain_graph=i + 1 < len(results))
    return [r.data for r in results], [t.grad for t in inputs], [w.grad for w in module.parameters()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_twin_has_the_gradient_of_its_forward(kind):
    P, H, B = {"lstm": 4, "gru": 3}.get(kind, 1), 3, 2
    shapes = [(4, B, 2), (B, H), (B, H), (P * H, 2), (P * H, H), (P * H,), (P * H,)]
    inputs = [draw(*shape, seed=i, dtype=np.float64) for i, shape in enumerate(shapes)]

    def forward(x, h, c, *weights):
        y, h_n, c_n, _ = twin.forward(kind, x, h, c, weights)
        return np.concatenate([y, h_n[None], c_n[None]])

    def backward(d, x, h, c, *weights):
        saved = twin.forward(kind, x, h, c, weights)[3]
        dx, dh, dc, dweights = twin.backward(kind, d[:-2], d[-2], d[-1], saved, weights)
        return [dx, dh, dc, *dweights]

    finite_difference_check(forward, backward, inputs)


# Units around the columns of a tile (8, 16, 32), rows around its height (4, 6, 14) and four tiles.
@pytest.mark.parametrize(
    ("I", "H", "lengths"),
    [
        (1, 1, [1]),
        (3, 5, [4, 4, 4]),
        (5, 8, [2, 7, 1, 7, 3]),
        (4, 17, [1, 2, 3, 4, 5, 6, 7]),
        (9, 33, [3] * 15),
        (2, 70, [*range(1, 14), 5, 9]),
        (3, 9, [2] * 30 + [1] * 40 + [3]),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_against_the_twin(kind, I, H, lengths):  # noqa: E741 - letters of the twin
    for bidirectional, num_layers in ((False, 1), (True, 2)):
        manual_seed(H)
        module = layer(kind, I, H, num_layers=num_layers, bidirectional=bidirectional)
        B, T, D = len(lengths), max(lengths) + 1, 1 + bidirectional
        x = draw(T, B, I)
        states = [draw(num_layers * D, B, H, seed=i) for i in range(2)]
        gradients = [draw(T, B, D * H, seed=3), *(draw(*states[0].shape, seed=i) for i in (4, 5))]
        if kind != "lstm":
            gradients[2] *= 0
        n_states = 2 if kind == "lstm" else 1
        wide = [a.astype(np.float64) for a in (x, *states, *gradients)]
        values, dinputs = twin.layers(
            kind, wide[0], lengths, *wide[1:3], weights_of(module), *wide[3:], bidirectional=bidirectional
        )
        got = run(module, x, states[:n_states], lengths, gradients)
        for ours, theirs in zip(got[0], values, strict=False):
            assert_close(ours, theirs)
        for ours, theirs in zip(got[1], dinputs[:3], strict=False):
            assert_close(ours, theirs)
        for ours, theirs in zip(got[2], [w for part in dinputs[3] for w in part], strict=True):
            assert_close(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_does_not_change_a_bit(kind):
    manual_seed(0)
    module = layer(kind, 40, 150, num_layers=2, bidirectional=True, dropout=0.3)
    x, lengths = draw(30, 33, 40), np.random.default_rng(1).integers(1, 31, 33)
    states = [draw(4, 33, 150, seed=i) for i in range(2 if kind == "lstm" else 1)]
    gradients = [draw(30, 33, 300, seed=3), *(draw(4, 33, 150, seed=i) for i in (4, 5))]
    found = []
    for n in (1, 2, 3):
        manual_seed(7)  # the same dropout
        with threads(n):
            found.append([a for part in run(module, x, states, lengths, gradients) for a in part])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_does_not_depend_on_its_batch(kind):
    module = layer(kind, 3, 20, bidirectional=True)
    x, lengths = draw(9, 16, 3), np.arange(16) % 9 + 1
    output, _ = module(x, lengths=lengths)
    for b in (0, 3, 15):
        alone, _ = module(x[: lengths[b], b : b + 1])
        assert np.array_equal(output.data[: lengths[b], b], alone.data[:, 0])
        assert not output.data[lengths[b] :, b].any()


def test_what_lies_beyond_a_sequence_is_not_read():
    module = LSTM(3, 4, bidirectional=True)
    x = draw(5, 2, 3)
    x[3:, 0] = np.nan
    inputs = Tensor(x, requires_grad=True)
    output, (h_n, c_n) = module(inputs, lengths=[3, 5])
    output.backward(np.ones(output.shape, np.float32))
    gradients = [inputs.grad, *(w.grad for w in module.parameters())]
    assert all(np.isfinite(a).all() for a in (output.data, h_n.data, c_n.data, *gradients))
    assert not inputs.grad[3:, 0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_layouts_agree(kind):
    module = layer(kind, 3, 6, num_layers=2, bidirectional=True)
    by_step = draw(5, 4, 3)
    expected, expected_last = module(by_step)
    module.batch_first = True
    output, _ = module(np.ascontiguousarray(by_step.swapaxes(0, 1)))
    assert np.array_equal(output.data, expected.data.swapaxes(0, 1))
    output, _ = module(by_step.swapaxes(0, 1))  # a view
    assert np.array_equal(output.data, expected.data.swapaxes(0, 1))
    one = Tensor(by_step[:, 2].copy(), requires_grad=True)  # no axis of the batch
    output, last = module(one)
    assert np.array_equal(output.data, expected.data[:, 2])
    state = (last[0], expected_last[0]) if kind == "lstm" else (last, expected_last)
    assert np.array_equal(state[0].data, state[1].data[:, 2])
    output.backward(np.ones(output.shape, np.float32))
    assert one.grad.shape == one.shape


def test_states_carry_on():
    module = GRU(3, 7, num_layers=2)
    x = draw(8, 2, 3)
    whole, last = module(x)
    first, state = module(x[:5])
    second, end = module(x[5:], state)
    assert np.array_equal(np.concatenate([first.data, second.data]), whole.data)
    assert np.array_equal(end.data, last.data)


def test_gradients_only_where_they_are_asked_for():
    module = LSTM(3, 4, num_layers=2)
    for name, parameter in module.named_parameters():
        parameter.requires_grad = name.endswith("l1")
    output, (h_n, _) = module(draw(5, 2, 3))
    h_n.backward(np.ones(h_n.shape, np.float32))  # nothing arrives at the output
    assert [p.grad is not None for p in module.parameters()] == [False] * 4 + [True] * 4
    with no_grad():
        output, _ = module(draw(5, 2, 3))
    assert not output.requires_grad


def test_without_bias():
    module = GRU(3, 5, bias=False)
    assert [name for name, _ in module.named_parameters()] == ["weight_ih_l0", "weight_hh_l0"]
    with_zeros = GRU(3, 5)
    with_zeros.load_state_dict(
        module.state_dict() | {"bias_ih_l0": np.zeros(15, np.float32), "bias_hh_l0": np.zeros(15, np.float32)}
    )
    x = draw(4, 2, 3)
    assert np.array_equal(module(x)[0].data, with_zeros(x)[0].data)


def test_dropout_only_between_layers_and_only_in_training():
    module = LSTM(3, 50, num_layers=2, dropout=0.5)
    x = draw(4, 2, 3)
    a, b = module(x)[0].data, module(x)[0].data
    assert not np.array_equal(a, b)
    module.eval()
    assert np.array_equal(module(x)[0].data, module(x)[0].data)
    with pytest.warns(UserWarning, match="between layers"):
        LSTM(3, 4, dropout=0.5)


def test_dropout_is_the_same_on_the_way_back():
    manual_seed(0)
    module = RNN(2, 30, num_layers=2, dropout=0.5)
    x = Tensor(draw(3, 2, 2), requires_grad=True)
    manual_seed(1)
    output, _ = module(x)
    dy, direction, step = draw(*output.shape, seed=1), draw(*x.shape, seed=2), np.float32(1e-2)
    output.backward(dy)
    moved = []
    for sign in (1, -1):
        manual_seed(1)
        moved.append(np.sum(module(x.data + sign * step * direction)[0].data.astype(np.float64) * dy))
    assert abs((moved[0] - moved[1]) / (2 * step) - np.sum(x.grad * direction)) < 2e-2


def test_bad_input():
    module = LSTM(3, 4)
    x = draw(5, 2, 3)
    with pytest.raises(ShapeError, match=r"LSTM\(3, 4\): W_ih of layer 0 has shape \(16, 3\), expected \(16, 7\)"):
        module(draw(5, 2, 7))
    with pytest.raises(ShapeError, match=r"shape \(5,\)"):
        module(draw(5))
    with pytest.raises(TypeError, match="float32"):
        module(x.astype(np.float64))
    with pytest.raises(TypeError, match="float32, got int64"):
        module(x.astype(np.int64))
    with pytest.raises(ValueError, match="no steps"):
        module(np.zeros((0, 2, 3), np.float32))
    with pytest.raises(ValueError, match=r"lengths must be in \[1, 5\], got 0 for sequence 1"):
        module(x, lengths=[5, 0])
    with pytest.raises(ValueError, match=r"lengths must be in \[1, 5\], got 6 for sequence 0"):
        module(x, lengths=np.array([6, 1]))
    with pytest.raises(ShapeError, match=r"lengths has shape \(3,\) for 2 sequences"):
        module(x, lengths=[1, 2, 3])
    with pytest.raises(TypeError, match="lengths must be integers"):
        module(x, lengths=[1.0, 2.0])
    with pytest.raises(TypeError, match="pair"):
        module(x, draw(1, 2, 4))
    with pytest.raises(ShapeError, match=r"hx has shape \(1, 3, 4\), expected \(1, 2, 4\)"):
        module(x, (draw(1, 3, 4), draw(1, 2, 4)))
    with pytest.raises(ValueError, match="hidden_size"):
        LSTM(3, 0)
    with pytest.raises(ValueError, match="nonlinearity"):
        RNN(3, 4, nonlinearity="sigmoid")
    with pytest.raises(ValueError, match="either all biases"):
        lstm(x, None, [[draw(16, 3), draw(16, 4), draw(16), None]])
    output, _ = module(x)
    output.backward(np.ones(output.shape, np.float32))
    with pytest.raises(RuntimeError, match="lstm a second time"):
        output.backward(np.ones(output.shape, np.float32))
    output, _ = module(x)
    with no_grad():
        module.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        output.backward(np.ones(output.shape, np.float32))


def test_the_core_checks_what_it_is_given():
    x, h0 = draw(6, 3), None
    weights = [[draw(16, 3), draw(16, 4), None, None]]
    sizes = {"n_batch": 2, "n_steps": 3, "n_threads": 1}
    y, _, _, gates, cells = core.nn.recurrent_forward("lstm", x, h0, None, weights, None, keep=True, **sizes)

    def forward(kind="lstm", x=x, h0=h0, c0=None, weights=weights, lengths=None, **changed):
        core.nn.recurrent_forward(kind, x, h0, c0, weights, lengths, keep=True, **(sizes | changed))

    for wrong in (
        {"kind": "lstmp"},
        {"x": x[:5]},
        {"h0": draw(1, 1, 4)},
        {"weights": [weights[0]] * 3},
        {"weights": []},
        {"weights": [weights[0][:2]]},
        {"weights": [[draw(16, 3), draw(16, 4), draw(16), None]]},
        {"weights": [[draw(16, 3), draw(16, 0), None, None]]},
        {"kind": "gru"},
        {"lengths": np.array([3, 4])},
        {"lengths": np.array([0, 3])},
        {"lengths": np.array([3])},
        {"lengths": np.array([3, 2])},
        {"n_batch": 0},
        {"n_threads": 0},
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each says something else
            forward(**wrong)
    given = {"y": y, "gates": gates, "cells": cells, "dy": y, "dh_n": None, "dc_n": None}
    asked = {"needs_x": True, "needs_states": True, "needs_weights": True}
    for wrong in ({"y": y[:5]}, {"gates": gates[:, :5]}, {"cells": gates}, {"dy": y[:, :2]}, {"dh_n": draw(2, 4)}):
        with pytest.raises(ValueError):  # noqa: PT011
            core.nn.recurrent_backward("lstm", x, None, None, weights, None, **sizes, **(given | wrong), **asked)
    with pytest.raises(TypeError):
        core.nn.recurrent_backward("lstm", x, None, None, weights, None, **sizes, **(given | {"gates": None}), **asked)
    with pytest.raises(ValueError, match="do not have 5 rows"):
        core.nn.unpack_sequences(x[:5], None, n_batch=2, n_steps=3, batch_first=True, n_threads=1)


def test_how_layers_look():
    assert repr(LSTM(3, 4, num_layers=2, batch_first=True)) == "LSTM(3, 4, num_layers=2, batch_first=True)"
    assert repr(RNN(3, 4, nonlinearity="relu")) == "RNN(3, 4, nonlinearity='relu')"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[3, 1, 5, 5, 2], [4, 4, 4], [1, 1], [6]])
def test_packed_sequences_have_the_bits_of_padded_ones(kind, lengths):
    manual_seed(3)
    module = layer(kind, 5, 20, num_layers=2, bidirectional=True, dropout=0.4)
    B, T, N = len(lengths), max(lengths), sum(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    there = np.arange(T)[:, None] < np.array(lengths)
    places = offsets[:-1] + np.arange(T)[:, None]  # of step t of sequence b among the rows
    rows = draw(N, 5)
    padded = np.zeros((T, B, 5), np.float32)
    padded[there] = rows[places[there]]
    states = [draw(4, B, 20, seed=i) for i in range(2 if kind == "lstm" else 1)]
    dlast = [draw(4, B, 20, seed=i) for i in (4, 5)]
    dy = draw(N, 40, seed=6)
    dpadded = np.zeros((T, B, 40), np.float32)
    dpadded[there] = dy[places[there]]
    results = []
    for x, d, options in ((padded, dpadded, {"lengths": lengths}), (rows, dy, {"offsets": offsets})):
        manual_seed(8)  # the same dropout
        inputs = [Tensor(a, requires_grad=True) for a in (x, *states)]
        hx = tuple(inputs[1:])
        output, last = module(inputs[0], hx if len(hx) == 2 else hx[0], **options)
        last = last if isinstance(last, tuple) else (last,)
        module.zero_grad()
        output.backward(d, retain_graph=True)
        for state, gradient in zip(last, dlast, strict=False):
            state.backward(gradient, retain_graph=True)
        results.append(
            [output.data, inputs[0].grad, *(t.data for t in last), *(t.grad for t in inputs[1:])]
            + [w.grad for w in module.parameters()]
        )
    for i, (a, b) in enumerate(zip(*results, strict=True)):
        expected = np.zeros_like(b) if i < 2 else a
        if i < 2:
            expected[places[there]] = a[there]
        assert np.array_equal(expected, b)


def test_packed_sequences_that_are_none():
    module = GRU(3, 4)
    x = draw(6, 3)
    for offsets, error in (
        ([0, 3, 3, 6], "sequence 1 holds no steps"),
        ([0, 4, 2, 6], "offsets"),
        ([0, 3, 7], "offsets"),
        ([1, 6], "offsets"),
        ([], "offsets"),
    ):
        with pytest.raises(ValueError, match=error):
            module(x, offsets=np.array(offsets, np.int64))
    with pytest.raises(TypeError, match="offsets"):
        module(x, offsets=[0.0, 6.0])
    with pytest.raises(ShapeError, match="with offsets"):
        module(x[None], offsets=[0, 6])
    with pytest.raises(ValueError, match="no padding"):
        module(x, offsets=[0, 6], lengths=[6])
    output, last = module(x[:0], offsets=[0])
    assert (output.shape, last.shape) == ((0, 4), (1, 0, 4))
    for call in (core.nn.rows_to_steps, core.nn.steps_to_rows):
        for offsets in ([0, 3], [0, 7], [0, 0, 6], [0, 9, 6], [6], [0, -1, 6]):
            with pytest.raises(ValueError, match="offsets"):
                call(x, np.array(offsets, np.int64), n_threads=1)
