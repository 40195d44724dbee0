"""Softmax, losses, norms, activations and embedding beside PyTorch: values and gradients.

Both compute in float32, so they differ by roundings of either side: 1e-5 of the largest value.
"""

import numpy as np
import pytest

from mlcore.nn.functional import _cross_entropy as classes
from mlcore.nn.functional import _losses as losses
from mlcore.nn.functional import _softmax
from mlcore.nn.functional._linear_cross_entropy import linear_cross_entropy
from mlcore.nn.layers._activation import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.layers._norm import LayerNorm, RMSNorm
from mlcore.nn.tensor import Tensor
from twins.nn import assert_close

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers
TF = torch.nn.functional


def normal(*shape, seed=0, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def to_torch(value):
    return torch.tensor(value) if isinstance(value, np.ndarray) else value


def compare(ours, theirs, *inputs, tolerance=1e-5):
    a = [Tensor(x, requires_grad=True) for x in inputs]
    b = [torch.tensor(x, requires_grad=True) for x in inputs]
    y, z = ours(*a), theirs(*b)
    dy = normal(*z.shape, seed=99)
    y.backward(dy)
    z.backward(torch.tensor(dy))
    assert_close(y.data, z.detach().numpy(), tolerance)
    for ours_, theirs_ in zip(a, b, strict=True):
        assert_close(ours_.grad, theirs_.grad.numpy(), tolerance)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_linear_cross_entropy(reduction, smoothing):
    rng = np.random.default_rng(0)
    x, w, b, target = normal(300, 32), normal(7100, 32), normal(7100), rng.integers(0, 7100, 300)
    target[rng.random(300) < 0.2] = -100
    options = {"reduction": reduction, "label_smoothing": smoothing}
    compare(
        lambda x, w, b: linear_cross_entropy(x, w, target, b, **options),
        lambda x, w, b: TF.cross_entropy(TF.linear(x, w, b), torch.tensor(target), **options),
        x,
        w,
        b,
        tolerance=3e-5,  # sums of 7,100 terms
    )


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_family(dim):
    x = normal(33, 21, 50, scale=5)
    compare(lambda t: _softmax.softmax(t, dim), lambda t: TF.softmax(t, dim), x)
    compare(lambda t: _softmax.log_softmax(t, dim), lambda t: TF.log_softmax(t, dim), x)
    compare(lambda t: _softmax.logsumexp(t, dim), lambda t: torch.logsumexp(t, dim), x)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "options", [{}, {"label_smoothing": 0.2}, {"weight": 1}, {"weight": 1, "label_smoothing": 0.2}]
)
def test_cross_entropy(reduction, options):
    rng = np.random.default_rng(0)
    w = rng.uniform(0.2, 3, 101).astype(np.float32)
    options = {k: w if k == "weight" else v for k, v in options.items()}
    for shape in ((64, 101), (4, 101, 7, 3), (101,)):
        x, target = (
            normal(*shape, scale=4),
            np.asarray(rng.integers(0, 101, shape[:1] + shape[2:] if shape[1:] else ())),
        )
        if target.ndim:
            target.flat[::5] = 7
        keys = {"reduction": reduction, "ignore_index": 7 if target.ndim else -100}
        compare(
            lambda t, y=target, k=keys: classes.cross_entropy(t, y, **options, **k),
            lambda t, y=target, k=keys: TF.cross_entropy(
                t, torch.tensor(y), **{n: to_torch(v) for n, v in options.items()}, **k
            ),
            x,
        )
        q = rng.dirichlet(np.ones(101), target.size).astype(np.float32).reshape(*target.shape, 101)
        q = np.ascontiguousarray(np.moveaxis(q, -1, 1)) if target.ndim else q.reshape(101)
        compare(
            lambda t, y=q: classes.cross_entropy(t, y, reduction=reduction, **options),
            lambda t, y=q: TF.cross_entropy(
                t, torch.tensor(y), reduction=reduction, **{n: to_torch(v) for n, v in options.items()}
            ),
            x,
        )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # of kl_div, by PyTorch
def test_other_losses(reduction):
    rng = np.random.default_rng(0)
    x, t = normal(20, 33, scale=3), normal(20, 33, seed=1)
    for name, options in [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.7}),
        ("huber_loss", {"delta": 0.7}),
    ]:
        compare(
            lambda a, b, n=name, o=options: getattr(losses, n)(a, b, reduction=reduction, **o),
            lambda a, b, n=name, o=options: getattr(TF, n)(a, b, reduction=reduction, **o),
            x,
            t,
        )
    p, w, pw = rng.uniform(0, 1, (20, 33)), rng.uniform(0, 2, (20, 1)), rng.uniform(0, 2, 33)
    p, w, pw = (a.astype(np.float32) for a in (p, w, pw))
    compare(
        lambda a: losses.binary_cross_entropy_with_logits(a, p, w, reduction, pw),
        lambda a: TF.binary_cross_entropy_with_logits(
            a, torch.tensor(p), torch.tensor(w), reduction=reduction, pos_weight=torch.tensor(pw)
        ),
        x,
    )
    for log_target in (False, True):
        compare(
            lambda a, log=log_target: losses.kl_div(a, p, reduction, log_target=log),
            lambda a, log=log_target: TF.kl_div(a, torch.tensor(p), reduction=reduction, log_target=log),
            x,
        )
    target = rng.integers(0, 33, 20)
    compare(
        lambda a: classes.nll_loss(a, target, pw, 3, reduction),
        lambda a: TF.nll_loss(a, torch.tensor(target), torch.tensor(pw), ignore_index=3, reduction=reduction),
        x,
    )


def test_norms():
    for shape in (17, (4, 33)):
        sizes = (shape,) if isinstance(shape, int) else shape
        x = normal(9, 5, *sizes)
        w, b = normal(*sizes, seed=1), normal(*sizes, seed=2)
        for ours, theirs in ((LayerNorm(shape), torch.nn.LayerNorm(shape)), (RMSNorm(shape), torch.nn.RMSNorm(shape))):
            assert list(ours.state_dict()) == list(theirs.state_dict())
            state = {"weight": w, "bias": b} if isinstance(ours, LayerNorm) else {"weight": w}
            ours.load_state_dict(state)
            theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
            compare(ours, theirs, x)
            for name, parameter in ours.named_parameters():
                assert_close(parameter.grad, theirs.get_parameter(name).grad.numpy())


def test_activations():
    x = normal(31, 17, scale=4)
    for ours, theirs in [
        (ReLU(), torch.nn.ReLU()),
        (LeakyReLU(0.1), torch.nn.LeakyReLU(0.1)),
        (Sigmoid(), torch.nn.Sigmoid()),
        (Tanh(), torch.nn.Tanh()),
        (GELU(), torch.nn.GELU()),
        (GELU("tanh"), torch.nn.GELU("tanh")),
        (SiLU(), torch.nn.SiLU()),
        (Softplus(), torch.nn.Softplus()),
        (Softplus(0.5), torch.nn.Softplus(0.5)),
    ]:
        compare(ours, theirs, x)


def test_embedding():
    ids, dy = np.random.default_rng(0).integers(0, 12, (6, 50)), normal(6, 50, 19)
    ours, theirs = Embedding(12, 19, padding_idx=4), torch.nn.Embedding(12, 19, padding_idx=4)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    y, z = ours(ids), theirs(torch.tensor(ids))
    assert np.array_equal(y.data, z.detach().numpy())
    y.backward(dy)
    z.backward(torch.tensor(dy))
    assert_close(ours.weight.grad, theirs.weight.grad.numpy())
