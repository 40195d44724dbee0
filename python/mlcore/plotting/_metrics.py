"""How good predictions are, as pictures: ROC, precision and recall, confusion, calibration."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore.metrics import (
    average_precision_score,
    calibration_curve,
    confusion_matrix,
    expected_calibration_error,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from mlcore.plotting._axes import new_axes, plain_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANCE: dict[str, Any] = {"color": "0.6", "linewidth": 1, "linestyle": "--"}
"""How the line of a model that knows nothing, or of one that is perfectly calibrated, is drawn."""


def _columns(
    y_true: Any, y_score: Any, labels: Any, pos_label: Any
) -> Iterator[tuple[str | None, Any, NDArray[Any], Any]]:
    """Yield name, y_true, scores and positive label of each curve: one a model, or one a class."""
    if isinstance(y_score, Mapping):
        for name, scores in y_score.items():
            for of_class, *rest in _columns(y_true, scores, labels, pos_label):
                yield (str(name) if of_class is None else f"{name}, {of_class}", *rest)
        return
    scores = np.asarray(y_score)
    if scores.ndim == 1:
        yield None, y_true, scores, pos_label
        return
    if scores.ndim != 2:
        raise ValueError(f"y_score must have one or two axes, got shape {scores.shape}")
    classes = np.unique(np.asarray(y_true)) if labels is None else np.asarray(labels)
    if len(classes) != scores.shape[1]:
        raise ValueError(
            f"y_score has {scores.shape[1]} columns for {len(classes)} classes: pass labels, one for each column"
        )
    if len(classes) == 2:
        yield None, y_true, scores[:, 1], classes[1] if pos_label is None else pos_label
        return
    for label, column in zip(classes, scores.T, strict=True):
        yield str(label), (np.asarray(y_true) == label).astype(np.int8), column, 1


def _with_name(name: str | None, value: str) -> str:
    return value if name is None else f"{name} ({value})"


def plot_roc(
    y_true: Any,
    y_score: Any,
    ax: "Axes | None" = None,
    *,
    labels: Any = None,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> "Axes":
    """Draw the true positive rate over the false positive rate, for all thresholds, with the area below it.

    Parameters
    ----------
    y_true : array of shape (n_samples,)
        Labels.
    y_score : array of shape (n_samples,) or (n_samples, n_classes), or dict of them
        Scores of the positive class, or of each class: each then has a curve against all others (two columns are one
        curve). A dict compares models by name.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    labels : array of shape (n_classes,), default=None
        The class of each column. None: those of y_true in sorted order.
    pos_label : label, default=None
        Which label is positive, as in :func:`mlcore.metrics.roc_curve`.
    sample_weight : array of shape (n_samples,), default=None
        Weights.

    Returns
    -------
    matplotlib Axes with a curve for each model and class, and the diagonal of a model that knows nothing

    Raises
    ------
    ValueError
        If the scores do not belong to the labels.
    """
    ax = new_axes(ax)
    for name, truth, scores, positive in _columns(y_true, y_score, labels, pos_label):
        false_positives, true_positives, _ = roc_curve(truth, scores, pos_label=positive, sample_weight=sample_weight)
        is_positive = truth if positive is None else (np.asarray(truth) == positive).astype(np.int8)
        area = roc_auc_score(is_positive, scores, sample_weight=sample_weight)
        ax.plot(false_positives, true_positives, label=_with_name(name, f"AUC {area:.3f}"))
    ax.plot([0, 1], [0, 1], **CHANCE)
    ax.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    plain_legend(ax, loc="lower right")
    return ax


def plot_precision_recall(
    y_true: Any,
    y_score: Any,
    ax: "Axes | None" = None,
    *,
    labels: Any = None,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> "Axes":
    """Draw precision over recall, for all thresholds, with the average precision.

    Parameters
    ----------
    y_true, y_score, ax, labels, pos_label, sample_weight
        As in :func:`plot_roc`.

    Returns
    -------
    matplotlib Axes with a curve for each model and class; of one curve alone, also the share of positives, which is
    the precision of a model that knows nothing

    Raises
    ------
    ValueError
        If the scores do not belong to the labels.
    """
    ax = new_axes(ax)
    curves = list(_columns(y_true, y_score, labels, pos_label))
    for name, truth, scores, positive in curves:
        precision, recall, _ = precision_recall_curve(truth, scores, pos_label=positive, sample_weight=sample_weight)
        is_positive = truth if positive is None else (np.asarray(truth) == positive).astype(np.int8)
        area = average_precision_score(is_positive, scores, sample_weight=sample_weight)
        ax.plot(recall, precision, drawstyle="steps-post", label=_with_name(name, f"AP {area:.3f}"))
    if len(curves) == 1:
        ax.axhline(precision[0], **CHANCE)  # at the lowest threshold all rows are chosen
    ax.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    plain_legend(ax, loc="lower left")
    return ax


def plot_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    ax: "Axes | None" = None,
    *,
    labels: Any = None,
    sample_weight: Any = None,
    normalize: str | None = None,
    show_values: bool | None = None,
) -> "Axes":
    """Draw how many rows of each class were taken for which.

    Parameters
    ----------
    y_true, y_pred : array of shape (n_samples,)
        Labels and predictions.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    labels : array of shape (n_classes,), default=None
        Which classes, and in which order. None: all, sorted.
    sample_weight : array of shape (n_samples,), default=None
        Weights.
    normalize : {"true", "pred", "all"} or None, default=None
        Show shares of the rows of a class, of the predictions of a class, or of all.
    show_values : bool or None, default=None
        Write the number into each cell. None: with 25 classes or fewer.

    Returns
    -------
    matplotlib Axes with the matrix, a row for each true class

    Raises
    ------
    ValueError
        As :func:`mlcore.metrics.confusion_matrix`.
    """
    counts = confusion_matrix(y_true, y_pred, labels=labels, sample_weight=sample_weight, normalize=normalize)
    if labels is None:
        labels = np.unique(np.concatenate([np.asarray(y_true), np.asarray(y_pred)]))
    ax = new_axes(ax)
    image = ax.imshow(counts, cmap="Blues")
    ax.figure.colorbar(image, ax=ax)
    names, n_classes = [str(label) for label in labels], len(counts)
    turned: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 3 else {}
    )
    ax.set_xticks(range(n_classes), names, parse_math=False, **turned)
    ax.set_yticks(range(n_classes), names, parse_math=False)
    ax.set(xlabel="predicted", ylabel="true")
    if n_classes <= 25 if show_values is None else show_values:
        size = min(10.0, 120.0 / n_classes)
        middle = (counts.max() + counts.min()) / 2
        for (i, j), count in np.ndenumerate(counts):
            text = f"{count:.2f}" if normalize else f"{count:.6g}"
            ax.text(j, i, text, ha="center", va="center", fontsize=size, color="white" if count > middle else "black")
    return ax


def plot_calibration(
    y_true: Any,
    y_prob: Any,
    ax: "Axes | None" = None,
    *,
    n_bins: int = 10,
    strategy: str = "uniform",
    labels: Any = None,
    pos_label: Any = None,
) -> "Axes":
    """Draw how often the positive class came where it was given some probability: a good model is on the diagonal.

    Parameters
    ----------
    y_true : array of shape (n_samples,)
        Labels.
    y_prob : array of shape (n_samples,) or (n_samples, n_classes), or dict of them
        Probabilities, as the scores of :func:`plot_roc`.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    n_bins : int, default=10
        Bins of probabilities, >= 1; empty ones are left out.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equal numbers of rows.
    labels, pos_label
        As in :func:`plot_roc`.

    Returns
    -------
    matplotlib Axes with a curve for each model and class, the expected calibration error of each, and the diagonal

    Raises
    ------
    ValueError
        If a probability is outside [0, 1], or the probabilities do not belong to the labels.
    """
    ax = new_axes(ax)
    ax.plot([0, 1], [0, 1], **CHANCE)
    for name, truth, given, positive in _columns(y_true, y_prob, labels, pos_label):
        is_positive = truth if positive is None else (np.asarray(truth) == positive).astype(np.int8)
        share, mean = calibration_curve(is_positive, given, n_bins=n_bins, strategy=strategy)
        error = expected_calibration_error(is_positive, given, n_bins=n_bins, strategy=strategy)
        ax.plot(mean, share, marker="o", markersize=4, label=_with_name(name, f"ECE {error:.3f}"))
    ax.set(xlabel="predicted probability", ylabel="share of positives", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    plain_legend(ax, loc="lower right")
    return ax
