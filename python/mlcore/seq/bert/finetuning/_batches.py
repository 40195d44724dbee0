"""Texts with what they are to give, and batches of them: so many texts, or so many tokens each, of like length."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.training._batches import Batch
from mlcore.nn.training._token_batches import TokenBatches

_ANY = 1 << 62


class Encoded(NamedTuple):
    """Sequences that a frozen encoder has read: a head alone is trained on them."""

    lengths: NDArray[np.int64]
    """Tokens of each, shape (B,)."""
    firsts: NDArray[np.float32]
    """What the encoder makes of the first token of each, shape (B, d)."""

    def take(self, rows: Any) -> "Encoded":
        """Return some of them."""
        return Encoded(self.lengths[rows], self.firsts[rows])


class Rows(NamedTuple):
    """What a network is trained on: sequences of tokens."""

    inputs: Any
    """All of them: a :class:`BertBatch`, or :class:`Encoded`."""
    targets: tuple[Any, ...]
    """What they are to give: arrays with an entry a sequence, or packed columns with one a token."""
    example: NDArray[np.int64]
    """Which example each is of, shape (n_sequences,): several where a long one is cut into windows."""

    def take(self, rows: NDArray[np.intp]) -> "Rows":
        """Return some of the sequences."""
        targets = tuple(part[rows] if isinstance(part, np.ndarray) else part.take(rows) for part in self.targets)
        return Rows(self.inputs.take(rows), targets, self.example[rows])


class TextBatches(TokenBatches):
    """Batches ``(inputs, *targets)`` of sequences of like length.

    Parameters
    ----------
    rows : Rows
        All sequences.
    batch_size : int
        Sequences of a batch. An epoch is divided evenly, so that batches may be somewhat smaller.
    batch_tokens : int or None, default=None
        Tokens of a batch, in the place of `batch_size`.
    shuffle : bool, default=True
        Draw the order again each epoch.
    """

    unit = " texts"

    def __init__(self, rows: Rows, *, batch_size: int, batch_tokens: int | None = None, shuffle: bool = True) -> None:
        super().__init__([rows.inputs], _ANY if batch_tokens is None else batch_tokens, shuffle=shuffle)
        self.rows = rows
        self.n_units = len(self._sizes)
        if batch_tokens is None:
            self._sizes = np.ones_like(self._sizes)
            self._n_batches = -(-self.n_units // int(batch_size))

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """Return some sequences and their targets as a batch."""
        found = self.rows.take(rows)
        return (found.inputs, *found.targets)
