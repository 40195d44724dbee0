"""Kernel machines at run time, beyond the contract of all classes: numbers of threads by kernel, the cache's bound."""

import hashlib

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import rbf_kernel

from mlcore import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from mlcore._native import core

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


def test_an_error_in_the_progress_ends_the_fit(monkeypatch):
    X, y = table(600)

    def update(self, *args, **figures):
        raise ZeroDivisionError

    monkeypatch.setattr("mlcore._progress.Progress.update", update)
    model = SVC(verbose=2)
    with pytest.raises(ZeroDivisionError):
        model.fit(X, y > 1)
    assert not hasattr(model, "support_")


@pytest.mark.slow
def test_rows_by_the_thousand_are_as_good_as_libsvm():
    from sklearn.svm import SVC as Theirs  # noqa: N811

    X, y = table(8000)
    a, b = SVC(C=10.0).fit(X, y), Theirs(C=10.0).fit(X, y)
    assert (a.predict(X) == b.predict(X)).mean() > 0.999
