"""BertModel: values beside the twin, packed and padded input, the same bits in any batch, and bad input."""

import copy
import pickle

import numpy as np
import pytest

from mlcore import nn
from mlcore.seq.bert import BertModel
from mlcore.seq.bert.network._inputs import BertInputs
from support.bert import needs_minilm, packaged_minilm, padded, random_batch, random_model, small_config
from twins.bert import Bert, split

LENGTHS = [5, 17, 1, 40, 2]


@pytest.fixture(scope="module")
def model():
    return random_model(BertModel)


@pytest.fixture
def batch(model):
    return random_batch(np.random.default_rng(1), LENGTHS, model.config)


def outputs(model, **inputs):
    with nn.no_grad():
        return [None if x is None else x.data for x in model(**inputs)]


@pytest.mark.parametrize("act", ["gelu", "gelu_new", "relu", "silu", "tanh"])
def test_values_are_those_of_the_twin(act):
    model = random_model(BertModel, hidden_act=act, num_attention_heads=8)
    batch = random_batch(np.random.default_rng(2), LENGTHS, model.config)
    twin = Bert(model.state_dict(), model.config)
    hidden, pooled = outputs(model, **batch)
    assert hidden.shape == (sum(LENGTHS), 32)
    assert pooled.shape == (len(LENGTHS), 32)
    np.testing.assert_allclose(hidden, np.concatenate([twin.hidden(*s) for s in split(batch)]), atol=1e-5)
    np.testing.assert_allclose(pooled, [twin.pooled(*s) for s in split(batch)], atol=1e-5)


def test_segments_are_the_first_unless_given(model, batch):
    ids, offsets = batch["input_ids"], batch["offsets"]
    zeros = outputs(model, input_ids=ids, offsets=offsets, token_type_ids=np.zeros_like(ids))
    assert np.array_equal(outputs(model, input_ids=ids, offsets=offsets)[0], zeros[0])
    assert not np.allclose(zeros[0], outputs(model, **batch)[0])


def test_without_pooler():
    model = random_model(BertModel)
    bare = BertModel(model.config, add_pooling_layer=False).eval()
    bare.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("pooler")})
    batch = random_batch(np.random.default_rng(3), [3, 0, 4], model.config)
    hidden, pooled = outputs(bare, **batch)  # nobody reads the first token of the empty sequence
    assert pooled is None
    assert hidden.shape == (7, 32)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_a_sequence_has_the_same_bits_in_any_batch(model, batch, n_threads):
    with nn.threads(1):
        hidden, pooled = outputs(model, **batch)
    offsets = batch["offsets"]
    with nn.threads(n_threads):
        for b, (ids, types) in enumerate(split(batch)):
            alone = outputs(model, input_ids=ids, token_type_ids=types, offsets=[0, len(ids)])
            assert np.array_equal(alone[0], hidden[offsets[b] : offsets[b + 1]])
            assert np.array_equal(alone[1][0], pooled[b])
        assert np.array_equal(outputs(model, **batch)[0], hidden)


def test_padding_changes_no_bit_wherever_it_is(model, batch):
    hidden, pooled = outputs(model, **batch)
    right = padded(batch)
    mask = right["attention_mask"].astype(bool)
    rng = np.random.default_rng(4)
    orders = {
        "right": np.tile(np.arange(40), (5, 1)),
        "left": np.argsort(mask, axis=1, kind="stable"),
        "anywhere": np.array([scattered(rng, m) for m in mask]),
    }
    for name, order in orders.items():
        given = {key: np.take_along_axis(value, order, 1) for key, value in right.items()}
        given["input_ids"] = np.where(given["attention_mask"], given["input_ids"], 59)  # padding may be any token
        rows, pool = outputs(model, **given)
        real = given["attention_mask"].astype(bool)
        assert rows.shape == (5, 40, 32), name
        assert np.array_equal(rows[real], hidden), name
        assert not rows[~real].any(), name
        assert np.array_equal(pool, pooled), name


def scattered(rng, mask):
    """An order of the columns that keeps that of the real ones and puts padding among them."""
    places = np.sort(rng.choice(len(mask), mask.sum(), replace=False))
    order = np.empty(len(mask), int)
    order[places] = np.flatnonzero(mask)
    order[np.setdiff1d(np.arange(len(mask)), places)] = np.flatnonzero(~mask)
    return order


def test_masks_of_bools_and_floats_and_no_mask(model):
    ids = np.random.default_rng(5).integers(1, 60, (2, 6))
    whole = outputs(model, input_ids=ids)[0]
    for mask in (np.ones((2, 6)), np.ones((2, 6), bool), [[1] * 6] * 2):
        assert np.array_equal(outputs(model, input_ids=ids, attention_mask=mask)[0], whole)
    assert np.array_equal(outputs(model, input_ids=ids.tolist())[0], whole)


def test_positions_may_be_given(model):
    ids = np.random.default_rng(6).integers(1, 60, 7)
    usual = outputs(model, input_ids=ids, offsets=[0, 7])[0]
    given = outputs(model, input_ids=ids, offsets=[0, 7], position_ids=np.arange(7))[0]
    assert np.array_equal(usual, given)
    moved = outputs(model, input_ids=ids, offsets=[0, 7], position_ids=np.arange(3, 10))[0]
    assert not np.allclose(usual, moved, atol=1e-2)


def test_some_rows_of_the_last_layer_have_the_bits_of_all(model, batch):
    inputs = BertInputs(model.config, **batch)
    with nn.no_grad():
        whole = model.hidden(inputs).data
        for rows in (inputs.firsts(), np.array([0, 3, 4, 22, 30, 64]), np.arange(65), np.array([], np.int64)):
            assert np.array_equal(model.hidden(inputs, rows).data, whole[rows])
        assert np.array_equal(model.pooled(inputs).data, model(**batch).pooler_output.data)


def test_gradient_of_some_rows_is_that_of_all(model, batch):
    inputs = BertInputs(model.config, **batch)
    rows = np.array([0, 3, 22, 23, 64])
    weights = np.random.default_rng(7).normal(size=(5, 32)).astype(np.float32)
    gradients = []
    for hidden in (model.hidden(inputs, rows), model.hidden(inputs)[rows]):
        model.zero_grad()
        (hidden * weights).sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    model.zero_grad()
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        scale = np.abs(gradients[1][name]).max()
        np.testing.assert_allclose(gradient, gradients[1][name], atol=1e-5 * max(scale, 1), err_msg=name)


def test_dropout_is_drawn_in_training_alone(batch):
    model = random_model(BertModel).train()
    nn.manual_seed(3)
    first = outputs(model, **batch)[0]
    second = outputs(model, **batch)[0]
    nn.manual_seed(3)
    again = outputs(model, **batch)[0]
    assert np.array_equal(first, again)
    assert not np.allclose(first, second)
    still = random_model(BertModel, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
    np.testing.assert_allclose(outputs(still, **batch)[0], outputs(model.eval(), **batch)[0], atol=1e-5)


@pytest.mark.parametrize("place", ["hidden_dropout_prob", "attention_probs_dropout_prob"])
def test_each_dropout_acts(batch, place):
    other = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = random_model(BertModel, **{**other, place: 0.5})
    quiet = outputs(model, **batch)[0]
    assert np.abs(outputs(model.train(), **batch)[0] - quiet).max() > 0.1


def test_new_weights():
    nn.manual_seed(0)
    state = BertModel(small_config(initializer_range=0.5, hidden_size=64)).state_dict()
    assert 0.48 < state["encoder.layer.1.attention.self.key.weight"].std() < 0.52
    assert 0.45 < state["embeddings.word_embeddings.weight"][1:].std() < 0.55
    assert not state["embeddings.word_embeddings.weight"][0].any()
    assert not state["encoder.layer.0.output.dense.bias"].any()
    assert (state["embeddings.LayerNorm.weight"] == 1).all()


def test_copies_and_pickles(model, batch):
    hidden = outputs(model, **batch)[0]
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.config == model.config
        assert np.array_equal(outputs(other, **batch)[0], hidden)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_ids": np.full(65, 60)}, r"input_ids must be in \[0, 60\), as vocab_size of the network says, got 60"),
        ({"input_ids": np.full(65, -1)}, "input_ids must be in .* got -1"),
        ({"token_type_ids": np.full(65, 2)}, r"token_type_ids must be in \[0, 2\).*type_vocab_size.* got 2"),
        ({"offsets": [0, 41, 65]}, r"sequence 0 has 41 tokens, but the network takes at most 40"),
        ({"offsets": [0, 5, 64]}, "offsets must end with the number of rows, 65"),
        ({"offsets": [0, 30, 20, 65]}, "offsets must rise from 0"),
        ({"offsets": [0, 30, 30, 65]}, "sequence 1 is empty"),
        ({"token_type_ids": np.zeros(64, int)}, r"token_type_ids has shape \(64,\), but input_ids \(65,\)"),
        ({"position_ids": np.full(65, 40)}, r"position_ids must be in \[0, 40\)"),
        ({"attention_mask": np.ones(65)}, "they take no attention_mask"),
        ({"offsets": None}, r"input_ids must have shape \(B, T\), or \(N,\) with offsets, got \(65,\)"),
        ({"input_ids": np.ones((5, 13), int)}, r"input_ids with offsets must have shape \(N,\)"),
    ],
)
def test_bad_packed_input(model, batch, change, message):
    with pytest.raises(ValueError, match=message):
        model(**{**batch, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention_mask": [[1, 2, 0], [1, 1, 1]]}, "attention_mask must be 1 where a token is real"),
        ({"attention_mask": [[1, 0.5, 0], [1, 1, 1]]}, "attention_mask must be 1 where a token is real"),
        ({"attention_mask": [[1, 1, 0]]}, r"attention_mask has shape \(1, 3\), but input_ids \(2, 3\)"),
        ({"attention_mask": [[0, 0, 0], [1, 1, 1]]}, "sequence 0 is empty"),
        ({"input_ids": np.ones((1, 41), int)}, "sequence 0 has 41 tokens"),
    ],
)
def test_bad_padded_input(model, change, message):
    with pytest.raises(ValueError, match=message):
        model(**{"input_ids": [[1, 2, 3], [4, 5, 6]], **change})


def test_floats_are_no_ids_and_masks_are_by_keyword(model):
    with pytest.raises(TypeError, match="input_ids must be integers, got float64"):
        model([[1.0, 2.0]])
    with pytest.raises(TypeError, match="positional"):
        model([[1, 2]], [[1, 1]])
    with pytest.raises(TypeError, match="must be a BertConfig"):
        BertModel({"hidden_size": 32})


def test_nothing_at_all(model):
    hidden, pooled = outputs(model, input_ids=np.empty(0, int), offsets=[0])
    assert hidden.shape == (0, 32)
    assert pooled.shape == (0, 32)
    assert outputs(model, input_ids=np.empty((0, 7), int))[0].shape == (0, 7, 32)


@needs_minilm
def test_packaged_minilm():
    """Frozen numbers of transformers 5.24 with torch 2.13, float32, one sentence a call: 1e-5."""
    model = BertModel.from_pretrained(packaged_minilm())
    ids = [[101, 1996, 4937, 2938, 2006, 1996, 13523, 1012, 102], [101, 7592, 2088, 102]]
    offsets = np.cumsum([0, *map(len, ids)])
    hidden, pooled = outputs(model, input_ids=np.concatenate(ids), offsets=offsets)
    expected = [
        [0.48721039, -0.00880456, -0.16367082, 0.20876895],
        [1.35768259, -0.58722699, -0.11751532, 0.84565973],
        [-0.41379544, 0.07754858, -0.11078808, 0.61633384],
    ]
    np.testing.assert_allclose(hidden[[0, 3, 12], :4], expected, atol=1e-5)
    expected = [[-0.03416276, -0.02984145, -0.02704062], [-0.03965930, 0.06180586, -0.04137979]]
    np.testing.assert_allclose(pooled[:, [0, 100, 383]], expected, atol=1e-5)
    norms = [7.84306288, 7.72494268, 4.74994564, 8.70462990]
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1)[::4], norms, rtol=1e-5)
