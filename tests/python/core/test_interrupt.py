"""Ctrl-C at any moment of long fits and predictions. In processes of their own, because signals go to all threads."""

import textwrap

import pytest

CODE = textwrap.dedent("""
    import warnings
    import numpy as np
    import mlcore
    from mlcore import *
    from support.process import interrupted
    rng = np.random.default_rng(0)

    def classes(X, n):
        return (X[:, :n] + rng.normal(size=(len(X), n))).argmax(axis=1)

    {setup}

    def work():
        {work}

    warnings.simplefilter("ignore")
    for after in (0.1, 0.4, 0.9, 1.7):
        print(*interrupted(work, after), flush=True)
""")

# setup, work
JOBS = {
    "logistic L1": (
        "X = rng.normal(size=(60_000, 200)); y = classes(X, 4)",
        "LogisticRegression(l1_ratio=1, C=1e3, tol=1e-12, n_jobs=2).fit(X, y)",
    ),
    "logistic Newton": (
        "X = rng.normal(size=(60_000, 200)); y = classes(X, 4)",
        "LogisticRegression(C=1e3, tol=1e-12, n_jobs=2).fit(X, y)",
    ),
    "logistic wide": (
        "X = rng.normal(size=(3000, 2000)); y = classes(X, 2)",
        "LogisticRegression(C=1e3, tol=1e-12, n_jobs=2).fit(X, y)",
    ),
    "Lasso": (
        "X = rng.normal(size=(100_000, 400)); y = X[:, :50].sum(axis=1) + rng.normal(size=100_000)",
        "Lasso(alpha=1e-4, n_jobs=2).fit(X, y)",
    ),
    "Ridge": (
        "X = rng.normal(size=(100_000, 400)); y = X[:, 0]",
        "Ridge(n_jobs=2).fit(X, y)",
    ),
    "boosting": (
        "X = rng.normal(size=(300_000, 40)); y = X[:, 0]",
        "GBDTRegressor(n_estimators=30, n_jobs=2).fit(X, y)",
    ),
    "boosting, many classes": (
        "X = rng.normal(size=(60_000, 20)); y = classes(X, 20)",
        "GBDTClassifier(n_estimators=30, n_jobs=2).fit(X, y)",
    ),
    "boosting, prediction": (
        "X = rng.normal(size=(300_000, 20)); model = GBDTRegressor(n_estimators=300).fit(X[:9999], X[:9999, 0])",
        "model.predict(X)",
    ),
    "SVC": ("X = rng.normal(size=(20_000, 50)); y = classes(X, 3)", "SVC(C=100, n_jobs=2).fit(X, y)"),
    "LinearSVC": ("X = rng.normal(size=(100_000, 200)); y = classes(X, 3)", "LinearSVC(C=10, n_jobs=2).fit(X, y)"),
    "network": (
        "X = rng.normal(size=(50_000, 200)); y = classes(X, 3)",
        "NeuralClassifier(hidden_layer_sizes=(512,), max_iter=10, n_jobs=2).fit(X, y)",
    ),
    "Word2Vec": (
        "words = [[f'w{i}' for i in sentence] for sentence in rng.integers(0, 20_000, (20_000, 30))]",
        "Word2Vec(100, min_count=1, epochs=20, n_jobs=2).fit(words)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_ctrl_c_is_heard_within_half_a_second(job, run_python):
    """Of two threads: a second of CPU time, which does not depend on what else the machine does."""
    setup, work = JOBS[job]
    result = run_python(CODE.format(setup=setup, work=work))
    assert result.returncode == 0, result.stderr
    waits = [tuple(map(float, line.split())) for line in result.stdout.splitlines()]
    assert len(waits) == 4
    assert max(cpu for cpu, _ in waits) < 1.0, waits
    assert max(seconds for _, seconds in waits) < 10, waits
