"""Arithmetic of tensors: operators, sums, and changes of shape. The names and the meaning of `dim` are PyTorch's.

They serve what no fused operation covers. Shapes broadcast as in NumPy; the gradient by an operand is summed over the
axes along which it was repeated.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn._tape import Array, Gradients, ShapeError, Tensor, as_tensor, record

Dim = int | tuple[int, ...] | None
_LARGE = 1 << 15  # entries from which on a call of the core is worth its overhead


def _empty(*arrays: NDArray[Any]) -> Array:
    """Return room for the result of an elementwise operation on these."""
    try:
        return core.nn.empty(np.broadcast_shapes(*(a.shape for a in arrays)))
    except ValueError:
        raise ShapeError(f"shapes {' and '.join(str(a.shape) for a in arrays)} do not broadcast") from None


def _summed_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient by an operand of `shape` that was broadcast."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    rows = int(np.prod(gradient.shape[:extra], dtype=np.int64))
    if gradient.shape[extra:] == shape and gradient.flags.c_contiguous and gradient.size > 0 and len(shape) > 0:
        return core.nn.sum_rows(gradient.reshape(rows, -1), n_threads=n_threads()).reshape(shape)
    repeated = tuple(i for i in range(gradient.ndim) if i < extra or shape[i - extra] != gradient.shape[i])
    summed: Array = gradient.sum(axis=repeated, keepdims=True, dtype=np.float32)
    return summed.reshape(shape)


def _plain(x: Array, y: Array) -> bool:
    return x.shape == y.shape and x.size >= _LARGE and x.flags.c_contiguous and y.flags.c_contiguous


def _product(x: Array, y: Array) -> Array:
    if _plain(x, y):
        return core.nn.mul(x, y, n_threads=n_threads())
    return np.multiply(x, y, out=_empty(x, y))


def _operands(a: Any, b: Any, op: str) -> tuple[Tensor, Tensor]:
    x = as_tensor(a if isinstance(a, Tensor | np.ndarray) else np.float32(a))
    y = as_tensor(b if isinstance(b, Tensor | np.ndarray) else np.float32(b))
    for tensor in (x, y):
        if tensor.dtype != np.float32:
            raise TypeError(f"{op} takes tensors of float32, got {tensor.dtype}")
    return x, y


def _dims(x: Tensor, dim: Dim) -> tuple[int, ...]:
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    for d in dims:
        if not -x.ndim <= d < x.ndim:
            raise ShapeError(f"dim {d} of a tensor with shape {x.shape}")
    return tuple(d % x.ndim for d in dims)


# ---- elementwise ----


def add(a: Any, b: Any) -> Tensor:
    """Return a + b."""
    x, y = _operands(a, b, "+")
    if _plain(x.data, y.data):
        out = core.nn.add(x.data, y.data, n_threads=n_threads())
    else:
        out = np.add(x.data, y.data, out=_empty(x.data, y.data))

    shapes = [t.shape if t.requires_grad else None for t in (x, y)]
    return record("+", out, (x, y), lambda dy: [None if s is None else _summed_to(dy, s) for s in shapes])


def sub(a: Any, b: Any) -> Tensor:
    """Return a - b."""
    x, y = _operands(a, b, "-")
    out = np.subtract(x.data, y.data, out=_empty(x.data, y.data))

    shapes = [t.shape if t.requires_grad else None for t in (x, y)]

    def backward(dy: Array) -> Gradients:
        left, right = (None if s is None else _summed_to(dy, s) for s in shapes)
        return [left, None if right is None else -right]

    return record("-", out, (x, y), backward)


def mul(a: Any, b: Any) -> Tensor:
    """Return a * b."""
    x, y = _operands(a, b, "*")
    out = _product(x.data, y.data)

    def backward(dy: Array) -> Gradients:
        return [
            _summed_to(_product(dy, y.data), x.shape) if x.requires_grad else None,
            _summed_to(_product(dy, x.data), y.shape) if y.requires_grad else None,
        ]

    return record("*", out, (x, y), backward, saved=(x, y))


def div(a: Any, b: Any) -> Tensor:
    """Return a / b."""
    x, y = _operands(a, b, "/")
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.divide(x.data, y.data, out=_empty(x.data, y.data))

    def backward(dy: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [
                _summed_to(dy / y.data, x.shape) if x.requires_grad else None,
                -_summed_to(dy * out / y.data, y.shape) if y.requires_grad else None,
            ]

    return record("/", out, (x, y), backward, saved=(x, y), output_saved=True)


def neg(x: Tensor) -> Tensor:
    """Return -x."""
    return record("-", np.negative(x.data, out=_empty(x.data)), (x,), lambda dy: [-dy])


def power(x: Tensor, exponent: float) -> Tensor:
    """Return x ** exponent, for a number as exponent."""
    if not isinstance(exponent, int | float | np.number):
        raise TypeError(f"the exponent of a tensor must be a number, got {type(exponent).__name__}")
    p = np.float32(exponent)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.power(x.data, p, out=_empty(x.data))

    def backward(dy: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [dy * (p * np.power(x.data, p - np.float32(1))) if p != 0 else np.zeros(x.shape, np.float32)]

    return record("**", out, (x,), backward, saved=(x,))


def exp(x: Tensor) -> Tensor:
    """Return e^x."""
    with np.errstate(over="ignore"):
        out = np.exp(x.data, out=_empty(x.data))
    return record("exp", out, (x,), lambda dy: [dy * out], output_saved=True)


def log(x: Tensor) -> Tensor:
    """Return the natural logarithm; -inf at 0, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.log(x.data, out=_empty(x.data))

    def backward(dy: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [dy / x.data]

    return record("log", out, (x,), backward, saved=(x,))


def sqrt(x: Tensor) -> Tensor:
    """Return the square root; NaN below 0."""
    with np.errstate(invalid="ignore"):
        out = np.sqrt(x.data, out=_empty(x.data))

    def backward(dy: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [dy / (2 * out)]

    return record("sqrt", out, (x,), backward, output_saved=True)


def absolute(x: Tensor) -> Tensor:
    """Return |x|; its gradient at 0 is 0."""
    return record("abs", np.abs(x.data, out=_empty(x.data)), (x,), lambda dy: [dy * np.sign(x.data)], saved=(x,))


def masked_fill(x: Tensor, mask: Any, value: float) -> Tensor:
    """Return x with `value` where `mask` (bool, broadcast to x) is True."""
    given = np.array(mask.data if isinstance(mask, Tensor) else mask, dtype=bool)  # ours: it may be changed outside
    try:
        m = np.broadcast_to(given, x.shape)
    except ValueError:
        raise ShapeError(f"a mask of shape {given.shape} does not broadcast to {x.shape}") from None
    return record("masked_fill", np.where(m, np.float32(value), x.data), (x,), lambda dy: [np.where(m, 0, dy)])


# ---- sums ----


def total(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Return the sum over `dim` (None: over all)."""
    dims = _dims(x, dim)
    out = x.data.sum(axis=dims, keepdims=True, dtype=np.float32)
    shape = out.shape
    out = out if keepdim else out.reshape([n for i, n in enumerate(shape) if i not in dims])
    before = x.shape
    return record("sum", out, (x,), lambda dy: [np.broadcast_to(dy.reshape(shape), before)])


def mean(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Return the mean over `dim` (None: over all)."""
    n = int(np.prod([x.shape[d] for d in _dims(x, dim)], dtype=np.int64))
    if n == 0:
        raise ShapeError(f"mean over no entries: a tensor of shape {x.shape}, dim {dim}")
    return mul(total(x, dim, keepdim), 1 / n)


def maximum(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Return the largest entry along `dim`; the first of equal ones gets the gradient."""
    (d,) = _dims(x, dim)
    if x.shape[d] == 0:
        raise ShapeError(f"max over no entries: a tensor of shape {x.shape}, dim {dim}")
    at = np.expand_dims(x.data.argmax(axis=d), d)
    out = np.take_along_axis(x.data, at, d)
    shape = x.shape

    def backward(dy: Array) -> Gradients:
        dx = np.zeros(shape, np.float32)
        np.put_along_axis(dx, at, dy.reshape(at.shape), d)
        return [dx]

    return record("max", out if keepdim else out.squeeze(d), (x,), backward)


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

    def backward(dy: Array) -> Gradients:
        return [
            _summed_to(_matmul(dy, np.swapaxes(y.data, -1, -2)), x.shape) if x.requires_grad else None,
            _summed_to(_matmul(np.swapaxes(x.data, -1, -2), dy), y.shape) if y.requires_grad else None,
        ]

    return record("@", _matmul(x.data, y.data), (x, y), backward, saved=(x, y))


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


# ---- shapes: the result looks at the same memory where NumPy can ----


def _view(op: str, data: Array, x: Tensor, undo: Any) -> Tensor:
    out = record(op, data, (x,), lambda dy: [undo(dy)])
    out._version = x._version
    return out


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the entries in C order with another shape; one length may be -1."""
    try:
        data = x.data.reshape(shape)
    except ValueError:
        raise ShapeError(f"a tensor of shape {x.shape} cannot have shape {tuple(shape)}") from None
    shape = x.shape
    return _view("reshape", data, x, lambda dy: dy.reshape(shape))


def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Return the axes in another order."""
    order = _dims(x, tuple(dims))
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"permute takes each axis of shape {x.shape} once, got {tuple(dims)}")
    return _view("permute", x.data.transpose(order), x, lambda dy: dy.transpose(np.argsort(order)))


def swap(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a tensor with two axes exchanged."""
    i, j = _dims(x, (dim0, dim1))
    return _view("transpose", x.data.swapaxes(i, j), x, lambda dy: dy.swapaxes(i, j))


def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return x repeated to `shape` without copies."""
    try:
        data = np.broadcast_to(x.data, shape)
    except ValueError:
        raise ShapeError(f"a tensor of shape {x.shape} does not broadcast to {tuple(shape)}") from None
    before = x.shape
    return _view("expand", data, x, lambda dy: _summed_to(dy, before))


def getitem(x: Tensor, index: Any) -> Tensor:
    """Return x[index]: all that NumPy takes."""
    plain = tuple(i.data if isinstance(i, Tensor) else i for i in (index if isinstance(index, tuple) else (index,)))
    basic = all(i is None or i is Ellipsis or isinstance(i, int | np.integer | slice) for i in plain)
    try:
        data = np.asarray(x.data[plain])
    except IndexError as error:
        raise IndexError(f"{error} (a tensor of shape {x.shape})") from None

    shape = x.shape

    def undo(dy: Array) -> Array:
        dx = np.zeros(shape, np.float32)
        if basic:
            dx[plain] = dy
        else:
            np.add.at(dx, plain, dy)
        return dx

    return _view("[]", data, x, undo) if basic else record("[]", data, (x,), lambda dy: [undo(dy)])


def concatenate(tensors: Sequence[Tensor | Array], dim: int = 0) -> Tensor:
    """Join tensors along an axis (PyTorch's ``cat``).

    Parameters
    ----------
    tensors : sequence of Tensor
        Of one shape but for `dim`.
    dim : int, default=0
        The axis.
    """
    parts = [as_tensor(t) for t in tensors]
    if not parts:
        raise ShapeError("concatenate needs a tensor")
    (d,) = _dims(parts[0], dim)
    if any(
        t.ndim != parts[0].ndim or t.shape[:d] + t.shape[d + 1 :] != parts[0].shape[:d] + parts[0].shape[d + 1 :]
        for t in parts
    ):
        raise ShapeError(f"shapes {', '.join(str(t.shape) for t in parts)} cannot be joined along dim {dim}")
    ends = np.cumsum([t.shape[d] for t in parts])[:-1]
    return record("concatenate", np.concatenate([t.data for t in parts], d), parts, lambda dy: np.split(dy, ends, d))


def stack(tensors: Sequence[Tensor | Array], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    parts = [as_tensor(t) for t in tensors]
    if not parts or any(t.shape != parts[0].shape for t in parts):
        raise ShapeError(f"stack takes tensors of one shape, got {', '.join(str(t.shape) for t in parts)}")
    d = dim % (parts[0].ndim + 1)
    return concatenate([reshape(t, (*t.shape[:d], 1, *t.shape[d:])) for t in parts], d)


def _varargs(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else values


def _flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    first, last = _dims(x, (start_dim, end_dim))
    merged = int(np.prod(x.shape[first : last + 1], dtype=np.int64))
    return reshape(x, (*x.shape[:first], merged, *x.shape[last + 1 :]))


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
    "__getitem__": getitem,
    "abs": absolute,
    "exp": exp,
    "expand": lambda x, *shape: expand(x, _varargs(shape)),
    "flatten": _flatten,
    "log": log,
    "masked_fill": masked_fill,
    "max": maximum,
    "mean": mean,
    "permute": lambda x, *dims: permute(x, _varargs(dims)),
    "reshape": lambda x, *shape: reshape(x, _varargs(shape)),
    "sqrt": sqrt,
    "squeeze": lambda x, dim: reshape(x, [n for i, n in enumerate(x.shape) if i != dim % x.ndim or n != 1]),
    "sum": total,
    "transpose": swap,
    "unsqueeze": lambda x, dim: reshape(x, np.expand_dims(x.data, dim).shape),
}
for _name, _method in _METHODS.items():  # the tape itself knows no operation
    setattr(Tensor, _name, _method)
