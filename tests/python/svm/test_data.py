"""Kernel machines with rows of any kind and with the rest of the world: frames, weights, files, searches, logs."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn.svm
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlcore
from mlcore import SVC, SVR, NuSVC, OneClassSVM
from support.svm_cases import ALL, everyone, make, rows, target, values


def test_layouts_give_the_same_bits():
    X, labels, *_ = rows()
    expected = SVC().fit(X, labels).decision_function(X)
    wide = np.empty((180, 8))
    wide[::2, ::2] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for table in (np.asfortranarray(X), wide[::2, ::2], frozen, X.tolist(), pd.DataFrame(X)):
        np.testing.assert_array_equal(SVC().fit(table, labels).decision_function(table), expected)


@everyone
def test_sparse_layouts_give_the_same_bits(name):
    X, labels, y, _ = rows()
    X[np.abs(X) < 0.5] = 0
    csr = sp.csr_array(X)
    doubled = sp.csr_array(  # every entry twice, with half its value, in falling order of columns
        (np.repeat(csr.data / 2, 2)[::-1], np.repeat(csr.indices, 2)[::-1], 2 * (csr.nnz - csr.indptr[::-1])),
        shape=X.shape,
    )
    upside_down = doubled[::-1]
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    goal = target(name, labels, y)
    expected = values(make(name).fit(csr, goal), csr)
    for table in (upside_down, wide, sp.csc_array(X), sp.coo_matrix(X), sp.csr_matrix(X)):
        before = table.copy()
        np.testing.assert_array_equal(values(make(name).fit(table, goal), table), expected)
        assert (abs(before - table)).max() == 0
    assert upside_down.nnz == 2 * csr.nnz  # the user's matrix is as it was


@everyone
def test_dense_and_sparse_meet(name):
    X, labels, y, _ = rows()
    X[np.abs(X) < 0.5] = 0
    goal = target(name, labels, y)
    dense, sparse = make(name, tol=1e-5).fit(X, goal), make(name, tol=1e-5).fit(sp.csr_array(X), goal)
    expected = values(dense, X)
    atol = 2e-3 if name == "NuSVC" else 2e-4
    for model in (dense, sparse):
        for table in (X, sp.csr_array(X), X.astype(np.float32), sp.csr_array(X.astype(np.float32))):
            np.testing.assert_allclose(values(model, table), expected, atol=atol)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_and_their_names(frame):
    X, labels, *_ = rows()
    columns = {name: X[:, j] for j, name in enumerate("abcd")}
    model = SVC().fit(frame(columns), labels)
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.predict(frame(columns)), SVC().fit(X, labels).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame({name: columns[name] for name in "dcba"}))


@everyone
def test_weights_are_copies(name):
    X, labels, y, _ = rows(60)
    weight = np.random.default_rng(0).integers(0, 4, 60)
    goal = target(name, labels, y)
    copied = make(name, tol=1e-6).fit(np.repeat(X, weight, axis=0), None if goal is None else np.repeat(goal, weight))
    weighted = make(name, tol=1e-6).fit(X, goal, sample_weight=weight)
    atol = 1e-3 if name == "NuSVC" else 1e-4
    np.testing.assert_allclose(values(weighted, X), values(copied, X), atol=atol)
    assert not np.isin(weighted.support_, np.flatnonzero(weight == 0)).any()
    assert weighted.shape_fit_ == (60, 4)


@pytest.mark.parametrize("name", ["SVC", "NuSVC"])
def test_balanced_class_weights_count_copies(name):
    X, labels, *_ = rows(60)
    weight = np.random.default_rng(0).integers(1, 4, 60)
    copied = make(name, class_weight="balanced", tol=1e-6).fit(np.repeat(X, weight, axis=0), np.repeat(labels, weight))
    weighted = make(name, class_weight="balanced", tol=1e-6).fit(X, labels, weight)
    np.testing.assert_allclose(weighted.class_weight_, copied.class_weight_)
    np.testing.assert_allclose(weighted.decision_function(X), copied.decision_function(X), atol=1e-3)


def test_class_weights_of_nu_svc_are_weights_of_rows():
    X, labels, *_ = rows()
    factors = np.array([1.0, 2.0, 1.5])
    a = NuSVC(gamma=0.3, nu=0.3, class_weight=dict(enumerate(factors))).fit(X, labels)
    b = sklearn.svm.NuSVC(gamma=0.3, nu=0.3).fit(X, labels, sample_weight=factors[labels])
    np.testing.assert_allclose(a.decision_function(X), b.decision_function(X), atol=2e-2)
    few = np.r_[np.flatnonzero(labels == 0)[:5], np.flatnonzero(labels > 0)]
    assert NuSVC(nu=0.9, class_weight="balanced").fit(X[few], labels[few] > 0).fit_status_ == 0


def test_no_support_vectors_at_all():
    X, *_ = rows()
    for table in (X, sp.csr_array(X)):
        model = SVR(epsilon=10.0).fit(table, np.zeros(90))
        assert model.n_support_.tolist() == [0]
        assert model.dual_coef_.shape == (1, 0)
        np.testing.assert_array_equal(model.predict(table), np.zeros(90))


def test_few_rows():
    assert SVC().fit([[0.0], [1.0]], ["a", "b"]).predict([[0.1], [0.9]]).tolist() == ["a", "b"]
    assert SVR(gamma="auto").fit([[1.0]], [3.0]).predict([[1.0]]) == pytest.approx(3.0, abs=0.11)
    assert OneClassSVM().fit([[1.0, 2.0]]).predict([[1.0, 2.0]]).tolist() == [1]


# ---- with the rest of the world --------------------------------------------------------------------------------------


@everyone
def test_pickle_clone_and_model_files(name, tmp_path):
    X, labels, y, _ = rows()
    for table in (X, X.astype(np.float32), sp.csr_array(X)):
        model = make(name).fit(table, target(name, labels, y))
        mlcore.save(model, tmp_path / "model.safetensors")
        expected = values(model, table)
        for again in (pickle.loads(pickle.dumps(model)), mlcore.load(tmp_path / "model.safetensors")):
            np.testing.assert_array_equal(values(again, table), expected)
            assert vars(again).keys() == vars(model).keys()
            assert again.get_params() == model.get_params()
        assert not hasattr(clone(model), "support_")


def test_callable_kernels_cannot_be_saved(tmp_path):
    X, labels, *_ = rows()
    model = SVC(kernel=rbf_kernel).fit(X, labels)
    with pytest.raises(ValueError, match="parameter 'kernel' of SVC cannot be saved"):
        mlcore.save(model, tmp_path / "model.safetensors")
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


def test_probabilities_by_calibration():
    X, labels, *_ = rows(200)
    model = CalibratedClassifierCV(SVC(), ensemble=False).fit(X, labels)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    theirs = CalibratedClassifierCV(sklearn.svm.SVC(), ensemble=False).fit(X, labels).predict_proba(X)
    np.testing.assert_allclose(probabilities, theirs, atol=5e-3)
    assert not hasattr(SVC(), "predict_proba")


def test_grid_search_and_pipelines():
    X, labels, *_ = rows(150)
    grid = {"svc__C": [0.1, 1, 10], "svc__gamma": [0.01, 0.1]}
    ours, theirs = (
        GridSearchCV(make_pipeline(StandardScaler(), module.SVC()), grid, cv=3).fit(X, labels)
        for module in (mlcore.svm, sklearn.svm)
    )
    assert ours.best_params_ == theirs.best_params_
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=0.007)


def test_same_parameters_and_defaults_as_scikit_learn():
    for name in ALL:
        ours, theirs = getattr(mlcore, name)().get_params(), getattr(sklearn.svm, name)().get_params()
        assert set(ours) - set(theirs) == {"n_jobs"}
        assert set(theirs) - set(ours) <= {"probability"}
        assert all(ours[key] == theirs[key] for key in set(ours) & set(theirs)), name


@pytest.mark.parametrize("n_classes", [2, 3])
def test_verbose(n_classes, caplog, capfd):
    X, labels, *_ = rows()
    with caplog.at_level("INFO", logger="mlcore"):
        SVC(verbose=2).fit(X, np.minimum(labels, n_classes - 1))
    assert any("SVC" in message for message in caplog.messages)
    assert all(("gap" if n_classes == 2 else "problems_left") in message for message in caplog.messages)
    assert capfd.readouterr() == ("", "")
    SVC(verbose=1).fit(X, labels)
    assert "SVC" in capfd.readouterr().err


@everyone
def test_unfitted(name):
    X, *_ = rows()
    with pytest.raises(NotFittedError):
        make(name).predict(X)
