"""Targets, weights, class weights and validation rows: one meaning for all estimators."""

import numpy as np
import pytest

from mlcore import (
    SVC,
    GBDTClassifier,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    NeuralClassifier,
)
from mlcore._validation import (
    class_factors,
    has_validation_rows,
    has_weight,
    read_targets,
    row_weights,
    split_rows,
    sum_of_weights,
    weighted_rows,
    with_factors,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
CODES = np.arange(90) % 3
CLASSIFIERS = [
    GBDTClassifier(n_estimators=3),
    LogisticRegression(),
    LogisticRegressionCV(Cs=2, cv=2),
    SVC(),
    LinearSVC(),
    NeuralClassifier(max_iter=5, random_state=0),
]


def name_of(model):
    return type(model).__name__


def fresh(model, **params):
    return type(model)(**model.get_params()).set_params(**params)


# ---- the pieces ----


def test_targets_become_float64_in_one_piece():
    for y in (
        [1, 2, 3],
        np.array([1, 2, 3], dtype=np.int8),
        np.array([1.0, 2, 3, 4, 5])[::2],
        np.array([1, 2, 3.0], "O"),
    ):
        found = read_targets(y, "Test")
        assert found.dtype == np.float64
        assert found.flags.c_contiguous
        assert len(found) == 3
    y = np.array([1.0, 2.0])
    assert np.shares_memory(read_targets(y, "Test"), y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "This Test estimator requires y to be passed, but the target y is None"),
        (np.array([1.0, np.nan]), "Input y_val contains NaN"),
        (np.array([1.0, np.inf]), "Input y_val contains infinity"),
        (np.array(["a", "b"]), "y_val of Test must hold numbers"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "y_val of Test must hold numbers"),
        (np.ones((3, 2)), "1d array"),
        (np.empty(0), "0 sample"),
    ],
)
def test_bad_targets(y, message):
    with pytest.raises(ValueError, match=message):
        read_targets(y, "Test", "y_val")


def test_no_weights_are_no_array():
    assert row_weights(None, X, "Test") is None
    assert weighted_rows(None) is None
    assert weighted_rows(np.ones(3)) is None
    assert weighted_rows(np.array([0.0, 2.0, 0.0, 1.0])).tolist() == [1, 3]
    assert sum_of_weights(None, 7, "Test") == 7.0


def test_classes_with_weight():
    codes = np.array([0, 1, 1, 3])
    assert has_weight(codes, None, 4).tolist() == [True, True, False, True]
    assert has_weight(codes, np.array([0.0, 0.0, 2.0, 1.0]), 4).tolist() == [False, True, False, True]


def test_balanced_factors_leave_out_classes_without_weight():
    codes, weight = np.array([0, 0, 0, 1, 2]), np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    factors = class_factors("balanced", np.arange(3), codes, weight, "Test")
    product = with_factors(weight, factors, codes, "Test")
    assert np.bincount(codes, weights=product).tolist() == [2.0, 2.0, 0.0]
    assert factors[2] == 1.0


def test_products_of_weights():
    factors, codes = np.array([2.0, 0.0]), np.array([0, 1, 0])
    assert with_factors(None, factors, codes, "Test").tolist() == [2, 0, 2]
    assert with_factors(np.array([1.0, 5.0, 0.5]), factors, codes, "Test").tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="sample_weight_val times class_weight of Test must have a weight that is not"):
        with_factors(np.array([0.0, 5.0, 0.0]), factors, codes, "Test", "sample_weight_val")
    with pytest.raises(ValueError, match="sample_weight times class_weight of Test must be finite"):
        with_factors(np.full(3, 1e300), np.array([1e300, 1.0]), codes, "Test")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 7])
def test_split_takes_every_row_once(fraction):
    kept, held = split_rows(40, fraction, 3)
    assert sorted([*kept, *held]) == list(range(40))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    assert len(held) == (fraction if isinstance(fraction, int) else fraction * 40)
    again = split_rows(40, fraction, 3)
    assert again[1].tolist() == held.tolist()
    assert split_rows(40, fraction, 4)[1].tolist() != held.tolist()


def test_split_keeps_the_shares_of_classes():
    codes = np.repeat([0, 1, 2], [80, 16, 4])
    kept, held = split_rows(100, 0.25, 0, codes)
    assert np.bincount(codes[held]).tolist() == [20, 4, 1]
    alone = np.array([0] * 9 + [1])
    for seed in range(10):
        kept, held = split_rows(10, 0.5, seed, alone)
        assert 1 in alone[kept]  # one row of a class is to train on


def test_split_without_a_row_to_spare():
    kept, held = split_rows(1, 0.5, 0)
    assert (kept.tolist(), held.tolist()) == ([0], [])
    kept, held = split_rows(3, 0.5, 0, np.arange(3))
    assert (kept.tolist(), held.tolist()) == ([0, 1, 2], [])
    with pytest.raises(ValueError, match="validation_fraction=3 must leave rows to train on, but there are 3 rows"):
        split_rows(3, 3, 0)


def test_validation_rows_come_in_pairs():
    assert not has_validation_rows("It", None, None, sample_weight_val=None)
    assert has_validation_rows("It", X, CODES, sample_weight_val=None)
    for pair, name in (((X, None), "X_val"), ((None, CODES), "y_val")):
        with pytest.raises(ValueError, match=f"X_val and y_val of It must be given together, got only {name}"):
            has_validation_rows("It", *pair)
    with pytest.raises(ValueError, match="weight of It must be given together with X_val and y_val, got neither"):
        has_validation_rows("It", None, None, weight=CODES)


# ---- in all estimators ----


@pytest.mark.parametrize("model", CLASSIFIERS, ids=name_of)
def test_a_factor_of_zero_is_the_same_as_weights_of_zero(model):
    by_factor = fresh(model, class_weight={1: 0.0}).fit(X, CODES)
    by_weight = fresh(model).fit(X, CODES, sample_weight=(CODES != 1).astype(float))
    assert by_factor.classes_.tolist() == by_weight.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(by_factor.predict(X), by_weight.predict(X))
    np.testing.assert_allclose(by_factor.decision_function(X), by_weight.decision_function(X), atol=1e-12)
    assert 1 not in by_factor.predict(X)
