"""Schedules: the learning rate as a function of the number of steps, in closed form.

``step()`` after each step of the optimizer (or each epoch: what is counted is up to the caller). Names, arguments and
rates are PyTorch's; as the rate is a function of the count alone, the count is all the state there is. Those that go up
and down are in `_cycles.py`, the one that depends on more than the count is in `_plateau.py`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mlcore._state import Int, ListOf, Number, Spec, check_entries
from mlcore.nn.optim._optimizer import Optimizer


class Schedule:
    """What schedules share.

    Parameters
    ----------
    optimizer : Optimizer
        Whose ``param_groups[...]["lr"]`` are set, from now on. The rates that it has now are the base rates.

    Attributes
    ----------
    n_steps : int
        Calls of :meth:`step`.

    Notes
    -----
    A group that is added to the optimizer later joins the schedule at the next step: the rate that it came with is that
    of the present step, and changes from there as the rates of the others do. Its base rate is what gives this rate now
    (or "initial_lr" of the group, if it has one).
    """

    _state_spec: ClassVar[Spec] = {
        "n_steps": Int(high=2**53),
        "base_lrs": ListOf(Number(is_finite=True)),
    }
    needs_metric: ClassVar[bool] = False
    """Whether :meth:`step` takes a metric, such as the validation loss, once an epoch."""
    cycle_momentum = False
    """Whether momenta are set too."""

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} takes an Optimizer, got {type(optimizer).__name__}")
        self.optimizer, self.n_steps = optimizer, 0
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", float(group["lr"]))
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._apply()

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps, for a group with base rate `base_lr`."""
        raise NotImplementedError

    def step(self) -> None:
        """Count one step and set the rates of the next."""
        self._add_new_groups()
        self.n_steps += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps and the base rates."""
        return {"n_steps": self.n_steps, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what :meth:`state_dict` returned, and set the rates.

        Raises
        ------
        ValueError
            If it is no such state, or of more groups than the optimizer has.
        """
        check_entries(self._state_spec, state_dict, type(self).__name__)
        base_lrs, n_groups = [float(lr) for lr in state_dict["base_lrs"]], len(self.optimizer.param_groups)
        if len(base_lrs) > n_groups:
            raise ValueError(
                f"state of {type(self).__name__} is of {len(base_lrs)} groups, the optimizer has {n_groups}"
            )
        self.n_steps, self.base_lrs = int(state_dict["n_steps"]), base_lrs
        self._add_new_groups()
        self._apply()

    def _add_new_groups(self) -> None:
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            group.setdefault("initial_lr", self._base_of(float(group["lr"])))
            self.base_lrs.append(float(group["initial_lr"]))

    def _base_of(self, lr: float) -> float:
        """Return the base rate whose rate is `lr` now: rates are linear in their base."""
        start = self.rate(self.n_steps, 0.0)
        slope = self.rate(self.n_steps, 1.0) - start
        base = (lr - start) / slope if slope > 0 else lr
        return base if math.isfinite(base) else lr

    def _apply(self) -> None:
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs, strict=False):
            group["lr"] = self.rate(self.n_steps, base_lr)


class ConstantLR(Schedule):
    """The base rate times `factor` for `total_iters` steps, then the base rate.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    factor : float, default=1/3
        In [0, 1].
    total_iters : int, default=5
        How long.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        _check_share("factor", factor)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return base_lr * (self.factor if n_steps < self.total_iters else 1.0)


class LinearLR(Schedule):
    """A straight line: the usual warm-up.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    start_factor, end_factor : float, default=1/3, 1.0
        Of the base rate, at the start and from step `total_iters` on; in [0, 1].
    total_iters : int, default=5
        Length of the line, >= 1.
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        _check_share("start_factor", start_factor)
        _check_share("end_factor", end_factor)
        _check_count("total_iters", total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        done = min(n_steps, self.total_iters) / self.total_iters
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class StepLR(Schedule):
    """Stairs: times `gamma` after each `step_size` steps.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    step_size : int
        >= 1.
    gamma : float, default=0.1
        >= 0.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        _check_count("step_size", step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return float(base_lr * self.gamma ** (n_steps // self.step_size))


class MultiStepLR(Schedule):
    """Stairs of any length: times `gamma` at each milestone.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    milestones : iterable of int
        Steps; one that is given twice counts twice.
    gamma : float, default=0.1
        >= 0.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return float(base_lr * self.gamma ** sum(n_steps >= milestone for milestone in self.milestones))


class ExponentialLR(Schedule):
    """Times `gamma` after each step.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    gamma : float
        >= 0.
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return float(base_lr * self.gamma**n_steps)


class PolynomialLR(Schedule):
    """``(1 - t / total_iters)^power`` of the base rate, down to 0.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    total_iters : int, default=5
        Steps on the way down, >= 1.
    power : float, default=1.0
        Of the polynomial.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        _check_count("total_iters", total_iters)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return float(base_lr * (1 - min(n_steps, self.total_iters) / self.total_iters) ** self.power)


class CosineAnnealingLR(Schedule):
    """Half a cosine from the base rate down to `eta_min` (Loshchilov and Hutter, 2017), then back up, and so on.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    T_max : int
        Steps on the way down, >= 1.
    eta_min : float, default=0.0
        The rate at the bottom.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        _check_count("T_max", T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * n_steps / self.T_max)) / 2


class InverseSqrtLR(Schedule):
    """A line up to the base rate, then down with the root of the number of steps: the schedule of the Transformer.

    Step number s = 1, 2, ... has ``min(s / warmup_steps, sqrt(warmup_steps / s))`` of the base rate, which is that of
    step `warmup_steps`. Vaswani et al. ("Attention is all you need", 2017) take ``1 / sqrt(d_model warmup_steps)`` for
    it.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`. Its learning rate is the highest.
    warmup_steps : int
        Steps on the way up, >= 1.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int) -> None:
        _check_count("warmup_steps", warmup_steps)
        self.warmup_steps = warmup_steps
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        step = n_steps + 1
        return base_lr * min(step / self.warmup_steps, math.sqrt(self.warmup_steps / step))


class LambdaLR(Schedule):
    """The base rate times any function of the number of steps.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    lr_lambda : callable
        Takes the number of steps, returns a factor.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        return float(base_lr * self.lr_lambda(n_steps))


class SequentialLR(Schedule):
    """One schedule after another, each starting to count at its milestone.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    schedules : sequence of Schedule
        Of the same optimizer.
    milestones : sequence of int
        Steps at which the second, third ... starts; ascending.
    """

    def __init__(self, optimizer: Optimizer, schedules: Sequence[Schedule], milestones: Sequence[int]) -> None:
        if len(milestones) != len(schedules) - 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"{len(schedules)} schedules need {len(schedules) - 1} ascending milestones, got {list(milestones)}"
            )
        for schedule in schedules:
            if schedule.needs_metric:
                raise ValueError(f"{type(schedule).__name__} is no part of a SequentialLR: its rates need a metric")
            if schedule.cycle_momentum:
                name = type(schedule).__name__
                raise ValueError(f"SequentialLR sets learning rates alone: give {name} cycle_momentum=False")
        self.schedules, self.milestones = list(schedules), [0, *milestones]
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        which = sum(n_steps >= milestone for milestone in self.milestones) - 1
        return self.schedules[which].rate(n_steps - self.milestones[which], base_lr)


def warmup_cosine(optimizer: Optimizer, warmup_steps: int, total_steps: int, eta_min: float = 0.0) -> Schedule:
    """Return the schedule of most Transformers: a line up, then half a cosine down.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    warmup_steps, total_steps : int
        Length of the line, and of all.
    eta_min : float, default=0.0
        The rate at the end.

    Returns
    -------
    SequentialLR
        Step 0 has the rate ``base / (warmup_steps + 1)``, step `warmup_steps` the base rate, step `total_steps`
        `eta_min`.
    """
    if not 1 <= warmup_steps < total_steps:
        raise ValueError(f"warmup_steps must be in [1, total_steps), got {warmup_steps} of {total_steps}")
    line = LinearLR(optimizer, 1 / (warmup_steps + 1), 1.0, warmup_steps)  # no step with a rate of zero
    return SequentialLR(
        optimizer, [line, CosineAnnealingLR(optimizer, total_steps - warmup_steps, eta_min)], [warmup_steps]
    )


def warmup_linear(optimizer: Optimizer, warmup_steps: int, total_steps: int) -> Schedule:
    """Return the schedule of BERT: a line up, then a line down to 0.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    warmup_steps, total_steps : int
        Length of the line up, which may be 0, and of both.

    Returns
    -------
    Schedule
        Step 0 has the rate ``base / (warmup_steps + 1)``, step `warmup_steps` the base rate, step `total_steps` 0.
    """
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(f"warmup_steps must be in [0, total_steps), got {warmup_steps} of {total_steps}")
    down = PolynomialLR(optimizer, total_steps - warmup_steps)
    if warmup_steps == 0:
        return down
    line = LinearLR(optimizer, 1 / (warmup_steps + 1), 1.0, warmup_steps)  # no step with a rate of zero
    return SequentialLR(optimizer, [line, down], [warmup_steps])


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} of a schedule must be in [0, 1], got {value}")


def _check_count(name: str, value: Any, at_least: int = 1) -> None:
    if isinstance(value, bool) or not (isinstance(value, int | np.integer) and value >= at_least):
        raise ValueError(f"{name} of a schedule must be an int >= {at_least}, got {value!r}")
