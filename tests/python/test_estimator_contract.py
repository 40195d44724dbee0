"""All estimators keep scikit-learn's contract."""

import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

import mlcore
from contract.cases import names_of
from support.fingerprint import needs_fit

SVM = {
    "tol": 1e-9
}  # weights and copies of a row have the same optimum, but ways to it of their own: its end must be near
TREES = {"n_estimators": 20, "min_samples_leaf": 5}  # few and small leaves: the data of the checks is small too
# All rows in a batch: else copies of a row would come in other batches than one row with a weight. The data of some
# checks is not scaled, which stops units that have a flat side.
NETWORK = {"activation": "leaky_relu", "learning_rate": 0.05, "max_iter": 60, "batch_size": 1000}

SETTINGS: dict[str, dict[str, Any]] = {
    "GBDTClassifier": TREES,
    "GBDTRegressor": TREES,
    "KMeans": {"n_clusters": 3},  # the rows of some checks are four places
    "LogisticRegressionCV": {"cv": 3},  # as many as the smallest class of some checks has rows
    "NeuralClassifier": NETWORK,
    "NeuralRegressor": NETWORK,
    "NuSVC": SVM | {"nu": 0.35},  # a linear kernel finds no margin between the random classes of some checks
    "NuSVR": SVM,
    "OneClassSVM": SVM,
    "SVC": SVM,
    "SVR": SVM,
}
"""What the checks need that the defaults do not give."""

ESTIMATORS = [getattr(mlcore, name)(**SETTINGS.get(name, {})) for name in names_of("classifier", "regressor", "rows")]
ESTIMATORS += [mlcore.SVC(kernel="precomputed", **SVM), mlcore.NearestNeighbors(metric="precomputed", n_neighbors=2)]

BORDER = "rows on the border have a decision of 0 but for rounding, and predict takes its sign"
ROUNDING = "a sum of copies and a product with a weight round differently in float32"
DRAWN = "which rows the first centers are drawn from depends on how many there are"
EXPECTED_FAILURES: dict[str, dict[str, str]] = {
    "KMeans": {
        "check_sample_weight_equivalence_on_dense_data": DRAWN,
        "check_sample_weight_equivalence_on_sparse_data": DRAWN,
    },
    "MiniBatchKMeans": {
        "check_sample_weight_equivalence_on_dense_data": DRAWN,
        "check_sample_weight_equivalence_on_sparse_data": DRAWN,
    },
    "NeuralClassifier": {"check_sample_weight_equivalence_on_dense_data": ROUNDING},
    "NeuralRegressor": {"check_sample_weight_equivalence_on_dense_data": ROUNDING},
    "NuSVC": {"check_class_weight_classifiers": "weights of 1000 and 1e-4 leave no nu that is feasible"},
    "OneClassSVM": {
        "check_sample_weight_equivalence_on_dense_data": BORDER,
        "check_sample_weight_equivalence_on_sparse_data": BORDER,
    },
}
"""Class -> check -> the reason why it fails."""


@parametrize_with_checks(
    ESTIMATORS,
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {}),
    xfail_strict=True,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


# ---- estimators of texts ---------------------------------------------------------------------------------------------
#
# parametrize_with_checks has nothing for them, because its data are tables of numbers. Those of its checks that need no
# data are run by name; the others are here again, with texts.

WORD2VEC = {"vector_size": 5, "min_count": 1, "sample": 0, "epochs": 2, "n_jobs": 1, "random_state": 0}
TEXT_SETTINGS: dict[str, list[dict[str, Any]]] = {
    "Phrases": [{"min_count": 1, "threshold": 0.1}],
    "Word2Vec": [WORD2VEC, WORD2VEC | {"algorithm": "cbow", "loss": "hs"}],
}
TEXT_ESTIMATORS = [
    getattr(mlcore, name)(**settings)
    for name in names_of("texts", "documents")
    for settings in TEXT_SETTINGS.get(name, [{}])
]
SEQUENCE_ESTIMATORS = [getattr(mlcore, name)() for name in names_of("sequences")]  # their fit: tests/python/seq
CHECKS_WITHOUT_DATA = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
]
TEXTS = ["new york is a city", "old york is a city", "", "new york is big", "a big city is new york"] * 3


def text_estimators(test):
    return pytest.mark.parametrize("estimator", TEXT_ESTIMATORS, ids=lambda estimator: type(estimator).__name__)(test)


def same(a, b):
    if sp.issparse(a):
        return a.dtype == b.dtype and np.array_equal(a.toarray(), b.toarray())
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return a == b


def estimators_without_tables(test):
    every = [*TEXT_ESTIMATORS, *SEQUENCE_ESTIMATORS]
    return pytest.mark.parametrize("estimator", every, ids=lambda estimator: type(estimator).__name__)(test)


@estimators_without_tables
@pytest.mark.parametrize("check", CHECKS_WITHOUT_DATA)
def test_scikit_learn_contract_of_text_estimators(estimator, check):
    name = type(estimator).__name__
    getattr(estimator_checks, check)(name, clone(estimator))


@estimators_without_tables
def test_text_estimators_say_what_they_take(estimator):
    tags = estimator.__sklearn_tags__().input_tags
    assert tags.string
    assert not tags.two_d_array


@text_estimators
def test_fit_of_text_estimators(estimator):
    estimator = clone(estimator)
    if needs_fit(estimator):
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)
        with pytest.raises(NotFittedError):
            estimator.transform(TEXTS)
    parameters = estimator.get_params()
    texts = list(TEXTS)
    assert estimator.fit(texts, [0] * len(texts)) is estimator
    check_is_fitted(estimator)
    assert texts == TEXTS
    assert all(value is parameters[name] for name, value in estimator.get_params().items())
    assert not hasattr(estimator, "n_features_in_")
    assert all(name.startswith("_") or name.endswith("_") for name in set(vars(estimator)) - set(parameters))


@text_estimators
def test_transform_of_text_estimators(estimator):
    estimator = clone(estimator)
    first = estimator.fit_transform(TEXTS)
    before = vars(estimator).copy()
    again = estimator.transform(TEXTS)
    assert (again.shape[0] if sp.issparse(again) else len(again)) == len(TEXTS)
    assert same(first, again)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())
    assert same(estimator.fit(TEXTS).transform(TEXTS), first)  # a second fit is as the first
    assert same(estimator.transform(TEXTS[1:4]), first[1:4])
    assert same(estimator.transform(TEXTS[::-1]), first[::-1])
    assert same(pickle.loads(pickle.dumps(estimator)).transform(TEXTS), first)


# ---- all -------------------------------------------------------------------------------------------------------------


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

    of_classifier, of_regressor = entries(mlcore.GBDTClassifier), entries(mlcore.GBDTRegressor)
    other = {"loss", "reg_lambda"}  # rare classes want a penalty
    # Poisson and Tweedie have units of their own, classes keep their shares
    words = {"", "min_child_weight", "validation_fraction"}
    shared = (set(of_classifier) & set(of_regressor)) - words - other
    assert len(shared) > 20
    for name in shared:
        assert of_classifier[name] == of_regressor[name]
    a, b = mlcore.GBDTClassifier().get_params(), mlcore.GBDTRegressor().get_params()
    assert all(a[name] == b[name] for name in set(a) & set(b) - other)
