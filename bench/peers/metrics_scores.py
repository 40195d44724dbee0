"""Metrics of scores beside scikit-learn: speed, growth with the number of rows, calls on ten rows.

The figures of both are compared before a line is printed: areas within 1e-12, curves bit for bit. The bootstrap is
beside a loop over scikit-learn's `roc_auc_score` of drawn rows; its interval ends are compared loosely,
because the draws differ.
"""

import timeit
import warnings
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sklearn.metrics as peer
from _bench import machine, medians, parser, table
from sklearn.calibration import calibration_curve

from mlcore import metrics

PARTS = ("scores", "growth", "small")


def same(ours: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    """Raise where figures differ."""
    for a, b in zip(ours, theirs, strict=True) if isinstance(ours, tuple) else [(ours, theirs)]:
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def binary(n: int, kind: str = "even") -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores of n rows, of which 30 % are positive."""
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.3).astype(np.int64)
    scores = np.clip(0.5 + 0.2 * rng.normal(size=n) + 0.15 * y, 0, 1)
    if kind == "ties":
        scores = np.round(scores, 2)
    return y, scores.astype(np.float32) if kind == "float32" else scores


def drawn_areas(y: np.ndarray, scores: np.ndarray, n_resamples: int) -> np.ndarray:
    """Return what one would write: scikit-learn's area of drawn rows, again and again."""
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(n_resamples):
        rows = rng.integers(0, len(y), len(y))
        areas.append(peer.roc_auc_score(y[rows], scores[rows]))
    return np.array(areas)


def line(
    text: str, ours: Callable[[], Any], theirs: Callable[[], Any], args: Namespace, check: Callable[..., None] = same
) -> list[Any]:
    """Return a line of the table, after a comparison of the figures."""
    found = medians({"ours": ours, "theirs": theirs}, args.repeats)
    check(found["ours"][1], found["theirs"][1])
    a, b = found["ours"][0], found["theirs"][0]
    return [text, a * 1e3, b * 1e3, b / a]


def named(args: Namespace, text: str, name: str, *columns: Any, **kwargs: Any) -> list[Any]:
    """Return the line of a function that both have."""
    ours = partial(getattr(metrics, name), *columns, **kwargs)
    theirs = partial(getattr(peer, name), *columns, **kwargs)
    return line(name + text, ours, theirs, args)


def scores(args: Namespace) -> None:
    """Print the metrics of large inputs."""
    n = 1_000_000
    y, s = binary(n)
    weight = np.random.default_rng(1).random(n)
    rng = np.random.default_rng(2)
    classes, p = rng.integers(0, 10, 200_000), rng.random((200_000, 10))
    p /= p.sum(axis=1, keepdims=True)
    gains, ranking = rng.integers(0, 5, (20_000, 100)), rng.random((20_000, 100))
    relevant, size = (gains > 3).astype(int), ", 20,000 x 100"
    few, few_scores = binary(100_000)

    def check(ours: metrics.BootstrapInterval, theirs: np.ndarray) -> None:
        low, high = np.quantile(theirs, [0.025, 0.975])
        if max(abs(ours.low - low), abs(ours.high - high)) > 0.4 * (high - low):  # quantiles of 100 numbers
            raise AssertionError((ours.interval, (low, high)))

    rows = [
        named(args, "", "roc_auc_score", y, s),
        named(args, ", float32", "roc_auc_score", *binary(n, "float32")),
        named(args, ", 101 values", "roc_auc_score", *binary(n, "ties")),
        named(args, ", weights", "roc_auc_score", y, s, sample_weight=weight),
        named(args, ", max_fpr", "roc_auc_score", y, s, max_fpr=0.1),
        named(args, "", "average_precision_score", y, s),
        named(args, "", "roc_curve", y, s),
        named(args, "", "precision_recall_curve", y, s),
        named(args, "", "det_curve", y, s),
        line("calibration_curve", partial(metrics.calibration_curve, y, s), partial(calibration_curve, y, s), args),
        named(args, " ovr, 200,000 x 10", "roc_auc_score", classes, p, multi_class="ovr"),
        named(args, " ovo, 200,000 x 10", "roc_auc_score", classes, p, multi_class="ovo"),
        named(args, " k=10" + size, "ndcg_score", gains, ranking, k=10),
        named(args, size, "ndcg_score", gains, ranking),
        named(args, size, "label_ranking_average_precision_score", relevant, ranking),
        named(args, size, "label_ranking_loss", relevant, ranking),
        named(args, size, "coverage_error", relevant, ranking),
        named(args, " k=3, 200,000 x 10", "top_k_accuracy_score", classes, p, k=3),
        line(
            "bootstrap of roc_auc, 100 x 100,000",
            partial(metrics.bootstrap, "roc_auc", few, few_scores, n_resamples=100, random_state=0),
            partial(drawn_areas, few, few_scores, 100),
            args,
            check,
        ),
    ]
    table("Metrics of scores, 1,000,000 rows where nothing else is said", ["", "ms", "scikit-learn ms", "times"], rows)


def growth(args: Namespace) -> None:
    """Print how the time grows with the number of rows."""
    rows = []
    for n in (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        _, ours, theirs, times = named(args, "", "roc_auc_score", *binary(n))
        rows.append([f"{n:,}", ours, ours * 1e6 / n, theirs, times])
    table("roc_auc_score", ["rows", "ms", "ns a row", "scikit-learn ms", "times"], rows)


def small(args: Namespace) -> None:
    """Print calls on ten rows."""
    rng = np.random.default_rng(3)
    y, s = np.arange(10) % 2, rng.random(10)
    classes, p = np.arange(10) % 3, rng.random((10, 3))
    p /= p.sum(axis=1, keepdims=True)
    relevant, t = (rng.random((10, 5)) < 0.5).astype(int), rng.random((10, 5))
    rows = []
    for name, arguments, kwargs in (
        ("roc_auc_score", (y, s), {}),
        ("roc_auc_score", (classes, p), {"multi_class": "ovr"}),
        ("average_precision_score", (y, s), {}),
        ("roc_curve", (y, s), {}),
        ("precision_recall_curve", (y, s), {}),
        ("det_curve", (y, s), {}),
        ("confusion_matrix_at_thresholds", (y, s), {}),
        ("ndcg_score", (relevant, t), {}),
        ("label_ranking_loss", (relevant, t), {}),
        ("top_k_accuracy_score", (classes, p), {}),
    ):
        ours, theirs = getattr(metrics, name), getattr(peer, name)
        same(ours(*arguments, **kwargs), theirs(*arguments, **kwargs))
        a, b = (
            min(timeit.repeat(lambda f=f, x=arguments, k=kwargs: f(*x, **k), number=number, repeat=5)) / number
            for f, number in ((ours, 500), (theirs, 20))
        )
        rows.append([name + "".join(f", {value}" for value in kwargs.values()), a * 1e6, b * 1e6, b / a])
    table("Ten rows", ["", "us", "scikit-learn us", "times"], rows)


def main() -> None:
    """Print the tables that are asked for."""
    args = parser(__doc__ or "", PARTS).parse_args()
    warnings.filterwarnings("ignore")
    print(machine(args.threads, ["scikit-learn", "numpy"]))
    for part in args.parts or PARTS:
        {"scores": scores, "growth": growth, "small": small}[part](args)


if __name__ == "__main__":
    main()
