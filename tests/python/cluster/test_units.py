"""A power of two is another unit: it changes no label, or what was asked for has no number and is refused in words."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from mlcore.cluster import (
    DBSCAN,
    HDBSCAN,
    AgglomerativeClustering,
    GaussianMixture,
    KMeans,
    MiniBatchKMeans,
    NearestNeighbors,
    choose_k,
)

POINTS, _ = make_blobs(90, 3, centers=4, cluster_std=0.6, random_state=0)
POINTS[::9] = POINTS[0]
FAR = [2.0**e for e in (-1000, -660, 660, 1000)]


@pytest.mark.parametrize("unit", FAR)
@pytest.mark.parametrize(
    "model_of",
    [
        lambda unit: KMeans(4, random_state=0),
        lambda unit: KMeans(4, init="random", n_init=4, random_state=0),
        lambda unit: KMeans(4, init=POINTS[:4] * unit),
        lambda unit: DBSCAN(0.7 * unit),
        lambda unit: HDBSCAN(),
        lambda unit: HDBSCAN(algorithm="brute", metric="manhattan"),
        lambda unit: HDBSCAN(metric="cosine"),
        lambda unit: AgglomerativeClustering(4),
        lambda unit: AgglomerativeClustering(4, linkage="single"),
    ],
)
def test_labels_do_not_depend_on_the_unit(unit, model_of):
    expected = model_of(1.0).fit(POINTS)
    found = model_of(unit).fit(POINTS * unit)
    assert np.array_equal(found.labels_, expected.labels_)
    if isinstance(found, KMeans):
        assert np.array_equal(found.cluster_centers_, expected.cluster_centers_ * unit)
        assert np.array_equal(found.predict(POINTS * unit), expected.labels_)


@pytest.mark.parametrize("unit", FAR)
def test_what_hdbscan_says_of_points_does_not_depend_on_the_unit(unit):
    expected, found = HDBSCAN(store_centers="both").fit(POINTS), HDBSCAN(store_centers="both").fit(POINTS * unit)
    rows = POINTS[:20] + 0.25
    assert np.array_equal(found.core_distances_, expected.core_distances_ * unit)
    assert np.array_equal(found.medoids_, expected.medoids_ * unit)
    np.testing.assert_allclose(found.probabilities_, expected.probabilities_, rtol=1e-12)
    np.testing.assert_allclose(found.outlier_scores_, expected.outlier_scores_, rtol=1e-12)
    for name in ("approximate_predict", "approximate_predict_scores", "membership_vector"):
        for mine, theirs in zip(getattr(found, name)(rows * unit), getattr(expected, name)(rows), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize("far", [1e60, 1e200, 1e308])
def test_hdbscan_finds_that_rows_far_away_are_noise(far):
    model = HDBSCAN().fit(POINTS)
    rows = [[far, -far, 0.0]]
    labels, probabilities = model.approximate_predict(rows)
    assert labels.tolist() == [-1]
    assert probabilities.tolist() == [0.0]
    assert model.approximate_predict_scores(rows)[0] > 0.999
    assert np.isfinite(model.membership_vector(rows)).all()


@pytest.mark.parametrize("unit", FAR)
def test_what_has_no_number_is_refused(unit):
    for fit in (
        MiniBatchKMeans(4).fit,
        MiniBatchKMeans(4).partial_fit,
        KMeans("auto").fit,
        KMeans("auto", criterion="xmeans").fit,
        GaussianMixture(4, covariance_type="spherical").fit,
        GaussianMixture(4).fit,
        lambda X: choose_k(X, AgglomerativeClustering(), [2, 3]),
        lambda X: choose_k(X, GaussianMixture(), [2, 3]),
    ):
        with pytest.raises(ValueError, match="leave"):
            fit(POINTS * unit)


def test_a_column_whose_variance_vanishes_is_not_taken_for_constant():
    X = POINTS * [1.0, 1e-200, 1.0]
    with pytest.raises(ValueError, match="variance of column 1"):
        GaussianMixture(2).fit(X)
    GaussianMixture(2, covariance_type="spherical", random_state=0).fit(X)


@pytest.mark.parametrize("count", [2**63, 10**30])
def test_counts_without_bounds(count):
    assert np.array_equal(
        KMeans(3, random_state=0, max_iter=count).fit(POINTS).labels_, KMeans(3, random_state=0).fit(POINTS).labels_
    )
    GaussianMixture(2, max_iter=count, random_state=0).fit(POINTS)
    NearestNeighbors(leaf_size=count).fit(POINTS).kneighbors()
    HDBSCAN(max_cluster_size=count).fit(POINTS)


def test_counts_of_small_integers():
    """3 * 100 is no int8."""
    GaussianMixture(2, n_init=np.int8(3), max_iter=np.int8(100), random_state=0).fit(POINTS)
    expected = MiniBatchKMeans(40, batch_size=10, random_state=0).fit(POINTS).labels_
    found = MiniBatchKMeans(np.int8(40), batch_size=np.int8(10), random_state=0).fit(POINTS).labels_
    assert np.array_equal(found, expected)


def test_a_reassignment_ratio_above_one_is_one():
    options = {"batch_size": 20, "max_iter": 5, "random_state": 0}
    expected = MiniBatchKMeans(3, reassignment_ratio=1.0, **options).fit(POINTS).labels_
    assert np.array_equal(MiniBatchKMeans(3, reassignment_ratio=1e308, **options).fit(POINTS).labels_, expected)


@pytest.mark.parametrize("model", [KMeans(4, random_state=0), DBSCAN(), HDBSCAN(), AgglomerativeClustering()])
def test_arrays_at_odd_addresses(model):
    odd = np.frombuffer(b"x" + POINTS.tobytes(), np.uint8)[1:].view(np.float64).reshape(POINTS.shape)
    assert not odd.flags.aligned
    assert np.array_equal(model.fit_predict(odd), model.fit_predict(POINTS))


def test_numbers_too_large_for_a_float():
    for X in ([[10**400, 1], [2, 3]], np.full((2, 2), np.longdouble(10) ** 400)):
        with pytest.raises(ValueError, match=r"too large|infinity"):
            KMeans(1).fit(X)
