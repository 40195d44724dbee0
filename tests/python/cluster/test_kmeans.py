"""KMeans, MiniBatchKMeans and kmeans_plusplus: values beside scikit-learn's, hostile data, weights, sparse rows."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.cluster
from sklearn.exceptions import ConvergenceWarning

from mlcore.cluster import KMeans, kmeans_plusplus

DATA = Path(__file__).parents[4] / "shared/data/cluster"


def blobs(n=600, d=4, n_blobs=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_blobs, d))[rng.integers(n_blobs, size=n)] * 4 + rng.normal(size=(n, d))


def start(X, k, seed=0):
    return np.asarray(X, dtype=np.float64)[np.random.default_rng(seed).choice(len(X), k, replace=False)]


def both(X, init, *, sample_weight=None, **parameters):
    """Return our fit and scikit-learn's, from the same centers."""
    ours = KMeans(len(init), init=init, **parameters).fit(X, sample_weight=sample_weight)
    theirs = sklearn.cluster.KMeans(len(init), init=init, n_init=1, **parameters).fit(
        np.asarray(X, dtype=np.float64), sample_weight=sample_weight
    )
    return ours, theirs


def assert_same(ours, theirs):
    assert (ours.labels_ == theirs.labels_).all()
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-6)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-6, atol=1e-9)
    assert ours.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", ["auto", "lloyd"])
@pytest.mark.parametrize(("n", "d", "k"), [(300, 1, 3), (600, 2, 8), (1500, 8, 20), (2000, 40, 30), (150, 3, 150)])
def test_same_start_same_end(n, d, k, algorithm, dtype):
    X = blobs(n, d, max(k // 2, 1)).astype(dtype)
    init = start(X, k)
    ours = KMeans(k, init=init, algorithm=algorithm).fit(X)
    theirs = sklearn.cluster.KMeans(k, init=init, n_init=1).fit(X.astype(np.float64))
    assert_same(ours, theirs)
    assert (ours.predict(X) == ours.labels_).all()
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X.astype(np.float64)), atol=1e-6)
    assert ours.score(X) == pytest.approx(-ours.inertia_, rel=1e-12)


@pytest.mark.skipif(not DATA.exists(), reason="the data sets are not beside the checkout")
@pytest.mark.parametrize("name", ["sipu_d31", "sipu_aggregation", "wut_smile"])
def test_same_start_same_end_on_real_sets(name):
    X = np.load(DATA / f"{name}.npz")["X"]
    for k in (2, 31):
        assert_same(*both(X, start(X, k), tol=0))


def test_weights_as_scikit_learn():
    X, rng = blobs(), np.random.default_rng(1)
    for weight in (rng.integers(1, 4, size=len(X)), rng.exponential(size=len(X)), rng.uniform(size=len(X)) < 0.7):
        weight = weight.astype(np.float64)
        assert_same(*both(X, start(X, 6), sample_weight=weight, tol=0))


def test_weights_are_copies_of_rows():
    X = blobs(300)
    weight = np.random.default_rng(2).integers(0, 3, size=len(X))
    init = start(X, 5)
    weighted = KMeans(5, init=init).fit(X, sample_weight=weight)
    copied = KMeans(5, init=init).fit(np.repeat(X, weight, axis=0))
    assert (np.repeat(weighted.labels_, weight) == copied.labels_).all()
    assert weighted.inertia_ == pytest.approx(copied.inertia_, rel=1e-12)
    assert weighted.n_iter_ == copied.n_iter_


def test_the_unit_of_weights_does_not_matter():
    X = blobs()
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(X))
    fits = [KMeans(5, random_state=0).fit(X, sample_weight=weight * unit) for unit in (2.0**-60, 1.0, 2.0**60)]
    assert all((fit.labels_ == fits[0].labels_).all() for fit in fits)


def test_weights_of_all_sizes():
    X = blobs(400)
    weight = np.where(np.arange(400) % 2, 1e-8, 1e8)
    ours, theirs = both(X, start(X, 5), sample_weight=weight, tol=0)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-6)


@pytest.mark.parametrize("unit", [2.0**-900, 2.0**-40, 2.0**40, 2.0**400])
def test_units_do_not_matter(unit):
    X = blobs(200, 3)
    one, other = (KMeans(4, random_state=0).fit(Z) for Z in (X, X * unit))
    assert (one.labels_ == other.labels_).all()
    np.testing.assert_array_equal(one.cluster_centers_ * unit, other.cluster_centers_)


def test_small_differences_of_large_coordinates():
    grid = np.array([[i, j] for i in range(12) for j in range(12)], dtype=np.float64)
    near, far = grid, grid + 1e8
    one, other = (KMeans(7, init=Z[[0, 9, 30, 60, 77, 100, 143]]).fit(Z) for Z in (near, far))
    assert (one.labels_ == other.labels_).all()
    assert other.inertia_ == pytest.approx(one.inertia_, rel=1e-6)


def test_an_outlier_does_not_hide_the_rest():
    X = np.vstack([blobs(300, 2), [[1e9, 1e9]]])
    model = KMeans(6, random_state=0, n_init=5).fit(X)
    assert len(np.unique(model.labels_[:-1])) == 5
    assert_same(*both(X, start(X[:-1], 4), tol=0))


def test_empty_clusters_are_relocated():
    X = blobs(500, 2)
    init = np.vstack([X[:3], np.full((1, 2), 1e3)])  # no row is near the last one
    assert_same(*both(X, init))


def test_duplicates_only():
    X = np.repeat([[1.0, 2.0], [3.0, 4.0]], 10, axis=0)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(2\) found smaller than n_clusters \(4\)"):
        model = KMeans(4, random_state=0).fit(X)
    assert model.inertia_ == 0
    assert len(np.unique(model.labels_)) == 2
    with pytest.warns(ConvergenceWarning):
        assert KMeans(3, random_state=0).fit(np.ones((5, 2))).inertia_ == 0


def test_one_row_one_column_constant_columns():
    assert KMeans(1).fit([[3.0]]).cluster_centers_.tolist() == [[3.0]]
    X = np.hstack([blobs(200, 1), np.full((200, 2), 7.0)])
    assert_same(*both(X, start(X, 3)))


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({"n_clusters": 4}, np.zeros((3, 2)), r"n_samples=3 should be >= n_clusters=4"),
        ({"n_clusters": 2, "init": np.zeros((3, 2))}, np.zeros((5, 2)), r"init of KMeans must have shape \(2, 2\)"),
        ({"n_clusters": 2, "init": np.full((2, 2), np.nan)}, np.zeros((5, 2)), "init contains NaN"),
        ({"algorithm": "elkan"}, np.zeros((9, 2)), "algorithm"),
    ],
)
def test_errors(parameters, X, message):
    with pytest.raises(ValueError, match=message):
        KMeans(**parameters).fit(X)


def test_more_clusters_than_rows_with_weight():
    with pytest.raises(ValueError, match="2 rows have a weight"):
        KMeans(3).fit(blobs(5), sample_weight=[0, 1, 1, 0, 0])


def test_centers_far_out_and_equal_centers():
    X = blobs(300, 3)
    init = np.vstack([X[:2], X[:1], [[1e30, -1e30, 0]]])
    model = KMeans(4, init=init, max_iter=5).fit(X)
    assert np.isfinite(model.cluster_centers_).all()
    assert (model.predict(X) == model.labels_).all()


@pytest.mark.parametrize("init", ["k-means++", "random", lambda X, k, random_state: X[:k]])
def test_ways_to_start(init):
    X = blobs()
    model = KMeans(5, init=init, random_state=3).fit(X)
    assert model.inertia_ <= 1.6 * sklearn.cluster.KMeans(5, n_init=10, random_state=0).fit(X).inertia_
    again = KMeans(5, init=init, random_state=3, n_jobs=1).fit(X)
    assert (model.cluster_centers_ == again.cluster_centers_).all()
    assert model.get_feature_names_out().tolist() == [f"kmeans{i}" for i in range(5)]


def test_random_starts_are_those_of_scikit_learn():
    X = blobs()
    ours = KMeans(5, init="random", n_init=3, random_state=3).fit(X)
    theirs = sklearn.cluster.KMeans(5, init="random", n_init=3, random_state=3).fit(X)
    assert_same(ours, theirs)


@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows(dtype, index_type):
    X = sp.random_array((800, 50), density=0.1, rng=np.random.default_rng(0), format="csr", dtype=np.float64)
    X = X.astype(dtype)
    X.indices, X.indptr = X.indices.astype(index_type), X.indptr.astype(index_type)
    dense = X.toarray().astype(np.float64)
    init = start(dense, 12)
    ours = KMeans(12, init=init, tol=0).fit(X)
    assert_same(ours, sklearn.cluster.KMeans(12, init=init, n_init=1, tol=0).fit(dense))
    assert (ours.predict(X) == ours.labels_).all()
    np.testing.assert_allclose(ours.transform(X), ours.transform(dense), atol=1e-12)
    assert len(np.unique(KMeans(12, random_state=0).fit(X).labels_)) == 12


def test_plus_plus_spreads_the_centers():
    X = blobs(2000, 3, 20)
    ours = [KMeans(20, init=kmeans_plusplus(X, 20, random_state=s)[0], max_iter=1).fit(X).inertia_ for s in range(20)]
    theirs = [
        KMeans(20, init=sklearn.cluster.kmeans_plusplus(X, 20, random_state=s)[0], max_iter=1).fit(X).inertia_
        for s in range(20)
    ]
    assert np.median(ours) <= 1.1 * np.median(theirs)


def test_plus_plus_takes_all_distinct_rows():
    X = np.repeat(blobs(12, 2), 50, axis=0)
    centers, indices = kmeans_plusplus(X, 12, random_state=1)
    assert len(np.unique(centers, axis=0)) == 12
    assert (X[indices] == centers).all()


def test_plus_plus_draws_by_weight_and_squared_distance():
    X = np.array([[0.0], [1.0], [3.0]])
    weight = np.array([1.0, 2.0, 0.5])
    drawn = [
        kmeans_plusplus(X, 2, sample_weight=weight, n_local_trials=1, random_state=s)[1].tolist() for s in range(1500)
    ]
    first = np.bincount([a for a, _ in drawn], minlength=3) / 1500
    np.testing.assert_allclose(first, weight / weight.sum(), atol=0.04)
    second = np.array([b for a, b in drawn if a == 0])  # 1 of weight 2 at distance 1, 2 of weight 1/2 at distance 3
    assert (second == 1).mean() == pytest.approx(2 / 6.5, abs=0.06)


def test_plus_plus_errors():
    with pytest.raises(ValueError, match="n_samples=3"):
        kmeans_plusplus(np.zeros((3, 1)), 4)
    with pytest.raises(ValueError, match="n_clusters"):
        kmeans_plusplus(np.zeros((3, 1)), 0)
    with pytest.raises(ValueError, match="n_local_trials"):
        kmeans_plusplus(np.zeros((3, 1)), 2, n_local_trials=0)


def test_no_warning_of_well_posed_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KMeans(3, random_state=0, n_init=2).fit(blobs())


def test_the_labels_of_a_fit_are_those_of_its_centers():
    rng = np.random.RandomState(7)
    for case in range(300):
        n = rng.randint(2, 12)
        X = rng.standard_normal((max(1, n // 3), 1 + case % 2))[rng.randint(0, max(1, n // 3), n)]  # many equal rows
        k = rng.randint(2, min(n, 6) + 1) if n > 2 else 2
        init = X[rng.randint(0, n, k)]  # equal centers too: clusters without rows
        if case % 3 == 0:
            init = init + 10 * rng.standard_normal(init.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = KMeans(k, init=init, tol=0, max_iter=2 if case % 5 == 0 else 300).fit(X)
        np.testing.assert_array_equal(model.labels_, model.predict(X))


def test_a_cluster_that_loses_all_rows_to_empty_ones_leaves_no_rounding_behind():
    # Both rows of the first cluster go to the two without rows: 0.1 + 0.2 - 0.2 - 0.1 is not 0.
    X = np.array([[-50.0], [50.0], [1000.0], [1000.1], [1000.2]])
    weight = np.array([0.1, 0.2, 0.3, 0.3, 0.3])
    init = np.array([[0.1], [1000.1], [1e6], [2e6]])
    with pytest.warns(ConvergenceWarning):
        model = KMeans(4, init=init, max_iter=1).fit(X, sample_weight=weight)
    np.testing.assert_allclose(model.cluster_centers_.ravel(), [1000.1, 1000.1, -50, 50])


@pytest.mark.parametrize("exponent", [-1010, -600, 600, 900])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_rows_alone_are_told_as_all_together_in_extreme_units(exponent, is_sparse):
    X = blobs(30, 3)
    as_given = sp.csr_array if is_sparse else np.asarray
    near = KMeans(4, init=X[:4]).fit(as_given(X))
    far = KMeans(4, init=np.ldexp(X[:4], exponent)).fit(as_given(np.ldexp(X, exponent)))
    np.testing.assert_array_equal(far.labels_, near.labels_)
    rows = [as_given(np.ldexp(X[i : i + 1], exponent)) for i in range(len(X))]
    np.testing.assert_array_equal([far.predict(row)[0] for row in rows], near.labels_)
    apart = np.vstack([far.transform(row) for row in rows])
    np.testing.assert_allclose(np.ldexp(apart, -exponent), near.transform(as_given(X)), rtol=1e-12)
