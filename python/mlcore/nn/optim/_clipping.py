"""Changes of gradients between ``backward`` and the step, and a usual split of parameters into groups.

The optimizers clip by themselves, within their pass over the parameters (`max_norm`, `clip_value`): these functions are
for loops that look at the gradients in between.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from mlcore.nn.layers._module import Module
from mlcore.nn.optim._optimizer import square_sums
from mlcore.nn.tensor import Tensor, stored_values


def _with_gradient(parameters: Any) -> list[Tensor]:
    return [p for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients down so that their Euclidean norm, of all together, is at most `max_norm`.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient are skipped.
    max_norm : float
        > 0.

    Returns
    -------
    float
        The norm before.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    chosen = _with_gradient(parameters)
    norm = math.sqrt(square_sums(chosen).sum()) if chosen else 0.0
    if norm > max_norm:
        factor = np.float32(max_norm / norm)
        for p in chosen:
            stored_values(p.grad)[...] *= factor
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip each entry of all gradients to [-clip_value, clip_value].

    Parameters without a gradient are skipped; `clip_value` is positive.
    """
    if not clip_value > 0:
        raise ValueError(f"clip_value must be positive, got {clip_value}")
    for p in _with_gradient(parameters):
        values = stored_values(p.grad)
        np.clip(values, -clip_value, clip_value, out=values)


def weight_decay_groups(model: Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return two groups of parameters: matrices with weight decay; biases and gains of norms without.

    Parameters
    ----------
    model : Module
        Whose parameters.
    weight_decay : float
        Of the parameters with two axes or more.

    Returns
    -------
    list of dict
        For an optimizer; a group that would be empty is left out.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
