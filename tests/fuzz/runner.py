"""Runs loaders in processes that are watched, counts files, and names findings."""

import contextlib
import functools
import json
import mmap
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

_MEMORY = 1 << 30  # bytes beyond what a process has when it starts
_SECONDS = 10.0  # of computing, for one file
_SLOW = 2.0


@dataclass
class Outcome:
    """What came of some files."""

    loader: str
    n_files: int = 0
    n_loaded: int = 0
    seconds: float = 0.0
    findings: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By what happened: how often, and the first file."""

    def add(self, what: str, index: int) -> None:
        count, first = self.findings.get(what, (0, index))
        self.findings[what] = count + 1, first


def run_all(n_files: int, minutes: float | None, only: str, first: int) -> int:
    """Run all loaders whose name contains `only`; print a line each. Returns the number of kinds of findings."""
    from .loaders import all_loaders

    n_run = n_found = 0
    for loader in all_loaders().values():
        if only in loader.name:
            outcome = run(loader, n_files, first, minutes)
            rate = outcome.n_files / max(outcome.seconds, 1e-9)
            print(f"{loader.name:28} {outcome.n_files:8} files {outcome.n_loaded:7} loaded {rate:7.0f}/s", flush=True)
            for what, (count, index) in outcome.findings.items():
                print(f"  FOUND {count} times, first --show {loader.name} {index}: {what}", flush=True)
            n_run, n_found = n_run + outcome.n_files, n_found + len(outcome.findings)
    print(f"{n_run} files, {n_found} kinds of findings")
    return n_found


def run(loader, n_files: int, first: int = 0, minutes: float | None = None) -> Outcome:
    """Run a loader on files `first`, `first` + 1, ...; a process that dies is followed by another."""
    outcome, begun = Outcome(loader.name), time.monotonic()
    end = None if minutes is None else begun + 60 * minutes
    index = first
    while index < first + n_files and (end is None or time.monotonic() < end) and len(outcome.findings) < 50:
        index = _watch(loader, index, first + n_files, end, outcome)
    outcome.seconds = time.monotonic() - begun
    outcome.n_files = index - first
    return outcome


def _watch(loader, begin: int, stop: int, end: float | None, outcome: Outcome) -> int:
    """Run files in a child until it is done, dies or hangs. Returns the number of the next file."""
    place = mmap.mmap(-1, 16)  # shared: the number of the file at hand, and how many were loaded
    place[:16] = struct.pack("<qq", begin, 0)
    with tempfile.TemporaryFile() as log:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _work(loader, begin, stop, end, place, log)
                status = 0
            finally:
                os._exit(status)
        seen, spent, status = begin, 0.0, None
        while status is None:
            time.sleep(0.02)
            found, code = os.waitpid(pid, os.WNOHANG)
            status = code if found else None
            at, used = struct.unpack("<q", place[:8])[0], _cpu_seconds(pid)
            if at != seen:
                seen, spent = at, used
            elif status is None and used - spent > _SECONDS:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
                status = "hang"
        at, n_loaded = struct.unpack("<qq", place[:16])
        outcome.n_loaded += n_loaded
        log.seek(0)
        for line in log.read().decode().splitlines():
            what, index = json.loads(line)
            outcome.add(what, index)
    if status == 0:
        return at
    outcome.add(f"more than {_SECONDS:g} s" if status == "hang" else f"the process ended with status {status}", at)
    return at + 1


def _work(loader, begin: int, stop: int, end: float | None, place, log) -> None:
    """Load one file after the other, in a child."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    # Half of the time would go into looking at the signatures of constructors.
    BaseEstimator._get_param_names = classmethod(functools.cache(BaseEstimator._get_param_names.__func__))
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder) as scratch, np.errstate(all="ignore"):
        path = Path(scratch, f"file{loader.suffix}")
        for index in range(begin, stop):
            place[:8] = struct.pack("<q", index)
            if end is not None and index % 64 == 0 and time.monotonic() > end:
                return
            started = time.process_time()
            what = _one(loader, index, path)
            if what == "loaded":
                place[8:16] = struct.pack("<q", struct.unpack("<q", place[8:16])[0] + 1)
            elif what:
                log.write((json.dumps([what, index]) + "\n").encode())
            if time.process_time() - started > _SLOW:
                log.write((json.dumps([f"more than {_SLOW:g} s", index]) + "\n").encode())
            log.flush()
        place[:8] = struct.pack("<q", stop)


def _one(loader, index: int, path: Path) -> str:
    """Return "loaded", "" for a file that was refused, or what went wrong."""
    path.unlink(missing_ok=True)  # another file in its place: one that is mapped must stay as it is
    try:
        path.write_bytes(loader.make(index))
    except BaseException as error:
        return _where("make", error)
    try:
        loaded = loader.load(path)
    except ValueError:
        return ""
    except BaseException as error:
        return _where("load", error)
    try:
        loader.use(loaded)
    except BaseException as error:
        return _where("use", error)
    return "loaded"


def _where(stage: str, error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "mlcore" in frame.filename]
    frame = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{stage}: {type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {str(error)[:100]!a}"


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def show(name: str, index: int) -> None:
    """Run one file in this process, errors and all."""
    from .loaders import all_loaders

    loader = all_loaders()[name]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, f"file{loader.suffix}")
        path.write_bytes(loader.make(index))
        sys.stdout.write(f"{len(path.read_bytes())} bytes\n")
        loader.use(loader.load(path))
