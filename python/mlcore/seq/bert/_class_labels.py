"""Labels of classes in the config of a network, and back."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import no_grad
from mlcore.seq.bert._config import BertConfig
from mlcore.seq.bert._folder import PretrainedModule

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
