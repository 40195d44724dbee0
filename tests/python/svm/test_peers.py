"""Kernel machines beside libsvm itself: dual objectives, labels, model files both ways."""

import ctypes
from itertools import combinations

import numpy as np
import pytest

from mlcore import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from mlcore._native import core

svmutil = pytest.importorskip("libsvm.svmutil")
pytestmark = pytest.mark.peers

KINDS = ["c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr"]
CLASSES = {"c_svc": SVC, "nu_svc": NuSVC, "one_class": OneClassSVM, "epsilon_svr": SVR, "nu_svr": NuSVR}
KERNELS = {"linear": "-t 0", "poly": "-t 1 -d 2 -r 1", "rbf": "-t 2", "sigmoid": "-t 3 -r -0.5"}


def data(n=200, d=5, n_classes=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + 0.5
    score = X[:, 0] + 0.2 * X[:, 1] ** 2 + 0.3 * rng.normal(size=n)
    return X, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes)), score


def libsvm(kind, kernel, X, y, tol=1e-3):
    options = f"-s {KINDS.index(kind)} {KERNELS[kernel]} -g 0.1 -n 0.6 -e {tol} -m 100 -q"
    return svmutil.svm_train(y.astype(float), X, options)


def values(model, X):
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


def their_values(model, X):
    """Labels and decision values; not by `svm_predict`, which has room for one value only if nu-SVC has many."""
    k = model.get_nr_class()
    room = (ctypes.c_double * max(k * (k - 1) // 2, 1))()
    rows = [svmutil.gen_svm_nodearray(row)[0] for row in X]
    found = [(svmutil.libsvm.svm_predict_values(model, row, room), *room) for row in rows]
    return np.array(found)[:, 0], np.array(found)[:, 1:]


def in_our_order(decided, labels):
    """Decision values of libsvm, one a pair of labels in its order, in the order and signs of sorted labels."""
    columns = dict(zip(combinations(labels, 2), decided.T, strict=True))
    return np.stack(
        [columns[a, b] if (a, b) in columns else -columns[b, a] for a, b in combinations(sorted(labels), 2)], 1
    )


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", KINDS)
def test_model_files_both_ways(kind, kernel, n_classes, tmp_path):
    X, labels, score = data(n_classes=n_classes)
    y = np.array([3, -1, 5, 0])[labels] if "svc" in kind else score
    path = str(tmp_path / "theirs")
    svmutil.svm_save_model(path, libsvm(kind, kernel, X, y))  # with eight digits
    theirs = svmutil.svm_load_model(path)
    ours = CLASSES[kind].load_libsvm(path)
    predicted, decided = their_values(theirs, X)
    if "svc" in kind:
        ours.set_params(decision_function_shape="ovo")
        decided = in_our_order(decided, theirs.get_labels())
        decided = -decided if n_classes == 2 else decided
        assert (
            ours.predict(X) == predicted
        ).mean() > 0.95  # of classes with as many votes the first one wins: theirs, ours
    elif kind == "one_class":
        assert (ours.predict(X) == predicted).mean() > 0.99
    size = np.abs(decided).max()
    np.testing.assert_allclose(
        values(ours, X), decided.squeeze(axis=1) if decided.shape[1] == 1 else decided, atol=1e-4 * size
    )

    ours.save_libsvm(tmp_path / "ours")
    again = svmutil.svm_load_model(str(tmp_path / "ours"))
    _, decided_again = their_values(again, X)
    if "svc" in kind:
        decided_again = in_our_order(decided_again, again.get_labels()) * (-1 if n_classes == 2 else 1)
    np.testing.assert_allclose(decided_again, decided, atol=1e-9 * size)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", KINDS)
def test_our_models_in_libsvm(kind, kernel, tmp_path):
    X, labels, score = data()
    nu = {} if kind in ("c_svc", "epsilon_svr") else {"nu": 0.6}
    parameters = {"kernel": kernel, "gamma": 0.1, "degree": 2, "coef0": -0.5 if kernel == "sigmoid" else 1.0}
    ours = CLASSES[kind](**parameters, **nu).fit(X, labels if "svc" in kind else score)
    ours.save_libsvm(tmp_path / "ours")
    theirs = svmutil.svm_load_model(str(tmp_path / "ours"))
    predicted, _ = their_values(theirs, X)
    if "svr" in kind:
        np.testing.assert_allclose(ours.predict(X), predicted, atol=1e-4 * np.abs(score).max())
    else:
        assert (ours.predict(X) == predicted).mean() > 0.99


def objective(kind, K, y, coef):
    """Value of the dual problem for the signed coefficients of all rows."""
    value = 0.5 * coef @ K @ coef
    if kind == "c_svc":
        value -= np.abs(coef).sum()
    elif kind == "epsilon_svr":
        value += 0.1 * np.abs(coef).sum() - coef @ y
    elif kind == "nu_svr":
        value -= coef @ y
    return value


@pytest.mark.parametrize("shrinking", [True, False])
@pytest.mark.parametrize("kind", ["c_svc", "epsilon_svr", "nu_svr", "one_class"])
def test_objectives_are_as_good(kind, shrinking):
    X, labels, score = data(700, n_classes=2)
    K = np.exp(-0.1 * ((X[:, None] - X[None]) ** 2).sum(axis=2))
    y = labels.astype(float) if kind == "c_svc" else score
    theirs = libsvm(kind, "rbf", X, 2 * labels - 1 if kind == "c_svc" else score)
    coef = np.zeros(len(X))
    coef[np.array(theirs.get_sv_indices()) - 1] = np.array(theirs.get_sv_coef())[:, 0]
    options = {"nu": 0.6, "epsilon": 0.1, "kernel": "rbf", "gamma": 0.1, "degree": 3, "coef0": 0.0, "tol": 1e-3}
    options |= {"cache_size": 1 << 26, "shrinking": shrinking, "max_iter": -1, "n_threads": 2, "report": None}
    ours = core.svm.train(kind, X, y, np.ones(len(X)), **options)
    mine = np.zeros(len(X))
    mine[ours["support"]] = ours["dual_coef"][0]
    best = objective(kind, K, y, coef)
    assert ours["objective"][0] == pytest.approx(objective(kind, K, y, mine), rel=1e-6)
    assert ours["objective"][0] <= best + 1e-6 * abs(best)
