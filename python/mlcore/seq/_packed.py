"""Sequences of different lengths without padding: one after the other, and where each begins."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Packed(NamedTuple):
    """A batch of sequences of ids."""

    ids: NDArray[np.int64]
    """All of them, shape (N,)."""

    offsets: NDArray[np.int64]
    """Sequence b is ``ids[offsets[b]:offsets[b + 1]]``; shape (B + 1,), from 0 to N."""

    @classmethod
    def of(cls, sequences: Sequence[Any]) -> Self:
        """Pack sequences of ids, each of shape (length,)."""
        lengths = np.fromiter((len(sequence) for sequence in sequences), np.int64, len(sequences))
        ids = np.concatenate([np.asarray(sequence, np.int64) for sequence in sequences] or [np.empty(0, np.int64)])
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each sequence, shape (B,)."""
        return np.diff(self.offsets)

    def take(self, rows: Any) -> "Packed":
        """Return some of the sequences, in the order of `rows`."""
        starts, lengths = self.offsets[:-1][rows], self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Packed(self.ids[places], offsets)
