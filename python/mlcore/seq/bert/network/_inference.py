"""The network that estimators predict with: a BertModel's weights, without a tape."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.seq.bert.network._model import BertModel

_PRODUCTS = {
    "attention.self.query": "self_attn.in_proj",
    "attention.self.key": "self_attn.in_proj",
    "attention.self.value": "self_attn.in_proj",
    "attention.output.dense": "self_attn.out_proj",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
}
"""Layers with a weight of each layer of the encoder, and the native product that each of them is, or is a part of."""


def encoder_of(model: BertModel, *, dtype: str = "float32", exclude: Iterable[str] = ()) -> Any:
    """Return a native encoder with a copy of the weights of a model.

    Parameters
    ----------
    model : BertModel
        Its pooler is left aside.
    dtype : {"float32", "bfloat16", "int8"}, default="float32"
        What the weights of products are kept as, and multiplied in.
    exclude : iterable of str, default=()
        Modules of the model whose products stay in float32, by their names, such as "encoder.layer.0" or
        "encoder.layer.5.output.dense". Queries, keys and values are one product: each of them keeps all three.

    Returns
    -------
    core.nn.BertEncoder
        ``encoder(ids, types, offsets, pooling=None, normalize=False, n_threads=...)`` gives rows (N, d), or vectors
        (B, d) with `pooling` "mean", "cls" or "max". A sequence has the same bits in any batch and for any number of
        threads.

    Raises
    ------
    ValueError
        If `dtype` is none of these, or a name in `exclude` is no module with a product.
    """
    arrays = {name: parameter.data for name, parameter in model.named_parameters()}
    config = model.config
    return core.nn.BertEncoder(
        {
            "word": arrays["embeddings.word_embeddings.weight"],
            "position": arrays["embeddings.position_embeddings.weight"],
            "type": arrays["embeddings.token_type_embeddings.weight"],
            "norm.weight": arrays["embeddings.LayerNorm.weight"],
            "norm.bias": arrays["embeddings.LayerNorm.bias"],
        },
        [_layer(arrays, f"encoder.layer.{i}.") for i in range(config.num_hidden_layers)],
        n_heads=config.num_attention_heads,
        activation=config.activation,
        epsilon=config.layer_norm_eps,
        dtype=dtype,
        exclude=_excluded(exclude, config.num_hidden_layers),
        n_threads=n_threads(),
    )


def _layer(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the arrays of one layer under the names of :class:`mlcore.nn.TransformerEncoderLayer`."""

    def joined(kind: str) -> Any:
        return np.concatenate([arrays[f"{prefix}attention.self.{part}.{kind}"] for part in ("query", "key", "value")])

    return {
        "self_attn.in_proj_weight": joined("weight"),
        "self_attn.in_proj_bias": joined("bias"),
        "self_attn.out_proj.weight": arrays[prefix + "attention.output.dense.weight"],
        "self_attn.out_proj.bias": arrays[prefix + "attention.output.dense.bias"],
        "norm1.weight": arrays[prefix + "attention.output.LayerNorm.weight"],
        "norm1.bias": arrays[prefix + "attention.output.LayerNorm.bias"],
        "linear1.weight": arrays[prefix + "intermediate.dense.weight"],
        "linear1.bias": arrays[prefix + "intermediate.dense.bias"],
        "linear2.weight": arrays[prefix + "output.dense.weight"],
        "linear2.bias": arrays[prefix + "output.dense.bias"],
        "norm2.weight": arrays[prefix + "output.LayerNorm.weight"],
        "norm2.bias": arrays[prefix + "output.LayerNorm.bias"],
    }


def _excluded(names: Iterable[str], n_layers: int) -> list[str]:
    """Return the native names of the products that lie in modules."""
    products = {
        f"encoder.layer.{i}.{module}": f"{i}.{product}"
        for i in range(n_layers)
        for module, product in _PRODUCTS.items()
    }
    found = []
    for name in names:
        inside = [product for module, product in products.items() if f"{module}.".startswith(f"{name}.")]
        if not inside:
            raise ValueError(f"exclude must name modules of the encoder such as 'encoder.layer.0', got {name!r}")
        found += inside
    return list(dict.fromkeys(found))
