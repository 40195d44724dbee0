"""What NeuralClassifier and NeuralRegressor share: from parameters and data to a trained module."""

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from mlcore._base import StateMixin, effective_n_jobs, seed_from
from mlcore._sparse import validate_rows
from mlcore._state import FEATURES, Array, Dict, Int, MapOf, Sizes, Spec, Tuple
from mlcore.nn import _arithmetic  # noqa: F401 - gives tensors their operators
from mlcore.nn._containers import Sequential
from mlcore.nn._history import History
from mlcore.nn._linear import Linear
from mlcore.nn._module import Module
from mlcore.nn._runtime import Generator, random_stream, threads
from mlcore.nn._tape import ShapeError, Tensor, as_tensor, no_grad
from mlcore.nn._trainer import Trainer
from mlcore.nn.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, weight_decay_groups

Floats = NDArray[np.float64]

_ACTIVATIONS = {"relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "leaky_relu", "identity"}
_RULES: dict[str, Callable[..., Optimizer]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": lambda params, lr, **options: SGD(params, lr, 0.9, nesterov=True, **options),
}
_PREDICTED_ROWS = 1024
"""Rows that go through the network at once."""


class BaseNeuralEstimator(StateMixin, BaseEstimator):  # type: ignore[misc]
    """Parameters, training and outputs of both estimators."""

    _private_state: tuple[str, ...] = ("_sizes",)
    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "_sizes": Tuple(Int(1, 2**31 - 1), Int(1, 2**31 - 1)),
        "n_iter_": Int(),
        "history_": Dict(History._state_spec),
        "module_": MapOf(Array("f4", is_finite=True)),
    }
    module_params: dict[str, Any] | None
    module_: Module
    history_: History
    n_iter_: int
    n_features_in_: int
    _sizes: tuple[int, int]  # inputs, outputs

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "module": [callable, Module, None],
        "module_params": [dict, None],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(_ACTIVATIONS)],
        "optimizer": [StrOptions(set(_RULES)), callable],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "schedule": [callable, None],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
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

    def _encode_target(self, y: Any, *, reset: bool) -> NDArray[Any]:
        """Check `y` and return it as the loss takes it."""
        raise NotImplementedError

    def _n_outputs(self, target: NDArray[Any]) -> int:
        raise NotImplementedError

    def _row_losses(self, output: Tensor, target: NDArray[Any]) -> Tensor:
        """Return the loss of each row."""
        raise NotImplementedError

    def _row_factors(self, target: NDArray[Any], weight: Floats) -> Floats:  # noqa: ARG002
        """Return the weights of rows, with those of classes."""
        return weight

    # ---- fit ----

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train a fresh module.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), or with more axes for a module that takes them
            Inputs, as float32; whole numbers stay whole for a module of your own.
        y : array of shape (n_samples,), or (n_samples, n_outputs) for numbers
            The target.
        sample_weight : array of shape (n_samples,) or None, default=None
            Weights >= 0. Rows without weight are left out.
        X_val, y_val : arrays or None, default=None
            Data to validate with after each epoch.

        Returns
        -------
        estimator
            Itself.
        """
        self._validate_params()
        self._clear_fitted()
        try:
            self._fit(X, y, sample_weight, X_val, y_val)
        except BaseException:
            self._clear_fitted()
            raise
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any) -> None:
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        if (X_val is None) != (y_val is None):
            raise ValueError(f"{name} needs both of X_val and y_val, or none")
        X, y = self._read(X, y, reset=True)
        target = self._encode_target(y, reset=True)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            kept = weight > 0
            X, target, weight = X[kept], target[kept], weight[kept]
        generator = Generator(seed_from(self.random_state))
        validation = None
        if X_val is not None:
            X_val, y_val = self._read(X_val, y_val, reset=False)
            validation = (X_val, self._encode_target(y_val, reset=False))
        elif self.early_stopping is True:
            X, target, weight, validation = self._split(X, target, weight, generator.next_seed())
        self._sizes = (X.shape[1] if X.ndim > 1 else 1, self._n_outputs(target))
        columns = [X]
        factors = self._row_factors(target, np.ones(len(X)) if weight is None else weight)
        is_weighted = not (factors == factors[0]).all()
        if is_weighted:
            factors = factors / factors.max()  # the mean of huge ones could overflow
            columns.append((factors / factors.mean()).astype(np.float32))
        with threads(effective_n_jobs(self.n_jobs)), random_stream(generator):
            self.module_ = self._make_module()
            self._train(columns, target, validation)

    def _train(self, columns: list[NDArray[Any]], target: NDArray[Any], validation: Any) -> None:
        def step(module: Module, batch: tuple[Any, ...]) -> Tensor:
            output = as_tensor(module(batch[0]))
            if output.shape[0] != len(batch[0]) or output.size != len(batch[0]) * self._sizes[1]:
                raise ShapeError(
                    f"the network returns shape {output.shape} for {len(batch[0])} rows and {self._sizes[1]} outputs"
                )
            losses = self._row_losses(output, batch[-1])
            if losses.shape != (len(batch[0]),):
                raise ShapeError(f"a loss must return one value a row, shape ({len(batch[0])},), got {losses.shape}")
            if len(batch) == 3:
                losses = losses * batch[1]
            return losses.mean()

        stops = validation is not None and self.early_stopping in (True, "auto")
        trainer = Trainer(
            self.module_,
            step=step,
            optimizer=self._make_optimizer(),
            schedule=self.schedule,
            max_epochs=int(self.max_iter),
            batch_size=min(200, len(target)) if self.batch_size == "auto" else int(self.batch_size),
            monitor="validation_loss" if stops else "loss",
            patience=None if self.early_stopping is False and validation is not None else int(self.n_iter_no_change),
            min_delta=float(self.tol),
            verbose=self.verbose,
        )
        X_val, y_val = (None, None) if validation is None else validation
        trainer.fit(tuple(columns), target, X_val=X_val, y_val=y_val)
        self.history_ = trainer.history
        self.n_iter_ = len(trainer.history)

    def _read(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """Check `X`, and `y` for its length, and return them; X is float32, or whole for a module of one's own."""
        own = self.module is not None
        options = {"dtype": "numeric" if own else np.float32, "allow_nd": own, "order": "C", "reset": reset}
        if isinstance(y, str):
            return _narrow(validate_rows(self, X, **options))
        X, y = validate_rows(self, X, y, multi_output=True, y_numeric=False, **options)
        return _narrow(X), y

    def _split(self, X: Any, target: Any, weight: Any, seed: int) -> tuple[Any, Any, Any, tuple[Any, Any]]:
        classes = None
        n_held = math.ceil(self.validation_fraction * len(X))
        if target.dtype.kind == "i" and np.bincount(target).min() >= 2:
            n_classes = len(np.unique(target))
            classes = target if min(n_held, len(X) - n_held) >= n_classes else None
        kept, held = train_test_split(
            np.arange(len(X)), test_size=self.validation_fraction, random_state=seed % 2**32, stratify=classes
        )
        kept, held = np.sort(kept), np.sort(held)
        return X[kept], target[kept], None if weight is None else weight[kept], (X[held], target[held])

    def _make_module(self) -> Module:
        n_inputs, n_outputs = self._sizes
        options = self.module_params or {}
        if isinstance(self.module, Module):
            if options:
                raise ValueError("module_params are for a module that is a class or function, not for an instance")
            return copy.deepcopy(self.module).train()
        if self.module is not None:
            module = self.module(n_inputs, n_outputs, **options)
            if not isinstance(module, Module):
                raise TypeError(f"module of {type(self).__name__} must return a Module, got {type(module).__name__}")
            return module
        if options:
            raise ValueError("module_params are for a module of your own; the default has hidden_layer_sizes")
        sizes = self._layer_sizes(n_inputs, n_outputs)
        hidden = [Linear(a, b, activation=self.activation) for a, b in pairwise(sizes[:-1])]
        return Sequential(*hidden, Linear(sizes[-2], sizes[-1]))

    def _layer_sizes(self, n_inputs: int, n_outputs: int) -> list[int]:
        """Return how many numbers go into each layer of the default module, and out of the last one."""
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes)).tolist()
        if not all(isinstance(size, int) and 1 <= size < 2**31 for size in hidden):
            raise ValueError(
                f"hidden_layer_sizes of {type(self).__name__} must be whole numbers >= 1, got "
                f"{self.hidden_layer_sizes!r:.100}"
            )
        return [n_inputs, *hidden, n_outputs]

    def _make_optimizer(self) -> Optimizer:
        groups = weight_decay_groups(self.module_, float(self.weight_decay))
        make = _RULES[self.optimizer] if isinstance(self.optimizer, str) else self.optimizer
        return make(groups, lr=float(self.learning_rate), max_norm=self.max_norm)

    # ---- outputs ----

    def _outputs(self, X: Any) -> Floats:
        """Outputs of the network (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = self._read(X, reset=False)
        with threads(effective_n_jobs(self.n_jobs)), no_grad():
            parts = [self.module_(X[i : i + _PREDICTED_ROWS]).data for i in range(0, len(X), _PREDICTED_ROWS)]
        return np.concatenate(parts).reshape(len(X), -1).astype(np.float64)

    # ---- state ----

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        """Compare the sizes of the layers before any is built."""
        n_inputs, n_outputs = state["_sizes"]
        if n_inputs != sizes["n_features"] or n_outputs != sizes.get("n_classes", n_outputs):
            raise ValueError(f"_sizes {n_inputs, n_outputs} do not fit {sizes['n_features']} features and the classes")
        if state["n_iter_"] != len(state["history_"]["epochs"]):
            raise ValueError(f"history_ must have {state['n_iter_']} epochs, got {len(state['history_']['epochs'])}")
        if self.module is not None:
            raise ValueError("a file holds no module of your own")
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (a, b) in enumerate(pairwise(self._layer_sizes(n_inputs, n_outputs))):
            shapes |= {f"{i}.weight": (b, a), f"{i}.bias": (b,)}
        found = {name: values.shape for name, values in state["module_"].items()}
        if found != shapes:
            name = next(name for name in {**shapes, **found} if shapes.get(name) != found.get(name))
            raise ValueError(f"{name!s:.80} of module_ must have shape {shapes.get(name)}, got {found.get(name)}")

    def _get_state(self) -> dict[str, Any]:
        state = dict(vars(self))
        if "module_" in state:
            state["module_"] = dict(self.module_.state_dict())
            state["history_"] = self.history_.state_dict()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        weights, history = state.get("module_"), state.get("history_")
        super()._set_state({name: value for name, value in state.items() if name not in ("module_", "history_")})
        if weights is None or history is None:
            return
        self._sizes = (int(self._sizes[0]), int(self._sizes[1]))
        with random_stream(Generator(0)):
            module = self._make_module()
        module.load_state_dict(weights)
        self.module_, self.history_ = module.eval(), History()
        self.history_.load_state_dict(history)


def _narrow(X: NDArray[Any]) -> NDArray[Any]:
    return X.astype(np.float32) if X.dtype.kind == "f" and X.dtype != np.float32 else X
