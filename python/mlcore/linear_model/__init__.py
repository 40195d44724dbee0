"""Linear models."""

from mlcore.linear_model._elastic_net import ElasticNet, Lasso
from mlcore.linear_model._elastic_net_cv import ElasticNetCV, LassoCV
from mlcore.linear_model._elastic_net_path import enet_path, lasso_path
from mlcore.linear_model._logistic import LogisticRegression
from mlcore.linear_model._logistic_cv import LogisticRegressionCV
from mlcore.linear_model._logistic_path import logistic_path
from mlcore.linear_model._ridge import Ridge
from mlcore.linear_model._ridge_cv import RidgeCV

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Ridge",
    "RidgeCV",
    "enet_path",
    "lasso_path",
    "logistic_path",
]
