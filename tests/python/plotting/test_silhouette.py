"""plot_silhouette: what is drawn, not how it looks."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import pairwise_distances, silhouette_samples

from mlcore.plotting import plot_silhouette


def groups():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [30, 50, 20])
    return rng.normal(size=(100, 2)) + 4 * labels[:, None], labels


def drawn(ax):
    """The ends of the lines of each cluster, and where these are."""
    shapes = [area.get_paths()[0].vertices for area in ax.collections]
    return [shape[:, 0].max() for shape in shapes], [(shape[:, 1].min(), shape[:, 1].max()) for shape in shapes]


def test_clusters_from_the_top_down_and_the_mean():
    X, labels = groups()
    values = silhouette_samples(X, labels)
    ax = plot_silhouette(X, labels)
    largest, places = drawn(ax)
    np.testing.assert_allclose(largest, [values[labels == c].max() for c in range(3)])
    assert places == [(0, 30), (31, 81), (82, 102)]
    assert ax.get_ylim() == (102, 0)
    assert ax.lines[0].get_xdata()[0] == pytest.approx(values.mean())
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0", "1", "2"]


@pytest.mark.parametrize("kind", ["frame", "sparse", "precomputed"])
def test_noise_is_left_out(kind):
    X, labels = groups()
    labels[::10] = -1
    kept = labels >= 0
    expected = silhouette_samples(X[kept], labels[kept]).mean()
    rows = {"frame": pd.DataFrame(X), "sparse": sp.coo_array(X), "precomputed": pairwise_distances(X)}[kind]
    ax = plot_silhouette(rows, labels, metric="precomputed" if kind == "precomputed" else "euclidean")
    assert ax.lines[0].get_xdata()[0] == pytest.approx(expected)
    assert len(ax.collections) == 3


def test_names_and_too_few_clusters():
    X, labels = groups()
    ax = plot_silhouette(X, np.array(["a$", "b", "c"])[labels])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a\\$", "b", "c"]
    with pytest.raises(ValueError, match="labels"):
        plot_silhouette(X, np.where(labels == 0, 0, -1))
