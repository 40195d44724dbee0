"""What the fine-tuned estimators share: parameters, start, training and outputs.

`_start.py` says where weights come from, `_rates.py` how fast each part of them moves, `_state.py` what a file holds.
"""

import copy
import dataclasses
import os
from collections.abc import Collection, Iterable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from mlcore._base import N_JOBS, effective_n_jobs, fitting, seed_from
from mlcore._validation import has_validation_rows, require_target, row_weights, split_rows, weighted_rows
from mlcore._warnings import warn
from mlcore.nn import optim
from mlcore.nn._runtime import Generator, random_stream, threads
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._history import History
from mlcore.nn.training._trainer import Trainer
from mlcore.seq.bert._batch import BertBatch
from mlcore.seq.bert._batches import Rows, TextBatches
from mlcore.seq.bert._config import BertConfig
from mlcore.seq.bert._folder import PretrainedModule
from mlcore.seq.bert._rates import freeze_up_to, frozen_depth, parameter_groups
from mlcore.seq.bert._start import check_tokenizer, copy_encoder, new_start, start_of
from mlcore.seq.bert._state import BertState, Shapes, encoder_shapes, linear_shapes
from mlcore.seq.bert._tokenizer import BertTokenizer

Floats = NDArray[np.float64]

_TUNED, _NEW = (3, 300, 20), (30, 600, 300)
"""Epochs, steps at least, and epochs at most that are done for their sake: from weights there are, and from scratch."""
_RATE, _NEW_RATE = 5e-5, 5e-4
"""Learning rates likewise."""
_SAMPLE = 8192
"""Tokens of the training that the network is compared with the constant on."""
_NOISE = 0.1
"""A loss that is above that of the constant by less than this share comes from data without anything to learn."""
_OF_HEADS = ("classes", "architectures")
"""Entries of a config that are of the head that was there before."""
_CHUNK = 1 << 15
"""Tokens that go through the network at once in predictions."""


class BaseBertEstimator(BertState, BaseEstimator):  # type: ignore[misc]
    """A BERT with a head, trained on labelled texts."""

    _HEAD: ClassVar[type[PretrainedModule]]
    """The network."""
    _OUTPUT: ClassVar[str] = "classifier"
    """Name of its last layer."""
    _POOLS: ClassVar[bool] = True
    """Whether there is a pooler."""

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

    def __sklearn_clone__(self) -> Self:
        """Copy the parameters; `model` stays the fitted one that it is."""
        bare = object.__new__(type(self))
        bare.__dict__ = {**vars(self), "model": None}
        found: Self = super(BaseBertEstimator, bare).__sklearn_clone__()
        found.model = self.model
        return found

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

        `fits`: they are those to train on, which tell the factors; else those to validate with.
        """
        return weight

    def _strata(self, target: Any) -> NDArray[Any] | None:  # noqa: ARG002
        """Return a class for each example, whose share validation examples keep, or None."""
        return None

    def _measure(self, target: Any, weight: Floats | None, *, reset: bool) -> None:
        """Find shares of classes, or units of numbers, in what is trained on."""

    def _is_settled(self) -> bool:
        """Whether nothing is left to learn."""
        return False

    def _rows(self, examples: list[Any], target: Any, weight: NDArray[np.float32], longest: int) -> Rows:
        """Return the sequences of tokens of examples, `longest` at most, and what they are to give."""
        raise NotImplementedError

    def _head_config(self, config: BertConfig) -> BertConfig:
        """Return the config with the labels of the head."""
        raise NotImplementedError

    def _loss(self, outputs: Any, batch: Any, *, training: bool) -> tuple[Tensor, float]:
        """Return the mean loss of what the network returned for the first entry of a batch, and over how much it is."""
        raise NotImplementedError

    def _score_of(self, network: Module, examples: list[Any], target: Any, rows: Rows) -> float:
        """Return the score of the network on validation examples; higher is better."""
        raise NotImplementedError

    def _entropy(self, rows: Rows) -> float:
        """Return about which loss is had without looking at the text."""
        raise NotImplementedError

    def _constant_outputs(self, inputs: BertBatch) -> Any:
        """Return what a network would that knows the best constant and nothing else."""
        raise NotImplementedError

    def _write_constant(self, network: Module) -> None:
        """Let a network return that constant for every input."""
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
        """Fine-tune the network; each estimator says what `X` and `y` are."""
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
        weight = row_weights(sample_weight, examples, name, f"sample_weight{suffix}")
        weight = self._class_weights(target, weight, fits=fits)
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
            network = self._make_module(self.module_.config)
            network.load_state_dict(self.module_.state_dict())
            return network
        if self.model is None:
            texts = self._texts_of(_some(examples, kept))
            config, self.tokenizer_ = new_start(
                self.config, texts, lowercase=bool(self.lowercase), max_length=int(self.max_length)
            )
            return self._make_module(self._config_of(config))
        found, self.tokenizer_ = start_of(self.model, type(self).__name__)
        network = self._make_module(self._config_of(found.config))
        copy_encoder(found, network)
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

    # ---- training ----

    def _train(
        self,
        network: PretrainedModule,
        training: Rows,
        validation: Any,
        generator: Generator,
        *,
        continuing: bool,
        resume: bool,
    ) -> None:
        history = History()
        if continuing:
            history.load_state_dict(copy.deepcopy(self.history_.state_dict()))
        if not self._is_settled():
            batches = self._batches(training)
            n_epochs = self._n_epochs(-(-len(batches) // int(self.accumulate)), is_new=self._is_new(continuing))
            trainer = self._trainer(network, generator, validation, n_epochs, continuing=continuing)
            trainer.history, trainer.epoch = history, len(history)
            trainer.max_epochs = len(history) + n_epochs
            held = None if validation is None else self._batches(validation[-1], shuffle=False)
            trainer.fit(batches, X_val=held, resume=resume)
            history = trainer.history
            network.requires_grad_()
            self._fall_back_to_constant(network, training)
        self.module_, self.history_, self.n_iter_ = network.eval(), history, len(history)

    def _is_new(self, continuing: bool) -> bool:
        """Whether no weights were there before this fit."""
        return self.model is None and not continuing

    def _batches(self, rows: Rows, *, shuffle: bool = True) -> TextBatches:
        size, tokens = int(self.batch_size), self.batch_tokens
        return TextBatches(rows, batch_size=size, batch_tokens=tokens, shuffle=shuffle)

    def _n_epochs(self, n_steps: int, *, is_new: bool) -> int:
        """Return how many epochs of `n_steps` steps are to be done."""
        if self.max_epochs is not None:
            return int(self.max_epochs)
        epochs, steps, most = _NEW if is_new else _TUNED
        return min(max(epochs, -(-steps // n_steps)), most)

    def _trainer(
        self, network: PretrainedModule, generator: Generator, validation: Any, n_epochs: int, *, continuing: bool
    ) -> Trainer:
        n_layers, name = network.config.num_hidden_layers, type(self).__name__
        frozen = freeze_up_to(network, frozen_depth(self.freeze, n_layers, name), n_layers)
        rate = self.learning_rate
        if rate is None:
            rate = _NEW_RATE if self._is_new(continuing) else _RATE
        groups = parameter_groups(
            network,
            n_layers,
            learning_rate=float(rate),
            layer_decay=float(self.layer_decay),
            weight_decay=float(self.weight_decay),
        )

        def step(network: Module, batch: Any) -> tuple[Tensor, float]:
            for module in frozen:
                module.eval()  # without dropout, in which only what learns would learn
            return self._loss(_outputs(network, batch[0]), batch, training=network.training)

        def schedule(rule: optim.Optimizer, n_steps: int) -> optim.Schedule:
            n_steps = n_steps * n_epochs // trainer.max_epochs  # the steps of a run are those of former fits too
            return optim.warmup_linear(rule, int(float(self.warmup_ratio) * n_steps), n_steps)

        def validate(network: Module) -> dict[str, float]:
            return {"validation_score": self._score_of(network, *validation)}

        stops = validation is not None and self.early_stopping is not False
        is_loss = validation is None or self.scoring == "loss"
        unit = 1.0 if validation is None or not is_loss else self._entropy(validation[-1])
        trainer = Trainer(
            network,
            step=step,
            optimizer=optim.AdamW(groups, lr=float(rate), max_norm=self.max_norm),
            schedule=schedule,
            accumulate=int(self.accumulate),
            validate=None if is_loss else validate,
            monitor="loss" if validation is None else "validation_loss" if is_loss else "validation_score",
            mode="min" if is_loss else "max",
            patience=int(self.n_iter_no_change) if stops else None,
            min_delta=float(self.tol) * unit,
            checkpoint=self.checkpoint,
            verbose=int(self.verbose),
        )
        trainer.generator, trainer.name = generator, name
        trainer._flow.warns = False
        return trainer

    def _fall_back_to_constant(self, network: Module, training: Rows) -> None:
        """Let the network return the best constant, where training has not brought it to less loss than that."""
        lengths = training.inputs.lengths
        spread = np.random.Generator(np.random.Philox(0)).permutation(len(lengths))
        n = max(1, int(np.searchsorted(np.cumsum(lengths[spread]), _SAMPLE)))
        sample = training.take(np.sort(spread[:n]))
        batches = TextBatches(sample, batch_size=1, batch_tokens=_SAMPLE // 2, shuffle=False)
        sums = np.zeros(3)
        batch: Any
        with no_grad():
            for batch in batches.epoch(0, 0):
                loss, weight = self._loss(_outputs(network, batch[0]), batch, training=False)
                constant, _ = self._loss(self._constant_outputs(batch[0]), batch, training=False)
                sums += weight * float(loss.item()), weight * float(constant.item()), weight
        end, start, _ = sums / (sums[2] or 1.0)
        if end <= start:
            return
        self._write_constant(network)
        if not end <= start + _NOISE * abs(start):
            warn(
                f"{type(self).__name__} did not get below the loss of a constant prediction ({end:.4g} after training, "
                f"{start:.4g} for the constant), and is that constant now. A smaller learning_rate or more epochs may "
                "help",
                ConvergenceWarning,
            )

    @property
    def loss_curve_(self) -> Floats:
        """Training loss of each epoch, shape (n_iter_,): ``history_["loss"]``."""
        return self.history_["loss"]

    # ---- the network ----

    def _make_module(self, config: BertConfig, names: Collection[str] = ()) -> PretrainedModule:  # noqa: ARG002
        return self._HEAD(config)

    def _module_shapes(self, config: BertConfig, names: Collection[str]) -> Shapes:  # noqa: ARG002
        last = linear_shapes(self._OUTPUT, config.n_labels, config.hidden_size)
        return encoder_shapes(config, add_pooling_layer=self._POOLS) | last

    def _take_labels(self, module: PretrainedModule) -> None:
        """Set all fitted attributes that a network from a folder tells, and put its outputs into their order."""
        raise NotImplementedError

    def _to_export(self) -> PretrainedModule:
        """Return the network as others understand it, with the labels in its config."""
        return self.module_

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], **params: Any) -> Self:
        """Read a fine-tuned network: `predict` needs no `fit`.

        Parameters
        ----------
        folder : str or path-like
            As :meth:`save_pretrained`, or `transformers`, has written it, on this machine: nothing is downloaded.
        **params
            Parameters of the estimator. `model` is the folder, where :meth:`fit` would start from.

        Returns
        -------
        estimator
            Fitted.

        Raises
        ------
        FileNotFoundError
            If the folder or a file is not there.
        ValueError
            If a file is damaged, or is of a network without this head.
        """
        model = cls(**{"model": os.fspath(folder), **params})
        model._validate_params()
        module, model.tokenizer_ = cls._HEAD.from_pretrained(folder), BertTokenizer.from_folder(folder)
        check_tokenizer(model.tokenizer_, module.config)
        model._take_labels(module)
        model.module_, model.history_, model.n_iter_ = module.eval(), History(), 0
        return model

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the network as `transformers` reads it: config.json with the labels, weights and the tokenizer.

        Parameters
        ----------
        folder : str or path-like
            Made if it is not there.

        Raises
        ------
        OSError
            If the folder or a file cannot be written.
        """
        check_is_fitted(self)
        self._to_export().save_pretrained(folder)
        self.tokenizer_.save_pretrained(folder, max_length=self.module_.config.max_position_embeddings)

    # ---- outputs ----

    def _longest(self, config: BertConfig) -> int:
        """Return how many tokens a sequence has at most."""
        return min(int(self.max_length), config.max_position_embeddings)

    def _hidden(self, inputs: BertBatch, pooling: str | None) -> Iterator[tuple[BertBatch, NDArray[np.float32]]]:
        """Yield parts of the inputs, and what the fitted encoder makes of them.

        Vectors (N, d) of all tokens of the part; with `pooling` "cls" those (B, d) of the first ones.
        """
        check_is_fitted(self)
        encoder = self._encoder()
        n_threads = effective_n_jobs(self.n_jobs)
        parts = np.cumsum(inputs.lengths) // _CHUNK
        for part in np.unique(parts):
            chosen = inputs.take(np.flatnonzero(parts == part))
            yield chosen, encoder(chosen.ids, chosen.types, chosen.offsets, pooling=pooling, n_threads=n_threads)


def _outputs(network: Module, inputs: BertBatch) -> Any:
    return network(inputs.ids, token_type_ids=inputs.types, offsets=inputs.offsets)


def _some(values: Any, rows: NDArray[np.intp]) -> Any:
    """Return some entries of an array or a list."""
    return values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows.tolist()]


def _joined(first: Any, second: Any) -> Any:
    return np.concatenate([first, second]) if isinstance(first, np.ndarray) else first + second


def _relative(weight: Floats | None, n: int) -> NDArray[np.float32]:
    """Return weights with a mean of 1 (n,)."""
    if weight is None or n == 0:
        return np.ones(n, np.float32)
    weight = weight / weight.max()  # sums of huge ones could overflow
    relative: NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return relative
