"""NeuralClassifier and NeuralRegressor: what scikit-learn's contract does not cover."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import mlcore
from mlcore.nn._classifier import NeuralClassifier
from mlcore.nn._containers import Sequential
from mlcore.nn._linear import Linear
from mlcore.nn._module import Module
from mlcore.nn._regressor import NeuralRegressor
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.optim import SGD, StepLR


@pytest.mark.parametrize("cls", [NeuralClassifier, NeuralRegressor])
def test_every_parameter_is_documented_and_checked(cls):
    parameters = cls().get_params()
    assert set(cls._parameter_constraints) == set(parameters)
    text = inspect.getdoc(cls)
    assert all(f"\n{name} : " in text for name in parameters)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


@pytest.fixture(scope="module")
def numbers():
    X = np.random.default_rng(0).uniform(-2, 2, (300, 2)).astype(np.float32)
    return X, np.sin(2 * X[:, 0]) + X[:, 1]


class Net(Module):
    """A factory with options."""

    def __init__(self, n_features, n_outputs, width=8, bias=True):
        super().__init__()
        self.body = Sequential(Linear(n_features, width, activation="tanh"), Linear(width, n_outputs, bias=bias))

    def forward(self, x):
        return self.body(x)


FAST = {"learning_rate": 0.01, "max_iter": 15, "random_state": 0}


def test_it_learns_digits(digits):
    X, y = digits
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[y]
    model = NeuralClassifier(**FAST).fit(X[:1200], names[:1200])
    assert model.score(X[1200:], names[1200:]) > 0.9
    probabilities = model.predict_proba(X[1200:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(X[1200:])).all()
    assert model.decision_function(X[:5]).shape == (5, 10)
    assert len(model.history_) == model.n_iter_ == 15


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_it_learns_numbers(numbers, loss):
    X, y = numbers
    settings = {"activation": "tanh", "learning_rate": 0.02, "max_iter": 200, "random_state": 0, "batch_size": 32}
    model = NeuralRegressor(loss=loss, **settings).fit(X, y)
    assert model.score(X, y) > 0.95
    both = NeuralRegressor(loss=loss, **settings).fit(X, np.column_stack([y, -y]))
    assert both.predict(X).shape == (300, 2)
    assert both.score(X, np.column_stack([y, -y])) > 0.95


def test_seeds_and_threads(digits):
    X, y = digits
    fits = [NeuralClassifier(**FAST | options).fit(X[:300], y[:300]) for options in ({"n_jobs": 1}, {"n_jobs": 3})]
    scores = [model.predict_proba(X) for model in fits]
    assert np.array_equal(*scores)
    other = NeuralClassifier(**FAST | {"random_state": 1}).fit(X[:300], y[:300])
    assert not np.array_equal(other.predict_proba(X), scores[0])


def test_a_module_of_ones_own(digits):
    X, y = digits
    model = NeuralClassifier(Net, module_params={"width": 12}, **FAST).fit(X, y)
    assert model.module_.body[0].weight.shape == (12, 64)
    assert model.score(X, y) > 0.9
    assert clone(model).get_params()["module__width"] == 12
    model.set_params(module__width=5, module__bias=False, learning_rate=0.02).fit(X, y)
    assert model.module_params == {"width": 5, "bias": False}
    assert model.module_.body[1].bias is None
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.history_["loss"].tolist() == model.history_["loss"].tolist()
    with pytest.raises(TypeError, match="must return a Module, got int"):
        NeuralClassifier(lambda a, b: 3).fit(X, y)


def test_an_instance_is_copied(digits):
    X, y = digits
    net = Net(64, 10)
    before = net.state_dict()
    model = NeuralClassifier(net, **FAST).fit(X, y)
    assert all(np.array_equal(value, before[name]) for name, value in net.state_dict().items())
    assert model.module_ is not net
    again = clone(model).fit(X, y)  # clone copies the instance
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert pickle.loads(pickle.dumps(model)).score(X, y) == model.score(X, y)
    with pytest.raises(ValueError, match="not for an instance"):
        NeuralClassifier(net, module_params={"width": 3}).fit(X, y)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        NeuralClassifier(module_params={"width": 3}).fit(X, y)


def test_images_and_whole_numbers_reach_the_module(digits):
    X, y = digits
    seen = []

    class Looking(Net):
        def forward(self, x):
            seen.append((x.shape[1:], x.dtype))
            return super().forward(np.asarray(x).reshape(len(x), -1).astype(np.float32))

    factory = lambda n_features, n_outputs: Looking(64, n_outputs)  # noqa: E731
    images = NeuralClassifier(factory, **FAST).fit(X.reshape(-1, 8, 8).astype(np.float64), y)
    assert images.predict(X.reshape(-1, 8, 8)).shape == y.shape
    assert set(seen) == {((8, 8), np.dtype(np.float32))}
    seen.clear()
    NeuralClassifier(factory, **FAST).fit((16 * X).astype(np.int64), y)
    assert set(seen) == {((64,), np.dtype(np.int64))}


def test_grid_search_over_the_module(numbers):
    X, y = numbers
    search = GridSearchCV(
        NeuralRegressor(Net, learning_rate=0.02, max_iter=30, random_state=0, batch_size=32),
        {"module__width": [1, 24]},
        cv=2,
    ).fit(X, y)
    assert search.best_params_ == {"module__width": 24}
    assert search.best_estimator_.module_.body[0].weight.shape == (24, 2)


def test_weights_are_copies_and_zero_is_absence(digits):
    X, y = digits[0][:200], digits[1][:200]
    whole = {**FAST, "batch_size": 1000, "max_iter": 30}
    weight = np.where(np.arange(200) < 150, 1.0, 0.0)
    a = NeuralClassifier(**whole).fit(X, y, weight)
    b = NeuralClassifier(**whole).fit(X[:150], y[:150])
    assert np.array_equal(a.predict_proba(X), b.predict_proba(X))
    weight = 1.0 + np.arange(200) % 3
    rows = np.repeat(np.arange(200), weight.astype(int))
    a = NeuralClassifier(**whole).fit(X, y, weight)
    b = NeuralClassifier(**whole).fit(X[rows], y[rows])
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=2e-3)
    with pytest.raises(ValueError, match="non-zero"):
        NeuralClassifier().fit(X, y, np.zeros(200))


def test_class_weights(digits):
    X, y = digits
    rare = np.concatenate([np.flatnonzero(y != 1)[:400], np.flatnonzero(y == 1)[:10]])
    target = y == 1
    plain, balanced, dict_ = (
        NeuralClassifier(class_weight=w, **FAST).fit(X[rare], target[rare])
        for w in (None, "balanced", {False: 1, True: 40})
    )
    recalls = [model.predict(X)[target].mean() for model in (plain, balanced, dict_)]
    assert recalls[0] < min(recalls[1:])
    assert plain.decision_function(X).shape == y.shape


def test_validation_and_early_stopping(digits):
    X, y = digits
    train, rest = (X[:300], y[:300]), {"X_val": X[300:600], "y_val": y[300:600]}
    options = {**FAST, "learning_rate": 0.05, "max_iter": 100, "n_iter_no_change": 3}
    given = NeuralClassifier(**options).fit(*train, **rest)
    assert given.n_iter_ < 100
    assert len(given.history_["validation_loss"]) == given.n_iter_
    own = NeuralClassifier(early_stopping=True, validation_fraction=0.2, **options).fit(*train)
    assert own.n_iter_ < 100
    assert "validation_loss" in own.history_
    recorded = NeuralClassifier(early_stopping=False, **options | {"max_iter": 12}).fit(*train, **rest)
    assert recorded.n_iter_ == 12
    by_loss = NeuralClassifier(**options | {"tol": 10.0}).fit(*train)
    assert by_loss.n_iter_ == 4
    with pytest.raises(ValueError, match=r"not in y: \[9\]"):
        NeuralClassifier().fit(X[y < 9], y[y < 9], X_val=X, y_val=y)
    with pytest.raises(ValueError, match="both"):
        NeuralClassifier().fit(X, y, X_val=X)


def test_losses_optimizers_and_schedules_of_ones_own(digits):
    X, y = digits
    seen = []

    def smooth(output, target):
        return cross_entropy(output, target, label_smoothing=0.2, reduction="none")

    def optimizer(groups, lr, max_norm):
        seen.append((len(groups), lr, max_norm))
        return SGD(groups, lr, 0.9, max_norm=max_norm)

    model = NeuralClassifier(
        loss=smooth,
        optimizer=optimizer,
        learning_rate=0.1,
        max_norm=1.0,
        schedule=lambda o, n: StepLR(o, n // 2),
        max_iter=10,
        random_state=0,
    ).fit(X, y)
    assert seen == [(2, 0.1, 1.0)]
    assert model.history_["learning_rate"][-1] == pytest.approx(0.01)
    assert model.predict_proba(X).max() < 0.99  # what smoothing is for
    for name in ("sgd", "adamw", "rmsprop", "adagrad"):
        assert NeuralClassifier(optimizer=name, **FAST).fit(X, y).score(X, y) > 0.8


def test_files(digits, numbers, tmp_path):
    X, y = digits
    for model, data in (
        (NeuralClassifier((None), hidden_layer_sizes=(20, 10), **FAST), (X, y)),
        (NeuralRegressor(hidden_layer_sizes=5, **FAST), numbers),
    ):
        model.fit(*data)
        mlcore.save(model, tmp_path / "model")
        loaded = mlcore.load(tmp_path / "model")
        assert np.array_equal(loaded.predict(data[0]), model.predict(data[0]))
        assert repr(loaded.history_) == repr(model.history_)
        unfitted = clone(model)
        mlcore.save(unfitted, tmp_path / "model")
        assert mlcore.load(tmp_path / "model").get_params() == unfitted.get_params()
    with pytest.raises(ValueError, match="parameter 'module' of NeuralClassifier cannot be saved"):
        mlcore.save(NeuralClassifier(Net, **FAST).fit(X, y), tmp_path / "model")


def test_bad_input(digits):
    X, y = digits
    with pytest.raises(ValueError, match="1 class"):
        NeuralClassifier().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="NaN"):
        NeuralClassifier().fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="optimizer"):
        NeuralClassifier(optimizer="lion").fit(X, y)
    with pytest.raises(ValueError, match="64 features"):
        NeuralClassifier(max_iter=1).fit(X, y).predict(X[:, :5])
    with pytest.raises(ValueError, match="y is None"):
        NeuralRegressor().fit(X, None)
    failed = NeuralClassifier(max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        failed.fit(np.full_like(X, np.nan), y)
    assert not hasattr(failed, "module_")
