"""The heat map of attention weights: what is drawn, not how it looks."""

import matplotlib as mpl
import numpy as np
import pytest

from mlcore.nn import MultiheadAttention
from mlcore.plotting import plot_attention

mpl.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_weights_of_a_layer():
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    weights = MultiheadAttention(8, 2)(x, x, x, need_weights=True)[1]
    words = ["the", "price", "in", "$", "rose"]
    ax = plot_attention(weights, words, words)
    np.testing.assert_allclose(ax.images[0].get_array(), weights.data)
    assert [label.get_text() for label in ax.get_yticklabels()] == words
    assert [label.get_text() for label in ax.get_xticklabels()] == words
    ax.figure.canvas.draw()
    assert plot_attention(weights.data[:, :2], ax=ax) is ax


@pytest.mark.parametrize(
    ("weights", "labels", "match"),
    [
        (np.ones((2, 3, 3)), None, r"shape \(queries, keys\), got \(2, 3, 3\)"),
        (np.ones((0, 3)), None, "shape"),
        (np.full((2, 2), np.nan), None, "finite"),
        (np.ones((2, 3)), ["a"], "queries of plot_attention must have 2"),
    ],
)
def test_bad_input(weights, labels, match):
    with pytest.raises(ValueError, match=match):
        plot_attention(weights, labels)
