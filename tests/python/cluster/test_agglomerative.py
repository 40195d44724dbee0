"""Agglomerative clustering beside SciPy's trees and scikit-learn's labels."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.cluster
from scipy.cluster.hierarchy import is_valid_linkage, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import make_blobs
from sklearn.neighbors import kneighbors_graph

from mlcore import load, save
from mlcore._native import core
from mlcore.cluster import AgglomerativeClustering

LINKAGES = ("ward", "average", "complete", "single")
METRICS = ("euclidean", "manhattan", "chebyshev", "cosine")
SCIPY = {"manhattan": "cityblock"}
PAIRS = [("ward", "euclidean"), *((kind, metric) for kind in LINKAGES[1:] for metric in METRICS)]


def rows(n, d, seed=0):
    return np.random.default_rng([seed, n, d]).normal(size=(n, d))


def clusters_of(children, n):
    """Return a number for the set of rows of each merge."""
    number = np.zeros(2 * n - 1, dtype=np.uint64)
    number[:n] = np.random.default_rng(0).integers(0, 2**62, n, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for i, (a, b) in enumerate(np.asarray(children, dtype=np.int64)):
            number[n + i] = number[a] + number[b]
    return number[n:]


def assert_same_labels(found, expected, kind):
    """Compare labels; of "single" up to their numbers: scikit-learn has the children of its merges in any order."""
    if kind == "single":
        pairs = np.unique(np.column_stack([found, expected]), axis=0)
        assert len(pairs) == len(np.unique(found)) == len(np.unique(expected))
    else:
        np.testing.assert_array_equal(found, expected)


def assert_same_tree(model, tree, tolerance=1e-12):
    """Compare with SciPy's form; merges at nearly the same height may come in any order."""
    n = len(tree) + 1
    assert is_valid_linkage(model.linkage_matrix_)
    np.testing.assert_allclose(model.distances_, tree[:, 2], rtol=tolerance)
    np.testing.assert_array_equal(
        np.sort(clusters_of(model.children_, n)), np.sort(clusters_of(tree[:, :2], n)), "merges"
    )


@pytest.mark.parametrize(("kind", "metric"), PAIRS)
@pytest.mark.parametrize(("n", "d"), [(2, 1), (3, 2), (40, 1), (300, 3), (500, 20)])
def test_same_as_scipy_and_scikit_learn(kind, metric, n, d):
    if metric == "cosine" and d == 1:
        pytest.skip("all rows have one of two directions")
    X = rows(n, d)
    model = AgglomerativeClustering(2, linkage=kind, metric=metric).fit(X)
    tree = linkage(X, kind, SCIPY.get(metric, metric))
    # SciPy takes 1 - cosine, which cancels where directions are near.
    assert_same_tree(model, tree, 1e-12 if metric != "cosine" else 1e-7)
    if kind != "ward":
        matrix = squareform(pdist(X, SCIPY.get(metric, metric)))
        of_matrix = AgglomerativeClustering(2, linkage=kind, metric="precomputed").fit(matrix)
        assert_same_tree(of_matrix, tree)
    if metric == "chebyshev" and kind != "single":
        return  # SciPy takes it, scikit-learn does not look at the name
    for k in {1, 2, min(n, 7), n}:
        theirs = sklearn.cluster.AgglomerativeClustering(k, linkage=kind, metric=metric).fit(X)
        assert_same_labels(model.cut(n_clusters=k), theirs.labels_, kind)
        np.testing.assert_array_equal(model.children_, np.sort(theirs.children_, axis=1))


@pytest.mark.parametrize("kind", LINKAGES)
@pytest.mark.parametrize("d", [2, 6, 30])
def test_many_rows(kind, d):
    """So many that all but single linkage begin in the tree of centroids."""
    X = make_blobs(2400, d, centers=8, random_state=0)[0]
    model = AgglomerativeClustering(8, linkage=kind).fit(X)
    tree = linkage(X, kind)
    assert_same_tree(model, tree)
    theirs = sklearn.cluster.AgglomerativeClustering(8, linkage=kind).fit(X)
    assert_same_labels(model.labels_, theirs.labels_, kind)


@pytest.mark.parametrize("kind", ["ward", "average", "complete"])
@pytest.mark.parametrize("d", [1, 27])
def test_one_pair_a_round(kind, d):
    """Gaps that grow: rounds find a single pair that is nearest to each other, the chain does the rest."""
    X = np.repeat(np.cumsum(1.01 ** np.arange(2500))[:, np.newaxis], d, axis=1)
    assert_same_tree(AgglomerativeClustering(linkage=kind).fit(X), linkage(X, kind))


@pytest.mark.parametrize(("n", "d"), [(1300, 27), (2500, 64), (700, 256)])
def test_ward_of_noise_in_many_columns(n, d):
    """Nearly all are equally far: rounds merge few, in the tree and in the matrix of what is left."""
    X = rows(n, d)
    assert_same_tree(AgglomerativeClustering().fit(X), linkage(X, "ward"))


@pytest.mark.parametrize("kind", LINKAGES)
@pytest.mark.parametrize("connected", [False, True])
def test_thresholds(kind, connected):
    X = rows(200, 3)
    options = {"connectivity": kneighbors_graph(X, 10, include_self=False)} if connected else {}
    model = AgglomerativeClustering(linkage=kind, **options).fit(X)
    between = float(np.sort(model.distances_)[149:151].mean())  # of two merges: rounding does not decide
    for threshold in (0.0, between, 1.0, 1e9):
        theirs = sklearn.cluster.AgglomerativeClustering(
            None, linkage=kind, distance_threshold=threshold, **options
        ).fit(X)
        ours = AgglomerativeClustering(None, linkage=kind, distance_threshold=threshold, **options).fit(X)
        assert ours.n_clusters_ == theirs.n_clusters_
        assert_same_labels(ours.labels_, theirs.labels_, kind)
        np.testing.assert_array_equal(model.cut(distance_threshold=threshold), ours.labels_)


@pytest.mark.parametrize(("kind", "metric"), [pair for pair in PAIRS if pair[1] != "chebyshev"])
def test_connectivity_as_scikit_learn(kind, metric):
    X = rows(250, 4)
    graph = kneighbors_graph(X, 6, include_self=False)
    theirs = sklearn.cluster.AgglomerativeClustering(
        5, linkage=kind, metric=metric, connectivity=graph, compute_distances=True
    ).fit(X)
    for connectivity in (graph, graph.toarray(), partial(kneighbors_graph, n_neighbors=6)):
        ours = AgglomerativeClustering(5, linkage=kind, metric=metric, connectivity=connectivity).fit(X)
        np.testing.assert_array_equal(ours.children_, np.sort(theirs.children_, axis=1))
        np.testing.assert_allclose(ours.distances_, theirs.distances_, rtol=1e-10)
        assert_same_labels(ours.labels_, theirs.labels_, kind)
        assert ours.n_connected_components_ == 1
    if kind != "ward":
        matrix = squareform(pdist(X, SCIPY.get(metric, metric)))
        of_matrix = AgglomerativeClustering(5, linkage=kind, metric="precomputed", connectivity=graph).fit(matrix)
        assert_same_labels(of_matrix.labels_, theirs.labels_, kind)


@pytest.mark.parametrize("kind", LINKAGES)
def test_connectivity_that_falls_apart(kind):
    X = make_blobs(120, 2, centers=4, cluster_std=0.5, random_state=3)[0]
    graph = kneighbors_graph(X, 3, include_self=False)
    options = {"linkage": kind, "connectivity": graph}
    with pytest.warns(UserWarning, match="parts"):
        ours = AgglomerativeClustering(3, **options).fit(X)
    with pytest.warns(UserWarning, match="connected components"):
        theirs = sklearn.cluster.AgglomerativeClustering(3, **options).fit(X)
    assert ours.n_connected_components_ == theirs.n_connected_components_ > 1
    np.testing.assert_array_equal(ours.children_, np.sort(theirs.children_, axis=1))
    assert_same_labels(ours.labels_, theirs.labels_, kind)


@pytest.mark.parametrize("kind", LINKAGES)
def test_duplicates(kind):
    model = AgglomerativeClustering(3, linkage=kind).fit(np.ones((3000, 3)))
    assert (model.distances_ == 0).all()
    assert is_valid_linkage(model.linkage_matrix_)
    assert sorted(np.unique(model.labels_)) == [0, 1, 2]
    X = np.repeat(rows(20, 2), 5, axis=0)
    model = AgglomerativeClustering(4, linkage=kind).fit(X)
    np.testing.assert_allclose(model.distances_, linkage(X, kind)[:, 2], rtol=1e-12, atol=1e-12)
    assert (model.labels_.reshape(20, 5) == model.labels_[::5, np.newaxis]).all()


@pytest.mark.parametrize("kind", LINKAGES)
def test_ties_of_a_grid(kind):
    X = np.stack(np.meshgrid(np.arange(60), np.arange(60)), axis=-1).reshape(-1, 2)
    models = [AgglomerativeClustering(9, linkage=kind, n_jobs=n_jobs).fit(X) for n_jobs in (1, 2, 3)]
    for model in models:
        assert is_valid_linkage(model.linkage_matrix_)
        np.testing.assert_array_equal(model.children_, models[0].children_)
        np.testing.assert_array_equal(model.distances_, models[0].distances_)
    if kind == "single":
        assert (models[0].distances_ == 1).all()
    assert models[0].n_clusters_ == len(np.unique(models[0].labels_)) == 9


@pytest.mark.parametrize("kind", LINKAGES)
def test_far_from_zero(kind):
    """Centroids at 1e8 with differences of 1 lose nothing."""
    X = np.random.default_rng(0).integers(0, 1000, size=(400, 3)) / 64  # exact at 1e8, too
    model = AgglomerativeClustering(5, linkage=kind).fit(X + 1e8)
    near = AgglomerativeClustering(5, linkage=kind).fit(X)
    np.testing.assert_allclose(model.distances_, near.distances_, rtol=1e-12)
    np.testing.assert_array_equal(model.labels_, near.labels_)


@pytest.mark.parametrize("kind", LINKAGES)
def test_two_groups_far_from_each_other(kind):
    X = np.random.default_rng(0).normal(size=(200, 2))
    X = np.vstack([X - 1e8, X + 1e8])
    model = AgglomerativeClustering(2, linkage=kind).fit(X)
    np.testing.assert_array_equal(model.labels_[:200], model.labels_[0])
    np.testing.assert_array_equal(model.labels_[200:], 1 - model.labels_[0])
    expected = linkage(X, kind)[:, 2]
    np.testing.assert_allclose(model.distances_, expected, rtol=1e-12 if kind != "ward" else 1e-6)
    # The same groups on one spot each, from the differences that are left of them at 1e8.
    alone = [linkage(X[i : i + 200] - X[i], kind)[:, 2] for i in (0, 200)]
    np.testing.assert_allclose(model.distances_[:-1], np.sort(np.concatenate(alone)), rtol=1e-12)


@pytest.mark.parametrize("kind", LINKAGES)
@pytest.mark.parametrize("unit", [1e-200, 1e150, 1e307])
def test_units(kind, unit):
    X = rows(100, 2) / 4
    model = AgglomerativeClustering(5, linkage=kind).fit(X * unit)
    expected = AgglomerativeClustering(5, linkage=kind).fit(X)
    np.testing.assert_allclose(model.distances_ / unit, expected.distances_, rtol=1e-12)
    np.testing.assert_array_equal(model.labels_, expected.labels_)


@pytest.mark.parametrize("kind", LINKAGES)
def test_same_bits_for_any_number_of_threads(kind):
    X = make_blobs(2500, 4, centers=5, random_state=1)[0]
    first, *others = (AgglomerativeClustering(5, linkage=kind, n_jobs=n_jobs).fit(X) for n_jobs in (1, 2, 5))
    for other in others:
        np.testing.assert_array_equal(other.children_, first.children_)
        np.testing.assert_array_equal(other.distances_, first.distances_)


def test_integers_and_lists():
    X = [[1, 2], [1, 4], [1, 0], [4, 2], [4, 4], [4, 0]]
    assert AgglomerativeClustering().fit_predict(X).tolist() == [1, 1, 1, 0, 0, 0]
    assert AgglomerativeClustering().fit_predict(np.array(X, dtype=np.uint8)).tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("options", "X", "message"),
    [
        ({"n_clusters": 4}, np.eye(3), "at most n_samples = 3"),
        ({"n_clusters": None}, np.eye(3), "exactly one"),
        ({"distance_threshold": 1.0}, np.eye(3), "exactly one"),
        ({"n_clusters": None, "distance_threshold": -1.0}, np.eye(3), "distance_threshold"),
        ({"n_clusters": None, "distance_threshold": np.inf}, np.eye(3), "distance_threshold"),
        ({"n_clusters": 0}, np.eye(3), "n_clusters"),
        ({"metric": "manhattan"}, np.eye(3), "euclidean"),
        ({"metric": "precomputed"}, np.eye(3), "euclidean"),
        ({}, np.ones((1, 2)), "minimum of 2"),
        ({}, [[np.nan], [1.0]], "NaN"),
        ({}, [[np.inf], [1.0]], "infinity"),
        ({"linkage": "average", "metric": "cosine"}, np.array([[0.0, 0.0], [1.0, 0.0]]), "not zero"),
        ({"linkage": "average", "metric": "precomputed"}, np.ones((3, 2)), "square"),
        ({"linkage": "average", "metric": "precomputed"}, np.arange(9.0).reshape(3, 3), "symmetric"),
        ({"linkage": "average", "metric": "precomputed"}, -np.ones((3, 3)), "negative"),
        ({"connectivity": np.eye(4)}, np.eye(3), "connectivity must have shape"),
    ],
)
def test_bad_input(options, X, message):
    model = AgglomerativeClustering().fit(np.eye(3))
    model.set_params(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X)


def test_bad_cuts():
    model = AgglomerativeClustering().fit(np.eye(3))
    both = {"n_clusters": 1, "distance_threshold": 1.0}
    for options in ({}, both, {"n_clusters": 4}, {"n_clusters": 0}, {"distance_threshold": -1.0}):
        with pytest.raises(ValueError, match=r"n_clusters|distance_threshold"):
            model.cut(**options)


def test_bindings_check_what_they_are_given():
    X = np.eye(3)
    some = np.array([0, 1], dtype=np.int32)
    options = {"linkage": "average", "metric": "euclidean", "n_threads": 1}
    for bad in (some[:1], np.array([0, 3], dtype=np.int32), np.array([-1, 2], dtype=np.int32), some):
        with pytest.raises(ValueError, match="edge"):  # wrong rows, or not all rows connected
            core.cluster.agglomerate_connected(X, some[: len(bad)], bad, **options)
    with pytest.raises(ValueError, match="ward"):
        core.cluster.agglomerate(X, linkage="ward", metric="manhattan", n_threads=1)
    with pytest.raises(ValueError, match="only"):
        core.cluster.agglomerate(X, linkage="single", metric="manhattan", n_threads=1)
    for bad in (np.nan, np.inf):
        for kind in ("ward", "average"):
            with pytest.raises(ValueError, match="finite"):
                core.cluster.agglomerate(np.full((3, 3), bad), linkage=kind, metric="euclidean", n_threads=1)
    children = np.array([[0, 1], [2, 3]])
    for clusters in ([5], [-1], [3]):
        with pytest.raises(ValueError, match="cluster"):
            core.cluster.cut_labels(children, np.array(clusters))
    with pytest.raises(ValueError, match="before"):
        core.cluster.cut_labels(np.array([[0, 4], [2, 3]]), np.array([4]))
    with pytest.raises(ValueError, match="component"):
        core.cluster.closest_pairs(X, np.zeros(3, dtype=np.int32), 2, metric="euclidean", n_threads=1)


def test_saved_with_its_connectivity(tmp_path):
    X = rows(50, 2)
    model = AgglomerativeClustering(connectivity=kneighbors_graph(X, 5, include_self=False)).fit(X)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert sp.issparse(again.connectivity)
    np.testing.assert_array_equal(again.fit(X).labels_, model.labels_)


def test_the_matrix_that_does_not_fit_is_refused():
    """Before it is asked for: that of a million rows takes 8 TB. All rows of this one are the same memory."""
    D = np.lib.stride_tricks.as_strided(np.zeros(2**20), (2**20, 2**20), (0, 8))
    with pytest.raises(MemoryError, match="GB"):
        core.cluster.agglomerate(D, linkage="complete", metric="precomputed", n_threads=1)


@pytest.mark.parametrize("linkage", ["ward", "average", "complete"])
def test_the_core_refuses_what_is_not_finite(linkage):
    for value in (np.nan, np.inf):
        X = np.random.default_rng(0).normal(size=(40, 3))
        X[5, 0] = value
        with pytest.raises(ValueError, match="X must be finite"):
            core.cluster.agglomerate(X, linkage=linkage, metric="euclidean", n_threads=1)
    if linkage != "ward":
        D = np.full((4, 4), np.nan)
        with pytest.raises(ValueError, match="must not be negative or NaN"):
            core.cluster.agglomerate(D, linkage=linkage, metric="precomputed", n_threads=1)
