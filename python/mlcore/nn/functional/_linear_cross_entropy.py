"""The output layer of a language model and its loss as one operation."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._reduction import check_reduction, without_gradient
from mlcore.nn.functional._reduction_log import log_reduction
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, grad_enabled, operands, record


def linear_cross_entropy(
    input: Tensor | Array,
    weight: Tensor | Array,
    target: Any,
    bias: Tensor | Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Compute ``cross_entropy(linear(x, W, b), t)`` without ever holding all logits.

    With many classes the logits are far larger than everything else: 4,000 tokens of 9,000 words are 144 MB. Here they
    are made for some hundred rows at a time, and the losses and all gradients with them in the same pass, while they
    are in cache. Rows to be ignored, such as words that are not masked, cost nothing.

    Parameters
    ----------
    input : Tensor (N, k)
        x, the features of each row.
    weight : Tensor (V, k)
        W, such as a table of embeddings.
    target : int array (N,)
        t, classes in [0, V).
    bias : Tensor (V,), optional
        b.
    ignore_index : int, default=-100
        Where the target is this, loss and gradient are 0.
    label_smoothing : float in [0, 1], default=0
        Share a of the uniform distribution.
    reduction : {"none", "mean", "sum"}, default="mean"
        The mean is over the targets that are not ignored; 0 if all are, NaN without rows. "none" computes everything
        a second time in the backward pass.

    Returns
    -------
    Tensor () or (N,)
        ``L_i = -sum_j q_ij log softmax(z_i)_j`` with z = x W^T + b and q_ij = (1 - a) [j = t_i] + a / V. With
        dz = softmax(z) - q (divided by the number of targets for a mean): dx = dz W, dW = dz^T x, db = the sum of dz
        over the rows.

    Raises
    ------
    ShapeError, TypeError
        If shapes or dtypes do not go together.
    ValueError
        If a class is out of range, or `target` requires a gradient.
    """
    op = "linear_cross_entropy"
    check_reduction(op, reduction)
    x, w, t, b = operands(input, weight, target, bias)
    x, w = float_tensor(x, f"input of {op}"), float_tensor(w, f"weight of {op}")
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1]:
        raise ShapeError(
            f"input of {op} of shape {x.shape} does not fit weight of shape {w.shape}: expected (N, k) and (V, k)"
        )
    if w.shape[0] == 0:
        raise ShapeError(f"weight of {op} of shape {w.shape} has no classes")
    if b is not None and float_tensor(b, f"bias of {op}").shape != w.shape[:1]:
        raise ShapeError(f"bias of {op} of shape {b.shape} does not fit weight of shape {w.shape}")
    if t is None:
        raise TypeError(f"target of {op} must be classes (int), got None")
    classes = without_gradient(op, "target", t)
    if classes.dtype.kind not in "iu":
        raise TypeError(f"target of {op} must be classes (int), got {classes.dtype}")
    if classes.shape != x.shape[:1]:
        raise ShapeError(f"target of {op} has shape {classes.shape}, but input has shape {x.shape}")
    classes = np.ascontiguousarray(classes, np.int64)
    xs, ws = np.ascontiguousarray(x.data), np.ascontiguousarray(w.data)
    bs = None if b is None else np.ascontiguousarray(b.data)
    parents = [p for p in (x, w, b) if p is not None]
    wanted = [p is not None and p.requires_grad for p in (x, w, b)]

    def evaluate(dy: Array | None, with_gradient: bool) -> tuple[Any, list[Any]]:
        loss, *gradients = core.nn.linear_cross_entropy(
            xs,
            ws,
            bs,
            classes,
            row_factor=dy,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            reduction=reduction,
            want_input=with_gradient and wanted[0],
            want_weight=with_gradient and wanted[1],
            want_bias=with_gradient and wanted[2],
            n_threads=n_threads(),
        )
        return loss, gradients[: len(parents)]

    loss, gradients = evaluate(None, grad_enabled() and any(wanted) and reduction != "none")
    kept = [gradients]

    def backward(dy: Array) -> Gradients:
        if reduction == "none":
            return evaluate(np.ascontiguousarray(dy), True)[1]
        # Made in the forward pass; a second backward pass finds them used up and makes them again.
        made = kept.pop() if kept else evaluate(None, True)[1]
        factor = dy.item()
        if factor == 1:
            return made
        return [None if g is None else core.nn.scale(g, factor, out=g, n_threads=n_threads()) for g in made]

    result = record(op, loss, parents, backward, saved=(x, w, t) if b is None else (x, w, t, b))
    return log_reduction(result, reduction, lambda: float(np.count_nonzero(classes != ignore_index)))
