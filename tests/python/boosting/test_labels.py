"""Labels of the classifier: their types, and classes without weight."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.metrics import roc_auc_score

from mlcore import GBDTClassifier, load, save


@pytest.fixture(scope="module")
def three():
    """Rows of three classes that a threshold tells apart."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    return X, np.digitize(X[:, 0], [-0.5, 0.5])


TYPES = {
    "Int64": [1, 2, 3],
    "boolean": [False, True],
    "Float64": [1.0, 2.0],
    "int64[pyarrow]": [-(2**60), 0, 2**60 + 1],
    "uint64[pyarrow]": [0, 2**64 - 1],
    "bool[pyarrow]": [False, True],
    "string": ["a", "b", "c"],
    "string[pyarrow]": ["a", "b", "c"],
    "category": ["low", "mid", "top"],
    "int64": [2**53, 2**53 + 1, 2**53 + 2],
}


@pytest.mark.parametrize("dtype", TYPES)
def test_labels_keep_type_and_value(dtype, three, tmp_path):
    X, k = three
    labels = TYPES[dtype]
    y = pd.Series([labels[i % len(labels)] for i in k], dtype=dtype)
    model = GBDTClassifier(n_estimators=8, warm_start=True).fit(X, y, X_val=X[:50], y_val=y[:50])
    assert model.classes_.tolist() == labels
    assert {type(label) for label in model.classes_.tolist()} == {type(label) for label in labels}
    expected = [labels[i % len(labels)] for i in k]
    assert np.mean([a == b for a, b in zip(model.predict(X).tolist(), expected, strict=True)]) > 0.95
    assert model.score(X, np.array(expected, dtype=model.classes_.dtype)) > 0.95
    model.set_params(n_estimators=10).fit(X, y)
    assert model.classes_.tolist() == labels
    save(model, tmp_path / "model")
    assert load(tmp_path / "model").classes_.tolist() == labels


def test_labels_of_polars_and_arrow(three):
    X, k = three
    for y in (pl.Series(k), pa.array(k), pa.chunked_array([k[:100], k[100:]])):
        assert GBDTClassifier(n_estimators=2).fit(X, y).classes_.dtype.kind == "i"


@pytest.mark.parametrize("values", [pd.array([0, 1, None], dtype="Int64"), pd.array([True, None, False]), [0, 1, None]])
def test_missing_labels_are_refused(values, three):
    y = pd.Series(list(values) * 100, dtype=getattr(values, "dtype", object))
    with pytest.raises(ValueError, match="y"):
        GBDTClassifier().fit(three[0][:300], y)


@pytest.mark.parametrize("how", ["sample_weight", "class_weight"])
@pytest.mark.parametrize("left", [[0, 2], [1]])
def test_classes_without_weight_stay_and_get_no_probability(how, left, three):
    X, y = three
    kept = np.isin(y, left)
    model = GBDTClassifier(n_estimators=20, early_stopping=False, random_state=0)
    if how == "sample_weight":
        model.fit(X, y, np.where(kept, 2.0, 0.0))
    else:
        model.set_params(class_weight={c: 2.0 if c in left else 0.0 for c in range(3)}).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    probability = model.predict_proba(X)
    gone = np.setdiff1d([0, 1, 2], left)
    assert probability[:, gone].max() < 1e-12
    assert set(model.predict(X)) == set(left)
    assert model.score(X[kept], y[kept]) > 0.95
    if len(left) == 1:
        assert len(np.unique(model.predict_proba(X), axis=0)) == 1


def test_one_of_two_classes_left_is_a_constant_model(three):
    X, y = three[0], three[1] > 0
    for weight, label in ((y, True), (~y, False)):
        model = GBDTClassifier(n_estimators=10).fit(X, y, weight.astype(float))
        assert set(model.predict(X)) == {label}
        assert len(np.unique(model.decision_function(X))) == 1
        assert model.predict_proba(X)[:, int(label)].min() > 1 - 1e-12
        with_validation = GBDTClassifier(n_estimators=10, early_stopping=True).fit(X, y, weight.astype(float))
        assert set(with_validation.predict(X)) == {label}


def test_weight_zero_by_class_is_removal(three):
    X, y = three
    X = pd.DataFrame(X, columns=["a", "b"]).assign(c=np.where(y == 1, "only there", "elsewhere"))
    model = GBDTClassifier(class_weight={0: 1, 1: 0, 2: 1}, n_estimators=5).fit(X, y)
    assert model.categories_[2].tolist() == ["elsewhere"]
    without = GBDTClassifier(n_estimators=5).fit(X[y != 1], y[y != 1])
    np.testing.assert_allclose(model.predict_proba(X)[:, 2] > 0.5, without.predict_proba(X)[:, 1] > 0.5)
    with pytest.raises(ValueError, match="must leave weight to one class"):
        GBDTClassifier(class_weight=dict.fromkeys(range(3), 0.0)).fit(X, y)
    with pytest.raises(ValueError, match="sample_weight_val times class_weight of GBDTClassifier must have a weight"):
        model.fit(X, y, X_val=X[y == 1], y_val=y[y == 1])
    with pytest.raises(ValueError, match=r"y_val holds classes that the model does not know: \[7\]"):
        model.fit(X, y, X_val=X[:2], y_val=[0, 7])


def test_ensembles_of_bags_that_miss_a_class():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = np.zeros(100, dtype=int)
    y[:2] = 1
    X[:2] += 3
    model = GBDTClassifier(n_estimators=5, min_samples_leaf=1)
    bag = BaggingClassifier(model, n_estimators=30, random_state=0).fit(X, y)
    assert roc_auc_score(y, bag.predict_proba(X)[:, 1]) > 0.9
    vote = VotingClassifier([("a", model), ("b", GBDTClassifier(n_estimators=3))], voting="soft").fit(X, y)
    assert vote.predict_proba(X).shape == (100, 2)
