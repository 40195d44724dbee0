"""Convolution, pooling and batch norm against PyTorch: values and gradients within 1e-5 of the largest of them."""

from typing import Any

import numpy as np
import pytest

from mlcore.nn.layers._batch_norm import BatchNorm1d, BatchNorm2d
from mlcore.nn.layers._convolution import Conv1d, Conv2d
from mlcore.nn.layers._pooling import AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from mlcore.nn.tensor import Tensor
from twins.nn import assert_close

pytestmark = pytest.mark.peers


def compare(ours: Any, name: str, arguments: Any, options: Any, shape: Any, tolerance: float = 1e-5) -> Any:
    """The same layer with the same weights on both sides; returns theirs."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=shape).astype(np.float32), requires_grad=True)
    theirs = getattr(torch.nn, name)(*arguments, **options)
    state = {k: torch.from_numpy(np.array(v)) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state)  # names and shapes are the same
    t = torch.from_numpy(x.data.copy()).requires_grad_()
    y, z = ours(x), theirs(t)
    assert_close(y.data, z.detach().numpy(), tolerance)
    dy = rng.normal(size=y.shape).astype(np.float32)
    y.backward(dy)
    z.backward(torch.from_numpy(dy))
    assert_close(x.grad, t.grad.numpy(), tolerance)
    by_name = dict(theirs.named_parameters())
    for path, parameter in ours.named_parameters():
        assert_close(parameter.grad, by_name[path].grad.numpy(), tolerance)
    return theirs


@pytest.mark.parametrize(
    ("arguments", "options", "shape"),
    [
        ((1, 16, 3), {"padding": 1}, (8, 1, 16, 16)),
        ((16, 32, 3), {"padding": "same"}, (8, 16, 8, 8)),
        ((3, 5, (2, 4)), {"padding": "same", "dilation": (3, 1)}, (2, 3, 9, 10)),
        ((4, 8, 3), {"stride": 2, "padding": 1, "groups": 2}, (3, 4, 11, 12)),
        ((6, 6, 3), {"stride": (1, 3), "padding": 2, "dilation": 2, "groups": 6}, (3, 6, 11, 12)),
        ((40, 20, 1), {"stride": 2, "bias": False}, (3, 40, 7, 7)),
        ((64, 70, 3), {"padding": 1}, (2, 64, 14, 14)),
        ((3, 4, 3), {"padding": "valid"}, (3, 6, 6)),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch copies there
def test_conv2d(arguments: Any, options: Any, shape: Any) -> None:
    compare(Conv2d(*arguments, **options), "Conv2d", arguments, options, shape)


@pytest.mark.parametrize("options", [{}, {"stride": 3, "padding": 4, "dilation": 2}, {"groups": 3, "padding": "same"}])
def test_conv1d(options: Any) -> None:
    compare(Conv1d(6, 9, 5, **options), "Conv1d", (6, 9, 5), options, (4, 6, 700))


@pytest.mark.parametrize(
    ("layer", "arguments", "options", "shape"),
    [
        (MaxPool2d, (2,), {}, (3, 4, 9, 8)),
        (MaxPool2d, (3, 2, 1), {"dilation": 2, "ceil_mode": True}, (3, 4, 12, 17)),
        (MaxPool2d, ((3, 2), (1, 5)), {"ceil_mode": True}, (3, 4, 12, 17)),
        (MaxPool1d, (3, 2), {"padding": 1}, (3, 4, 20)),
        (AvgPool2d, (3, 2, 1), {"ceil_mode": True}, (3, 4, 12, 18)),
        (AvgPool2d, (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, (3, 4, 12, 18)),
        (AvgPool1d, (4,), {"padding": 2}, (3, 4, 21)),
        (AdaptiveAvgPool2d, (1,), {}, (3, 4, 9, 7)),
        (AdaptiveAvgPool2d, ((4, 10),), {}, (3, 4, 9, 7)),
    ],
)
def test_pooling(layer: Any, arguments: Any, options: Any, shape: Any) -> None:
    compare(layer(*arguments, **options), layer.__name__, arguments, options, shape)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(BatchNorm1d, (50, 6)), (BatchNorm1d, (9, 6, 11)), (BatchNorm2d, (9, 6, 7, 8))],
)
@pytest.mark.parametrize("options", [{}, {"momentum": None, "eps": 1e-3}, {"affine": False}])
def test_batch_norm(layer: Any, shape: Any, options: Any) -> None:
    ours = layer(6, **options)
    if ours.affine:
        ours.weight.data[:] = np.linspace(-1, 2, 6)
        ours.bias.data[:] = np.linspace(3, -1, 6)
    theirs = compare(ours, layer.__name__, (6,), options, shape)
    for name, values in ours.state_dict().items():
        assert_close(values, theirs.state_dict()[name].numpy())
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    assert_close(ours.eval()(x).data, theirs.eval()(torch.from_numpy(x)).detach().numpy())
