"""Boosting is safe by construction: the training loss never rises, whatever the rows, the losses and the rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import GBDTClassifier, GBDTRegressor

LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma", "tweedie"]


def rises(model):
    """By how much the training loss rose, all iterations together, in shares of its first value."""
    loss = -model.train_score_
    assert np.isfinite(loss).all()
    return np.maximum(np.diff(loss), 0).sum() / max(np.abs(loss).max(), np.finfo(float).tiny)


def classes_of_shrinking_size(n, n_classes, fall, seed=0):
    """Well separated classes; each is exp(fall) times rarer than the one before, the last ones have a row or none."""
    rng = np.random.default_rng(seed)
    share = np.exp(-fall * np.arange(n_classes))
    y = rng.choice(n_classes, n, p=share / share.sum())
    y[:n_classes] = np.arange(n_classes)
    centres = 2 * rng.normal(size=(n_classes, 6))
    return np.round(centres[y] + rng.normal(size=(n, 6)) * [1, 1, 2, 2, 3, 4], 1), y


def heavy_tails(n, seed=0):
    """Targets over twelve powers of ten."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.exp(4 * X[:, 0]) * rng.pareto(0.7, n) + 1e-9


# ---- rare classes ----


def test_rare_classes_do_not_make_it_diverge():
    """Newton steps of p (1 - p) alone sent the loss to 1e19 and the accuracy below a guess."""
    rng = np.random.default_rng(0)
    sizes = [6000, 1200, 450, 25, 12, 6, 4]
    y = np.repeat(np.arange(7), sizes)
    centres = 2 * rng.normal(size=(7, 9))
    X = np.round(centres[y] + rng.normal(size=(len(y), 9)) * np.r_[1, 1, 1, 2, 2, 3, 3, 4, 4], 1)
    order = rng.permutation(len(y))
    X, y = X[order], y[order]
    for options in ({}, {"n_estimators": 60, "early_stopping": False}, {"reg_lambda": 0.0, "early_stopping": False}):
        model = GBDTClassifier(random_state=0, n_jobs=1, **options).fit(X[:5500], y[:5500])
        assert rises(model) < 1e-9
        assert model.score(X[5500:], y[5500:]) > 0.95


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 1.0, "reg_lambda": 0.0},
        {"learning_rate": 20.0},
        {"max_leaf_nodes": 255, "min_samples_leaf": 1, "reg_lambda": 0.0},
        {"min_samples_leaf": 1, "min_child_weight": 0.0, "reg_lambda": 0.0, "learning_rate": 0.5},
        {"growth": "depth", "max_depth": 8, "max_leaf_nodes": None, "min_samples_leaf": 2},
        {"newton": False, "learning_rate": 1.0, "min_samples_leaf": 1},
        {"reg_alpha": 1.0},
        {"max_delta_step": 1.0, "learning_rate": 0.5},
        {"class_weight": "balanced"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("n_classes", "n", "fall"), [(2, 1500, 6.0), (4, 1500, 2.5), (25, 400, 0.3), (5, 40, 0.5)])
def test_loss_of_classes_never_rises(n_classes, n, fall, options):
    X, y = classes_of_shrinking_size(n, n_classes, fall)
    model = GBDTClassifier(n_estimators=12, early_stopping=False, n_jobs=1, **options).fit(X, y)
    assert rises(model) < 1e-9
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.slow
def test_loss_of_a_hundred_classes_never_rises():
    X, y = classes_of_shrinking_size(3000, 100, 0.05)
    model = GBDTClassifier(n_estimators=40, early_stopping=False, min_samples_leaf=3, n_jobs=1).fit(X, y)
    assert rises(model) < 1e-9
    assert model.score(X, y) > 0.9


def test_weights_over_sixteen_powers_of_ten():
    X, y = classes_of_shrinking_size(1200, 5, 1.0)
    weight = 10.0 ** np.random.default_rng(1).uniform(-8, 8, len(y))
    model = GBDTClassifier(n_estimators=15, early_stopping=False).fit(X, y, sample_weight=weight)
    assert rises(model) < 1e-9


# ---- wide targets and heavy tails ----


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 3.0, "min_samples_leaf": 1},
        {"newton": False},
        {"min_child_weight": 0.0, "min_samples_leaf": 1, "learning_rate": 1.0},
        {"monotonic_cst": [1, 0, -1, 0], "learning_rate": 1.0, "min_samples_leaf": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", LOSSES)
def test_loss_of_heavy_tails_never_rises(loss, options):
    X, y = heavy_tails(1000)
    model = GBDTRegressor(loss=loss, n_estimators=20, n_jobs=1, **options).fit(X, y)
    assert rises(model) < 1e-9
    predicted = model.predict(X)
    assert np.isfinite(predicted).all()
    if loss in ("poisson", "gamma", "tweedie"):  # leaves follow means: none lies far beyond the largest target
        assert predicted.max() < 10 * y.max()


def test_gamma_fits_targets_over_nine_powers_of_ten():
    """Raised "a gradient that is not finite": the first Newton steps overshot by hundreds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    mean = np.exp(2 * X[:, 0])
    model = GBDTRegressor(loss="gamma").fit(X, mean * rng.gamma(2, 0.5, 3000))
    assert np.abs(np.log(model.predict(X) / mean)).mean() < 0.4


def test_poisson_at_rare_huge_counts_stays_in_range():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 3))
    y = np.where(rng.random(4000) < 0.003, np.floor(1e6 * rng.random(4000)), 0.0)
    for loss in ("poisson", "tweedie"):
        model = GBDTRegressor(loss=loss, early_stopping=False).fit(X, y)
        assert rises(model) < 1e-9
        assert model.predict(rng.normal(size=(4000, 3)) * 3).max() < 10 * y.max()


# ---- steps ----


def test_ordinary_steps_are_those_of_newton():
    """A step that the loss allows is not touched: the same trees as by a loss of one's own, which has no bound."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = (X[:, 0] + rng.normal(size=500) > 0).astype(int)

    def log_loss(y, raw, weight):
        p = 1 / (1 + np.exp(-raw - np.log(y.mean() / (1 - y.mean()))))
        return p - y, p * (1 - p)

    options = {"n_estimators": 10, "reg_lambda": 0.0, "random_state": 0}
    ours = GBDTClassifier(**options).fit(X, y).trees_
    theirs = GBDTClassifier(loss=log_loss, **options).fit(X, y).trees_
    np.testing.assert_array_equal(ours["feature"], theirs["feature"])
    np.testing.assert_allclose(ours["value"], theirs["value"], rtol=1e-5, atol=1e-7)


def test_max_delta_step_limits_leaf_values():
    X, y = classes_of_shrinking_size(1000, 3, 1.0)
    model = GBDTClassifier(n_estimators=5, max_delta_step=0.4, learning_rate=0.5, early_stopping=False).fit(X, y)
    values = np.abs(model.trees_["value"])
    assert values.max() == pytest.approx(0.2)
    free = GBDTClassifier(n_estimators=5, learning_rate=0.5, early_stopping=False).fit(X, y)
    assert np.abs(free.trees_["value"]).max() > 0.3
    regressor = GBDTRegressor(n_estimators=3, max_delta_step=0.7).fit(X, X[:, 0] * 100)
    assert np.abs(regressor.trees_["value"]).max() == pytest.approx(0.07)


@pytest.mark.parametrize("value", [-1.0, "1", None, np.nan])
def test_max_delta_step_is_checked(value):
    with pytest.raises(ValueError, match="max_delta_step"):
        GBDTRegressor(max_delta_step=value).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.peers
def test_max_delta_step_is_that_of_xgboost():
    xgboost = pytest.importorskip("xgboost", reason="needs the peers extra")
    rng = np.random.default_rng(0)
    X = rng.integers(0, 40, (3000, 5)).astype(float)
    y = (np.sin(X[:, 0] / 5) + X[:, 1] / 20 + rng.normal(size=3000) > 1.5).astype(int)
    theirs = xgboost.XGBClassifier(
        n_estimators=12, learning_rate=0.3, max_depth=4, max_delta_step=0.8, base_score=0.5, reg_lambda=1.0
    ).fit(X, y)
    ours = GBDTClassifier(
        growth="depth", max_leaf_nodes=None, max_depth=4, n_estimators=12, learning_rate=0.3, max_delta_step=0.8,
        reg_lambda=1.0, min_child_weight=1.0, min_samples_leaf=1, early_stopping=False,
    )  # fmt: skip
    half = np.r_[np.flatnonzero(y == 0)[: y.sum()], np.flatnonzero(y == 1)]  # a baseline of 1/2
    theirs.fit(X[half], y[half])
    ours.fit(X[half], y[half])
    # Their gradients and sums are float32.
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


# ---- scores that are not numbers ----


def test_nan_score_is_an_error_where_it_decides():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = (X[:, 0] > 0).astype(int)

    def score(model, X, y):
        return np.nan if model.predict_proba(X)[:, 1].max() > 0.6 else 0.5

    with pytest.raises(ValueError, match=r"validation score of GBDTClassifier is NaN after iteration [1-9]"):
        GBDTClassifier(scoring=score).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="training score of GBDTClassifier is NaN"):
        GBDTClassifier(scoring=score, early_stopping=True, validation_fraction=None).fit(X, y)
    model = GBDTClassifier(scoring=score, early_stopping=False, n_estimators=5).fit(X, y)  # recorded only
    assert model.n_iter_ == 5
    assert np.isnan(model.train_score_).any()


# ---- validation rows ----


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 1, 30])
def test_each_class_keeps_a_row_to_train_on(fraction):
    y = np.r_[np.zeros(40, int), np.arange(1, 25), np.arange(1, 8)]
    X = y[:, None] + 0.0
    options = {"n_estimators": 3, "max_leaf_nodes": 4, "min_samples_leaf": 1, "early_stopping": True}
    for seed in range(5):
        model = GBDTClassifier(validation_fraction=fraction, random_state=seed, **options).fit(X, y)
        share = np.exp(model.trees_["baseline"])
        assert len(model.classes_) == 25
        assert (share / share.sum() > 1e-3).all()  # a class without training rows would have next to nothing
        assert len(model.validation_score_) > 1


def test_classes_keep_their_share_of_the_validation_rows():
    from mlcore.boosting._fit import Rows, split

    y = np.repeat([0.0, 1.0, 2.0], [700, 250, 50])
    rows = Rows(np.arange(1000.0)[:, None], y, None)
    train, validation = split(rows, 0.1, 3, stratify=True)
    assert np.abs(np.bincount(validation.y.astype(int)) - [70, 25, 5]).max() <= 1
    assert len(train) == 900
    assert len(validation) == 100
    together = np.sort(np.r_[train.X[:, 0], validation.X[:, 0]])
    np.testing.assert_array_equal(together, np.arange(1000))
    assert split(rows, 0.1, 3, stratify=True)[1].X.tolist() == validation.X.tolist()
    assert split(rows, 0.1, 4, stratify=True)[1].X.tolist() != validation.X.tolist()


def test_without_a_row_to_spare_the_training_score_is_watched():
    model = GBDTClassifier(early_stopping=True, n_estimators=3).fit([[0.0], [1.0], [2.0]], ["a", "b", "c"])
    assert len(model.validation_score_) == 0
    model = GBDTRegressor(early_stopping=True, n_estimators=3).fit([[0.0]], [1.0])
    assert len(model.validation_score_) == 0
    assert model.predict([[5.0]]) == [1.0]
    with pytest.raises(ValueError, match="validation_fraction=3 must leave rows to train on, but there are 3 rows"):
        GBDTRegressor(early_stopping=True, validation_fraction=3).fit([[0.0], [1.0], [2.0]], [1.0, 2.0, 3.0])


def test_validation_rows_do_not_take_the_only_count():
    X = np.arange(30.0)[:, None]
    for seed in range(8):
        y = np.zeros(30)
        y[seed] = 5.0
        model = GBDTRegressor("poisson", early_stopping=True, validation_fraction=0.5, random_state=seed).fit(X, y)
        assert np.isfinite(model.predict(X)).all()


def test_targets_to_validate_with_are_checked():
    X = np.arange(6.0)[:, None]
    with pytest.raises(ValueError, match="y_val of GBDTRegressor must be > 0 for loss='gamma'"):
        GBDTRegressor("gamma").fit(X, X[:, 0] + 1, X_val=X, y_val=X[:, 0])
    model = GBDTRegressor("poisson", n_estimators=2).fit(X, X[:, 0], X_val=X, y_val=np.zeros(6))
    assert np.isfinite(model.validation_score_).all()


# ---- any table ----


@st.composite
def hostile_tables(draw):
    """A few columns (constant, duplicated, far from zero, with few values) and targets with tails or rare values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 3, 10, 60, 300]))
    columns = [
        rng.normal(size=n),
        np.full(n, draw(st.sampled_from([0.0, 1e8, np.nan]))),
        rng.integers(0, 3, n) * 1.0,
        1e8 + 1e-3 * rng.normal(size=n),
        np.exp(10 * rng.normal(size=n)),
    ]
    X = np.column_stack([columns[j] for j in draw(st.permutations(range(5)))[: draw(st.integers(1, 5))]])
    X[rng.random(X.shape) < draw(st.sampled_from([0.0, 0.3]))] = np.nan
    if draw(st.booleans()):
        X[n // 2 :] = X[: n - n // 2]  # rows twice, with other targets
    kind = draw(st.sampled_from(["rare", "tail", "two values", "constant", "tiny", "huge"]))
    y = {
        "rare": np.where(rng.random(n) < 0.02, 1e6, 1e-3),
        "tail": rng.pareto(0.5, n) + 1e-6,
        "two values": np.where(rng.random(n) < 0.5, 1.0, 2.0),
        "constant": np.full(n, 3.7),
        "tiny": 1e-8 * rng.gamma(1.0, 1.0, n) + 1e-300,
        "huge": 1e8 * rng.gamma(1.0, 1.0, n) + 1e-300,
    }[kind]
    weight = draw(st.sampled_from([None, np.ones(n), 10.0 ** rng.uniform(-8, 8, n), np.full(n, 1e-8)]))
    return X, y, weight


@settings(max_examples=60, deadline=None)
@given(hostile_tables(), st.sampled_from(LOSSES))
def test_no_table_makes_a_regressor_worse_than_a_constant(table, loss):
    X, y, weight = table
    model = GBDTRegressor(loss=loss, n_estimators=8, n_jobs=1).fit(X, y, sample_weight=weight)
    assert rises(model) < 1e-9
    assert np.isfinite(model.predict(X)).all()


@settings(max_examples=60, deadline=None)
@given(hostile_tables(), st.integers(2, 12), st.booleans())
def test_no_table_makes_a_classifier_worse_than_a_constant(table, n_classes, newton):
    X, y, weight = table
    labels = np.minimum(np.argsort(np.argsort(y)) % 97, n_classes - 1)
    if len(np.unique(labels)) < 2:
        return
    model = GBDTClassifier(n_estimators=6, newton=newton, n_jobs=1).fit(X, labels, sample_weight=weight)
    assert rises(model) < 1e-9
    assert np.isfinite(model.predict_proba(X)).all()
