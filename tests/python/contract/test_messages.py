"""The same fault has the same words in all estimators: who, what was expected, what came."""

import copy
import inspect
import re

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

from contract.complete import FRAME, data_of, each, fitted, is_of_texts, make
from support.fingerprint import needs_fit

X = FRAME.to_numpy()
N = len(X)


def takes(name):
    return each(lambda cls: name in inspect.signature(cls.fit).parameters)


def refuses(kind, message, call):
    """Check for an error of this kind whose message is `message`, a regular expression, from start to end."""
    with pytest.raises(kind) as caught:
        call()
    assert re.fullmatch(message, str(caught.value), re.DOTALL), str(caught.value)


@each()
def test_parameters_out_of_range(cls):
    name = cls.__name__
    text = rf"The '{{}}' parameter of {name} must be .* Got {{}} instead\."
    for parameter, value in {"n_jobs": 0, "random_state": -1, "verbose": -1, "tol": -1.0, "C": 0.0}.items():
        if parameter in cls().get_params():
            options = {parameter: value}
            refuses(ValueError, text.format(parameter, value), lambda o=options: make(cls, **o).fit(*data_of(cls)))
    for parameter in cls().get_params():
        with pytest.raises((ValueError, TypeError)) as caught:
            make(cls, **{parameter: _Nonsense()}).fit(*data_of(cls))
        assert re.match(rf"The '{parameter}' parameter of {name} must be ", str(caught.value)), parameter


class _Nonsense:
    """No parameter may be one."""

    def __repr__(self):
        return "nonsense"


def question(cls):
    """The method that is asked about rows after a fit; None of clusterings that say nothing of later rows."""
    asked = ("predict", "transform", "score_samples", "score", "kneighbors")
    return next((method for method in asked if hasattr(cls, method)), None)


@each(lambda cls: needs_fit(cls()) and question(cls))
def test_unfitted(cls):
    method = question(cls)
    message = rf"This {cls.__name__} instance is not fitted yet\. Call 'fit' .*"
    refuses(NotFittedError, message, lambda: getattr(cls(), method)(data_of(cls)[0]))


@each(lambda cls: not is_of_texts(cls) and question(cls))
def test_threads_that_cannot_be(cls):
    model = copy.copy(fitted(cls))
    model.n_jobs = 0
    refuses(
        ValueError,
        r"n_jobs must be a positive int, a negative int .* or None, got 0",
        lambda: getattr(model, question(cls))(FRAME),
    )


FAULTY_WEIGHTS = [
    (np.ones(N - 1), rf"must have shape \({N},\), got \({N - 1},\)"),
    (np.ones((N, 2)), rf"must have shape \({N},\), got \({N}, 2\)"),
    (np.r_[-1.0, np.ones(N - 1)], r"must be finite and >= 0, got -1\.0"),
    (-2, r"must be finite and >= 0, got -2\.0"),
    (np.r_[np.nan, np.ones(N - 1)], r"must be finite and >= 0, got NaN"),
    (np.r_[np.inf, np.ones(N - 1)], r"must be finite and >= 0, got infinity"),
    (np.zeros(N), r"must have a weight that is not zero, got zeros only"),
    (0.0, r"must have a weight that is not zero, got zeros only"),
    (["a"] * N, r"must be a number for each row: .*"),
]


NEGATIVE_WEIGHTS = {"DBSCAN"}
"""For whom a negative weight has a meaning, as in scikit-learn."""


@takes("sample_weight")
def test_weights_of_rows(cls):
    for weight, message in FAULTY_WEIGHTS:
        if cls.__name__ in NEGATIVE_WEIGHTS:
            if r"got -" in message:
                continue
            message = message.replace(" and >= 0", "")
        message = f"sample_weight of {cls.__name__} {message}"
        refuses(ValueError, message, lambda w=weight: make(cls).fit(*data_of(cls), sample_weight=w))


@takes("sample_weight_val")
def test_weights_of_validation_rows(cls):
    x, y = data_of(cls)
    for weight, message in FAULTY_WEIGHTS:
        message = f"sample_weight_val of {cls.__name__} {message}"
        refuses(ValueError, message, lambda w=weight: make(cls).fit(x, y, X_val=x, y_val=y, sample_weight_val=w))


@takes("sample_weight_val")
def test_validation_rows_that_are_not_complete(cls):
    x, y = data_of(cls)
    together = rf"X_val and y_val of {cls.__name__} must be given together, got only"
    refuses(ValueError, f"{together} X_val", lambda: make(cls).fit(x, y, X_val=x))
    refuses(ValueError, f"{together} y_val", lambda: make(cls).fit(x, y, y_val=y))
    alone = rf"sample_weight_val of {cls.__name__} must be given together with X_val and y_val, got neither"
    refuses(ValueError, alone, lambda: make(cls).fit(x, y, sample_weight_val=np.ones(N)))
    if not is_of_texts(cls):
        width = rf"X has 2 features, but {cls.__name__} is expecting 6 features as input\."
        refuses(ValueError, width, lambda: make(cls).fit(X, y, X_val=X[:, :2], y_val=y))
    refuses(ValueError, r"Found input variables .*", lambda: make(cls).fit(x, y, X_val=x, y_val=y[1:]))


@each(lambda cls: is_classifier(cls()))
def test_labels_and_weights_of_classes(cls):
    name = cls.__name__
    x, y = data_of(cls)
    one = rf"y must hold at least 2 classes for {name}, got 1 class: \['a'\].*"
    refuses(ValueError, one, lambda: make(cls).fit(x, ["a"] * N))
    for factors, message in (
        ({"low": -1}, r"must be finite and >= 0, got \{'low': -1\}"),
        ({"low": np.inf}, r"must be finite and >= 0, got \{'low': inf\}"),
        ({"low": np.nan}, r"must be finite and >= 0, got \{'low': nan\}"),
        ({"new": 1.0}, r"must be a dict from labels of y to numbers, got \{'new': 1\.0\}: .*"),
        ({"low": "a"}, r"must be a dict from labels of y to numbers, got \{'low': 'a'\}: .*"),
        (dict.fromkeys(y.tolist(), 0), r"must leave weight to one class at least, got .*"),
    ):
        options = {"class_weight": factors}
        message = f"class_weight of {name} {message}"
        refuses(ValueError, message, lambda o=options: make(cls, **o).fit(x, y))


@each(lambda cls: cls().__sklearn_tags__().target_tags.required and not is_of_texts(cls))
def test_targets(cls):
    missing = rf"This {cls.__name__} estimator requires y to be passed, but the target y is None\."
    refuses(ValueError, missing, lambda: make(cls).fit(X, None))
    refuses(ValueError, r"Input y contains NaN\.", lambda: make(cls).fit(X, np.full(N, np.nan)))
    refuses(ValueError, r"Found input variables with inconsistent .*", lambda: make(cls).fit(X, data_of(cls)[1][1:]))


@each(lambda cls: not is_of_texts(cls))
def test_rows(cls):
    target = data_of(cls)[1]
    infinite = np.where(X > 1, np.inf, X)
    refuses(ValueError, r"Input X contains infinity .*", lambda: make(cls).fit(infinite, target))
    refuses(ValueError, r"Expected 2D array, got 1D array instead.*", lambda: make(cls).fit(X[:, 0], target))
    width = rf"X has 2 features, but {cls.__name__} is expecting 6 features as input\."
    model = make(cls).fit(X, target)
    if question(cls):
        refuses(ValueError, width, lambda: getattr(model, question(cls))(X[:, :2]))
