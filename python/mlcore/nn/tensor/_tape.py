"""The tape by which gradients flow back (reverse-mode automatic differentiation).

A tensor is a NumPy array that remembers how it was made. An operation computes its result with a kernel and calls
:func:`record` with a function that turns the gradient with respect to the result into those with respect to what it was
made from. :meth:`TensorBase.backward` walks these records from the last to the first. A record holds no tensors but
those that the operation saved, so that activations nobody needs are freed at once.

Left out on purpose: gradients of gradients, float64 networks, gradients with respect to integers.
"""

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor._errors import ShapeError
from mlcore.nn.tensor._sparse_gradient import SparseGradient

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor

Array = NDArray[np.float32]
Gradients = Sequence[Any]  # one for each parent: an Array, a SparseGradient or None

_local = threading.local()
_positions = count()


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
    """Counts the changes in place of one piece of memory; the tensors that are views of it share it."""

    __slots__ = ("n_changes",)

    def __init__(self) -> None:
        self.n_changes = 0


class Node:
    """One operation on the tape."""

    __slots__ = ("backward", "n_outputs", "op", "parents", "position", "saved", "shapes")

    def __init__(
        self,
        op: str,
        parents: "Sequence[TensorBase]",
        backward: Callable[..., Gradients],
        saved: "Sequence[TensorBase]",
        n_outputs: int,
    ) -> None:
        self.op = op
        self.backward: Callable[..., Gradients] | None = backward
        # Where the gradients go: a leaf, or (node, which output of it), or nowhere.
        self.parents: list[TensorBase | tuple[Node, int] | None] = [
            None if not p.requires_grad else (p._node, p._output) if p._node is not None else p for p in parents
        ]
        self.saved = [(t._version, t._version.n_changes) for t in saved]
        self.shapes = [p.data.shape for p in parents]
        self.position = next(_positions)
        self.n_outputs = n_outputs

    def run(self, gradients: Gradients, retain: bool) -> Gradients:
        """Return the gradients with respect to the parents, from those with respect to the outputs."""
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


class TensorBase:
    """What the tape knows of a tensor: its values, its gradient, how it was made, and changes in place.

    The classes of operations derive from it, and :class:`Tensor` from all of them.
    """

    # _is_shared: somebody else may write to `data`.
    __slots__ = ("__weakref__", "_is_shared", "_node", "_output", "_version", "data", "grad", "requires_grad")
    __array_priority__ = 1000  # ndarray + Tensor is for us to compute

    _result_class: "ClassVar[type[Tensor]]"
    """The class of what operations return: the one that is defined with ``is_result=True``."""

    def __init_subclass__(cls, *, is_result: bool = False) -> None:
        super().__init_subclass__()
        if is_result:
            TensorBase._result_class = cls  # type: ignore[assignment]

    def _start(self, values: NDArray[Any], requires_grad: bool = False) -> Self:
        """Hold `values`, which nobody else changes."""
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

    def detach(self) -> "Tensor":
        """Return a tensor with the same memory that does not remember how it was made."""
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
            Gradient of the final value with respect to this tensor; 1 if it has a single entry.
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
                raise ShapeError(f"backward of a tensor with shape {self.shape} needs the gradient with respect to it")
            gradient = np.ones(self.shape, np.float32)
        gradient = np.asarray(gradient.data if isinstance(gradient, TensorBase) else gradient, np.float32)
        if gradient.shape != self.shape:
            raise ShapeError(f"gradient has shape {gradient.shape}, the tensor {self.shape}")
        _BackwardPass(retain_graph).run(self, gradient)

    # ---- changes in place ----
    def _about_to_change(self) -> None:
        if self.requires_grad and grad_enabled():
            raise RuntimeError("a tensor that requires a gradient is changed in place only under no_grad()")
        self._version.n_changes += 1

    def copy_(self, values: Any) -> Self:
        """Copy values of the same shape, or that broadcast to it, into this tensor."""
        self._about_to_change()
        np.copyto(self.data, values.data if isinstance(values, TensorBase) else values, casting="same_kind")
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
        self.data += other.data if isinstance(other, TensorBase) else other
        return self

    def mul_(self, other: Any) -> Self:
        """Multiply in place."""
        self._about_to_change()
        self.data *= other.data if isinstance(other, TensorBase) else other
        return self


class _BackwardPass:
    """One walk over the tape, from the last operation to the first."""

    def __init__(self, retain: bool) -> None:
        self.retain = retain
        self.arrived: dict[Node, list[Any]] = {}  # gradients with respect to the outputs of a node, so far
        self.summed: set[int] = set()  # those of them that are sums made here: nobody else holds them
        self.taken: dict[int, Any] = {}  # arrays that a leaf holds, and perhaps others: never changed in place
        self.queue: list[tuple[int, Node]] = []  # the last operation first

    def run(self, tensor: TensorBase, gradient: Array) -> None:
        self.taken[id(gradient)] = gradient
        self.give(tensor if tensor._node is None else (tensor._node, tensor._output), gradient)
        while self.queue:
            node = heapq.heappop(self.queue)[1]
            gradients = self.arrived.pop(node)
            self.summed.difference_update(map(id, gradients))
            for parent, result in zip(node.parents, node.run(gradients, self.retain), strict=True):
                if result is not None and parent is not None:
                    self.give(parent, result)

    def give(self, target: TensorBase | tuple[Node, int], gradient: Any) -> None:
        if isinstance(target, TensorBase):
            self.give_leaf(target, gradient)
            return
        node, output = target
        if node not in self.arrived:
            self.arrived[node] = [None] * node.n_outputs
            heapq.heappush(self.queue, (-node.position, node))
        gradients = self.arrived[node]
        before = gradients[output]
        if before is None:
            gradients[output] = gradient
        elif id(before) in self.summed:
            before += gradient
        else:
            gradients[output] = _sum(before, gradient)
            self.summed.add(id(gradients[output]))

    def give_leaf(self, leaf: TensorBase, gradient: Any) -> None:
        if leaf.grad is not None:
            if isinstance(leaf.grad, SparseGradient) or isinstance(gradient, SparseGradient):
                leaf.grad = leaf.grad + gradient
            elif id(leaf.grad) in self.taken:  # came in this pass: a node that is still to run may hold it too
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


def _sum(a: Array, b: Array) -> Array:
    """Return a + b, on all threads where that pays."""
    if a.size >= 1 << 15 and a.flags.c_contiguous and b.flags.c_contiguous:
        return core.nn.add(a, b, n_threads=n_threads())
    return np.asarray(a + b)  # NumPy gives a number for arrays without axes


def checked_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """Return `values`, or raise TypeError if a tensor cannot hold them."""
    if values.dtype != np.float32 and values.dtype.kind not in "iub":
        raise TypeError(
            f"a Tensor holds float32, integers or bool, got {values.dtype}; for numbers: x.astype(np.float32)"
        )
    return values


def wrap(values: NDArray[Any]) -> "Tensor":
    """Return a tensor that holds `values` themselves: for results, which nobody else changes."""
    cls = TensorBase._result_class
    return cls.__new__(cls)._start(values)


def record(
    op: str,
    data: Array,
    parents: Sequence[TensorBase],
    backward: Callable[[Array], Gradients],
    saved: Sequence[TensorBase] = (),
    *,
    output_saved: bool = False,
) -> "Tensor":
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
        Takes the gradient with respect to the result, returns those with respect to the parents: for each an array of
        its shape, or None. It may return the array it got, and must not write to it. A tensor that it refers to stays
        in memory until then: it should refer to none but those saved.
    saved : sequence of Tensor
        Those whose values `backward` uses: a change in place before it runs is an error.
    output_saved : bool, default=False
        Whether `backward` uses `data` as well.
    """
    tensor = wrap(checked_dtype(np.asarray(data)))
    if requires_gradient(parents):
        tensor.requires_grad = True
        tensor._node = Node(op, parents, backward, (*saved, tensor) if output_saved else saved, 1)
    return tensor


def record_many(
    op: str,
    outputs: Sequence[Array],
    parents: Sequence[TensorBase],
    backward: Callable[..., Gradients],
    saved: Sequence[TensorBase] = (),
    *,
    output_saved: bool = False,
) -> "tuple[Tensor, ...]":
    """As :func:`record` for several results: `backward` takes a gradient for each, None where none arrived."""
    tensors = tuple(wrap(checked_dtype(np.asarray(data))) for data in outputs)
    if requires_gradient(parents):
        node = Node(op, parents, backward, (*saved, *tensors) if output_saved else saved, len(tensors))
        for i, tensor in enumerate(tensors):
            tensor.requires_grad, tensor._node, tensor._output = True, node, i
    return tensors


def requires_gradient(parents: Sequence[Any]) -> bool:
    """Whether an operation on these, tensors or not, is recorded."""
    if grad_enabled():
        for p in parents:
            if isinstance(p, TensorBase) and p.requires_grad:
                return True
    return False
