"""Pictures of boosted trees."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mlcore.plotting._axes import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_feature_importance(
    estimator: Any,
    ax: "Axes | None" = None,
    *,
    kind: Literal["gain", "split", "cover"] = "gain",
    max_features: int | None = 20,
) -> "Axes":
    """Draw the share of each feature in the splits of all trees, the largest at the top.

    Parameters
    ----------
    estimator : GBDTClassifier or GBDTRegressor
        A fitted model.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    kind : {"gain", "split", "cover"}, default="gain"
        What is counted, see :meth:`~mlcore.boosting.GBDTClassifier.importance`.
    max_features : int or None, default=20
        Show only so many, the most important ones; None: all.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If the estimator has no importances.
    ImportError
        If matplotlib is not installed.
    """
    check_is_fitted(estimator)
    if not hasattr(estimator, "importance"):
        raise TypeError(f"plot_feature_importance takes a boosting model, got {type(estimator).__name__}")
    importance = estimator.importance(kind)
    share = importance / max(importance.sum(), np.finfo(np.float64).tiny)
    names = getattr(estimator, "feature_names_in_", None)
    labels = [f"feature {j}" for j in range(len(share))] if names is None else [str(name) for name in names]
    shown = np.argsort(-share, kind="stable")[:max_features][::-1]

    ax = new_axes(ax)
    bars = ax.barh([labels[j] for j in shown], share[shown])
    ax.bar_label(bars, fmt="{:.1%}", padding=3, fontsize="small")
    ax.margins(x=0.15)
    ax.set_xlabel(f"share of the {kind} of all splits")
    left_out = len(share) - len(shown)
    ax.set_title("Feature importance" + (f" ({left_out} more features not shown)" if left_out else ""))
    return ax


def plot_learning_curve(estimator: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw training and validation loss (or score) against the iteration, with a mark at the iteration kept.

    Parameters
    ----------
    estimator : GBDTClassifier or GBDTRegressor
        A fitted model.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the model has recorded no scores, as with a loss of one's own and no scorer.
    ImportError
        If matplotlib is not installed.
    """
    check_is_fitted(estimator)
    train, validation = estimator.train_score_, estimator.validation_score_
    if len(train) == 0:
        raise ValueError(f"this {type(estimator).__name__} has recorded no scores: set scoring to a scorer")
    is_loss = isinstance(estimator.scoring, str) and estimator.scoring == "loss"
    sign = -1.0 if is_loss else 1.0
    first = estimator.n_iter_ + 1 - len(train) if len(train) <= estimator.n_iter_ else 0
    iterations = np.arange(first, first + len(train))

    ax = new_axes(ax)
    ax.plot(iterations, sign * train, label="training")
    if len(validation):
        ax.plot(iterations, sign * validation, label="validation")
    if estimator.n_iter_ < iterations[-1]:
        ax.axvline(estimator.n_iter_, color="grey", linestyle=":", label=f"kept: {estimator.n_iter_}")
    ax.set_xlabel("iteration")
    ax.set_ylabel("loss" if is_loss else str(estimator.scoring) if isinstance(estimator.scoring, str) else "score")
    ax.set_title("Learning curve")
    ax.legend()
    return ax
