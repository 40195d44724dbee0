"""LogisticRegression at run time, beyond the contract of all classes: every solver, progress, states of its own."""

import hashlib
import logging
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

import mlcore
from mlcore import LogisticRegression

EXACT = ["lbfgs", "newton-cholesky", "coordinate_descent", "saga"]
OPTIMIZERS = ["gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam"]
WITH_L1 = ["coordinate_descent", "saga", "gd", "adam"]


def table(n=20_000, n_classes=2, d=12, *, sparse=False):
    """Enough rows that every pass over them is worth several threads."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    if sparse:
        X *= rng.random((n, d)) < 0.3
    y = (X @ rng.normal(size=(d, n_classes)) + 3 * rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    return (sp.csr_array(X) if sparse else X), y


def fit(X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs
        return LogisticRegression(**{"random_state": 0} | parameters).fit(X, y)


def digest(model, X):
    arrays = [model.coef_, model.intercept_, model.loss_curve_, model.n_iter_, model.decision_function(X)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


# ---- threads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [*EXACT, *OPTIMIZERS])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sparse", [False, True])
def test_any_number_of_threads_gives_the_same_bits(solver, n_classes, sparse):
    X, y = table(6000 if solver in ("sgd", "saga") else 20_000, n_classes, sparse=sparse)
    options = {"solver": solver, "max_iter": 4, "batch_size": 4096}
    models = [fit(X, y, n_jobs=n_jobs, **options) for n_jobs in (1, 2, 3, 8)]
    assert len({digest(model, X) for model in models}) == 1
    assert len({digest(models[0].set_params(n_jobs=n_jobs), X) for n_jobs in (1, 2, 3, 8)}) == 1  # predict alone


@pytest.mark.parametrize("solver", WITH_L1)
def test_l1_gives_the_same_bits(solver):
    X, y = table(6000)
    options = {"solver": solver, "max_iter": 5, "l1_ratio": 0.7, "C": 0.01}
    assert len({digest(fit(X, y, n_jobs=n_jobs, **options), X) for n_jobs in (1, 2, 8)}) == 1


@pytest.mark.parametrize("form", ["float32", "fortran"])
def test_other_tables_give_the_same_bits(form):
    X, y = table()
    X = X.astype(np.float32) if form == "float32" else np.asfortranarray(X)
    for solver in EXACT:
        assert len({digest(fit(X, y, solver=solver, max_iter=4, n_jobs=n_jobs), X) for n_jobs in (1, 2, 8)}) == 1


def test_isa_levels_agree(levels_to_compare, run_python):
    """Not to the last bit: levels add up lanes of different number. That far the solution itself is known."""
    code = """
from linear_model import test_logistic_runtime as t
X, y = t.table(2000, 3)
for solver in t.EXACT:
    print(*t.LogisticRegression(solver=solver, tol=1e-10, max_iter=10**5, random_state=0).fit(X, y).coef_.ravel())
"""
    runs = [run_python(code, env={"MLCORE_ISA": level}) for level in levels_to_compare]
    found = np.array([[line.split() for line in run.stdout.splitlines()] for run in runs], dtype=float)
    assert found.shape == (len(levels_to_compare), len(EXACT), 36), runs[0].stderr
    np.testing.assert_allclose(found, np.broadcast_to(found[0, 0], found.shape), atol=1e-7)


@pytest.mark.parametrize("state", [lambda: 3, lambda: np.random.RandomState(3)])
def test_random_state_decides_the_order(state):
    X, y = table(2000)

    def coef(random_state, solver):
        return fit(X, y, solver=solver, max_iter=2, random_state=random_state).coef_

    for solver in ("saga", "sgd", "adam"):
        np.testing.assert_array_equal(coef(state(), solver), coef(state(), solver))
        assert (coef(state(), solver) != coef(4, solver)).any()
    for solver in ("lbfgs", "newton-cholesky", "coordinate_descent"):
        np.testing.assert_array_equal(coef(1, solver), coef(2, solver))


def test_fits_in_threads_do_not_meet():
    X, y = table(5000, 3)
    jobs = [{"solver": solver, "C": C, "max_iter": 5} for solver in (*EXACT, "adam") for C in (0.1, 10)]
    alone = [digest(fit(X, y, **job), X) for job in jobs]
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = list(pool.map(lambda job: LogisticRegression(random_state=0, **job).fit(X, y), jobs))
    assert [digest(model, X) for model in models] == alone


# ---- interrupts ------------------------------------------------------------------------------------------------------


def test_ctrl_c_is_heard_in_every_solver_and_in_paths(run_python):
    code = """
import warnings
import numpy as np
from linear_model import test_logistic_runtime as t
from mlcore import LogisticRegression
from mlcore.linear_model import lasso_path
from support.process import interrupted
warnings.simplefilter("ignore")  # a solver that has come to its last digit stops by itself, and is begun again
rng = np.random.default_rng(0)
X = rng.normal(size=(30_000, 60)) * np.logspace(-2, 2, 60)
y = rng.integers(0, 8, len(X))
for solver in (*t.EXACT, "gd", "sgd", "adam"):
    model = LogisticRegression(max_iter=10**9, tol=0.0, C=1e9, solver=solver)
    waited = interrupted(lambda: model.fit(X, y), 0.3)
    print(*waited, hasattr(model, "coef_"))
X, y = rng.standard_normal((400, 20_000)), rng.standard_normal(400)
print(*interrupted(lambda: lasso_path(X, y, alphas=2000, eps=1e-5, tol=1e-12, max_iter=None), 0.3), False)
"""
    result = run_python(code)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[-1] for line in lines] == ["False"] * 8, result.stderr
    assert max(float(cpu) for cpu, _, _ in lines) < 1, lines


# ---- progress --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [*EXACT, "gd", "adam"])
def test_progress_is_a_line_an_iteration(solver, caplog):
    X, y = table(2000)
    with caplog.at_level(logging.INFO, logger="mlcore"):
        model = fit(X, y, solver=solver, max_iter=3, tol=1e-14, verbose=2)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == model.n_iter_[0]
    assert lines[0].startswith("LogisticRegression 1/3  loss 0.")


def test_progress_bar_and_silence(capsys):
    X, y = table(2000)
    fit(X, y, verbose=1)
    assert "LogisticRegression" in capsys.readouterr().err
    fit(X, y)
    assert capsys.readouterr() == ("", "")


# ---- pickle and files ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["binary", "multinomial", "sparse coefficients", "strings"])
def fitted(request):
    X, y = table(500, 2 if request.param == "binary" else 3)
    if request.param == "strings":
        y = np.array(["no", "maybe", "yes"], dtype=object)[y]
    model = fit(X, y, C=0.01, l1_ratio=1.0, class_weight="balanced")
    return X, (model.sparsify() if request.param == "sparse coefficients" else model)


def through_pickle(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def through_file(model, tmp_path):
    mlcore.save(model, tmp_path / "model.safetensors")
    return mlcore.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("way", [through_pickle, through_file])
def test_model_comes_back_as_it_was(way, fitted, tmp_path):
    X, model = fitted
    found = way(model, tmp_path)
    assert found.get_params() == model.get_params()
    assert set(vars(found)) == set(vars(model))
    assert sp.issparse(found.coef_) == sp.issparse(model.coef_)
    for method in ("predict", "predict_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(found, method)(X), getattr(model, method)(X))
    np.testing.assert_array_equal(found.loss_curve_, model.loss_curve_)
    assert found.optimality_ == model.optimality_
    assert found.solver_ == model.solver_
    assert found.classes_.dtype == model.classes_.dtype


def test_unfitted_model_goes_to_a_file(tmp_path):
    model = through_file(LogisticRegression(C=np.inf, class_weight={"a": 2.0}), tmp_path)
    assert np.inf == model.C
    assert model.class_weight == {"a": 2.0}
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coef_", np.zeros((1, 5))),
        ("coef_", np.zeros(12)),
        ("intercept_", np.zeros(3)),
        ("classes_", np.array([0, 1, 2])),
        ("n_features_in_", 7),
    ],
)
def test_forged_state_is_refused(name, value, tmp_path):
    X, y = table(500)
    model = fit(X, y)
    setattr(model, name, value)
    with pytest.raises(ValueError, match=r"^(coef_|intercept_|class_weight_) must"):
        through_file(model, tmp_path)
