"""What training has recorded, epoch by epoch."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore._state import Int, ListOf, MapOf, Nothing, Number, OneOf, Spec, check_entries


class History:
    """Metrics of each epoch.

    ``history["loss"]`` is an array with one number for each epoch. Names: "loss" and the metrics on the training
    batches (computed while the network changed), the same with the prefix "validation_" on the validation data,
    "learning_rate" (of the first group, in the last step), "gradient_norm" (mean over the steps, before clipping),
    "seconds".

    Attributes
    ----------
    epochs : list of dict
        One an epoch.
    gradient_flow : list of dict
        For each epoch the mean norm of the gradient of each layer.
    best_epoch : int or None
        Position of the epoch with the best monitored metric, if one was monitored.
    """

    _state_spec: ClassVar[Spec] = {
        "epochs": ListOf(MapOf(Number())),
        "gradient_flow": ListOf(MapOf(Number())),
        "best_epoch": OneOf(Nothing(), Int()),
    }

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.gradient_flow: list[dict[str, float]] = []
        self.best_epoch: int | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def __contains__(self, name: object) -> bool:
        return any(name in epoch for epoch in self.epochs)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if self.epochs and name not in self:
            raise KeyError(f"no {name!r} was recorded, only {', '.join(self.names())}")
        return np.array([epoch.get(name, np.nan) for epoch in self.epochs])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def names(self) -> list[str]:
        """Return what is recorded."""
        return list(dict.fromkeys(name for epoch in self.epochs for name in epoch))

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        epochs, flow = list(self.epochs), list(self.gradient_flow)
        return {"epochs": epochs, "gradient_flow": flow, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        check_entries(self._state_spec, state, type(self).__name__)
        self.epochs = [dict(epoch) for epoch in state["epochs"]]
        self.gradient_flow = [dict(epoch) for epoch in state["gradient_flow"]]
        self.best_epoch = state["best_epoch"]

    def __repr__(self) -> str:
        last = "".join(f", {name} {value:.5g}" for name, value in (self.epochs[-1] if self.epochs else {}).items())
        return f"History({len(self)} epochs{last})"
