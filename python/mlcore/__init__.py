"""Classic machine learning on CPUs: a C++20 core under a scikit-learn-style API.

The core is loaded at once, so that a wrong ``MLCORE_ISA`` shows here. The families are loaded at first use, so that
``import mlcore`` stays quick however many there are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlcore._config import show_config
from mlcore._native import core as _core

if TYPE_CHECKING:
    from mlcore import boosting, embedding, linear_model, nn, svm
    from mlcore._io import load, save
    from mlcore.boosting import GBDTClassifier, GBDTRegressor
    from mlcore.embedding import FastTextVectors, KeyedVectors, Phrases, Word2Vec
    from mlcore.linear_model import (
        ElasticNet,
        ElasticNetCV,
        Lasso,
        LassoCV,
        LogisticRegression,
        LogisticRegressionCV,
        Ridge,
        RidgeCV,
    )
    from mlcore.nn import NeuralClassifier, NeuralRegressor
    from mlcore.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM

__version__: str = _core.build_info()["version"]

__all__ = [
    "SVC",
    "SVR",
    "ElasticNet",
    "ElasticNetCV",
    "FastTextVectors",
    "GBDTClassifier",
    "GBDTRegressor",
    "KeyedVectors",
    "Lasso",
    "LassoCV",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "LogisticRegressionCV",
    "NeuralClassifier",
    "NeuralRegressor",
    "NuSVC",
    "NuSVR",
    "OneClassSVM",
    "Phrases",
    "Ridge",
    "RidgeCV",
    "Word2Vec",
    "__version__",
    "boosting",
    "embedding",
    "linear_model",
    "load",
    "nn",
    "save",
    "show_config",
    "svm",
]

_FAMILIES = ("boosting", "embedding", "linear_model", "nn", "svm")
_HOME = {
    "ElasticNet": "mlcore.linear_model",
    "ElasticNetCV": "mlcore.linear_model",
    "FastTextVectors": "mlcore.embedding",
    "GBDTClassifier": "mlcore.boosting",
    "GBDTRegressor": "mlcore.boosting",
    "KeyedVectors": "mlcore.embedding",
    "Lasso": "mlcore.linear_model",
    "LassoCV": "mlcore.linear_model",
    "LinearSVC": "mlcore.svm",
    "LinearSVR": "mlcore.svm",
    "LogisticRegression": "mlcore.linear_model",
    "LogisticRegressionCV": "mlcore.linear_model",
    "NeuralClassifier": "mlcore.nn",
    "NeuralRegressor": "mlcore.nn",
    "NuSVC": "mlcore.svm",
    "NuSVR": "mlcore.svm",
    "OneClassSVM": "mlcore.svm",
    "Phrases": "mlcore.embedding",
    "Ridge": "mlcore.linear_model",
    "RidgeCV": "mlcore.linear_model",
    "SVC": "mlcore.svm",
    "SVR": "mlcore.svm",
    "Word2Vec": "mlcore.embedding",
    "load": "mlcore._io",
    "save": "mlcore._io",
}


def __getattr__(name: str) -> Any:
    if name in _FAMILIES:
        return import_module(f"mlcore.{name}")
    if name in _HOME:
        globals()[name] = value = getattr(import_module(_HOME[name]), name)
        return value
    raise AttributeError(f"module 'mlcore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
