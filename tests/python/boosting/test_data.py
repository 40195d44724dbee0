"""What the boosting estimators accept: the same table in any form (array, sparse, frame) gives the same model."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mlcore import GBDTClassifier, GBDTRegressor


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 5, (250, 5)).astype(np.float64)
    X[rng.random(X.shape) < 0.4] = 0
    return X, X[:, 0] * 2 - X[:, 1] + rng.normal(0, 0.1, 250)


@pytest.fixture(scope="module")
def frame():
    """A pandas frame with columns of all kinds, missing values in most of them."""
    rng = np.random.default_rng(1)
    n = 240
    colour = rng.choice(["red", "green", "blue", "violet", "white"], n, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    colour = np.where(rng.random(n) < 0.1, None, colour)
    table = pd.DataFrame(
        {
            "float": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n).round(1)),
            "int": rng.integers(0, 9, n),
            "bool": rng.random(n) < 0.5,
            "nullable": pd.array(np.where(rng.random(n) < 0.1, None, rng.integers(0, 4, n)), dtype="Int16"),
            "text": colour,
            "category": pd.Categorical(rng.choice(["s", "m", "l"], n), categories=["s", "m", "l", "xl"]),
        }
    )
    y = table["int"] + 5 * (table["text"] == "green") + 2 * (table["category"] == "l") + table["bool"]
    return table, y.to_numpy(dtype=np.float64)


def fitted(X, y, **parameters):
    return GBDTRegressor(n_estimators=8, min_samples_leaf=5, **parameters).fit(X, y)


# ---- arrays and sparse matrices ----


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: X.astype(np.float32),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.int64),
        lambda X: X.astype(np.int8),
        lambda X: X.astype(object),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(">f8"),
        lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda X: X[:, ::-1][:, ::-1],
        lambda X: X.tolist(),
        sp.csr_matrix,
        sp.csc_array,
        sp.coo_array,
        lambda X: sp.csr_array(X).astype(np.float32),
        lambda X: sp.csr_array(X).astype(np.int32),
        pd.DataFrame,
        lambda X: pd.DataFrame(X).astype("float32"),
        lambda X: pd.DataFrame(X).astype("Int64"),
        lambda X: pd.DataFrame(X).astype("category"),
    ],
)
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_the_same_numbers_in_any_form_give_the_same_model(convert, numbers):
    X, y = numbers
    reference = fitted(X, y)
    other = convert(X)
    model = fitted(other, y, categorical_features=None)
    np.testing.assert_array_equal(model.predict(other), reference.predict(X))
    np.testing.assert_array_equal(model.predict(X), reference.predict(X))
    np.testing.assert_array_equal(reference.predict(other), reference.predict(X))
    np.testing.assert_array_equal(model.apply(other), reference.apply(X))


def test_polars_numbers(numbers):
    X, y = numbers
    table = pl.DataFrame(X, schema=[f"x{j}" for j in range(5)], orient="row")
    expected = fitted(X, y).predict(X)
    np.testing.assert_array_equal(fitted(table, y).predict(table), expected)
    whole = table.cast(pl.Int32)
    np.testing.assert_array_equal(fitted(whole, y).predict(whole), expected)


def test_sparse_zero_is_zero_and_nan_is_missing(numbers):
    X, y = numbers
    X = X.copy()
    X[::7, 0] = np.nan
    sparse = sp.csr_array(X)
    assert sparse.nnz < X.size
    dense = fitted(X, y)
    model = fitted(sparse, y)
    np.testing.assert_array_equal(model.predict(sparse), dense.predict(X))
    np.testing.assert_array_equal(model.predict(X), dense.predict(X))


def test_sparse_input_is_put_in_order_without_touching_it(numbers):
    X, y = numbers
    rows, columns = X.nonzero()
    value = X[rows, columns] / 2
    order = np.argsort(np.tile(rows, 2), kind="stable")[::-1]  # each entry twice, columns falling
    order = order[np.argsort(np.tile(rows, 2)[order], kind="stable")]
    indptr = np.r_[0, np.cumsum(2 * np.bincount(rows, minlength=250))]
    messy = sp.csr_array((np.tile(value, 2)[order], np.tile(columns, 2)[order], indptr), shape=X.shape)
    assert not messy.has_canonical_format
    before = messy.data.copy(), messy.indices.copy(), messy.indptr.copy()
    np.testing.assert_array_equal(fitted(messy, y).predict(messy), fitted(X, y).predict(X))
    for now, then in zip((messy.data, messy.indices, messy.indptr), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_input_is_never_changed(frame, numbers):
    X, y = numbers
    X, y = X.copy(), y.copy()
    weight = np.ones(250)
    for array in (X, y, weight):
        array.setflags(write=False)
    fitted(X, y).predict(X)
    GBDTRegressor(n_estimators=1, categorical_features=[0, 1]).fit(X, y, weight).predict(X)
    table, y = frame
    copy = table.copy()
    fitted(table, y).predict(table)
    pd.testing.assert_frame_equal(table, copy)


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        st.sampled_from([np.float32, np.float64]),
        array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=25),
        elements=st.floats(allow_nan=True, allow_infinity=False, width=32),
    ),
    st.sampled_from(["C", "F", "reversed"]),
    st.integers(0, 3),
)
def test_any_finite_array_gives_finite_predictions(X, order, seed):
    X = X[::-1, ::-1] if order == "reversed" else np.array(X, order=order)
    y = np.random.default_rng(seed).normal(size=len(X))
    model = GBDTRegressor(n_estimators=3, min_samples_leaf=1).fit(X, y)
    predicted = model.predict(X)
    assert np.isfinite(predicted).all()
    np.testing.assert_array_equal(predicted, model.predict(np.ascontiguousarray(X)))
    np.testing.assert_array_equal(predicted[:1], model.predict(X[:1]))
    assert predicted.min() >= y.min() - 1e-6
    assert predicted.max() <= y.max() + 1e-6


# ---- frames and categories ----


def as_polars(table):
    return pl.from_pandas(table)


FORMS = {
    "text": lambda t: t,
    "object": lambda t: t.astype({"text": object, "category": object}),
    "string": lambda t: t.astype({"text": "string", "category": "string"}),
    "categorical": lambda t: t.astype({"text": "category"}),
    "other order": lambda t: t.astype({"text": pd.CategoricalDtype(["white", "red", "violet", "green", "blue", "?"])}),
    "polars": as_polars,
    "polars categorical": lambda t: as_polars(t).with_columns(pl.col("text", "category").cast(pl.Categorical)),
    "polars enum": lambda t: as_polars(t).with_columns(
        pl.col("text").cast(pl.Enum(["violet", "white", "blue", "red", "green", "?"]))
    ),
    "arrow": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_frame_in_any_form_gives_the_same_model(form, frame):
    table, y = frame
    other = FORMS[form](table)
    reference, model = fitted(table, y), fitted(other, y)
    assert model.is_categorical_.tolist() == [False, False, False, False, True, True]
    assert model.categories_[4].tolist() == table["text"].value_counts().index.tolist()  # the most frequent first
    assert list(model.feature_names_in_) == list(table.columns)
    expected = reference.predict(table)
    np.testing.assert_array_equal(model.predict(other), expected)
    np.testing.assert_array_equal(model.predict(table), expected)
    np.testing.assert_array_equal(reference.predict(other), expected)
    np.testing.assert_array_equal(model.predict(other[3:9]), expected[3:9])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_frame_as_an_array_of_objects(frame):
    table, y = frame
    expected = fitted(table, y).predict(table)
    objects = table.astype(object).to_numpy()
    objects[pd.isna(objects)] = None
    np.testing.assert_array_equal(fitted(table, y).predict(objects), expected)
    np.testing.assert_array_equal(fitted(objects, y, categorical_features=[4, 5]).predict(objects), expected)


def test_a_category_not_seen_is_a_missing_value(frame):
    table, y = frame
    model = fitted(table, y)
    missing, unseen = table.copy(), table.copy()
    missing["text"] = None
    unseen["text"] = "ultraviolet"
    np.testing.assert_array_equal(model.predict(unseen), model.predict(missing))
    np.testing.assert_array_equal(model.predict(pl.from_pandas(unseen)), model.predict(missing))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, object])
def test_numbers_as_categories(dtype):
    rng = np.random.default_rng(2)
    codes = rng.choice([7, -2, 100, 3, 55, 8], 3000)
    y = np.where(np.isin(codes, [7, 3]), 5.0, 0.0)  # no threshold does that
    X = np.column_stack([codes, rng.integers(0, 3, 3000)]).astype(dtype)
    model = GBDTRegressor(n_estimators=1, max_leaf_nodes=2, learning_rate=1.0, categorical_features=[0]).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=0.2)
    assert sorted(model.categories_[0]) == [-2, 3, 7, 8, 55, 100]
    assert model.categories_[1] is None
    by_mask = GBDTRegressor(n_estimators=1, max_leaf_nodes=2, learning_rate=1.0, categorical_features=[True, False])
    np.testing.assert_array_equal(by_mask.fit(X, y).predict(X), model.predict(X))


def test_chosen_columns_of_a_frame(frame):
    table, y = frame
    model = fitted(table[["int", "text"]], y, categorical_features=["text", "int"])
    assert model.is_categorical_.tolist() == [True, True]
    model = fitted(table[["int", "float"]], y, categorical_features=["int"])
    assert model.is_categorical_.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"must be names of columns of X, got also \['smell'\]"):
        fitted(table, y, categorical_features=["text", "smell"])
    with pytest.raises(ValueError, match=r"column 'text' must hold numbers, .* name it in categorical_features"):
        fitted(table, y, categorical_features=["category"])
    with pytest.raises(ValueError, match=r"column 'text' must hold numbers, .* name it in categorical_features"):
        fitted(pl.from_pandas(table), y, categorical_features=None)


@pytest.mark.parametrize("n_categories", [2, 4, 5, 254, 255, 256, 1000])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_any_number_of_categories(n_categories, loss):
    rng = np.random.default_rng(3)
    codes = rng.integers(0, n_categories, 30 * max(n_categories, 100))
    effect = rng.permutation(n_categories) % 2
    model = GBDTRegressor(loss=loss, n_estimators=10, learning_rate=0.5, early_stopping=False)
    X = pd.DataFrame({"c": pd.Series(codes).map("c{}".format)})
    model.fit(X, effect[codes].astype(float))
    share_seen = min(1.0, 255 / n_categories)
    assert np.mean(np.abs(model.predict(X) - effect[codes]) < 0.4) > 0.9 * share_seen
    assert len(model.categories_[0]) == len(set(codes))
    np.testing.assert_array_equal(model.predict(X[:7]), model.predict(X)[:7])


def test_weights_decide_the_order_of_categories():
    X = pd.DataFrame({"c": list("aaabbc")})
    weight = [1, 1, 1, 2, 2, 5]
    assert GBDTRegressor(n_estimators=1).fit(X, np.arange(6.0), weight).categories_[0].tolist() == ["c", "b", "a"]
    assert GBDTRegressor(n_estimators=1).fit(X, np.arange(6.0)).categories_[0].tolist() == ["a", "b", "c"]


def test_categories_of_other_types(frame):
    dates = pd.DataFrame({"d": pd.Categorical(pd.to_datetime(["2020-01-01", "2021-01-01"] * 30))})
    y = np.tile([0.0, 1.0], 30)
    model = GBDTRegressor(n_estimators=1, learning_rate=1.0).fit(dates, y)
    np.testing.assert_allclose(model.predict(dates), y)
    bins = pd.DataFrame({"b": pd.cut(pd.Series(np.arange(60.0)), 4)})
    model = GBDTRegressor(n_estimators=1).fit(bins, np.arange(60.0))
    assert len(model.categories_[0]) == 4
    mixed = pd.DataFrame({"m": pd.Series(["a", 1, 2.5] * 20, dtype=object)})
    with pytest.raises(ValueError, match="column 'm' must hold numbers or be categorical"):
        GBDTRegressor().fit(mixed, np.arange(60.0))
    with pytest.raises(ValueError, match="categories of column 'm' must be all strings or all numbers, got a mixture"):
        GBDTRegressor(categorical_features=["m"]).fit(mixed, np.arange(60.0))


def test_a_column_that_changes_its_type(frame):
    table, y = frame
    model = fitted(table, y)
    for other in (table.assign(text=1.5), pl.from_pandas(table.assign(text=1.5))):
        with pytest.raises(ValueError, match=r"column 'text' held categories that are strings .* got values of type"):
            model.predict(other)
    with pytest.raises(ValueError, match="column 'int' must hold numbers"):
        model.predict(table.assign(int="seven"))
    np.testing.assert_array_equal(model.predict(table.assign(text=np.nan)), model.predict(table.assign(text=None)))
    coded = fitted(table[["int", "float"]], y, categorical_features=["int"])
    for other in (table[["float"]].assign(int="seven")[["int", "float"]],):
        with pytest.raises(ValueError, match="column 'int' held categories that are numbers"):
            coded.predict(other)
        with pytest.raises(ValueError, match="column 'int' held categories that are numbers"):
            coded.predict(pl.from_pandas(other))


def test_column_types_that_are_no_numbers(frame):
    when = pd.DataFrame({"when": pd.date_range("2020-01-01", periods=30)})
    for other in (when, pl.from_pandas(when), when.to_numpy()):
        with pytest.raises(
            ValueError, match=r"column ('when'|0 of X) must hold numbers, got dtype .*turn it into numbers"
        ):
            GBDTRegressor().fit(other, np.arange(30.0))


def test_column_names_are_checked(frame):
    table, y = frame
    model = fitted(table, y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[table.columns[::-1]])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.drop(columns="int"))


def test_categories_need_a_dense_table(numbers):
    X, y = numbers
    with pytest.raises(ValueError, match="must come in an array or a frame, got sparse X"):
        fitted(sp.csr_array(X), y, categorical_features=[0])


def test_warm_start_keeps_the_categories(frame):
    table, y = frame
    model = fitted(table, y, warm_start=True)
    model.set_params(n_estimators=10).fit(table.assign(text="new"), y)
    assert "new" not in model.categories_[4]
    assert model.n_iter_ == 10


def test_early_stopping_with_categories_and_sparse(frame, numbers):
    table, y = frame
    model = GBDTClassifier(n_estimators=5, early_stopping=True, scoring="accuracy").fit(table, y > 6)
    assert model.validation_score_.size == 6
    X, y = numbers
    model = GBDTRegressor(n_estimators=5, early_stopping=True).fit(sp.csc_array(X), y)
    assert model.validation_score_.size == 6
