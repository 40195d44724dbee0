# Submodule `cluster` of every _core_<level> extension module: groups of rows that nobody has labelled.
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# `from` is a keyword: by position
def single_linkage(
    from_: NDArray[np.int32], to: NDArray[np.int32], weights: NDArray[np.float64], /
) -> NDArray[np.float64]: ...

class KMeansPoints:
    def __init__(self, X: Any, sample_weight: NDArray[np.float64] | None = None, *, n_threads: int) -> None: ...
    def plus_plus(self, k: int, *, seed: int, n_local_trials: int, n_threads: int) -> NDArray[np.int64]: ...
    def fit(
        self,
        centers: NDArray[np.float64],
        *,
        max_iter: int,
        tol: float,
        algorithm: str,
        n_threads: int,
        report: Callable[[int, float], None] | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], float, int]: ...
    def assign(
        self, centers: NDArray[np.float64], *, n_threads: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
    def distances(self, centers: NDArray[np.float64], *, n_threads: int) -> NDArray[np.float64]: ...

def dbscan(
    X: NDArray[np.float64],
    *,
    metric: str,
    eps: float,
    min_samples: float,
    sample_weight: NDArray[np.float64] | None,
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def dbscan_of_distances(
    D: Any, *, eps: float, min_samples: float, sample_weight: NDArray[np.float64] | None, n_threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def agglomerate(
    X: NDArray[np.float64], *, linkage: str, metric: str, n_threads: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
def agglomerate_connected(
    X: NDArray[np.float64],
    from_: NDArray[np.int32],
    to: NDArray[np.int32],
    *,
    linkage: str,
    metric: str,
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
def closest_pairs(
    X: NDArray[np.float64], components: NDArray[np.int32], n_components: int, *, metric: str, n_threads: int
) -> NDArray[np.int32]: ...
def cut_labels(children: NDArray[np.int64], clusters: NDArray[np.int64]) -> NDArray[np.int64]: ...

# ---- HDBSCAN: clusters of a condensed tree are numbered from 0, the root ---------------------------------------------

class CondensedTree:
    def __init__(
        self,
        parent: NDArray[np.int32],
        child: NDArray[np.int32],
        lambda_val: NDArray[np.float64],
        child_size: NDArray[np.int32],
        n_points: int,
    ) -> None: ...
    @property
    def n_points(self) -> int: ...
    @property
    def n_clusters(self) -> int: ...
    def cluster_points(self, *, method: str, epsilon: float, max_size: int, allow_single: bool) -> dict[str, Any]: ...
    def exemplars(self, selected: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
    # labels, probabilities, outlier scores of new points by their neighbours and how far they reach them
    def predict(
        self,
        selected: NDArray[np.int32],
        neighbours: NDArray[np.int64],
        distances: NDArray[np.float64],
        *,
        epsilon: float,
        n_threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]: ...
    # of the points of the tree where neighbours and distances are None
    def memberships(
        self,
        selected: NDArray[np.int32],
        neighbours: NDArray[np.int64] | None,
        distances: NDArray[np.float64] | None,
        exemplar_distances: NDArray[np.float64],
        *,
        n_threads: int,
    ) -> NDArray[np.float64]: ...

def condense(
    linkage: NDArray[np.float64], min_cluster_size: int, *, persistence: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]: ...
def labels_at_cut(linkage: NDArray[np.float64], distance: float, min_cluster_size: int) -> NDArray[np.int64]: ...
def nearest_reachable(
    distances: NDArray[np.float64],
    indices: NDArray[np.int64],
    core_distances: NDArray[np.float64],
    *,
    own_rank: int,
    alpha: float,
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]: ...
def centroids(
    points: NDArray[np.float64],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    n_clusters: int,
    *,
    n_threads: int,
) -> NDArray[np.float64]: ...
def medoids(
    points: NDArray[np.float64],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    n_clusters: int,
    *,
    metric: str,
    n_threads: int,
) -> NDArray[np.int64]: ...

# members[offsets[k]:offsets[k + 1]] are rows of points: the distance from each query to the nearest of each list
def nearest_of_lists(
    queries: NDArray[np.float64],
    points: NDArray[np.float64],
    offsets: NDArray[np.int64],
    members: NDArray[np.int64],
    *,
    metric: str,
    n_threads: int,
) -> NDArray[np.float64]: ...
def mixture_components(
    points: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    *,
    labels: NDArray[np.int32] | None,
    responsibilities: NDArray[np.float64] | None,
    n_components: int,
    covariance_type: str,
    reg_covar: float,
    n_threads: int,
) -> dict[str, Any]: ...
def fit_mixture(
    points: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    *,
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    precisions_cholesky: NDArray[np.float64],
    covariance_type: str,
    last: float,
    reg_covar: float,
    tol: float,
    max_iter: int,
    n_threads: int,
    report: Callable[[int, float], None] | None = None,
) -> dict[str, Any]: ...
def predict_mixture(
    points: NDArray[np.float64],
    *,
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    precisions_cholesky: NDArray[np.float64],
    covariance_type: str,
    what: str,
    n_threads: int,
) -> NDArray[Any]: ...
