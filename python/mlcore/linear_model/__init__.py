"""Linear models."""

from mlcore.linear_model._elastic_net import ElasticNet, Lasso
from mlcore.linear_model._elastic_net_path import enet_path, lasso_path
from mlcore.linear_model._logistic import LogisticRegression
from mlcore.linear_model._logistic_path import logistic_path
from mlcore.linear_model._ridge import Ridge

__all__ = ["ElasticNet", "Lasso", "LogisticRegression", "Ridge", "enet_path", "lasso_path", "logistic_path"]
