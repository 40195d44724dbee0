"""Threads, fork and Ctrl-C: what every class does in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from contract.runtime import STEPS
from mlcore._registry import CLASSES
from support.process import search_path


@pytest.fixture(scope="module")
def outcomes():
    """``outcomes(name)``: the outcome of each step; all steps of a class are taken in one process, once."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "contract.runtime"],
        env=os.environ | {"PYTHONPATH": search_path(), "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    known = {}

    def ask(name):
        if name not in known:
            print(name, file=process.stdin, flush=True)
            known[name] = json.loads(process.stdout.readline())
        return known[name]

    yield ask
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", CLASSES)
def test_runtime(name, step, outcomes):
    if (outcome := outcomes(name)[step]) != "ok":
        pytest.fail(outcome, pytrace=False)
