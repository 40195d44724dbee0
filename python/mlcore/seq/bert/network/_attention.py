"""Where the tokens of a text look: attention weights, which the networks themselves do not keep."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn.tensor import no_grad
from mlcore.seq.bert.network._inputs import BertInputs
from mlcore.seq.bert.network._model import BertModel
from mlcore.seq.bert.tokens._batch import BertBatch


def attention_of(model: BertModel, batch: BertBatch, layer: int = -1, head: int | None = None) -> NDArray[np.float32]:
    """Return the attention weights of one sequence in one layer.

    Parameters
    ----------
    model : BertModel
        In evaluation mode.
    batch : BertBatch
        One sequence of n tokens.
    layer : int, default=-1
        From 0, or from the end: -1 is the last.
    head : int or None, default=None
        One head; None: the mean of all.

    Returns
    -------
    ndarray of shape (n, n), float32
        Rows sum to 1: where token i looks.

    Raises
    ------
    ValueError
        If there is no such layer or head, or the batch is not of one sequence.
    """
    config = model.config
    n_layers, n_heads = config.num_hidden_layers, config.num_attention_heads
    layer = _index("layer", layer, n_layers)
    heads = slice(None) if head is None else [_index("head", head, n_heads)]
    if len(batch.lengths) != 1:
        raise ValueError(f"attention is of one sequence at a time, got {len(batch.lengths)}")
    with no_grad():
        inputs = BertInputs(config, batch.ids, batch.types, offsets=batch.offsets)
        x = model.embeddings(inputs)
        for below in list(model.encoder.layer)[:layer]:
            x = below(x, inputs.offsets)
        attention = model.encoder.layer[layer].attention.self
        q, k = (part(x).data.reshape(len(batch.ids), n_heads, -1) for part in (attention.query, attention.key))
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(np.float32(q.shape[2]))
        weights = F.softmax(np.ascontiguousarray(scores), -1).data
    found: NDArray[np.float32] = weights[heads].mean(axis=0)
    return found


def _index(name: str, value: Any, n: int) -> int:
    """Return a number of a layer or head, which may count from the end."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if not -n <= value < n:
        raise ValueError(f"{name} must be in [{-n}, {n}), got {value}")
    return int(value) % n
