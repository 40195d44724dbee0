"""Twin of the recurrent network of Seq2Seq: logits of one pair at a time, step by step, in the weights' precision.

`state` is a state_dict of NumPy arrays.
"""

import numpy as np

from twins.nn import recurrent
from twins.nn.attention import softmax


def _stack(state, name, n_layers, directions):
    return [
        [state[f"{name}.{part}_l{i}{d}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for i in range(n_layers)
        for d in ("", "_reverse")[:directions]
    ]


def _scores(state, score, h, memory):
    if score == "additive":
        keys = memory @ state["attend.key_proj.weight"].T
        return np.tanh(state["attend.query_proj.weight"] @ h + keys) @ state["attend.weight"]
    return (memory if score == "dot" else memory @ state["attend.key_proj.weight"].T) @ h


def logits(state, source, inputs, *, cell, n_layers, bidirectional, attention, input_feeding):
    """Return logits (T, V) after each of the tokens `inputs`, and the attention (T, S) to the tokens `source`."""
    kind = "rnn_tanh" if cell == "rnn" else cell
    D = 1 + bidirectional
    table = state.get("source_embedding.weight", state["embedding.weight"])
    weights = _stack(state, "encoder_stack", n_layers, D)
    H = weights[0][1].shape[1]
    zeros = np.zeros((n_layers * D, 1, H), table.dtype)
    x = table[source][:, None]
    nothing = np.zeros((len(source), 1, D * H), table.dtype)
    (memory, *last), _ = recurrent.layers(
        kind, x, [len(source)], zeros, zeros, weights, nothing, zeros, zeros, bidirectional
    )
    memory = memory[:, 0]
    if attention == "dot" and bidirectional:
        memory = memory[:, :H] + memory[:, H:]
    n_states = 2 if cell == "lstm" else 1
    states = [
        [
            np.tanh(
                state[f"bridge.{i * n_layers + k}.weight"] @ last[i][k * D : (k + 1) * D, 0].reshape(-1)
                + state[f"bridge.{i * n_layers + k}.bias"]
            )
            for k in range(n_layers)
        ]
        for i in range(n_states)
    ]
    h, c = states[0], states[1] if n_states == 2 else [np.zeros(H)] * n_layers
    layers = _stack(state, "decoder_stack", n_layers, 1)
    o, found, looked = np.zeros(H), [], []
    for token in inputs:
        x = state["embedding.weight"][token]
        if input_feeding:
            x = np.concatenate([x, o])
        for k, part in enumerate(layers):
            new_h, new_c, _ = recurrent.step(kind, x[None], h[k][None], c[k][None], part)
            h[k] = x = new_h[0]
            c[k] = new_c[0]
        o = x
        if attention is not None:
            p = softmax(_scores(state, attention, x, memory))
            context = p @ (memory @ state["attend.value_proj.weight"].T)
            o = np.tanh(state["attend.state_proj.weight"] @ x + state["attend.state_proj.bias"] + context)
            looked.append(p)
        found.append(state["output.weight"] @ o + state["output.bias"])
    return np.array(found), np.array(looked)


def loss(state, source, target, **options):
    """Return the mean cross-entropy of the tokens of lists of sequences, targets from begin to end."""
    terms = []
    for s, t in zip(source, target, strict=True):
        values, _ = logits(state, s, t[:-1], **options)
        top = values.max(axis=1, keepdims=True)
        log_sums = np.log(np.exp(values - top).sum(axis=1)) + top[:, 0]
        terms.append(log_sums - values[np.arange(len(values)), t[1:]])
    return np.concatenate(terms).mean()
