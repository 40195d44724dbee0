"""The training of a network with a head: `nn.Trainer` with AdamW, warm-up and linear decay, and a safe end."""

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mlcore._warnings import warn
from mlcore.nn import optim
from mlcore.nn._runtime import Generator
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._history import History
from mlcore.nn.training._trained import Trained
from mlcore.nn.training._trainer import Trainer
from mlcore.seq._training import epochs_for, former_history, go_on, some_of
from mlcore.seq.bert._rates import freeze_up_to, frozen_depth, parameter_groups
from mlcore.seq.bert.finetuning._batches import Rows, TextBatches
from mlcore.seq.bert.network._folder import PretrainedModule

_TUNED, _NEW = (3, 300, 20), (30, 600, 300)
"""Epochs, steps at least, and epochs at most that are done for their sake: from weights there are, and from scratch."""
_RATE, _NEW_RATE = 5e-5, 5e-4
"""Learning rates likewise."""
_SAMPLE = 8192
"""Tokens of the training that the network is compared with the constant on."""
_NOISE = 0.1
"""A loss that is above that of the constant by less than this share comes from data without anything to learn."""


class FineTuning(Trained):
    """From rows to a trained network."""

    model: Any
    freeze: int | str
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
    n_iter_no_change: int
    tol: float
    scoring: str
    checkpoint: Any
    verbose: int
    module_: PretrainedModule
    history_: History
    n_iter_: int

    # ---- what the estimators differ in ----

    def _is_settled(self) -> bool:
        """Whether nothing is left to learn."""
        return False

    def _loss(self, outputs: Any, batch: Any, *, training: bool) -> tuple[Tensor, float]:
        """Return the mean loss of what the network returned for the first entry of a batch, and over how much it is."""
        raise NotImplementedError

    def _score_of(self, network: Module, examples: list[Any], target: Any, rows: Rows) -> float:
        """Return the score of the network on validation examples; higher is better."""
        raise NotImplementedError

    def _entropy(self, rows: Rows) -> float:
        """Return about which loss is had without looking at the text."""
        raise NotImplementedError

    def _constant_outputs(self, inputs: Any) -> Any:
        """Return what a network would that knows the best constant and nothing else."""
        raise NotImplementedError

    def _write_constant(self, network: Module) -> None:
        """Let a network return that constant for every input."""
        raise NotImplementedError

    def _start_at_constant(self, network: Module) -> None:
        """Let a new head begin near the best constant, as far as it has a say in it."""

    def _forward(self, network: Module, inputs: Any) -> Any:
        """Return the outputs of a network for the inputs of a batch."""
        return network(inputs.ids, token_type_ids=inputs.types, offsets=inputs.offsets)

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
        history = former_history(self, continuing=continuing)
        if not self._is_settled():
            batches = self._batches(training)
            automatic = _NEW if self._is_new(continuing) else _TUNED
            n_epochs = epochs_for(-(-len(batches) // int(self.accumulate)), self.max_epochs, automatic)
            trainer = self._trainer(network, generator, validation, n_epochs, continuing=continuing)
            go_on(trainer, history, n_epochs)
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
            return self._loss(self._forward(network, batch[0]), batch, training=network.training)

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
        sample = training.take(some_of(training.inputs.lengths, _SAMPLE))
        batches = TextBatches(sample, batch_size=1, batch_tokens=_SAMPLE // 2, shuffle=False)
        sums = np.zeros(3)
        batch: Any
        with no_grad():
            for batch in batches.epoch(0, 0):
                loss, weight = self._loss(self._forward(network, batch[0]), batch, training=False)
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
