"""Sparse tables: the same trees as from the dense table, in memory that goes with the entries, not with the cells."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore import GBDTClassifier, GBDTRegressor

PARAMETERS = {
    "defaults": {},
    "small leaves": {"min_samples_leaf": 1, "max_leaf_nodes": 60},
    "levels": {"growth": "depth", "max_leaf_nodes": None, "max_depth": 4, "min_samples_leaf": 3},
    "first order": {"newton": False, "min_samples_leaf": 5},
    "few bins": {"max_bins": 4, "min_samples_leaf": 5},
    "rows drawn": {"subsample": 0.5, "min_samples_leaf": 5},
    "features drawn": {"colsample_bytree": 0.5, "colsample_bylevel": 0.7, "colsample_bynode": 0.7},
    "penalties": {"reg_alpha": 0.5, "reg_lambda": 2.0, "min_child_weight": 8.0, "min_samples_leaf": 2},
    "median": {"loss": "absolute_error", "min_samples_leaf": 5},
    "constraints": {"monotonic_cst": [1, -1] * 60, "interaction_cst": [list(range(40)), list(range(30, 120))]},
}


def text_like(n=700, n_features=120, seed=0):
    """Columns from nearly full to nearly empty; negative numbers, missing values, zeros that are stored."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features)).round(1)
    X[:, ::3] = np.abs(X[:, ::3]).round()
    X[rng.random(X.shape) > np.linspace(0.9, 0.0, n_features) ** 3] = 0
    X[rng.random(X.shape) < 0.01 * (rng.random(n_features) < 0.3)] = np.nan
    X[:, 7] = 0
    X[:, 9] = 3
    signal = np.nan_to_num(X) @ np.where(np.arange(n_features) % 4 == 0, 1.0, 0.1)
    sparse = sp.csr_array(X)
    sparse.data[rng.random(sparse.nnz) < 0.03] = 0
    return sparse, sparse.toarray(), signal + rng.normal(0, 0.3, n)


def assert_same_trees(a, b):
    for name, values in a.trees_.items():
        np.testing.assert_array_equal(values, b.trees_[name], err_msg=name)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_trees_as_from_the_dense_table(name, weighted):
    sparse, dense, y = text_like()
    weight = np.random.default_rng(1).integers(0, 5, len(y)).astype(float) if weighted else None
    validation = text_like(300, seed=5)
    models = []
    for X, X_val, n_jobs in ((dense, validation[1], 1), (sparse, validation[0], 1), (sparse, validation[0], 3)):
        model = GBDTRegressor(n_estimators=12, random_state=3, n_jobs=n_jobs, **PARAMETERS[name])
        models.append(model.fit(X, y, weight, X_val=X_val, y_val=validation[2]))
    reference = models[0]
    assert reference.trees_["feature"].max() > 30  # sparse columns are split too
    for model in models[1:]:
        assert_same_trees(model, reference)
        np.testing.assert_array_equal(model.validation_score_, reference.validation_score_)
        np.testing.assert_array_equal(model.predict(sparse), reference.predict(dense))
        np.testing.assert_array_equal(model.predict(dense), reference.predict(dense))
        np.testing.assert_array_equal(model.apply(sparse), reference.apply(dense))
        staged = zip(model.staged_predict(sparse), reference.staged_predict(dense), strict=True)
        assert all(np.array_equal(a, b) for a, b in staged)


@pytest.mark.parametrize("n_features", [255, 256, 257, 900])
def test_wide_tables_predict_alike_in_any_form(n_features):
    sparse, dense, y = text_like(400, n_features)
    classes = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = GBDTClassifier(n_estimators=4, min_samples_leaf=2).fit(sparse, classes)
    assert_same_trees(model, GBDTClassifier(n_estimators=4, min_samples_leaf=2).fit(dense, classes))
    expected = model.predict_proba(dense)
    for other in (sparse, dense.astype(np.float32), np.asfortranarray(dense), sp.csc_array(sparse)):
        np.testing.assert_allclose(model.predict_proba(other), expected, atol=1e-12 if other.dtype == "d" else 1e-6)
    for i in range(5):
        np.testing.assert_array_equal(model.predict_proba(dense[i : i + 1])[0], expected[i])


def test_continued_training_and_early_stopping():
    sparse, dense, y = text_like()
    models = []
    for X in (sparse, dense):
        model = GBDTRegressor(n_estimators=5, warm_start=True, early_stopping=True, min_samples_leaf=3, random_state=0)
        models.append(model.fit(X, y).set_params(n_estimators=9).fit(X, y))
    assert_same_trees(*models)


def test_a_table_without_entries():
    X = sp.csr_array((50, 700))
    model = GBDTRegressor(n_estimators=2).fit(X, np.arange(50.0))
    np.testing.assert_allclose(model.predict(X), 24.5)
    np.testing.assert_allclose(model.predict(sp.csr_array(np.ones((3, 700)))), 24.5)
    np.testing.assert_array_equal(model.apply(X), np.zeros((50, 2)))


def test_rows_heavier_than_a_leaf_may_split_rare_columns():
    # A column of two rows cannot fill a leaf of 20, unless these rows count as many.
    X = sp.csr_array((np.ones(2), ([3, 8], [2, 2])), shape=(100, 30))
    y = np.isin(np.arange(100), [3, 8]).astype(float)
    weight = np.where(y == 1, 30.0, 1.0)
    for table in (X, X.toarray()):
        model = GBDTRegressor(n_estimators=1, learning_rate=1.0).fit(table, y, weight)
        np.testing.assert_allclose(model.predict(table), y, atol=1e-6)  # gradients are float32
        model = GBDTRegressor(n_estimators=1, learning_rate=1.0).fit(table, y)
        np.testing.assert_allclose(model.predict(table), 0.02, atol=1e-6)


@pytest.mark.parametrize(("n", "n_features"), [(4000, 50_000), (10_000, 200_000)])
def test_memory_goes_with_the_entries(n, n_features):
    """The cells of these tables are 0.2 and 2 GB at a byte each; fit and predict may take a small part of it."""
    code = f"""
        import resource
        import numpy as np, scipy.sparse as sp
        from mlcore import GBDTClassifier, GBDTRegressor
        n, n_features, rng = {n}, {n_features}, np.random.default_rng(0)
        def table(n):
            places = np.repeat(np.arange(n), 30), (n_features * rng.random(30 * n) ** 4).astype(int)
            return sp.csr_array((rng.integers(1, 4, 30 * n).astype(float), places), shape=(n, n_features))
        X, X_val = table(n), table(n // 2)
        y, y_val = (np.asarray(t[:, :300].sum(axis=1)).ravel() for t in (X, X_val))
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        GBDTRegressor(n_estimators=1).fit(X[:100, :50], y[:100])
        before = peak()
        model = GBDTRegressor(n_estimators=3, early_stopping=True, n_jobs=2).fit(X, y, X_val=X_val, y_val=y_val)
        assert model.validation_score_[-1] > model.validation_score_[0]
        model.predict(X), model.apply(X_val), list(model.staged_predict(X_val))
        GBDTClassifier(n_estimators=1, n_jobs=2, early_stopping=True).fit(X, np.digitize(y, [10, 20]))
        print(peak() - before)
    """
    grown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=300
    )
    assert float(grown.stdout) < 100 + n * n_features / 2**20 / 20
