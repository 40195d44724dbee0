"""All estimators keep scikit-learn's contract."""

import inspect

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlcore import GBDTClassifier, GBDTRegressor

# Few and small leaves: the data of the checks is small too.
ESTIMATORS = [
    GBDTClassifier(n_estimators=20, min_samples_leaf=5),
    GBDTRegressor(n_estimators=20, min_samples_leaf=5),
]

EXPECTED_FAILURES: dict[str, dict[str, str]] = {"GBDTClassifier": {}, "GBDTRegressor": {}}
"""Class -> check -> the reason why it fails."""


@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES[type(estimator).__name__], xfail_strict=True
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cls", [GBDTClassifier, GBDTRegressor])
def test_every_parameter_is_documented_checked_and_cloned(cls):
    parameters = cls().get_params()
    assert set(cls._parameter_constraints) == set(parameters)
    text = inspect.getdoc(cls)
    for name in parameters:
        assert f"\n{name}" in text or f", {name}" in text, name
    assert clone(cls(n_estimators=7)).n_estimators == 7


def test_shared_parameters_have_the_same_default_and_the_same_words():
    def entries(cls):
        section = inspect.getdoc(cls).split("\nParameters\n")[1].split("\nAttributes\n")[0]
        parts = [part for part in section.split("\n") if part]
        found, name = {}, ""
        for line in parts:
            if not line.startswith(" ") and " : " in line:
                name = line.split(" : ")[0]
            found[name] = found.get(name, "") + line + "\n"
        return found

    of_classifier, of_regressor = entries(GBDTClassifier), entries(GBDTRegressor)
    shared = (set(of_classifier) & set(of_regressor)) - {"", "loss"}
    assert len(shared) > 20
    for name in shared:
        assert of_classifier[name] == of_regressor[name]
    a, b = GBDTClassifier().get_params(), GBDTRegressor().get_params()
    assert all(a[name] == b[name] for name in set(a) & set(b) - {"loss"})
