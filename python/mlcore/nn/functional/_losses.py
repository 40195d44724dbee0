"""Losses that are sums over pairs of entries. Value and gradient are made in one pass."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._reduction import check_reduction, record_loss, without_gradient
from mlcore.nn.functional._reduction_log import log_reduction
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, as_tensor, operands, record


def _pointwise(
    op: str,
    kind: str,
    input: Tensor | Array,
    target: Any,
    reduction: str,
    *,
    weight: Any = None,
    pos_weight: Any = None,
    symmetric: bool = False,
    **options: float,
) -> Tensor:
    """Losses of pairs of entries; a `symmetric` one is a function of x - t: its target has a gradient too."""
    check_reduction(op, reduction)
    x, t, weight, pos_weight = operands(input, target, weight, pos_weight)
    if x.shape != t.shape:
        raise ShapeError(f"target of {op} has shape {t.shape}, but input has shape {x.shape}")
    if x.dtype != np.float32 or t.dtype != np.float32:
        raise TypeError(f"input and target of {op} must be float32, got {x.dtype} and {t.dtype}")
    if not symmetric:
        without_gradient(op, "target", t)

    def broadcast(name: str, values: Any) -> Any:
        values = without_gradient(op, name, values)
        if values is None:
            return None
        try:
            return np.ascontiguousarray(np.broadcast_to(values, x.shape))
        except ValueError:
            raise ShapeError(
                f"{name} of {op} has shape {values.shape}, which does not fit input of {x.shape}"
            ) from None

    w, pw = broadcast("weight", weight), broadcast("pos_weight", pos_weight)
    xs, ts = np.ascontiguousarray(x.data), np.ascontiguousarray(t.data)

    def evaluate(reduction: str, dy: Array | None, with_gradient: bool) -> tuple[Any, Any]:
        loss, gradient = core.nn.pointwise_loss(
            xs,
            ts,
            weight=w,
            positive_weight=pw,
            dy=None if dy is None else dy.reshape(xs.shape),
            kind=kind,
            reduction=reduction,
            with_gradient=with_gradient,
            n_threads=n_threads(),
            **options,
        )
        return (loss.reshape(x.shape) if reduction == "none" else loss), gradient

    def mean_over() -> float:
        return float(x.size)

    if not t.requires_grad:
        fixed = [v for v in (t, weight, pos_weight) if v is not None]
        loss = record_loss(op, x, reduction, evaluate, lambda dx: dx if x.ndim else dx.reshape(()), fixed)
        return log_reduction(loss, reduction, mean_over)

    def backward(dy: Array) -> Gradients:
        dys = np.ascontiguousarray(np.broadcast_to(dy, x.shape))
        dx = evaluate("none", dys, True)[1].reshape(x.shape)
        if reduction == "mean":
            dx = core.nn.scale(dx, 1 / max(x.size, 1), n_threads=n_threads())
        return [dx if x.requires_grad else None, -dx]

    loss = record(op, evaluate(reduction, None, False)[0], [x, t], backward, saved=(x, t))
    return log_reduction(loss, reduction, mean_over)


def mse_loss(input: Tensor | Array, target: Tensor | Array, reduction: str = "mean") -> Tensor:
    """Compute ``(x - t)^2``.

    Parameters
    ----------
    input, target : Tensor of one shape
        x and t.
    reduction : {"none", "mean", "sum"}, default="mean"
        How the losses of the entries are reduced.

    Returns
    -------
    Tensor () or of input's shape
        The loss; dx = 2 (x - t), dt = -dx. The mean of nothing is NaN.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    return _pointwise("mse_loss", "squared", input, target, reduction, symmetric=True)


def l1_loss(input: Tensor | Array, target: Tensor | Array, reduction: str = "mean") -> Tensor:
    """Compute ``|x - t|``; dx is its sign, 0 at 0. Arguments, result and errors as :func:`mse_loss`."""
    return _pointwise("l1_loss", "absolute", input, target, reduction, symmetric=True)


def smooth_l1_loss(input: Tensor | Array, target: Tensor | Array, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Compute ``d^2 / (2 beta)`` where ``|d| < beta``, else ``|d| - beta / 2``, with d = x - t (Girshick 2015).

    Parameters
    ----------
    input, target, reduction
        As for :func:`mse_loss`.
    beta : float, default=1
        Where the parabola ends; positive.

    Returns
    -------
    Tensor () or of input's shape
        The loss; dx = d / beta, clipped to [-1, 1]. Errors are those of :func:`mse_loss`, and a ValueError if beta is
        not positive.
    """
    return _pointwise("smooth_l1_loss", "smooth_absolute", input, target, reduction, symmetric=True, beta=beta)


def huber_loss(input: Tensor | Array, target: Tensor | Array, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Compute ``d^2 / 2`` where ``|d| < delta``, else ``delta (|d| - delta / 2)``, with d = x - t (Huber 1964).

    Arguments, result and errors are those of :func:`smooth_l1_loss` with `delta`, where the parabola ends, in the place
    of `beta`; dx = d, clipped to [-delta, delta].
    """
    return _pointwise("huber_loss", "huber", input, target, reduction, symmetric=True, beta=delta)


def binary_cross_entropy_with_logits(
    input: Tensor | Array, target: Tensor | Array, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """Compute ``-w (c t log p + (1 - t) log(1 - p))`` with p = sigmoid(x), without overflow for any finite x.

    Parameters
    ----------
    input : Tensor of any shape
        x, logits.
    target : Tensor of the same shape
        t in [0, 1], float32.
    weight : array that broadcasts to that shape, optional
        w; 1 by default.
    reduction : {"none", "mean", "sum"}, default="mean"
        How the losses of the entries are reduced.
    pos_weight : array that broadcasts to that shape, optional
        c; 1 by default.

    Returns
    -------
    Tensor () or of input's shape
        The loss; dx = w ((1 - t) p - c t (1 - p)).

    Raises
    ------
    ShapeError, TypeError
        If shapes or dtypes do not go together.
    ValueError
        If something other than `input` requires a gradient.
    """
    op = "binary_cross_entropy_with_logits"
    return _pointwise(op, "logistic", input, target, reduction, weight=weight, pos_weight=pos_weight)


def sigmoid_focal_loss(
    input: Tensor | Array, target: Tensor | Array, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none"
) -> Tensor:
    """Compute the focal loss of independent binary targets, as torchvision does.

    ``a m^gamma`` times the binary cross-entropy, where m = p (1 - t) + (1 - p) t is what p = sigmoid(x) misses and
    a = alpha t + (1 - alpha) (1 - t) (Lin et al. 2017).

    Parameters
    ----------
    input, target
        x and t, as of :func:`binary_cross_entropy_with_logits`.
    alpha : float in [0, 1], or negative for a = 1, default=0.25
        Weight of t = 1.
    gamma : float, default=2
        At least 0.
    reduction : {"none", "mean", "sum"}, default="none"
        How the losses of the entries are reduced.

    Returns
    -------
    Tensor () or of input's shape
        The loss; with b the binary cross-entropy dx = a m^gamma (p - t + gamma b p (1 - p) (1 - 2 t) / m).

    Raises
    ------
    ShapeError, TypeError
        If shapes or dtypes do not go together.
    """
    return _pointwise("sigmoid_focal_loss", "focal", input, target, reduction, alpha=alpha, gamma=gamma)


def kl_div(input: Tensor | Array, target: Tensor | Array, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Compute ``t (log t - x)``, the terms of the Kullback-Leibler divergence of exp(x) from t.

    Parameters
    ----------
    input : Tensor of any shape
        x, log-probabilities.
    target : Tensor of the same shape
        t, or log t.
    reduction : {"none", "mean", "batchmean", "sum"}, default="mean"
        "batchmean": the sum divided by the length of the first axis, which is the divergence itself.
    log_target : bool, default=False
        Whether `target` is log t.

    Returns
    -------
    Tensor () or of input's shape
        The loss; dx = -t.

    Raises
    ------
    ShapeError, TypeError
        If shapes or dtypes do not go together.
    """
    kind = "log_divergence" if log_target else "divergence"
    if reduction != "batchmean":
        return _pointwise("kl_div", kind, input, target, reduction)
    x = as_tensor(input)
    if x.ndim == 0:
        raise ShapeError("reduction='batchmean' of kl_div needs an input with an axis of examples")
    total = _pointwise("kl_div", kind, x, target, "sum")
    factor = np.float32(1 / x.shape[0] if x.shape[0] else np.nan)
    return record("kl_div", np.asarray(total.data * factor), [total], lambda dy: [np.asarray(dy * factor)])
