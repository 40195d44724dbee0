"""What the Trainer says of gradients that vanish, explode or grow, and where a NaN comes from."""

import math
import warnings

import numpy as np
import pytest

from mlcore.nn import _runtime, init, optim
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.functional._losses import mse_loss
from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor
from mlcore.nn.training._gradient_flow import GradientFlowWarning, NonFiniteError
from mlcore.nn.training._trainer import Trainer
from support.training import network, rows_of_classes, trained, weights


@pytest.fixture(scope="module")
def classes():
    return rows_of_classes()


def test_vanishing_gradients_are_told(classes):
    _runtime.manual_seed(0)
    deep = Sequential(Linear(10, 8), *[Linear(8, 8, activation="sigmoid") for _ in range(12)], Linear(8, 3))
    for p in deep.parameters():
        init.normal_(p, 0.0, 0.1)
    with pytest.warns(GradientFlowWarning, match=r"of '0' \(.*\), '1' .* vanishes"):
        trained(classes, deep, max_epochs=1)


def test_exploding_gradients_are_told(classes):
    X, y = classes
    _runtime.manual_seed(0)
    model = Sequential(*[Linear(10, 10) for _ in range(6)], Linear(10, 3))
    for p in model.parameters():
        p.data[...] *= 12
    sgd = {"optimizer": lambda p: optim.SGD(p, lr=1e-12), "max_epochs": 1}
    with pytest.warns(GradientFlowWarning, match="explodes"):
        Trainer(model, mse_loss, **sgd).fit(X, np.eye(3, dtype=np.float32)[y])


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_growing_gradients_are_told_in_any_unit_of_the_loss(classes, unit):
    X, y = classes
    target = np.eye(3, dtype=np.float32)[y]
    epochs = []

    def loss(output, target):
        return mse_loss(output * 10.0 ** (2 * len(epochs)), target) * unit  # ten thousand times as much each epoch

    def adam_slow(parameters):
        return optim.Adam(parameters, lr=1e-6)

    trainer = Trainer(network(), loss, optimizer=adam_slow, max_epochs=1, batch_size=260).fit(X, target)
    epochs.extend([0, 0, 0])
    trainer.max_epochs = 2
    with pytest.warns(GradientFlowWarning, match="explodes"):
        trainer.fit(X, target)


def test_healthy_training_gives_no_warning(classes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(classes, max_epochs=20)


class Faulty(Module):
    def __init__(self, at):
        super().__init__()
        self.body, self.head, self.at = network(), Linear(3, 3), at
        self.n_calls = 0

    def forward(self, x):
        self.n_calls += 1
        y = self.body(x)
        if self.at == "body" and self.n_calls > 3:
            y = Tensor(np.full(y.shape, np.nan, np.float32))
        return self.head(y)


def test_a_nan_is_traced_to_its_layer(classes):
    X, y = classes
    model = network()
    with np.errstate(all="ignore"):
        model[1].weight.data[0, 0] = np.inf
    with pytest.raises(NonFiniteError, match=r"epoch 0, batch 0: parameter '1\.weight' itself is not finite"):
        trained(classes, model)
    bad = X.copy()
    bad[40, 3] = np.nan
    model = network()
    with pytest.raises(NonFiniteError, match=r"layer '0' \(Linear\); its input was not finite already"):
        trained((bad, y), model, shuffle=False)
    assert all(np.isfinite(p.data).all() for p in model.parameters())
    huge = X.copy()
    huge[40] = 3e38
    with pytest.raises(NonFiniteError, match=r"layer '0' \(Linear\); its input is finite"):
        trained((huge, y), network(activation="identity"), shuffle=False)
    model = network()
    with pytest.raises(NonFiniteError, match="so it is the loss itself"):
        Trainer(model, lambda output, target: cross_entropy(output, target) * math.nan).fit(X, y)
    with pytest.raises(NonFiniteError, match=r"epoch 0, batch 3: .* layer 'head' \(Linear\); its input was not finite"):
        trained(classes, Faulty("body"))


def test_a_gradient_that_is_not_finite_stops_before_the_step(classes):
    from mlcore.nn.tensor import record

    def poison(x):
        return record("poison", x.data, (x,), lambda dy: [np.full_like(dy, np.inf)])

    class Poisoned(Sequential):
        def forward(self, x):
            return self[1](poison(self[0](x)))

    _runtime.manual_seed(0)
    model = Poisoned(Linear(10, 16), Linear(16, 3))
    before = weights(model)
    with pytest.raises(NonFiniteError, match=r"those of 0\.bias, 0\.weight"):
        trained(classes, model)
    assert weights(model) == before
