"""Groups of points with noise between them, and partitions that are the same."""

import numpy as np
from sklearn.metrics import adjusted_rand_score


def groups(seed=0, sizes=(40, 60, 50), d=2):
    """Groups of different densities, and noise between them."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(10 * i, 0.2 + 0.4 * i, (n, d)) for i, n in enumerate(sizes)]
    return np.concatenate([*parts, rng.uniform(-5, 30, (15, d))])


def same_partition(a, b):
    return adjusted_rand_score(a, b) == 1 and np.array_equal(a < 0, b < 0)
