"""Pictures of fitted models. Needs matplotlib, which is imported at the first call."""

from mlcore.plotting._boosting import plot_feature_importance, plot_learning_curve
from mlcore.plotting._embedding import plot_embedding, plot_loss
from mlcore.plotting._linear_model import plot_optimizer_paths, plot_regularization_path
from mlcore.plotting._nn import plot_attention, plot_gradient_flow, plot_history
from mlcore.plotting._svm import plot_decision_boundary

__all__ = [
    "plot_attention",
    "plot_decision_boundary",
    "plot_embedding",
    "plot_feature_importance",
    "plot_gradient_flow",
    "plot_history",
    "plot_learning_curve",
    "plot_loss",
    "plot_optimizer_paths",
    "plot_regularization_path",
]
