"""The gap statistic: how much less the inertia is than that of rows without groups.

R. Tibshirani, G. Walther and T. Hastie, "Estimating the number of clusters in a data set via the gap statistic",
Journal of the Royal Statistical Society B, 2001.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcore._tables import Floats

MOST_ROWS = 5000
"""Rows that the statistic is computed on: a sample where there are more."""

Inertias = Callable[[Floats, np.random.RandomState], Floats]
"""The inertia of each number of clusters, of rows (n, d)."""


def gap_statistic(
    X: Floats,
    ks: Sequence[int],
    inertias: Inertias,
    *,
    n_references: int,
    reference: str,
    random_state: np.random.RandomState,
    after_each: Callable[[], None],
) -> tuple[Floats, Floats]:
    """Return the gap of each number of clusters and the standard error s of its reference.

    gap(k) = mean_b ln W_b(k) - ln W(k) over B sets of as many rows, uniform in the box that holds the rows along the
    axes of the columns ("uniform") or along the principal axes ("principal"); s = sd_b(ln W_b) sqrt(1 + 1 / B).
    """
    X = X - X.mean(axis=0)
    if len(X) > MOST_ROWS:
        X = X[np.sort(random_state.choice(len(X), MOST_ROWS, replace=False))]
    axes = np.linalg.svd(X, full_matrices=False)[2] if reference == "principal" else np.eye(X.shape[1])
    box = X @ axes.T
    low, high = box.min(axis=0), box.max(axis=0)
    own = inertias(np.ascontiguousarray(X), random_state)
    logs = np.empty((n_references, len(ks)))
    for b in range(n_references):
        rows = random_state.uniform(low, high, size=box.shape) @ axes
        logs[b] = _log(inertias(np.ascontiguousarray(rows), random_state), len(ks))
        after_each()
    with np.errstate(invalid="ignore"):  # rows that are all the same: 0 beside 0
        gap = logs.mean(axis=0) - _log(own, len(ks))
        error = logs.std(axis=0) * np.sqrt(1 + 1 / n_references)
    return gap, error


def _log(inertias: NDArray[np.float64], size: int) -> Floats:
    """Logarithms; where rows ran out of distinct places, the inertia is 0."""
    full = np.zeros(size)
    full[: len(inertias)] = inertias
    with np.errstate(divide="ignore"):
        return np.log(full)
