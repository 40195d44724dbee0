"""Results do not depend on the units of columns, targets and weights."""

import numpy as np
import pytest

from mlcore import GBDTClassifier, GBDTRegressor
from mlcore.boosting._fit import Scores, relative_weights
from mlcore.boosting._losses import Loss

LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma", "tweedie"]
OPTIONS = [
    {},
    {"newton": False},
    {"early_stopping": True, "n_iter_no_change": 2, "tol": 1e-3, "n_estimators": 60},
    {"reg_lambda": 2.0, "min_child_weight": 5.0, "max_delta_step": 0.5},
]


def table(n=1200):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    X[:, 3] = rng.integers(0, 5, n)
    mean = np.exp(X[:, 0] + 0.5 * X[:, 1] * (X[:, 3] > 2))
    return X, mean * rng.gamma(2, 0.5, n) + 1e-3, rng.uniform(0.5, 2, n)


def fit(loss, options, X, y, weight):
    # A limit on steps is one in units of y where the raw score is the prediction.
    if loss in ("squared_error", "absolute_error", "huber", "quantile"):
        options = {k: v for k, v in options.items() if k != "max_delta_step"}
    model = GBDTRegressor(loss=loss, random_state=0, n_jobs=1, **{"n_estimators": 15, **options})
    return model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_regressor_has_no_units(loss, options):
    X, y, weight = table()
    model = fit(loss, options, X, y, weight)
    expected = model.predict(X)
    assert expected.std() > 0.3  # something was learned
    for s in (1e-8, 1e8):
        scaled = fit(loss, options, X, y * s, weight)
        assert scaled.n_iter_ == model.n_iter_
        # Gradients are float32.
        np.testing.assert_allclose(scaled.predict(X) / s, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(fit(loss, options, X, y, weight * s).predict(X), expected, rtol=1e-6)
        columns = np.array([s, 1 / s, 1.0, s])
        np.testing.assert_allclose(fit(loss, options, X * columns, y, weight).predict(X * columns), expected, rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("options", [*OPTIONS, {"class_weight": "balanced"}], ids=str)
def test_a_classifier_has_no_units(n_classes, options):
    X, y, weight = table()
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))

    def fit(X, weight):
        options_ = {"n_estimators": 10, **options}
        return GBDTClassifier(random_state=0, n_jobs=1, **options_).fit(X, y, sample_weight=weight).predict_proba(X)

    expected = fit(X, weight)
    for s in (1e-8, 1e8):
        np.testing.assert_allclose(fit(X, weight * s), expected, atol=1e-6)
        np.testing.assert_allclose(fit(X * [s, 1 / s, 1, s], weight), expected, rtol=1e-9)


@pytest.mark.parametrize("loss", ["poisson", "tweedie"])
def test_an_offset_has_no_units(loss):
    X, y, _ = table()
    exposure = np.random.default_rng(1).uniform(0.5, 2, len(y))
    options = {"reg_lambda": 2.0, "min_child_weight": 5.0, "n_estimators": 10, "n_jobs": 1}
    raw = []
    for s in (1.0, 1e-8, 1e8):
        margin = np.log(exposure * s)
        raw.append(GBDTRegressor(loss, **options).fit(X, exposure * y * s, base_margin=margin).predict(X))
    assert raw[0].std() > 0.3
    np.testing.assert_allclose(raw[1], raw[0], rtol=1e-5)
    np.testing.assert_allclose(raw[2], raw[0], rtol=1e-5)


@pytest.mark.parametrize("constant", [1e-8, 0.3, 1e8])
def test_a_constant_weight_is_none(constant):
    X, y, _ = table()
    expected = GBDTRegressor(n_estimators=5, reg_lambda=3.0).fit(X, y)
    model = GBDTRegressor(n_estimators=5, reg_lambda=3.0).fit(X, y, sample_weight=np.full(len(y), constant))
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_columns_far_from_zero():
    X, y, _ = table()
    X = np.round(X, 3)
    expected = GBDTRegressor(n_estimators=5).fit(X, y).predict(X)
    np.testing.assert_allclose(GBDTRegressor(n_estimators=5).fit(X + 1e9, y).predict(X + 1e9), expected, rtol=1e-9)


def test_targets_far_from_zero():
    """Unix seconds: the spread is a millionth of the level."""
    X, y, _ = table()
    for loss in ("squared_error", "absolute_error", "huber"):
        expected = GBDTRegressor(loss, n_estimators=20).fit(X, y).predict(X)
        moved = GBDTRegressor(loss, n_estimators=20).fit(X, y + 1.7e9).predict(X) - 1.7e9
        np.testing.assert_allclose(moved, expected, atol=2e-3)


def test_early_stopping_does_not_depend_on_the_unit_of_y():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 4))  # beyond 10,000 rows it is on
    y = X[:, 0] + 0.1 * rng.normal(size=len(X))
    models = [GBDTRegressor(random_state=0, n_jobs=1).fit(X, y * s) for s in (1.0, 1e-4, 1e4)]
    assert models[0].n_iter_ > 20
    assert {m.n_iter_ for m in models} == {models[0].n_iter_}


def test_tol_is_a_share_of_what_there_is_to_gain():
    def iterations(scores, ceiling):
        watch = Scores(patience=2, tol=0.1, ceiling=ceiling)
        for score in scores:
            watch.record(score, None)
        return watch.best

    assert iterations([-1.0, -0.8, -0.75, -0.74], 0.0) == 1  # 0.05 and 0.06 of 1 are no improvement
    assert iterations([-1e-9, -0.8e-9, -0.75e-9, -0.74e-9], 0.0) == 1
    assert iterations([9.0, 9.2, 9.25, 9.26], 10.0) == 1
    assert iterations([-1.0, -0.96, -0.92, -0.91], None) == 0  # no ceiling known: the size of the first score
    assert iterations([0.0, 1e-9, 2e-9], None) == 2  # R2: the constant model scores 0


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_least_loss_is_that_of_a_perfect_model(loss):
    y = np.array([0.2, 1.0, 1.0, 7.0])
    X = np.array([0.0, 1.0, 1.0, 2.0])[:, None]
    model = GBDTRegressor(loss, n_estimators=400, learning_rate=0.5, min_samples_leaf=1, early_stopping=False).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-6)
    parameter = 1.5 if loss == "tweedie" else 0.0
    assert Loss(loss, "log", parameter=parameter).least(y, None) == pytest.approx(-model.train_score_[-1], rel=1e-9)


def test_slope_of_huber_comes_from_the_targets():
    y = np.array([0.0, 1.0, 2.0, 4.0, 100.0])
    huber = Loss("huber", "identity")
    assert huber.fitted_to(y, None).parameter == 2.0  # distances 2, 1, 0, 2, 98
    assert huber.fitted_to(np.array([1.0, 1.0, 1.0, 1.0, 6.0]), None).parameter == 1.0  # the mean distance
    assert huber.fitted_to(np.full(5, 3.0), None).parameter == 1.0
    assert Loss("huber", "identity", parameter=0.3).fitted_to(y, None).parameter == 0.3


def test_weights_are_relative_unless_they_count_rows():
    np.testing.assert_array_equal(relative_weights(np.array([1.0, 2.0, 3.0])), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(relative_weights(np.array([0.5, 1.0, 3.0])), [1 / 3, 2 / 3, 2.0])
    np.testing.assert_allclose(relative_weights(np.array([1e300, 3e300])), [0.5, 1.5])
    np.testing.assert_allclose(relative_weights(np.array([1e8, 3e8])), [0.5, 1.5])
    assert relative_weights(np.array([0.25, 0.25])) is None
    assert relative_weights(None) is None
