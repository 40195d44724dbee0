"""LinearSVC and LinearSVR at run time, beyond the contract of all classes: numbers of threads by loss, seeds."""

import hashlib

import numpy as np
import pytest
import scipy.sparse as sp

from mlcore.svm import LinearSVC, LinearSVR

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
