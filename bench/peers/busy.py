"""Small and middle fits while other processes want the same cores: ours beside other libraries, idle and busy.

Busy means one process a core that never waits. All libraries get the same data, threads and settings. Two times of a
library are taken in turn with those of the others; one that needs long is run fewer times. What is fitted must be as
good as the peer's, and, where nothing races, the same on an idle and a busy machine.
"""

import os
import signal
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gensim
import lightgbm
import numpy as np
import sklearn.linear_model
import sklearn.svm
import torch
from _bench import machine, parser, table, timed
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

import mlcore
from mlcore import SVC, GBDTClassifier, Lasso, LinearSVC, LogisticRegression, Word2Vec, nn
from mlcore.nn import functional as F

PARTS = ("boosting", "linear_model", "svm", "nn", "embedding")
BUDGET = 4.0
"""Seconds after which a library is not run once more in the same state."""
WORSE = 0.02
"""By how much the quality (a share of right answers, R2) may be below the best peer's."""


@dataclass
class Workload:
    """A fit in several libraries: each gives (quality, arrays that must not change)."""

    name: str
    size: str
    runs: dict[str, Callable[[], tuple[float, list[np.ndarray]]]]
    exact: bool = True
    seconds: dict[tuple[str, bool], list[float]] = field(default_factory=dict)


# ---- the other processes ----

HOG = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(10**6):\n        pass"


@contextmanager
def hogs() -> Iterator[Callable[[bool], None]]:
    """Start a process a core; what is yielded stops them (False) or lets them run (True)."""
    n = mlcore.show_config("dict")["available_cpus"]
    processes = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(n)]

    def work(on: bool) -> None:
        for process in processes:
            process.send_signal(signal.SIGCONT if on else signal.SIGSTOP)

    work(False)
    try:
        yield work
    finally:
        for process in processes:
            process.kill()
            process.wait()


# ---- families ----


def blobs(n: int, d: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(
        n, d, n_informative=d // 2, n_redundant=0, n_classes=classes, class_sep=1.5, random_state=0
    )
    return X, y.astype(np.int64)


def estimator(model: Any, X: Any, y: np.ndarray, threads: int, *names: str) -> Callable[[], Any]:
    """Return a fit of an estimator of either side; the arrays that `names` name must not change."""

    def run() -> tuple[float, list[np.ndarray]]:
        with threadpool_limits(threads):
            model.fit(X, y)
        return float(model.score(X[:2000], y[:2000])), [np.asarray(getattr(model, name)) for name in names]

    return run


def boosting(threads: int) -> Iterator[Workload]:
    for size, n, d, trees in (("small", 1000, 10, 10), ("middle", 50_000, 20, 10)):
        X, y = blobs(n, d)
        ours = GBDTClassifier(n_estimators=trees, early_stopping=False, n_jobs=threads, random_state=0)
        gbm = lightgbm.LGBMClassifier(n_estimators=trees, n_jobs=threads, verbose=-1)
        hgb = HistGradientBoostingClassifier(max_iter=trees, early_stopping=False)
        yield Workload(
            f"GBDTClassifier {n:,} x {d}, {trees} trees",
            size,
            {
                "mlcore": estimator(ours, X, y, threads, "train_score_"),
                "LightGBM": estimator(gbm, X, y, threads),
                "scikit-learn": estimator(hgb, X, y, threads),
            },
        )


def linear_model(threads: int) -> Iterator[Workload]:
    for size, n, d in (("small", 2000, 20), ("middle", 200_000, 50)):
        X, y = blobs(n, d)
        yield Workload(
            f"LogisticRegression {n:,} x {d}",
            size,
            {
                "mlcore": estimator(LogisticRegression(n_jobs=threads), X, y, threads, "coef_"),
                "scikit-learn": estimator(sklearn.linear_model.LogisticRegression(max_iter=1000), X, y, threads),
            },
        )
        target = X @ np.random.default_rng(0).normal(size=d)
        yield Workload(
            f"Lasso {n:,} x {d}",
            size,
            {
                "mlcore": estimator(Lasso(alpha=0.1, n_jobs=threads), X, target, threads, "coef_"),
                "scikit-learn": estimator(sklearn.linear_model.Lasso(alpha=0.1), X, target, threads),
            },
        )


def svm(threads: int) -> Iterator[Workload]:
    for size, n, d in (("small", 500, 10), ("middle", 6000, 20)):
        X, y = blobs(n, d)
        yield Workload(
            f"SVC {n:,} x {d}",
            size,
            {
                "mlcore": estimator(SVC(n_jobs=threads), X, y, threads, "dual_coef_"),
                "scikit-learn": estimator(sklearn.svm.SVC(), X, y, threads),
            },
        )
        yield Workload(
            f"LinearSVC {n:,} x {d}",
            size,
            {
                "mlcore": estimator(LinearSVC(n_jobs=threads), X, y, threads, "coef_"),
                "scikit-learn": estimator(sklearn.svm.LinearSVC(), X, y, threads),
            },
        )


def network(width: int, batch: int, n_batches: int, threads: int) -> dict[str, Callable[[], Any]]:
    """The same training in both libraries: two hidden layers, Adam."""
    X, y = blobs(batch * n_batches, 64, 10)
    X = X.astype(np.float32)
    batches = [slice(i * batch, (i + 1) * batch) for i in range(n_batches)]

    def layers(lib: Any) -> Any:
        return lib.Sequential(
            lib.Linear(64, width), lib.ReLU(), lib.Linear(width, width), lib.ReLU(), lib.Linear(width, 10)
        )

    def start() -> Any:
        torch.manual_seed(0)
        return layers(torch.nn)

    def ours() -> tuple[float, list[np.ndarray]]:
        model = layers(nn)
        model.load_state_dict({name: value.numpy() for name, value in start().state_dict().items()})
        optimizer = nn.optim.Adam(model.parameters(), lr=1e-3)
        with nn.threads(threads):
            for rows in batches:
                optimizer.zero_grad()
                F.cross_entropy(model(nn.Tensor(X[rows])), y[rows]).backward()
                optimizer.step()
            scores = model(nn.Tensor(X[:2000])).numpy()
        return float((scores.argmax(axis=1) == y[:2000]).mean()), [scores]

    def theirs() -> tuple[float, list[np.ndarray]]:
        torch.set_num_threads(threads)
        model = start()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for rows in batches:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(torch.from_numpy(X[rows])), torch.from_numpy(y[rows])).backward()
            optimizer.step()
        scores = model(torch.from_numpy(X[:2000])).detach().numpy()
        return float((scores.argmax(axis=1) == y[:2000]).mean()), []

    return {"mlcore": ours, "PyTorch": theirs}


def neural(threads: int) -> Iterator[Workload]:
    yield Workload("64-128-128-10, 50 batches of 64", "small", network(128, 64, 50, threads))
    yield Workload("64-512-512-10, 30 batches of 512", "middle", network(512, 512, 30, threads))


def embedding(threads: int) -> Iterator[Workload]:
    for size, n in (("small", 500), ("middle", 4000)):
        rng = np.random.default_rng(0)
        words = (1000 * rng.random((n, 25)) ** 3).astype(int)
        sentences = [[f"w{word}" for word in sentence] for sentence in words]
        options = {"vector_size": 64, "min_count": 1, "sg": 1, "negative": 5, "seed": 0}

        def ours(sentences: Any = sentences) -> tuple[float, list[np.ndarray]]:
            model = Word2Vec(64, min_count=1, epochs=2, n_jobs=threads, random_state=0).fit(sentences)
            return float(np.isfinite(model.vectors_).all()), []

        def theirs(sentences: Any = sentences, options: dict[str, int] = options) -> tuple[float, list[np.ndarray]]:
            model = gensim.models.Word2Vec(sentences, epochs=2, workers=threads, **options)
            return float(np.isfinite(model.wv.vectors).all()), []

        yield Workload(f"Word2Vec {25 * n:,} words", size, {"mlcore": ours, "gensim": theirs}, exact=False)


# ---- tables ----


def measure(work: Workload, repeats: int, switch: Callable[[bool], None]) -> None:
    """Take the times, and check that all is right."""
    quality: dict[str, float] = {}
    seen: dict[str, list[np.ndarray]] = {}
    for busy in (False, True):
        switch(busy)
        for turn in range(repeats + (not busy)):
            for name, run in work.runs.items():
                taken = work.seconds.setdefault((name, busy), [])
                if sum(taken) > BUDGET:
                    continue
                seconds, (quality[name], arrays) = timed(run)
                if busy or turn > 0:  # the first one starts threads and loads what is loaded late
                    taken.append(seconds)
                first = seen.setdefault(name, arrays)
                if work.exact:
                    for a, b in zip(first, arrays, strict=True):
                        np.testing.assert_array_equal(a, b, err_msg=f"{work.name}: {name} depends on the load")
        switch(False)
    best = max(value for name, value in quality.items() if name != "mlcore")
    assert quality["mlcore"] >= best - WORSE, f"{work.name}: quality {quality['mlcore']}, of a peer {best}"


def show(title: str, works: Iterator[Workload], repeats: int, switch: Callable[[bool], None]) -> None:
    lines = []
    for work in works:
        measure(work, repeats, switch)
        ours = {busy: statistics.median(work.seconds["mlcore", busy]) for busy in (False, True)}
        for name in work.runs:
            idle, busy = (statistics.median(work.seconds[name, state]) for state in (False, True))
            lines.append([work.name, work.size, name, idle, busy, busy / idle, ours[False] / idle, ours[True] / busy])
    columns = ["fit", "size", "library", "idle, s", "busy, s", "busy / idle", "mlcore / it, idle", "mlcore / it, busy"]
    table(title, columns, lines)


def main() -> None:
    warnings.filterwarnings("ignore")
    args = parser(__doc__.splitlines()[0], PARTS).parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    print(machine(args.threads, ("lightgbm", "scikit-learn", "torch", "gensim")))
    families = {
        "boosting": boosting,
        "linear_model": linear_model,
        "svm": svm,
        "nn": neural,
        "embedding": embedding,
    }
    with hogs() as switch:
        for part in args.parts or PARTS:
            show(f"{part}: one busy process a core", families[part](args.threads), args.repeats, switch)


if __name__ == "__main__":
    main()
