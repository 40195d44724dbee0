"""Pictures of boosted trees: what is drawn, not how it looks."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.linear_model import LinearRegression

from mlcore import GBDTRegressor
from mlcore.plotting import plot_feature_importance


@pytest.fixture(scope="module")
def model():
    frame = pd.DataFrame(np.random.default_rng(0).random((300, 3)), columns=["height", "width", "noise"])
    return GBDTRegressor(n_estimators=30, random_state=0).fit(frame, 2 * frame["height"] + frame["width"])


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


def test_what_has_no_importances_is_refused():
    with pytest.raises(TypeError, match="takes a boosting model, got LinearRegression"):
        plot_feature_importance(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))
