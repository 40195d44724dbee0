"""Networks at run time: children that are forked, fits that fail or are interrupted."""

import os
import sys

import numpy as np
import pytest

from mlcore import nn
from mlcore.nn import NeuralClassifier, NeuralRegressor
from mlcore.nn import functional as F

THIS_PATH = os.pathsep.join(path for path in sys.path if path)
"""For processes of their own that import this file."""


def table(n=400):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 12)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def classifier(**options):
    return NeuralClassifier(
        **{"hidden_layer_sizes": (64, 64), "max_iter": 4, "random_state": 0, "n_jobs": 2, **options}
    )


def network_outputs():
    """Train a network of layers with kernels and random numbers of their own; return what it predicts as bytes."""
    nn.manual_seed(3)
    nn.set_num_threads(2)
    model = nn.Sequential(
        nn.Conv1d(1, 8, 5, padding=2), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(96, 2)
    )
    X, y = table()
    trainer = nn.Trainer(model, F.cross_entropy, max_epochs=2, batch_size=100)
    return trainer.fit(X[:, None], y).predict(X[:, None]).tobytes()


def test_forked_child_trains_and_predicts_as_its_parent(run_python):
    code = """
import os, sys, warnings
from nn import test_runtime as t
X, y = t.table()
model = t.classifier().fit(X, y)
predicted, trained = model.predict_proba(X).tobytes(), t.network_outputs()
sys.stdout.flush()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the fork itself
    child = os.fork()
    if child == 0:
        same = model.predict_proba(X).tobytes() == predicted
        same = same and model.fit(X, y).predict_proba(X).tobytes() == predicted
        os._exit(0 if same and t.network_outputs() == trained else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), t.network_outputs() == trained)
"""
    result = run_python(code, env={"PYTHONPATH": THIS_PATH})
    assert result.stdout.split() == ["0", "True"], result.stderr


def fails_in(call, failure):
    """Return a loss that raises in its `call`-th call."""
    n_calls = 0

    def loss(output, target):
        nonlocal n_calls
        n_calls += 1
        if n_calls == call:
            raise failure("in the loss")
        return F.cross_entropy(output, target, reduction="none")

    return loss


@pytest.mark.parametrize("failure", [ValueError, MemoryError, KeyboardInterrupt])
def test_new_fit_that_fails_leaves_the_estimator_unfitted(failure):
    X, y = table()
    model = classifier().fit(X, y)
    with pytest.raises(failure):
        model.set_params(loss=fails_in(5, failure)).fit(X, y)
    assert set(vars(model)) == set(model.get_params())


@pytest.mark.parametrize("failure", [ValueError, MemoryError, KeyboardInterrupt])
def test_partial_fit_that_fails_leaves_the_model_as_it_was(failure):
    X, y = table()
    X[:200, 3] = 1.0  # a column that varies only in the rows of the call that fails
    model = classifier(batch_size=50).partial_fit(X[:200], y[:200], classes=[0, 1])
    reference = classifier(batch_size=50).partial_fit(X[:200], y[:200], classes=[0, 1])
    before, attributes = model.predict_proba(X), set(vars(model))
    with pytest.raises(failure):
        model.set_params(loss=fails_in(3, failure)).partial_fit(X, y)  # two steps are made, then it fails
    assert set(vars(model)) == attributes
    assert np.array_equal(model.predict_proba(X), before)
    assert model.n_iter_ == len(model.history_) == 1
    model.set_params(loss="cross_entropy").partial_fit(X, y)  # goes on as if nothing had been
    assert np.array_equal(model.predict_proba(X), reference.partial_fit(X, y).predict_proba(X))
    with pytest.raises(failure):
        classifier(loss=fails_in(1, failure)).partial_fit(X, y, classes=[0, 1])


def test_first_partial_fit_that_fails_leaves_the_estimator_unfitted():
    X, y = table()
    model = classifier(loss=fails_in(2, ValueError), batch_size=50)
    with pytest.raises(ValueError, match="in the loss"):
        model.partial_fit(X, y, classes=[0, 1])
    assert set(vars(model)) == set(model.get_params())
    numbers = NeuralRegressor(n_jobs=1)
    with pytest.raises(ValueError, match="NaN"):
        numbers.partial_fit(X, np.where(y == 0, np.nan, 1.0))
    assert set(vars(numbers)) == set(numbers.get_params())


def test_same_bits_for_any_number_of_threads():
    X, y = table()
    results = [classifier(n_jobs=n_jobs).fit(X, y).predict_proba(X) for n_jobs in (1, 2, 3, 8)]
    assert all(np.array_equal(result, results[0]) for result in results[1:])
