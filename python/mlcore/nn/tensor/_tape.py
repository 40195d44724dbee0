"""Tensors, and the tape by which gradients flow back (reverse-mode automatic differentiation).

A :class:`Tensor` is a NumPy array with a memory of how it was made. An operation computes its result with a kernel and
calls :func:`record` with a function that turns gradients by the result into gradients by what it was made from.
:meth:`Tensor.backward` walks these records from the last to the first. A record holds no tensors but those that the
operation saved, so that activations nobody needs are freed at once.

Left out on purpose: gradients of gradients, float64 networks, gradients by integers.
"""

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads

Array = NDArray[np.float32]
Gradients = Sequence[Any]  # one a parent: an Array, a SparseGradient or None

_local = threading.local()
_positions = count()


class ShapeError(ValueError):
    """Shapes that do not go together; names the layers from the outermost to the one that found it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.layers: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.layers)}: {self.message}" if self.layers else self.message


class AxisError(ShapeError, IndexError):
    """An axis that a tensor does not have."""


def grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return getattr(_local, "grad_enabled", True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing within a ``with`` block: for evaluation, and to change parameters in place."""
    before = grad_enabled()
    _local.grad_enabled = False
    try:
        yield
    finally:
        _local.grad_enabled = before


class Version:
    """Counts the changes in place of one piece of memory; shared by the tensors that look at it."""

    __slots__ = ("n_changes",)

    def __init__(self) -> None:
        self.n_changes = 0


class SparseGradient:
    """Gradient of a table by some of its rows: `rows` (int64, ascending, each once), `values` (len(rows), ...)."""

    __slots__ = ("rows", "shape", "values")
    __array_ufunc__ = None  # ndarray + SparseGradient is for us to compute

    def __init__(self, rows: NDArray[np.int64], values: Array, shape: tuple[int, ...]) -> None:
        self.rows, self.values, self.shape = rows, values, shape

    def to_dense(self) -> Array:
        """Return an array of the table's shape, zero elsewhere."""
        dense = np.zeros(self.shape, np.float32)
        dense[self.rows] = self.values
        return dense

    def __add__(self, other: "SparseGradient | Array") -> "SparseGradient | Array":
        if not isinstance(other, SparseGradient):
            total: Array = other.copy()
            total[self.rows] += self.values
            return total
        rows, inverse = np.unique(np.concatenate([self.rows, other.rows]), return_inverse=True)
        values = np.zeros((len(rows), *self.shape[1:]), np.float32)
        values[inverse[: len(self.rows)]] = self.values
        values[inverse[len(self.rows) :]] += other.values
        return SparseGradient(rows, values, self.shape)

    __radd__ = __add__


class Node:
    """One operation on the tape."""

    __slots__ = ("backward", "n_outputs", "op", "parents", "position", "saved", "shapes")

    def __init__(
        self,
        op: str,
        parents: "Sequence[Tensor]",
        backward: Callable[..., Gradients],
        saved: "Sequence[Tensor]",
        n_outputs: int,
    ) -> None:
        self.op = op
        self.backward: Callable[..., Gradients] | None = backward
        # Where the gradients go: a leaf, or (node, which output of it), or nowhere.
        self.parents: list[Tensor | tuple[Node, int] | None] = [
            None if not p.requires_grad else (p._node, p._output) if p._node is not None else p for p in parents
        ]
        self.saved = [(t._version, t._version.n_changes) for t in saved]
        self.shapes = [p.shape for p in parents]
        self.position = next(_positions)
        self.n_outputs = n_outputs

    def run(self, gradients: Gradients, retain: bool) -> Gradients:
        """Gradients by the parents from those by the outputs."""
        if self.backward is None:
            raise RuntimeError(
                f"backward through {self.op} a second time: what it had saved is freed; call the first "
                "backward(retain_graph=True) if both are meant"
            )
        for version, n_changes in self.saved:
            if version.n_changes != n_changes:
                raise RuntimeError(f"a tensor that {self.op} saved for its gradient was changed in place since")
        results = self.backward(*gradients)
        if not retain:
            self.backward, self.saved = None, []
        for gradient, shape in zip(results, self.shapes, strict=True):
            if gradient is not None and tuple(gradient.shape) != shape:
                raise RuntimeError(f"gradient of {self.op} has shape {gradient.shape}, but its input has {shape}")
        return results


class Tensor:
    """A NumPy array that remembers how it was made.

    Parameters
    ----------
    data : array-like
        float32, integers or bool; lists and numbers of Python's float become float32. A copy is made: what the caller
        does with an array afterwards changes no tensor, and no gradient. :func:`as_tensor` shares the memory.
    requires_grad : bool, default=False
        Whether :meth:`backward` shall compute the gradient by it. Only for float32.

    Attributes
    ----------
    data : ndarray
        The values. Change them with :meth:`copy_` and its like: what is written into the array itself goes unseen.
    grad : ndarray of float32, SparseGradient or None
        Gradient of what :meth:`backward` was called on, summed over calls until :meth:`zero_grad`.
    """

    # _is_shared: somebody else may write to `data`.
    __slots__ = ("__weakref__", "_is_shared", "_node", "_output", "_version", "data", "grad", "requires_grad")
    __array_priority__ = 1000  # ndarray + Tensor is for us to compute

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        values = _values(data)
        is_new = isinstance(data, list | tuple | int | float | np.generic)  # of what else the values may be somebody's
        self._start(values if is_new else _copy(values), requires_grad)

    def _start(self, values: NDArray[Any], requires_grad: bool = False) -> Self:
        """Look at `values`, which nobody else changes."""
        if requires_grad and values.dtype != np.float32:
            raise TypeError(f"only float32 tensors have gradients, got {values.dtype}")
        self.data: NDArray[Any] = values
        self.grad: Any = None
        self.requires_grad = requires_grad
        self._node: Node | None = None
        self._output = 0
        self._version = Version()
        self._is_shared = False
        return self

    # ---- what it is ----
    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.data.dtype

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a tensor without axes has no len()")
        return len(self.data)

    def __repr__(self) -> str:
        text = np.array2string(self.data, precision=4, separator=", ", threshold=100)
        made = f", made_by={self._node.op}" if self._node is not None else ", requires_grad" * self.requires_grad
        return f"Tensor({text}, shape={self.shape}{made})"

    def numpy(self) -> NDArray[Any]:
        """Return the values, read-only where a gradient may depend on them."""
        view = self.data.view()
        view.flags.writeable = view.flags.writeable and not self.requires_grad
        return view

    def detach(self) -> "Tensor":
        """Return a tensor with the same memory and no past."""
        other = wrap(self.data)
        other._version, other._is_shared = self._version, self._is_shared
        return other

    # ---- gradients ----
    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add to `grad` of every leaf that this tensor was made from.

        Parameters
        ----------
        gradient : array-like of the tensor's shape, optional
            Gradient of the final value by this tensor; 1 if it has a single entry.
        retain_graph : bool, default=False
            Keep what the operations have saved, for a second call.

        Raises
        ------
        RuntimeError
            If nothing requires a gradient, for a second call without `retain_graph`, or if a tensor that was saved has
            been changed in place.
        ShapeError
            If `gradient` has another shape.
        """
        if not self.requires_grad:
            raise RuntimeError("backward of a tensor that depends on nothing with requires_grad=True")
        if gradient is None:
            if self.size != 1:
                raise ShapeError(f"backward of a tensor with shape {self.shape} needs the gradient by it")
            gradient = np.ones(self.shape, np.float32)
        gradient = np.asarray(gradient.data if isinstance(gradient, Tensor) else gradient, np.float32)
        if gradient.shape != self.shape:
            raise ShapeError(f"gradient has shape {gradient.shape}, the tensor {self.shape}")
        _Sweep(retain_graph).run(self, gradient)

    # ---- changes in place ----
    def _about_to_change(self) -> None:
        if self.requires_grad and grad_enabled():
            raise RuntimeError("a tensor that requires a gradient is changed in place only under no_grad()")
        self._version.n_changes += 1

    def copy_(self, values: Any) -> Self:
        """Take over values of the same shape, or that broadcast to it."""
        self._about_to_change()
        np.copyto(self.data, values.data if isinstance(values, Tensor) else values, casting="same_kind")
        return self

    def fill_(self, value: float) -> Self:
        """Set all entries."""
        self._about_to_change()
        self.data.fill(value)
        return self

    def zero_(self) -> Self:
        """Set all entries to zero."""
        return self.fill_(0)

    def add_(self, other: Any) -> Self:
        """Add in place."""
        self._about_to_change()
        self.data += other.data if isinstance(other, Tensor) else other
        return self

    def mul_(self, other: Any) -> Self:
        """Multiply in place."""
        self._about_to_change()
        self.data *= other.data if isinstance(other, Tensor) else other
        return self

    if TYPE_CHECKING:  # _arithmetic.py and its like add the operations; what each does stands there

        def __add__(self, other: Any) -> "Tensor": ...
        def __radd__(self, other: Any) -> "Tensor": ...
        def __sub__(self, other: Any) -> "Tensor": ...
        def __rsub__(self, other: Any) -> "Tensor": ...
        def __mul__(self, other: Any) -> "Tensor": ...
        def __rmul__(self, other: Any) -> "Tensor": ...
        def __truediv__(self, other: Any) -> "Tensor": ...
        def __rtruediv__(self, other: Any) -> "Tensor": ...
        def __neg__(self) -> "Tensor": ...
        def __pow__(self, exponent: float) -> "Tensor": ...
        def __matmul__(self, other: Any) -> "Tensor": ...
        def __rmatmul__(self, other: Any) -> "Tensor": ...
        def __getitem__(self, index: Any) -> "Tensor": ...
        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...
        def __lt__(self, other: Any) -> "Tensor": ...
        def __le__(self, other: Any) -> "Tensor": ...
        def __gt__(self, other: Any) -> "Tensor": ...
        def __ge__(self, other: Any) -> "Tensor": ...
        def __hash__(self) -> int: ...
        def __bool__(self) -> bool: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...
        def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]: ...
        def abs(self) -> "Tensor": ...
        def all(self, dim: Any = None, keepdim: bool = False) -> "Tensor": ...
        def any(self, dim: Any = None, keepdim: bool = False) -> "Tensor": ...
        def argmax(self, dim: int | None = None, keepdim: bool = False) -> "Tensor": ...
        def argmin(self, dim: int | None = None, keepdim: bool = False) -> "Tensor": ...
        def clamp(self, min: Any = None, max: Any = None) -> "Tensor": ...  # noqa: A002
        def cumsum(self, dim: int) -> "Tensor": ...
        def exp(self) -> "Tensor": ...
        def expand(self, *shape: Any) -> "Tensor": ...
        def flatten(self, start_dim: int = 0, end_dim: int = -1) -> "Tensor": ...
        def item(self) -> Any: ...
        def gather(self, dim: int, index: Any) -> "Tensor": ...
        def log(self) -> "Tensor": ...
        def masked_fill(self, mask: Any, value: float) -> "Tensor": ...
        def max(self, dim: Any = None, keepdim: bool = False) -> Any: ...
        def mean(self, dim: Any = None, keepdim: bool = False) -> "Tensor": ...
        def min(self, dim: Any = None, keepdim: bool = False) -> Any: ...
        def permute(self, *dims: Any) -> "Tensor": ...
        def prod(self, dim: int | None = None, keepdim: bool = False) -> "Tensor": ...
        def reshape(self, *shape: Any) -> "Tensor": ...
        def sqrt(self) -> "Tensor": ...
        def squeeze(self, dim: Any = None) -> "Tensor": ...
        def std(self, dim: Any = None, correction: float = 1, keepdim: bool = False) -> "Tensor": ...
        def sum(self, dim: Any = None, keepdim: bool = False) -> "Tensor": ...
        def tolist(self) -> Any: ...
        def transpose(self, dim0: int, dim1: int) -> "Tensor": ...
        def unsqueeze(self, dim: int) -> "Tensor": ...
        def var(self, dim: Any = None, correction: float = 1, keepdim: bool = False) -> "Tensor": ...
        def where(self, condition: Any, other: Any) -> "Tensor": ...


def _values(data: Any) -> NDArray[Any]:
    """Return the values of what a tensor may be made of: an array itself, not a copy."""
    if isinstance(data, Tensor):
        return data.data
    if not isinstance(data, np.ndarray | np.generic):
        if isinstance(data, list | tuple) and any(isinstance(item, Tensor) for item in data):
            raise TypeError(
                f"got a {type(data).__name__} of tensors: take one of them, or join them with nn.stack or "
                "nn.concatenate"
            )
        data = np.asarray(data)
        if data.dtype == np.float64:
            data = data.astype(np.float32)
    values = np.asarray(data)
    if values.dtype != np.float32 and values.dtype.kind not in "iub":
        raise TypeError(
            f"a Tensor holds float32, integers or bool, got {values.dtype}; for numbers: x.astype(np.float32)"
        )
    return values


def _copy(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the same layout, from the pool: fresh pages would cost more than copying."""
    if values.size < 1 << 15 or values.dtype != np.float32 or not values.flags.c_contiguous:
        return np.array(values)
    out: Array = core.nn.empty(values.shape)
    out[...] = values
    return out


def wrap(values: NDArray[Any]) -> Tensor:
    """Return a tensor that looks at `values`: for results, which nobody else changes."""
    return Tensor.__new__(Tensor)._start(values)


def _sum(a: Array, b: Array) -> Array:
    """Return a + b, where it pays on all threads."""
    if a.size >= 1 << 15 and a.flags.c_contiguous and b.flags.c_contiguous:
        return core.nn.add(a, b, n_threads=n_threads())
    return np.asarray(a + b)  # NumPy gives a number for arrays without axes


class _Sweep:
    """One walk back over the tape."""

    def __init__(self, retain: bool) -> None:
        self.retain = retain
        self.waiting: dict[Node, list[Any]] = {}  # gradients by outputs that have arrived
        self.summed: set[int] = set()  # those of them that are sums made here: nobody else holds them
        self.taken: dict[int, Any] = {}  # arrays that a leaf holds, and perhaps others: never changed in place
        self.queue: list[tuple[int, Node]] = []  # the last operation first

    def run(self, tensor: Tensor, gradient: Array) -> None:
        self.taken[id(gradient)] = gradient
        self.give(tensor if tensor._node is None else (tensor._node, tensor._output), gradient)
        while self.queue:
            node = heapq.heappop(self.queue)[1]
            gradients = self.waiting.pop(node)
            self.summed.difference_update(map(id, gradients))
            for parent, result in zip(node.parents, node.run(gradients, self.retain), strict=True):
                if result is not None and parent is not None:
                    self.give(parent, result)

    def give(self, target: Tensor | tuple[Node, int], gradient: Any) -> None:
        if isinstance(target, Tensor):
            self.give_leaf(target, gradient)
            return
        node, output = target
        if node not in self.waiting:
            self.waiting[node] = [None] * node.n_outputs
            heapq.heappush(self.queue, (-node.position, node))
        gradients = self.waiting[node]
        before = gradients[output]
        if before is None:
            gradients[output] = gradient
        elif id(before) in self.summed:
            before += gradient
        else:
            gradients[output] = _sum(before, gradient)
            self.summed.add(id(gradients[output]))

    def give_leaf(self, leaf: Tensor, gradient: Any) -> None:
        if leaf.grad is not None:
            if isinstance(leaf.grad, SparseGradient) or isinstance(gradient, SparseGradient):
                leaf.grad = leaf.grad + gradient
            elif id(leaf.grad) in self.taken:  # came in this walk: a node that waits may hold it too
                leaf.grad = _sum(leaf.grad, gradient)
            else:
                leaf.grad += gradient
            return
        if not isinstance(gradient, SparseGradient):
            gradient = np.asarray(gradient)
            if id(gradient) in self.taken or isinstance(gradient.base, np.ndarray) or not gradient.flags.c_contiguous:
                gradient = gradient.copy(order="C")
            else:
                self.taken[id(gradient)] = gradient
        leaf.grad = gradient


def as_tensor(data: Any) -> Tensor:
    """Return `data` itself if it is a Tensor, else a Tensor around it that shares an array's memory.

    What is written into the array later changes the tensor, but no gradient: operations that keep it for theirs make a
    copy, as :class:`Tensor` does at once. Only where the tensor itself requires a gradient it must not be written to.
    """
    if isinstance(data, Tensor):
        return data
    tensor = wrap(_values(data))
    tensor._is_shared = True
    return tensor


def operands(*values: Any) -> tuple[Any, ...]:
    """Return what an operation computes with as tensors; None stays None.

    Where a gradient may be asked for, arrays are copied: the operation keeps what its gradient needs, and the caller
    may fill an array again before `backward`. Changes of a Tensor are seen by its version.
    """
    for v in values:
        if v is not None and (not isinstance(v, Tensor) or v._is_shared):
            break
    else:
        return values
    keep = Tensor if recording(values) else as_tensor
    return tuple(
        v if v is None or (isinstance(v, Tensor) and (v.requires_grad or not v._is_shared)) else keep(v) for v in values
    )


def recording(values: Sequence[Any]) -> bool:
    """Whether an operation on these will be on the tape."""
    return grad_enabled() and any(isinstance(v, Tensor) and v.requires_grad for v in values)


def float_tensor(data: Any, name: str) -> Tensor:
    """Return `data` as a Tensor of float32, or raise TypeError that calls it `name`."""
    tensor = as_tensor(data)
    if tensor.dtype != np.float32:
        raise TypeError(f"{name} must be float32, got {tensor.dtype}")
    return tensor


def record(
    op: str,
    data: Array,
    parents: Sequence[Tensor],
    backward: Callable[[Array], Gradients],
    saved: Sequence[Tensor] = (),
    *,
    output_saved: bool = False,
) -> Tensor:
    """Return the result of an operation as a Tensor, on the tape if a gradient may be asked for.

    Parameters
    ----------
    op : str
        Name for messages.
    data : ndarray of float32
        The result.
    parents : sequence of Tensor
        What it was made from.
    backward : callable
        Takes the gradient by the result, returns one by each parent: an array of the parent's shape, or None. It may
        hand on the array it got, and must not write to it. A tensor that it refers to stays in memory until then:
        it should refer to none but those saved.
    saved : sequence of Tensor
        Those whose values `backward` uses: a change in place before it runs is an error.
    output_saved : bool, default=False
        Whether `backward` uses `data` as well.
    """
    return record_many(op, (data,), parents, backward, saved, output_saved=output_saved)[0]


def record_many(
    op: str,
    outputs: Sequence[Array],
    parents: Sequence[Tensor],
    backward: Callable[..., Gradients],
    saved: Sequence[Tensor] = (),
    *,
    output_saved: bool = False,
) -> tuple[Tensor, ...]:
    """As :func:`record` for several results: `backward` takes a gradient for each, None where none arrived."""
    tensors = tuple(wrap(_values(data)) for data in outputs)
    if grad_enabled() and any(p.requires_grad for p in parents):
        node = Node(op, parents, backward, (*saved, *tensors) if output_saved else saved, len(tensors))
        for i, tensor in enumerate(tensors):
            tensor.requires_grad, tensor._node, tensor._output = True, node, i
    return tensors
