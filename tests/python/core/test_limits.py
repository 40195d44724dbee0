"""Little room for threads: fewer of them with one warning, never the end of the process. In processes of their own."""

import textwrap
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="limits of a process are a matter of Unix")

LIMITS = textwrap.dedent("""
    import os, resource, threading, time, warnings
    import numpy as np
    from mlcore._native import core
    from support.process import threads_stay
    x = np.arange(1_000_000.0)
    expected = x.sum()

    def limit_memory(mib):
        "Leave so much address space."
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + int(mib * 2**20), hard))

    def limit_processes():
        "No more threads. Root is above that limit."
        if os.getuid() == 0:
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    def more_threads():
        try:
            thread = threading.Thread(target=int)
            thread.start()
        except RuntimeError:
            return False
        thread.join()
        return True

    def caught(n_threads, repeats=3):
        "The warnings of some loops whose results are right."
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for _ in range(repeats):
                assert core.testing.parallel_sum(x, n_threads) == expected
        return [(w.category.__name__, str(w.message)) for w in found]
""")


@pytest.fixture
def run_limited(run_python):
    def run(code, **environment):
        result = run_python(LIMITS + textwrap.dedent(code), env={"OPENBLAS_NUM_THREADS": "1"} | environment)
        if "skip" in result.stdout:
            pytest.skip(result.stdout.strip())
        assert result.returncode == 0, (result.returncode, result.stderr)

    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc to know what is used")
    return run


def test_no_address_space_for_a_thread(run_limited):
    run_limited("""
        limit_memory(4)
        (warning,) = caught(4)  # one in three loops, and none later
        assert warning[0] == "RuntimeWarning" and "could not start as many threads" in warning[1], warning
        assert caught(4) == [] == caught(1)
        assert threads_stay(1)
    """)


@pytest.mark.parametrize("mib", [0, 1, 9, 17, 33, 100, 300])
def test_any_address_space_is_survived(mib, run_limited):
    run_limited(f"""
        limit_memory({mib})
        for n_threads in (2, 5, 20, 256):
            try:
                assert len(caught(n_threads)) <= 1
            except MemoryError:
                pass
    """)


def test_no_processes_for_a_thread(run_limited):
    run_limited("""
        limit_processes()
        if more_threads():
            print("skip: a limit on processes is not kept here")
        else:
            (warning,) = caught(4)
            assert "could not start as many threads" in warning[1]
            assert caught(256) == []
    """)


def test_threads_that_run_are_kept_when_the_limit_comes_later(run_limited):
    run_limited("""
        assert caught(3) == []
        limit_memory(4)
        assert caught(3) == []
        assert threads_stay(3)
        assert len(caught(8)) == 1
        assert caught(3) == []
        assert threads_stay(3)
    """)


def test_threads_that_ended_are_not_taken_for_granted(run_limited):
    run_limited("""
        assert caught(4) == []
        assert caught(2) == []  # two threads end
        assert threads_stay(2)
        limit_memory(4)
        assert len(caught(100)) == 1  # more than the stacks that the C library may have kept
        assert caught(8) == [] == caught(4)
    """)


def test_stacks_are_as_large_as_openmp_makes_them(run_limited):
    run_limited(
        """
        limit_memory(1000)
        assert caught(2) == []  # a thread of the usual size
        assert threads_stay(1)  # no team
        """,
        OMP_STACKSIZE=" 4 g",
    )


def test_room_that_comes_back_is_used(run_limited):
    run_limited("""
        limit_memory(4)
        assert len(caught(3)) == 1
        resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
        time.sleep(1.1)
        assert caught(3) == []
        assert threads_stay(3)
    """)


def test_warning_as_an_error_comes_after_the_work(run_limited):
    run_limited("""
        limit_memory(4)
        try:
            core.testing.parallel_sum(x, 4)
            raise AssertionError("no warning")
        except RuntimeWarning:
            pass
        assert core.testing.parallel_sum(x, 4) == expected
    """)
