"""Optimizers and schedules against PyTorch's, step by step."""

import warnings

import numpy as np
import pytest

from mlcore.nn import optim
from mlcore.nn.layers._module import Parameter
from nn.test_optim import RULES
from twins.nn import assert_close

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


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "NAdam"])
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
    "MultiStepLR": (([2, 5, 5, 11], 0.5), {}),
    "ExponentialLR": ((0.9,), {}),
    "PolynomialLR": ((8, 1.5), {}),
    "CosineAnnealingWarmRestarts": ((4,), {"eta_min": 0.01}),
    "CosineAnnealingWarmRestarts longer": ((2, 2), {}),
    "CyclicLR": ((0.01, 0.5), {"step_size_up": 4}),
    "CyclicLR halved": ((0.01, 0.5, 3, 2, "triangular2"), {}),
    "CyclicLR exponential": ((0.01, 0.5, 3), {"mode": "exp_range", "gamma": 0.9}),
    "CyclicLR own": ((0.01, 0.5, 3), {"scale_fn": lambda t: 1 / (1 + t), "scale_mode": "iterations"}),
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


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("options", [{}, {"threshold_mode": "abs", "threshold": 0.2}, {"cooldown": 2, "min_lr": 0.02}])
def test_plateau(torch, mode, options):
    figures = np.random.default_rng(0).uniform(1, 3, 40)
    a = optim.SGD([Parameter(np.ones(1))], lr=0.1)
    b = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    ours = optim.ReduceLROnPlateau(a, mode, 0.5, 2, **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(b, mode, 0.5, 2, **options)
    for figure in figures:
        ours.step(figure)
        theirs.step(figure)
        assert ours.get_last_lr() == pytest.approx([group["lr"] for group in b.param_groups])


@pytest.mark.parametrize("case", ["StepLR", "MultiStepLR", "ExponentialLR", "LinearLR", "PolynomialLR"])
def test_a_group_that_is_added(torch, case):
    arguments, options = SCHEDULES[case]
    a = optim.SGD([Parameter(np.ones(1))], lr=0.5)
    b = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    ours = getattr(optim, case)(a, *arguments, **options)
    theirs = getattr(torch.optim.lr_scheduler, case)(b, *arguments, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants steps of its optimizer between
        for step in range(8):
            if step == 2:
                a.add_param_group({"params": [Parameter(np.ones(1))], "lr": 0.3})
                b.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.3})
            ours.step()
            theirs.step()
            assert ours.get_last_lr() == pytest.approx([group["lr"] for group in b.param_groups])
