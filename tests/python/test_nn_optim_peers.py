"""Optimizers and schedules against PyTorch's, step by step."""

import warnings

import numpy as np
import pytest

from mlcore.nn import optim
from mlcore.nn._module import Parameter
from nn_twins import assert_close
from test_nn_optim import RULES

pytestmark = pytest.mark.peers
SHAPES = [(7, 5), (3,), (1,), (20000,)]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize(("name", "settings"), RULES, ids=lambda value: str(value))
@pytest.mark.parametrize("max_norm", [None, 5.0])
def test_steps(torch, name, settings, max_norm):
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]
    ours = [Parameter(x) for x in start]
    theirs = [torch.nn.Parameter(torch.tensor(x)) for x in start]
    a = getattr(optim, name)(ours, lr=0.02, max_norm=max_norm, **settings)
    b = getattr(torch.optim, name)(theirs, lr=0.02, **settings)
    for _ in range(10):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = rng.normal(size=p.shape).astype(np.float32)
            q.grad = torch.tensor(p.grad)
        a.step()
        if max_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
            assert a.grad_norm == pytest.approx(float(norm), rel=1e-5)
        b.step()
        for p, q in zip(ours, theirs, strict=True):
            assert_close(p.data, q.detach().numpy(), 2e-6)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"])
def test_defaults(torch, name):
    ours = getattr(optim, name)([Parameter(np.ones(1))]).defaults
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))]).defaults
    assert {key: theirs[key] for key in ours} == ours


SCHEDULES = {
    "ConstantLR": ((0.25, 3), {}),
    "LinearLR": ((0.1, 0.8, 6), {}),
    "StepLR": ((3, 0.5), {}),
    "CosineAnnealingLR": ((7, 0.01), {}),
    "OneCycleLR": ((1.0, 20), {}),
    "OneCycleLR linear": ((1.0, 20), {"anneal_strategy": "linear", "pct_start": 0.4}),
    "LambdaLR": ((lambda t: 0.9**t,), {}),
}


@pytest.mark.parametrize("case", SCHEDULES)
@pytest.mark.parametrize("rule", ["SGD", "AdamW"])
def test_schedules(torch, case, rule):
    name, (arguments, options) = case.split()[0], SCHEDULES[case]
    more = {"momentum": 0.9} if rule == "SGD" else {}
    a = getattr(optim, rule)([Parameter(np.ones(1))], lr=0.1, **more)
    b = getattr(torch.optim, rule)([torch.nn.Parameter(torch.ones(1))], lr=0.1, **more)
    ours = getattr(optim, name)(a, *arguments, **options)
    theirs = getattr(torch.optim.lr_scheduler, name)(b, *arguments, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants steps of its optimizer between
        for _ in range(19):
            assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-12)
            for key in ("betas", "momentum"):
                if key in a.param_groups[0]:
                    assert a.param_groups[0][key] == pytest.approx(b.param_groups[0][key])
            ours.step()
            theirs.step()
