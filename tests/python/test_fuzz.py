"""A few forged files for every loader; 'make fuzz' runs many more."""

import subprocess
import sys
from pathlib import Path

from fuzz.loaders import Loader
from fuzz.runner import run

FUZZ = Path(__file__).parents[1]


def test_loaders_refuse_or_give_models_that_work():
    command = [sys.executable, "-m", "fuzz", "--files", "25"]
    done = subprocess.run(command, cwd=FUZZ, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("files, 0 kinds of findings")


BAD = """
import os, sys, time
sys.path.insert(0, {folder!r})
from fuzz.loaders import Loader
from fuzz import runner
runner._SECONDS, runner._SLOW = 1.0, 0.3

def load(path):
    index = int(path.read_bytes())
    if index == 1: raise ValueError("refused")
    if index == 2: raise TypeError("wrong")
    if index == 3: os.abort()
    if index == 4:
        while True: pass
    if index == 5: bytearray(3 << 30)
    if index == 6:
        begun = time.process_time()
        while time.process_time() < begun + .4: pass
    return index

def use(index):
    if index == 7: raise ValueError("late")

class Numbers(Loader):
    def make(self, index): return str(index).encode()

outcome = runner.run(Numbers("bad", [b"0"], load, use), 10)
assert (outcome.n_files, outcome.n_loaded) == (10, 4), outcome
kinds = sorted((index, what.split(" in ")[0].split(",")[0]) for what, (count, index) in outcome.findings.items())
expected = [(2, "load: TypeError"), (3, "the process ended with status 6"), (4, "more than 1 s"),
            (5, "load: MemoryError"), (6, "more than 0.3 s"), (7, "use: ValueError")]
assert kinds == expected, kinds
print("found")
"""


def test_the_fuzzer_finds_what_it_is_for(run_python):
    result = run_python(BAD.format(folder=str(FUZZ)))
    assert result.stdout == "found\n", result.stderr


def test_a_file_is_the_same_at_any_time():
    loader = Loader("any", [b"some bytes of a file", b"and others"], bytes, bytes)
    assert [loader.make(i) for i in range(50)] == [loader.make(i) for i in range(50)]
    assert len({loader.make(i) for i in range(50)}) > 25
    assert run(loader, 0).n_files == 0
