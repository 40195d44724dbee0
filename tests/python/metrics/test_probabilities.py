"""Losses of probabilities: frozen figures, and scikit-learn's figures, errors and warnings."""

import timeit

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import metrics
from support.metrics import compare

LOSSES = ["log_loss", "brier_score_loss", "d2_log_loss_score", "d2_brier_score"]


def test_frozen_figures():
    y, p = [0, 1, 1, 0], [0.25, 0.5, 1.0, 0.0]
    eps = np.finfo(np.float64).eps
    expected = -(np.log(0.75) + np.log(0.5) + 2 * np.log(1 - eps)) / 4
    assert metrics.log_loss(y, p) == pytest.approx(expected, rel=1e-15)
    assert metrics.brier_score_loss(y, p) == (1 / 16 + 1 / 4) / 4
    assert metrics.brier_score_loss(y, p, scale_by_half=False) == (1 / 16 + 1 / 4) / 2
    assert metrics.d2_brier_score(y, p) == pytest.approx(1 - 5 / 64 / (1 / 4), rel=1e-15)
    assert metrics.hinge_loss(["a", "b", "b"], [-2.0, 0.5, -1.0]) == (0 + 0.5 + 2) / 3
    assert metrics.hinge_loss([0, 1, 2], [[3.0, 1, 0], [0, 1, 0.5], [1, 0, -1]]) == (0 + 0.5 + 3) / 3


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    k=st.integers(2, 5),
    dtype=st.sampled_from([np.float64, np.float32]),
    form=st.sampled_from(["numbers", "text", "sparse numbers", "list"]),
    weights=st.sampled_from([None, "float", "int"]),
    layout=st.sampled_from(["C", "F", "rows"]),
)
def test_random_probabilities(seed, n, k, dtype, form, weights, layout):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    labels = {"numbers": np.arange(k), "text": np.array(list("abcde"))[:k], "sparse numbers": np.arange(k) * 10**6}
    names = labels.get(form, np.arange(k))
    p = rng.dirichlet(np.full(k, 0.3), n).astype(dtype)
    p[rng.random(n) < 0.1] = np.eye(k)[0]
    p = {"C": p, "F": np.asfortranarray(p), "rows": np.repeat(p, 2, axis=0)[::2]}[layout]
    w = {None: None, "float": rng.random(n), "int": rng.integers(1, 4, n)}[weights]
    tolerance = 1e-12 if dtype is np.float64 else 2e-5  # scikit-learn adds up float32, ours does not
    y_named = names[y].tolist() if form == "list" else names[y]
    for name in LOSSES:
        compare(name, y_named, p, labels=names, sample_weight=w, rtol=tolerance)
        compare(name, y_named, p, sample_weight=w, rtol=tolerance)
    compare("hinge_loss", y_named, p * 4 - 1, labels=names, sample_weight=w, rtol=tolerance)
    compare("hinge_loss", y_named, p * 4 - 1, sample_weight=w, rtol=tolerance)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    values=st.sampled_from([(0, 1), (-1, 1), (1, 2), ("no", "yes"), (False, True), (0,), (1,), (-1,), (5,), (0, 1, 2)]),
    pos_label=st.sampled_from([None, 0, 1, 2, "yes", True]),
    column=st.booleans(),
)
def test_random_single_columns(seed, n, values, pos_label, column):
    rng = np.random.default_rng(seed)
    y = np.array(values)[rng.integers(0, len(values), n)]
    p = rng.random(n)
    p[rng.random(n) < 0.2] = 1.0
    if column:
        p = p[:, None]
    if isinstance(values[0], str) != isinstance(pos_label, str) and pos_label is not None:
        pos_label = None  # text beside numbers compares as NumPy likes
    for name in ("log_loss", "d2_log_loss_score"):
        compare(name, y, p)
        compare(name, y, p, labels=list(values))
        compare(name, y, p, sample_weight=rng.random(n))
    for name in ("brier_score_loss", "d2_brier_score"):
        groups = {label == pos_label for label in y} if pos_label is not None else set(y.tolist())
        if name == "d2_brier_score" and len(groups) == 1:
            continue  # frequencies that are never wrong, or by what rounding made of them in scikit-learn
        compare(name, y, p, pos_label=pos_label)
        compare(name, y, p, pos_label=pos_label, sample_weight=rng.random(n))
    compare("brier_score_loss", y, p, scale_by_half=False, pos_label=pos_label)
    compare("log_loss", y, p, normalize=False)
    compare("hinge_loss", y, p * 4 - 2)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([0, 1], [0.5, 1.5]),
        ([0, 1], [-0.5, 0.5]),
        ([0, 1], [np.nan, 0.5]),
        ([0, 1], [np.inf, 0.5]),
        ([0, 1], [0.5]),
        ([0, 1], [[0.5, 0.5], [0.9, 0.9]]),
        ([0, 1], [[0.2, 0.3, 0.5]] * 2),
        ([0, 1, 2], [[0.5, 0.5]] * 3),
        ([0, 1, 2], [0.1, 0.2, 0.3]),
        ([0, 0], [0.1, 0.2]),
        ([0.5, 1.0], [0.1, 0.2]),
        ([0, np.nan], [0.1, 0.2]),
        (["a", 1], [0.1, 0.2]),
        ([], []),
        ([0, 1], ["a", "b"]),
        ([0, 1], 0.5),
        ([0], [0.5]),
        ([0, 1], [0, 1]),
        ([0, 1], [[0], [1]]),
        ([[0, 1], [1, 0]], [[0.2, 0.8], [0.6, 0.4]]),
        (pd.Series(["b", "a"]), pd.Series([0.3, 0.6])),
        (pd.Series(["b", "a"], dtype="category"), pd.DataFrame([[0.3, 0.7], [0.6, 0.4]])),
    ],
)
def test_odd_input(name, y, p):
    compare(name, y, p)
    compare(name, y, p, labels=[0, 1])
    compare(name, y, p, labels=[1, 0])
    if np.ndim(y) == 1:
        compare(name, y, p, labels=[0])
    compare(name, y, p, sample_weight=[0.0, 0.0])
    compare(name, y, p, sample_weight=[1.0, np.nan])
    compare(name, y, p, sample_weight=[1.0])


def test_rare_labels_come_late():
    """The first rows say which labels there are; where a later one has another, all are asked."""
    rng = np.random.default_rng(0)
    y = np.zeros(5000, dtype=int)
    y[3000], y[4000] = 1, 2
    p = rng.dirichlet(np.ones(3), 5000)
    compare("log_loss", y, p)
    compare("brier_score_loss", y, p)
    compare("log_loss", np.minimum(y, 1), p[:, 0])
    compare("log_loss", y, p, labels=[0, 1, 2, 3])
    compare("log_loss", y, p[:, :2] / p[:, :2].sum(axis=1, keepdims=True))


def test_former_name():
    with pytest.warns(FutureWarning, match="renamed to `y_proba`"):
        assert metrics.log_loss([0, 1], y_pred=[0.5, 0.5]) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="both"):
        metrics.d2_log_loss_score([0, 1], [0.5, 0.5], y_pred=[0.5, 0.5])


@pytest.mark.parametrize("name", [*LOSSES, "hinge_loss"])
def test_small_calls_are_quick(name):
    """Ten rows in 20 us on a quiet machine; five times that is allowed here, where others may run."""
    y, p = np.array([0, 1] * 5), np.linspace(0, 1, 10)
    function = getattr(metrics, name)
    assert min(timeit.repeat(lambda: function(y, p), number=200, repeat=7)) / 200 < 100e-6
