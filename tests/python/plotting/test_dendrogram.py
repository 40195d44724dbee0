"""plot_dendrogram: what is drawn, not how it looks."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from mlcore.cluster import AgglomerativeClustering
from mlcore.plotting import plot_dendrogram


@pytest.fixture(scope="module")
def model():
    X = np.vstack([np.random.default_rng(0).normal(size=(6, 2)) + center for center in (0, 20, 50)])
    return AgglomerativeClustering(3).fit(X)


def test_dendrogram(model):
    figure, mine = plt.subplots()
    ax = plot_dendrogram(model, mine)
    assert ax is mine
    assert ax.get_figure() is figure
    brackets = [path for found in ax.collections for path in found.get_paths()]
    tops = sorted(path.vertices[:, 1].max() for path in brackets)
    np.testing.assert_allclose(tops, model.distances_)
    assert sorted(int(label.get_text()) for label in ax.get_xticklabels()) == list(range(18))
    (cut,) = (line for line in ax.lines if line.get_linestyle() == "--")
    assert model.distances_[14] < cut.get_ydata()[0] < model.distances_[15]
    colours = {to_hex(colour) for found in ax.collections for colour in found.get_edgecolors()}
    assert len(colours) == 4  # three clusters, and what joins them


def test_top_of_a_dendrogram(model):
    ax = plot_dendrogram(model, max_leaves=3)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["(6)", "(6)", "(6)"]
    names = [f"${i}" for i in range(18)]
    ax = plot_dendrogram(model, max_leaves=None, names=names)
    assert sorted(label.get_text().replace("\\", "") for label in ax.get_xticklabels()) == sorted(names)
    ax.get_figure().canvas.draw()


@pytest.mark.parametrize("n_clusters", [1, 18])
def test_cuts_at_the_ends(model, n_clusters):
    ax = plot_dendrogram(AgglomerativeClustering(n_clusters).fit(np.arange(18.0)[:, np.newaxis] ** 2))
    assert len([line for line in ax.lines if line.get_linestyle() == "--"]) == (n_clusters > 1)


def test_dendrogram_of_what_has_none(model):
    with pytest.raises(ValueError, match="max_leaves"):
        plot_dendrogram(model, max_leaves=1)
    with pytest.raises(ValueError, match="names"):
        plot_dendrogram(model, names=["a"])
    other = AgglomerativeClustering()
    with pytest.raises(ValueError, match="not fitted"):
        plot_dendrogram(other)
