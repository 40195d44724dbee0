"""Tensors where Python expects a number, and where NumPy expects an array.

One entry is a number: ``float(t)``, ``bool(t)``, ``f"{t:.3f}"``. What NumPy computed would be missing on the tape: a
function of NumPy that is an operation here (``np.exp(t)``, ``array + t``) is recorded, all others raise for a tensor
that requires a gradient, as ``np.asarray`` does. Tensors without a gradient are arrays to NumPy.
"""

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn._nested import flat, mapped
from mlcore.nn.tensor._comparisons import compare
from mlcore.nn.tensor._tape import TensorBase

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor

_COMPARISONS = {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal}
_OPERATORS: dict[Any, str] = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.divide: "truediv",
    np.matmul: "matmul",
}
_METHODS: dict[Any, str] = {
    np.negative: "__neg__",
    np.exp: "exp",
    np.log: "log",
    np.sqrt: "sqrt",
    np.absolute: "abs",
}
_WITHOUT_VALUES = {np.shape, np.ndim, np.size, np.result_type, np.can_cast}  # these need no entry of an array


class Protocols(TensorBase):
    """What Python and NumPy ask of numbers, sequences and arrays."""

    __slots__ = ()

    # ---- a number ----

    def item(self) -> Any:
        """Return the only entry as a Python number."""
        if self.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is no number: it has {self.size} entries")
        return self.data.item()

    def tolist(self) -> Any:
        """Return the entries as numbers in nested lists."""
        return self.data.tolist()

    def __float__(self) -> float:
        """Return the only entry."""
        return float(self.item())

    def __int__(self) -> int:
        """Return the only entry, rounded towards zero."""
        return int(self.item())

    def __bool__(self) -> bool:
        """Return whether the only entry is other than 0."""
        if self.size != 1:
            raise RuntimeError(
                f"the truth value of a tensor of shape {self.shape} is ambiguous: use any() or all(), or compare sizes"
            )
        return bool(self.data.item())

    def __index__(self) -> int:
        """Return the only entry of a tensor of integers."""
        if self.size != 1 or self.dtype.kind not in "iu":
            raise TypeError(f"only one integer can be an index, got {self.dtype} of shape {self.shape}")
        return operator.index(self.data.item())

    def __format__(self, spec: str) -> str:
        """Return a number in the given format; without one, a tensor with axes as it looks."""
        if self.ndim == 0 or (self.size == 1 and spec):
            return format(self.data.item(), spec)
        return object.__format__(self, spec)

    # ---- a sequence ----

    def __len__(self) -> int:
        """Return the length of the first axis."""
        if self.ndim == 0:
            raise TypeError("a tensor without axes has no len()")
        return len(self.data)

    def __iter__(self) -> "Iterator[Tensor]":
        """Return an iterator over the first axis."""
        if self.ndim == 0:
            raise TypeError("a tensor without axes cannot be iterated over")
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __contains__(self, value: Any) -> bool:
        """Return whether an entry equals `value`."""
        equal = self == value
        return isinstance(equal, TensorBase) and bool(equal.data.any())

    # ---- an array ----

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the values for NumPy; ``x.numpy()`` and ``x.data`` give them whatever the gradient."""
        if self.requires_grad:
            _refuse("np.asarray")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Compute a function of NumPy that works entry by entry."""
        if method == "__call__" and not options:
            if ufunc in _COMPARISONS:
                return compare(ufunc, *inputs)
            if all(v.dtype == np.float32 for v in inputs if isinstance(v, TensorBase)):
                if ufunc in _METHODS:
                    return getattr(inputs[0], _METHODS[ufunc])()
                if ufunc in _OPERATORS:
                    x, y = inputs
                    on_left = isinstance(x, TensorBase)
                    owner, other, prefix = (x, y, "__") if on_left else (y, x, "__r")
                    return getattr(owner, f"{prefix}{_OPERATORS[ufunc]}__")(other)
        if _needs_gradient(inputs) or _needs_gradient(options):
            _refuse(f"np.{ufunc.__name__}")
        return getattr(ufunc, method)(*_as_arrays(inputs), **_as_arrays(options))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        """Compute any other function of NumPy."""
        if function not in _WITHOUT_VALUES and (_needs_gradient(args) or _needs_gradient(options)):
            _refuse(f"np.{function.__name__}")
        return function(*_as_arrays(args), **_as_arrays(options))


def _as_arrays(values: Any) -> Any:
    """Return arguments with arrays in the place of tensors, read-only: the tape would not know of what NumPy wrote."""

    def array_of(value: Any) -> Any:
        if not isinstance(value, TensorBase):
            return value
        view = value.data.view()
        view.flags.writeable = False
        return view

    return mapped(values, array_of)


def _needs_gradient(values: Any) -> bool:
    return any(isinstance(value, TensorBase) and value.requires_grad for value in flat(values))


def _refuse(name: str) -> None:
    raise RuntimeError(
        f"{name} of a tensor that requires a gradient would lose it: use an operation of mlcore.nn, or x.detach()"
    )
