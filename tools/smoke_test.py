"""Try out an installed wheel: each ISA level that this CPU supports trains, predicts, saves, loads, and all agree.

Run by 'make wheel' with an environment that holds nothing but the wheel and what it requires.
"""

import os
import subprocess
import sys

ONE_LEVEL = """
import hashlib, pathlib, sys, tempfile
import numpy as np
from sklearn.datasets import load_breast_cancer
import mlcore

assert "site-packages" in mlcore.__file__, mlcore.__file__
X, y = load_breast_cancer(return_X_y=True)
X[::7, ::5] = np.nan
model = mlcore.GBDTClassifier(n_estimators=30, random_state=0).fit(X, y)
score, proba = model.score(X, y), model.predict_proba(X)
assert score > 0.97, score
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / "model.mlcore"
    mlcore.save(model, file)
    assert np.array_equal(mlcore.load(file).predict_proba(X), proba)
print(mlcore._native.isa_level(), hashlib.sha256(proba.tobytes()).hexdigest()[:16])
"""


def run(code: str, **env: str) -> str:
    """Run Python code in a process of its own and return what it printed."""
    return subprocess.check_output([sys.executable, "-c", code], env=os.environ | env, text=True).strip()


run("import mlcore; mlcore.show_config()")
native = "from mlcore import _native"
levels = run(f"{native}; print(*[x for x in _native.built_levels() if x in _native.supported_levels()])").split()
digests = set()
for level in levels:
    ran, digest = run(ONE_LEVEL, MLCORE_ISA=level).split()
    assert ran == level, f"asked for {level}, {ran} ran"
    print(f"{level}: predictions {digest}")
    digests.add(digest)
assert len(digests) == 1, "levels disagree"
print(f"{len(levels)} passed, 0 failed")
