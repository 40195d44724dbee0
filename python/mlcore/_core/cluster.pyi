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
