"""Batches of sequences by number of tokens, without padding."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.training._batches import POOL, Batch


class PackedColumn(Protocol):
    """Sequences of different lengths, one after the other."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each, shape (n_rows,)."""

    def take(self, rows: Any) -> Self:
        """Return some of them."""


class TokenBatches:
    """Batches of about as many tokens each, of sequences of like length.

    A row is a sequence, or one of several columns (source and target). It counts as many tokens as its longest column.
    All tokens of an epoch are divided among as many batches as `batch_tokens` asks for, and a row belongs to the batch
    in whose share the middle of it lies: so each epoch has the same number of batches, however rows are shuffled, and
    they differ by about one row.

    Parameters
    ----------
    columns : sequence of packed columns
        With one number of rows. None stands for a column that is not there, and is None in the batches.
    batch_tokens : int
        Tokens of a batch; at least those of the longest row, or batches are as large as that.
    shuffle : bool, default=True
        Draw the order of rows again each epoch.
    like_length : bool, default=True
        Put rows of like length into one batch, in batches of random order: sort them by their columns, the last one
        first, within pools of 50 batches.
    n_batches : int or None, default=None
        Batches of an epoch, in the place of `batch_tokens`, unless rows are too long for so many.

    Attributes
    ----------
    unit : str
        What a progress bar counts.
    n_units : int
        How many of them an epoch has: tokens of the last column, but for the first of each row, which no loss is of.
    """

    unit = " tokens"

    def __init__(
        self,
        columns: Sequence[PackedColumn | None],
        batch_tokens: int,
        *,
        shuffle: bool = True,
        like_length: bool = True,
        n_batches: int | None = None,
    ) -> None:
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens must be an int >= 1, got {batch_tokens}")
        self.columns, self.shuffle, self.like_length = list(columns), shuffle, like_length
        lengths = [column.lengths for column in columns if column is not None]
        if len({len(each) for each in lengths}) != 1:
            raise ValueError(f"columns must have the same number of rows, got {[len(each) for each in lengths]}")
        self._lengths = np.stack(lengths)
        self._sizes = np.maximum(self._lengths.max(axis=0), 1)
        if not self._sizes.size:
            raise ValueError("no batch can be made from 0 rows")
        total, longest = int(self._sizes.sum()), int(self._sizes.max())
        # No share is smaller than a row, so that the middle of some row lies in each.
        wanted = -(-total // int(batch_tokens)) if n_batches is None else n_batches
        self._n_batches = max(1, min(wanted, total // longest))
        self.n_units = int(np.maximum(lengths[-1] - 1, 0).sum())

    def __len__(self) -> int:
        return self._n_batches

    def order(self, seed: int) -> list[NDArray[np.intp]]:
        """Return the rows of each batch of an epoch."""
        rng = np.random.Generator(np.random.Philox(seed))
        n = len(self._sizes)
        rows = rng.permutation(n) if self.shuffle else np.arange(n)
        if self.like_length:
            n_pools = -(-self._n_batches // POOL) if self.shuffle else 1
            pools = np.array_split(rows, n_pools)
            rows = np.concatenate([pool[np.lexsort(self._lengths[:, pool])] for pool in pools])
        sizes = self._sizes[rows]
        middles = 2 * np.cumsum(sizes) - sizes  # twice the middle of each row
        batch_of = middles * self._n_batches // (2 * int(sizes.sum()))
        batches = np.split(rows, np.searchsorted(batch_of, np.arange(1, self._n_batches)))
        if self.like_length and self.shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches

    def epoch(self, number: int, seed: int, start: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Yield the batches of an epoch from the `start`-th on."""
        for rows in self.order(seed)[start:]:
            yield self.take(rows)

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """Return some rows as a batch."""
        return tuple(None if column is None else column.take(rows) for column in self.columns)
