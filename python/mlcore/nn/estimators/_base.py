"""What NeuralClassifier and NeuralRegressor share: from parameters and data to a trained network.

`_rows` reads and standardizes data, `_network` makes the network and its optimizer, `_state` is what files hold.
"""

import math
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, effective_n_jobs, fitting, seed_from
from mlcore._validation import (
    has_validation_rows,
    split_rows,
)
from mlcore.nn._runtime import Generator, random_stream, threads
from mlcore.nn.estimators._network import (
    ACTIVATIONS,
    RULES,
    default_network,
    layer_sizes,
    make_optimizer,
    own_network,
    start_at_constant,
)
from mlcore.nn.estimators._rows import Floats, NetworkRows
from mlcore.nn.estimators._standardize import weighted_medians
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor, no_grad
from mlcore.nn.training._history import History
from mlcore.nn.training._trainer import Trainer

_PREDICTED_ROWS = 1024
"""Rows that go through the network at once."""
_NOISE = 0.1
"""A loss that is above that of the constant by less than this share comes from data without anything to learn."""


class BaseNeuralEstimator(NetworkRows, BaseEstimator):  # type: ignore[misc]
    """Parameters, training and outputs of both estimators."""

    module_params: dict[str, Any] | None
    n_iter_: int
    n_features_in_: int
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "module": [callable, Module, None],
        "module_params": [dict, None],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(ACTIVATIONS)],
        "optimizer": [StrOptions(set(RULES)), callable],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "schedule": [callable, None],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "drop_last": ["boolean"],
        "standardize": ["boolean", StrOptions({"inputs"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    # ---- parameters of the module ----

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of `module_params` come as ``module__<name>`` too.

        Returns
        -------
        dict
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            options = self.module_params if isinstance(self.module_params, dict) else {}
            params |= {f"module__{name}": value for name, value in options.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``module__<name>`` sets one of `module_params`.

        Parameters
        ----------
        **params : dict
            By name.

        Returns
        -------
        estimator
            Itself.
        """
        own = {name: value for name, value in params.items() if not name.startswith("module__")}
        super().set_params(**own)
        if len(own) < len(params):
            nested = {name.removeprefix("module__"): params[name] for name in params if name not in own}
            self.module_params = {**(self.module_params or {}), **nested}
        return self

    # ---- what the estimators differ in ----

    def _n_outputs(self, target: NDArray[Any]) -> int:
        raise NotImplementedError

    def _measure_target(
        self, target: NDArray[Any], weight: Floats | None, *, reset: bool, is_whole: bool = True
    ) -> Floats:
        """Find the units of the target, or the shares of the classes; return the best constant output (n_outputs,).

        Not `is_whole`: more rows may come, with other classes.
        """
        raise NotImplementedError

    def _has_unitless_loss(self) -> bool:
        """Whether the size of the loss does not depend on units of the target."""
        return True

    def _is_settled(self) -> bool:
        """Whether nothing is left to learn."""
        return False

    def _row_losses(self, output: Tensor, target: NDArray[Any]) -> Tensor:
        """Return the loss of each row."""
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
    ) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), or with more axes for a module that takes them
            Inputs; whole numbers stay whole for a module of your own.
        y : array of shape (n_samples,), or (n_samples, n_outputs) for numbers
            The target.
        sample_weight : array of shape (n_samples,) or None, default=None
            Weights >= 0. Rows without weight are left out.
        X_val, y_val : arrays or None, default=None
            Data to validate with after each epoch.
        sample_weight_val : array of shape (n_val,) or None, default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        estimator
            Itself.
        """
        self._validate_params()
        with fitting(self):
            self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any) -> None:
        name = type(self).__name__
        has_validation = has_validation_rows(name, X_val, y_val, sample_weight_val=sample_weight_val)
        X, target, weight, factors = self._training_rows(X, y, sample_weight, reset=True)
        generator = Generator(seed_from(self.random_state))
        validation = None
        if has_validation:
            validation = self._validation_rows(X_val, y_val, sample_weight_val, factors)
        elif self.early_stopping is True:
            codes = target if target.dtype.kind == "i" else None
            kept, held = split_rows(len(X), self.validation_fraction, generator.next_seed(), codes)
            weights = [None if weight is None else weight[part] for part in (kept, held)]
            validation = (X[held], target[held], weights[1]) if len(held) else None
            X, target, weight = X[kept], target[kept], weights[0]
        self._sizes = (X.shape[1] if X.ndim > 1 else 1, self._n_outputs(target))
        self._measure(X, weight, reset=True)
        constant = self._measure_target(target, weight, reset=True)
        with threads(effective_n_jobs(self.n_jobs)), random_stream(generator):
            self.module_ = self._make_module()
            self._start_at(constant)
            columns = self._columns(X, target, weight)
            self._train(columns, None if validation is None else self._columns(*validation), constant)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        """Train for one epoch over these rows, with the network and the optimizer of the calls before."""
        name = type(self).__name__
        for option in ("early_stopping", "schedule"):
            if getattr(self, option) not in (None, False, "auto"):
                raise ValueError(f"partial_fit of {name} does not know where training ends: it takes no {option}")
        is_first = not hasattr(self, "module_")
        X, target, weight, _ = self._training_rows(X, y, sample_weight, reset=is_first)
        if is_first:
            self._sizes = (X.shape[1] if X.ndim > 1 else 1, self._n_outputs(target))
        elif self._n_outputs(target) != self._sizes[1]:
            raise ValueError(f"y has {self._n_outputs(target)} outputs, {name} was fitted with {self._sizes[1]}")
        self._measure(X, weight, reset=is_first)
        constant = self._measure_target(target, weight, reset=is_first, is_whole=False)
        with threads(effective_n_jobs(self.n_jobs)):
            if not hasattr(self, "_trainer"):
                generator = Generator(seed_from(self.random_state))
                with random_stream(generator):
                    if is_first:
                        self.module_ = self._make_module()
                        self._start_at(constant)
                    self._trainer = self._make_trainer(len(target))
                self._trainer.generator = generator
                self._trainer.history = History() if is_first else self.history_
                self._trainer.epoch = len(self._trainer.history)
            trainer = self._trainer
            trainer.batch_size = self._rows_of_a_batch(len(target))
            trainer.max_epochs = trainer.epoch + 1
            *columns, learned = self._columns(X, target, weight)
            before = trainer.state_dict()
            try:
                trainer.fit(tuple(columns), learned)
            except BaseException:  # the network is trained in place
                trainer.load_state_dict(before)
                self.module_.eval()
                raise
        self.history_, self.n_iter_ = trainer.history, len(trainer.history)

    # ---- training ----

    def _losses(self, output: Tensor, batch: tuple[Any, ...]) -> Tensor:
        """Return the loss of each row, times its weight."""
        n = len(batch[0])
        if output.shape[0] != n or output.size != n * self._sizes[1]:
            raise ShapeError(f"the network returns shape {output.shape} for {n} rows and {self._sizes[1]} outputs")
        losses = self._row_losses(output, batch[-1])
        if losses.shape != (n,):
            raise ShapeError(f"a loss must return one value a row, shape ({n},), got {losses.shape}")
        return losses * batch[1] if len(batch) == 3 else losses

    def _all_losses(self, columns: tuple[Any, ...], outputs: Callable[[NDArray[Any]], Tensor]) -> Floats:
        """Return the loss of each row, times its weight, of what `outputs` makes of inputs."""
        parts = []
        with no_grad():
            for i in range(0, len(columns[0]), _PREDICTED_ROWS):
                batch = tuple(column[i : i + _PREDICTED_ROWS] for column in columns)
                parts.append(self._losses(outputs(batch[0]), batch).data)
        return np.concatenate(parts).astype(np.float64)

    def _train(self, columns: tuple[Any, ...], validation: tuple[Any, ...] | None, constant: Floats) -> None:
        self.history_, self.n_iter_ = History(), 0
        if self._is_settled():
            self.module_.eval()
            return
        stops = validation is not None and self.early_stopping in (True, "auto")
        monitored = validation if validation is not None and stops else columns
        # The scale of the loss: the best constant prediction, which is where the default network starts.
        start = self._all_losses(monitored, lambda X: Tensor(np.tile(constant.astype(np.float32), (len(X), 1))))
        trainer = self._make_trainer(
            len(columns[0]),
            schedule=self.schedule,
            max_epochs=int(self.max_iter),
            monitor="validation_loss" if stops else "loss",
            patience=None if self.early_stopping is False and validation is not None else int(self.n_iter_no_change),
            min_delta=float(self.tol) * _typical(start, monitored[1] if len(monitored) == 3 else None),
            verbose=self.verbose,
        )
        X_val, y_val = (None, None) if validation is None else (validation[:-1], validation[-1])
        trainer.fit(columns[:-1], columns[-1], X_val=X_val, y_val=y_val)
        self.history_, self.n_iter_ = trainer.history, len(trainer.history)
        if self.module is None:
            self._fall_back_to_constant(constant, monitored, float(start.mean()))

    def _fall_back_to_constant(self, constant: Floats, monitored: tuple[Any, ...], start: float) -> None:
        """Go back to where the default network started, if training has not brought it to less loss."""
        end = float(self._all_losses(monitored, self.module_).mean())
        if end <= start:
            return
        self._start_at(constant)
        if not end <= start + _NOISE * abs(start):
            warnings.warn(
                f"{type(self).__name__} did not get below the loss of a constant prediction ({end:.4g} after training, "
                f"{start:.4g} for the constant), and is that constant now. A smaller learning_rate may help",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _make_trainer(self, n_rows: int, **options: Any) -> Trainer:
        def step(module: Module, batch: tuple[Any, ...]) -> tuple[Tensor, float]:
            return self._losses(as_tensor(module(batch[0])), batch).mean(), len(batch[0])

        trainer = Trainer(
            self.module_,
            step=step,
            optimizer=make_optimizer(
                self.optimizer,
                self.module_,
                self.learning_rate,
                self.weight_decay,
                self.max_norm,
                has_unitless_loss=self._has_unitless_loss(),
            ),
            batch_size=self._rows_of_a_batch(n_rows),
            drop_last=bool(self.drop_last),
            **options,
        )
        trainer.name = type(self).__name__
        return trainer

    def _rows_of_a_batch(self, n_rows: int) -> int:
        return min(200 if self.batch_size == "auto" else int(self.batch_size), n_rows)

    def _make_module(self) -> Module:
        options, (n_inputs, n_outputs) = self.module_params or {}, self._sizes
        if self.module is not None:
            return own_network(self.module, options, n_inputs, n_outputs, type(self).__name__)
        if options:
            raise ValueError("module_params are for a module of your own; the default has hidden_layer_sizes")
        return default_network(self._layer_sizes(n_inputs, n_outputs), self.activation)

    def _layer_sizes(self, n_inputs: int, n_outputs: int) -> list[int]:
        return layer_sizes(n_inputs, self.hidden_layer_sizes, n_outputs, type(self).__name__)

    def _start_at(self, constant: Floats) -> None:
        """Let the default network predict a constant, whatever the input; a module of one's own stays as it is."""
        if self.module is None:
            start_at_constant(self.module_, constant)

    # ---- outputs ----

    def _outputs(self, X: Any) -> Floats:
        """Outputs of the network (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = self._read(X, reset=False)
        starts = range(0, len(X), _PREDICTED_ROWS)
        with threads(effective_n_jobs(self.n_jobs)), no_grad():
            parts = [self.module_(self._inputs(X[i : i + _PREDICTED_ROWS])).data for i in starts]
        return np.concatenate(parts).reshape(len(X), -1).astype(np.float64)


def _typical(losses: Floats, weight: NDArray[Any] | None) -> float:
    """Return the loss of a row in the middle, or the mean where that is less: a few huge ones are not the scale."""
    size = np.abs(losses if weight is None else losses / weight)
    middle = weighted_medians(size[None], None if weight is None else weight.astype(np.float64))[0]
    typical = min(float(middle), abs(float(losses.mean())))
    return typical if math.isfinite(typical) else 0.0
