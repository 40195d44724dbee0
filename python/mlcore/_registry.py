"""The public names of mlcore, family by family.

They are what the package offers, what a model file may name, and what the tests hold to the contract of estimators. A
new estimator is a line here, in its family, and one for type checkers in ``mlcore/__init__.py``; a test compares the
two.
"""

from importlib import import_module
from typing import Any

FAMILIES: dict[str, tuple[str, ...]] = {
    "boosting": (
        "GBDTClassifier",
        "GBDTRegressor",
    ),
    "cluster": (
        "DBSCAN",
        "HDBSCAN",
        "AgglomerativeClustering",
        "GaussianMixture",
        "KMeans",
        "MiniBatchKMeans",
        "NearestNeighbors",
    ),
    "embedding": (
        "FastTextVectors",
        "KeyedVectors",
        "Phrases",
        "Word2Vec",
    ),
    "linear_model": (
        "ElasticNet",
        "ElasticNetCV",
        "Lasso",
        "LassoCV",
        "LogisticRegression",
        "LogisticRegressionCV",
        "Ridge",
        "RidgeCV",
    ),
    "metrics": (),  # functions alone
    "nn": (
        "NeuralClassifier",
        "NeuralRegressor",
    ),
    "seq": (
        "BertClassifier",
        "BertEncoder",
        "BertPretrainer",
        "BertQuestionAnswering",
        "BertRegressor",
        "BertTokenClassifier",
        "Seq2Seq",
        "TransformerLM",
        "TransformerSeq2Seq",
    ),
    "svm": (
        "SVC",
        "SVR",
        "LinearSVC",
        "LinearSVR",
        "NuSVC",
        "NuSVR",
        "OneClassSVM",
    ),
    "text": (
        "CountVectorizer",
        "HashingVectorizer",
        "TfidfTransformer",
        "TfidfVectorizer",
    ),
}
"""The classes of each family that users find in ``mlcore`` and that a file may hold, by the name of its package."""

CLASSES: dict[str, str] = {name: f"mlcore.{family}" for family, names in FAMILIES.items() for name in names}
"""The module of each of those classes."""

FUNCTIONS: dict[str, str] = {"load": "mlcore._io", "save": "mlcore._io", "show_config": "mlcore._config"}
"""The module of each public function of ``mlcore`` itself."""


PUBLIC: tuple[str, ...] = tuple(sorted([*FAMILIES, *CLASSES, *FUNCTIONS]))
"""All of these names."""


def find(name: str) -> Any:
    """Return the family, class or function of a public name; its module is imported if this is the first use."""
    if name in FAMILIES:
        return import_module(f"mlcore.{name}")
    return getattr(import_module((CLASSES | FUNCTIONS)[name]), name)
