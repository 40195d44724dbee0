"""Labels of classes in the config of a network, and back; classes that have no weight."""

import copy
import dataclasses
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import no_grad
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule

Outputs = TypeVar("Outputs", bound=NDArray[Any])

NEXT_TO_NOTHING = 50.0
"""How far below the least log-odds of all others those of a class without weight are."""

_CLASSES = "classes"
"""Key of labels that are no texts; `id2label` has texts alone."""


def with_class_labels(config: BertConfig, classes: NDArray[Any], problem_type: str | None = None) -> BertConfig:
    """Return a config with the labels of its classes, shape (n_classes,)."""
    labels = classes.tolist()
    other = {name: value for name, value in config.other.items() if name != _CLASSES}
    if classes.dtype.kind not in "UO":
        other[_CLASSES] = labels
    names = {i: str(label) for i, label in enumerate(labels)}
    return dataclasses.replace(config, num_labels=None, id2label=names, problem_type=problem_type, other=other)


def take_class_labels(module: PretrainedModule) -> NDArray[Any]:
    """Return the labels of a network's classes, sorted, and put the rows of its classifier into their order.

    Raises
    ------
    ValueError
        If they are no labels.
    """
    config = module.config
    names = list((config.id2label or {}).values())
    given = config.other.get(_CLASSES)
    labels = np.asarray(given if isinstance(given, list) and len(given) == len(names) else names)
    classes, order = np.unique(labels, return_index=True)
    if labels.ndim != 1 or len(classes) < len(names) or len(names) < 2 or labels.dtype.kind not in "biufU":
        raise ValueError(f"the labels of a network must be two or more different texts or numbers, got {names!r:.200}")
    with no_grad():
        module.classifier.weight.copy_(module.classifier.weight.data[order])
        module.classifier.bias.copy_(module.classifier.bias.data[order])
    return classes.astype(object) if classes.dtype.kind == "U" else classes


def reachable(outputs: Outputs, prior: NDArray[np.float64]) -> Outputs:
    """Return log-odds (n, n_classes) with those of classes without weight far below all others.

    `prior` holds the share of each class in the weights, shape (n_classes,).
    """
    is_there = prior > 0
    if is_there.all():
        return outputs
    outputs = outputs.copy()
    outputs[:, ~is_there] = outputs[:, is_there].min(axis=1, keepdims=True) - NEXT_TO_NOTHING
    return outputs


def with_reach(module: PretrainedModule, prior: NDArray[np.float64]) -> PretrainedModule:
    """Return a network that gives classes without weight next to no probability by itself."""
    never = ~(prior > 0)
    if not never.any():
        return module
    module = copy.deepcopy(module)
    with no_grad():
        weight, bias = module.classifier.weight.data.copy(), module.classifier.bias.data.copy()
        weight[never], bias[never] = 0, -1e4
        module.classifier.weight.copy_(weight)
        module.classifier.bias.copy_(bias)
    return module
