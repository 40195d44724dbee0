"""Schedules that go up and down: one cycle, many cycles, cosines that start again."""

import math
from collections.abc import Callable

from mlcore.nn.optim._optimizer import Optimizer
from mlcore.nn.optim._schedules import Schedule, _check_count


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
        _check_count("total_steps", total_steps, 2)
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
        _set_momentum(self.optimizer, self._between(self.n_steps, self.momenta[0], self.momenta[1], self.momenta[0]))


class CyclicLR(Schedule):
    """Up and down between two rates in straight lines, repeatedly (Smith, 2017).

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    base_lr, max_lr : float
        The lowest and the highest rate, for all groups.
    step_size_up : int, default=2000
        Steps on the way up, >= 1.
    step_size_down : int or None, default=None
        Steps on the way down; None: as many.
    mode : {"triangular", "triangular2", "exp_range"}, default="triangular"
        The height of the cycles: all the same; each half of that before; times ``gamma^t`` in step t.
    gamma : float, default=1.0
        See `mode`.
    scale_fn : callable or None, default=None
        In the place of `mode`: takes the number of the cycle from 1, or of the step, returns a factor on the height.
    scale_mode : {"cycle", "iterations"}, default="cycle"
        Which of both.
    cycle_momentum : bool, default=True
        Whether momentum (b1 of Adam) changes the other way; not for groups without one.
    base_momentum, max_momentum : float, default=0.8, 0.9
        Momentum where the rate is highest and lowest.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float,
        max_lr: float,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
    ) -> None:
        _check_count("step_size_up", step_size_up)
        if step_size_down is not None:
            _check_count("step_size_down", step_size_down)
        if mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(f"mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"scale_mode must be 'cycle' or 'iterations', got {scale_mode!r}")
        self.base_lr, self.max_lr = float(base_lr), float(max_lr)
        self.up, self.down = int(step_size_up), int(step_size_up if step_size_down is None else step_size_down)
        self.mode, self.gamma, self.scale_fn, self.scale_mode = mode, gamma, scale_fn, scale_mode
        self.cycle_momentum, self.momenta = cycle_momentum, (max_momentum, base_momentum)
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:  # noqa: ARG002
        """Return the learning rate after `n_steps` steps."""
        return self.base_lr + (self.max_lr - self.base_lr) * self._height(n_steps)

    def _height(self, n_steps: int) -> float:
        """Where the cycle is: 0 at the bottom; the first one's top is 1."""
        cycle, within = divmod(n_steps, self.up + self.down)
        height = within / self.up if within <= self.up else 1 - (within - self.up) / self.down
        if self.scale_fn is not None:
            return height * self.scale_fn(cycle + 1 if self.scale_mode == "cycle" else n_steps)
        if self.mode == "exp_range":
            return float(height * self.gamma**n_steps)
        return float(height * 0.5**cycle) if self.mode == "triangular2" else height

    def _apply(self) -> None:
        super()._apply()
        if self.cycle_momentum:
            highest, lowest = self.momenta
            _set_momentum(self.optimizer, highest - (highest - lowest) * self._height(self.n_steps))


class CosineAnnealingWarmRestarts(Schedule):
    """Half a cosine from the base rate down to `eta_min`, then again from the base rate (Loshchilov, Hutter 2017).

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    T_0 : int
        Steps of the first way down, >= 1.
    T_mult : int, default=1
        How many times as long each is as that before, >= 1.
    eta_min : float, default=0.0
        The rate at the bottom.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        _check_count("T_0", T_0)
        _check_count("T_mult", T_mult)
        self.T_0, self.T_mult, self.eta_min = int(T_0), int(T_mult), eta_min
        super().__init__(optimizer)

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Return the learning rate after `n_steps` steps."""
        length = self.T_0
        if self.T_mult == 1:
            n_steps %= length
        while n_steps >= length:
            n_steps, length = n_steps - length, length * self.T_mult
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * n_steps / length)) / 2


def _set_momentum(optimizer: Optimizer, momentum: float) -> None:
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        elif group.get("momentum"):
            group["momentum"] = momentum
