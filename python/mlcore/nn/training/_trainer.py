"""Trainer: the loop around a network, its loss and its optimizer."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._base import seed_from
from mlcore._progress import Progress
from mlcore.nn._runtime import Generator, generator, random_stream, threads
from mlcore.nn.layers._module import Module
from mlcore.nn.optim import AdamW, Optimizer, ReduceLROnPlateau, Schedule
from mlcore.nn.optim._optimizer import square_sums
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._accumulation import Accumulated
from mlcore.nn.training._averaging import WeightAverage, fresh_statistics, has_running_statistics
from mlcore.nn.training._batches import ArrayBatches, Batch, Source, source_of
from mlcore.nn.training._checkpoint import read_checkpoint
from mlcore.nn.training._gradient_flow import GradientFlow, NonFiniteError, first_nonfinite_layer, nonfinite_gradients
from mlcore.nn.training._history import History
from mlcore.nn.training._run_state import RunState
from mlcore.nn.training._steps import EpochState, Step, evaluating
from mlcore.nn.training._stopping import BestSoFar


class Trainer(RunState):
    """Trains a network.

    Parameters
    ----------
    model : Module
        The network; changed in place.
    loss : callable or None, default=None
        ``loss(output, target)``: a Tensor with one entry. None: `step` computes it. Batches are put together so that
        history, evaluation and accumulated gradients are those of all rows at once: a loss of
        :mod:`mlcore.nn.functional` counts by what its mean was taken over (targets that are not ignored, weights of
        their classes), sums are added up. Any other loss counts by the rows of its batch; where it is the mean over
        something else, return ``(mean, number)``.
    optimizer : Optimizer, callable or None, default=None
        A callable takes the parameters; None: AdamW with its defaults. Weight decay and clipping are its arguments.
    schedule : callable or None, default=None
        ``schedule(optimizer, n_steps)`` returns a :class:`~mlcore.nn.optim.Schedule` for a run of so many steps.
    schedule_every : {"step", "epoch"}, default="step"
        What it counts. One that needs a metric (:class:`~mlcore.nn.optim.ReduceLROnPlateau`) is given the monitored one
        at the end of each epoch, whatever this is.
    max_epochs : int, default=10
        Epochs of a run.
    batch_size : int, default=32
        Rows of a batch, for data in arrays; a last batch of one row is joined to the one before.
    shuffle, drop_last : bool, default=True, False
        Draw the order of rows each epoch; leave out a last batch that is not full.
    bucket_by_length : bool or int array, default=False
        Batches of rows of like length; see :class:`ArrayBatches`.
    accumulate : int, default=1
        Batches that make one step, with the gradient that they would have as one batch.
    metrics : str, list of str, or dict of callables, default=None
        Metrics beside the loss: "accuracy", "mean_absolute_error", or ``metric(output, target)`` on arrays, which
        returns a mean over rows, or ``(mean, number)`` of what it was taken over. Under the names of scikit-learn's
        scorers ("roc_auc", "f1_macro", "r2", ...) also those of :mod:`mlcore.metrics` that are no means over rows: they
        are computed from all validation data at once, and are higher where the network is better.
    step : callable or None, default=None
        ``step(model, batch)`` returns the loss (or ``(mean, number)``), in the place of `loss`: for language models and
        all else that is not inputs and target. It serves validation too (``model.training`` is False then).
    validate : callable or None, default=None
        ``validate(model)`` returns further metrics of each epoch by name, each with the prefix "validation_": for what
        is no loss and no metric of outputs, such as a score of what a network writes. The network evaluates then, and
        nothing is recorded.
    carry : bool, default=False
        Then it is ``step(model, batch, state)`` and returns ``(loss, state)``, or ``(mean, state, number)``: truncated
        back-propagation through time.
        `state` is None at the start of an epoch, and detached between batches.
    augment : callable or None, default=None
        ``augment(batch, rng)`` returns the batch to train on; `rng` is a NumPy generator.
    monitor : str or None, default=None
        The metric to choose the best epoch by; None: "validation_loss", or "loss" without validation data.
    mode : {"min", "max"}, default="min"
        Whether it is best low or high.
    patience : int or None, default=None
        Epochs without improvement before training stops; the network then gets the weights of the best epoch, also if
        it stops for other reasons: those that were validated, or, where a metric of training is monitored, the last
        ones that are in it. None: no early stopping, the last weights stay.
    min_delta : float, default=0.0
        What counts as an improvement.
    average : EMA, SWA, CheckpointAverage or None, default=None
        Average of the weights; validation is done with it, and the network has it at the end.
    checkpoint : path-like or None, default=None
        Where to write all that is needed to go on.
    checkpoint_every : int or None, default=None
        Steps between; None: at the end of each epoch.
    random_state : int, RandomState or None, default=None
        Seed of shuffling, dropout and augmentation. None: the stream of this context (:func:`mlcore.nn.manual_seed`).
    n_jobs : int or None, default=None
        Threads. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    history : History
        What was recorded.
    epoch : int
        Epochs done.
    n_steps : int
        Steps of the optimizer done.
    name : str
        What the progress bar and the lines of the log call the run: the class of the network.

    Raises
    ------
    NonFiniteError
        In :meth:`fit`, if a loss or a gradient is NaN or infinite; names the layer. The step is not made.
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[[Any, Any], Tensor] | None = None,
        *,
        optimizer: Optimizer | Callable[[Iterator[Any]], Optimizer] | None = None,
        schedule: Callable[[Optimizer, int], Schedule] | None = None,
        schedule_every: str = "step",
        max_epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        drop_last: bool = False,
        bucket_by_length: Any = False,
        accumulate: int = 1,
        metrics: Any = None,
        step: Callable[..., Any] | None = None,
        validate: Callable[[Any], Mapping[str, float]] | None = None,
        carry: bool = False,
        augment: Callable[[Batch, np.random.Generator], Batch] | None = None,
        monitor: str | None = None,
        mode: str = "min",
        patience: int | None = None,
        min_delta: float = 0.0,
        average: WeightAverage | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        counts = {"max_epochs": max_epochs, "accumulate": accumulate}
        if checkpoint_every is not None:
            counts["checkpoint_every"] = checkpoint_every
        for name, value in counts.items():
            if not (isinstance(value, int | np.integer) and value >= 1):
                raise ValueError(f"{name} of Trainer must be an int >= 1, got {value!r}")
        if schedule_every not in ("step", "epoch"):
            raise ValueError(f"schedule_every of Trainer must be 'step' or 'epoch', got {schedule_every!r}")
        if checkpoint_every is not None and checkpoint is None:
            raise ValueError("checkpoint_every needs a checkpoint")
        self.name = type(model).__name__
        self.model, self._step = model, Step(model, loss, metrics, step, carry)
        if not isinstance(optimizer, Optimizer):
            optimizer = (AdamW if optimizer is None else optimizer)(model.parameters())
        self.optimizer, self.average, self._validate = optimizer, average, validate
        self._make_schedule, self.schedule_every = schedule, schedule_every
        self.schedule: Schedule | None = None
        self.max_epochs, self.accumulate, self.augment = int(max_epochs), int(accumulate), augment
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.bucket_by_length = bucket_by_length if isinstance(bucket_by_length, bool) else np.asarray(bucket_by_length)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.checkpoint_every = checkpoint_every
        self.n_jobs, self.verbose = n_jobs, verbose
        self.generator = generator() if random_state is None else Generator(seed_from(random_state))
        self._best = BestSoFar(monitor, mode, patience, min_delta)
        self._flow = GradientFlow(model, optimizer)
        self.history = History()
        self.epoch = self.n_steps = 0
        self._epoch_state = EpochState()
        self._is_averaged = False

    # ---- fit ----

    def fit(self, X: Any, y: Any = None, *, X_val: Any = None, y_val: Any = None, resume: bool = False) -> Self:
        """Train for `max_epochs` epochs, or on to that number.

        Parameters
        ----------
        X : array, list of arrays, tuple or dict of such, iterable of batches, or callable
            Inputs of the network. A tuple is several of them; a dict names them; a list of arrays is a column of
            sequences of different lengths. An iterable yields batches; a callable is given the number of the epoch
            and returns an iterable. A batch is (inputs..., target), or a dict with the target under "y".
        y : array, list of arrays or None, default=None
            The target, where X is arrays.
        X_val, y_val : as X and y
            Data to validate with after each epoch.
        resume : bool, default=False
            Go on from the checkpoint, if there is one: the result is the same, bit for bit, as that of a run that was
            never interrupted. Everything else must be as in that run.

        Returns
        -------
        Trainer
            Itself.
        """
        train = self._source(X, y, shuffle=self.shuffle)
        validation = None if X_val is None else self._source(X_val, y_val, shuffle=False)
        if validation is None and self._step.scores:
            raise ValueError(f"metrics {', '.join(self._step.scores)} are computed from validation data: pass X_val")
        with self._threads(), random_stream(self.generator):
            self._prepare(train, resume=resume)
            unit, n_units = getattr(train, "unit", "it"), getattr(train, "n_units", len(train))
            is_bar = self.verbose == 1
            total = (n_units * self.max_epochs or None) if is_bar else self.max_epochs
            begin = self.epoch * n_units + self._epoch_state.n_units(unit) if is_bar else self.epoch
            with Progress(total, self.verbose, self.name, unit=unit, begin=begin) as progress:
                while self.epoch < self.max_epochs and not self._best.should_stop:
                    self._train_epoch(train, progress)
                    self._end_epoch(validation, progress, unit)
            self._finish(train)
        return self

    def _source(self, X: Any, y: Any, *, shuffle: bool) -> Source:
        options: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": shuffle}
        if shuffle or not isinstance(self.bucket_by_length, np.ndarray):
            options["lengths"] = self.bucket_by_length
        if shuffle:
            options["drop_last"] = self.drop_last
        return source_of(X, y, **options)

    def _prepare(self, train: Source, *, resume: bool) -> None:
        is_there = resume and self.checkpoint is not None and self.checkpoint.exists()
        if resume and self.checkpoint is None:
            raise ValueError("resume=True needs a checkpoint, the file to go on from: it is None")
        if self.checkpoint is not None and not self.checkpoint.parent.is_dir():  # not only after the first epoch
            raise FileNotFoundError(f"the folder of checkpoint {self.checkpoint} does not exist")
        if self.schedule is None and self._make_schedule is not None:
            n_epoch = -(-len(train) // self.accumulate)
            if n_epoch == 0 and self.schedule_every == "step":
                raise ValueError("a schedule by steps needs batches with a length: pass a list or data in arrays")
            n_steps = self.max_epochs * (n_epoch if self.schedule_every == "step" else 1)
            self.schedule = self._make_schedule(self.optimizer, n_steps)
        if is_there:
            assert self.checkpoint is not None
            self.load_state_dict(read_checkpoint(self.checkpoint))
        elif self.average is not None and not self.average.values:
            self.average.start(self.model)
        elif self.average is not None and self._is_averaged:  # by a run before this one, which is gone on with
            self.average.swap(self.model)
        self._is_averaged = False

    def _train_epoch(self, train: Source, progress: Progress) -> None:
        self.model.train()
        started, epoch_state = time.perf_counter(), self._epoch_state
        if epoch_state.seed is None:
            epoch_state.seed = self.generator.next_seed()
        self._forget_gradients()
        pending, unit = Accumulated(), getattr(train, "unit", "it")
        keeps = self._best.patience is not None and self.average is None
        last_step = (len(train) - 1) // self.accumulate * self.accumulate if keeps else -1
        for batch in train.epoch(self.epoch, epoch_state.seed, epoch_state.n_batches):
            if epoch_state.n_batches == last_step:
                epoch_state.trained_with = dict(self.model.state_dict())
            if self.augment is not None:
                batch = self.augment(batch, self.generator.numpy())
            n_units = epoch_state.n_units(unit)
            self._forward_and_backward(batch, pending)
            epoch_state.n_batches += 1
            if self.verbose == 1:
                progress.update(epoch_state.n_units(unit) - n_units, **epoch_state.means())
            if pending.n_batches == self.accumulate:
                self._move(pending)
                epoch_state.seconds += time.perf_counter() - started
                if self.checkpoint_every is not None and self.n_steps % self.checkpoint_every == 0:
                    self._save()
                pending, started = Accumulated(), time.perf_counter()
        if pending.n_batches:
            self._move(pending)
        epoch_state.seconds += time.perf_counter() - started
        if epoch_state.n_batches == 0:
            raise ValueError("an epoch without a batch: the iterable of batches is empty")

    def _forward_and_backward(self, batch: Batch, pending: "Accumulated") -> None:
        epoch_state, before = self._epoch_state, self.generator.get_state()
        loss, state, metrics = self._step(batch, epoch_state.carry)
        value, weight = metrics["loss"]
        if not math.isfinite(value):
            self.generator.set_state(before)  # the same dropout as before
            with no_grad():
                where = first_nonfinite_layer(self.model, lambda: self._step(batch, epoch_state.carry))
            raise NonFiniteError(f"the loss is {value} in epoch {self.epoch}, batch {epoch_state.n_batches}: {where}")
        factor = pending.count(weight)
        loss.backward(None if factor == 1 else np.full(loss.shape, factor, np.float32))
        epoch_state.carry = state
        epoch_state.count(metrics)

    def _move(self, pending: "Accumulated") -> None:
        """Make a step with the gradient of some batches as one."""
        moved = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not moved:
            raise ValueError("no parameter of the optimizer has got a gradient: the loss does not depend on any")
        squares, scale = square_sums(moved), pending.scale
        if not np.isfinite(squares).all():
            names = nonfinite_gradients(self.model)
            raise NonFiniteError(
                f"gradients are not finite in epoch {self.epoch}, batch {self._epoch_state.n_batches - 1}, while the "
                f"loss is: those of {', '.join(names[:3])}{' and more' * (len(names) > 3)}, the nearest to it first"
            )
        self._flow.add(moved, squares, scale)
        self._epoch_state.rate = float(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step(gradient_scale=scale, grad_norm=math.sqrt(squares.sum()))
        self._forget_gradients()
        self.n_steps += 1
        if self.schedule is not None and self.schedule_every == "step" and not self.schedule.needs_metric:
            self.schedule.step()
        if self.average is not None:
            self.average.after_step(self.model)

    def _forget_gradients(self) -> None:
        self.model.zero_grad()
        self.optimizer.zero_grad()

    def _end_epoch(self, validation: Source | None, progress: Progress, unit: str) -> None:
        n_units, seconds = self._epoch_state.n_units(unit), self._epoch_state.seconds
        if self.average is not None:
            self.average.after_epoch(self.model, self.epoch)
        metrics = {**self._epoch_state.means(), "seconds": seconds}
        looked_at = validation is not None or self._validate is not None or self._best.patience is not None
        with self.average.applied(self.model) if self.average is not None and looked_at else nullcontext():
            if validation is not None:
                metrics |= {f"validation_{name}": value for name, value in self._evaluate(validation).items()}
            if self._validate is not None:
                with evaluating(self.model):
                    metrics |= self._validate(self.model)
            metrics["learning_rate"] = self._epoch_state.rate
            flow, metrics["gradient_norm"] = self._flow.end_epoch()
            self._best.update(self.epoch, metrics, self.model, self._epoch_state.trained_with)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(self._best.value_of(metrics))
        elif self.schedule is not None and self.schedule_every == "epoch":
            self.schedule.step()
        self.history.epochs.append(metrics)
        self.history.gradient_flow.append(flow)
        self.history.best_epoch = self._best.epoch
        self.epoch += 1
        self._epoch_state = EpochState()
        if self.verbose >= 2:
            rate = {} if unit == "it" else {f"{unit.strip()} a second": n_units / max(seconds, 1e-9)}
            progress.update(1, **metrics, **rate)
        if self.checkpoint is not None:
            self._save()

    def _finish(self, train: Source) -> None:
        if self._best.weights is not None:
            if self._best.epoch != self.epoch - 1 or self.average is not None:  # nothing is known against the last ones
                self.model.load_state_dict(self._best.weights)
        elif self.average is not None and self.average.n_averaged:
            self.average.swap(self.model)
            self._is_averaged = True
            if has_running_statistics(self.model):
                self.model.train()
                with fresh_statistics(self.model) as next_batch, no_grad():
                    carry = None
                    for batch in train.epoch(self.epoch, 0):
                        next_batch()
                        _, carry, _ = self._step(batch, carry)
        self.model.eval()

    # ---- use ----

    def evaluate(self, X: Any, y: Any = None) -> dict[str, float]:
        """Return the mean loss and metrics over data, as :meth:`fit` takes them, with the network as it is."""
        with self._threads():
            return self._evaluate(self._source(X, y, shuffle=False))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the outputs of the network for the rows of `X`, arrays as :meth:`fit` takes them."""
        source = ArrayBatches(X, batch_size=self.batch_size, shuffle=False)
        with self._threads(), evaluating(self.model):
            outputs = [
                self.model(**batch) if isinstance(batch, Mapping) else self.model(*batch)
                for batch in source.epoch(0, 0)
            ]
        return np.concatenate([output.data for output in outputs])

    def _evaluate(self, source: Source) -> dict[str, float]:
        means, carry = EpochState(), None
        rows: list[Any] = []
        with evaluating(self.model):
            for batch in source.epoch(self.epoch, 0):
                _, carry, metrics = self._step(batch, carry, rows)
                means.count(metrics)
        return means.means() | self._step.scores_of(rows)

    def _threads(self) -> AbstractContextManager[None]:
        return nullcontext() if self.n_jobs is None else threads(self.n_jobs)
