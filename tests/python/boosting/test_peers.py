"""The same trees as the libraries whose styles the engine covers, where every value has a bin of its own."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from mlcore import GBDTClassifier, GBDTRegressor


def table(n=4000, n_features=8, seed=0, missing=0.1, n_values=60):
    """Integer-valued features; all but the first two have missing values."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, n_values, (n, n_features)).astype(np.float64)
    signal = np.sin(X[:, 0] / 7) + 0.03 * X[:, 1] * (X[:, 2] > n_values / 2) - 0.0005 * X[:, 3] ** 2
    X[:, 2:][rng.random((n, n_features - 2)) < missing] = np.nan
    signal += 0.4 * np.isnan(X[:, 4])  # missing values that mean something
    return X, signal + rng.normal(0, 0.3, n)


# ---- scikit-learn: a dependency, so these always run ----


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma"])
def test_leaf_growth_reproduces_scikit_learn_regressor(loss):
    X, y = table()
    y = y if loss == "squared_error" else np.exp(y)
    theirs = HistGradientBoostingRegressor(loss=loss, max_iter=40, early_stopping=False).fit(X, y).predict(X)
    ours = GBDTRegressor(loss=loss, n_estimators=40, early_stopping=False).fit(X, y).predict(X)
    # Their gradients and sums are rounded to float32 and float64, ours to fixed point.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_leaf_growth_reproduces_scikit_learn_classifier(n_classes):
    X, y = table()
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    theirs = HistGradientBoostingClassifier(max_iter=30, early_stopping=False).fit(X, y).predict_proba(X)
    ours = GBDTClassifier(n_estimators=30, reg_lambda=0.0, early_stopping=False).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_leaf_growth_reproduces_scikit_learn_with_weights_and_penalty():
    X, y = table()
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y))
    weight /= weight.mean()  # as we do ourselves; theirs compete with the penalty as they are
    options = {"learning_rate": 0.2, "max_leaf_nodes": 20}
    theirs = HistGradientBoostingRegressor(max_iter=20, early_stopping=False, l2_regularization=3.0, **options)
    ours = GBDTRegressor(n_estimators=20, early_stopping=False, reg_lambda=3.0, **options)
    theirs, ours = (model.fit(X, y, sample_weight=weight).predict(X) for model in (theirs, ours))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


# ---- XGBoost ----


def assert_same_tree(ours, frame, X, rows, node=0, number=0):
    """Compare our node and theirs, with the training rows that reach them, and all below."""
    theirs = frame.loc[number]
    if ours["feature"][node] < 0:
        assert theirs.Feature == "Leaf"
        assert ours["value"][node] == pytest.approx(
            theirs.Gain, rel=1e-4, abs=1e-6
        )  # float32; 'Gain' is a leaf's value
        return
    feature = ours["feature"][node]
    assert theirs.Feature == f"f{feature}"
    column = X[rows, feature]
    values = np.unique(X[:, feature][~np.isnan(X[:, feature])])
    np.testing.assert_array_equal(values <= ours["threshold"][node], values < theirs.Split)
    goes_left = column <= ours["threshold"][node]
    if np.isnan(column).any():
        # Where the node has no missing value XGBoost has a fixed direction, we follow the larger child.
        assert bool(ours["default_left"][node]) == (theirs.Missing == theirs.Yes)
        goes_left |= np.isnan(column) & bool(ours["default_left"][node])
    for child, side, where in (("left", theirs.Yes, goes_left), ("right", theirs.No, ~goes_left)):
        assert_same_tree(ours, frame, X, rows[where], ours[child][node], int(side.split("-")[1]))


def compare_with_xgboost(objective, max_depth, y, X, weight=None, **penalties):
    xgboost = pytest.importorskip("xgboost", reason="needs the peers extra")
    n_trees, rate = 15, 0.3
    ours = GBDTClassifier if objective == "binary:logistic" else GBDTRegressor
    base = np.average(y, weights=weight)
    model = ours(
        growth="depth",
        n_estimators=n_trees,
        learning_rate=rate,
        max_depth=max_depth,
        max_leaf_nodes=None,
        min_samples_leaf=1,
        min_child_weight=1.0,
        early_stopping=False,
        **penalties,
    ).fit(X, y, sample_weight=weight)
    names = {"min_split_gain": "gamma", "monotonic_cst": "monotone_constraints"}
    booster = xgboost.train(
        {
            "objective": objective,
            "tree_method": "hist",
            "max_depth": max_depth,
            "eta": rate,
            "min_child_weight": 1.0,
            "max_bin": 256,
            "base_score": base,
            **{names.get(k, k): tuple(v) if k == "monotonic_cst" else v for k, v in penalties.items()},
        },
        xgboost.DMatrix(X, y, weight=weight),
        n_trees,
    )
    frame = booster.trees_to_dataframe()
    state = model.trees_
    for t in range(n_trees):
        nodes = slice(state["tree_offset"][t], state["tree_offset"][t + 1])
        tree = {name: state[name][nodes] for name in ("feature", "threshold", "left", "right", "default_left", "value")}
        assert_same_tree(tree, frame[frame.Tree == t].set_index("Node"), X, np.arange(len(X)))
    theirs = booster.predict(xgboost.DMatrix(X))
    mine = model.predict_proba(X)[:, 1] if objective == "binary:logistic" else model.predict(X)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.peers
@pytest.mark.parametrize("max_depth", [3, 6])
def test_depth_growth_reproduces_xgboost_regression(max_depth):
    X, y = table()
    compare_with_xgboost("reg:squarederror", max_depth, y, X, reg_lambda=1.0)


@pytest.mark.peers
def test_depth_growth_reproduces_xgboost_classification():
    X, y = table()
    compare_with_xgboost("binary:logistic", 5, (y > np.median(y)).astype(float), X, reg_lambda=1.0)


@pytest.mark.peers
def test_depth_growth_reproduces_xgboost_with_penalties():
    X, y = table(seed=3)
    compare_with_xgboost("reg:squarederror", 5, y, X, reg_lambda=2.0, reg_alpha=5.0, min_split_gain=1.0)


@pytest.mark.peers
def test_depth_growth_reproduces_xgboost_with_monotone_constraints():
    X, y = table(seed=5)
    compare_with_xgboost("reg:squarederror", 4, y, X, reg_lambda=1.0, monotonic_cst=[0, 1, 1, -1, 0, 0, 0, 0])


@pytest.mark.peers
def test_depth_growth_reproduces_xgboost_with_weights():
    X, y = table(seed=4)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y))
    weight = (weight / weight.mean()).astype(np.float32).astype(np.float64)  # we do that ourselves, XGBoost does not
    compare_with_xgboost("reg:squarederror", 4, y, X, weight, reg_lambda=1.0)


# ---- LightGBM: another way to choose bins and directions, so quality only ----


@pytest.mark.peers
@pytest.mark.parametrize("seed", [0, 1])
def test_as_good_as_lightgbm_on_rows_not_seen(seed):
    lightgbm = pytest.importorskip("lightgbm", reason="needs the peers extra")
    X, y = table(n=20_000, seed=seed, n_values=1000)
    X_train, X_test, y_train, y_test = X[:15_000], X[15_000:], y[:15_000], y[15_000:]
    ours = GBDTRegressor(early_stopping=False).fit(X_train, y_train)
    theirs = lightgbm.LGBMRegressor(verbose=-1).fit(X_train, y_train)
    error = [np.sqrt(np.mean((model.predict(X_test) - y_test) ** 2)) for model in (ours, theirs)]
    assert error[0] <= error[1] * 1.005  # the bins differ: half a percent either way is chance
