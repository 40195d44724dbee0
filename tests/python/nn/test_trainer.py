"""The Trainer: what it learns, batches, stopping, averages, accumulation, carried states."""

import logging
import math

import numpy as np
import pytest

from mlcore.nn import _runtime, optim
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.functional._losses import mse_loss
from mlcore.nn.layers._batch_norm import BatchNorm1d
from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.training._averaging import EMA, SWA, CheckpointAverage
from mlcore.nn.training._batches import ArrayBatches, IterableBatches, Ragged, source_of
from mlcore.nn.training._trainer import Trainer
from support.training import adam, network, rows_of_classes, trained, weights


@pytest.fixture(scope="module")
def classes():
    return rows_of_classes()


# ---- learning --------------------------------------------------------------------------------------------------------


def test_it_learns_and_records(classes):
    X, y = classes
    trainer = Trainer(network(), cross_entropy, optimizer=adam, metrics="accuracy", max_epochs=30, random_state=0)
    assert trainer.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:]) is trainer
    history = trainer.history
    assert len(history) == trainer.epoch == 30
    assert trainer.n_steps == 30 * 7
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    assert history["validation_accuracy"][-1] > 0.9
    assert set(history) == {
        *("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate", "gradient_norm", "seconds")
    }
    assert history.best_epoch == int(np.argmin(history["validation_loss"]))
    assert set(history.gradient_flow[0]) == {"0", "1"}
    assert "30 epochs" in repr(history)
    assert trainer.evaluate(X[200:], y[200:])["loss"] == pytest.approx(history["validation_loss"][-1], rel=1e-6)
    assert (trainer.predict(X[200:]).argmax(1) == y[200:]).mean() == pytest.approx(history["validation_accuracy"][-1])
    with pytest.raises(KeyError, match="validation_loss"):
        history["perplexity"]
    assert not trainer.model.training


def test_seeds_and_threads(classes):
    first = weights(trained(classes).model)
    assert weights(trained(classes, n_jobs=1).model) == weights(trained(classes, n_jobs=3).model) == first
    assert weights(trained(classes, random_state=1).model) != first
    _runtime.manual_seed(5)
    a = weights(trained(classes, network(), random_state=None).model)
    assert weights(trained(classes, network(), random_state=None).model) == a


def test_accumulated_batches_make_the_step_of_a_large_one(classes):
    X, y = classes[0][:256], classes[1][:256]
    sgd = {"optimizer": lambda p: optim.SGD(p, lr=0.1), "shuffle": False}
    small = trained((X, y), batch_size=16, accumulate=4, **sgd)
    large = trained((X, y), batch_size=64, **sgd)
    assert small.n_steps == large.n_steps
    for p, q in zip(small.model.parameters(), large.model.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, atol=1e-5)
    rest = trained((X[:80], y[:80]), batch_size=16, accumulate=3, max_epochs=1, **sgd)
    assert rest.n_steps == 2  # three batches, then two


def test_a_plateau_of_the_monitored_figure_reduces_the_rate(classes):
    X, y = classes
    seen = []

    def make(optimizer, n_steps):
        schedule = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.9)
        step = schedule.step
        schedule.step = lambda figure: (seen.append(figure), step(figure))
        return schedule

    trainer = Trainer(network(), cross_entropy, optimizer=adam, schedule=make, max_epochs=4, random_state=0)
    trainer.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert seen == trainer.history["validation_loss"].tolist()
    np.testing.assert_allclose(trainer.history["learning_rate"], [0.01, 0.01, 0.005, 0.0025])


def test_groups_that_are_added_between_runs_are_trained(classes):
    X, y = classes
    model = network()
    optimizer = optim.SGD(model[1].parameters(), lr=0.1)
    trainer = Trainer(
        model, cross_entropy, optimizer=optimizer, schedule=lambda o, n: optim.StepLR(o, 1, 0.5), schedule_every="epoch"
    )
    trainer.max_epochs = 2
    first = model[0].weight.data.copy()
    trainer.fit(X, y)
    assert (model[0].weight.data == first).all()
    optimizer.add_param_group({"params": list(model[0].parameters()), "lr": 0.2})
    trainer.max_epochs = 3
    trainer.fit(X, y)
    assert (model[0].weight.data != first).any()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.0125, 0.1])


def test_a_metric_of_nan_is_no_best(classes):
    X, y = classes
    figures = iter([math.nan, 3.0, math.nan, 2.0, math.nan, math.nan, math.nan, 1.0])
    trainer = Trainer(
        network(),
        cross_entropy,
        metrics={"own": lambda output, target: next(figures)},
        monitor="own",
        patience=3,
        batch_size=260,
        max_epochs=9,
    )
    trainer.fit(X, y)
    assert trainer.history.best_epoch == 3
    assert len(trainer.history) == 7


def test_schedules_count_steps_or_epochs(classes):
    seen = []

    def make(optimizer, n_steps):
        seen.append(n_steps)
        return optim.LinearLR(optimizer, 1.0, 0.0, n_steps)

    by_step = trained(classes, schedule=make, batch_size=100)
    by_epoch = trained(classes, schedule=make, schedule_every="epoch")
    assert seen == [12, 4]
    np.testing.assert_allclose(by_step.history["learning_rate"], 0.01 * (1 - np.array([2, 5, 8, 11]) / 12))
    np.testing.assert_allclose(by_epoch.history["learning_rate"], [0.01, 0.0075, 0.005, 0.0025])
    with pytest.raises(ValueError, match="length"):
        Trainer(network(), cross_entropy, schedule=make).fit(lambda epoch: iter([classes]))


def test_augmentation_sees_each_batch_and_is_seeded(classes):
    def noisy(batch, rng):
        X, y = batch
        return X + rng.normal(size=X.shape).astype(np.float32), y

    a, b, plain = (trained(classes, augment=f) for f in (noisy, noisy, None))
    assert weights(a.model) == weights(b.model) != weights(plain.model)


def test_it_goes_on_to_more_epochs(classes):
    trainer = trained(classes, max_epochs=2)
    trainer.max_epochs = 4
    trainer.fit(*classes)
    assert weights(trainer.model) == weights(trained(classes).model)


# ---- stopping, averages ----------------------------------------------------------------------------------------------


def test_early_stopping_restores_the_best_weights(classes):
    X, y = classes
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 3, 60)
    options = {"optimizer": lambda p: optim.Adam(p, lr=0.05), "max_epochs": 100, "patience": 3, "random_state": 0}
    trainer = Trainer(network(), cross_entropy, **options)
    trainer.fit(X[:60], noise, X_val=X[200:], y_val=y[200:])
    losses = trainer.history["validation_loss"]
    assert len(losses) < 100
    assert trainer.history.best_epoch == int(np.argmin(losses)) == len(losses) - 4
    assert trainer.evaluate(X[200:], y[200:])["loss"] == pytest.approx(losses.min(), rel=1e-6)
    by_score = Trainer(network(), cross_entropy, metrics="accuracy", monitor="accuracy", mode="max", **options)
    by_score.fit(X[:60], y[:60])
    assert by_score.history.best_epoch == int(np.argmax(by_score.history["accuracy"]))
    with pytest.raises(ValueError, match="monitor 'f1'"):
        Trainer(network(), cross_entropy, monitor="f1").fit(X, y)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_weights_that_come_back_are_those_of_the_best_training_loss(classes, accumulate):
    X, y = classes
    options = {"optimizer": lambda p: optim.SGD(p, lr=6.0), "max_epochs": 40, "patience": 3, "shuffle": False}
    trainer = Trainer(network(), cross_entropy, batch_size=-(-260 // accumulate), accumulate=accumulate, **options)
    trainer.fit(X, y)
    losses = trainer.history["loss"]
    assert trainer.history.best_epoch == losses.argmin() < len(losses) - 1  # too long a step: it goes up and down
    assert trainer.evaluate(X, y)["loss"] == pytest.approx(losses.min(), rel=1e-6)
    one = Trainer(network(), cross_entropy, batch_size=260, patience=3, max_epochs=1).fit(X, y)
    assert weights(one.model) != weights(network())  # the step of the last epoch stays


@pytest.mark.parametrize("make", [lambda: EMA(0.8), lambda: SWA(2), lambda: CheckpointAverage(3)])
def test_averages(classes, make):
    X, y = classes
    seen, after_epochs, average = [], [], make()

    class Watched(Sequential):
        pass

    model = network()
    initial = [p.data.astype(np.float64) for p in model.parameters()]

    def optimizer(parameters):
        made = optim.Adam(parameters, lr=0.01)
        step = made.step

        def watched(**options):
            step(**options)
            seen.append([p.data.astype(np.float64) for p in model.parameters()])

        made.step = watched
        return made

    trainer = Trainer(model, cross_entropy, optimizer=optimizer, max_epochs=5, average=average, random_state=0)
    trainer.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    after_epochs = seen[6::7]
    expected = initial
    if isinstance(average, EMA):
        for t, values in enumerate(seen):
            d = min(0.8, (1 + t) / (10 + t))
            expected = [d * a + (1 - d) * v for a, v in zip(expected, values, strict=True)]
    else:
        expected = [np.mean([epoch[i] for epoch in after_epochs[2:]], axis=0) for i in range(len(initial))]
    for p, value in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.data, value, atol=1e-5)
    assert trainer.evaluate(X[200:], y[200:])["loss"] == pytest.approx(trainer.history["validation_loss"][-1], rel=1e-6)
    trainer.max_epochs = 6  # goes on from the weights, not from their average
    trainer.fit(X[:200], y[:200])
    for start, end in zip(after_epochs[-1], seen[35], strict=True):
        assert np.abs(end - start).max() < 0.011


def test_batch_norms_get_the_statistics_of_averaged_weights(classes):
    _runtime.manual_seed(0)
    model = Sequential(Linear(10, 16), BatchNorm1d(16), Linear(16, 3))
    trained(classes, model, average=SWA(1), batch_size=260)
    hidden = model[0](classes[0]).data
    np.testing.assert_allclose(model[1].running_mean, hidden.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(model[1].running_var, hidden.var(axis=0, ddof=1), rtol=1e-4)
    assert model[1].momentum == 0.1


def test_averages_refuse_what_they_cannot_be():
    with pytest.raises(ValueError, match="decay"):
        EMA(1.0)
    with pytest.raises(ValueError, match="start_epoch"):
        SWA(-1)
    with pytest.raises(ValueError, match="n_last"):
        CheckpointAverage(0)


def test_further_metrics_can_stop_a_training(classes):
    X, y = classes
    asked = []

    def validate(model):
        assert not model.training
        assert not model[0](X[:1]).requires_grad
        asked.append(len(asked))
        return {"validation_luck": -abs(len(asked) - 3)}  # best in the third epoch

    trainer = Trainer(
        network(),
        cross_entropy,
        validate=validate,
        monitor="validation_luck",
        mode="max",
        patience=2,
        max_epochs=20,
        random_state=0,
    ).fit(X, y)
    assert len(trainer.history) == len(asked) == 5
    assert trainer.history.best_epoch == 2
    np.testing.assert_array_equal(trainer.history["validation_luck"], [-2, -1, 0, -1, -2])


# ---- steps of one's own ----------------------------------------------------------------------------------------------


class Counter(Module):
    """Adds what it has seen: y_t = w (x_t + state)."""

    def __init__(self):
        super().__init__()
        self.weight = Parameter(np.array([[0.5]], np.float32))
        self.states = []

    def forward(self, x, state):
        from mlcore.nn.functional._linear import linear

        self.states.append(None if state is None else float(np.asarray(state.data).ravel()[0]))
        y = linear(x, self.weight, residual=state)
        return y, y


def test_a_carried_state_goes_from_batch_to_batch_without_its_past():
    model = Counter()
    passed = []

    def step(model, batch, state):
        if state is not None:
            passed.append(state)
            assert state["h"][0]._node is None
            assert not state["h"][0].requires_grad
        y, hidden = model(batch[0], None if state is None else state["h"][0])
        return mse_loss(y, batch[1]), {"h": (hidden,)}

    x = np.ones((4, 1), np.float32)
    trainer = Trainer(
        model,
        step=step,
        carry=True,
        optimizer=lambda p: optim.SGD(p, lr=0.0),
        batch_size=1,
        shuffle=False,
        max_epochs=2,
    )
    trainer.fit(x, x)
    assert model.states == [None, 0.5, 1.0, 1.5] * 2
    assert len(passed) == 6


def test_a_step_of_ones_own_and_dict_batches(classes):
    X, y = classes

    def step(model, batch):
        return cross_entropy(model(batch["x"]), batch["label"])

    a = Trainer(network(), step=step, optimizer=adam, max_epochs=4, random_state=0)
    a.fit({"x": X, "label": y}, X_val={"x": X, "label": y})
    assert weights(a.model) == weights(trained(classes).model)
    assert "validation_loss" in a.history

    class Named(Module):
        def __init__(self):
            super().__init__()
            self.body = network()

        def forward(self, x):
            return self.body(x)

    named = Trainer(Named(), cross_entropy, optimizer=adam, max_epochs=4, random_state=0).fit({"x": X}, y)
    assert weights(named.model) == weights(a.model)
    assert named.predict({"x": X}).shape == (260, 3)


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_array_batches_cover_all_rows_once():
    data = (np.arange(10), np.arange(10) * 2)
    batches = ArrayBatches(data, -np.arange(10), batch_size=4)
    assert len(batches) == 3
    orders = []
    for seed in (0, 1):
        found = list(batches.epoch(0, seed))
        assert [len(b[0]) for b in found] == [4, 4, 2]
        assert all((b[1] == 2 * b[0]).all() and (b[2] == -b[0]).all() for b in found)
        orders.append(np.concatenate([b[0] for b in found]).tolist())
        assert sorted(orders[-1]) == list(range(10))
        assert [b[0].tolist() for b in batches.epoch(0, seed, 1)] == [b[0].tolist() for b in found[1:]]
    assert orders[0] != orders[1]
    assert len(ArrayBatches(data, batch_size=4, drop_last=True)) == 2
    for size, drop_last, expected in (
        (3, False, [3, 3, 4]),
        (9, False, [10]),
        (3, True, [3, 3, 3]),
        (1, False, [1] * 10),
    ):
        batches = ArrayBatches(data, batch_size=size, drop_last=drop_last)
        found = list(batches.epoch(0, 0))
        assert [len(b[0]) for b in found] == expected
        assert len(batches) == len(expected)
        assert len({int(x) for b in found for x in b[0]}) == sum(expected)
    assert [len(b[0]) for b in ArrayBatches(data[0][:1], batch_size=4).epoch(0, 0)] == [1]
    named = next(ArrayBatches({"a": data[0]}, data[1], batch_size=3, shuffle=False).epoch(0, 0))
    assert {name: values.tolist() for name, values in named.items()} == {"a": [0, 1, 2], "y": [0, 2, 4]}


def test_rows_of_like_length_come_together():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, 3000)
    texts = [np.full(n, n, np.int64) for n in lengths]
    for chosen in (True, lengths):
        batches = ArrayBatches(texts, texts, batch_size=20, lengths=chosen)
        found = list(batches.epoch(0, 7))
        assert sum(len(b[0]) for b in found) == 3000
        assert sum(b[0].size for b in found) < 1.1 * lengths.sum()
        means = [b[0].max(axis=1).mean() for b in found]
        assert np.abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3  # in random order
    x, y = found[0]
    assert (x[:, -1] == 0).any() == (y[:, -1] == -100).any()
    assert ((x == 0) == (y == -100)).all()
    assert Ragged([np.ones(2, np.float32)], -1)[np.array([0])].tolist() == [[1.0, 1.0]]


def test_batches_of_ones_own(classes):
    X, y = classes
    parts = [(X[i : i + 32], y[i : i + 32]) for i in range(0, 260, 32)]
    runs = [
        Trainer(network(), cross_entropy, optimizer=adam, max_epochs=3, random_state=0).fit(data)
        for data in (parts, lambda epoch: iter(parts), IterableBatches(parts), [list(part) for part in parts])
        if not isinstance(data, list) or isinstance(data[0], tuple)
    ]
    assert len({weights(run.model) for run in runs}) == 1
    numbers = []
    Trainer(network(), cross_entropy, max_epochs=3).fit(lambda epoch: (numbers.append(epoch), parts)[1])
    assert numbers == [0, 1, 2]


def test_bad_data_is_refused(classes):
    X, y = classes
    trainer = Trainer(network(), cross_entropy)
    with pytest.raises(ValueError, match=r"same number of rows, got \[10, 260\]"):
        trainer.fit(X, y[:10])
    with pytest.raises(ValueError, match="no batch"):
        trainer.fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="no batch"):
        ArrayBatches(X[:5], batch_size=8, drop_last=True)
    with pytest.raises(TypeError, match="only once"):
        trainer.fit(iter([(X, y)]))
    with pytest.raises(ValueError, match="without a batch"):
        trainer.fit(lambda epoch: [])
    with pytest.raises(ValueError, match="pass y"):
        trainer.fit(X)
    with pytest.raises(TypeError, match="goes with arrays only"):
        trainer.fit(lambda epoch: [], y)
    with pytest.raises(TypeError, match="float64"):
        trainer.fit(X.astype(np.float64), y)
    with pytest.raises(ValueError, match="empty"):
        source_of([np.ones(2), np.ones(0)])
    with pytest.raises(ValueError, match="one dtype"):
        source_of([np.ones(2), np.ones(2, np.int64)])
    with pytest.raises(ValueError, match="list of arrays"):
        ArrayBatches(X, lengths=True)
    with pytest.raises(ValueError, match="lengths must have shape"):
        ArrayBatches(X, lengths=[1, 2])
    with pytest.raises(ValueError, match="batch_size"):
        ArrayBatches(X, batch_size=0)
    with pytest.raises(ValueError, match="single value"):
        ArrayBatches(1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 0}, "max_epochs"),
        ({"accumulate": 0}, "accumulate"),
        ({"schedule_every": "day"}, "schedule_every"),
        ({"metrics": "auc"}, "unknown metric 'auc'"),
        ({"mode": "best"}, "mode"),
        ({"patience": 0}, "patience"),
        ({"carry": True}, "carry"),
        ({"step": lambda model, batch: None}, "no loss"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Trainer(network(), cross_entropy, **options)
    with pytest.raises(ValueError, match="needs a loss"):
        Trainer(network())


def test_a_loss_that_is_no_loss_is_refused(classes):
    with pytest.raises(TypeError, match=r"Tensor of shape \(32, 3\)"):
        Trainer(network(), lambda output, target: output).fit(*classes)
    with pytest.raises(TypeError, match="got float"):
        Trainer(network(), lambda output, target: 1.0).fit(*classes)


def test_an_optimizer_of_another_network_is_refused(classes):
    optimizer = optim.SGD(network().parameters())
    with pytest.raises(ValueError, match="no parameter of the optimizer has got a gradient"):
        Trainer(network(), cross_entropy, optimizer=optimizer).fit(*classes)


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_progress(classes, capsys, caplog):
    trained(classes, verbose=0)
    assert capsys.readouterr().err == ""
    trained(classes, verbose=1)
    assert "36/36" in capsys.readouterr().err
    with caplog.at_level(logging.INFO, logger="mlcore"):
        trained(classes, verbose=2)
    assert len(caplog.records) == 4
    assert "Sequential 4/4" in caplog.text
    assert "gradient_norm" in caplog.text
