"""Pictures: what is drawn, not how it looks."""

import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression

from mlcore import GBDTRegressor, LogisticRegression, Ridge
from mlcore.embedding import KeyedVectors, Word2Vec
from mlcore.linear_model import lasso_path, logistic_path
from mlcore.plotting import (
    plot_embedding,
    plot_feature_importance,
    plot_learning_curve,
    plot_loss,
    plot_optimizer_paths,
    plot_regularization_path,
)
from mlcore.plotting._linear_model import _objective_on_grid

mpl.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.random((300, 3)), columns=["height", "width", "noise"])


@pytest.fixture(scope="module")
def model(frame):
    y = 2 * frame["height"] + frame["width"]
    return GBDTRegressor(n_estimators=30, early_stopping=True, tol=0.02, random_state=0).fit(frame, y)


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


@pytest.fixture(scope="module")
def word2vec():
    texts = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    return Word2Vec(vector_size=8, min_count=1, epochs=4, random_state=0, n_jobs=1).fit(texts)


def shown_words(ax):
    return [text.get_text() for text in ax.texts]


def test_loss(word2vec):
    ax = plot_loss(word2vec)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), word2vec.loss_curve_)
    figure, mine = plt.subplots()
    assert plot_loss(word2vec, mine) is mine
    figure.draw_without_rendering()


def test_embedding(word2vec):
    ax = plot_embedding(word2vec)
    assert shown_words(ax)[0] == "the"  # the most frequent
    assert sorted(shown_words(ax)) == sorted(word2vec.words_)
    assert ax.get_legend() is None
    figure, mine = plt.subplots()
    assert plot_embedding(word2vec.keyed_vectors_, ["dog", "cat", "dog"], mine, annotate=False) is mine
    assert len(mine.collections[0].get_offsets()) == 2
    assert not mine.texts
    figure.draw_without_rendering()


def test_embedding_most_frequent():
    words = [f"w{i}" for i in range(80)]
    vectors = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32)
    assert shown_words(plot_embedding((words, vectors))) == words[:50]
    counted = KeyedVectors(words, vectors, counts=np.arange(80))
    assert shown_words(plot_embedding(counted)) == words[:29:-1]


def test_embedding_points():
    # Two directions, with lengths that must not matter, and a vector of zeros that has no direction.
    words, vectors = ["a", "b", "nothing"], np.array([[5.0, 0.0], [0.0, 0.1], [0.0, 0.0]])
    ax = plot_embedding((words, vectors))
    points = ax.collections[0].get_offsets()
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(distances, [[0, 2**0.5, 1], [2**0.5, 0, 1], [1, 1, 0]], atol=1e-6)
    assert "75%" in ax.get_xlabel()
    assert "25%" in ax.get_ylabel()


@pytest.mark.parametrize("vectors", [np.array([[1.0], [-2.0], [3.0]]), np.ones((3, 4))])
def test_embedding_on_a_line_or_a_point(vectors):
    ax = plot_embedding((["a", "b", "c"], vectors))
    assert shown_words(ax) == ["a", "b", "c"]
    ax.figure.draw_without_rendering()


def test_embedding_labels_do_not_cover_each_other():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ax = plot_embedding((["here", "there", "everywhere", "away"], vectors))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_embedding_groups(word2vec):
    groups = {"animals": ["cat", "dog"], "things": ["mat", "rug"]}
    ax = plot_embedding(word2vec, groups=groups)
    assert shown_words(ax) == ["cat", "dog", "mat", "rug"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["animals", "things"]
    colours = {tuple(c.get_facecolor()[0]) for c in ax.collections}
    assert len(colours) == 2
    ax = plot_embedding(word2vec, ["the", "cat"], groups=groups)
    assert shown_words(ax) == ["the", "cat"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["animals"]


def test_embedding_of_any_length():
    unit = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    for scale in (1e-300, 1e-30, 1e30, 1e300):
        points = plot_embedding((["a", "b", "c"], scale * unit)).collections[0].get_offsets()
        np.testing.assert_allclose(np.linalg.norm(points[0] - points[2]), 2, atol=1e-6)


def test_embedding_words_are_no_mathematics(tmp_path):
    words = [r"$\foo$", "$x^2$", "100$"]
    ax = plot_embedding((words, np.eye(3)), groups={r"$\bar$": words})
    ax.figure.savefig(tmp_path / "words.png")
    assert shown_words(ax) == words
    assert not any(text.get_parse_math() for text in [*ax.texts, *ax.get_legend().get_texts()])


def test_embedding_groups_that_make_no_sense(word2vec):
    for groups, message in (
        ([["cat", "dog"]], "got list"),
        ({"animals": "cat"}, "got 'cat' as group 'animals'"),
        ({"animals": 3}, "got 3 as group 'animals'"),
    ):
        with pytest.raises(TypeError, match=f"groups of plot_embedding must be a mapping .* {message}"):
            plot_embedding(word2vec, groups=groups)
    with pytest.raises(ValueError, match="have 'cat' twice, in 'animals' and 'pets'"):
        plot_embedding(word2vec, groups={"animals": ["cat", "dog"], "pets": ["cat"]})


def test_embedding_that_cannot_be_drawn(word2vec):
    with pytest.raises(KeyError, match="no vector for 'bird', 'fish'"):
        plot_embedding(word2vec, ["cat", "bird", "fish"])
    with pytest.raises(ValueError, match="at least two words to show, got 1"):
        plot_embedding(word2vec, ["cat", "cat"])
    with pytest.raises(TypeError, match="got the string 'cat'"):
        plot_embedding(word2vec, "cat")
    with pytest.raises(ValueError, match=r"2 words need vectors of shape \(2, d\), got \(3, 4\)"):
        plot_embedding((["a", "b"], np.ones((3, 4))))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite, but that of 'b' has NaN or infinity"):
            plot_embedding((["a", "b"], [[1.0, 2.0], [3.0, bad]]))
    with pytest.raises(ValueError, match="must be unique, but 'b' stands there 2 times"):
        plot_embedding((["a", "b", "b"], np.ones((3, 4))))
    with pytest.raises(TypeError, match=r"takes a Word2Vec, KeyedVectors .* got ndarray"):
        plot_embedding(np.ones((3, 4)))
    with pytest.raises(NotFittedError):
        plot_embedding(Word2Vec())
    with pytest.raises(NotFittedError):
        plot_loss(Word2Vec())
    with pytest.raises(TypeError, match="takes a model with a loss_curve_, got LinearRegression"):
        plot_loss(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))


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
    with pytest.raises(ValueError, match=r"2 rising .* got \(3, 1, 4\)"):
        plot_regularization_path((path[0], np.zeros((3, 1, 4))))
    with pytest.raises(ValueError, match=r"2 falling .* got \(4, 3\)"):
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
