"""Plots of fitted models and of their training.

Each function takes the `ax` to draw on (None: the axes of a new figure), returns the axes it has drawn on, and raises
ImportError where matplotlib, which is imported at the first call, is not installed.
"""

from mlcore.plotting._boosting import plot_feature_importance
from mlcore.plotting._cluster import plot_choose_k, plot_condensed_tree, plot_k_distance
from mlcore.plotting._dendrogram import plot_dendrogram
from mlcore.plotting._embedding import plot_embedding
from mlcore.plotting._history import plot_history
from mlcore.plotting._linear_model import plot_optimizer_paths, plot_regularization_path
from mlcore.plotting._metrics import plot_calibration, plot_confusion_matrix, plot_precision_recall, plot_roc
from mlcore.plotting._nn import plot_attention, plot_gradient_flow
from mlcore.plotting._silhouette import plot_silhouette
from mlcore.plotting._svm import plot_decision_boundary

__all__ = [
    "plot_attention",
    "plot_calibration",
    "plot_choose_k",
    "plot_condensed_tree",
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_dendrogram",
    "plot_embedding",
    "plot_feature_importance",
    "plot_gradient_flow",
    "plot_history",
    "plot_k_distance",
    "plot_optimizer_paths",
    "plot_precision_recall",
    "plot_regularization_path",
    "plot_roc",
    "plot_silhouette",
]
