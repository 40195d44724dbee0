"""Kernel machines: scikit-learn's attributes and answers, kernels that are given."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.svm
from sklearn.datasets import make_blobs
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import cross_val_score

import mlcore
from mlcore import SVC, OneClassSVM
from support.svm_cases import KERNELS, everyone, make, rows, target, values

ATTRIBUTES = ["classes_", "class_weight_", "support_", "n_support_", "support_vectors_", "dual_coef_", "intercept_"]
ATTRIBUTES += ["offset_", "coef_", "fit_status_", "shape_fit_", "n_features_in_"]


def compare(ours, theirs, X, atol, *, has_one_solution):
    """Attribute by attribute, then the answers; `atol` is a share of the largest number."""
    for attribute in ATTRIBUTES:
        assert hasattr(ours, attribute) == hasattr(theirs, attribute), attribute
        if not hasattr(theirs, attribute):
            continue
        a, b = getattr(ours, attribute), getattr(theirs, attribute)
        a, b = (part.toarray() if sp.issparse(part) else np.asarray(part) for part in (a, b))
        assert (a.ndim, a.dtype.kind) == (b.ndim, b.dtype.kind), attribute
        if has_one_solution or attribute in ("classes_", "class_weight_", "fit_status_", "shape_fit_"):
            assert a.shape == b.shape, attribute
            size = np.abs(b).max(initial=1) if b.dtype.kind == "f" else 0
            np.testing.assert_allclose(a, b, atol=atol * size, rtol=0, err_msg=attribute)
    assert np.shape(ours.n_iter_) == np.shape(theirs.n_iter_)
    a, b = values(ours, X), values(theirs, X)
    np.testing.assert_allclose(a, b, atol=atol * np.abs(b).max() + (1e-5 if has_one_solution else 3e-4))
    a, b = ours.predict(X), theirs.predict(X)
    assert a.dtype == b.dtype
    is_clear = np.abs(values(theirs, X)) > 1e-3 if a.dtype.kind != "f" else slice(0)
    if np.ndim(is_clear) < 2:
        np.testing.assert_array_equal(a[is_clear], b[is_clear])
    else:
        assert (a == b).mean() > 0.98  # a row on a border may lie on either side


@everyone
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", ["float64", "float32", "csr"])
def test_same_as_scikit_learn(name, kernel, kind):
    X, labels, y, weight = rows()
    X = sp.csr_array(np.where(np.abs(X) < 0.4, 0, X)) if kind == "csr" else X.astype(kind)
    new = sp.csr_array(rows(seed=1)[0]) if kind == "csr" else rows(seed=1)[0].astype(kind)
    parameters = {"kernel": kernel, "tol": 1e-5} | ({"decision_function_shape": "ovo"} if "SVC" in name else {})
    parameters |= {"gamma": 0.3} if kernel == "rbf" else {}  # scikit-learn's "scale" takes no notice of weights
    ours, theirs = (
        make(name, module, **parameters).fit(X, target(name, labels, y), sample_weight=weight)
        for module in (mlcore, sklearn.svm)
    )
    # the kernel matrix of the others has less than full rank, or is none of inner products
    compare(ours, theirs, new, atol=1e-3, has_one_solution=kernel.startswith("rbf"))
    assert ours.support_vectors_.dtype == X.dtype
    assert isinstance(ours.support_vectors_, sp.csr_array) == (kind == "csr")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 2: 0.5}, "balanced"])
def test_class_weights_as_in_scikit_learn(weighted, class_weight):
    X, labels, _, weight = rows()
    weight = weight if weighted and class_weight != "balanced" else None  # scikit-learn balances numbers of rows
    models = [
        module.SVC(class_weight=class_weight, gamma=0.3, tol=1e-5, decision_function_shape="ovo").fit(X, labels, weight)
        for module in (mlcore.svm, sklearn.svm)
    ]
    compare(*models, X, atol=1e-3, has_one_solution=True)


@everyone
@pytest.mark.parametrize("options", [{"shrinking": False}, {"cache_size": 1e-3}, {"cache_size": 0.05}])
def test_shrinking_and_cache_do_not_change_the_solution(name, options):
    X, labels, y, _ = rows(250)
    a, b = (make(name, tol=1e-5, **given).fit(X, target(name, labels, y)) for given in ({}, options))
    np.testing.assert_allclose(values(a, X), values(b, X), atol=2e-3 if name == "NuSVC" else 5e-4)


@pytest.mark.parametrize("name", ["SVC", "NuSVC"])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_shapes_of_the_decision_function(name, n_classes):
    X, labels = make_blobs(240, 3, centers=n_classes, cluster_std=2.5, random_state=0)
    X += np.random.default_rng(0).normal(size=X.shape)
    names = np.array(list("fedcba"))[labels]
    for shape in ("ovr", "ovo"):
        ours, theirs = (
            make(name, module, decision_function_shape=shape, tol=1e-5).fit(X, names)
            for module in (mlcore, sklearn.svm)
        )
        # votes may go the other way for rows on a border; a margin near 0 makes values of NuSVC large and uncertain
        is_close = np.abs(ours.decision_function(X) - theirs.decision_function(X)) < 1e-2
        assert is_close.mean() > 0.95
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        assert (ours.predict(X) == theirs.predict(X)).mean() > 0.99
    ours.set_params(decision_function_shape="ovr", break_ties=True)
    if n_classes > 2:
        np.testing.assert_array_equal(ours.predict(X), ours.classes_[ours.decision_function(X).argmax(axis=1)])
    with pytest.raises(ValueError, match=r"break_ties=True of .* needs decision_function_shape='ovr'"):
        ours.set_params(decision_function_shape="ovo").predict(X)


def test_votes_are_counted_as_libsvm_does():
    X, labels = make_blobs(400, 2, centers=8, cluster_std=5.0, random_state=1)
    model = SVC(decision_function_shape="ovo").fit(X, labels)
    decided = model.decision_function(X)
    votes = np.zeros((400, 8))
    for k, (i, j) in enumerate(combinations(range(8), 2)):
        winner = np.where(decided[:, k] > 0, i, j)
        votes[np.arange(400), winner] += 1
    np.testing.assert_array_equal(model.predict(X), votes.argmax(axis=1))


def test_many_pairs_are_decided_in_blocks(monkeypatch):
    X, labels = make_blobs(3000, 3, centers=5, cluster_std=5.0, random_state=1)
    model = SVC().fit(X[:300], labels[:300])
    tables = [X, sp.csr_array(X), pd.DataFrame(X)]
    expected = [(model.predict(table), model.decision_function(table)) for table in tables]
    monkeypatch.setattr("mlcore.svm._classifier._BLOCK", 1)
    for table, (labels, decided) in zip(tables, expected, strict=True):
        np.testing.assert_array_equal(model.predict(table), labels)
        np.testing.assert_array_equal(model.decision_function(table), decided)


def test_outliers_and_scores():
    X, *_ = rows(200)
    model = OneClassSVM(nu=0.2).fit(X)
    np.testing.assert_array_equal(model.predict(X), np.where(model.decision_function(X) >= 0, 1, -1))
    np.testing.assert_allclose(model.score_samples(X) - model.offset_, model.decision_function(X), atol=1e-12)
    np.testing.assert_array_equal(model.fit_predict(X), model.predict(X))
    assert model.offset_ == -model.intercept_
    np.testing.assert_allclose(
        model.score_samples(X), sklearn.svm.OneClassSVM(nu=0.2).fit(X).score_samples(X), rtol=1e-2
    )


@pytest.mark.parametrize("name", ["SVC", "SVR", "OneClassSVM"])
def test_coef_is_of_linear_kernels_only(name):
    X, labels, y, _ = rows()
    model = make(name, kernel="linear").fit(X, target(name, labels, y))
    biases = model.intercept_ if name != "SVC" else model.set_params(decision_function_shape="ovo").intercept_
    np.testing.assert_allclose((X @ model.coef_.T + biases).reshape(90, -1).squeeze(), values(model, X), atol=1e-4)
    assert not model.coef_.flags.writeable
    with pytest.raises(AttributeError, match=r"coef_ of .* is only available with kernel='linear'"):
        _ = make(name).fit(X, target(name, labels, y)).coef_
    assert not hasattr(make(name, kernel="linear"), "coef_")  # before fit


# ---- kernels that are given ------------------------------------------------------------------------------------------


@everyone
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_precomputed_and_callable_kernels_are_the_same_as_rbf(name, dtype):
    X, labels, y, weight = rows()
    weight[:9] = 0
    new = rows(30, seed=1)[0]
    goal = target(name, labels, y)
    model = make(name, gamma=0.3, tol=1e-5).fit(X, goal, sample_weight=weight)
    K = rbf_kernel(X, gamma=0.3).astype(dtype)
    precomputed = make(name, kernel="precomputed", tol=1e-5).fit(K, goal, sample_weight=weight)
    calls = []

    def kernel(A, B):
        calls.append((len(A), len(B)))
        return rbf_kernel(A, B, gamma=0.3).astype(dtype)

    called = make(name, kernel=kernel, tol=1e-5).fit(X, goal, sample_weight=weight)
    expected = values(model, new)
    atol = 1e-4 * (20 if name == "NuSVC" else 1)
    np.testing.assert_allclose(values(precomputed, rbf_kernel(new, X, gamma=0.3).astype(dtype)), expected, atol=atol)
    np.testing.assert_allclose(values(called, new), expected, atol=atol)
    assert calls == [
        (81, 81),
        (30, len(called.support_)),
    ]  # rows without weight and without influence are not asked for
    for other in (precomputed, called):
        np.testing.assert_array_equal(other.support_, model.support_)
        np.testing.assert_array_equal(other.n_support_, model.n_support_)
    assert precomputed.support_vectors_.shape == (0, 0)
    assert precomputed.shape_fit_ == (90, 90)
    assert precomputed.n_features_in_ == 90
    np.testing.assert_array_equal(called.support_vectors_, X[called.support_])
    assert called.n_features_in_ == 4


def test_kernel_of_strings():
    words = ["aab", "aba", "baa", "aaa", "bbb", "bba", "bab", "abb"] * 3
    counts = [word.count("a") for word in words]

    def kernel(A, B):
        return [[sum(a.count(c) * b.count(c) for c in "ab") for b in B] for a in A]

    model = SVC(kernel=kernel).fit(words, [count > 1 for count in counts])
    assert model.predict(["aaaa", "bbbb"]).tolist() == [True, False]
    assert model.support_vectors_ == [words[i] for i in model.support_]


def test_precomputed_kernel_in_cross_validation():
    X, labels, *_ = rows()
    K = rbf_kernel(X, gamma=0.25)
    a = cross_val_score(SVC(kernel="precomputed"), K, labels, cv=3)
    np.testing.assert_array_equal(a, cross_val_score(SVC(gamma=0.25), X, labels, cv=3))


def test_a_later_change_of_parameters_does_not_touch_the_fitted_model():
    X, labels, *_ = rows()
    model = SVC().fit(X, labels)
    expected = model.decision_function(X)
    np.testing.assert_array_equal(model.set_params(kernel="poly", gamma=7.0).decision_function(X), expected)


@pytest.mark.parametrize("kind", ["float64", "csr"])
def test_gamma(kind):
    X, labels, *_ = rows()
    X[np.abs(X) < 0.7] = 0
    table = sp.csr_array(X) if kind == "csr" else X
    for gamma, expected in (("scale", 1 / (4 * X.var())), ("auto", 0.25), (0.7, 0.7), (2, 2.0)):
        assert SVC(gamma=gamma).fit(table, labels)._kernel.gamma == pytest.approx(expected, rel=1e-12)
    weight = np.random.default_rng(0).integers(0, 3, 90)
    copies = np.repeat(X, weight, axis=0)
    assert SVC().fit(table, labels, weight)._kernel.gamma == pytest.approx(1 / (4 * copies.var()), rel=1e-12)
    big = (1e6 + X).astype(np.float32)  # the mean must not swallow the variance
    assert SVC().fit(big, labels)._kernel.gamma == pytest.approx(1 / (4 * big.astype(np.float64).var()), rel=1e-9)
