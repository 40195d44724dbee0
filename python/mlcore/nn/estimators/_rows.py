"""Rows of a fit: their weights, and those that are set aside for validation."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

Floats = NDArray[np.float64]
Rows = tuple[Any, Any, Floats | None]  # inputs, target, weights; None: all weigh the same


def with_factors(weight: Floats | None, factors: Floats | None, target: NDArray[Any]) -> Floats | None:
    """Return the weights of rows times the factors of their classes."""
    if factors is None:
        return weight
    return np.asarray(factors[target] if weight is None else weight * factors[target])


def weighted_rows(X: Any, target: Any, weight: Floats | None) -> Rows:
    """Leave out rows without weight; the largest weight becomes 1."""
    if weight is None:
        return X, target, None
    kept = weight > 0
    weight = weight[kept] / weight.max()  # sums of huge ones could overflow
    return X[kept], target[kept], None if (weight == 1).all() else weight


def split_rows(X: Any, target: Any, weight: Any, fraction: float, seed: int) -> tuple[Any, Any, Floats | None, Rows]:
    """Set a share of the rows aside, of each class alike where there are enough; both parts keep their order.

    Returns
    -------
    X, target, weight
        Of the rows to train on.
    rows : tuple
        Those of the others.
    """
    classes, n_held = None, math.ceil(fraction * len(X))
    if target.dtype.kind == "i" and np.unique(target, return_counts=True)[1].min() >= 2:
        n_classes = len(np.unique(target))
        classes = target if min(n_held, len(X) - n_held) >= n_classes else None
    parts = train_test_split(np.arange(len(X)), test_size=fraction, random_state=seed % 2**32, stratify=classes)
    kept, held = (np.sort(part) for part in parts)
    weights = [None if weight is None else weight[part] for part in (kept, held)]
    return X[kept], target[kept], weights[0], (X[held], target[held], weights[1])
