"""Metrics beside scikit-learn: time, and the same figures.

Labels and probabilities of 1 million rows, numbers of 1 million rows, indices of clusterings of 20,000 rows and
comparisons of labellings of 1 million, calls on ten rows, and growth from 1e3 to 1e7 rows. Every figure is asserted to
be scikit-learn's within 1e-9 before the clock starts; a report must be the same text. scikit-learn's metrics have no
option for threads; ours use all CPUs that this process may use, so `--threads` here sets the affinity of the process.
"""

import os
import timeit
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.metrics as peer
from _bench import machine, medians, parser, table

from mlcore import metrics

PARTS = ("labels", "numbers", "clusters", "small", "growth")

Case = tuple[str, str, Callable[[Any, dict[str, Any]], Any]]
"""A name, what it is of, and the call on a module and the columns."""


def columns(n: int, k: int = 10) -> dict[str, Any]:
    """Return columns of n rows: labels of 2 and of k kinds, predictions, probabilities, weights, numbers."""
    rng = np.random.default_rng(0)
    t = rng.integers(0, 2, n)
    many = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])  # every label occurs
    numbers = rng.gamma(2.0, 1.0, n) + 0.1
    return {
        "t": t,
        "p": np.where(rng.random(n) < 0.8, t, 1 - t),
        "score": np.clip(0.5 * t + 0.5 * rng.random(n), 0, 1),
        "w": rng.random(n),
        "many": many,
        "many_p": np.where(rng.random(n) < 0.7, many, rng.integers(0, k, n)),
        "proba": rng.dirichlet(np.ones(k), n),
        "y": numbers,
        "y_p": numbers * rng.gamma(20.0, 1 / 20, n),
    }


def named(name: str, of: str, *arguments: str, **options: Any) -> Case:
    """Return the call of one function on columns, which also stand for words among the options."""

    def call(module: Any, data: dict[str, Any]) -> Any:
        given = {key: data[value] if key == "sample_weight" else value for key, value in options.items()}
        return getattr(module, name)(*(data[a] for a in arguments), **given)

    return name, of, call


LABELS = [
    named("accuracy_score", "2 labels", "t", "p"),
    named("f1_score", "2 labels", "t", "p"),
    named("f1_score", "2 labels, weights", "t", "p", sample_weight="w"),
    named("f1_score", "10 labels, macro", "many", "many_p", average="macro"),
    named("balanced_accuracy_score", "10 labels", "many", "many_p"),
    named("confusion_matrix", "2 labels", "t", "p"),
    named("confusion_matrix", "10 labels", "many", "many_p"),
    named("matthews_corrcoef", "10 labels", "many", "many_p"),
    named("cohen_kappa_score", "10 labels, quadratic", "many", "many_p", weights="quadratic"),
    named("classification_report", "10 labels", "many", "many_p"),
    named("log_loss", "2 labels", "t", "score"),
    named("log_loss", "10 labels", "many", "proba"),
    named("brier_score_loss", "2 labels", "t", "score"),
    named("hinge_loss", "2 labels", "t", "y"),
]

NUMBERS = [
    named("mean_squared_error", "", "y", "y_p"),
    named("mean_squared_error", "weights", "y", "y_p", sample_weight="w"),
    named("mean_absolute_error", "", "y", "y_p"),
    named("median_absolute_error", "", "y", "y_p"),
    named("mean_absolute_percentage_error", "", "y", "y_p"),
    named("mean_squared_log_error", "", "y", "y_p"),
    named("r2_score", "", "y", "y_p"),
    named("explained_variance_score", "", "y", "y_p"),
    named("mean_pinball_loss", "", "y", "y_p"),
    named("mean_poisson_deviance", "", "y", "y_p"),
    named("mean_gamma_deviance", "", "y", "y_p"),
    named("d2_absolute_error_score", "", "y", "y_p"),
    named("max_error", "", "y", "y_p"),
]


CLUSTERS = [
    named("silhouette_score", "16 features, 10 clusters", "X", "c"),
    named("silhouette_score", "manhattan", "X", "c", metric="manhattan"),
    named("silhouette_score", "squared Euclidean", "X", "c", metric="sqeuclidean"),
    named("silhouette_score", "cosine", "X", "c", metric="cosine"),
    named("silhouette_score", "300 clusters", "X", "fine"),
    named("calinski_harabasz_score", "10 clusters", "X", "c"),
    named("davies_bouldin_score", "10 clusters", "X", "c"),
    named("davies_bouldin_score", "300 clusters", "X", "fine"),
]

LABELLINGS = [
    named(name, "10 labels", "many", "many_p")
    for name in (
        "adjusted_rand_score",
        "rand_score",
        "mutual_info_score",
        "normalized_mutual_info_score",
        "adjusted_mutual_info_score",
        "v_measure_score",
        "homogeneity_completeness_v_measure",
        "fowlkes_mallows_score",
    )
]


def require_same(name: str, ours: Any, theirs: Any) -> None:
    """Raise if a figure is not scikit-learn's.

    Its Euclidean and cosine distances are expanded squares, so that its silhouettes are good to 1e-8 or so; ours are
    differences.
    """
    tolerance = 1e-7 if name == "silhouette_score" else 1e-9
    if isinstance(theirs, str):
        same = ours == theirs
    else:
        same = np.allclose(
            np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=tolerance, equal_nan=True
        )
    if not same:
        raise AssertionError(f"{name}: {ours!r} is not {theirs!r}")


def points(n: int, d: int = 16) -> dict[str, Any]:
    """Return n rows around ten centres, the centre of each, and 300 random labels."""
    rng = np.random.default_rng(0)
    c = rng.integers(0, 10, n)
    fine = np.concatenate([np.arange(300), rng.integers(0, 300, n - 300)])
    return {"X": rng.normal(size=(10, d))[c] * 3 + rng.normal(size=(n, d)), "c": c, "fine": fine}


def side_by_side(cases: list[Case], data: dict[str, Any], n: int, repeats: int) -> None:
    """Print milliseconds of both libraries."""
    rows = []
    for name, of, call in cases:
        require_same(name, call(metrics, data), call(peer, data))
        runs = {"mlcore": lambda c=call: c(metrics, data), "scikit-learn": lambda c=call: c(peer, data)}
        found = {library: seconds * 1e3 for library, (seconds, _) in medians(runs, max(repeats, 5)).items()}
        rows.append((name, of, found["mlcore"], found["scikit-learn"], found["scikit-learn"] / found["mlcore"]))
    table(f"{n:,} rows, ms", ("metric", "of", "mlcore", "scikit-learn", "ratio"), rows)


def small(cases: list[Case]) -> None:
    """Print microseconds of calls on ten rows."""
    data = columns(10, k=3)
    rows = []
    for name, of, call in cases:
        require_same(name, call(metrics, data), call(peer, data))
        ours = min(timeit.repeat(lambda c=call: c(metrics, data), number=500, repeat=5)) / 500 * 1e6
        theirs = min(timeit.repeat(lambda c=call: c(peer, data), number=20, repeat=3)) / 20 * 1e6
        rows.append((name, of.replace("10 labels", "3 labels"), ours, theirs, theirs / ours))
    table("10 rows, us", ("metric", "of", "mlcore", "scikit-learn", "ratio"), rows)


def growth(repeats: int) -> None:
    """Print nanoseconds a row as rows grow."""
    rows = []
    chosen = [LABELS[1], LABELS[6], LABELS[10], NUMBERS[0], NUMBERS[3]]
    for n in (10**3, 10**4, 10**5, 10**6, 10**7):
        data = columns(n, k=10 if n < 10**7 else 2)
        for name, of, call in chosen:
            ours = medians({"": lambda c=call, d=data: c(metrics, d)}, max(repeats, 5))[""][0]
            rows.append((name, of, f"{n:,}", ours * 1e3, ours / n * 1e9))
    table("growth of mlcore", ("metric", "of", "rows", "ms", "ns a row"), sorted(rows, key=lambda row: row[0]))


def main() -> None:
    """Print the tables asked for."""
    options = parser(__doc__.splitlines()[0], PARTS).parse_args()
    cpus = sorted(os.sched_getaffinity(0))[: options.threads]
    os.sched_setaffinity(0, cpus)
    print(machine(len(cpus), ["scikit-learn", "numpy"]))
    warnings.simplefilter("ignore")
    parts = options.parts or PARTS
    if "labels" in parts:
        side_by_side(LABELS, columns(10**6), 10**6, options.repeats)
    if "numbers" in parts:
        side_by_side(NUMBERS, columns(10**6), 10**6, options.repeats)
    if "clusters" in parts:
        side_by_side(CLUSTERS, points(20_000), 20_000, options.repeats)
        side_by_side(LABELLINGS, columns(10**6), 10**6, options.repeats)
    if "small" in parts:
        small(LABELS + NUMBERS + LABELLINGS)
    if "growth" in parts:
        growth(options.repeats)


if __name__ == "__main__":
    main()
