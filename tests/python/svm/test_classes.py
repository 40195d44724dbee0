"""Classes of which no row has a weight: they stay classes, and are never predicted."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.ensemble import BaggingClassifier
from sklearn.metrics import roc_auc_score

import mlcore
from mlcore import SVC, LinearSVC, NuSVC
from support.svm_cases import rows

MACHINES = {
    "SVC": SVC(),
    "SVC linear": SVC(kernel="linear"),
    "SVC callable": SVC(kernel=lambda A, B: A @ B.T),
    "NuSVC": NuSVC(nu=0.3),
    "LinearSVC": LinearSVC(),
    "LinearSVC dual": LinearSVC(dual=True, random_state=0),
    "LinearSVC l1": LinearSVC(penalty="l1"),
}
everyone = pytest.mark.parametrize("name", MACHINES)


def fresh(name, **parameters):
    model = MACHINES[name]
    return type(model)(**model.get_params() | parameters)


@pytest.fixture(scope="module")
def data():
    X, labels, _, weight = rows(120)
    return X, np.array(["a", "b", "c"])[labels], weight


@everyone
@pytest.mark.parametrize("absent", ["a", "b", "c"])
def test_one_of_three_without_weight_is_never_predicted(name, absent, data):
    X, y, weight = data
    model = fresh(name).fit(X, y, np.where(y == absent, 0.0, weight))
    others = fresh(name).fit(X[y != absent], y[y != absent], weight[y != absent])
    assert model.classes_.tolist() == ["a", "b", "c"]
    far = 100 * np.random.default_rng(0).normal(size=(500, 4))
    for table in (X, far):
        predicted = model.predict(table)
        np.testing.assert_array_equal(predicted, others.predict(table))
        scores = model.decision_function(table)
        assert scores.shape == (len(table), 3)
        assert np.isfinite(scores).all()
        assert not (scores.argmax(axis=1) == "abc".index(absent)).any()
    again = fresh(name, class_weight={absent: 0.0}).fit(X, y, weight)
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


@everyone
def test_two_of_four_without_weight(name, data):
    X, y, weight = data
    y = np.where(np.arange(120) % 7 == 0, "d", y)
    model = fresh(name).fit(X, y, np.where(np.isin(y, ["a", "d"]), 0.0, weight))
    here = np.isin(y, ["b", "c"])
    others = fresh(name).fit(X[here], y[here], weight[here])
    np.testing.assert_array_equal(model.predict(X), others.predict(X))
    assert set(model.classes_[model.decision_function(X).argmax(axis=1)]) <= {"b", "c"}


@everyone
@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_class_left_is_a_constant_model(name, n_classes, data, tmp_path):
    X, y, weight = data
    X, y, weight = X[y <= "abc"[n_classes - 1]], y[y <= "abc"[n_classes - 1]], weight[y <= "abc"[n_classes - 1]]
    for winner in "abc"[:n_classes]:
        model = fresh(name).fit(X, y, np.where(y == winner, weight, 0.0))
        assert model.classes_.tolist() == list("abc"[:n_classes])
        assert set(model.predict(X)) == {winner}
        scores = model.decision_function(X)
        assert (scores == scores[0]).all()
        if n_classes == 2:
            assert (scores > 0).all() == (winner == "b")
        else:
            assert model.classes_[scores.argmax(axis=1)].tolist() == [winner] * len(X)
        if "callable" in name:
            continue
        mlcore.save(model, tmp_path / "constant.safetensors")
        again = mlcore.load(tmp_path / "constant.safetensors")
        np.testing.assert_array_equal(again.decision_function(X), scores)
        sparse = fresh(name).fit(sp.csr_array(X), y, np.where(y == winner, weight, 0.0))
        assert set(sparse.predict(sp.csr_array(X))) == {winner}
        assert set(sparse.predict(X)) == {winner}
    precomputed = SVC(kernel="precomputed").fit(X @ X.T, y, np.where(y == "a", 1.0, 0.0))
    assert set(precomputed.predict(X @ X.T)) == {"a"}


@pytest.mark.parametrize("name", ["SVC", "NuSVC"])
@pytest.mark.parametrize("left", [[0, 2], [1], [0]])
def test_model_files_of_libsvm_hold_classes_without_support_vectors(name, left, data, tmp_path):
    X, y, weight = data
    codes = np.searchsorted(["a", "b", "c"], y)
    model = fresh(name).fit(X, codes, np.where(np.isin(codes, left), weight, 0.0))
    model.save_libsvm(tmp_path / "model")
    again = type(model).load_libsvm(tmp_path / "model", n_features=4)
    np.testing.assert_array_equal(again.classes_, [0, 1, 2])
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    svmutil = pytest.importorskip("libsvm.svmutil")
    theirs = svmutil.svm_load_model(str(tmp_path / "model"))
    nodes = [svmutil.gen_svm_nodearray(row)[0] for row in X.tolist()]
    predicted = [svmutil.libsvm.svm_predict(theirs, node) for node in nodes]
    np.testing.assert_array_equal(predicted, model.predict(X))


def test_balanced_factors_are_those_of_the_classes_that_have_a_weight(data):
    X, y, _ = data
    model = SVC(class_weight="balanced").fit(X, y, (y != "b").astype(float))
    n = (y == "a").sum() + (y == "c").sum()
    np.testing.assert_allclose(model.class_weight_[[0, 2]], [n / (2 * (y == "a").sum()), n / (2 * (y == "c").sum())])
    assert model.n_support_[1] == 0


@everyone
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_bag_without_the_rare_class_does_not_end_the_ensemble(name, data):
    if "NuSVC" in name:
        pytest.skip("nu is infeasible for so rare a class")
    X = np.random.default_rng(0).normal(size=(100, 3))
    y = np.zeros(100, dtype=int)
    y[:2] = 1
    X[:2] += 3
    bag = BaggingClassifier(fresh(name), n_estimators=20, random_state=0).fit(X, y)
    score = np.mean([model.decision_function(X) for model in bag.estimators_], axis=0)
    assert roc_auc_score(y, score) > 0.9
