"""libsvm's model files: written, read again, and refused when damaged."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel

from mlcore import SVC, SVR, NuSVC, NuSVR, OneClassSVM

MODELS = {
    "c_svc": SVC(kernel="poly", degree=2, coef0=0.5),
    "nu_svc": NuSVC(nu=0.3),
    "epsilon_svr": SVR(kernel="linear"),
    "nu_svr": NuSVR(kernel="sigmoid", gamma=0.01),
    "one_class": OneClassSVM(nu=0.2),
}


def data(n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 5))
    return X, 3 * rng.integers(0, n_classes, 80) - 4


def values(model, X):
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("form", ["float64", "float32", "csr", "thin csr"])
def test_there_and_back(kind, form, n_classes, tmp_path):
    X, y = data(n_classes)
    least = {"csr": 0.4, "thin csr": 1.5}.get(form)
    X = X.astype(form) if least is None else sp.csr_array(np.where(np.abs(X) < least, 0, X))
    model = MODELS[kind].fit(X, y)
    model.save_libsvm(tmp_path / "model")
    again = type(model).load_libsvm(tmp_path / "model", n_features=5)
    np.testing.assert_allclose(values(again, X), values(model, X), atol=2e-5)
    assert again.predict(X).dtype == model.predict(X).dtype
    for attribute in ("classes_", "n_support_", "dual_coef_", "intercept_", "offset_"):
        assert hasattr(again, attribute) == hasattr(model, attribute)
        if hasattr(model, attribute):
            np.testing.assert_array_equal(getattr(again, attribute), getattr(model, attribute), err_msg=attribute)
    assert isinstance(again.support_vectors_, sp.csr_array) == (form == "thin csr")
    assert (again.support_vectors_ != model.support_vectors_).sum() == 0
    again.save_libsvm(tmp_path / "again")
    assert (tmp_path / "again").read_text() == (tmp_path / "model").read_text()
    with pytest.raises(ValueError, match=r"X has 4 features, but .* is expecting 5"):
        again.predict(X[:, :4])


def test_the_text_is_as_documented(tmp_path):
    model = SVC(kernel="poly", degree=2, gamma=0.25, coef0=1.0, tol=1e-6).fit([[0.0, 1.0], [2.0, 0.0]], [7, 3])
    model.save_libsvm(tmp_path / "model")
    lines = (tmp_path / "model").read_text().split("\n")
    assert lines[:6] == [
        "svm_type c_svc",
        "kernel_type polynomial",
        "degree 2",
        "gamma 0.25",
        "coef0 1.0",
        "nr_class 2",
    ]
    assert lines[6] == "total_sv 2"
    assert lines[7].startswith("rho ")
    assert lines[8:11] == ["label 3 7", "nr_sv 1 1", "SV"]
    assert [line.split(" ", 1)[1].strip() for line in lines[11:13]] == ["1:2.0", "2:1.0"]
    assert lines[13:] == [""]


def test_labels_in_any_order(tmp_path):
    """Files of libsvm have the labels as they were met; sorted, two of these three pairs change sides."""
    (tmp_path / "model").write_text(
        "svm_type c_svc\nkernel_type linear\nnr_class 3\ntotal_sv 3\nrho 0.5 -0.25 0.125\nlabel 5 -2 3\nnr_sv 1 1 1\n"
        "SV\n1 2 1:1\n-3 4 2:1\n-5 -6 1:1 2:1\n"
    )
    model = SVC.load_libsvm(tmp_path / "model")
    model.set_params(decision_function_shape="ovo")
    rows = np.random.default_rng(0).normal(size=(50, 2))
    x, y, both = rows[:, 0], rows[:, 1], rows.sum(axis=1)
    by_hand = {(5, -2): x - 3 * y - 0.5, (5, 3): 2 * x - 5 * both + 0.25, (-2, 3): 4 * y - 6 * both - 0.125}
    assert model.classes_.tolist() == [-2, 3, 5]
    expected = np.stack([by_hand[-2, 3], -by_hand[5, -2], -by_hand[5, 3]], axis=1)
    np.testing.assert_allclose(model.decision_function(rows), expected, atol=1e-5)


@pytest.mark.parametrize("labels", ["1 -1", "-1 1"])
def test_two_classes_in_any_order(labels, tmp_path):
    (tmp_path / "model").write_text(
        f"svm_type c_svc\nkernel_type linear\nnr_class 2\ntotal_sv 2\nrho 0.5\nlabel {labels}\nnr_sv 1 1\nSV\n"
        "2 1:1\n-1 2:1\n"
    )
    model = SVC.load_libsvm(tmp_path / "model")
    assert model.classes_.tolist() == [-1, 1]
    sign = 1 if labels == "1 -1" else -1  # libsvm's value speaks for the first label of the file, ours for 1
    assert model.decision_function([[3.0, 1.0]]) == pytest.approx(sign * (6 - 1 - 0.5))
    np.testing.assert_allclose(model.coef_ * sign, [[2.0, -1.0]])


def test_precomputed_kernels(tmp_path):
    X, y = data()
    model = SVC(kernel="precomputed").fit(rbf_kernel(X), y)
    model.save_libsvm(tmp_path / "model")
    again = SVC.load_libsvm(tmp_path / "model", n_features=80)
    np.testing.assert_array_equal(again.support_, model.support_)
    np.testing.assert_array_equal(again.decision_function(rbf_kernel(X)), model.decision_function(rbf_kernel(X)))


@pytest.mark.parametrize("labels", [[False, True], [0.0, 2.0], [-5, 2]])
def test_whole_labels_of_any_type(labels, tmp_path):
    X, y = data(2)
    labels = np.array(labels)[(y == y.max()).astype(int)]
    model = SVC().fit(X, labels)
    model.save_libsvm(tmp_path / "model")
    np.testing.assert_array_equal(SVC.load_libsvm(tmp_path / "model").predict(X), model.predict(X))


@pytest.mark.parametrize("labels", [["a", "b"], [0.5, 1.5], [0, 2**40]])
def test_other_labels_are_refused(labels, tmp_path):
    X, y = data(2)
    model = SVC().fit(
        X, np.array(labels, dtype=object)[(y == y.max()).astype(int)].tolist() if labels != [0.5, 1.5] else y
    )
    if labels == [0.5, 1.5]:
        model.classes_ = np.array(labels)
    with pytest.raises(ValueError, match="labels in a libsvm model file are whole numbers, and SVC has "):
        model.save_libsvm(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved(tmp_path):
    X, y = data()
    with pytest.raises(NotFittedError):
        SVC().save_libsvm(tmp_path / "model")
    with pytest.raises(ValueError, match="a libsvm model file cannot hold the callable kernel of SVC"):
        SVC(kernel=rbf_kernel).fit(X, y).save_libsvm(tmp_path / "model")
    with pytest.raises(OSError, match="none"):
        SVC().fit(X, y).save_libsvm(tmp_path / "none" / "model")
    with pytest.raises(OSError, match="model"):
        SVC.load_libsvm(tmp_path / "model")
    SVC().fit(X, y).save_libsvm(tmp_path / "model")
    with pytest.raises(ValueError, match="holds a machine of type c_svc, and NuSVR is nu_svr"):
        NuSVR.load_libsvm(tmp_path / "model")
    with pytest.raises(ValueError, match=r"n_features=4, but .* has index 5"):
        SVC.load_libsvm(tmp_path / "model", n_features=4)


def test_no_support_vectors(tmp_path):
    X, _ = data()
    SVR(epsilon=10.0).fit(X, X[:, 0]).save_libsvm(tmp_path / "model")
    again = SVR.load_libsvm(tmp_path / "model", n_features=5)
    assert again.predict(X[:2]).tolist() == (again.intercept_.tolist() * 2)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    X, y = data()
    model = SVC().fit(X, y)
    model.save_libsvm(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()

    def stop(model):
        yield "1 "
        raise KeyboardInterrupt

    monkeypatch.setattr("mlcore.svm._model_file._vector_lines", stop)
    with pytest.raises(KeyboardInterrupt):
        model.save_libsvm(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


# ---- damaged files ---------------------------------------------------------------------------------------------------

GOOD = """svm_type c_svc
kernel_type rbf
gamma 0.5
nr_class 2
total_sv 2
rho 0.5
label 1 -1
nr_sv 1 1
SV
2 1:1 3:0.5
-1 2:1
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("svm_type c_svc", "svm_type d_svc", "svm_type must be one of c_svc, .*, got 'd_svc' in line 1"),
        ("kernel_type rbf", "kernel_type tree", "kernel_type must be one of linear, .*, got 'tree' in line 2"),
        ("kernel_type rbf", "kernel_type", "kernel_type must be one of .* in line 2"),
        ("gamma 0.5", "gamma x", "'x' is no number in line 3"),
        ("gamma 0.5", "gamma nan", "'nan' is not finite in line 3"),
        ("gamma 0.5", "gamma -1", "gamma must be >= 0, got -1.0 before line 9"),
        ("gamma 0.5", "gamma 1 2", "gamma must be one number, got 2 in line 3"),
        ("gamma 0.5\n", "", "'gamma' is missing before line 8"),
        ("nr_class 2", "nr_class 1", "1 must be a whole number from 2 to 2147483647 in line 4"),
        ("nr_class 2", "nr_class 3", "'rho' must have 3 numbers for nr_class 3, got 1 before line 9"),
        ("nr_class 2", "nr_class 99999999999999", "must be a whole number from 2 to"),
        ("nr_class 2", "nr_class two", "'two' is no whole number in line 4"),
        ("total_sv 2", "total_sv 3", "nr_sv sums to 2, and total_sv is 3, before line 9"),
        ("total_sv 2", "total_sv 2\ntotal_sv 2", "'total_sv' occurs a second time in line 6"),
        ("rho 0.5", "rho", "'rho' must have 1 numbers for nr_class 2, got 0"),
        ("rho 0.5", "rho inf", "'inf' is not finite in line 6"),
        ("label 1 -1", "label 1 1", "a label occurs a second time in line 7"),
        ("label 1 -1", "label 1 0.5", "'0.5' is no whole number in line 7"),
        ("label 1 -1\n", "", "'label' is missing before line 8"),
        ("nr_sv 1 1", "nr_sv 3 -1", "-1 must be a whole number from 0 to"),
        ("nr_sv 1 1", "nr_sv 1 1 0", "'nr_sv' must have 2 numbers for nr_class 2, got 3"),
        ("nr_sv 1 1", "colour blue", "unknown entry 'colour' in line 8"),
        ("SV\n", "", "unknown entry '2' in line 9"),
        ("2 1:1 3:0.5", "x 1:1", "'x' is no number in line 10"),
        ("2 1:1 3:0.5", "2 1:1 3", "'3' is no index:value in line 10"),
        ("2 1:1 3:0.5", "2 3:1 3:1", "index 3 comes after 3 in line 10"),
        ("2 1:1 3:0.5", "2 3:1 1:1", "index 1 comes after 3 in line 10"),
        ("2 1:1 3:0.5", "2 0:1", "0 must be a whole number from 1 to"),
        ("2 1:1 3:0.5", "2 1:inf", "'inf' is not finite in line 10"),
        ("2 1:1 3:0.5", "2 99999999999:1", "99999999999 must be a whole number from 1 to 2147483647 in line 10"),
        ("2 1:1 3:0.5", "", "a support vector needs 1 coefficients, got .* in line 10"),
        ("-1 2:1\n", "", "the file ends after 1 of 2 support vectors, at line 10"),
        ("-1 2:1\n", "-1 2:1\n-1 2:1\n", "there are more than the 2 support vectors of total_sv, at line 12"),
        ("-1 2:1\n", "-1 2:1 \xff\n", "is no text in line 11"),
    ],
)
def test_damage_is_found(old, new, message, tmp_path):
    assert old in GOOD
    (tmp_path / "model").write_bytes(GOOD.replace(old, new).encode("latin-1"))
    with pytest.raises(ValueError, match=message) as caught:
        SVC.load_libsvm(tmp_path / "model")
    assert str(caught.value).startswith(f"{tmp_path / 'model'} is no libsvm model file or is damaged: ")


def test_no_prefix_of_a_file_is_taken_for_the_whole(tmp_path):
    path = tmp_path / "model"
    path.write_text(GOOD)
    assert SVC.load_libsvm(path).predict([[1.0, 0.0, 0.5]]).tolist() == [1]
    for length in range(len(GOOD)):
        path.write_text(GOOD[:length])
        with pytest.raises(ValueError, match="line"):
            SVC.load_libsvm(path)


def test_random_bytes(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "model"
    good = np.frombuffer(GOOD.encode(), dtype=np.uint8)
    for _ in range(300):
        bad = good.copy()
        bad[rng.integers(0, len(bad), 2)] = rng.integers(0, 256, 2)
        path.write_bytes(bad.tobytes())
        try:
            model = SVC.load_libsvm(path)
        except ValueError as error:
            assert "line" in str(error)  # noqa: PT017
        else:
            assert model.predict(np.zeros((1, model.n_features_in_))).shape == (1,)


def test_a_huge_index_does_not_fill_the_memory(tmp_path):
    (tmp_path / "model").write_text(GOOD.replace("3:0.5", "2147483647:0.5"))
    model = SVC.load_libsvm(tmp_path / "model")
    assert model.n_features_in_ == 2147483647
    assert model.support_vectors_.nnz == 3


def test_probability_models_are_left_out(tmp_path):
    (tmp_path / "model").write_text(GOOD.replace("nr_sv", "probA -3.5\nprobB 0.25\nnr_sv"))
    with pytest.warns(UserWarning, match="probA, probB of libsvm's probability model are left out") as seen:
        SVC.load_libsvm(tmp_path / "model")
    assert seen[0].filename == __file__
