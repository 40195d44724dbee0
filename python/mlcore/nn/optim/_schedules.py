"""Schedules: the learning rate as a function of the number of steps, in closed form.

``step()`` after each step of the optimizer (or each epoch: what is counted is up to the caller). Names, arguments and
rates are PyTorch's; as the rate is a function of the count alone, the count is all the state there is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

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
    """

    _state_spec: ClassVar[Spec] = {
        "n_steps": Int(high=2**53),
        "base_lrs": ListOf(Number(0.0, is_finite=True)),
    }

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
        self.n_steps += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps and the base rates."""
        return {"n_steps": self.n_steps, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned, and set the rates."""
        check_entries(self._state_spec, state_dict, type(self).__name__)
        if len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError(f"state has {len(state_dict['base_lrs'])} rates for {len(self.base_lrs)} groups")
        self.n_steps, self.base_lrs = int(state_dict["n_steps"]), [float(lr) for lr in state_dict["base_lrs"]]
        self._apply()

    def _apply(self) -> None:
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
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


class OneCycleLR(Schedule):
    """Up to `max_lr` and down to almost nothing, in one run; momentum goes the other way (Smith and Topin, 2018).

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    max_lr : float
        The highest rate.
    total_steps : int
        Length of the run, >= 2; after it the last rate stays.
    pct_start : float, default=0.3
        Share of the run on the way up, in (0, 1).
    anneal_strategy : {"cos", "linear"}, default="cos"
        Shape of both ways.
    cycle_momentum : bool, default=True
        Whether momentum (b1 of Adam) changes too; not for optimizers without one.
    base_momentum, max_momentum : float, default=0.85, 0.95
        Momentum where the rate is highest and lowest.
    div_factor : float, default=25.0
        The first rate is ``max_lr / div_factor``.
    final_div_factor : float, default=1e4
        The last is the first over this.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int,
        *,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        if not (isinstance(total_steps, int) and total_steps >= 2):
            raise ValueError(f"total_steps of a schedule must be an int >= 2, got {total_steps!r}")
        if not 0 < pct_start < 1:
            raise ValueError(f"pct_start must be in (0, 1), got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.max_lr, self.total_steps, self.is_linear = max_lr, total_steps, anneal_strategy == "linear"
        self.momenta = (max_momentum, base_momentum)
        self.lowest, self.last = max_lr / div_factor, max_lr / div_factor / final_div_factor
        self.top = float(pct_start * total_steps) - 1
        self.cycle_momentum = cycle_momentum
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:  # noqa: ARG002
        """Return the learning rate after `n_steps` steps."""
        return self._between(n_steps, self.lowest, self.max_lr, self.last)

    def _between(self, n_steps: int, start: float, top: float, end: float) -> float:
        n_steps = min(n_steps, self.total_steps - 1)
        if n_steps <= self.top:
            a, b, done = start, top, n_steps / self.top if self.top > 0 else 1.0
        else:
            a, b, done = top, end, (n_steps - self.top) / (self.total_steps - 1 - self.top)
        return a + (b - a) * (done if self.is_linear else (1 - math.cos(math.pi * done)) / 2)

    def _apply(self) -> None:
        super()._apply()
        if not self.cycle_momentum:
            return
        momentum = self._between(self.n_steps, self.momenta[0], self.momenta[1], self.momenta[0])
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, group["betas"][1])
            elif group.get("momentum"):
                group["momentum"] = momentum


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
        if any(isinstance(schedule, OneCycleLR) and schedule.cycle_momentum for schedule in schedules):
            raise ValueError("SequentialLR sets learning rates alone: give OneCycleLR cycle_momentum=False")
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


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} of a schedule must be in [0, 1], got {value}")


def _check_count(name: str, value: int) -> None:
    if not (isinstance(value, int) and value >= 1):
        raise ValueError(f"{name} of a schedule must be an int >= 1, got {value!r}")
