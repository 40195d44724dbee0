"""How many clusters: the true number where there is one, one where there are no groups, whatever the units."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering as PeerTree
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore.cluster import HDBSCAN, GaussianMixture, KMeans, choose_k
from mlcore.cluster._agglomerative import cut_tree
from mlcore.cluster._criteria import chosen, distance_from_chord, spherical_criteria
from mlcore.cluster._partitions import inertia_of
from mlcore.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)

DATA = Path(__file__).parents[4] / "shared" / "data" / "cluster"


def blobs(k: int, n: int = 600, d: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of k groups far from each other, and their groups."""
    centers = np.random.default_rng(seed).permutation(10 * k)[:k, None] * 10.0 * np.ones(d)
    return make_blobs(n, centers=centers, random_state=seed)


@pytest.mark.parametrize("criterion", ["silhouette", "calinski_harabasz", "davies_bouldin", "gap", "bic", "aic"])
@pytest.mark.parametrize("k", [2, 5])
def test_all_criteria_find_groups_that_are_far_apart(criterion: str, k: int) -> None:
    X, groups = blobs(k)
    choice = choose_k(X, GaussianMixture(random_state=0), range(1, 9), criterion=criterion)
    assert choice.best_k == k or (criterion == "aic" and choice.best_k >= k)
    if choice.best_k == k:
        assert adjusted_rand_score(groups, choice.best_estimator.predict(X)) == 1
    if criterion == "aic":  # of k-means: a sphere too many does not pay
        return
    choice = choose_k(X, KMeans(random_state=0), range(1, 9), criterion=criterion)
    assert choice.best_k == k
    assert adjusted_rand_score(groups, choice.best_estimator.labels_) == 1


@pytest.mark.parametrize("criterion", ["silhouette", "gap", "xmeans", "bic"])
def test_k_means_finds_the_number_itself(criterion: str) -> None:
    X, groups = blobs(4)
    model = KMeans("auto", k_max=9, criterion=criterion, random_state=0).fit(X)
    assert adjusted_rand_score(groups, model.labels_) == 1
    assert model.n_clusters_ == 4
    assert model.cluster_centers_.shape == (4, 3)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert model.get_params()["n_clusters"] == "auto"


@pytest.mark.parametrize("reference", ["principal", "uniform"])
@pytest.mark.parametrize("draw", ["normal", "uniform"])
def test_the_gap_of_rows_without_groups_says_one(draw: str, reference: str) -> None:
    for seed in range(4):
        X = getattr(np.random.default_rng(seed), draw)(size=(400, 3))
        choice = choose_k(X, KMeans(random_state=0), range(1, 6), criterion="gap", reference=reference)
        assert choice.best_k == 1


@pytest.mark.parametrize(("name", "k"), [("sipu_s1", 15), ("sipu_d31", 31)])
def test_published_groups_are_found(name: str, k: int) -> None:
    if not DATA.exists():
        pytest.skip(f"data sets are not at {DATA}")
    found = np.load(DATA / f"{name}.npz")
    X = found["X"].astype(float)
    choice = choose_k(X, KMeans(random_state=0), range(1, k + 6), criterion="gap", n_references=3)
    assert choice.best_k == k
    for criterion in ("silhouette", "calinski_harabasz", "davies_bouldin", "bic", "aic"):
        assert choice.choices[criterion] == k, criterion
    assert choose_k(X, KMeans(random_state=0), range(1, 2 * k), criterion="xmeans").best_k == k
    if name == "sipu_d31":  # groups of s1 have tails, which more components fit better
        assert choose_k(X, GaussianMixture(random_state=0), range(k - 5, k + 6), criterion="bic").best_k == k


def test_the_table_is_that_of_the_indices() -> None:
    X, _ = blobs(3, n=200)
    choice = choose_k(X, KMeans(random_state=0), [5, 3, 2, 1])
    assert choice.table["k"].tolist() == [1, 2, 3, 5]
    labels = choice.best_estimator.labels_
    expected = {
        "silhouette": silhouette_score(X, labels),
        "silhouette_error": 0,
        "calinski_harabasz": calinski_harabasz_score(X, labels),
        "davies_bouldin": davies_bouldin_score(X, labels),
        "inertia": inertia_of(X, labels),
    }
    for name, value in expected.items():
        assert choice.table[name][2] == pytest.approx(value), name
    assert np.isnan(choice.table["silhouette"][0])
    frame = choice.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.index.tolist() == [1, 2, 3, 5]
    assert "best_k=3" in repr(choice)
    assert " > " in repr(choice)


def test_units_and_zero_say_nothing() -> None:
    X, _ = blobs(4, n=200)
    for criterion in ("silhouette", "gap", "elbow", "xmeans", "bic"):
        found = [
            choose_k(rows, KMeans(random_state=0), range(1, 7), criterion=criterion, n_references=2)
            for rows in (X, X * 2.0**-90, X * 2.0**70, X + 1e8)
        ]
        assert [choice.best_k for choice in found] == [found[0].best_k] * 4


def test_rows_with_few_distinct_places() -> None:
    same = np.ones((30, 2))
    assert choose_k(same, KMeans(random_state=0), range(1, 5)).best_k == 1
    assert KMeans("auto", random_state=0).fit(same).cluster_centers_.shape == (1, 2)
    three = np.repeat([[0.0, 0.0], [1.0, 5.0], [9.0, 1.0]], 10, axis=0)
    for criterion in ("silhouette", "calinski_harabasz", "davies_bouldin", "gap", "bic"):
        choice = choose_k(three, KMeans(random_state=0), range(1, 50), criterion=criterion)
        assert (choice.best_k, choice.table["k"].tolist()) == (3, [1, 2, 3]), criterion
    with pytest.raises(ValueError, match="distinct rows"):
        choose_k(same, KMeans(random_state=0), range(2, 5))
    assert KMeans("auto", k_max=50, random_state=0).fit(np.arange(6.0)[:, None]).cluster_centers_.shape[0] <= 6


def test_bad_arguments_are_refused() -> None:
    X, _ = blobs(2, n=50)
    for k_range in ([], [0], [2.5], ["a"]):
        with pytest.raises(ValueError, match="k_range"):
            choose_k(X, KMeans(), k_range)
    with pytest.raises(ValueError, match="criterion"):
        choose_k(X, KMeans(), [2], criterion="best")
    with pytest.raises(TypeError, match=r"k_range of choose_k must be the numbers to try, as range\(1, 21\), got 10"):
        choose_k(X, KMeans(), 10)
    with pytest.raises(ValueError, match=r"'bic' is not defined .* those that are: 'silhouette', .*, 'elbow'"):
        choose_k(X, PeerTree(), [2, 3], criterion="bic")
    with pytest.raises(ValueError, match="n_references"):
        choose_k(X, KMeans(), [2, 3], criterion="gap", n_references=0)
    for estimator, message in (
        (StandardScaler(), "n_clusters or n_components, got StandardScaler$"),
        (PCA(), "got PCA$"),
        (KMeans, r"the class: write KMeans\(\)"),
        (make_pipeline(StandardScaler(), KMeans()), r"pipeline\[:-1\]"),
        (HDBSCAN(), "finds the number of clusters itself"),
        ("kmeans", "got str"),
    ):
        with pytest.raises(TypeError, match=message):
            choose_k(X, estimator, [2])
    for criterion in ("davies_bouldin", "gap"):
        with pytest.raises(ValueError, match="is for dense rows, and X is sparse: take 'silhouette', 'bic'"):
            KMeans("auto", criterion=criterion).fit(sp.csr_array(X))
    with pytest.raises(TypeError, match="xmeans"):
        choose_k(X, GaussianMixture(), [2], criterion="xmeans")
    with pytest.raises(ValueError, match="criterion"):
        KMeans("auto", criterion="best").fit(X)


def test_threads_and_the_estimator_itself_change_nothing() -> None:
    X, _ = blobs(4, n=3000, d=8)
    model = KMeans(random_state=0)
    before = clone(model).get_params()
    one, two = (choose_k(X, model, range(1, 6), criterion="gap", n_references=2, n_jobs=n) for n in (1, 3))
    for name in one.table:
        np.testing.assert_array_equal(one.table[name], two.table[name])
    assert model.get_params() == before
    assert not hasattr(model, "labels_")


def test_other_estimators_and_sparse_rows() -> None:
    X, groups = blobs(3, n=150)
    choice = choose_k(X, PeerTree(linkage="average"), range(2, 7))
    assert choice.best_k == 3
    assert adjusted_rand_score(groups, choice.best_estimator.labels_) == 1
    sparse = choose_k(sp.csr_array(X), KMeans(random_state=0), range(1, 6), criterion="bic")
    assert sparse.best_k == 3
    dense = choose_k(X, KMeans(random_state=0), range(1, 6))
    for name in ("silhouette", "silhouette_error"):
        np.testing.assert_allclose(sparse.table[name], dense.table[name], rtol=1e-9)
    assert len(KMeans("auto", k_max=5, random_state=0).fit(sp.csc_matrix(X)).cluster_centers_) == 3
    for criterion in ("calinski_harabasz", "davies_bouldin", "gap"):
        assert criterion not in sparse.table
        with pytest.raises(ValueError, match="is for dense rows"):
            choose_k(sp.csr_array(X), KMeans(), range(1, 4), criterion=criterion)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    assert choose_k(frame, KMeans(random_state=0), range(2, 5)).best_estimator.feature_names_in_.tolist() == [
        "a",
        "b",
        "c",
    ]


def test_weights_of_zero_are_no_rows() -> None:
    X, _ = blobs(3, n=300)
    noise = np.random.default_rng(0).uniform(-500, 900, size=(60, 3))
    weight = np.r_[np.ones(300), np.zeros(60)]
    model = KMeans("auto", k_max=6, random_state=0).fit(np.r_[X, noise], sample_weight=weight)
    assert model.cluster_centers_.shape[0] == 3
    assert len(model.labels_) == 360


@pytest.mark.parametrize("linkage", ["ward", "average", "single"])
def test_cuts_of_a_tree_are_those_of_scikit_learn(linkage: str) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    tree = PeerTree(n_clusters=None, distance_threshold=0.0, linkage=linkage).fit(X)
    for k in (1, 2, 5, 9, 60):
        labels = cut_tree(tree.children_, k)
        theirs = PeerTree(n_clusters=k, linkage=linkage).fit(X).labels_
        assert len(np.unique(labels)) == k
        assert adjusted_rand_score(theirs, labels) == 1


def test_rules_on_small_tables() -> None:
    k = np.arange(1, 6)
    table = {"k": k, "gap": np.array([0.1, 0.5, 0.45, 0.505, 0.3]), "gap_error": np.full(5, 0.01)}
    assert chosen(table, "gap") == 2
    table["gap"][3] = 0.535
    assert chosen(table, "gap") == 2
    table["gap"][3] = 0.6  # groups of groups: the gap falls before it rises
    assert chosen(table, "gap") == 4
    table = {"k": k, "gap": np.arange(5.0), "gap_error": np.zeros(5)}
    assert chosen(table, "gap") == 5
    assert chosen({"k": k, "davies_bouldin": np.array([np.nan, 2, 1, 1, 3])}, "davies_bouldin") == 3
    assert chosen({"k": k, "silhouette": np.full(5, np.nan)}, "silhouette") is None
    inertia = np.array([100.0, 20.0, 15.0, 12.0, 10.0])
    assert chosen({"k": k, "inertia": inertia}, "elbow") == 2
    np.testing.assert_allclose(distance_from_chord(k, inertia), 1 - (k - 1) / 4 - (inertia - 10) / 90)
    # Two spheres of two rows each in one dimension, W = 1
    found = spherical_criteria(np.array([0, 0, 1, 1]), None, 1.0, 1)
    log_likelihood = 4 * np.log(0.5) - 2 * np.log(2 * np.pi * 0.5) - 1
    assert found["bic"] == pytest.approx(4 * np.log(4) - 2 * log_likelihood)
    assert found["aic"] == pytest.approx(8 - 2 * log_likelihood)
