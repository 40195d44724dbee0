"""Word2Vec at run time: fits side by side, Ctrl-C, fork, the hash seed of Python, ISA levels."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mlcore import Word2Vec
from planted import planted_texts, topic_margin

THIS_PATH = os.pathsep.join(path for path in sys.path if path)
"""For processes of their own that import this file."""


def model_of(**parameters):
    defaults = {"vector_size": 16, "min_count": 1, "sample": 0.01, "epochs": 2, "random_state": 0, "n_jobs": 1}
    return Word2Vec(**defaults | parameters)


def digest(model):
    parts = [model.vectors_, model.context_vectors_, model.word_counts_, np.array(model.loss_curve_)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts) + "".join(model.words_).encode()).hexdigest()


def test_hash_seed_of_python_does_not_matter(run_python):
    code = """
from embedding import test_runtime as t
print(t.digest(t.model_of(loss="hs").fit(t.planted_texts()[0])))
"""
    runs = [run_python(code, env={"PYTHONHASHSEED": seed, "PYTHONPATH": THIS_PATH}) for seed in ("0", "1")]
    assert len(runs[0].stdout.strip()) == 64, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout


def test_isa_levels_agree(isa_levels, run_python, tmp_path):
    """Up to rounding: sums are as wide as registers are."""
    code = """
import numpy as np
from embedding import test_runtime as t
models = [t.model_of(algorithm=name, epochs=1).fit(t.planted_texts()[0]) for name in ("skipgram", "cbow")]
np.save({path!r}, [model.vectors_ for model in models])
"""
    vectors = []
    for level in isa_levels:
        path = tmp_path / f"{level}.npy"
        run = run_python(code.format(path=str(path)), env={"MLCORE_ISA": level, "PYTHONPATH": THIS_PATH})
        assert run.returncode == 0, run.stderr
        vectors.append(np.load(path))
    for other in vectors[1:]:
        np.testing.assert_allclose(other, vectors[0], rtol=1e-3, atol=1e-5)


def test_fits_in_threads_do_not_meet():
    texts, _ = planted_texts()
    jobs = [{"algorithm": algorithm, "loss": loss} for algorithm in ("skipgram", "cbow") for loss in ("ns", "hs")]
    alone = [digest(model_of(**job).fit(texts)) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda job: digest(model_of(**job).fit(texts)), jobs)) == alone


def test_ctrl_c_leaves_the_model_unfitted_or_as_it_was(run_python):
    code = """
import os, signal, threading, time
from embedding import test_runtime as t
texts = t.planted_texts()[0]
fitted = t.model_of().fit(texts)
before = t.digest(fitted)
for n_jobs in (1, 2):
    fitted.set_params(epochs=10**6, n_jobs=n_jobs)
    for call in (t.model_of(epochs=10**6, n_jobs=n_jobs).fit, fitted.partial_fit):
        sent = []
        def interrupt():
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Timer(0.4, interrupt).start()
        try:
            call(texts)
        except KeyboardInterrupt:
            print(time.perf_counter() - sent[0], hasattr(call.__self__, "vectors_"))
    print(t.digest(fitted) == before)
"""
    result = run_python(code, env={"PYTHONPATH": THIS_PATH})
    lines = [line.split() for line in result.stdout.splitlines()]
    assert len(lines) == 6, result.stderr
    assert [line[-1] for line in lines] == ["False", "True", "True"] * 2
    assert all(float(lines[i][0]) < 0.5 for i in (0, 1, 3, 4))


def test_ctrl_c_is_heard_within_a_piece(run_python):
    code = """
import os, signal, threading, time
from embedding import test_runtime as t
text = [str(i * i % 997) for i in range(9000)]  # one piece, whose windows are as wide as it is
for options in ({}, {"shared_negatives": False}, {"algorithm": "cbow"}):
    model = t.model_of(window=10**6, negative=3000, shrink_windows=False, **options)
    sent = []
    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    threading.Timer(0.5, interrupt).start()
    try:
        model.fit([text])
    except KeyboardInterrupt:
        print(time.perf_counter() - sent[0], hasattr(model, "vectors_"))
"""
    result = run_python(code, env={"PYTHONPATH": THIS_PATH})
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [fitted for _, fitted in lines] == ["False"] * 3, result.stderr
    assert all(float(seconds) < 1 for seconds, _ in lines)


def test_forked_child_trains(run_python):
    code = """
import os, sys, warnings
from embedding import test_runtime as t
texts = t.planted_texts()[0]
model = t.model_of(n_jobs=2).fit(texts)
expected = t.digest(t.model_of().fit(texts))
sys.stdout.flush()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the fork itself
    child = os.fork()
    if child == 0:
        model.fit(texts)
        os._exit(0 if t.digest(t.model_of().fit(texts)) == expected else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = run_python(code, env={"PYTHONPATH": THIS_PATH})
    assert result.stdout.strip() == "0", result.stderr


def test_more_threads_than_pieces_and_processors():
    texts, _ = planted_texts()
    model = model_of(n_jobs=64, sample=0, alpha=0.1, epochs=5).fit(texts)
    assert topic_margin(model.words_, model.vectors_) > 0.3
