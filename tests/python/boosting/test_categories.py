"""Categories: which values are one, where one that fit has not seen goes, and nodes of any size split between them."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from mlcore import GBDTClassifier, GBDTRegressor, load, save

STUMP = {"n_estimators": 1, "learning_rate": 1.0, "max_leaf_nodes": 2, "min_samples_leaf": 1}


def decides(k, n_each, seed=0):
    """Codes of k categories, n_each rows of each, and a target that they decide without any order."""
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(k), n_each))
    return codes, np.random.default_rng(1).permutation(k).astype(float)[codes]


# ---- nodes of any size ----


@pytest.mark.parametrize("n_each", [4, 7, 12, 30, 400])
@pytest.mark.parametrize("k", [5, 6, 10, 40])
def test_clear_categories_are_found_in_tables_of_any_size(k, n_each):
    codes, y = decides(k, n_each)
    X = pd.DataFrame({"c": pd.Categorical(codes)})
    leaf = min(20, n_each)
    assert GBDTRegressor(min_samples_leaf=leaf, early_stopping=False).fit(X, y).score(X, y) > 0.95
    model = GBDTClassifier(min_samples_leaf=leaf, early_stopping=False).fit(X, y > np.median(y))
    assert model.score(X, y > np.median(y)) == 1.0


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_units_of_targets_and_weights_do_not_matter(factor):
    codes, y = decides(12, 9)
    X = pd.DataFrame({"c": pd.Categorical(codes)})
    y = y + np.random.default_rng(2).normal(0, 3, len(y))
    weight = np.random.default_rng(3).uniform(0.5, 2, len(y))
    parameters = {"n_estimators": 10, "min_samples_leaf": 5, "min_child_weight": 0}
    expected = GBDTRegressor(**parameters).fit(X, y, weight).predict(X)
    by_target = GBDTRegressor(**parameters).fit(X, y * factor, weight).predict(X) / factor
    by_weight = GBDTRegressor(**parameters).fit(X, y, weight * factor).predict(X)
    np.testing.assert_allclose(by_target, expected, rtol=1e-5)  # gradients are float32
    np.testing.assert_allclose(by_weight, expected, rtol=1e-5)


def test_noise_in_many_small_categories_is_not_learned_by_default():
    # 200 categories of two rows each tell nothing: XGBoost's error on new rows is 1.6 times that of the mean here.
    rng = np.random.default_rng(0)
    codes, y = np.repeat(np.arange(200), 2), rng.normal(size=400)
    X = pd.DataFrame({"c": pd.Categorical(codes)})
    model = GBDTRegressor(early_stopping=False).fit(X, y)
    assert np.ptp(model.predict(X)) < 0.1


def test_parameters_of_categories():
    codes, y = decides(8, 25)
    X = pd.DataFrame({"c": pd.Categorical(codes)})

    def left(**parameters):
        model = GBDTRegressor(**{**STUMP, **parameters}).fit(X, y)
        table = model.trees_to_frame()
        return None if len(table) == 1 else sorted(table["categories"].iloc[0])

    assert len(left()) == 4  # the best split of 0 ... 7 is in the middle
    assert len(left(max_cat_to_onehot=8)) in (1, 7)
    assert len(left(max_cat_threshold=2)) in (2, 6)
    assert len(left(min_data_per_group=75)) in (3, 5)  # a cut after each third category
    assert left(min_data_per_group=150) is None
    assert left(cat_smooth=26) is None  # all are too rare to stand alone
    assert left(cat_smooth=25) is not None
    gains = [GBDTRegressor(cat_l2=l2, **STUMP).fit(X, y).trees_["gain"][0] for l2 in (0, 10, 100)]
    assert gains[0] > gains[1] > gains[2]
    np.testing.assert_allclose(gains[0], 200 * 2**2)  # (3.5 - 1.5)^2 a row
    for name, value in [
        ("max_cat_to_onehot", 0),
        ("max_cat_threshold", 0),
        ("cat_smooth", -1.0),
        ("cat_l2", -1.0),
        ("min_data_per_group", 0),
    ]:
        with pytest.raises(ValueError, match=name):
            GBDTRegressor(**{name: value}).fit(X, y)
    assert clone(GBDTRegressor(cat_smooth=3.0)).cat_smooth == 3.0


# ---- what fit has not seen ----


@pytest.mark.parametrize("k", [2, 3, 5, 9])
@pytest.mark.parametrize("heavy_first", [False, True])
def test_an_unseen_category_goes_with_the_larger_child(k, heavy_first):
    n_each = np.full(k, 30)
    n_each[0 if heavy_first else -1] = 400
    codes = np.repeat(np.arange(k), n_each)
    y = np.where(codes == (0 if heavy_first else k - 1), 10.0, 0.0)
    X = pd.DataFrame({"c": np.array(list("abcdefghi"))[codes]})
    larger = 10.0 if (y == 10).sum() > len(y) / 2 else 0.0
    new = pd.DataFrame({"c": ["new", None, "other"]})
    model = GBDTRegressor(**STUMP).fit(X, y)
    np.testing.assert_allclose(model.predict(new), larger, atol=1e-5)
    np.testing.assert_allclose(list(model.staged_predict(new))[-1], larger, atol=1e-5)
    np.testing.assert_allclose(model.predict(new[:1]), larger, atol=1e-5)
    leaf = model.apply(X)[np.flatnonzero(y == larger)[0], 0]
    np.testing.assert_array_equal(model.apply(new)[:, 0], leaf)
    classifier = GBDTClassifier(**STUMP).fit(X, y)
    assert set(classifier.predict(new)) == {larger}


def test_unseen_is_missing_where_missing_was_seen():
    # Missing values were seen on the smaller side: new categories follow them, in trees of any depth.
    codes = np.r_[np.zeros(300, int), np.ones(30, int), np.full(30, 2)]
    X = pd.DataFrame({"c": np.array(["a", "b", None], dtype=object)[codes], "x": np.arange(360) % 7})
    y = np.where(codes == 0, 0.0, 10.0)
    new = X.assign(c="new")
    missing = X.assign(c=pd.Series([None] * len(X), dtype=object))
    for parameters in (STUMP, {"min_samples_leaf": 2}, {"max_leaf_nodes": 200, "min_samples_leaf": 1}):
        model = GBDTRegressor(**parameters).fit(X, y)
        np.testing.assert_array_equal(model.predict(new), model.predict(missing))
        np.testing.assert_array_equal(model.apply(new), model.apply(missing))
        np.testing.assert_allclose(model.predict(new), 10, atol=0.1)


def test_a_category_that_a_node_did_not_see_is_as_unseen():
    # Below x <= 0 only a (few) and b (many) occur: there c goes with b, as a category that nobody has seen.
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], 600)
    c = np.where(x < 0, rng.choice(["a", "b"], 600, p=[0.2, 0.8]), "c")
    X = pd.DataFrame({"x": x, "c": c})
    y = np.where(c == "a", 5.0, 0.0) + 20 * (x > 0)
    model = GBDTRegressor(n_estimators=1, learning_rate=1.0, min_samples_leaf=5, reg_lambda=0).fit(X, y)
    there = pd.DataFrame({"x": -1.0, "c": ["b", "c", "z", None, "a"]})
    np.testing.assert_allclose(model.predict(there), [0, 0, 0, 0, 5], atol=1e-4)


# ---- identity ----

BIG = 2**53 + np.arange(6)
DAYS = np.datetime64("2024-02-27") + np.arange(6)
MOMENTS = np.datetime64("2024-02-27T12:00:00.000000000") + np.arange(6)  # nanoseconds apart


def pandas_forms(values):
    """The same column in the types of pandas that hold it."""
    values = pd.Series(values)
    forms = {"plain": values, "categorical": values.astype("category"), "objects": values.astype(object)}
    if values.dtype.kind in "iu":
        name = "UInt64" if values.dtype.kind == "u" else "Int64"
        forms["nullable"] = values.astype(name)
        forms["arrow"] = values.astype(f"{name.lower()}[pyarrow]")
    forms["dictionary"] = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values).dictionary_encode()))
    return {name: pd.DataFrame({"c": form}) for name, form in forms.items()}


@pytest.mark.parametrize("values", [BIG, -BIG, BIG.astype(np.uint64) + 2**63, BIG - 2**53, DAYS, MOMENTS])
def test_one_value_is_one_category_in_any_container(values):
    codes, y = decides(6, 40)
    column = values[codes]
    forms = pandas_forms(column)
    forms["polars"] = pl.DataFrame({"c": column})
    forms["arrow table"] = pa.table({"c": pa.array(column)})
    kind = {"categorical_features": ["c"], "min_samples_leaf": 5}
    reference = GBDTRegressor(**kind).fit(forms["plain"], y)
    assert len(reference.categories_[0]) == 6
    assert reference.score(forms["plain"], y) > 0.99
    for name, form in forms.items():
        model = GBDTRegressor(**kind).fit(form, y)
        np.testing.assert_array_equal(model.predict(form), reference.predict(forms["plain"]), err_msg=name)
        np.testing.assert_array_equal(reference.predict(form), model.predict(forms["plain"]), err_msg=name)
    array = GBDTRegressor(categorical_features=[0], min_samples_leaf=5).fit(column[:, None], y)
    np.testing.assert_array_equal(array.predict(column[:, None]), reference.predict(forms["plain"]))
    array.fit(column.astype(object)[:, None], y)
    if values.dtype.kind != "M" or values.dtype != MOMENTS.dtype:  # NumPy gives nanoseconds as whole numbers
        np.testing.assert_array_equal(array.predict(column[:, None]), reference.predict(forms["plain"]))


def test_numbers_of_other_types_are_found_exactly():
    codes, y = decides(6, 40)
    model = GBDTRegressor(categorical_features=["c"], **STUMP).fit(pd.DataFrame({"c": BIG[codes]}), y)
    unseen = model.predict(pd.DataFrame({"c": [0]}))[0]
    by_float = model.predict(pd.DataFrame({"c": BIG.astype(float)}))
    exact = model.predict(pd.DataFrame({"c": BIG}))
    for i, value in enumerate(BIG):
        assert by_float[i] == model.predict(pd.DataFrame({"c": [int(float(value))]}))[0]
    np.testing.assert_array_equal(model.predict(pd.DataFrame({"c": [0.5, 2.0**70, -1e300]})), unseen)
    np.testing.assert_array_equal(model.predict(pd.DataFrame({"c": BIG.astype(np.uint64)})), exact)
    small = GBDTRegressor(categorical_features=["c"], **STUMP).fit(pd.DataFrame({"c": codes.astype(float)}), y)
    rounds_to_known = np.array([2**63 + 1, 3], dtype=np.uint64)
    np.testing.assert_array_equal(
        small.predict(pd.DataFrame({"c": rounds_to_known}))[1], small.predict(pd.DataFrame({"c": [3]}))[0]
    )


def test_saved_models_keep_whole_numbers(tmp_path):
    codes, y = decides(6, 40)
    X = pd.DataFrame({"c": BIG[codes]})
    model = GBDTRegressor(categorical_features=["c"], n_estimators=3).fit(X, y)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.categories_[0].dtype == np.int64
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_values_that_cannot_be_told_apart_are_refused():
    y = np.arange(40.0)
    for values, message in [
        ([2**53 + 1, 0.5], "whole numbers if some lie beyond"),
        ([2**70, 1], "must fit 64 bits"),
        ([-1, 2**63], "must fit 64 bits"),
        (["a", 1], "mixture of int, str"),
        (["a", dt.date(2020, 1, 1)], "mixture of date, str"),
    ]:
        X = pd.DataFrame({"c": pd.Series(values * 20, dtype=object)})
        with pytest.raises(ValueError, match=message):
            GBDTRegressor(categorical_features=["c"]).fit(X, y)


def test_dates_in_any_unit_and_zone_are_one_category():
    zone = dt.timezone(dt.timedelta(hours=2))
    moments = [dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC), dt.datetime(2024, 3, 2, 10, 0, 0, 5, tzinfo=dt.UTC)]
    y = np.tile([0.0, 1.0], 30)
    forms = {
        "utc": pd.Series(pd.to_datetime(moments * 30)),
        "zone": pd.Series(pd.to_datetime([m.astimezone(zone) for m in moments] * 30)),
        "objects": pd.Series([m.astimezone(zone) for m in moments] * 30, dtype=object),
        "naive": pd.Series(pd.to_datetime([m.replace(tzinfo=None) for m in moments] * 30)).astype("M8[us]"),
    }
    model = GBDTRegressor(categorical_features=["c"], **STUMP).fit(pd.DataFrame({"c": forms["utc"]}), y)
    assert sorted(model.categories_[0]) == ["2024-03-01T10:00:00", "2024-03-02T10:00:00.000005"]
    for form in forms.values():
        np.testing.assert_allclose(model.predict(pd.DataFrame({"c": form})), y)
    np.testing.assert_allclose(model.predict(pl.DataFrame({"c": forms["naive"].to_numpy()})), y)
    days = pd.DataFrame({"c": [dt.date(2024, 3, 1), None] * 30})
    model.fit(days, y)
    assert model.categories_[0].tolist() == ["2024-03-01"]
    np.testing.assert_allclose(model.predict(days), y)


# ---- types of columns ----


def test_arrow_dictionaries_are_categories():
    k = np.arange(300) % 3
    for values in (["x", "y", "z"], [7, 5, 6], [True, False, None]):
        column = pa.DictionaryArray.from_arrays(pa.array(k, pa.int8()), pa.array(values))
        chunks = pa.chunked_array([column[:100], column[100:]])
        X = pd.DataFrame({"c": pd.Series(pd.arrays.ArrowExtensionArray(chunks))})
        model = GBDTRegressor().fit(X, k * 1.0)
        assert model.is_categorical_.tolist() == [True]
        assert model.score(X, k * 1.0) > 0.99
        np.testing.assert_array_equal(model.predict(pa.table({"c": chunks})), model.predict(X))
        np.testing.assert_array_equal(model.predict(X[::-1]), model.predict(X)[::-1])
    missing = pa.DictionaryArray.from_arrays(pa.array([0, None, 1] * 100), pa.array(["x", "y"]))
    X = pd.DataFrame({"c": pd.Series(pd.arrays.ArrowExtensionArray(missing))})
    model = GBDTRegressor().fit(X, k * 1.0)
    assert model.score(X, k * 1.0) > 0.99
    numbers = pa.DictionaryArray.from_arrays(pa.array(k), pa.array([0.0, 4.0, 8.0]))
    X = pd.DataFrame({"c": pd.Series(pd.arrays.ArrowExtensionArray(numbers))})
    model = GBDTRegressor(categorical_features=None).fit(X, k * 1.0)
    np.testing.assert_array_equal(model.predict(pd.DataFrame({"c": k * 4.0})), model.predict(X))


NULLABLE = {
    "Int64": [3, None, 1, 7],
    "UInt8": [3, None, 1, 7],
    "Float32": [0.5, None, 1.5, 7],
    "boolean": [True, None, False, True],
    "int16[pyarrow]": [3, None, -1, 7],
    "uint64[pyarrow]": [3, None, 1, 7],
    "bool[pyarrow]": [True, None, False, True],
    "double[pyarrow]": [0.5, None, 1.5, 7],
    "float[pyarrow]": [0.5, None, 1.5, 7],
    "decimal": [Decimal("0.50"), None, Decimal("1.25"), Decimal("7.00")],
}


@pytest.mark.parametrize("name", NULLABLE)
def test_nullable_numbers_are_numbers_and_missing_values(name):
    dtype = pd.ArrowDtype(pa.decimal128(8, 2)) if name == "decimal" else name
    column = pd.Series(NULLABLE[name] * 50, dtype=dtype)
    plain = np.array([np.nan if v is None else float(v) for v in NULLABLE[name] * 50])
    y = np.tile([0.0, 5.0, 1.0, 2.0], 50)
    X = pd.DataFrame({"x": column})
    expected = GBDTRegressor().fit(pd.DataFrame({"x": plain}), y)
    model = GBDTRegressor().fit(X, y)
    assert model.is_categorical_.tolist() == [False]
    np.testing.assert_array_equal(model.predict(X), expected.predict(pd.DataFrame({"x": plain})))
    np.testing.assert_array_equal(expected.predict(X), model.predict(X))
    table = pa.table({"x": pa.array(NULLABLE[name] * 50)})
    np.testing.assert_array_equal(model.predict(table), model.predict(X))
    np.testing.assert_array_equal(model.predict(pl.from_arrow(table)), model.predict(X))
    as_category = GBDTRegressor(categorical_features=["x"]).fit(X, y)
    assert as_category.score(X, y) > 0.85  # True stands for two targets
    np.testing.assert_array_equal(as_category.predict(table), as_category.predict(X))


def test_a_column_of_nulls_is_missing():
    y = np.arange(60.0)
    table = pa.table({"x": pa.array(np.arange(60.0)), "nothing": pa.nulls(60)})
    expected = GBDTRegressor().fit(pd.DataFrame({"x": np.arange(60.0), "nothing": np.nan}), y).predict(table)
    for form in (table, table.to_pandas(types_mapper=pd.ArrowDtype), pl.from_arrow(table), table.to_batches()[0]):
        np.testing.assert_array_equal(GBDTRegressor().fit(form, y).predict(form), expected)


def test_dates_are_refused_as_numbers_in_any_container():
    table = pa.table({"day": pa.array([dt.date(2020, 1, 1 + i % 20) for i in range(40)])})
    for form in (table, table.to_pandas(types_mapper=pd.ArrowDtype), pl.from_arrow(table)):
        with pytest.raises(ValueError, match="column 'day' must hold numbers"):
            GBDTRegressor().fit(form, np.arange(40.0))


def test_na_of_pandas_in_an_array_of_objects():
    X = np.array([[1.0, "a"], [pd.NA, "b"], [3.0, pd.NA], [None, "a"]] * 20, dtype=object)
    y = np.tile([0.0, 1.0, 2.0, 3.0], 20)
    model = GBDTRegressor(categorical_features=[1]).fit(X, y)
    plain = X.copy()
    plain[pd.isna(plain)] = None
    np.testing.assert_array_equal(model.predict(plain), model.predict(X))


# ---- names of features ----


def test_interaction_constraints_by_name():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(500, 4)), columns=["a", "b", "long name", "d"])
    y = X["a"] * X["b"] + X["long name"] * X["d"]
    by_name = GBDTRegressor(interaction_cst=[["a", "b"], ["long name", 3]]).fit(X, y)
    by_place = GBDTRegressor(interaction_cst=[[0, 1], [2, 3]]).fit(X, y)
    np.testing.assert_array_equal(by_name.predict(X), by_place.predict(X))
    assert not np.array_equal(GBDTRegressor().fit(X, y).predict(X), by_name.predict(X))
    for wrong, message in [
        ([["a", "e"]], "must hold names of columns of X, got 'e'"),
        (["ab"], "sequence of groups of names or positions"),
        ([[0.0]], "positions of features from 0 to 3, got 0.0"),
        ([[True]], "positions of features from 0 to 3, got True"),
    ]:
        with pytest.raises(ValueError, match=message):
            GBDTRegressor(interaction_cst=wrong).fit(X, y)
    with pytest.raises(ValueError, match="interaction_cst has names, but X has no column names"):
        GBDTRegressor(interaction_cst=[["a"]]).fit(X.to_numpy(), y)
