"""Arithmetic of tensors: operators, elementwise functions, the matrix product. The names are PyTorch's.

They serve what no fused operation covers. Shapes broadcast as in NumPy; the gradient by an operand is summed over the
axes along which it was repeated. This file also gives tensors all their methods: those of ``_reductions.py``,
``_shapes.py``, ``_comparisons.py`` and ``_protocols.py`` as well.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import _comparisons, _protocols, _reductions, _shapes
from mlcore.nn.tensor._reductions import summed_to as _summed_to
from mlcore.nn.tensor._shapes import concatenate, reshape, stack
from mlcore.nn.tensor._tape import Array, Gradients, ShapeError, Tensor, operands, record, wrap

__all__ = ["concatenate", "stack", "where"]

_LARGE = 1 << 15  # entries from which on a call of the core is worth its overhead


def _empty(*arrays: NDArray[Any]) -> Array:
    """Return room for the result of an elementwise operation on these."""
    try:
        return core.nn.empty(np.broadcast_shapes(*(a.shape for a in arrays)))
    except ValueError:
        raise ShapeError(f"shapes {' and '.join(str(a.shape) for a in arrays)} do not broadcast") from None


def _quiet() -> Any:
    """Infinity and NaN are results as others: the core does not warn of them either."""
    return np.errstate(all="ignore")


def _plain(x: Array, y: Array) -> bool:
    return x.shape == y.shape and x.size >= _LARGE and x.flags.c_contiguous and y.flags.c_contiguous


def _product(x: Array, y: Array) -> Array:
    if _plain(x, y):
        return core.nn.mul(x, y, n_threads=n_threads())
    with _quiet():
        return np.multiply(x, y, out=_empty(x, y))


def _operand(value: Any, op: str) -> Any:
    """Return a number, or a list of them, as a tensor of float32."""
    if isinstance(value, Tensor | np.ndarray):
        return value
    if not isinstance(value, int | float | np.generic | list | tuple):
        raise TypeError(f"{op} takes tensors and numbers, got {type(value).__name__}")
    return wrap(np.asarray(value, np.float32))


def _operands(a: Any, b: Any, op: str) -> tuple[Tensor, Tensor]:
    x, y = operands(_operand(a, op), _operand(b, op))
    for tensor in (x, y):
        if tensor.dtype != np.float32:
            raise TypeError(f"{op} takes tensors of float32, got {tensor.dtype}")
    return x, y


def _needed(x: Tensor, y: Tensor) -> list[Tensor]:
    """Return the factors of a product that a gradient needs: each by that of the other."""
    return [value for value, other in ((x, y), (y, x)) if other.requires_grad]


# ---- elementwise ----


def add(a: Any, b: Any) -> Tensor:
    """Return a + b."""
    x, y = _operands(a, b, "+")
    if _plain(x.data, y.data):
        out = core.nn.add(x.data, y.data, n_threads=n_threads())
    else:
        with _quiet():
            out = np.add(x.data, y.data, out=_empty(x.data, y.data))

    shapes = [t.shape if t.requires_grad else None for t in (x, y)]
    return record("+", out, (x, y), lambda dy: [None if s is None else _summed_to(dy, s) for s in shapes])


def sub(a: Any, b: Any) -> Tensor:
    """Return a - b."""
    x, y = _operands(a, b, "-")
    with _quiet():
        out = np.subtract(x.data, y.data, out=_empty(x.data, y.data))

    shapes = [t.shape if t.requires_grad else None for t in (x, y)]

    def backward(dy: Array) -> Gradients:
        left, right = (None if s is None else _summed_to(dy, s) for s in shapes)
        return [left, None if right is None else -right]

    return record("-", out, (x, y), backward)


def mul(a: Any, b: Any) -> Tensor:
    """Return a * b."""
    x, y = _operands(a, b, "*")
    u, v = x.data, y.data

    def backward(dy: Array) -> Gradients:
        return [
            _summed_to(_product(dy, v), u.shape) if x.requires_grad else None,
            _summed_to(_product(dy, u), v.shape) if y.requires_grad else None,
        ]

    return record("*", _product(u, v), (x, y), backward, saved=_needed(x, y))


def div(a: Any, b: Any) -> Tensor:
    """Return a / b."""
    x, y = _operands(a, b, "/")
    u, v = x.data, y.data
    with _quiet():
        out = np.divide(u, v, out=_empty(u, v))

    def backward(dy: Array) -> Gradients:
        with _quiet():
            return [
                _summed_to(dy / v, u.shape) if x.requires_grad else None,
                -_summed_to(dy * out / v, v.shape) if y.requires_grad else None,
            ]

    return record("/", out, (x, y), backward, saved=(y,), output_saved=y.requires_grad)


def neg(x: Tensor) -> Tensor:
    """Return -x."""
    return record("-", np.negative(x.data, out=_empty(x.data)), (x,), lambda dy: [-dy])


def power(x: Tensor, exponent: float) -> Tensor:
    """Return x ** exponent, for a number as exponent."""
    if not isinstance(exponent, int | float | np.number):
        raise TypeError(f"the exponent of a tensor must be a number, got {type(exponent).__name__}")
    p, values = np.float32(exponent), x.data
    with _quiet():
        out = np.power(values, p, out=_empty(values))

    def backward(dy: Array) -> Gradients:
        with _quiet():
            return [dy * (p * np.power(values, p - np.float32(1))) if p != 0 else np.zeros_like(values)]

    return record("**", out, (x,), backward, saved=(x,))


def exp(x: Tensor) -> Tensor:
    """Return e^x."""
    with _quiet():
        out = np.exp(x.data, out=_empty(x.data))
    return record("exp", out, (x,), lambda dy: [_product(dy, out)], output_saved=True)


def log(x: Tensor) -> Tensor:
    """Return the natural logarithm; -inf at 0, NaN below."""
    values = x.data
    with _quiet():
        out = np.log(values, out=_empty(values))

    def backward(dy: Array) -> Gradients:
        with _quiet():
            return [dy / values]

    return record("log", out, (x,), backward, saved=(x,))


def sqrt(x: Tensor) -> Tensor:
    """Return the square root; NaN below 0."""
    with _quiet():
        out = np.sqrt(x.data, out=_empty(x.data))

    def backward(dy: Array) -> Gradients:
        with _quiet():
            return [dy / (2 * out)]

    return record("sqrt", out, (x,), backward, output_saved=True)


def absolute(x: Tensor) -> Tensor:
    """Return |x|; its gradient at 0 is 0."""
    values = x.data
    return record("abs", np.abs(values, out=_empty(values)), (x,), lambda dy: [dy * np.sign(values)], saved=(x,))


def masked_fill(x: Tensor, mask: Any, value: float) -> Tensor:
    """Return x with `value` where `mask` (bool, broadcast to x) is True."""
    given = np.array(mask.data if isinstance(mask, Tensor) else mask, dtype=bool)  # ours: it may be changed outside
    try:
        m = np.broadcast_to(given, x.shape)
    except ValueError:
        raise ShapeError(f"a mask of shape {given.shape} does not broadcast to {x.shape}") from None
    return record("masked_fill", np.where(m, np.float32(value), x.data), (x,), lambda dy: [np.where(m, 0, dy)])


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return a where `condition` (bool) holds, else b; all broadcast. The gradient goes to what was taken."""
    c = np.array(condition.data if isinstance(condition, Tensor) else condition)  # ours: it may be changed outside
    if c.dtype != np.bool_:
        raise TypeError(f"condition of where must be bool, got {c.dtype}")
    x, y = _operands(a, b, "where")
    try:
        out = np.where(c, x.data, y.data)
    except ValueError:
        raise ShapeError(f"shapes {c.shape}, {x.shape} and {y.shape} do not broadcast") from None
    shapes = [t.shape if t.requires_grad else None for t in (x, y)]

    def backward(dy: Array) -> Gradients:
        parts = (np.where(c, dy, np.float32(0)), np.where(c, np.float32(0), dy))
        return [None if s is None else _summed_to(part, s) for s, part in zip(shapes, parts, strict=True)]

    return record("where", out, (x, y), backward)


def clamp(x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:  # noqa: A002 - PyTorch's names
    """Return x cut to [min, max], numbers of which one may be None; its gradient is 1 within, both ends included."""
    if min is None and max is None:
        raise ValueError("clamp needs min or max")
    low, high = np.float32(-np.inf if min is None else min), np.float32(np.inf if max is None else max)
    values = x.data
    out = np.minimum(np.maximum(values, low, dtype=np.float32), high)  # max where min is larger
    if x.dtype != np.float32:
        raise TypeError(f"clamp takes a tensor of float32, got {x.dtype}")
    return record("clamp", out, (x,), lambda dy: [dy * ((values >= low) & (values <= high))], saved=(x,))


# ---- products ----


def matmul(a: Any, b: Any) -> Tensor:
    """Return the matrix product over the last two axes; those before them broadcast, a vector is a row or a column."""
    x, y = _operands(a, b, "@")
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ShapeError(f"@ of shapes {x.shape} and {y.shape}")
    if x.ndim == 1 or y.ndim == 1:
        left = reshape(x, (1, -1)) if x.ndim == 1 else x
        right = reshape(y, (-1, 1)) if y.ndim == 1 else y
        out = matmul(left, right)
        kept = [
            n
            for i, n in enumerate(out.shape)
            if (x.ndim > 1 or i != out.ndim - 2) and (y.ndim > 1 or i != out.ndim - 1)
        ]
        return reshape(out, tuple(kept))

    u, v = x.data, y.data

    def backward(dy: Array) -> Gradients:
        return [
            _summed_to(_matmul(dy, np.swapaxes(v, -1, -2)), u.shape) if x.requires_grad else None,
            _summed_to(_matmul(np.swapaxes(u, -1, -2), dy), v.shape) if y.requires_grad else None,
        ]

    return record("@", _matmul(u, v), (x, y), backward, saved=_needed(x, y))


def _matmul(x: Array, y: Array) -> Array:
    if x.ndim == 2 and y.ndim == 2:
        return core.nn.matmul(x, y, n_threads=n_threads())
    if x.size == 0 or y.size == 0:
        empty: Array = np.matmul(x, y)  # zeros, or nothing
        return empty
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"@ of shapes {x.shape} and {y.shape}: the axes before the last two do not broadcast"
        ) from None

    def batched(a: Array) -> Array:
        if all(n == 1 for n in a.shape[:-2]):
            return a.reshape(1, *a.shape[-2:])
        return np.broadcast_to(a, batch + a.shape[-2:]).reshape(-1, *a.shape[-2:])

    out = core.nn.matmul_batched(batched(x), batched(y), n_threads=n_threads())
    return out.reshape(*batch, x.shape[-2], y.shape[-1])


_METHODS: dict[str, Any] = {
    "__add__": add,
    "__radd__": add,
    "__sub__": sub,
    "__rsub__": lambda x, other: sub(other, x),
    "__mul__": mul,
    "__rmul__": mul,
    "__truediv__": div,
    "__rtruediv__": lambda x, other: div(other, x),
    "__neg__": neg,
    "__pow__": power,
    "__matmul__": matmul,
    "__rmatmul__": lambda x, other: matmul(other, x),
    "abs": absolute,
    "clamp": clamp,
    "exp": exp,
    "log": log,
    "masked_fill": masked_fill,
    "sqrt": sqrt,
    "where": lambda x, condition, other: where(condition, x, other),
}
_UFUNCS: dict[Any, Any] = {
    np.add: add,
    np.subtract: sub,
    np.multiply: mul,
    np.divide: div,
    np.matmul: matmul,
    np.negative: neg,
    np.exp: exp,
    np.log: log,
    np.sqrt: sqrt,
    np.absolute: absolute,
}
_protocols.UFUNCS.update(_UFUNCS)
for _table in (_METHODS, _reductions.METHODS, _shapes.METHODS, _comparisons.METHODS, _protocols.METHODS):
    for _name, _method in _table.items():  # the tape itself knows no operation
        setattr(Tensor, _name, _method)
