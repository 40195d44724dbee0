"""What LogisticRegression and logistic_path make of bad input, beyond the contract of all classes."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from mlcore import LogisticRegression
from mlcore.linear_model import logistic_path

EXACT = ["lbfgs", "newton-cholesky", "coordinate_descent", "saga"]
OPTIMIZERS = ["gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]


def table(n_classes=2, n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    Z = X @ rng.normal(size=(4, n_classes)) + 2 * rng.gumbel(size=(n, n_classes))
    return X, Z.argmax(axis=1)


def assert_unfitted(model):
    with pytest.raises(NotFittedError):
        model.predict(np.zeros((1, 4)))


# ---- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0}, "'C' parameter of LogisticRegression must be a float in the range"),
        ({"C": -1.0}, "'C' parameter"),
        ({"C": np.nan}, "'C' parameter"),
        ({"C": "l2"}, "'C' parameter"),
        ({"C": 5e-324}, "C=5e-324 of LogisticRegression is too small"),
        ({"l1_ratio": 1.5}, "'l1_ratio' parameter"),
        ({"l1_ratio": None}, "'l1_ratio' parameter"),
        ({"solver": "liblinear"}, "'solver' parameter of LogisticRegression must be a str among"),
        ({"solver": "lbfgs", "l1_ratio": 0.1}, "solver='lbfgs' of LogisticRegression needs a smooth penalty"),
        ({"solver": "newton-cholesky", "l1_ratio": 1}, "use solver='coordinate_descent', 'saga' or 'auto'"),
        ({"tol": -1}, "'tol' parameter"),
        ({"max_iter": -1}, "'max_iter' parameter"),
        ({"max_iter": 1.5}, "'max_iter' parameter"),
        ({"fit_intercept": "no"}, "'fit_intercept' parameter"),
        ({"learning_rate": 0}, "'learning_rate' parameter"),
        ({"learning_rate": "fast"}, "'learning_rate' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"momentum": 1.0}, "'momentum' parameter"),
        ({"class_weight": "even"}, "'class_weight' parameter"),
        ({"class_weight": {0: -1.0}}, "class_weight of LogisticRegression must be finite and >= 0"),
        ({"class_weight": {0: np.inf}}, "class_weight of LogisticRegression must be finite and >= 0"),
        ({"class_weight": {7: 1.0}}, r"classes, \[0, 1\], are not in class_weight"),
        ({"random_state": "x"}, "'random_state' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter of"),
        ({"n_jobs": "all"}, "'n_jobs' parameter"),
        ({"verbose": -1}, "'verbose' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    model = LogisticRegression(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(*table())
    assert_unfitted(model)


def test_penalty_of_older_scikit_learn_is_refused():
    with pytest.raises(TypeError, match="penalty"):
        LogisticRegression(penalty="l1")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Cs": 0}, "'Cs' parameter of logistic_path"),
        ({"Cs": []}, "Cs of logistic_path must be a list of numbers > 0"),
        ({"Cs": [1.0, 0.0]}, "Cs of logistic_path must be a list of numbers > 0"),
        ({"Cs": [1.0, np.nan]}, "Cs of logistic_path must be a list of numbers > 0"),
        ({"Cs": [[1.0]]}, "Cs of logistic_path must be a list of numbers > 0"),
        ({"eps": 1.0}, "'eps' parameter"),
        ({"l1_ratio": -0.1}, "'l1_ratio' parameter"),
        ({"solver": "adam"}, "'solver' parameter"),
        ({"solver": "lbfgs"}, "solver='lbfgs' of logistic_path needs a smooth penalty"),
        ({"sample_weight": np.zeros(120)}, r"not zero|non-zero"),
        ({"max_iter": 0}, "'max_iter' parameter"),
    ],
)
def test_bad_parameters_of_the_path(parameters, message):
    with pytest.raises(ValueError, match=message):
        logistic_path(*table(), **parameters)


# ---- data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, pd.DataFrame])
def test_numbers_that_are_not_finite_in_a_path(value, form):
    X, y = table()
    X[3, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        logistic_path(form(X), y)


def test_one_class():
    X, y = table()
    with pytest.raises(ValueError, match="stratify=y"):
        LogisticRegression().fit(X, np.zeros(120))
    with pytest.raises(ValueError, match=r"must leave weight to 2 classes at least, got weight for \[1\] alone"):
        logistic_path(X, y, sample_weight=(y == 1).astype(float))


def test_numbers_to_predict_as_labels():
    X, _ = table()
    with pytest.warns(
        UserWarning, match="y of LogisticRegression has 120 classes in 120 rows: is it a target for"
    ) as w:
        LogisticRegression(max_iter=1, tol=1).fit(X, np.arange(120))
    assert w[0].filename == __file__


def test_weights_without_a_finite_sum():
    with pytest.raises(ValueError, match="no finite sum"):
        LogisticRegression().fit(*table(), sample_weight=np.full(120, 1e308))


def test_warm_start_from_another_problem():
    X, y = table()
    model = LogisticRegression(warm_start=True).fit(X, y)
    before = model.coef_.copy()
    with pytest.raises(
        ValueError, match="X has 3 features, but LogisticRegression with warm_start=True goes on from 4"
    ):
        model.fit(X[:, :3], y)
    with pytest.raises(ValueError, match=r"y holds the classes \[0, 5\], but .* goes on from \[0, 1\]"):
        model.fit(X, 5 * y)
    np.testing.assert_array_equal(model.coef_, before)  # a fit that fails leaves the model as it was
    assert model.n_features_in_ == 4
    model.predict(X)


# ---- no convergence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [*EXACT, *OPTIMIZERS])
def test_limit_reached_is_a_warning_that_helps(solver):
    X, y = table(3)
    model = LogisticRegression(solver=solver, tol=1e-12, max_iter=2)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    assert len(caught) == 1
    text = str(caught[0].message)
    unit = "epochs" if solver in OPTIMIZERS else "iterations"
    assert f"solver='{solver}' of LogisticRegression stopped after 2 {unit} (max_iter)" in text
    assert f"gradient of {model.optimality_:.3g}, above tol=1e-12" in text
    assert "Raise max_iter" in text
    assert caught[0].filename == __file__  # it points at the line that called fit
    assert model.n_iter_.tolist() == [2]
    assert model.loss_curve_.shape == (3,)
    assert np.isfinite(model.predict_proba(X)).all()


def test_no_iteration_at_all():
    X, y = table()
    with pytest.warns(ConvergenceWarning, match="stopped after 0 iterations"):
        model = LogisticRegression(max_iter=0).fit(X, y)
    assert not model.coef_.any()
    assert model.n_iter_.tolist() == [0]


def test_columns_of_any_scale_are_solved_by_default():
    """What fails in scikit-learn with its defaults: no warning here, and the right answer."""
    X, y = table()
    scale = np.array([1.0, 1e5, 1e-3, 10.0])
    scaled = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=100_000).fit(X * scale, y)
    np.testing.assert_allclose(model.predict_proba(X * scale), scaled.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_classes_without_penalty(n_classes):
    X, _ = table()
    y = np.digitize(X[:, 0], [-0.3, 0.3][: n_classes - 1])
    if n_classes == 2:
        X = X[np.abs(X[:, 0] + 0.3) > 0.1]
        y = (X[:, 0] > -0.3).astype(int)
    else:
        X = np.column_stack([np.cos(2 * np.pi * y / 3), np.sin(2 * np.pi * y / 3), X[:, 1]])
    with pytest.warns(ConvergenceWarning, match="separated without error.*[Uu]se a finite C|Lower C"):
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogisticRegression(C=1.0).fit(X, y)


def test_huge_c_is_no_trouble():
    X, y = table()
    free = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    for C in (1e10, 1e100, 1e300):
        np.testing.assert_allclose(LogisticRegression(C=C, tol=1e-10).fit(X, y).coef_, free.coef_, atol=1e-6)


def test_tiny_c_is_no_trouble():
    X, y = table()
    for l1_ratio in (0.0, 1.0):
        model = LogisticRegression(C=1e-300, l1_ratio=l1_ratio, tol=1e-8).fit(X, y)
        assert np.abs(model.coef_).max() < 1e-100
        assert model.intercept_[0] == pytest.approx(np.log(y.mean() / (1 - y.mean())), abs=1e-6)


def test_path_warns_once():
    X, y = table()
    with pytest.warns(ConvergenceWarning) as caught:
        logistic_path(X, y, Cs=10, max_iter=1, tol=1e-14)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "of logistic_path stopped at max_iter=1 iterations for" in text
    assert "of 10 values of C" in text
    assert caught[0].filename == __file__


# ---- numbers that overflow -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["gd", "minibatch", "momentum", "nesterov"])
def test_learning_rate_that_is_too_large(solver):
    X, y = table()
    model = LogisticRegression(solver=solver, learning_rate=1e200, C=1e-3, max_iter=50)
    with pytest.raises(
        ValueError, match=rf"solver='{solver}' of LogisticRegression diverged with learning_rate=1e\+200"
    ):
        model.fit(X, y)
    assert_unfitted(model)


@pytest.mark.parametrize("solver", EXACT)
def test_values_that_are_too_large(solver):
    X, y = table()
    model = LogisticRegression(solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X * 1e300, y)
        except ValueError as error:
            assert "scale it" in str(error)  # noqa: PT017
            assert_unfitted(model)
        else:
            assert np.isfinite(model.coef_).all()
