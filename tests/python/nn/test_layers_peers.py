"""Tensor methods, layers and contracts beside PyTorch: values, gradients, names of states, empty batches."""

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor
from mlcore.nn import functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers
TF = torch.nn.functional


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def agree(ours, theirs, *arrays, tolerance=2e-5):
    """Compare values and gradients: both are sums in float32, in other orders."""
    mine = [Tensor(a, requires_grad=True) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, z = ours(*mine), theirs(*other)
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=tolerance, atol=tolerance)
    dy = draw(*y.shape, seed=9)
    y.backward(dy)
    z.backward(torch.tensor(dy))
    for a, b in zip(mine, other, strict=True):
        right = np.zeros(b.shape, np.float32) if b.grad is None else b.grad.numpy()
        scale = max(1.0, float(np.abs(right).max(initial=0)))
        np.testing.assert_allclose(a.grad, right, rtol=0, atol=tolerance * scale)


METHODS = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean((0, 2), keepdim=True),
    "var": lambda x: x.var(1),
    "var, correction": lambda x: x.var((0, 1), correction=0),
    "std of all": lambda x: x.std(),
    "prod": lambda x: x.prod(1, keepdim=True),
    "prod of all": lambda x: x.prod(),
    "cumsum": lambda x: x.cumsum(2),
    "max": lambda x: x.max(),
    "max along": lambda x: x.max(1).values,
    "max kept": lambda x: x.max(1, keepdim=True)[0],
    "min along": lambda x: x.min(-1)[0],
    "clamp": lambda x: x.clamp(-0.5, 0.8),
    "clamp above": lambda x: x.clamp(max=0.3),
    "squeeze": lambda x: x[:, :1].squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(-2),
    "expand": lambda x: x[:, :1].expand(-1, 5, -1),
    "flatten": lambda x: x.flatten(1),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    agree(METHODS[name], METHODS[name], draw(2, 3, 4))


def test_places_and_ties():
    x = np.float32([[3, 1, 3], [np.nan, 5, 5], [-np.inf, -np.inf, 0]])
    ours, theirs = Tensor(x), torch.tensor(x)
    for name in ("argmax", "argmin"):
        for arguments in ((), (0,), (1,), (-1, True)):
            found, right = getattr(ours, name)(*arguments), getattr(theirs, name)(*arguments)
            np.testing.assert_array_equal(found.data, right.numpy())
    for name in ("max", "min"):
        found, right = getattr(ours, name)(1), getattr(theirs, name)(1)
        np.testing.assert_array_equal(found.values.data, right.values.numpy())
        np.testing.assert_array_equal(found.indices.data, right.indices.numpy())
    agree(lambda t: t.max(), lambda t: t.max(), np.float32([2, 7, 7, 1]))
    index = np.array([[0, 2], [1, 1]])
    agree(lambda t: t.gather(1, index), lambda t: t.gather(1, torch.tensor(index)), draw(3, 3))
    mask = np.array([True, False, True])
    agree(lambda a, b: nn.where(mask, a, b), lambda a, b: torch.where(torch.tensor(mask), a, b), draw(2, 3), draw(2, 1))


LAYERS = {
    "GroupNorm": ((3, 6), (2, 6, 5)),
    "InstanceNorm1d": ((3, 1e-5, 0.1, True, True), (4, 3, 7)),
    "InstanceNorm2d": ((3, 1e-5, 0.1, True), (2, 3, 4, 5)),
    "ELU": ((0.7,), (3, 50)),
    "PReLU": ((4,), (3, 4, 5)),
    "Hardswish": ((), (3, 50)),
    "Mish": ((), (3, 50)),
    "ConstantPad1d": ((2, 1.5), (2, 3, 4)),
    "ConstantPad2d": (((1, 0, 2, 1), 1.5), (2, 3, 4, 4)),
    "ZeroPad2d": (((1, -1, 2, 1),), (2, 3, 4, 4)),
    "ReflectionPad1d": ((3,), (2, 3, 4)),
    "ReflectionPad2d": (((1, 3, 2, 0),), (2, 3, 4, 4)),
    "ReplicationPad2d": (((1, 5, 2, 0),), (2, 3, 4, 4)),
    "CircularPad1d": (((4, 1),), (2, 3, 4)),
    "CircularPad2d": (((1, 3, 2, 0),), (2, 3, 4, 4)),
    "AdaptiveMaxPool1d": ((3,), (2, 3, 7)),
    "AdaptiveMaxPool2d": (((2, 3),), (2, 3, 5, 7)),
    "AdaptiveAvgPool1d": ((3,), (2, 3, 7)),
    "ConvTranspose1d": ((4, 6, 3, 2, 1, 1, 2, True, 1), (2, 4, 5)),
    "ConvTranspose2d": ((4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, False, (2, 1)), (2, 4, 5, 4)),
    "Conv1d": ((3, 4, 3, 1, 2, 1, 1, True, "circular"), (2, 3, 6)),
    "Conv2d": ((3, 4, 3, 2, (1, 2), 1, 1, True, "reflect"), (2, 3, 6, 7)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    arguments, shape = LAYERS[name]
    theirs = getattr(torch.nn, name)(*arguments)
    ours = getattr(nn, name)(*arguments)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for parameter in theirs.parameters():
        parameter.data += 0.1 * torch.arange(parameter.numel()).reshape(parameter.shape) / parameter.numel()
    ours.load_state_dict(theirs.state_dict())
    agree(ours, theirs, draw(*shape))
    for (path, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        scale = max(1.0, float(other.grad.abs().max()))
        np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=0, atol=2e-5 * scale, err_msg=path)
    agree(ours.eval(), theirs.eval(), draw(*shape, seed=3))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_bce_loss(reduction):
    p = np.concatenate([1 / (1 + np.exp(-draw(20))), [0, 1, 1e-30]]).astype(np.float32)
    t, w = np.float32(draw(23, seed=1) > 0), draw(23, seed=2) ** 2
    ours = nn.BCELoss(w, reduction=reduction)
    theirs = torch.nn.BCELoss(torch.tensor(w), reduction=reduction)
    agree(lambda x: ours(x, t), lambda x: theirs(x, torch.tensor(t)), p)


@pytest.mark.parametrize("n_in", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", [0, 1])
def test_windows_in_ceil_mode(n_in, kernel, stride, padding):
    x = draw(1, 2, n_in, n_in + 1)
    for name, options in (
        ("max_pool2d", [{}]),
        ("avg_pool2d", [{"count_include_pad": False}, {"count_include_pad": True}]),
    ):
        for option in options:
            settings = {"stride": stride, "padding": padding, "ceil_mode": True, **option}
            try:
                right = getattr(TF, name)(torch.tensor(x), kernel, **settings).numpy()
            except RuntimeError:
                with pytest.raises(nn.ShapeError):
                    getattr(F, name)(x, kernel, **settings)
                continue
            np.testing.assert_allclose(getattr(F, name)(x, kernel, **settings).data, right, rtol=1e-5, atol=1e-6)


def both_sdpa(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


EMPTY = {
    "linear, no rows": (F.linear, TF.linear, [(0, 3), (5, 3), (5,)]),
    "linear, no features": (F.linear, TF.linear, [(2, 0), (5, 0), (5,)]),
    "linear, no results": (F.linear, TF.linear, [(2, 3), (0, 3), (0,)]),
    "linear, nothing": (F.linear, TF.linear, [(0, 0), (5, 0), (5,)]),
    "linear, sequences": (F.linear, TF.linear, [(2, 0, 3), (5, 3), (5,)]),
    "conv": (
        lambda *t: F.conv2d(*t, padding=1),
        lambda *t: TF.conv2d(*t, padding=1),
        [(0, 2, 6, 6), (4, 2, 3, 3), (4,)],
    ),
    "conv_transpose": (F.conv_transpose1d, TF.conv_transpose1d, [(0, 2, 6), (2, 4, 3), (4,)]),
    "max_pool": (lambda x: F.max_pool2d(x, 2), lambda x: TF.max_pool2d(x, 2), [(0, 2, 6, 6)]),
    "avg_pool": (lambda x: F.avg_pool1d(x, 2), lambda x: TF.avg_pool1d(x, 2), [(0, 2, 6)]),
    "softmax": (lambda x: F.softmax(x, 1), lambda x: TF.softmax(x, 1), [(2, 0)]),
    "log_softmax": (lambda x: F.log_softmax(x, 1), lambda x: TF.log_softmax(x, 1), [(0, 3)]),
    "logsumexp": (lambda x: F.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), [(2, 0)]),
    "layer_norm": (lambda x, w: F.layer_norm(x, 3, w), lambda x, w: TF.layer_norm(x, (3,), w), [(0, 3), (3,)]),
    "attention, no batch": (both_sdpa, TF.scaled_dot_product_attention, [(0, 2, 3, 4)] * 3),
    "attention, no queries": (both_sdpa, TF.scaled_dot_product_attention, [(1, 2, 0, 4), (1, 2, 3, 4), (1, 2, 3, 4)]),
    "attention, no keys": (both_sdpa, TF.scaled_dot_product_attention, [(1, 2, 3, 4), (1, 2, 0, 4), (1, 2, 0, 4)]),
    "attention, no features": (both_sdpa, TF.scaled_dot_product_attention, [(1, 2, 3, 0), (1, 2, 5, 0), (1, 2, 5, 4)]),
    "matmul": (lambda a, b: a @ b, lambda a, b: a @ b, [(2, 0), (0, 4)]),
    "broadcast": (lambda a, b: a * b + b, lambda a, b: a * b + b, [(0, 3), (1, 3)]),
    "prod": (lambda x: x.prod(1), lambda x: x.prod(1), [(2, 0)]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_is_empty(name):
    ours, theirs, shapes = EMPTY[name]
    agree(ours, theirs, *(draw(*shape) for shape in shapes))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_of_nothing(kind):
    shape = (5, 0, 3)
    theirs = getattr(torch.nn, kind)(shape[-1], 4, num_layers=2, bidirectional=True)
    ours = getattr(nn, kind)(shape[-1], 4, num_layers=2, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    agree(lambda x: ours(x)[0], lambda x: theirs(x)[0], draw(*shape))


@pytest.mark.filterwarnings("ignore:reduction")  # PyTorch warns of the mean of kl_div
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits", "kl_div"])
def test_losses_of_nothing(name, reduction):
    t = np.zeros((0, 3), np.float32)
    agree(
        lambda x: getattr(F, name)(x, t, reduction=reduction),
        lambda x: getattr(TF, name)(x, torch.tensor(t), reduction=reduction),
        draw(0, 3),
    )
    classes = np.zeros(0, np.int64)
    for of_classes in ("cross_entropy", "nll_loss"):
        agree(
            lambda x, f=of_classes: getattr(F, f)(x, classes, reduction=reduction),
            lambda x, f=of_classes: getattr(TF, f)(x, torch.tensor(classes), reduction=reduction),
            draw(0, 3),
        )


def test_states_of_modules_that_are_used_twice():
    layer, other = nn.Linear(2, 2), torch.nn.Linear(2, 2)
    mine = nn.Sequential(layer, nn.ReLU(), nn.Sequential(layer))
    theirs = torch.nn.Sequential(other, torch.nn.ReLU(), torch.nn.Sequential(other))
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    found = mine.load_state_dict(theirs.state_dict())
    assert found == ([], [])
    np.testing.assert_array_equal(layer.weight.data, other.weight.detach().numpy())
    partial = {"0.weight": np.zeros((2, 2), np.float32), "more": np.zeros(1)}
    ours, right = (
        mine.load_state_dict(partial, strict=False),
        theirs.load_state_dict({k: torch.tensor(v) for k, v in partial.items()}, strict=False),
    )
    assert (ours.missing_keys, ours.unexpected_keys) == (right.missing_keys, right.unexpected_keys)


def test_old_states_of_batch_norm():
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    state = {k: v for k, v in theirs.state_dict().items() if not k.endswith("num_batches_tracked")}
    ours = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert ours.load_state_dict(state) == ([], [])
    with pytest.raises(ValueError, match=r"missing: 1\.running_var"):
        ours.load_state_dict({k: v for k, v in state.items() if k != "1.running_var"})


def test_masks_of_the_lowest_float():
    low = np.finfo(np.float32).min
    mask = np.zeros((3, 4), np.float32)
    mask[1], mask[2, :2] = low, low
    # Value, weights and gradients: the row that is all lowest is uniform, as scores are absorbed.
    agree(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask),
        lambda q, k, v: (q @ k.transpose(-1, -2) / 2 + torch.tensor(mask)).softmax(-1) @ v,
        draw(1, 2, 3, 4),
        draw(1, 2, 4, 4, seed=1),
        draw(1, 2, 4, 4, seed=2),
    )
    for scale in (1.0, low, -low, 1e30):
        x = np.float32([[1, 1, 1], [0.5, 1, 0]]) * np.float32(scale)
        for name in ("softmax", "log_softmax"):
            agree(lambda t, f=name: getattr(F, f)(t, 1), lambda t, f=name: getattr(torch, f)(t, 1), x)
