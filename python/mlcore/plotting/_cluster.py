"""How dense points are, as pictures."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore.plotting._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_k_distance(X: Any, k: int = 5, ax: "Axes | None" = None, *, n_jobs: int | None = None) -> "Axes":
    """Draw how far the k-th neighbour of each point is, in ascending order, with a mark at the knee.

    It helps to choose `eps` for :class:`mlcore.cluster.DBSCAN` with ``min_samples=k``: the points below `eps` are the
    core points. Points of clusters have their neighbours near, noise has not, so that the curve turns upwards where
    noise begins. The mark is a suggestion: the place of the curve that is furthest below the line from its first to its
    last point.

    Parameters
    ----------
    X : {array, frame} of shape (n_samples, n_features)
        Points, finite; distances are Euclidean.
    k : int, default=5
        Which neighbour, from 1 to n_samples; each point is its own first, as for `min_samples`.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    n_jobs : int or None, default=None
        Number of threads; None: all CPUs that this process may use.

    Returns
    -------
    matplotlib Axes with a line for the distances and one for the mark, which names the distance there

    Raises
    ------
    ValueError
        If `k` is out of range or `X` is not finite.

    References
    ----------
    M. Ester, H.-P. Kriegel, J. Sander and X. Xu, "A density-based algorithm for discovering clusters in large spatial
    databases with noise", KDD 1996, section 4.2.
    """
    points = check_array(X, dtype=np.float64, order="C", input_name="X", estimator="plot_k_distance")
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 1 <= k <= len(points):
        raise ValueError(f"k of plot_k_distance must be a whole number from 1 to {len(points)}, got {k!r}")
    n_threads = effective_n_jobs(n_jobs)
    tree = core.neighbors.KdTree(points, metric="euclidean", leaf_size=32, n_threads=n_threads)
    distances = np.sort(tree.k_nearest(None, int(k), n_threads=n_threads)[0][:, -1])
    knee = _knee(distances)
    ax = new_axes(ax)
    ax.plot(np.arange(1, len(distances) + 1), distances)
    eps = f"{distances[knee]:.3g}"
    ax.axhline(distances[knee], color="grey", linestyle=":", label=f"eps = {eps}: {knee + 1:,} core points")
    ax.set_xlabel("points, in ascending order")
    ax.set_ylabel(f"distance to neighbour {k}")
    ax.set_title("k-distance")
    ax.legend()
    return ax


def _knee(curve: NDArray[np.float64]) -> int:
    """Return where an ascending curve is furthest below the line from its first to its last point."""
    largest = curve[-1]
    if largest == 0:
        return 0
    curve = curve / largest  # no difference overflows
    line = np.linspace(curve[0], curve[-1], len(curve))
    return int(np.argmax(line - curve))
