"""Fits that fail or are interrupted: a new one leaves the estimator unfitted, one that goes on leaves it as it was."""

import inspect
import logging

import numpy as np
import pytest
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

import mlcore
from contract.cases import make, names_of, typical
from mlcore._base import StateMixin, fitting
from mlcore._progress import Progress

FAILURES = [ValueError, MemoryError, KeyboardInterrupt, SystemExit]


class Failing:
    """An array-like that raises when it is read."""

    def __init__(self, failure, n):
        self.failure, self.shape = failure, (n,)

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        raise self.failure("while it was read")


class Mean(StateMixin, BaseEstimator):
    """Learns in steps, and can fail after each of them."""

    _private_state = ("_sum",)

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, x, *, continuing=False, failure=None):
        with fitting(self, continuing=continuing):
            self._sum = np.sum(x) + (self._sum if continuing else 0.0)
            self.n_seen_ = len(x) + (self.n_seen_ if continuing else 0)
            if failure is not None:
                self.extra_ = "half a fit"
                self._scratch = "half a fit"
                raise failure
            self.mean_ = self._sum / self.n_seen_ + self.shift
        return self


@pytest.mark.parametrize("failure", FAILURES)
def test_failed_first_fit_leaves_parameters_alone(failure):
    model = Mean(shift=2.0)
    with pytest.raises(failure):
        model.fit([1.0, 2.0], failure=failure)
    assert vars(model) == {"shift": 2.0}


@pytest.mark.parametrize("failure", FAILURES)
def test_failed_new_fit_forgets_the_former_one(failure):
    model = Mean().fit([1.0, 2.0])
    with pytest.raises(failure):
        model.fit([5.0], failure=failure)
    assert vars(model) == {"shift": 0.0}
    assert model.fit([3.0, 4.0]).mean_ == 3.5


@pytest.mark.parametrize("failure", FAILURES)
def test_failed_continuing_fit_restores_all_attributes(failure):
    model = Mean().fit([1.0, 2.0])
    before = dict(vars(model))
    with pytest.raises(failure):
        model.fit([6.0], continuing=True, failure=failure)
    assert vars(model) == before
    assert model.fit([6.0], continuing=True).mean_ == 3.0


WEIGHTED = [
    name
    for name in names_of("classifier", "regressor", "rows")
    if "sample_weight" in inspect.signature(getattr(mlcore, name).fit).parameters
]
WITH_WARM_START = [name for name in WEIGHTED if "warm_start" in make(name).get_params()]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", WEIGHTED)
def test_estimators_are_unfitted_after_a_failed_fit(name, failure):
    (X, y), model = typical(name), make(name)
    for _ in range(2):
        with pytest.raises(failure):
            model.fit(X, y, sample_weight=Failing(failure, len(X)))
        assert model._fitted_attributes() == []
        with pytest.raises(NotFittedError):
            check_is_fitted(model)
        model.fit(X, y)  # the second round fails after a fit that has ended


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", WITH_WARM_START)
def test_estimators_with_warm_start_are_as_they_were_after_a_failed_fit(name, failure):
    (X, y), model = typical(name), make(name, warm_start=True)
    model.fit(X, y)
    before, expected = dict(vars(model)), model.predict(X)
    with pytest.raises(failure):
        model.fit(2 * X, y, sample_weight=Failing(failure, len(X)))
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("name", WEIGHTED)
def test_parameter_out_of_range_leaves_the_former_fit_alone(name):
    (X, y), model = typical(name), make(name)
    before = dict(vars(model.fit(X, y)))
    model.set_params(n_jobs="all")
    with pytest.raises(ValueError, match="n_jobs"):
        model.fit(X, y)
    model.set_params(n_jobs=None)
    assert all(vars(model)[name] is before[name] for name in before)


class Texts:
    """A corpus that raises when half of it is read."""

    def __init__(self, failure):
        self.failure = failure

    def __iter__(self):
        yield from ["a b c d"] * 20
        raise self.failure("while it was read")


@pytest.mark.parametrize("failure", FAILURES)
def test_word_vectors_and_phrases_are_unfitted_after_a_failed_fit(failure):
    texts = ["a b c d", "b c d a"] * 20
    for model in (mlcore.Word2Vec(4, min_count=1, sample=0, n_jobs=1), mlcore.Phrases(min_count=1, threshold=0.1)):
        for _ in range(2):
            with pytest.raises(failure):
                model.fit(Texts(failure))
            assert model._fitted_attributes() == []
            model.fit(texts)


@pytest.mark.parametrize("failure", FAILURES)
def test_partial_fit_of_word_vectors_that_fails_leaves_the_model_as_it_was(failure):
    model = mlcore.Word2Vec(4, min_count=1, sample=0, n_jobs=1, random_state=0).fit(["a b c d", "b c d a"] * 20)
    before, vectors = dict(vars(model)), model.vectors_.copy()
    with pytest.raises(failure):
        model.partial_fit(Texts(failure))
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
    np.testing.assert_array_equal(model.vectors_, vectors)


@pytest.mark.parametrize(
    "model",
    [
        mlcore.LogisticRegression(solver="lbfgs", max_iter=1, tol=1e-12),
        mlcore.LogisticRegressionCV(solver="lbfgs", max_iter=1, tol=1e-12, Cs=2, cv=2),
        mlcore.Lasso(alpha=1e-3, max_iter=1, tol=0),
        mlcore.LassoCV(max_iter=1, tol=0, cv=2, alphas=2),
        mlcore.Ridge(positive=True, max_iter=1, tol=0),
        mlcore.SVC(max_iter=1),
        mlcore.SVR(max_iter=1),
        mlcore.OneClassSVM(max_iter=1),
        mlcore.LinearSVC(max_iter=1),
        mlcore.LinearSVR(max_iter=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_warnings_name_the_line_that_calls_fit(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + rng.normal(size=60)
    with pytest.warns(ConvergenceWarning) as warned:
        model.fit(X, y > 0 if is_classifier(model) else y)
    assert [warning.filename for warning in warned] == [__file__]


# ---- progress that the core reports ----


def test_callback_counts_up_to_what_is_done(caplog):
    with caplog.at_level(logging.INFO, "mlcore"), Progress(10, 2, "Fit") as progress:
        report = progress.callback("loss")
        report(3, 0.5)
        report(10, 0.25)
    assert [record.getMessage() for record in caplog.records] == ["Fit 3/10  loss 0.5", "Fit 10/10  loss 0.25"]
    assert progress.done == 10


def test_callback_is_none_where_nothing_is_shown():
    assert Progress(10, 0, "Fit").callback("loss") is None
