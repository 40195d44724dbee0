"""The picture of a training: one for all families; what is drawn, not how it looks."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from mlcore import GBDTRegressor, LogisticRegression, NeuralClassifier, Word2Vec
from mlcore.nn import History
from mlcore.plotting import plot_history

X = np.random.default_rng(0).random((300, 3))
Y = 2 * X[:, 0] + X[:, 1]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture(scope="module")
def history():
    made = History()
    for i in range(5):
        made.epochs.append({"loss": 1.0 / (i + 1), "validation_loss": abs(i - 2) + 1.0, "learning_rate": 0.1})
        made.gradient_flow.append({"body.0": 0.1 * (i + 1), "body.1": 1.0})
    made.best_epoch = 2
    return made


def test_a_network_has_two_losses_and_a_best_epoch(history):
    ax = plot_history(history)
    train, validation, best = ax.lines
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(train.get_ydata(), history["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), history["validation_loss"])
    assert best.get_xdata()[0] == 3
    assert legend(ax) == ["training", "validation", "best: 3"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert plot_history(history, "learning_rate", ax=ax) is ax
    assert ax.get_ylabel() == "learning rate"


def test_a_network_as_an_estimator():
    model = NeuralClassifier(max_iter=1, random_state=0).fit(X, Y > 1.5)
    ax = plot_history(model)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), model.history_["loss"])
    assert ax.get_legend() is None  # one line needs none


def test_boosting_by_its_loss():
    model = GBDTRegressor(n_estimators=30, early_stopping=True, tol=0.02, random_state=0).fit(X, Y)
    ax = plot_history(model)
    assert legend(ax) == ["training", "validation", f"best: {model.n_iter_}"]
    train, validation = ax.lines[:2]
    np.testing.assert_array_equal(train.get_ydata(), -model.train_score_)
    np.testing.assert_array_equal(validation.get_xdata(), np.arange(len(model.validation_score_)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration", "loss")


def test_boosting_by_a_score():
    model = GBDTRegressor(n_estimators=3, scoring="r2").fit(X, Y)
    ax = plot_history(model)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), model.train_score_)
    assert ax.get_ylabel() == "r2"
    assert len(ax.lines) == 1
    model = GBDTRegressor(n_estimators=3, scoring=lambda estimator, X, y: 0.5).fit(X, Y)
    assert plot_history(model, "score").get_ylabel() == "score"


@pytest.mark.parametrize(("solver", "unit"), [("lbfgs", "iteration"), ("saga", "iteration"), ("adam", "epoch")])
def test_logistic_regression_from_the_start_on(solver, unit):
    model = LogisticRegression(solver=solver, tol=0.1, random_state=0).fit(X, Y > 1.5)
    ax = plot_history(model)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(model.n_iter_[0] + 1))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), model.loss_curve_)
    assert ax.get_xlabel() == unit


def test_word_vectors_after_each_epoch():
    texts = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    model = Word2Vec(vector_size=8, min_count=1, epochs=4, random_state=0, n_jobs=1).fit(texts)
    figure, mine = plt.subplots()
    assert plot_history(model, "loss", mine) is mine
    np.testing.assert_array_equal(mine.lines[0].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(mine.lines[0].get_ydata(), model.loss_curve_)
    figure.draw_without_rendering()


def test_what_has_no_history_is_refused():
    with pytest.raises(TypeError, match="got int"):
        plot_history(3)
    with pytest.raises(TypeError, match="history_, train_score_ or loss_curve_, got LinearRegression"):
        plot_history(LinearRegression().fit(X, Y))
    with pytest.raises(ValueError, match="no epoch"):
        plot_history(History())
    for estimator in (GBDTRegressor(), Word2Vec(), NeuralClassifier(), LogisticRegression()):
        with pytest.raises(NotFittedError):
            plot_history(estimator)


def test_what_was_not_recorded_is_refused(history):
    with pytest.raises(KeyError, match="accuracy"):
        plot_history(history, "accuracy")
    with pytest.raises(KeyError, match="no 'r2' was recorded by GBDTRegressor, only loss"):
        plot_history(GBDTRegressor(n_estimators=2).fit(X, Y), "r2")
    custom = GBDTRegressor(loss=lambda y, raw, weight: (raw - y, np.ones_like(raw)), n_estimators=2)
    with pytest.raises(ValueError, match="this GBDTRegressor has recorded no loss"):
        plot_history(custom.fit(X, Y))


def test_without_matplotlib(run_python):
    code = """
import sys
sys.modules["matplotlib"] = None
from mlcore import GBDTRegressor, plotting
model = GBDTRegressor(n_estimators=1).fit([[0.0], [1.0]], [0.0, 1.0])
try:
    plotting.plot_history(model)
except ImportError as error:
    print(error)
"""
    result = run_python(code)
    assert "plotting needs matplotlib" in result.stdout, result.stderr
