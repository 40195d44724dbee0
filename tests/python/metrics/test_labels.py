"""Metrics of labels: figures that never change, threads, time of small calls."""

import timeit
import warnings

import numpy as np
import pytest

from mlcore import metrics
from mlcore._native import core

TRUE = [2, 0, 2, 2, 0, 1, 1, 2, 0, 1]
PREDICTED = [0, 0, 2, 2, 0, 2, 1, 1, 0, 1]


def test_frozen_figures():
    """Counted by hand: C = [[3, 0, 0], [0, 2, 1], [1, 1, 2]]."""
    assert metrics.confusion_matrix(TRUE, PREDICTED).tolist() == [[3, 0, 0], [0, 2, 1], [1, 1, 2]]
    assert metrics.accuracy_score(TRUE, PREDICTED) == 0.7
    assert metrics.zero_one_loss(TRUE, PREDICTED, normalize=False) == 3
    assert metrics.hamming_loss(TRUE, PREDICTED) == 0.3
    assert metrics.balanced_accuracy_score(TRUE, PREDICTED) == pytest.approx((1 + 2 / 3 + 1 / 2) / 3, rel=1e-15)
    assert metrics.precision_score(TRUE, PREDICTED, average=None).tolist() == [3 / 4, 2 / 3, 2 / 3]
    assert metrics.recall_score(TRUE, PREDICTED, average=None).tolist() == [1, 2 / 3, 1 / 2]
    assert metrics.f1_score(TRUE, PREDICTED, average=None).tolist() == [6 / 7, 2 / 3, 4 / 7]
    assert metrics.jaccard_score(TRUE, PREDICTED, average=None).tolist() == [3 / 4, 1 / 2, 2 / 5]
    assert metrics.f1_score(TRUE, PREDICTED, average="micro") == 0.7
    # c = 7 right of s = 10; t = (3, 3, 4), p = (4, 3, 3)
    expected = (7 * 10 - (12 + 9 + 12)) / np.sqrt((100 - 34) * (100 - 34))
    assert metrics.matthews_corrcoef(TRUE, PREDICTED) == pytest.approx(expected, rel=1e-15)
    assert metrics.cohen_kappa_score(TRUE, PREDICTED) == pytest.approx((0.7 - 0.33) / (1 - 0.33), rel=1e-14)


def test_frozen_report():
    assert metrics.classification_report(TRUE, PREDICTED, target_names=["ant", "bee", "cat"]) == (
        "              precision    recall  f1-score   support\n"
        "\n"
        "         ant       0.75      1.00      0.86         3\n"
        "         bee       0.67      0.67      0.67         3\n"
        "         cat       0.67      0.50      0.57         4\n"
        "\n"
        "    accuracy                           0.70        10\n"
        "   macro avg       0.69      0.72      0.70        10\n"
        "weighted avg       0.69      0.70      0.69        10\n"
    )


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 127, 128, 129, 1000, 5000])
def test_averages_add_as_numpy_does(n):
    """The macro average of many labels has the bits of numpy.mean, so that printed digits agree."""
    rng = np.random.default_rng(n)
    counts = [rng.integers(1, 50, n).astype(float) for _ in range(3)]
    precision, recall, _, _, _ = core.metrics.scores_of(*counts, None, "macro", 1.0, 0.0)
    if n == 0:
        assert np.isnan(precision)
        return
    assert precision == np.mean(counts[2] / counts[1])
    assert recall == np.mean(counts[2] / counts[0])
    precision, recall, _, _, _ = core.metrics.scores_of(*counts, None, "weighted", 1.0, 0.0)
    assert recall == np.average(counts[2] / counts[0], weights=counts[0])


def test_bits_do_not_depend_on_threads(run_python):
    """A process that may use one CPU counts and weighs as one that uses all."""
    code = """
import os, sys
if sys.argv[-1] == "one": os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from mlcore import metrics
rng = np.random.default_rng(0)
for k in (2, 40, 3000):
  t, p = rng.integers(0, k, (2, 100_000)); w = rng.random(len(t)); q = rng.random(len(t))
  print(metrics.accuracy_score(t, p, sample_weight=w).hex())
  print(metrics.f1_score(t, p, average="macro", sample_weight=w).hex())
  print(metrics.log_loss(t % 2, q, sample_weight=w).hex(), metrics.brier_score_loss(t % 2, q).hex())
  print(metrics.mean_squared_error(q, w, sample_weight=w).hex(), metrics.r2_score(q, w).hex())
"""
    results = {run_python(code.replace("sys.argv[-1]", repr(which))).stdout for which in ("one", "all")}
    assert len(results) == 1
    assert results.pop().count("0x") == 18


SMALL = {
    "accuracy_score": {},
    "balanced_accuracy_score": {},
    "precision_score": {},
    "f1_score": {},
    "jaccard_score": {},
    "confusion_matrix": {},
    "matthews_corrcoef": {},
    "cohen_kappa_score": {},
    "hamming_loss": {},
    "zero_one_loss": {},
    "precision_recall_fscore_support": {},
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("form", ["array", "list", "text"])
def test_small_calls_are_quick(name, form):
    """Ten rows in 20 us on a quiet machine; five times that is allowed here, where others may run."""
    t, p = np.array([0, 1] * 5), np.array([0, 1, 1, 0, 1] * 2)
    if form == "list":
        t, p = t.tolist(), p.tolist()
    if form == "text":
        t, p = (np.array(["no", "yes"])[c] for c in (t, p))
    options = (
        {"pos_label": "yes"} if form == "text" and name in ("precision_score", "f1_score", "jaccard_score") else {}
    )
    function = getattr(metrics, name)
    assert min(timeit.repeat(lambda: function(t, p, **options), number=200, repeat=7)) / 200 < 100e-6


def test_warnings_name_the_line_that_calls():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metrics.precision_score([0, 1], [0, 0])
        metrics.f1_score([0, 0], [0, 0])
        metrics.classification_report([0, 1], [0, 0])
    assert len(caught) >= 3
    for warning in caught[:2]:
        assert warning.filename == __file__


def test_a_read_only_column_stays_as_it_is():
    t = np.array(TRUE)
    t.setflags(write=False)
    assert metrics.accuracy_score(t, np.array(PREDICTED)) == 0.7
    assert metrics.accuracy_score(np.asfortranarray(np.array(TRUE)), PREDICTED) == 0.7
    assert t.tolist() == TRUE


def test_any_character_is_a_label():
    """Lone surrogates, the highest character, zeros within."""
    names = ["\ud800", "\U0010ffff", "a\0b", ""]
    t, p = [names[k] for k in TRUE], [names[k] for k in PREDICTED]
    for wrap in (list, np.array, lambda y: np.array(y, dtype=object)):
        assert metrics.accuracy_score(wrap(t), wrap(p)) == 0.7
        assert metrics.recall_score(wrap(t), wrap(p), labels=names[:3], average=None).tolist() == [1, 2 / 3, 1 / 2]
        y, q = wrap(["\ud800", "\U0010ffff"]), [0.25, 0.5]
        assert metrics.precision_score(y, y, pos_label="\ud800") == 1
        assert metrics.log_loss(y, q, labels=["\ud800", "\U0010ffff"]) == metrics.log_loss([0, 1], q)
        assert metrics.brier_score_loss(y, q, pos_label="\ud800") == metrics.brier_score_loss([1, 0], q)


def test_later_rows_may_hold_other_labels():
    """The first rows say where labels lie; what comes later may lie elsewhere."""
    t = np.zeros(5000, dtype=np.int64)
    p = t.copy()
    t[4000], p[4500] = 10**12, -5
    matrix = metrics.confusion_matrix(t, p)
    assert matrix.tolist() == [[0, 0, 0], [1, 4998, 0], [0, 1, 0]]
    t[4000] = 100
    assert metrics.confusion_matrix(t, p).tolist() == [[0, 0, 0], [1, 4998, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match="NaN"):
        metrics.accuracy_score(np.where(np.arange(5000) == 4999, np.nan, 0.0), p)


@pytest.mark.parametrize("labels", ["ab", 1, [[0, 1]], None])
@pytest.mark.parametrize("metric", [metrics.f1_score, metrics.confusion_matrix, metrics.classification_report])
def test_labels_are_a_list(metric, labels):
    """One label alone, or a word, is not taken apart in silence."""
    options = {"average": "macro"} if metric is metrics.f1_score else {}
    if labels is None:
        metric([0, 1, 1], [0, 1, 0], labels=labels, **options)
        return
    with pytest.raises(ValueError, match="labels must be a list or an array of labels"):
        metric([0, 1, 1], [0, 1, 0], labels=labels, **options)


def test_a_report_needs_a_label():
    with pytest.raises(ValueError, match="labels names no label"):
        metrics.classification_report([0, 1], [0, 1], labels=[])


@pytest.mark.parametrize("labels", [["a"], [0.5], [7]])
def test_labels_of_indicators_are_columns(labels):
    indicators = np.array([[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="numbers of columns, 0 to 1"):
        metrics.f1_score(indicators, indicators, labels=labels, average="macro")
