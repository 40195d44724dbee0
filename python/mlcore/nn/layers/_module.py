"""Module: what layers and networks are; and Parameter, a tensor that is learned."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import ShapeError, Tensor, no_grad


class Parameter(Tensor):
    """A tensor that a :class:`Module` learns: it is found by :meth:`Module.parameters` and requires a gradient.

    Parameters
    ----------
    data : array-like of float32
        Initial values; a copy is made.
    requires_grad : bool, default=True
        False freezes it.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        values = np.array(data.data if isinstance(data, Tensor) else data, dtype=np.float32, order="C")
        self._start(values, requires_grad)


class IncompatibleKeys(NamedTuple):
    """Names of a state that did not meet: those that the network misses, and those that it does not have."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base class of layers and networks.

    A subclass creates its parts in ``__init__`` (after ``super().__init__()``) and computes in :meth:`forward`. Tensors
    of class :class:`Parameter`, modules, and arrays registered by :meth:`register_buffer` that are assigned to
    attributes are found by name: ``encoder.layers.0.weight``.

    Attributes
    ----------
    training : bool
        Whether it is being trained: dropout drops, batch norm uses the batch. :meth:`train` and :meth:`eval` set it.
    """

    training: bool
    _later_state: tuple[str, ...] = ()  # names that older files do not have; they may be missing
    _parameters: dict[str, Parameter | None]
    _modules: "dict[str, Module | None]"
    _buffers: dict[str, NDArray[Any] | None]

    def __init__(self) -> None:
        for name in ("_parameters", "_modules", "_buffers"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "_forward_hooks", [])
        object.__setattr__(self, "training", True)

    # ---- parts by name ----
    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"call super().__init__() of {type(self).__name__} before setting {name!r}")
        for kind, parts in ((Parameter, self._parameters), (Module, self._modules)):
            if isinstance(value, kind):
                if name not in parts:  # else it keeps its place in the order
                    self._forget(name)
                parts[name] = value  # type: ignore[assignment]
                return
        if name in self._buffers:
            self._buffers[name] = value if value is None else np.asarray(value)
        elif value is None and (name in self._parameters or name in self._modules):
            (self._parameters if name in self._parameters else self._modules)[name] = None
        else:
            self._forget(name)
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:  # only for what is not an attribute in the usual way
        for parts in ("_parameters", "_modules", "_buffers"):
            if name in self.__dict__.get(parts, ()):
                return self.__dict__[parts][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        if not self._forget(name):
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameters, *self._modules, *self._buffers]

    def _forget(self, name: str) -> bool:
        found = False
        for parts in (self._parameters, self._modules, self._buffers):
            found = parts.pop(name, None) is not None or found
        return found or self.__dict__.pop(name, None) is not None

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Make `parameter` the attribute `name`; None: the place stays empty (a layer without bias)."""
        self._forget(name)
        self._parameters[name] = parameter

    def register_buffer(self, name: str, values: NDArray[Any] | None) -> None:
        """Make an array that is part of the state, but not learned, the attribute `name`."""
        self._forget(name)
        self._buffers[name] = values

    # ---- computing ----
    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        try:
            output = self.forward(*inputs, **options)
        except ShapeError as error:
            if not error.layers:
                error.layers.append(repr(self).split("\n", 1)[0].removesuffix("("))
            raise
        for hook in tuple(self._forward_hooks):
            hook(self, inputs, output)
        return output

    def register_forward_hook(self, hook: "Callable[[Module, tuple[Any, ...], Any], None]") -> Callable[[], None]:
        """Call ``hook(module, inputs, output)`` after each call of this module; the function returned removes it."""
        self._forward_hooks.append(hook)
        return lambda: self._forward_hooks.remove(hook)

    # ---- iterators ----
    def named_modules(self, prefix: str = "") -> "Iterator[tuple[str, Module]]":
        """Yield this module and all below, each once, with its path."""
        seen: set[int] = set()

        def walk(module: Module, path: str) -> Iterator[tuple[str, Module]]:
            if id(module) in seen:
                return
            seen.add(id(module))
            yield path, module
            for name, child in module._modules.items():
                if child is not None:
                    yield from walk(child, f"{path}.{name}" if path else name)

        return walk(self, prefix)

    def modules(self) -> "Iterator[Module]":
        """Yield this module and all below."""
        return (module for _, module in self.named_modules())

    def children(self) -> "Iterator[Module]":
        """Yield the modules directly below, each once."""
        return iter({id(child): child for child in self._modules.values() if child is not None}.values())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with their paths; one that is shared is yielded once, with its first path."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield f"{path}.{name}" if path else name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield all buffers with their paths."""
        for path, module in self.named_modules():
            for name, values in module._buffers.items():
                if values is not None:
                    yield f"{path}.{name}" if path else name, values

    def apply(self, function: "Callable[[Module], None]") -> Self:
        """Call `function` on every module, the innermost first."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ---- state ----
    def train(self, mode: bool = True) -> Self:
        """Switch to training."""
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or release all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def _state_places(self, prefix: str = "") -> "Iterator[tuple[str, Module, str]]":
        for name in (*self._parameters, *self._buffers):
            if getattr(self, name) is not None:
                yield prefix + name, self, name
        for name, child in self._modules.items():
            if child is not None:
                yield from child._state_places(f"{prefix}{name}.")

    def state_dict(self) -> "OrderedDict[str, NDArray[Any]]":
        """Return copies of all parameters and buffers by their paths, under the names that PyTorch gives them.

        What is reached by several paths, a tensor or a whole module, comes under each.
        """
        state: OrderedDict[str, NDArray[Any]] = OrderedDict()
        for path, module, name in self._state_places():
            value = getattr(module, name)
            state[path] = np.array(value.data if isinstance(value, Tensor) else value)
        return state

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Load what :meth:`state_dict` returned. Either all of it is taken or nothing.

        Parameters
        ----------
        state : mapping of str to array
            By path; arrays that :func:`numpy.asarray` takes.
        strict : bool, default=True
            Whether missing and unexpected names are errors. A wrong shape always is.

        Returns
        -------
        IncompatibleKeys
            ``missing_keys``, which keep their values, and ``unexpected_keys``, which are left out: empty if `strict`.

        Raises
        ------
        ValueError
            Names what is missing, unexpected or has another shape.
        """
        places = {path: (module, name) for path, module, name in self._state_places()}
        values, left = self.check_state_dict(state, strict)
        with no_grad():
            for path, value in values.items():
                module, name = places[path]
                target = getattr(module, name)
                if isinstance(target, Tensor):
                    target.copy_(value)
                else:
                    module._buffers[name] = np.array(value, dtype=target.dtype)
        return left

    def check_state_dict(
        self, state: Mapping[str, Any], strict: bool = True
    ) -> tuple[dict[str, NDArray[Any]], IncompatibleKeys]:
        """Return the arrays of `state` that :meth:`load_state_dict` would take, and what it would return.

        Parameters
        ----------
        state : mapping of str to array
        strict : bool, default=True

        Returns
        -------
        values : dict of str to array
        left : IncompatibleKeys

        Raises
        ------
        ValueError
            As :meth:`load_state_dict`.
        """
        if not isinstance(state, Mapping) or not all(isinstance(path, str) for path in state):
            raise ValueError(f"state of {type(self).__name__} must be arrays by path, got {type(state).__name__}")
        places = {path: (module, name) for path, module, name in self._state_places()}
        problems = []
        missing = [
            path for path, (module, name) in places.items() if path not in state and name not in module._later_state
        ]
        unexpected = [path for path in state if path not in places]
        if strict:
            problems += [f"missing: {', '.join(sorted(missing))}"] * bool(missing)
            problems += [f"unexpected: {', '.join(sorted(unexpected))}"] * bool(unexpected)
        values = {}
        for path in (path for path in places if path in state):
            module, name = places[path]
            given, old = state[path], getattr(module, name)
            value = given.data if isinstance(given, Tensor) else np.asarray(given)
            if value.shape != old.shape:
                problems.append(f"{path} has shape {value.shape}, the network {old.shape}")
            elif not np.can_cast(value.dtype, old.dtype, "same_kind"):
                problems.append(f"{path} has dtype {value.dtype}, the network {old.dtype}")
            else:
                values[path] = value
        if problems:
            raise ValueError(f"state of {type(self).__name__} does not fit: " + "; ".join(sorted(problems)))
        return values, IncompatibleKeys(missing, unexpected)

    # ---- how it looks ----
    def extra_repr(self) -> str:
        """Return the text in the parentheses of a layer; a subclass defines it."""
        return ""

    def __repr__(self) -> str:
        head = type(self).__name__
        lines = [
            f"({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self._modules.items()
            if child is not None
        ]
        if not lines:
            return f"{head}({self.extra_repr()})"
        return f"{head}(\n  " + "\n  ".join(lines) + "\n)"
