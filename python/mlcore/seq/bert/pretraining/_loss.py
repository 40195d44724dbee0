"""Loss of pre-training, how good a network is at it, and the constant that it is never worse than."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._steps import evaluating
from mlcore.seq.bert.network._inputs import BertInputs, rows_of
from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.network._pretraining_heads import BertForPreTraining
from mlcore.seq.bert.pretraining._batches import PretrainingBatch

_LOGITS = 1 << 22
"""Logits that are held at once."""


def train_step(network: Any, batch: PretrainingBatch) -> tuple[Tensor, int]:
    """Return the loss of a batch, and its number of tokens, by which it counts."""
    options: dict[str, Any] = {"token_type_ids": batch.token_type_ids, "offsets": batch.offsets}
    if batch.next_sentence_label is not None:
        options["next_sentence_label"] = batch.next_sentence_label
    return network.loss(batch.input_ids, labels=batch.labels, **options), len(batch.input_ids)


def measures(network: Any, batches: Iterable[PretrainingBatch]) -> dict[str, float]:
    """Return loss and accuracy of a network, which evaluates, over all masked tokens and pairs of batches.

    Returns
    -------
    dict of str to float
        "loss", "masked_loss", "masked_accuracy", and of a network that predicts next sentences "next_sentence_loss" and
        "next_sentence_accuracy".
    """
    words, pairs = np.zeros(3), np.zeros(3)  # sum of losses, number of hits, number of all
    with evaluating(network):
        for batch in batches:
            inputs = BertInputs(network.config, batch.input_ids, batch.token_type_ids, None, batch.offsets)
            masked, firsts = np.flatnonzero(batch.labels != IGNORED), inputs.firsts()
            needed = np.union1d(masked, firsts)
            hidden = network.bert.hidden(inputs, needed)
            rows, labels = rows_of(hidden, np.searchsorted(needed, masked)), batch.labels[masked]
            step = max(1, _LOGITS // network.config.vocab_size)
            for begin in range(0, len(labels), step):
                part = Tensor(rows.data[begin : begin + step])
                words += _sums(network._logits(part), labels[begin : begin + step])
            if isinstance(network, BertForPreTraining):
                pooled = network.bert.pool(rows_of(hidden, np.searchsorted(needed, firsts)))
                assert batch.next_sentence_label is not None
                pairs += _sums(network.cls.seq_relationship(pooled), batch.next_sentence_label)
    found = {"masked_loss": words[0] / words[2], "masked_accuracy": words[1] / words[2]}
    if pairs[2]:
        found |= {"next_sentence_loss": pairs[0] / pairs[2], "next_sentence_accuracy": pairs[1] / pairs[2]}
    total = found["masked_loss"] + found.get("next_sentence_loss", 0.0)
    return {"loss": float(total), **{name: float(value) for name, value in found.items()}}


def _sums(logits: Tensor, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    losses = F.cross_entropy(logits, labels, reduction="none").data
    hits = np.count_nonzero(logits.data.argmax(axis=1) == labels)
    return np.array([losses.sum(dtype=np.float64), hits, len(labels)])


def write_constant(network: Any, log_frequencies: NDArray[np.float64] | None, *, sentences: bool) -> None:
    """Let heads predict what is best without reading anything; the encoder stays.

    Parameters
    ----------
    network : BertForPreTraining or BertForMaskedLM
    log_frequencies : array (V,) or None
        The prediction for masked tokens. None: that head stays.
    sentences : bool
        Whether a next sentence is as likely as a random one.
    """
    with no_grad():
        if log_frequencies is not None:
            norm = network.cls.predictions.transform.LayerNorm
            norm.weight.fill_(0)
            norm.bias.fill_(0)
            network.cls.predictions.bias.copy_(log_frequencies.astype(np.float32))
        if sentences:
            network.cls.seq_relationship.weight.fill_(0)
            network.cls.seq_relationship.bias.fill_(0)
