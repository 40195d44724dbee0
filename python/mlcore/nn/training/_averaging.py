"""Averages of the weights over the steps of a training run: often better, and never noisier, than the last weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from mlcore._native import core
from mlcore._state import Array as ArrayEntry
from mlcore._state import Int, ListOf, Spec, check_entries
from mlcore.nn._runtime import n_threads
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Array


class WeightAverage:
    """What both averages share. Only parameters are averaged; buffers are those of the network.

    Attributes
    ----------
    n_averaged : int
        How many times weights have been added.
    """

    _state_spec: ClassVar[Spec] = {"n_averaged": Int(), "values": ListOf(ArrayEntry("f4", is_finite=True))}

    def __init__(self) -> None:
        self.n_averaged = 0
        self.values: list[Array] = []

    def start(self, model: Module) -> None:
        """Start again, with the weights of `model`."""
        self.values = [p.data.copy() for p in model.parameters()]
        self.n_averaged = 0

    def after_step(self, model: Module) -> None:
        """Called after each step."""

    def after_epoch(self, model: Module, epoch: int) -> None:
        """Called at the end of each epoch, which count from 0."""

    def _bring_up_to_date(self) -> None:
        """Compute `values`, where that was put off until they are asked for."""

    def _add(self, model: Module, weight: float) -> None:
        sources = [p.data.reshape(-1) for p in model.parameters()]
        targets = [values.reshape(-1) for values in self.values]
        core.nn.blend(targets, sources, weight=weight, n_threads=n_threads())
        self.n_averaged += 1

    @contextmanager
    def applied(self, model: Module) -> Iterator[None]:
        """Use the average as the weights of the network within a ``with`` block."""
        self.swap(model)
        try:
            yield
        finally:
            self.swap(model)

    def swap(self, model: Module) -> None:
        """Exchange the average and the weights of the network; nothing if there is no average yet."""
        if self.n_averaged == 0:
            return
        self._bring_up_to_date()
        for i, p in enumerate(model.parameters()):
            p.data, self.values[i] = self.values[i], p.data
            p._version.n_changes += 1

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the average."""
        self._bring_up_to_date()
        return {"n_averaged": self.n_averaged, "values": [values.copy() for values in self.values]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        check_entries(self._state_spec, state, type(self).__name__)
        self.n_averaged = int(state["n_averaged"])
        self.values = [np.array(values, np.float32, order="C") for values in state["values"]]


class EMA(WeightAverage):
    """Exponential moving average of the weights of all steps (Polyak and Juditsky, 1992, with forgetting).

    Parameters
    ----------
    decay : float, default=0.999
        d in ``average = d average + (1 - d) weights`` after each step, in [0, 1). At first ``(1 + t) / (10 + t)`` is
        used if that is less, so that the initial weights do not stay in it.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay of EMA must be in [0, 1), got {decay}")
        self.decay = decay

    def after_step(self, model: Module) -> None:
        """Add the weights to the average."""
        decay = min(self.decay, (1 + self.n_averaged) / (10 + self.n_averaged))
        self._add(model, 1 - decay)


class SWA(WeightAverage):
    """Mean of the weights at the ends of epochs (Izmailov et al., 2018).

    Parameters
    ----------
    start_epoch : int, default=0
        First epoch, from 0, whose end counts: when the network is nearly trained.
    """

    def __init__(self, start_epoch: int = 0) -> None:
        super().__init__()
        if start_epoch < 0:
            raise ValueError(f"start_epoch of SWA must be >= 0, got {start_epoch}")
        self.start_epoch = start_epoch

    def after_epoch(self, model: Module, epoch: int) -> None:
        """Add the weights to the average."""
        if epoch >= self.start_epoch:
            self._add(model, 1 / (self.n_averaged + 1))


class CheckpointAverage(WeightAverage):
    """Mean of the weights at the ends of the last epochs (as of the last checkpoints by Vaswani et al., 2017).

    Parameters
    ----------
    n_last : int, default=5
        Epochs; their weights are kept in memory.
    """

    _state_spec: ClassVar[Spec] = {
        **WeightAverage._state_spec,
        "kept": ListOf(ListOf(ArrayEntry("f4", is_finite=True))),
    }

    def __init__(self, n_last: int = 5) -> None:
        super().__init__()
        if n_last < 1:
            raise ValueError(f"n_last of CheckpointAverage must be >= 1, got {n_last}")
        self.n_last = n_last
        self.kept: list[list[Array]] = []  # the oldest first
        self._is_stale = False  # whether `values` are older than `kept`

    def start(self, model: Module) -> None:
        """Start again, with the weights of `model`."""
        super().start(model)
        self.kept, self._is_stale = [], False

    def after_epoch(self, model: Module, epoch: int) -> None:  # noqa: ARG002
        """Put the weights in the place of the oldest ones."""
        parameters = list(model.parameters())
        is_full = len(self.kept) == self.n_last
        weights = self.kept.pop(0) if is_full else [np.empty_like(p.data) for p in parameters]
        for values, p in zip(weights, parameters, strict=True):
            np.copyto(values, p.data)
        self.kept.append(weights)
        self.n_averaged, self._is_stale = self.n_averaged + 1, True

    def _bring_up_to_date(self) -> None:
        # Not after each epoch: of little data an epoch takes less time than the average.
        if not self._is_stale:
            return
        self.values = [values.copy() for values in self.kept[0]]
        targets = [values.reshape(-1) for values in self.values]
        for i, weights in enumerate(self.kept[1:], 2):
            core.nn.blend(targets, [values.reshape(-1) for values in weights], weight=1 / i, n_threads=n_threads())
        self._is_stale = False

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the average and of what it is made of."""
        return {**super().state_dict(), "kept": [[values.copy() for values in weights] for weights in self.kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        super().load_state_dict(state)
        if len(state["kept"]) > self.n_last or any(
            [values.shape for values in weights] != [values.shape for values in self.values]
            for weights in state["kept"]
        ):
            raise ValueError(f"kept must hold the weights of {self.n_last} epochs at most, each like the average")
        self.kept = [[np.array(values, np.float32, order="C") for values in weights] for weights in state["kept"]]
        self._is_stale = False


def has_running_statistics(model: Module) -> bool:
    """Whether batch norms keep statistics that belong to the weights."""
    return any("running_mean" in module._buffers for module in model.modules())


@contextmanager
def fresh_statistics(model: Module) -> Iterator[Any]:
    """Within the block the batch norms average the statistics of all batches; call what is given before each batch."""
    norms = [module for module in model.modules() if module._buffers.get("running_mean") is not None]
    momenta = [module.momentum for module in norms]
    n_batches = 0

    def next_batch() -> None:
        nonlocal n_batches
        n_batches += 1
        for module in norms:
            module.momentum = 1 / n_batches

    try:
        yield next_batch
    finally:
        for module, momentum in zip(norms, momenta, strict=True):
            module.momentum = momentum
