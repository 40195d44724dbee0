"""DBCV: the paper's definition, hdbscan's values, units, noise, duplicates."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import pairwise_distances

from mlcore import metrics


def naive_cluster(D, d):
    """Return the sparseness, the inner rows and the core distances of one cluster from its distances (m, m)."""
    m = len(D)
    with np.errstate(divide="ignore"):
        inverse = np.where(D > 0, D, np.inf) ** -float(d)
    core = (inverse.sum(1) / (m - 1)) ** (-1 / d)
    R = np.maximum(D, np.maximum(core[:, None], core))
    inside, edges, degree = [0], [], np.zeros(m, int)
    while len(inside) < m:
        rest = [j for j in range(m) if j not in inside]
        near = min(rest, key=lambda j: (R[inside, j].min(), j))
        parent = min(inside, key=lambda i: (R[i, near], i))
        edges.append((parent, near))
        degree[[parent, near]] += 1
        inside.append(near)
    inner = [R[e] for e in edges if (degree[list(e)] > 1).all()] or [R[e] for e in edges]
    return max(inner), np.flatnonzero(degree > 1) if (degree > 1).any() else np.array([0]), core


def naive_dbcv(X, labels):
    """Return DBCV by the definition."""
    D, d = pairwise_distances(X), X.shape[1]
    D = np.sqrt(((X[:, None] - X[None]) ** 2).sum(-1))
    clusters = [np.flatnonzero(labels == c) for c in sorted(set(labels) - {-1})]
    found = [naive_cluster(D[np.ix_(rows, rows)], d) for rows in clusters]
    score = 0.0
    for c, (rows, (sparse, inner, core)) in enumerate(zip(clusters, found, strict=True)):
        apart = min(
            np.maximum(D[np.ix_(rows[inner], others[i])], np.maximum(core[inner][:, None], k[i])).min()
            for e, (others, (_, i, k)) in enumerate(zip(clusters, found, strict=True))
            if e != c
        )
        score += len(rows) / len(labels) * (apart - sparse) / max(apart, sparse)
    return score


def data(n=240, d=2, k=3, seed=0, noise=0.1):
    X, labels = make_blobs(n, d, centers=k, random_state=seed)
    labels[np.random.default_rng(seed).random(n) < noise] = -1
    return X, labels


@pytest.mark.parametrize(("n", "d", "k"), [(5, 1, 2), (40, 1, 3), (120, 2, 3), (160, 5, 4), (90, 13, 2)])
def test_the_definition(n, d, k):
    X, labels = data(n, d, k, noise=0.0 if n == 5 else 0.1)
    labels[:2] = 0, 1
    assert metrics.dbcv_score(X, labels) == pytest.approx(naive_dbcv(X, labels), rel=1e-10, abs=1e-12)


def test_frozen_values():
    """What hdbscan 0.8.44 gives."""
    moons, halves = make_moons(300, noise=0.05, random_state=0)
    assert metrics.dbcv_score(moons, halves) == pytest.approx(0.5194431544571205, rel=1e-9)
    assert metrics.dbcv_score(*data()) == pytest.approx(-0.2549541061675424, rel=1e-9)


@pytest.mark.peers
@pytest.mark.parametrize(("n", "d", "k"), [(60, 1, 2), (400, 2, 4), (600, 3, 7), (300, 10, 3)])
def test_hdbscan_gives_the_same(n, d, k):
    validity = pytest.importorskip("hdbscan.validity")
    for seed in range(4):
        X, labels = data(n, d, k, seed)
        score, each = metrics.dbcv_score(X, labels, per_cluster_scores=True)
        theirs, theirs_each = validity.validity_index(X, labels, per_cluster_scores=True)
        assert score == pytest.approx(theirs, rel=1e-9)
        np.testing.assert_allclose(each, theirs_each, rtol=1e-9)
        D = pairwise_distances(X, metric="manhattan")
        theirs = validity.validity_index(D, labels, metric="precomputed", d=d)
        assert metrics.dbcv_score(D, labels, metric="precomputed", d=d) == pytest.approx(theirs, rel=1e-9)
        assert metrics.dbcv_score(X, labels, metric="manhattan") == pytest.approx(theirs, rel=1e-9)


def test_it_prefers_the_form_of_the_data():
    X, halves = make_moons(400, noise=0.03, random_state=1)
    cut = (X[:, 0] > X[:, 0].mean()).astype(int)
    assert metrics.dbcv_score(X, halves) > 0.3 > metrics.dbcv_score(X, cut)
    assert metrics.silhouette_score(X, halves) < metrics.silhouette_score(X, cut)


def test_no_unit_and_no_origin():
    X, labels = data()
    expected = metrics.dbcv_score(X, labels)
    for scale in (1e-8, 1e8, 1e-200, 1e200):
        assert metrics.dbcv_score(X * scale, labels) == pytest.approx(expected, rel=1e-9), scale
    rounded = np.round(X * 64) / 64
    assert metrics.dbcv_score(rounded + 1e8, labels) == pytest.approx(metrics.dbcv_score(rounded, labels), rel=1e-12)


def test_many_features_do_not_overflow():
    X, labels = data(120, 700, 2)
    assert metrics.dbcv_score(X * 1e-3, labels) == pytest.approx(metrics.dbcv_score(X * 1e3, labels), rel=1e-9)
    assert metrics.dbcv_score(X, labels) > 0


def test_noise_lowers_it_and_may_have_any_label():
    X, labels = data(noise=0.0)
    full, each = metrics.dbcv_score(X, labels, per_cluster_scores=True)
    assert full == pytest.approx(each @ np.bincount(labels) / len(labels))
    far = np.vstack([X, X[:60] + 1000])
    with_noise = np.concatenate([labels, np.full(60, -1)])
    assert metrics.dbcv_score(far, with_noise) == pytest.approx(full * len(X) / len(far))
    names = np.array(["x", "y", "z", "none"])[with_noise]
    assert metrics.dbcv_score(far, names, noise_label="none") == metrics.dbcv_score(far, with_noise)


def test_hostile_rows():
    X, labels = data(noise=0.0)
    twice = np.repeat(X, 2, axis=0)
    assert np.isfinite(metrics.dbcv_score(twice, np.repeat(labels, 2)))
    points = np.repeat([[0.0, 0.0], [1.0, 0.0]], 5, axis=0)
    assert metrics.dbcv_score(points, np.repeat([0, 1], 5)) == 1.0
    assert metrics.dbcv_score(np.zeros((8, 2)), np.arange(8) % 2) == 0.0
    single = labels.copy()
    single[0] = 9  # one row is noise, and has a score of 0
    score, each = metrics.dbcv_score(X, single, per_cluster_scores=True)
    assert len(each) == 4
    assert each[3] == 0
    labels[0] = -1
    assert score == metrics.dbcv_score(X, labels)


def test_public_reports():
    """Pains of hdbscan's users: an error for a cluster of one row, NaN for word counts, NaN for one cluster."""
    rng = np.random.default_rng(0)
    X = rng.random((7, 2))
    labels = np.array([-1, 1, 1, 1, 0, 2, 2])
    assert np.isfinite(metrics.dbcv_score(X, labels))
    words = (rng.random((60, 3000)) < 0.01) * rng.random((60, 3000))
    assert np.isfinite(metrics.dbcv_score(words, np.arange(60) % 3))
    with pytest.raises(ValueError, match="two clusters"):
        metrics.dbcv_score(X, np.array([-1, 1, 1, 1, 1, 1, 1]))


def test_errors():
    X, labels = data()
    for few in (np.zeros(240, int), np.full(240, -1), np.arange(240), np.where(labels < 1, labels, -1)):
        with pytest.raises(ValueError, match="two clusters"):
            metrics.dbcv_score(X, few)
    with pytest.raises(ValueError, match="metric"):
        metrics.dbcv_score(X, labels, metric="cosine")
    D = pairwise_distances(X)
    for d in (None, 0, -1, np.inf, np.nan, "2"):
        with pytest.raises(ValueError, match="'d'"):
            metrics.dbcv_score(D, labels, metric="precomputed", d=d)
    with pytest.raises(ValueError, match="'d'"):
        metrics.dbcv_score(X, labels, d=2)
    with pytest.raises(ValueError, match="square"):
        metrics.dbcv_score(X, labels, metric="precomputed", d=2)
    with pytest.raises(ValueError, match="NaN"):
        metrics.dbcv_score(np.where(X > 3, np.nan, X), labels)
    with pytest.raises(ValueError, match="inconsistent"):
        metrics.dbcv_score(X, labels[:-1])
