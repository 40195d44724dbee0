"""What BERT reads: tokens of texts, or of pairs of texts, packed."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlcore.seq._packed import Packed


class BertBatch(NamedTuple):
    """Sequences of tokens, one after the other, markers included."""

    ids: NDArray[np.int64]
    """Tokens of all sequences, shape (N,)."""

    types: NDArray[np.int64]
    """To which text of a pair each belongs, shape (N,): 0 the first, 1 the second."""

    offsets: NDArray[np.int64]
    """Sequence b is rows ``offsets[b]`` to ``offsets[b + 1]``; shape (B + 1,), from 0 to N."""

    @classmethod
    def of(cls, ids: Sequence[Any], types: Sequence[Any]) -> Self:
        """Pack sequences of ids and of types, each of shape (length,)."""
        packed, packed_types = Packed.of(ids), Packed.of(types)
        if not np.array_equal(packed.offsets, packed_types.offsets):
            raise ValueError("each token must have one type")
        return cls(packed.ids, packed_types.ids, packed.offsets)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each sequence, shape (B,)."""
        return np.diff(self.offsets)

    def take(self, rows: Any) -> "BertBatch":
        """Return some of the sequences, in the order of `rows`."""
        ids = Packed(self.ids, self.offsets).take(rows)
        return BertBatch(ids.ids, Packed(self.types, self.offsets).take(rows).ids, ids.offsets)
