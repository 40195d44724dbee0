"""What all Python tests share."""

import os
import subprocess
import sys
from collections.abc import Callable

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
