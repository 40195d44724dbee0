"""X-means: clusters are split in two, k-means runs again on all centers, and the most likely clustering is kept.

D. Pelleg and A. Moore, "X-means: extending k-means with efficient estimation of the number of clusters", ICML 2000.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mlcore._tables import Floats
from mlcore.cluster._criteria import spherical_criteria
from mlcore.cluster._kmeans_path import KMeansFit, KMeansPath

LEAST_ROWS = 4
"""Rows of a cluster that may be split: fewer do not determine the size of two spheres."""


def x_means(
    path_of: Callable[[Any, Floats | None, int], KMeansPath],
    X: Any,
    weight: Floats | None,
    k_min: int,
    k_max: int,
) -> list[KMeansFit]:
    """Return the fits of all rounds, with more clusters each, and then those of merges.

    A round splits every cluster by k-means in two. Splits are kept where the BIC of two spheres is below that of one,
    and if there is none, for the more promising half of the clusters: groups of groups look like one until the splits
    are as small as the groups. Where not all fit into `k_max`, those come first that gain most.
    """
    path = path_of(X, weight, k_min)
    rounds = [path.run(k_min)]
    while len(rounds[-1].centers) < k_max and rounds[-1].is_full:
        last = rounds[-1]
        splits = []
        for c in range(len(last.centers)):
            rows = np.flatnonzero(last.labels == c)
            split = _split(path_of, X[rows], None if weight is None else weight[rows])
            if split is not None:
                splits.append((*split, c))
        splits.sort(key=lambda split: -split[0])
        n_kept = sum(gain > 0 for gain, _, _ in splits) or (len(splits) + 1) // 2
        splits = splits[: min(n_kept, k_max - len(last.centers))]
        if not splits:
            break
        kept = np.delete(last.centers, [c for _, _, c in splits], axis=0)
        rounds.append(path.fit(np.concatenate([kept, *(pair for _, pair, _ in splits)])))
    rounds = [fit for fit in rounds if fit.is_full]
    return rounds + _merges(path, rounds, weight, X.shape[1], k_min)


def _merges(path: KMeansPath, rounds: list[KMeansFit], weight: Floats | None, d: int, k_min: int) -> list[KMeansFit]:
    """Return what comes of the best round by merging one pair after the other, as long as that lowers the BIC."""

    def bic(fit: KMeansFit) -> float:
        return spherical_criteria(fit.labels, weight, fit.inertia, d)["bic"]

    found: list[KMeansFit] = []
    best = min(rounds, key=bic, default=None)
    while best is not None and len(best.centers) > k_min:
        fit = path.fit(path.merged(best, len(best.centers) - 1))
        if not fit.is_full or bic(fit) >= bic(best):
            break
        found.append(fit)
        best = fit
    return found


def _split(
    path_of: Callable[[Any, Floats | None, int], KMeansPath], rows: Any, weight: Floats | None
) -> tuple[float, Floats] | None:
    """Return by how much two clusters lower the BIC of these rows, and the centers of the two; None: no two."""
    if rows.shape[0] < LEAST_ROWS:
        return None
    path, d = path_of(rows, weight, 2), rows.shape[1]
    one = path.run(1)
    if one.inertia <= 0:
        return None
    two = path.run(2)
    if not two.is_full:
        return None
    before, after = (spherical_criteria(fit.labels, weight, fit.inertia, d)["bic"] for fit in (one, two))
    return before - after, two.centers
