"""Gaussian mixtures: scikit-learn's values from the same start, and what a change of units must not change."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from mlcore.cluster import GaussianMixture

TYPES = ["full", "tied", "diag", "spherical"]
PARTS = ("weights_", "means_", "covariances_", "precisions_cholesky_", "precisions_")


def groups(n: int, d: int, k: int, seed: int = 0) -> np.ndarray:
    """Rows of k normal groups of different shapes, in columns of mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    X = np.concatenate(
        [rng.normal(size=(n // k, d)) @ rng.normal(size=(d, d)) + 6 * rng.normal(size=d) for _ in range(k)]
    )
    return (X - X.mean(axis=0)) / X.std(axis=0)


def log_densities(model: GaussianMixture, X: np.ndarray) -> np.ndarray:
    """Return log(weight N(x)) of each component by its covariance."""
    k, d = model.means_.shape
    out = np.empty((len(X), k))
    for c in range(k):
        S = model.covariances_ if model.covariance_type == "tied" else model.covariances_[c]
        if model.covariance_type in ("diag", "spherical"):
            S = S * np.eye(d)
        z = X - model.means_[c]
        squares = np.einsum("ij,ij->i", z, np.linalg.solve(S, z.T).T)
        out[:, c] = np.log(model.weights_[c]) - 0.5 * (d * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + squares)
    return out


@pytest.mark.peers
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(("n", "d", "k"), [(500, 1, 2), (900, 5, 3), (600, 18, 2)])
def test_values_are_those_of_scikit_learn(covariance_type: str, n: int, d: int, k: int) -> None:
    mixture = pytest.importorskip("sklearn.mixture")
    X = groups(n, d, k)
    options = {"covariance_type": covariance_type, "init_params": "random", "random_state": 1, "tol": 1e-6}
    ours, theirs = GaussianMixture(k, **options).fit(X), mixture.GaussianMixture(k, **options).fit(X)
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    for name in PARTS:  # components without a width in some direction are ill conditioned in both
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-5, atol=1e-8)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    for name in ("predict_proba", "score_samples"):
        np.testing.assert_allclose(getattr(ours, name)(X), getattr(theirs, name)(X), atol=1e-7)
    for name in ("bic", "aic", "score"):
        assert getattr(ours, name)(X) == pytest.approx(getattr(theirs, name)(X))
    np.testing.assert_allclose(ours.sample(7)[0], theirs.sample(7)[0], atol=1e-6)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_an_iteration_is_that_of_numpy(covariance_type: str) -> None:
    X = groups(300, 3, 3)
    options = {"covariance_type": covariance_type, "reg_covar": 0.0, "tol": 0.0, "random_state": 0}
    with pytest.warns(ConvergenceWarning):
        one = GaussianMixture(3, max_iter=1, **options).fit(X)
    with pytest.warns(ConvergenceWarning):
        two = GaussianMixture(3, max_iter=2, **options).fit(X)
    log = log_densities(one, X)
    norm = np.logaddexp.reduce(log, axis=1)
    np.testing.assert_allclose(one.score_samples(X), norm)
    np.testing.assert_allclose(one.predict_proba(X), np.exp(log - norm[:, None]), atol=1e-12)
    assert two.lower_bound_ == pytest.approx(norm.mean())
    r = np.exp(log - norm[:, None])
    np.testing.assert_allclose(two.weights_, r.mean(axis=0))
    means = r.T @ X / r.sum(axis=0)[:, None]
    np.testing.assert_allclose(two.means_, means, atol=1e-12)
    S = np.stack([((X - m).T * r[:, c]) @ (X - m) / r[:, c].sum() for c, m in enumerate(means)])
    expected = {
        "full": S,
        "tied": np.tensordot(two.weights_, S, 1),
        "diag": np.diagonal(S, axis1=1, axis2=2),
        "spherical": np.diagonal(S, axis1=1, axis2=2).mean(axis=1),
    }
    np.testing.assert_allclose(two.covariances_, expected[covariance_type], atol=1e-12)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_weights_are_copies_whatever_their_unit(covariance_type: str) -> None:
    X = groups(200, 3, 2)
    counts = np.random.default_rng(0).integers(0, 3, size=len(X))
    start = {"means_init": X[[0, -1]], "weights_init": [0.5, 0.5], "tol": 1e-8, "max_iter": 500}
    start["precisions_init"] = {
        "full": np.stack([np.eye(3)] * 2),
        "tied": np.eye(3),
        "diag": np.ones((2, 3)),
        "spherical": np.ones(2),
    }[covariance_type]
    copies = GaussianMixture(2, covariance_type=covariance_type, **start).fit(np.repeat(X, counts, axis=0))
    for unit in (1.0, 1e-30):
        weighted = GaussianMixture(2, covariance_type=covariance_type, **start).fit(X, sample_weight=counts * unit)
        for name in PARTS:
            np.testing.assert_allclose(getattr(weighted, name), getattr(copies, name), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_units_and_zero_of_columns_say_nothing(covariance_type: str) -> None:
    X, units = groups(400, 3, 3), np.array([1e-9, 1.0, 1e12])
    options = {"covariance_type": covariance_type, "random_state": 0}
    plain, scaled = GaussianMixture(3, **options).fit(X), GaussianMixture(3, **options).fit(X * units)
    np.testing.assert_array_equal(scaled.predict(X * units), plain.predict(X))
    np.testing.assert_allclose(scaled.means_ / units, plain.means_, atol=1e-8)
    far = GaussianMixture(3, **options).fit(X + 1e8)  # rows are rounded to 1e-8
    np.testing.assert_array_equal(far.predict(X + 1e8), plain.predict(X))
    np.testing.assert_allclose(far.covariances_, plain.covariances_, atol=1e-5)


def test_start_can_be_given() -> None:
    X = groups(300, 2, 3)
    known = GaussianMixture(3, random_state=0).fit(X)
    given = GaussianMixture(
        3, weights_init=known.weights_, means_init=known.means_, precisions_init=known.precisions_, max_iter=0
    ).fit(X)
    np.testing.assert_allclose(given.precisions_cholesky_, known.precisions_cholesky_)
    np.testing.assert_allclose(given.covariances_, known.covariances_)
    assert (given.n_iter_, given.converged_) == (0, False)
    for name, value, message in (
        ("means_init", np.zeros((2, 2)), "must have shape"),
        ("weights_init", [0.5, 0.5, 0.5], "sum of 1"),
        ("precisions_init", np.zeros((3, 2, 2)), "positive definite"),
    ):
        with pytest.raises(ValueError, match=message):
            GaussianMixture(3, **{name: value}).fit(X)


def test_warm_start_goes_on() -> None:
    X = groups(600, 3, 3)
    model = GaussianMixture(3, random_state=0, max_iter=1, tol=1e-9, warm_start=True, init_params="random")
    bounds = []
    for _ in range(4):
        with pytest.warns(ConvergenceWarning):
            bounds.append(model.fit(X).lower_bound_)
    with pytest.warns(ConvergenceWarning):
        whole = GaussianMixture(3, random_state=0, max_iter=4, tol=1e-9, init_params="random").fit(X)
    np.testing.assert_allclose(bounds, whole.lower_bounds_)
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(n_components=2).fit(X)


def test_rows_that_are_all_the_same() -> None:
    X = np.full((20, 3), 7.0)
    model = GaussianMixture(1).fit(X)
    np.testing.assert_allclose(model.means_, [[7.0] * 3])
    assert np.isfinite(model.score(X))
    with pytest.raises(ValueError, match="positive definite"):
        GaussianMixture(1, reg_covar=0.0).fit(X)


def test_sample_has_the_components() -> None:
    model = GaussianMixture(2, random_state=0).fit(groups(400, 2, 2))
    X, y = model.sample(20_000)
    np.testing.assert_allclose(np.bincount(y) / len(y), model.weights_, atol=0.02)
    for c in range(2):
        np.testing.assert_allclose(np.cov(X[y == c].T), model.covariances_[c], atol=0.1)
    with pytest.raises(ValueError, match="at least 1"):
        model.sample(0)


@pytest.mark.parametrize("shape", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_row_far_away_does_not_drown_the_others(shape: str, weighted: bool) -> None:
    X = groups(600, 3, 3)
    X[7, 0] = 1e12
    weight = np.ones(600) if weighted else None
    model = GaussianMixture(4, covariance_type=shape, random_state=0, n_init=3).fit(X, sample_weight=weight)
    alone = model.predict(X) == model.predict(X)[7]
    assert alone.sum() == 1
    others = GaussianMixture(3, covariance_type=shape, random_state=0, n_init=3).fit(np.delete(X, 7, axis=0))
    np.testing.assert_allclose(
        np.sort(model.means_[np.arange(4) != model.predict(X)[7], 1]), np.sort(others.means_[:, 1]), atol=0.05
    )
