"""Minimum spanning trees by kd-tree and by brute force, and single linkage, beside SciPy."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from mlcore._native import core

Tree = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]
NAMES = {"euclidean": "euclidean", "manhattan": "cityblock", "chebyshev": "chebyshev"}


def kd_tree(X: np.ndarray, metric: str = "euclidean") -> "core.neighbors.KdTree":
    return core.neighbors.KdTree(X, metric=metric, leaf_size=32, n_threads=2)


def reachability(X: np.ndarray, k: int, alpha: float, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(core distances, mutual reachability distances), naively."""
    distances = cdist(X, X, NAMES[metric])
    cores = np.sort(distances, axis=1)[:, k - 1]
    return cores, np.maximum(distances / alpha, np.maximum(cores[:, None], cores[None, :]))


def points(n: int, d: int, *, ties: bool, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 4 * rng.integers(0, 3, size=(n, 1))
    return np.round(X) if ties else X


def same(a: Tree, b: Tree) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize(("d", "alpha"), [(1, 1.0), (2, 1.3), (5, 1.0), (24, 1.0)])
def test_total_weight_is_scipys(metric: str, d: int, alpha: float) -> None:
    for ties in (False, True):
        X = points(400, d, ties=ties)
        cores, weights = reachability(X, 5, alpha, metric)
        # SciPy takes weights of 0 for missing edges: all weights are raised by 1
        expected = minimum_spanning_tree(weights + 1).sum() - (len(X) - 1)
        found, *tree = core.neighbors.reachability_tree(kd_tree(X, metric), 5, alpha=alpha, n_threads=2)
        np.testing.assert_allclose(found, cores, rtol=1e-12)  # SciPy may sum in another order
        assert tree[2].sum() == pytest.approx(expected, rel=1e-11)
        brute = core.neighbors.reachability_tree(X, 5, alpha=alpha, metric=metric, n_threads=2)
        assert same(tuple(tree), brute[1:])
        again = core.neighbors.spanning_tree(kd_tree(X, metric), found, alpha=alpha, n_threads=1)
        assert same(again, brute[1:])


def test_edges_ascend_and_do_not_depend_on_threads() -> None:
    X = points(6000, 3, ties=False)
    trees = [core.neighbors.reachability_tree(kd_tree(X), 6, n_threads=n)[1:] for n in (1, 2, 3, 8)]
    assert all(same(tree, trees[0]) for tree in trees)
    start, end, weights = trees[0]
    assert (start < end).all()
    order = np.lexsort((end, start, ((X[start] - X[end]) ** 2).sum(axis=1), weights))
    np.testing.assert_array_equal(order, np.arange(len(order)))


@pytest.mark.parametrize("d", [2, 20])
def test_duplicates_and_few_points(d: int) -> None:
    for n in (1, 2, 3, 700):
        X = np.full((n, d), 3.5)
        for of in (kd_tree(X), X):
            start, end, weights = core.neighbors.spanning_tree(of, None, n_threads=2)
            assert len(weights) == n - 1
            assert (weights == 0).all()
            assert (start == 0).all()  # of equal edges those of the lowest rows
            assert (end == np.arange(1, n)).all()
            assert core.cluster.single_linkage(start, end, weights).shape == (n - 1, 4)


def test_far_from_the_origin() -> None:
    rng = np.random.default_rng(0)
    steps = rng.integers(0, 50, size=(500, 18)).astype(float)
    for far in (1e8, 1e12):
        near_tree = core.neighbors.spanning_tree(kd_tree(steps), None, n_threads=2)
        assert same(core.neighbors.spanning_tree(kd_tree(steps + far), None, n_threads=2), near_tree)


def test_given_distances() -> None:
    X = points(150, 3, ties=True)
    distances = cdist(X, X)
    cores = np.sort(distances, axis=1)[:, 3].copy()
    got = core.neighbors.spanning_tree_of_distances(distances, cores)
    reached = np.maximum(distances, np.maximum(cores[:, None], cores))
    assert got[2].sum() == pytest.approx(minimum_spanning_tree(reached + 1).sum() - 149, rel=1e-12)
    transposed = core.neighbors.spanning_tree_of_distances(distances.T, cores)  # any strides
    assert same(got, transposed)


def test_single_linkage_is_scipys() -> None:
    X = points(300, 2, ties=False)
    start, end, weights = core.neighbors.spanning_tree(kd_tree(X), None, n_threads=2)
    expected = linkage(X, "single")
    got = core.cluster.single_linkage(start, end, weights)
    np.testing.assert_allclose(got[:, 2], expected[:, 2], rtol=1e-12)  # sums in another order
    np.testing.assert_array_equal(got[:, [0, 1, 3]], expected[:, [0, 1, 3]])


def test_memory_is_linear() -> None:
    """n^2 distances of 30,000 points would be 7.2 GB; NumPy's arrays alone are traced, which are n - 1 long."""
    X = points(30_000, 2, ties=False)
    tree = kd_tree(X)
    tracemalloc.start()
    core.neighbors.reachability_tree(tree, 5, n_threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_bad_input() -> None:
    X = points(20, 2, ties=False)
    tree = kd_tree(X)
    cores = np.ones(20)
    for bad in (np.ones(19), -cores, np.full(20, np.nan)):
        for of in (tree, X):
            with pytest.raises(ValueError, match="core_distances"):
                core.neighbors.spanning_tree(of, bad, n_threads=1)
    for alpha in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="alpha"):
            core.neighbors.spanning_tree(tree, cores, alpha=alpha, n_threads=1)
    for neighbors in (np.full((20, 2), 20), np.full((20, 2), -1), np.zeros((19, 2), dtype=np.int64)):
        with pytest.raises(ValueError, match="neighbors"):
            core.neighbors.spanning_tree(tree, cores, neighbors=neighbors, n_threads=1)
    for k in (0, 21):
        with pytest.raises(ValueError, match="k must be"):
            core.neighbors.reachability_tree(tree, k, n_threads=1)
    with pytest.raises(ValueError, match="finite"):
        core.neighbors.spanning_tree(np.array([[1.0], [np.nan]]), None, n_threads=1)
    with pytest.raises(ValueError, match="at least one point"):
        core.neighbors.spanning_tree(np.empty((0, 2)), None, n_threads=1)
    for distances in (np.ones((3, 2)), np.full((2, 2), np.nan), np.full((2, 2), -1.0)):
        with pytest.raises(ValueError, match="distances"):
            core.neighbors.spanning_tree_of_distances(distances, None)
    with pytest.raises(ValueError, match="cycle"):
        core.cluster.single_linkage(np.zeros(2, np.int32), np.ones(2, np.int32), np.ones(2))
