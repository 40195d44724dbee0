"""What all linear models share: scores by one function, sparse coefficients, predictions."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

import mlcore
from mlcore._linear import linear_scores
from mlcore._tables import as_rows, for_core

CLASSIFIERS = [
    mlcore.LinearSVC(penalty="l1", C=0.1),
    mlcore.LogisticRegression(l1_ratio=1.0, C=0.1),
    mlcore.LogisticRegressionCV(Cs=[0.1], l1_ratios=[1.0], cv=2),
]
REGRESSORS = [
    mlcore.Ridge(),
    mlcore.RidgeCV(),
    mlcore.Lasso(alpha=0.05),
    mlcore.LassoCV(alphas=3, cv=2),
    mlcore.ElasticNet(alpha=0.05),
    mlcore.ElasticNetCV(alphas=3, cv=2),
    mlcore.LinearSVR(),
]


def name_of(model):
    return type(model).__name__


def table(n_classes=3, n_features=12):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(90, n_features))
    return X, np.array(["a", "b", "c"])[(X[:, :n_classes] + 0.3 * rng.normal(size=(90, n_classes))).argmax(axis=1)]


# ---- scores ----


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 20])
@pytest.mark.parametrize("n_features", [1, 7, 8, 65])
@pytest.mark.parametrize("kind", ["C", "F", "csr"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_are_those_of_numpy(n_outputs, n_features, kind, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(53, n_features)).astype(dtype)
    X[rng.random(X.shape) < 0.5] = 0
    coef, intercept = rng.normal(size=(n_outputs, n_features)), rng.normal(size=n_outputs)
    expected = X.astype(np.float64) @ coef.T + intercept
    rows = for_core(as_rows(sp.csr_array(X) if kind == "csr" else np.asarray(X, order=kind)))
    scores = [linear_scores(rows, coef, intercept, n) for n in (1, 2, 3)]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-12, atol=1e-12)  # float64 sums in another order
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    # Coefficients of users may lie in any order.
    np.testing.assert_array_equal(linear_scores(rows, np.asfortranarray(coef), intercept, 1), scores[0])


def test_scores_of_no_rows():
    assert linear_scores(np.empty((0, 3)), np.ones((2, 3)), np.ones(2), 1).shape == (0, 2)


# ---- classifiers ----


@pytest.fixture(params=[2, 3], ids=lambda n: f"{n} classes")
def problem(request):
    return table(request.param)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=name_of)
def test_classes_are_those_of_the_largest_score(model, problem):
    X, y = problem
    model = clone(model).fit(X, y)
    scores = X @ model.coef_.T + model.intercept_
    if len(model.classes_) == 2:
        assert scores.shape == (len(X), 1)
        codes, scores = (scores[:, 0] > 0).astype(int), scores[:, 0]
    else:
        codes = scores.argmax(axis=1)
    np.testing.assert_allclose(model.decision_function(X), scores, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[codes])
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(np.log(model.predict_proba(X)), model.predict_log_proba(X), atol=1e-12)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=name_of)
@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_sparse_coefficients_are_saved(model, problem, mmap_mode, tmp_path):
    X, y = problem
    model = clone(model).fit(X, y)
    X_sparse = sp.csr_array(X)
    coef, expected, expected_of_sparse = model.coef_, model.decision_function(X), model.decision_function(X_sparse)
    assert (coef == 0).any()
    model.sparsify()
    mlcore.save(model, tmp_path / "model")
    for other in (
        mlcore.load(tmp_path / "model", mmap_mode=mmap_mode),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert sp.issparse(other.coef_)
        assert other.coef_.nnz == np.count_nonzero(coef)
        np.testing.assert_array_equal(other.decision_function(X), expected)
        np.testing.assert_array_equal(other.decision_function(X_sparse), expected_of_sparse)
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        mlcore.save(other, tmp_path / "again")  # what was read can be written
        assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()
        other.densify()
        assert isinstance(other.coef_, np.ndarray)
        np.testing.assert_array_equal(other.coef_, coef)
        np.testing.assert_array_equal(other.decision_function(X), expected)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=name_of)
def test_a_clone_of_sparse_coefficients_is_unfitted(model, problem):
    X, y = problem
    fresh = clone(clone(model).fit(X, y).sparsify())
    assert fresh._fitted_attributes() == []
    assert isinstance(fresh.fit(X, y).coef_, np.ndarray)


# ---- regressors ----


@pytest.mark.parametrize("model", REGRESSORS, ids=name_of)
@pytest.mark.parametrize("kind", ["one", "column", "two"])
def test_predictions_are_xw_plus_b(model, kind):
    X, _ = table()
    Y = X[:, :2] + np.array([3.0, -1.0])
    if kind != "one" and not model.__sklearn_tags__().target_tags.multi_output:
        pytest.skip("it takes one target")
    y = {"one": Y[:, 0], "column": Y[:, :1], "two": Y}[kind]
    model = clone(model).fit(X, y)
    predicted = model.predict(X)
    expected = X @ np.transpose(model.coef_) + model.intercept_
    assert predicted.shape == expected.shape
    np.testing.assert_allclose(predicted, expected, atol=1e-12)
    np.testing.assert_allclose(model.predict(sp.csr_array(X)), predicted, atol=1e-12)
