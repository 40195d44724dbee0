"""What Ridge, Lasso, ElasticNet and their paths refuse, beyond the contract of all classes."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import mlcore
from mlcore import ElasticNet, Lasso, LassoCV, Ridge, RidgeCV
from mlcore._native import core
from mlcore.linear_model import enet_path, lasso_path
from support.fingerprint import fingerprint

ALL = [Ridge, Lasso, ElasticNet]
rng = np.random.default_rng(0)
X = rng.standard_normal((40, 6))
y = X @ np.arange(6.0) + rng.standard_normal(40)


@pytest.mark.parametrize("cls", ALL)
def test_weights_without_a_finite_sum(cls):
    with pytest.raises(ValueError, match="no finite sum"):
        cls().fit(X, y, np.full(40, 1e308))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("alpha", -1.0),
        ("alpha", np.inf),
        ("alpha", np.nan),
        ("tol", -1.0),
        ("max_iter", 0),
        ("n_jobs", 0),
        ("n_jobs", "a"),
    ],
)
def test_parameters(cls, name, bad):
    with pytest.raises(ValueError, match=name):
        cls(**{name: bad}).fit(X, y)


def test_parameters_of_the_elastic_net():
    for bad in (-0.1, 1.1, None):
        with pytest.raises(ValueError, match="l1_ratio"):
            ElasticNet(l1_ratio=bad).fit(X, y)
    with pytest.raises(ValueError, match="selection"):
        Lasso(selection="best").fit(X, y)
    with pytest.raises(ValueError, match=r"precompute of Lasso .*\(6, 6\), got an array of shape \(5, 5\)"):
        Lasso(precompute=np.eye(5)).fit(X, y)
    assert Lasso(precompute=X.T @ X).fit(X, y).n_iter_ >= 1


def test_parameters_of_ridge():
    with pytest.raises(ValueError, match=r"alpha of Ridge .* 2 targets, got shape \(3,\)"):
        Ridge(alpha=[1, 2, 3]).fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="alpha of Ridge"):
        Ridge(alpha=[1, -2]).fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="alpha of Ridge"):
        Ridge(alpha=["a"]).fit(X, y)
    with pytest.raises(ValueError, match="positive=True of Ridge needs solver='auto'"):
        Ridge(positive=True, solver="cholesky").fit(X, y)
    with pytest.raises(ValueError, match="solver"):
        Ridge(solver="svd").fit(X, y)


@pytest.mark.parametrize("path", [lasso_path, enet_path])
def test_parameters_of_paths(path):
    for given, text in (
        ({"alphas": 0}, "alphas"),
        ({"alphas": []}, "alphas of"),
        ({"alphas": [1, -1]}, "alphas of"),
        ({"alphas": [np.nan]}, "alphas of"),
        ({"alphas": ["a"]}, "alphas of"),
        ({"alphas": [[1.0]]}, "alphas of"),
        ({"eps": 0.0}, "eps"),
        ({"eps": 1.5}, "eps"),
        ({"tol": -1}, "tol"),
        ({"coef_init": np.zeros(5)}, r"coef_init of .* got shape \(5,\)"),
        ({"coef_init": np.full(6, np.nan)}, "coef_init of"),
        ({"precompute": np.eye(3)}, "precompute of"),
        ({"sample_weight": np.zeros(40)}, "zero"),
    ):
        with pytest.raises(ValueError, match=text):
            path(X, y, **given)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        path(X, y[:-1])
    with pytest.raises(ValueError, match="NaN"):
        path(np.full((4, 2), np.nan), np.ones(4))


def test_a_grid_needs_an_l1_part():
    with pytest.raises(ValueError, match="with l1_ratio=0 of enet_path"):
        enet_path(X, y, l1_ratio=0)
    assert enet_path(X, y, l1_ratio=0, alphas=[1.0])[1].shape == (6, 1)


def test_too_few_sweeps_are_a_warning_with_the_gap():
    wide = rng.standard_normal((30, 200))
    target = wide[:, :10].sum(axis=1)
    model = Lasso(alpha=1e-3, max_iter=1)
    with pytest.warns(ConvergenceWarning, match=r"Lasso stopped after 1 sweeps \(max_iter=1\) with a duality gap of"):
        model.fit(wide, target)
    assert model.dual_gap_ > 0
    assert model.n_iter_ == 1
    with pytest.warns(ConvergenceWarning, match=r"target \d; \d of 2 targets"):
        model.fit(wide, np.column_stack([target, -target]))
    with pytest.warns(ConvergenceWarning, match=r"lasso_path stopped after max_iter=1 sweeps for \d+ of 20 alphas"):
        lasso_path(wide, target, alphas=20, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="solver='sparse_cg' of Ridge stopped after 1 iterations"):
        Ridge(solver="sparse_cg", max_iter=1, tol=1e-10).fit(X, y)


def test_a_warning_that_is_an_error_leaves_the_estimator_unfitted():
    wide = rng.standard_normal((30, 200))
    model = Lasso(alpha=1e-3, max_iter=1)
    with pytest.raises(ConvergenceWarning):  # pytest makes warnings errors here
        model.fit(wide, wide[:, :10].sum(axis=1))
    with pytest.raises(NotFittedError):
        model.predict(wide)


@pytest.mark.parametrize("cls", ALL)
def test_numbers_that_overflow(cls):
    with pytest.raises(ValueError, match=f"numbers of {cls.__name__} overflowed: X has values as large as"):
        cls(alpha=1e-3).fit(X * 1e200, y * 1e200)


def test_a_warm_start_on_other_data_is_refused_and_keeps_the_model():
    model = Lasso(0.1, warm_start=True).fit(X, y)
    coef = model.coef_
    with pytest.raises(ValueError, match=r"5 features and 1 targets, but Lasso .* goes on from 6 and 1"):
        model.fit(X[:, :5], y)
    np.testing.assert_array_equal(model.coef_, coef)
    assert model.n_features_in_ == 6


@pytest.mark.parametrize("cls", ALL)
def test_one_row_and_one_column(cls):
    model = cls(0.1).fit([[1.0, 2.0]], [3.0])
    np.testing.assert_array_equal(model.coef_, [0, 0])
    assert model.intercept_ == 3
    assert cls(0.1).fit([[0.0], [1.0], [2.0]], [0, 2, 4]).coef_[0] > 1


@pytest.mark.parametrize("cls", ALL)
def test_saved_models_of_several_targets_are_the_same(cls, tmp_path):
    model = cls(0.1).fit(X, np.column_stack([y, -y]))
    mlcore.save(model, tmp_path / "model")
    for copy in (mlcore.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert fingerprint(copy, X) == fingerprint(model, X)


@pytest.mark.parametrize("kind", [Ridge, RidgeCV, LassoCV])
def test_a_forged_state_is_refused(kind, tmp_path):
    for name, bad in (
        ("coef_", np.zeros(5)),
        ("coef_", np.zeros((1, 1, 6))),
        ("intercept_", np.zeros(3)),
        ("n_features_in_", 7),
        ("alpha_", -1.0),
    ):
        model = kind().fit(X, y)
        if hasattr(model, name):
            setattr(model, name, bad)
            with pytest.raises(ValueError, match=r"^(coef_|intercept_|alpha_) must"):
                mlcore.save(model, tmp_path / "model")


def test_the_core_refuses_what_python_would_not_pass():
    good = {
        "l1_ratio": 1.0,
        "tol": 1e-4,
        "max_iter": 10,
        "fit_intercept": True,
        "positive": False,
        "random_order": False,
        "precompute": "auto",
        "n_threads": 1,
        "seed": 0,
        "report": None,
    }
    Y = y[:, None]
    call = core.linear_model.elastic_net_path
    for args, change, error in (
        ((X, y, None, None, 5, 0.1, None), {}, ValueError),
        ((X, Y[:-1], None, None, 5, 0.1, None), {}, ValueError),
        ((X, Y, None, None, 0, 0.1, None), {}, ValueError),
        ((X, Y, None, None, 5, 0.0, None), {}, ValueError),
        ((X, Y, None, np.array([1.0, 2.0]), 5, 0.1, None), {}, ValueError),
        ((X, Y, None, None, 5, 0.1, np.zeros(5)), {}, ValueError),
        ((X, Y, np.zeros(40), None, 5, 0.1, None), {}, ValueError),
        ((X, Y, None, None, 5, 0.1, None), {"precompute": "maybe"}, ValueError),
        ((X, Y, None, None, 5, 0.1, None), {"n_threads": 0}, ValueError),
        ((X.astype(np.int64), Y, None, None, 5, 0.1, None), {}, TypeError),
        ((X[:0], Y[:0], None, None, 5, 0.1, None), {}, ValueError),
    ):
        with pytest.raises(error):
            call(*args, **{**good, **change})
    for change in ({"solver": "svd"}, {"max_iter": 0}, {"tol": -1.0}):
        given = {"solver": "auto", "tol": 1e-4, "max_iter": 10, "fit_intercept": True, "n_threads": 1, "report": None}
        with pytest.raises(ValueError, match=r"solver|tol"):
            core.linear_model.ridge(X, Y, None, np.ones(1), **{**given, **change})


@pytest.mark.parametrize("kind", [Lasso, ElasticNet, Ridge, LassoCV, RidgeCV])
def test_a_constant_target_on_sparse_rows(kind):
    rows = sp.random(40, 6, density=0.3, format="csr", random_state=0)
    model = kind().fit(rows, np.full(40, 3.0))
    np.testing.assert_allclose(model.predict(rows), 3.0, rtol=1e-12)
