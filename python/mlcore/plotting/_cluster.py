"""How dense points are, and the clusters that follow from it, as pictures."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore.cluster import CondensedTree, KChoice
from mlcore.plotting._axes import new_axes, plain_legend, whole_numbers_on_x

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


def plot_condensed_tree(
    model: Any, ax: "Axes | None" = None, *, label_clusters: bool = True, max_steps: int = 50
) -> "Axes":
    """Draw the tree of clusters of HDBSCAN: how wide each is, as the density rises, and which were selected.

    From the root at the top down, each cluster is a bar that becomes narrower as points leave it, until it ends or
    splits. A bar that is long and wide is a cluster that lasts: its area is its stability. Selected clusters are
    framed.

    Parameters
    ----------
    model : HDBSCAN or CondensedTree
        A fitted estimator, or its ``condensed_tree_``.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    label_clusters : bool, default=True
        Write the label of each selected cluster below it.
    max_steps : int, default=50
        Most widths that are drawn of one cluster, >= 1.

    Returns
    -------
    matplotlib Axes with the bars, the splits and the frames

    Raises
    ------
    TypeError
        If `model` is neither of the two.
    ValueError
        If `max_steps` is less than 1.
    """
    if not isinstance(model, CondensedTree):
        if not hasattr(type(model), "reselect"):
            raise TypeError(f"plot_condensed_tree takes HDBSCAN or its condensed_tree_, got {type(model).__name__}")
        check_is_fitted(model)
        model = model.condensed_tree_
    if max_steps < 1:
        raise ValueError(f"max_steps of plot_condensed_tree must be at least 1, got {max_steps}")
    tree = _Layout(model)

    ax = new_axes(ax)
    from matplotlib.collections import LineCollection, PolyCollection

    boxes, widths = tree.bars(max_steps)
    bars = PolyCollection(boxes, array=widths, cmap="viridis", clim=(0, model.n_points), linewidths=0, rasterized=True)
    ax.add_collection(bars)
    ax.add_collection(LineCollection(tree.splits(), colors="black", linewidths=0.8))
    frames = tree.frames(model.selected_clusters - model.n_points)
    ax.add_collection(PolyCollection(frames, facecolors="none", edgecolors="red", linewidths=1.5))
    if label_clusters:
        for label, frame in enumerate(frames):
            ax.annotate(str(label), frame[2:4].mean(axis=0), ha="center", va="top", fontsize="small")
    ax.figure.colorbar(bars, ax=ax, label="points")
    ax.set_xlim(-0.02 * tree.width, 1.02 * tree.width)
    ax.set_ylim(1.05 * tree.highest, 0)
    ax.set_xticks([])
    ax.set_ylabel(r"$\lambda$ = 1 / distance")
    return ax


class _Layout:
    """Where each cluster stands: side by side, the children of one below it."""

    def __init__(self, tree: CondensedTree) -> None:
        n, n_clusters = tree.n_points, tree.n_clusters
        finite = tree.lambda_val[np.isfinite(tree.lambda_val)]
        self.highest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
        lambdas = np.minimum(tree.lambda_val, 1.05 * self.highest)  # what is infinite leaves a little below the rest
        parent = tree.parent - n
        is_cluster = tree.child > n
        order = np.lexsort((lambdas, parent))
        starts = np.searchsorted(parent[order], np.arange(n_clusters + 1))
        self._leaves = [(lambdas[order[a:b]], tree.child_size[order[a:b]]) for a, b in pairwise(starts)]
        self._size = np.zeros(n_clusters)
        np.add.at(self._size, parent, tree.child_size)
        self._above = np.full(n_clusters, -1)
        self._above[tree.child[is_cluster] - n] = parent[is_cluster]
        self._birth = np.zeros(n_clusters)
        self._birth[tree.child[is_cluster] - n] = lambdas[is_cluster]
        self._end = np.array([leave[-1] if len(leave) else 0.0 for leave, _ in self._leaves])
        gap = 0.15 * n / max(1, n_clusters)
        below = np.zeros(n_clusters)  # room that the children need
        room = self._size + gap
        for c in range(n_clusters - 1, -1, -1):
            room[c] = max(room[c], below[c])
            if c > 0:
                below[self._above[c]] += room[c]
        self.width = float(room[0])
        self._center = np.full(n_clusters, self.width / 2)
        used = (self._center - below / 2).copy()
        for c in range(1, n_clusters):
            self._center[c] = used[self._above[c]] + room[c] / 2
            used[self._above[c]] += room[c]
            used[c] = self._center[c] - below[c] / 2

    def bars(self, max_steps: int) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
        """Return boxes, and how many points each stands for."""
        boxes, widths = [], []
        for c, (leave, sizes) in enumerate(self._leaves):
            levels, first = np.unique(leave, return_index=True)
            left = self._size[c] - np.concatenate([[0.0], np.cumsum(sizes)])[first]  # points up to each level
            kept = np.unique(np.linspace(0, len(levels) - 1, min(max_steps, len(levels))).astype(np.intp))
            tops = np.concatenate([[self._birth[c]], levels[kept[:-1]]])
            for top, bottom, width in zip(tops, levels[kept], left[kept], strict=True):
                boxes.append(self._box(c, width, top, bottom))
                widths.append(width)
        return boxes, np.array(widths)

    def splits(self) -> list[NDArray[np.float64]]:
        """Return a line from each cluster to the one that it has come from."""
        return [
            np.array([[self._center[up], self._birth[c]], [self._center[c], self._birth[c]]])
            for c, up in enumerate(self._above.tolist())
            if up >= 0
        ]

    def frames(self, clusters: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """Return a box around each of some clusters."""
        return [self._box(c, 1.05 * self._size[c], self._birth[c], self._end[c]) for c in clusters.tolist()]

    def _box(self, c: int, width: float, top: float, bottom: float) -> NDArray[np.float64]:
        left, right = self._center[c] - width / 2, self._center[c] + width / 2
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


_NAMES = {"elbow": "inertia", "xmeans": "bic"}
"""Columns that criteria are read off, where they are not their own."""


def plot_choose_k(choice: Any, criterion: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw a criterion over the numbers of clusters, with its standard error, and the number that it takes.

    Parameters
    ----------
    choice : KChoice
        What ``mlcore.cluster.choose_k`` has returned.
    criterion : str or None, default=None
        One that the table has. None: the one that has decided.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes with the curve, a band of one standard error where there is one, and a line at the choice

    Raises
    ------
    TypeError
        If `choice` is not what ``choose_k`` returns.
    ValueError
        If the table does not have the criterion.
    """
    if not isinstance(choice, KChoice):
        raise TypeError(f"plot_choose_k takes what choose_k returns, a KChoice, got {type(choice).__name__}")
    name = choice.criterion if criterion is None else criterion
    column = _NAMES.get(name, name)
    best = choice.best_k if name == choice.criterion else choice.choices.get(name)
    if column not in choice.table or best is None:
        known = ", ".join(choice.choices)
        raise ValueError(f"criterion of plot_choose_k must be one of {known}, got {name!r}")
    ax = new_axes(ax)
    k, values = choice.table["k"], choice.table[column]
    ax.plot(k, np.where(np.isfinite(values), values, np.nan), marker="o")
    error = choice.table.get(f"{column}_error")
    if error is not None:
        ax.fill_between(k, values - error, values + error, alpha=0.2, linewidth=0)
    ax.axvline(best, color="0.4", linestyle="--", label=f"{best} by {name}")
    whole_numbers_on_x(ax)
    ax.set_xlabel("clusters")
    ax.set_ylabel(column)
    plain_legend(ax)
    return ax
