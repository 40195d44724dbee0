"""The tree of merges of agglomerative clustering."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mlcore.plotting._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_dendrogram(
    model: Any,
    ax: "Axes | None" = None,
    *,
    max_leaves: int | None = 50,
    names: Any = None,
) -> "Axes":
    """Draw the tree of merges of agglomerative clustering, and where it was cut.

    A bracket joins two clusters at the height of their distance. Each cluster of the cut has a colour; a dashed line
    shows the height of the cut.

    Parameters
    ----------
    model : AgglomerativeClustering
        A fitted one.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    max_leaves : int or None, default=50
        The top of the tree alone, down to so many clusters, each with its number of rows in parentheses. None: all of
        it.
    names : sequence of str of length n_samples, default=None
        Of the rows; None: their numbers.

    Returns
    -------
    matplotlib Axes with the tree

    Raises
    ------
    TypeError
        If the model has no tree of merges.
    ValueError
        If `max_leaves` is less than 2, or there is not one name a row.

    Notes
    -----
    Drawn by :func:`scipy.cluster.hierarchy.dendrogram`.
    """
    from scipy.cluster.hierarchy import dendrogram

    check_is_fitted(model)
    if not hasattr(model, "linkage_matrix_"):
        raise TypeError(f"plot_dendrogram takes a model with a tree of merges, got {type(model).__name__}")
    if max_leaves is not None and max_leaves < 2:
        raise ValueError(f"max_leaves must be at least 2 or None, got {max_leaves}")
    tree = model.linkage_matrix_
    n = len(tree) + 1
    if names is not None and len(names) != n:
        raise ValueError(f"names must be one for each of {n} rows, got {len(names)}")
    ax = new_axes(ax)
    heights = np.sort(tree[:, 2])
    n_clusters = model.n_clusters_
    # Between the last merge that was made and the first that was not.
    made = heights[n - n_clusters - 1] if n_clusters < n else 0.0
    height = float((made + heights[n - n_clusters]) / 2) if n_clusters > 1 else float("inf")
    shown = n if max_leaves is None else min(n, max_leaves)
    dendrogram(
        tree,
        ax=ax,
        truncate_mode="lastp" if shown < n else None,
        p=shown,
        labels=None if names is None else [str(name).replace("$", r"\$") for name in names],
        color_threshold=height,
        above_threshold_color="grey",
    )
    if n_clusters > 1:
        ax.axhline(height, color="black", linestyle="--", linewidth=0.8)
    ax.set_ylabel("distance")
    return ax
