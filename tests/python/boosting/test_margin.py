"""base_margin: raw scores to start from, in fit and in predict."""

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import GBDTClassifier, GBDTRegressor

LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma", "tweedie"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    X[rng.random(X.shape) < 0.5] = 0
    return X, np.exp(X[:, 0] + 0.3 * rng.normal(size=600)) + 0.1, rng.normal(size=600)


@pytest.mark.parametrize("loss", LOSSES)
def test_margin_of_another_model_is_continued_training(loss, rows):
    X, y, _ = rows
    kind = {"loss": loss, "huber_slope": 1.0, "random_state": 0}
    first = GBDTRegressor(**kind, n_estimators=6, warm_start=True).fit(X, y)
    raw = np.log(first.predict(X)) if loss in ("poisson", "gamma", "tweedie") else first.predict(X)
    second = GBDTRegressor(**kind, n_estimators=4).fit(X, y, base_margin=raw)
    whole = first.set_params(n_estimators=10).fit(X, y)
    # Raw scores came here through exp and log: equal up to rounding, if no tie turned.
    np.testing.assert_allclose(second.predict(X, base_margin=raw), whole.predict(X), rtol=1e-6)
    assert second.trees_["baseline"].tolist() == [0.0]
    np.testing.assert_allclose(second.train_score_[0], whole.train_score_[6], rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_margins_of_classes(n_classes, rows):
    X, y, _ = rows
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    first = GBDTClassifier(n_estimators=6, random_state=0, warm_start=True).fit(X, y)
    raw = first.decision_function(X)
    second = GBDTClassifier(n_estimators=4, random_state=0).fit(X, y, base_margin=raw)
    first.set_params(n_estimators=10).fit(X, y)
    np.testing.assert_allclose(second.decision_function(X, base_margin=raw), first.decision_function(X), rtol=1e-9)
    np.testing.assert_allclose(second.predict_proba(X, base_margin=raw), first.predict_proba(X), rtol=1e-9)
    np.testing.assert_array_equal(second.predict(X, base_margin=raw), first.predict(X))
    np.testing.assert_allclose(second.decision_function(X) + raw, first.decision_function(X), rtol=1e-9)
    for ours, name in ((second.predict, "predict"), (second.predict_proba, "predict_proba")):
        *_, last = getattr(second, f"staged_{name}")(X, base_margin=raw)
        np.testing.assert_array_equal(last, ours(X, base_margin=raw))
    *_, last = second.staged_decision_function(X, base_margin=raw)
    np.testing.assert_array_equal(last, second.decision_function(X, base_margin=raw))


def test_exposure_of_a_poisson_model():
    rng = np.random.default_rng(0)
    X, exposure = rng.normal(size=(5000, 2)), rng.uniform(0.1, 10, 5000)
    rate = np.exp(0.5 * (X[:, 0] > 0))
    y = rng.poisson(rate * exposure)
    model = GBDTRegressor(loss="poisson", early_stopping=False).fit(X, y, base_margin=np.log(exposure))
    assert np.mean(np.abs(np.log(model.predict(X) / rate))) < 0.1  # without a margin: the rate of an exposure of 1
    np.testing.assert_allclose(model.predict(X, base_margin=np.log(exposure)), model.predict(X) * exposure, rtol=1e-9)


def test_a_margin_goes_with_its_row(rows):
    X, y, margin = rows
    weight = np.random.default_rng(1).integers(0, 3, 600).astype(float)
    kept = weight > 0
    kind = {"n_estimators": 5, "random_state": 0}
    model = GBDTRegressor(**kind).fit(X, y, weight, base_margin=margin)
    expected = model.predict(X)
    np.testing.assert_array_equal(
        GBDTRegressor(**kind).fit(X[kept], y[kept], weight[kept], base_margin=margin[kept]).predict(X), expected
    )
    sparse = GBDTRegressor(**kind).fit(sp.csr_array(X), y, weight, base_margin=margin.tolist())
    np.testing.assert_array_equal(sparse.predict(sp.csr_array(X)), expected)
    # A target shifted along with the margin leaves the same to learn.
    shifted = GBDTRegressor(**kind).fit(X, y + 3.0, weight, base_margin=margin + 3.0)
    np.testing.assert_allclose(shifted.predict(X), expected, atol=1e-6)
    assert not np.allclose(GBDTRegressor(**kind).fit(X, y, weight).predict(X), expected, atol=1e-2)


def test_validation_rows_have_margins_of_their_own(rows):
    X, y, margin = rows
    y = y + margin
    kind = {"n_estimators": 30, "random_state": 0, "early_stopping": True}
    model = GBDTRegressor(**kind).fit(
        X[:400], y[:400], base_margin=margin[:400], X_val=X[400:], y_val=y[400:], base_margin_val=margin[400:]
    )
    error = [np.mean((p - y[400:]) ** 2) for p in model.staged_predict(X[400:], base_margin=margin[400:])]
    np.testing.assert_allclose(-2 * model.validation_score_[1 : len(error) + 1], error, rtol=1e-6)
    own_split = GBDTRegressor(**kind).fit(X, y, base_margin=margin)
    assert own_split.validation_score_[-1] > own_split.validation_score_[0]
    by_r2 = GBDTRegressor(**kind, scoring="r2").fit(X, y, base_margin=margin)
    assert by_r2.validation_score_[by_r2.n_iter_] > 0.8


def test_continued_training_takes_margins_again(rows):
    X, y, margin = rows
    whole = GBDTRegressor(n_estimators=8, random_state=0).fit(X, y, base_margin=margin)
    parts = GBDTRegressor(n_estimators=3, random_state=0, warm_start=True).fit(X, y, base_margin=margin)
    parts.set_params(n_estimators=8).fit(X, y, base_margin=margin)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-12)


def test_own_loss_sees_the_margin(rows):
    X, y, margin = rows
    seen = []

    def loss(y_true, raw, weight):
        seen.append(raw.copy())
        return raw - y_true, np.ones_like(raw)

    model = GBDTRegressor(loss=loss, n_estimators=3).fit(X, y, base_margin=margin)
    np.testing.assert_array_equal(seen[0], margin)
    expected = GBDTRegressor(n_estimators=3).fit(X, y, base_margin=margin)
    np.testing.assert_array_equal(model.predict(X, base_margin=margin), expected.predict(X, base_margin=margin))


def test_bad_margins(rows):
    X, y, margin = rows
    model = GBDTRegressor(n_estimators=1).fit(X, y)
    with pytest.raises(ValueError, match=r"base_margin must have shape \(600,\), got \(599,\)"):
        GBDTRegressor().fit(X, y, base_margin=margin[1:])
    with pytest.raises(ValueError, match=r"base_margin must have shape \(600, 3\), got \(600,\)"):
        GBDTClassifier().fit(X, np.arange(600) % 3, base_margin=margin)
    with pytest.raises(ValueError, match="base_margin contains NaN"):
        GBDTRegressor().fit(X, y, base_margin=np.where(margin > 0, np.nan, margin))
    with pytest.raises(ValueError, match="base_margin contains infinity"):
        model.predict(X, base_margin=np.full(600, np.inf))
    with pytest.raises(ValueError, match=r"base_margin must have shape \(600,\), got \(1,\)"):
        model.predict(X, base_margin=[1.0])
    with pytest.raises(ValueError, match="base_margin must have shape"):
        model.staged_predict(X, base_margin=margin[:3])
    with pytest.raises(ValueError, match=r"base_margin_val of GBDT.* must be given together"):
        GBDTRegressor().fit(X, y, X_val=X, y_val=y, base_margin_val=margin)
    with pytest.raises(ValueError, match=r"base_margin_val of GBDT.* must be given together"):
        GBDTRegressor().fit(X, y, X_val=X, y_val=y, base_margin=margin)
    with pytest.raises(
        ValueError, match=r"base_margin_val of GBDT.* must be given together with X_val and y_val, got neither"
    ):
        GBDTRegressor().fit(X, y, base_margin=margin, base_margin_val=margin)

    def scorer(estimator, X, y):
        return -np.mean((estimator.predict(X[:5]) - y[:5]) ** 2)

    with pytest.raises(ValueError, match="predictions of rows of its own, for which there is no base_margin"):
        GBDTRegressor(scoring=scorer, early_stopping=True).fit(X, y, base_margin=margin)


@pytest.mark.peers
@pytest.mark.parametrize("objective", ["squared_error", "poisson"])
def test_as_xgboost(objective, rows):
    xgboost = pytest.importorskip("xgboost")
    X, y, margin = rows
    X = X.round()  # one bin a value in both libraries
    theirs = xgboost.XGBRegressor(
        objective={"squared_error": "reg:squarederror", "poisson": "count:poisson"}[objective],
        n_estimators=5,
        max_depth=3,
        learning_rate=0.3,
        reg_lambda=1,
        tree_method="hist",
        max_delta_step=0,
    ).fit(X, y, base_margin=margin)
    unit = y.mean() if objective == "poisson" else 1.0  # ours measures hessians of Poisson by those at the mean
    ours = GBDTRegressor(
        loss=objective,
        n_estimators=5,
        max_depth=3,
        learning_rate=0.3,
        reg_lambda=1 / unit,
        growth="depth",
        min_samples_leaf=1,
        max_leaf_nodes=None,
        min_child_weight=1 / unit,
    ).fit(X, y, base_margin=margin)
    # XGBoost sums in float32.
    np.testing.assert_allclose(ours.predict(X, base_margin=margin), theirs.predict(X, base_margin=margin), rtol=1e-4)
