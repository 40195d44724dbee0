"""The classical optimizers of LogisticRegression: step for step as their twins, and near the exact solution."""

import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlcore import LogisticRegression
from mlcore._native import core
from twins import logistic as naive

SOLVERS = ["gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]
ON_BATCHES = SOLVERS[2:]


def table(n_classes=2, n=97, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 0.2
    y = (X @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    return X, y.astype(np.int32), rng.uniform(0, 3, n)


def fit_by(logistic_fit, X, y, weight, *, solver, n_classes, max_iter, rate=0.1, **options):
    n_outputs = 1 if n_classes == 2 else n_classes
    d = X[3][1] if isinstance(X, tuple) else X.shape[1]
    defaults = {"l1": 0.0, "l2": 0.02, "fit_intercept": True, "tol": 0.0, "batch_size": 10, "momentum": 0.8, "seed": 7}
    return logistic_fit(
        X,
        y,
        weight,
        options.pop("start", np.zeros((n_outputs, d + 1))),
        n_classes=n_classes,
        solver=solver,
        max_iter=max_iter,
        learning_rate=rate,
        n_threads=2,
        report=None,
        **(defaults | options),
    )


fit_core = partial(fit_by, core.linear_model.logistic_fit)
fit_twin = partial(fit_by, naive.logistic_fit)


def fit(X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(**{"random_state": 0} | parameters).fit(X, y)


# ---- step for step ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1", [0.0, 0.03])
@pytest.mark.parametrize("form", ["dense", "float32", "csr"])
def test_each_epoch_is_that_of_the_twin(solver, n_classes, l1, form):
    X, y, weight = table(n_classes)
    X = (X * (np.random.default_rng(1).random(X.shape) < 0.7)).astype(np.float32).astype(np.float64)
    csr = sp.csr_array(X)
    given = {
        "dense": X,
        "float32": X.astype(np.float32),
        "csr": (csr.data, csr.indices, csr.indptr, csr.shape),
    }[form]
    options = {"l1": l1}
    expected = fit_twin(X, y, weight, solver=solver, n_classes=n_classes, max_iter=4, **options)
    for epochs in (1, 2, 4):
        found = fit_core(given, y, weight, solver=solver, n_classes=n_classes, max_iter=epochs, **options)
        assert found["n_iter"] == epochs
        assert not found["converged"]
        np.testing.assert_allclose(found["loss_curve"], expected["loss_curve"][: epochs + 1], rtol=1e-9)
    np.testing.assert_allclose(found["coef"], expected["coef"], rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(found["coef"] == 0, expected["coef"] == 0)
    assert found["optimality"] == pytest.approx(expected["optimality"], rel=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_intercept_and_from_a_start(solver):
    X, y, weight = table(3)
    start = np.random.default_rng(2).normal(size=(3, 6))
    start[:, -1] = 0
    options = {"solver": solver, "n_classes": 3, "max_iter": 3, "start": start, "fit_intercept": False}
    found, expected = (fit(X, y, weight, seed=3, batch_size=40, **options) for fit in (fit_core, fit_twin))
    np.testing.assert_allclose(found["coef"], expected["coef"], rtol=1e-7, atol=1e-9)
    assert not found["coef"][:, -1].any()


def test_batches_are_all_rows_once():
    """From zero, without penalty and a tiny rate, an epoch of steps is one step on all rows."""
    X, y, _ = table()
    options = {"n_classes": 2, "max_iter": 1, "rate": 1e-9, "l2": 0.0}
    whole = fit_core(X, y, None, solver="gd", **options)["coef"]
    for batch_size in (1, 10, 96, 97, 1000):
        n_steps = -(-97 // min(batch_size, 97))
        found = fit_core(X, y, None, solver="minibatch", batch_size=batch_size, **options)["coef"]
        if 97 % batch_size == 0 or batch_size > 97:
            np.testing.assert_allclose(found, n_steps * whole, rtol=1e-6)
    single = fit_core(X, y, None, solver="sgd", **options)["coef"]
    np.testing.assert_allclose(single, 97 * whole, rtol=1e-6)
    np.testing.assert_array_equal(fit_core(X, y, None, solver="minibatch", batch_size=1, **options)["coef"], single)


# ---- near the exact solution -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["gd", "minibatch", "momentum", "nesterov"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_steps_on_all_rows_come_to_the_exact_solution(solver, n_classes, l1_ratio):
    X, y, _ = table(n_classes)
    options = {"C": 0.1, "l1_ratio": l1_ratio, "tol": 1e-8, "max_iter": 100_000, "batch_size": None}
    exact = LogisticRegression(C=0.1, l1_ratio=l1_ratio, tol=1e-10).fit(X, y)
    rate = "auto" if solver == "gd" else 0.2
    model = LogisticRegression(solver=solver, learning_rate=rate, **options).fit(X, y)  # with no warning
    assert model.optimality_ <= 1e-8
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-5)
    np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_defaults_come_near_the_exact_solution(solver, n_classes):
    X, y, _ = table(n_classes, n=2000)
    exact = LogisticRegression(tol=1e-10).fit(X, y)
    model = fit(X, y, solver=solver)
    best = exact.loss_curve_[-1]
    assert model.loss_curve_[0] == pytest.approx(exact.loss_curve_[0], rel=1e-12)
    gap = (model.loss_curve_ - best) / (model.loss_curve_[0] - best)
    assert gap[-1] < 0.05
    assert (gap > -1e-9).all()
    assert (model.predict(X) == exact.predict(X)).mean() > 0.9  # single rows go on around the solution


@pytest.mark.parametrize("solver", SOLVERS)
def test_curve_has_a_value_an_epoch(solver):
    X, y, _ = table(3)
    model = fit(X, y, solver=solver, max_iter=7, tol=0.0)
    assert model.n_iter_.tolist() == [7]
    assert model.loss_curve_.shape == (8,)
    weight = np.ones(len(y))
    coef = np.column_stack([model.coef_, model.intercept_])
    value = naive.objective(X, y, weight, coef, 0.0, 1 / len(y))
    assert model.loss_curve_[-1] == pytest.approx(value, rel=1e-9)


def test_gradient_descent_with_its_own_rate_never_rises():
    for seed, scale in ((0, 1.0), (1, 100.0), (2, 1e-3)):
        X, y, _ = table(3, seed=seed)
        curve = fit(X * scale, y, solver="gd", max_iter=50).loss_curve_
        assert (np.diff(curve) <= 1e-15).all()
        assert curve[-1] < curve[0]


@pytest.mark.parametrize("solver", ["gd", "adam"])
def test_warm_start_goes_on(solver):
    X, y, _ = table()
    model = fit(X, y, solver=solver, max_iter=5, warm_start=True)
    end = model.loss_curve_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(end, rel=1e-12)


@pytest.mark.parametrize("solver", ["minibatch", "adagrad", "rmsprop", "adam"])
def test_l1_gives_exact_zeros(solver):
    X, y, _ = table(2, n=1000, d=20)
    exact = LogisticRegression(C=0.02, l1_ratio=1).fit(X, y)
    model = fit(X, y, solver=solver, C=0.02, l1_ratio=1, max_iter=300, batch_size=None, learning_rate=0.05)
    assert 0 < np.count_nonzero(exact.coef_ == 0) < 20
    assert ((model.coef_ == 0) == (exact.coef_ == 0)).mean() > 0.85


def test_convergence_stops_before_the_limit():
    X, y, _ = table()
    model = LogisticRegression(solver="gd", C=0.1, max_iter=10_000, tol=1e-3).fit(X, y)
    assert model.n_iter_[0] < 10_000
    assert model.optimality_ <= 1e-3
    again = LogisticRegression(solver="gd", C=0.1, max_iter=int(model.n_iter_[0]) - 1, tol=1e-3)
    with pytest.warns(ConvergenceWarning):
        again.fit(X, y)


# ---- scikit-learn's contract -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        LogisticRegression(solver="gd"),
        # All rows in a step: to a fixed number of steps on batches, weights and copies of a row are not the same.
        LogisticRegression(solver="adam", batch_size=None),
        LogisticRegression(solver="saga", l1_ratio=0.5, tol=1e-10, max_iter=20_000),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
