"""What all Python tests share."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from mlcore import _native

RunPython = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_python() -> RunPython:
    """``run_python(code, env=None, timeout=120)`` runs `code` in a Python process of its own.

    `env` adds environment variables. The result has ``returncode``, ``stdout`` and ``stderr``; nothing is raised.
    """

    def run(code: str, env: dict[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name != "MLCORE_ISA"}
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=clean | (env or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def isa_levels() -> tuple[str, ...]:
    """ISA levels that this package was built with and this CPU can run, lowest first."""
    return tuple(level for level in _native.built_levels() if level in _native.supported_levels())


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
