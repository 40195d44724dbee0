"""ReduceLROnPlateau: rates that fall when a metric no longer improves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mlcore._state import Int, ListOf, Number, Spec, check_entries
from mlcore.nn.optim._optimizer import Optimizer
from mlcore.nn.optim._schedules import Schedule, _check_count


class ReduceLROnPlateau(Schedule):
    """Multiplies the rates by `factor` when a metric has not improved for more than `patience` epochs.

    A :class:`~mlcore.nn.Trainer` passes it the monitored metric at the end of each epoch.

    Parameters
    ----------
    optimizer : Optimizer
        See :class:`Schedule`.
    mode : {"min", "max"}, default="min"
        Whether the metric is better low or high.
    factor : float, default=0.1
        In (0, 1).
    patience : int, default=10
        Epochs without improvement that are tolerated, >= 0.
    threshold : float, default=1e-4
        What counts as an improvement, >= 0.
    threshold_mode : {"rel", "abs"}, default="rel"
        "rel": it is a share of the size of the best value (PyTorch keeps its sign, so that a negative value
        that gets slightly worse counts as better there).
    cooldown : int, default=0
        Epochs after a fall in which nothing is counted, >= 0.
    min_lr : float or sequence of float, default=0.0
        Rates do not fall below; one for all groups, or one for each.
    eps : float, default=1e-8
        A fall by less than this is not made.

    Attributes
    ----------
    best : float
        The best value so far.
    """

    needs_metric: ClassVar[bool] = True
    _state_spec: ClassVar[Spec] = {
        "n_steps": Int(high=2**53),
        "best": Number(),
        "num_bad_epochs": Int(high=2**53),
        "cooldown_counter": Int(high=2**53),
        "lrs": ListOf(Number(0.0, is_finite=True)),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
        if not 0 < factor < 1:
            raise ValueError(f"factor of ReduceLROnPlateau must be in (0, 1), got {factor}")
        for name, value in (("threshold", threshold), ("eps", eps)):
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} of ReduceLROnPlateau must be finite and >= 0, got {value}")
        _check_count("patience", patience, 0)
        _check_count("cooldown", cooldown, 0)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, int(patience), int(cooldown)
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.min_lrs = min_lr if isinstance(min_lr, int | float) else [float(lr) for lr in min_lr]
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)
        self._lowest()

    def step(self, metrics: float | None = None) -> None:
        """Take the metric of an epoch, and set the rates of the next.

        Parameters
        ----------
        metrics : float
            Its value. NaN is no improvement.
        """
        if metrics is None:
            raise TypeError("step of ReduceLROnPlateau takes the metric that it monitors")
        value = float(metrics)
        self.n_steps += 1
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _is_better(self, value: float) -> bool:
        if math.isnan(value) or math.isinf(self.best):
            return not math.isnan(value) and (value < self.best if self.mode == "min" else value > self.best)
        margin = self.threshold * (abs(self.best) if self.threshold_mode == "rel" else 1.0)
        return value < self.best - margin if self.mode == "min" else value > self.best + margin

    def _lowest(self) -> list[float]:
        n_groups = len(self.optimizer.param_groups)
        if isinstance(self.min_lrs, list):
            if len(self.min_lrs) != n_groups:
                raise ValueError(f"min_lr of ReduceLROnPlateau has {len(self.min_lrs)} rates for {n_groups} groups")
            return self.min_lrs
        return [float(self.min_lrs)] * n_groups

    def _reduce(self) -> None:
        for group, lowest in zip(self.optimizer.param_groups, self._lowest(), strict=True):
            lr = max(float(group["lr"]) * self.factor, lowest)
            if float(group["lr"]) - lr > self.eps:
                group["lr"] = lr

    def rate(self, n_steps: int, base_lr: float) -> float:
        """Refuse: the rates are no function of the number of steps."""
        raise NotImplementedError("the rates of ReduceLROnPlateau depend on a metric, not on the number of steps")

    def _apply(self) -> None:
        """Leave the rates as they are: only a metric changes them."""

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the best value and the rates."""
        return {
            "n_steps": self.n_steps,
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "lrs": self.get_last_lr(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what :meth:`state_dict` returned, and set the rates.

        Raises
        ------
        ValueError
            If it is no such state, or of another number of groups than the optimizer has.
        """
        check_entries(self._state_spec, state_dict, type(self).__name__)
        lrs, groups = [float(lr) for lr in state_dict["lrs"]], self.optimizer.param_groups
        if len(lrs) != len(groups):
            raise ValueError(f"state of ReduceLROnPlateau is of {len(lrs)} groups, the optimizer has {len(groups)}")
        self.n_steps, self.best = int(state_dict["n_steps"]), float(state_dict["best"])
        self.num_bad_epochs = int(state_dict["num_bad_epochs"])
        self.cooldown_counter = int(state_dict["cooldown_counter"])
        for group, lr in zip(groups, lrs, strict=True):
            group["lr"] = lr
