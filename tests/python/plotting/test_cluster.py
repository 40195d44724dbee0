"""plot_k_distance: what is drawn, not how it looks."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.neighbors import NearestNeighbors

from mlcore.cluster import DBSCAN, KMeans, choose_k
from mlcore.plotting import plot_choose_k, plot_k_distance


def dense_and_noise():
    rng = np.random.default_rng(0)
    dense = rng.normal(scale=0.1, size=(180, 2)) + rng.integers(0, 3, size=(180, 1))
    return np.vstack([dense, rng.uniform(-3, 5, size=(20, 2))])


def test_distances_in_ascending_order():
    X = dense_and_noise()
    _, ax = plt.subplots()
    assert plot_k_distance(X, 4, ax) is ax
    expected = np.sort(NearestNeighbors(n_neighbors=4).fit(X).kneighbors(X)[0][:, -1])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), expected)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(1, 201))
    assert ax.get_ylabel() == "distance to neighbour 4"


def test_the_mark_parts_clusters_from_noise():
    X = dense_and_noise()
    ax = plot_k_distance(X, 5)
    eps = float(ax.lines[1].get_ydata()[0])
    labels = DBSCAN(eps=eps, min_samples=5).fit(X).labels_
    assert labels.max() == 2
    assert (labels[:180] >= 0).mean() > 0.95
    assert (labels[180:] == -1).mean() > 0.5
    n_core = len(DBSCAN(eps=eps * (1 + 1e-9), min_samples=5).fit(X).core_sample_indices_)
    assert ax.get_legend().get_texts()[0].get_text() == f"eps = {eps:.3g}: {n_core:,} core points"


@pytest.mark.parametrize("X", [np.zeros((1, 1)), np.ones((30, 3)), np.array([[1e308], [-1e308], [0.0]])])
def test_points_without_a_knee(X):
    assert len(plot_k_distance(X, 1).lines) == 2


@pytest.mark.parametrize("k", [0, 4, -1, 1.5, True, "2"])
def test_k_out_of_range(k):
    with pytest.raises(ValueError, match="k of plot_k_distance"):
        plot_k_distance(np.zeros((3, 2)), k)


def test_bad_points():
    with pytest.raises(ValueError, match="NaN"):
        plot_k_distance([[np.nan], [1.0]], 1)


@pytest.mark.parametrize("criterion", [None, "elbow", "davies_bouldin"])
def test_a_criterion_and_what_it_takes(criterion):
    X = dense_and_noise()
    choice = choose_k(X, KMeans(random_state=0), range(1, 6), criterion="silhouette")
    ax = plot_choose_k(choice, criterion)
    curve, line = ax.lines
    name = criterion or "silhouette"
    column = "inertia" if name == "elbow" else name
    assert curve.get_xdata().tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(curve.get_ydata(), choice.table[column])
    assert set(line.get_xdata()) == {choice.choices[name]}
    assert ax.get_ylabel() == column
    assert len(ax.collections) == (name == "silhouette")  # the band of its error
    with pytest.raises(ValueError, match="gap"):
        plot_choose_k(choice, "gap")
    with pytest.raises(TypeError, match="a KChoice, got KMeans"):
        plot_choose_k(choice.best_estimator)
