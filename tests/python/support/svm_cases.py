"""Kernel machines, kernels and data that the tests of them share."""

import numpy as np
import pytest

import mlcore

ALL = {"SVC": {}, "NuSVC": {"nu": 0.6}, "SVR": {}, "NuSVR": {"nu": 0.33}, "OneClassSVM": {"nu": 0.33}}
KINDS = {"SVC": "c_svc", "NuSVC": "nu_svc", "SVR": "epsilon_svr", "NuSVR": "nu_svr", "OneClassSVM": "one_class"}
KERNELS = {
    "linear": {},
    "poly": {"degree": 2, "coef0": 1.0, "gamma": 0.3},
    "rbf": {},
    "rbf auto": {"gamma": "auto"},
    "sigmoid": {"gamma": 0.02},
}
everyone = pytest.mark.parametrize("name", ALL)


def rows(n=90, d=4, seed=0):
    """Rows that no border separates, three classes, a target and weights; no two rows are the same."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    labels = np.digitize(X[:, 0] + 0.5 * rng.normal(size=n), [-0.5, 0.5])
    y = np.sin(X[:, 0]) + 0.3 * X[:, 1] + 0.2 * rng.normal(size=n)
    return X, labels, y, rng.uniform(0.2, 2.0, n)


def target(name, labels, y):
    return None if name == "OneClassSVM" else labels if "C" in name else y


def make(name, module=mlcore, **parameters):
    kernel = parameters.get("kernel", "rbf")
    if isinstance(kernel, str) and kernel in KERNELS:
        parameters = KERNELS[kernel] | parameters | {"kernel": kernel.split()[0]}
    return getattr(module, name)(**ALL[name] | parameters)


def values(model, X):
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)
