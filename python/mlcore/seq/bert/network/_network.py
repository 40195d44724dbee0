"""What BERT with a head has in common, whichever the head.

`forward` returns logits. `loss` takes the labels too and computes no more than they need: the last layer and the head
run over the rows that have a label, and a classifier's over the first token of each sequence alone.
"""

from typing import Any, TypedDict

import numpy as np

from mlcore.nn.tensor import Tensor
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._folder import PretrainedModule
from mlcore.seq.bert.network._inputs import BertInputs, Ints
from mlcore.seq.bert.network._model import BertModel

IGNORED = -100
"""The label of what has none."""


class InputOptions(TypedDict, total=False):
    """What the networks take beside `input_ids`: see :meth:`BertModel.forward`."""

    token_type_ids: Any
    attention_mask: Any
    offsets: Any
    position_ids: Any


class BertNetwork(PretrainedModule):
    """An encoder, `bert`, and a head."""

    def __init__(self, config: BertConfig, add_pooling_layer: bool) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer)

    def _inputs(self, input_ids: Any, options: InputOptions) -> BertInputs:
        if unknown := sorted(options.keys() - InputOptions.__annotations__):
            hint = ": loss(input_ids, labels=...) takes them" if "labels" in unknown else ""
            raise TypeError(f"{type(self).__name__} got an unexpected argument {unknown[0]!r}{hint}")
        return BertInputs(self.config, input_ids, **options)


def as_labels(name: str, labels: Any) -> Ints:
    """Return classes as int64, or raise TypeError."""
    values = np.asarray(labels.data if isinstance(labels, Tensor) else labels)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {values.dtype}")
    return values.astype(np.int64, copy=False)


def labelled_rows(classes: Ints) -> Ints:
    """Return the rows with a label; the first where none has one, whose loss is 0 then."""
    rows = np.flatnonzero(classes != IGNORED)
    return rows if len(rows) else np.arange(min(1, len(classes)))
