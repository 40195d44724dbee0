"""HDBSCAN: against the definitions, other parameters, bad input, what must not matter."""

import numpy as np
import pytest

import mlcore
from mlcore import HDBSCAN
from mlcore.cluster._condensed_tree import CondensedTree, condensed_tree
from support.groups import groups, same_partition
from twins import hdbscan as twin

# ---- against the definitions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("min_cluster_size", "min_samples", "alpha"), [(5, None, 1.0), (8, 3, 1.0), (4, 1, 1.5)])
def test_labels_probabilities_and_scores_are_those_of_the_definition(seed, min_cluster_size, min_samples, alpha):
    X = groups(seed, (15, 20, 18))
    model = HDBSCAN(min_cluster_size, min_samples, alpha=alpha).fit(X)
    D = twin.reachability(X, min_samples or min_cluster_size, alpha)
    assert model.minimum_spanning_tree_[:, 2].sum() == pytest.approx(twin.spanning_weight(D), rel=1e-12)
    Z = model.single_linkage_tree_
    tree = twin.Tree(Z, 2 * len(Z), min_cluster_size)
    clusters = [cluster for child in tree.children for cluster in child.best()[1]]
    labels, probabilities, scores = twin.labels_and_scores(tree, len(X), clusters)
    assert same_partition(model.labels_, labels)
    np.testing.assert_allclose(model.probabilities_, probabilities, rtol=1e-12)
    np.testing.assert_allclose(model.outlier_scores_, scores, atol=1e-12)
    assert model.condensed_tree_.n_clusters == len(tree.below())


def test_core_distances_count_the_point_itself():
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    np.testing.assert_array_equal(HDBSCAN(2, 1).fit(X).core_distances_, [0, 0, 0, 0])
    np.testing.assert_array_equal(HDBSCAN(2, 3).fit(X).core_distances_, [3, 2, 3, 6])


def test_the_forms_of_the_trees():
    from scipy.cluster.hierarchy import is_valid_linkage

    X = groups()
    model = HDBSCAN(10).fit(X)
    n = len(X)
    assert is_valid_linkage(model.single_linkage_tree_)
    assert model.minimum_spanning_tree_.shape == (n - 1, 3)
    assert (np.diff(model.minimum_spanning_tree_[:, 2]) >= 0).all()
    rows = model.condensed_tree_.to_numpy()
    assert sorted(rows["child"][rows["child"] < n]) == list(range(n))
    assert rows["parent"].min() == n
    assert rows["child_size"][rows["parent"] == n].sum() == n
    frame = model.condensed_tree_.to_pandas()
    assert list(frame.columns) == ["parent", "child", "lambda_val", "child_size"]
    np.testing.assert_array_equal(frame["lambda_val"], rows["lambda_val"])
    assert "3 selected" in repr(model.condensed_tree_)


def separation_by_loops(tree, labels):
    """The index of relative_validity_ cluster by cluster and edge by edge, as its definition says."""
    clusters, found = set(labels.tolist()) - {-1}, []
    for c in clusters:
        edges = {"inner": [0.0], "other": [], "noise": []}
        for i, k, length in tree:
            ends = {labels[int(i)], labels[int(k)]}
            if c in ends:
                edges["inner" if ends == {c} else "noise" if -1 in ends else "other"].append(length)
        sparse, far = max(edges["inner"]), tree[:, 2].max()
        if len(clusters) == 1:
            far = min(edges["noise"], default=far)
        apart = min(edges["other"], default=2 * far)
        found.append((labels == c).sum() * (apart - sparse) / max(apart, sparse))
    return sum(found) / len(labels)


@pytest.mark.parametrize("options", [{}, {"min_samples": 2}, {"allow_single_cluster": True}], ids=str)
def test_how_well_clusters_are_separated(options):
    for X in (groups(), groups(sizes=(60,))):
        model = HDBSCAN(12, **options).fit(X)
        expected = separation_by_loops(model.minimum_spanning_tree_, model.labels_)
        assert model.relative_validity_ == pytest.approx(expected, rel=1e-12)
        assert model.n_clusters_ == model.labels_.max() + 1


def test_separation_without_clusters_and_without_a_way_between_them():
    nothing = HDBSCAN(4).fit([[0.0], [1.0], [2.0], [50.0], [90.0]])
    assert (nothing.n_clusters_, nothing.relative_validity_) == (0, 0.0)
    one_place = HDBSCAN(5, allow_single_cluster=True).fit(np.zeros((9, 2)))
    assert (one_place.n_clusters_, one_place.relative_validity_) == (1, 0.0)
    at = np.arange(20.0)
    D = np.where(at[:, None] // 10 == at // 10, np.abs(at[:, None] - at), np.inf)
    apart = HDBSCAN(5, metric="precomputed").fit(D)
    assert (apart.n_clusters_, apart.relative_validity_) == (2, 1.0)


# ---- selection -------------------------------------------------------------------------------------------------------


def test_leaves_and_merging_by_distance():
    X = groups()
    leaf = HDBSCAN(5, cluster_selection_method="leaf").fit(X)
    eom = HDBSCAN(5).fit(X)
    assert len(leaf.cluster_persistence_) > len(eom.cluster_persistence_)
    merged = HDBSCAN(5, cluster_selection_method="leaf", cluster_selection_epsilon=3.0).fit(X)
    assert len(merged.cluster_persistence_) == 3
    rows = merged.condensed_tree_.to_numpy()
    chosen = rows[np.isin(rows["child"], merged.condensed_tree_.selected_clusters)]
    assert (1 / chosen["lambda_val"] >= 3.0).all()


def test_clusters_that_live_shortly_are_merged():
    X = groups()
    few = HDBSCAN(5, cluster_selection_method="leaf", cluster_selection_persistence=0.5).fit(X)
    rows = few.condensed_tree_.to_numpy()
    n = len(X)
    births = dict(zip(rows["child"].tolist(), rows["lambda_val"].tolist(), strict=True))
    leaves = set(rows["child"][rows["child"] > n].tolist()) - set(rows["parent"].tolist()[1:])
    assert leaves <= set(rows["child"].tolist())
    for cluster in few.condensed_tree_.selected_clusters.tolist():
        assert rows["lambda_val"][rows["parent"] == cluster].max() - births[cluster] >= 0.5
    assert few.condensed_tree_.n_clusters < HDBSCAN(5).fit(X).condensed_tree_.n_clusters
    none = HDBSCAN(5, cluster_selection_persistence=1e9).fit(X)
    assert none.condensed_tree_.n_clusters == 1
    assert (none.labels_ == -1).all()


def test_no_cluster_is_larger_than_it_may_be():
    X = groups()
    model = HDBSCAN(5, max_cluster_size=45).fit(X)
    assert np.bincount(model.labels_[model.labels_ >= 0]).max() <= 45


@pytest.mark.parametrize("method", ["eom", "leaf"])
def test_one_cluster_alone_if_that_is_allowed(method):
    """hdbscan#476: "leaf" has never selected the root."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    assert (HDBSCAN(40, cluster_selection_method=method).fit(X).labels_ == -1).all()
    model = HDBSCAN(40, allow_single_cluster=True, cluster_selection_method=method).fit(X)
    assert set(model.labels_) == {-1, 0}
    near = HDBSCAN(40, allow_single_cluster=True, cluster_selection_epsilon=10.0).fit(X)
    assert (near.labels_ == 0).all()
    nobody = HDBSCAN(40, 2, allow_single_cluster=True, cluster_selection_epsilon=1e-9, store_centers="both").fit(X)
    assert (nobody.labels_ == -1).all()
    assert nobody.centroids_.shape == nobody.medoids_.shape == (0, 2)
    assert nobody.membership_vector(X).shape == (60, 0)


def test_one_hierarchy_for_many_selections():
    X = groups()
    model = HDBSCAN(5, 4).fit(X)
    before = model.labels_.copy()
    for options in (
        {"min_cluster_size": 20},
        {"cluster_selection_method": "leaf", "store_centers": "both"},
        {"cluster_selection_epsilon": 2.0, "allow_single_cluster": True},
        {"max_cluster_size": 30, "cluster_selection_persistence": 0.1},
    ):
        found = model.reselect(**options)
        fresh = HDBSCAN(**{"min_cluster_size": 5, "min_samples": 4, **options}).fit(X)
        assert found.get_params() == fresh.get_params()
        for name in fresh._fitted_attributes():
            if name not in ("condensed_tree_", "_settings"):
                np.testing.assert_array_equal(getattr(found, name), getattr(fresh, name), err_msg=name)
        np.testing.assert_array_equal(found.condensed_tree_.to_numpy(), fresh.condensed_tree_.to_numpy())
        assert found.approximate_predict(X[:3])[0].tolist() == fresh.approximate_predict(X[:3])[0].tolist()
    np.testing.assert_array_equal(model.labels_, before)
    assert HDBSCAN(7).fit(X).reselect(min_cluster_size=9).min_samples == 7
    with pytest.raises(ValueError, match="cannot change min_samples"):
        model.reselect(min_samples=3)
    with pytest.raises(ValueError, match="min_cluster_size"):
        model.reselect(min_cluster_size=1)


def test_a_cut_is_dbscan_without_border_points():
    X = groups()
    model = HDBSCAN(5).fit(X)
    labels = model.dbscan_clustering(1.0, 5)
    connected = twin.reachability(X, 5) < 1.0
    from scipy.sparse.csgraph import connected_components

    _, parts = connected_components(connected)
    expected = np.where(np.bincount(parts)[parts] >= 5, parts, -1)
    assert same_partition(labels, expected)
    first = [int(np.flatnonzero(labels == k)[0]) for k in range(labels.max() + 1)]
    assert first == sorted(first)
    with pytest.raises(ValueError, match="distance"):
        model.dbscan_clustering(-1.0)


# ---- metrics ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "cosine"])
def test_metrics_are_those_of_given_distances(metric):
    from sklearn.metrics import pairwise_distances

    X = groups(d=3) + 20
    X[5] = 0  # far from all by "cosine"
    D = pairwise_distances(X, metric=metric)
    D = (D + D.T) / 2
    given = HDBSCAN(10, metric="precomputed").fit(D)
    for algorithm in ("kd_tree", "brute"):
        model = HDBSCAN(10, metric=metric, algorithm=algorithm).fit(X)
        np.testing.assert_allclose(model.core_distances_, given.core_distances_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            model.minimum_spanning_tree_[:, 2], given.minimum_spanning_tree_[:, 2], rtol=1e-9, atol=1e-12
        )
        assert model.membership_vector(X).shape == (len(X), len(model.cluster_persistence_))


def test_trees_and_brute_force_give_the_same_bits():
    X = groups(d=5)
    a, b = (HDBSCAN(8, algorithm=algorithm).fit(X) for algorithm in ("kd_tree", "brute"))
    np.testing.assert_array_equal(a.single_linkage_tree_, b.single_linkage_tree_)
    np.testing.assert_array_equal(a.labels_, b.labels_)


# ---- points that coincide, and other extremes ------------------------------------------------------------------------


def test_many_points_that_coincide():
    """hdbscan#409, #326, #374, #53: NaN in scores and probabilities, where densities are infinite."""
    rng = np.random.default_rng(0)
    X = np.concatenate([np.zeros((30, 2)), np.full((30, 2), 5.0), rng.normal(2.5, 1.5, (40, 2))])
    for min_samples in (1, 5):
        model = HDBSCAN(5, min_samples, store_centers="both").fit(X)
        for name in ("probabilities_", "outlier_scores_", "cluster_persistence_", "centroids_", "medoids_"):
            assert np.isfinite(getattr(model, name)).all(), name
        assert model.labels_[0] != model.labels_[30]
        assert len(set(model.labels_[:30])) == len(set(model.labels_[30:60])) == 1
        assert (model.probabilities_[:60] == 1).all()
        assert (model.outlier_scores_[:60] == 0).all()
        assert np.isfinite(model.all_points_membership_vectors()).all()
        assert np.isfinite(model.membership_vector(X + 0.1)).all()
        labels, probabilities = model.approximate_predict(X)
        np.testing.assert_array_equal(labels[:60], model.labels_[:60])
        np.testing.assert_array_equal(probabilities[:60], 1.0)


@pytest.mark.parametrize("allow", [False, True])
def test_nothing_but_one_point(allow):
    model = HDBSCAN(5, allow_single_cluster=allow).fit(np.full((40, 3), 7.0))
    assert (model.labels_ == (0 if allow else -1)).all()
    assert (model.probabilities_ == (1.0 if allow else 0.0)).all()
    assert (model.outlier_scores_ == 0).all()
    assert model.condensed_tree_.n_clusters == 1
    assert model.approximate_predict(np.full((1, 3), 7.0))[0] == (0 if allow else -1)


@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e120])
@pytest.mark.parametrize("shift", [0.0, 1e8])
def test_units_do_not_matter(scale, shift):
    X = np.round(groups() * 1024) / 1024  # exact after a shift
    if shift and scale != 1:
        return
    expected = HDBSCAN(10).fit(X)
    model = HDBSCAN(10).fit((X + shift) * scale)
    assert same_partition(model.labels_, expected.labels_)
    np.testing.assert_allclose(model.probabilities_, expected.probabilities_, rtol=1e-9)
    np.testing.assert_allclose(
        model.all_points_membership_vectors(), expected.all_points_membership_vectors(), atol=1e-9
    )


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
@pytest.mark.parametrize("exponent", [-700, 700])
def test_units_whose_squares_float64_does_not_hold(exponent, algorithm):
    X, new = groups(d=3), groups(1)[:20].repeat(2, axis=1)[:, :3]
    model = HDBSCAN(10, algorithm=algorithm, store_centers="medoid").fit(X)
    other = HDBSCAN(10, algorithm=algorithm, store_centers="medoid").fit(np.ldexp(X, exponent))
    np.testing.assert_array_equal(other.labels_, model.labels_)
    np.testing.assert_array_equal(other.core_distances_, np.ldexp(model.core_distances_, exponent))
    np.testing.assert_array_equal(other.medoids_, np.ldexp(model.medoids_, exponent))
    labels, probabilities = other.approximate_predict(np.ldexp(new, exponent))
    expected = model.approximate_predict(new)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(probabilities, expected[1], rtol=1e-12)
    memberships = other.membership_vector(np.ldexp(new, exponent))
    np.testing.assert_allclose(memberships, model.membership_vector(new), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_what_becomes_of_the_rows_later_does_not_matter(algorithm):
    X, new = groups(), groups(1)
    model = HDBSCAN(10, algorithm=algorithm).fit(X)
    expected = model.approximate_predict(new)
    X[:] = 0
    for found, value in zip(model.approximate_predict(new), expected, strict=True):
        np.testing.assert_array_equal(found, value)


def test_one_feature_and_constant_ones():
    x = groups(d=1)
    line = HDBSCAN(10).fit(x)
    padded = HDBSCAN(10).fit(np.column_stack([x, np.full((len(x), 2), 3.0)]))
    np.testing.assert_array_equal(line.labels_, padded.labels_)
    assert line.labels_.max() == 2


def test_too_few_rows():
    with pytest.raises(ValueError, match="n_samples=1 while HDBSCAN requires more than one sample"):
        HDBSCAN().fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"min_samples \(5\) must be at most the number of samples in X \(4\)"):
        HDBSCAN().fit(np.eye(4))
    assert (HDBSCAN(50, 2).fit(np.eye(4)).labels_ == -1).all()
    assert (HDBSCAN(10**12, 2).fit(np.eye(4)).labels_ == -1).all()
    assert HDBSCAN(2, 1).fit([[0.0], [1.0]]).labels_.tolist() == [-1, -1]


def test_tied_distances_with_epsilon():
    """scikit-learn#33219, hdbscan#370: a crash."""
    X = np.array([[i, j] for i in range(8) for j in range(8)], dtype=float)
    X = np.concatenate([X, X + 50])
    for options in ({}, {"allow_single_cluster": True}, {"cluster_selection_method": "leaf"}):
        labels = HDBSCAN(5, cluster_selection_epsilon=3.0, **options).fit(X).labels_
        assert len(set(labels[:64])) == len(set(labels[64:])) == 1


# ---- new points ------------------------------------------------------------------------------------------------------


def test_rows_of_fit_get_what_they_have():
    """hdbscan#381, #308: other labels and noise for the rows of fit, other clusters with epsilon."""
    X = groups()
    for options in (
        {},
        {"cluster_selection_epsilon": 2.0},
        {"cluster_selection_method": "leaf"},
        {"max_cluster_size": 30},
    ):
        model = HDBSCAN(5, **options).fit(X)
        labels, probabilities = model.approximate_predict(X)
        np.testing.assert_array_equal(labels, model.labels_)
        np.testing.assert_array_equal(probabilities, model.probabilities_)
        np.testing.assert_array_equal(model.approximate_predict_scores(X), model.outlier_scores_)
        np.testing.assert_allclose(model.membership_vector(X), model.all_points_membership_vectors(), rtol=1e-12)
        assert len(model.exemplars_) == model.labels_.max() + 1


@pytest.mark.parametrize("seed", [14, 18, 24])
def test_copies_of_a_row_are_never_parted(seed):
    """Rows of few values: most distances are equal, and the order of merges decides who is noise."""
    X = (np.random.default_rng(seed).random((600, 12)) < 0.1).astype(float)
    model = HDBSCAN().fit(X)
    _, copies = np.unique(X, axis=0, return_inverse=True)
    for values in (model.labels_, model.probabilities_, model.outlier_scores_):
        first = np.zeros(copies.max() + 1)
        first[copies] = values
        np.testing.assert_array_equal(values, first[copies])
    np.testing.assert_array_equal(model.approximate_predict(X)[0], model.labels_)


def test_new_rows_join_the_nearest_point_by_mutual_reachability():
    X, k = groups(), 6
    model = HDBSCAN(10, k).fit(X)
    Q = np.random.default_rng(1).uniform(-5, 30, (200, 2))
    d = np.sqrt(((Q[:, None] - X[None]) ** 2).sum(axis=2))
    own = np.sort(d, axis=1)[:, k - 2]
    reach = np.maximum(np.maximum(own[:, None], model.core_distances_), d)
    _, distances = model._reach(Q)
    np.testing.assert_allclose(distances, reach.min(axis=1), rtol=1e-12)
    labels, probabilities = model.approximate_predict(Q)
    rows = [model.approximate_predict(q[None]) for q in Q]
    np.testing.assert_array_equal(labels, [one[0][0] for one in rows])
    np.testing.assert_array_equal(probabilities, [one[1][0] for one in rows])
    assert ((probabilities > 0) == (labels >= 0)).all()


def test_a_single_cluster_has_noise_around_it_for_new_points_too():
    """hdbscan#388: KeyError."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = HDBSCAN(40, 3, allow_single_cluster=True, cluster_selection_epsilon=1.0).fit(X)
    assert model.approximate_predict([[0.0, 0.0], [9.0, 9.0]])[0].tolist() == [0, -1]
    assert model.all_points_membership_vectors().shape == (60, 1)


def test_memberships_are_parts_of_one():
    X = groups()
    model = HDBSCAN(10).fit(X)
    for found in (model.all_points_membership_vectors(), model.membership_vector(X + 0.05)):
        assert found.shape == (len(X), 3)
        assert (found >= 0).all()
        assert (found.sum(axis=1) <= 1 + 1e-12).all()
    inside = model.labels_ >= 0
    strongest = model.all_points_membership_vectors().argmax(axis=1)
    np.testing.assert_array_equal(strongest[inside], model.labels_[inside])


def test_exemplars_are_points_of_their_clusters():
    X = groups()
    model = HDBSCAN(10).fit(X)
    assert len(model.exemplars_) == 3
    for k, points in enumerate(model.exemplars_):
        labels, probabilities = model.approximate_predict(points)
        assert (labels == k).all()
        assert (probabilities == 1).all()


# ---- centers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "cosine"])
def test_centers(metric):
    from sklearn.metrics import pairwise_distances

    X = groups(sizes=(200, 300, 250)) + 40
    model = HDBSCAN(10, metric=metric, store_centers="both").fit(X)
    assert model.labels_.max() >= 0
    for k in range(model.labels_.max() + 1):
        own = model.labels_ == k
        weights = model.probabilities_[own]
        np.testing.assert_allclose(model.centroids_[k], np.average(X[own], axis=0, weights=weights), rtol=1e-12)
        sums = (pairwise_distances(X[own], metric=metric) * weights).sum(axis=1)
        row = np.flatnonzero((X[own] == model.medoids_[k]).all(axis=1))[0]
        assert sums[row] <= sums.min() * (1 + 1e-9) + 1e-12


# ---- state -----------------------------------------------------------------------------------------------------------


def test_what_was_saved_predicts_the_same(tmp_path):
    X = groups()
    model = HDBSCAN(10, cluster_selection_epsilon=1.0).fit(X)
    Q = X + 0.3
    expected = model.approximate_predict(Q)
    mlcore.save(model, tmp_path / "model")
    X += 1000  # a change to the rows of fit is none to the model
    loaded = mlcore.load(tmp_path / "model")
    for found in (model, loaded):
        for a, b in zip(found.approximate_predict(Q), expected, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(found.exemplars_[0], model.exemplars_[0])
    assert loaded.reselect(min_cluster_size=20).labels_.tolist() == model.reselect(min_cluster_size=20).labels_.tolist()


def test_trees_that_are_none_are_refused():
    Z = HDBSCAN(5).fit(groups()).single_linkage_tree_
    for change in (
        lambda Z: Z.__setitem__((3, 0), 1e6),
        lambda Z: Z.__setitem__((3, 0), 0.5),
        lambda Z: Z.__setitem__((3, 0), Z[2, 0]),
        lambda Z: Z.__setitem__((3, 2), -1.0),
        lambda Z: Z.__setitem__((3, 2), np.nan),
        lambda Z: Z.__setitem__((3, 3), 7.0),
    ):
        bad = Z.copy()
        change(bad)
        with pytest.raises(ValueError, match="single linkage tree"):
            condensed_tree(bad, 5)
    tree, _ = condensed_tree(Z, 5)
    state = tree.__getstate__()
    for name, row, value in (
        ("parent", 5, 3),
        ("parent", 5, 10**6),
        ("child", 5, -1),
        ("child", 5, int(tree.child[6])),
        ("lambda_val", 5, np.nan),
        ("lambda_val", 5, -1.0),
        ("child_size", int(np.argmax(tree.child_size)), 1),
    ):
        bad_state = {**state, name: state[name].copy()}
        bad_state[name][row] = value
        with pytest.raises(ValueError, match="condensed tree"):
            CondensedTree(**bad_state)


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 990])
@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_extreme_units_change_nothing_but_the_unit(exponent, algorithm):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 2)) + rng.integers(0, 3, (80, 1)) * 5
    near = HDBSCAN(algorithm=algorithm).fit(X)
    far = HDBSCAN(algorithm=algorithm).fit(np.ldexp(X, exponent))
    np.testing.assert_array_equal(far.labels_, near.labels_)
    np.testing.assert_array_equal(np.ldexp(far.core_distances_, -exponent), near.core_distances_)
    np.testing.assert_array_equal(np.ldexp(far.single_linkage_tree_[:, 2], -exponent), near.single_linkage_tree_[:, 2])
    labels, strengths = near.approximate_predict(X[:9] + 0.01)
    far_labels, far_strengths = far.approximate_predict(np.ldexp(X[:9] + 0.01, exponent))
    np.testing.assert_array_equal(far_labels, labels)
    np.testing.assert_allclose(far_strengths, strengths, rtol=1e-12)


def test_epsilon_in_a_tree_that_is_a_chain():
    # Pairs of points, each pair further from the one before: the tree splits off one pair after the other.
    n_pairs = 600
    gaps = 1 + 0.01 * np.arange(n_pairs - 1)
    left = np.concatenate([[0], np.cumsum(gaps + 0.1)])
    X = np.stack([left, left + 0.1], axis=1).reshape(-1, 1)
    model = HDBSCAN(
        min_cluster_size=2, min_samples=1, cluster_selection_method="leaf", cluster_selection_epsilon=1.505
    ).fit(X)
    together = 2 * (1 + int((gaps < 1.505).sum()))
    expected = np.concatenate([np.zeros(together, int), 1 + np.arange(len(X) - together) // 2])
    pairs = set(zip(model.labels_.tolist(), expected.tolist(), strict=True))
    assert len(pairs) == len(set(expected.tolist())) == len(set(model.labels_.tolist()))
    assert len(model.exemplars_) == len(set(expected.tolist()))


def test_memberships_need_distances_of_their_neighbours():
    tree = HDBSCAN().fit(groups()).condensed_tree_
    k = len(tree.selected_clusters)
    with pytest.raises(TypeError, match="distances"):
        tree._core.memberships(tree._selected, np.arange(5), None, np.ones((5, k)), n_threads=1)


def test_cuts_are_checked():
    model = HDBSCAN().fit(groups())
    assert (model.dbscan_clustering(np.inf, 2**80) == -1).all()
    for options, error in (
        ((-1.0,), ValueError),
        ((1.0, 0), ValueError),
        ((1.0, np.inf), TypeError),
        (("1",), TypeError),
    ):
        with pytest.raises(error, match="dbscan_clustering"):
            model.dbscan_clustering(*options)
