"""What the estimators of sequences share: parameters of tokens and of training, and the training itself."""

import os
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from mlcore._base import N_JOBS, effective_n_jobs
from mlcore._validation import split_rows
from mlcore.nn import optim
from mlcore.nn._runtime import Generator, random_stream, threads
from mlcore.nn.training._trainer import Trainer
from mlcore.seq._generation import DecoderCache
from mlcore.seq._inputs import read_sequences, read_texts
from mlcore.seq._network import SequenceNetwork, inputs_and_labels
from mlcore.seq._state import SequenceState
from mlcore.seq._training import (
    Pairs,
    adam,
    average_of,
    batches_of,
    epochs_for,
    fall_back_to_frequencies,
    former_history,
    go_on,
    log_frequencies,
    train_step,
    warm_up,
)

_AUTOMATIC = 30, 600, 300
"""Of a training that is chosen by itself: epochs, steps at least, and epochs at most that are done for their sake."""


def _count(most: int | None = None) -> Interval:
    return Interval(Integral, 1, most, closed="left" if most is None else "both")


class BaseSequenceEstimator(DecoderCache, SequenceState, BaseEstimator):  # type: ignore[misc]
    """Parameters that all have, and training. `_private_state` and the rest of the state is in `_state.py`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [_count(), None],
        "batch_tokens": [StrOptions({"auto"}), _count()],
        "accumulate": [_count()],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "warmup_steps": [_count(), None],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "average_last": [_count(), None],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [_count()],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "tokenizer": [
            StrOptions({"word", "char", "bpe", "wordpiece"}),
            HasMethods(["encode_batch", "id_to_token"]),
            callable,
            None,
        ],
        "lowercase": ["boolean"],
        "min_count": [_count()],
        "max_vocab": [Interval(Integral, 5, None, closed="left"), None],
        "max_length": [_count(2**31 - 2)],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }
    max_epochs: int | None
    batch_tokens: int | str
    accumulate: int
    learning_rate: float
    warmup_steps: int | None
    max_norm: float | None
    average_last: int | None
    early_stopping: bool | str
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    warm_start: bool
    checkpoint: Any
    tokenizer: Any
    lowercase: bool
    min_count: int
    max_vocab: int | None
    max_length: int
    random_state: Any
    n_jobs: int | None
    verbose: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _continues(self) -> bool:
        return bool(self.warm_start) and hasattr(self, "module_")

    def _validate_params(self) -> None:
        super()._validate_params()
        self._check_network()
        if self._continues():
            self._check_unchanged()

    # ---- training ----

    def _split(self, n: int, has_validation: bool, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which entries to train on, and which to hold back."""
        if has_validation or self.early_stopping is not True:
            return np.arange(n), np.arange(0)
        return split_rows(n, self.validation_fraction, seed)

    def _optimizer(self, parameters: Any) -> optim.Optimizer:
        return adam(parameters, float(self.learning_rate), self.max_norm)

    def _schedule(self, optimizer: optim.Optimizer, n_steps: int) -> optim.Schedule:
        return warm_up(self.warmup_steps)(optimizer, n_steps)

    def _validate(self, network: SequenceNetwork, validation: Any) -> dict[str, float]:
        """Return metrics of each epoch beside the loss, by name."""
        raise NotImplementedError

    def _monitor(self) -> str:
        """Return what early stopping looks at: "loss" or a metric of `_validate`."""
        return "loss"

    def _train(
        self, pairs: Pairs, validation: Pairs | None, generator: Generator, *, continuing: bool, resume: bool
    ) -> None:
        """Train a new network, or a copy of the one there is."""
        with threads(effective_n_jobs(self.n_jobs)), random_stream(generator):
            network = self._network_of_tokens()
            log_p = log_frequencies(inputs_and_labels(pairs[1])[1], len(self._target))
            if continuing:
                network.load_state_dict(self.module_.state_dict())
            else:
                network.start_at(log_p)
            batches = batches_of(pairs, self.batch_tokens)
            n_epochs = epochs_for(-(-len(batches) // int(self.accumulate)), self.max_epochs, _AUTOMATIC)
            trainer = self._trainer(network, generator, validation, n_epochs, float(-log_p @ np.exp(log_p)))
            go_on(trainer, former_history(self, continuing=continuing), n_epochs)
            held = None if validation is None else batches_of(validation, self.batch_tokens, shuffle=False)
            trainer.fit(batches, X_val=held, resume=resume)
            most = max(1, batches.n_units // len(batches))
            fall_back_to_frequencies(network, pairs, log_p, most, type(self).__name__)
        self.module_, self.history_, self.n_iter_ = network, trainer.history, len(trainer.history)
        self.is_quantized_ = False
        self._remember_params()

    def _trainer(
        self, network: SequenceNetwork, generator: Generator, validation: Any, n_epochs: int, entropy: float
    ) -> Trainer:
        stops = validation is not None and self.early_stopping is not False
        metric = "loss" if validation is None else self._monitor()
        is_loss = metric == "loss"
        trainer = Trainer(
            network,
            step=train_step,
            optimizer=self._optimizer,
            # The steps of a run are those of former fits too.
            schedule=lambda rule, n_steps: self._schedule(rule, n_steps * n_epochs // trainer.max_epochs),
            accumulate=int(self.accumulate),
            validate=None if is_loss else lambda module: self._validate(module, validation),
            monitor="loss" if validation is None else f"validation_{metric}",
            mode="min" if is_loss else "max",
            patience=int(self.n_iter_no_change) if stops else None,
            min_delta=float(self.tol) * (entropy if is_loss else 100.0),
            average=average_of(self.average_last, n_epochs),
            checkpoint=self.checkpoint,
            verbose=int(self.verbose),
        )
        trainer.generator, trainer.name = generator, type(self).__name__
        trainer._flow.warns = False
        return trainer

    # ---- tokens ----

    def _read(self, column: Any, who: str) -> list[Any]:
        """Return texts, or sequences of tokens, of a column of users."""
        return list(read_sequences(column, who) if self.tokenizer is None else read_texts(column, who))

    def _cut(self, ids: list[list[int]], most: int | None = None) -> tuple[list[list[int]], int]:
        """Cut entries that are longer than `max_length`; return how many are."""
        most = int(self.max_length) if most is None else most
        n_cut = sum(len(entry) > most for entry in ids)
        return ([entry[:most] for entry in ids], n_cut) if n_cut else (ids, 0)


def rows_of(pairs: Pairs, rows: Any) -> Pairs:
    """Return some of the pairs."""
    source, target = pairs
    return (None if source is None else source.take(rows), target.take(rows))
