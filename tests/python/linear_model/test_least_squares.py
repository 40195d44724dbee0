"""Ridge, Lasso and ElasticNet: solutions, zero patterns, and agreement with scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as peer
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlcore import ElasticNet, Lasso, Ridge
from mlcore.linear_model import enet_path, lasso_path
from twins.least_squares import elastic_net, kkt_violation, objective, ridge


@parametrize_with_checks(
    [
        Ridge(solver="sparse_cg"),
        Ridge(positive=True),
        Lasso(alpha=0.01, tol=1e-10),
        ElasticNet(alpha=0.01, tol=1e-10, positive=True),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def make(n, d, n_informative=5, *, n_targets=0, seed=0, noise=1.0, share_of_zeros=0.4):
    """Correlated columns with means far from zero, some entries zero, weights of which some are zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[:, 1:] = 0.6 * X[:, :-1] + 0.8 * X[:, 1:]
    X += rng.normal(0, 3, d)
    X[rng.random((n, d)) < share_of_zeros] = 0
    shape = (d, n_targets) if n_targets else (d,)
    w = np.zeros(shape)
    w[rng.choice(d, min(n_informative, d), replace=False)] = rng.standard_normal((min(n_informative, d), *shape[1:]))
    y = X @ w + noise * rng.standard_normal((n, *shape[1:])) + 5
    weight = rng.random(n) + 0.5
    weight[::6] = 0
    return X, y, weight


FORMS = {
    "C": lambda X: np.ascontiguousarray(X),
    "F": lambda X: np.asfortranarray(X),
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "csr": sp.csr_array,
    "csr64": lambda X: wide_indices(sp.csr_array(X)),
    "csc": sp.csc_matrix,
}


def wide_indices(csr):
    csr.indices, csr.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    return csr


# ---- solutions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(80, 12), (30, 60)], ids=str)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6, 0.0])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_elastic_net_agrees_with_its_naive_twin(shape, l1_ratio, positive, fit_intercept):
    X, y, weight = make(*shape)
    for alpha in (1.0, 0.1):
        model = ElasticNet(
            alpha=alpha, l1_ratio=l1_ratio, positive=positive, fit_intercept=fit_intercept, tol=1e-12, max_iter=None
        ).fit(X, y, weight)
        w, b = elastic_net(X, y, alpha, l1_ratio, weight, fit_intercept, positive)
        np.testing.assert_allclose(model.coef_, w, atol=2e-6)
        assert model.intercept_ == pytest.approx(b, abs=2e-5)
        args = (X, y, model.coef_, alpha, l1_ratio, weight, fit_intercept)
        assert kkt_violation(*args, positive) < 1e-5
        assert model.dual_gap_ <= 1e-12 * np.average((y - 0) ** 2, weights=weight)
        assert model.n_iter_ >= 1
        np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_, rtol=1e-12)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_zeros_are_exact_and_where_they_belong(l1_ratio):
    X, y, weight = make(60, 200, 8, seed=3)
    for alpha in (0.5, 0.1, 0.02):
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-13, max_iter=None).fit(X, y, weight)
        w, _ = elastic_net(X, y, alpha, l1_ratio, weight)
        np.testing.assert_array_equal(model.coef_ != 0, w != 0)
        assert 0 < np.count_nonzero(model.coef_) < 200
        assert model.sparse_coef_.nnz == np.count_nonzero(model.coef_)
        np.testing.assert_array_equal(model.sparse_coef_.toarray()[0], model.coef_)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(200, 20), (40, 150)], ids=str)
def test_every_form_of_x_gives_the_same_model(form, dtype, shape):
    X, y, weight = make(*shape)
    X = X.astype(dtype)
    given = FORMS[form](X)
    reference = X.astype(np.float64)
    models = [Lasso(0.05, tol=1e-12, max_iter=None), ElasticNet(0.05, tol=1e-12, max_iter=None), Ridge(2.0, tol=1e-11)]
    for model in models:
        expected = clone(model).fit(reference, y, weight)
        model.fit(given, y, weight)
        assert model.coef_.dtype == np.float64
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)
        np.testing.assert_allclose(model.predict(given), expected.predict(reference), atol=1e-4)
    both = [enet_path(table, y, alphas=8, sample_weight=weight, tol=1e-12, max_iter=None) for table in (given, X)]
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_unsorted_and_repeated_entries_of_a_sparse_matrix():
    X, y, weight = make(50, 30)
    coo = sp.coo_array(X)
    rows, cols = np.tile(coo.row, 2), np.tile(coo.col, 2)
    order = np.lexsort((-cols, rows))
    starts = np.searchsorted(rows[order], np.arange(51))
    messy = sp.csr_array((np.tile(coo.data / 2, 2)[order], cols[order], starts), shape=X.shape)
    before = messy.indices.copy()
    for model in (Lasso(0.05, tol=1e-12, max_iter=None), Ridge(), Ridge(solver="sparse_cg", tol=1e-12)):
        clean = clone(model).fit(sp.csr_array(X), y, weight)
        np.testing.assert_allclose(model.fit(messy, y, weight).coef_, clean.coef_, atol=1e-6)
    np.testing.assert_array_equal(messy.indices, before)


def test_a_read_only_table_is_left_alone():
    X, y, _ = make(40, 10)
    X.setflags(write=False)
    y.setflags(write=False)
    before = X.copy()
    for model in (Lasso(0.1), ElasticNet(0.1), Ridge()):
        model.fit(X, y)
    np.testing.assert_array_equal(X, before)


def test_constant_columns_and_constant_targets_have_coefficients_of_zero():
    X, y, weight = make(50, 6)
    X[:, 2] = 1e5 / 3
    for table in (X, sp.csr_array(X)):
        for model in (Lasso(0.01), ElasticNet(0.01), Ridge(), Ridge(positive=True), Ridge(solver="sparse_cg")):
            model.fit(table, y, weight)
            assert abs(model.coef_[2]) < 1e-9
            model.fit(table, np.full(50, 3.0), weight)
            np.testing.assert_allclose(model.coef_, 0, atol=1e-12)
            assert model.intercept_ == pytest.approx(3)


@pytest.mark.parametrize("n_jobs", [2, 3])
@pytest.mark.parametrize("shape", [(6000, 30), (3000, 300), (80, 4000)], ids=str)
def test_the_number_of_threads_changes_no_bit(n_jobs, shape):
    X, y, weight = make(*shape)
    for table in (X, X.astype(np.float32), sp.csr_array(X)):
        for model in (Lasso(0.05), ElasticNet(0.05), Ridge()):
            coefs = [
                type(model)(**{**model.get_params(), "n_jobs": k}).fit(table, y, weight).coef_ for k in (1, n_jobs)
            ]
            np.testing.assert_array_equal(coefs[0], coefs[1])
        paths = [lasso_path(table, y, alphas=10, eps=0.05, sample_weight=weight, n_jobs=k) for k in (1, n_jobs)]
        np.testing.assert_array_equal(paths[0][1], paths[1][1])


def test_a_warm_start_goes_on_from_the_last_fit():
    X, y, _ = make(60, 100, seed=1)
    model = Lasso(0.05, warm_start=True, tol=1e-10, max_iter=None).fit(X, y)
    first = model.coef_.copy()
    again = model.n_iter_
    assert model.fit(X, y).n_iter_ <= min(again, 3)
    np.testing.assert_allclose(model.coef_, first, atol=1e-9)
    cold = Lasso(0.04, tol=1e-10, max_iter=None).fit(X, y)
    model.set_params(alpha=0.04).fit(X, y)
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-5)


def test_a_random_order_is_repeatable_and_ends_at_the_same_place():
    X, y, _ = make(60, 20)
    given = {"alpha": 0.05, "tol": 1e-12, "max_iter": None}
    plain = Lasso(**given).fit(X, y)
    drawn = [Lasso(**given, selection="random", random_state=1).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(drawn[0].coef_, drawn[1].coef_)
    np.testing.assert_allclose(drawn[0].coef_, plain.coef_, atol=1e-5)


@pytest.mark.parametrize("shape", [(80, 12), (30, 60)], ids=str)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "sparse_cg"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sparse", [False, True])
def test_ridge_agrees_with_its_naive_twin(shape, solver, fit_intercept, sparse):
    X, y, weight = make(*shape, n_targets=3)
    alpha = np.array([0.5, 2.0, 2.0])
    table = sp.csr_array(X) if sparse else X
    model = Ridge(alpha, solver=solver, fit_intercept=fit_intercept, tol=1e-12).fit(table, y, weight)
    w, b = ridge(X, y, alpha, weight, fit_intercept)
    np.testing.assert_allclose(model.coef_, w, atol=1e-8)
    np.testing.assert_allclose(np.broadcast_to(model.intercept_, 3), b, atol=1e-7)
    assert model.predict(table).shape == y.shape
    if solver != "auto":
        assert model.solver_ == solver
    assert model.n_iter_.shape == (3,)
    assert (model.n_iter_ == 1).all() == (model.solver_ == "cholesky")


def test_ridge_with_positive_coefficients():
    X, y, weight = make(60, 10)
    model = Ridge(1.0, positive=True, tol=1e-7).fit(X, y, weight)
    assert model.solver_ == "coordinate_descent"
    total = weight.sum()
    w, _ = elastic_net(X, y, 1.0 / total, 0.0, weight, positive=True)
    np.testing.assert_allclose(model.coef_, w, atol=1e-6)
    assert (model.coef_ >= 0).all()
    assert (model.coef_ == 0).any()


# ---- shapes of attributes, as scikit-learn's -------------------------------------------------------------------------


@pytest.mark.parametrize("targets", ["(n,)", "(n, 1)", "(n, 3)"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge"])
def test_attributes_have_the_shapes_of_scikit_learn(targets, fit_intercept, name):
    X, y, _ = make(50, 6, n_targets=3)
    y = {"(n,)": y[:, 0], "(n, 1)": y[:, :1], "(n, 3)": y}[targets]
    ours = {"Lasso": Lasso, "ElasticNet": ElasticNet, "Ridge": Ridge}[name](0.1, fit_intercept=fit_intercept).fit(X, y)
    theirs = getattr(peer, name)(0.1, fit_intercept=fit_intercept).fit(X, y)
    for attribute in ("coef_", "intercept_", "dual_gap_", "n_iter_", "solver_"):
        assert hasattr(ours, attribute) == hasattr(theirs, attribute), attribute
        if hasattr(ours, attribute) and (attribute, name) != ("n_iter_", "Ridge"):
            assert np.shape(getattr(ours, attribute)) == np.shape(getattr(theirs, attribute)), attribute
    assert ours.predict(X).shape == theirs.predict(X).shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=0.02)  # theirs stops at tol=1e-4
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-3)
    if name != "Ridge":
        assert type(ours.n_iter_) is type(theirs.n_iter_)
        assert ours.sparse_coef_.shape == theirs.sparse_coef_.shape


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "Ridge"])
def test_parameters_are_those_of_scikit_learn(name):
    ours = {"Lasso": Lasso, "ElasticNet": ElasticNet, "Ridge": Ridge}[name]().get_params()
    assert ours.pop("n_jobs") is None
    assert ours == getattr(peer, name)().get_params()


# ---- paths -----------------------------------------------------------------------------------------------------------

WORKLOADS = {
    "tall": lambda: make(3000, 40, 10),
    "square": lambda: make(300, 300, 30),
    "wide": lambda: make(100, 1500, 15),
    "sparse": lambda: make(600, 400, 20, share_of_zeros=0.97),
    "sparse wide": lambda: make(200, 3000, 20, share_of_zeros=0.97),
}


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_paths_are_at_least_as_good_as_those_of_scikit_learn(workload, l1_ratio):
    X, y, _ = WORKLOADS[workload]()
    X = X - X.mean(axis=0) if "sparse" not in workload else X
    y = y - y.mean()
    table = sp.csr_array(X) if "sparse" in workload else X
    alphas, coefs, gaps, n_iters = enet_path(table, y, l1_ratio=l1_ratio, eps=1e-2, alphas=30, return_n_iter=True)
    sparse = sp.csc_array(X) if "sparse" in workload else X
    theirs = peer.enet_path(sparse, y, l1_ratio=l1_ratio, eps=1e-2, alphas=30, return_n_iter=True)
    np.testing.assert_allclose(alphas, theirs[0], rtol=1e-10)
    assert coefs.shape == theirs[1].shape
    assert gaps.shape == theirs[2].shape
    assert isinstance(n_iters, list)
    assert len(n_iters) == 30
    for k in range(30):
        args = (alphas[k], l1_ratio, None, False)
        ours_at, theirs_at = objective(X, y, coefs[:, k], *args), objective(X, y, theirs[1][:, k], *args)
        assert ours_at <= theirs_at * (1 + 1e-6)
        assert gaps[k] <= 1e-4 * np.mean(y**2) * (1 + 1e-9)
    assert np.count_nonzero(coefs[:, 0]) == 0


@pytest.mark.parametrize("precompute", [True, False, "auto"])
def test_a_path_is_a_row_of_single_fits(precompute):
    X, y, weight = make(120, 40, n_targets=2)
    for target in (y[:, 0], y):
        given = {"fit_intercept": True, "sample_weight": weight, "tol": 1e-12, "max_iter": None}
        alphas, coefs, gaps = lasso_path(X, target, alphas=[0.05, 1.0, 0.2], precompute=precompute, **given)
        np.testing.assert_array_equal(alphas, [1.0, 0.2, 0.05])
        assert gaps.shape == (*target.shape[1:], 3)
        for k, alpha in enumerate(alphas):
            model = Lasso(alpha, tol=1e-12, max_iter=None).fit(X, target, weight)
            np.testing.assert_allclose(coefs[..., k], model.coef_, atol=1e-6)


def test_a_path_starts_where_it_is_told():
    X, y, _ = make(60, 100, seed=1)
    given = {"alphas": [0.05], "tol": 1e-10, "max_iter": None, "return_n_iter": True}
    _, coefs, _, cold = lasso_path(X, y, **given)
    _, again, _, warm = lasso_path(X, y, coef_init=coefs[:, 0], **given)
    np.testing.assert_allclose(again, coefs, atol=1e-6)
    assert warm[0] <= cold[0]


def test_a_path_of_a_target_that_nothing_explains():
    X = np.eye(4)
    alphas, coefs, gaps = lasso_path(X, np.zeros(4), alphas=3)
    assert (alphas > 0).all()
    assert not coefs.any()
    assert not gaps.any()


def test_verbose_paths_log_each_alpha(caplog):
    X, y, _ = make(30, 5)
    with caplog.at_level("INFO", logger="mlcore"):
        lasso_path(X, y, alphas=4, verbose=2)
    assert len(caplog.records) == 4
    assert "lasso_path 4/4" in caplog.records[-1].getMessage()
