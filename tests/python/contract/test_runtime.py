"""Threads, fork and Ctrl-C: what every class does in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from mlcore._registry import CLASSES
from support.process import search_path


@pytest.fixture(scope="module")
def outcomes():
    """``outcomes(name)`` gives the outcome of each step; all steps of a class are taken in one process."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "contract.runtime"],
        env=os.environ | {"PYTHONPATH": search_path(), "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(name):
        print(name, file=process.stdin, flush=True)
        return json.loads(process.stdout.readline())

    yield ask
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


@pytest.mark.parametrize("name", CLASSES)
def test_runtime(name, outcomes):
    """The steps are described in `runtime.py`."""
    if failed := {step: outcome for step, outcome in outcomes(name).items() if outcome != "ok"}:
        pytest.fail("\n\n".join(f"{step}: {outcome}" for step, outcome in failed.items()), pytrace=False)
