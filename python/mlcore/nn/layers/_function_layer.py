"""FunctionLayer: a layer that is one function of :mod:`mlcore.nn.functional` and the options it is called with."""

from collections.abc import Callable
from typing import Any, ClassVar

from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor


class FunctionLayer(Module):
    """Calls a function; what it is called with beside the input are attributes of the layer.

    A subclass names the function, as a staticmethod, and its options: attributes that are called as the function calls
    them.
    """

    _function: ClassVar[Callable[..., Any]]
    _options: ClassVar[tuple[str, ...]] = ()

    def forward(self, input: Any) -> Tensor:
        """Apply the function to an input of a shape that it takes."""
        return self._call(input)

    def _call(self, *inputs: Any) -> Tensor:
        result: Tensor = self._function(*inputs, **{name: getattr(self, name) for name in self._options})
        return result

    def extra_repr(self) -> str:
        """Return the options."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._options)
