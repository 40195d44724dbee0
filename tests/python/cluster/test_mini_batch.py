"""MiniBatchKMeans: how good it is, batches by hand, weights, sparse rows, what it refuses."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.utils import check_random_state

from mlcore.cluster import KMeans, MiniBatchKMeans


def blobs(n=5000, d=4, n_blobs=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_blobs, d))[rng.integers(n_blobs, size=n)] * 6 + rng.normal(size=(n, d))


def test_nearly_as_good_as_all_rows():
    X = blobs()
    best = KMeans(6, n_init=5, random_state=0).fit(X).inertia_
    for init in ("k-means++", "random"):
        found = [MiniBatchKMeans(6, init=init, random_state=seed, batch_size=256).fit(X).inertia_ for seed in range(5)]
        assert np.median(found) < 1.15 * best


def test_one_step_is_the_running_mean():
    X, init = blobs(300), blobs()[:4]
    model = MiniBatchKMeans(4, init=init, reassignment_ratio=0)
    seen = np.zeros(4)
    centers = init.copy()
    for batch in np.split(X, 3):
        labels = ((batch[:, None] - centers) ** 2).sum(-1).argmin(1)
        for j in range(4):
            members = batch[labels == j]
            if len(members):
                centers[j] = (seen[j] * centers[j] + members.sum(0)) / (seen[j] + len(members))
                seen[j] += len(members)
        model.partial_fit(batch)
        np.testing.assert_allclose(model.cluster_centers_, centers, rtol=1e-12)
        assert (model.labels_ == model.predict(batch)).all()
        assert model.inertia_ == pytest.approx(-model.score(batch))
    assert model.n_steps_ == 3


def test_weights_of_a_step_are_copies_of_rows():
    X, init = blobs(200), blobs()[:4]
    weight = check_random_state(0).randint(0, 3, len(X))
    weighted = MiniBatchKMeans(4, init=init).partial_fit(X, sample_weight=weight)
    copied = MiniBatchKMeans(4, init=init).partial_fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, copied.cluster_centers_, rtol=1e-12)
    assert weighted.inertia_ == pytest.approx(copied.inertia_)


def test_equal_weights_are_none():
    """Weights of 1 draw the same batches; others but for the rounding of the means."""
    X = np.random.default_rng(0).normal(size=(500, 3))
    for init in ("k-means++", "random"):
        a, b, c = (
            MiniBatchKMeans(5, init=init, batch_size=64, random_state=0).fit(X, sample_weight=w)
            for w in (None, 1.0, 3.0)
        )
        np.testing.assert_allclose(b.cluster_centers_, a.cluster_centers_, rtol=1e-9)
        np.testing.assert_allclose(c.cluster_centers_, a.cluster_centers_, rtol=1e-9)
        np.testing.assert_allclose([b.inertia_, c.inertia_ / 3], a.inertia_, rtol=1e-9)


def test_an_init_size_below_the_number_of_clusters_is_told():
    X = np.random.default_rng(0).normal(size=(100, 2))
    with pytest.warns(RuntimeWarning, match="init_size=4 is less than n_clusters=5"):
        model = MiniBatchKMeans(5, init_size=4, random_state=0).fit(X)
    assert len(model.cluster_centers_) == 5


def test_rows_without_weight_are_not_drawn():
    X = blobs()
    X[::2] = 1e6
    model = MiniBatchKMeans(6, random_state=0).fit(X, sample_weight=np.arange(len(X)) % 2)
    assert abs(model.cluster_centers_).max() < 100


def test_centers_that_nothing_is_near_are_replaced():
    X = blobs(2000)
    init = np.vstack([X[:5], np.full((1, 4), 1e4)])
    model = MiniBatchKMeans(6, init=init, random_state=0, batch_size=200).fit(X)
    assert abs(model.cluster_centers_).max() < 100
    assert len(np.unique(model.labels_)) == 6


def test_sparse_rows():
    X = sp.random_array((2000, 30), density=0.2, rng=np.random.default_rng(0), format="csr")
    sparse, dense = (MiniBatchKMeans(5, random_state=0, max_iter=3).fit(Z) for Z in (X, X.toarray()))
    assert sparse.inertia_ == pytest.approx(dense.inertia_, rel=0.1)
    init = X[:5].toarray()
    sparse, dense = (MiniBatchKMeans(5, init=init, random_state=0).partial_fit(Z) for Z in (X, X.toarray()))
    np.testing.assert_allclose(sparse.cluster_centers_, dense.cluster_centers_, atol=1e-12)


def test_without_labels():
    X = blobs()
    model = MiniBatchKMeans(6, random_state=0, compute_labels=False, batch_size=500)
    labels = model.fit_predict(X)
    assert not hasattr(model, "labels_")
    assert (labels == model.predict(X)).all()
    assert model.inertia_ == pytest.approx(-model.score(X), rel=0.3)


def test_it_goes_on_after_fit():
    X = blobs()
    model = MiniBatchKMeans(6, random_state=0).fit(X)
    steps = model.n_steps_
    assert model.partial_fit(X[:100]).n_steps_ == steps + 1
    assert not hasattr(model, "n_iter_")
    assert len(model.labels_) == 100


def test_ends():
    X = blobs()
    assert (
        MiniBatchKMeans(6, random_state=0, batch_size=100, max_no_improvement=None, max_iter=2).fit(X).n_steps_ == 100
    )
    assert MiniBatchKMeans(6, random_state=0, batch_size=100, tol=1e3, max_iter=2).fit(X).n_steps_ == 2


def test_errors():
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_clusters=8"):
        MiniBatchKMeans().partial_fit(blobs(3))
    model = MiniBatchKMeans(2, random_state=0).partial_fit(blobs(30))
    before = model.cluster_centers_
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((5, 4), np.nan))
    assert model.cluster_centers_ is before
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(blobs(30, 3))
