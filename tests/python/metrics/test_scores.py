"""Metrics of scores by themselves: frozen figures, threads, small calls, thresholds, calibration, the bootstrap."""

import lzma
import timeit
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from mlcore import metrics
from mlcore._native import core

RANKING = Path(__file__).parents[4] / "shared/data/ranking"

Y = np.array([0, 1, 1, 0, 1, 0, 0, 1, 0, 1])
S = np.array([0.1, 0.8, 0.35, 0.35, 0.9, 0.2, 0.6, 0.7, 0.4, 0.3])
TABLE = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1], [0.25, 0.25, 0.5]])
CLASSES = np.array([0, 2, 2, 1, 1])


def test_frozen_figures():
    # scikit-learn 1.9.1
    assert metrics.roc_auc_score(Y, S) == 0.78
    assert metrics.roc_auc_score(Y, S, max_fpr=0.2) == pytest.approx(0.7777777777777778, rel=1e-14)
    assert metrics.roc_auc_score(CLASSES, TABLE, multi_class="ovr") == pytest.approx(2 / 3, rel=1e-14)
    assert metrics.roc_auc_score(CLASSES, TABLE, multi_class="ovo") == pytest.approx(17 / 24, rel=1e-14)
    assert metrics.average_precision_score(Y, S) == pytest.approx(0.8392857142857142, rel=1e-14)
    fpr, tpr, thresholds = metrics.roc_curve(Y, S)
    assert thresholds.tolist() == [np.inf, 0.9, 0.7, 0.4, 0.35, 0.3, 0.1]
    np.testing.assert_allclose(fpr, [0, 0, 0, 0.4, 0.6, 0.6, 1])
    np.testing.assert_allclose(tpr, [0, 0.2, 0.6, 0.6, 0.8, 1, 1])
    gains, scores = [[10, 0, 0, 1, 5]], [[0.1, 0.2, 0.3, 4, 70]]
    assert metrics.ndcg_score(gains, scores) == pytest.approx(0.6956940443813076, rel=1e-14)
    assert metrics.dcg_score(gains, [[1, 0, 0, 0, 1]], k=1) == 7.5
    relevant, scores = [[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1], [1, 0.2, 0.1]]
    assert metrics.label_ranking_average_precision_score(relevant, scores) == pytest.approx(5 / 12)
    assert metrics.label_ranking_loss(relevant, scores) == 0.75
    assert metrics.coverage_error(relevant, scores) == 2.5
    assert (
        metrics.top_k_accuracy_score([0, 1, 2, 2], [[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]])
        == 0.75
    )


def test_unweighted_areas_are_exact():
    n = 99_991
    y = np.arange(n) % 7 == 0
    scores = (np.arange(n) * 7919) % n  # a permutation
    ranks = scores[y] + 1.0
    n_positive, n_negative = int(y.sum()), int(n - y.sum())
    won = int(ranks.sum()) - n_positive * (n_positive + 1) // 2
    assert metrics.roc_auc_score(y, scores) == won / (n_positive * n_negative)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_do_not_depend_on_threads(weighted, dtype):
    rng = np.random.default_rng(0)
    n = 60_000
    y, scores = rng.integers(0, 2, n).astype(np.uint8), np.round(rng.normal(size=n), 3).astype(dtype)
    weight = rng.random(n) if weighted else None
    calls = [
        lambda t: core.metrics.roc_auc(y, scores, weight, None, 1.0, t),
        lambda t: core.metrics.average_precision(y, scores, weight, None, t),
        lambda t: core.metrics.ks_statistic(y, scores, weight, None, t),
        lambda t: core.metrics.roc_curve(y, scores, weight, None, True, t),
        lambda t: core.metrics.bootstrap_scores("roc_auc", y, scores, weight, 7, False, 3, t),
        lambda t: core.metrics.probability_bins(y, np.abs(scores).astype(np.float64), np.array([0.5, 1.0]), t),
        lambda t: core.metrics.column_areas(
            "average_precision", y.reshape(-1, 4), scores.reshape(-1, 4), None if weight is None else weight[::4], t
        ),
        lambda t: core.metrics.mean_gain(
            np.abs(scores).astype(np.float64).reshape(-1, 10),
            scores.astype(np.float64).reshape(-1, 10),
            np.array([1.0, 0.5]),
            False,
            True,
            None,
            t,
        ),
    ]
    for call in calls:
        first = call(1)
        for n_threads in (2, 3, 8):
            again = call(n_threads)
            for a, b in zip(first, again, strict=True) if isinstance(first, tuple) else [(first, again)]:
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.roc_auc_score(Y, S),
        lambda: metrics.roc_auc_score(Y, S, sample_weight=S),
        lambda: metrics.average_precision_score(Y, S),
        lambda: metrics.roc_curve(Y, S),
        lambda: metrics.precision_recall_curve(Y, S),
        lambda: metrics.det_curve(Y, S),
        lambda: metrics.ks_statistic(Y, S),
        lambda: metrics.ndcg_score(TABLE, TABLE, k=2),
        lambda: metrics.roc_auc_score(CLASSES, TABLE, multi_class="ovr"),
        lambda: metrics.label_ranking_loss(TABLE > 0.3, TABLE),
    ],
)
def test_ten_rows_cost_microseconds(call):
    # 1 to 10 us where scikit-learn takes 500 to 5000; the bound is loose for busy machines.
    assert min(timeit.repeat(call, number=20, repeat=20)) / 20 < 100e-6


def test_scores_without_keys_are_ranked():
    # A magnitude below 2^-1022 of another has no place in 63 bits: 1e300 beside 5e-324.
    scores = np.array([5e-324, 1e300, -1e-310, 0.0, -1e300])
    y = [1, 1, 0, 0, 0]
    assert metrics.roc_auc_score(y, scores) == 1.0
    assert metrics.roc_curve(y, scores, drop_intermediate=False)[2].tolist() == [
        np.inf,
        1e300,
        5e-324,
        0.0,
        -1e-310,
        -1e300,
    ]
    big = 2**62 + np.array([3, 1, 2])
    thresholds = metrics.confusion_matrix_at_thresholds([1, 0, 1], big)[-1]
    assert thresholds.dtype == np.int64
    assert thresholds.tolist() == [2**62 + 3, 2**62 + 2, 2**62 + 1]
    result = metrics.bootstrap("roc_auc", y, scores, n_resamples=20, random_state=0, stratified=True)
    assert result.value == 1.0
    assert result.samples.min() == 1.0


def test_strided_and_read_only_input():
    table = np.array([1 - S, S]).T
    frozen = S.copy()
    frozen.setflags(write=False)
    expected = metrics.roc_auc_score(Y, S)
    for scores in (table[:, 1], S[::-1].copy()[::-1], frozen, S.astype(">f8"), S.astype(np.longdouble)):
        assert metrics.roc_auc_score(Y, scores) == expected
    assert metrics.roc_auc_score(np.repeat(Y, 2)[::2], S) == expected


def test_one_bad_score_among_many_is_found():
    scores = np.random.default_rng(0).random(50_000)
    y = np.arange(50_000) % 2
    for bad in (np.nan, np.inf, -np.inf):
        scores[33_333] = bad
        for name in ("roc_auc_score", "average_precision_score", "roc_curve", "ks_statistic", "threshold_curve"):
            with pytest.raises(ValueError, match="NaN or infinity"):
                getattr(metrics, name)(y, scores)
        with pytest.raises(ValueError, match="NaN or infinity"):
            metrics.bootstrap("roc_auc", y, scores)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_ks_statistic_is_the_largest_distance_of_distributions(data):
    cells = st.integers(0, 9)
    positive = np.array(data.draw(st.lists(cells, min_size=1, max_size=20)))
    negative = np.array(data.draw(st.lists(cells, min_size=1, max_size=20)))
    y = np.repeat([1, 0], [len(positive), len(negative)])
    found = metrics.ks_statistic(y, np.concatenate([positive, negative]))
    distances = [abs((positive >= cut).mean() - (negative >= cut).mean()) for cut in range(11)]
    assert found == pytest.approx(max(distances), abs=1e-12)
    curve = metrics.threshold_curve(y, np.concatenate([positive, negative]))
    assert np.abs(curve.youden_j).max() == pytest.approx(found, abs=1e-12)


def test_ks_statistic_of_one_class():
    with pytest.warns(UndefinedMetricWarning, match="one class"):
        assert np.isnan(metrics.ks_statistic([1, 1], [0.1, 0.2]))


def test_threshold_curve_measures_every_cut():
    rng = np.random.default_rng(1)
    y, scores, weight = rng.integers(0, 2, 60), np.round(rng.random(60), 1), rng.random(60)
    for w in (None, weight):
        curve = metrics.threshold_curve(y, scores, sample_weight=w)
        assert curve.thresholds[0] == np.inf
        for i, threshold in enumerate(curve.thresholds):
            predicted = (scores >= threshold).astype(int)
            kwargs = {"sample_weight": w}
            assert curve.accuracy[i] == pytest.approx(metrics.accuracy_score(y, predicted, **kwargs))
            assert curve.balanced_accuracy[i] == pytest.approx(metrics.balanced_accuracy_score(y, predicted, **kwargs))
            assert curve.matthews[i] == pytest.approx(metrics.matthews_corrcoef(y, predicted, **kwargs), abs=1e-12)
            if i > 0:
                assert curve.precision[i] == pytest.approx(metrics.precision_score(y, predicted, **kwargs))
                assert curve.recall[i] == pytest.approx(metrics.recall_score(y, predicted, **kwargs))
                assert curve.f1[i] == pytest.approx(metrics.f1_score(y, predicted, **kwargs))
                assert curve.fbeta(2)[i] == pytest.approx(metrics.fbeta_score(y, predicted, beta=2, **kwargs))
            assert curve.fpr[i] == pytest.approx(1 - curve.specificity[i])
        best = curve.best("f1")
        assert best.value == curve.f1.max() == curve.f1[best.place]
        assert best.threshold == curve.thresholds[best.place]
        assert curve.best("fbeta", beta=0.5).value == curve.fbeta(0.5).max()


def test_best_threshold_by_cost():
    curve = metrics.threshold_curve(Y, S, costs={"fp": 1, "fn": 10})
    np.testing.assert_array_equal(curve.cost, curve.fp + 10 * curve.fn)
    assert curve.best().value == curve.best("cost").value == curve.cost.min()
    assert curve.best(cost={"fp": 100, "fn": 1}).threshold == 0.7
    assert curve.best(cost={"fp": 1}).threshold == np.inf
    with pytest.raises(ValueError, match="has no costs"):
        metrics.threshold_curve(Y, S).best()
    for kwargs in (
        {"metric": "auc"},
        {"metric": "fbeta"},
        {"metric": "f1", "beta": 2},
        {"metric": "f1", "cost": {"fp": 1}},
    ):
        with pytest.raises(ValueError, match=r"metric|beta"):
            curve.best(**kwargs)
    for costs in ({}, {"false": 1}, {"fp": np.nan}, {"fp": "1"}, [1, 2]):
        with pytest.raises(ValueError, match="costs"):
            metrics.threshold_curve(Y, S, costs=costs)
    with pytest.raises(ValueError, match="beta"):
        curve.fbeta(0)


def test_ranks_and_scores_tell_the_same():
    scores = np.array([[3, 2, 1, 0], [0, 1, 1, 1], [5, 5, 5, 5.0], [1, 2, 3, 4]])
    relevant = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    ranks = {"best": [2, 1, 1, np.inf], "average": [2, 2, 2, np.inf], "worst": [2, 3, 3, np.inf]}
    for ties, expected in ranks.items():
        for weight in (None, [1, 2, 3, 4]):
            kwargs = {"sample_weight": weight}
            mean = metrics.mean_reciprocal_rank(relevant, scores, ties=ties, **kwargs)
            assert mean == metrics.mean_reciprocal_rank(expected, **kwargs)
            assert mean == pytest.approx(np.average(1 / np.array(expected), weights=weight))
            for k in (1, 2, 3):
                hits = metrics.hits_at_k(relevant, scores, k=k, ties=ties, **kwargs)
                assert hits == metrics.hits_at_k(expected, k=k, **kwargs)
    for bad in ([0, 1], [np.nan], [[1, 2]], []):
        with pytest.raises(ValueError, match=r"rank|NaN|sample"):
            metrics.mean_reciprocal_rank(bad)
    with pytest.raises(ValueError, match="ties"):
        metrics.hits_at_k(relevant, scores, ties="first")
    with pytest.raises(ValueError, match="same shape"):
        metrics.hits_at_k(relevant, scores[:, :3])


@pytest.mark.skipif(not RANKING.exists(), reason=f"{RANKING} is absent")
def test_queries_of_a_real_ranking():
    with lzma.open(RANKING / "lambdarank.test.svm.xz", "rt") as file:
        text = file.read().splitlines()
    gains = np.array([float(line.split()[0]) for line in text])
    scores = np.array([float(line.split()[1].split(":")[1]) if len(line.split()) > 1 else 0.0 for line in text])
    sizes = np.loadtxt(RANKING / "lambdarank.test.query.txt", dtype=int)
    assert sizes.sum() == len(gains)
    for begin, end in zip(np.cumsum(sizes) - sizes, np.cumsum(sizes), strict=True):
        found = metrics.ndcg_score(gains[None, begin:end], scores[None, begin:end], k=5)
        order = np.argsort(-scores[begin:end], kind="stable")
        g, s = gains[begin:end][order], scores[begin:end][order]
        share = np.array([g[s == value].mean() for value in s])  # ties share the mean of their gains
        discount = 1 / np.log2(np.arange(min(5, len(g))) + 2)
        best = np.sort(g)[::-1][:5] @ discount
        assert found == pytest.approx(share[:5] @ discount / best if best else 0.0, abs=1e-12)


def test_calibration_error_by_hand():
    y, p = [0, 1, 1, 1], [0.1, 0.2, 0.7, 0.8]  # two bins: 0.5 against 0.15, 1 against 0.75
    gaps = np.array([0.35, 0.25])
    assert metrics.expected_calibration_error(y, p, n_bins=2) == pytest.approx(gaps.mean())
    assert metrics.expected_calibration_error(y, p, n_bins=2, norm="l2") == pytest.approx(np.sqrt((gaps**2).mean()))
    assert metrics.expected_calibration_error(y, p, n_bins=2, norm="max") == pytest.approx(0.35)
    assert metrics.expected_calibration_error(y, p, n_bins=2, strategy="quantile") == pytest.approx(gaps.mean())
    table = np.array([[0.6, 0.4, 0.0], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    assert metrics.expected_calibration_error([0, 1, 1], table, n_bins=1, labels=[0, 1, 2]) == pytest.approx(
        0.7 - 2 / 3
    )
    assert metrics.expected_calibration_error(list("abc"), np.eye(3)) == 0
    for bad in ([0.1, 1.2], [np.nan, 0.5], [-0.1, 0.5], [0.1]):
        with pytest.raises(ValueError, match=r"y_prob|NaN"):
            metrics.expected_calibration_error([0, 1], bad)
    for kwargs in ({"n_bins": 0}, {"strategy": "even"}, {"norm": "l3"}, {"pos_label": [1]}):
        with pytest.raises(ValueError, match=next(iter(kwargs))):
            metrics.expected_calibration_error([0, 1], [0.1, 0.9], **kwargs)


NAMES = [
    "roc_auc",
    "average_precision",
    "ks",
    "brier",
    "log_loss",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
]
NAMES += ["specificity", "f1", "matthews", "youden_j"]


@pytest.mark.parametrize("metric", NAMES)
def test_bootstrap_of_names_is_that_of_functions(metric):
    of_scores = {"roc_auc": metrics.roc_auc_score, "average_precision": metrics.average_precision_score}
    of_scores |= {"ks": metrics.ks_statistic}
    of_labels = {"accuracy": metrics.accuracy_score, "balanced_accuracy": metrics.balanced_accuracy_score}
    of_labels |= {"precision": metrics.precision_score, "recall": metrics.recall_score}
    of_labels |= {"f1": metrics.f1_score, "matthews": metrics.matthews_corrcoef}

    def function(y, p, sample_weight=None):
        labels, kwargs = (p >= 0.5).astype(int), {"sample_weight": sample_weight}
        if metric in of_scores:
            return of_scores[metric](y, p, **kwargs)
        if metric in of_labels:
            return of_labels[metric](y, labels, **kwargs)
        if metric == "brier":
            return np.average((p - y) ** 2, weights=sample_weight)
        if metric == "log_loss":
            return np.average(-np.log(np.where(y == 1, p, 1 - p)), weights=sample_weight)
        if metric == "specificity":
            return metrics.recall_score(1 - y, 1 - labels, **kwargs)
        return 2 * metrics.balanced_accuracy_score(y, labels, **kwargs) - 1

    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 80)
    p = np.clip(np.round(0.25 * y + rng.random(80) * 0.7, 1), 0.05, 0.95)
    order = np.argsort(-p, kind="stable")  # metrics of scores count rows in this order
    y, p = y[order], p[order]
    for weight in (None, rng.random(80)):
        for stratified in (False, True):
            kwargs = {"n_resamples": 12, "sample_weight": weight, "random_state": 5, "stratified": stratified}
            fast, slow = metrics.bootstrap(metric, y, p, **kwargs), metrics.bootstrap(function, y, p, **kwargs)
            assert fast.value == pytest.approx(slow.value, abs=1e-12)
            np.testing.assert_allclose(fast.samples, slow.samples, atol=1e-12)


def test_bootstrap_intervals():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 400)
    p = rng.normal(size=400) + y
    results = {
        m: metrics.bootstrap("roc_auc", y, p, random_state=0, method=m) for m in ("percentile", "basic", "normal")
    }
    a, b, c = results["percentile"], results["basic"], results["normal"]
    assert a.value == metrics.roc_auc_score(y, p)
    assert a.interval == tuple(np.quantile(a.samples, [0.025, 0.975]))
    assert b.low == pytest.approx(2 * a.value - a.high)
    assert c.high - c.value == pytest.approx(1.959964 * a.standard_error, rel=1e-6)
    # Hanley and McNeil: the standard error of an area of 0.76 of 200 and 200 rows is 0.024.
    assert a.standard_error == pytest.approx(0.024, abs=0.004)
    narrow = metrics.bootstrap("roc_auc", y, p, random_state=0, confidence_level=0.5)
    assert a.low < narrow.low < narrow.high < a.high
    assert not np.array_equal(metrics.bootstrap("roc_auc", y, p, random_state=1).samples, a.samples)


def test_bootstrap_intervals_hold_the_truth():
    # The area of normal scores one standard deviation apart is Phi(1 / sqrt(2)) = 0.76025.
    rng = np.random.default_rng(4)
    held = 0
    for i in range(200):
        y = np.repeat([0, 1], 60)
        result = metrics.bootstrap("roc_auc", y, rng.normal(size=120) + y, n_resamples=400, random_state=i)
        held += result.low < 0.76025 < result.high
    assert 178 <= held <= 199  # 190 are due; binomial, four standard deviations


def test_bootstrap_without_both_classes():
    y, p = [0] * 12 + [1], np.arange(13) / 13
    with pytest.warns(UndefinedMetricWarning, match="of 200 resamples have no value"):
        result = metrics.bootstrap("roc_auc", y, p, n_resamples=200, random_state=0)
    assert result.n_undefined == np.isnan(result.samples).sum() > 0
    assert result.low <= result.high
    with pytest.warns(UndefinedMetricWarning, match="no value"):
        slow = metrics.bootstrap(metrics.roc_auc_score, y, p, n_resamples=20, random_state=0)
    assert slow.n_undefined > 0
    assert metrics.bootstrap("roc_auc", y, p, n_resamples=50, random_state=0, stratified=True).n_undefined == 0


@pytest.mark.parametrize(
    ("metric", "y", "scores", "kwargs"),
    [
        ("auc", [0, 1], [0.1, 0.2], {}),
        ("roc_auc", [0, 1], [0.1, 0.2], {"n_resamples": 1}),
        ("roc_auc", [0, 1], [0.1, 0.2], {"confidence_level": 1}),
        ("roc_auc", [0, 1], [0.1, 0.2], {"method": "bca"}),
        ("roc_auc", [0, 1], [0.1, 0.2], {"stratified": "yes"}),
        ("roc_auc", [0, 1], [0.1, 0.2], {"threshold": "half"}),
        ("roc_auc", [0, 1], [0.1, 0.2], {"sample_weight": [1, -1]}),
        ("roc_auc", [0, 1], [0.1], {}),
        ("roc_auc", [0, 1, 2], [0.1, 0.2, 0.3], {}),
        ("roc_auc", [1, 2], [0.1, 0.2], {}),
        ("accuracy", [0, 1], [0.1, np.nan], {}),
        ("brier", [0, 1], [0.1, 1.2], {}),
        (metrics.roc_auc_score, [], [], {}),
        (metrics.roc_auc_score, [0, 1, 2], [0.1, 0.2, 0.3], {"stratified": True}),
    ],
)
def test_bootstrap_refuses(metric, y, scores, kwargs):
    with pytest.raises(ValueError, match=r"bootstrap|y_true|y_score|y_prob|sample_weight|samples|NaN|stratified"):
        metrics.bootstrap(metric, y, scores, **kwargs)


def test_the_core_refuses_what_is_out_of_range():
    table, codes = np.ones((3, 2)) / 2, np.array([0, 1, 2], dtype=np.int32)
    with pytest.raises(ValueError, match="classes"):
        core.metrics.class_areas("roc_auc", codes, table, None, True, 1)
    with pytest.raises(ValueError, match="cells"):
        core.metrics.bootstrap_cells(np.array([4], dtype=np.uint8), 4, None, None, 2, 0, 1)
    with pytest.raises(ValueError, match="strata"):
        core.metrics.bootstrap_counts(1, np.array([2], dtype=np.uint8), 0, 0)
    with pytest.raises(ValueError, match="discount"):
        core.metrics.mean_gain(table, table, np.ones(3), False, True, None, 1)


def test_memory_is_bounded_by_the_results():
    n = 400_000
    rng = np.random.default_rng(0)
    y, scores = rng.integers(0, 2, n), rng.random(n)
    tracemalloc.start()
    metrics.roc_auc_score(y, scores)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000  # no copies of the columns in Python


@pytest.mark.parametrize("metric", [metrics.roc_auc_score, metrics.average_precision_score, metrics.ks_statistic])
def test_two_columns_of_probabilities_are_refused_with_what_to_take(metric):
    probabilities = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]])
    with pytest.raises(ValueError, match=r"take|y_score\[:, 1\]"):
        metric([0, 1, 1], probabilities)


def test_queries_of_different_lengths():
    gains, scores = [[3, 0, 1], [0, 2]], [[0.2, 0.9, 0.4], [0.1, 0.3]]
    with pytest.raises(ValueError, match="fill up"):
        metrics.ndcg_score(gains, scores)
    padded = metrics.ndcg_score([[3, 0, 1], [0, 2, 0]], [[0.2, 0.9, 0.4], [0.1, 0.3, -1e9]])
    assert padded == pytest.approx(np.mean([metrics.ndcg_score([g], [s]) for g, s in zip(gains, scores, strict=True)]))
