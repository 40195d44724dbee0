"""Boosting at run time, beyond the contract of all classes: same bits for any number of threads with every option."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from mlcore import GBDTClassifier, GBDTRegressor

PARAMETERS = {
    "leaf": {},
    "depth": {"growth": "depth", "max_depth": 5},
    "absolute error": {"loss": "absolute_error"},
    "first order": {"newton": False, "loss": "poisson"},
    "samples": {"subsample": 0.6, "colsample_bytree": 0.7, "colsample_bylevel": 0.8, "colsample_bynode": 0.8},
    "stopping": {"early_stopping": True},
}


def table(n=20_000):
    """Enough rows that every step of the engine is worth several threads."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6))
    X[rng.random(X.shape) < 0.05] = np.nan
    y = np.exp(np.nansum(X[:, :3], axis=1) / 4 + rng.normal(0, 0.2, n))
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["g"] = pd.Categorical(rng.integers(0, 40, n).astype(str))
    return frame, y


def digest(model, X):
    arrays = [*model.trees_.values(), model.train_score_, model.validation_score_, model.predict(X), model.apply(X)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.mark.parametrize("name", PARAMETERS)
def test_any_number_of_threads_gives_the_same_bits(name):
    X, y = table()
    model = GBDTRegressor(**{"n_estimators": 8, "early_stopping": False, "random_state": 0} | PARAMETERS[name])
    digests = {digest(model.set_params(n_jobs=n_jobs).fit(X, y), X) for n_jobs in (1, 2, 3, 8)}
    assert len(digests) == 1
    assert {digest(model.set_params(n_jobs=n_jobs), X) for n_jobs in (1, 2, 3, 8)} == digests  # predict alone


def test_many_classes_give_the_same_bits():
    X, y = table()
    labels = np.digitize(y, [0.8, 1.2])
    model = GBDTClassifier(n_estimators=4, early_stopping=False)
    assert len({digest(model.set_params(n_jobs=n_jobs).fit(X, labels), X) for n_jobs in (1, 2, 8)}) == 1


@pytest.mark.parametrize("state", [lambda: 3, lambda: np.random.RandomState(3)])
def test_random_state_decides_the_samples(state):
    X, y = table(2000)

    def predict(random_state):
        model = GBDTRegressor(n_estimators=5, subsample=0.5, colsample_bynode=0.5, random_state=random_state)
        return model.fit(X, y).predict(X)

    np.testing.assert_array_equal(predict(state()), predict(state()))
    assert (predict(state()) != predict(4)).any()
