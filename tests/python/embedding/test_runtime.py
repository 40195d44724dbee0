"""Word2Vec at run time, beyond the contract of all classes: Ctrl-C in partial_fit and long texts, seeds, ISA levels."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mlcore import Word2Vec
from support.planted import planted_texts, topic_margin


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
    result = run_python(code, env={"PYTHONHASHSEED": "1"})
    assert result.stdout.strip() == digest(model_of(loss="hs").fit(planted_texts()[0])), result.stderr


def test_isa_levels_agree(levels_to_compare, run_python, tmp_path):
    """Up to rounding: sums are as wide as registers are."""
    code = """
import numpy as np
from embedding import test_runtime as t
models = [t.model_of(algorithm=name, epochs=1).fit(t.planted_texts()[0]) for name in ("skipgram", "cbow")]
np.save({path!r}, [model.vectors_ for model in models])
"""
    vectors = []
    for level in levels_to_compare:
        path = tmp_path / f"{level}.npy"
        run = run_python(code.format(path=str(path)), env={"MLCORE_ISA": level})
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


def test_ctrl_c_is_heard_in_partial_fit_and_within_a_piece(run_python):
    code = """
from embedding import test_runtime as t
from support.process import interrupted
texts = t.planted_texts()[0]
fitted = t.model_of().fit(texts)
before = t.digest(fitted)
for n_jobs in (1, 2):
    fitted.set_params(epochs=10**6, n_jobs=n_jobs)
    print(*interrupted(lambda: fitted.partial_fit(texts), 0.2), t.digest(fitted) == before)
text = [str(i * i % 997) for i in range(9000)]  # one piece, whose windows are as wide as it is
for options in ({}, {"shared_negatives": False}, {"algorithm": "cbow"}):
    model = t.model_of(window=10**6, negative=3000, shrink_windows=False, **options)
    print(*interrupted(lambda: model.fit([text]), 0.3), not hasattr(model, "vectors_"))
"""
    result = run_python(code)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[-1] for line in lines] == ["True"] * 5, result.stderr
    assert max(float(cpu) for cpu, _, _ in lines) < 1, lines


def test_more_threads_than_pieces_and_processors():
    texts, _ = planted_texts()
    model = model_of(n_jobs=64, sample=0, alpha=0.1, epochs=5).fit(texts)
    assert topic_margin(model.words_, model.vectors_) > 0.3
