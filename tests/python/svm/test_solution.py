"""Kernel machines: the right solution of the dual problem, by a generic solver, a naive twin and the KKT conditions."""

import numpy as np
import pytest
import scipy.optimize
from sklearn.metrics.pairwise import rbf_kernel

from mlcore import SVR, NuSVC, NuSVR, OneClassSVM
from mlcore._native import core
from support.svm_cases import ALL, KERNELS, KINDS, everyone, make, rows, target
from twins import svm as naive_svm


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
