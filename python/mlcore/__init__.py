"""Classic machine learning on CPUs: a C++20 core under a scikit-learn-style API.

The core is loaded at once, so that a wrong ``MLCORE_ISA`` shows here. The families are loaded at first use, so that
``import mlcore`` stays quick however many there are.
"""

from typing import TYPE_CHECKING, Any

from mlcore import _registry
from mlcore._native import core as _core

if TYPE_CHECKING:  # what _registry.py lists, for type checkers and editors
    from mlcore import boosting as boosting
    from mlcore import cluster as cluster
    from mlcore import embedding as embedding
    from mlcore import linear_model as linear_model
    from mlcore import metrics as metrics
    from mlcore import nn as nn
    from mlcore import seq as seq
    from mlcore import svm as svm
    from mlcore import text as text
    from mlcore._config import show_config as show_config
    from mlcore._io import load as load
    from mlcore._io import save as save
    from mlcore.boosting import GBDTClassifier as GBDTClassifier
    from mlcore.boosting import GBDTRegressor as GBDTRegressor
    from mlcore.cluster import DBSCAN as DBSCAN
    from mlcore.cluster import HDBSCAN as HDBSCAN
    from mlcore.cluster import AgglomerativeClustering as AgglomerativeClustering
    from mlcore.cluster import GaussianMixture as GaussianMixture
    from mlcore.cluster import KMeans as KMeans
    from mlcore.cluster import MiniBatchKMeans as MiniBatchKMeans
    from mlcore.cluster import NearestNeighbors as NearestNeighbors
    from mlcore.embedding import FastTextVectors as FastTextVectors
    from mlcore.embedding import KeyedVectors as KeyedVectors
    from mlcore.embedding import Phrases as Phrases
    from mlcore.embedding import Word2Vec as Word2Vec
    from mlcore.linear_model import ElasticNet as ElasticNet
    from mlcore.linear_model import ElasticNetCV as ElasticNetCV
    from mlcore.linear_model import Lasso as Lasso
    from mlcore.linear_model import LassoCV as LassoCV
    from mlcore.linear_model import LogisticRegression as LogisticRegression
    from mlcore.linear_model import LogisticRegressionCV as LogisticRegressionCV
    from mlcore.linear_model import Ridge as Ridge
    from mlcore.linear_model import RidgeCV as RidgeCV
    from mlcore.nn import NeuralClassifier as NeuralClassifier
    from mlcore.nn import NeuralRegressor as NeuralRegressor
    from mlcore.seq import BertClassifier as BertClassifier
    from mlcore.seq import BertEncoder as BertEncoder
    from mlcore.seq import BertPretrainer as BertPretrainer
    from mlcore.seq import BertQuestionAnswering as BertQuestionAnswering
    from mlcore.seq import BertRegressor as BertRegressor
    from mlcore.seq import BertTokenClassifier as BertTokenClassifier
    from mlcore.seq import Seq2Seq as Seq2Seq
    from mlcore.seq import TransformerLM as TransformerLM
    from mlcore.seq import TransformerSeq2Seq as TransformerSeq2Seq
    from mlcore.svm import SVC as SVC
    from mlcore.svm import SVR as SVR
    from mlcore.svm import LinearSVC as LinearSVC
    from mlcore.svm import LinearSVR as LinearSVR
    from mlcore.svm import NuSVC as NuSVC
    from mlcore.svm import NuSVR as NuSVR
    from mlcore.svm import OneClassSVM as OneClassSVM
    from mlcore.text import CountVectorizer as CountVectorizer
    from mlcore.text import HashingVectorizer as HashingVectorizer
    from mlcore.text import TfidfTransformer as TfidfTransformer
    from mlcore.text import TfidfVectorizer as TfidfVectorizer
else:
    __all__ = [*_registry.PUBLIC, "__version__"]

__version__: str = _core.build_info()["version"]


def __getattr__(name: str) -> Any:
    if name not in _registry.PUBLIC:
        raise AttributeError(f"module 'mlcore' has no attribute {name!r}")
    globals()[name] = value = _registry.find(name)
    return value


def __dir__() -> list[str]:
    return [*_registry.PUBLIC, "__version__"]
