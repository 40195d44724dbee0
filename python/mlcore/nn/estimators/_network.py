"""From the parameters of an estimator to its network and its optimizer."""

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.optim import SGD, Adagrad, Adam, AdamW, NAdam, Optimizer, RMSprop, weight_decay_groups
from mlcore.nn.tensor import no_grad

ACTIVATIONS = {"relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "leaky_relu", "identity"}
RULES: dict[str, Callable[..., Optimizer]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "rmsprop": RMSprop,
    "sgd": lambda params, lr, **options: SGD(params, lr, 0.9, nesterov=True, **options),
}
_EPSILON = 1e-6
"""e of the adaptive optimizers where the loss has no unit. A gradient that is zero but for the rounding of float32 sums
(that of the last bias at the start) is about 1e-8 there; with PyTorch's e of that size it would make a full step."""


def layer_sizes(n_inputs: int, hidden_layer_sizes: Any, n_outputs: int, owner: str) -> list[int]:
    """Return how many numbers go into each layer of the default network, and out of the last one."""
    hidden = np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist()
    if not all(isinstance(size, int) and 1 <= size < 2**31 for size in hidden):
        raise ValueError(f"hidden_layer_sizes of {owner} must be whole numbers >= 1, got {hidden_layer_sizes!r:.100}")
    return [n_inputs, *hidden, n_outputs]


def default_network(sizes: Sequence[int], activation: str) -> Module:
    """Return fully connected layers of these sizes, with an activation after each but the last."""
    hidden = [Linear(a, b, activation=activation) for a, b in pairwise(sizes[:-1])]
    return Sequential(*hidden, Linear(sizes[-2], sizes[-1]))


def start_at_constant(network: Module, constant: Any) -> None:
    """Let a default network return `constant` (n_outputs,) for every input, until it is trained."""
    *_, last = network.children()
    with no_grad():
        last.weight.fill_(0)
        last.bias.copy_(np.asarray(constant, np.float32))


def own_network(module: Any, options: dict[str, Any], n_inputs: int, n_outputs: int, owner: str) -> Module:
    """Return the network of the parameter `module`: a copy of a Module, or what a class or function returns."""
    if isinstance(module, Module):
        if options:
            raise ValueError("module_params are for a module that is a class or function, not for an instance")
        return copy.deepcopy(module).train()
    network = module(n_inputs, n_outputs, **options)
    if not isinstance(network, Module):
        raise TypeError(f"module of {owner} must return a Module, got {type(network).__name__}")
    return network


def make_optimizer(
    optimizer: Any,
    network: Module,
    learning_rate: float,
    weight_decay: float,
    max_norm: float | None,
    *,
    has_unitless_loss: bool,
) -> Optimizer:
    """Return the optimizer of the parameters of `network`: by its name, or what a function returns."""
    groups = weight_decay_groups(network, float(weight_decay))
    options: dict[str, Any] = {"lr": float(learning_rate), "max_norm": max_norm}
    if not isinstance(optimizer, str):
        made: Optimizer = optimizer(groups, **options)
        return made
    if optimizer != "sgd" and has_unitless_loss:
        options["eps"] = _EPSILON
    return RULES[optimizer](groups, **options)
