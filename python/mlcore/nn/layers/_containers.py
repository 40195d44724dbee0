"""Modules made of modules."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


def _in_order(container: Module) -> list[Module]:
    """Return the modules in order; one that was added several times comes as often."""
    return [module for module in container._modules.values() if module is not None]


class _Numbered(Module):
    """Modules by their positions, under PyTorch's names of them: "0", "1", ..."""

    def append(self, module: Module) -> Self:
        """Add one at the end."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__} takes modules, got {type(module).__name__} at {len(self)}")
        self._modules[str(len(self))] = module
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, i: int) -> Module:
        return _in_order(self)[i]

    def __iter__(self) -> Iterator[Module]:
        return iter(_in_order(self))


class Sequential(_Numbered):
    """Modules one after the other; PyTorch's names of the parts: "0", "1", ...

    Parameters
    ----------
    *modules : Module
        Each takes what the one before returns.
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def forward(self, input: Any) -> Any:
        """Apply all in order."""
        for name, module in self._modules.items():
            if module is None:
                continue
            try:
                input = module(input)  # noqa: A001
            except ShapeError as error:
                error.layers.insert(0, name)
                raise
        return input


class ModuleList(_Numbered):
    """A list of modules that a :class:`Module` finds; it computes nothing by itself.

    Parameters
    ----------
    modules : iterable of Module, default=()
        What it starts with.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)


class ModuleDict(Module):
    """Modules by name that a :class:`Module` finds; it computes nothing by itself.

    Parameters
    ----------
    modules : mapping or iterable of (str, Module), optional
        What it starts with.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in the place of others of the same name."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not isinstance(module, Module):
            raise TypeError(f"ModuleDict takes modules by str, got {type(module).__name__} by {type(name).__name__}")
        if not name or "." in name:
            raise ValueError(f"a name of ModuleDict must not be empty or hold a dot, got {name!r}")
        self._modules[name] = module

    def __getitem__(self, name: str) -> Module:
        found = self._modules[name]
        assert found is not None
        return found

    def __delitem__(self, name: str) -> None:
        del self._modules[name]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return _in_order(self)

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return names and modules."""
        return zip(self._modules, _in_order(self), strict=True)

    def pop(self, name: str) -> Module:
        """Take a module out and return it."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Take all out."""
        self._modules.clear()


class Residual(Module):
    """``y = x + module(x)`` (He, Zhang, Ren and Sun, 2016).

    The gradient with respect to x has a part that passes no weight, so that it does not vanish in a deep network.

    Parameters
    ----------
    module : Module
        Keeps the shape.
    """

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: Any) -> Tensor:
        """Add the output of the module to its input."""
        x = as_tensor(input)
        y: Tensor = self.module(x)
        if y.shape != x.shape:
            raise ShapeError(f"the module changed shape {x.shape} into {y.shape}; a residual needs one shape")
        return x + y


class Flatten(Module):
    """Axes from `start_dim` to `end_dim` as one.

    Parameters
    ----------
    start_dim : int, default=1
    end_dim : int, default=-1
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Tensor:
        """Merge the axes."""
        return as_tensor(input).flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Returns what it gets."""

    def forward(self, input: Any) -> Any:
        """Return the input."""
        return input
