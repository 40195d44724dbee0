"""Metrics of scores give scikit-learn's figures, the types of its errors and the categories of its warnings."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.calibration
import sklearn.metrics as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import metrics

SHAPES = {
    "even": lambda rng, n: rng.random(n),
    "normal": lambda rng, n: rng.normal(size=n) * 4,
    "ties": lambda rng, n: rng.integers(-3, 4, n) / 7,
    "constant": lambda rng, n: np.full(n, 0.25),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "float16": lambda rng, n: rng.normal(size=n).astype(np.float16),
    "whole": lambda rng, n: rng.integers(-5, 6, n),
    "bytes": lambda rng, n: rng.integers(0, 5, n).astype(np.uint8),
    "booleans": lambda rng, n: rng.random(n) < 0.5,
    "large whole": lambda rng, n: 2**60 + rng.integers(0, 9, n),
    "wide": lambda rng, n: rng.choice([5e-324, 1e-310, -1e-320, 0.0, 1e300, -3.0], n),
    "zeros": lambda rng, n: rng.choice([0.0, -0.0, 1e-9], n),
}

LABELS = {
    "0 1": lambda codes: (codes, None),
    "-1 1": lambda codes: (2 * codes - 1, None),
    "booleans": lambda codes: (codes == 1, None),
    "floats": lambda codes: (codes.astype(np.float64), None),
    "text": lambda codes: (np.array(["no", "yes"])[codes], "yes"),
    "1 2": lambda codes: (codes + 1, 2),
    "0 is positive": lambda codes: (1 - codes, 0),
    "list": lambda codes: (codes.tolist(), None),
    "Series": lambda codes: (pd.Series(codes), None),
}

CURVES = ["roc_curve", "precision_recall_curve", "det_curve"]


def outcome(function, *args, **kwargs):
    """Return the result, the error's type, and the categories of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result, error = function(*args, **kwargs), None
        except Exception as e:
            result, error = None, type(e)
    return result, error, {w.category for w in caught if issubclass(w.category, UserWarning)}


def assert_same(name, *args, exact=False, module=peer, **kwargs):
    ours = outcome(getattr(metrics, name), *args, **kwargs)
    theirs = outcome(getattr(module, name), *args, **kwargs)
    if theirs[1] is not None:
        assert ours[1] is not None, (name, theirs, ours)
        assert issubclass(ours[1], theirs[1]) or issubclass(theirs[1], ours[1]), (ours, theirs)
        return
    assert ours[1] is None, (name, ours, theirs)
    assert ours[2] == theirs[2], (name, ours, theirs)
    mine = ours[0] if isinstance(ours[0], tuple) else (ours[0],)
    other = theirs[0] if isinstance(theirs[0], tuple) else (theirs[0],)
    for a, b in zip(mine, other, strict=True):
        if exact:
            np.testing.assert_array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype
        else:  # sums in another order
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [2, 11, 300])
def test_curves_have_the_same_bits(shape, n):
    rng = np.random.default_rng(n)
    scores = SHAPES[shape](rng, n)
    y = np.concatenate(([0, 1], rng.integers(0, 2, n - 2)))
    for weight in (None, rng.random(n), rng.integers(0, 3, n) + (np.arange(n) < 2)):
        for name in CURVES:
            assert_same(name, y, scores, sample_weight=weight, exact=True)
            assert_same(name, y, scores, sample_weight=weight, drop_intermediate=name != "roc_curve", exact=True)
        assert_same("confusion_matrix_at_thresholds", y, scores, sample_weight=weight, exact=True)
        assert_same("roc_auc_score", y, scores, sample_weight=weight)
        assert_same("roc_auc_score", y, scores, sample_weight=weight, max_fpr=0.3)
        assert_same("average_precision_score", y, scores, sample_weight=weight)


@pytest.mark.parametrize("shape", ["normal", "ties", "float32", "whole"])
def test_long_columns_have_the_same_bits(shape):
    rng = np.random.default_rng(1)
    n = 20_000  # divided into parts
    scores, y, weight = SHAPES[shape](rng, n), rng.integers(0, 2, n), rng.random(n)
    for name in ("roc_curve", "precision_recall_curve"):
        assert_same(name, y, scores, exact=True)
        assert_same(name, y, scores, sample_weight=weight, drop_intermediate=True, exact=True)
    assert_same("roc_auc_score", y, scores)
    assert_same("average_precision_score", y, scores)


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind(kind):
    rng = np.random.default_rng(3)
    y, pos_label = LABELS[kind](rng.integers(0, 2, 60))
    scores = np.round(rng.random(60), 1)
    for name in CURVES:
        assert_same(name, y, scores, pos_label=pos_label, exact=True)
        assert_same(name, y, scores.tolist(), exact=True)
    assert_same("roc_auc_score", y, scores)
    assert_same("average_precision_score", y, scores, pos_label=1 if pos_label is None else pos_label)
    if kind != "0 is positive":
        assert_same("calibration_curve", y, scores, pos_label=pos_label, module=sklearn.calibration)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_random_columns(data):
    n = data.draw(st.integers(1, 25))
    numbers = st.one_of(st.sampled_from([0.0, -0.0, 0.5, 1.0]), st.floats(-1e6, 1e6, width=32))
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    scores = np.array(data.draw(st.lists(numbers, min_size=n, max_size=n)))
    if data.draw(st.booleans()):
        scores = scores.astype(np.float32)
    weight = data.draw(st.none() | st.lists(st.sampled_from([0, 1, 2, 0.1]), min_size=n, max_size=n))
    one_class = weight is not None and len(set(y[np.array(weight) > 0])) < 2
    for name in CURVES:
        if not (one_class and name == "det_curve"):  # scikit-learn divides by 0 there, we say so
            assert_same(name, y, scores, sample_weight=weight, exact=True)
    if not one_class:
        assert_same("roc_auc_score", y, scores, sample_weight=weight)
    assert_same("average_precision_score", y, scores, sample_weight=weight)
    if weight is None:
        assert_same("roc_auc_score", y, scores, max_fpr=data.draw(st.sampled_from([0.01, 0.5, 1.0])))


@pytest.mark.parametrize("average", ["macro", "weighted", "micro", "samples", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_several_classes_and_labels(average, weighted):
    rng = np.random.default_rng(4)
    n, k = 80, 4
    y, table = rng.integers(0, k, n), (rng.random((n, k)) < 0.4).astype(int)
    table[:, 0] = rng.integers(0, 2, n)
    scores = np.round(rng.random((n, k)), 1) + 0.05
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    weight = rng.random(n) if weighted else None
    for order in (np.ascontiguousarray, np.asfortranarray):
        assert_same("roc_auc_score", table, order(scores), average=average, sample_weight=weight)
        assert_same("roc_auc_score", table, order(scores), average=average, sample_weight=weight, max_fpr=0.4)
        assert_same("average_precision_score", table, order(scores), average=average, sample_weight=weight)
        assert_same("average_precision_score", y, order(scores), average=average, sample_weight=weight)
        for multi_class in ("ovr", "ovo", "raise"):
            kwargs = {"average": average, "sample_weight": weight, "multi_class": multi_class}
            assert_same("roc_auc_score", y, order(probabilities), **kwargs)
            assert_same("roc_auc_score", np.array(list("abcd"))[y], probabilities.astype(np.float32), **kwargs)
            assert_same("roc_auc_score", np.minimum(y, 2), probabilities, labels=[0, 1, 2, 3], **kwargs)
    table[:, 1] = 0  # a label without rows
    assert_same("roc_auc_score", table, scores, average=average, sample_weight=weight)
    assert_same("average_precision_score", table, scores, average=average, sample_weight=weight)


@pytest.mark.parametrize("ties", [False, True])
def test_discounted_gain(ties):
    rng = np.random.default_rng(5)
    for n, d in ((1, 2), (30, 3), (40, 25), (20, 120)):
        gains, scores = rng.integers(0, 4, (n, d)), rng.random((n, d))
        gains[0] = 0
        if ties:
            scores = np.floor(scores * 5)
        for k in (None, 1, 2, 10, d, 2 * d):
            for weight in (None, rng.random(n)):
                assert_same("ndcg_score", gains, scores, k=k, sample_weight=weight)
                assert_same("dcg_score", gains - 1.5, scores, k=k, sample_weight=weight, log_base=3)
                if not ties:
                    assert_same("ndcg_score", gains, scores, k=k, ignore_ties=True)


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_random_rankings(data):
    n, d = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 6))
    cells = st.lists(st.lists(st.integers(0, 3), min_size=d, max_size=d), min_size=n, max_size=n)
    scores, gains = np.array(data.draw(cells)) / 3, np.array(data.draw(cells))
    relevant = np.array(data.draw(cells)) > 1
    relevant[0, :2] = False, True  # some of both kinds: else scikit-learn may take it for no indicator matrix
    assert_same("ndcg_score", gains, scores, k=data.draw(st.none() | st.integers(1, 8)))
    weight = data.draw(st.none() | st.lists(st.floats(0.5, 2), min_size=n, max_size=n))
    for name in ("label_ranking_average_precision_score", "label_ranking_loss", "coverage_error"):
        assert_same(name, relevant.astype(int), scores, sample_weight=weight)
    assert_same("label_ranking_loss", sp.csr_array(relevant.astype(int)), scores)


def test_top_k_accuracy():
    rng = np.random.default_rng(6)
    y, scores = rng.integers(0, 5, 70), np.round(rng.random((70, 5)), 1)
    for k in (1, 2, 4, 5, 9):
        for weight in (None, rng.random(70)):
            for normalize in (False, True):
                assert_same("top_k_accuracy_score", y, scores, k=k, sample_weight=weight, normalize=normalize)
    assert_same("top_k_accuracy_score", y // 2, scores, labels=range(5))
    assert_same("top_k_accuracy_score", y % 2, scores[:, 0], k=1)
    assert_same("top_k_accuracy_score", y % 2, scores[:, 0] - 0.5, k=1)
    assert_same("top_k_accuracy_score", y, scores[:, :4])
    assert_same("top_k_accuracy_score", y, scores, labels=[0, 1, 2, 4, 3])


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 2, 10, 50])
def test_calibration_curve(strategy, n_bins):
    rng = np.random.default_rng(7)
    for p in (rng.random(300), np.round(rng.random(300), 1), np.zeros(5), rng.random(300).astype(np.float32)):
        y = (rng.random(len(p)) < p).astype(int)
        assert_same("calibration_curve", y, p, n_bins=n_bins, strategy=strategy, module=sklearn.calibration)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("roc_auc_score", ([0, 1, 1], [0.1, 0.2]), {}),
        ("roc_auc_score", ([], []), {}),
        ("roc_auc_score", ([0, 1], [0.1, np.nan]), {}),
        ("roc_auc_score", ([0, 1], [0.1, np.inf]), {}),
        ("roc_auc_score", ([0, 1], ["a", "b"]), {}),
        ("roc_auc_score", ([0.5, 1.5], [0.1, 0.2]), {}),
        ("roc_auc_score", ([0, 1], [0.1, 0.2]), {"average": "mean"}),
        ("roc_auc_score", ([0, 1], [0.1, 0.2]), {"max_fpr": 0}),
        ("roc_auc_score", ([0, 1], [0.1, 0.2]), {"max_fpr": 1.5}),
        ("roc_auc_score", ([0, 1], [[0.1, 0.2], [0.3, 0.4]]), {}),
        ("roc_auc_score", ([0, 1, 2], [0.1, 0.2, 0.3]), {"multi_class": "ovr"}),
        ("roc_auc_score", ([0, 1, 2], np.ones((3, 3))), {"multi_class": "ovr"}),
        ("roc_auc_score", ([0, 1, 2], np.eye(3)), {"multi_class": "all"}),
        ("roc_auc_score", ([0, 1, 2], np.eye(3)), {"multi_class": "ovo", "average": None}),
        ("roc_auc_score", ([0, 1, 2], np.eye(3)), {"multi_class": "ovr", "labels": [0, 1]}),
        ("roc_auc_score", ([0, 1, 2], np.eye(3)), {"multi_class": "ovr", "max_fpr": 0.5}),
        ("roc_auc_score", ([0, 0], [0.1, 0.2]), {}),
        ("roc_auc_score", ([1, 1], [0.1, 0.2]), {}),
        ("roc_auc_score", (0, 1), {}),
        ("roc_curve", ([0, 0], [0.1, 0.2]), {}),
        ("roc_curve", ([1, 1], [0.1, 0.2]), {}),
        ("roc_curve", ([0, 1, 2], [0.1, 0.2, 0.3]), {}),
        ("roc_curve", ([0, 1, 2], [0.1, 0.2, 0.3]), {"pos_label": 2}),
        ("roc_curve", ([1, 2], [0.1, 0.2]), {}),
        ("roc_curve", (["a", "b"], [0.1, 0.2]), {}),
        ("roc_curve", ([0, 1], [0.1, 0.2]), {"sample_weight": [1]}),
        ("roc_curve", ([0, 1], [0.1, 0.2]), {"sample_weight": [1, np.nan]}),
        ("roc_curve", ([0, 1], [0.1, 0.2]), {"sample_weight": [0, 0]}),
        ("roc_curve", ([0, 1], [0.1, 0.2]), {"sample_weight": np.array([[1], [2]])}),
        ("roc_auc_score", ([0, 1], [0.1, 0.2]), {"sample_weight": np.array([[1], [2]])}),
        ("roc_auc_score", ([0, 1, 2], np.eye(3)), {"sample_weight": np.ones((3, 1)), "multi_class": "ovr"}),
        ("average_precision_score", ([0, 1, 2], np.eye(3)), {"sample_weight": np.ones((3, 2))}),
        ("roc_curve", ([0, 1], [0.1, 0.2]), {"drop_intermediate": "no"}),
        ("roc_curve", ([0, 1], [0.1, 0.2]), {"pos_label": [1]}),
        ("precision_recall_curve", ([0, 0], [0.1, 0.2]), {}),
        ("precision_recall_curve", ([[0, 1], [1, 0]], [[0.1, 0.2], [0.3, 0.4]]), {}),
        ("det_curve", ([1, 1], [0.1, 0.2]), {}),
        ("det_curve", ([0, 1, 2], [0.1, 0.2, 0.3]), {"pos_label": 1}),
        ("average_precision_score", ([0, 1], [0.1, 0.2]), {"pos_label": 2}),
        ("average_precision_score", ([0, 1, 2], np.eye(3)), {"pos_label": 2}),
        ("average_precision_score", ([[0, 1], [1, 0]], np.eye(2)), {"pos_label": 0}),
        ("average_precision_score", ([0, 1, 2], np.array([0.1, 0.2, 0.3])), {}),
        ("average_precision_score", ([0, 0], [0.1, 0.2]), {}),
        ("auc", ([0], [1]), {}),
        ("auc", ([0, 2, 1], [0, 1, 2]), {}),
        ("auc", ([0, 1, 1], [0, 1]), {}),
        ("auc", ([2, 1, 0], [0, 1, 2]), {}),
        ("auc", ([0, 0.5, 0.5, 1], [0, 0.25, 1, 1]), {}),
        ("ndcg_score", ([[0, 1, 2]], [[0.1, np.nan, 0.3]]), {}),
        ("ndcg_score", ([[0, -1, 2]], [[0.1, 0.2, 0.3]]), {}),
        ("ndcg_score", ([[1], [2]], [[0.1], [0.2]]), {}),
        ("ndcg_score", ([1, 2], [0.1, 0.2]), {}),
        ("ndcg_score", ([[0, 1, 2]], [[0.1, 0.2, 0.3]]), {"k": 0}),
        ("ndcg_score", ([[0, 1]], [[0.1, 0.2]]), {"sample_weight": [0]}),
        ("dcg_score", ([[0, 1, 2]], [[0.1, 0.2, 0.3]]), {"log_base": 0}),
        ("coverage_error", ([[0, 1]], [[0.1, 0.2, 0.3]]), {}),
        ("coverage_error", ([0, 1], [0.1, 0.2]), {}),
        ("coverage_error", ([[0, 1, 2], [0, 0, 1]], np.ones((2, 3))), {}),
        ("label_ranking_loss", ([[0, 1], [1, 0]], [[0.1, 0.2], [np.nan, 0.2]]), {}),
        ("top_k_accuracy_score", ([0, 1, 2], np.eye(3)), {"k": 0}),
        ("top_k_accuracy_score", ([0.5, 1], [0.1, 0.2]), {}),
        ("top_k_accuracy_score", ([0, 1], np.eye(3)[:2]), {}),
    ],
)
def test_errors_and_warnings(name, args, kwargs):
    assert_same(name, *args, **kwargs)


def test_negative_weights():
    # Areas are still defined where false positives descend all the way, or never.
    y, scores = [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4]
    assert_same("roc_auc_score", y, scores, sample_weight=[1, -1, 1, 3])
    assert_same("roc_auc_score", y, scores, sample_weight=[3, 1, -1, 1])
    assert_same("roc_curve", y, scores, sample_weight=[3, 1, -1, 1], exact=True)
