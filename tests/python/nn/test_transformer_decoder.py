"""The decoder without a tape: the logits of full recomputation, whatever is written beside."""

import numpy as np
import pytest

from mlcore import nn
from mlcore._native import core
from support.decoders import D, V, both, decoder_options, layer_weights, packed, values


def step(decoder, parents, tokens, n_threads=1):
    return decoder.step(np.array(parents, np.int32), np.array(tokens, np.int32), n_threads=n_threads)


OPTIONS = {
    "plain": {},
    "norm first": {"norm_first": True, "final_norm": (1 + values(D, seed=3, scale=0.2), values(D, seed=4))},
    "gelu, no bias": {"activation": "gelu", "bias": False},
    "sinusoidal, scaled, output bias": {
        "positions": "sinusoidal",
        "embedding_scale": D**0.5,
        "output_bias": values(V, seed=5),
    },
    "table": {"positions": values(12, D, seed=6), "epsilon": 1e-3},
    "rotary": {"positions": "rotary", "activation": "silu"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_logits_are_those_of_full_recomputation(options):
    decoder, twin = both(**options)
    memories = [values(5, D, seed=1), values(0, D), values(9, D, seed=2)]
    decoder.start(*packed(*memories), n_threads=1)
    tokens = np.random.default_rng(0).integers(0, V, (3, 10))
    for t in range(10):
        logits = step(decoder, range(3), tokens[:, t])
        for s in range(3):
            # sums of some 40 float32 terms, through two layers
            np.testing.assert_allclose(logits[s], twin.logits(tokens[s, : t + 1], memories[s])[-1], atol=2e-5)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_prompts_are_read_in_one_pass(options):
    decoder, twin = both(memory=False, **options)
    prompts = [np.array([4, 9, 2, 0, 22]), np.array([3]), np.array([5, 5])]
    decoder.start_prompts(*packed(*prompts), n_threads=1)
    following = [p[-1] for p in prompts]
    for t in range(4):
        logits = step(decoder, range(3), following)
        for s in range(3):
            np.testing.assert_allclose(logits[s], twin.logits(prompts[s])[-1], atol=2e-5)
            following[s] = (7 * t + s) % V
            prompts[s] = np.append(prompts[s], following[s])


def test_numbers_of_the_layers():
    """The weights are those of the modules, by their names."""
    nn.manual_seed(0)
    layers = [nn.TransformerDecoderLayer(16, 4, 32, 0.0, batch_first=True, norm_first=True) for _ in range(2)]
    norm, embedding = nn.LayerNorm(16), nn.Embedding(11, 16)
    weights = [dict(layer.state_dict()) for layer in layers]
    decoder = core.nn.TransformerDecoder(
        weights,
        embedding.weight.data,
        embedding.weight.data,
        n_heads=4,
        norm_first=True,
        final_norm=(norm.weight.data, norm.bias.data),
        n_threads=1,
    )
    memory, tokens = values(7, 16), np.array([3, 1, 4, 1, 5])
    decoder.start(memory, np.array([0, 7]), n_threads=1)
    x = embedding(tokens[None])
    for layer in layers:
        x = layer(x, memory[None], tgt_is_causal=True)
    expected = norm(x).data[0] @ embedding.weight.data.T
    for t, token in enumerate(tokens):
        np.testing.assert_allclose(step(decoder, [0], [token])[0], expected[t], atol=1e-5)


def test_hypotheses_share_their_past():
    decoder, twin = both(positions="sinusoidal")
    memories = [values(4, D, seed=1), values(6, D, seed=2)]
    decoder.start(*packed(*memories), n_threads=1)
    rng = np.random.default_rng(3)
    rows = [(0, []), (1, [])]
    for _ in range(40):
        parents = np.sort(rng.integers(0, len(rows), 7))
        tokens = rng.integers(0, V, 7)
        logits = step(decoder, parents, tokens)
        rows = [(rows[p][0], [*rows[p][1], t]) for p, t in zip(parents, tokens, strict=True)]
        for row, (source, written) in zip(logits, rows, strict=True):
            np.testing.assert_allclose(row, twin.logits(written, memories[source])[-1], atol=2e-5)
    # 7 rows of 40 tokens have 280: what they share is held once, and what nobody continues is freed
    before = decoder.n_blocks_in_use
    assert before * 16 < 180
    step(decoder, [0], [1])
    assert 3 <= decoder.n_blocks_in_use <= before
    step(decoder, [], [])
    assert decoder.n_blocks_in_use == 0


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_a_row_does_not_depend_on_the_others(n_threads, quantize):
    """Neither on their number, nor on their lengths, nor on threads: the same bits."""
    options = decoder_options(positions="rotary", n_heads=2)
    decoder = core.nn.TransformerDecoder(**options, quantize=quantize, n_threads=n_threads)
    memories = [values(n, D, seed=n) for n in [3, 0, 17, 5, 1] * 9]
    tokens = np.random.default_rng(0).integers(0, V, (6, len(memories)))
    decoder.start(*packed(*memories), n_threads=n_threads)
    together = [step(decoder, range(len(memories)), row, n_threads) for row in tokens]
    for s in [0, 1, 2, 44]:
        decoder.start(*packed(memories[s]), n_threads=1)
        for t, row in enumerate(tokens):
            np.testing.assert_array_equal(step(decoder, [0], row[s : s + 1])[0], together[t][s])


def test_a_prompt_does_not_depend_on_the_others():
    decoder = core.nn.TransformerDecoder(**decoder_options(memory=False, positions="sinusoidal"), n_threads=2)
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, V, n) for n in [1, 90, 3, 200, 17, 64, 2]]
    decoder.start_prompts(*packed(*prompts), n_threads=2)
    together = step(decoder, range(7), [p[-1] for p in prompts], 2)
    for s, prompt in enumerate(prompts):
        decoder.start_prompts(*packed(prompt), n_threads=1)
        np.testing.assert_array_equal(step(decoder, [0], prompt[-1:])[0], together[s])
        # read one by one, the prompt is the same again
        decoder.start_prompts(*packed(prompt[:1]), n_threads=1)
        for token in prompt:
            last = step(decoder, [0], [token])[0]
        np.testing.assert_array_equal(last, together[s])


def test_weights_in_8_bits():
    options = decoder_options(positions="sinusoidal")
    exact, rounded = (core.nn.TransformerDecoder(**options, quantize=q, n_threads=1) for q in (False, True))
    memory, offsets = packed(values(5, D), values(3, D, seed=1))
    for decoder in (exact, rounded):
        decoder.start(memory, offsets, n_threads=1)
    for tokens in [[1, 2], [3, 4], [5, 6]]:
        a, b = step(exact, [0, 1], tokens).ravel(), step(rounded, [0, 1], tokens).ravel()
        assert np.abs(a - b).max() > 0
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999


def test_a_decoder_starts_again():
    decoder = core.nn.TransformerDecoder(**decoder_options(), n_threads=1)
    memory, offsets = packed(values(5, D), values(3, D, seed=1))
    decoder.start(memory, offsets, n_threads=1)
    first = step(decoder, [0, 1], [2, 3])
    step(decoder, [0, 1, 1], [4, 5, 6])
    decoder.start(memory, offsets, n_threads=1)
    np.testing.assert_array_equal(step(decoder, [0, 1], [2, 3]), first)
    assert decoder.n_sources == 2
    assert decoder.n_tokens == V


def with_layer(**changes):
    layers = [layer_weights(), layer_weights(seed=100)]
    layers[1] |= changes
    return {"layers": [{k: w for k, w in layer.items() if w is not None} for layer in layers]}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_heads": 5}, ValueError, "n_heads must divide the 24 features, got 5"),
        ({"n_heads": 0}, ValueError, "n_heads"),
        ({"layers": []}, ValueError, "a layer or more"),
        ({"layers": [3]}, TypeError, "layer 0 must be a dict"),
        (with_layer(**{"linear2.weight": None}), ValueError, "layer 1: there is no linear2.weight"),
        (with_layer(**{"linear2.weight": values(D, 7)}), ValueError, r"layer 1: linear2.weight.*\(24, 7\)"),
        (with_layer(**{"norm3.weight": values(D + 1)}), ValueError, "layer 1: norm3.weight"),
        (with_layer(**{"self_attn.in_proj_weight": values(D, D)}), ValueError, "self_attn.in_proj_weight"),
        (with_layer(**{"self_attn.in_proj_bias": np.zeros(3 * D)}), TypeError, "float32"),
        (with_layer(**{"multihead_attn.in_proj_weight": None}), ValueError, "either all layers"),
        ({"embedding": values(0, D)}, ValueError, "embedding"),
        ({"output_weight": values(V + 1, D)}, ValueError, "output_weight"),
        ({"output_bias": values(V + 1)}, ValueError, "output_bias"),
        ({"positions": "learned"}, ValueError, "positions"),
        ({"positions": values(5, D + 1)}, ValueError, "positions"),
        ({"n_heads": 8, "positions": "rotary"}, ValueError, "even number of features a head, got 3"),
        ({"final_norm": values(D)[:3]}, TypeError, "pair"),
        ({"activation": "sign"}, ValueError, "sign"),
        ({"epsilon": float("nan")}, ValueError, "epsilon"),
    ],
)
def test_wrong_weights(changes, error, message):
    with pytest.raises(error, match=message):
        core.nn.TransformerDecoder(**decoder_options() | changes, n_threads=1)


def test_wrong_starts_and_steps():
    decoder = core.nn.TransformerDecoder(**decoder_options(positions=values(2, D)), n_threads=1)
    memory, offsets = packed(values(5, D), values(3, D))
    with pytest.raises(ValueError, match="memory"):
        decoder.start(values(8, D + 1), offsets, n_threads=1)
    for wrong in [[0, 5, 9], [1, 5, 8], [0, 9, 8], []]:
        with pytest.raises(ValueError, match=r"offsets|rows or more"):
            decoder.start(memory, np.array(wrong, np.int64), n_threads=1)
    with pytest.raises(ValueError, match="no prompts"):
        decoder.start_prompts(np.array([1]), np.array([0, 1]), n_threads=1)
    with pytest.raises(ValueError, match="cannot continue row 0 of the 0"):
        step(decoder, [0], [0])
    decoder.start(memory, offsets, n_threads=1)
    with pytest.raises(ValueError, match="tokens must be in"):
        step(decoder, [0], [V])
    with pytest.raises(ValueError, match="cannot continue row 2 of the 2"):
        step(decoder, [0, 2], [0, 0])
    for _ in range(2):
        step(decoder, [0], [0])
    with pytest.raises(ValueError, match="3 tokens, but the table of positions 2 rows"):
        step(decoder, [0], [0])
    model = core.nn.TransformerDecoder(**decoder_options(memory=False), n_threads=1)
    with pytest.raises(ValueError, match="start_prompts"):
        model.start(memory, offsets, n_threads=1)
    for ids, message in [([V], "ids must be in"), ([-1], "ids must be in"), ([], "1 rows or more")]:
        with pytest.raises(ValueError, match=message):
            model.start_prompts(np.array(ids, np.int64), np.array([0, len(ids)]), n_threads=1)
