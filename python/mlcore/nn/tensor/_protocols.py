"""Tensors where Python expects a number, and where NumPy expects an array.

One entry is a number: ``float(t)``, ``bool(t)``, ``f"{t:.3f}"``. NumPy must not compute behind the tape's back: a
function of NumPy that has an operation here (``np.exp(t)``, ``array + t``) is recorded, all others raise for a tensor
that requires a gradient, as ``np.asarray`` does. Tensors without a gradient are arrays to NumPy.
"""

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor._comparisons import UFUNCS as COMPARISONS
from mlcore.nn.tensor._tape import Tensor

UFUNCS: dict[Any, Any] = dict(COMPARISONS)  # operations by the functions of NumPy that they stand for
_HARMLESS = {np.shape, np.ndim, np.size, np.result_type, np.can_cast}  # look at no value


# ---- a number ----


def item(x: Tensor) -> Any:
    """Return the only entry as a Python number."""
    if x.size != 1:
        raise ValueError(f"a tensor of shape {x.shape} is no number: it has {x.size} entries")
    return x.data.item()


def truth(x: Tensor) -> bool:
    """Return whether the only entry is other than 0."""
    if x.size != 1:
        raise RuntimeError(
            f"the truth value of a tensor of shape {x.shape} is ambiguous: use any() or all(), or compare sizes"
        )
    return bool(x.data.item())


def index(x: Tensor) -> int:
    """Return the only entry of a tensor of integers."""
    if x.size != 1 or x.dtype.kind not in "iu":
        raise TypeError(f"only one integer can be an index, got {x.dtype} of shape {x.shape}")
    return operator.index(x.data.item())


def text(x: Tensor, spec: str) -> str:
    """Return a number in the given format; without one, a tensor with axes as it looks."""
    if x.ndim == 0 or (x.size == 1 and spec):
        return format(x.data.item(), spec)
    return object.__format__(x, spec)


def rows(x: Tensor) -> Iterator[Tensor]:
    """Yield the entries along the first axis."""
    if x.ndim == 0:
        raise TypeError("a tensor without axes cannot be walked over")
    return (x[i] for i in range(len(x)))


def contains(x: Tensor, value: Any) -> bool:
    """Return whether an entry equals `value`."""
    equal = x == value
    return isinstance(equal, Tensor) and bool(equal.data.any())


# ---- an array ----


def _plain(value: Any) -> Any:
    """Return arguments with arrays in the place of tensors."""
    if isinstance(value, Tensor):
        view = value.data.view()
        view.flags.writeable = False  # what NumPy wrote would go unseen
        return view
    if isinstance(value, list | tuple):
        parts = [_plain(v) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _needs_gradient(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.requires_grad
    if isinstance(value, list | tuple):
        return any(map(_needs_gradient, value))
    return isinstance(value, dict) and any(map(_needs_gradient, value.values()))


def _refuse(name: str) -> None:
    raise RuntimeError(
        f"{name} of a tensor that requires a gradient would lose it: use an operation of mlcore.nn, or x.detach()"
    )


def as_array(x: Tensor, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
    """Return the values for NumPy; ``x.numpy()`` and ``x.data`` give them whatever the gradient."""
    if x.requires_grad:
        _refuse("np.asarray")
    return np.array(x.data, dtype=dtype, copy=copy)


def of_ufunc(_: Tensor, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """Compute a function of NumPy that works entry by entry."""
    known = COMPARISONS if any(v.dtype != np.float32 for v in inputs if isinstance(v, Tensor)) else UFUNCS
    if method == "__call__" and ufunc in known and not options:
        return known[ufunc](*inputs)
    if _needs_gradient(inputs) or _needs_gradient(options):
        _refuse(f"np.{ufunc.__name__}")
    return getattr(ufunc, method)(*_plain(inputs), **_plain(options))


def of_function(_: Tensor, function: Any, __: Any, args: Any, options: Any) -> Any:
    """Compute any other function of NumPy."""
    if function not in _HARMLESS and (_needs_gradient(args) or _needs_gradient(options)):
        _refuse(f"np.{function.__name__}")
    return function(*_plain(args), **_plain(options))


METHODS: dict[str, Any] = {
    "__array__": as_array,
    "__array_function__": of_function,
    "__array_ufunc__": of_ufunc,
    "__bool__": truth,
    "__contains__": contains,
    "__float__": lambda x: float(item(x)),
    "__format__": text,
    "__index__": index,
    "__int__": lambda x: int(item(x)),
    "__iter__": rows,
    "item": item,
    "tolist": lambda x: x.data.tolist(),
}
