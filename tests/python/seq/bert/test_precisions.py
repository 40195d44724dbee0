"""Products in bfloat16 and in 8-bit integers: how near to float32, and the same bits in any batch, by any kernel."""

import numpy as np
import pytest

from mlcore.seq.bert import BertModel
from mlcore.seq.bert.network._inference import encoder_of
from support.bert import needs_minilm, packaged_minilm, random_batch, random_model
from twins.bert import split

LENGTHS = [5, 17, 1, 40, 2, 33]
NARROW = ["bfloat16", "int8"]


def encode(encoder, batch, n_threads=2, **options):
    arrays = (batch[name] for name in ("input_ids", "token_type_ids", "offsets"))
    return encoder(*arrays, n_threads=n_threads, **options)


def cosines(a, b):
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


@pytest.fixture(scope="module", params=[{}, {"hidden_size": 42, "num_attention_heads": 3, "intermediate_size": 77}])
def model(request):
    return random_model(BertModel, **request.param)


@pytest.fixture(scope="module")
def batch(model):
    return random_batch(np.random.default_rng(1), LENGTHS, model.config)


@pytest.mark.parametrize(("dtype", "least"), [("bfloat16", 0.9998), ("int8", 0.998)])
def test_rows_are_near_those_of_float32(model, batch, dtype, least):
    exact, narrow = (encode(encoder_of(model, dtype=d), batch) for d in ("float32", dtype))
    assert cosines(exact, narrow).min() > least
    assert not np.array_equal(exact, narrow)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("pooling", [None, "mean"])
def test_bits_depend_neither_on_the_batch_nor_on_threads(model, batch, dtype, pooling):
    encoder = encoder_of(model, dtype=dtype)
    together = encode(encoder, batch, n_threads=1, pooling=pooling)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(encode(encoder, batch, n_threads, pooling=pooling), together)
    for b, (ids, types) in enumerate(split(batch)):
        alone = encoder(ids, types, np.array([0, len(ids)]), pooling=pooling, n_threads=2)
        a, z = batch["offsets"][b : b + 2] if pooling is None else (b, b + 1)
        np.testing.assert_array_equal(alone, together[a:z])


@pytest.mark.parametrize("dtype", NARROW)
def test_products_can_be_excluded(model, batch, dtype):
    exact = encode(encoder_of(model), batch)
    np.testing.assert_array_equal(encode(encoder_of(model, dtype=dtype, exclude=["encoder"]), batch), exact)
    half = encode(encoder_of(model, dtype=dtype, exclude=["encoder.layer.1"]), batch)
    assert 0 < np.abs(half - exact).mean() < np.abs(encode(encoder_of(model, dtype=dtype), batch) - exact).mean()


def test_a_type_that_there_is_not(model):
    with pytest.raises(ValueError, match="dtype must be 'float32', 'bfloat16' or 'int8', got 'float16'"):
        encoder_of(model, dtype="float16")


PROGRAM = """
import numpy as np
from mlcore.seq.bert import BertModel
from mlcore.seq.bert.network._inference import encoder_of
from support.bert import random_batch, random_model
model = random_model(BertModel, hidden_size=42, num_attention_heads=3, intermediate_size=77)
batch = random_batch(np.random.default_rng(1), [5, 17, 1, 40, 2, 33], model.config)
arrays = [batch[name] for name in ("input_ids", "token_type_ids", "offsets")]
for dtype in ("bfloat16", "int8"):
    print(encoder_of(model, dtype=dtype)(*arrays, n_threads=1).tobytes().hex())
"""


def test_the_same_bits_without_special_instructions(isa_levels, run_python):
    for level in isa_levels:
        with_them = run_python(PROGRAM, env={"MLCORE_ISA": level})
        plain = run_python(PROGRAM, env={"MLCORE_ISA": level, "MLCORE_INT8": "plain", "MLCORE_BF16": "plain"})
        assert with_them.returncode == 0, with_them.stderr
        assert len(with_them.stdout) > 2 * 98 * 42 * 8
        assert with_them.stdout == plain.stdout


@needs_minilm
@pytest.mark.parametrize(("dtype", "least"), [("bfloat16", 0.9998), ("int8", 0.995)])
def test_sentence_vectors_of_minilm(dtype, least):
    model = BertModel.from_pretrained(packaged_minilm())
    rng = np.random.default_rng(0)
    lengths = [3, 9, 14, 40, 120]
    ids = np.concatenate([np.r_[101, rng.integers(1996, 4000, n - 2), 102] for n in lengths])  # frequent words
    batch = {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "offsets": np.r_[0, np.cumsum(lengths)]}
    exact, narrow = (encode(encoder_of(model, dtype=d), batch, pooling="mean") for d in ("float32", dtype))
    assert cosines(exact, narrow).min() > least
