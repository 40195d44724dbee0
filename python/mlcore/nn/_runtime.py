"""What all operations of a network run with: the number of threads, and the stream of random numbers.

Both belong to the current context (:mod:`contextvars`): two networks that train in two Python threads never meet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore._state import Int, Spec, check_entries

_n_threads: ContextVar[int | None] = ContextVar("mlcore.nn n_threads", default=None)


def n_threads() -> int:
    """Return the number of threads that operations may use here."""
    chosen = _n_threads.get()
    if chosen is None:
        chosen = effective_n_jobs(None)
        _n_threads.set(chosen)
    return chosen


def set_num_threads(n_jobs: int | None) -> None:
    """Set the number of threads for what follows in this context: as `n_jobs` of the estimators. Results do not change.

    Parameters
    ----------
    n_jobs : int or None
        None and -1: all CPUs that this process may use.
    """
    _n_threads.set(effective_n_jobs(n_jobs))


@contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """As :func:`set_num_threads`, within a ``with`` block."""
    token = _n_threads.set(effective_n_jobs(n_jobs))
    try:
        yield
    finally:
        _n_threads.reset(token)


def idle_memory() -> int:
    """Return how many bytes of freed arrays are kept for the next operations, at most 1 GiB."""
    return core.nn.idle_bytes()


def release_memory() -> None:
    """Give the memory that is kept for the next operations back to the system."""
    core.nn.release_memory()


_GENERATOR: Spec = {"seed": Int(), "n_drawn": Int()}


class Generator:
    """A stream of seeds. Its whole state is two numbers, so that a checkpoint can hold it.

    Parameters
    ----------
    seed : int
        In [0, 2**63).
    """

    def __init__(self, seed: int) -> None:
        self.seed = int(seed)
        self.n_drawn = 0

    def next_seed(self) -> int:
        """Draw 64 bits (SplitMix64 of Steele, Lea and Flood, 2014, at the position `n_drawn`)."""
        self.n_drawn += 1
        mask = (1 << 64) - 1
        z = (self.seed + self.n_drawn * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def numpy(self) -> np.random.Generator:
        """Return a NumPy generator with the next seed: for arrays of random numbers."""
        return np.random.Generator(np.random.Philox(self.next_seed()))

    def get_state(self) -> dict[str, int]:
        """Return seed and position."""
        return {"seed": self.seed, "n_drawn": self.n_drawn}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state of :meth:`get_state`. Raises ValueError if it is none."""
        check_entries(_GENERATOR, state, type(self).__name__)
        self.seed, self.n_drawn = int(state["seed"]), int(state["n_drawn"])


_generator: ContextVar[Generator | None] = ContextVar("mlcore.nn generator", default=None)


def generator() -> Generator:
    """Return the generator of this context, by which layers are initialised and dropout is drawn."""
    current = _generator.get()
    if current is None:
        current = Generator(int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1))
        _generator.set(current)
    return current


def manual_seed(seed: int) -> Generator:
    """Start the random numbers of this context again from `seed`: initial weights, dropout, shuffling.

    Parameters
    ----------
    seed : int
        In [0, 2**63).

    Returns
    -------
    Generator
        The generator of this context.
    """
    if not 0 <= int(seed) < 1 << 63:
        raise ValueError(f"seed must be in [0, 2**63), got {seed}")
    fresh = Generator(seed)
    _generator.set(fresh)
    return fresh


@contextmanager
def random_stream(stream: Generator) -> Iterator[Generator]:
    """Draw from `stream` within a ``with`` block."""
    token = _generator.set(stream)
    try:
        yield stream
    finally:
        _generator.reset(token)
