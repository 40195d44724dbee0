"""One vocabulary for users: what is named alike is alike, in all estimators, docstrings and on docs/estimators.md."""

import ast
import inspect
import re
import warnings
from dataclasses import is_dataclass

import estimator_table
import numpy as np
import pytest
from estimator_table import documented, parameters
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Options

import mlcore
import mlcore.plotting
from contract import cases
from contract.complete import ESTIMATORS, data_of, each, fitted, is_of_texts, make


def fitted_attributes(model):
    """Return the public names that fit has set, properties that can be asked included."""
    properties = [name for name, value in inspect.getmembers(type(model)) if isinstance(value, property)]
    names = {*vars(model), *(name for name in properties if hasattr(model, name))}
    return {name for name in names if name.endswith("_") and not name.startswith("_")}


# ---- what is documented is what there is -----------------------------------------------------------------------------


@each()
def test_parameters_are_documented_in_their_order_and_constrained(cls):
    assert list(documented(cls, "Parameters")) == list(parameters(cls))
    assert set(cls._parameter_constraints) == set(parameters(cls))


def entries(cls):
    """Return the whole text on each parameter and attribute in the docstring of a class."""
    found = re.findall(r"^(\w+(?:, \w+)*) :(.*(?:\n    .*)*)", inspect.getdoc(cls), re.MULTILINE)
    return {name: text.strip() for names, text in found for name in names.split(", ")}


def public_callables():
    """All public classes, their methods and all public functions, but for the layers of networks (PyTorch's names)."""
    found = {}
    for module in (mlcore, mlcore.cluster, mlcore.embedding, mlcore.linear_model, mlcore.plotting):
        for item in (getattr(module, name) for name in module.__all__):
            if not inspect.isroutine(item) and not inspect.isclass(item):
                continue
            methods = inspect.getmembers(item, inspect.isroutine) if inspect.isclass(item) else []
            for name, value in [(item.__name__, item), *methods]:
                is_ours = (getattr(value, "__module__", None) or "").startswith("mlcore")
                made_by_users = not is_dataclass(value)  # whose fields are documented where they stand
                if is_ours and made_by_users and not name.startswith("_") and name != "set_params":  # takes any name
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


@pytest.mark.parametrize("item", public_callables().values(), ids=public_callables())
def test_arguments_are_documented_with_their_defaults(item):
    found = documented(item, "Parameters")
    arguments = {
        name: p.default for name, p in inspect.signature(item).parameters.items() if name not in ("self", "cls")
    }
    assert set(found) == set(arguments)
    for name, kind in found.items():
        if not kind:  # "X, y, sample_weight" on a line of their own, with "as for fit" below
            continue
        given = re.search(r"default=(.*)$", kind)
        if arguments[name] is inspect.Parameter.empty:
            assert given is None, name
        else:
            assert given is not None, name
            assert eval(given[1], {"np": np}) == arguments[name], name


@each()
def test_fitted_attributes_are_documented_and_there(cls):
    assert fitted_attributes(fitted(cls)) == set(documented(cls, "Attributes"))


def test_the_page_of_estimators_is_up_to_date():
    assert estimator_table.PAGE.read_text("utf-8") == estimator_table.page(), "run: python tools/estimator_table.py"


# ---- the same name, the same thing -----------------------------------------------------------------------------------


def uses_of_parameters():
    """Return for each parameter its different defaults and constraints."""

    def shown(rule):
        return repr(sorted(rule.options)) if isinstance(rule, Options) else str(rule)

    found = {}
    for cls in ESTIMATORS.values():
        for name, default in parameters(cls).items():
            rules = tuple(shown(rule) for rule in cls._parameter_constraints[name])
            found.setdefault(name, set()).add((repr(default), rules))
    return found


def test_parameters_that_differ_are_named_with_the_reason():
    differing = {name for name, uses in uses_of_parameters().items() if len(uses) > 1}
    page = estimator_table.PAGE.read_text("utf-8")
    section = page.split("## Same name, other default or range\n")[1].split("\n## ")[0]
    reasons = dict(re.findall(r"^\| `(\w+)` \| (\S.*) \|$", section, re.MULTILINE))
    assert set(reasons) == differing


def test_parameters_that_all_have_are_the_same():
    for name, default in {"n_jobs": None, "random_state": None, "verbose": 0, "class_weight": None}.items():
        ((found, _),) = uses_of_parameters()[name]
        assert ast.literal_eval(found) == default


@each()
def test_shared_parameters_have_the_same_words(cls):
    words = {name: re.sub(r"\s+", " ", text) for name, text in entries(cls).items()}
    assert re.match(
        r"int or None, default=None Threads, in fit( and (predict|transform|generate|score|search))?\. None and -1: "
        r"all CPUs that this process may use\. "
        r"(Results do not depend on it|Only with one of them are the vectors the same again)",
        words["n_jobs"],
    )
    if "verbose" in words:
        assert words["verbose"].startswith("int, default=0 1: a progress bar")
    if "random_state" in words:
        assert words["random_state"].startswith("int, RandomState or None, default=None ")
    if "class_weight" in words:
        assert re.match(
            r'dict, "balanced" or None, default=None Factor on the weights of each class,( and so on `C`,)? as a dict '
            r'from label to factor; "balanced": such that all classes have the same sum of weights\b.*\. A factor of 0 '
            r"takes the rows of a class out of the fit\.",
            words["class_weight"],
        )
        assert words["class_weight_"] == "array of shape (n_classes,) Factor on the weights of each class."
    if not is_of_texts(cls):
        assert words["n_features_in_"] == "int Number of features."
        assert words["feature_names_in_"] == "array of shape (n_features_in_,) Their names, if all are strings."


@each(lambda cls: "random_state" not in parameters(cls))
def test_without_a_seed_there_is_no_chance(cls):
    bits = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002  (what scikit-learn's random_state=None takes)
        bits.append(make(cls).fit(*data_of(cls))._get_state())
    np.testing.assert_equal(*bits)


SILENT = {
    "AgglomerativeClustering": "one call into the core: rounds whose number is not known before",
    "DBSCAN": "three passes over a tree",
    "ElasticNet": "one call into the core: a descent that ends soon, or a path without an end to show",
    "HDBSCAN": "a tree, a search and a spanning tree, each one call into the core without an end to show",
    "Lasso": "as ElasticNet",
    "NearestNeighbors": "a tree is built in a moment",
    "Phrases": "one pass over the texts, whose number is not known before",
    "Ridge": "one factorization",
    "RidgeCV": "one factorization",
    "TfidfTransformer": "one pass over a matrix",
}
"""Estimators without `verbose`, and why."""


def test_long_fits_tell_how_far_they_are():
    assert {name for name, cls in ESTIMATORS.items() if "verbose" not in parameters(cls)} == set(SILENT)


@each(lambda cls: "X_val" in inspect.signature(cls.fit).parameters)
def test_validation_rows_have_labels_and_weights(cls):
    arguments = inspect.signature(cls.fit).parameters
    assert cases.kind(cls.__name__) == "sequences" or {"y_val", "sample_weight_val"} <= set(arguments)
    assert {"early_stopping", "validation_fraction", "n_iter_no_change", "tol"} <= set(parameters(cls))


# ---- classifiers -----------------------------------------------------------------------------------------------------


@each(lambda cls: is_classifier(cls()) and hasattr(cls, "predict_proba"))
def test_log_probabilities_are_those_of_probabilities(cls):
    model, (X, _) = fitted(cls), data_of(cls)
    p, log_p = model.predict_proba(X), model.predict_log_proba(X)
    assert log_p.dtype == np.float64
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-9)
    np.testing.assert_array_equal(model.classes_[log_p.argmax(axis=1)], model.predict(X))


@each(lambda cls: is_classifier(cls()) and hasattr(cls, "predict_proba"))
def test_log_probabilities_of_impossible_classes_come_without_warnings(cls):
    X, y = data_of(cls)
    weight = (y != "low").astype(float)
    model = make(cls).fit(X, y, sample_weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_p = model.predict_log_proba(X)
    assert (log_p[:, 1] < -5).all()
    assert not np.isnan(log_p).any()


@each(lambda cls: is_classifier(cls()))
def test_class_weights_are_told(cls):
    assert "class_weight" in parameters(cls)
    np.testing.assert_array_equal(fitted(cls).class_weight_, [1.0, 1.0, 1.0])
    X, y = data_of(cls)
    factors = {"high": 2.0, "low": 1.0, "middle": 0.5}
    model = make(cls, class_weight=factors).fit(X, y)
    np.testing.assert_array_equal(model.class_weight_, list(factors.values()))
    model = make(cls, class_weight="balanced").fit(X, y)
    counts = np.array([(label == y).sum() for label in model.classes_])
    np.testing.assert_allclose(model.class_weight_, len(y) / (3 * counts))


# ---- the record of training ------------------------------------------------------------------------------------------


@each(lambda cls: "loss_curve_" in documented(cls, "Attributes"))
def test_loss_curves_are_arrays_of_falling_losses(cls):
    model = fitted(cls)
    n_iter = int(np.max(model.n_iter_))
    assert model.loss_curve_.dtype == np.float64
    has_start = cls.__name__ == "LogisticRegression"  # the loss before the first iteration
    assert model.loss_curve_.shape == (n_iter + has_start,)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@each(lambda cls: "train_score_" in documented(cls, "Attributes"))
def test_scores_of_boosting_rise(cls):
    model = fitted(cls)
    for scores in (model.train_score_, model.validation_score_):
        assert scores.dtype == np.float64
        assert len(scores) >= model.n_iter_ + 1
        assert scores[model.n_iter_] > scores[0]


def test_a_record_of_training_has_one_of_three_names():
    for name, cls in ESTIMATORS.items():
        records = {"loss_curve_", "train_score_", "history_"} & set(documented(cls, "Attributes"))
        assert records <= {"loss_curve_", "history_"} or records == {"train_score_"}, name
