"""A small network, data that it can learn, and its Trainer."""

import numpy as np

from mlcore.nn import _runtime, optim
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.training._trainer import Trainer


def rows_of_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(260, 10)).astype(np.float32)
    return X, (X @ rng.normal(size=(10, 3))).argmax(axis=1)


def network(seed=0, activation="tanh"):
    _runtime.manual_seed(seed)
    return Sequential(Linear(10, 16, activation=activation), Linear(16, 3))


def weights(model):
    return b"".join(p.data.tobytes() for p in model.parameters())


def adam(parameters):
    return optim.Adam(parameters, lr=0.01)


def trained(data, model=None, **options):
    settings = {"optimizer": adam, "max_epochs": 4, "random_state": 0} | options
    return Trainer(model or network(), cross_entropy, **settings).fit(*data)
