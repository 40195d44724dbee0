"""The foundation as Python meets it: errors, threads, Ctrl-C, arrays without copies, random numbers."""

import textwrap
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlcore._native import core

testing = core.testing

# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 2, 8])
@pytest.mark.parametrize(
    ("kind", "expected", "message"),
    [
        ("value", ValueError, "^bad value in a worker$"),
        ("type", TypeError, "^bad type in a worker$"),
        ("memory", MemoryError, None),
        ("internal", RuntimeError, r"^core\.cpp:\d+: arithmetic holds$"),
        ("other", RuntimeError, "^some other failure in a worker$"),
        ("interrupted", KeyboardInterrupt, None),
    ],
)
def test_exception_of_a_worker_reaches_python(kind, expected, message, n_threads):
    with pytest.raises(expected, match=message):
        testing.throw_in_worker(kind, n_threads)
    assert testing.throw_in_worker("none", n_threads) == 64


@pytest.mark.parametrize("n_threads", [0, -1])
def test_number_of_threads_must_be_positive(n_threads):
    with pytest.raises(ValueError, match=f"n_threads must be at least 1, got {n_threads}"):
        testing.busy(0.0, n_threads)


def test_absurd_number_of_threads_does_no_harm():
    assert testing.throw_in_worker("none", 2**31 - 1) == 64


# ---- threads ---------------------------------------------------------------------------------------------------------


def test_sum_has_the_same_bits_for_any_number_of_threads():
    x = np.random.default_rng(0).standard_normal(100_003) * np.logspace(-8, 8, 100_003)
    sums = {testing.parallel_sum(x, n_threads) for n_threads in (1, 2, 3, 8)}
    assert len(sums) == 1
    assert sums.pop() == pytest.approx(x.sum(), rel=1e-9)


def test_runs_in_two_python_threads_do_not_meet():
    arrays = [np.full(50_000, value) for value in (1.0, 2.0)]
    wrong = []

    def work(x):
        wrong.extend(total for total in (testing.parallel_sum(x, 2) for _ in range(100)) if total != x[0] * len(x))

    threads = [threading.Thread(target=work, args=(x,)) for x in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_gil_is_released():
    thread = threading.Thread(target=testing.busy, args=(0.6, 1))
    thread.start()
    steps = 0
    while thread.is_alive():
        time.sleep(0.01)
        steps += 1
    assert steps > 5  # with the GIL held it would be 1


# ---- Ctrl-C: each in a process of its own, because a signal goes to the whole process --------------------------------

SEND_SIGNAL = textwrap.dedent("""
    import os, signal, threading, time
    from mlcore._native import core
    sent = []
    def send(number, after=0.3):
        def now():
            sent.append(time.perf_counter())
            os.kill(os.getpid(), number)
        threading.Timer(after, now).start()
""")


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_ctrl_c_stops_a_run_within_half_a_second(n_threads, run_python):
    result = run_python(
        SEND_SIGNAL
        + textwrap.dedent(f"""
            send(signal.SIGINT)
            try:
                core.testing.busy(20.0, {n_threads})
                print("not interrupted")
            except KeyboardInterrupt:
                print(time.perf_counter() - sent[0])
            core.testing.busy(0.01, {n_threads})  # the next run is not affected
        """)
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 0.5


def test_what_a_signal_handler_raises_arrives(run_python):
    result = run_python(
        SEND_SIGNAL
        + textwrap.dedent("""
            def handler(*_):
                raise TimeoutError("too slow")
            signal.signal(signal.SIGTERM, handler)
            send(signal.SIGTERM)
            try:
                core.testing.busy(20.0, 2)
            except TimeoutError as error:
                print(error)
        """)
    )
    assert result.stdout == "too slow\n", result.stderr


def test_signal_whose_handler_returns_does_not_stop_a_run(run_python):
    result = run_python(
        SEND_SIGNAL
        + textwrap.dedent("""
            signal.signal(signal.SIGTERM, lambda *_: print("heard"))
            send(signal.SIGTERM, after=0.1)
            start = time.perf_counter()
            core.testing.busy(0.8, 1)
            assert time.perf_counter() - start > 0.75
        """)
    )
    assert result.stdout == "heard\n", result.stderr


# ---- arrays without copies -------------------------------------------------------------------------------------------


def layouts(X):
    """`X` in memory layouts that NumPy programs meet."""
    read_only = X.copy()
    read_only.flags.writeable = False
    wide = np.zeros((X.shape[0] * 2, X.shape[1] * 3), X.dtype)
    wide[::2, 1::3] = X
    return {
        "C": np.ascontiguousarray(X),
        "Fortran": np.asfortranarray(X),
        "read-only": read_only,
        "strided": wide[::2, 1::3],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
    }


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
        elements=st.integers(-100, 100).map(float),
    )
)
def test_any_layout_is_read_in_place(X):
    for name, view in layouts(X).items():
        np.testing.assert_array_equal(testing.column_sums(view, 1), X.sum(axis=0), err_msg=name)


def test_repeated_rows_by_a_stride_of_zero():
    X = np.broadcast_to(np.array([1.0, 2.0]), (5, 2))
    np.testing.assert_array_equal(testing.column_sums(X, 1), [5.0, 10.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csr(dtype, index):
    X = sp.random(20, 7, density=0.3, format="csr", dtype=dtype, random_state=0)
    parts = (X.data, X.indices.astype(index), X.indptr.astype(index), X.shape)
    np.testing.assert_allclose(testing.column_sums(parts, 1), X.toarray().sum(axis=0, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("text", TypeError, "X must be a 2-D array of float32 or float64, got a value of type 'str'"),
        ([[1.0]], TypeError, "got a value of type 'list'"),
        (np.zeros((3, 2), int), TypeError, r"got an array of int64 with shape \(3, 2\)"),
        (np.zeros((3, 2), object), TypeError, "got an array of object"),
        (np.zeros((3, 2), ">f8"), TypeError, "got an array of >f8"),
        (np.zeros(3), ValueError, r"X must be a 2-D array, got an array of float64 with shape \(3,\)"),
        (np.zeros((1, 2, 3)), ValueError, "X must be a 2-D array"),
        (np.zeros(9, "u1")[1:].view("f8").reshape(1, 1), ValueError, "X must be an aligned array"),
        (np.zeros((2, 3), "f8, u4")["f0"], ValueError, "X must be an array with strides of whole items"),
    ],
)
def test_array_that_cannot_be_read_in_place_is_an_error(X, error, message):
    with pytest.raises(error, match=message):
        testing.column_sums(X, 1)


def csr_parts(**changed):
    parts = {
        "data": np.array([1.0, 2.0]),
        "indices": np.array([0, 2], np.int32),
        "indptr": np.array([0, 1, 2], np.int32),
        "shape": (2, 3),
    }
    return tuple((parts | changed).values())


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"indices": np.array([0, 3], np.int32)}, ValueError, "column index 3 of a CSR matrix is outside"),
        ({"indices": np.array([-1, 0], np.int32)}, ValueError, "column index -1"),
        ({"indices": np.array([0], np.int32)}, ValueError, "X.indices must be a 1-D array of int32 with 2 entries"),
        ({"indptr": np.array([0, 2, 1], np.int32)}, ValueError, "must not decrease"),
        ({"indptr": np.array([1, 1, 2], np.int32)}, ValueError, "must start with 0"),
        ({"indptr": np.array([0, 1, 9], np.int32)}, ValueError, "ends at 9, but only 2 entries are stored"),
        ({"indptr": np.array([0, 1, 2], np.int64)}, TypeError, "X.indptr must be a 1-D array of int32"),
        ({"data": np.array([1, 2])}, TypeError, "X.data must be a 1-D array of float64"),
        ({"shape": (5, 3)}, ValueError, "X.indptr must be a 1-D array of int32 with 6 entries"),
        ({"shape": (-1, 3)}, ValueError, "negative shape"),
        ({"shape": "ab"}, TypeError, r"X must be a tuple \(data, indices, indptr, \(rows, cols\)\)"),
    ],
)
def test_damaged_csr_is_an_error(changed, error, message):
    np.testing.assert_array_equal(testing.column_sums(csr_parts(), 1), [1.0, 0.0, 2.0])
    with pytest.raises(error, match=message):
        testing.column_sums(csr_parts(**changed), 1)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def test_philox_depends_on_seed_stream_and_counter_alone():
    counters = np.arange(1000, dtype=np.uint64)
    values = testing.philox_u32(1, 2, counters)
    assert values[0] == testing.philox_u32(1, 2, counters[:1])[0]
    np.testing.assert_array_equal(testing.philox_u32(1, 2, counters[::-1]), values[::-1])
    assert len(np.unique(values)) > 990
    assert testing.philox_u32(0, 0, counters[:1])[0] == 0x6627E8D5  # Random123, kat_vectors
    for other in (testing.philox_u32(2, 2, counters), testing.philox_u32(1, 3, counters)):
        assert np.count_nonzero(other == values) < 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", ["exp", "log", "tanh", "sigmoid"])
def test_vecmath_against_numpy(function, dtype):
    x = np.concatenate([np.linspace(-20, 20, 10_001), [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e30, -1e30]]).astype(dtype)
    wide = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        right = (1 / (1 + np.exp(-wide)) if function == "sigmoid" else getattr(np, function)(wide)).astype(dtype)
    # the measured bounds are in tests/cpp/core/test_vecmath.cpp; 4 units of the last place here
    np.testing.assert_allclose(testing.vecmath(function, x), right, rtol=4 * np.finfo(dtype).eps, atol=0)


def test_isa_levels_agree_bit_for_bit(levels_to_compare, run_python):
    code = textwrap.dedent("""
        import hashlib
        import numpy as np
        from mlcore._native import core
        x = np.linspace(-30, 30, 10_007)
        digest = hashlib.sha256()
        for function in ("exp", "log", "tanh", "sigmoid"):
            for dtype in (np.float32, np.float64):
                y = core.testing.vecmath(function, x.astype(dtype))
                digest.update(np.where(np.isnan(y), 0, y).tobytes())  # the sign of a NaN is nobody's promise
        digest.update(core.testing.philox_u32(1, 2, np.arange(999, dtype=np.uint64)).tobytes())
        digest.update(np.float64(core.testing.parallel_sum(np.exp(x), 2)).tobytes())
        print(digest.hexdigest())
    """)
    results = [run_python(code, env={"MLCORE_ISA": level}) for level in levels_to_compare]
    assert all(result.returncode == 0 for result in results), [result.stderr for result in results]
    assert len({result.stdout for result in results}) == 1
