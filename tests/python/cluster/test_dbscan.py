"""DBSCAN beside scikit-learn's: the same labels, numbers of clusters included."""

import resource
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.cluster
from sklearn.datasets import make_blobs, make_moons
from sklearn.neighbors import radius_neighbors_graph

from mlcore.cluster import DBSCAN

DATA = Path(__file__).parents[4] / "shared/data/cluster"
METRICS = ("euclidean", "manhattan", "chebyshev", "cosine")


def both(X, sample_weight=None, **options):
    """Fit both and compare all that they say."""
    ours = DBSCAN(**options).fit(X, sample_weight=sample_weight)
    if options.get("metric") == "precomputed" and sp.issparse(X):
        X = sp.csr_matrix(X)
    theirs = sklearn.cluster.DBSCAN(**options).fit(X, sample_weight=sample_weight)
    np.testing.assert_array_equal(ours.core_sample_indices_, theirs.core_sample_indices_)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.labels_.dtype == theirs.labels_.dtype
    found, expected = (c.toarray() if sp.issparse(c) else c for c in (ours.components_, theirs.components_))
    np.testing.assert_array_equal(found, expected)
    assert ours.n_features_in_ == theirs.n_features_in_
    return ours


def groups(n, d, seed=0):
    return make_blobs(n, d, centers=5, cluster_std=1.0, center_box=(-5, 5), random_state=seed)[0]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 2, 3, 8, 15])
def test_same_as_scikit_learn(metric, d):
    X = groups(600, d)
    scale = 0.02 if metric == "cosine" else d ** {"manhattan": 1.0, "chebyshev": 0.1}.get(metric, 0.5)
    found = set()
    for eps in (0.05, 0.3, 0.7, 1.5, 10.0):
        for min_samples in (1, 5, 40) if eps < 1 else (5,):
            model = both(X, eps=eps * scale, min_samples=min_samples, metric=metric)
            found.add(int(model.labels_.max()))
    assert len(found) > 2 or (metric, d) == ("cosine", 1)  # no trivial case throughout


def test_many_dimensions():
    """Beyond 15 scikit-learn takes squares apart, so that it rounds otherwise: no distance is that near to eps here."""
    X = groups(1000, 64)
    for eps in (9.0, 10.0, 11.0, 13.0):
        both(X, eps=eps, min_samples=10)


@pytest.mark.parametrize("step", [1.0, 0.1, 1 / 3])
def test_distances_that_equal_eps(step):
    """On a grid: nearly every neighbour is at a distance of eps but for rounding."""
    rng = np.random.default_rng(0)
    X = step * rng.integers(0, 25, size=(400, 2))
    for eps in (step, step * np.sqrt(2), 2 * step, step * np.sqrt(5)):
        for metric in ("euclidean", "manhattan", "chebyshev"):
            for min_samples in (2, 6):
                both(X, eps=eps, min_samples=min_samples, metric=metric)


@pytest.mark.parametrize("low", [0.0, -1.5])
def test_weights(low):
    """Binary fractions: no order of a sum matters, so that scikit-learn's sums are as exact as ours."""
    X = groups(800, 2)
    weight = low + np.random.default_rng(1).integers(0, 12, size=len(X)) / 4
    for eps in (0.1, 0.3, 1.0, 20.0):
        for min_samples in (1, 6, 30):
            both(X, weight, eps=eps, min_samples=min_samples)


def test_one_weight_for_all_is_a_weight_for_each():
    X = groups(100, 2)
    expected = DBSCAN(eps=1).fit(X, sample_weight=np.full(100, 2.5)).labels_
    np.testing.assert_array_equal(DBSCAN(eps=1).fit(X, sample_weight=2.5).labels_, expected)


def test_a_heavy_point_is_a_core_point_by_itself():
    model = both(np.array([[0.0], [10.0], [20.0]]), [5.0, 1.0, 0.0], eps=1, min_samples=5)
    assert model.labels_.tolist() == [0, -1, -1]


@pytest.mark.parametrize("weight", [[1.0, 2.0], [[1.0, 1.0, 1.0]], [1.0, np.nan, 1.0], [1.0, np.inf, 1.0], ["a"] * 3])
def test_bad_weights(weight):
    with pytest.raises(ValueError, match="sample_weight of DBSCAN"):
        DBSCAN().fit(np.zeros((3, 1)), sample_weight=weight)


def test_precomputed():
    X = groups(300, 2)
    D = sklearn.metrics.pairwise_distances(X)
    for eps in (0.2, 0.6, 30.0):
        both(D, eps=eps, metric="precomputed")
        for radius in (0.6, 2.0):
            graph = radius_neighbors_graph(X, radius, mode="distance")
            both(graph, eps=min(eps, radius), metric="precomputed")
            both(graph, np.arange(300) / 64, eps=min(eps, radius), metric="precomputed")


def test_precomputed_that_is_not_symmetric():
    rng = np.random.default_rng(0)
    for _ in range(20):
        D = rng.uniform(size=(30, 30))
        both(D, eps=0.1, min_samples=3, metric="precomputed")
        both(sp.csr_array(np.where(D < 0.15, D, 0)), eps=0.1, min_samples=3, metric="precomputed")


def test_precomputed_zeros_that_are_stored_are_neighbours():
    D = sp.csr_array((np.zeros(2), ([0, 1], [1, 0])), shape=(3, 3))
    assert both(D, eps=0.5, min_samples=2, metric="precomputed").labels_.tolist() == [0, 0, -1]


def test_precomputed_types():
    """float32, whole numbers, int64 places, places in disorder: read as float64 in canonical form, the user's stays."""
    X = groups(60, 2)
    D = np.ceil(sklearn.metrics.pairwise_distances(X))
    expected = DBSCAN(eps=1, metric="precomputed").fit(D).labels_
    graph = sp.csr_array(D)
    graph.indices, graph.indptr = graph.indices[::-1].astype(np.int64), graph.indptr.astype(np.int64)
    graph.data = graph.data[::-1]  # all rows have 59 entries: each is now another one's, in descending order
    before = graph.copy()
    assert DBSCAN(eps=1, metric="precomputed").fit(graph).labels_.shape == (60,)
    np.testing.assert_array_equal(graph.indices, before.indices)
    for other in (D.astype(np.float32), D.astype(np.int64), sp.csr_array(D), sp.coo_array(D.astype(np.float32))):
        np.testing.assert_array_equal(DBSCAN(eps=1, metric="precomputed").fit(other).labels_, expected)


@pytest.mark.parametrize(
    ("D", "message"),
    [
        (np.zeros((2, 3)), "square"),
        (np.array([[0.0, -1.0], [1.0, 0.0]]), "negative"),
        (sp.csr_array(np.array([[0.0, -1.0], [1.0, 0.0]])), "negative"),
        (np.array([[0.0, np.nan], [1.0, 0.0]]), "NaN"),
    ],
)
def test_bad_distances(D, message):
    with pytest.raises(ValueError, match=message):
        DBSCAN(metric="precomputed").fit(D)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_rows_have_the_labels_of_dense_ones(metric):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (300, 6)) * 0.1 * rng.integers(0, 2, (300, 6))  # many distances equal eps but for rounding
    assert (X == 0).all(axis=1).any()  # rows without a direction
    weight = rng.integers(0, 3, 300).astype(float)
    for eps in (0.05, 0.1, 0.2, 1.0) if metric == "euclidean" else (0.01, 0.1, 0.3, 1.0):
        expected = DBSCAN(eps, min_samples=12, metric=metric).fit(X, sample_weight=weight)
        for make in (sp.csr_array, sp.csc_matrix, sp.coo_array):
            model = DBSCAN(eps, min_samples=12, metric=metric).fit(make(X), sample_weight=weight)
            np.testing.assert_array_equal(model.labels_, expected.labels_)
            np.testing.assert_array_equal(model.components_.toarray(), expected.components_)
    for metric in ("manhattan", "chebyshev"):
        with pytest.raises(ValueError, match="'euclidean' and 'cosine'"):
            DBSCAN(metric=metric).fit(sp.csr_array(X))


def test_zeros_that_are_stored_have_no_direction():
    X = sp.csr_array((np.array([0.0, 1.0, 2.0]), np.array([0, 0, 0]), np.array([0, 1, 2, 3])), shape=(3, 2))
    assert DBSCAN(0.5, min_samples=2, metric="cosine").fit(X).labels_.tolist() == [-1, 0, 0]


def test_rows_of_zeros_by_cosine():
    X = np.vstack([np.zeros((3, 2)), groups(40, 2), np.zeros((3, 2)), [[0, 2.0], [3.0, 0]]])
    for eps in (0.01, 0.5, 1.0, 1.5):
        for min_samples in (1, 2, 6, 30):
            both(X, eps=eps, min_samples=min_samples, metric="cosine")


def test_cosine_does_not_depend_on_lengths():
    X = groups(200, 3)
    expected = DBSCAN(eps=0.01, metric="cosine").fit(X).labels_
    factors = 2.0 ** np.random.default_rng(0).integers(-900, 900, size=(200, 1))
    np.testing.assert_array_equal(DBSCAN(eps=0.01, metric="cosine").fit(X * factors).labels_, expected)


# ---- hostile data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0, -1.0, np.inf, np.nan, "1"])
def test_bad_eps(eps):
    with pytest.raises(ValueError, match="eps"):
        DBSCAN(eps=eps).fit(np.zeros((3, 1)))


def test_eps_from_tiny_to_huge():
    X = groups(400, 2)
    for eps in (1e-300, 1e-20, 1e-9, 1e9, 1e200, 1e308):
        model = DBSCAN(eps=eps, min_samples=2).fit(X)
        assert set(model.labels_) == ({-1} if eps < 1 else {0})
        assert model.n_clusters_ == (0 if eps < 1 else 1)


def test_one_point():
    assert both([[3.0]], min_samples=1).labels_.tolist() == [0]
    assert both([[3.0]], min_samples=2).labels_.tolist() == [-1]


def test_duplicates_only():
    """scikit-learn, which takes squares apart beyond 15 dimensions, finds noise at the last of them."""
    for d in (1, 3, 20):
        assert DBSCAN(eps=1e-12).fit(np.full((500, d), 0.1)).labels_.tolist() == [0] * 500


def test_duplicates_beside_points_that_stand_alone():
    """A place with very many points just out of reach of others: these are not counted one by one."""
    rng = np.random.default_rng(0)
    X = np.vstack([np.zeros((3000, 2)), np.column_stack([np.full(300, 1.01), rng.uniform(-0.5, 0.5, 300)])])
    both(X[rng.permutation(len(X))], eps=1, min_samples=200)


def test_constant_columns():
    X = groups(300, 2)
    expected = DBSCAN().fit(X).labels_
    for value in (0.0, 1e300):
        wide = np.column_stack([np.full(300, value), X, np.full(300, -value)])
        np.testing.assert_array_equal(DBSCAN().fit(wide).labels_, expected)


def test_far_from_the_origin():
    """Differences of 1 at coordinates of 1e8: nothing cancels."""
    X = np.random.default_rng(0).integers(0, 40, size=(500, 3)).astype(float)
    for eps in (1.0, 2.0, 5.0):
        expected = both(X, eps=eps).labels_
        np.testing.assert_array_equal(both(X + 1e8, eps=eps).labels_, expected)


def test_units_do_not_matter():
    X = groups(400, 2)
    expected = both(X, eps=0.5).labels_
    for exponent in (-980, -500, -100, 100, 500, 980):
        unit = 2.0**exponent
        np.testing.assert_array_equal(DBSCAN(eps=0.5 * unit).fit(X * unit).labels_, expected)


@pytest.mark.parametrize("metric", METRICS)
def test_coordinates_at_the_end_of_float64(metric):
    X = np.array([[1e308, -1e308], [1e308, -1e308], [-1e308, 1e308], [-1e308, 1e308]])
    eps = 0.5 if metric == "cosine" else 1e300
    assert DBSCAN(eps=eps, min_samples=2, metric=metric).fit(X).labels_.tolist() == [0, 0, 1, 1]


def test_a_chain_is_one_cluster():
    """Each point has two neighbours alone, so that one end is connected with the other by all of them."""
    X = np.random.default_rng(0).permutation(5000)[:, np.newaxis] * 1.0
    assert set(both(X, eps=1, min_samples=2).labels_) == {0}
    assert both(2 * X, eps=1, min_samples=1).labels_.tolist() == list(range(5000))


def test_a_border_point_belongs_to_the_first_cluster():
    line = np.array([[5.0], [10], [9], [8], [7], [0], [1], [2], [3]])  # 5.0 is near to both groups
    assert both(line, eps=2, min_samples=4).labels_[0] == both(line[::-1], eps=2, min_samples=4).labels_[-1] == 0


def test_neighbourhoods_are_never_listed():
    """With lists this would take 3 GB: every point is a neighbour of every other."""
    X = np.random.default_rng(0).normal(size=(20_000, 2))
    DBSCAN(eps=100).fit(X[:100])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert set(DBSCAN(eps=100).fit(X).labels_) == {0}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_moons():
    X, y = make_moons(2000, noise=0.05, random_state=0)
    labels = both(X, eps=0.1).labels_
    assert sklearn.metrics.adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) == 1


@pytest.mark.parametrize(
    ("name", "eps"), [("fcps_chainlink", 0.15), ("other_chameleon_t4_8k", 9.0), ("sipu_aggregation", 1.5)]
)
def test_real_data(name, eps):
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    X = np.load(path)["X"].astype(np.float64)
    assert both(X, eps=eps, min_samples=8).labels_.max() > 0


def test_names_of_columns_and_y():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(groups(50, 2), columns=["a", "b"])
    model = DBSCAN(eps=1).fit(X, y=None)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(DBSCAN(eps=1).fit_predict(X), model.labels_)
