"""Units, distance from zero and hostile tables: what is the same problem must have the same solution.

Oracles: NumPy's least squares on a system whose columns were brought to one length, and the problem in ordinary units.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from mlcore import ElasticNet, Lasso, LogisticRegression, Ridge

FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
}


def forms(test):
    return pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())(test)


def columns(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def units(d):
    """Factors of columns."""
    return {
        "one large": np.where(np.arange(d) == 0, 1e8, 1.0),
        "one tiny": np.where(np.arange(d) == 0, 1e-8, 1.0),
        "all large": np.full(d, 1e8),
        "all tiny": np.full(d, 1e-8),
        "all between": 10.0 ** np.linspace(-8, 8, d),
    }


def least_squares(X, y, alpha):
    """Coefficients of ridge with an intercept, of least norm where alpha is 0 and columns depend on each other."""
    A = np.vstack([X - X.mean(axis=0), np.sqrt(alpha) * np.eye(X.shape[1])])
    length = np.linalg.norm(A, axis=0)
    length[length == 0] = 1
    return np.linalg.lstsq(A / length, np.r_[y - y.mean(), np.zeros(X.shape[1])], rcond=None)[0] / length


def least_squares_of_few_rows(X, y, alpha):
    """The same for many columns, where alpha is not 0: by a decomposition of the tall matrix of columns and rows."""
    columns_of_rows = np.vstack([(X - X.mean(axis=0)).T, np.sqrt(alpha) * np.eye(len(X))])
    Q, R = np.linalg.qr(columns_of_rows)
    return Q[: X.shape[1]] @ np.linalg.solve(R.T, y - y.mean())


# ---- ridge -----------------------------------------------------------------------------------------------------------


@forms
@pytest.mark.parametrize("shape", [(200, 6), (50, 50), (20, 50), (1, 3)])
@pytest.mark.parametrize("alpha", [0.0, 1e-8, 1.0])
@pytest.mark.parametrize("solver", ["cholesky", "sparse_cg"])
def test_ridge_in_any_units(form, shape, alpha, solver):
    B = columns(*shape)
    y = B @ np.random.default_rng(1).normal(size=shape[1]) + 0.1 * columns(shape[0], 1, seed=2)[:, 0] + 3
    for factors in units(shape[1]).values():
        X = form(B * factors)
        model = Ridge(alpha, solver=solver, tol=1e-10, max_iter=100_000).fit(X, y)
        right = (B * factors - (B * factors).mean(axis=0)) @ least_squares(B * factors, y, alpha) + y.mean()
        # Normal equations square the condition, which is about 1e3 for 50 columns of 50 rows: 16 - 6 - 4 digits.
        np.testing.assert_allclose(model.predict(X), right, atol=1e-6 * (y.std() + 1e-9))


@forms
def test_ridge_at_default_settings_keeps_small_columns_beside_unix_seconds(form):
    B = columns(300, 4)
    time = columns(300, 1, seed=5)[:, 0]
    y = B @ [1, 2, 0, 0.5] + 1.5 * time + 0.1 * columns(300, 1, seed=6)[:, 0]
    for scale in (1e6, 3e7, 1e8, 1e11):
        X = np.column_stack([B, 17 * scale + scale * time])
        right = (X - X.mean(axis=0)) @ least_squares(X, y, 1.0) + y.mean()
        for solver in ("auto", "sparse_cg"):
            model = Ridge(solver=solver).fit(form(X), y)
            # tol of conjugate gradients is 1e-4
            np.testing.assert_allclose(model.predict(form(X)), right, atol=1e-3)


@pytest.mark.parametrize("solver", ["cholesky", "sparse_cg"])
@pytest.mark.parametrize("shape", [(20, 40), (100, 12)])
@pytest.mark.parametrize("factor", [3.0, 1e4])
def test_ridge_without_penalty_is_of_least_norm(solver, shape, factor):
    X = columns(*shape)
    X[:, 1] = X[:, 0]
    X[:, 2] = factor * X[:, 0]
    X[:, 3] = 7.0
    X[:, 4] = X[:, 5] + X[:, 6]
    y = columns(shape[0], 1, seed=1)[:, 0]
    right = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())[0]
    model = Ridge(0.0, solver=solver, tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.coef_, right, atol=1e-7)
    assert model.coef_[3] == 0


def test_least_norm_of_groups_in_different_units():
    """Equal columns share what they have, each group in its own units."""
    B = columns(100, 3)
    X = np.column_stack([1e8 * B[:, 0], 1e8 * B[:, 0], 1e-8 * B[:, 1], 1e-8 * B[:, 1], B[:, 2]])
    y = B @ [1.0, 2.0, 3.0]
    model = Ridge(0.0).fit(X, y)
    np.testing.assert_allclose(model.coef_, [0.5e-8, 0.5e-8, 1e8, 1e8, 3.0], rtol=1e-6)


# ---- columns far from zero -------------------------------------------------------------------------------------------


@forms
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, -1e6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        Lasso(alpha=1e-3),
        ElasticNet(alpha=1e-3),
        Lasso(alpha=1e-3, precompute=True),
        Ridge(1e-2),
        Ridge(1e-2, solver="sparse_cg", tol=1e-10),
        Ridge(1e-2, positive=True),
    ],
    ids=str,
)
def test_a_shift_changes_the_intercept_alone(form, offset, weighted, model):
    B = np.random.default_rng(0).uniform(size=(400, 3))
    y = B @ [3, 1, -5] + 0.01 * np.cos(np.arange(400))
    weight = np.random.default_rng(1).integers(0, 3, 400) if weighted else None
    right = model.fit(B, y, sample_weight=weight).coef_.copy()
    X = B + offset
    X[:, 1] = B[:, 1]
    X = np.column_stack([X, np.full(400, offset)])
    model.fit(form(X), y, sample_weight=weight)
    # Of numbers near 1e6 with a spread of 1, 10 digits are known.
    np.testing.assert_allclose(model.coef_[:3], right, atol=1e-8)
    assert model.coef_[3] == 0
    np.testing.assert_allclose(model.predict(form(X[:5])), model.predict(form(X))[:5])


def test_sparse_columns_with_some_rows_missing_and_entries_in_parts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 3)) + 1e6
    X[rng.choice(1000, 5, replace=False), 0] = 0  # nearly all rows: moved, and given entries there
    X[rng.random(1000) < 0.5, 1] = 0
    y = X @ [1e-6, 1e-6, 1.0] + rng.normal(size=1000)
    csr = sp.csr_array(X)
    parts = sp.csr_array((csr.data.repeat(2) / 2, csr.indices.repeat(2), 2 * csr.indptr), shape=csr.shape)
    for model in (Ridge(1e-3), Lasso(alpha=1e-6), Ridge(1e-3, solver="sparse_cg", tol=1e-12)):
        dense = model.fit(X, y).predict(X)
        for table in (csr, parts, csr.astype(np.float64)[:, :]):
            np.testing.assert_allclose(model.fit(table, y).predict(X), dense, atol=1e-7 * y.std())


# ---- lasso and elastic net -------------------------------------------------------------------------------------------


@forms
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(300, 6), (20, 60), (1, 3)])
def test_lasso_in_any_units(form, positive, shape):
    B = columns(*shape) + 2
    y = B @ (np.random.default_rng(1).normal(size=shape[1]) * (np.arange(shape[1]) % 3 == 0)) + 3
    for alpha in (0.05, 1e-4):
        options = {"positive": positive, "tol": 1e-6, "max_iter": 10_000}
        right = Lasso(alpha=alpha, **options).fit(form(B), y).coef_
        for a in (1e-8, 1.0, 1e8):
            for b in (1e-8, 1.0, 1e8):
                model = Lasso(alpha=alpha * a * b, **options).fit(form(a * B), b * y)
                np.testing.assert_allclose(model.coef_ * a / b, right, atol=1e-7)


@forms
def test_without_penalty_columns_may_have_units_of_their_own(form):
    B = columns(300, 6)
    y = B @ np.arange(6.0) + 0.1 * columns(300, 1, seed=1)[:, 0]
    right = B @ least_squares(B, y, 0.0)
    for factors in units(6).values():
        X = form(B * factors)
        for model in (Lasso(alpha=0.0), Lasso(alpha=0.0, precompute=True), ElasticNet(alpha=0.0)):
            predicted = model.fit(X, y).predict(X)
            np.testing.assert_allclose(predicted - predicted.mean(), right - right.mean(), atol=1e-4 * y.std())


def test_a_penalty_that_is_next_to_nothing_for_a_column_is_no_reason_to_warn():
    """What is left of the inner product with a long column is rounding, though more than the penalty."""
    B = columns(400, 5)
    y = 1e3 * columns(400, 1, seed=1)[:, 0] + B[:, 0]
    model = Lasso(alpha=1e-6).fit(1e8 * B, y)
    right = (B - B.mean(axis=0)) @ least_squares(B, y, 0.0) + y.mean()
    np.testing.assert_allclose(model.predict(1e8 * B), right, atol=1e-6 * y.std())


# ---- logistic regression ---------------------------------------------------------------------------------------------


def classes(n_classes, n=600, d=5):
    B = columns(n, d)
    Z = 0.7 * B @ columns(d, n_classes, seed=1) + np.random.default_rng(2).gumbel(size=(n, n_classes))
    return B, Z.argmax(axis=1)


@forms
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("solver", ["newton-cholesky", "lbfgs", "coordinate_descent", "saga", "gd", "adam"])
def test_logistic_regression_in_any_units_and_far_from_zero(form, n_classes, solver):
    B, y = classes(n_classes)
    exact = solver in ("newton-cholesky", "lbfgs", "coordinate_descent")
    options = {"C": np.inf, "solver": solver, "random_state": 0}
    options |= {"tol": 1e-7} if exact else {"max_iter": 5}
    with warnings.catch_warnings():
        if not exact:
            warnings.simplefilter("ignore", ConvergenceWarning)
        base = LogisticRegression(**options).fit(form(B), y)
        right = base.predict_proba(form(B))
        for factors in units(5).values():
            X = form(B * factors)
            model = LogisticRegression(**options).fit(X, y)
            np.testing.assert_allclose(model.predict_proba(X), right, atol=1e-9)
            assert model.n_iter_ == base.n_iter_
            X = form((B + 1e6) * factors)  # where 10 digits are known
            model = LogisticRegression(**options).fit(X, y)
            np.testing.assert_allclose(model.predict_proba(X), right, atol=1e-7)


@forms
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_logistic_regression_with_the_penalty_that_belongs_to_the_units(form, l1_ratio):
    B, y = classes(3)
    weight = np.random.default_rng(3).uniform(0.5, 2, len(y))
    right = LogisticRegression(C=0.05, l1_ratio=l1_ratio, tol=1e-8).fit(form(B), y, sample_weight=weight)
    for a in (1e-8, 1e8):
        C = 0.05 / a**2 if l1_ratio == 0 else 0.05 / a
        for c in (1.0, 1e-8, 1e8):
            model = LogisticRegression(C=C / c, l1_ratio=l1_ratio, tol=1e-8)
            model.fit(form(a * B), y, sample_weight=c * weight)
            np.testing.assert_allclose(a * model.coef_, right.coef_, atol=1e-8)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "coordinate_descent", "saga", "minibatch", "adam"])
@pytest.mark.parametrize("scaled", [True, False])
def test_coefficients_of_a_column_sum_to_zero_at_the_minimum(solver, scaled):
    B, y = classes(4)
    X = B if scaled else 3 * B + [5, 6, 3, 4, 1]
    for C in (0.1, 10.0, 1e4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=C, solver=solver, random_state=0).fit(X, y)
        assert np.abs(model.coef_.sum(axis=0)).max() <= 1e-12 * np.abs(model.coef_).max()
        assert abs(model.intercept_.sum()) <= 1e-12 * max(1, np.abs(model.intercept_).max())


# ---- hostile tables at default settings ------------------------------------------------------------------------------


def hostile_tables():
    rng = np.random.default_rng(0)
    B = rng.normal(size=(300, 5))
    yield "tiny", 1e-8 * B
    yield "large", 1e8 * B
    yield "mixed", B * 10.0 ** np.array([-8, 8, 0, 4, -4])
    yield "far", B + 1e6
    yield "heavy tails", rng.standard_cauchy((300, 5))
    yield "many magnitudes", np.exp(4 * B)
    yield "a constant column", np.column_stack([B, np.full(300, 1e6)])
    yield "nothing but constants", np.full((300, 2), 3.0)
    yield "copies in other units", np.column_stack([B, B, 1e8 * B])
    yield "an outlier", np.vstack([B[:-1], np.full((1, 5), 1e12)])
    yield "wide", rng.normal(size=(60, 150)) * 10.0 ** rng.uniform(-8, 8, 150)


@pytest.mark.parametrize("name", [name for name, _ in hostile_tables()])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_never_worse_than_a_constant(name, form):
    X = dict(hostile_tables())[name]
    n = len(X)
    rng = np.random.default_rng(1)
    signal = columns(n, 1, seed=7)[:, 0] + rng.normal(size=n)
    for y in (signal, 1e-8 * signal, 1e8 * signal + 1e9, signal + 100 * rng.standard_cauchy(n)):
        for model in (Ridge(), Ridge(solver="sparse_cg"), Lasso(), ElasticNet(), Lasso(alpha=1e-6)):
            error = np.mean((y - model.fit(form(X), y).predict(form(X))) ** 2)
            w = model.coef_
            if isinstance(model, Ridge):
                penalty = 2 * model.alpha * (w @ w) / (2 * n)
            else:
                penalty = 2 * model.alpha * (model.l1_ratio * np.abs(w).sum() + (1 - model.l1_ratio) / 2 * (w @ w))
            assert error + penalty <= np.var(y) * (1 + 1e-9), model
    for n_classes, quantiles in ((2, [0.5]), (2, [0.99]), (4, [0.25, 0.5, 0.75]), (4, [0.97, 0.98, 0.99])):
        y = np.unique(np.searchsorted(np.quantile(signal, quantiles), signal), return_inverse=True)[1]
        shares = np.bincount(y) / n
        for model in (LogisticRegression(), LogisticRegression(l1_ratio=1), LogisticRegression(C=1e6, solver="lbfgs")):
            model.fit(form(X), y)
            loss = -model.predict_log_proba(form(X))[np.arange(n), y].mean()
            W = model.coef_
            penalty = (1 - model.l1_ratio) / 2 * (W**2).sum() + model.l1_ratio * np.abs(W).sum()
            objective = loss + penalty / (model.C * n)
            # The gradient may be tol = 1e-4 at the end, along coefficients and intercepts of standardised columns.
            assert objective <= -(shares @ np.log(shares)) + 1e-4, (model, n_classes)
            # Under L1 alone a shift of coefficients is chosen at the end, which can only make the penalty smaller.
            assert objective <= model.loss_curve_[-1] * (1 + 1e-6)
            assert objective == pytest.approx(model.loss_curve_[-1], rel=0.02 if model.l1_ratio else 1e-6)


# ---- linear_model of wide tables -------------------------------------------------------------------------------------


def test_wide_tables_with_a_column_of_large_numbers():
    """The matrix of rows is a sum over columns: by the other one, or by conjugate gradients where that is too large."""
    for d in (60, 2100):
        B = columns(30, d)
        y = B[:, 1:4] @ [1.0, 2.0, 3.0]
        X = B.copy()
        X[:, 0] *= 1e9
        w = least_squares_of_few_rows(X, y, 1.0)
        model = Ridge(solver="cholesky").fit(X, y)
        assert model.solver_ == ("cholesky" if d == 60 else "sparse_cg")
        np.testing.assert_allclose(model.predict(X), (X - X.mean(axis=0)) @ w + y.mean(), atol=1e-6)
        np.testing.assert_allclose(model.coef_[1:], w[1:], atol=1e-6)
