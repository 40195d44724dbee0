"""LinearSVC and LinearSVR: against a generic optimiser, against liblinear, and what estimators promise."""

import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn import svm as peer
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import mlcore
from mlcore._native import core
from mlcore.svm import LinearSVC, LinearSVR

CLASSIFIERS = {
    "hinge": {"loss": "hinge"},
    "squared, dual": {"dual": True},
    "squared, primal": {"dual": False},
    "l1": {"penalty": "l1"},
}
REGRESSORS = {
    "insensitive": {"epsilon": 0.1},
    "squared, dual": {"loss": "squared_epsilon_insensitive", "dual": True, "epsilon": 0.1},
    "squared, primal": {"loss": "squared_epsilon_insensitive", "dual": False, "epsilon": 0.1},
}


@pytest.fixture(scope="module")
def two_classes():
    return make_classification(200, 12, n_informative=4, flip_y=0.1, random_state=0)


@pytest.fixture(scope="module")
def three_classes():
    return make_classification(300, 8, n_informative=5, n_classes=3, flip_y=0.1, random_state=1)


@pytest.fixture(scope="module")
def line():
    X, y = make_regression(150, 6, noise=5.0, random_state=2)
    return X, y / 50


# ---- the problems, written down once more ----


def loss(model, y, scores):
    over = np.abs(y - scores) - model.epsilon if isinstance(model, LinearSVR) else 1 - y * scores
    over = np.maximum(over, 0)
    return over**2 if model.loss.startswith("squared") else over


def objective(model, X, y, w, weight=1.0):
    """Objective at w: the coefficients, then that of the constant feature; `y` of a classifier is -1 or 1."""
    scale = model.intercept_scaling if model.fit_intercept else 0.0
    penalty = np.abs(w).sum() if getattr(model, "penalty", "l2") == "l1" else w @ w / 2
    return penalty + model.C * (weight * loss(model, y, X @ w[:-1] + scale * w[-1])).sum()


def weights(model, k=0):
    """Coefficients of problem k as they are penalised."""
    return np.r_[np.atleast_2d(model.coef_)[k], model.intercept_[k] / model.intercept_scaling]


def oracle(model, X, y, weight=None):
    """W by a generic optimiser with bounds: the dual problem (L2), or the primal one in two positive halves (L1)."""
    cost = model.C * (np.ones(len(y)) if weight is None else weight)
    scale = model.intercept_scaling if model.fit_intercept else 0.0
    rows = np.c_[X, np.full(len(X), scale)]
    d = rows.shape[1]
    if getattr(model, "penalty", "l2") == "l1":

        def primal(halves):
            w = halves[:d] - halves[d:]
            slack = np.maximum(1 - y * (rows @ w), 0)
            gradient = -2 * (cost * y * slack) @ rows
            return halves.sum() + (cost * slack**2).sum(), np.r_[1 + gradient, 1 - gradient]

        start, bounds = np.zeros(2 * d), [(0, None)] * (2 * d)
        solve = partial(minimize, primal, start, bounds=bounds)
    else:
        signed = rows if isinstance(model, LinearSVR) else rows * y[:, None]
        target = y if isinstance(model, LinearSVR) else np.ones(len(y))
        squared = model.loss.startswith("squared")
        bound, shift = (None, 0.5 / cost) if squared else (cost, 0.0)
        if isinstance(model, LinearSVR):  # a = positive half - negative half
            signed, target = np.r_[signed, -signed], np.r_[target, -target] - model.epsilon
            shift = np.r_[shift, shift] if squared else 0.0
            bound = None if squared else np.r_[bound, bound]

        def dual(a):
            w = a @ signed
            return w @ w / 2 + (shift * a * a / 2).sum() - target @ a, signed @ w + shift * a - target

        solve = partial(
            minimize,
            dual,
            np.zeros(len(target)),
            bounds=[(0, None)] * len(target) if squared else [(0, b) for b in bound],
        )
    found = solve(jac=True, method="L-BFGS-B", options={"maxiter": 50_000, "maxfun": 100_000, "ftol": 0, "gtol": 1e-9})
    return found.x[:d] - found.x[d:] if getattr(model, "penalty", "l2") == "l1" else found.x @ signed


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_against_a_generic_optimiser(name, fit_intercept, two_classes):
    X, y = two_classes
    weight = np.random.default_rng(0).uniform(0.2, 2, len(y))
    model = LinearSVC(
        **CLASSIFIERS[name], C=0.3, tol=1e-8, max_iter=20_000, fit_intercept=fit_intercept, intercept_scaling=2.0
    )
    model.fit(X, y, weight)
    sign = np.where(y == 1, 1.0, -1.0)
    expected = objective(model, X, sign, oracle(model, X, sign, weight), weight)
    # L-BFGS-B ends near the minimum, never below it
    assert objective(model, X, sign, weights(model), weight) <= expected * (1 + 1e-8)
    assert objective(model, X, sign, weights(model), weight) >= expected * (1 - 1e-4)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_against_a_generic_optimiser(name, line):
    X, y = line
    weight = np.random.default_rng(0).uniform(0.2, 2, len(y))
    model = LinearSVR(**REGRESSORS[name], C=0.3, tol=1e-8, max_iter=20_000).fit(X, y, weight)
    expected = objective(model, X, y, oracle(model, X, y, weight), weight)
    assert objective(model, X, y, weights(model), weight) <= expected * (1 + 1e-8)
    assert objective(model, X, y, weights(model), weight) >= expected * (1 - 1e-4)


def test_hinge_meets_the_optimality_conditions(two_classes):
    X, y = two_classes
    model = LinearSVC(loss="hinge", C=0.5, tol=1e-9).fit(X, y)
    sign = np.where(y == 1, 1.0, -1.0)
    rows = np.c_[X, np.ones(len(X))] * sign[:, None]
    w = weights(model)
    margin = rows @ w
    at_bound, on_margin = margin < 1 - 1e-7, np.abs(margin - 1) <= 1e-7
    # w = sum a_i y_i x_i with a = C inside the margin, 0 outside, and 0 <= a <= C on it
    left = w - 0.5 * rows[at_bound].sum(axis=0)
    a = np.linalg.lstsq(rows[on_margin].T, left, rcond=None)[0]
    np.testing.assert_allclose(rows[on_margin].T @ a, left, atol=1e-6)
    assert (a > -1e-6).all()
    assert (a < 0.5 + 1e-6).all()


# ---- liblinear ----


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.5, 1: 3.0}])
def test_classifier_is_that_of_scikit_learn(name, class_weight, two_classes, three_classes):
    for X, y in (two_classes, three_classes):
        parameters = {
            "dual": name == "hinge",
            **CLASSIFIERS[name],
            "C": 0.1,
            "tol": 1e-8,
            "class_weight": class_weight,
            "intercept_scaling": 3.0,
        }
        ours = LinearSVC(**parameters, max_iter=100_000).fit(X, y)
        theirs = peer.LinearSVC(**parameters, max_iter=10_000_000, random_state=0).fit(X, y)
        assert ours.coef_.shape == theirs.coef_.shape
        assert ours.intercept_.shape == theirs.intercept_.shape
        # the hinge has a flat minimum in w only through rounding: both stop at a violation of 1e-8
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_is_that_of_scikit_learn(name, line):
    X, y = line
    parameters = {"dual": True, **REGRESSORS[name], "C": 0.2, "tol": 1e-9}
    ours = LinearSVR(**parameters, max_iter=100_000).fit(X, y)
    theirs = peer.LinearSVR(**parameters, max_iter=10_000_000, random_state=0).fit(X, y)
    assert ours.coef_.shape == theirs.coef_.shape == (6,)
    assert ours.intercept_.shape == theirs.intercept_.shape == (1,)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-4)


@pytest.mark.parametrize("cls", ["LinearSVC", "LinearSVR"])
def test_parameters_are_those_of_scikit_learn(cls):
    ours, theirs = getattr(mlcore, cls)().get_params(), getattr(peer, cls)().get_params()
    assert set(ours) - set(theirs) == {"n_jobs"}
    assert all(ours[name] == value for name, value in theirs.items())


@pytest.mark.parametrize(
    ("parameters", "n", "dual"),
    [({}, 30, False), ({}, 5, True), ({"loss": "hinge"}, 30, True), ({"penalty": "l1"}, 5, False)],
)
def test_dual_auto(parameters, n, dual):
    X, y = np.random.default_rng(0).normal(size=(n, 10)), np.arange(n) % 2
    auto, given = (LinearSVC(**parameters, dual=d, random_state=0).fit(X, y) for d in ("auto", dual))
    np.testing.assert_array_equal(auto.coef_, given.coef_)


def test_features_of_any_scale_converge():
    X, y = load_iris(return_X_y=True)
    X = X * [1, 1000, 0.01, 30] + [0, 5000, 3, -100]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for parameters in CLASSIFIERS.values():
            model = LinearSVC(**parameters).fit(X, y)
            assert model.n_iter_ < 500
        X, y = load_diabetes(return_X_y=True)
        for parameters in REGRESSORS.values():
            assert LinearSVR(**parameters, C=100.0, intercept_scaling=100.0).fit(X * 1000, y).score(X * 1000, y) > 0.45


# ---- L1 ----


@pytest.mark.parametrize("solver", ["newton", "descent"])
def test_l1_has_exact_zeros_where_the_gradient_is_small(solver, two_classes):
    X, y = two_classes
    X = np.c_[X, np.random.default_rng(0).normal(size=(len(X), 30))]
    found = core.linear_model.linear_svc(
        X,
        y.astype(np.int32),
        np.full(len(y), 0.05),
        np.ones(1),
        np.ones(1),
        penalty="l1",
        loss="squared_hinge",
        dual=False,
        bias=1.0,
        tol=1e-9,
        max_iter=10_000,
        solver=solver,
        n_threads=1,
        seed=0,
        report=None,
    )
    w = np.r_[found["coef"][0], found["intercept"]]
    sign = np.where(y == 1, 1.0, -1.0)
    rows = np.c_[X, np.ones(len(X))]
    gradient = -2 * 0.05 * (sign * np.maximum(1 - sign * (rows @ w), 0)) @ rows
    assert 10 < (w == 0).sum() < 40
    np.testing.assert_array_less(np.abs(gradient[w == 0]), 1.0)
    np.testing.assert_allclose(gradient[w != 0], -np.sign(w[w != 0]), atol=1e-5)


def test_sparsify(two_classes):
    X, y = two_classes
    model = LinearSVC(penalty="l1", C=0.02).fit(X, y)
    expected = model.decision_function(X)
    model.sparsify()
    assert sp.issparse(model.coef_)
    np.testing.assert_array_equal(model.decision_function(X), expected)
    np.testing.assert_array_equal(model.densify().decision_function(X), expected)


def test_many_features_take_the_solvers_without_a_matrix():
    rng = np.random.default_rng(3)
    X = sp.random_array((120, 900), density=0.05, rng=rng, format="csr")
    scores = X[:, :300].sum(axis=1)
    y = scores + rng.normal(0, 0.1, 120) > np.median(scores)
    for parameters in CLASSIFIERS.values():
        ours = LinearSVC(**parameters, tol=1e-7, max_iter=20_000).fit(X, y)
        theirs = peer.LinearSVC(**{"dual": parameters.get("loss") == "hinge"} | parameters, tol=1e-8, max_iter=10**7)
        theirs.fit(X, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


# ---- kinds of input ----


def all_models():
    return [
        *((LinearSVC(**p, tol=1e-6, random_state=0), "classes") for p in CLASSIFIERS.values()),
        *((LinearSVR(**p, tol=1e-6, random_state=0), "numbers") for p in REGRESSORS.values()),
    ]


@pytest.fixture(params=range(7), ids=[*(f"svc {n}" for n in CLASSIFIERS), *(f"svr {n}" for n in REGRESSORS)])
def task(request, three_classes, line):
    model, kind = all_models()[request.param]
    return model, *(three_classes if kind == "classes" else line)


def test_sparse_is_dense(task):
    model, X, y = task
    X = np.where(np.abs(X) < 0.5, 0, X)
    dense = clone(model).fit(X, y)
    scores = dense.decision_function(X) if hasattr(dense, "decision_function") else dense.predict(X)
    for index_type in (np.int32, np.int64):
        csr = sp.csr_array(X)
        csr.indices, csr.indptr = csr.indices.astype(index_type), csr.indptr.astype(index_type)
        sparse = clone(model).fit(csr, y)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-5)
        got = sparse.decision_function(csr) if hasattr(sparse, "decision_function") else sparse.predict(csr)
        np.testing.assert_allclose(got, scores, atol=1e-4)


def test_unsorted_columns_and_doubles_are_summed_on_a_copy(two_classes):
    X, y = two_classes
    n, d = X.shape
    order = np.arange(d)[::-1]
    halves = np.repeat(X[:, order] / 2, 2, axis=1)
    messy = sp.csr_array((halves.ravel(), np.tile(np.repeat(order, 2), n), np.arange(n + 1) * 2 * d), shape=(n, d))
    before = messy.indices.copy()
    np.testing.assert_allclose(LinearSVC().fit(messy, y).coef_, LinearSVC().fit(X, y).coef_, rtol=1e-9)
    np.testing.assert_array_equal(messy.indices, before)


def test_layouts_are_read_in_place_with_the_same_bits(task):
    model, X, y = task
    expected = clone(model).fit(X, y).coef_
    wide = np.empty((len(X), 2 * X.shape[1]))
    wide[:, ::2] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    for same in (np.asfortranarray(X), wide[:, ::2], X[::-1].copy()[::-1], read_only):
        np.testing.assert_array_equal(clone(model).fit(same, y).coef_, expected)


def test_float32_is_the_same_numbers(task):
    model, X, y = task
    X32 = X.astype(np.float32)
    np.testing.assert_allclose(
        clone(model).fit(X32, y).coef_, clone(model).fit(X32.astype(np.float64), y).coef_, atol=1e-6
    )
    assert clone(model).fit(X32, y).coef_.dtype == np.float64


def test_weights_are_repetitions(task):
    model, X, y = task
    model.set_params(tol=1e-8, max_iter=20_000)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = clone(model).fit(X, y, counts)
    repeated = clone(model).fit(X.repeat(counts, axis=0), y.repeat(counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-4)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames(frame, three_classes):
    X, y = three_classes
    names = [f"feature {j}" for j in range(X.shape[1])]
    table = frame(dict(zip(names, X.T, strict=True)))
    labels = np.array(["a", "b", "c"])[y]
    model = LinearSVC(random_state=0).fit(table, labels)
    assert list(model.feature_names_in_) == names
    assert set(model.predict(table)) == {"a", "b", "c"}
    np.testing.assert_array_equal(model.coef_, LinearSVC(random_state=0).fit(X, y).coef_)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[names[::-1]])


def test_saved_models_are_the_same(task, tmp_path):
    model, X, y = task
    model = clone(model).fit(X, y)
    mlcore.save(model, tmp_path / "model.safetensors")
    for other in (pickle.loads(pickle.dumps(model)), mlcore.load(tmp_path / "model.safetensors")):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        assert other.get_params() == model.get_params()
        assert vars(other).keys() == vars(model).keys()


@parametrize_with_checks(
    [
        LinearSVC(loss="hinge"),
        LinearSVC(penalty="l1"),
        LinearSVC(dual=True, n_jobs=2),
        LinearSVR(loss="squared_epsilon_insensitive"),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
