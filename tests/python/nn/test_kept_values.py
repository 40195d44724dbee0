"""What an operation keeps for its gradient: the caller may change its arrays before `backward`, tensors raise."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor
from mlcore.nn import functional as F


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def gru(x, w, start=None, lengths=None):
    return F.gru(x, start, [[w, draw(6, 2, seed=5), None, None]], lengths=lengths)[0]


LENGTHS = np.array([3, 1])
TARGET = np.array([0, 2, 1, 1])
MASK = np.array([[True, False, True, True]] * 4)
BIAS = draw(4, 4, seed=8)

# Each makes a result from a parameter and an array of the caller.
CASES = {
    "x[array]": (np.array([0, 2, 2]), (4, 3), lambda w, a: w[a]),
    "x[array, array]": (np.array([0, 2, 2]), (4, 3), lambda w, a: w[a, a]),
    "x[mask]": (np.array([True, False, True, True]), (4, 3), lambda w, a: w[a]),
    "gather": (np.zeros((2, 3), np.int64), (4, 3), lambda w, a: w.gather(0, a)),
    "where": (MASK, (4, 4), lambda w, a: nn.where(a, w, 0)),
    "masked_fill": (MASK, (4, 4), lambda w, a: w.masked_fill(a, 0)),
    "embedding": (np.array([0, 2, 2]), (4, 3), lambda w, a: F.embedding(a, w)),
    "cross_entropy": (TARGET, (4, 3), lambda w, a: F.cross_entropy(w, a, reduction="none")),
    "cross_entropy, weight": (draw(3) ** 2, (4, 3), lambda w, a: F.cross_entropy(w, TARGET, a, reduction="none")),
    "cross_entropy of shares": (draw(4, 3) ** 2, (4, 3), lambda w, a: F.cross_entropy(w, a, reduction="none")),
    "focal": (TARGET, (4, 3), lambda w, a: F.focal_loss(w, a, reduction="none")),
    "nll": (TARGET, (4, 3), lambda w, a: F.nll_loss(w, a, reduction="none")),
    "mse": (draw(4, 3), (4, 3), lambda w, a: F.mse_loss(w, a, reduction="none")),
    "bce": (draw(4, 3) ** 2, (4, 3), lambda w, a: F.binary_cross_entropy_with_logits(w, w.data, a, "none")),
    "attention mask": (MASK, (1, 1, 4, 3), lambda w, a: F.scaled_dot_product_attention(w, w, w, a)),
    "attention bias": (BIAS, (1, 1, 4, 3), lambda w, a: F.scaled_dot_product_attention(w, w, w, a)),
    "attention lengths": (np.array([3]), (1, 1, 4, 3), lambda w, a: F.scaled_dot_product_attention(w, w, w, lengths=a)),
    "additive": (BIAS, (1, 4, 3), lambda w, a: F.additive_attention(w, w, w, Tensor(draw(3)), a)),
    "kernel regression": (np.array([3]), (1, 4, 3), lambda w, a: F.kernel_regression(w, w, w, 1.0, lengths=a)),
    "packed keys": (draw(4, 6), (4, 3), lambda w, a: F.packed_attention([w, a], 1, offsets=[0, 1, 4])[0]),
    "offsets": (np.array([0, 1, 4]), (4, 9), lambda w, a: F.packed_attention([w], 1, offsets=a)[0]),
    "offsets of positions": (np.array([0, 1, 4]), (4, 6), lambda w, a: F.add_positions(draw(4, 6), w, offsets=a)),
    "offsets of rotations": (np.array([0, 1, 4]), (4, 6), lambda w, a: F.rotary_embedding(w, offsets=a)),
    "rotary": (np.arange(4), (1, 4, 6), lambda w, a: F.rotary_embedding(w, a)),
    "lengths of a GRU": (LENGTHS, (6, 3), lambda w, a: gru(draw(3, 2, 3), w, lengths=a)),
    "x of a GRU": (draw(3, 2, 3), (6, 3), lambda w, a: gru(a, w)),
    "start of a GRU": (draw(1, 2, 2), (6, 3), lambda w, a: gru(draw(3, 2, 3), w, a)),
    "linear": (draw(5, 3), (4, 3), lambda w, a: F.linear(a, w)),
    "linear, fused": (draw(5, 3), (4, 3), lambda w, a: F.linear(a, w, activation="gelu")),
    "conv": (draw(2, 3, 6), (4, 3, 3), lambda w, a: F.conv1d(a, w)),
    "layer norm": (draw(5, 3), (3,), lambda w, a: F.layer_norm(a, 3, w)),
    "batch norm": (draw(5, 3), (3,), lambda w, a: F.batch_norm(a, None, None, w, None, True)),
    "*": (draw(4, 3), (4, 3), lambda w, a: a * w),
    "/": (draw(4, 3), (4, 3), lambda w, a: w / a),
    "@": (draw(5, 4), (4, 3), lambda w, a: a @ w),
    "as_tensor(array)": (draw(4, 3), (4, 3), lambda w, a: nn.as_tensor(a) * w),
    "a view of as_tensor(array)": (draw(3, 4), (4, 3), lambda w, a: nn.as_tensor(a).transpose(0, 1).detach() * w),
    "Tensor(array)": (draw(4, 3), (4, 3), lambda w, a: Tensor(a) * w),
    "Tensor(tensor)": (draw(4, 3), (4, 3), lambda w, a: Tensor(Tensor(a)) * w),
    "scale": (draw(4, 3) ** 2, (4, 3), lambda w, a: F.kl_div(w, a, "sum")),
}


@pytest.mark.parametrize("name", CASES)
def test_arrays_may_be_filled_again(name):
    given, shape, function = CASES[name]
    gradients = []
    for changes in (False, True):
        w, array = Tensor(draw(*shape, seed=1), requires_grad=True), given.copy()
        y = function(w, array)
        if changes:
            array[...] = array.flat[0] if array.dtype != np.bool_ else True
        y.backward(draw(*y.shape, seed=2))
        gradients.append(w.grad)
    np.testing.assert_array_equal(gradients[0], gradients[1])


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("Tensor(")])
def test_tensors_that_change_raise_or_were_copied(name):
    given, shape, function = CASES[name]
    w = Tensor(draw(*shape, seed=1), requires_grad=True)
    y = function(w, given.copy())
    dy = draw(*y.shape, seed=2)
    y.backward(dy)
    right, w.grad = w.grad, None
    tensor = Tensor(given)
    y = function(w, tensor)
    tensor.copy_(np.full(given.shape, given.flat[0]) if given.dtype != np.bool_ else np.ones(given.shape, bool))
    try:
        y.backward(dy)
    except RuntimeError as error:
        assert "changed in place" in str(error)  # noqa: PT017
        return
    np.testing.assert_array_equal(w.grad, right)


def test_a_list_as_index_may_change_too():
    x, index = Tensor(np.float32([1, 2, 3]), requires_grad=True), [0, 1]
    y = x[index]
    index[:] = [2, 2]
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 0])


def test_a_tensor_is_a_copy_and_as_tensor_is_not():
    array = np.float32([1, 2, 3])
    mine, shared = Tensor(array), nn.as_tensor(array)
    array[0] = 7
    assert (mine.data[0], shared.data[0]) == (1, 7)
    other = Tensor(mine)
    mine.fill_(0)
    assert other.data.tolist() == [1, 2, 3]
    assert nn.as_tensor(mine) is mine
    view = Tensor(array[::2])
    assert view.data.flags.c_contiguous
    detached = mine.detach()
    assert np.shares_memory(detached.data, mine.data)


def test_a_second_walk_sees_what_the_first_saw():
    w, target = Tensor(draw(4, 3), requires_grad=True), TARGET.copy()
    loss = F.cross_entropy(w, target)
    loss.backward(retain_graph=True)
    first, w.grad = w.grad.copy(), None
    target[:] = 0
    loss.backward()
    np.testing.assert_array_equal(w.grad, first)


def test_other_values_for_a_parameter_leave_the_records_as_they_were():
    """PyTorch's records hold what was there as well."""
    functions = (
        lambda t: t * t,
        lambda t: 1 / t,
        lambda t: t**3,
        lambda t: t.log(),
        lambda t: t.abs(),
        lambda t: t @ t,
    )
    for function in (*functions, lambda t: F.linear(t, t), lambda t: F.prelu(t, t[0, :1]), lambda t: F.gelu(t)):
        w = nn.Parameter(draw(3, 3) ** 2 + 0.5)
        function(w).sum().backward()
        right, w.grad = w.grad, None
        y = function(w).sum()
        w.data = np.zeros_like(w.data)
        y.backward()
        np.testing.assert_array_equal(w.grad, right)


def test_a_factor_that_no_gradient_needs_may_change():
    w, factor = nn.Parameter(draw(3)), Tensor(draw(3, seed=1))
    for product in (lambda: w * 2, lambda: w * factor, lambda: w / factor, lambda: w @ factor):
        y = product()
        with nn.no_grad():
            w.add_(1)
        w.grad = None
        y.sum().backward()  # w itself is not saved
        assert w.grad is not None
    y = w * factor
    factor.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


LAYERS = {
    "Linear": (nn.Linear(4, 3), (5, 4)),
    "BatchNorm1d": (nn.BatchNorm1d(4), (5, 4)),
    "InstanceNorm1d": (nn.InstanceNorm1d(4, affine=True), (2, 4, 5)),
    "GroupNorm": (nn.GroupNorm(2, 4), (2, 4, 5)),
    "LayerNorm": (nn.LayerNorm(4), (5, 4)),
    "PReLU": (nn.PReLU(), (5, 4)),
    "Conv1d": (nn.Conv1d(4, 3, 2), (2, 4, 5)),
    "Conv1d, circular": (nn.Conv1d(4, 3, 2, padding=1, padding_mode="circular"), (2, 4, 5)),
    "ConvTranspose1d": (nn.ConvTranspose1d(4, 3, 2), (2, 4, 5)),
    "LSTM": (nn.LSTM(4, 3), (5, 2, 4)),
    "MultiheadAttention": (nn.MultiheadAttention(4, 2, batch_first=True), (2, 5, 4)),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), (2, 5, 4)),
    "AdditiveAttention": (nn.AdditiveAttention(4, 4, 3), (2, 5, 4)),
    "Residual": (nn.Residual(nn.Linear(4, 4)), (5, 4)),
    "Flatten and Linear": (nn.Sequential(nn.Flatten(), nn.Linear(20, 3)), (2, 5, 4)),
    "PositionalEncoding": (nn.Sequential(nn.PositionalEncoding(4), nn.Linear(4, 2)), (2, 5, 4)),
    "MaxPool1d and Conv1d": (nn.Sequential(nn.MaxPool1d(1), nn.Conv1d(4, 3, 2)), (2, 4, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_buffer_may_be_filled_again_between_forward_and_backward(name):
    layer, shape = LAYERS[name]
    found = []
    for changes in (False, True):
        layer.zero_grad()
        buffer = draw(*shape)
        y = layer(buffer, buffer, buffer) if "Attention" in name else layer(buffer)
        y = y[0] if isinstance(y, tuple) else y
        if changes:
            buffer[...] = 7
        y.backward(draw(*y.shape, seed=3))
        found.append([p.grad for p in layer.parameters()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
