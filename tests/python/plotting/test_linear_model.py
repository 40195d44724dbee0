"""Pictures of linear models: what is drawn, not how it looks."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import ConvergenceWarning

from mlcore import GBDTRegressor, LogisticRegression, Ridge
from mlcore.linear_model import lasso_path, logistic_path
from mlcore.plotting import plot_optimizer_paths, plot_regularization_path
from mlcore.plotting._linear_model import _objective_on_grid


@pytest.fixture(scope="module")
def table():
    """Three columns, of which the last tells nothing, and two classes."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    return X, (X @ [2.0, -1.0, 0.0] + rng.logistic(size=200) > 0).astype(int)


def named_lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def counts_on_top(ax):
    (top,) = ax.child_axes
    ax.figure.draw_without_rendering()
    return [int(label.get_text()) for label in top.get_xticklabels()]


def test_regularization_path_of_logistic_path(table):
    X, y = table
    Cs, coefs, n_iters = logistic_path(X, y, Cs=12, l1_ratio=1)
    ax = plot_regularization_path((Cs, coefs, n_iters), feature_names=["a", "$b$", "noise"])
    lines = named_lines(ax)
    assert set(lines) == {"a", "$b$", "noise"}
    np.testing.assert_array_equal(lines["$b$"].get_xdata(), Cs)
    np.testing.assert_array_equal(lines["$b$"].get_ydata(), coefs[:, 0, 1])
    assert next(iter(lines)) == "a"  # the largest first
    assert ax.get_xlim() == (Cs[0], Cs[-1])
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel().startswith("C ")
    counts = counts_on_top(ax)
    assert counts[0] == 0
    assert counts[-1] == np.count_nonzero(coefs[-1, 0, :-1])
    figure, mine = plt.subplots()
    assert plot_regularization_path((Cs, coefs), ax=mine, max_named=1) is mine
    assert list(named_lines(mine)) == ["column 0"]
    assert len(mine.lines) == 1 + 3  # and zero
    figure.draw_without_rendering()


def test_regularization_path_of_lasso_path(table):
    X, y = table
    alphas, coefs, gaps = lasso_path(X, np.column_stack([X[:, 0] - X[:, 1], y]), alphas=[0.5, 0.1, 0.02, 0.001])
    assert coefs.shape == (2, 3, 4)
    for output in (0, 1):
        ax = plot_regularization_path((alphas, coefs, gaps), output=output)
        np.testing.assert_array_equal(named_lines(ax)["column 0"].get_ydata(), coefs[output, 0])
        assert ax.get_xlim() == (0.5, 0.001)  # weak penalties to the right
        assert ax.get_xlabel().startswith("alpha ")
    single = plot_regularization_path((alphas, coefs[1]))
    np.testing.assert_array_equal(named_lines(single)["column 1"].get_ydata(), coefs[1, 1])


def test_regularization_path_of_estimators(table):
    X, y = table
    frame = pd.DataFrame(X, columns=["a", "b", "noise"])
    ax = plot_regularization_path(LogisticRegression(l1_ratio=1, tol=1e-8), frame, y, strengths=[1.0, 0.01, 100.0])
    lines = named_lines(ax)
    np.testing.assert_array_equal(lines["a"].get_xdata(), [0.01, 1, 100])
    expected = [LogisticRegression(C=C, l1_ratio=1, tol=1e-8).fit(frame, y).coef_[0, 0] for C in (0.01, 1, 100)]
    np.testing.assert_allclose(lines["a"].get_ydata(), expected, atol=1e-5)
    ridge = plot_regularization_path(Ridge(), X, X[:, 0] - 2 * X[:, 1])
    assert len(named_lines(ridge)["column 0"].get_xdata()) == 50
    assert set(counts_on_top(ridge)) == {3}  # L2 lets none vanish
    classes = np.digitize(X[:, 0], [-0.5, 0.5])
    three = plot_regularization_path(LogisticRegression(tol=1e-9), X, classes, strengths=[0.1, 1.0], output=2)
    np.testing.assert_allclose(
        [line.get_ydata()[-1] for _, line in sorted(named_lines(three).items())],
        LogisticRegression(tol=1e-9).fit(X, classes).coef_[2],
        atol=1e-6,
    )


def test_regularization_path_that_cannot_be_drawn(table):
    X, y = table
    path = (np.array([0.1, 1.0]), np.zeros((2, 1, 4)), np.zeros(2, np.int32))
    with pytest.raises(TypeError, match=r"X, y and strengths .* go with an estimator"):
        plot_regularization_path(path, X, y)
    with pytest.raises(TypeError, match="a parameter C or alpha, got GBDTRegressor"):
        plot_regularization_path(GBDTRegressor(), X, y)
    with pytest.raises(TypeError, match="a parameter C or alpha, got ndarray"):
        plot_regularization_path(X)
    with pytest.raises(TypeError, match="needs X and y"):
        plot_regularization_path(Ridge())
    for strengths in ([1.0], [0.0, 1.0], [1.0, np.inf], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="at least two strengths, finite and > 0"):
            plot_regularization_path(Ridge(), X, y, strengths=strengths)
    with pytest.raises(ValueError, match=r"\(strengths, coefficients, ...\), got 1 entries"):
        plot_regularization_path(path[:1])
    with pytest.raises(ValueError, match=r"2 ascending .* got \(3, 1, 4\)"):
        plot_regularization_path((path[0], np.zeros((3, 1, 4))))
    with pytest.raises(ValueError, match=r"2 descending .* got \(4, 3\)"):
        plot_regularization_path((path[0][::-1], np.zeros((4, 3))))
    with pytest.raises(ValueError, match=r"output .* must be in 0 .. 0, got 1"):
        plot_regularization_path(path, output=1)
    with pytest.raises(ValueError, match="2 names for 3 columns"):
        plot_regularization_path(path, feature_names=["a", "b"])


def test_optimizer_paths(table):
    X, y = table[0][:, :2], np.where(table[1], "yes", "no")
    start = (-1.0, 1.0)
    ax = plot_optimizer_paths(X, y, max_iter=4, start=start, learning_rate={"adam": 0.2}, C=0.5)
    lines = {name.split(":")[0]: line for name, line in named_lines(ax).items()}
    assert list(lines) == ["gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "minimum"]
    exact = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(lines["minimum"].get_xydata()[0], exact.coef_[0], atol=1e-6)
    for name, line in lines.items():
        if name == "minimum":
            continue
        way = line.get_xydata()
        assert way.shape == (5, 2)
        np.testing.assert_array_equal(way[0], start)
        assert np.linalg.norm(way[-1] - exact.coef_[0]) < np.linalg.norm(way[0] - exact.coef_[0])
    figure, mine = plt.subplots()
    assert plot_optimizer_paths(X, y, mine, solvers=["lbfgs"], max_iter=12) is mine
    (label,) = [name for name in named_lines(mine) if name.startswith("lbfgs")]
    assert float(label.split()[1]) < 1e-8
    figure.draw_without_rendering()


def test_optimizer_paths_end_where_the_estimator_does(table):
    X, y = table[0][:, :2], table[1]
    ax = plot_optimizer_paths(X, y, solvers="momentum", max_iter=3, l1_ratio=1, C=0.1, batch_size=20, random_state=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(
            solver="momentum", max_iter=3, C=0.1, l1_ratio=1, batch_size=20, random_state=3, fit_intercept=False, tol=0
        ).fit(X, y)
    (line,) = [line for name, line in named_lines(ax).items() if name.startswith("momentum")]
    np.testing.assert_array_equal(line.get_xydata()[-1], model.coef_[0])


def test_surface_of_optimizer_paths_is_the_objective(table):
    X, y = table[0][:, :2], table[1]
    grid = np.array([-1.0, 0.0, 0.7]), np.array([0.0, 2.0])
    heights = _objective_on_grid(X, y == 1, *grid, C=0.3, l1_ratio=0.4)
    assert heights.shape == (2, 3)
    for i, b in enumerate(grid[1]):
        for j, a in enumerate(grid[0]):
            loss = np.logaddexp(0, X @ [a, b] * np.where(y, -1, 1)).mean()
            penalty = 0.6 / 2 * (a * a + b * b) + 0.4 * (abs(a) + abs(b))
            assert heights[i, j] == pytest.approx(loss + penalty / (0.3 * len(y)))


def test_optimizer_paths_that_cannot_be_drawn(table):
    X, y = table
    with pytest.raises(ValueError, match="must have 2 columns, one for each axis, got 3"):
        plot_optimizer_paths(X, y)
    with pytest.raises(ValueError, match="must hold 2 classes, got 3"):
        plot_optimizer_paths(X[:, :2], np.arange(len(y)) % 3)
    for options in ({"solvers": []}, {"max_iter": 0}):
        with pytest.raises(ValueError, match="needs a solver and max_iter >= 1"):
            plot_optimizer_paths(X[:, :2], y, **options)
