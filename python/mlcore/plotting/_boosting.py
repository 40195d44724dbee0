"""Plots of boosted trees."""

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
        Number of features shown, the most important ones; None: all.

    Returns
    -------
    matplotlib Axes with a bar for each feature shown

    Raises
    ------
    TypeError
        If the estimator has no importances.
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
