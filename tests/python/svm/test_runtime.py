"""Kernel machines at run time: same bits for any number of threads, the bound of the cache, Ctrl-C, fork."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import rbf_kernel

from mlcore import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from mlcore._native import core

THIS_PATH = os.pathsep.join(path for path in sys.path if path)
"""For processes of their own that import this file."""

MODELS = {
    "SVC": SVC(C=2.0),
    "SVC poly": SVC(kernel="poly", gamma=0.2, coef0=1.0),
    "NuSVC": NuSVC(nu=0.3),
    "SVR": SVR(kernel="linear", C=0.1),
    "NuSVR": NuSVR(nu=0.3),
    "OneClassSVM": OneClassSVM(nu=0.2),
}


def table(n=1500, d=6):
    """Enough rows that every step is worth several threads."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, np.digitize(np.sin(2 * X[:, 0]) + X[:, 1] + 0.5 * rng.normal(size=n), [-0.7, 0.0, 0.7])


def digest(model, X):
    arrays = [model.support_, model.n_support_, model.dual_coef_, model.intercept_, np.asarray(model.n_iter_)]
    arrays += [
        model.predict(X),
        model.decision_function(X) if hasattr(model, "decision_function") else model.intercept_,
    ]
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["float64", "float32", "csr"])
def test_any_number_of_threads_gives_the_same_bits(name, kind):
    X, y = table()
    X = sp.csr_array(np.where(np.abs(X) < 0.5, 0, X)) if kind == "csr" else X.astype(kind)
    model = MODELS[name]
    digests = {digest(model.set_params(n_jobs=n_jobs).fit(X, y), X) for n_jobs in (1, 2, 3, 8)}
    assert len(digests) == 1
    assert {digest(model.set_params(n_jobs=n_jobs), X) for n_jobs in (1, 2, 3, 8)} == digests  # predict alone
    assert digest(model.fit(X, y), X) in digests  # a second fit


def test_given_kernels_give_the_same_bits():
    X, y = table(800)
    K = rbf_kernel(X, gamma=0.2)
    model = SVC(kernel="precomputed")
    assert len({digest(model.set_params(n_jobs=n_jobs).fit(K, y), K) for n_jobs in (1, 2, 8)}) == 1


@pytest.mark.parametrize("kind", ["c_svc", "nu_svc", "epsilon_svr", "nu_svr", "one_class"])
@pytest.mark.parametrize("cache_mib", [0.25, 1, 4, 64])
def test_kernel_rows_stay_within_the_cache(kind, cache_mib):
    X, y = table(2000)
    y = y.astype(float) if "svc" in kind else X[:, 0].copy()
    options = {"nu": 0.2, "epsilon": 0.1, "kernel": "rbf", "gamma": 0.2, "degree": 3, "coef0": 0.0, "tol": 1e-3}
    result = core.svm.train(
        kind,
        X,
        y,
        np.ones(2000),
        cache_size=int(cache_mib * 2**20),
        shrinking=True,
        max_iter=-1,
        n_threads=2,
        report=None,
        **options,
    )
    assert result["converged"].all()
    assert 0 < result["cache_peak"] <= cache_mib * 2**20


def test_cache_size_does_not_change_the_solution():
    X, y = table(2000)
    a, b = (SVC(cache_size=size, tol=1e-5, decision_function_shape="ovo").fit(X, y) for size in (0.1, 200))
    np.testing.assert_allclose(a.decision_function(X), b.decision_function(X), atol=1e-3)


def test_isa_levels_agree(isa_levels, run_python):
    code = """
from svm import test_runtime as t
X, y = t.table(500)
model = t.SVC(decision_function_shape="ovo", tol=1e-5).fit(X, y)
print(*(round(value, 3) + 0.0 for value in model.decision_function(X[:40]).ravel()))
print(len(model.support_))
"""
    runs = [run_python(code, env={"MLCORE_ISA": level, "PYTHONPATH": THIS_PATH}) for level in isa_levels]
    values = [np.array(run.stdout.split(), dtype=float) for run in runs]
    assert len(values[0]) == 241, runs[0].stderr
    for other in values[1:]:
        np.testing.assert_allclose(other, values[0], atol=3e-3)


def test_fits_in_threads_do_not_meet():
    X, y = table(600)
    jobs = [{"C": 0.5 * k, "cache_size": 0.5} for k in range(1, 9)]
    alone = [digest(SVC(**job).fit(X, y), X) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: digest(SVC(**job).fit(X, y), X), jobs))
    assert together == alone


def test_one_model_predicts_in_many_threads():
    X, y = table(600)
    model = SVC().fit(X, y)
    expected = model.decision_function(X)
    with ThreadPoolExecutor(4) as pool:
        for predicted in pool.map(lambda _: model.decision_function(X), range(12)):
            np.testing.assert_array_equal(predicted, expected)


@pytest.mark.parametrize("y", ["X[:, 0] > 0", "np.digitize(X[:, 0], [-0.5, 0.5])"])
def test_ctrl_c_leaves_the_model_unfitted(y, run_python):
    code = f"""
import os, signal, threading, time
import numpy as np
from sklearn.exceptions import NotFittedError
from mlcore import SVC
X = np.random.default_rng(0).normal(size=(60_000, 20))
y = {y}
y = np.where(np.random.default_rng(1).random(60_000) < 0.3, y[::-1], y)
model = SVC(C=100.0)
sent = []
def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(2.0, interrupt).start()
try:
    model.fit(X, y)
except KeyboardInterrupt:
    print("stopped after", time.perf_counter() - sent[0])
try:
    model.predict(X)
except NotFittedError:
    print("unfitted")
print(model.fit(X[:200], y[:200]).fit_status_)
"""
    result = run_python(code)
    assert result.stdout, result.stderr
    stopped, unfitted, status = result.stdout.splitlines()
    assert float(stopped.split()[-1]) < 1.0
    assert unfitted == "unfitted"
    assert status == "0"


def test_an_error_in_the_progress_ends_the_fit(monkeypatch):
    X, y = table(600)

    def update(self, *args, **figures):
        raise ZeroDivisionError

    monkeypatch.setattr("mlcore._progress.Progress.update", update)
    model = SVC(verbose=2)
    with pytest.raises(ZeroDivisionError):
        model.fit(X, y > 1)
    assert not hasattr(model, "support_")


def test_forked_child_fits_and_predicts(run_python):
    code = """
import os, sys, warnings
from svm import test_runtime as t
X, y = t.table()
model = t.SVC(n_jobs=2).fit(X, y)
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


@pytest.mark.slow
def test_rows_by_the_thousand_are_as_good_as_libsvm():
    from sklearn.svm import SVC as Theirs  # noqa: N811

    X, y = table(8000)
    a, b = SVC(C=10.0).fit(X, y), Theirs(C=10.0).fit(X, y)
    assert (a.predict(X) == b.predict(X)).mean() > 0.999
