"""What a trainer does with one batch: from the batch to the loss and the metrics."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore._state import Anything, Array, Int, MapOf, Nothing, Number, OneOf, Optional, Spec, check_entries
from mlcore.nn._nested import mapped
from mlcore.nn.functional._reduction_log import reduction_log
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._batches import Batch, n_rows_of
from mlcore.nn.training._metrics import MetricValue, metrics_of


class Step:
    """Loss and metrics of a batch.

    Parameters
    ----------
    model : Module
        The network.
    loss : callable or None
        ``loss(output, target)``, a Tensor with one entry, or (mean, what it was taken over); for batches (inputs...,
        target).
    metrics : str, list of str, dict of callables or None
        Metrics beside it; see :class:`~mlcore.nn.Trainer`.
    custom : callable or None
        ``custom(model, batch)`` in the place of all that, or ``custom(model, batch, state)`` with `carry`.
    carry : bool
        Whether there is a state that goes from batch to batch.
    """

    def __init__(self, model: Module, loss: Any, metrics: Any, custom: Callable[..., Any] | None, carry: bool) -> None:
        if custom is None and loss is None:
            raise ValueError("a Trainer needs a loss, or a step that returns one")
        if custom is not None and (loss is not None or metrics):
            raise ValueError("a step of your own computes the loss itself: pass no loss and no metrics")
        if carry and custom is None:
            raise ValueError("carry=True needs a step(model, batch, state) that returns (loss, state)")
        self.model, self.loss, self.custom, self.carry = model, loss, custom, carry
        self.metrics, self.scores = metrics_of(metrics)

    def __call__(
        self, batch: Batch, state: Any, rows: list[Any] | None = None
    ) -> tuple[Tensor, Any, dict[str, MetricValue]]:
        """Return the loss, the next state, and the metrics, the loss among them.

        Output and target are added to `rows`, if that is a list, where there are scores to compute from all of them.
        """
        weight: Any = None
        values: dict[str, MetricValue] = {}
        with reduction_log() as log:
            if self.custom is None:
                output, target = self._output_and_target(batch)
                loss, state = self.loss(output, target), None
            elif self.carry:
                loss, state, *more = self.custom(self.model, batch, state)
                loss, state = (loss, *more) if more else loss, detached(state)
            else:
                loss, state = self.custom(self.model, batch), None
            if isinstance(loss, tuple):
                loss, weight = _value_and_weight("the loss", loss)
            if not isinstance(loss, Tensor) or loss.size != 1:
                what = f"a Tensor of shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__
                raise TypeError(f"the loss of a batch must be a Tensor with one entry, got {what}")
            values["loss"] = MetricValue(loss.item(), log.weight(loss, n_rows_of(batch)) if weight is None else weight)
        for name, metric in self.metrics.items():
            value = metric(_array(output), _array(target))
            value, weight = _value_and_weight(name, value) if isinstance(value, tuple) else (value, n_rows_of(batch))
            values[name] = MetricValue(float(value), weight)
        if rows is not None and self.scores:
            rows.append((_array(output), _array(target)))
        return loss, state, values

    def scores_of(self, rows: list[Any]) -> dict[str, float]:
        """Return the scores of all rows that calls have added."""
        if not rows:
            return {}
        outputs, targets = (np.concatenate(column) for column in zip(*rows, strict=True))
        return {name: score(outputs, targets) for name, score in self.scores.items()}

    def _output_and_target(self, batch: Batch) -> tuple[Any, Any]:
        if isinstance(batch, Mapping):
            if "y" not in batch:
                raise ValueError(f"a batch that is a dict needs a target 'y', got {', '.join(batch)}")
            return self.model(**{name: value for name, value in batch.items() if name != "y"}), batch["y"]
        if len(batch) < 2:
            raise ValueError("a batch must be (inputs..., target): pass y, or a step of your own")
        return self.model(*batch[:-1]), batch[-1]


def detached(state: Any) -> Any:
    """Return the tensors within nested tuples, lists and dicts without what they were made from."""
    return mapped(state, lambda value: value.detach() if isinstance(value, Tensor) else value)


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, tuple | list):
        value = value[0]
    return np.asarray(value.data if isinstance(value, Tensor) else value)


def _value_and_weight(name: str, pair: tuple[Any, ...]) -> tuple[Any, float]:
    """Check a pair (mean, what it was taken over)."""
    if len(pair) != 2 or isinstance(pair[1], Tensor) or not (np.isscalar(pair[1]) or np.ndim(pair[1]) == 0):
        raise TypeError(f"{name} of a batch must be one value, or a pair (mean, what it was taken over: a number)")
    weight = float(pair[1])
    if not 0 <= weight < np.inf:
        raise ValueError(f"what {name} of a batch was taken over must be finite and >= 0, got {weight}")
    return pair[0], weight


class EpochState:
    """How far an epoch is, and sums over its batches so far."""

    _state_spec: ClassVar[Spec] = {
        "seed": OneOf(Nothing(), Int(high=2**64 - 1)),
        "n_batches": Int(),
        "sums": MapOf(Number()),
        "weights": MapOf(Number(0.0, is_finite=True)),
        "seconds": Number(),
        "rate": Number(),
        "carry": Anything(),
        "trained_with": Optional(OneOf(Nothing(), MapOf(Array()))),
    }

    def __init__(self) -> None:
        self.seed: int | None = None
        self.n_batches = 0
        self.sums: dict[str, float] = {}
        self.weights: dict[str, float] = {}  # of metrics that are means
        self.seconds = self.rate = 0.0
        self.carry: Any = None
        self.trained_with: dict[str, Any] | None = None  # the last weights that are in the sums, if they are kept

    def count(self, values: Mapping[str, MetricValue]) -> None:
        """Add the metrics of a batch."""
        for name, (value, weight) in values.items():
            if weight is not None:
                self.weights[name] = self.weights.get(name, 0.0) + weight
            part = value if weight is None else weight * value if weight else 0.0  # a mean over nothing may be NaN
            self.sums[name] = self.sums.get(name, 0.0) + part

    def n_units(self, unit: str) -> int:
        """Return how much has been done: batches ("it"), or what the loss is a mean over."""
        return self.n_batches if unit == "it" else round(self.weights.get("loss", 0.0))

    def means(self) -> dict[str, float]:
        """Return each metric of all batches so far, as if they had been one; the mean over nothing is 0."""
        return {name: total / (self.weights.get(name, 1.0) or 1.0) for name, total in self.sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return {**vars(self), "sums": dict(self.sums), "weights": dict(self.weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        if isinstance(state, dict) and "rows" in state:  # of a version in which rows were the weight of all metrics
            rows, state = state["rows"], {name: value for name, value in state.items() if name != "rows"}
            state["weights"] = dict.fromkeys(state["sums"], rows) if isinstance(state.get("sums"), dict) else None
        check_entries(self._state_spec, state, type(self).__name__)
        vars(self).update({"trained_with": None, **state})


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Within the block the model evaluates, and nothing is recorded."""
    modes = [(module, module.training) for module in model.modules()]  # parts may be frozen in evaluation
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, was_training in modes:
            object.__setattr__(module, "training", was_training)
