"""Gradient-boosted decision trees."""

from mlcore.boosting._classifier import GBDTClassifier
from mlcore.boosting._regressor import GBDTRegressor

__all__ = ["GBDTClassifier", "GBDTRegressor"]
