"""The solutions of liblinear and scikit-learn-intelex, which LogisticRegression reproduces."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression as ReferenceRegression
from sklearn.preprocessing import StandardScaler

from mlcore import LogisticRegression

TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def assert_close_model(coef, C, l1_ratio, X, y, expected):
    """Both are solutions: the objectives agree to more digits than the coefficients, as the bottom is flat."""

    def objective(w):
        penalty = l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * w @ w
        return C * np.logaddexp(0, np.where(y == 1, -1, 1) * (X @ w)).sum() + penalty

    assert objective(coef) <= objective(expected) * (1 + 1e-10)
    np.testing.assert_allclose(coef, expected, atol=1e-5)


@pytest.mark.parametrize("C", [0.05, 1.0])
@pytest.mark.parametrize("solver", ["auto", "saga"])
def test_l1_of_liblinear_inside_scikit_learn(C, solver):
    """Without intercept: liblinear would penalise it."""
    X, y = cancer()
    theirs = ReferenceRegression(
        solver="liblinear", l1_ratio=1.0, C=C, fit_intercept=False, tol=1e-12, max_iter=100_000, random_state=0
    ).fit(X, y)
    tol = 2e-10 if solver == "saga" else TIGHT["tol"]  # it nears the solution of correlated features in small steps
    ours = LogisticRegression(
        l1_ratio=1.0, C=C, fit_intercept=False, solver=solver, tol=tol, max_iter=TIGHT["max_iter"]
    ).fit(X, y)
    assert_close_model(ours.coef_[0], C, 1.0, X, y, theirs.coef_[0])
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert 5 < (ours.coef_ == 0).sum() < 29


@pytest.mark.peers
@pytest.mark.parametrize(("kind", "l1_ratio"), [(0, 0.0), (6, 1.0)])
@pytest.mark.parametrize("sparse", [False, True])
def test_liblinear(kind, l1_ratio, sparse):
    liblinear = pytest.importorskip("liblinear.liblinearutil", reason="needs the peers extra")
    X, y = cancer()
    if sparse:
        X = np.maximum(X, 0)
    C = 0.2
    model = liblinear.train(
        liblinear.problem(np.where(y == 1, 1, -1), sp.csr_matrix(X) if sparse else X),
        liblinear.parameter(f"-s {kind} -c {C} -e 1e-10 -q"),
    )
    sign = 1 if model.get_labels()[0] == 1 else -1
    theirs = sign * np.array(model.get_decfun()[0])
    ours = LogisticRegression(C=C, l1_ratio=l1_ratio, fit_intercept=False, **TIGHT)
    ours.fit(sp.csr_array(X) if sparse else X, y)
    assert_close_model(ours.coef_[0], C, l1_ratio, X, y, theirs)
    np.testing.assert_array_equal(ours.coef_[0] == 0, theirs == 0)


@pytest.mark.peers
@pytest.mark.parametrize("n_classes", [2, 10])
def test_intelex(n_classes):
    linear_model = pytest.importorskip("sklearnex.linear_model", reason="needs the peers extra")
    X, y = load_digits(return_X_y=True)
    X, y = X / 16, (y if n_classes == 10 else y % 2)
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=100_000).fit(X, y)
    ours = LogisticRegression(C=0.5, **TIGHT).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
