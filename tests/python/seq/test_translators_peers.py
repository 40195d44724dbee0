"""The peers among themselves: with the same weights PyTorch, CTranslate2 and transformers write the same tokens.

What ours is compared with elsewhere stands on these conversions. Gaps between the two best tokens of these weights are
larger than rounding, so that texts must be equal.
"""

import numpy as np
import pytest

pytestmark = pytest.mark.peers
pytest.importorskip("torch")
pytest.importorskip("ctranslate2")
pytest.importorskip("transformers")

translators = pytest.importorskip("support.translators")
LENGTH = 16


def sources(shape, n=12, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(4, shape.vocabulary, rng.integers(1, 25)).tolist() for _ in range(n)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tied": False},
        {"tied": False, "norm_first": True, "activation": "gelu"},
    ],
    ids=["tied", "untied", "norm first"],
)
def test_ctranslate2_writes_what_torch_writes(options):
    shape = translators.Shape(300, 32, 4, 2, 64, **options)
    weights = translators.random_weights(shape)
    texts = sources(shape)
    expected = translators.torch_model(weights, shape).eval().greedy(texts, LENGTH)
    model = translators.ctranslate2_model(weights, shape, "float32", 1)
    assert translators.ctranslate2_write(model, texts, 1, LENGTH) == expected


@pytest.mark.parametrize("tied", [True, False])
def test_transformers_writes_what_the_others_write(tied):
    shape = translators.Shape(300, 32, 4, 2, 64, tied=tied)
    weights = translators.random_weights(shape)
    texts = sources(shape)
    marian = translators.marian_model(weights, shape)
    expected = translators.torch_model(weights, shape).eval().greedy(texts, LENGTH)
    assert translators.marian_write(marian, texts, 1, LENGTH) == expected
    model = translators.ctranslate2_model(weights, shape, "float32", 1)
    beams = translators.ctranslate2_write(model, texts, 4, LENGTH)
    assert translators.marian_write(marian, texts, 4, LENGTH) == beams


def test_int8_leaves_the_weights_as_they_are():
    shape = translators.Shape(50, 32, 4, 1, 64)
    weights = translators.random_weights(shape)
    before = {name: values.copy() for name, values in weights.items()}
    translators.ctranslate2_model(weights, shape, "int8", 1)
    assert all((weights[name] == before[name]).all() for name in before)
