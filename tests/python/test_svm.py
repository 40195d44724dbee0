"""Kernel machines: the right solution of the dual problem, and scikit-learn's attributes and answers around it."""

import pickle
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.optimize
import scipy.sparse as sp
import sklearn.svm
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlcore
import naive_svm
from mlcore import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from mlcore._native import core

ALL = {"SVC": {}, "NuSVC": {"nu": 0.6}, "SVR": {}, "NuSVR": {"nu": 0.33}, "OneClassSVM": {"nu": 0.33}}
KINDS = {"SVC": "c_svc", "NuSVC": "nu_svc", "SVR": "epsilon_svr", "NuSVR": "nu_svr", "OneClassSVM": "one_class"}
KERNELS = {
    "linear": {},
    "poly": {"degree": 2, "coef0": 1.0, "gamma": 0.3},
    "rbf": {},
    "rbf auto": {"gamma": "auto"},
    "sigmoid": {"gamma": 0.02},
}
everyone = pytest.mark.parametrize("name", ALL)


def rows(n=90, d=4, seed=0):
    """Rows that no border separates, three classes, a target and weights; no two rows are the same."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    labels = np.digitize(X[:, 0] + 0.5 * rng.normal(size=n), [-0.5, 0.5])
    y = np.sin(X[:, 0]) + 0.3 * X[:, 1] + 0.2 * rng.normal(size=n)
    return X, labels, y, rng.uniform(0.2, 2.0, n)


def target(name, labels, y):
    return None if name == "OneClassSVM" else labels if "C" in name else y


def make(name, module=mlcore, **parameters):
    kernel = parameters.get("kernel", "rbf")
    if isinstance(kernel, str) and kernel in KERNELS:
        parameters = KERNELS[kernel] | parameters | {"kernel": kernel.split()[0]}
    return getattr(module, name)(**ALL[name] | parameters)


def values(model, X):
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


# ---- the dual problem ------------------------------------------------------------------------------------------------


def solve(engine, name, K, y, C, **options):
    """A dual problem for one pair of classes (or none), straight to the core or to its twin."""
    given = {"nu": ALL[name].get("nu", 0.0), "epsilon": 0.1, "gamma": 0.0, "degree": 3, "coef0": 0.0, "max_iter": -1}
    given |= {"tol": 1e-5, "cache_size": 1 << 20, "shrinking": True, "n_threads": 1, "report": None}
    return engine.train(KINDS[name], K, y, C, kernel="precomputed", **given | options)


def problem(name, n=40, seed=3):
    X, labels, y, weight = rows(n, seed=seed)
    target = (labels > 0).astype(float) if "SVC" in name else y if "SVR" in name else np.zeros(n)
    return rbf_kernel(X, gamma=0.25), target, weight


def quadratic_program(name, K, y, C):
    """Minimum of the dual problem as it stands in the papers, by a generic solver."""
    n, nu, epsilon = len(y), ALL[name].get("nu", 0.0), 0.1
    s = np.where(y == 0, 1.0, -1.0) if "SVC" in name else np.ones(n)
    Q, p, bounds = K * np.outer(s, s), np.zeros(n), C
    equalities = [(s, 0.0)]
    if name == "SVC":
        p = -np.ones(n)
    elif name == "NuSVC":
        equalities = [(s, 0.0), (np.ones(n), nu * C.sum())]
    elif name == "OneClassSVM":
        equalities = [(s, nu * C.sum())]
    else:  # a and a*, one after the other
        s = np.r_[np.ones(n), -np.ones(n)]
        Q, bounds = np.tile(K, (2, 2)) * np.outer(s, s), np.r_[C, C]
        p = np.r_[epsilon - y, epsilon + y] if name == "SVR" else np.r_[-y, y]
        equalities = [(s, 0.0)] + ([(np.ones(2 * n), nu * C.sum())] if name == "NuSVR" else [])
    found = scipy.optimize.minimize(
        lambda a: (0.5 * a @ Q @ a + p @ a, Q @ a + p),
        0.3 * bounds,
        jac=True,
        method="SLSQP",
        bounds=[(0, bound) for bound in bounds],
        constraints=[
            {"type": "eq", "fun": lambda a, r=row, v=value: r @ a - v, "jac": lambda a, r=row: r}
            for row, value in equalities
        ],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    return found.fun


@everyone
def test_the_minimum_is_that_of_a_generic_solver(name):
    K, y, C = problem(name)
    result = solve(core.svm, name, K, y, C)
    least = quadratic_program(name, K, y, C)
    if name == "NuSVC":  # reported in the scale of the C-SVC with the same border
        coef = result["dual_coef"][0]
        scale = np.abs(coef).sum() / (ALL[name]["nu"] * C.sum())
        least *= scale**2
    assert result["objective"][0] == pytest.approx(least, rel=2e-6)  # kernel values are float32
    assert result["converged"].all()
    assert 0 <= result["gap"][0] < 1e-5


@everyone
@pytest.mark.parametrize("shrinking", [True, False])
def test_the_solution_is_that_of_the_naive_twin(name, shrinking):
    K, y, C = problem(name, n=120)
    ours, twin = (solve(engine, name, K, y, C, shrinking=shrinking) for engine in (core.svm, naive_svm))
    np.testing.assert_array_equal(ours["support"], twin["support"])
    np.testing.assert_array_equal(ours["n_support"], twin["n_support"])
    size = np.abs(twin["dual_coef"]).max()
    np.testing.assert_allclose(ours["dual_coef"], twin["dual_coef"], atol=5e-4 * size)
    np.testing.assert_allclose(ours["intercept"], twin["intercept"], atol=2e-4 * size)
    np.testing.assert_allclose(ours["objective"], twin["objective"], rtol=5e-6)  # kernel values are float32
    for key in ("support", "n_support", "dual_coef", "intercept", "n_iter", "gap", "objective", "converged"):
        assert (ours[key].dtype, ours[key].shape) == (twin[key].dtype, twin[key].shape)


@pytest.mark.parametrize("name", ["SVC", "NuSVC"])
def test_pairs_of_classes_are_laid_out_as_in_the_naive_twin(name):
    X, labels, _, weight = rows()
    labels[labels == 2] = 3
    labels[:25] = 2
    y = labels.astype(float)
    results = [solve(engine, name, rbf_kernel(X, gamma=0.3), y, weight) for engine in (core.svm, naive_svm)]
    np.testing.assert_array_equal(results[0]["support"], results[1]["support"])
    np.testing.assert_array_equal(results[0]["n_support"], results[1]["n_support"])
    size = np.abs(results[0]["dual_coef"]).max()
    np.testing.assert_allclose(results[0]["dual_coef"], results[1]["dual_coef"], atol=5e-4 * size)
    np.testing.assert_allclose(results[0]["intercept"], results[1]["intercept"], atol=2e-4 * size)


@everyone
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_and_decision_values_are_those_of_the_naive_twin(name, kernel):
    X, labels, y, _ = rows()
    model = make(name, kernel=kernel).fit(X, target(name, labels, y))
    arguments = model._kernel.arguments()
    np.testing.assert_allclose(
        core.svm.kernel_matrix(X, X[:7], n_threads=2, **arguments),
        naive_svm.kernel_matrix(X, X[:7], **arguments),
        atol=3e-6,
        rtol=1e-6,
    )
    parts = model.support_vectors_, model.dual_coef_, model.n_support_, model.intercept_
    expected = naive_svm.decision_function(X, *parts, **arguments)
    got = core.svm.decision_function(X, *parts, n_threads=2, **arguments)
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(model.dual_coef_).sum())


@pytest.mark.parametrize("kernel", KERNELS)
def test_svc_meets_the_kkt_conditions(kernel):
    X, labels, _, weight = rows(200)
    y = (labels > 0).astype(int)
    model = make("SVC", kernel=kernel, C=2.0, tol=1e-4).fit(X, y, weight)
    alpha = np.zeros(200)
    alpha[model.support_] = np.abs(model.dual_coef_[0])
    C = 2.0 * weight
    margin = np.where(y == 1, 1, -1) * model.decision_function(X)
    assert abs(model.dual_coef_.sum()) < 1e-9
    assert (alpha <= C).all()
    slack = 1e-4 + 1e-5 * alpha.sum()  # tol and float32 kernel values
    assert (margin[alpha == 0] >= 1 - slack).all()
    assert (margin[alpha == C] <= 1 + slack).all()
    free = (alpha > 0) & (alpha < C)
    assert free.any()
    np.testing.assert_allclose(margin[free], 1, atol=slack)


def test_svr_meets_the_kkt_conditions():
    X, _, y, weight = rows(200)
    model = SVR(C=3.0, epsilon=0.15, tol=1e-4).fit(X, y, weight)
    beta = np.zeros(200)
    beta[model.support_] = model.dual_coef_[0]
    left = y - model.predict(X)
    C = 3.0 * weight
    assert abs(beta.sum()) < 1e-9
    slack = 3e-4
    assert (np.abs(left[beta == 0]) <= 0.15 + slack).all()
    assert (np.sign(beta) * left >= -slack)[beta != 0].all()
    np.testing.assert_allclose(np.abs(left)[(beta != 0) & (np.abs(beta) < C)], 0.15, atol=slack)
    assert (np.abs(left)[np.abs(beta) >= C] >= 0.15 - slack).all()


@pytest.mark.parametrize("nu", [0.1, 0.3, 0.5])
def test_nu_bounds_the_shares_of_support_vectors_and_of_errors(nu):
    X, labels, y, _ = rows(200)
    model = OneClassSVM(nu=nu).fit(X)
    assert (model.decision_function(X) < -1e-3).mean() <= nu <= len(model.support_) / 200
    assert model.dual_coef_.sum() == pytest.approx(nu * 200)
    model = NuSVR(nu=nu).fit(X, y)
    assert nu * 0.99 <= len(model.support_) / 200
    classes = (labels > 0).astype(int)
    model = NuSVC(nu=nu, tol=1e-6).fit(X, classes)  # tol is that of values before they are scaled to a margin of 1
    margin = np.where(classes == 1, 1, -1) * model.decision_function(X)
    assert (margin < 1 - 1e-2).mean() <= nu <= len(model.support_) / 200


def test_more_tolerance_is_a_worse_minimum_and_fewer_steps():
    X, labels, _, _ = rows(300)
    y = (labels > 0).astype(float)
    K = rbf_kernel(X)
    found = [solve(core.svm, "SVC", K, y, np.full(300, 10.0), tol=tol) for tol in (1e-1, 1e-3, 1e-5)]
    objectives = [result["objective"][0] for result in found]
    assert objectives[0] >= objectives[1] >= objectives[2] - 1e-9
    assert [result["gap"][0] < tol for result, tol in zip(found, (1e-1, 1e-3, 1e-5), strict=True)] == [True] * 3


# ---- scikit-learn's attributes and answers ---------------------------------------------------------------------------

ATTRIBUTES = ["classes_", "class_weight_", "support_", "n_support_", "support_vectors_", "dual_coef_", "intercept_"]
ATTRIBUTES += ["offset_", "coef_", "fit_status_", "shape_fit_", "n_features_in_"]


def compare(ours, theirs, X, atol, *, has_one_solution):
    """Attribute by attribute, then the answers; `atol` is a share of the largest number."""
    for attribute in ATTRIBUTES:
        assert hasattr(ours, attribute) == hasattr(theirs, attribute), attribute
        if not hasattr(theirs, attribute):
            continue
        a, b = getattr(ours, attribute), getattr(theirs, attribute)
        a, b = (part.toarray() if sp.issparse(part) else np.asarray(part) for part in (a, b))
        assert (a.ndim, a.dtype.kind) == (b.ndim, b.dtype.kind), attribute
        if has_one_solution or attribute in ("classes_", "class_weight_", "fit_status_", "shape_fit_"):
            assert a.shape == b.shape, attribute
            size = np.abs(b).max(initial=1) if b.dtype.kind == "f" else 0
            np.testing.assert_allclose(a, b, atol=atol * size, rtol=0, err_msg=attribute)
    assert np.shape(ours.n_iter_) == np.shape(theirs.n_iter_)
    a, b = values(ours, X), values(theirs, X)
    np.testing.assert_allclose(a, b, atol=atol * np.abs(b).max() + (1e-5 if has_one_solution else 3e-4))
    a, b = ours.predict(X), theirs.predict(X)
    assert a.dtype == b.dtype
    is_clear = np.abs(values(theirs, X)) > 1e-3 if a.dtype.kind != "f" else slice(0)
    if np.ndim(is_clear) < 2:
        np.testing.assert_array_equal(a[is_clear], b[is_clear])
    else:
        assert (a == b).mean() > 0.98  # a row on a border may lie on either side


@everyone
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", ["float64", "float32", "csr"])
def test_same_as_scikit_learn(name, kernel, kind):
    X, labels, y, weight = rows()
    X = sp.csr_array(np.where(np.abs(X) < 0.4, 0, X)) if kind == "csr" else X.astype(kind)
    new = sp.csr_array(rows(seed=1)[0]) if kind == "csr" else rows(seed=1)[0].astype(kind)
    parameters = {"kernel": kernel, "tol": 1e-5} | ({"decision_function_shape": "ovo"} if "SVC" in name else {})
    parameters |= {"gamma": 0.3} if kernel == "rbf" else {}  # scikit-learn's "scale" takes no notice of weights
    ours, theirs = (
        make(name, module, **parameters).fit(X, target(name, labels, y), sample_weight=weight)
        for module in (mlcore, sklearn.svm)
    )
    # the kernel matrix of the others has less than full rank, or is none of inner products
    compare(ours, theirs, new, atol=1e-3, has_one_solution=kernel.startswith("rbf"))
    assert ours.support_vectors_.dtype == X.dtype
    assert isinstance(ours.support_vectors_, sp.csr_array) == (kind == "csr")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 2: 0.5}, "balanced"])
def test_class_weights_as_in_scikit_learn(weighted, class_weight):
    X, labels, _, weight = rows()
    weight = weight if weighted and class_weight != "balanced" else None  # scikit-learn balances numbers of rows
    models = [
        module.SVC(class_weight=class_weight, gamma=0.3, tol=1e-5, decision_function_shape="ovo").fit(X, labels, weight)
        for module in (mlcore.svm, sklearn.svm)
    ]
    compare(*models, X, atol=1e-3, has_one_solution=True)


@everyone
@pytest.mark.parametrize("options", [{"shrinking": False}, {"cache_size": 1e-3}, {"cache_size": 0.05}])
def test_shrinking_and_cache_do_not_change_the_solution(name, options):
    X, labels, y, _ = rows(250)
    a, b = (make(name, tol=1e-5, **given).fit(X, target(name, labels, y)) for given in ({}, options))
    np.testing.assert_allclose(values(a, X), values(b, X), atol=2e-3 if name == "NuSVC" else 5e-4)


@pytest.mark.parametrize("name", ["SVC", "NuSVC"])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_shapes_of_the_decision_function(name, n_classes):
    X, labels = make_blobs(240, 3, centers=n_classes, cluster_std=2.5, random_state=0)
    X += np.random.default_rng(0).normal(size=X.shape)
    names = np.array(list("fedcba"))[labels]
    for shape in ("ovr", "ovo"):
        ours, theirs = (
            make(name, module, decision_function_shape=shape, tol=1e-5).fit(X, names)
            for module in (mlcore, sklearn.svm)
        )
        # votes may go the other way for rows on a border; a margin near 0 makes values of NuSVC large and uncertain
        is_close = np.abs(ours.decision_function(X) - theirs.decision_function(X)) < 1e-2
        assert is_close.mean() > 0.95
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        assert (ours.predict(X) == theirs.predict(X)).mean() > 0.99
    ours.set_params(decision_function_shape="ovr", break_ties=True)
    if n_classes > 2:
        np.testing.assert_array_equal(ours.predict(X), ours.classes_[ours.decision_function(X).argmax(axis=1)])
    with pytest.raises(ValueError, match=r"break_ties=True of .* needs decision_function_shape='ovr'"):
        ours.set_params(decision_function_shape="ovo").predict(X)


def test_votes_are_counted_as_libsvm_does():
    X, labels = make_blobs(400, 2, centers=8, cluster_std=5.0, random_state=1)
    model = SVC(decision_function_shape="ovo").fit(X, labels)
    decided = model.decision_function(X)
    votes = np.zeros((400, 8))
    for k, (i, j) in enumerate(combinations(range(8), 2)):
        winner = np.where(decided[:, k] > 0, i, j)
        votes[np.arange(400), winner] += 1
    np.testing.assert_array_equal(model.predict(X), votes.argmax(axis=1))


def test_many_pairs_are_decided_in_blocks(monkeypatch):
    X, labels = make_blobs(3000, 3, centers=5, cluster_std=5.0, random_state=1)
    model = SVC().fit(X[:300], labels[:300])
    tables = [X, sp.csr_array(X), pd.DataFrame(X)]
    expected = [(model.predict(table), model.decision_function(table)) for table in tables]
    monkeypatch.setattr("mlcore.svm._classifier._BLOCK", 1)
    for table, (labels, decided) in zip(tables, expected, strict=True):
        np.testing.assert_array_equal(model.predict(table), labels)
        np.testing.assert_array_equal(model.decision_function(table), decided)


def test_outliers_and_scores():
    X, *_ = rows(200)
    model = OneClassSVM(nu=0.2).fit(X)
    np.testing.assert_array_equal(model.predict(X), np.where(model.decision_function(X) >= 0, 1, -1))
    np.testing.assert_allclose(model.score_samples(X) - model.offset_, model.decision_function(X), atol=1e-12)
    np.testing.assert_array_equal(model.fit_predict(X), model.predict(X))
    assert model.offset_ == -model.intercept_
    np.testing.assert_allclose(
        model.score_samples(X), sklearn.svm.OneClassSVM(nu=0.2).fit(X).score_samples(X), rtol=1e-2
    )


@pytest.mark.parametrize("name", ["SVC", "SVR", "OneClassSVM"])
def test_coef_is_of_linear_kernels_only(name):
    X, labels, y, _ = rows()
    model = make(name, kernel="linear").fit(X, target(name, labels, y))
    biases = model.intercept_ if name != "SVC" else model.set_params(decision_function_shape="ovo").intercept_
    np.testing.assert_allclose((X @ model.coef_.T + biases).reshape(90, -1).squeeze(), values(model, X), atol=1e-4)
    assert not model.coef_.flags.writeable
    with pytest.raises(AttributeError, match=r"coef_ of .* is only available with kernel='linear'"):
        _ = make(name).fit(X, target(name, labels, y)).coef_
    assert not hasattr(make(name, kernel="linear"), "coef_")  # before fit


# ---- kernels that are given ------------------------------------------------------------------------------------------


@everyone
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_precomputed_and_callable_kernels_are_the_same_as_rbf(name, dtype):
    X, labels, y, weight = rows()
    weight[:9] = 0
    new = rows(30, seed=1)[0]
    goal = target(name, labels, y)
    model = make(name, gamma=0.3, tol=1e-5).fit(X, goal, sample_weight=weight)
    K = rbf_kernel(X, gamma=0.3).astype(dtype)
    precomputed = make(name, kernel="precomputed", tol=1e-5).fit(K, goal, sample_weight=weight)
    calls = []

    def kernel(A, B):
        calls.append((len(A), len(B)))
        return rbf_kernel(A, B, gamma=0.3).astype(dtype)

    called = make(name, kernel=kernel, tol=1e-5).fit(X, goal, sample_weight=weight)
    expected = values(model, new)
    atol = 1e-4 * (20 if name == "NuSVC" else 1)
    np.testing.assert_allclose(values(precomputed, rbf_kernel(new, X, gamma=0.3).astype(dtype)), expected, atol=atol)
    np.testing.assert_allclose(values(called, new), expected, atol=atol)
    assert calls == [
        (81, 81),
        (30, len(called.support_)),
    ]  # rows without weight and without influence are not asked for
    for other in (precomputed, called):
        np.testing.assert_array_equal(other.support_, model.support_)
        np.testing.assert_array_equal(other.n_support_, model.n_support_)
    assert precomputed.support_vectors_.shape == (0, 0)
    assert precomputed.shape_fit_ == (90, 90)
    assert precomputed.n_features_in_ == 90
    np.testing.assert_array_equal(called.support_vectors_, X[called.support_])
    assert called.n_features_in_ == 4


def test_kernel_of_strings():
    words = ["aab", "aba", "baa", "aaa", "bbb", "bba", "bab", "abb"] * 3
    counts = [word.count("a") for word in words]

    def kernel(A, B):
        return [[sum(a.count(c) * b.count(c) for c in "ab") for b in B] for a in A]

    model = SVC(kernel=kernel).fit(words, [count > 1 for count in counts])
    assert model.predict(["aaaa", "bbbb"]).tolist() == [True, False]
    assert model.support_vectors_ == [words[i] for i in model.support_]


def test_precomputed_kernel_in_cross_validation():
    X, labels, *_ = rows()
    K = rbf_kernel(X, gamma=0.25)
    a = cross_val_score(SVC(kernel="precomputed"), K, labels, cv=3)
    np.testing.assert_array_equal(a, cross_val_score(SVC(gamma=0.25), X, labels, cv=3))


def test_a_later_change_of_parameters_does_not_touch_the_fitted_model():
    X, labels, *_ = rows()
    model = SVC().fit(X, labels)
    expected = model.decision_function(X)
    np.testing.assert_array_equal(model.set_params(kernel="poly", gamma=7.0).decision_function(X), expected)


@pytest.mark.parametrize("kind", ["float64", "csr"])
def test_gamma(kind):
    X, labels, *_ = rows()
    X[np.abs(X) < 0.7] = 0
    table = sp.csr_array(X) if kind == "csr" else X
    for gamma, expected in (("scale", 1 / (4 * X.var())), ("auto", 0.25), (0.7, 0.7), (2, 2.0)):
        assert SVC(gamma=gamma).fit(table, labels)._kernel.gamma == pytest.approx(expected, rel=1e-12)
    weight = np.random.default_rng(0).integers(0, 3, 90)
    copies = np.repeat(X, weight, axis=0)
    assert SVC().fit(table, labels, weight)._kernel.gamma == pytest.approx(1 / (4 * copies.var()), rel=1e-12)
    big = (1e6 + X).astype(np.float32)  # the mean must not swallow the variance
    assert SVC().fit(big, labels)._kernel.gamma == pytest.approx(1 / (4 * big.astype(np.float64).var()), rel=1e-9)


# ---- rows of any kind ------------------------------------------------------------------------------------------------


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
