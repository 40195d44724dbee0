"""Binary cross-entropy of probabilities; of logits, which lose nothing near 0 and 1, see ``_losses.py``."""

from typing import Any

import numpy as np

from mlcore.nn.functional._reduction import check_reduction, without_gradient
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, operands, record, sum_over

_LEAST_LOG = np.float32(-100)  # the loss of a certain error is 100, not infinite, as in PyTorch
_LEAST_VARIANCE = np.float32(1e-12)  # of p (1 - p) in the gradient, likewise


def binary_cross_entropy(
    input: Tensor | Array, target: Tensor | Array, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Compute ``-w (t log p + (1 - t) log(1 - p))``, logarithms below -100 taken as -100.

    Parameters
    ----------
    input : Tensor of any shape
        p in [0, 1].
    target : Tensor of the same shape
        t in [0, 1], float32.
    weight : array that broadcasts to that shape, optional
        w; 1 by default.
    reduction : {"none", "mean", "sum"}, default="mean"
        How the losses of the entries are reduced. The mean of nothing is NaN.

    Returns
    -------
    Tensor () or of input's shape
        The loss; dp = w (p - t) / max(p (1 - p), 1e-12). :func:`binary_cross_entropy_with_logits` is more accurate.

    Raises
    ------
    ShapeError, TypeError
        If shapes or dtypes do not go together.
    ValueError
        If a probability is outside [0, 1], or something other than `input` requires a gradient.
    """
    op = "binary_cross_entropy"
    check_reduction(op, reduction)
    x, t, w = operands(input, target, weight)
    p, goal = float_tensor(x, f"input of {op}").data, float_tensor(t, f"target of {op}").data
    without_gradient(op, "target", t)
    factor = np.float32(1) if w is None else without_gradient(op, "weight", w)
    if p.shape != goal.shape:
        raise ShapeError(f"target of {op} has shape {t.shape}, but input has shape {x.shape}")
    try:
        fits = np.broadcast_shapes(factor.shape, p.shape) == p.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"weight of {op} has shape {factor.shape}, which does not fit input of {x.shape}")
    for name, values in (("input", p), ("target", goal)):
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"{name} of {op} must be in [0, 1], got {values.min()} to {values.max()}")
    with np.errstate(divide="ignore"):
        on, off = np.maximum(np.log(p), _LEAST_LOG), np.maximum(np.log1p(-p), _LEAST_LOG)
    losses = np.asarray(-factor * (goal * on + (1 - goal) * off))
    scale = (1 / p.size if p.size else np.nan) if reduction == "mean" else 1.0
    if reduction != "none":
        losses = sum_over(losses, tuple(range(losses.ndim)), scale).reshape(())

    def backward(dy: Array) -> Gradients:
        slope = factor * (p - goal) / np.maximum(p * (1 - p), _LEAST_VARIANCE)
        return [np.asarray(slope * (dy * np.float32(scale)))]

    return record(op, losses, [x], backward, saved=[v for v in (x, t, w) if v is not None])
