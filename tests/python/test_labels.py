"""Labels keep their type and identity in every classifier, whatever column they come in."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from contract.cases import make, names_of

X = np.random.default_rng(0).normal(size=(120, 3))
CODES = (X[:, 0] > 0).astype(int)
LONGER = {"NeuralClassifier": {"max_iter": 30, "batch_size": 50}}
"""Settings with which a class learns what there is, where those of its case are too quick for that."""

COLUMNS = {
    "Int64": (pd.Series(CODES, dtype="Int64"), "i"),
    "boolean": (pd.Series(CODES == 1, dtype="boolean"), "b"),
    "int64[pyarrow]": (pd.Series(CODES, dtype="int64[pyarrow]"), "i"),
    "bool[pyarrow]": (pd.Series(CODES == 1, dtype="bool[pyarrow]"), "b"),
    "string[pyarrow]": (pd.Series(np.array(["no", "yes"])[CODES], dtype="string[pyarrow]"), "OU"),
    "category": (pd.Series(CODES, dtype="Int64").astype("category"), "i"),
    "Categorical": (pd.Categorical(np.array(["no", "yes"])[CODES], categories=["yes", "never", "no"]), "OU"),
    "large": (pd.Series(2**53 + CODES, dtype="Int64"), "i"),
    "polars": (pl.Series(2**60 + CODES), "i"),
    "polars text": (pl.Series(np.array(["no", "yes"])[CODES].tolist()), "OU"),
}


@pytest.fixture(params=names_of("classifier"))
def classifier(request):
    return make(request.param, **LONGER.get(request.param, {}))


@pytest.mark.parametrize("name", COLUMNS)
def test_labels_keep_type_and_identity(classifier, name):
    y, kinds = COLUMNS[name]
    model = classifier.fit(X, y)
    assert model.classes_.dtype.kind in kinds
    assert model.classes_.tolist() == sorted(set(y.to_list() if name.startswith("polars") else y.tolist()))
    np.testing.assert_array_equal(np.isin(model.predict(X), model.classes_), True)
    assert np.mean(model.predict(X) == model.classes_[CODES]) > 0.8


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([1, None] * 60, dtype="Int64"),
        pl.Series([1, None] * 60),
        pl.Series(["a", None] * 60),
        pd.Series(["a", None] * 60),
        pd.Categorical(["a", None] * 60),
        ["a", None] * 60,
        ["a", np.nan] * 60,
        ["a", pd.NA] * 60,
    ],
)
def test_missing_labels_are_an_error(classifier, y):
    with pytest.raises((ValueError, TypeError), match=r"(?i)y .*(missing|NaN)|contains NaN"):
        classifier.fit(X, y)


def test_labels_of_several_types_are_not_turned_into_texts(classifier):
    for y in ([1, "1"] * 60, ["a", 2.5] * 60, np.array(["a", 1] * 60, dtype=object)):
        with pytest.raises(TypeError, match="of one type"):
            classifier.fit(X, y)


def test_a_class_without_weight_stays_and_is_not_predicted(classifier):
    y = np.where(np.arange(120) % 4 == 3, 2, CODES)
    model = classifier.fit(X, y, sample_weight=(y != 2).astype(float))
    assert model.classes_.tolist() == [0, 1, 2]
    assert set(model.predict(X)) <= {0, 1}
    if hasattr(model, "predict_proba"):
        assert model.predict_proba(X)[:, 2].max() < 1e-3
    assert set(classifier.set_params(class_weight={2: 0}).fit(X, y).predict(X)) <= {0, 1}


def test_one_class_with_weight_is_predicted_everywhere(classifier):
    model = classifier.fit(X, CODES, sample_weight=(CODES == 0).astype(float))
    assert model.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(model.predict(X), 0)
    if hasattr(model, "predict_proba"):
        assert model.predict_proba(X)[:, 1].max() < 0.01
