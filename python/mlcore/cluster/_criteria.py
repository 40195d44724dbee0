"""Criteria of a number of clusters, and which number each of them takes. What they say is in docs/clustering.md."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mlcore._tables import Floats
from mlcore.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_estimate

Table = dict[str, NDArray[Any]]

SILHOUETTE_PAIRS = 40_000_000
"""Distances that a mean silhouette may cost: exact up to some 6,300 rows, of a sample beyond."""
LEAST_SAMPLE = 500
"""Rows of such a sample, however many rows there are."""

NAMES = ("silhouette", "calinski_harabasz", "davies_bouldin", "bic", "aic", "gap", "elbow")
"""All criteria that are read off a table."""
OF_DENSE_ROWS = ("calinski_harabasz", "davies_bouldin", "gap")
"""Those that sparse rows do not have."""
CRITERIA = (*NAMES, "xmeans")
"""All ways to choose."""


def judge(X: Any, labels: NDArray[Any], inertia: float, seed: int) -> dict[str, float]:
    """Return the criteria that labels alone decide: silhouette with its standard error, and two ratios of variances.

    They are NaN for one cluster, and where each row is a cluster. Clusters without extent have an infinite ratio
    (scikit-learn's is 1). Rows of a sample are the same for all clusterings of one `seed`, so that these differ by less
    than the standard error says. Sparse rows have the silhouette alone.
    """
    n, k = len(labels), len(np.unique(labels))
    names: tuple[str, ...] = ("silhouette", "silhouette_error")
    if not sp.issparse(X):
        names += ("calinski_harabasz", "davies_bouldin")
    if not 2 <= k < n:
        return dict.fromkeys(names, np.nan)
    size = min(n, max(LEAST_SAMPLE, SILHOUETTE_PAIRS // n))
    silhouette = silhouette_estimate(X, labels, sample_size=size, random_state=check_random_state(seed))
    values = [silhouette.score, silhouette.error]
    if not sp.issparse(X):
        values += [_ratio_of_variances(X, labels, inertia), davies_bouldin_score(X, labels)]
    return dict(zip(names, map(float, values), strict=True))


def _ratio_of_variances(X: Any, labels: NDArray[Any], inertia: float) -> float:
    """Return the index of Calinski and Harabasz; infinity where clusters have no extent."""
    value = calinski_harabasz_score(X, labels)
    if value == 1:  # what the index says then, as scikit-learn's
        rows = np.asarray(X, dtype=np.float64)
        if inertia <= 1e-24 * float(((rows - rows.mean(axis=0)) ** 2).sum()):
            return np.inf
    return value


def spherical_criteria(labels: NDArray[Any], weight: Floats | None, inertia: float, d: int) -> dict[str, float]:
    """Return BIC and AIC of k-means as a mixture of spheres of one size, each row in one of them.

    W is the inertia, n_c the rows of cluster c: with s² = W / (d (n - k)) the log-likelihood is
    sum_c n_c ln(n_c / n) - (n d / 2) ln(2 pi s²) - d (n - k) / 2, of p = k d + k free parameters (means, shares, s²).
    Rows of a cluster that are all the same have an unbounded likelihood: the criteria are then -inf.

    References
    ----------
    D. Pelleg and A. Moore, "X-means: extending k-means with efficient estimation of the number of clusters", ICML 2000.
    """
    counts = np.bincount(labels, weights=weight)
    counts = counts[counts > 0]
    n, k = float(counts.sum()), len(counts)
    if n <= k:
        return {"bic": np.nan, "aic": np.nan}
    if inertia <= 0:
        return {"bic": -np.inf, "aic": -np.inf}
    variance = inertia / (d * (n - k))
    log_likelihood = float(
        (counts * np.log(counts / n)).sum() - n * d / 2 * np.log(2 * np.pi * variance) - d * (n - k) / 2
    )
    p = k * d + k
    return {"bic": p * np.log(n) - 2 * log_likelihood, "aic": 2 * p - 2 * log_likelihood}


def distance_from_chord(k: NDArray[Any], inertia: Floats) -> Floats:
    """Return how far the curve of the inertia lies below the chord of its ends, both axes from 0 to 1.

    References
    ----------
    V. Satopää, J. Albrecht, D. Irwin and B. Raghavan, "Finding a 'kneedle' in a haystack: detecting knee points in
    system behavior", ICDCS workshops, 2011.
    """
    height = inertia[0] - inertia[-1]
    if len(k) < 3 or not height > 0:
        return np.zeros(len(k))
    return np.asarray(1 - (k - k[0]) / (k[-1] - k[0]) - (inertia - inertia[-1]) / height)


def _largest(values: Floats) -> int:
    return int(np.nanargmax(values))


def _smallest(values: Floats) -> int:
    return int(np.nanargmin(values))


_RULES: Mapping[str, Callable[[Floats], int]] = {
    "silhouette": _largest,
    "calinski_harabasz": _largest,
    "davies_bouldin": _smallest,
    "bic": _smallest,
    "aic": _smallest,
}


def _bars(n: int) -> Floats:
    """Standard errors by which the n gaps after one must exceed it: 1 for the next, as in the paper, 4 for all others.

    Of many differences some are large by chance; where groups form groups, they are larger than that.
    """
    bars = np.full(n, 4.0)
    bars[:1] = 1
    return bars


def chosen(table: Table, criterion: str) -> int | None:
    """Return the number of clusters that a criterion takes, or None where the table does not have it.

    "gap": the least k whose gap is not below that of the next number less its standard error, nor below that of any
    larger one less four of them. "elbow": where the inertia is farthest below the chord of its ends. All others: the
    best value. Of equal ones the least k.
    """
    k = table["k"]
    if criterion == "elbow":
        if "inertia" not in table:
            return None
        return int(k[_largest(distance_from_chord(k, table["inertia"]))])
    if criterion not in table or np.isnan(table[criterion]).all():
        return None
    values = table[criterion]
    if criterion == "gap":
        error = table["gap_error"]
        for i in range(len(k)):
            with np.errstate(invalid="ignore"):
                is_exceeded = values[i] < values[i + 1 :] - _bars(len(k) - i - 1) * error[i + 1 :]
            if not is_exceeded.any():
                return int(k[i])
    return int(k[_RULES[criterion](values)])
