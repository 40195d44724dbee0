"""Shapes of tensors: other axes, parts, joins. The names and the meaning of `dim` are PyTorch's."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor._axes import axes, lengths_of, one_axis
from mlcore.nn.tensor._errors import ShapeError
from mlcore.nn.tensor._operands import operands
from mlcore.nn.tensor._reductions import summed_to
from mlcore.nn.tensor._tape import Array, TensorBase, record

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor


class Shapes(TensorBase):
    """Other shapes of a tensor, which share its memory where NumPy can, and parts of it."""

    __slots__ = ()

    def reshape(self, *shape: Any) -> "Tensor":
        """Return the entries in C order with another shape; one length may be -1."""
        return _reshaped(self, lengths_of(shape))

    def permute(self, *dims: Any) -> "Tensor":
        """Return the axes in another order."""
        given = lengths_of(dims)
        order = [one_axis(d, self.shape) for d in given]
        if sorted(order) != list(range(self.ndim)):
            raise ShapeError(f"permute takes each axis of shape {self.shape} once, got {given}")
        return _view("permute", self.data.transpose(order), self, lambda dy: dy.transpose(np.argsort(order)))

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        """Return a tensor with two axes exchanged."""
        i, j = one_axis(dim0, self.shape), one_axis(dim1, self.shape)
        if self.ndim == 0:
            return _reshaped(self, ())
        return _view("transpose", self.data.swapaxes(i, j), self, lambda dy: dy.swapaxes(i, j))

    def expand(self, *shape: Any) -> "Tensor":
        """Return x repeated to `shape` without copies; -1 keeps a length of x."""
        given = lengths_of(shape)
        extra = len(given) - self.ndim
        wanted = tuple(self.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(given))
        try:
            data = np.broadcast_to(self.data, wanted)
        except ValueError:
            raise ShapeError(f"a tensor of shape {self.shape} does not broadcast to {given}") from None
        before = self.shape
        return _view("expand", data, self, lambda dy: summed_to(dy, before))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> "Tensor":
        """Return the axes from `start_dim` to `end_dim` as one."""
        shape = self.shape
        first, last = one_axis(start_dim, shape), one_axis(end_dim, shape)
        if first > last:
            raise ShapeError(
                f"flatten from dim {start_dim} to {end_dim} of shape {shape}: the first comes after the last"
            )
        return _reshaped(self, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))

    def squeeze(self, dim: Any = None) -> "Tensor":
        """Return x without the axes `dim` (None: without any) that have length 1."""
        dims = axes(dim, self.shape)
        return _reshaped(self, tuple(n for i, n in enumerate(self.shape) if i not in dims or n != 1))

    def unsqueeze(self, dim: int) -> "Tensor":
        """Return x with a new axis of length 1 at `dim` of the result."""
        return _with_axis(self, one_axis(dim, self.shape, self.ndim + 1))

    def __getitem__(self, index: Any) -> "Tensor":
        """Return x[index], for every index that NumPy takes."""
        plain = tuple(_private(i) for i in (index if isinstance(index, tuple) else (index,)))
        basic = all(_is_basic(i) for i in plain)
        try:
            data = np.asarray(self.data[plain])
        except IndexError as error:
            raise IndexError(f"{error} (a tensor of shape {self.shape})") from None
        shape = self.shape
        if basic:

            def undo(dy: Array) -> Array:
                dx = np.zeros(shape, np.float32)
                dx[plain] = dy
                return dx

            return _view("[]", data, self, undo)
        if len(plain) == 1 and plain[0].dtype.kind in "iu" and self.ndim > 0 and self.size > 0:
            rows = np.ascontiguousarray(np.where(plain[0] < 0, plain[0] + shape[0], plain[0]), np.int64)
            return record("[]", data, (self,), lambda dy: [_sums_of_rows(dy, rows, shape)])
        return record("[]", data, (self,), lambda dy: [_sums_at(_positions_of(shape)[plain], dy, shape)])

    def gather(self, dim: int, index: Any) -> "Tensor":
        """Return ``y[i][j][k] = x[index[i][j][k]][j][k]`` for dim 0, and in the same way for others.

        Parameters
        ----------
        dim : int
            The axis that `index` counts along.
        index : array of int
            With as many axes as x, along the others not longer than x; in [0, length of x).

        Returns
        -------
        Tensor of index's shape
            The gradient with respect to an entry of x is the sum of the dy that were taken from it.

        Raises
        ------
        ShapeError, TypeError
            If `index` does not fit or holds no integers.
        IndexError
            If a position is out of range.
        """
        d = one_axis(dim, self.shape)
        at = np.array(index.data if isinstance(index, TensorBase) else index)
        if at.dtype.kind not in "iu" and at.size:
            raise TypeError(f"index of gather must hold integers, got {at.dtype}")
        at, shape = at.astype(np.int64), self.shape
        if self.ndim == 0:
            return self.reshape(1).gather(0, at.reshape(-1)).reshape(at.shape)
        if at.ndim != self.ndim or any(at.shape[i] > n for i, n in enumerate(shape) if i != d):
            raise ShapeError(f"index of shape {at.shape} does not fit gather along dim {dim} of shape {shape}")
        if at.size and (at.min() < 0 or at.max() >= shape[d]):
            worst = int(at.min() if at.min() < 0 else at.max())
            raise IndexError(f"index {worst} of gather is outside [0, {shape[d]}), dim {dim} of shape {shape}")
        part = tuple(slice(None) if i == d else slice(n) for i, n in enumerate(at.shape))

        def backward(dy: Array) -> list[Array]:
            return [_sums_at(np.take_along_axis(_positions_of(shape)[part], at, d), dy, shape)]

        return record("gather", np.take_along_axis(self.data[part], at, d), (self,), backward)


# ---- joins ----


def concatenate(tensors: "Sequence[Tensor | Array]", dim: int = 0) -> "Tensor":
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


def stack(tensors: "Sequence[Tensor | Array]", dim: int = 0) -> "Tensor":
    """Join tensors of one shape along a new axis, `dim` of the result."""
    parts = operands(*tensors)
    if not parts or any(t.shape != parts[0].shape for t in parts):
        raise ShapeError(f"stack takes tensors of one shape, got {', '.join(str(t.shape) for t in parts)}")
    d = one_axis(dim, parts[0].shape, parts[0].ndim + 1)
    return concatenate([_with_axis(t, d) for t in parts], d)


# ---- what these are made of ----


def _view(op: str, data: Array, x: TensorBase, undo: Any) -> "Tensor":
    """Return a tensor that may share the memory of x, and with it the count of changes in place."""
    out = record(op, data, (x,), lambda dy: [undo(dy)])
    out._version, out._is_shared = x._version, x._is_shared
    return out


def _reshaped(x: TensorBase, shape: tuple[int, ...]) -> "Tensor":
    try:
        data = x.data.reshape(shape)
    except ValueError:
        raise ShapeError(f"a tensor of shape {x.shape} cannot have shape {shape}") from None
    before = x.shape
    return _view("reshape", data, x, lambda dy: dy.reshape(before))


def _with_axis(x: TensorBase, d: int) -> "Tensor":
    return _reshaped(x, (*x.shape[:d], 1, *x.shape[d:]))


def _is_basic(i: Any) -> bool:
    return i is None or i is Ellipsis or isinstance(i, int | np.integer | slice)


def _private(i: Any) -> Any:
    """Return an index that nobody changes: `backward` needs it."""
    if _is_basic(i):
        return i
    own = np.array(i.data if isinstance(i, TensorBase) else i)
    return own.astype(np.int64) if own.size == 0 and own.dtype.kind == "f" else own  # an empty list


def _sums_of_rows(dy: Array, rows: NDArray[np.int64], shape: tuple[int, ...]) -> Array:
    d = np.ascontiguousarray(dy).reshape(*rows.shape, math.prod(shape[1:]))
    return core.nn.scatter_add_rows(d, rows, n_rows=shape[0], n_threads=n_threads()).reshape(shape)


def _positions_of(shape: tuple[int, ...]) -> NDArray[np.int64]:
    return np.arange(math.prod(shape)).reshape(shape)


def _sums_at(positions: NDArray[np.int64], values: Array, shape: tuple[int, ...]) -> Array:
    """Return zeros of `shape` to which `values` are added, in double, at positions counted in C order."""
    size = math.prod(shape)
    sums = np.bincount(positions.reshape(-1), values.reshape(-1), minlength=size)
    return sums.astype(np.float32).reshape(shape)
