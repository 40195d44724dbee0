"""Shapes of tensors: other axes, parts, joins. The names and the meaning of `dim` are PyTorch's."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor._axes import axes, lengths_of, one_axis
from mlcore.nn.tensor._reductions import summed_to
from mlcore.nn.tensor._tape import Array, ShapeError, Tensor, operands, record

# ---- the result looks at the same memory where NumPy can ----


def _view(op: str, data: Array, x: Tensor, undo: Any) -> Tensor:
    out = record(op, data, (x,), lambda dy: [undo(dy)])
    out._version, out._is_shared = x._version, x._is_shared
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
    order = [one_axis(d, x.shape) for d in dims]
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"permute takes each axis of shape {x.shape} once, got {tuple(dims)}")
    return _view("permute", x.data.transpose(order), x, lambda dy: dy.transpose(np.argsort(order)))


def swap(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a tensor with two axes exchanged."""
    i, j = one_axis(dim0, x.shape), one_axis(dim1, x.shape)
    if x.ndim == 0:
        return reshape(x, ())
    return _view("transpose", x.data.swapaxes(i, j), x, lambda dy: dy.swapaxes(i, j))


def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return x repeated to `shape` without copies; -1 keeps a length of x."""
    extra = len(shape) - x.ndim
    wanted = tuple(x.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(shape))
    try:
        data = np.broadcast_to(x.data, wanted)
    except ValueError:
        raise ShapeError(f"a tensor of shape {x.shape} does not broadcast to {tuple(shape)}") from None
    before = x.shape
    return _view("expand", data, x, lambda dy: summed_to(dy, before))


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return the axes from `start_dim` to `end_dim` as one."""
    first, last = one_axis(start_dim, x.shape), one_axis(end_dim, x.shape)
    if first > last:
        raise ShapeError(
            f"flatten from dim {start_dim} to {end_dim} of shape {x.shape}: the first comes after the last"
        )
    merged = math.prod(x.shape[first : last + 1])
    return reshape(x, (*x.shape[:first], merged, *x.shape[last + 1 :]))


def squeeze(x: Tensor, dim: Any = None) -> Tensor:
    """Return x without the axes `dim` (None: without any) that have length 1."""
    dims = axes(dim, x.shape)
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in dims or n != 1])


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """Return x with a new axis of length 1 at `dim` of the result."""
    d = one_axis(dim, x.shape, x.ndim + 1)
    return reshape(x, (*x.shape[:d], 1, *x.shape[d:]))


# ---- parts ----


def _is_basic(i: Any) -> bool:
    return i is None or i is Ellipsis or isinstance(i, int | np.integer | slice)


def _private(i: Any) -> Any:
    """Return an index that nobody changes: `backward` needs it."""
    if _is_basic(i):
        return i
    own = np.array(i.data if isinstance(i, Tensor) else i)
    return own.astype(np.int64) if own.size == 0 and own.dtype.kind == "f" else own  # an empty list


def getitem(x: Tensor, index: Any) -> Tensor:
    """Return x[index]: all that NumPy takes."""
    plain = tuple(_private(i) for i in (index if isinstance(index, tuple) else (index,)))
    basic = all(_is_basic(i) for i in plain)
    try:
        data = np.asarray(x.data[plain])
    except IndexError as error:
        raise IndexError(f"{error} (a tensor of shape {x.shape})") from None
    shape = x.shape
    if basic:

        def undo(dy: Array) -> Array:
            dx = np.zeros(shape, np.float32)
            dx[plain] = dy
            return dx

        return _view("[]", data, x, undo)
    if len(plain) == 1 and plain[0].dtype.kind in "iu" and x.ndim > 0 and x.size > 0:
        rows = np.ascontiguousarray(np.where(plain[0] < 0, plain[0] + shape[0], plain[0]), np.int64)
        return record("[]", data, (x,), lambda dy: [_rows_added(dy, rows, shape)])
    return record("[]", data, (x,), lambda dy: [added_at(_numbers(shape)[plain], dy, shape)])


def _rows_added(dy: Array, rows: NDArray[np.int64], shape: tuple[int, ...]) -> Array:
    d = np.ascontiguousarray(dy).reshape(*rows.shape, math.prod(shape[1:]))
    return core.nn.scatter_add_rows(d, rows, n_rows=shape[0], n_threads=n_threads()).reshape(shape)


def _numbers(shape: tuple[int, ...]) -> NDArray[np.int64]:
    return np.arange(math.prod(shape)).reshape(shape)


def added_at(places: NDArray[np.int64], values: Array, shape: tuple[int, ...]) -> Array:
    """Return zeros of `shape` to which `values` are added, in double, at places counted in C order."""
    size = math.prod(shape)
    sums = np.bincount(places.reshape(-1), values.reshape(-1), minlength=size)
    return sums.astype(np.float32).reshape(shape)


def gather(x: Tensor, dim: int, index: Any) -> Tensor:
    """Return ``y[i][j][k] = x[index[i][j][k]][j][k]`` for dim 0, and likewise for others.

    Parameters
    ----------
    x : Tensor
        What is looked into.
    dim : int
        The axis that `index` counts along.
    index : array of int
        With as many axes as x, along the others not longer than x; in [0, length of x).

    Returns
    -------
    Tensor of index's shape
        The gradient by x is the sum of the dy that were taken from an entry.

    Raises
    ------
    ShapeError, TypeError
        If `index` does not fit or holds no integers.
    IndexError
        If a place is out of range.
    """
    d = one_axis(dim, x.shape)
    at = np.array(index.data if isinstance(index, Tensor) else index)
    if at.dtype.kind not in "iu" and at.size:
        raise TypeError(f"index of gather must hold integers, got {at.dtype}")
    at = at.astype(np.int64)
    if x.ndim == 0:
        return reshape(gather(reshape(x, (1,)), 0, at.reshape(-1)), at.shape)
    if at.ndim != x.ndim or any(at.shape[i] > n for i, n in enumerate(x.shape) if i != d):
        raise ShapeError(f"index of shape {at.shape} does not fit gather along dim {dim} of shape {x.shape}")
    if at.size and (at.min() < 0 or at.max() >= x.shape[d]):
        worst = int(at.min() if at.min() < 0 else at.max())
        raise IndexError(f"index {worst} of gather is outside [0, {x.shape[d]}), dim {dim} of shape {x.shape}")
    part = tuple(slice(None) if i == d else slice(n) for i, n in enumerate(at.shape))
    shape = x.shape

    def backward(dy: Array) -> list[Array]:
        return [added_at(np.take_along_axis(_numbers(shape)[part], at, d), dy, shape)]

    return record("gather", np.take_along_axis(x.data[part], at, d), (x,), backward)


# ---- joins ----


def concatenate(tensors: Sequence[Tensor | Array], dim: int = 0) -> Tensor:
    """Join tensors along an axis (PyTorch's ``cat``).

    Parameters
    ----------
    tensors : sequence of Tensor
        Of one shape but for `dim`.
    dim : int, default=0
        The axis.
    """
    parts = operands(*tensors)
    if not parts:
        raise ShapeError("concatenate needs a tensor")
    if parts[0].ndim == 0:
        raise ShapeError("tensors without axes cannot be joined along one: nn.stack makes it")
    d = one_axis(dim, parts[0].shape)
    if any(
        t.ndim != parts[0].ndim or t.shape[:d] + t.shape[d + 1 :] != parts[0].shape[:d] + parts[0].shape[d + 1 :]
        for t in parts
    ):
        raise ShapeError(f"shapes {', '.join(str(t.shape) for t in parts)} cannot be joined along dim {dim}")
    ends = np.cumsum([t.shape[d] for t in parts])[:-1]
    return record("concatenate", np.concatenate([t.data for t in parts], d), parts, lambda dy: np.split(dy, ends, d))


def stack(tensors: Sequence[Tensor | Array], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis, `dim` of the result."""
    parts = operands(*tensors)
    if not parts or any(t.shape != parts[0].shape for t in parts):
        raise ShapeError(f"stack takes tensors of one shape, got {', '.join(str(t.shape) for t in parts)}")
    d = one_axis(dim, parts[0].shape, parts[0].ndim + 1)
    return concatenate([reshape(t, (*t.shape[:d], 1, *t.shape[d:])) for t in parts], d)


METHODS: dict[str, Any] = {
    "__getitem__": getitem,
    "expand": lambda x, *shape: expand(x, lengths_of(shape)),
    "flatten": flatten,
    "gather": gather,
    "permute": lambda x, *dims: permute(x, lengths_of(dims)),
    "reshape": lambda x, *shape: reshape(x, lengths_of(shape)),
    "squeeze": squeeze,
    "transpose": swap,
    "unsqueeze": unsqueeze,
}
