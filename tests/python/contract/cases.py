"""For every registered class: data as it takes them, settings that are quick, and a fit that takes long.

A class without a case fails `test_cases.py`, which says so.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

import mlcore
from mlcore._registry import CLASSES
from mlcore.seq.bert import BertModel
from support.bert import small_folder

N_COLUMNS = 6


@dataclass(frozen=True)
class Case:
    """How to try one class."""

    quick: dict[str, Any] = field(default_factory=dict)
    """Parameters with which it fits a few hundred rows in some milliseconds, without a warning."""

    n_parallel: int = 4000
    """Rows (texts) that are worth two threads at least."""

    endless: dict[str, Any] = field(default_factory=dict)
    """Parameters with which a fit of `long_data` takes half a second at least."""

    long_data: Callable[[], tuple[Any, Any]] | None = None
    """X and y for such a fit; None: `n_parallel` rows."""

    of_sequences: Callable[[list[str]], tuple[Any, Any]] | None = None
    """Makes X and y of texts; None: texts as they are, with a target if it is a classifier or a regressor."""

    make_vectors: Callable[[np.ndarray], Any] | None = None
    """For what has no fit: makes it from vectors of words."""

    same_bits_by_n_jobs: bool = True
    """False: documented as Hogwild."""


def rows(n: int, d: int = N_COLUMNS, seed: int = 0) -> np.ndarray:
    """Rows of normal numbers."""
    return np.random.default_rng(seed).normal(size=(n, d))


def target(kind: str, X: np.ndarray, seed: int = 0) -> Any:
    """Return labels with noise for a "classifier", numbers with noise for a "regressor", else None."""
    z = X @ np.array([1.0, -2.0, 0.5, 0.0, 1.0, 0.3]) + np.random.default_rng([1, seed]).normal(size=len(X))
    if kind == "classifier":
        return np.array(["low", "middle", "high"])[np.digitize(z, [-1, 1])]
    return z if kind == "regressor" else None


def texts(n: int, seed: int = 0) -> list[str]:
    """Texts of a few frequent words and many rare ones; two of them go together."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(400)] + ["new york", "old york"]
    p = 1 / np.arange(1, len(words) + 1)
    p[-2:] = 0.1
    chosen = rng.choice(len(words), size=(n, 12), p=p / p.sum())
    return [" ".join(words[i] for i in text) for text in chosen]


def targets(sources: list[str]) -> list[str]:
    """Each source from its end to its begin, in other words."""
    return [", ".join(reversed(source.split())) for source in sources]


def lengths(sources: list[str]) -> np.ndarray:
    """Return the number of letters of each source."""
    return np.array([float(len(source)) for source in sources])


def labels(sources: list[str]) -> np.ndarray:
    """Return how long each source is, as a word."""
    return np.array(["low", "middle", "high"])[np.digitize(lengths(sources), [25, 29])]


def tagged(sources: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words of each source, and how long each word is, as a tag."""
    words = [source.split() for source in sources]
    return words, [[("low", "middle", "high")[min(len(word) - 2, 2)] for word in each] for each in words]


def asked(sources: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return questions for the first or the last word of each source, or for what is not there, and the answers."""
    questions = [("w1", "w2", "w3")[i % 3] for i in range(len(sources))]
    answers = [(source.split()[0], source.split()[-1], "")[i % 3] for i, source in enumerate(sources)]
    return list(zip(questions, sources, strict=True)), answers


def wide(n: int, d: int) -> Callable[[], tuple[Any, Any]]:
    """Columns that say nothing of a target of -1 and 1, so that no solver comes to an end soon."""
    return lambda: (rows(n, d), np.where(rows(n, 1, seed=1)[:, 0] > 0, 1, -1))


def words_of(vectors: np.ndarray) -> list[str]:
    return [f"w{i}" for i in range(len(vectors))]


@cache
def typical(name: str, n: int = 200, seed: int = 0) -> tuple[Any, Any]:
    """Return X and y as the class `name` takes them, or vectors and None. Arrays are read-only: tests share them."""
    if kind(name) in ("texts", "documents"):
        return texts(n, seed), None
    if kind(name) == "sequences":
        sources = [text.split(" ", 5)[-1] for text in texts(n, seed)]
        if case(name).of_sequences:
            return case(name).of_sequences(sources)
        if takes_pairs(name):
            return sources, targets(sources)
        model = getattr(mlcore, name)()
        return sources, labels(sources) if is_classifier(model) else lengths(sources) if is_regressor(model) else None
    if kind(name) == "vectors":
        return case(name).make_vectors(rows(n, 16, seed)), None
    X = rows(n, seed=seed)
    y = target(kind(name), X, seed)
    for array in (X, y):
        if array is not None:
            array.flags.writeable = False
    return X, y


def make(name: str, **parameters: Any) -> Any:
    """Return an unfitted estimator with quick settings."""
    cls = getattr(mlcore, name)
    known = cls().get_params()
    seed = {"random_state": 0} if "random_state" in known else {}
    return cls(**{**seed, **case(name).quick, **parameters})


def takes_pairs(name: str) -> bool:
    """Whether a class of sequences is fitted to sources and targets."""
    return "Y" in inspect.signature(getattr(mlcore, name).fit).parameters


def kind(name: str) -> str:
    """Return what fit takes: "classifier", "regressor", "rows", "texts", "documents", "sequences" or "vectors".

    "rows" are without a target, "texts" a corpus, "sequences" texts or pairs of them; "vectors" have no fit.
    """
    if case(name).make_vectors:
        return "vectors"
    if CLASSES[name] == "mlcore.seq":
        return "sequences"
    model = getattr(mlcore, name)(**case(name).quick)
    if is_classifier(model):
        return "classifier"
    if is_regressor(model):
        return "regressor"
    if model.__sklearn_tags__().input_tags.two_d_array:
        return "rows"
    return "documents" if CLASSES[name] == "mlcore.text" else "texts"


def names_of(*kinds: str) -> list[str]:
    """Return the registered classes of these kinds."""
    return [name for name in CLASSES if kind(name) in kinds]


def case(name: str) -> Case:
    """Return the case of a class."""
    assert name in CASES, f"{name} is registered, but tests/python/contract/cases.py has no case for it"
    return CASES[name]


TREES = {"n_estimators": 3, "max_leaf_nodes": 6}
NETWORK = {"hidden_layer_sizes": (64,), "batch_size": 500, "max_iter": 2}
TRANSFORMER = {"d_model": 32, "n_layers": 1, "dim_feedforward": 64} | {
    "max_epochs": 2,
    "batch_tokens": 250,
    "learning_rate": 1e-2,
}
RECURRENT = {"embedding_size": 16, "hidden_size": 32, "max_epochs": 2, "batch_tokens": 250, "learning_rate": 1e-2}
BERT = {
    "config": {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64, "vocab_size": 200}
    | {"initializer_range": 0.02},
    "max_epochs": 2,
    "learning_rate": 1e-3,
}
PRETRAINING = {
    "config": {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64, "initializer_range": 0.1}
    | {"vocab_size": 30},  # pieces of which words are made: these go together
    "max_epochs": 3,
    "learning_rate": 1e-2,
    "batch_tokens": 250,
}
NEVER = {"tol": 0.0, "max_iter": 10**9}
HARD = {"C": 1e6, "tol": 1e-12}

CASES: dict[str, Case] = {
    "GBDTClassifier": Case(TREES, 6000, {"n_estimators": 10**6, "early_stopping": False}),
    "GBDTRegressor": Case(TREES, 6000, {"n_estimators": 10**6, "early_stopping": False}),
    "DBSCAN": Case({"eps": 1.2}, 3000, {"eps": 2.0, "min_samples": 10**6}, lambda: (rows(60_000), None)),
    "AgglomerativeClustering": Case({}, 3000, {"linkage": "average"}, lambda: (rows(20_000, 30), None)),
    "GaussianMixture": Case({"n_components": 2, "tol": 0.1}, 20_000, {"tol": 0.0, "max_iter": 10**9}),
    "HDBSCAN": Case({"min_cluster_size": 10}, 4000, {}, lambda: (rows(30_000, 30), None)),
    "KMeans": Case({"n_clusters": 4}, 20_000, {"n_clusters": 50, "n_init": 10**6}),
    "MiniBatchKMeans": Case({"n_clusters": 4}, 20_000, {"max_iter": 10**6, "max_no_improvement": None}),
    "NearestNeighbors": Case({"n_neighbors": 3}, 4000, {}, lambda: (rows(2_000_000), None)),
    "FastTextVectors": Case(
        n_parallel=20_000, make_vectors=lambda v: mlcore.FastTextVectors(words_of(v), v, v[:50], min_n=2, max_n=3)
    ),
    "KeyedVectors": Case(n_parallel=20_000, make_vectors=lambda v: mlcore.KeyedVectors(words_of(v), v)),
    "Phrases": Case({"min_count": 1, "threshold": 0.5}, 4000, {}, lambda: (texts(2000) * 100, None)),
    "Word2Vec": Case(
        {"vector_size": 8, "min_count": 1, "epochs": 1, "n_jobs": 1},
        1000,
        {"epochs": 10**6},
        same_bits_by_n_jobs=False,
    ),
    "ElasticNet": Case({}, 20_000, NEVER | {"alpha": 1e-9}, wide(300, 3000)),
    "ElasticNetCV": Case({"alphas": 5, "cv": 2}, 60_000, {"alphas": 10_000}, lambda: typical("Lasso", 2000)),
    "Lasso": Case({}, 20_000, NEVER | {"alpha": 1e-9}, wide(300, 3000)),
    "LassoCV": Case({"alphas": 5, "cv": 2}, 60_000, {"alphas": 10_000}, lambda: typical("Lasso", 2000)),
    "LogisticRegression": Case({}, 8000, NEVER | {"solver": "gd"}),
    "LogisticRegressionCV": Case({"Cs": 2, "cv": 2}, 8000, {"Cs": 10_000}),
    "Ridge": Case({}, 20_000, {}, wide(8000, 1000)),
    "RidgeCV": Case({"alphas": [0.1, 1.0]}, 20_000, {}, wide(20_000, 500)),  # eigenvalues do not see Ctrl-C
    "NeuralClassifier": Case(NETWORK, 2000, {"max_iter": 10**6, "n_iter_no_change": 10**9}),
    "NeuralRegressor": Case(NETWORK, 2000, {"max_iter": 10**6, "n_iter_no_change": 10**9}),
    "BertClassifier": Case(BERT, 300, {"max_epochs": 10**6}),
    "BertEncoder": Case({"model": small_folder(BertModel)}, 500),
    "BertPretrainer": Case(PRETRAINING, 150, {"max_epochs": 10**6}),
    "BertQuestionAnswering": Case(BERT, 500, {"max_epochs": 10**6}, of_sequences=asked),
    "BertRegressor": Case(BERT, 300, {"max_epochs": 10**6}),
    "BertTokenClassifier": Case(BERT, 500, {"max_epochs": 10**6}, of_sequences=tagged),
    "Seq2Seq": Case(RECURRENT, 500, {"max_epochs": 10**6}),
    "TransformerLM": Case(TRANSFORMER, 500, {"max_epochs": 10**6}),
    "TransformerSeq2Seq": Case(TRANSFORMER, 500, {"max_epochs": 10**6}),
    "SVC": Case({}, 1500, HARD),
    "SVR": Case({}, 1500, HARD),
    "LinearSVC": Case({}, 8000, HARD | {"loss": "hinge", "max_iter": 10**9}, wide(4000, 700)),
    "LinearSVR": Case({}, 8000, HARD | {"max_iter": 10**9}, wide(4000, 700)),
    "NuSVC": Case({"nu": 0.3}, 1500, {"tol": 1e-12}),
    "NuSVR": Case({}, 1500, HARD),
    "OneClassSVM": Case({"nu": 0.2}, 1500, {"nu": 0.5, "tol": 1e-12}, lambda: (rows(20_000), None)),
    "CountVectorizer": Case({}, 8000, {}, lambda: (texts(2000) * 300, None)),
    "HashingVectorizer": Case({"n_features": 256}, 8000),
    "TfidfTransformer": Case({}, 60_000),
    "TfidfVectorizer": Case({}, 8000, {}, lambda: (texts(2000) * 300, None)),
}
