"""The unit of weights and of scores changes no metric that has none itself."""

import numpy as np
import pytest
import sklearn.metrics

from mlcore import metrics

UNITS = [2.0**-1000, 2.0**-600, 2.0**600, 2.0**990]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 300
    return rng.integers(0, 2, n), np.round(rng.random(n), 2), rng.random(n)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "name", ["roc_auc_score", "average_precision_score", "ks_statistic", "brier_score_loss", "log_loss"]
)
def test_weights(data, name, unit):
    y, score, weight = data
    call = getattr(metrics, name)
    assert call(y, score, sample_weight=weight * unit) == call(y, score, sample_weight=weight)


@pytest.mark.parametrize("unit", UNITS)
def test_weights_of_several_labels(data, unit):
    y, score, weight = data
    labels, scores = np.c_[y, 1 - y, y], np.c_[score, score, score[::-1]]
    for average in ("micro", "macro", None):
        found = metrics.roc_auc_score(labels, scores, average=average, sample_weight=weight * unit)
        assert np.array_equal(found, metrics.roc_auc_score(labels, scores, average=average, sample_weight=weight))


@pytest.mark.parametrize("unit", UNITS)
def test_scores(data, unit):
    y, score, weight = data
    for call in (metrics.roc_auc_score, metrics.average_precision_score, metrics.ks_statistic):
        assert call(y, score * unit, sample_weight=weight) == call(y, score, sample_weight=weight)


def test_margins_of_single_precision_are_not_rounded_again(data):
    y, score, _ = data
    decision = (score * 1e3).astype(np.float32)
    assert metrics.hinge_loss(y, decision) == pytest.approx(sklearn.metrics.hinge_loss(y, decision), rel=1e-14)


@pytest.mark.parametrize("power", [np.inf, -np.inf])
def test_powers_are_finite(power):
    for call in (metrics.mean_tweedie_deviance, metrics.d2_tweedie_score):
        with pytest.raises(ValueError, match="power"):
            call([1, 2], [2, 1], power=power)


def test_bases_of_logarithms_are_finite():
    with pytest.raises(ValueError, match="log_base"):
        metrics.dcg_score([[1, 2]], [[2, 1]], log_base=np.inf)
