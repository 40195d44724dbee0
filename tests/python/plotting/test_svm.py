"""plot_decision_boundary: what is drawn, not how it looks."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn.svm
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.contour import QuadContourSet
from sklearn.datasets import make_moons
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mlcore import SVC, OneClassSVM
from mlcore.plotting import plot_decision_boundary


@pytest.fixture(scope="module")
def moons():
    return make_moons(60, noise=0.2, random_state=0)


def parts(ax):
    """Values of the regions, levels of each set of lines, and the points of each kind of mark by its label."""
    (mesh,) = (found for found in ax.collections if isinstance(found, QuadMesh))
    lines = [list(found.levels) for found in ax.collections if isinstance(found, QuadContourSet)]
    marks = {found.get_label(): found.get_offsets() for found in ax.collections if isinstance(found, PathCollection)}
    return np.asarray(mesh.get_array()), lines, marks


def centres(ax, resolution):
    return [np.linspace(*limits, resolution) for limits in (ax.get_xlim(), ax.get_ylim())]


def test_boundary_of_two_classes(moons):
    X, y = moons
    names = np.array(["low", "up"])[y]
    model = SVC(C=10, gamma=1.0).fit(X, names)
    figure, mine = plt.subplots()
    assert plot_decision_boundary(model, X, names, mine, resolution=40) is mine
    regions, lines, marks = parts(mine)
    across, up = centres(mine, 40)
    assert across[0] < X[:, 0].min() < X[:, 0].max() < across[-1]
    asked = np.column_stack([side.ravel() for side in np.meshgrid(across, up)])
    np.testing.assert_array_equal(np.array(["low", "up"])[regions.ravel()], model.predict(asked))
    assert lines == [[-1.0, 0.0, 1.0]]
    np.testing.assert_array_equal(marks["low"], X[y == 0])
    np.testing.assert_array_equal(marks["up"], X[y == 1])
    np.testing.assert_array_equal(marks[f"{len(model.support_)} support vectors"], model.support_vectors_)
    assert mine.get_title() == "SVC"
    assert len(parts(plot_decision_boundary(model, X, margins=False))[1][0]) == 1
    figure.draw_without_rendering()


def test_boundary_of_one_more_class_than_two(moons):
    X, y = moons
    y = np.where(X[:, 0] > 1.2, 7, y)
    regions, lines, marks = parts(plot_decision_boundary(sklearn.svm.SVC().fit(X, y), X, y))
    assert set(regions.ravel()) == {0, 1, 2}
    assert lines == [[0.5], [0.5]]
    assert list(marks)[:3] == ["0", "1", "7"]
    many = np.arange(len(X)) % 15
    plot_decision_boundary(DecisionTreeClassifier().fit(X, many), X, many).figure.draw_without_rendering()


@pytest.mark.parametrize("frame_of", [pd.DataFrame, pl.DataFrame])
def test_boundary_of_frames_and_pipelines(moons, frame_of):
    X, y = moons
    frame = frame_of({"width": X[:, 0], "$height$": X[:, 1]})
    model = make_pipeline(StandardScaler(), SVC()).fit(frame, y)
    ax = plot_decision_boundary(model, frame, y)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("width", "$height$", "SVC")
    support = model[-1].support_
    np.testing.assert_array_equal(parts(ax)[2][f"{len(support)} support vectors"], X[support])
    ax.figure.draw_without_rendering()
    search = GridSearchCV(model, {"svc__C": [1.0, 10.0]}, cv=2).fit(frame, y)
    assert any("support vectors" in label for label in parts(plot_decision_boundary(search, frame, y))[2])
    for other in (frame[:30], frame[::-1]):  # not what the pipeline was fitted to
        assert not any("support vectors" in label for label in parts(plot_decision_boundary(model, other))[2])


def test_boundary_of_sparse_rows(moons):
    X, y = moons
    ax = plot_decision_boundary(SVC().fit(sp.csr_array(X), y), sp.csr_array(X), y)
    assert any("support vectors" in label for label in parts(ax)[2])


def test_boundary_without_decision_function(moons):
    X, y = moons
    _, lines, marks = parts(plot_decision_boundary(KNeighborsClassifier().fit(X, y), X, y))
    assert lines == [[0.5]]
    assert list(marks) == ["0", "1"]


def test_boundary_of_outlier_detectors(moons):
    X, _ = moons
    model = OneClassSVM(nu=0.2).fit(X)
    ax = plot_decision_boundary(model, X)
    regions, lines, marks = parts(ax)
    assert set(regions.ravel()) == {0, 1}
    assert lines == [[0.0]]
    np.testing.assert_array_equal(marks[f"{len(model.support_)} support vectors"], model.support_vectors_)
    assert list(parts(plot_decision_boundary(model, X, model.predict(X)))[2])[:2] == ["outside", "inside"]
    plot_decision_boundary(IsolationForest(n_estimators=3, random_state=0).fit(X), X)


def test_boundary_of_a_single_point():
    model = SVC().fit([[0.0, 1.0], [2.0, 1.0]], [0, 1])
    ax = plot_decision_boundary(model, [[0.0, 1.0]])
    np.testing.assert_allclose([*ax.get_xlim(), *ax.get_ylim()], [-0.5, 0.5, 0.5, 1.5])


def test_boundary_that_cannot_be_drawn(moons):
    X, y = moons
    model = SVC().fit(X, y)
    with pytest.raises(NotFittedError):
        plot_decision_boundary(SVC(), X)
    with pytest.raises(TypeError, match="takes a classifier or an outlier detector, got LinearRegression"):
        plot_decision_boundary(LinearRegression().fit(X, y), X)
    with pytest.raises(ValueError, match=r"must have rows and 2 columns, got shape \(60, 3\).*PCA"):
        plot_decision_boundary(model, np.ones((60, 3)))
    with pytest.raises(ValueError, match=r"must have rows and 2 columns, got shape \(0, 2\)"):
        plot_decision_boundary(model, X[:0])
    with pytest.raises(ValueError, match="draws two features, and this SVC has learnt from 3"):
        plot_decision_boundary(SVC().fit(np.eye(3), [0, 1, 1]), X)
    with pytest.raises(ValueError, match="must have numbers only"):
        plot_decision_boundary(model, [["a", "b"]])
    with pytest.raises(ValueError, match="must be finite"):
        plot_decision_boundary(model, [[np.nan, 0.0]])
    with pytest.raises(ValueError, match=r"y .* must have shape \(60,\), as X has rows, got \(59,\)"):
        plot_decision_boundary(model, X, y[:-1])
    with pytest.raises(ValueError, match="labels that the estimator does not know: 2, 3; it knows 0, 1"):
        plot_decision_boundary(model, X, y + 2)
    with pytest.raises(ValueError, match="resolution of plot_decision_boundary must be at least 2, got 1"):
        plot_decision_boundary(model, X, resolution=1)
    both = DecisionTreeClassifier().fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="draws one output, and this DecisionTreeClassifier has several"):
        plot_decision_boundary(both, X)
