"""Losses, figures and gradients of batches put together: as if all rows had been one batch."""

import math

import numpy as np
import pytest

from mlcore.nn import optim
from mlcore.nn.functional._cross_entropy import cross_entropy, nll_loss
from mlcore.nn.functional._linear_cross_entropy import linear_cross_entropy
from mlcore.nn.functional._losses import mse_loss
from mlcore.nn.functional._softmax import log_softmax
from mlcore.nn.layers._losses import CrossEntropyLoss, FocalLoss
from mlcore.nn.training._trainer import Trainer
from nn.test_trainer import network, weights


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(260, 10)).astype(np.float32)
    return X, (X @ rng.normal(size=(10, 3))).argmax(axis=1)


def losses_with_weights_of_their_own():
    class_weight = np.float32([0.1, 3.0, 0.01])
    class_vectors = np.float32([[1, 0.5, 0], [0, 1, -0.5], [-1, 0, 1]])
    return {
        "mean": cross_entropy,
        "class weights": CrossEntropyLoss(class_weight),
        "label smoothing": CrossEntropyLoss(class_weight, label_smoothing=0.1),
        "focal": FocalLoss(2.0, class_weight),
        "log-likelihood": lambda output, target: nll_loss(log_softmax(output, 1), target, class_weight),
        "terms": lambda output, target: 0.5 * cross_entropy(output, target, class_weight) + 0.25,
        "output layer": lambda output, target: linear_cross_entropy(output, class_vectors, target, label_smoothing=0.1),
        "sum": CrossEntropyLoss(reduction="sum"),
        "own": lambda output, target: (
            cross_entropy(output, target, reduction="sum") * (1 / max((target != -100).sum(), 1)),
            (target != -100).sum(),
        ),
    }


@pytest.mark.parametrize("name", losses_with_weights_of_their_own())
def test_batches_are_put_together_by_what_their_means_were_taken_over(classes, name):
    loss = losses_with_weights_of_their_own()[name]
    X, y = classes[0][:101], classes[1][:101].copy()
    y[:40] = -100  # whole batches of 7 have no label at all
    model = network()
    whole = loss(model(X), y)
    expected = (whole[0] if isinstance(whole, tuple) else whole).item()
    for size in (7, 50, 101):
        trainer = Trainer(model, loss, metrics="accuracy", batch_size=size)
        figures = trainer.evaluate(X, y)
        assert figures["loss"] == pytest.approx(expected, rel=1e-5)
        met = model(X).data.argmax(axis=1) == y
        assert figures["accuracy"] == pytest.approx(met[40:].mean(), rel=1e-6)
    sgd = {"optimizer": lambda p: optim.SGD(p, lr=1e-3), "shuffle": False, "max_epochs": 1}
    runs = [
        Trainer(network(), loss, batch_size=size, accumulate=accumulate, **sgd).fit(X, y, X_val=X, y_val=y)
        for size, accumulate in ((101, 1), (7, 100), (50, 3))
    ]
    for run in runs[1:]:
        assert run.n_steps == 1
        assert run.history["loss"][0] == pytest.approx(expected, rel=1e-5)
        assert run.history["validation_loss"][0] == pytest.approx(runs[0].history["validation_loss"][0], rel=1e-5)
        for p, q in zip(run.model.parameters(), runs[0].model.parameters(), strict=True):
            np.testing.assert_allclose(p.data, q.data, atol=1e-6)


def test_numbers_and_distances_are_put_together_by_entries(classes):
    X, _ = classes
    target = X[:, :3] * 2
    model = network()
    expected = {"loss": mse_loss(model(X), target).item(), "far": 3.0}
    metrics = {"far": lambda output, target: (3.0, 0.5)}
    for size in (7, 50, 260):
        figures = Trainer(model, mse_loss, metrics=metrics, batch_size=size).evaluate(X, target)
        assert figures == pytest.approx(expected, rel=1e-5)

    def step(model, batch):
        return mse_loss(model(batch[0]), batch[1]), 2.0 * len(batch[0])

    assert Trainer(model, step=step, batch_size=7).evaluate(X, target)["loss"] == pytest.approx(
        expected["loss"], rel=1e-5
    )
    for bad in ((1.0, 2.0, 3.0), (1.0, np.ones(3))):
        with pytest.raises(TypeError, match="pair"):
            Trainer(model, lambda output, target, bad=bad: bad).evaluate(X, target)
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="finite and >= 0"):
            Trainer(model, lambda output, target, bad=bad: (mse_loss(output, target), bad)).evaluate(X, target)


def test_nothing_but_ignored_labels_is_no_loss(classes):
    X, y = classes[0], np.full(260, -100)
    trainer = Trainer(network(), cross_entropy, metrics="accuracy")
    assert trainer.evaluate(X, y) == {"loss": 0.0, "accuracy": 0.0}
    before = weights(trainer.model)
    sgd = {"optimizer": lambda p: optim.SGD(p, lr=0.1), "max_epochs": 1, "accumulate": 4}
    assert weights(Trainer(trainer.model, cross_entropy, **sgd).fit(X, y).model) == before
