"""Small decoders without a tape with weights drawn at random, each beside its twin."""

import numpy as np

from mlcore._native import core
from twins.nn.decoder import Decoder

V, D, HEADS, HIDDEN = 23, 24, 3, 40


def values(*shape, seed=0, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def layer_weights(d=D, hidden=HIDDEN, memory=True, bias=True, seed=0):
    shapes = {"linear1.weight": (hidden, d), "linear1.bias": (hidden,), "linear2.weight": (d, hidden)}
    shapes["linear2.bias"] = (d,)
    for name in ["self_attn", "multihead_attn"][: 1 + memory]:
        shapes |= {f"{name}.in_proj_weight": (3 * d, d), f"{name}.in_proj_bias": (3 * d,)}
        shapes |= {f"{name}.out_proj.weight": (d, d), f"{name}.out_proj.bias": (d,)}
    arrays = {name: values(*shape, seed=seed + i, scale=0.2) for i, (name, shape) in enumerate(shapes.items())}
    for i in range(2 + memory):
        arrays[f"norm{i + 1}.weight"] = 1 + values(d, seed=seed + 50 + i, scale=0.2)
        arrays[f"norm{i + 1}.bias"] = values(d, seed=seed + 60 + i, scale=0.2)
    return arrays if bias else {name: w for name, w in arrays.items() if not name.endswith("bias")}


def decoder_options(n_layers=2, memory=True, bias=True, d=D, v=V, **options):
    return {
        "layers": [layer_weights(d, memory=memory, bias=bias, seed=100 * i) for i in range(n_layers)],
        "embedding": values(v, d, seed=7),
        "output_weight": values(v, d, seed=8),
        "n_heads": HEADS,
    } | options


def both(**options):
    options = decoder_options(**options)
    return core.nn.TransformerDecoder(**options, n_threads=1), Decoder(**options)


def packed(*sequences):
    return np.concatenate(sequences), np.cumsum([0, *map(len, sequences)], dtype=np.int64)


def ending_options(end, never=None, **options):
    """As decoder_options, with positions and such weights that some texts end early and some late."""
    bias = values(V, seed=21, scale=0.5)
    bias[end] += 2
    if never is not None:
        bias[never] = -1e4
    weight = values(V, D, seed=8, scale=0.2)
    return {
        "positions": "sinusoidal",
        "embedding_scale": D**0.5,
        "output_bias": bias,
        "output_weight": weight,
    } | options
