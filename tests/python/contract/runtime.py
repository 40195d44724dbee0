"""What is tried with each class in a process of its own: numbers of threads, fork, Ctrl-C, two fits at once.

Run as a program it reads names of classes from stdin. For each it forks a process, tries everything there, and answers
with one line of JSON, {step: "ok" or what went wrong}; so numpy, scikit-learn and mlcore are loaded once for all.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contract.cases import case, kind, make, typical
from mlcore._native import core
from mlcore._registry import CLASSES, find
from support.fingerprint import digest, fingerprint
from support.process import in_child, interrupted, n_threads

TEAMS_STAY = "libgomp" in core.build_info()["openmp"] and n_threads() is not None
"""Whether the threads of a parallel loop can be counted after it."""


def fitted(name: str, n_jobs: int, seed: int = 0) -> tuple[Any, str]:
    """Return a model fitted to rows that are worth several threads, and its fingerprint, answers included."""
    X, y = typical(name, case(name).n_parallel, seed)
    if kind(name) == "vectors":
        return X, digest(ask(X, n_jobs))
    model = make(name, n_jobs=n_jobs).fit(X, y)
    return model, fingerprint(model, X)


def ask(vectors: Any, n_jobs: int) -> list[Any]:
    """Return answers of a table of vectors."""
    words = vectors.index_to_key[:64]
    batch = vectors.most_similar([[word] for word in words], topn=10, n_jobs=n_jobs)
    return [batch, vectors.most_similar(words[0], n_jobs=n_jobs), vectors.distances(words[0], n_jobs=n_jobs)]


# ---- the steps -------------------------------------------------------------------------------------------------------


def number_of_threads(name: str) -> None:
    """One job starts no thread; more of them give the same bits, in fit and in what is asked after it."""
    X, _ = typical(name, case(name).n_parallel)
    alone = n_threads()
    model, expected = fitted(name, 1)
    assert n_threads() == alone, "n_jobs=1 has started a thread"
    for n_jobs in (2, 3, 8):
        found = fitted(name, n_jobs)[1]
        assert found == expected or not case(name).same_bits_by_n_jobs, f"n_jobs={n_jobs} gives other bits"
    assert not TEAMS_STAY or a_team_was_left(name, alone), "jobs use no threads: it takes more rows (n_parallel)"
    if kind(name) != "vectors":
        for n_jobs in (2, 8):
            assert fingerprint(model.set_params(n_jobs=n_jobs), X) == expected, f"n_jobs={n_jobs} predicts other bits"
    assert fitted(name, 1)[1] == expected, "a second fit gives other bits"


def a_team_was_left(name: str, alone: int | None) -> bool:
    """Say whether two jobs leave a thread behind, now or on one of the next tries.

    On a machine that is busy with other things, loops do without a team for a while.
    """
    end = time.monotonic() + 20
    while n_threads() == alone and time.monotonic() < end:
        fitted(name, 2)
    return n_threads() != alone


def fork_after_use(name: str) -> None:
    """A child predicts and fits as its parent does, and so does the parent afterwards."""
    model, expected = fitted(name, 1)
    fitted(name, 2)  # there are threads now
    X, _ = typical(name, case(name).n_parallel)

    def work() -> None:
        if kind(name) != "vectors":
            assert fingerprint(model.set_params(n_jobs=2), X) == expected, "the parent's model"
        found = fitted(name, 2)[1]
        assert found == expected or not case(name).same_bits_by_n_jobs, "a fit in the child gives other bits"

    def work_in_child() -> None:
        signal.alarm(30)  # ends the process where it hangs
        work()

    assert in_child(work_in_child) == 0, "see the child's error in stderr"
    work()


def two_at_once(name: str) -> None:
    """Fits and questions in two Python threads do not meet."""
    n_jobs = 2 if case(name).same_bits_by_n_jobs else 1
    alone = [fitted(name, n_jobs, seed)[1] for seed in (0, 1, 0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: fitted(name, n_jobs, seed)[1], (0, 1, 0, 1)))
    assert together == alone
    if kind(name) != "vectors":  # which are asked above
        X, _ = typical(name, case(name).n_parallel)
        model, expected = fitted(name, n_jobs)
        with ThreadPoolExecutor(2) as pool:
            assert set(pool.map(lambda _: fingerprint(model, X), range(4))) == {expected}


def ctrl_c(name: str) -> None:
    """Fit ends soon after Ctrl-C, and leaves the model unfitted or as it was; it can be fitted again."""
    if kind(name) == "vectors":
        return  # there is no fit
    X, y = typical(name)
    model, old = make(name).fit(X, y), make(name).fit(X, y)
    quick = model.get_params()
    long = (case(name).long_data or (lambda: typical(name, case(name).n_parallel)))()
    model.set_params(n_jobs=2, **case(name).endless)
    calls = []

    def work() -> None:
        calls.append(0)
        model.fit(*long)

    waited = interrupted(work, 0.1)
    assert waited.cpu < 1, waited
    assert waited.wall < 10, waited
    if len(calls) > 1:  # a fast machine: former calls came to their end
        old = make(name, **case(name).endless).fit(*long)
    assert fingerprint(model) in ("", fingerprint(old)), "neither old nor unfitted"
    assert fingerprint(model.set_params(**quick).fit(X, y), X) == fingerprint(old.set_params(**quick).fit(X, y), X)


STEPS: dict[str, Callable[[str], None]] = {
    step.__name__: step for step in (number_of_threads, fork_after_use, two_at_once, ctrl_c)
}


# ---- the program -----------------------------------------------------------------------------------------------------


def attempt(step: Callable[[str], None], name: str) -> str:
    try:
        step(name)
    except BaseException:  # KeyboardInterrupt among them
        return traceback.format_exc()
    return "ok"


def try_all(name: str) -> dict[str, str]:
    """Return what came of all steps, taken in one process after each other."""
    read, write = os.pipe()

    def work() -> None:
        signal.alarm(120)  # ends the process where it hangs
        with os.fdopen(write, "w") as out:
            for step in STEPS.values():
                print(json.dumps(attempt(step, name)), file=out, flush=True)

    status = in_child(work)
    os.close(write)
    with os.fdopen(read) as lines:
        outcomes = [json.loads(line) for line in lines]
    outcomes += [f"the process ended with status {status}"] * (len(STEPS) - len(outcomes))
    return dict(zip(STEPS, outcomes, strict=True))


def main() -> None:
    for name in CLASSES:
        find(name)  # families are loaded once, before the forks
    for line in sys.stdin:
        print(json.dumps(try_all(line.strip())), flush=True)


if __name__ == "__main__":
    main()
