"""Boosting at run time: same bits for any number of threads and ISA level, fits side by side, Ctrl-C, fork."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from mlcore import GBDTClassifier, GBDTRegressor

THIS_PATH = os.pathsep.join(path for path in sys.path if path)
"""For processes of their own that import this file."""

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


def test_isa_levels_agree(isa_levels, run_python):
    code = """
from boosting import test_runtime as t
X, y = t.table(3000)
print(t.digest(t.GBDTRegressor(n_estimators=5, loss="poisson", random_state=0).fit(X, y), X))
"""
    runs = [run_python(code, env={"MLCORE_ISA": level, "PYTHONPATH": THIS_PATH}) for level in isa_levels]
    assert len({run.stdout for run in runs}) == 1
    assert len(runs[0].stdout.strip()) == 64, runs[0].stderr


def test_fits_in_threads_do_not_meet():
    X, y = table(5000)
    jobs = [
        {"n_estimators": 5, "max_leaf_nodes": leaves, "subsample": 0.7, "random_state": leaves}
        for leaves in range(2, 10)
    ]
    alone = [digest(GBDTRegressor(**job).fit(X, y), X) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: digest(GBDTRegressor(**job).fit(X, y), X), jobs))
    assert together == alone


def test_one_model_predicts_in_many_threads():
    X, y = table(5000)
    model = GBDTRegressor(n_estimators=5).fit(X, y)
    expected = model.predict(X)
    with ThreadPoolExecutor(4) as pool:
        for predicted in pool.map(lambda _: model.predict(X), range(12)):
            np.testing.assert_array_equal(predicted, expected)


def test_ctrl_c_leaves_the_model_unfitted(run_python):
    code = """
import os, signal, threading, time
import numpy as np
from sklearn.exceptions import NotFittedError
from mlcore import GBDTRegressor
X = np.random.default_rng(0).normal(size=(100_000, 20))
model = GBDTRegressor(n_estimators=100_000, early_stopping=False)
sent = []
def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(2.0, interrupt).start()
try:
    model.fit(X, X[:, 0])
except KeyboardInterrupt:
    print("stopped after", time.perf_counter() - sent[0])
try:
    model.predict(X)
except NotFittedError:
    print("unfitted")
print(model.set_params(n_estimators=2).fit(X, X[:, 0]).n_iter_)
"""
    result = run_python(code)
    stopped, unfitted, n_iterations = result.stdout.splitlines()
    assert float(stopped.split()[-1]) < 0.5
    assert unfitted == "unfitted"
    assert n_iterations == "2"


def test_forked_child_fits_and_predicts(run_python):
    code = """
import os, sys, warnings
from boosting import test_runtime as t
X, y = t.table()
model = t.GBDTRegressor(n_estimators=3, early_stopping=False, n_jobs=2).fit(X, y)
expected = t.digest(model, X)
sys.stdout.flush()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the fork itself
    child = os.fork()
    if child == 0:
        same = t.digest(model, X) == expected and t.digest(model.fit(X, y), X) == expected
        os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = run_python(code, env={"PYTHONPATH": THIS_PATH})
    assert result.stdout.strip() == "0", result.stderr
