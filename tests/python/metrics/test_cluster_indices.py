"""Indices of a clustering by its rows: scikit-learn's values, errors, units, bits."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.metrics as peer
from scipy.sparse import csr_matrix
from sklearn.datasets import make_blobs

from mlcore import metrics
from mlcore._native import core

INDICES = ("silhouette_score", "calinski_harabasz_score", "davies_bouldin_score")
METRICS = ("euclidean", "sqeuclidean", "manhattan", "cosine", "cityblock", "l1", "l2")


def clustering(n, d, k, seed=0):
    """Return rows around k centres and labels of which some are wrong."""
    rng = np.random.default_rng(seed)
    X, labels = make_blobs(n, d, centers=k, cluster_std=3.0, random_state=seed)
    wrong = rng.random(n) < 0.1
    labels[wrong] = rng.integers(0, k, wrong.sum())
    return X, labels


def naive_silhouettes(X, labels):
    """Return silhouettes by the definition, pair by pair."""
    D = np.sqrt(((X[:, None] - X[None]) ** 2).sum(-1))
    out = np.zeros(len(X))
    for i, own in enumerate(labels):
        means = {c: D[i, labels == c].sum() / (sum(labels == c) - (c == own or 0)) for c in set(labels) - {own}}
        if (labels == own).sum() > 1:
            a, b = D[i, labels == own].sum() / ((labels == own).sum() - 1), min(means.values())
            out[i] = (b - a) / max(a, b) if max(a, b) else 0
    return out


@pytest.mark.parametrize(("n", "d", "k"), [(3, 1, 2), (17, 1, 3), (150, 2, 4), (700, 7, 11), (1300, 40, 3)])
def test_silhouettes_are_scikit_learns(n, d, k):
    X, labels = clustering(n, d, k, n)
    labels[:k] = np.arange(k)
    for metric in METRICS:
        ours = metrics.silhouette_samples(X, labels, metric=metric)
        theirs = peer.silhouette_samples(X, labels, metric=metric)
        # scikit-learn's own Euclidean and cosine distances are expanded squares, good to 1e-8 of the largest
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7, err_msg=metric)
    np.testing.assert_allclose(
        metrics.silhouette_samples(X, labels), naive_silhouettes(X, labels), rtol=1e-12, atol=1e-13
    )


def test_silhouettes_of_many_small_clusters():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(900, 3)), rng.integers(0, 400, 900)  # some have one row, whose silhouette is 0
    for metric in ("euclidean", "manhattan", "sqeuclidean", "cosine"):
        np.testing.assert_allclose(
            metrics.silhouette_samples(X, labels, metric=metric),
            peer.silhouette_samples(X, labels, metric=metric),
            atol=1e-7,
            err_msg=metric,
        )


def test_silhouettes_of_rows_of_zeros_by_cosine():
    rng = np.random.default_rng(1)
    X, labels = rng.normal(size=(60, 4)), np.arange(60) % 3
    X[[0, 5, 7, 30]] = 0
    np.testing.assert_allclose(
        metrics.silhouette_samples(X, labels, metric="cosine"),
        peer.silhouette_samples(X, labels, metric="cosine"),
        atol=1e-12,
    )


@pytest.mark.parametrize("metric", ["precomputed", "chebyshev", "minkowski"])
def test_silhouettes_of_other_distances(metric):
    X, labels = clustering(301, 4, 5)
    rows = peer.pairwise_distances(X) if metric == "precomputed" else X
    options = {"p": 3} if metric == "minkowski" else {}
    np.testing.assert_allclose(
        metrics.silhouette_samples(rows, labels, metric=metric, **options),
        peer.silhouette_samples(rows, labels, metric=metric, **options),
        rtol=1e-12,
        atol=1e-14,
    )


def test_silhouettes_of_sparse_rows_and_of_a_function():
    X, labels = clustering(120, 4, 3)
    X[X < 0] = 0
    expected = metrics.silhouette_samples(X, labels)
    np.testing.assert_allclose(metrics.silhouette_samples(csr_matrix(X), labels), expected, atol=1e-7)

    def distance(x, y):
        return np.sqrt(((x - y) ** 2).sum())

    np.testing.assert_allclose(metrics.silhouette_samples(X, labels, metric=distance), expected, atol=1e-12)
    D = csr_matrix(peer.pairwise_distances(X))
    np.testing.assert_allclose(metrics.silhouette_samples(D, labels, metric="precomputed"), expected, atol=1e-7)


@pytest.mark.parametrize("metric", ["euclidean", "precomputed"])
def test_a_sample_is_scikit_learns(metric):
    X, labels = clustering(400, 3, 4)
    rows = peer.pairwise_distances(X) if metric == "precomputed" else X
    for size in (50, 400, 1000):
        options = {"metric": metric, "sample_size": size, "random_state": 3}
        assert metrics.silhouette_score(rows, labels, **options) == pytest.approx(
            peer.silhouette_score(rows, labels, **options), abs=1e-7
        )


def test_an_estimate_says_its_error():
    X, labels = clustering(3000, 4, 5)
    exact = metrics.silhouette_score(X, labels)
    far = []
    for seed in range(100):
        score, error, size = metrics.silhouette_estimate(X, labels, sample_size=200, random_state=seed)
        assert size == 200
        far.append(abs(score - exact) / error)
    assert np.mean(np.array(far) < 1.96) >= 0.88  # 0.95 is expected; 7 more of 100 miss it once in a thousand times
    assert 0.4 < np.median(far) < 1.0  # 0.67 is: the error is not stated too large either
    every = metrics.silhouette_estimate(X, labels, sample_size=5000)
    assert every.score == pytest.approx(exact, rel=1e-14)
    assert every.error == 0
    assert every.sample_size == 3000


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("sample_size", [200, 2000])
def test_an_estimate_of_sparse_rows_is_that_of_dense_ones(metric, sample_size):
    X, labels = clustering(1000, 4, 5)
    X = np.where(X > 0, X, 0)
    options = {"metric": metric, "sample_size": sample_size, "random_state": 0}
    expected = metrics.silhouette_estimate(X, labels, **options)
    for make in (sp.csr_array, sp.coo_matrix):
        np.testing.assert_allclose(metrics.silhouette_estimate(make(X), labels, **options), expected, rtol=1e-6)


@pytest.mark.parametrize("index", INDICES[1:])
@pytest.mark.parametrize(("n", "d", "k"), [(3, 1, 2), (150, 2, 4), (5000, 7, 11), (2000, 5, 700)])
def test_dispersion_is_scikit_learns(index, n, d, k):
    X, labels = clustering(n, d, k, n)
    labels[:k] = np.arange(k)
    assert getattr(metrics, index)(X, labels) == pytest.approx(getattr(peer, index)(X, labels), rel=1e-9)


@pytest.mark.parametrize("index", INDICES)
def test_labels_of_any_type(index):
    X, labels = clustering(90, 3, 3)
    function = getattr(metrics, index)
    expected = function(X, labels)
    names = np.array(["b", "a", "noise"])
    for same in (labels - 1, labels * 2.5, names[labels], names[labels].astype(object), list(labels), labels > 99):
        if len(set(same)) > 1:
            assert function(X, same) == pytest.approx(expected, rel=1e-12)
    assert function(X.tolist(), labels.tolist()) == expected
    assert function(np.asfortranarray(X), labels) == expected
    assert function(X[:, ::-1], labels) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("index", INDICES)
def test_no_unit_and_no_origin(index):
    X, labels = clustering(300, 3, 4)
    function = getattr(metrics, index)
    expected = function(X, labels)
    for scale in (1e-8, 1e8, 1e-200, 1e200, 2.0**-1060):
        assert function(X * scale, labels) == pytest.approx(expected, rel=1e-3 if scale < 1e-300 else 1e-12), scale
    assert function(np.round(X * 64) / 64 + 1e8, labels) == pytest.approx(
        function(np.round(X * 64) / 64, labels), 1e-12
    )


def test_values_of_hostile_rows():
    X = np.zeros((10, 2))
    labels = np.arange(10) % 2
    assert metrics.silhouette_score(X, labels) == 0.0
    assert metrics.calinski_harabasz_score(X + 1 / 3, labels) == 1.0
    assert metrics.davies_bouldin_score(X + 1 / 3, labels) == 0.0
    around = np.array([[-1.0, -1], [1, 1]] * 10)  # both clusters have the same centroid
    assert metrics.davies_bouldin_score(around, [0] * 10 + [1] * 10) == 0.0
    assert metrics.calinski_harabasz_score(around, [0] * 10 + [1] * 10) == 0.0
    constant = np.column_stack([np.full(10, 7.0), np.arange(10.0)])
    for index in INDICES:
        assert getattr(metrics, index)(constant, labels) == pytest.approx(getattr(peer, index)(constant, labels))


@pytest.mark.parametrize("index", [*INDICES, "silhouette_samples", "silhouette_estimate"])
def test_errors(index):
    function = getattr(metrics, index)
    X, labels = clustering(20, 2, 3)
    for wrong in (np.zeros(20, int), np.arange(20)):
        with pytest.raises(ValueError, match="Number of labels is"):
            function(X, wrong)
    with pytest.raises(ValueError, match="inconsistent"):
        function(X, labels[:-1])
    for value in (np.nan, np.inf):
        bad = X.copy()
        bad[3, 1] = value
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            function(bad, labels)
    with pytest.raises(ValueError, match="NaN"):
        function(X, np.where(labels == 0, np.nan, 1.0))
    with pytest.raises(ValueError, match="2D"):
        function(X[:, 0], labels)
    with pytest.raises(ValueError, match="array-like"):
        function("rows", labels)
    with pytest.raises(ValueError, match="sample"):
        function(np.empty((0, 2)), [])


def test_errors_of_silhouettes():
    X, labels = clustering(20, 2, 3)
    with pytest.raises(ValueError, match="diagonal"):
        metrics.silhouette_samples(X @ X.T, labels, metric="precomputed")
    with pytest.raises(ValueError, match="square"):
        metrics.silhouette_samples(X, labels, metric="precomputed")
    D = peer.pairwise_distances(X)
    for scale in (1e-20, 1.0, 1e20):  # rounding on the diagonal is forgiven, and more is not, in any unit
        metrics.silhouette_samples(scale * (D + 1e-15 * np.eye(20)), labels, metric="precomputed")
        with pytest.raises(ValueError, match="diagonal"):
            metrics.silhouette_samples(scale * (D + 1e-10 * np.eye(20)), labels, metric="precomputed")
    with pytest.raises(ValueError, match="metric"):
        metrics.silhouette_samples(X, labels, metric="none")
    with pytest.raises(ValueError, match="metric"):
        metrics.silhouette_estimate(X, labels, metric="chebyshev")
    for size in (0, -1, 2.5, "all", True):
        with pytest.raises(ValueError, match="sample_size"):
            metrics.silhouette_score(X, labels, sample_size=size)
    with pytest.raises(ValueError, match="codes"):
        core.metrics.silhouettes(X, np.full(20, 7, np.int32), 3, "euclidean")
    with pytest.raises(ValueError, match="each code"):
        core.metrics.silhouettes(X, np.zeros(20, np.int32), 3, "euclidean")
    with pytest.raises(ValueError, match="rows of X"):
        core.metrics.silhouettes(X, np.zeros(20, np.int32), 1, "euclidean", np.array([20]))


BITS = """
import hashlib, numpy as np
from mlcore import metrics
rng = np.random.default_rng(0)
X, labels = rng.normal(size=(3000, 9)), rng.integers(0, 7, 3000)
parts = [metrics.silhouette_samples(X, labels, metric=m).tobytes() for m in ("euclidean", "manhattan", "sqeuclidean")]
figures = [
    metrics.calinski_harabasz_score(X, labels),
    metrics.davies_bouldin_score(X, labels),
    metrics.dbcv_score(X, labels),
    metrics.adjusted_mutual_info_score(rng.integers(0, 300, 200000), rng.integers(0, 200, 200000)),
]
print(hashlib.sha256(b"".join(parts) + repr(figures).encode()).hexdigest())
"""


def test_bits_do_not_depend_on_threads():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU")
    found = set()
    for some in (cpus[:1], cpus):
        code = f"import os; os.sched_setaffinity(0, {some})\n" + BITS
        found.add(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1
