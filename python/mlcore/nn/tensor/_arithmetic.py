"""Arithmetic of tensors: operators, elementwise functions, the matrix product. The names are PyTorch's.

They are for what no fused operation covers. Shapes broadcast as in NumPy; the gradient with respect to an operand is
summed over the axes along which it was repeated.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor._errors import ShapeError
from mlcore.nn.tensor._operands import operands
from mlcore.nn.tensor._reductions import summed_to
from mlcore.nn.tensor._tape import Array, Gradients, TensorBase, record, wrap

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor

_LARGE = 1 << 15  # entries from which on a call of the core is worth its overhead


class Arithmetic(TensorBase):
    """Operators, elementwise functions and the matrix product."""

    __slots__ = ()

    # ---- operators ----

    def __add__(self, other: Any) -> "Tensor":
        """Return x + other."""
        x, y = _pair(self, other, "+")
        if _is_large(x.data, y.data):
            out = core.nn.add(x.data, y.data, n_threads=n_threads())
        else:
            with _quiet():
                out = np.add(x.data, y.data, out=_empty(x.data, y.data))
        shapes = [t.data.shape if t.requires_grad else None for t in (x, y)]
        return record("+", out, (x, y), lambda dy: [None if s is None else summed_to(dy, s) for s in shapes])

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Tensor":
        """Return x - other."""
        return _difference(self, other)

    def __rsub__(self, other: Any) -> "Tensor":
        """Return other - x."""
        return _difference(other, self)

    def __mul__(self, other: Any) -> "Tensor":
        """Return x * other."""
        x, y = _pair(self, other, "*")
        u, v = x.data, y.data

        def backward(dy: Array) -> Gradients:
            return [
                summed_to(_product(dy, v), u.shape) if x.requires_grad else None,
                summed_to(_product(dy, u), v.shape) if y.requires_grad else None,
            ]

        return record("*", _product(u, v), (x, y), backward, saved=_needed(x, y))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Tensor":
        """Return x / other."""
        return _quotient(self, other)

    def __rtruediv__(self, other: Any) -> "Tensor":
        """Return other / x."""
        return _quotient(other, self)

    def __matmul__(self, other: Any) -> "Tensor":
        """Return the matrix product x @ other, over the last two axes; a vector is a row."""
        return _matrix_product(self, other)

    def __rmatmul__(self, other: Any) -> "Tensor":
        """Return the matrix product other @ x; a vector is a column."""
        return _matrix_product(other, self)

    def __neg__(self) -> "Tensor":
        """Return -x."""
        return record("-", np.negative(self.data, out=_empty(self.data)), (self,), lambda dy: [-dy])

    def __pow__(self, exponent: float) -> "Tensor":
        """Return x ** exponent, for a number as exponent."""
        if not isinstance(exponent, int | float | np.number):
            raise TypeError(f"the exponent of a tensor must be a number, got {type(exponent).__name__}")
        p, values = np.float32(exponent), self.data
        with _quiet():
            out = np.power(values, p, out=_empty(values))

        def backward(dy: Array) -> Gradients:
            with _quiet():
                return [dy * (p * np.power(values, p - np.float32(1))) if p != 0 else np.zeros_like(values)]

        return record("**", out, (self,), backward, saved=(self,))

    # ---- elementwise functions ----

    def exp(self) -> "Tensor":
        """Return e^x."""
        with _quiet():
            out = np.exp(self.data, out=_empty(self.data))
        return record("exp", out, (self,), lambda dy: [_product(dy, out)], output_saved=True)

    def log(self) -> "Tensor":
        """Return the natural logarithm; -inf at 0, NaN below."""
        values = self.data
        with _quiet():
            out = np.log(values, out=_empty(values))

        def backward(dy: Array) -> Gradients:
            with _quiet():
                return [dy / values]

        return record("log", out, (self,), backward, saved=(self,))

    def sqrt(self) -> "Tensor":
        """Return the square root; NaN below 0."""
        with _quiet():
            out = np.sqrt(self.data, out=_empty(self.data))

        def backward(dy: Array) -> Gradients:
            with _quiet():
                return [dy / (2 * out)]

        return record("sqrt", out, (self,), backward, output_saved=True)

    def abs(self) -> "Tensor":
        """Return |x|; its gradient at 0 is 0."""
        values = self.data
        out = np.abs(values, out=_empty(values))
        return record("abs", out, (self,), lambda dy: [dy * np.sign(values)], saved=(self,))

    def clamp(self, min: float | None = None, max: float | None = None) -> "Tensor":
        """Return x clipped to [min, max], of which one may be None; its gradient is 1 within, both ends included."""
        if min is None and max is None:
            raise ValueError("clamp needs min or max")
        low, high = np.float32(-np.inf if min is None else min), np.float32(np.inf if max is None else max)
        values = self.data
        out = np.minimum(np.maximum(values, low, dtype=np.float32), high)  # max where min is larger
        if self.dtype != np.float32:
            raise TypeError(f"clamp takes a tensor of float32, got {self.dtype}")
        return record("clamp", out, (self,), lambda dy: [dy * ((values >= low) & (values <= high))], saved=(self,))

    # ---- choices ----

    def masked_fill(self, mask: Any, value: float) -> "Tensor":
        """Return x with `value` where `mask` (bool, broadcast to x) is True."""
        given = np.array(mask.data if isinstance(mask, TensorBase) else mask, dtype=bool)  # the caller may change his
        try:
            m = np.broadcast_to(given, self.shape)
        except ValueError:
            raise ShapeError(f"a mask of shape {given.shape} does not broadcast to {self.shape}") from None
        out = np.where(m, np.float32(value), self.data)
        return record("masked_fill", out, (self,), lambda dy: [np.where(m, 0, dy)])

    def where(self, condition: Any, other: Any) -> "Tensor":
        """Return x where `condition` (bool) is True, else `other`: see :func:`mlcore.nn.where`."""
        return where(condition, self, other)


def where(condition: Any, a: Any, b: Any) -> "Tensor":
    """Return a where `condition` (bool) is True, else b; all broadcast. The gradient goes to what was taken."""
    c = np.array(condition.data if isinstance(condition, TensorBase) else condition)  # the caller may change his
    if c.dtype != np.bool_:
        raise TypeError(f"condition of where must be bool, got {c.dtype}")
    x, y = _pair(a, b, "where")
    try:
        out = np.where(c, x.data, y.data)
    except ValueError:
        raise ShapeError(f"shapes {c.shape}, {x.shape} and {y.shape} do not broadcast") from None
    shapes = [t.shape if t.requires_grad else None for t in (x, y)]

    def backward(dy: Array) -> Gradients:
        parts = (np.where(c, dy, np.float32(0)), np.where(c, np.float32(0), dy))
        return [None if s is None else summed_to(part, s) for s, part in zip(shapes, parts, strict=True)]

    return record("where", out, (x, y), backward)


def _difference(a: Any, b: Any) -> "Tensor":
    x, y = _pair(a, b, "-")
    with _quiet():
        out = np.subtract(x.data, y.data, out=_empty(x.data, y.data))

    shapes = [t.data.shape if t.requires_grad else None for t in (x, y)]

    def backward(dy: Array) -> Gradients:
        left, right = (None if s is None else summed_to(dy, s) for s in shapes)
        return [left, None if right is None else -right]

    return record("-", out, (x, y), backward)


def _quotient(a: Any, b: Any) -> "Tensor":
    x, y = _pair(a, b, "/")
    u, v = x.data, y.data
    with _quiet():
        out = np.divide(u, v, out=_empty(u, v))

    def backward(dy: Array) -> Gradients:
        with _quiet():
            return [
                summed_to(dy / v, u.shape) if x.requires_grad else None,
                -summed_to(dy * out / v, v.shape) if y.requires_grad else None,
            ]

    return record("/", out, (x, y), backward, saved=(y,), output_saved=y.requires_grad)


def _matrix_product(a: Any, b: Any) -> "Tensor":
    """Return the product over the last two axes; those before them broadcast, a vector is a row or a column."""
    x, y = _pair(a, b, "@")
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ShapeError(f"@ of shapes {x.shape} and {y.shape}")
    if x.ndim == 1 or y.ndim == 1:
        left = x.reshape(1, -1) if x.ndim == 1 else x
        right = y.reshape(-1, 1) if y.ndim == 1 else y
        out = _matrix_product(left, right)
        kept = [
            n
            for i, n in enumerate(out.shape)
            if (x.ndim > 1 or i != out.ndim - 2) and (y.ndim > 1 or i != out.ndim - 1)
        ]
        return out.reshape(tuple(kept))

    u, v = x.data, y.data

    def backward(dy: Array) -> Gradients:
        return [
            summed_to(_matmul(dy, np.swapaxes(v, -1, -2)), u.shape) if x.requires_grad else None,
            summed_to(_matmul(np.swapaxes(u, -1, -2), dy), v.shape) if y.requires_grad else None,
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


def _pair(a: Any, b: Any, op: str) -> "tuple[Tensor, Tensor]":
    """Return both operands as tensors of float32; numbers and lists of them become tensors."""
    x, y = operands(
        a if isinstance(a, TensorBase | np.ndarray) else _of_numbers(a, op),
        b if isinstance(b, TensorBase | np.ndarray) else _of_numbers(b, op),
    )
    if x.data.dtype != np.float32 or y.data.dtype != np.float32:
        raise TypeError(f"{op} takes tensors of float32, got {x.dtype if x.dtype != np.float32 else y.dtype}")
    return x, y


def _of_numbers(value: Any, op: str) -> "Tensor":
    if not isinstance(value, int | float | np.generic | list | tuple):
        raise TypeError(f"{op} takes tensors and numbers, got {type(value).__name__}")
    return wrap(np.asarray(value, np.float32))


def _needed(x: TensorBase, y: TensorBase) -> list[TensorBase]:
    """Return the factors of a product that gradients need: the gradient of each factor needs the other."""
    return [value for value, other in ((x, y), (y, x)) if other.requires_grad]


def _empty(x: NDArray[Any], y: NDArray[Any] | None = None) -> Array:
    """Return an array for the result of an elementwise operation on x, or on x and y."""
    if y is None or x.shape == y.shape:
        return core.nn.empty(x.shape)
    try:
        return core.nn.empty(np.broadcast_shapes(x.shape, y.shape))
    except ValueError:
        raise ShapeError(f"shapes {x.shape} and {y.shape} do not broadcast") from None


def _quiet() -> Any:
    """Infinity and NaN are results as others: the core does not warn of them either."""
    return np.errstate(all="ignore")


def _is_large(x: Array, y: Array) -> bool:
    """Whether the core computes the result faster than NumPy, and can."""
    return x.shape == y.shape and x.size >= _LARGE and x.flags.c_contiguous and y.flags.c_contiguous


def _product(x: Array, y: Array) -> Array:
    if _is_large(x, y):
        return core.nn.mul(x, y, n_threads=n_threads())
    with _quiet():
        return np.multiply(x, y, out=_empty(x, y))
