"""What the kernel machines make of bad input, beyond the contract of all classes: a clear error or a right answer."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

import mlcore
from mlcore import SVC, SVR, NuSVC, NuSVR, OneClassSVM, _io

ALL = [SVC, NuSVC, SVR, NuSVR, OneClassSVM]
everyone = pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] + rng.normal(size=60) > 0).astype(int)


def refuses(model, X, y, message, error=ValueError, **options):
    with pytest.raises(error, match=message):
        model.fit(X, y, **options)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


@pytest.mark.parametrize(
    ("cls", "parameters", "message"),
    [
        (SVC, {"C": 0.0}, r"'C' parameter of SVC must be a float in the range \(0.0, inf\]. Got 0.0"),
        (SVC, {"C": -1}, "'C' parameter of SVC"),
        (SVC, {"C": float("nan")}, "'C' parameter of SVC"),
        (SVC, {"kernel": "gauss"}, "'kernel' parameter of SVC must be a str among"),
        (SVC, {"gamma": -0.1}, "'gamma' parameter of SVC"),
        (SVC, {"gamma": "big"}, "'gamma' parameter of SVC"),
        (SVC, {"gamma": float("inf")}, "'gamma' parameter of SVC"),
        (SVC, {"degree": 2.5}, "'degree' parameter of SVC"),
        (SVC, {"degree": -1}, "'degree' parameter of SVC"),
        (SVC, {"coef0": float("inf")}, "'coef0' parameter of SVC"),
        (SVC, {"tol": 0.0}, "'tol' parameter of SVC"),
        (SVC, {"cache_size": 0}, "'cache_size' parameter of SVC"),
        (SVC, {"max_iter": -2}, "'max_iter' parameter of SVC"),
        (SVC, {"class_weight": "even"}, "'class_weight' parameter of SVC"),
        (SVC, {"class_weight": {0: -1.0}}, "class_weight of SVC must be finite and >= 0"),
        (SVC, {"class_weight": {0: 0.0, 1: 0.0}}, "class_weight of SVC must leave weight to one class at least"),
        (SVC, {"class_weight": {0: float("nan")}}, "class_weight of SVC must be finite and >= 0"),
        (SVC, {"decision_function_shape": "ova"}, "'decision_function_shape' parameter of SVC"),
        (SVC, {"n_jobs": 0}, "'n_jobs' parameter of"),
        (NuSVC, {"nu": 0.0}, r"'nu' parameter of NuSVC must be a float in the range \(0.0, 1.0\]"),
        (NuSVC, {"nu": 1.1}, "'nu' parameter of NuSVC"),
        (SVR, {"epsilon": -0.1}, "'epsilon' parameter of SVR"),
        (OneClassSVM, {"nu": 2}, "'nu' parameter of OneClassSVM"),
    ],
)
def test_bad_parameters(cls, parameters, message, data):
    refuses(cls(**parameters), *data, message)


def test_there_is_no_probability(data):
    with pytest.raises(TypeError, match="probability"):
        SVC(probability=True)


@everyone
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_kernels_that_are_not_finite(cls, value, data):
    X, y = data
    K = X @ X.T
    K[4, 5] = value
    refuses(cls(kernel="precomputed"), K, y, "NaN" if np.isnan(value) else "infinity")


def test_infeasible_nu():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array(["few"] * 6 + ["many"] * 24 + ["some"] * 10)
    message = (
        r"nu=0.5 of NuSVC is infeasible: it can be at most 0.4, twice the share of class 'few' in the weight \(number "
        r"of rows, if all weigh 1\) of the classes 'few' and 'many', which have 6 and 24"
    )
    refuses(NuSVC(nu=0.5), X, y, message)
    assert NuSVC(nu=0.4).fit(X, y).fit_status_ == 0  # the bound itself
    weight = np.where(y == "many", 0.25, 1.0)
    assert NuSVC(nu=0.7).fit(X, y, weight).fit_status_ == 0
    refuses(NuSVC(nu=0.8), X, y, "at most 0.75, twice the share of class 'few'", sample_weight=weight)


@everyone
def test_no_variance(cls, data):
    _, y = data
    message = f"gamma='scale' of {cls.__name__} .* the variance of X is 0: gamma is set to 1"
    for table in (np.full((60, 3), 2.0), np.zeros((60, 3)), sp.csr_array((60, 3))):
        model = cls(**({"nu": 0.1} if "nu" in cls().get_params() else {}))
        if cls is NuSVC:
            with pytest.warns(UserWarning, match=message):
                refuses(model, table, y, "not finite: with this kernel and nu there is no margin between the classes")
        else:
            with pytest.warns(UserWarning, match=message):
                model.fit(table, y)
            assert len(np.unique(model.predict(table))) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if cls is not NuSVC:
            cls(gamma="auto").fit(np.zeros((60, 3)), y)
            cls(kernel="linear").fit(np.full((60, 3), 2.0), y)


def test_large_values(data):
    X, y = data
    refuses(SVC(), 1e200 * X, y, "variance of X is too large for a float64: scale the features")
    for kernel in ("linear", "poly"):
        refuses(
            SVC(kernel=kernel, gamma=1.0),
            1e30 * X,
            y,
            "kernel values of SVC must fit a float32, got .*: scale the features",
        )
    refuses(SVC(kernel="linear"), sp.csr_array(1e30 * X), y, "kernel values of SVC must fit a float32")
    refuses(SVC(kernel="precomputed"), 1e39 * (X @ X.T), y, "kernel values of SVC must fit a float32")
    np.testing.assert_array_equal(SVC().fit(1e30 * X, y).predict(1e30 * X), SVC().fit(X, y).predict(X))


def test_hard_margin():
    X = np.r_[np.random.default_rng(0).normal(size=(40, 2)), [[0.0, 0.0]]]
    X[:, 0] += 0.5 * np.sign(X[:, 0])
    y = X[:, 0] > 0
    a, b = (SVC(C=C, kernel="linear", tol=1e-4).fit(X[:40], y[:40]) for C in (np.inf, 1e6))
    np.testing.assert_allclose(a.coef_, b.coef_)
    assert a.score(X[:40], y[:40]) == 1


# ---- kernels that are given ------------------------------------------------------------------------------------------


@everyone
def test_precomputed_kernels(cls, data):
    X, y = data
    K = X @ X.T
    name = cls.__name__
    refuses(cls(kernel="precomputed"), K[:, :50], y, rf"matrix of {name} must be square in fit.*got \(60, 50\)")
    lopsided = K.copy()
    lopsided[3, 8] += 0.5
    refuses(
        cls(kernel="precomputed"),
        lopsided,
        y,
        rf"training rows of {name} must be symmetric, got {lopsided[3, 8]:.6g} for rows 3 and 8 and {K[8, 3]:.6g} for",
    )
    refuses(cls(kernel="precomputed"), sp.csr_array(K), y, "[Ss]parse", error=TypeError)
    model = cls(kernel="precomputed", tol=1e-2).fit(K.astype(np.float32) + np.float32(0), y)
    with pytest.raises(ValueError, match=f"X has 3 features, but {name} is expecting 60 features") as caught:
        model.predict(K[:, :3])
    assert "a column for each training row" in caught.value.__notes__[0]


@everyone
def test_callable_kernels(cls, data):
    X, y = data
    name = cls.__name__

    def kernel(A, B):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        cls(kernel=kernel).fit(X, y)
    assert caught.value.__notes__ == [f"raised by the kernel of {name}, {kernel!r}, for 60 by 60 rows"]

    def wrong(value):
        return cls(kernel=lambda A, B: value)

    shape = rf"kernel of {name}, called for 60 by 60 rows, must return an array of shape \(60, 60\), got "
    refuses(wrong(np.ones((60, 3))), X, y, shape + r"\(60, 3\)")
    refuses(wrong(np.ones(60)), X, y, shape + r"\(60,\)")
    refuses(wrong(1.0), X, y, shape + r"\(\)")
    finite = f"the kernel of {name} must return finite numbers, got (nan|inf) for row 0 and row 0"
    refuses(wrong(np.full((60, 60), np.nan)), X, y, finite)
    refuses(wrong(np.full((60, 60), np.inf)), X, y, finite)
    numbers = f"the kernel of {name} must return a matrix of real numbers, got "
    refuses(wrong(None), X, y, shape + r"\(\)")
    refuses(wrong([["a"] * 60] * 60), X, y, numbers + "list", error=TypeError)
    refuses(wrong(np.ones((60, 60)) * 1j), X, y, numbers + "ndarray: complex", error=TypeError)
    refuses(
        wrong(np.arange(3600).reshape(60, 60)),
        X,
        y,
        f"kernel returns for the training rows of {name} must be symmetric",
    )

    calls = []

    def late(A, B):
        calls.append(0)
        return A @ B.T if len(calls) == 1 else np.ones((len(A), 1))

    model = cls(kernel=late).fit(X, y)
    with pytest.raises(ValueError, match=rf"kernel of {name}, called for 5 by \d+ rows, must return an array of shape"):
        model.predict(X[:5])


# ---- the rest --------------------------------------------------------------------------------------------------------


@everyone
def test_iteration_limit(cls, data):
    X, y = data
    X = np.tile(X, (4, 1)) + np.random.default_rng(1).normal(size=(240, 3))
    with pytest.warns(
        ConvergenceWarning, match=f"SMO of {cls.__name__} stopped at max_iter=3 steps: the largest KKT "
    ) as seen:
        model = cls(max_iter=3).fit(X, np.tile(y, 4))
    gap = float(str(seen[0].message).split("violation left is ")[1].split(",")[0])
    assert gap > 1e-3
    assert model.fit_status_ == 1
    assert np.max(model.n_iter_) <= 3
    assert model.predict(X).shape == (240,)
    assert seen[0].filename == __file__


def test_iteration_limit_of_pairs(data):
    X, _ = data
    with pytest.warns(ConvergenceWarning, match=r"stopped at max_iter=2 steps in 3 of 3 one-vs-one problems"):
        SVC(max_iter=2).fit(X, np.arange(60) % 3)


@everyone
def test_altered_models(cls, data):
    X, y = data
    model = cls().fit(X, y)
    model.n_support_ = model.n_support_ + 1
    with pytest.raises(ValueError, match=f"the internal representation of {cls.__name__} was altered"):
        model.predict(X)
    for attribute in ("support_vectors_", "dual_coef_"):
        model = cls().fit(X, y)
        setattr(model, attribute, getattr(model, attribute)[..., :2])
        with pytest.raises(ValueError, match=r"altered|features|columns"):
            model.predict(X)
    model = cls().fit(X, y)
    model.intercept_ = np.zeros(7)
    with pytest.raises(ValueError, match="intercept"):
        model.predict(X)
    model = cls().fit(sp.csr_array(X), y)
    model.support_vectors_.indices[0] = 100
    with pytest.raises(ValueError, match=r"column|indices"):
        model.predict(X)


@pytest.mark.parametrize(
    "change",
    [
        {"_kernel": {"name": "rbf", "beta": 1.0}},
        {"_kernel": {"name": "gauss"}},
        {"_kernel": {"name": "rbf", "gamma": -1.0}},
        {"_kernel": {"name": "poly", "degree": 0.5}},
        {"_kernel": 3},
        {"support_vectors_": {"csr": {"data": 1}, "shape": [1, 2]}},
        {"support_vectors_": {"csr": 3, "shape": [1, 2]}},
    ],
)
def test_forged_files(change, tmp_path, data, monkeypatch):
    model = SVC().fit(sp.csr_array(data[0]), data[1])
    state = model._get_state() | change
    monkeypatch.setattr(SVC, "_get_state", lambda self: state)
    with pytest.raises(ValueError, match=next(iter(change))):
        mlcore.save(model, tmp_path / "forged.safetensors")
    with monkeypatch.context() as unchecked:
        unchecked.setattr(_io, "_check", lambda estimator, state: None)
        mlcore.save(model, tmp_path / "forged.safetensors")
    with pytest.raises(ValueError, match="does not hold a valid SVC"):
        mlcore.load(tmp_path / "forged.safetensors")
