"""Losses of classification among several classes. Logits are read once: the gradient is made in the same pass."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._reduction import check_reduction, record_loss, without_gradient
from mlcore.nn.functional._reduction_log import log_reduction
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, operands, record


def _class_rows(op: str, x: Tensor) -> Array:
    """Return (N, C, ...) or (C,) as rows of classes."""
    if x.ndim == 0 or x.shape[min(x.ndim - 1, 1)] == 0:
        raise ShapeError(f"input of {op} has shape {x.shape}: expected (N, C), (N, C, ...) or (C,), with a class")
    moved = x.data if x.ndim < 3 else np.moveaxis(x.data, 1, -1)
    return np.ascontiguousarray(moved).reshape(-1, moved.shape[-1])


def _class_targets(op: str, x: Tensor, target: Any) -> tuple[Array, tuple[int, ...]]:
    """Return targets as classes (rows,) or distributions (rows, C), and the shape of the losses."""
    shape = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if target.dtype.kind in "iu":
        if target.shape != shape:
            raise ShapeError(
                f"target of {op} has shape {target.shape}, but input of shape {x.shape} has classes for {shape}"
            )
        return np.ascontiguousarray(target.reshape(-1), np.int64), shape
    if target.dtype != np.float32:
        raise TypeError(f"target of {op} must be classes (int) or probabilities (float32), got {target.dtype}")
    if target.shape != x.shape:
        raise ShapeError(f"probabilities of {op} have shape {target.shape}, but input has shape {x.shape}")
    moved = target if x.ndim < 3 else np.moveaxis(target, 1, -1)
    return np.ascontiguousarray(moved).reshape(-1, moved.shape[-1]), shape


def _cross_entropy(
    op: str,
    input: Tensor | Array,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    gamma: float,
) -> Tensor:
    check_reduction(op, reduction)
    x, t, weight = operands(input, target, weight)
    float_tensor(x, f"input of {op}")
    rows = _class_rows(op, x)
    targets, shape = _class_targets(op, x, without_gradient(op, "target", t))
    w = without_gradient(op, "weight", weight)
    if w is not None and w.shape != rows.shape[1:]:
        raise ShapeError(
            f"weight of {op} has shape {w.shape}, but input of shape {x.shape} has {rows.shape[1]} classes"
        )

    def evaluate(reduction: str, dy: Array | None, with_gradient: bool) -> tuple[Any, Any]:
        loss, gradient = core.nn.cross_entropy(
            rows,
            targets,
            class_weight=None if w is None else np.ascontiguousarray(w),
            row_factor=None if dy is None else dy.reshape(-1),
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            gamma=gamma,
            reduction=reduction,
            with_gradient=with_gradient,
            n_threads=n_threads(),
        )
        return (loss.reshape(shape) if reduction == "none" else loss), gradient

    def place(dx: Array) -> Array:
        if x.ndim < 3:
            return dx if x.ndim == 2 else dx.reshape(x.shape)
        return np.moveaxis(dx.reshape(*shape, x.shape[1]), -1, 1)

    def mean_over() -> float:
        if targets.ndim == 2:
            return float(len(targets))
        used = targets[targets != ignore_index]
        return float(len(used) if w is None else w[used].sum(dtype=np.float64))

    loss = record_loss(op, x, reduction, evaluate, place, [t] if weight is None else [t, weight])
    return log_reduction(loss, reduction, mean_over)


def cross_entropy(
    input: Tensor | Array,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute the cross-entropy of logits against classes, or against a distribution over them.

    ``L = -sum_j q_j w_j log softmax(x)_j`` where q is 1 at the target, mixed with the uniform distribution by label
    smoothing (Szegedy et al. 2016).

    Parameters
    ----------
    input : Tensor (N, C), (N, C, ...) or (C,)
        x, logits.
    target : int array (N), (N, ...) or (); or float32 array of input's shape
        Classes in [0, C), or q itself.
    weight : array (C,), optional
        w; 1 by default.
    ignore_index : int, default=-100
        Where the target is this, loss and gradient are 0.
    reduction : {"none", "mean", "sum"}, default="mean"
        The mean is over the weights of the targets (over N for distributions); 0 if all are ignored, NaN without rows.
    label_smoothing : float in [0, 1], default=0
        Share of the uniform distribution.

    Returns
    -------
    Tensor () or (N, ...)
        L; ``dx_j = softmax(x)_j sum_k q_k w_k - q_j w_j``, made in the same pass.

    Raises
    ------
    ShapeError, TypeError
        If shapes or dtypes do not go together.
    ValueError
        If a class is out of range, or `target` requires a gradient.
    """
    return _cross_entropy("cross_entropy", input, target, weight, ignore_index, reduction, label_smoothing, 0.0)


def focal_loss(
    input: Tensor | Array,
    target: Any,
    gamma: float = 2.0,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compute the focal loss of logits of several classes, in which what is well classified counts less.

    ``L = -w_t (1 - p_t)^gamma log p_t`` with p = softmax(x) and t the target (Lin et al. 2017).

    Parameters
    ----------
    input : Tensor (N, C), (N, C, ...) or (C,)
        x, logits.
    target : int array (N), (N, ...) or ()
        Classes in [0, C).
    gamma : float, default=2
        At least 0, where it is the cross-entropy.
    weight : array (C,), optional
        w; 1 by default.
    ignore_index, reduction
        As for :func:`cross_entropy`.

    Returns
    -------
    Tensor () or (N, ...)
        L; ``dx_j = w_t (p_j - [j = t]) ((1 - p_t)^gamma - gamma p_t (1 - p_t)^(gamma - 1) log p_t)``.

    Raises
    ------
    ShapeError, TypeError, ValueError
        As :func:`cross_entropy`.
    """
    return _cross_entropy("focal_loss", input, target, weight, ignore_index, reduction, 0.0, gamma)


def nll_loss(
    input: Tensor | Array, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Compute ``-w_t x_t`` for log-probabilities x and classes t: what :func:`cross_entropy` does after a log-softmax.

    Parameters
    ----------
    input : Tensor (N, C), (N, C, ...) or (C,)
        x.
    target : int array (N), (N, ...) or ()
        t.
    weight, ignore_index, reduction
        As for :func:`cross_entropy`.

    Returns
    -------
    Tensor () or (N, ...)
        The loss; its gradient is -w_t at the targets.

    Raises
    ------
    ShapeError, TypeError, ValueError
        As :func:`cross_entropy`.
    """
    check_reduction("nll_loss", reduction)
    x, target, weight = operands(input, target, weight)
    float_tensor(x, "input of nll_loss")
    rows = _class_rows("nll_loss", x)
    targets, shape = _class_targets("nll_loss", x, without_gradient("nll_loss", "target", target))
    if targets.dtype != np.int64:
        raise TypeError("target of nll_loss must be classes (int)")
    n_classes = rows.shape[1]
    used = targets != ignore_index
    wrong = used & ((targets < 0) | (targets >= n_classes))
    if wrong.any():
        where = int(np.argmax(wrong))
        raise ValueError(f"target {targets[where]} at position {where} is outside the {n_classes} classes of input")
    w = without_gradient("nll_loss", "weight", weight)
    if w is not None and w.shape != (n_classes,):
        raise ShapeError(
            f"weight of nll_loss has shape {w.shape}, but input of shape {x.shape} has {n_classes} classes"
        )
    classes, at = np.where(used, targets, 0), np.arange(len(rows))
    row_weights = np.where(used, 1 if w is None else w[classes], 0).astype(np.float32)
    picked = np.where(used, rows[at, classes], np.float32(0))  # what is ignored may be anything
    with np.errstate(invalid="ignore"):
        losses = -row_weights * picked
    total = row_weights.sum(dtype=np.float64)
    scale = 1 / total if reduction == "mean" and total != 0 else 1.0
    if reduction == "mean" and len(rows) == 0:
        scale = np.nan
    if reduction == "none":
        loss = losses.reshape(shape)
    else:
        loss = np.asarray(losses.sum(dtype=np.float64) * scale, np.float32)

    def backward(dy: Array) -> Gradients:
        dx = np.zeros((len(at), n_classes), np.float32)
        dx[at, classes] = -row_weights * (dy.reshape(-1) * np.float32(scale))
        return [dx.reshape(x.shape) if x.ndim < 3 else np.moveaxis(dx.reshape(*shape, n_classes), -1, 1)]

    return log_reduction(record("nll_loss", loss, [x], backward), reduction, lambda: float(total))
