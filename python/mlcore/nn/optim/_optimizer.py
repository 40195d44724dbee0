"""What all optimizers share: groups of parameters, their state, and the step, one pass over all parameters in the core.

Names, order of arguments, defaults and results are PyTorch's. Left out on purpose: closures.
"""

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypedDict

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._state import Anything, Dict, Int, ListOf, MapOf, Number, Optional, Spec, check_entries
from mlcore._state import Array as ArrayEntry
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, ShapeError, SparseGradient, Tensor

State = dict[str, Any]  # of one parameter: "step", numbers and arrays
SettingsOfSome = list[tuple[dict[str, Any], list[int]]]  # settings, and the parameters that they are for
_ADDED = {"maximize", "amsgrad", "centered", "momentum"}
"""Settings that states of former versions lack: then they stay as they are."""


class StepOptions(TypedDict, total=False):
    """Arguments that every optimizer passes on to :class:`Optimizer`, where they are described."""

    max_norm: float | None
    clip_value: float | None
    maximize: bool


class Optimizer:
    """What all optimizers share: groups of parameters, state, the step.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        Parameters; or groups, each a dict with "params" and what differs from the other arguments, as
        ``{"params": [...], "lr": 0.01}``.
    defaults : dict
        Settings of groups that do not have their own.
    max_norm : float or None, default=None
        Gradients of all parameters together are scaled down to at most this Euclidean norm, within the step.
    clip_value : float or None, default=None
        Each entry of the gradient is clipped to [-clip_value, clip_value], after that.
    maximize : bool, default=False
        Maximize: the gradient counts with the opposite sign. Weight decay still makes parameters smaller.

    Attributes
    ----------
    param_groups : list of dict
        Settings; changes count from the next step.
    state : dict of Tensor to dict
        Number of steps and moments of each parameter that has been moved.
    grad_norm : float
        Norm of the gradient in the last step, before clipping; NaN if there is no `max_norm`.

    Notes
    -----
    A parameter without a gradient is left alone. So are, for a :class:`SparseGradient`, the rows that it does not name:
    weight decay, momentum and averages of a row wait until it is seen again. For SGD without momentum and for Adagrad,
    both without weight decay, that is the same as a dense gradient.
    """

    _VELOCITY: ClassVar[str | None] = None
    """PyTorch's name of v, if the rule keeps one."""
    _SQUARES: ClassVar[str | None] = None
    """That of s."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = _in_full(inspect.signature(cls.__init__))  # type: ignore[attr-defined]

    def __init__(
        self,
        params: Iterable[Any],
        defaults: dict[str, Any],
        *,
        max_norm: float | None = None,
        clip_value: float | None = None,
        maximize: bool = False,
    ) -> None:
        name, defaults = type(self).__name__, {**defaults, "maximize": bool(maximize)}
        for option, value in (("max_norm", max_norm), ("clip_value", clip_value)):
            if value is not None and not value > 0:
                raise ValueError(f"{option} of {name} must be positive, got {value}")
        self.defaults, self.max_norm, self.clip_value = defaults, max_norm, clip_value
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, State] = {}
        self.grad_norm = math.nan
        if isinstance(params, Tensor):
            raise TypeError(f"params of {name} must be an iterable of tensors or of dicts, got one Tensor")
        entries = list(params)
        if not entries:
            raise ValueError(f"{name} got an empty list of parameters")
        for group in entries if isinstance(entries[0], dict) else [{"params": entries}]:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters, with settings of their own.

        Parameters
        ----------
        group : mapping
            "params", and settings that differ from the defaults.
        """
        name = type(self).__name__
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f"a group of {name} must be a dict with 'params', got {type(group).__name__}")
        if unknown := group.keys() - self.defaults.keys() - {"params", "initial_lr"}:
            raise ValueError(f"{name} has no setting {', '.join(sorted(unknown))}; it has {', '.join(self.defaults)}")
        given = group["params"]
        parameters = [given] if isinstance(given, Tensor) else list(given)
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for p in parameters:
            if not isinstance(p, Tensor):
                raise TypeError(f"{name} moves tensors, got {type(p).__name__}")
            if p._node is not None or p.dtype != np.float32:
                raise ValueError(f"{name} moves float32 tensors that no operation has made, got {p!r}")
            if not p.data.flags.c_contiguous or not p.data.flags.writeable:
                raise ValueError(f"parameters of {name} must be writeable and in C order; one of {p.shape} is not")
            if id(p) in known:
                raise ValueError(f"{name} got a parameter of shape {p.shape} twice")
            known.add(id(p))
        self.param_groups.append({**self.defaults, **group, "params": parameters})
        self._check(self.param_groups[-1])

    # ---- what the rules differ in ----

    def _check(self, group: Mapping[str, Any]) -> None:
        for option in ("lr", "weight_decay", "eps", "lr_decay", "initial_accumulator_value", "momentum_decay"):
            value = group.get(option, 0.0)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{option} of {type(self).__name__} must be finite and >= 0, got {value}")
        for option in ("momentum", "alpha", "betas"):
            values = group.get(option, 0.0)
            for value in values if isinstance(values, list | tuple) else [values]:
                if not 0 <= value < 1:
                    raise ValueError(f"{option} of {type(self).__name__} must be in [0, 1), got {values}")

    def _rule(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the core takes, but for what all rules have."""
        raise NotImplementedError

    def _state_names(self, group: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:  # noqa: ARG002
        """Return the names of v, s and x."""
        return self._VELOCITY, self._SQUARES, None

    def _start(self, group: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Array:  # noqa: ARG002
        return np.zeros(shape, np.float32)

    # ---- steps ----

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self, *, gradient_scale: float = 1.0, grad_norm: float | None = None) -> None:
        """Move all parameters that have a gradient.

        Parameters
        ----------
        gradient_scale : float, default=1.0
            Factor on all gradients, before clipping: 1 / k after `k` calls of ``backward`` gives the mean of them.
        grad_norm : float or None, default=None
            Norm of all gradients together, before that factor, for callers who know it.

        Raises
        ------
        ShapeError
            If a gradient does not have the shape of its parameter.
        """
        if not (gradient_scale >= 0 and math.isfinite(gradient_scale)):
            raise ValueError(f"gradient_scale must be finite and >= 0, got {gradient_scale}")
        moved = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        for parameters in moved:
            for p in parameters:
                if tuple(p.grad.shape) != p.shape:
                    raise ShapeError(f"gradient has shape {p.grad.shape}, its parameter {p.shape}")
        scale = float(gradient_scale)
        if self.max_norm is not None:
            if grad_norm is None:
                grad_norm = math.sqrt(square_sums([p for parameters in moved for p in parameters]).sum())
            self.grad_norm = scale * grad_norm
            if self.grad_norm > self.max_norm:
                scale *= self.max_norm / self.grad_norm  # PyTorch adds 1e-6, which is much where norms are small
        for group, parameters in zip(self.param_groups, moved, strict=True):
            if parameters:
                self._step_group(group, parameters, scale)

    def _step_group(self, group: Mapping[str, Any], parameters: list[Tensor], scale: float) -> None:
        states = [self._state_of(group, p) for p in parameters]
        arrays: list[list[Any]] = [
            [_as_core(p, p.data) for p in parameters],
            [_gradient_for_core(p) for p in parameters],
            [_rows(p) for p in parameters],
            *(
                [] if name is None else [_as_core(p, state[name]) for p, state in zip(parameters, states, strict=True)]
                for name in self._state_names(group)
            ),
            [state["step"] + 1 for state in states],
        ]
        for settings, chosen in self._by_step(group, arrays[-1], states):
            core.nn.optimizer_step(
                *([array[i] for i in chosen] if array else [] for array in arrays),
                **settings,
                weight_decay=float(group["weight_decay"]),
                gradient_scale=-scale if group["maximize"] else scale,
                clip_value=math.inf if self.clip_value is None else float(self.clip_value),
                n_threads=n_threads(),
            )
        for p, state in zip(parameters, states, strict=True):
            state["step"] += 1
            p._version.n_changes += 1

    def _by_step(self, group: Mapping[str, Any], steps: list[int], states: list[State]) -> SettingsOfSome:  # noqa: ARG002
        """Return settings, and the parameters that they are for: those of a rule whose rate depends on the step."""
        return [({"learning_rate": float(group["lr"]), **self._rule(group)}, list(range(len(steps))))]

    def _state_of(self, group: Mapping[str, Any], p: Tensor) -> State:
        state = self.state.setdefault(p, {"step": 0})
        for name in self._state_names(group):
            if name is not None and name not in state:
                state[name] = self._start(group, name, p.shape)
        return state

    # ---- checkpoints ----

    def state_dict(self) -> dict[str, Any]:
        """Return settings, and copies of the state of each parameter by its position; no parameters themselves."""
        flat = [p for group in self.param_groups for p in group["params"]]
        position = {p: i for i, p in enumerate(flat)}
        copies = {
            position[p]: {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in state.items()}
            for p, state in self.state.items()
        }
        groups, first = [], 0
        for group in self.param_groups:
            numbers = list(range(first, first + len(group["params"])))
            groups.append({**group, "params": numbers})
            first += len(numbers)
        return {"state": copies, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what :meth:`state_dict` returned for an optimizer with the same groups.

        Raises
        ------
        ValueError
            If the groups, their sizes, settings or the shapes differ.
        """
        name = type(self).__name__
        check_entries(_STATE, state_dict, name)
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        if sizes != [len(group["params"]) for group in groups]:
            raise ValueError(
                f"state is of groups of {[len(group['params']) for group in groups]} parameters, {name} has {sizes}"
            )
        for mine, group in zip(self.param_groups, groups, strict=True):
            missing = set(mine) - set(group) - _ADDED
            if differing := (missing | (set(group) - set(mine))) - {"initial_lr"}:  # that one a schedule adds
                raise ValueError(
                    f"state is of another kind of optimizer: only one of it and {name} has {sorted(differing)}"
                )
            self._check_loaded(mine, group)
        flat = [p for group in self.param_groups for p in group["params"]]
        loaded: dict[Tensor, State] = {}
        for i, state in state_dict["state"].items():
            if not 0 <= int(i) < len(flat):
                raise ValueError(f"state is of a parameter {i}, {name} has {len(flat)}")
            p = flat[int(i)]
            loaded[p] = {}
            for key, value in state.items():
                if not isinstance(value, np.ndarray):
                    loaded[p][key] = int(value) if key == "step" else float(value)
                elif value.shape != p.shape:
                    raise ValueError(f"{key} of parameter {i} has shape {value.shape}, the parameter {p.shape}")
                else:
                    loaded[p][key] = np.array(value, np.float32, order="C")
        self.state = loaded
        for mine, group in zip(self.param_groups, groups, strict=True):
            mine.update({key: value for key, value in group.items() if key != "params"})

    def _check_loaded(self, mine: Mapping[str, Any], group: Mapping[str, Any]) -> None:
        """Raise ValueError unless the settings of a loaded group are of the kinds of mine, and possible."""
        for key, value in group.items():
            if key != "params" and key in mine and _kind(value) != _kind(mine[key]):
                raise ValueError(f"{key} of {type(self).__name__} is {mine[key]!r}, in the state {value!r:.60}")
        self._check({**mine, **group})

    def __repr__(self) -> str:
        groups = [{k: v for k, v in g.items() if k != "params"} | {"n": len(g["params"])} for g in self.param_groups]
        return f"{type(self).__name__}({', '.join(map(str, groups))})"


def _in_full(signature: inspect.Signature) -> inspect.Signature:
    """Return the signature of a class with the names of :class:`StepOptions` in the place of ``**options``."""
    shared = inspect.signature(Optimizer.__init__).parameters
    parameters = []
    for name, parameter in list(signature.parameters.items())[1:]:
        is_shared = parameter.kind is parameter.VAR_KEYWORD and name == "options"
        parameters += [shared[option] for option in StepOptions.__annotations__] if is_shared else [parameter]
    return signature.replace(parameters=parameters)


_STATE: Spec = {
    "state": MapOf(
        Dict({"step": Int(high=2**62), "mu_product": Optional(Number(0.0, 1.0))}, others=ArrayEntry()), by_number=True
    ),
    "param_groups": ListOf(Dict({"params": ListOf(Int())}, others=Anything())),
}


def _kind(setting: Any) -> Any:
    """What kind of value a setting is; numbers are one, and tuples are as their entries."""
    if isinstance(setting, list | tuple):
        return [_kind(item) for item in setting]
    if isinstance(setting, bool | np.bool_):
        return bool
    if isinstance(setting, int | float | np.number):
        return float if math.isfinite(setting) else "not finite"
    return type(setting)


def _flat(array: Array) -> Array:
    """Return a C-ordered array as one axis, without a copy."""
    return np.ascontiguousarray(array).reshape(-1)


def _as_core(p: Tensor, array: Array) -> Array:
    """Return the parameter or an array of its state as the core takes it: rows as rows, everything else flat."""
    return array if isinstance(p.grad, SparseGradient) else array.reshape(-1)


def _gradient_for_core(p: Tensor) -> Array:
    return np.ascontiguousarray(p.grad.values) if isinstance(p.grad, SparseGradient) else _flat(p.grad)


def _rows(p: Tensor) -> NDArray[np.int64] | None:
    return np.ascontiguousarray(p.grad.rows, np.int64) if isinstance(p.grad, SparseGradient) else None


def square_sums(parameters: Iterable[Tensor]) -> NDArray[np.float64]:
    """Return the sum of squares of each gradient; all parameters have one."""
    return core.nn.square_sums([_gradient_for_core(p).reshape(-1) for p in parameters], n_threads=n_threads())
