"""HDBSCAN beside scikit-learn's and the package hdbscan, on generated groups and on the sets of ../shared/data/cluster.

Mutual reachability has many ties: the spanning trees of two libraries have the same weights but other edges, and where
a tie decides who leaves a cluster first, a few labels differ. Given the same hierarchy, all is the same to the bit.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.cluster
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from mlcore import HDBSCAN
from mlcore._native import core
from mlcore.cluster._condensed_tree import condensed_tree
from mlcore.cluster._relative_validity import relative_validity

DATA = Path(__file__).parents[4] / "shared" / "data" / "cluster"
SMALL = sorted(path.stem for path in DATA.glob("*.npz") if path.stat().st_size < 40_000) or ["none"]


def points(name):
    if not (DATA / f"{name}.npz").exists():
        pytest.skip(f"the data sets are not at {DATA}")
    return np.load(DATA / f"{name}.npz")["X"].astype(np.float64)


def groups(n=300):
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(6 * i, 0.5 + 0.3 * i, (n // 3, 2)) for i in range(3)])


def same(labels, others):
    return adjusted_rand_score(labels, others) == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cluster_selection_method": "leaf"},
        {"cluster_selection_epsilon": 0.7},
        {"max_cluster_size": 80},
        {"allow_single_cluster": True},
        {"min_samples": 3, "alpha": 1.3},
        {"metric": "manhattan"},
        {"metric": "chebyshev"},
    ],
    ids=str,
)
def test_scikit_learn(options):
    X = groups()
    ours = HDBSCAN(12, **options).fit(X)
    theirs = sklearn.cluster.HDBSCAN(12, copy=True, **options).fit(X)
    assert adjusted_rand_score(ours.labels_, theirs.labels_) > 0.995  # one row, where edges of one weight decide
    if "metric" not in options:  # many of those distances are equal, and ties decide when a cluster ends
        assert (np.abs(ours.probabilities_ - theirs.probabilities_) < 1e-9).mean() > 0.98


@pytest.mark.parametrize("options", [{}, {"min_samples": 3}, {"cluster_selection_epsilon": 0.7}], ids=str)
def test_scikit_learn_on_sparse_distances(options):
    """With zeros stored on the diagonal, and all rows connected: others scikit-learn refuses, or reads otherwise.

    It divides core distances of given distances by alpha too.
    """
    X = groups()
    D = squareform(pdist(X))
    near = (D <= 4) | (np.arange(len(D)) == 0) | (np.arange(len(D)) == 0)[:, None]
    graph = sp.csr_array((D[near], np.nonzero(near)), D.shape)
    ours = HDBSCAN(12, metric="precomputed", **options).fit(graph)
    theirs = sklearn.cluster.HDBSCAN(12, metric="precomputed", copy=True, **options).fit(graph)
    weights = np.sort([merge[2] for merge in theirs._single_linkage_tree_])
    np.testing.assert_array_equal(ours.minimum_spanning_tree_[:, 2], weights)
    assert same(ours.labels_, theirs.labels_)
    assert ours.labels_.max() >= 1
    assert (np.abs(ours.probabilities_ - theirs.probabilities_) < 1e-9).mean() > 0.98


def test_centers_of_scikit_learn():
    X = groups()
    ours = HDBSCAN(12, store_centers="both").fit(X)
    theirs = sklearn.cluster.HDBSCAN(12, store_centers="both", copy=True).fit(X)
    order = [theirs.labels_[np.flatnonzero(ours.labels_ == k)[0]] for k in range(3)]
    np.testing.assert_allclose(ours.centroids_, theirs.centroids_[order], atol=0.02)
    np.testing.assert_allclose(ours.medoids_, theirs.medoids_[order], atol=0.3)


@pytest.mark.parametrize("name", SMALL)
def test_scikit_learn_on_real_sets(name):
    X = points(name)
    ours, theirs = HDBSCAN(15).fit(X), sklearn.cluster.HDBSCAN(15, copy=True).fit(X)
    assert adjusted_rand_score(ours.labels_, theirs.labels_) > 0.98  # ties alone


@pytest.mark.peers
@pytest.mark.parametrize("name", ["groups", *SMALL])
@pytest.mark.parametrize("allow_single_cluster", [False, True])
def test_separation_of_clusters_in_the_tree_of_hdbscan(name, allow_single_cluster):
    hdbscan = pytest.importorskip("hdbscan")
    X = groups() if name == "groups" else points(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hdbscan.HDBSCAN(10, allow_single_cluster=allow_single_cluster, gen_min_span_tree=True).fit(X)
        expected = model.relative_validity_
    found = relative_validity(model.minimum_spanning_tree_.to_numpy(), model.labels_)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["groups", *SMALL])
@pytest.mark.parametrize(("size", "min_samples"), [(5, 5), (15, 10)])
def test_hdbscan_from_the_same_hierarchy(name, size, min_samples):
    hdbscan = pytest.importorskip("hdbscan")
    from hdbscan.hdbscan_ import _tree_to_labels

    X = groups() if name == "groups" else points(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hdbscan.HDBSCAN(size, min_samples=min_samples - 1, approx_min_span_tree=False).fit(X)
    Z = model.single_linkage_tree_.to_numpy()
    weight = HDBSCAN(size, min_samples).fit(X).minimum_spanning_tree_[:, 2].sum()
    assert weight == pytest.approx(Z[:, 2].sum(), rel=1e-9)
    tree, found = condensed_tree(Z, size)
    expected = model.condensed_tree_.to_numpy()
    for field in expected.dtype.names:
        np.testing.assert_array_equal(tree.to_numpy()[field], expected[field])
    np.testing.assert_array_equal(found["labels"], model.labels_)
    np.testing.assert_allclose(found["probabilities"], model.probabilities_, rtol=1e-12)
    np.testing.assert_allclose(found["outlier_scores"], model.outlier_scores_, atol=1e-12)
    np.testing.assert_allclose(found["persistence"], model.cluster_persistence_, rtol=1e-9)
    unit = float(np.median(Z[:, 2]))
    for theirs, ours in (
        ({"cluster_selection_method": "leaf"}, {"method": "leaf"}),
        ({"cluster_selection_epsilon": 3 * unit}, {"epsilon": 3 * unit}),
        ({"max_cluster_size": len(X) // 20}, {"max_cluster_size": len(X) // 20}),
        ({"allow_single_cluster": True}, {"allow_single_cluster": True}),
        (
            {"allow_single_cluster": True, "cluster_selection_epsilon": 5 * unit},
            {"allow_single_cluster": True, "epsilon": 5 * unit},
        ),
    ):
        labels, probabilities, *_ = _tree_to_labels(X, Z, size, **theirs)
        _, found = condensed_tree(Z, size, **ours)
        np.testing.assert_array_equal(found["labels"], labels, err_msg=str(theirs))
        np.testing.assert_allclose(found["probabilities"], probabilities, rtol=1e-12, err_msg=str(theirs))
    cut = model.single_linkage_tree_.get_clusters(2 * unit, size)
    assert same(core.cluster.labels_at_cut(Z, 2 * unit, size), cut)


@pytest.mark.peers
def test_hdbscan_memberships_and_predictions():
    hdbscan = pytest.importorskip("hdbscan")
    X = groups()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = hdbscan.HDBSCAN(12, min_samples=5, approx_min_span_tree=False, prediction_data=True).fit(X)
        soft = hdbscan.all_points_membership_vectors(theirs)
        Q = X + 0.1
        predicted, _ = hdbscan.approximate_predict(theirs, Q)
    ours = HDBSCAN(12, 6).fit(X)
    order = [theirs.labels_[np.flatnonzero(ours.labels_ == k)[0]] for k in range(len(ours.exemplars_))]
    # they add 1e-8 to densities
    assert (np.abs(ours.all_points_membership_vectors() - soft[:, order]).max(axis=1) < 1e-6).mean() > 0.95
    assert (
        adjusted_rand_score(ours.approximate_predict(Q)[0], predicted) > 0.9
    )  # their core distances are of one point less
