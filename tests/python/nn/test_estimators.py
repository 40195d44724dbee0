"""NeuralClassifier and NeuralRegressor: what neither scikit-learn's contract nor ours covers."""

import inspect
import logging
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV

import mlcore
from mlcore.nn.estimators._classifier import NeuralClassifier
from mlcore.nn.estimators._regressor import NeuralRegressor
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.layers._batch_norm import BatchNorm1d
from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.optim import SGD, ReduceLROnPlateau, StepLR


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


FAST = {"learning_rate": 0.01, "max_iter": 15, "random_state": 0, "n_jobs": 1}


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
    settings = {
        "activation": "tanh",
        "learning_rate": 0.02,
        "max_iter": 200,
        "random_state": 0,
        "batch_size": 32,
        "n_jobs": 1,
    }
    model = NeuralRegressor(loss=loss, **settings).fit(X, y)
    assert model.score(X, y) > 0.95
    both = NeuralRegressor(loss=loss, **settings).fit(X, np.column_stack([y, -y]))
    assert both.predict(X).shape == (300, 2)
    assert both.score(X, np.column_stack([y, -y])) > 0.95


def test_another_seed_is_another_network(digits):
    X, y = digits
    first, second = (
        NeuralClassifier(**FAST | {"random_state": seed}).fit(X[:300], y[:300]).predict_proba(X) for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


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
    assert images.input_center_.shape == (8, 8)
    assert set(seen) == {((8, 8), np.dtype(np.float32))}
    seen.clear()
    NeuralClassifier(factory, **FAST).fit((16 * X).astype(np.int64), y)
    assert set(seen) == {((64,), np.dtype(np.int64))}


def test_grid_search_over_the_module(numbers):
    X, y = numbers
    search = GridSearchCV(
        NeuralRegressor(Net, learning_rate=0.02, max_iter=30, random_state=0, batch_size=32, n_jobs=1),
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
    for name in ("input_center_", "input_width_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12)
    np.testing.assert_allclose(a.input_offset_, b.input_offset_, atol=1e-12)
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-3)  # 30 steps of float32 sums
    with pytest.raises(ValueError, match="not zero"):
        NeuralClassifier().fit(X, y, np.zeros(200))


def test_class_weights(digits):
    X, y = digits
    rare = np.concatenate([np.flatnonzero(y != 1)[:400], np.flatnonzero(y == 1)[:10]])
    target = y == 1
    plain, balanced, dict_ = (
        NeuralClassifier(class_weight=w, **FAST | {"max_iter": 3}).fit(X[rare], target[rare])
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
    with pytest.raises(ValueError, match=r"y_val holds classes that the model does not know: \[9\]"):
        NeuralClassifier().fit(X[y < 9], y[y < 9], X_val=X, y_val=y)
    with pytest.raises(ValueError, match="X_val and y_val of NeuralClassifier must be given together, got only X_val"):
        NeuralClassifier().fit(X, y, X_val=X)


def test_validation_is_weighed_like_training(digits):
    X, y = digits[0][:300], digits[1][:300] == 1
    options = {**FAST, "learning_rate": 1e-5, "max_iter": 1, "class_weight": {False: 1, True: 7}}
    train, held = slice(200), slice(200, 300)
    model = NeuralClassifier(**options).fit(X[train], y[train], X_val=X[held], y_val=y[held])
    share = model.class_prior_[1]
    assert share == pytest.approx(7 * y[train].sum() / (200 + 6 * y[train].sum()))
    weight = np.where(y[held], 7, 1)
    expected = np.average(-np.log(np.where(y[held], share, 1 - share)), weights=weight)
    assert model.history_["validation_loss"][0] == pytest.approx(expected, rel=1e-3)


def test_the_rate_falls_on_a_plateau(digits):
    X, y = digits[0][:200], digits[1][:200]
    options = {
        **FAST,
        "max_iter": 6,
        "schedule": lambda o, n: ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.9),
    }
    model = NeuralClassifier(**options).fit(X, y)
    np.testing.assert_allclose(model.history_["learning_rate"], 0.01 * 0.5 ** np.array([0, 0, 1, 2, 3, 4]))


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
        n_jobs=1,
    ).fit(X, y)
    assert seen == [(2, 0.1, 1.0)]
    assert model.history_["learning_rate"][-1] == pytest.approx(0.01)
    assert model.predict_proba(X).max() < 0.99  # what smoothing is for
    for name in ("sgd", "adamw", "nadam", "rmsprop", "adagrad"):
        assert NeuralClassifier(optimizer=name, **FAST).fit(X, y).score(X, y) > 0.8


def test_files(digits, tmp_path):
    with pytest.raises(ValueError, match="parameter 'module' of NeuralClassifier cannot be saved"):
        mlcore.save(NeuralClassifier(Net, **FAST).fit(*digits), tmp_path / "model")


# ---- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["weights of rows", "weights of classes"])
def test_a_class_without_weight_stays_and_gets_next_to_nothing(digits, how):
    X, y = digits
    if how == "weights of rows":
        model = NeuralClassifier(**FAST).fit(X, y, (y != 3).astype(float))
    else:
        model = NeuralClassifier(class_weight={3: 0}, **FAST).fit(X, y)
    removed = NeuralClassifier(**FAST).fit(X[y != 3], y[y != 3])
    assert model.classes_.tolist() == list(range(10))
    assert model.class_prior_[3] == 0
    probabilities = model.predict_proba(X)
    assert probabilities[:, 3].max() < 1e-15
    assert np.isfinite(model.decision_function(X)).all()
    assert model.score(X[y != 3], y[y != 3]) > removed.score(X[y != 3], y[y != 3]) - 0.02
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), probabilities)


@pytest.mark.parametrize("module", [None, Net])
def test_one_class_left_is_a_constant(digits, module):
    X, y = digits
    for labels in (y == 3, np.where(y == 3, "three", "other")):
        model = NeuralClassifier(module, **FAST).fit(X, labels, (y == 3).astype(float))
        assert len(model.classes_) == 2
        assert (model.predict(X) == labels[y == 3][0]).all()
        assert model.predict_proba(X).max(axis=1).min() > 1 - 1e-15
        assert model.n_iter_ == len(model.history_) == 0
        assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_bags_and_votes_of_networks(digits):
    X, y = digits[0][:300], digits[1][:300]
    y = np.where(np.arange(300) == 7, 10, y)  # a class that most bags miss
    bag = BaggingClassifier(NeuralClassifier(**FAST), n_estimators=5, random_state=0).fit(X, y)
    assert bag.predict_proba(X).shape == (300, 11)
    vote = VotingClassifier([("a", NeuralClassifier(**FAST)), ("b", NeuralClassifier(**FAST))], voting="soft").fit(X, y)
    assert vote.score(X, y) > 0.9


def test_labels_keep_their_type(digits):
    X, y = digits[0][:200], digits[1][:200] % 2
    for labels in (y + 2**60, y.astype(np.int8), y == 1, np.array(["a", "b"])[y], np.array(["a", "b"], object)[y]):
        model = NeuralClassifier(max_iter=1, **{k: v for k, v in FAST.items() if k != "max_iter"}).fit(X, labels)
        assert model.classes_.dtype == labels.dtype
        assert model.classes_.tolist() == sorted(set(labels.tolist()))
        assert model.predict(X).dtype == labels.dtype


# ---- batches, partial_fit --------------------------------------------------------------------------------------------


def with_batch_norm(n_features, n_outputs):
    return Sequential(Linear(n_features, 8), BatchNorm1d(8), Linear(8, n_outputs))


def test_a_last_batch_of_one_row_with_batch_norm(digits):
    X, y = digits[0][:65], digits[1][:65]
    for n, size in ((65, 32), (65, 64), (3, 2), (33, 200)):
        rows = slice(n)
        options = {"batch_size": size, "max_iter": 2, "random_state": 0, "n_jobs": 1}
        NeuralRegressor(with_batch_norm, **options).fit(X[rows], y[rows])
        NeuralRegressor(with_batch_norm, drop_last=True, **options).fit(X[rows], y[rows])
    model = NeuralClassifier(with_batch_norm, batch_size=32, early_stopping=True, max_iter=2, n_jobs=1)
    model.fit(X[y < 2][:12].repeat(3, axis=0), y[y < 2][:12].repeat(3))


def test_drop_last_leaves_rows_out(digits):
    X, y = digits[0][:50], digits[1][:50]
    seen = []

    def looking(n_features, n_outputs):
        class Looking(Net):
            def forward(self, x):
                if self.training:
                    seen.append(len(x))
                return super().forward(x)

        return Looking(n_features, n_outputs)

    NeuralRegressor(looking, batch_size=20, max_iter=1, n_jobs=1).fit(X, y)
    assert seen == [20, 20, 10]
    seen.clear()
    NeuralRegressor(looking, batch_size=20, drop_last=True, max_iter=1, n_jobs=1).fit(X, y)
    assert seen == [20, 20]


def test_partial_fit_goes_on(digits):
    X, y = digits
    options = {"learning_rate": 0.01, "random_state": 0, "n_jobs": 1, "batch_size": 100}
    model = NeuralClassifier(**options)
    with pytest.raises(ValueError, match="needs classes"):
        model.partial_fit(X, y)
    order = np.argsort(y[:1200] % 3, kind="stable")  # the first calls see three or four of ten classes
    for epoch in range(5):
        for rows in np.array_split(order, 3):
            model.partial_fit(X[rows], y[rows], classes=np.arange(10) if epoch == 0 else None)
    assert model.n_iter_ == len(model.history_) == 15
    assert model.score(X[1200:], y[1200:]) > 0.85
    whole = NeuralClassifier(max_iter=3, n_iter_no_change=100, **options).fit(X, y)
    calls = NeuralClassifier(**options)
    for _ in range(3):
        calls.partial_fit(X, y, np.arange(10))
    np.testing.assert_allclose(calls.predict_proba(X), whole.predict_proba(X), atol=0.3)  # other batches
    assert calls.score(X, y) == pytest.approx(whole.score(X, y), abs=0.03)
    again = pickle.loads(pickle.dumps(calls))
    assert np.array_equal(again.predict_proba(X), calls.predict_proba(X))
    again.partial_fit(X, y)
    assert again.n_iter_ == 4
    assert clone(calls).partial_fit(X, y, np.arange(10)).n_iter_ == 1
    assert whole.partial_fit(X, y).n_iter_ == 4  # on from fit
    with pytest.raises(ValueError, match="does not know: \\[11\\]"):
        calls.partial_fit(X[:2], [3, 11])
    assert calls.n_iter_ == 3
    with pytest.raises(ValueError, match=r"were .* before"):
        calls.partial_fit(X, y, np.arange(11))
    with pytest.raises(ValueError, match="features"):
        calls.partial_fit(X[:, :5], y)
    for option, value in {"early_stopping": True, "schedule": lambda o, n: None, "class_weight": "balanced"}.items():
        with pytest.raises(ValueError, match="partial_fit"):
            NeuralClassifier(**{option: value}).partial_fit(X, y, np.arange(10))


def test_partial_fit_of_numbers_and_of_what_was_constant(numbers):
    X, y = numbers
    X = np.column_stack([X, X[:, 0]]).astype(float)
    X[:100, 2] = 5.0
    model = NeuralRegressor(activation="tanh", learning_rate=0.02, batch_size=32, random_state=0, n_jobs=1)
    model.partial_fit(X[:100, :], y[:100])
    assert model.input_width_[2] == 0
    first = model.input_center_.copy()
    before = model.predict(X[:100])
    model.partial_fit(X[100:], y[100:])
    assert model.input_width_[2] > 0
    assert np.array_equal(model.input_center_, first)
    assert model.n_iter_ == 2
    constant = NeuralRegressor(random_state=0, n_jobs=1).partial_fit(X[:50], np.full(50, 7e8))
    assert (constant.predict(X) == 7e8).all()
    constant.partial_fit(X[:50], np.full(50, 9e8))
    assert constant.target_width_ == 2e8
    for _ in range(40):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.score(X, y) > 1 - np.mean((before - y[:100]) ** 2) / y.var()
    with pytest.raises(ValueError, match="2 outputs"):
        model.partial_fit(X, np.column_stack([y, y]))


def test_an_unknown_optimizer(digits):
    with pytest.raises(ValueError, match="optimizer"):
        NeuralClassifier(optimizer="lion").fit(*digits)


# ---- what training tells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [NeuralClassifier, NeuralRegressor])
def test_progress_names_the_estimator(cls, digits, capsys, caplog):
    X, y = digits[0][:100], digits[1][:100]
    cls(max_iter=2, verbose=1, n_jobs=1).fit(X, y)
    bar = capsys.readouterr().err
    assert bar.startswith("\r" + cls.__name__)
    assert "Sequential" not in bar
    with caplog.at_level(logging.INFO, logger="mlcore"):
        cls(max_iter=2, verbose=2, n_jobs=1).fit(X, y)
    lines = [record.getMessage().split("  ")[0] for record in caplog.records]
    assert lines == [f"{cls.__name__} 1/2", f"{cls.__name__} 2/2"]


def test_loss_curve(digits, numbers):
    for model, (X, y) in ((NeuralClassifier(**FAST), digits), (NeuralRegressor(**FAST), numbers)):
        assert not hasattr(model, "loss_curve_")
        model.fit(X, y)
        assert model.loss_curve_.shape == (model.n_iter_,)
        assert model.loss_curve_[-1] < model.loss_curve_[0]
        assert np.array_equal(model.loss_curve_, model.history_["loss"])
        assert np.array_equal(pickle.loads(pickle.dumps(model)).loss_curve_, model.loss_curve_)
    settled = NeuralClassifier(class_weight={0: 1, 1: 0}).fit(digits[0][:20], np.arange(20) % 2)  # nothing to train
    assert settled.loss_curve_.shape == (0,)


def test_log_probabilities(digits):
    X, y = digits
    model = NeuralClassifier(**FAST).fit(X, y, sample_weight=(y < 9).astype(float))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), atol=1e-15)
    assert np.isfinite(model.predict_log_proba(X)).all()  # also those of the class without weight
    assert model.predict_log_proba(X)[:, 9].max() < -40


def test_weights_of_validation_rows(digits):
    X, y = digits
    half = slice(0, 600), slice(600, 900)
    options = {**FAST, "max_iter": 3}

    def losses(weight, rows=slice(600, 900), **more):
        model = NeuralClassifier(**options, **more)
        model.fit(X[half[0]], y[half[0]], X_val=X[rows], y_val=y[rows], sample_weight_val=weight)
        return model.history_["validation_loss"]

    even = (np.arange(300) % 2 == 0).astype(float)
    np.testing.assert_allclose(losses(even), losses(None, slice(600, 900, 2)), rtol=1e-6)
    assert not np.allclose(losses(even), losses(None))
    np.testing.assert_allclose(losses(3 * even), losses(even), rtol=1e-6)
    # Factors of classes are those of the rows that are trained on, whatever the classes of the validation rows.
    few, balanced = slice(600, 640), {"class_weight": "balanced"}
    factors = 600 / (10 * np.bincount(y[half[0]]))
    np.testing.assert_allclose(
        losses(None, few, **balanced), losses(None, few, class_weight=dict(enumerate(factors))), rtol=1e-5
    )
    nines = np.flatnonzero(y == 9)
    with pytest.raises(ValueError, match="sample_weight_val times class_weight of NeuralClassifier must have a weight"):
        losses(None, nines, class_weight={9: 0.0})
    with pytest.raises(ValueError, match="sample_weight_val of NeuralClassifier must have a weight"):
        losses(np.zeros(300))
    with pytest.raises(ValueError, match="sample_weight_val of NeuralClassifier must be given together with X_val"):
        NeuralClassifier().fit(X, y, sample_weight_val=even)
