"""How well clusters are separated, from a spanning tree alone."""

import numpy as np
from numpy.typing import NDArray


def relative_validity(tree: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the index of DBCV with the edges of one spanning tree in the place of all distances.

    The sparseness of a cluster is its longest edge of the tree, its separation the shortest edge that leads to another
    cluster. A cluster that no edge joins to another one, but to noise alone, has twice the longest edge of the tree.
    The index is the mean over clusters, weighted by their sizes, noise counted as 0, of

        (separation - sparseness) / max(separation, sparseness)

    These are the values of the package hdbscan, which knows no other distances and so cannot see how near two clusters
    are between which there is noise. For one cluster alone its separation is twice the shortest edge to noise.

    Parameters
    ----------
    tree : float64 array of shape (n_samples - 1, 3)
        Edges: two rows, and their distance.
    labels : int64 array of shape (n_samples,)
        Clusters; -1 is noise.

    Returns
    -------
    float
        In [-1, 1]; 0 without clusters.
    """
    sizes = np.bincount(labels[labels >= 0])
    if len(sizes) == 0:
        return 0.0
    ends, lengths = labels[tree[:, :2].astype(np.int64)], tree[:, 2]
    n_in_clusters = (ends >= 0).sum(axis=1)  # of the two ends
    is_same = ends[:, 0] == ends[:, 1]
    inner, between = (n_in_clusters == 2) & is_same, (n_in_clusters == 2) & ~is_same
    sparseness = np.zeros(len(sizes))
    np.maximum.at(sparseness, ends[inner, 0], lengths[inner])
    separation = np.full(len(sizes), np.inf)
    for side in (0, 1):
        np.minimum.at(separation, ends[between, side], lengths[between])
    to_noise = lengths[n_in_clusters == 1]
    separation[np.isinf(separation)] = 2 * (to_noise.min() if len(sizes) == 1 and len(to_noise) else lengths.max())
    larger, smaller = np.maximum(separation, sparseness), np.minimum(separation, sparseness)
    with np.errstate(invalid="ignore"):  # 0 / 0, and infinity less infinity
        share = np.where(np.isinf(larger), 1.0, (larger - smaller) / larger)
    difference = np.where(larger == smaller, 0.0, share)
    return float(sizes @ np.where(separation > sparseness, difference, -difference) / len(labels))
