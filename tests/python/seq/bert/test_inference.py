"""BERT without a tape: values beside the twin and the module, pooling, the same bits in any batch, bad input."""

import itertools

import numpy as np
import pytest

from mlcore import nn
from mlcore._native import core
from mlcore.seq.bert import BertModel
from mlcore.seq.bert.network._inference import encoder_of
from support.bert import needs_minilm, packaged_minilm, random_batch, random_model
from twins.bert import Bert, split

LENGTHS = [5, 17, 1, 40, 2]


@pytest.fixture(scope="module")
def model():
    return random_model(BertModel)


@pytest.fixture(scope="module")
def batch(model):
    return random_batch(np.random.default_rng(1), LENGTHS, model.config)


def encode(encoder, batch, n_threads=2, **options):
    arrays = (batch[name] for name in ("input_ids", "token_type_ids", "offsets"))
    return encoder(*arrays, n_threads=n_threads, **options)


def pooled(rows, offsets, pooling, normalize=False):
    reduce = {"mean": lambda x: x.mean(0), "max": lambda x: x.max(0), "cls": lambda x: x[0]}[pooling]
    vectors = np.stack([reduce(rows[a:b].astype(np.float64)) for a, b in itertools.pairwise(offsets)])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors


@pytest.mark.parametrize("act", ["gelu", "gelu_new", "relu", "silu", "tanh"])
def test_values_are_those_of_the_twin_and_of_the_module(act):
    model = random_model(BertModel, hidden_act=act, num_attention_heads=8)
    batch = random_batch(np.random.default_rng(2), LENGTHS, model.config)
    found = encode(encoder_of(model), batch)
    twin = Bert(model.state_dict(), model.config)
    np.testing.assert_allclose(found, np.concatenate([twin.hidden(*s) for s in split(batch)]), atol=1e-5)
    with nn.no_grad():
        np.testing.assert_allclose(found, model(**batch).last_hidden_state.data, atol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_pooling(model, batch, pooling, normalize):
    encoder = encoder_of(model)
    found = encode(encoder, batch, pooling=pooling, normalize=normalize)
    assert found.shape == (len(LENGTHS), 32)
    np.testing.assert_allclose(found, pooled(encode(encoder, batch), batch["offsets"], pooling, normalize), atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("pooling", [None, "mean", "cls"])
def test_bits_depend_neither_on_the_batch_nor_on_threads(model, batch, dtype, pooling):
    encoder = encoder_of(model, dtype=dtype)
    together = encode(encoder, batch, n_threads=1, pooling=pooling)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(encode(encoder, batch, n_threads, pooling=pooling), together)
    for b, (ids, types) in enumerate(split(batch)):
        alone = encoder(ids, types, np.array([0, len(ids)]), pooling=pooling, n_threads=2)
        a, z = batch["offsets"][b : b + 2] if pooling is None else (b, b + 1)
        np.testing.assert_array_equal(alone, together[a:z])


def test_the_weights_are_copied(model, batch):
    other = random_model(BertModel, seed=5)
    encoder = encoder_of(other)
    before = encode(encoder, batch)
    with nn.no_grad():
        for parameter in other.parameters():
            parameter.data[...] = 0
    np.testing.assert_array_equal(encode(encoder, batch), before)


def test_products_can_be_excluded_from_int8(model, batch):
    exact, narrow = (encode(encoder_of(model, dtype=dtype), batch) for dtype in ("float32", "int8"))
    none_left = encode(encoder_of(model, dtype="int8", exclude=["encoder"]), batch)
    np.testing.assert_array_equal(none_left, exact)

    def error(*exclude):
        return np.abs(encode(encoder_of(model, dtype="int8", exclude=exclude), batch) - exact).mean()

    assert 0 < error("encoder.layer.0.output.dense") < error()
    assert 0 < error("encoder.layer.1") < error()
    query, attention = (
        encode(encoder_of(model, dtype="int8", exclude=[f"encoder.layer.0.attention.self{name}"]), batch)
        for name in (".query", "")
    )
    np.testing.assert_array_equal(query, attention)
    assert not np.array_equal(query, narrow)
    for name in ("encoder.layer.2", "encoder.layer.0.output.LayerNorm", "embeddings", "encoder.layer.0.out", ""):
        with pytest.raises(ValueError, match="exclude must name modules of the encoder"):
            encoder_of(model, exclude=[name])


def test_nothing_to_encode(model):
    nothing = np.zeros(0, np.int64)
    encoder = encoder_of(model)
    assert encoder(nothing, nothing, np.array([0]), n_threads=2).shape == (0, 32)
    assert encoder(nothing, nothing, np.array([0]), pooling="mean", n_threads=2).shape == (0, 32)


def test_bad_input(model):
    encoder = encoder_of(model)
    zeros, ends, two = np.zeros(41, np.int64), np.array([0, 41]), np.array([0, 2, 5])

    def refused(match, ids=zeros[:5], types=zeros[:5], offsets=two, error=ValueError, **options):
        with pytest.raises(error, match=match):
            encoder(ids, types, offsets, n_threads=1, **options)

    for bad in (-1, 60, np.iinfo(np.int64).min):
        refused(r"ids must be in \[0, 60\), got", np.array([0, 0, 0, 0, bad]))
    refused(r"types must be in \[0, 2\), got 2", types=np.array([0, 2, 0, 0, 0]))
    refused("sequence 0 has 41 tokens, more than the 40 positions", zeros, zeros, ends)
    refused("sequence 1 must have 1 rows or more", offsets=np.array([0, 2, 2, 5]))
    refused("its offsets are 4 and 3", offsets=np.array([0, 4, 3, 5]))
    refused("offsets must begin with 0 and end with the number of rows, 5", offsets=np.array([0, 6]))
    refused("offsets must begin with 0", offsets=np.zeros(0, np.int64))
    refused("types must be .* 5 entries", types=zeros[:4])
    refused("ids must be a 1-D array of int64", zeros[:5].astype(np.int32), error=TypeError)
    refused("ids must be a 1-D array", zeros[:5][:, None])
    refused("pooling must be 'mean', 'cls' or 'max', got 'sum'", pooling="sum")
    refused("normalize is for pooled vectors", normalize=True)


def test_weights_are_checked():
    d = 8
    tables = {name: np.zeros((n, d), np.float32) for name, n in (("word", 9), ("position", 7), ("type", 2))}
    layer = {
        "self_attn.in_proj_weight": np.zeros((3 * d, d), np.float32),
        "self_attn.out_proj.weight": np.zeros((d, d), np.float32),
        "linear1.weight": np.zeros((5, d), np.float32),
        "linear2.weight": np.zeros((d, 5), np.float32),
    }

    def refused(match, tables=tables, layers=(layer,), n_heads=2, error=ValueError, **options):
        with pytest.raises(error, match=match):
            core.nn.BertEncoder(tables, list(layers), n_heads=n_heads, n_threads=1, **options)

    assert core.nn.BertEncoder(tables, [layer], n_heads=2, n_threads=1).width == d
    refused("embeddings must be a dict", tables=[], error=TypeError)
    refused("embeddings: there is no type", tables={k: v for k, v in tables.items() if k != "type"})
    refused("embeddings: position", tables | {"position": np.zeros((7, 5), np.float32)})
    refused("embeddings: word", tables | {"word": np.zeros((9, d))}, error=TypeError)
    refused("embeddings: type must have a row or more", tables | {"type": np.zeros((0, d), np.float32)})
    refused("embeddings: norm.bias", tables | {"norm.bias": np.zeros(5, np.float32)})
    refused(r"layer 0: linear2\.weight", layers=[layer | {"linear2.weight": np.zeros((d, 4), np.float32)}])
    refused("n_heads must divide the 8 features, got 3", n_heads=3)
    refused("n_heads must divide", n_heads=0)
    refused("epsilon", epsilon=-1.0)
    refused("activation", activation="swish")
    refused("dtype must be", dtype="float16")
    refused("exclude: there is no product 1.linear1", exclude=["1.linear1"])


@needs_minilm
def test_sentence_vectors_of_minilm():
    """Beside numbers of transformers, in float64."""
    sentences = [[101, 7592, 2088, 102], [101, 1037, 4937, 7777, 2019, 17212, 2006, 1996, 2300, 1012, 102]]
    encoder = encoder_of(BertModel.from_pretrained(packaged_minilm()))
    ids = np.concatenate(sentences)
    offsets = np.array([0, 4, 15])
    found = encoder(ids, np.zeros_like(ids), offsets, pooling="mean", normalize=True, n_threads=2)
    expected = [
        [-0.0344773, 0.0310232, 0.006735, 0.026109, 0.0277311, 0.0302068],
        [0.0437182, -0.0218226, 0.0248745, 0.0480804, 0.0346161, 0.0655467],
    ]
    np.testing.assert_allclose(found[:, [0, 1, 2, 3, 100, 383]], expected, atol=1e-6)
