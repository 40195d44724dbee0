"""The best epoch so far, its weights, and when to stop."""

import math
from typing import Any, ClassVar

import numpy as np

from mlcore._state import Array, Int, MapOf, Nothing, Number, OneOf, Spec, check_entries
from mlcore.nn.layers._module import Module


class BestSoFar:
    """Compares the metrics of each epoch with the best ones.

    Parameters
    ----------
    monitor : str or None
        Which metric; None: "validation_loss", or "loss" if there is none.
    mode : {"min", "max"}
        Which is better.
    patience : int or None
        Epochs without improvement before `should_stop`; None: never, and weights are not kept.
    min_delta : float
        An improvement is more than this.
    """

    _state_spec: ClassVar[Spec] = {
        "value": Number(),
        "epoch": OneOf(Nothing(), Int()),
        "n_worse": Int(),
        "weights": OneOf(Nothing(), MapOf(Array())),
    }

    def __init__(self, monitor: str | None, mode: str, patience: int | None, min_delta: float) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', got {mode!r}")
        if patience is not None and patience < 1:
            raise ValueError(f"patience must be >= 1 or None, got {patience}")
        self.monitor, self.sign, self.patience = monitor, 1 if mode == "min" else -1, patience
        self.min_delta = min_delta
        self.value, self.epoch, self.n_worse = math.inf, None, 0  # value: times sign
        self.weights: dict[str, Any] | None = None

    epoch: int | None

    def value_of(self, metrics: dict[str, float]) -> float:
        """Return the monitored one."""
        name = self._name(metrics)
        if name not in metrics:
            raise ValueError(f"monitor {name!r} is not recorded, only {', '.join(metrics)}")
        return metrics[name]

    def _name(self, metrics: dict[str, float]) -> str:
        return self.monitor or ("validation_loss" if "validation_loss" in metrics else "loss")

    def update(
        self, epoch: int, metrics: dict[str, float], model: Module, trained_with: dict[str, Any] | None = None
    ) -> None:
        """Compare the metrics of an epoch with the best ones. NaN is no improvement on anything.

        Metrics of training are computed while the weights change: `trained_with` are the last weights that are in them.
        The weights after the last step are in the metrics of the next epoch only.
        """
        value = self.sign * self.value_of(metrics)
        if value < self.value - (self.min_delta if self.epoch is not None else 0.0):
            self.value, self.epoch, self.n_worse = value, epoch, 0
            if self.patience is not None:
                is_validated = trained_with is None or self._name(metrics).startswith("validation_")
                self.weights = dict(model.state_dict()) if is_validated else trained_with
        else:
            self.n_worse += 1

    @property
    def should_stop(self) -> bool:
        """Whether the last `patience` epochs brought nothing."""
        return self.patience is not None and self.n_worse >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return {"value": self.value, "epoch": self.epoch, "n_worse": self.n_worse, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        check_entries(self._state_spec, state, type(self).__name__)
        self.value, self.epoch, self.n_worse = float(state["value"]), state["epoch"], int(state["n_worse"])
        weights = state["weights"]
        self.weights = None if weights is None else {name: np.asarray(value) for name, value in weights.items()}
