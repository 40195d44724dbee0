"""How well each row fits into its cluster, as a picture."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.metrics import silhouette_samples
from mlcore.plotting._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_silhouette(X: Any, labels: Any, ax: "Axes | None" = None, *, metric: Any = "euclidean") -> "Axes":
    """Draw the silhouette of each row, cluster by cluster, and their mean.

    A row is a horizontal line from 0 to its silhouette, near 1 where it is much nearer to its own cluster than to the
    next one, below 0 where another cluster is nearer. A good clustering has clusters that all reach beyond the mean;
    one that does not is part of another one, or several in one.

    Parameters
    ----------
    X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        Rows; for ``metric="precomputed"`` distances of shape (n_samples, n_samples).
    labels : array of shape (n_samples,)
        Clusters, as the ``labels_`` of an estimator. Rows of label -1 are noise, and left out.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    metric : str or callable, default="euclidean"
        Distance of rows, as for :func:`mlcore.metrics.silhouette_samples`.

    Returns
    -------
    matplotlib Axes with an area for each cluster, the first at the top, and a line at the mean

    Raises
    ------
    ValueError
        If there are fewer than two clusters, or as many as rows.

    References
    ----------
    P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", Journal of
    Computational and Applied Mathematics, 1987.
    """
    labels = np.asarray(labels)
    kept = np.flatnonzero(labels != -1)
    if len(kept) < len(labels):
        X = X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)
        X, labels = X[np.ix_(kept, kept)] if metric == "precomputed" else X[kept], labels[kept]
    values = silhouette_samples(X, labels, metric=metric)
    ax = new_axes(ax)
    clusters, codes = np.unique(labels, return_inverse=True)
    gap = max(1, len(labels) // 100)
    top, middles = 0, []
    for c in range(len(clusters)):
        own = np.sort(values[codes == c])[::-1]
        places = np.arange(top, top + len(own) + 1)
        ax.fill_betweenx(places, np.append(own, own[-1]), step="post", linewidth=0)
        middles.append(top + len(own) / 2)
        top += len(own) + gap
    ax.axvline(values.mean(), color="0.4", linestyle="--", label=f"mean {values.mean():.3g}")
    ax.set_yticks(middles, [str(cluster).replace("$", r"\$") for cluster in clusters])
    ax.set_ylim(top - gap, 0)
    ax.set_xlabel("silhouette")
    ax.set_ylabel("cluster")
    ax.legend()
    return ax
