"""The condensed tree of HDBSCAN as users look at it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._state import Array, Dict

if TYPE_CHECKING:
    import pandas as pd

_ROW = np.dtype([("parent", np.intp), ("child", np.intp), ("lambda_val", np.float64), ("child_size", np.intp)])

CONDENSED_TREE = Dict(
    {
        "parent": Array("i4", ("n_tree_rows",), low=0),
        "child": Array("i4", ("n_tree_rows",), low=0),
        "lambda_val": Array("f8", ("n_tree_rows",), low=0),
        "child_size": Array("i4", ("n_tree_rows",), low=1),
        "selected_clusters": Array("i8", ("n_clusters",), low=0),
    }
)
"""What its state looks like."""


class CondensedTree:
    """The clusters that a hierarchy of points goes through from its root to its leaves, and when each point leaves.

    Points are numbered from 0 to n - 1, clusters from n, the root, on. Each row says that `child`, a point or a
    cluster, leaves the cluster `parent` at the density `lambda_val`, 1 / distance (infinite for points that coincide).
    :func:`mlcore.plotting.plot_condensed_tree` draws it.

    Parameters
    ----------
    parent, child : int32 array of shape (n_rows,)
        The numbers.
    lambda_val : float64 array of shape (n_rows,)
        Densities.
    child_size : int32 array of shape (n_rows,)
        Number of points of each child.
    selected_clusters : int64 array of shape (n_clusters,)
        Numbers of the clusters that are the answer, in the order of their labels.

    Raises
    ------
    ValueError
        If the rows are not those of one tree.
    """

    def __init__(
        self,
        parent: NDArray[np.int32],
        child: NDArray[np.int32],
        lambda_val: NDArray[np.float64],
        child_size: NDArray[np.int32],
        selected_clusters: NDArray[np.int64],
    ) -> None:
        if len(parent) == 0:
            raise ValueError("a condensed tree must have rows")
        self.parent = parent
        self.child = child
        self.lambda_val = lambda_val
        self.child_size = child_size
        self.selected_clusters = selected_clusters
        self._core = core.cluster.CondensedTree(parent, child, lambda_val, child_size, int(parent[0]))

    @property
    def n_points(self) -> int:
        """Number of points."""
        return self._core.n_points

    @property
    def n_clusters(self) -> int:
        """Number of clusters in the tree, the root among them, selected or not."""
        return self._core.n_clusters

    def to_numpy(self) -> NDArray[np.void]:
        """Return the rows as a structured array.

        Returns
        -------
        structured array of shape (n_rows,)
            With the fields ``parent``, ``child``, ``lambda_val`` and ``child_size``, as the package hdbscan has them.
        """
        rows = np.empty(len(self.parent), dtype=_ROW)
        for name in _ROW.names or ():
            rows[name] = getattr(self, name)
        return rows

    def to_pandas(self) -> "pd.DataFrame":
        """Return the rows as a frame of pandas.

        Returns
        -------
        DataFrame
            With the columns ``parent``, ``child``, ``lambda_val`` and ``child_size``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas") from error
        return pd.DataFrame(self.to_numpy())

    def __repr__(self) -> str:
        return (
            f"CondensedTree({self.n_points} points, {self.n_clusters} clusters, {len(self.selected_clusters)} selected)"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_core"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    # ---- for HDBSCAN -------------------------------------------------------------------------------------------------

    @property
    def _selected(self) -> NDArray[np.int32]:
        """Selected clusters as the core numbers them."""
        return (self.selected_clusters - self.n_points).astype(np.int32)

    def _exemplars(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the exemplars of all selected clusters, and where those of each begin and end."""
        return self._core.exemplars(self._selected)

    def _predict(
        self, neighbours: NDArray[np.int64], distances: NDArray[np.float64], *, epsilon: float, n_threads: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        return self._core.predict(self._selected, neighbours, distances, epsilon=epsilon, n_threads=n_threads)

    def _memberships(
        self,
        reached: tuple[NDArray[np.int64], NDArray[np.float64]] | None,
        exemplar_distances: NDArray[np.float64],
        *,
        n_threads: int,
    ) -> NDArray[np.float64]:
        neighbours, distances = reached or (None, None)
        return self._core.memberships(self._selected, neighbours, distances, exemplar_distances, n_threads=n_threads)


def condensed_tree(
    linkage: NDArray[np.float64],
    min_cluster_size: int,
    *,
    persistence: float = 0.0,
    method: str = "eom",
    epsilon: float = 0.0,
    max_cluster_size: int | None = None,
    allow_single_cluster: bool = False,
) -> tuple[CondensedTree, dict[str, Any]]:
    """Condense a single linkage tree and select clusters.

    Parameters
    ----------
    linkage : float64 array of shape (n - 1, 4)
        In SciPy's form.
    min_cluster_size : int
    persistence, epsilon : float
    method : {"eom", "leaf"}
    max_cluster_size : int or None
    allow_single_cluster : bool
        As for HDBSCAN.

    Returns
    -------
    tree : CondensedTree
    found : dict
        With `labels`, `probabilities`, `outlier_scores` of the points and `persistence` of the selected clusters.
    """
    arrays = core.cluster.condense(linkage, min_cluster_size, persistence=float(persistence))
    tree = CondensedTree(*arrays, selected_clusters=np.empty(0, np.int64))
    found = tree._core.cluster_points(
        method=method, epsilon=float(epsilon), max_size=max_cluster_size or 0, allow_single=allow_single_cluster
    )
    tree.selected_clusters = found.pop("selected") + np.int64(tree.n_points)
    return tree, found
