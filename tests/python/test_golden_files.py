"""Model files of every format version there was: they must load for ever and predict what they did.

Run this file as a script to write those of the present version (once, when a version is new).
"""

from pathlib import Path

import numpy as np
import pytest

import mlcore
from mlcore import GBDTClassifier, GBDTRegressor
from mlcore._io import FORMAT_VERSION

GOLDEN = Path(__file__).parent / "golden"


def rows():
    """Eleven fixed rows: a number with missing values, and a category that is once missing and once unknown."""
    return np.array([[-2.0 + i / 2 if i % 4 else np.nan, (i % 5) * 10.0] for i in range(10)] + [[0.3, np.nan]])


def models():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(-4, 5, 400) / 2, rng.integers(0, 6, 400) * 10.0])
    X[rng.random(400) < 0.1, 0] = np.nan
    y = np.nan_to_num(X[:, 0]) + (X[:, 1] == 20) + rng.normal(0, 0.1, 400)
    common = {"n_estimators": 3, "max_leaf_nodes": 6, "categorical_features": [1], "random_state": 0}
    yield "regressor", GBDTRegressor(**common).fit(X, y)
    yield "poisson", GBDTRegressor(loss="poisson", growth="depth", **common).fit(X, np.exp(y), X_val=X, y_val=np.exp(y))
    yield "binary", GBDTClassifier(class_weight={"no": 1.0, "yes": 2.0}, **common).fit(X, np.where(y > 0, "yes", "no"))
    yield "multiclass", GBDTClassifier(**common).fit(X, np.digitize(y, [-0.5, 0.5]))


def answer(model):
    return model.predict_proba(rows()) if hasattr(model, "predict_proba") else model.predict(rows())


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.safetensors")), ids=lambda path: path.stem)
def test_golden_file(path):
    model = mlcore.load(path)
    # Not to the last bit: exp differs between the math libraries of systems.
    np.testing.assert_allclose(
        answer(model), np.loadtxt(path.with_suffix(".txt"), ndmin=answer(model).ndim), rtol=1e-12
    )
    assert model.n_iter_ == 3
    assert set(model.predict(rows())) <= set(getattr(model, "classes_", model.predict(rows())))


def test_there_are_golden_files_of_every_version():
    versions = {path.stem.split("-")[0] for path in GOLDEN.glob("*.safetensors")}
    assert versions == {f"v{version}" for version in range(1, FORMAT_VERSION + 1)}


if __name__ == "__main__":
    for name, model in models():
        path = GOLDEN / f"v{FORMAT_VERSION}-gbdt-{name}.safetensors"
        mlcore.save(model, path)
        np.savetxt(path.with_suffix(".txt"), answer(model), fmt="%.17g")
