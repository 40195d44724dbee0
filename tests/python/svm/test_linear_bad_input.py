"""What LinearSVC and LinearSVR make of bad input, beyond the contract of all classes."""

import logging
import re

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning

from mlcore._native import core
from mlcore.svm import LinearSVC, LinearSVR


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def line():
    return make_regression(50, 3, noise=1.0, random_state=0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0}, "'C' parameter of LinearSVC"),
        ({"C": -1.0}, "'C' parameter of LinearSVC"),
        ({"tol": 0}, "'tol' parameter of LinearSVC"),
        ({"penalty": "l3"}, "'penalty' parameter of LinearSVC must be a str among"),
        ({"loss": "log"}, "'loss' parameter of LinearSVC must be a str among"),
        ({"dual": "maybe"}, "'dual' parameter of LinearSVC"),
        ({"max_iter": -1}, "'max_iter' parameter of LinearSVC"),
        ({"intercept_scaling": 0}, "'intercept_scaling' parameter of LinearSVC"),
        ({"random_state": "x"}, "'random_state' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter of"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter"),
        ({"multi_class": "ovo"}, "'multi_class' parameter"),
        ({"multi_class": "crammer_singer"}, "must be 'ovr': the objective of Crammer and Singer is left out"),
        ({"penalty": "l1", "loss": "hinge"}, "penalty='l1' of LinearSVC needs loss='squared_hinge'"),
        ({"penalty": "l1", "dual": True}, "penalty='l1' of LinearSVC needs dual=False or 'auto', got dual=True"),
        ({"loss": "hinge", "dual": False}, "loss='hinge' of LinearSVC needs dual=True or 'auto', got dual=False"),
        ({"class_weight": "even"}, "'class_weight' parameter"),
        ({"class_weight": {0: -1.0}}, "class_weight of LinearSVC must be finite and >= 0"),
        ({"class_weight": {0: np.inf}}, "class_weight of LinearSVC must be finite and >= 0"),
        ({"class_weight": {7: 2.0}}, "are not in class_weight"),
        ({"C": 1e308, "class_weight": {0: 10.0}}, "C \\* sample_weight of LinearSVC must be finite"),
    ],
)
def test_bad_parameters_of_the_classifier(parameters, message, iris):
    with pytest.raises(ValueError, match=message):
        LinearSVC(**parameters).fit(*iris)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epsilon": -0.1}, "'epsilon' parameter of LinearSVR"),
        ({"epsilon": np.nan}, "'epsilon' parameter of LinearSVR"),
        ({"loss": "hinge"}, "'loss' parameter of LinearSVR"),
        ({"dual": False}, "loss='epsilon_insensitive' of LinearSVR needs dual=True or 'auto', got dual=False"),
    ],
)
def test_bad_parameters_of_the_regressor(parameters, message, line):
    with pytest.raises(ValueError, match=message):
        LinearSVR(**parameters).fit(*line)


@pytest.mark.parametrize("parameters", [{}, {"dual": True}, {"loss": "hinge"}, {"penalty": "l1"}])
def test_too_few_iterations_are_a_warning_that_says_what_is_left(parameters, iris):
    model = LinearSVC(**parameters, max_iter=1, tol=1e-10)
    message = r"stopped at max_iter=1 iterations in 3 of 3 one-vs-rest problems: the violation .* left is (\S+), and"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.fit(*iris)
    assert float(re.search(message, str(caught[0].message)).group(1)) > 1e-10
    assert "StandardScaler" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert model.n_iter_ == 1
    with pytest.warns(ConvergenceWarning, match="LinearSVR stopped at max_iter=0 iterations: the violation"):
        assert (LinearSVR(max_iter=0).fit(*iris).coef_ == 0).all()


def test_numbers_too_large_are_an_error_not_nonsense(iris):
    X, y = iris
    for model in (LinearSVC(), LinearSVC(dual=True), LinearSVC(penalty="l1"), LinearSVR()):
        with pytest.raises(ValueError, match="values of X are too large"):
            model.fit(X * 1e200, y)


def test_degenerate_tables():
    for parameters in ({}, {"dual": True}, {"loss": "hinge"}, {"penalty": "l1"}):
        model = LinearSVC(**parameters).fit([[0.0], [0.0]], ["b", "a"])  # nothing to learn from
        assert model.coef_ == [[0]]
        model = LinearSVC(**parameters, C=10.0).fit([[1.0], [-1.0]], ["b", "a"])
        np.testing.assert_array_equal(model.predict([[2.0], [-2.0]]), ["b", "a"])
    assert LinearSVR(C=1000.0).fit([[1.0]], [3.0]).predict([[1.0]]) == pytest.approx(3.0, abs=1e-3)
    empty = sp.csr_array((4, 3))
    assert (LinearSVC(fit_intercept=False).fit(empty, [0, 1, 0, 1]).coef_ == 0).all()
    with pytest.raises(ValueError, match="0 feature"):
        LinearSVC().fit(np.empty((4, 0)), [0, 1, 0, 1])


def test_verbose_tells_of_the_violation(iris, caplog, capsys):
    with caplog.at_level(logging.INFO, logger="mlcore"):
        LinearSVC(verbose=2).fit(*iris)
    assert any("LinearSVC" in line and "violation" in line for line in caplog.messages)
    LinearSVC(verbose=1).fit(*iris)
    assert "LinearSVC" in capsys.readouterr().err
    LinearSVC().fit(*iris)
    assert capsys.readouterr() == ("", "")


def test_the_core_checks_its_arguments(iris):
    X, y = iris
    arguments = {
        "penalty": "l2",
        "loss": "hinge",
        "dual": True,
        "bias": 1.0,
        "tol": 1e-4,
        "max_iter": 10,
        "solver": "auto",
        "n_threads": 1,
        "seed": 0,
        "report": None,
    }
    codes, ones = y.astype(np.int32), np.ones(len(y))

    def fit(codes=codes, cost=ones, of_rest=ones[:3], **changes):
        return core.linear_model.linear_svc(X, codes, cost, ones[:3], of_rest, **arguments | changes)

    assert fit()["coef"].shape == (3, 4)
    for changes, kind in [
        ({"codes": y}, TypeError),
        ({"codes": codes[1:]}, ValueError),
        ({"cost": ones[1:]}, ValueError),
        ({"of_rest": np.ones(2)}, ValueError),
        ({"loss": "epsilon_insensitive"}, ValueError),
        ({"loss": "?"}, ValueError),
        ({"penalty": "?"}, ValueError),
        ({"solver": "?"}, ValueError),
        ({"penalty": "l1"}, ValueError),
        ({"dual": False}, ValueError),
        ({"n_threads": 0}, ValueError),
    ]:
        with pytest.raises(kind):
            fit(**changes)
    with pytest.raises(ValueError, match="coef"):
        core.linear_model.linear_scores(X, np.ones((3, 5)), np.ones(3), n_threads=1)
    with pytest.raises(ValueError, match="intercept"):
        core.linear_model.linear_scores(X, np.ones((3, 4)), np.ones(2), n_threads=1)
