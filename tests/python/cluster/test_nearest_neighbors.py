"""NearestNeighbors beside a naive twin, and in the places where others have gone wrong."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import NearestNeighbors
from mlcore._native import core

METRICS = ("euclidean", "manhattan", "chebyshev", "cosine")
ALGORITHMS = ("kd_tree", "brute", "auto")


def distances_of(metric, Q, X):
    """All distances, by the definition of the metric."""
    if metric == "cosine":
        lengths = np.linalg.norm(Q, axis=1)[:, None] * np.linalg.norm(X, axis=1)
        return 1 - np.where(lengths > 0, Q @ X.T / np.where(lengths > 0, lengths, 1), 0)
    difference = np.abs(Q[:, None] - X)
    if metric == "euclidean":
        return np.sqrt((difference**2).sum(axis=2))
    return difference.sum(axis=2) if metric == "manhattan" else difference.max(axis=2)


def points(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 3, 40])
def test_twin(metric, d, algorithm):
    X, Q = points(150, d), points(30, d, seed=1)
    model = NearestNeighbors(n_neighbors=6, metric=metric, algorithm=algorithm).fit(X)
    for queries in (None, Q):
        D = distances_of(metric, X if queries is None else queries, X)
        if queries is None:
            np.fill_diagonal(D, np.inf)
        found, rows = model.kneighbors(queries)
        np.testing.assert_allclose(found, np.sort(D, axis=1)[:, :6], atol=1e-12)
        np.testing.assert_allclose(np.take_along_axis(D, rows, axis=1), found, atol=1e-12)
        assert (model.kneighbors(queries, return_distance=False) == rows).all()
        radius = float(np.quantile(D[np.isfinite(D)], 0.1)) * (1 + 1e-9)  # no distance is so near to it
        graph = model.radius_neighbors_graph(queries, radius, mode="distance")
        is_near = radius >= D
        near = graph.toarray()
        assert graph.nnz == is_near.sum()
        np.testing.assert_allclose(near[is_near], D[is_near], atol=1e-12)
        assert (model.radius_neighbors_graph(queries, radius).toarray() == is_near).all()
        sizes, lists = model.radius_neighbors(queries, radius, sort_results=True)
        for i in range(len(D)):
            assert set(lists[i]) == set(np.flatnonzero(is_near[i]))
            assert (np.diff(sizes[i]) >= 0).all()
        nearest = model.kneighbors_graph(queries, 3, mode="distance")
        assert (np.diff(nearest.indptr) == 3).all()
        np.testing.assert_allclose(nearest.data.reshape(-1, 3), found[:, :3])
        assert (model.kneighbors_graph(queries, 3).toarray().sum(axis=1) == 3).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("levels", [2, 5])
def test_algorithms_agree_to_the_bit_where_there_are_many_ties(metric, levels):
    X = np.floor(np.random.default_rng(0).uniform(size=(400, 5)) * levels) + 1e6 * (metric != "cosine")
    expected = None
    for algorithm in ALGORITHMS:
        for n_jobs in (1, 2):
            model = NearestNeighbors(algorithm=algorithm, metric=metric, n_jobs=n_jobs, leaf_size=8 * n_jobs).fit(X)
            found = [*model.kneighbors(), *model.kneighbors(X[:50] + 0.5), model.radius_neighbors_graph(radius=1).data]
            expected = found if expected is None else expected
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ties_go_to_the_first_row(algorithm):
    model = NearestNeighbors(n_neighbors=3, algorithm=algorithm).fit([[0.0], [2.0], [0.0], [2.0], [0.0]])
    assert model.kneighbors([[1.0]])[1].tolist() == [[0, 1, 2]]
    assert model.kneighbors()[1].tolist() == [[2, 4, 1], [3, 0, 2], [0, 4, 1], [1, 0, 2], [0, 2, 1]]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_copies_of_one_point(algorithm):
    model = NearestNeighbors(n_neighbors=2, algorithm=algorithm).fit(np.full((300, 3), 0.1))
    distances, rows = model.kneighbors()
    assert (distances == 0).all()
    assert rows[:3].tolist() == [[1, 2], [0, 2], [0, 1]]
    assert model.radius_neighbors_graph(radius=0.0).nnz == 300 * 299


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1.0, 1e150, 1e300])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_depends_on_the_unit(algorithm, unit):
    X, Q = points(120, 3), points(20, 3, seed=1)
    plain = NearestNeighbors(algorithm=algorithm).fit(X)
    model = NearestNeighbors(algorithm=algorithm).fit(X * unit)
    for queries in (None, Q):
        expected, rows = plain.kneighbors(queries)
        found = model.kneighbors(None if queries is None else queries * unit)
        np.testing.assert_allclose(found[0], expected * unit, rtol=1e-9)
        np.testing.assert_array_equal(found[1], rows)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("d", [2, 40])
def test_the_place_of_the_origin_costs_no_digits(algorithm, d):
    X = np.random.default_rng(0).integers(0, 50, size=(300, d)).astype(float)
    plain, far = (NearestNeighbors(algorithm=algorithm).fit(rows) for rows in (X, X + 1e8))
    for a, b in zip(plain.kneighbors(), far.kneighbors(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rows_that_are_found_again_are_at_distance_0(algorithm, dtype):
    X = (points(200, 40) + 100).astype(dtype)
    distances, rows = NearestNeighbors(algorithm=algorithm).fit(X).kneighbors(X)
    assert (distances[:, 0] == 0).all()
    assert (rows[:, 0] == np.arange(200)).all()
    one = NearestNeighbors(n_neighbors=1, algorithm=algorithm).fit(X)
    assert all(one.kneighbors(X[i : i + 1])[0][0, 0] == 0 for i in range(20))


def test_queries_that_are_too_far():
    model = NearestNeighbors(n_neighbors=1).fit([[0.0], [1.0]])
    with pytest.raises(ValueError, match="too far from the rows of fit"):
        model.kneighbors([[1e200]])


@pytest.mark.parametrize("as_sparse", [False, True])
def test_rows_of_zeros_are_far_in_direction(as_sparse):
    X = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0], [-3.0, 0.0]])
    model = NearestNeighbors(n_neighbors=4, metric="cosine").fit(sp.csr_array(X) if as_sparse else X)
    distances, rows = model.kneighbors()
    assert rows.tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [0, 1, 3, 4], [0, 1, 2, 4], [1, 2, 3, 0]]
    np.testing.assert_array_equal(distances, [[1, 1, 1, 2], [1] * 4, [1] * 4, [1] * 4, [1, 1, 1, 2]])
    distances, rows = model.kneighbors([[0.0, 0.0], [5.0, 0.0]])
    assert rows.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert distances.tolist() == [[1] * 4, [0, 1, 1, 1]]
    assert model.radius_neighbors_graph(radius=0.5).nnz == 0
    assert model.radius_neighbors_graph(radius=1.0).nnz == 5 * 4 - 2
    only = NearestNeighbors(n_neighbors=2, metric="cosine").fit(np.zeros((3, 2)))
    assert only.kneighbors()[1].tolist() == [[1, 2], [0, 2], [0, 1]]
    assert only.radius_neighbors_graph(radius=1.0).nnz == 6


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_rows_are_as_dense_ones_to_the_bit(metric):
    X, Q = (sp.random(n, 30, 0.1, random_state=n, format="csr") for n in (200, 20))
    X.data, Q.data = X.data - 0.3, Q.data - 0.3
    dense, sparse = (NearestNeighbors(metric=metric).fit(rows) for rows in (X.toarray(), X))
    for queries in (None, Q):
        for a in (queries, None if queries is None else queries.toarray()):
            for b, c in zip(sparse.kneighbors(a), dense.kneighbors(a), strict=True):
                np.testing.assert_array_equal(b, c)
            found, expected = (model.radius_neighbors_graph(a, 0.8, mode="distance") for model in (sparse, dense))
            np.testing.assert_array_equal(found.toarray(), expected.toarray())


def test_given_distances():
    X, Q = points(60, 2), points(9, 2, seed=1)
    plain = NearestNeighbors().fit(X)
    given = NearestNeighbors(metric="precomputed").fit(distances_of("euclidean", X, X))
    graph = plain.radius_neighbors_graph(X, 10.0, mode="distance")
    stored = NearestNeighbors(metric="precomputed").fit(graph)
    for queries in (None, Q):
        D = None if queries is None else distances_of("euclidean", queries, X)
        for model, asked in ((given, D), (stored, None if D is None else sp.csr_array(D))):
            for a, b in zip(model.kneighbors(asked), plain.kneighbors(queries), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12)
            found, expected = (
                m.radius_neighbors_graph(rows, 0.7, mode="distance") for m, rows in ((model, asked), (plain, queries))
            )
            np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-12)


def test_given_distances_that_are_too_few():
    graph = NearestNeighbors().fit(points(30, 2)).kneighbors_graph(n_neighbors=3, mode="distance")
    model = NearestNeighbors(n_neighbors=4, metric="precomputed").fit(graph)
    with pytest.raises(ValueError, match="row 0 of the precomputed distances has 3 stored entries, but 4 neighbors"):
        model.kneighbors()
    assert (model.kneighbors(n_neighbors=3)[1] == graph.indices.reshape(-1, 3)).all()


@pytest.mark.parametrize("n_neighbors", [1, 129, 400, 999])
@pytest.mark.parametrize("d", [2, 20])
def test_many_neighbours(n_neighbors, d):
    X = points(1000, d)
    expected = np.sort(distances_of("euclidean", X[:40], X), axis=1)[:, :n_neighbors]
    for algorithm in ALGORITHMS:
        model = NearestNeighbors(n_neighbors=n_neighbors, algorithm=algorithm).fit(X)
        np.testing.assert_allclose(model.kneighbors(X[:40])[0], expected, rtol=1e-9, atol=1e-12)
        assert model.kneighbors()[0].shape == (1000, n_neighbors)


def test_answers_do_not_depend_on_the_batch():
    X, Q = points(500, 30), points(300, 30, seed=1)
    for algorithm in ALGORITHMS:
        model = NearestNeighbors(algorithm=algorithm).fit(X)
        together = model.kneighbors(Q)
        for part in (slice(0, 1), slice(10, 13), slice(0, 200)):
            for a, b in zip(model.kneighbors(Q[part]), together, strict=True):
                np.testing.assert_array_equal(a, b[part])


def test_copies_build_the_index_anew():
    model = NearestNeighbors().fit(points(100, 2))
    other = copy.deepcopy(model)
    assert not hasattr(other, "_index")
    np.testing.assert_array_equal(model.kneighbors()[1], other.kneighbors()[1])
    model.set_params(metric="manhattan")  # of the next fit
    np.testing.assert_array_equal(model.kneighbors()[0], other.kneighbors()[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X: NearestNeighbors(n_neighbors=11).fit(X).kneighbors(X), "Expected 1 <= n_neighbors <= 10"),
        (
            lambda X: NearestNeighbors(n_neighbors=10).fit(X).kneighbors(),
            "without the row itself, got n_neighbors = 10",
        ),
        (lambda X: NearestNeighbors().fit(X).kneighbors(X, 0), "Expected 1 <= n_neighbors <= 10"),
        (lambda X: NearestNeighbors().fit(X).radius_neighbors(X, -1.0), "radius must be a number >= 0, got -1"),
        (lambda X: NearestNeighbors().fit(X).radius_neighbors(X, np.nan), "radius must be a number >= 0, got nan"),
        (lambda X: NearestNeighbors().fit(X).kneighbors_graph(mode="weights"), "mode must be 'connectivity' or"),
        (lambda X: NearestNeighbors().fit(X).radius_neighbors(X, 1, False, True), "return_distance must be True"),
        (lambda X: NearestNeighbors(metric="precomputed").fit(abs(X)), "must be square in fit"),
        (lambda X: NearestNeighbors(metric="precomputed").fit(-np.ones((3, 3))), "Negative values in data"),
        (lambda X: NearestNeighbors(metric="manhattan").fit(sp.csr_array(X)), "goes with the metrics"),
        (lambda X: NearestNeighbors(algorithm="kd_tree").fit(sp.csr_array(X)), "takes points, not sparse rows"),
        (lambda X: NearestNeighbors().fit(X).kneighbors(X[:, :1]), "has 1 features"),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make(points(10, 2))


def test_the_binding_checks_its_arguments():
    X = points(10, 2)
    tree = core.neighbors.KdTree(X, metric="euclidean", leaf_size=32, n_threads=1)
    with pytest.raises(ValueError, match="k must be from 1 to the number of points, 10, got 11"):
        tree.k_nearest(None, 11, n_threads=1)
    with pytest.raises(ValueError, match="2 columns"):
        tree.k_nearest(points(3, 3), 2, n_threads=1)
    with pytest.raises(ValueError, match="points must be finite"):
        core.neighbors.KdTree(X * np.nan, metric="euclidean", leaf_size=32, n_threads=1)
    with pytest.raises(ValueError, match="C order"):
        core.neighbors.k_nearest(np.asfortranarray(X), None, 2, metric="euclidean", n_threads=1)
    with pytest.raises(ValueError, match="metric must be"):
        core.neighbors.k_nearest(X, None, 2, metric="hamming", n_threads=1)
    with pytest.raises(ValueError, match="leaf_size must be at least 1"):
        core.neighbors.KdTree(X, metric="euclidean", leaf_size=0, n_threads=1)


@pytest.mark.peers
@pytest.mark.parametrize("metric", METRICS)
def test_scikit_learn(metric):
    peer = pytest.importorskip("sklearn.neighbors").NearestNeighbors
    X, Q = points(500, 4), points(60, 4, seed=1)
    ours, theirs = (cls(metric=metric, n_neighbors=7, radius=0.4).fit(X) for cls in (NearestNeighbors, peer))
    for queries in (None, Q):
        for a, b in zip(ours.kneighbors(queries), theirs.kneighbors(queries), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)
        for method in ("kneighbors_graph", "radius_neighbors_graph"):
            found, expected = (getattr(model, method)(queries, mode="distance") for model in (ours, theirs))
            np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-12)
