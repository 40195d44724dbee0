"""Clustering beside scikit-learn, scikit-learn-intelex, hdbscan and fast_hdbscan: speed, memory, what is found.

All libraries get the same rows, of float64 where nothing else is said, the same settings and the same number of
threads. KMeans starts from the same centers everywhere and makes the same iterations; the inertia of its labels is
compared. The partitions of DBSCAN and of the cut trees must be the same, those of HDBSCAN are compared by the adjusted
Rand index: ties between distances may decide. fast_hdbscan is compiled before the clock starts. A library that needs
longer than `--limit` seconds on a workload is run once.

The part `quality` asks each method for its own choice of the number of clusters on data sets with reference partitions
(Gagolews, "A framework for benchmarking clustering algorithms", SoftwareX, 2022), where they are at hand.
"""

import json
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import fast_hdbscan
import hdbscan
import numpy as np
import sklearn.cluster
import sklearn.metrics
import sklearn.mixture
import sklearnex.cluster
from _bench import DATA, in_child, machine, memory_mb, parser, reset_peak, table, timed
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

import mlcore.cluster
import mlcore.metrics

PARTS = (
    *("kmeans", "start", "minibatch", "mixture", "hdbscan", "dbscan", "agglomerative", "silhouette", "choose"),
    *("growth", "quality"),
)


# ---- data ------------------------------------------------------------------------------------------------------------


@cache
def blobs(n: int, d: int, centers: int, std: float = 1.0, dtype: str = "float64") -> np.ndarray:
    """Rows of normal groups, centers uniform in [-10, 10]."""
    return make_blobs(n, d, centers=centers, cluster_std=std, random_state=0)[0].astype(dtype)


@cache
def noise(n: int, d: int, dtype: str = "float64") -> np.ndarray:
    """Rows without groups: no label settles for long."""
    return np.random.default_rng(0).normal(size=(n, d)).astype(dtype)


@cache
def birch1() -> np.ndarray:
    """100,000 points of 100 normal groups on a grid, each column divided by its deviation."""
    path = DATA / "cluster/sipu_birch1.npz"
    if not path.exists():
        return blobs(100_000, 2, 100, 0.5)
    X = np.load(path)["X"].astype(np.float64)
    return X / X.std(axis=0)


# ---- comparing -------------------------------------------------------------------------------------------------------


@dataclass
class Workload:
    """One task, and how each library does it; a way returns what its quality is judged by."""

    name: str
    target: float
    ways: dict[str, Callable[[], Any]]
    """The first is ours."""
    agreement: Callable[[Any, Any], float]
    """Of our result with another library's, 1 where they are the same; NaN where there is nothing to compare."""
    at_least: float = 1.0
    """Of the agreement with that of the others which is closest."""


def seconds_of(workload: Workload, options: Namespace) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds of each library, in turn; those beyond the limit once."""
    seconds: dict[str, list[float]] = {name: [] for name in workload.ways}
    results: dict[str, Any] = {}
    for _ in range(options.repeats):
        for name, way in workload.ways.items():
            if seconds[name] and seconds[name][0] > options.limit:
                continue
            took, results[name] = timed(way)
            seconds[name].append(took)
    return {name: float(np.median(s)) for name, s in seconds.items()}, results


def compare(title: str, part: str, workloads: list[Workload], options: Namespace) -> None:
    """Print seconds, agreement and peak memory of all libraries on some workloads."""
    columns = ["workload", "library", "seconds", "times mlcore", "target", "agreement", "MB at the peak"]
    rows: list[list[Any]] = []
    for i, workload in enumerate(workloads):
        seconds, results = seconds_of(workload, options)
        (ours, *others) = workload.ways
        fastest = min(others, key=seconds.__getitem__)
        closest = max(workload.agreement(results[ours], results[name]) for name in others)
        assert np.isnan(closest) or closest >= workload.at_least, (workload.name, closest)
        for name in workload.ways:
            agreement = workload.agreement(results[ours], results[name])
            peak = in_child(__file__, "--peak", part, str(i), name, str(options.threads))
            target = workload.target if name == fastest else ""
            rows.append([workload.name, name, seconds[name], seconds[name] / seconds[ours], target, agreement, peak])
    table(title, columns, rows)


def peak_of(part: str, number: str, name: str, threads: str) -> None:
    """In a process of its own: MB that one run adds at its peak."""
    way = WORKLOADS[part](int(threads))[int(number)].ways[name]
    reset_peak()
    before = memory_mb("VmRSS")
    way()
    print(json.dumps(memory_mb("VmHWM") - before))


def same_partition(a: np.ndarray, b: np.ndarray) -> float:
    return float(adjusted_rand_score(a, b))


def same_inertia(a: float, b: float) -> float:
    """1 where ours is not above the other one by more than a millionth of it."""
    return 1.0 if a <= b * (1 + 1e-6) else b / a


# ---- the workloads ---------------------------------------------------------------------------------------------------


def kmeans_workload(name: str, X: np.ndarray, k: int, n_iter: int, target: float, threads: int) -> Workload:
    start = X[np.random.default_rng(1).choice(len(X), k, replace=False)].copy()
    options = {"n_clusters": k, "init": start, "n_init": 1, "max_iter": n_iter, "tol": 0.0}

    def ours() -> float:
        return float(mlcore.cluster.KMeans(**options, n_jobs=threads).fit(X).inertia_)

    def theirs(cls: Any, **more: Any) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(cls(**options, **more).fit(X).inertia_)

    ways = {
        "mlcore": ours,
        "scikit-learn lloyd": partial(theirs, sklearn.cluster.KMeans, algorithm="lloyd"),
        "scikit-learn elkan": partial(theirs, sklearn.cluster.KMeans, algorithm="elkan"),
        "scikit-learn-intelex": partial(theirs, sklearnex.cluster.KMeans),
    }
    name = f"{name}, {len(X):,} x {X.shape[1]} {X.dtype}, k {k}, {n_iter} iterations"
    at_least = 1.0 if X.dtype == np.float64 else 0.999  # labels that others round in float32 lead elsewhere
    return Workload(name, target, ways, same_inertia, at_least)


def kmeans_workloads(threads: int) -> list[Workload]:
    return [
        kmeans_workload("no groups", noise(200_000, 32, "float32"), 50, 50, 3, threads),
        kmeans_workload("no groups", noise(200_000, 32), 50, 50, 3, threads),
        kmeans_workload("groups", blobs(200_000, 32, 50, 4.0), 50, 50, 5, threads),
        kmeans_workload("no groups", noise(1_000_000, 16, "float32"), 256, 20, 3, threads),
        kmeans_workload("groups", blobs(1_000_000, 16, 256, 2.0, "float32"), 256, 50, 5, threads),
    ]


def start_workload(X: np.ndarray, k: int, threads: int) -> Workload:
    """Inertia after no iteration is the potential of the start: it is random, and compared within a few percent."""

    def ours() -> float:
        return potential(X, mlcore.cluster.kmeans_plusplus(X, k, random_state=0, n_jobs=threads)[0])

    def sklearn_() -> float:
        return potential(X, sklearn.cluster.kmeans_plusplus(X, k, random_state=0)[0])

    ways = {"mlcore": ours, "scikit-learn": sklearn_}
    name = f"k-means++, {len(X):,} x {X.shape[1]} {X.dtype}, k {k}"
    return Workload(name, 3, ways, lambda a, b: b / a, at_least=0.95)


def potential(X: np.ndarray, centers: np.ndarray) -> float:
    """Of the first rows: cheap beside the search itself."""
    return float(sklearn.metrics.pairwise_distances(X[:2000], centers, metric="sqeuclidean").min(axis=1).sum())


def start_workloads(threads: int) -> list[Workload]:
    return [
        start_workload(noise(200_000, 32, "float32"), 50, threads),
        start_workload(blobs(200_000, 32, 50, 4.0), 50, threads),
        start_workload(noise(1_000_000, 16, "float32"), 256, threads),
    ]


def mini_batch_workloads(threads: int) -> list[Workload]:
    """Defaults on both sides; starts and batches are random, so that inertia is compared within a tenth."""
    X = blobs(1_000_000, 16, 64, 2.0)

    def inertia(cls: Any, **more: Any) -> float:
        return float(cls(64, random_state=0, **more).fit(X).inertia_)

    ways = {
        "mlcore": partial(inertia, mlcore.cluster.MiniBatchKMeans, n_jobs=threads),
        "scikit-learn": partial(inertia, sklearn.cluster.MiniBatchKMeans),
    }
    return [Workload("mini-batches, 1,000,000 x 16, k 64", 2, ways, lambda a, b: min(1.0, b / a), at_least=0.9)]


def mixture_workload(kind: str, threads: int) -> Workload:
    """The same means and 20 iterations; the mean log-likelihood per row is compared."""
    k, X = 10, blobs(100_000, 8, 10, 2.0)
    start = X[np.random.default_rng(1).choice(len(X), k, replace=False)]
    precisions = {"full": np.tile(np.eye(8) / 8, (k, 1, 1)), "diag": np.full((k, 8), 1 / 8)}[kind]
    options = {"weights_init": np.full(k, 1 / k), "means_init": start, "precisions_init": precisions}
    options |= {"covariance_type": kind, "max_iter": 20, "tol": 0.0}

    def likelihood(cls: Any, **more: Any) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(cls(k, **options, **more).fit(X).lower_bound_)

    ways = {
        "mlcore": partial(likelihood, mlcore.cluster.GaussianMixture, n_jobs=threads),
        # its start is computed from k-means even where it is given: rows are the cheapest
        "scikit-learn": partial(likelihood, sklearn.mixture.GaussianMixture, init_params="random_from_data"),
    }
    agreement = lambda a, b: 1.0 if abs(a - b) <= 1e-6 * abs(b) else 0.0  # noqa: E731
    return Workload(f"mixture, {kind}, 100,000 x 8, k {k}, 20 iterations", 2, ways, agreement)


def mixture_workloads(threads: int) -> list[Workload]:
    return [mixture_workload(kind, threads) for kind in ("full", "diag")]


def hdbscan_workload(name: str, X: np.ndarray, target: float, threads: int, *, sklearn_too: bool) -> Workload:
    """`min_samples` counts the point itself with us and in scikit-learn, and does not in the other two.

    hdbscan's spanning tree is approximate by default, so that it may find other clusters where groups overlap; with its
    exact tree, and in fast_hdbscan and scikit-learn, labels agree with ours but where distances are equal.
    """

    def labels(cls: Any, own: int, **more: Any) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(cls(min_cluster_size=20, min_samples=10 - own, **more).fit(X).labels_)

    ways = {
        "mlcore": partial(labels, mlcore.cluster.HDBSCAN, 0, n_jobs=threads),
        "hdbscan": partial(labels, hdbscan.HDBSCAN, 1, core_dist_n_jobs=threads),
    }
    if X.shape[1] <= 16:
        ways["fast_hdbscan"] = partial(labels, fast_hdbscan.HDBSCAN, 1)
    if sklearn_too:
        ways["scikit-learn"] = partial(labels, sklearn.cluster.HDBSCAN, 0, n_jobs=threads, copy=False)
    return Workload(f"HDBSCAN, {name}, {len(X):,} x {X.shape[1]}", target, ways, same_partition, at_least=0.9)


def hdbscan_workloads(threads: int) -> list[Workload]:
    return [
        hdbscan_workload("birch1", birch1(), 8, threads, sklearn_too=False),
        hdbscan_workload("blobs", blobs(50_000, 8, 30, 1.5), 3, threads, sklearn_too=True),
        hdbscan_workload("blobs", blobs(20_000, 64, 30, 2.0), 3, threads, sklearn_too=True),
    ]


def dbscan_workload(name: str, X: np.ndarray, eps: float, threads: int) -> Workload:
    options = {"eps": eps, "min_samples": 10}

    def labels(cls: Any) -> np.ndarray:
        return np.asarray(cls(**options, n_jobs=threads).fit(X).labels_)

    ways = {
        "mlcore": partial(labels, mlcore.cluster.DBSCAN),
        "scikit-learn": partial(labels, sklearn.cluster.DBSCAN),
        "scikit-learn-intelex": partial(labels, sklearnex.cluster.DBSCAN),
    }
    return Workload(f"DBSCAN, {name}, {len(X):,} x {X.shape[1]}, eps {eps}", 4, ways, same_partition, at_least=1 - 1e-9)


def dbscan_workloads(threads: int) -> list[Workload]:
    return [
        dbscan_workload("birch1", birch1(), 0.02, threads),
        dbscan_workload("blobs", blobs(50_000, 8, 30, 1.5), 3.0, threads),
        dbscan_workload("blobs", blobs(20_000, 64, 30, 2.0), 20.0, threads),
    ]


def agglomerative_workload(linkage: str, X: np.ndarray, threads: int, name: str = "blobs") -> Workload:
    import scipy.cluster.hierarchy

    def ours() -> np.ndarray:
        model = mlcore.cluster.AgglomerativeClustering(n_clusters=30, linkage=linkage, n_jobs=threads)
        return np.asarray(model.fit(X).labels_)

    def sklearn_() -> np.ndarray:
        return np.asarray(sklearn.cluster.AgglomerativeClustering(n_clusters=30, linkage=linkage).fit(X).labels_)

    def scipy_() -> np.ndarray:
        tree = scipy.cluster.hierarchy.linkage(X, linkage)
        return np.asarray(scipy.cluster.hierarchy.fcluster(tree, 30, "maxclust"))

    ways = {"mlcore": ours, "scikit-learn": sklearn_, "SciPy": scipy_}
    return Workload(f"{linkage}, {name}, {len(X):,} x {X.shape[1]}", 3, ways, same_partition, at_least=1 - 1e-9)


def agglomerative_workloads(threads: int) -> list[Workload]:
    X = blobs(20_000, 8, 30, 1.5)
    found = [agglomerative_workload(linkage, X, threads) for linkage in ("ward", "average", "complete", "single")]
    for n, d in ((2000, 256), (5000, 64)):
        found.append(agglomerative_workload("ward", blobs(n, d, 30, 1.5), threads))
        found.append(agglomerative_workload("ward", noise(n, d), threads, "noise"))
    return found


def silhouette_workloads(threads: int) -> list[Workload]:
    X = blobs(20_000, 16, 20, 2.0)
    labels = sklearn.cluster.KMeans(20, n_init=1, random_state=0).fit(X).labels_
    ways = {
        "mlcore": lambda: mlcore.metrics.silhouette_score(X, labels),
        "scikit-learn": lambda: sklearn.metrics.silhouette_score(X, labels),
    }
    return [Workload("silhouette, 20,000 x 16", 20, ways, lambda a, b: 1.0 if abs(a - b) < 1e-6 else 0.0)]


def choose_workloads(threads: int) -> list[Workload]:
    """The same criterion for the same k: the silhouette of a sample, the indices in O(n k d) of all rows."""
    X = blobs(100_000, 16, 12, 2.0)
    ks = range(2, 21)

    def ours() -> int:
        model = mlcore.cluster.KMeans(random_state=0, n_jobs=threads, n_init=3)
        return int(mlcore.cluster.choose_k(X, model, ks, criterion="calinski_harabasz").best_k)

    def sklearn_(cls: Any) -> int:
        found = {}
        for k in ks:
            labels = cls(k, n_init=3, random_state=0).fit(X).labels_
            found[k] = sklearn.metrics.calinski_harabasz_score(X, labels)
            sklearn.metrics.davies_bouldin_score(X, labels)
            sklearn.metrics.silhouette_score(X, labels, sample_size=5000, random_state=0)
        return max(found, key=found.__getitem__)

    ways = {
        "mlcore": ours,
        "scikit-learn": partial(sklearn_, sklearn.cluster.KMeans),
        "scikit-learn-intelex": partial(sklearn_, sklearnex.cluster.KMeans),
    }
    return [Workload("choose k of 2 .. 20, 100,000 x 16", 10, ways, lambda a, b: float(a == b))]


def growth_workloads(threads: int) -> list[Workload]:
    """The million rows come last: `--first 19` leaves them out."""
    dimensions = (blobs(20_000, d, 30) for d in (2, 4, 8, 16, 32, 64, 128))
    found = [hdbscan_workload("dimensions", X, 3, threads, sklearn_too=False) for X in dimensions]
    for n in (10_000, 100_000, 1_000_000):
        for d in (2, 8):
            X = blobs(n, d, 50)
            found.append(dbscan_workload("growth", X, 0.1 if d == 2 else 1.5, threads))
            found.append(hdbscan_workload("growth", X, 8 if d == 2 else 3, threads, sklearn_too=False))
            found.append(kmeans_workload("growth", X, 50, 20, 3, threads))
    return found


WORKLOADS: dict[str, Callable[[int], list[Workload]]] = {
    "kmeans": kmeans_workloads,
    "start": start_workloads,
    "minibatch": mini_batch_workloads,
    "mixture": mixture_workloads,
    "hdbscan": hdbscan_workloads,
    "dbscan": dbscan_workloads,
    "agglomerative": agglomerative_workloads,
    "silhouette": silhouette_workloads,
    "choose": choose_workloads,
    "growth": growth_workloads,
}
TITLES = {
    "kmeans": "KMeans from the same centers",
    "start": "the start of KMeans",
    "minibatch": "MiniBatchKMeans at its defaults",
    "mixture": "GaussianMixture from the same means",
    "hdbscan": "HDBSCAN, min_cluster_size 20, min_samples 10",
    "dbscan": "DBSCAN, min_samples 10",
    "agglomerative": "trees, cut into 30",
    "silhouette": "silhouette",
    "choose": "the number of clusters",
    "growth": "growth with rows and dimensions",
}


# ---- quality: each method's own choice of the number of clusters -----------------------------------------------------


def methods() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Each at its defaults: what a user gets who does not know the number of clusters.

    hdbscan counts one neighbour more than scikit-learn and we do where `min_samples` is not given.
    """

    def mixture(X: np.ndarray) -> np.ndarray:
        model = mlcore.cluster.GaussianMixture(random_state=0)
        return np.asarray(mlcore.cluster.choose_k(X, model, range(1, 41), criterion="bic").best_estimator.predict(X))

    def auto(criterion: str, X: np.ndarray) -> np.ndarray:
        model = mlcore.cluster.KMeans("auto", k_max=40, criterion=criterion, random_state=0)
        return np.asarray(model.fit(X).labels_)

    def sklearn_silhouette(X: np.ndarray) -> np.ndarray:
        sample = np.random.default_rng(0).choice(len(X), min(len(X), 5000), replace=False)
        found = [sklearn.cluster.KMeans(k, n_init=3, random_state=0).fit(X) for k in range(2, 41)]
        scores = [sklearn.metrics.silhouette_score(X[sample], model.labels_[sample]) for model in found]
        return np.asarray(found[int(np.argmax(scores))].labels_)

    def exact_tree(X: np.ndarray) -> np.ndarray:
        model = hdbscan.HDBSCAN(min_cluster_size=size, min_samples=size - 1, approx_min_span_tree=False)
        return np.asarray(model.fit(X).labels_)

    size = 15
    return {
        "mlcore HDBSCAN": lambda X: mlcore.cluster.HDBSCAN(min_cluster_size=size).fit(X).labels_,
        "hdbscan": lambda X: hdbscan.HDBSCAN(min_cluster_size=size).fit(X).labels_,
        "hdbscan, our min_samples": lambda X: hdbscan.HDBSCAN(size, min_samples=size - 1).fit(X).labels_,
        "the same, exact tree": exact_tree,
        "scikit-learn HDBSCAN": lambda X: sklearn.cluster.HDBSCAN(min_cluster_size=size, copy=False).fit(X).labels_,
        "KMeans auto, silhouette": partial(auto, "silhouette"),
        "KMeans auto, gap": partial(auto, "gap"),
        "GaussianMixture, BIC": mixture,
        "scikit-learn KMeans, silhouette": sklearn_silhouette,
    }


def best_index(partitions: list[np.ndarray], labels: np.ndarray) -> float:
    """Of the reference partitions the one that fits best; points that a reference calls noise are left out."""
    return max(float(adjusted_rand_score(p[p > 0], labels[p > 0])) for p in partitions)


def quality(options: Namespace) -> None:
    """Print the adjusted Rand index of each method on each data set with a reference."""
    rows = []
    for path in sorted((DATA / "cluster").glob("*.npz")):
        found = np.load(path)
        partitions = [found[name] for name in found.files if name.startswith("labels")]
        if not partitions or len(found["X"]) > options.rows:
            continue
        X = found["X"].astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append([path.stem, *(best_index(partitions, method(X)) for method in methods().values())])
    if not rows:
        print(f"\nquality: no data sets in {DATA / 'cluster'}")
        return
    means = np.mean([row[1:] for row in rows], axis=0)
    # Its approximate tree is not the shortest one: another method, which is shown, and no measure of ours.
    assert means[0] >= max(means[1], means[3]) - 1e-9, "HDBSCAN finds less than hdbscan"
    table("adjusted Rand index, the number of clusters unknown", ["data", *methods()], [*rows, ["mean", *means]])


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        peak_of(*sys.argv[2:])
        return
    p = parser(__doc__ or "", PARTS)
    p.add_argument("--limit", type=float, default=10.0, help="seconds beyond which a library runs once")
    p.add_argument("--rows", type=int, default=20_000, help="of the largest data set of the part quality")
    p.add_argument("--first", type=int, help="workloads of each part; default: all")
    options = p.parse_args()
    packages = ["scikit-learn", "scikit-learn-intelex", "hdbscan", "fast_hdbscan", "scipy"]
    print(machine(options.threads, packages))
    with threadpool_limits(options.threads):
        fast_hdbscan.HDBSCAN(min_cluster_size=20).fit(blobs(2000, 2, 3))
        for part in options.parts or PARTS:
            if part == "quality":
                quality(options)
            else:
                compare(TITLES[part], part, WORKLOADS[part](options.threads)[: options.first], options)


if __name__ == "__main__":
    main()
