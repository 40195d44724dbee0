"""What the fine-tuned estimators share: parameters, start, training and outputs.

`_training.py` is the loop, `_exchange.py` reads and writes folders; above this room, `_start.py` says where weights
come from, `_rates.py` how fast each part of them moves, `_state.py` what a file holds.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from mlcore._base import N_JOBS, effective_n_jobs, fitting, seed_from
from mlcore._tables import Floats
from mlcore._validation import has_validation_rows, require_target, row_weights, split_rows, weighted_rows
from mlcore.nn import init
from mlcore.nn._runtime import Generator, random_stream, threads
from mlcore.seq.bert._start import new_start, start_of, with_encoder
from mlcore.seq.bert.finetuning._batches import Rows
from mlcore.seq.bert.finetuning._exchange import HeadState
from mlcore.seq.bert.finetuning._training import FineTuning
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.tokens._batch import BertBatch

_OF_HEADS = ("classes", "architectures")
"""Entries of a config that are of the head that was there before."""
_CHUNK = 1 << 15
"""Tokens that go through the network at once in predictions."""


class BaseBertEstimator(FineTuning, HeadState, BaseEstimator):  # type: ignore[misc]
    """A BERT with a head, trained on labelled texts."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "model": [str, os.PathLike, HasMethods(["fit"]), None],
        "config": [dict, BertConfig, None],
        "lowercase": ["boolean"],
        "freeze": [StrOptions({"embeddings", "all"}), Interval(Integral, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "max_length": [Interval(Integral, 4, 2**31 - 2, closed="both")],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "batch_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "accumulate": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup_ratio": [Interval(Real, 0, 1, closed="left")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "scoring": [StrOptions({"loss", "score"})],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "dtype": [StrOptions({"float32", "bfloat16", "int8"})],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }
    model: Any
    config: Any
    lowercase: bool
    freeze: int | str
    dropout: float | None
    max_length: int
    max_epochs: int | None
    batch_size: int
    batch_tokens: int | None
    accumulate: int
    learning_rate: float | None
    layer_decay: float
    weight_decay: float
    warmup_ratio: float
    max_norm: float | None
    early_stopping: bool | str
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    scoring: str
    warm_start: bool
    checkpoint: Any
    dtype: str
    random_state: Any
    n_jobs: int | None
    verbose: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags

    # ---- what the estimators differ in ----

    def _examples(self, X: Any, who: str) -> list[Any]:
        """Return texts, pairs or whatever an example is as a list; `who` names the column for messages."""
        raise NotImplementedError

    def _texts_of(self, examples: list[Any]) -> Iterable[str]:
        """Return the texts that a tokenizer is learned from."""
        raise NotImplementedError

    def _read_target(self, y: Any, examples: list[Any], *, reset: bool, name: str) -> Any:
        """Check what examples are to give, called `name`, and return an array or a list with an entry for each.

        With `reset` a new fit begins: classes and the like are found. Else they are those of the estimator.
        """
        raise NotImplementedError

    def _class_weights(self, target: Any, weight: Floats | None, *, fits: bool) -> Floats | None:  # noqa: ARG002
        """Return the weights of examples times the factors of their classes.

        `fits`: they are those to train on, which determine the factors; else those to validate with.
        """
        return weight

    def _strata(self, target: Any) -> NDArray[Any] | None:  # noqa: ARG002
        """Return a class for each example, whose share validation examples keep, or None."""
        return None

    def _measure(self, target: Any, weight: Floats | None, *, reset: bool) -> None:
        """Find shares of classes, or units of numbers, in what is trained on."""

    def _rows(self, examples: list[Any], target: Any, weight: NDArray[np.float32], longest: int) -> Rows:
        """Return the sequences of tokens of examples, `longest` at most, and what they are to give."""
        raise NotImplementedError

    def _head_config(self, config: BertConfig) -> BertConfig:
        """Return the config with the labels of the head."""
        raise NotImplementedError

    # ---- fit ----

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        resume: bool = False,
    ) -> Self:
        """Train the network on labelled texts.

        Parameters
        ----------
        X : iterable of str, or of pairs (str, str)
            Texts: a list, a generator, or a column of NumPy, pandas, polars or Arrow. Pairs of texts are tuples or
            lists of two, an array of shape (n_samples, 2), or a frame of two columns. An empty text is one.
        y : array of shape (n_samples,), or (n_samples, n_outputs)
            Labels, or numbers, of the texts.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative. A weight of 0 is the same as removing the text.
        X_val, y_val : as X and y, default=None
            Texts to validate with after each epoch.
        sample_weight_val : float or array of shape (n_val,), default=None
            Their weights.
        resume : bool, default=False
            Go on from `checkpoint`, if there is that file. With the same data and parameters the result is the same,
            bit for bit, as that of a fit that was never interrupted.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted; with
            `warm_start`, as it was before.

        Raises
        ------
        ValueError
            If a parameter is out of range, there is no text, numbers of texts, targets and weights differ, an entry is
            missing, or the start is no BERT with a tokenizer.
        TypeError
            If entries are no texts, or labels are of types that cannot be ordered among each other.
        FileNotFoundError
            If `model` names a folder that is not there, or lacks a file.
        mlcore.nn.NonFiniteError
            If training diverges to numbers that are not finite.

        Warns
        -----
        UserWarning
            If texts are longer than `max_length` tokens, which are cut there.
        sklearn.exceptions.ConvergenceWarning
            If training did not get below the loss of a constant prediction; the network gives that constant then.
        """
        self._validate_params()
        continuing = self._continues()
        with fitting(self, continuing=continuing):
            self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, continuing=continuing, resume=resume)
        return self

    def _continues(self) -> bool:
        return bool(self.warm_start) and hasattr(self, "module_")

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
        *,
        continuing: bool,
        resume: bool,
    ) -> None:
        name = type(self).__name__
        if self.model is not None and self.config is not None:
            raise ValueError(f"config of {name} is for a network from scratch: with a model it must be None")
        has_validation = has_validation_rows(name, X_val, y_val, sample_weight_val=sample_weight_val)
        generator = Generator(seed_from(self.random_state))
        examples, target, weight = self._read(X, y, sample_weight, fits=True, reset=not continuing)
        n = len(examples)
        if has_validation:
            kept, held = np.arange(n), np.arange(0)
        else:
            kept, held = self._split(target, n, generator.next_seed())
        self._measure(_some(target, kept), None if weight is None else weight[kept], reset=not continuing)
        if has_validation:
            more = self._read(X_val, y_val, sample_weight_val, fits=False, reset=False)
            held = np.arange(n, n + len(more[0]))
            examples, target = examples + more[0], _joined(target, more[1])
            weights = np.concatenate([_relative(weight, n), _relative(more[2], len(more[0]))])
        else:
            weights = np.empty(n, np.float32)
            for part in (kept, held):
                weights[part] = _relative(None if weight is None else weight[part], len(part))
        with threads(effective_n_jobs(self.n_jobs)), random_stream(generator):
            network = self._network(examples, kept, continuing=continuing)
            rows = self._rows(examples, target, weights, self._longest(network.config))
            is_held = np.zeros(len(examples), bool)
            is_held[held] = True
            training = rows.take(np.flatnonzero(~is_held[rows.example]))
            validation = None
            if len(held):
                held_rows = rows.take(np.flatnonzero(is_held[rows.example]))
                place = np.cumsum(is_held) - 1
                held_rows = held_rows._replace(example=place[held_rows.example])
                validation = (_some(examples, held), _some(target, held), held_rows)
            self._train(network, training, validation, generator, continuing=continuing, resume=resume)

    def _read(
        self, X: Any, y: Any, sample_weight: Any, *, fits: bool, reset: bool
    ) -> tuple[list[Any], Any, Floats | None]:
        """Return examples, targets and weights of the examples that have weight."""
        name, suffix = type(self).__name__, "" if fits else "_val"
        require_target(y, name)
        examples = self._examples(X, f"X{suffix} of {name}")
        if not examples:
            raise ValueError(f"X{suffix} of {name} must hold a text or more, got none")
        target = self._read_target(y, examples, reset=reset, name=f"y{suffix}")
        check_consistent_length(examples, target)
        weight = _in_range(row_weights(sample_weight, examples, name, f"sample_weight{suffix}"))
        weight = _in_range(self._class_weights(target, weight, fits=fits))
        if (chosen := weighted_rows(weight)) is not None and weight is not None:
            examples, target, weight = _some(examples, chosen), _some(target, chosen), weight[chosen]
        return examples, target, weight

    def _split(self, target: Any, n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which examples to train on, and which to hold back."""
        if self.early_stopping is not True:
            return np.arange(n), np.arange(0)
        return split_rows(n, self.validation_fraction, seed, self._strata(target))

    def _network(self, examples: list[Any], kept: NDArray[np.intp], *, continuing: bool) -> PretrainedModule:
        """Return the network to train, and set the tokenizer."""
        if continuing:
            with init.skipped():
                network = self._make_module(self.module_.config)
            network.load_state_dict(self.module_.state_dict())
            return network
        if self.model is None:
            texts = self._texts_of(_some(examples, kept))
            config, self.tokenizer_ = new_start(
                self.config,
                texts,
                type(self).__name__,
                lowercase=bool(self.lowercase),
                max_length=int(self.max_length),
            )
            network = self._make_module(self._config_of(config))
            self._start_at_constant(network)
            return network
        found, self.tokenizer_ = start_of(self.model, type(self).__name__)
        config = self._config_of(found.config)
        network = with_encoder(lambda: self._make_module(config), found)
        self._start_at_constant(network)
        return network

    def _config_of(self, config: BertConfig) -> BertConfig:
        """Return the config of a start with the labels of the head and the dropout that was asked for."""
        others = {name: value for name, value in config.other.items() if name not in _OF_HEADS}
        config = dataclasses.replace(config, other=others)
        if self.dropout is not None:
            rate = float(self.dropout)
            options: dict[str, Any] = {
                "hidden_dropout_prob": rate,
                "attention_probs_dropout_prob": rate,
                "classifier_dropout": None,
            }
            config = dataclasses.replace(config, **options)
        return self._head_config(config)

    # ---- outputs ----

    def _longest(self, config: BertConfig) -> int:
        """Return how many tokens a sequence has at most."""
        return min(int(self.max_length), config.max_position_embeddings)

    def _hidden(self, inputs: BertBatch, pooling: str | None) -> Iterator[tuple[BertBatch, NDArray[np.float32]]]:
        """Yield parts of the inputs, and what the fitted encoder makes of them.

        Vectors (N, d) of all tokens of the part; with `pooling` "cls" those (B, d) of the first ones.
        """
        check_is_fitted(self)
        yield from in_parts(self._encoder(), inputs, pooling, effective_n_jobs(self.n_jobs))


def in_parts(
    encoder: Any, inputs: BertBatch, pooling: str | None, n_threads: int
) -> Iterator[tuple[BertBatch, NDArray[np.float32]]]:
    """Yield parts of the inputs, and what a native encoder makes of them."""
    parts = np.cumsum(inputs.lengths) // _CHUNK
    for part in np.unique(parts):
        chosen = inputs.take(np.flatnonzero(parts == part))
        yield chosen, encoder(chosen.ids, chosen.types, chosen.offsets, pooling=pooling, n_threads=n_threads)


def _some(values: Any, rows: NDArray[np.intp]) -> Any:
    """Return some entries of an array or a list."""
    return values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows.tolist()]


def _joined(first: Any, second: Any) -> Any:
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else first + second


def _in_range(weight: Floats | None) -> Floats | None:
    """Return weights times a power of two with which the largest is below 1: sums of huge ones would overflow."""
    return None if weight is None else np.ldexp(weight, -np.frexp(weight.max())[1])


def _relative(weight: Floats | None, n: int) -> NDArray[np.float32]:
    """Return weights with a mean of 1 (n,)."""
    if weight is None or n == 0:
        return np.ones(n, np.float32)
    weight = weight / weight.max()  # where all are the same, the mean is exactly 1 then
    relative: NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return relative
