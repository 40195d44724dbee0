"""Sparse matrices whose attributes lie: a ValueError that says what is wrong, in every method, and never a crash.

In a process of its own: the fault that is tested for ends the process.
"""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import mlcore
from mlcore import Lasso
from mlcore._sparse import check_sparse
from support.process import run_python

OTHER_METHODS = ("score", "apply", "staged_predict")
"""What takes rows, beside what every class is asked for."""

ATTACK = """
import warnings
import numpy as np
from contract.cases import make, names_of
from support.fingerprint import METHODS
from test_sparse import OTHER_METHODS, forged, matrix
warnings.simplefilter("ignore")
X, y = matrix(), np.arange(60) % 3
attacks = list(forged())
for name in names_of("classifier", "regressor", "rows"):
    if not make(name).__sklearn_tags__().input_tags.sparse:
        continue
    model = make(name).fit(X, y)
    calls = {"fit": lambda bad: make(name).fit(bad, y)}
    for method in (*METHODS, *OTHER_METHODS):
        if hasattr(model, method):
            calls[method] = getattr(model, method)
    if "score" in calls:
        calls["score"] = lambda bad: model.score(bad, y)
    if "staged_predict" in calls:
        calls["staged_predict"] = lambda bad: list(model.staged_predict(bad))
        calls["X_val"] = lambda bad: make(name).fit(X, y, X_val=bad, y_val=y)
    for method, call in calls.items():
        for what, bad in attacks:
            print(name, method, what, flush=True)  # the last line says where the process ended
            try:
                call(bad)
            except ValueError as error:
                assert "X of " + name + " is no valid sparse matrix" in str(error), str(error)
            else:
                raise AssertionError("no error")
print("refused")
"""


def matrix():
    return sp.random_array((60, 4), density=0.6, format="csr", rng=np.random.default_rng(0))


def forged():
    """Yield what is wrong, and the matrix."""

    def having(kind, attribute, *entries):
        X = matrix().asformat(kind)
        values = np.array(getattr(X, attribute))
        for place, value in entries:
            values[place] = value
        setattr(X, attribute, values)
        return X

    for kind in ("csr", "csc", "bsr"):
        n = len(matrix().asformat(kind).indptr) - 1
        for value in (100_000, -5, 2**31 - 1, -(2**31)):
            yield f"{kind} indptr {value}", having(kind, "indptr", (n // 2, value))
            yield f"{kind} last indptr {value}", having(kind, "indptr", (n, value))
            yield f"{kind} indices {value}", having(kind, "indices", (3, value))
        yield f"{kind} first indptr", having(kind, "indptr", (0, 1))
        yield f"{kind} indices", having(kind, "indices", (-1, 60))
        for attribute, change in (
            ("indptr", lambda a: a[:-1]),
            ("indptr", lambda a: np.append(a, a[-1])),
            ("indptr", lambda a: a.astype(float)),
            ("indptr", lambda a: a.reshape(1, -1)),
            ("indices", lambda a: a[:-1]),
            ("indices", lambda a: a.astype(float)),
            ("data", lambda a: a[:-1]),
        ):
            X = matrix().asformat(kind)
            setattr(X, attribute, change(getattr(X, attribute)))
            yield f"{kind} {attribute} changed", X
        wide = matrix().asformat(kind)
        wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
        wide.indices[5] = 2**62
        yield f"{kind} int64", wide
    yield "coo row", having("coo", "row", (2, 60))
    yield "coo col", having("coo", "col", (2, -1))
    X = matrix().tocoo()
    X.data = X.data[:-1]
    yield "coo data", X
    yield "dia", having("dia", "offsets", (0, 2))
    X = matrix().todia()
    X.data = X.data[:-1]
    yield "dia data", X
    X = matrix().tolil()
    X.rows[7] = [4]
    X.data[7] = [1.0]
    yield "lil place", X
    X = matrix().tolil()
    X.data[7] = [1.0] * 9
    yield "lil lengths", X
    X = matrix().todok()
    X._dict[(60, 0)] = 1.0
    yield "dok", X


def run(code):
    process = run_python(code, timeout=300)
    last = process.stdout.splitlines()[-1:]
    assert (process.returncode, last) == (0, ["refused"]), process.stderr[-500:]


def test_every_method_refuses_a_matrix_that_lies():
    run(ATTACK)


ALTERED = """
import numpy as np, warnings
from mlcore import LinearSVC, LogisticRegression, SVC, SVR
from test_sparse import matrix
warnings.simplefilter("ignore")
X, y = matrix(), np.arange(60) % 3
for kernel in ("linear", "rbf"):
    for model in (SVC(kernel=kernel).fit(X, y), SVR(kernel=kernel).fit(X, y)):
        model.support_vectors_.indptr[5] = 1 << 20
        for what in ("predict", "coef_")[: 2 if kernel == "linear" else 1]:
            try:
                model.predict(X) if what == "predict" else model.coef_
            except ValueError as error:
                assert "support_vectors_ of SV" in str(error), str(error)
            else:
                raise AssertionError(kernel)
for model in (LinearSVC().fit(X, y).sparsify(), LogisticRegression().fit(X, y).sparsify()):
    model.coef_.indices[1] = 1 << 20
    try:
        model.predict(X)
    except ValueError as error:
        assert "coef_ of L" in str(error), str(error)
    else:
        raise AssertionError(model)
print("refused")
"""


def test_models_whose_sparse_attributes_were_changed():
    run(ALTERED)


PATHS = """
import numpy as np, scipy.sparse as sp, warnings
from mlcore import Ridge, SVC
from mlcore.linear_model import enet_path, lasso_path, logistic_path
from test_sparse import forged, matrix
warnings.simplefilter("ignore")
X, y = matrix(), np.arange(60.0)
callable_kernel = SVC(kernel=lambda A, B: (A @ B.T).toarray()).fit(X, y % 3)
for what, bad in forged():
    for call in (
        lambda: lasso_path(bad, y),
        lambda: enet_path(bad, y),
        lambda: logistic_path(bad, y > 30),
        lambda: SVC(kernel="precomputed").fit(bad, y > 30),
        lambda: SVC(kernel=lambda A, B: (A @ B.T).toarray()).fit(bad, y > 30),
        lambda: callable_kernel.predict(bad),
        lambda: Ridge().fit(X, bad),
        lambda: lasso_path(X, bad),
    ):
        try:
            call()
        except ValueError as error:
            assert "is no valid sparse matrix" in str(error), (what, str(error))
        else:
            raise AssertionError(what)
print("refused")
"""


def test_functions_and_kernels_and_targets_refuse_them_too():
    run(PATHS)


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo", "dia", "lil", "dok"])
@pytest.mark.parametrize("size", [(60, 4), (3, 0), (0, 3), (1, 1)])
def test_what_is_valid_passes(kind, size):
    X = sp.random_array(size, density=0.5, format="csr", rng=np.random.default_rng(0)).asformat(kind)
    check_sparse(X, "Lasso")
    check_sparse(sp.csr_matrix(X).asformat(kind), "Lasso")


def test_the_message_says_who_and_what():
    X = matrix()
    X.indices = X.indices.copy()
    X.indices[9] = -3
    with pytest.raises(
        ValueError,
        match=r"X of Lasso is no valid sparse matrix in CSR format: indices must be from 0 to 3, got -3 at position 9",
    ):
        Lasso().fit(X, np.arange(60))


def test_room_behind_the_last_entry_is_no_error_and_is_not_read():
    X = matrix()
    y = np.arange(60.0)
    roomy = X.copy()
    roomy.indices = np.append(roomy.indices, np.full(9, 77, dtype=roomy.indices.dtype))
    roomy.data = np.append(roomy.data, np.full(9, 1e300))
    np.testing.assert_array_equal(Lasso().fit(roomy, y).coef_, Lasso().fit(X, y).coef_)
    assert len(roomy.data) == len(X.data) + 9


def test_nothing_reads_rows_past_the_check():
    """What scikit-learn's checks are given must have been looked at before."""
    package = Path(mlcore.__file__).parent
    sources = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}
    assert [name for name, text in sources.items() if "validate_data" in text] == ["_sparse.py"]
    reads = [name for name, text in sources.items() if "check_X_y(" in text and "accept_sparse" in text]
    assert all("check_sparse(" in sources[name] for name in reads)
