"""plot_condensed_tree: what is drawn, not how it looks."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError

from mlcore.cluster import DBSCAN, HDBSCAN
from mlcore.plotting import plot_condensed_tree


def fitted(**options):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(5 * i, 0.3 + 0.2 * i, (60, 2)) for i in range(4)])
    return HDBSCAN(min_cluster_size=10, **options).fit(X)


def area(vertices):
    (left, top), (right, _), (_, bottom), _ = vertices
    return (right - left) * (bottom - top)


def test_the_area_of_a_bar_is_the_stability_of_its_cluster():
    model = fitted()
    _, ax = plt.subplots()
    assert plot_condensed_tree(model, ax, max_steps=10**6) is ax
    bars, splits, frames = ax.collections
    tree, n = model.condensed_tree_.to_numpy(), len(model.labels_)
    birth = dict(zip(tree["child"].tolist(), tree["lambda_val"].tolist(), strict=True))
    expected = sum((row["lambda_val"] - birth.get(int(row["parent"]), 0.0)) * row["child_size"] for row in tree)
    drawn = sum(area(path.vertices[:4]) for path in bars.get_paths())
    assert drawn == pytest.approx(expected, rel=1e-9)
    assert bars.get_array().max() == n
    assert len(splits.get_segments()) == model.condensed_tree_.n_clusters - 1
    assert len(frames.get_paths()) == model.labels_.max() + 1 == 4
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3"]
    low, high = sorted(ax.get_ylim())
    assert low == 0
    assert high >= tree["lambda_val"].max()


def test_children_stand_side_by_side():
    model = fitted(cluster_selection_method="leaf")
    ax = plot_condensed_tree(model.condensed_tree_, label_clusters=False)
    assert not ax.texts
    sides = sorted((path.vertices[0][0], path.vertices[1][0]) for path in ax.collections[2].get_paths())
    # frames are a little wider than their clusters, which have some room between them
    assert all(right <= left + 0.05 * 240 for (_, right), (left, _) in pairwise(sides))


def test_densities_without_an_end_are_cut_off():
    X = np.concatenate([np.zeros((20, 2)), np.random.default_rng(0).normal(5, 1, (50, 2))])
    ax = plot_condensed_tree(HDBSCAN(min_cluster_size=5).fit(X))
    assert all(np.isfinite(path.vertices).all() for path in ax.collections[0].get_paths())
    ax = plot_condensed_tree(HDBSCAN(min_cluster_size=5).fit(np.ones((20, 2))))
    assert np.isfinite(ax.get_ylim()).all()


def test_what_cannot_be_drawn():
    with pytest.raises(TypeError, match="got DBSCAN"):
        plot_condensed_tree(DBSCAN())
    with pytest.raises(NotFittedError):
        plot_condensed_tree(HDBSCAN())
    with pytest.raises(ValueError, match="max_steps"):
        plot_condensed_tree(fitted(), max_steps=0)
