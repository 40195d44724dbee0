"""What all losses share: how they are reduced, and when their gradients are made."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, Gradients, Tensor, as_tensor, grad_enabled, record

_REDUCTIONS = ("none", "mean", "sum")


def record_loss(
    op: str, x: Tensor, reduction: str, evaluate: Callable[..., tuple[Any, Any]], place: Any, fixed: list[Tensor]
) -> Tensor:
    """Return the loss of a kernel as a Tensor.

    `evaluate(reduction, dy, with_gradient)` returns the loss and its gradient; `dy` are the gradients with respect to
    the single losses where these are not reduced. `place` brings the gradient into the shape of x; `fixed` are the
    tensors beside x that it is made from.
    """
    made = x.requires_grad and grad_enabled()
    loss, gradient = evaluate(reduction, None, made and reduction != "none")
    kept = [gradient]

    def backward(dy: Array) -> Gradients:
        if reduction == "none":
            return [place(evaluate(reduction, np.ascontiguousarray(dy), True)[1])]
        # Computed in the forward pass; a second backward pass finds it used up and computes it again.
        dx = kept.pop() if kept else evaluate(reduction, None, True)[1]
        if dy.item() != 1:
            dx = core.nn.scale(dx, dy.item(), out=dx, n_threads=n_threads())
        return [place(dx)]

    return record(op, loss, [x], backward, saved=(x, *fixed))


def check_reduction(op: str, reduction: str) -> None:
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction of {op} must be 'none', 'mean' or 'sum', got {reduction!r}")


def without_gradient(op: str, name: str, value: Any) -> Any:
    """Return the array of an argument that has no gradient."""
    if value is None:
        return None
    t = as_tensor(value)
    if t.requires_grad:
        raise ValueError(f"{op} has no gradient with respect to {name}: pass {name}.detach()")
    return t.data
