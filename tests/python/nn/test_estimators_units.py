"""NeuralClassifier and NeuralRegressor at defaults: units change nothing, no table makes them worse than a constant."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from mlcore.nn import Conv2d, Flatten, Linear, Sequential
from mlcore.nn.estimators._classifier import NeuralClassifier
from mlcore.nn.estimators._regressor import NeuralRegressor
from mlcore.nn.estimators._standardize import Columns, Targets, weighted_medians
from mlcore.nn.functional._losses import mse_loss

ONE = {"random_state": 0, "n_jobs": 1}  # what is tested does not depend on threads, and one is the fastest here


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 6))
    return X, X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=600)


# ---- units -----------------------------------------------------------------------------------------------------------


def test_diabetes_at_default_settings(diabetes):
    scores = []
    for seed in range(3):
        X, X_test, y, y_test = train_test_split(*diabetes, random_state=seed)
        scores.append(NeuralRegressor(**ONE).fit(X, y).score(X_test, y_test))
    assert np.mean(scores) > 0.3


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize(("unit", "shift"), [(1e-8, 0.0), (1e8, 0.0), (1e-300, 0.0), (1e300, 0.0), (1.0, 1e8)])
def test_units_of_the_target_do_not_matter(diabetes, loss, unit, shift):
    X, y = diabetes
    options = {"loss": loss, "max_iter": 30, **ONE}
    expected = NeuralRegressor(**options).fit(X, y).predict(X)
    model = NeuralRegressor(**options).fit(X, y * unit + shift)
    np.testing.assert_allclose((model.predict(X) - shift) / unit, expected, rtol=1e-4)
    # Several targets, each in its unit.
    both = NeuralRegressor(**options).fit(X, np.column_stack([y * unit + shift, y]))
    plain = NeuralRegressor(**options).fit(X, np.column_stack([y, y]))
    got = (both.predict(X) - [shift, 0]) / [unit, 1]
    np.testing.assert_allclose(got, plain.predict(X), rtol=1e-4)


@pytest.mark.parametrize(
    ("unit", "shift"),
    [(1e-8, 0.0), (1e8, 0.0), (10.0 ** np.arange(-8, 8), 0.0), (1e-300, 0.0), (1e300, 0.0), (1.0, 1e6), (1.0, -1e8)],
    ids=["1e-8", "1e8", "all", "1e-300", "1e300", "far", "farther"],
)
def test_units_of_columns_do_not_matter(diabetes, unit, shift):
    X, y = diabetes
    unit = np.broadcast_to(unit, 16)[:10] if np.ndim(unit) else unit
    options = {"max_iter": 30, **ONE}
    for model, target in ((NeuralRegressor(**options), y), (NeuralClassifier(**options), y > 140)):
        outputs = "predict" if target is y else "predict_proba"
        expected = getattr(model.fit(X, target), outputs)(X)
        # A shift of 1e8 leaves 8 digits of columns of .05: what is lost is in X itself.
        got = getattr(model.fit(X * unit + shift, target), outputs)(X * unit + shift)
        np.testing.assert_allclose(got, expected, rtol=2e-4 if shift else 2e-5, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-8, 1e8, 1e-300])
def test_units_of_weights_do_not_matter(diabetes, unit):
    X, y = diabetes
    weight = 1.0 + np.arange(len(y)) % 3
    options = {"max_iter": 20, **ONE}
    for model, target in ((NeuralRegressor(**options), y), (NeuralClassifier(**options), y > 140)):
        outputs = "predict" if target is y else "predict_proba"
        expected = getattr(model.fit(X, target, weight), outputs)(X)
        np.testing.assert_allclose(getattr(model.fit(X, target, weight * unit), outputs)(X), expected, rtol=1e-5)


def test_tolerance_is_a_share_of_the_loss_of_a_constant(table):
    X, y = table
    epochs = [
        NeuralRegressor(standardize=standardize, tol=0.02, max_iter=100, learning_rate=0.01, **ONE)
        .fit(X, y * u)
        .n_iter_
        for standardize, u in ((True, 1.0), (True, 1e-8), (True, 1e8), ("inputs", 1.0))
    ]
    assert epochs[0] == epochs[1] == epochs[2] < 100
    assert epochs[3] < 100
    rare = np.arange(600) % 100 == 0  # losses of .05 leave room to learn
    assert NeuralClassifier(max_iter=30, **ONE).fit(X, rare).n_iter_ == 30


def test_what_is_measured():
    X = np.array([[0, 5, 1e9, 0, 0], [2, 5, 1e9 + 1, 0, 1], [3, 5, 1e9 + 2, 7, 0], [100, 5, 1e9 + 4, 0, 0]], float)
    columns = Columns.fit(X)
    assert columns.center.tolist() == [2, 5, 1e9 + 1, 0, 0]
    np.testing.assert_allclose(columns.width / 1.4826022, [2, 0, 1, 7, 1], rtol=1e-7)
    seen = columns.transform(X)
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-6)
    assert (seen[:, 1] == 0).all()
    u = (X - columns.center)[:, 0] / columns.width[0]
    np.testing.assert_allclose(seen[:, 0], 2 * np.arcsinh(u / 2) - columns.offset[0], rtol=1e-6)
    later = columns.transform(np.array([[1e300, 6, -1e300, np.finfo(float).max, 0]]))
    assert np.isfinite(later).all()
    assert np.abs(later).max() < 36
    assert later[0, 1] == 0  # nothing was learned of a constant
    rounding = np.float32([[0.1 + 0.2], [0.3], [np.nextafter(np.float32(0.3), np.float32(1))]])
    assert Columns.fit(rounding).width == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_weight_is_a_number_of_copies(dtype):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_cauchy((50, 7)), 1).astype(dtype)
    X[:, 3] = X[:, 3] > 2
    X[:, 4] = 3
    weight = rng.integers(0, 4, 50).astype(float)
    rows = np.repeat(np.arange(50), weight.astype(int))
    kept = weight > 0
    for unit in (1.0, 0.1, 1e-8):  # sums of multiples of .1 round
        given, copied = Columns.fit(X[kept], weight[kept] * unit), Columns.fit(X[rows])
        for name in ("center", "width"):
            assert np.array_equal(getattr(given, name), getattr(copied, name))
        np.testing.assert_allclose(given.offset, copied.offset, atol=1e-12)
        for is_robust in (False, True):
            given = Targets.fit(X[kept], weight[kept] * unit, is_robust=is_robust)
            copied = Targets.fit(X[rows], is_robust=is_robust)
            np.testing.assert_allclose(given.center, copied.center, rtol=1e-12)
            np.testing.assert_allclose(given.width, copied.width, rtol=1e-12)
    assert weighted_medians(np.array([[1.0, 2, 3, 4]])) == 2
    assert weighted_medians(np.array([[4.0, 3, 2, 1]]), np.array([4.0, 1, 1, 1])) == 4


def test_images_are_measured_by_channel():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(200, 1, 4, 4))
    images = np.concatenate([1e-8 * signal, 1e8 + 1e4 * rng.normal(size=(200, 1, 4, 4))], axis=1)
    y = signal.mean(axis=(1, 2, 3)) > 0

    def network(n_channels, n_outputs):
        return Sequential(Conv2d(n_channels, 4, 3), Flatten(), Linear(16, n_outputs))

    model = NeuralClassifier(network, learning_rate=0.01, max_iter=40, **ONE).fit(images, y)
    assert model.input_center_.shape == (2,)
    assert model.score(images, y) > 0.9
    weight = 1.0 + np.arange(200) % 2
    given = Columns.fit(images, weight)
    copied = Columns.fit(np.repeat(images, weight.astype(int), axis=0))
    assert np.array_equal(given.width, copied.width)
    seen = given.transform(images)
    assert seen.shape == images.shape
    np.testing.assert_allclose(np.average(seen.mean(axis=(2, 3)), axis=0, weights=weight), 0, atol=1e-5)


def test_standardization_can_be_switched_off(table):
    X, y = table
    options = {"hidden_layer_sizes": (8,), "max_iter": 5, **ONE}
    plain = NeuralRegressor(standardize=False, **options).fit(X, y)
    assert plain.input_center_ is None
    assert plain.target_center_ is None
    with_target = NeuralRegressor(standardize="inputs", **options).fit(X, y)
    assert with_target.input_center_ is not None
    assert with_target.target_center_ is None
    x = X.astype(np.float32)
    np.testing.assert_allclose(plain.predict(X), plain.module_(x).data[:, 0], rtol=1e-6)
    targets = []

    def loss(output, target):
        targets.append(np.asarray(target).copy())
        return mse_loss(output, target, "none").mean(1)

    NeuralRegressor(standardize="inputs", loss=loss, **options).fit(X, 5 + y)
    assert np.concatenate(targets).mean() == pytest.approx(5 + y.mean(), rel=0.05)


# ---- hostile tables --------------------------------------------------------------------------------------------------


def hostile_columns(X):
    rng = np.random.default_rng(1)
    n = len(X)
    return {
        "plain": X,
        "units": X * [1e-8, 1e8, 1, 1e-300, 1e300, 1e3],
        "far": X + 1e9,
        "far in float32": (X + np.float32(1e5)).astype(np.float32),
        "constant": np.where(np.arange(6) % 2 == 1, 3.3, X),
        "all constant": np.full((n, 6), 7.7),
        "duplicated": np.repeat(X[:, :2], 3, axis=1),
        "heavy tails": rng.standard_cauchy((n, 6)),
        "log-normal": np.exp(5 * X),
        "outliers": np.where(rng.random((n, 6)) < 0.01, 1e300, X),
        "rare ones": (X > 2.2).astype(float),
        "whole numbers": (1.7e18 + X * 1e12).astype(np.int64),
        "more columns than rows": np.column_stack([X, rng.normal(size=(n, 700))])[: n // 6, : n // 4],
        "one row": X[:1],
    }


def hostile_targets(y):
    n = len(y)
    rng = np.random.default_rng(2)
    return {
        "plain": y,
        "small": y * 1e-8,
        "large": y * 1e8,
        "far": y + 1e9,
        "constant": np.full(n, 5.0),
        "heavy tail": np.exp(4 * y),
        "cauchy": rng.standard_cauchy(n),
        "mostly zeros": np.where(y > 1.5, np.exp(y), 0),
        "an outlier": np.r_[1e12, y[1:]],
        "noise": rng.normal(size=n),
    }


def fits_without_getting_worse(X, y, loss="squared_error"):
    """Fit at defaults; return the loss over that of a constant, on the rows of the fit and on others."""
    half = max(1, len(X) * 2 // 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NeuralRegressor(loss=loss, **ONE).fit(X[:half], y[:half])
    constant = np.mean(y[:half]) if loss == "squared_error" else np.median(y[:half])
    power = 2 if loss == "squared_error" else 1
    size = np.abs(y).max() or 1.0

    def ratio(rows):
        error = np.mean(np.abs((model.predict(X[rows]) - y[rows]) / size) ** power)
        return error / max(np.mean(np.abs((constant - y[rows]) / size) ** power), 1e-30)

    return ratio(slice(half)), ratio(slice(half, None)) if half < len(X) else 0.0


@pytest.mark.parametrize("name", hostile_columns(np.zeros((9, 6))))
def test_regressor_on_hostile_columns(table, name):
    X, y = table
    for target in (y, y * 1e8, np.exp(2 * y)):
        X_bad = hostile_columns(X)[name]
        train, test = fits_without_getting_worse(X_bad, target[: len(X_bad)])
        assert train <= 1 + 1e-6
        assert test < 1.25  # what a network makes of noise: nothing can be learned of some of these columns


@pytest.mark.parametrize("name", hostile_targets(np.zeros(9)))
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_regressor_on_hostile_targets(table, name, loss):
    X, y = table
    train, test = fits_without_getting_worse(X, hostile_targets(y)[name], loss)
    if loss != "huber":  # whose constant minimizes another figure
        assert train <= 1 + 1e-5
    if name not in ("an outlier", "cauchy"):  # a few rows decide about the mean, and others are far from it
        assert test < 1.2
    if name in ("plain", "small", "large", "far"):
        assert test < 0.3


CASES = [(name, "halves") for name in hostile_columns(np.zeros((9, 6))) if name != "one row"]
CASES += [(name, kind) for name in ("plain", "all constant", "heavy tails") for kind in ("rare", "once each", "many")]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_classifier_on_hostile_tables(table, name, kind):
    X, y = table
    n = len(X)
    labels = {
        "halves": (y > 0).astype(int),
        "rare": np.where(np.arange(n) % 150 == 7, 1, 0),
        "once each": np.where(np.arange(n) % 40 == 3, 1 + np.arange(n), 0),
        "many": np.arange(n) % 90,
    }[kind]
    X = hostile_columns(X)[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half = len(X) * 2 // 3
        model = NeuralClassifier(**ONE).fit(X[:half], labels[:half])
    codes = np.searchsorted(model.classes_, labels[:half])
    probabilities = model.predict_proba(X[:half])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    loss = -np.log(probabilities[np.arange(half), codes]).mean()
    shares = np.bincount(codes) / half
    assert loss <= -(shares * np.log(shares)).sum() * (1 + 1e-5)
    most = model.classes_[shares.argmax()]
    X_test, test = X[half:], labels[half : len(X)]
    assert model.score(X_test, test) >= np.mean(test == most) - 0.05
    if kind == "halves" and name in ("plain", "units", "far", "log-normal", "whole numbers"):
        assert model.score(X_test, test) > 0.8


@pytest.mark.filterwarnings("ignore::mlcore.nn.training._gradient_flow.GradientFlowWarning")
def test_a_rate_that_diverges_ends_at_the_constant(table):
    X, y = table
    options = {"learning_rate": 100, "max_iter": 5, **ONE}
    with pytest.warns(ConvergenceWarning, match="is that constant now. A smaller learning_rate"):
        model = NeuralRegressor(**options).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y.mean(), rtol=1e-5)
    with pytest.warns(ConvergenceWarning):
        classifier = NeuralClassifier(**options).fit(X, y > 1)
    np.testing.assert_allclose(classifier.predict_proba(X[:3]), [[np.mean(y <= 1), np.mean(y > 1)]] * 3, rtol=1e-5)


def test_the_first_step_starts_at_the_best_constant(table):
    X, y = table
    weight = 1.0 + (y > 1)
    slow = {"learning_rate": 1e-5, "max_iter": 1, **ONE}
    shares = np.bincount(y > 1, weight) / weight.sum()
    classifier = NeuralClassifier(**slow).fit(X, y > 1, weight)
    np.testing.assert_allclose(classifier.class_prior_, shares)
    np.testing.assert_allclose(classifier.predict_proba(X[:2]), [shares] * 2, rtol=1e-2)
    for loss, expected in (("squared_error", np.average(y, weights=weight)), ("absolute_error", None)):
        got = NeuralRegressor(loss=loss, **slow).fit(X, y, weight).predict(X)
        expected = weighted_medians(y[None], weight)[0] if expected is None else expected
        np.testing.assert_allclose(got, expected, atol=0.01)
        unscaled = NeuralRegressor(loss=loss, standardize=False, **slow).fit(X, y, weight).predict(X)
        np.testing.assert_allclose(unscaled, expected, atol=0.01)
