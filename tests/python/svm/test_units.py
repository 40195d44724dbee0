"""Units do not matter: tables, targets and weights times a constant, and rows far from zero, give the same machine.

Tolerances here are those of `tol`: machines end within it of the optimum, and by another way.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

import mlcore
from mlcore import SVC, SVR, LinearSVC, LinearSVR, NuSVC, OneClassSVM
from support.svm_cases import ALL, everyone, make, rows, target, values
from twins import svm as naive_svm

units = pytest.mark.parametrize("unit", [1e-8, 1e8])


@pytest.fixture(scope="module")
def data():
    return rows(200)


def alike(got, expected, atol=5e-3):
    """Decision values or predictions, by the largest of the right ones."""
    np.testing.assert_allclose(got, expected, atol=atol * np.abs(expected - np.median(expected)).max(), rtol=0)


@everyone
@units
@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_all_features_in_another_unit(name, unit, kernel, data):
    X, labels, y, _ = data
    goal = target(name, labels, y)
    model, other = (make(name, kernel=kernel, gamma="scale", tol=1e-4).fit(table, goal) for table in (X, X * unit))
    alike(values(other, X * unit), values(model, X))


@pytest.mark.parametrize("name", ["SVC", "SVR", "NuSVR"])
@units
def test_features_of_a_linear_kernel_in_another_unit(name, unit, data):
    X, labels, y, _ = data
    goal = target(name, labels, y)
    model = make(name, kernel="linear", tol=1e-4).fit(X, goal)
    other = make(name, kernel="linear", tol=1e-4, C=1 / unit**2).fit(X * unit, goal)  # w.w has the unit too
    alike(values(other, X * unit), values(model, X))


@everyone
@units
def test_weights_in_another_unit(name, unit, data):
    X, labels, y, weight = data
    goal = target(name, labels, y)
    cost = {"C": 1 / unit} if "C" in make(name).get_params() else {}
    model = make(name, tol=1e-4).fit(X, goal, weight)
    other = make(name, tol=1e-4, **cost).fit(X, goal, weight * unit)
    scale = unit if name == "OneClassSVM" else 1  # its values are sums over the rows
    alike(values(other, X) / scale, values(model, X))
    np.testing.assert_array_equal(other.fit_status_, 0)


@pytest.mark.parametrize("name", ["SVR", "NuSVR"])
@units
def test_targets_in_another_unit(name, unit, data):
    X, _, y, _ = data
    model = make(name, tol=1e-4).fit(X, y)
    tube = {"epsilon": 0.1 * unit} if name == "SVR" else {}
    alike(make(name, tol=1e-4, C=unit, **tube).fit(X, y * unit).predict(X) / unit, model.predict(X))
    alike(make(name, tol=1e-4).fit(X, y + unit).predict(X) - unit, model.predict(X))


def test_targets_with_heavy_tails_are_fitted_in_their_midst(data):
    X, _, y, _ = data
    wild = y.copy()
    wild[::20] = 1e9 * (-1.0) ** np.arange(10)
    model, theirs = SVR().fit(X, wild), SVR(tol=1e-6).fit(X, wild)
    alike(model.predict(X), theirs.predict(X))
    constant = SVR(epsilon=0.0).fit(X, np.full(200, 3.25))
    assert (constant.predict(X) == 3.25).all()


@pytest.mark.parametrize("nu", [5e-4, 1e-5, 1e-8])
def test_one_class_with_tiny_nu_has_the_outermost_rows_on_its_border(nu):
    """For nu <= 1 / n no variable reaches its bound: all such nu have the same region."""
    X = np.random.default_rng(0).random((2000, 4))
    assert (OneClassSVM(nu=nu).fit(X).predict(X) == 1).mean() > 0.98
    model, border = (OneClassSVM(nu=value, tol=1e-5).fit(X) for value in (nu, 5e-4))
    alike(model.decision_function(X) / nu, border.decision_function(X) / 5e-4, atol=2e-3)


def test_nu_svc_with_a_small_margin():
    """The gap is a part of the margin, by which decision values are divided."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] > 0
    X[:, 0] += 1e-3 * np.sign(X[:, 0])
    model, exact = (NuSVC(nu=0.004, kernel="linear", tol=tol).fit(X, y) for tol in (1e-3, 1e-6))
    alike(model.decision_function(X), exact.decision_function(X), atol=1e-2)


def test_a_cost_so_small_that_all_rows_are_at_their_bound(data):
    """Decision values vary by no more than C then; the order of rows is that of the means of both classes."""
    X, labels, _, _ = data
    y = (labels == 2).astype(int)
    model = SVC(C=1e-9).fit(X, y)
    larger = SVC(C=1e-4, tol=1e-7).fit(X, y)
    level = model.decision_function(X) - model.decision_function(X).mean()
    alike(level * 1e5, larger.decision_function(X) - larger.decision_function(X).mean(), atol=2e-2)


# ---- far from zero ---------------------------------------------------------------------------------------------------


@everyone
@pytest.mark.parametrize("offset", [1e3, 1e5])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, "precomputed"])
def test_a_linear_kernel_of_rows_far_from_zero(name, offset, kind, data):
    X, labels, y, _ = data
    goal = target(name, labels, y)
    far = X + offset * np.array([1.0, -2.0, 0.5, 3.0])
    if name == "OneClassSVM":  # where the origin is matters: float64 by the naive way
        K = far @ far.T / offset**2
        coef, intercept, *_ = naive_svm.solve(
            "one_class", K, np.zeros(200), np.ones(200), nu=0.33, epsilon=0, tol=1e-8, max_iter=-1
        )
        expected = offset**2 * (K @ coef + intercept)
    else:
        expected = values(make(name, kernel="linear", tol=1e-4).fit(X, goal), X)
    if kind == "precomputed":
        K = far @ far.T
        got = values(make(name, kernel="precomputed", tol=1e-4).fit(K, goal), K)
    else:
        got = values(make(name, kernel="linear", tol=1e-4).fit(kind(far), goal), kind(far))
    alike(got, expected, atol=2e-2 if name == "OneClassSVM" else 5e-3)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("kernel", ["poly", "sigmoid"])
def test_kernels_of_rows_far_from_zero_keep_what_tells_rows_apart(kernel, kind, data):
    """Far out a kernel is a plane nearly, and its values alike but for the last digits of a float32."""
    X, _, _, _ = data
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
    far = X + 1e4
    if kernel == "poly":
        parameters = {"degree": 2, "gamma": 1e-4, "C": 1e3}
    else:
        parameters = {"gamma": 1e-9, "coef0": -0.3, "C": 1e9}
    model = SVC(kernel=kernel, **parameters).fit(kind(far), y)
    assert model.score(kind(far), y) > 0.97


def test_a_gentle_rbf_kernel_is_a_linear_one():
    """Keerthi and Lin (2003): with gamma -> 0 and C = C' / (2 gamma) the machine is the linear one with C'."""
    X, labels, _, _ = rows(200)
    y = (labels > 0).astype(int)
    linear = SVC(kernel="linear", tol=1e-5).fit(X, y)
    gentle = SVC(gamma=1e-7, C=1 / 2e-7, tol=1e-5).fit(X, y)
    alike(gentle.decision_function(X), linear.decision_function(X))


@pytest.mark.parametrize(
    "table", [np.full((50, 3), 0.1), np.full((50, 3), 1e9 + 0.1), sp.csr_array(np.full((50, 3), 0.1))]
)
def test_gamma_of_a_constant_table(table):
    with pytest.warns(UserWarning, match="the variance of X is 0: gamma is set to 1"):
        SVC().fit(table, np.arange(50) % 2)


def test_gamma_far_from_zero():
    X = np.random.default_rng(0).normal(size=(100, 3))
    near, far = (SVC().fit(table, X[:, 0] > 0) for table in (X, X + 1e6))
    assert far._kernel.gamma == pytest.approx(near._kernel.gamma, rel=1e-6)
    alike(far.decision_function(X + 1e6), near.decision_function(X))


def test_values_of_which_a_float32_keeps_no_digits():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    with pytest.raises(ValueError, match="kernel values of SVC must fit a float32"):
        SVC(kernel="linear").fit(1e-20 * X, y)
    alike(SVC().fit(1e-20 * X, y).decision_function(1e-20 * X), SVC().fit(X, y).decision_function(X))


# ---- hostile tables --------------------------------------------------------------------------------------------------


def hostile():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 5))
    y = X[:, 0] + 0.3 * rng.normal(size=120)
    wide = sp.random_array((60, 3000), density=0.01, rng=rng, format="csr")
    return {
        "heavy tails": (X * np.exp(4 * rng.normal(size=X.shape)), np.exp(4 * y)),
        "mixed units": (X * np.array([1e-8, 1, 1e8, 1, 1]), y),
        "far": (X + 1e6, y + 1e6),
        "duplicated": (np.repeat(X[:6], 20, axis=0), np.repeat(y[:6], 20)),
        "constant column": (np.c_[X, np.full(120, 7.0)], y),
        "all constant": (np.full((120, 2), 0.3), y),
        "constant target": (X, np.full(120, 5.0)),
        "wide": (rng.normal(size=(30, 200)), y[:30]),
        "wide and sparse": (wide, y[:60]),
        "two rows": (X[:2], y[:2]),
    }


@pytest.mark.parametrize("table", hostile())
@pytest.mark.parametrize("name", [*ALL, "LinearSVC", "LinearSVR"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:gamma='scale'")
def test_hostile_tables_at_default_settings(name, table):
    X, y = hostile()[table]
    cls = getattr(mlcore, name)
    n = X.shape[0]
    if "SVC" in name:
        goal = np.zeros(n, dtype=int)  # a rare class, but for the smallest table
        goal[np.argsort(y, kind="stable")[-max(1, n // 20) :]] = 1
        if name == "NuSVC":
            try:
                model = cls(nu=0.05).fit(X, goal)
            except ValueError as error:
                assert "no margin" in str(error)  # noqa: PT017
                return
        else:
            model = cls().fit(X, goal)
        assert np.isfinite(model.decision_function(X)).all()
        if name != "NuSVC":  # whose margin may be that of noise
            assert (model.predict(X) == goal).mean() >= max(goal.mean(), 1 - goal.mean()) - 0.06
        return
    if name == "OneClassSVM":
        model = cls().fit(X)
        assert np.isfinite(model.decision_function(X)).all()
        return
    model = cls().fit(X, y)
    predicted = model.predict(X)
    assert np.isfinite(predicted).all()
    if name == "SVR":  # the objective at the constant function is no smaller
        loss = np.maximum(0, np.abs(predicted - y) - 0.1).sum()
        trivial = np.maximum(0, np.abs(np.median(y) - y) - 0.1).sum()
        assert loss <= trivial * (1 + 1e-3) + 1e-6 * np.abs(y).max()
    if name == "LinearSVR":
        w = np.append(model.coef_, model.intercept_)
        assert w @ w / 2 + np.abs(predicted - y).sum() <= np.abs(y).sum() * (1 + 1e-3)


# ---- linear machines -------------------------------------------------------------------------------------------------


def objective(coef, intercept, X, y, penalty, loss, C=1.0):
    """What LinearSVC (y in -1 and 1) and LinearSVR minimise."""
    score = X @ coef + intercept
    margin = np.maximum(0, np.abs(y - score) if "epsilon" in loss else 1 - y * score)
    w = np.append(coef, intercept)
    size = np.abs(w).sum() if penalty == "l1" else w @ w / 2
    return size + C * (margin**2 if "squared" in loss else margin).sum()


LINEAR = {
    "l2": {},
    "l1": {"penalty": "l1"},
    "dual": {"dual": True},
    "hinge": {"loss": "hinge"},
}


@pytest.mark.parametrize("case", LINEAR)
@pytest.mark.parametrize("power", [-8, -3, 3, 6, 8, 9])
@pytest.mark.parametrize("shape", [(300, 4), (60, 90)])
def test_a_column_in_another_unit_does_not_stop_a_linear_classifier(case, power, shape):
    """It is another problem, as the penalty is on coefficients: the minimum must be no worse than a point at hand."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = np.sign(X[:, 0] + 2 * X[:, 1] + 0.5 * X[:, 3] + 0.3 * rng.normal(size=shape[0]))
    parameters = {"penalty": "l2", "loss": "squared_hinge"} | LINEAR[case]
    plain = LinearSVC(**parameters, tol=1e-6, random_state=0).fit(X, y)
    scale = np.ones(shape[1])
    scale[1], scale[2] = 10.0**power, 10.0**-power
    model = LinearSVC(**parameters, random_state=0).fit(X * scale, y)
    tight = LinearSVC(**parameters, random_state=0, tol=1e-7, max_iter=20000).fit(X * scale, y)
    kind = parameters["penalty"], parameters["loss"]
    got, best, known = (
        objective(coef, m.intercept_[0], X * scale, y, *kind)
        for m, coef in ((model, model.coef_[0]), (tight, tight.coef_[0]), (plain, plain.coef_[0] / scale))
    )
    assert got <= 1.01 * min(best, known)


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
@pytest.mark.parametrize("dual", ["auto", True])
@units
def test_linear_regression_of_targets_and_columns_in_another_unit(loss, dual, unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = X @ [1.0, -2.0, 0.0, 0.5] + 0.2 * rng.normal(size=300)
    C = unit if loss == "epsilon_insensitive" else 1.0  # squares have the unit of w.w
    settings = {"loss": loss, "dual": dual, "random_state": 0, "tol": 1e-5}
    model = LinearSVR(epsilon=0.1, **settings).fit(X, y)
    other = LinearSVR(epsilon=0.1 * unit, C=C, **settings).fit(X, y * unit)
    np.testing.assert_allclose(other.coef_ / unit, model.coef_, atol=1e-3)
    scale = np.array([1.0, unit, 1.0, 1 / unit])
    mixed = LinearSVR(**settings).fit(X * scale, y)
    plain = LinearSVR(**settings).fit(X, y)
    kind = "l2", loss
    assert objective(mixed.coef_, mixed.intercept_[0], X * scale, y, *kind) <= 1.01 * objective(
        plain.coef_ / scale, plain.intercept_[0], X * scale, y, *kind
    )


def test_an_outlier_that_dwarfs_all_gradients_does_not_end_newton():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = X @ [1, 1, -1] > 0
    X[0] = 1e9
    assert LinearSVC().fit(X, y).score(X, y) > 0.85


def test_wide_dual_problems_are_ended_by_newton():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 800))
    y = np.sign(X[:, :10].sum(axis=1))
    X[:, 3] *= 1e5
    for loss in ("hinge", "squared_hinge"):
        model = LinearSVC(loss=loss, random_state=0).fit(X, y)  # no warning
        assert model.score(X, y) == 1


def test_a_margin_of_nothing_but_rounding_ends_the_search():
    """Classes that the features say nothing about: nu-SVC has no margin, and its decisions are divided by it."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(20, 4)), rng.randint(2, size=20)
    model = NuSVC(nu=0.3, kernel="linear", tol=1e-6).fit(X, y)
    assert model.n_iter_.max() < 100_000
    assert np.isfinite(model.decision_function(X)).all()


def test_a_search_without_an_end_in_sight_ends_with_a_warning(monkeypatch):
    monkeypatch.setattr("mlcore.svm._base._MOST_STEPS", 1000)  # ten million take seconds
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    with pytest.warns(ConvergenceWarning, match=r"stopped at the 6000 steps.*raise max_iter"):
        SVC(kernel="linear", C=1e12).fit(X, y)
