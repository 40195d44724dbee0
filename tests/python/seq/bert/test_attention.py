"""Weights of attention of a text: those of transformers, and what is refused."""

import numpy as np
import pytest

from mlcore.seq.bert import BertBatch, BertModel
from mlcore.seq.bert.network._attention import attention_of
from support.bert import random_batch, random_model


def one_sequence(model, n=7):
    drawn = random_batch(np.random.default_rng(0), [n], model.config)
    return BertBatch(drawn["input_ids"], drawn["token_type_ids"], drawn["offsets"])


def test_weights_are_a_mean_that_sees_all():
    model = random_model(BertModel)
    batch = one_sequence(model)
    heads = [attention_of(model, batch, layer=1, head=h) for h in range(4)]
    for weights in heads:
        assert weights.shape == (7, 7)
        np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(attention_of(model, batch), np.mean(heads, 0), rtol=1e-6)
    assert np.abs(heads[0] - heads[1]).max() > 0.01


def test_they_are_what_the_layer_multiplies_values_with():
    """Values weighed by them are what the layer's attention returns."""
    model = random_model(BertModel)
    batch = one_sequence(model)
    layer = model.encoder.layer[0].attention.self
    from mlcore.seq.bert.network._inputs import BertInputs

    x = model.embeddings(BertInputs(model.config, batch.ids, batch.types, offsets=batch.offsets))
    values = layer.value(x).data.reshape(7, 4, 8)
    expected = layer(x, batch.offsets).data.reshape(7, 4, 8)
    for head in range(4):
        found = attention_of(model, batch, layer=0, head=head) @ values[:, head]
        np.testing.assert_allclose(found, expected[:, head], atol=1e-5)


def test_layers_count_from_the_end_too():
    model = random_model(BertModel)
    batch = one_sequence(model)
    assert np.array_equal(attention_of(model, batch, layer=-1, head=-1), attention_of(model, batch, layer=1, head=3))


@pytest.mark.parametrize("options", [{"layer": 2}, {"layer": -3}, {"head": 4}], ids=str)
def test_there_is_no_such_layer(options):
    model = random_model(BertModel)
    with pytest.raises(ValueError, match="must be in"):
        attention_of(model, one_sequence(model), **options)


def test_one_sequence_at_a_time():
    model = random_model(BertModel)
    drawn = random_batch(np.random.default_rng(0), [3, 4], model.config)
    with pytest.raises(ValueError, match="one sequence at a time, got 2"):
        attention_of(model, BertBatch(drawn["input_ids"], drawn["token_type_ids"], drawn["offsets"]))
    with pytest.raises(TypeError, match="layer must be an int"):
        attention_of(model, one_sequence(model), layer="last")


@pytest.mark.peers
def test_transformers_has_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = random_model(BertModel)
    model.save_pretrained(tmp_path)
    theirs = transformers.BertModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    batch = one_sequence(model)
    with torch.no_grad():
        found = theirs(
            input_ids=torch.from_numpy(batch.ids[None]),
            token_type_ids=torch.from_numpy(batch.types[None]),
            output_attentions=True,
        ).attentions
    for layer, weights in enumerate(found):
        for head in range(4):
            ours = attention_of(model, batch, layer=layer, head=head)
            np.testing.assert_allclose(ours, weights[0, head].numpy(), atol=1e-5)
