"""Tables that are hard on estimators and yet like those that people have.

Each is a function of a generator. Those of classes give ``X, y`` with y of labels, those of numbers with y of targets;
features always say something about y, so that an estimator can beat the trivial prediction, or at least equal it.
"""

import numpy as np
import scipy.sparse as sp


def _signal(rng, n=400, d=5):
    X = rng.normal(size=(n, d))
    return X, X @ np.array([1.0, -2.0, 0.5, 0.0, 1.0])[:d]


# ---- features --------------------------------------------------------------------------------------------------------


def plain(rng):
    """Nothing special: what all others are compared with."""
    return _signal(rng)


def heavy_tails(rng):
    """Columns without a variance: amounts of money, durations, counts of clicks."""
    X, z = _signal(rng)
    return np.column_stack([X[:, :3], np.exp(3 * X[:, 3]), rng.standard_cauchy(len(X)) * 10]), z


def mixed_units(rng):
    """Columns in metres, nanometres and seconds of the Unix clock."""
    X, z = _signal(rng)
    return X * [1, 1e-8, 1e8, 1e-3, 1e3] + [0, 0, 1.7e9, 0, 0], z


def tiny_units(rng):
    """All columns in units of 1e-8."""
    X, z = _signal(rng)
    return X * 1e-8, z


def huge_units(rng):
    """All columns in units of 1e8."""
    X, z = _signal(rng)
    return X * 1e8, z


def far_from_zero(rng):
    """All columns around a million."""
    X, z = _signal(rng)
    return X + 1e6, z


def constant_and_duplicated(rng):
    """Columns that say nothing, columns that stand there twice, rows that stand there twice."""
    X, z = _signal(rng)
    X = np.column_stack([X, X[:, :2], np.ones(len(X)), np.full(len(X), 1e9), np.zeros(len(X))])
    return np.r_[X, X[:100]], np.r_[z, z[:100]]


def one_value_seldom(rng):
    """Columns that are zero but for a few rows, as dummies of rare categories are."""
    X, z = _signal(rng)
    return np.column_stack([X, rng.random((len(X), 6)) < 0.01]), z


def wide(rng):
    """More columns than rows."""
    X, z = _signal(rng, n=60)
    return np.column_stack([X, rng.normal(size=(60, 80))]), z


def sparse_wide(rng):
    """Counts of words: sparse, many columns, few of them used often."""
    n, d = 200, 500
    columns = np.minimum(rng.zipf(1.5, size=n * 12) - 1, d - 1)
    X = sp.csr_array((np.ones(n * 12), (np.repeat(np.arange(n), 12), columns)), shape=(n, d))
    z = np.asarray(X[:, :5] @ np.array([1.0, -1.0, 2.0, 0.5, -2.0]))
    return X, z - z.mean()


FEATURES = [
    plain,
    heavy_tails,
    mixed_units,
    tiny_units,
    huge_units,
    far_from_zero,
    constant_and_duplicated,
    one_value_seldom,
    wide,
    sparse_wide,
]

# ---- what is asked ---------------------------------------------------------------------------------------------------


def two_classes(z, rng):
    """Two classes of like size."""
    return (z + 0.5 * rng.normal(size=len(z)) > 0).astype(int)


def rare_classes(z, rng):
    """Seven classes, from two thirds of the rows to single ones."""
    cuts = np.quantile(z, [0.66, 0.88, 0.95, 0.98, 0.99, 0.996])
    return np.digitize(z + 0.01 * z.std() * rng.normal(size=len(z)), cuts)


def needle(z, rng):
    """Two classes, one of which has a handful of rows that the features tell nothing about."""
    y = np.zeros(len(z), dtype=int)
    y[rng.choice(len(z), 4, replace=False)] = 1
    return y


def numbers(z, rng):
    """A target with noise."""
    return z + 0.3 * rng.normal(size=len(z))


def heavy_target(z, rng):
    """A target over many orders of magnitude, as prices and waiting times are."""
    return np.exp(2 * z / max(z.std(), 1e-300) + rng.normal(size=len(z)))


def tiny_target(z, rng):
    """A target in units of 1e-8."""
    return 1e-8 * numbers(z, rng)


def huge_target(z, rng):
    """A target in units of 1e8, far from zero."""
    return 1e8 * (numbers(z, rng) + 1e3)


def nearly_constant(z, rng):
    """A target that is the same in nearly all rows."""
    y = np.full(len(z), 3.0)
    y[rng.choice(len(z), 5, replace=False)] += rng.normal(size=5)
    return y


CLASSES = [two_classes, rare_classes, needle]
TARGETS = [numbers, heavy_target, tiny_target, huge_target, nearly_constant]


def table(features, target, seed=0):
    """Return X and y."""
    rng = np.random.default_rng(seed)
    X, z = features(rng)
    return X, target(z, rng)
