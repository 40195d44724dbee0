"""Schedules of learning rates: state, groups that come later, plateaus, bad input. Rates are in the tests of peers."""

import math

import numpy as np
import pytest

from mlcore.nn import optim
from mlcore.nn.layers._module import Parameter


def optimizer_of(lr=0.1):
    return optim.AdamW([{"params": [Parameter(np.ones(1))]}, {"params": [Parameter(np.ones(1))], "lr": 2 * lr}], lr=lr)


SCHEDULES = {
    "constant": lambda o: optim.ConstantLR(o, 0.5, 3),
    "linear": lambda o: optim.LinearLR(o, 0.1, 1.0, 4),
    "step": lambda o: optim.StepLR(o, 3, 0.5),
    "cosine": lambda o: optim.CosineAnnealingLR(o, 8, 0.01),
    "lambda": lambda o: optim.LambdaLR(o, lambda t: 1 / (1 + t)),
    "multi_step": lambda o: optim.MultiStepLR(o, [2, 5, 5], 0.5),
    "exponential": lambda o: optim.ExponentialLR(o, 0.9),
    "polynomial": lambda o: optim.PolynomialLR(o, 7, 2.0),
    "restarts": lambda o: optim.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "cyclic": lambda o: optim.CyclicLR(o, 0.1, 1.0, 3, 2, "triangular2"),
    "one_cycle": lambda o: optim.OneCycleLR(o, 1.0, 10),
    "one_cycle_linear": lambda o: optim.OneCycleLR(o, 1.0, 10, anneal_strategy="linear"),
    "inverse_sqrt": lambda o: optim.InverseSqrtLR(o, 5),
    "warmup_cosine": lambda o: optim.warmup_cosine(o, 3, 10),
    "warmup_linear": lambda o: optim.warmup_linear(o, 3, 10),
    "sequential": lambda o: optim.SequentialLR(o, [optim.ConstantLR(o, 0.1, 100), optim.StepLR(o, 2, 0.1)], [4]),
}


@pytest.mark.parametrize("make_schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules_go_on_from_their_state(make_schedule):
    a, b = optimizer_of(), optimizer_of()
    first, second = make_schedule(a), make_schedule(b)
    for _ in range(4):
        first.step()
    second.load_state_dict(first.state_dict())
    for _ in range(8):
        assert first.get_last_lr() == second.get_last_lr()
        assert all(math.isfinite(lr) and lr >= 0 for lr in first.get_last_lr())
        assert [g["betas"] for g in a.param_groups] == [g["betas"] for g in b.param_groups]
        first.step()
        second.step()


def test_inverse_sqrt_is_the_schedule_of_the_paper():
    """d^-0.5 min(s^-0.5, s w^-1.5) for steps s = 1, 2, ... (Vaswani et al., 2017, equation 3)."""
    d, warmup = 128, 40
    schedule = optim.InverseSqrtLR(optimizer_of((d * warmup) ** -0.5), warmup)
    for step in range(1, 500):
        expected = d**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert schedule.get_last_lr() == pytest.approx([expected, 2 * expected], rel=1e-12)
        schedule.step()
    assert optim.InverseSqrtLR(optimizer_of(), 1).get_last_lr() == [0.1, 0.2]
    for wrong in (0, -1, 2.5):
        with pytest.raises(ValueError, match="warmup_steps"):
            optim.InverseSqrtLR(optimizer_of(), wrong)


def test_a_group_that_is_added_goes_on_with_the_schedule():
    """Its rate is that of the present step; what PyTorch's schedules make of it later is in the peers' tests."""
    for make_schedule, factors in (
        (lambda o: optim.StepLR(o, 1, 0.1), [1, 0.1, 0.01]),
        (lambda o: optim.ExponentialLR(o, 0.5), [1, 0.5, 0.25]),
        (lambda o: optim.LinearLR(o, 0.5, 1.0, 5), [1, 0.8 / 0.7, 0.9 / 0.7]),
        (lambda o: optim.SequentialLR(o, [optim.ConstantLR(o), optim.StepLR(o, 1, 0.1)], [2]), [1, 0.1, 0.01]),
    ):
        optimizer = optim.SGD([Parameter(np.ones(2))], lr=0.5)
        schedule = make_schedule(optimizer)
        schedule.step()
        schedule.step()
        optimizer.add_param_group({"params": [Parameter(np.ones(3))], "lr": 0.3})
        before = optimizer.param_groups[0]["lr"]
        for factor in factors:
            assert schedule.get_last_lr() == pytest.approx([before * factor, 0.3 * factor])
            schedule.step()
        again = make_schedule(optimizer)
        again.load_state_dict(schedule.state_dict())
        assert again.get_last_lr() == schedule.get_last_lr()
        smaller = make_schedule(optim.SGD([Parameter(np.ones(2))], lr=0.5))
        with pytest.raises(ValueError, match="of 2 groups, the optimizer has 1"):
            smaller.load_state_dict(schedule.state_dict())
    absolute = optimizer_of()
    cycle = optim.OneCycleLR(absolute, 1.0, 10)
    absolute.add_param_group({"params": [Parameter(np.ones(3))], "lr": 0.3, "initial_lr": 0.7})
    cycle.step()
    assert cycle.get_last_lr() == [cycle.get_last_lr()[0]] * 3  # its rates are no function of those of the groups
    with_base = optim.StepLR(optimizer_of(), 1, 0.1)
    with_base.step()
    with_base.optimizer.add_param_group({"params": [Parameter(np.ones(3))], "lr": 0.3, "initial_lr": 0.7})
    with_base.step()
    assert with_base.get_last_lr()[2] == pytest.approx(0.007)


def test_a_plateau_reduces_the_rates():
    optimizer = optimizer_of(0.1)
    schedule = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=[0.03, 0.0])
    rates = []
    for figure in (1.0, 0.9, 0.90001, math.nan, 0.95, 0.9, 0.9, 0.9, 0.9):
        schedule.step(figure)
        rates.append(schedule.get_last_lr()[0])
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.03, 0.03, 0.03])
    assert schedule.best == 0.9
    again = optim.ReduceLROnPlateau(optimizer_of(0.1), factor=0.5, patience=1, cooldown=1, min_lr=[0.03, 0.0])
    again.load_state_dict(schedule.state_dict())
    for figure in (0.9, 0.9, 0.9, 0.9):
        schedule.step(figure)
        again.step(figure)
        assert schedule.get_last_lr() == again.get_last_lr()
    optimizer.add_param_group({"params": [Parameter(np.ones(1))]})
    for _ in range(2):
        schedule.step(0.9)
    with pytest.raises(ValueError, match="2 rates for 3 groups"):
        schedule.step(0.9)
    with pytest.raises(ValueError, match="2 groups, the optimizer has 3"):
        schedule.load_state_dict(again.state_dict())


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_counts_as_an_improvement_does_not_depend_on_units(unit, sign):
    schedule = optim.ReduceLROnPlateau(optimizer_of(0.1), patience=0, threshold=0.01)
    start = 5.0 * sign * unit
    for change, lr in ((0.0, 0.1), (-0.02, 0.1), (-0.0201, 0.01), (0.03, 0.001)):
        schedule.step(start + change * abs(start))
        assert schedule.get_last_lr()[0] == pytest.approx(lr)


def test_warmup_rises_and_the_cosine_ends_at_the_bottom():
    optimizer = optimizer_of()
    schedule = optim.warmup_cosine(optimizer, 4, 12, 0.001)
    rates = []
    for _ in range(13):
        rates.append(schedule.get_last_lr()[0])
        schedule.step()
    assert rates[0] > 0
    assert rates[:5] == sorted(rates[:5])
    assert rates[4] == pytest.approx(0.1)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[12] == pytest.approx(0.001)


@pytest.mark.parametrize("warmup_steps", [0, 1, 4])
def test_warmup_rises_and_the_line_ends_at_zero(warmup_steps):
    optimizer = optimizer_of()
    schedule = optim.warmup_linear(optimizer, warmup_steps, 12)
    for step in range(13):
        up, down = (step + 1) / (warmup_steps + 1), (12 - step) / (12 - warmup_steps)
        assert schedule.get_last_lr()[0] == pytest.approx(0.1 * (up if step < warmup_steps else down))
        schedule.step()


def test_schedules_refuse_what_they_cannot_follow():
    optimizer = optimizer_of()
    with pytest.raises(TypeError, match="Optimizer"):
        optim.StepLR(None, 3)
    with pytest.raises(ValueError, match="step_size"):
        optim.StepLR(optimizer, 0)
    with pytest.raises(ValueError, match="T_max"):
        optim.CosineAnnealingLR(optimizer, 0)
    with pytest.raises(ValueError, match="start_factor"):
        optim.LinearLR(optimizer, 1.5)
    with pytest.raises(ValueError, match="total_steps"):
        optim.OneCycleLR(optimizer, 0.1, 1)
    with pytest.raises(ValueError, match="anneal"):
        optim.OneCycleLR(optimizer, 0.1, 10, anneal_strategy="exp")
    for name, bad in {"mode": "up", "threshold_mode": "log", "factor": 1.0, "patience": -1, "threshold": -1.0}.items():
        with pytest.raises(ValueError, match=name):
            optim.ReduceLROnPlateau(optimizer, **{name: bad})
    with pytest.raises(TypeError, match="metric"):
        optim.ReduceLROnPlateau(optimizer).step()
    with pytest.raises(ValueError, match="2 groups"):
        optim.ReduceLROnPlateau(optimizer, min_lr=[0.1])
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        optim.SequentialLR(optimizer, [optim.StepLR(optimizer, 1), optim.ReduceLROnPlateau(optimizer)], [3])
    for name, bad in {"mode": "up", "scale_mode": "step", "step_size_up": 0, "step_size_down": 0}.items():
        with pytest.raises(ValueError, match=name):
            optim.CyclicLR(optimizer, 0.1, 1.0, **{name: bad})
    for name in ("T_0", "T_mult"):
        with pytest.raises(ValueError, match=name):
            optim.CosineAnnealingWarmRestarts(optimizer, **{"T_0": 3, name: 0})
    with pytest.raises(ValueError, match="total_iters"):
        optim.PolynomialLR(optimizer, 0)
    with pytest.raises(ValueError, match="milestones"):
        optim.SequentialLR(optimizer, [optim.StepLR(optimizer, 1)], [3])
    with pytest.raises(ValueError, match="warmup_steps"):
        optim.warmup_cosine(optimizer, 10, 10)
    with pytest.raises(ValueError, match="warmup_steps"):
        optim.warmup_linear(optimizer, 10, 10)


def test_sequential_schedules_set_rates_alone():
    optimizer = optim.SGD([Parameter(np.ones(3, np.float32))], lr=0.1, momentum=0.9)
    line, cycle = optim.LinearLR(optimizer), optim.OneCycleLR(optimizer, 0.1, 10)
    with pytest.raises(ValueError, match="cycle_momentum=False"):
        optim.SequentialLR(optimizer, [line, cycle], [5])
    optim.OneCycleLR(optimizer, 0.1, 10, pct_start=0.1).step()  # its first part is one step long
