"""Searches beside `generate` of transformers, with equal weights; and what it found then, which always runs."""

import numpy as np
import pytest

from mlcore._native import core
from support.decoders import HEADS, HIDDEN, D, V, decoder_options, ending_options, packed, values

PAD, BEGIN, END = 0, 2, 3
LONGEST = 10
MEMORIES = [values(n, D, seed=n) for n in [4, 1, 9, 2, 6, 3]]
PENALTIES = [0.0, 0.6, 1.0, 2.0]
STOPPING = [True, False, "never"]


def options():
    return decoder_options(**ending_options(END, never=PAD))


def written(**search):
    decoder = core.nn.TransformerDecoder(**options(), n_threads=1)
    decoder.start(*packed(*MEMORIES), n_threads=1)
    return core.nn.search(decoder, begin=BEGIN, end=END, max_length=LONGEST, n_threads=1, **search)


FROZEN = {
    (0.0, True): [[], [], [], [17], [], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]],
    (0.0, False): [[], [], [], [17], [], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]],
    (0.0, "never"): [[], [], [], [17], [], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]],
    (0.6, True): [[], [], [], [17], [], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]],
    (0.6, False): [[], [], [], [17], [], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]],
    (0.6, "never"): [[], [], [], [17], [], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9]],
    (1.0, True): [
        [],
        [1, 1, 1, 9, 9, 9, 9, 9, 9, 9],
        [],
        [20, 17, 17, 17],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ],
    (1.0, False): [
        [],
        [1, 1, 1, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [20, 17, 17, 17, 17, 17, 17, 17, 17, 17],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ],
    (1.0, "never"): [
        [],
        [1, 1, 1, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [20, 17, 17, 17, 17, 17, 17, 17, 17, 17],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ],
    (2.0, True): [
        [9, 1],
        [1, 1, 1, 9, 9, 9, 9, 9, 9, 9],
        [4, 9],
        [20, 17, 17, 17],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ],
    (2.0, False): [
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [1, 1, 1, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [20, 17, 17, 17, 17, 17, 17, 17, 17, 17],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ],
    (2.0, "never"): [
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [1, 1, 1, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [20, 17, 17, 17, 17, 17, 17, 17, 17, 17],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ],
}
"""Best tokens of each source with four beams, by length penalty and early stopping: transformers 5.24."""


@pytest.mark.parametrize("early_stopping", STOPPING)
@pytest.mark.parametrize("length_penalty", PENALTIES)
def test_what_transformers_found(length_penalty, early_stopping):
    found = written(method="beam", beam_size=4, length_penalty=length_penalty, early_stopping=early_stopping)
    assert [h[0][0].tolist() for h in found] == FROZEN[length_penalty, early_stopping]


@pytest.fixture(scope="module")
def marian():
    pytest.importorskip("transformers")
    from support import translators

    made = options()
    shape = translators.Shape(V, D, HEADS, 2, HIDDEN, tied=False, max_length=64)
    weights = {"embedding.weight": made["embedding"], "output.weight": made["output_weight"]}
    weights["output.bias"] = made["output_bias"]
    for i, layer in enumerate(made["layers"]):
        for name, array in layer.items():
            weights[f"decoder.layers.{i}.{name}"] = array
            if not name.startswith(("multihead", "norm3")):  # the encoder is there and not asked
                weights[f"encoder.layers.{i}.{name}"] = array
    return translators.marian_model(weights, shape)


def generated(model, **search):
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    lengths = [len(m) for m in MEMORIES]
    memory, mask = (
        np.zeros((len(lengths), max(lengths), D), np.float32),
        np.zeros((len(lengths), max(lengths)), np.int64),
    )
    for i, rows in enumerate(MEMORIES):
        memory[i, : len(rows)], mask[i, : len(rows)] = rows, 1
    out = model.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=torch.from_numpy(memory)),
        attention_mask=torch.from_numpy(mask),
        max_new_tokens=LONGEST,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
        **search,
    )
    tokens = [[i for i in row[1:] if i not in (PAD, END)] for row in out.sequences.tolist()]
    return tokens, getattr(out, "sequences_scores", None)


@pytest.mark.peers
def test_greedy_beside_transformers(marian):
    assert [h[0][0].tolist() for h in written()] == generated(marian)[0]


@pytest.mark.peers
@pytest.mark.parametrize("early_stopping", STOPPING)
@pytest.mark.parametrize("length_penalty", PENALTIES)
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_beam_search_beside_transformers(marian, k, length_penalty, early_stopping):
    search = {"length_penalty": length_penalty, "early_stopping": early_stopping}
    found = written(method="beam", beam_size=k, n_best=k, **search)
    tokens, scores = generated(marian, num_beams=k, num_return_sequences=k, **search)
    assert [ids.tolist() for h in found for ids, _, _ in h] == tokens
    # sums of ten log-probabilities in float32 there
    np.testing.assert_allclose([s for h in found for _, s, _ in h], scores.numpy(), atol=2e-4)
