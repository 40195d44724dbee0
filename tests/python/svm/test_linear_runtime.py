"""LinearSVC and LinearSVR at run time: same bits for any number of threads, seeds, fits side by side, Ctrl-C, fork."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore.svm import LinearSVC, LinearSVR

THIS_PATH = os.pathsep.join(path for path in sys.path if path)
"""For processes of their own that import this file."""

MODELS = {
    "hinge": LinearSVC(loss="hinge"),
    "squared, dual": LinearSVC(dual=True),
    "squared, primal": LinearSVC(dual=False),
    "l1": LinearSVC(penalty="l1"),
    "insensitive": LinearSVR(epsilon=0.1),
    "squared insensitive": LinearSVR(loss="squared_epsilon_insensitive"),
}


def table(n=8000):
    """Enough rows that sweeps are worth several threads."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 25))
    return X, np.digitize(X[:, :4].sum(axis=1) + rng.normal(size=n), [-2, 0, 2])


def digest(model, X, y):
    model = model.set_params(random_state=0, tol=1e-5).fit(X, y)
    return hashlib.sha256(model.coef_.tobytes() + model.intercept_.tobytes() + model.predict(X).tobytes()).hexdigest()


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("name", MODELS)
def test_any_number_of_threads_gives_the_same_bits(name, kind):
    X, y = table()
    if kind == "sparse":
        X = sp.csr_array(np.where(np.abs(X) < 1, 0, X))
    assert len({digest(MODELS[name].set_params(n_jobs=n_jobs), X, y) for n_jobs in (1, 2, 3, 8)}) == 1
    two = (y > 1).astype(int)
    assert len({digest(MODELS[name].set_params(n_jobs=n_jobs), X, two) for n_jobs in (1, 2, 8)}) == 1


@pytest.mark.filterwarnings("ignore:LinearSVC stopped at max_iter=3")
def test_random_state_decides_the_order():
    X, y = table(500)

    def coef(state):
        return LinearSVC(loss="hinge", max_iter=3, tol=1e-9, random_state=state).fit(X, y).coef_

    np.testing.assert_array_equal(coef(3), coef(np.random.RandomState(3)))
    assert (coef(3) != coef(4)).any()


def test_fits_in_threads_do_not_meet():
    X, y = table(2000)
    jobs = [LinearSVC(loss="hinge", C=0.01 * (k + 1)) for k in range(8)]
    alone = [digest(job, X, y) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda job: digest(job, X, y), jobs)) == alone


def test_ctrl_c_leaves_the_model_unfitted(run_python):
    code = """
import os, signal, threading, time
import numpy as np
from sklearn.exceptions import NotFittedError
from mlcore.svm import LinearSVC
rng = np.random.default_rng(0)
X = rng.random((20_000, 660), dtype=np.float32)  # too wide for Newton's method to end it early
y = rng.integers(0, 3, 20_000)
model = LinearSVC(loss="hinge", C=1000.0, tol=1e-9, max_iter=1_000_000)
sent = []
def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(1.0, interrupt).start()
try:
    model.fit(X, y)
except KeyboardInterrupt:
    print("stopped after", time.perf_counter() - sent[0])
try:
    model.predict(X)
except NotFittedError:
    print("unfitted")
print(model.set_params(C=1e-9, tol=0.1).fit(X[:50], y[:50]).coef_.shape)
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    stopped, unfitted, shape = result.stdout.splitlines()
    assert float(stopped.split()[-1]) < 0.5
    assert unfitted == "unfitted"
    assert shape == "(3, 660)"


def test_forked_child_fits_and_predicts(run_python):
    code = """
import os, sys, warnings
from svm import test_linear_runtime as t
X, y = t.table()
model = t.LinearSVC(loss="hinge", n_jobs=2)
expected = t.digest(model, X, y)
sys.stdout.flush()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the fork itself
    child = os.fork()
    if child == 0:
        os._exit(0 if t.digest(model, X, y) == expected else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = run_python(code, env={"PYTHONPATH": THIS_PATH})
    assert result.stdout.strip() == "0", result.stderr
