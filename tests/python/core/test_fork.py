"""Forked children work, whoever used OpenMP before the fork. Each test has a process of its own."""

import importlib.util
import textwrap

import pytest

from mlcore._native import core

OPENMP = core.build_info()["openmp"].rpartition(", ")[2]
"""Path of the library whose threads the parallel loops use."""

needs_libgomp = pytest.mark.skipif("libgomp" not in OPENMP, reason="other runtimes look after their children")

FORK = textwrap.dedent(f"""
    import ctypes, os, signal, sys, threading, warnings
    from support.process import in_child, threads_stay

    def use_libgomp():
        "What another library does: a team of three, without mlcore."
        ctypes.CDLL({OPENMP!r}).GOMP_parallel(ctypes.CDLL(None).labs, None, 3, 0)

    def check_sum(n_threads=2):
        "A sum by parallel loops, right and without a warning."
        import numpy as np
        from mlcore._native import core
        signal.alarm(60)  # ends the process where it hangs
        x = np.arange(100_000.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                assert core.testing.parallel_sum(x, n_threads) == x.sum()
""")


@pytest.fixture
def run_fork(run_python):
    def run(code):
        result = run_python(FORK + textwrap.dedent(code), env={"OPENBLAS_NUM_THREADS": "1"})
        assert result.returncode == 0, result.stderr
        assert not result.stderr

    return run


def test_child_of_a_used_parent_has_all_its_threads(run_fork):
    run_fork("""
        check_sum()
        def work():
            check_sum()
            assert threads_stay(2)
        for _ in range(3):
            assert in_child(work) == 0
            check_sum()
            assert threads_stay(2)  # the parent goes on as before
    """)


def test_child_of_a_child(run_fork):
    run_fork("""
        check_sum()
        def work():
            assert in_child(check_sum) == 0  # forked before the child used threads
            check_sum(3)
            assert in_child(check_sum) == 0
        assert in_child(work) == 0
    """)


@needs_libgomp
def test_another_library_used_openmp_before_the_fork(run_fork):
    run_fork("""
        from mlcore._native import core
        use_libgomp()
        def work():
            check_sum()
            assert threads_stay(2)
        assert in_child(work) == 0
        use_libgomp()
        check_sum()
    """)


@needs_libgomp
def test_library_is_loaded_after_the_fork(run_fork):
    run_fork("""
        use_libgomp()
        def work():
            assert "mlcore" not in sys.modules
            check_sum()
            assert threads_stay(1)  # no team: the other library's may be dead
            assert in_child(check_sum) == 0
        assert in_child(work) == 0
        check_sum()  # in the parent all is well
    """)


@needs_libgomp
def test_library_is_loaded_after_the_fork_of_a_clean_parent(run_fork):
    run_fork("""
        def work():
            check_sum()
            assert threads_stay(2)  # a team: nobody can have used libgomp before
            assert in_child(check_sum) == 0
        assert in_child(work) == 0
    """)


def test_fork_by_a_signal_handler_inside_a_loop(run_fork):
    run_fork("""
        from mlcore._native import core
        status = []
        def work():
            thread = threading.Thread(target=check_sum)  # the forking thread itself is still inside the loop
            thread.start()
            thread.join()
            check_sum()
        signal.signal(signal.SIGUSR1, lambda *_: status.append(in_child(work)))
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        core.testing.busy(1.0, 2)
        assert status == [0]
        check_sum()
    """)


def test_fork_while_other_threads_work(run_fork):
    run_fork("""
        from mlcore._native import core
        check_sum()
        busy = [threading.Thread(target=core.testing.busy, args=(0.5, 2)) for _ in range(2)]
        for thread in busy:
            thread.start()
        for _ in range(3):
            assert in_child(check_sum) == 0
        check_sum()
        for thread in busy:
            thread.join()
    """)


def test_fork_by_a_thread_with_a_team_of_its_own(run_fork):
    run_fork("""
        check_sum()
        status = []
        def thread():
            check_sum(3)
            status.append(in_child(check_sum))
            check_sum(3)
        worker = threading.Thread(target=thread)
        worker.start()
        worker.join()
        assert status == [0]
    """)


def test_multiprocessing_pool_by_fork(run_fork):
    run_fork("""
        import multiprocessing
        check_sum()
        warnings.simplefilter("ignore")
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.starmap_async(check_sum, [(2,)] * 4).get(timeout=60)
    """)


PEERS = {
    "lightgbm": "import lightgbm; lightgbm.LGBMRegressor(n_estimators=3, n_jobs=2, verbose=-1).fit(X, y)",
    "sklearn": """
        from sklearn.ensemble import HistGradientBoostingRegressor
        HistGradientBoostingRegressor(max_iter=3).fit(X, y)""",
    "torch": "import torch; torch.set_num_threads(2); torch.mm(torch.rand(999, 999), torch.rand(999, 999)).tanh_()",
    "xgboost": "import xgboost; xgboost.XGBRegressor(n_estimators=3, n_jobs=2).fit(X, y)",
}


@pytest.mark.peers
@pytest.mark.parametrize("imported", ["before the fork", "after the fork"])
@pytest.mark.parametrize("peer", PEERS)
def test_peer_trains_before_the_fork(peer, imported, run_fork):
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"needs {peer} of the peers extra")
    run_fork(
        f"""
        warnings.simplefilter("default")  # of the peer
        import numpy as np
        {"import mlcore" if imported == "before the fork" else ""}
        X = np.random.default_rng(0).normal(size=(20_000, 10))
        y = X[:, 0].copy()
"""
        + textwrap.indent(textwrap.dedent(PEERS[peer]).strip(), " " * 8)
        + """
        def work():
            warnings.simplefilter("error")
            from mlcore import GBDTRegressor
            check_sum()
            GBDTRegressor(n_estimators=3, n_jobs=2).fit(X, y).predict(X)
        assert in_child(work) == 0
        work()
    """
    )
