"""Pictures: what is drawn, not how it looks."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from mlcore import GBDTRegressor
from mlcore.plotting import plot_feature_importance, plot_learning_curve

mpl.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.random((300, 3)), columns=["height", "width", "noise"])


@pytest.fixture(scope="module")
def model(frame):
    y = 2 * frame["height"] + frame["width"]
    return GBDTRegressor(n_estimators=30, early_stopping=True, tol=1e-3, random_state=0).fit(frame, y)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_feature_importance(model):
    ax = plot_feature_importance(model)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["noise", "width", "height"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], np.sort(model.feature_importances_))
    assert "gain" in ax.get_xlabel()
    figure, mine = plt.subplots()
    ax = plot_feature_importance(model, mine, kind="split", max_features=2)
    assert ax is mine
    assert len(ax.patches) == 2
    assert "1 more features not shown" in ax.get_title()
    figure.draw_without_rendering()


def test_feature_importance_without_names_or_splits():
    model = GBDTRegressor(n_estimators=1).fit(np.zeros((30, 2)), np.arange(30.0))
    ax = plot_feature_importance(model)
    assert {label.get_text() for label in ax.get_yticklabels()} == {"feature 0", "feature 1"}


def test_learning_curve(model, frame):
    ax = plot_learning_curve(model)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["training", "validation", f"kept: {model.n_iter_}"]
    train, validation = ax.lines[:2]
    np.testing.assert_array_equal(train.get_ydata(), -model.train_score_)
    np.testing.assert_array_equal(validation.get_xdata(), np.arange(len(model.validation_score_)))
    assert ax.get_ylabel() == "loss"
    scored = GBDTRegressor(n_estimators=3, scoring="r2").fit(frame, frame["height"])
    ax = plot_learning_curve(scored)
    assert ax.get_ylabel() == "r2"
    assert len(ax.lines) == 1


def test_what_cannot_be_drawn(frame):
    with pytest.raises(NotFittedError):
        plot_learning_curve(GBDTRegressor())
    with pytest.raises(TypeError, match="takes a boosting model, got LinearRegression"):
        plot_feature_importance(LinearRegression().fit(frame, frame["noise"]))
    custom = GBDTRegressor(loss=lambda y, raw, weight: (raw - y, np.ones_like(raw)), n_estimators=2)
    with pytest.raises(ValueError, match="has recorded no scores"):
        plot_learning_curve(custom.fit(frame, frame["noise"]))


def test_without_matplotlib(run_python):
    code = """
import sys
sys.modules["matplotlib"] = None
from mlcore import GBDTRegressor, plotting
model = GBDTRegressor(n_estimators=1).fit([[0.0], [1.0]], [0.0, 1.0])
try:
    plotting.plot_learning_curve(model)
except ImportError as error:
    print(error)
"""
    result = run_python(code)
    assert "plotting needs matplotlib" in result.stdout, result.stderr
