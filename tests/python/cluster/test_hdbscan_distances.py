"""HDBSCAN of distances that are given, dense and sparse."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from mlcore import HDBSCAN
from mlcore.cluster import NearestNeighbors
from support.groups import groups


def test_given_distances_are_checked():
    D = np.ones((6, 6)) - np.eye(6)
    for change, match in (
        (lambda D: D[:, :5], "square"),
        (lambda D: D + np.triu(D), "symmetric"),
        (lambda D: -D, "negative"),
        (lambda D: np.where(D == 1, np.nan, D), "negative or NaN"),
    ):
        with pytest.raises(ValueError, match=match):
            HDBSCAN(2, metric="precomputed").fit(change(D))
    with pytest.raises(ValueError, match="store_centers"):
        HDBSCAN(2, metric="precomputed", store_centers="both").fit(D)
    model = HDBSCAN(2, metric="precomputed").fit(D)
    assert not hasattr(model, "exemplars_")
    for ask in (model.approximate_predict, model.membership_vector):
        with pytest.raises(ValueError, match="precomputed"):
            ask(D)
    with pytest.raises(ValueError, match="store_centers"):
        model.reselect(store_centers="medoid")


def test_groups_without_a_connection_are_clusters():
    D = np.full((20, 20), np.inf)
    rng = np.random.default_rng(0)
    for part in (slice(0, 10), slice(10, 20)):
        x = rng.normal(size=10)
        D[part, part] = np.abs(x[:, None] - x)
    labels = HDBSCAN(5, 3, metric="precomputed", allow_single_cluster=True).fit(D).labels_
    assert set(labels[:10]) & set(labels[10:]) <= {-1}
    assert labels.max() >= 1


def given_graph(D, radius):
    """Distances up to a radius as CSR with its zeros stored, and the dense matrix with infinity elsewhere."""
    near = radius >= D
    row, column = np.nonzero(near)
    return sp.csr_array((D[near], (row, column)), D.shape), np.where(near, D, np.inf)


@pytest.mark.parametrize("radius", [0.05, 0.3, 2.0, 100.0])
@pytest.mark.parametrize("options", [{}, {"alpha": 1.3, "min_samples": 3}, {"allow_single_cluster": True}])
def test_sparse_distances_are_dense_ones_with_infinity(radius, options):
    X = np.round(groups(), 2)
    X[7:15] = X[7]  # distances of 0
    graph, D = given_graph(squareform(pdist(X)), radius)
    dense = HDBSCAN(6, metric="precomputed", **options).fit(D)
    upper = sp.triu(graph, 1, format="coo")  # one side is enough, without the diagonal
    half = sp.csr_array((upper.data, upper.coords), upper.shape)
    for given in (graph, graph.tocoo(), half):
        for n_jobs in (1, 3):
            model = HDBSCAN(6, metric="precomputed", n_jobs=n_jobs, **options).fit(given)
            for name in ("labels_", "probabilities_", "core_distances_", "minimum_spanning_tree_", "outlier_scores_"):
                np.testing.assert_array_equal(getattr(model, name), getattr(dense, name))
    assert model.n_features_in_ == len(X)


def test_a_graph_of_neighbours_is_enough():
    X = groups()
    graph = NearestNeighbors(n_neighbors=25).fit(X).kneighbors_graph(mode="distance")
    assert (graph != graph.T).nnz > 0
    found = HDBSCAN(10, metric="precomputed").fit(graph)
    whole = HDBSCAN(10).fit(X)
    np.testing.assert_allclose(found.core_distances_, whole.core_distances_, rtol=1e-12)
    assert adjusted_rand_score(found.labels_, whole.labels_) > 0.95  # an edge between groups is missing
    copy = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copy.reselect(min_cluster_size=5).labels_, found.reselect(min_cluster_size=5).labels_)


def test_rows_with_few_distances_are_noise():
    D = np.abs(np.subtract.outer(*[np.r_[np.arange(8.0), 100 + np.arange(8.0), 1e3]] * 2))
    graph, dense = given_graph(D, 50)
    for given in (graph, dense):
        model = HDBSCAN(4, metric="precomputed").fit(given)
        assert model.labels_.tolist() == [0] * 8 + [1] * 8 + [-1]
        assert np.isinf(model.core_distances_).tolist() == [False] * 16 + [True]
        assert np.isinf(model.minimum_spanning_tree_[-1, 2])
        assert model.probabilities_[-1] == 0
        assert model.outlier_scores_[-1] == 1
        with pytest.raises(ValueError, match="min_samples=9"):
            HDBSCAN(9, metric="precomputed").fit(given)


def test_sparse_distances_are_checked():
    graph, _ = given_graph(squareform(pdist(groups())), 1.0)
    for change, match in (
        (lambda D: D[:, :5], "square"),
        (lambda D: D + sp.triu(D), "symmetric"),
        (lambda D: -D, "negative"),
        (lambda D: D * np.nan, "negative or NaN"),
    ):
        with pytest.raises(ValueError, match=match):
            HDBSCAN(2, metric="precomputed").fit(change(graph))
    with pytest.raises(TypeError, match="Sparse"):
        HDBSCAN(2).fit(graph)
