"""A tour: each family of models once, on real data, beside what knows only the targets. Run by ``make demo``.

A new family is one more function that fits, scores and returns its row, and draws into its part of the picture.
"""

import random
import re
import time
from datetime import date, timedelta
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore import (
    SVC,
    AgglomerativeClustering,
    GBDTClassifier,
    LogisticRegression,
    LogisticRegressionCV,
    TfidfVectorizer,
    TransformerSeq2Seq,
    Word2Vec,
    nn,
)
from mlcore.cluster import choose_k
from mlcore.datasets import load_flights
from mlcore.metrics import accuracy_score, adjusted_rand_score, roc_auc_score
from mlcore.plotting import (
    plot_attention,
    plot_confusion_matrix,
    plot_decision_boundary,
    plot_dendrogram,
    plot_embedding,
    plot_feature_importance,
    plot_history,
    plot_roc,
)

mpl.use("agg")
from matplotlib import pyplot as plt


class Row(NamedTuple):
    """A line of the table: `trivial` is the score of a model that looks at no input."""

    family: str
    data: str
    size: str
    model: str
    measure: str
    score: float
    trivial: float


def boosting(ax):
    """Which flights from New York City are late? Categories and missing values as they are in the table."""
    X, is_late, _ = load_flights()
    X_train, X_test, y_train, y_test = train_test_split(X, is_late, random_state=0)
    model = GBDTClassifier(n_estimators=200, random_state=0, verbose=1).fit(X_train, y_train)
    plot_feature_importance(model, ax).set_title("boosting: which flights are late?")
    score = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
    return Row("boosting", "flights, late?", f"{X.shape[0]:,} x {X.shape[1]}", "GBDTClassifier", "AUC", score, 0.5)


def kernel_machines(ax):
    """Three kinds of wine by thirteen measures: five-fold cross-validation, then the regions of the first two axes."""
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVC())
    score, trivial = (cross_val_score(m, X, y, cv=5).mean() for m in (model, DummyClassifier()))
    plane = make_pipeline(StandardScaler(), PCA(2)).fit_transform(X)
    plot_decision_boundary(SVC().fit(plane, y), plane, y, ax).set_title("svm: wines on two principal components")
    return Row("svm", "wine", f"{X.shape[0]:,} x {X.shape[1]}", "SVC", "accuracy", score, trivial)


def linear_models(ax):
    """Is a tumour benign? The strength of the penalty is chosen by cross-validation within each fold."""
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegressionCV())
    benign = cross_val_predict(model, X, y, cv=5, method="predict_proba")[:, 1]
    plot_roc(y, benign, ax).set_title("linear_model, metrics: which tumours are benign?")
    trivial = DummyClassifier().fit(X, y).score(X, y)
    score = accuracy_score(y, benign > 0.5)
    return Row(
        "linear_model", "tumours", f"{X.shape[0]:,} x {X.shape[1]}", "LogisticRegressionCV", "accuracy", score, trivial
    )


GROUPS = {
    "distributions": "gamma poisson weibull lognormal cauchy",
    "polynomials": "chebyshev legendre hermite laguerre jacobi",
    "functions": "sin cos sinh cosh exp",
    "clustering": "kmeans dbscan linkage centroids clusters",
    "sparse formats": "csr csc coo bsr lil",
}


def documentation():
    """Return the pieces of documentation inside three libraries, each with its library."""
    library_of = {}
    for library in ("numpy", "scipy", "sklearn"):
        for path in sorted(Path(find_spec(library).origin).parent.rglob("*.py")):
            if "tests" not in path.parts:
                texts = re.findall(r'"""(.*?)"""', path.read_text("utf-8"), re.DOTALL)
                library_of.update(dict.fromkeys(texts, library))
    return sorted(library_of.items())


def word_vectors(ax):
    """Read the documentation inside three libraries; then find the odd one out of four words."""
    corpus = [re.findall(r"[a-z]\w*", text.lower()) for text, _ in documentation()]
    model = Word2Vec(epochs=5, random_state=0, verbose=1).fit(corpus)
    words, groups = model.keyed_vectors_, {name: members.split() for name, members in GROUPS.items()}
    found = [
        words.doesnt_match([*kind[:3], odd]) == odd
        for kind, others in permutations(groups.values(), 2)
        for odd in others
    ]
    plot_embedding(words, ax=ax, groups=groups).set_title("embedding: words of documentation")
    return Row(
        "embedding", "documentation", f"{model.n_words_:,} words", "Word2Vec", "odd one out", np.mean(found), 0.25
    )


def clusters(ax):
    """How many kinds of handwritten digits are there? Their names are only asked for at the end."""
    X, y = load_digits(return_X_y=True)
    choice = choose_k(X, AgglomerativeClustering(), range(2, 21), criterion="silhouette")
    plot_dendrogram(choice.best_estimator, ax, max_leaves=25).set_title(f"cluster: {choice.best_k} kinds of digits")
    score = adjusted_rand_score(y, choice.best_estimator.labels_)
    return Row("cluster", "digits", f"{X.shape[0]:,} x {X.shape[1]}", "choose_k, ward", "adjusted Rand", score, 0)


def text_features(ax):
    """Tell from its words, but for the names of libraries, which library a piece of documentation belongs to."""
    texts, libraries = zip(*documentation(), strict=True)
    names = ["numpy", "np", "scipy", "sklearn", "scikit"]
    train, test, y_train, y_test = train_test_split(texts, libraries, random_state=0)
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words=names), LogisticRegression(C=10))
    predicted = model.fit(train, y_train).predict(test)
    plot_confusion_matrix(y_test, predicted, ax).set_title("text: which library is it from?")
    trivial = DummyClassifier().fit(train, y_train).score(test, y_test)
    score = accuracy_score(y_test, predicted)
    return Row("text", "documentation", f"{len(texts):,} texts", "TfidfVectorizer", "accuracy", score, trivial)


def network(ax):
    """Learn handwritten digits with a small convolution network."""
    X, y = load_digits(return_X_y=True)
    images = (X.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(images, y, random_state=0)
    nn.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1, activation="relu"), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Dropout(0.2), nn.Linear(32 * 4 * 4, 10)),
    )
    trainer = nn.Trainer(net, nn.CrossEntropyLoss(), metrics="accuracy", max_epochs=20, verbose=1)
    trainer.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    plot_history(trainer, ax=ax).set_title("nn: digits, epoch by epoch")
    score = trainer.history["validation_accuracy"][-1]
    trivial = DummyClassifier().fit(X_train, y_train).score(X_test, y_test)
    return Row("nn", "digits", f"{len(X):,} x 8 x 8", "convolution network", "accuracy", score, trivial)


def sequences(ax):
    """Write the dates of 40 years as ISO 8601 has them, letter by letter."""
    draw = random.Random(0)
    days = [date(1990, 1, 1) + timedelta(i) for i in range(40 * 365)]
    forms = ["%A, %d %B %Y", "%B %d, %Y", "%d %b %Y", "%m/%d/%Y"]
    texts = [day.strftime(draw.choice(forms)) for day in days]
    train, test, y_train, y_test = train_test_split(texts, [day.isoformat() for day in days], random_state=0)
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 2, "dim_feedforward": 64}
    steps = {"max_epochs": 4, "batch_tokens": 1000, "learning_rate": 0.01, "warmup_steps": 100}
    model = TransformerSeq2Seq(**sizes, **steps, tokenizer="char", dropout=0.0, beam_size=1, random_state=0, verbose=1)
    written = model.fit(train, y_train).predict(test)
    _, attention = model.generate(test[:1], sampling="greedy", return_attention=True)
    plot_attention(attention[0], ax=ax).set_title("seq: where it looked")
    return Row(
        "seq", "dates", f"{len(days):,} texts", "TransformerSeq2Seq", "exact", accuracy_score(y_test, written), 0
    )


figure, axes = plt.subplots(2, 4, figsize=(24, 10), layout="constrained")
tour = {
    boosting: axes[0, 0],
    kernel_machines: axes[0, 1],
    linear_models: axes[0, 2],
    word_vectors: axes[1, 0],
    text_features: axes[1, 1],
    network: axes[1, 2],
    sequences: axes[0, 3],
    clusters: axes[1, 3],
}
lines = []
for family, ax in tour.items():
    start = time.perf_counter()
    row = family(ax)
    lines.append(
        f"{row.family:<13}{row.data:<15}{row.size:>16}  {row.model:<21}{row.measure:>15}{row.score:>8.3f}"
        f"{row.trivial:>9.3f}{time.perf_counter() - start:>9.1f}"
    )
print(f"\n{'family':<13}{'data':<15}{'size':>16}  {'model':<21}{'measure':>15}{'score':>8}{'trivial':>9}{'seconds':>9}")
print(*lines, sep="\n")
path = Path("quickstart.png").resolve()
figure.savefig(path, dpi=90)
print(f"\nwhat was learned: {path}")
