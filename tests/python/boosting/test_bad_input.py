"""What the boosting estimators make of bad input, beyond the contract of all classes."""

import numpy as np
import pytest
from sklearn.base import clone

from mlcore import GBDTClassifier, GBDTRegressor


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_depth": -3}, "'max_depth' parameter of GBDTRegressor must be an int in the range .* Got -3"),
        ({"growth": "sideways"}, "'growth' parameter of GBDTRegressor must be a str among"),
        ({"loss": "hinge"}, "'loss' parameter of GBDTRegressor"),
        ({"quantile": 1.0}, "'quantile' parameter of GBDTRegressor"),
        ({"tweedie_variance_power": 2.0}, "'tweedie_variance_power' parameter"),
        ({"huber_slope": 0.0}, "'huber_slope' parameter"),
        ({"max_bins": 256}, "'max_bins' parameter"),
        ({"subsample": 0.0}, "'subsample' parameter"),
        ({"learning_rate": 0}, "'learning_rate' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter of"),
        ({"categorical_features": [7]}, "must be positions from 0 to 3, got \\[7\\]"),
        ({"categorical_features": [True]}, "must have one entry a feature \\(4\\), got 1"),
        ({"categorical_features": ["colour"]}, "X has no column names"),
        ({"monotonic_cst": [1, 0]}, "monotonic_cst"),
        ({"monotonic_cst": [1, 0, 0, 0], "categorical_features": [0]}, "must be 0 for categorical features"),
        ({"interaction_cst": [[0, 9]]}, "positions of features from 0 to 3, got 9"),
        ({"interaction_cst": [0]}, "sequence of groups"),
        ({"random_state": "x"}, "'random_state' parameter"),
    ],
)
def test_bad_parameters(parameters, message, numbers):
    with pytest.raises(ValueError, match=message):
        GBDTRegressor(**parameters).fit(np.nan_to_num(numbers[0]), numbers[1])


def test_monotonic_constraint_with_many_classes(classes):
    with pytest.raises(ValueError, match="not possible with more than two classes"):
        GBDTClassifier(monotonic_cst=[1, 0, 0, 0]).fit(*classes)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("poisson", [-1.0, 2.0], "must be >= 0 for loss='poisson', got a smallest value of -1"),
        ("poisson", [0.0, 0.0], "must have a value > 0"),
        ("tweedie", [-1.0, 2.0], "must be >= 0 for loss='tweedie'"),
        ("gamma", [0.0, 2.0], "must be > 0 for loss='gamma', got a smallest value of 0"),
    ],
)
def test_target_out_of_range(loss, y, message):
    with pytest.raises(ValueError, match=message):
        GBDTRegressor(loss=loss).fit([[0.0], [1.0]], y)


def test_bad_labels(classes):
    X, y = classes
    with pytest.raises(ValueError, match=r"does not know: \[5\]; it knows \[0, 1, 2\]"):
        GBDTClassifier().fit(X, y, X_val=X[:2], y_val=[0, 5])
    with pytest.raises(ValueError, match=r"X_val and y_val of GBDT.* must be given together"):
        GBDTClassifier().fit(X, y, X_val=X)


def test_odd_shapes(numbers):
    X, y = numbers
    assert GBDTRegressor().fit([[1.0]], [3.0]).predict([[7.0]]) == pytest.approx(3.0)
    model = GBDTRegressor(n_estimators=5)
    all_missing = np.column_stack([X, np.full(300, np.nan), np.ones(300)])
    np.testing.assert_array_equal(
        clone(model).fit(all_missing, y).predict(all_missing), clone(model).fit(X, y).predict(X)
    )


def test_missing_at_predict_only_follows_the_larger_child():
    X = np.r_[np.zeros(30), np.ones(70)].reshape(-1, 1)
    model = GBDTRegressor(n_estimators=1).fit(X, X[:, 0])
    assert model.predict([[np.nan]]) == model.predict([[1.0]])
