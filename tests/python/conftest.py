"""What all Python tests share."""

import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from mlcore import _native
from support import process


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_python(code, env=None, timeout=120)`` runs code in a process of its own; see `support.process`."""
    return process.run_python


@pytest.fixture
def isa_levels() -> tuple[str, ...]:
    """ISA levels that this package was built with and this CPU can run, lowest first."""
    return tuple(level for level in _native.built_levels() if level in _native.supported_levels())


@pytest.fixture
def levels_to_compare(isa_levels: tuple[str, ...]) -> tuple[str, ...]:
    """The same levels, for tests that say nothing where there is only one: those have the marker 'isa'."""
    if len(isa_levels) < 2:
        pytest.skip("this package holds one level only")
    return isa_levels


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "isa: compares ISA levels; skipped where the package holds one only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "levels_to_compare" in getattr(item, "fixturenames", ()):
            item.add_marker("isa")


@pytest.fixture(scope="module")
def numbers():
    """Integer-valued features with missing values, and a positive target."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 12, (300, 4)).astype(np.float64)
    y = np.exp(0.15 * X[:, 0] - 0.1 * X[:, 1]) + rng.gamma(2.0, 0.1, 300)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


@pytest.fixture(scope="module")
def classes(numbers):
    X, y = numbers
    return X, np.digitize(y, np.quantile(y, [0.3, 0.7]))
