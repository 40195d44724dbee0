"""plot_roc, plot_precision_recall, plot_confusion_matrix, plot_calibration: what is drawn, not how it looks."""

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics
from matplotlib import pyplot as plt

from mlcore.plotting import plot_calibration, plot_confusion_matrix, plot_precision_recall, plot_roc


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    return y, 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(size=200))))


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 150)
    scores = np.eye(3)[y] + rng.random((150, 3))
    return np.array(["a", "b$c", "d"])[y], scores / scores.sum(axis=1, keepdims=True)


def curves(ax):
    return [line for line in ax.lines if not line.get_label().startswith("_")]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_roc(binary):
    y, scores = binary
    ax = plot_roc(y, scores)
    (curve,) = curves(ax)
    fpr, tpr, _ = sklearn.metrics.roc_curve(y, scores)
    np.testing.assert_allclose(curve.get_xydata(), np.column_stack([fpr, tpr]))
    assert legend(ax) == [f"AUC {sklearn.metrics.roc_auc_score(y, scores):.3f}"]


def test_roc_with_weights_and_a_positive_label(binary):
    y, scores = binary
    weight = np.random.default_rng(2).random(len(y))
    ax = plot_roc(np.where(y == 1, "yes", "zero"), scores, pos_label="yes", sample_weight=weight)
    fpr, tpr, _ = sklearn.metrics.roc_curve(y, scores, sample_weight=weight)
    np.testing.assert_allclose(curves(ax)[0].get_xydata(), np.column_stack([fpr, tpr]))
    assert legend(ax) == [f"AUC {sklearn.metrics.roc_auc_score(y, scores, sample_weight=weight):.3f}"]


def test_models_and_classes_each_have_a_curve(binary, classes):
    y, scores = binary
    ours = plot_roc(y, {"first": scores, "second": 1 - scores})
    assert [text.split(" (")[0] for text in legend(ours)] == ["first", "second"]
    y, scores = classes
    _, ax = plt.subplots()
    assert plot_precision_recall(y, {"model": scores}, ax) is ax
    assert [text.split(" (")[0] for text in legend(ax)] == ["model, a", "model, b$c", "model, d"]
    for k, label in enumerate(("a", "b$c", "d")):
        precision, recall, _ = sklearn.metrics.precision_recall_curve(y == label, scores[:, k])
        np.testing.assert_allclose(curves(ax)[k].get_xydata(), np.column_stack([recall, precision]))


def test_columns_of_two_classes_are_one_curve(binary):
    y, scores = binary
    names = np.where(y == 1, "yes", "no")
    one = plot_roc(y, scores)
    two = plot_roc(names, np.column_stack([1 - scores, scores]))
    np.testing.assert_array_equal(curves(one)[0].get_xydata(), curves(two)[0].get_xydata())
    assert len(curves(two)) == 1


def test_precision_recall_draws_the_share_of_positives(binary):
    y, scores = binary
    ax = plot_precision_recall(y, scores)
    (level,) = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert level == pytest.approx(y.mean())
    assert legend(ax) == [f"AP {sklearn.metrics.average_precision_score(y, scores):.3f}"]


@pytest.mark.parametrize("normalize", [None, "true"])
def test_confusion_matrix(classes, normalize):
    y, scores = classes
    predicted = np.array(["a", "b$c", "d"])[scores.argmax(axis=1)]
    ax = plot_confusion_matrix(y, predicted, normalize=normalize)
    expected = sklearn.metrics.confusion_matrix(y, predicted, normalize=normalize)
    np.testing.assert_allclose(ax.images[0].get_array(), expected)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b$c", "d"]
    form = "{:.2f}" if normalize else "{:.6g}"
    assert [text.get_text() for text in ax.texts] == [form.format(value) for value in expected.ravel()]
    ax.figure.canvas.draw()  # a dollar in a label is no mathematics
    assert not plot_confusion_matrix(y, predicted, show_values=False).texts


def test_confusion_matrix_of_chosen_labels(classes):
    y, _ = classes
    ax = plot_confusion_matrix(y, y, labels=["d", "a"])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["d", "a"]
    assert ax.images[0].get_array().tolist() == [[(y == "d").sum(), 0], [0, (y == "a").sum()]]


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_calibration(binary, strategy):
    y, given = binary
    ax = plot_calibration(y, given, n_bins=5, strategy=strategy)
    share, mean = sklearn.calibration.calibration_curve(y, given, n_bins=5, strategy=strategy)
    np.testing.assert_allclose(curves(ax)[0].get_xydata(), np.column_stack([mean, share]))
    assert legend(ax)[0].startswith("ECE 0.")


@pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall, plot_calibration])
def test_columns_must_fit_the_classes(plot, classes):
    y, scores = classes
    with pytest.raises(ValueError, match="y_score has 2 columns for 3 classes"):
        plot(y, scores[:, :2])
    with pytest.raises(ValueError, match="one or two axes"):
        plot(y, scores[None])
