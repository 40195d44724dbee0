"""How many clusters are there? Four answers to it on five sets of data: ``python examples/how_many_clusters.py``.

KMeans tries numbers of clusters and takes the best silhouette, the gap statistic asks whether there are any at all, a
Gaussian mixture weighs fit against the number of parameters (BIC), and HDBSCAN lets density decide. Round groups are
easy for all; moons are for density alone, groups that overlap for mixtures, and where there are none the right answer
is one. The picture shows what each finds, noise in grey, and the curves it was chosen by: silhouette and gap are
best where they are high, the BIC where it is low. No method is best on all sets: what is known of the form of the
groups decides (docs/clustering.md).
"""

import time

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons

from mlcore.cluster import HDBSCAN, GaussianMixture, KMeans, choose_k
from mlcore.metrics import adjusted_rand_score

mpl.use("agg")
from matplotlib import pyplot as plt

KS = range(1, 16)


def data_sets():
    """Return points and the groups that they are known to come from; None where there are no groups."""
    rng = np.random.default_rng(0)
    moons, moon = make_moons(600, noise=0.06, random_state=0)
    stray = rng.uniform(moons.min(axis=0) - 0.5, moons.max(axis=0) + 0.5, size=(60, 2))
    digits = load_digits()
    centred = digits.data - digits.data.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    blobs, blob = make_blobs(900, 2, centers=5, cluster_std=[0.5, 0.8, 1.0, 0.6, 0.9], random_state=3)
    iris = load_iris()
    return {
        "five round groups": (blobs, blob),
        "two moons and noise": (np.vstack([moons, stray]), np.concatenate([moon, np.full(60, -1)])),
        "handwritten digits (8 axes)": (centred @ axes[:8].T, digits.target),
        "iris": (iris.data, iris.target),
        "no groups": (rng.normal(size=(600, 2)), None),
    }


def answers(X):
    """Return labels by method, and the tables of criteria."""
    kmeans = choose_k(X, KMeans(n_init=3, random_state=0), KS, criterion="silhouette")
    gap = choose_k(X, KMeans(n_init=3, random_state=0), KS, criterion="gap")
    mixture = choose_k(X, GaussianMixture(random_state=0), KS, criterion="bic")
    labels = {
        "KMeans, silhouette": kmeans.best_estimator.labels_,
        "KMeans, gap": gap.best_estimator.labels_,
        "mixture, BIC": mixture.best_estimator.predict(X),
        "HDBSCAN": HDBSCAN(min_cluster_size=15).fit(X).labels_,
    }
    return labels, (kmeans, gap, mixture)


def found(labels):
    """Return how many groups there are, noise apart."""
    return len(set(labels.tolist()) - {-1})


def main():
    sets = data_sets()
    figure, panels = plt.subplots(len(sets), 5, figsize=(16, 3 * len(sets)), layout="constrained")
    names = ["KMeans, silhouette", "KMeans, gap", "mixture, BIC", "HDBSCAN"]
    print("number of groups found (and adjusted Rand index with those known: 1 the same, 0 as by chance)")
    print(f"{'data':30}{'known':>6}" + "".join(f"{name:>22}" for name in names) + f"{'seconds':>10}")
    for row, (title, (X, known)) in zip(panels, sets.items(), strict=True):
        start = time.perf_counter()
        labels, choices = answers(X)
        seconds = time.perf_counter() - start
        cells = []
        for panel, name in zip(row, names, strict=False):
            groups = labels[name]
            score = "" if known is None else f" ({adjusted_rand_score(known, groups):.2f})"
            cells.append(f"{found(groups)}{score}")
            noise = groups < 0
            panel.scatter(*X[noise, :2].T, s=4, c="0.7")
            panel.scatter(*X[~noise, :2].T, s=6, c=groups[~noise] % 10, cmap="tab10", vmin=0, vmax=9)
            panel.set_title(f"{name}: {found(groups)}", fontsize=10)
            panel.set(xticks=[], yticks=[])
        number = 1 if known is None else found(known)
        row[0].set_ylabel(title)
        for choice, criterion in zip(choices, ("silhouette", "gap", "bic"), strict=True):
            values = np.asarray(choice.table[criterion], dtype=float)
            values = (values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values))
            row[4].plot(
                choice.table["k"], values, marker=".", label="bic (lowest)" if criterion == "bic" else criterion
            )
            row[4].axvline(choice.best_k, color=row[4].lines[-1].get_color(), lw=0.5)
        row[4].set_title("criteria, each scaled to 0 ... 1", fontsize=10)
        row[4].set(xticks=KS[::2], yticks=[])
        row[4].legend(fontsize=8)
        print(f"{title:30}{number:>6}" + "".join(f"{cell:>22}" for cell in cells) + f"{seconds:10.2f}")
    figure.savefig("how_many_clusters.png", dpi=110)
    print("picture: how_many_clusters.png")


if __name__ == "__main__":
    main()
