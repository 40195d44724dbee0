"""Reductions along axes: sums, moments, extremes. The names and the meaning of `dim` are PyTorch's.

Sums run in double over fixed blocks and are rounded once (``cpp/nn/reduce.hpp``), whatever the axis and its length.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor._axes import Dim, axes, one_axis
from mlcore.nn.tensor._errors import ShapeError
from mlcore.nn.tensor._tape import Array, Gradients, TensorBase, record, wrap

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor

_SMALL = 1 << 12  # entries up to which NumPy's sum in double is as good


class Extreme(NamedTuple):
    """Extremes along an axis, and their positions (int64)."""

    values: "Tensor"
    indices: "Tensor"


def sum_over(x: Array, dims: tuple[int, ...], factor: float = 1.0) -> Array:
    """Return `factor` times the sums over ascending axes, which stay with length 1."""
    if x.size <= _SMALL:
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is a result, as in the core
            return np.asarray(x.sum(axis=dims, keepdims=True, dtype=np.float64) * factor, np.float32)
    for d in dims:
        if x.strides[d] == 0 and x.shape[d] > 1:  # repeated without a copy
            factor *= x.shape[d]
            x = x[(slice(None),) * d + (slice(1),)]
    if not dims:
        return np.asarray(x * np.float32(factor))
    x, shape = np.ascontiguousarray(x), list(x.shape)
    left = list(dims)
    while left:  # axes side by side are one axis
        last = first = left.pop()
        while left and left[-1] == first - 1:
            first = left.pop()
        outer, inner = (math.prod(part) for part in (shape[:first], shape[last + 1 :]))
        n = math.prod(shape[first : last + 1])
        x = core.nn.sum_axis(x.reshape(outer, n, inner), factor=factor, n_threads=n_threads())
        shape[first : last + 1] = [1] * (last + 1 - first)
        factor = 1.0
    return x.reshape(shape)


def summed_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient with respect to an operand of `shape` that was broadcast."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    if gradient.shape[extra:] == shape and gradient.flags.c_contiguous and gradient.size > 0 and len(shape) > 0:
        rows = math.prod(gradient.shape[:extra])
        return core.nn.sum_rows(gradient.reshape(rows, -1), n_threads=n_threads()).reshape(shape)
    repeated = tuple(i for i in range(gradient.ndim) if i < extra or shape[i - extra] != gradient.shape[i])
    return sum_over(gradient, repeated).reshape(shape)


def _without(values: Array, dims: tuple[int, ...], keepdim: bool) -> Array:
    return values if keepdim else values.reshape([n for i, n in enumerate(values.shape) if i not in dims])


def _count(x: TensorBase, dims: tuple[int, ...]) -> int:
    return math.prod([x.shape[d] for d in dims])


class Reductions(TensorBase):
    """Sums, moments and extremes."""

    __slots__ = ()

    def sum(self, dim: Dim = None, keepdim: bool = False) -> "Tensor":
        """Return the sum over `dim` (None: over all); that of integers and bools as int64."""
        dims = axes(dim, self.shape)
        if self.dtype != np.float32:
            return wrap(_without(np.asarray(self.data.sum(axis=dims, keepdims=True, dtype=np.int64)), dims, keepdim))
        out = sum_over(self.data, dims)
        shape, before = out.shape, self.shape
        return record(
            "sum", _without(out, dims, keepdim), (self,), lambda dy: [np.broadcast_to(dy.reshape(shape), before)]
        )

    def mean(self, dim: Dim = None, keepdim: bool = False) -> "Tensor":
        """Return the mean over `dim` (None: over all); NaN where there is nothing."""
        dims = axes(dim, self.shape)
        n = _count(self, dims)
        if n == 0:
            out = sum_over(np.zeros(self.shape, np.float32), dims) + np.float32(np.nan)
        elif self.dtype != np.float32:
            out = np.asarray(self.data.mean(axis=dims, keepdims=True, dtype=np.float64), np.float32)
        else:
            out = sum_over(self.data, dims, 1 / n)
        shape, before = out.shape, self.shape

        def backward(dy: Array) -> Gradients:
            return [np.broadcast_to(dy.reshape(shape) * np.float32(1 / max(n, 1)), before)]

        return record("mean", _without(out, dims, keepdim), (self,), backward)

    def var(self, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> "Tensor":
        """Return the variance over `dim`: squares about the mean, their sum divided by n - `correction` (NaN if <= 0).

        Gradient: ``dx = 2 dy (x - mean) / (n - correction)``.
        """
        dims = axes(dim, self.shape)
        d, out, divisor = _deviations(self, dims, correction)
        shape = out.shape

        def backward(dy: Array) -> Gradients:
            factor = np.float32(2 / divisor if divisor else np.nan)
            return [dy.reshape(shape) * factor * d]

        return record("var", _without(out, dims, keepdim), (self,), backward)

    def std(self, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> "Tensor":
        """Return the square root of :meth:`var`; its gradient is 0 where it is 0."""
        dims = axes(dim, self.shape)
        d, square, divisor = _deviations(self, dims, correction)
        out = np.sqrt(square)

        def backward(dy: Array) -> Gradients:
            factor = np.float32(1 / divisor if divisor else np.nan)
            ratio = np.divide(dy.reshape(out.shape) * factor, out, out=np.zeros_like(out), where=out != 0)
            return [ratio * d]

        return record("std", _without(out.copy(), dims, keepdim), (self,), backward)

    def prod(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Return the product over `dim` (None: over all); the gradient is right where entries are 0."""
        values = _floats(self, "prod")
        if dim is None:
            values, d = values.reshape(-1), 0
        else:
            d = one_axis(dim, self.shape)
            values = values.reshape(values.shape or (1,))
        wide, shape = values.astype(np.float64), self.shape
        whole = np.multiply.reduce(wide, axis=d, keepdims=True)
        with np.errstate(over="ignore"):
            out = np.asarray(whole, np.float32)

        def backward(dy: Array) -> Gradients:
            ones = np.ones_like(whole)
            before = np.cumprod(np.concatenate([ones, wide], d), d).take(range(wide.shape[d]), d)
            flipped = np.flip(wide, d)
            after = np.flip(np.cumprod(np.concatenate([ones, flipped], d), d).take(range(wide.shape[d]), d), d)
            with np.errstate(over="ignore"):
                return [np.asarray(dy.reshape(whole.shape) * before * after, np.float32).reshape(shape)]

        kept = [1] * self.ndim if dim is None else out.shape if self.ndim else ()
        if not keepdim:
            kept = [] if dim is None else [n for i, n in enumerate(self.shape) if i != d]
        return record("prod", out.reshape(tuple(kept)), (self,), backward)

    def cumsum(self, dim: int) -> "Tensor":
        """Return the cumulative sums along `dim`; ``dx_k`` is the sum of dy from k on."""
        d = one_axis(dim, self.shape)
        values = _floats(self, "cumsum")

        def along(a: Array, backwards: bool) -> Array:
            outer, inner = (math.prod(part) for part in (a.shape[:d], a.shape[d + 1 :]))
            n = a.shape[d] if a.ndim else 1
            cut = np.ascontiguousarray(a).reshape(outer, n, inner)
            sums: Array = core.nn.cumulate(cut, backwards=backwards, n_threads=n_threads())
            return sums.reshape(a.shape)

        return record("cumsum", along(values, False), (self,), lambda dy: [along(dy, True)])

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the largest entry; along `dim` as (values, indices), of equal ones the first.

        The gradient of the largest of all entries is shared by equal ones; along `dim` the first gets it. NaN is larger
        than anything.
        """
        return _extreme(self, dim, keepdim, "max", np.argmax)

    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the smallest entry; as :meth:`max`."""
        return _extreme(self, dim, keepdim, "min", np.argmin)

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Return the position of the largest entry (int64), of equal ones the first; without `dim` in C order."""
        return _place(self, dim, keepdim, "argmax", np.argmax)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Return the position of the smallest entry; as :meth:`argmax`."""
        return _place(self, dim, keepdim, "argmin", np.argmin)

    def all(self, dim: Dim = None, keepdim: bool = False) -> "Tensor":
        """Return whether all entries over `dim` are other than 0."""
        return wrap(np.asarray(self.data.all(axis=axes(dim, self.shape), keepdims=keepdim)))

    def any(self, dim: Dim = None, keepdim: bool = False) -> "Tensor":
        """Return whether an entry over `dim` is other than 0."""
        return wrap(np.asarray(self.data.any(axis=axes(dim, self.shape), keepdims=keepdim)))


def _floats(x: TensorBase, op: str) -> Array:
    if x.dtype != np.float32:
        raise TypeError(f"{op} takes a tensor of float32, got {x.dtype}")
    return x.data


def _deviations(x: TensorBase, dims: tuple[int, ...], correction: float) -> tuple[Array, Array, float]:
    """Return x - mean, the variance (axes kept) and the divisor of its sum of squares."""
    n = _count(x, dims)
    values = _floats(x, "var")
    d = values - sum_over(values, dims, 1 / max(n, 1))
    rest = sum_over(d, dims, 1 / max(n, 1))  # of the mean, which is rounded where x is far from zero
    d -= rest
    divisor = max(n - correction, 0.0)
    if divisor == 0:
        return d, np.full(rest.shape, np.nan, np.float32), divisor
    return d, sum_over(np.square(d), dims, 1 / divisor), divisor


def _extreme(x: TensorBase, dim: Any, keepdim: bool, op: str, where: Any) -> Any:
    if dim is None:
        if x.size == 0:
            raise ShapeError(f"{op} over no entries: a tensor of shape {x.shape}")
        values = x.data
        top = np.asarray(values.reshape(-1)[where(values)])

        def backward_of_all(dy: Array) -> Gradients:  # equal entries share it
            hit = (values == top) | ((values != values) & (top != top))
            return [hit * (dy / np.float32(hit.sum()))]

        return record(op, top, (x,), backward_of_all, saved=(x,), output_saved=True)
    d = one_axis(dim, x.shape)
    values = x.data.reshape(x.shape or (1,))
    if values.shape[d] == 0:
        raise ShapeError(f"{op} over no entries: a tensor of shape {x.shape}, dim {dim}")
    at = np.expand_dims(where(values, axis=d), d)
    shape, kept = x.shape, at.shape if keepdim and x.ndim else tuple(n for i, n in enumerate(x.shape) if i != d)

    def backward(dy: Array) -> Gradients:
        dx = np.zeros(values.shape, np.float32)
        np.put_along_axis(dx, at, dy.reshape(at.shape), d)
        return [dx.reshape(shape)]

    out = record(op, np.take_along_axis(values, at, d).reshape(kept), (x,), backward)
    return Extreme(out, wrap(at.reshape(kept).copy()))


def _place(x: TensorBase, dim: int | None, keepdim: bool, op: str, where: Any) -> "Tensor":
    values = x.data.reshape(-1) if dim is None or x.ndim == 0 else x.data
    d = 0 if dim is None else one_axis(dim, x.shape)
    if values.shape[d] == 0:
        raise ShapeError(f"{op} over no entries: a tensor of shape {x.shape}, dim {dim}")
    at = np.asarray(where(values, axis=d), np.int64)
    if dim is None or x.ndim == 0:
        return wrap(at.reshape((1,) * x.ndim if keepdim else ()))
    return wrap(np.expand_dims(at, d) if keepdim else at)
