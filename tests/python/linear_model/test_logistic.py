"""Exact solvers of LogisticRegression: gradient, the solution of scikit-learn and of the twin, exact zeros, tables."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from scipy.optimize import approx_fprime
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression as ReferenceRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlcore import LogisticRegression
from mlcore._native import core
from twins import logistic as naive

SMOOTH = ["lbfgs", "newton-cholesky", "coordinate_descent", "saga"]
WITH_L1 = ["coordinate_descent", "saga"]
TIGHT = {"tol": 1e-9, "max_iter": 100_000}


def problem(n_classes, n=200, d=6, seed=0):
    """Columns of unequal size, correlated; labels that no model gets all right; weights, some of them zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d))) * rng.uniform(0.5, 2, d) + 0.3
    X[:, -1] = 0.1 * X[:, -1] * (rng.random(n) < 0.4)
    Z = X @ rng.normal(size=(d, n_classes)) + 0.5 * np.arange(n_classes) + rng.gumbel(size=(n, n_classes)) * 1.5
    weight = rng.uniform(0.2, 3, n)
    weight[rng.random(n) < 0.1] = 0
    return X, Z.argmax(axis=1), weight


def reference(X, y, weight=None, **parameters):
    """scikit-learn's solution at a tolerance that leaves no doubt about the digits compared."""
    l1_ratio = parameters.get("l1_ratio", 0.0)
    solver = "saga" if l1_ratio else "newton-cholesky"
    model = ReferenceRegression(solver=solver, tol=1e-12, max_iter=100_000, **parameters)
    return model.fit(X, y, sample_weight=weight)


def assert_same_model(ours, theirs, atol=1e-5):
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=atol, rtol=0)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=atol, rtol=0)


# ---- value and gradient ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", ["float64", "float32", "fortran", "csr"])
def test_value_and_gradient_are_those_of_the_twin(n_classes, fit_intercept, form):
    X, y, weight = problem(n_classes)
    X = X.astype(np.float32).astype(np.float64)  # the same numbers in all forms
    coef = np.random.default_rng(1).normal(size=(1 if n_classes == 2 else n_classes, X.shape[1] + 1))
    coef[:, -1] *= fit_intercept
    csr = sp.csr_array(X)
    table = {
        "float64": X,
        "float32": X.astype(np.float32),
        "fortran": np.asfortranarray(X),
        "csr": (csr.data, csr.indices, csr.indptr, csr.shape),
    }[form]
    for s in (None, weight):
        value, gradient = core.linear_model.logistic_value_and_gradient(
            table, y.astype(np.int32), s, coef, n_classes=n_classes, l2=0.3, fit_intercept=fit_intercept, n_threads=2
        )
        expected, slope = naive.smooth(X, y, s, coef, 0.3, fit_intercept)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, slope, atol=1e-12)
        z = core.linear_model.linear_scores(table, coef[:, :-1], coef[:, -1], n_threads=2)
        np.testing.assert_allclose(z, naive.scores(X, coef), atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_gradient_is_the_derivative_of_the_value(n_classes):
    X, y, weight = problem(n_classes, n=50)
    coef = np.random.default_rng(1).normal(size=(1 if n_classes == 2 else n_classes, X.shape[1] + 1))

    def value(flat):
        return core.linear_model.logistic_value_and_gradient(
            X,
            y.astype(np.int32),
            weight,
            flat.reshape(coef.shape),
            n_classes=n_classes,
            l2=0.1,
            fit_intercept=True,
            n_threads=1,
        )

    slope = approx_fprime(coef.ravel(), lambda flat: value(flat)[0], 1e-7)
    np.testing.assert_allclose(value(coef.ravel())[1].ravel(), slope, atol=1e-6)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_scores_of_any_size_give_no_overflow(scale):
    X, y, _ = problem(2)
    coef = scale * np.random.default_rng(1).normal(size=(1, X.shape[1] + 1))
    value, gradient = core.linear_model.logistic_value_and_gradient(
        X, y.astype(np.int32), None, coef, n_classes=2, l2=0.0, fit_intercept=True, n_threads=1
    )
    expected, slope = naive.smooth(X, y, None, coef, 0.0)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, atol=1e-12)


# ---- the same solution as scikit-learn -------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["auto", *SMOOTH])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_l2_is_as_in_scikit_learn(solver, n_classes, C):
    X, y, _ = problem(n_classes)
    assert_same_model(LogisticRegression(C=C, solver=solver, **TIGHT).fit(X, y), reference(X, y, C=C))


@pytest.mark.parametrize("solver", ["auto", *SMOOTH])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_and_no_intercept_are_as_in_scikit_learn(solver, n_classes):
    X, y, weight = problem(n_classes)
    options = {"C": 0.5, "class_weight": {0: 3.0, 1: 0.5}}
    ours = LogisticRegression(solver=solver, **options, **TIGHT)
    assert_same_model(ours.fit(X, y, sample_weight=weight), reference(X, y, weight, **options))
    options = {"fit_intercept": False, "class_weight": "balanced"}
    ours = LogisticRegression(solver=solver, **options, **TIGHT).fit(X, y, sample_weight=weight)
    assert_same_model(ours, reference(X, y, weight, **options))
    assert not ours.intercept_.any()


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cholesky"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_penalty_is_as_in_scikit_learn(solver, n_classes):
    X, y, weight = problem(n_classes, n=400, d=4)
    ours = LogisticRegression(C=np.inf, solver=solver, **TIGHT).fit(X, y, sample_weight=weight)
    assert_same_model(ours, reference(X, y, weight, C=np.inf), atol=1e-4)  # flat: the solution moves more than tol


@pytest.mark.parametrize("solver", WITH_L1)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_l1_and_elastic_net_are_as_in_scikit_learn(solver, n_classes, l1_ratio):
    X, y, weight = problem(n_classes)
    options = {"C": 0.05, "l1_ratio": l1_ratio}
    ours = LogisticRegression(solver=solver, **options, **TIGHT).fit(X, y, sample_weight=weight)
    theirs = reference(X, y, weight, **options)
    assert_same_model(ours, theirs)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert 0 < (ours.coef_ == 0).sum() < ours.coef_.size


def test_default_tolerance_is_as_good_as_that_of_scikit_learn():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    exact, theirs = reference(X, y), ReferenceRegression().fit(X, y)
    for solver in SMOOTH:
        ours = LogisticRegression(solver=solver).fit(X, y)
        assert ours.optimality_ <= 1e-4
        error, bound = (np.abs(model.coef_ - exact.coef_).max() for model in (ours, theirs))
        assert error < max(4 * bound, 0.02)  # both stop at a gradient of 1e-4: of the same order, not the same
        np.testing.assert_array_equal(ours.predict(X), exact.predict(X))


# ---- the solution itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "l1_ratio"), [*((solver, 0.0) for solver in SMOOTH), *((s, r) for s in WITH_L1 for r in (0.3, 1.0))]
)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_solution_is_that_of_the_twin_and_meets_its_conditions(solver, l1_ratio, n_classes):
    X, y, weight = problem(n_classes, seed=3)
    C = 0.1
    model = LogisticRegression(C=C, l1_ratio=l1_ratio, solver=solver, **TIGHT).fit(X, y, sample_weight=weight)
    l1, l2 = l1_ratio / (C * weight.sum()), (1 - l1_ratio) / (C * weight.sum())
    coef = np.column_stack([model.coef_, model.intercept_])
    # Where a coefficient is zero, the slope of the loss is at most l1; elsewhere it is -l1 times the sign.
    assert naive.optimality(X, y, weight, coef, l1, l2) <= 1.01e-9
    assert model.optimality_ <= 1e-9
    exact = naive.one_solution(naive.solve(X, y, weight, np.zeros_like(coef), l1, l2), l1, l2)
    np.testing.assert_allclose(coef, exact, atol=1e-6)
    np.testing.assert_array_equal(coef == 0, exact == 0)
    assert model.loss_curve_[-1] == pytest.approx(naive.objective(X, y, weight, exact, l1, l2), abs=1e-12)


def test_of_many_solutions_it_is_always_the_same():
    """Under L1 alone and with four classes, the coefficients of a column may move together."""
    X, y, weight = problem(4, seed=3)
    model = LogisticRegression(C=10, l1_ratio=1, warm_start=True, **TIGHT).fit(X, y, sample_weight=weight)
    coef, value = model.coef_.copy(), model.loss_curve_[-1]
    assert (coef == 0).any(axis=0).all()
    model.coef_ += np.linspace(-1, 1, X.shape[1])
    model.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-5)
    np.testing.assert_array_equal(model.coef_ == 0, coef == 0)
    assert model.loss_curve_[-1] == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize("solver", WITH_L1)
def test_strong_l1_penalty_leaves_the_intercept_alone(solver):
    X, y, _ = problem(2)
    model = LogisticRegression(C=1e-6, l1_ratio=1, solver=solver, **TIGHT).fit(X, y)
    assert not model.coef_.any()
    assert model.intercept_[0] == pytest.approx(np.log(y.mean() / (1 - y.mean())), abs=1e-7)


@pytest.mark.parametrize("solver", SMOOTH)
def test_loss_curve_starts_at_the_start_and_falls(solver):
    X, y, _ = problem(3)
    model = LogisticRegression(solver=solver, **TIGHT).fit(X, y)
    assert model.loss_curve_.shape == (model.n_iter_[0] + 1,)
    assert model.loss_curve_[0] == pytest.approx(np.log(3), rel=1e-12)  # all scores are zero
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]
    if solver != "saga":  # one row at a time may go up now and then
        assert (np.diff(model.loss_curve_) < 1e-14).all()


def test_auto_takes_a_solver_for_the_penalty():
    X, y, _ = problem(2)
    assert LogisticRegression().fit(X, y).solver_ in SMOOTH
    assert LogisticRegression(l1_ratio=0.5).fit(X, y).solver_ == "coordinate_descent"
    assert LogisticRegression(l1_ratio=0.5, C=np.inf).fit(X, y).solver_ in SMOOTH  # nothing of it is left
    assert LogisticRegression(solver="lbfgs", l1_ratio=0.5, C=np.inf).fit(X, y).solver_ == "lbfgs"


# ---- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_all_kinds_of_tables_give_the_same_model(solver, n_classes):
    X, y, _ = problem(n_classes)
    X = X.astype(np.float32).astype(np.float64)
    wide = np.repeat(X, 2, axis=1)
    wide.flags.writeable = False
    names = [f"x{j}" for j in range(X.shape[1])]
    shuffled = sp.csr_array(X)
    for i in range(len(X)):  # the columns of each row backwards
        row = slice(shuffled.indptr[i], shuffled.indptr[i + 1])
        shuffled.indices[row] = shuffled.indices[row][::-1].copy()
        shuffled.data[row] = shuffled.data[row][::-1].copy()
    shuffled.has_sorted_indices = False
    half = sp.csr_array(X / 2)
    twice = sp.csr_array(
        (np.repeat(half.data, 2), np.repeat(half.indices, 2), 2 * half.indptr), shape=X.shape
    )  # each entry in two parts
    long = sp.csr_array(X)
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    tables = {
        "float32": X.astype(np.float32),
        "fortran": np.asfortranarray(X),
        "strided, read-only": wide[:, ::2],
        "reversed": X[::-1].copy()[::-1],
        "list": X.tolist(),
        "pandas": pd.DataFrame(X, columns=names),
        "polars": pl.DataFrame(X, schema=names),
        "csr": sp.csr_matrix(X),
        "csc": sp.csc_array(X),
        "float32 csr": sp.csr_array(X.astype(np.float32)),
        "int64 csr": long,
        "unsorted csr": shuffled,
        "doubled csr": twice,
    }
    model = LogisticRegression(solver=solver, tol=1e-9, max_iter=100_000)
    expected = model.fit(X, y).decision_function(X)
    for name, table in tables.items():
        before = twice.data.copy(), shuffled.indices.copy()
        found = model.fit(table, y).decision_function(table)
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=name)
        assert found.dtype == model.coef_.dtype == np.float64
        np.testing.assert_array_equal(before[0], twice.data)  # not put in order in place
        np.testing.assert_array_equal(before[1], shuffled.indices)
        if name in ("pandas", "polars"):
            assert model.feature_names_in_.tolist() == names


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "maybe"]),
        np.array(["no", "yes", "maybe"], dtype=object),
        np.array([10**12, -5, 7]),
        np.array([3, -128, 127], dtype=np.int8),
        np.array([250, 3, 2**63], dtype=np.uint64),
        np.array([0.0, 2.0, -1.0]),
        np.array([True, False, True]),
    ],
    ids=str,
)
def test_labels_of_any_type(labels):
    X, y, _ = problem(3)
    model = LogisticRegression().fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.classes_.dtype == labels.dtype
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype
    order = {label: code for code, label in enumerate(np.unique(labels).tolist())}
    codes = np.array([order[label] for label in labels[y].tolist()])
    plain = LogisticRegression().fit(X, codes)
    np.testing.assert_array_equal(predicted, model.classes_[plain.predict(X)])
    np.testing.assert_array_equal(model.coef_, plain.coef_)


# ---- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_answers_are_as_in_scikit_learn(n_classes):
    X, y, _ = problem(n_classes)
    ours, theirs = LogisticRegression(**TIGHT).fit(X, y), reference(X, y)
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        a, b = getattr(ours, method)(X), getattr(theirs, method)(X)
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X).sum(axis=1), 1, atol=1e-15)
    assert ours.score(X, y) == theirs.score(X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logarithms_of_small_probabilities_are_finite(n_classes):
    X, y, _ = problem(n_classes)
    model = LogisticRegression().fit(X, y)
    far = 1e5 * X[:3]
    logs = model.predict_log_proba(far)
    assert np.isfinite(logs).all()
    assert logs.min() < -1e4
    assert np.isfinite(model.predict_proba(far)).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse_and_dense_coefficients(n_classes):
    X, y, _ = problem(n_classes)
    model = LogisticRegression(l1_ratio=1, C=0.05).fit(X, y)
    coef, expected = model.coef_, model.predict_proba(X)
    assert model.sparsify() is model
    assert sp.issparse(model.coef_)
    assert model.coef_.format == "csr"
    assert model.coef_.nnz == np.count_nonzero(coef) < coef.size
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(model.set_params(warm_start=True).fit(X, y).coef_ == 0, coef == 0)
    model.sparsify()
    assert model.densify() is model
    np.testing.assert_array_equal(model.coef_ == 0, coef == 0)


def test_unfitted():
    model = LogisticRegression()
    for method in (model.predict, model.predict_proba, model.predict_log_proba, model.decision_function):
        with pytest.raises(NotFittedError):
            method(np.zeros((1, 2)))
    for method in (model.sparsify, model.densify):
        with pytest.raises(NotFittedError):
            method()


# ---- weights and warm starts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SMOOTH)
def test_zero_weight_is_as_removed_and_two_as_twice(solver):
    X, y, _ = problem(3)
    weight = np.random.default_rng(5).integers(0, 4, len(y))
    y[weight == 0] = 7  # a class without weight
    model = LogisticRegression(solver=solver, class_weight="balanced", **TIGHT)
    weighted = model.fit(X, y, sample_weight=weight).predict_proba(X)
    assert model.classes_.tolist() == [0, 1, 2, 7]
    assert weighted[:, 3].max() < 1e-12
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict_proba(X)
    np.testing.assert_allclose(weighted[:, :3], repeated, atol=1e-7)


@pytest.mark.parametrize("solver", [*SMOOTH, "coordinate_descent", "adam"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_class_with_weight_makes_a_constant_model(solver, n_classes, fit_intercept):
    X, y, _ = problem(n_classes)
    for left in range(n_classes):
        model = LogisticRegression(C=np.inf, solver=solver, fit_intercept=fit_intercept)
        model.fit(X, y, sample_weight=y == left)  # with no warning
        assert model.classes_.tolist() == list(range(n_classes))
        assert (model.predict(1e6 * X) == left).all()
        assert model.predict_proba(X)[:, left].min() > 1 - 1e-12
        assert not model.coef_.any()
        others = {label: 0 for label in range(n_classes) if label != left}
        same = LogisticRegression(C=np.inf, solver=solver, fit_intercept=fit_intercept, class_weight=others).fit(X, y)
        np.testing.assert_array_equal(same.intercept_, model.intercept_)


def test_class_weight_of_zero_removes_rows():
    X, y, _ = problem(3)
    model = LogisticRegression(class_weight={1: 0}, **TIGHT).fit(X, y)
    weighted = LogisticRegression(**TIGHT).fit(X, y, sample_weight=y != 1)
    np.testing.assert_array_equal(model.predict_proba(X), weighted.predict_proba(X))
    assert model.predict_proba(X)[:, 1].max() < 1e-12
    with pytest.raises(ValueError, match="must leave weight to one class"):
        LogisticRegression(class_weight={0: 0, 1: 0, 2: 0}).fit(X, y)


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_warm_start_goes_on_from_the_last_fit(solver, n_classes):
    X, y, _ = problem(n_classes)
    model = LogisticRegression(solver=solver, warm_start=True, **TIGHT).fit(X, y)
    cold, coef = model.n_iter_[0], model.coef_
    model.fit(X, y)
    assert model.n_iter_[0] <= 1 < cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-9)
    model.set_params(fit_intercept=False).fit(X, y)
    assert not model.intercept_.any()
    assert_same_model(model, reference(X, y, fit_intercept=False))


def test_refit_is_as_a_first_fit():
    X, y, _ = problem(2)
    a = LogisticRegression().fit(X, y)
    b = LogisticRegression().fit(*problem(3)[:2]).fit(X, y)
    np.testing.assert_array_equal(a.coef_, b.coef_)
    assert b.coef_.shape == (1, X.shape[1])


# ---- odd shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SMOOTH)
def test_columns_that_are_constant_or_the_same(solver):
    X, y, _ = problem(2)
    odd = np.column_stack([X, X[:, 0], np.zeros(len(X)), np.full(len(X), 3.0)])
    assert_same_model(LogisticRegression(solver=solver, **TIGHT).fit(odd, y), reference(odd, y))


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows(solver, n_classes):
    X, y, _ = problem(n_classes, n=40, d=6)
    wide = np.column_stack([X, np.random.default_rng(2).normal(size=(40, 70))])
    assert_same_model(LogisticRegression(solver=solver, **TIGHT).fit(wide, y), reference(wide, y))


@pytest.mark.parametrize("solver", SMOOTH)
def test_two_rows_one_column(solver):
    model = LogisticRegression(solver=solver, **TIGHT).fit([[0.0], [1.0]], [0, 1])
    assert_same_model(model, reference([[0.0], [1.0]], [0, 1]))


@pytest.mark.parametrize("solver", SMOOTH)
def test_empty_sparse_table(solver):
    y = np.array([0, 1, 1, 1])
    model = LogisticRegression(solver=solver, **TIGHT).fit(sp.csr_array((4, 3)), y)
    assert not model.coef_.any()
    assert model.intercept_[0] == pytest.approx(np.log(3), abs=1e-7)


def test_known_solution():
    """One column of -1 and 1, three of four on its side: without a penalty sigmoid(w) = 3/4, so w = log 3."""
    X, y = np.array([[1.0]] * 4 + [[-1.0]] * 4), np.array([1, 1, 1, 0, 0, 0, 0, 1])
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12).fit(X, y)
    assert model.coef_[0, 0] == pytest.approx(np.log(3), abs=1e-9)


def test_iris_in_frozen_numbers():
    """Found once with scikit-learn 1.9.1 (newton-cholesky, tol=1e-12)."""
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_[0], FROZEN_COEF, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, FROZEN_INTERCEPT, atol=1e-5)


FROZEN_COEF = [-0.42350992, 0.96735058, -2.51715238, -1.07933665]
FROZEN_INTERCEPT = [9.84956805, 2.23720563, -12.08677368]


# ---- scikit-learn's contract -----------------------------------------------------------------------------------------


@parametrize_with_checks(
    [
        LogisticRegression(l1_ratio=1),
        LogisticRegression(solver="lbfgs"),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
