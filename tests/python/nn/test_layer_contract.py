"""What every layer promises. A layer is held to it by its line in LAYERS, and one that is exported must have a line."""

import contextlib
import copy
import importlib
import inspect
import pickle
import pkgutil

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import Tensor, layers


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def shares(*shape):
    return np.random.default_rng(3).uniform(0.05, 0.95, shape).astype(np.float32)


IMAGES, SEQUENCES, ROWS = draw(2, 4, 6, 5), draw(2, 4, 7), draw(5, 4)
CLASSES = np.array([0, 2, 1, 3, 0])
BATCH_FIRST = {"batch_first": True}

# The layer, and what it is called with; the first input is the one that is varied.
LAYERS = {
    **{
        cls.__name__: (cls, ROWS) for cls in (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.Mish, nn.Hardswish, nn.Identity)
    },
    **{cls.__name__: (cls, ROWS) for cls in (nn.ELU, nn.GELU, nn.LeakyReLU, nn.Softplus, nn.Dropout, nn.GaussianNoise)},
    "PReLU": (lambda: nn.PReLU(4), ROWS),
    "Softmax": (lambda: nn.Softmax(1), ROWS),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), ROWS),
    "Linear": (lambda: nn.Linear(4, 3, activation="gelu"), ROWS),
    "Embedding": (lambda: nn.Embedding(6, 3), np.array([[1, 5], [0, 1]])),
    "PositionalEncoding": (lambda: nn.PositionalEncoding(4, 9, "learned"), draw(2, 7, 4)),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Tanh()), ROWS),
    "Residual": (lambda: nn.Residual(nn.Linear(4, 4)), ROWS),
    "Flatten": (nn.Flatten, IMAGES),
    "LayerNorm": (lambda: nn.LayerNorm(4), ROWS),
    "RMSNorm": (lambda: nn.RMSNorm(4), ROWS),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), IMAGES),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), SEQUENCES),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), IMAGES),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True), SEQUENCES),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), IMAGES),
    "Conv1d": (lambda: nn.Conv1d(4, 3, 3), SEQUENCES),
    "Conv2d": (lambda: nn.Conv2d(4, 3, 3, activation="relu"), IMAGES),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 3, 3, stride=2), SEQUENCES),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 3, 3), IMAGES),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), SEQUENCES),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), IMAGES),
    "AvgPool1d": (lambda: nn.AvgPool1d(2), SEQUENCES),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), IMAGES),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), SEQUENCES),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(2), IMAGES),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(3), SEQUENCES),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(2), IMAGES),
    "ConstantPad1d": (lambda: nn.ConstantPad1d(2, 1.5), SEQUENCES),
    "ConstantPad2d": (lambda: nn.ConstantPad2d(2, 1.5), IMAGES),
    **{f"{kind}Pad1d": (lambda kind=kind: getattr(nn, f"{kind}Pad1d")(2), SEQUENCES) for kind in ("Zero", "Circular")},
    **{f"{kind}Pad2d": (lambda kind=kind: getattr(nn, f"{kind}Pad2d")(2), IMAGES) for kind in ("Zero", "Circular")},
    **{
        f"{kind}Pad1d": (lambda k=kind: getattr(nn, f"{k}Pad1d")(2), SEQUENCES)
        for kind in ("Reflection", "Replication")
    },
    **{f"{kind}Pad2d": (lambda k=kind: getattr(nn, f"{k}Pad2d")(2), IMAGES) for kind in ("Reflection", "Replication")},
    **{cls.__name__: (lambda cls=cls: cls(4, 3, **BATCH_FIRST), draw(2, 7, 4)) for cls in (nn.RNN, nn.LSTM, nn.GRU)},
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 2, **BATCH_FIRST), *(draw(2, 7, 4),) * 3),
    "AdditiveAttention": (lambda: nn.AdditiveAttention(4, 3, 5), draw(2, 7, 4), draw(2, 6, 3), draw(2, 6, 2)),
    "NadarayaWatson": (nn.NadarayaWatson, draw(2, 7, 4), draw(2, 6, 4), draw(2, 6, 2)),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(4, 2, 8, **BATCH_FIRST), draw(2, 7, 4)),
    "TransformerDecoderLayer": (
        lambda: nn.TransformerDecoderLayer(4, 2, 8, **BATCH_FIRST, norm_first=True),
        draw(2, 7, 4),
        draw(2, 5, 4),
    ),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, **BATCH_FIRST), 2, nn.LayerNorm(4)),
        draw(2, 7, 4),
    ),
    "TransformerDecoder": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, **BATCH_FIRST, rotary=True), 2),
        draw(2, 7, 4),
        draw(2, 5, 4),
    ),
    "Transformer": (lambda: nn.Transformer(4, 2, 1, 2, 8, **BATCH_FIRST), draw(2, 7, 4), draw(2, 5, 4)),
    **{cls.__name__: (cls, ROWS, CLASSES) for cls in (nn.CrossEntropyLoss, nn.FocalLoss)},
    "NLLLoss": (nn.NLLLoss, np.log(shares(5, 4)), CLASSES),
    **{cls.__name__: (cls, ROWS, draw(5, 4, seed=1)) for cls in (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)},
    **{cls.__name__: (cls, ROWS, shares(5, 4)) for cls in (nn.BCEWithLogitsLoss, nn.SigmoidFocalLoss, nn.KLDivLoss)},
    "BCELoss": (nn.BCELoss, shares(5, 4), shares(5, 4).round()),
}
COMPUTE_NOTHING = {"Module", "ModuleDict", "ModuleList"}
BASES = {"ConvolutionBase", "FunctionLayer", "RunningNorm"}


def made(name, seed=0):
    nn.manual_seed(seed)
    return LAYERS[name][0]()


def outputs(layer, *inputs, seed=5):
    """All arrays that a call returns."""
    nn.manual_seed(seed)
    found, waiting = [], [layer(*inputs)]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, tuple):
            waiting = [*item, *waiting]
        elif item is not None:
            found.append(item)
    return found


def same(first, second):
    return len(first) == len(second) and all(np.array_equal(a.data, b.data) for a, b in zip(first, second, strict=True))


def test_every_exported_layer_is_here():
    exported = {name for name in nn.__all__ if inspect.isclass(cls := getattr(nn, name)) and issubclass(cls, nn.Module)}
    assert exported - COMPUTE_NOTHING == set(LAYERS)


def test_every_layer_is_exported():
    for module in pkgutil.iter_modules(layers.__path__, f"{layers.__name__}."):
        for name, cls in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(cls) and issubclass(cls, nn.Module) and not name.startswith("_") and name not in BASES:
                assert getattr(nn, name, None) is cls


@pytest.mark.parametrize("name", LAYERS)
def test_state_copies_and_pickles_give_the_same_bits(name):
    inputs = LAYERS[name][1:]
    layer, other = made(name).eval(), made(name, seed=9).eval()
    expected = outputs(layer, *inputs)
    other.load_state_dict(layer.state_dict())
    assert same(outputs(other, *inputs), expected)
    assert same(outputs(copy.deepcopy(layer), *inputs), expected)
    assert same(outputs(pickle.loads(pickle.dumps(layer)), *inputs), expected)
    assert same(outputs(layer, *inputs, seed=6), expected)  # nothing is random in evaluation
    assert repr(layer).startswith(f"{name}(")
    assert inspect.getdoc(type(layer))


@pytest.mark.parametrize("name", LAYERS)
def test_same_bits_for_any_number_of_threads_and_any_layout(name):
    x, *rest = LAYERS[name][1:]
    gradients = []
    strided = np.asfortranarray(x) if x.ndim < 3 else np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1)
    locked = x.copy()
    locked.flags.writeable = False
    for n_threads, values in ((1, x), (2, x), (3, strided), (8, locked)):
        layer = made(name)
        leaf = Tensor(values, requires_grad=values.dtype == np.float32)
        with nn.threads(n_threads):
            found = outputs(layer, leaf, *rest)
            first = found[0]
            if first.requires_grad:
                first.backward(draw(*first.shape, seed=4))
        gradients.append([*found, *(p.grad for p in layer.parameters() if p.grad is not None)])
        if leaf.grad is not None:
            gradients[-1].append(leaf.grad)
        assert all(p.grad is not None and np.isfinite(p.grad).all() for p in layer.parameters())
    arrays = [[np.asarray(getattr(a, "data", a)) for a in run] for run in gradients]
    for run in arrays[1:]:
        assert len(run) == len(arrays[0])
        assert all(np.array_equal(a, b) for a, b in zip(run, arrays[0], strict=True))


@pytest.mark.parametrize("name", LAYERS)
def test_no_examples_or_not_a_number_crash_nothing(name):
    inputs = LAYERS[name][1:]
    layer = made(name)
    with contextlib.suppress(ValueError):
        outputs(layer, *(x[:0] for x in inputs))
    if inputs[0].dtype == np.float32 and name != "BCELoss":  # which refuses what is no probability
        outputs(layer, np.full_like(inputs[0], np.nan), *inputs[1:])
    if name != "Identity":
        with pytest.raises((ValueError, TypeError)):
            outputs(layer, "text", *inputs[1:])
