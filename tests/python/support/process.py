"""For tests in processes of their own: to start one, to fork, to be interrupted.

Nothing here loads NumPy or mlcore: a test decides when they come.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


def run_python(code: str, env: dict[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, where warnings are errors and tests can be imported as they are here.

    `env` adds environment variables. The result has ``returncode``, ``stdout`` and ``stderr``; nothing is raised.
    """
    clean = {
        name: value for name, value in os.environ.items() if name not in ("MLCORE_ISA", "MLCORE_INT8", "MLCORE_BF16")
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=clean | {"PYTHONPATH": search_path()} | (env or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def search_path() -> str:
    """Return the folders that this process imports from, as PYTHONPATH takes them."""
    return os.pathsep.join(path for path in sys.path if path)


def in_child(work: Callable[[], object]) -> int:
    """Fork, run ``work()`` in the child, and return its exit status: 0, or 1 if it raised what stands on stderr."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python >= 3.12 warns of any fork in a process with threads
        child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # whatever it is, the child must not go on as a second parent
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def n_threads() -> int | None:
    """Return how many threads this process has, or None where the system does not tell."""
    tasks = Path("/proc/self/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.exists() else None


def threads_stay(n: int) -> bool:
    """Say whether so many threads are left, once those that come late have ended."""
    end = time.time() + 20
    while n_threads() not in (n, None) and time.time() < end:
        time.sleep(0.01)
    return n_threads() in (n, None)


class Interrupted(NamedTuple):
    """From Ctrl-C to KeyboardInterrupt."""

    cpu: float
    """Seconds of all threads, which do not depend on what else the machine does."""

    wall: float
    """Seconds on the clock."""


def interrupted(work: Callable[[], object], after: float) -> Interrupted:
    """Call `work` again and again, send Ctrl-C `after` seconds, and tell how long it took to be heard."""
    sent: list[float] = []

    def interrupt() -> None:
        sent.extend((time.process_time(), time.perf_counter()))
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    timer = threading.Timer(after, interrupt)
    try:
        timer.start()
        while True:  # what ends sooner is begun again
            work()
    except KeyboardInterrupt:
        return Interrupted(time.process_time() - sent[0], time.perf_counter() - sent[1])
