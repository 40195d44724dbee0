"""Pictures of training: what they show, and what they refuse."""

import numpy as np
import pytest

from mlcore.nn.estimators._classifier import NeuralClassifier
from mlcore.nn.training._history import History
from mlcore.plotting import plot_gradient_flow, plot_history

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def history():
    made = History()
    for i in range(5):
        made.epochs.append({"loss": 1.0 / (i + 1), "validation_loss": abs(i - 2) + 1.0, "learning_rate": 0.1})
        made.gradient_flow.append({"body.0": 0.1 * (i + 1), "body.1": 1.0})
    made.best_epoch = 2
    return made


def test_both_losses_and_the_best_epoch(history):
    ax = plot_history(history)
    train, validation, best = ax.get_lines()
    assert train.get_ydata().tolist() == history["loss"].tolist()
    assert validation.get_ydata().tolist() == history["validation_loss"].tolist()
    assert best.get_xdata()[0] == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation", "best: 3"]
    assert plot_history(history, "learning_rate", ax=ax) is ax


def test_a_line_an_epoch_over_the_layers(history):
    ax = plot_gradient_flow(history)
    assert len(ax.get_lines()) == 5
    assert ax.get_lines()[-1].get_ydata() == pytest.approx([0.5, 1.0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["body.0", "body.1"]


def test_estimators_are_taken():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = NeuralClassifier(max_iter=1, random_state=0).fit(X, X[:, 0] > 0)
    assert len(plot_history(model).get_lines()) == 1
    plot_gradient_flow(model)


@pytest.mark.parametrize("plot", [plot_history, plot_gradient_flow])
def test_what_has_no_history_is_refused(plot):
    with pytest.raises(TypeError, match="got int"):
        plot(3)
    with pytest.raises(ValueError, match="no epoch"):
        plot(History())


def test_what_was_not_recorded_is_refused(history):
    with pytest.raises(KeyError, match="accuracy"):
        plot_history(history, "accuracy")
