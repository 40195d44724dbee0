"""The ISA levels of the core agree: each class gives the same answers at every level that was built, up to rounding."""

import numpy as np

from contract.cases import kind, make, typical
from mlcore._registry import CLASSES
from support.fingerprint import answers

EXACT = {"GBDTClassifier", "GBDTRegressor", "Phrases"}
"""Those whose sums are exact, or of whole numbers. All others use fused multiply-adds or sums as wide as registers."""

LARGEST_DIFFERENCE = 2e-3
"""Of the others, as a part of the largest answer: what is solved to a `tol` of 1e-3 or 1e-4 gets there by other steps,
and networks and word vectors round float32 in many."""


def answers_of(name: str) -> dict[str, np.ndarray]:
    """Return what a class says of its typical data, at the level of this process."""
    X, y = typical(name)
    if kind(name) == "vectors":
        return {"most_similar": np.array([similar for _, similar in X.most_similar("w0", topn=20)])}
    model = make(name, n_jobs=1).fit(X, y)
    found = answers(model, X)
    if not found:  # it says nothing of rows that come later
        found = {name: getattr(model, name) for name in ("labels_", "loss_curve_") if hasattr(model, name)}
    if hasattr(model, "kneighbors"):
        found["kneighbors"] = model.kneighbors(X)[0]
    return {method: _flat(answer) for method, answer in found.items()}


def _flat(answer: np.ndarray | list) -> np.ndarray:
    """Return an answer as one array: of texts if it is lists of tokens, of all tokens if it is an array a text."""
    if isinstance(answer, list) and isinstance(answer[0], np.ndarray):
        return np.concatenate(answer)
    return np.array([" ".join(tokens) for tokens in answer] if isinstance(answer, list) else answer)


PROGRAM = """
import numpy as np
from contract.test_isa import CLASSES, answers_of
found = {{f"{{name}}.{{method}}": a for name in CLASSES for method, a in answers_of(name).items()}}
np.savez({path!r}, **found)
"""


def test_levels_give_the_same_answers(levels_to_compare, run_python, tmp_path):
    found = []
    for level in levels_to_compare:
        path = tmp_path / f"{level}.npz"
        run = run_python(PROGRAM.format(path=str(path)), env={"MLCORE_ISA": level})
        assert run.returncode == 0, run.stderr
        found.append(dict(np.load(path)))
    assert {key.split(".")[0] for key in found[0]} == set(CLASSES)
    for level, other in zip(levels_to_compare[1:], found[1:], strict=True):
        for key, expected in found[0].items():
            where = f"{key} at {level}"
            if key.split(".")[0] in EXACT:
                np.testing.assert_array_equal(other[key], expected, err_msg=where)
            elif expected.dtype.kind != "f":  # labels of rows at a boundary may change
                assert (other[key] == expected).mean() >= 0.98, where
            else:
                atol = LARGEST_DIFFERENCE * np.abs(expected[np.isfinite(expected)]).max()
                np.testing.assert_allclose(other[key], expected, rtol=0, atol=atol, err_msg=where)
