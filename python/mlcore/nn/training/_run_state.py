"""The state of a training run: all that is needed to go on from it, bit for bit."""

from pathlib import Path
from typing import Any

from mlcore._state import Int
from mlcore.nn._runtime import Generator
from mlcore.nn.layers._module import Module
from mlcore.nn.optim import Optimizer, Schedule
from mlcore.nn.training._averaging import WeightAverage
from mlcore.nn.training._checkpoint import write_checkpoint
from mlcore.nn.training._gradient_flow import GradientFlow
from mlcore.nn.training._history import History
from mlcore.nn.training._steps import EpochState, Step
from mlcore.nn.training._stopping import BestSoFar


class RunState:
    """The parts of a :class:`Trainer` that change while it trains, saved and loaded together."""

    model: Module
    optimizer: Optimizer
    schedule: Schedule | None
    average: WeightAverage | None
    history: History
    generator: Generator
    checkpoint: Path | None
    epoch: int
    n_steps: int
    _step: Step
    _best: BestSoFar
    _flow: GradientFlow
    _epoch_state: EpochState

    def _parts(self) -> dict[str, Any]:
        parts = {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "average": self.average,
            "history": self.history,
            "best": self._best,
            "flow": self._flow,
            "within": self._epoch_state,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _save(self) -> None:
        assert self.checkpoint is not None
        write_checkpoint(self.checkpoint, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on from here, with copies of what training changes."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        return state | {"generator": self.generator.get_state(), "epoch": self.epoch, "n_steps": self.n_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned, all of it or nothing.

        Raises
        ------
        ValueError
            If it is of another kind of run, or not what that returned.
        """
        parts = self._parts()
        names = {*parts, "generator", "epoch", "n_steps"}
        if differing := names ^ set(state):
            raise ValueError(
                f"{self.checkpoint or 'the state'} is of another kind of run: only one of both has "
                f"{', '.join(sorted(differing))}"
            )
        before = {name: part.state_dict() for name, part in parts.items()}
        try:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            self._check_loaded(state)
            self.generator.set_state(state["generator"])
        except BaseException:  # all or nothing
            for name, part in parts.items():
                part.load_state_dict(before[name])
            raise
        self.epoch, self.n_steps = int(state["epoch"]), int(state["n_steps"])

    def _check_loaded(self, state: dict[str, Any]) -> None:
        """Raise ValueError where parts that were loaded do not fit each other."""
        for name in ("epoch", "n_steps"):
            Int().check(state[name], name, {})
        if state["epoch"] != len(self.history) or state["epoch"] != len(self.history.gradient_flow):
            raise ValueError(f"the history has {len(self.history)} epochs, and {state['epoch']} were done")
        monitor = self._best.monitor
        needed = {
            "loss",
            *self._step.metrics,
            *({monitor} if monitor and not monitor.startswith("validation_") else ()),
        }
        if self._epoch_state.n_batches > 0 and (missing := needed.difference(self._epoch_state.sums)):
            raise ValueError(f"sums over the batches so far lack {', '.join(sorted(missing))}")
        if self._best.weights is not None:
            self.model.check_state_dict(self._best.weights)
        shapes = [p.shape for p in self.model.parameters()]
        if self.average is not None and [values.shape for values in self.average.values] != shapes:
            raise ValueError("the average is of another network")
        if self._epoch_state.trained_with is not None:
            self.model.check_state_dict(self._epoch_state.trained_with)
