# Submodule `neighbors` of every _core_<level> extension module: the nearest points, and the spanning tree of them.

import numpy as np
from numpy.typing import NDArray

from mlcore._tables import Matrix

class KdTree:
    def __init__(self, points: NDArray[np.float64], *, metric: str, leaf_size: int, n_threads: int) -> None: ...
    def k_nearest(
        self, queries: NDArray[np.float64] | None, k: int, *, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
    def scanned_share(self, k: int, *, n_threads: int) -> float: ...
    def within(
        self, queries: NDArray[np.float64] | None, radius: float, *, n_threads: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]: ...

def k_nearest(
    points: NDArray[np.float64], queries: NDArray[np.float64] | None, k: int, *, metric: str, n_threads: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
def within(
    points: NDArray[np.float64], queries: NDArray[np.float64] | None, radius: float, *, metric: str, n_threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]: ...
def spanning_tree(
    points: KdTree | NDArray[np.float64],
    core_distances: NDArray[np.float64] | None,
    *,
    alpha: float = ...,
    metric: str = ...,
    neighbors: NDArray[np.int64] | None = ...,
    n_threads: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]: ...
def reachability_tree(
    points: KdTree | NDArray[np.float64],
    k: int,
    *,
    alpha: float = ...,
    metric: str = ...,
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]: ...
def spanning_tree_of_distances(
    distances: NDArray[np.float64], core_distances: NDArray[np.float64] | None, alpha: float = ...
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]: ...
def reachability_tree_of_graph(
    distances: Matrix,
    k: int,
    *,
    alpha: float = ...,
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]: ...
