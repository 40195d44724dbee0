"""The boosting estimators: losses, weights, early stopping, scoring, warm start, insight into trees."""

import copy
import logging
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, mean_pinball_loss, mean_poisson_deviance, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore import GBDTClassifier, GBDTRegressor

REGRESSION_LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma", "tweedie"]


# ---- losses ----


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.parametrize("newton", [True, False])
def test_every_regression_loss_learns(loss, newton, numbers):
    X, y = numbers
    model = GBDTRegressor(loss=loss, newton=newton, n_estimators=30, min_samples_leaf=5).fit(X, y)
    assert len(model.train_score_) == 31
    assert model.train_score_[-1] > model.train_score_[0]
    assert (np.diff(model.train_score_) > -1e-6).mean() > 0.9
    if loss in ("poisson", "gamma", "tweedie"):
        assert (model.predict(X) > 0).all()


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_without_a_split_the_model_is_the_best_constant(loss):
    rng = np.random.default_rng(1)
    y, weight = rng.gamma(2.0, 1.0, 41), rng.integers(1, 4, 41)
    X = np.zeros((41, 1))
    model = GBDTRegressor(loss=loss, quantile=0.3, n_estimators=1).fit(X, y, weight)
    (constant,) = set(model.predict(X))
    copies = np.repeat(y, weight)
    expected = {"absolute_error": np.median(copies), "quantile": np.quantile(copies, 0.3, method="inverted_cdf")}
    if loss == "huber":  # it starts from the median and takes one step towards the minimum
        assert 0 < abs(constant - np.median(copies)) < abs(np.mean(copies) - np.median(copies)) + 0.1
    else:
        assert constant == pytest.approx(expected.get(loss, np.mean(copies)), rel=1e-6)


def test_quantile_levels_lie_in_order_and_cover_their_share():
    rng = np.random.default_rng(2)
    X = rng.random((2000, 1))
    y = X[:, 0] + rng.normal(0, 0.2, 2000)
    low, middle, high = (GBDTRegressor(loss="quantile", quantile=q).fit(X, y).predict(X) for q in (0.1, None, 0.9))
    assert np.mean(y < low) == pytest.approx(0.1, abs=0.03)
    assert np.mean(y < middle) == pytest.approx(0.5, abs=0.03)
    assert np.mean(y < high) == pytest.approx(0.9, abs=0.03)
    assert (low < high).all()


def test_train_score_is_the_negative_loss(numbers, classes):
    X, y = numbers
    model = GBDTRegressor(loss="quantile", quantile=0.7, n_estimators=5).fit(X, y)
    assert model.train_score_[-1] == pytest.approx(-mean_pinball_loss(y, model.predict(X), alpha=0.7))
    model = GBDTRegressor(loss="poisson", n_estimators=5).fit(X, y)
    stages = [*model.staged_predict(X)]
    before, after = (mean_poisson_deviance(y, stages[i]) for i in (-2, -1))
    assert 2 * (model.train_score_[-1] - model.train_score_[-2]) == pytest.approx(before - after)
    X, y = classes
    model = GBDTClassifier(n_estimators=5).fit(X, y)
    assert model.train_score_[-1] == pytest.approx(-log_loss(y, model.predict_proba(X)))


def test_custom_loss_equals_the_built_in_one(numbers, classes):
    X, y = numbers
    y = y - y.mean()  # the built-in one starts at the mean, a custom one at 0
    weight = np.random.default_rng(0).integers(1, 3, len(y)).astype(float)
    y -= np.average(y, weights=weight)

    def squared(y_true, raw, sample_weight):
        assert y_true.shape == raw.shape == sample_weight.shape == (300,)
        return (raw - y_true) * sample_weight, sample_weight

    ours, custom = (GBDTRegressor(loss=loss, n_estimators=8).fit(X, y, weight) for loss in ("squared_error", squared))
    np.testing.assert_allclose(ours.predict(X), custom.predict(X), rtol=1e-6, atol=1e-9)
    assert custom.train_score_.size == 0  # nothing is known of its value

    X, y = classes
    balanced = (y > 0).astype(int)[np.argsort(y, kind="stable")][60:240]  # 30 + 150, weighted to a prior of one half
    X, weight = X[60:240], np.where(balanced == 1, 1.0, np.sum(balanced == 1) / np.sum(balanced == 0))

    def binary(y_true, raw, sample_weight):
        assert y_true.dtype.kind == "i"
        assert raw.ndim == 1
        p = expit(raw)
        return (p - y_true) * sample_weight, p * (1 - p) * sample_weight

    ours, custom = (GBDTClassifier(loss=loss, n_estimators=8).fit(X, balanced, weight) for loss in ("log_loss", binary))
    np.testing.assert_allclose(ours.predict_proba(X), custom.predict_proba(X), atol=1e-6)


def test_custom_loss_with_many_classes(classes):
    X, y = classes

    def softmax_loss(y_true, raw, sample_weight):
        assert raw.shape == (300, 3)
        assert sample_weight is None
        p = np.exp(raw - raw.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p - np.eye(3)[y_true], p * (1 - p)

    model = GBDTClassifier(loss=softmax_loss, n_estimators=20, min_samples_leaf=5).fit(X, y)
    assert model.score(X, y) > 0.75
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda y: y, "tuple (gradient, hessian)"),
        (lambda y: (y[:-1], y), "gradient of a loss of your own must have shape (300,), got (299,)"),
        (lambda y: (y, y * np.nan), "hessian of a loss of your own must be finite"),
    ],
)
def test_custom_loss_with_a_wrong_result(result, message, numbers):
    X, y = numbers
    with pytest.raises(ValueError, match=re.escape(message)):
        GBDTRegressor(loss=lambda y_true, raw, weight: result(y_true)).fit(X, y)


def test_custom_loss_needs_a_scorer_to_stop_early(numbers):
    X, y = numbers

    def squared(y_true, raw, sample_weight):
        return raw - y_true, np.ones_like(raw)

    with pytest.raises(ValueError, match="set scoring to a scorer"):
        GBDTRegressor(loss=squared, early_stopping=True).fit(X, y)
    model = GBDTRegressor(loss=squared, early_stopping=True, scoring="r2", n_estimators=5).fit(X, y)
    assert len(model.validation_score_) == 6


def test_error_in_a_custom_loss_reaches_the_caller(numbers):
    def broken(y_true, raw, sample_weight):
        raise RuntimeError("mine")

    model = GBDTRegressor(loss=broken)
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(*numbers)
    with pytest.raises(NotFittedError):
        model.predict(numbers[0])


# ---- classes ----


@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [False, True], [-1, 1], [10, 20, 30], ["a", "b", "c"], [1.0, 2.0], np.array(["u", "v"], object)],
)
def test_labels_of_any_type(labels, classes):
    X, y = classes
    labels = np.asarray(labels)
    y = labels[y % len(labels)]
    model = GBDTClassifier(n_estimators=5).fit(X, y)
    assert model.classes_.tolist() == labels.tolist()
    predicted = model.predict(X)
    assert predicted.dtype == y.dtype
    assert (predicted == labels[model.predict_proba(X).argmax(axis=1)]).all()
    assert model.decision_function(X).shape == ((300,) if len(labels) == 2 else (300, 3))


def test_class_weight_multiplies_weights(classes):
    X, y = classes
    y = y > 0
    weight = np.random.default_rng(3).integers(1, 4, len(y)).astype(float)
    by_class = GBDTClassifier(n_estimators=5, class_weight={False: 3.0, True: 1.0}).fit(X, y, weight)
    by_row = GBDTClassifier(n_estimators=5).fit(X, y, weight * np.where(y, 1.0, 3.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    balanced = GBDTClassifier(n_estimators=1, learning_rate=1e-9, class_weight="balanced").fit(X, y, weight)
    np.testing.assert_allclose(balanced.predict_proba(X), 0.5, atol=1e-6)
    with pytest.raises(ValueError, match="class_weight of GBDTClassifier must be finite and >= 0"):
        GBDTClassifier(class_weight={False: -1.0, True: 1.0}).fit(X, y)


def test_baseline_is_the_prior(classes):
    X, y = classes
    model = GBDTClassifier(n_estimators=1, learning_rate=1e-12).fit(X, y > 0)
    np.testing.assert_allclose(model.decision_function(X), logit(np.mean(y > 0)), atol=1e-9)
    model = GBDTClassifier(n_estimators=1, learning_rate=1e-12).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], np.bincount(y) / len(y), atol=1e-9)


# ---- weights ----


@pytest.mark.parametrize("growth", ["leaf", "depth"])
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_weight_zero_is_removal_and_two_is_a_copy(loss, growth, numbers):
    X, y = numbers
    weight = np.random.default_rng(4).integers(0, 3, len(y))
    model = GBDTRegressor(loss=loss, growth=growth, n_estimators=10)
    weighted = clone(model).fit(X, y, weight).predict(X)
    copied = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict(X)
    # Sums of weighted and of repeated rows round differently before they become integers of the histogram.
    np.testing.assert_allclose(weighted, copied, rtol=1e-6)


def test_category_without_weight_was_never_seen():
    frame = pd.DataFrame({"c": list("aab") * 50})
    y = np.arange(150.0)
    model = GBDTRegressor(n_estimators=2).fit(frame, y, sample_weight=(frame["c"] == "a").astype(float))
    assert model.categories_[0].tolist() == ["a"]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(300, -1.0), "must be finite and >= 0"),
        (np.full(300, np.nan), "NaN"),
        (np.full(300, np.inf), "inf"),
        (np.zeros(300), "zero"),
        (np.ones(299), "shape|length"),
    ],
)
def test_bad_weights(weight, message, numbers):
    with pytest.raises(ValueError, match=message):
        GBDTRegressor().fit(*numbers, weight)


# ---- early stopping, scores ----


def test_early_stopping_keeps_the_best_iteration():
    X, y = make_regression(400, 5, noise=60, random_state=0)
    model = GBDTRegressor(learning_rate=0.5, early_stopping=True, n_iter_no_change=5, random_state=0).fit(X, y)
    scores = model.validation_score_
    assert model.n_iter_ < 100
    assert model.n_iter_ == scores.argmax()
    assert len(scores) == len(model.train_score_) == model.n_iter_ + 5 + 1
    assert len(list(model.staged_predict(X))) == model.n_iter_
    assert model.trees_to_frame()["iteration"].max() == model.n_iter_ - 1


def test_early_stopping_auto(numbers):
    X, y = numbers
    assert GBDTRegressor(n_estimators=3).fit(X, y).validation_score_.size == 0
    assert GBDTRegressor(n_estimators=3).fit(X, y, X_val=X, y_val=y).validation_score_.size == 4
    X, y = np.tile(X, (40, 1)), np.tile(y, 40)
    model = GBDTRegressor(n_estimators=3, max_leaf_nodes=4).fit(X, y)
    assert model.validation_score_.size == 4
    assert model.trees_["count"][0] == 10_800  # a tenth was set aside
    model = GBDTRegressor(n_estimators=3, max_leaf_nodes=4, early_stopping=False).fit(X, y, X_val=X, y_val=y)
    assert model.validation_score_.size == 4
    np.testing.assert_allclose(model.validation_score_, model.train_score_)


def test_validation_fraction(numbers):
    X, y = numbers
    counts = {}
    for fraction in (0.25, 30, None):
        model = GBDTRegressor(n_estimators=2, early_stopping=True, validation_fraction=fraction).fit(X, y)
        counts[fraction] = model.trees_["count"][0]
        assert (model.validation_score_.size > 0) == (fraction is not None)
    assert counts == {0.25: 225, 30: 270, None: 300}


def test_class_with_one_row_survives_the_split():
    X, y = np.arange(40.0).reshape(-1, 1), np.zeros(40, dtype=int)
    y[:3] = [1, 1, 2]
    model = GBDTClassifier(n_estimators=3, early_stopping=True, random_state=0).fit(X, y)
    assert model.predict_proba(X).shape == (40, 3)


@pytest.mark.parametrize("weighted", [False, True])
def test_scorer_by_name_equals_the_score_of_the_finished_model(weighted, classes):
    X, y = classes
    y = np.where(y > 0, "late", "fine")
    weight = np.arange(1.0, 301.0) if weighted else None
    model = GBDTClassifier(n_estimators=6, scoring="roc_auc", early_stopping=False)
    model.fit(X[:200], y[:200], weight if weight is None else weight[:200], X_val=X[200:], y_val=y[200:],
              sample_weight_val=weight if weight is None else weight[200:])  # fmt: skip
    assert model.train_score_.size == model.validation_score_.size == 7
    raw = model.decision_function(X[200:])
    expected = roc_auc_score(y[200:] == "late", raw, sample_weight=weight if weight is None else weight[200:])
    assert model.validation_score_[-1] == pytest.approx(expected, abs=1e-6)


def test_callable_scorer_may_look_at_the_rows(numbers):
    X, y = numbers
    seen = []

    def score(estimator, X, y):
        seen.append(X.shape)
        half = estimator.predict(X[::2])  # not the rows at hand: goes through the trees
        np.testing.assert_allclose(half, estimator.predict(X)[::2], rtol=1e-6)
        return -float(np.mean((half - y[::2]) ** 2))

    model = GBDTRegressor(n_estimators=3, scoring=score, early_stopping=True, validation_fraction=60).fit(X, y)
    assert seen == [(240, 4), (60, 4)] * 4
    assert model.validation_score_.size == 4


def test_scoring_none_is_the_score_method(numbers):
    X, y = numbers
    model = GBDTRegressor(n_estimators=4, scoring=None).fit(X, y)
    assert model.train_score_[-1] == pytest.approx(model.score(X, y))


def test_verbose(numbers, capsys, caplog):
    X, y = numbers
    GBDTRegressor(n_estimators=3).fit(X, y)
    assert capsys.readouterr() == ("", "")
    GBDTRegressor(n_estimators=3, verbose=1).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "GBDTRegressor: 100%" in err
    assert "loss=" in err
    with caplog.at_level(logging.INFO, logger="mlcore"):
        GBDTRegressor(n_estimators=3, verbose=2).fit(X, y)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert re.fullmatch(r"GBDTRegressor 3/3  loss [\d.e-]+", lines[-1])
    assert capsys.readouterr() == ("", "")


# ---- warm start, sampling, threads ----


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"loss": "absolute_error"},
        {"early_stopping": True, "n_iter_no_change": 50},
        {"subsample": 0.5, "colsample_bytree": 0.7, "colsample_bynode": 0.7},
    ],
)
def test_warm_start_continues(parameters, numbers):
    X, y = numbers
    whole = GBDTRegressor(n_estimators=12, random_state=0, **parameters).fit(X, y)
    grown = GBDTRegressor(n_estimators=5, random_state=0, warm_start=True, **parameters).fit(X, y)
    first = grown.trees_["value"].copy()
    grown.set_params(n_estimators=12).fit(X, y)
    assert grown.n_iter_ == whole.n_iter_
    np.testing.assert_array_equal(grown.trees_["value"][: len(first)], first)
    np.testing.assert_allclose(grown.predict(X), whole.predict(X), rtol=1e-5)
    np.testing.assert_allclose(grown.train_score_, whole.train_score_, rtol=1e-5)
    state = grown.trees_["value"].copy()
    np.testing.assert_array_equal(grown.fit(X, y).trees_["value"], state)  # nothing left to do


def test_warm_start_refuses_fewer_iterations_and_new_classes(numbers, classes):
    model = GBDTClassifier(n_estimators=3, warm_start=True).fit(*classes)
    with pytest.raises(ValueError, match="n_estimators=2 of GBDTClassifier must be at least the 3 iterations"):
        model.set_params(n_estimators=2).fit(*classes)
    model.set_params(n_estimators=4)
    with pytest.raises(ValueError, match=r"classes that the model does not know: \[7\]"):
        model.fit(classes[0], np.where(classes[1] == 2, 7, classes[1]))
    assert model.n_iter_ == 3  # the failed fits left it as it was
    assert model.predict(classes[0]).shape == (300,)


def test_failed_fit_leaves_the_model_unfitted(numbers):
    X, y = numbers
    model = GBDTRegressor(n_estimators=2).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, y * np.nan)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not [name for name in vars(model) if name.endswith("_") or name in model._private_state]


# ---- insight ----


def test_apply_and_trees_tell_the_prediction(classes):
    X, y = classes
    model = GBDTClassifier(n_estimators=4, min_samples_leaf=5).fit(X, y)
    leaves, trees = model.apply(X), model.trees_
    assert leaves.shape == (300, 12)
    assert leaves.dtype == np.int32
    raw = np.tile(trees["baseline"], (300, 1))
    for t in range(12):
        raw[:, t % 3] += trees["value"][trees["tree_offset"][t] + leaves[:, t]]
    np.testing.assert_allclose(raw, model.decision_function(X), rtol=1e-9)
    frame = model.trees_to_frame()
    assert len(frame) == trees["tree_offset"][-1]
    for t in (0, 11):
        tree = frame[frame["tree"] == t].set_index("node")
        assert set(leaves[:, t]) == set(tree.index[tree["feature"].isna()])
        counts = pd.Series(leaves[:, t]).value_counts()
        assert (tree.loc[counts.index, "count"] == counts).all()
    assert frame.loc[frame["node"] == 0, "depth"].eq(0).all()
    assert frame.loc[0, "count"] == 300


def test_trees_of_a_frame_have_names_and_categories():
    frame = pd.DataFrame({"size": np.arange(400) % 8, "colour": np.tile(["red", "red", "blue", "green"], 100)})
    y = np.where(frame["colour"] == "green", 10.0, 0.0) + frame["size"]
    table = GBDTRegressor(n_estimators=3).fit(frame, y).trees_to_frame()
    assert set(table["feature"].dropna()) == {"size", "colour"}
    colour = table[table["feature"] == "colour"]
    assert colour["categories"].iloc[0] == ["green"]
    assert colour["threshold"].isna().all()
    assert table.loc[table["feature"] == "size", "categories"].isna().all()


def test_importances(numbers):
    X, y = numbers
    model = GBDTRegressor(n_estimators=10).fit(X, y)
    frame = model.trees_to_frame()
    inner = frame[frame["feature"].notna()]
    np.testing.assert_allclose(
        model.importance("split"), inner["feature"].value_counts().reindex(range(4), fill_value=0)
    )
    np.testing.assert_allclose(
        model.importance("gain"), inner.groupby("feature")["gain"].sum().reindex(range(4), fill_value=0)
    )
    assert model.importance("cover").shape == (4,)
    assert model.feature_importances_.sum() == pytest.approx(1)
    assert model.feature_importances_.argmax() == 0
    constant = GBDTRegressor(n_estimators=1).fit(np.zeros((50, 2)), np.arange(50.0))
    np.testing.assert_array_equal(constant.feature_importances_, [0, 0])
    with pytest.raises(ValueError, match="kind of importance must be 'gain', 'split' or 'cover', got 'shap'"):
        model.importance("shap")


def test_staged(numbers, classes):
    X, y = classes
    model = GBDTClassifier(n_estimators=4).fit(X, y)
    for staged, final in (
        (model.staged_predict, model.predict),
        (model.staged_predict_proba, model.predict_proba),
        (model.staged_decision_function, model.decision_function),
    ):
        stages = list(staged(X))
        assert len(stages) == 4
        np.testing.assert_allclose(stages[-1], final(X), rtol=1e-12) if final != model.predict else None
    with pytest.raises(NotFittedError):
        GBDTClassifier().staged_predict(X)  # at the call, not at the first step


def test_monotonic_constraint():
    rng = np.random.default_rng(5)
    X = rng.random((500, 2))
    y = np.sin(6 * X[:, 0]) + X[:, 1] + rng.normal(0, 0.1, 500)
    grid = np.column_stack([np.linspace(0, 1, 50), np.full(50, 0.5)])
    for direction in (1, -1):
        model = GBDTRegressor(n_estimators=20, monotonic_cst=[direction, 0]).fit(X, y)
        assert (direction * np.diff(model.predict(grid)) >= 0).all()
    by_name = GBDTRegressor(n_estimators=20, monotonic_cst={"a": 1}).fit(pd.DataFrame(X, columns=["a", "b"]), y)
    assert (np.diff(by_name.predict(pd.DataFrame(grid, columns=["a", "b"]))) >= 0).all()


def test_interaction_constraint(numbers):
    X, y = numbers
    model = GBDTRegressor(n_estimators=10, min_samples_leaf=5, interaction_cst=[[0, 1]]).fit(X, y)
    frame = model.trees_to_frame()
    for _, tree in frame.groupby("tree"):
        assert set(tree["feature"].dropna()) <= {0, 1} or set(tree["feature"].dropna()) <= {2, 3}
    alone = GBDTRegressor(n_estimators=10, min_samples_leaf=5, interaction_cst="no_interactions").fit(X, y)
    assert alone.trees_to_frame().groupby("tree")["feature"].nunique().max() == 1


# ---- with scikit-learn, pickle ----


def test_in_pipeline_search_and_cross_validation():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), GBDTClassifier(n_estimators=5))
    assert cross_val_score(model, X[:200], y[:200], cv=2).min() > 0.8
    search = GridSearchCV(GBDTClassifier(n_estimators=3), {"growth": ["leaf", "depth"]}, cv=2).fit(X[:200], y[:200])
    assert search.best_params_["growth"] in ("leaf", "depth")


def test_pickle_joblib_and_copy(tmp_path, classes):
    X, y = classes
    model = GBDTClassifier(n_estimators=3).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib"), copy.deepcopy(model)]
    for other in copies:
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        assert other.get_params() == model.get_params()
        np.testing.assert_array_equal(other.feature_importances_, model.feature_importances_)


# ---- quality ----


def test_quality_on_bundled_sets():
    X, y = load_breast_cancer(return_X_y=True)
    assert cross_val_score(GBDTClassifier(), X, y, cv=3).mean() > 0.95
    X, y = load_iris(return_X_y=True)
    assert cross_val_score(GBDTClassifier(min_samples_leaf=5), X, y, cv=3).mean() > 0.92
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(GBDTRegressor(n_estimators=50), X, y, cv=3).mean() > 0.35
