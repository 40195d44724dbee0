"""Logistic regression along a grid of C: the grid, the solutions, and where coefficients come in."""

import logging

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris

from mlcore import LogisticRegression
from mlcore.linear_model import logistic_path
from twins import logistic as naive


def table(n_classes=2, n=150, d=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    true = rng.normal(size=(d, n_classes)) * (rng.random((d, 1)) < 0.5)
    y = (X @ true + rng.gumbel(size=(n, n_classes)) + 0.5 * np.arange(n_classes)).argmax(axis=1)
    return X, y, rng.integers(0, 3, n).astype(float)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_default_grid_starts_where_all_coefficients_vanish(n_classes, l1_ratio, fit_intercept):
    X, y, weight = table(n_classes)
    options = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "tol": 1e-8}
    Cs, coefs, n_iters = logistic_path(X, y, Cs=20, eps=0.01, sample_weight=weight, **options)
    assert Cs.shape == n_iters.shape == (20,)
    assert n_iters.dtype == np.int32
    assert coefs.shape == (20, 1 if n_classes == 2 else 3, 9)
    np.testing.assert_allclose(Cs[1:] / Cs[:-1], (1 / 0.01) ** (1 / 19))
    assert not coefs[0, :, :-1].any()
    assert coefs[1, :, :-1].any()  # it was the largest such C
    assert coefs[:, :, -1].any() == fit_intercept
    above = LogisticRegression(C=Cs[0] * 1.001, **options).fit(X, y, sample_weight=weight)
    assert np.count_nonzero(above.coef_) >= 1


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("l1_ratio", "solver"), [(1.0, "auto"), (0.5, "saga"), (0.0, "lbfgs"), (0.0, "auto")])
def test_each_solution_is_that_of_a_fit_of_its_own(n_classes, l1_ratio, solver):
    X, y, weight = table(n_classes)
    options = {"l1_ratio": l1_ratio, "solver": solver, "class_weight": "balanced", "tol": 1e-10, "max_iter": 100_000}
    given = [3.0, 0.03, 0.3]
    Cs, coefs, _ = logistic_path(X, y, Cs=given, sample_weight=weight, **options)
    assert Cs.tolist() == sorted(given)
    for C, coef in zip(Cs, coefs, strict=True):
        alone = LogisticRegression(C=C, **options).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(coef[:, :-1], alone.coef_, atol=1e-6)
        np.testing.assert_allclose(coef[:, -1], alone.intercept_, atol=1e-6)
        np.testing.assert_array_equal(coef[:, :-1] == 0, alone.coef_ == 0)


def test_solutions_meet_their_conditions():
    X, y, weight = table(3)
    Cs, coefs, _ = logistic_path(X, y, Cs=30, l1_ratio=0.8, sample_weight=weight, tol=1e-8)
    strength = 1 / (Cs * weight.sum())
    for s, coef in zip(strength, coefs, strict=True):
        assert naive.optimality(X, y, weight, coef, 0.8 * s, 0.2 * s) <= 1.01e-8
    count = np.count_nonzero(coefs[:, :, :-1], axis=(1, 2))
    assert count[0] == 0
    assert count[-1] > 15


def test_l2_alone_has_a_grid_too():
    X, y, _ = table()
    Cs, coefs, _ = logistic_path(X, y, Cs=5, l1_ratio=0.0)
    size = np.abs(coefs[:, :, :-1]).sum(axis=(1, 2))
    assert (np.diff(size) > 0).all()
    assert size[0] < 0.05 * size[-1]
    np.testing.assert_allclose(Cs, logistic_path(X, y, Cs=5, l1_ratio=1e-3)[0])


def test_no_penalty_at_the_end():
    X, y, _ = table()
    Cs, coefs, _ = logistic_path(X, y, Cs=[1.0, np.inf], tol=1e-10)
    assert Cs[-1] == np.inf
    free = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(coefs[-1, 0, :-1], free.coef_[0], atol=1e-6)


def test_columns_that_say_nothing():
    y = np.array([0, 1, 1, 0, 1])
    Cs, coefs, _ = logistic_path(np.zeros((5, 2)), y, Cs=3)
    assert np.isfinite(Cs).all()
    assert not coefs[:, :, :-1].any()
    np.testing.assert_allclose(coefs[:, 0, -1], np.log(1.5), atol=1e-3)


def test_one_value():
    X, y, _ = table()
    Cs, coefs, n_iters = logistic_path(X, y, Cs=1)
    assert Cs.shape == n_iters.shape == (1,)
    assert not coefs[:, :, :-1].any()


def test_tables_and_labels():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    expected = logistic_path(X, y, Cs=8, tol=1e-8)
    for table_ in (sp.csr_array(X), np.asfortranarray(X), pd.DataFrame(X, columns=list("abcd"))):
        found = logistic_path(table_, names[y], Cs=8, tol=1e-8)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
        np.testing.assert_allclose(found[1], expected[1], atol=1e-5)


@pytest.mark.parametrize(("solver", "l1_ratio"), [("lbfgs", 0.0), ("coordinate_descent", 1.0)])
def test_warm_starts_save_iterations(solver, l1_ratio):
    X, y, _ = table(n=500, d=30)
    options = {"solver": solver, "l1_ratio": l1_ratio, "tol": 1e-6}
    Cs, _, n_iters = logistic_path(X, y, Cs=40, **options)
    assert n_iters[-1] < LogisticRegression(C=Cs[-1], **options).fit(X, y).n_iter_[0]


def test_same_bits_for_any_number_of_threads():
    X, y, _ = table(3, n=5000, d=20)
    expected = logistic_path(X, y, Cs=5, n_jobs=1)
    for n_jobs in (2, 3, 8):
        for a, b in zip(logistic_path(X, y, Cs=5, n_jobs=n_jobs), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_progress(caplog, capsys):
    X, y, _ = table()
    with caplog.at_level(logging.INFO, logger="mlcore"):
        logistic_path(X, y, Cs=3, verbose=2)
    assert [record.getMessage().split("  ")[0] for record in caplog.records] == [
        f"logistic_path {i}/3" for i in (1, 2, 3)
    ]
    logistic_path(X, y, Cs=3, verbose=1)
    assert "logistic_path" in capsys.readouterr().err
    logistic_path(X, y, Cs=3)
    assert capsys.readouterr().err == ""
