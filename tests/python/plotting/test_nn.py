"""Pictures of networks: what is drawn, not how it looks."""

import numpy as np
import pytest

from mlcore.nn import History, MultiheadAttention, NeuralClassifier
from mlcore.plotting import plot_attention, plot_gradient_flow
from mlcore.seq._attention import Attention


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


def test_weights_of_a_translation_know_their_tokens():
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 2).astype(np.float32)
    attention = Attention(weights, ["Haus", "</s>"], ["the", "house", "</s>"])
    ax = plot_attention(attention)
    np.testing.assert_allclose(ax.images[0].get_array(), weights)
    assert [label.get_text() for label in ax.get_yticklabels()] == attention.queries
    assert [label.get_text() for label in ax.get_xticklabels()] == attention.keys
    others = plot_attention(attention, keys=["das", "Haus", "."])
    assert [label.get_text() for label in others.get_xticklabels()] == ["das", "Haus", "."]


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


def test_gradient_flow_has_a_line_an_epoch_over_the_layers():
    history = History()
    for i in range(5):
        history.epochs.append({"loss": 1.0})
        history.gradient_flow.append({"body.0": 0.1 * (i + 1), "body.1": 1.0})
    ax = plot_gradient_flow(history)
    assert len(ax.get_lines()) == 5
    assert ax.get_lines()[-1].get_ydata() == pytest.approx([0.5, 1.0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["body.0", "body.1"]


def test_gradient_flow_of_an_estimator():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = NeuralClassifier(max_iter=1, random_state=0).fit(X, X[:, 0] > 0)
    assert [len(line.get_xdata()) for line in plot_gradient_flow(model).lines] == [2]


def test_gradient_flow_of_no_network_is_refused():
    with pytest.raises(TypeError, match=r"plot_gradient_flow takes a Trainer, .* got int"):
        plot_gradient_flow(3)
    with pytest.raises(ValueError, match="plot_gradient_flow has nothing to draw: no epoch"):
        plot_gradient_flow(History())
