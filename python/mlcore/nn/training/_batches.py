"""Batches: from arrays, drawn again each epoch and grouped by length if wanted; or any iterable of batches.

A batch is a tuple of arrays (inputs, then the target), or a dict of them with the target under "y". Sequences of
different lengths come as lists of arrays and are padded to the longest of their batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import Tensor

Batch = tuple[Any, ...] | dict[str, Any]

POOL = 50  # batches of rows that are sorted by length together: enough for like lengths, few enough for chance


class Ragged:
    """A column of arrays (length, ...) of different lengths.

    Parameters
    ----------
    items : sequence of array
        All but the first axis are the same.
    padding : number
        What shorter ones are filled up with.
    """

    def __init__(self, items: Sequence[Any], padding: float = 0) -> None:
        self.items = [np.asarray(item) for item in items]
        self.padding = padding
        self.lengths = np.array([len(item) for item in self.items], dtype=np.int64)
        if len({(item.shape[1:], item.dtype) for item in self.items}) > 1:
            raise ValueError("sequences of one column must have one dtype, and one shape but for their first axis")
        if len(self.items) and not self.lengths.all():
            raise ValueError(f"sequence {int(np.argmin(self.lengths))} is empty")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        first = self.items[rows[0]]
        shape = (len(rows), int(self.lengths[rows].max()), *first.shape[1:])
        dtype = np.dtype(np.int64) if first.dtype.kind == "u" else first.dtype  # which can hold a negative padding
        padded = np.full(shape, self.padding, dtype)
        for place, row in enumerate(rows):
            padded[place, : self.lengths[row]] = self.items[row]
        return padded


class ArrayBatches:
    """Batches of the rows of arrays.

    Parameters
    ----------
    inputs : array, list of arrays, tuple or dict of such
        Columns with one length. A list is a column of sequences of different lengths, padded with 0.
    target : array, list of arrays or None
        One more column. In a list of integer arrays the padding is -100, which cross-entropy ignores.
    batch_size : int
        Rows of a batch; the last may have fewer. If it had a single one, that row joins the batch before: the noise of
        one row would count as much as a whole batch, and batch norm has no variance of it.
    shuffle : bool
        Draw the order of rows again each epoch.
    drop_last : bool
        Leave out a last batch that is not full.
    lengths : bool or int array (n,)
        Put rows of like length into one batch, in batches of random order: less padding. True: the lengths of the first
        column that is a list.
    """

    def __init__(
        self,
        inputs: Any,
        target: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        drop_last: bool = False,
        lengths: Any = False,
    ) -> None:
        if not (isinstance(batch_size, int | np.integer) and batch_size >= 1):
            raise ValueError(f"batch_size must be an int >= 1, got {batch_size!r}")
        named = isinstance(inputs, Mapping)
        names = list(inputs) if named else None
        columns = list(inputs.values()) if named else list(inputs) if isinstance(inputs, tuple) else [inputs]
        self.columns = [_column(values, 0) for values in columns]
        if target is not None:
            self.columns.append(_column(target, -100))
            names = None if names is None else [*names, "y"]
        self.names, self.batch_size, self.shuffle, self.drop_last = names, int(batch_size), shuffle, drop_last
        sizes = sorted({len(column) for column in self.columns})
        if len(sizes) != 1:
            raise ValueError(f"arrays to train on must have the same number of rows, got {sizes}")
        self.n_rows = sizes[0]
        if self.n_rows == 0 or (drop_last and self.n_rows < batch_size):
            raise ValueError(f"no batch of {batch_size} rows can be made from {self.n_rows} rows")
        self.lengths = self._lengths(lengths)

    def _lengths(self, lengths: Any) -> NDArray[np.int64] | None:
        if lengths is False or lengths is None:
            return None
        if lengths is True:
            ragged = next((column for column in self.columns if isinstance(column, Ragged)), None)
            if ragged is None:
                raise ValueError("bucket_by_length=True needs a column that is a list of arrays; else pass the lengths")
            return np.asarray(ragged.lengths)
        given: NDArray[np.int64] = np.asarray(lengths)
        if given.shape != (self.n_rows,):
            raise ValueError(f"lengths must have shape ({self.n_rows},), got {given.shape}")
        return given

    def __len__(self) -> int:
        full, rest = divmod(self.n_rows, self.batch_size)
        return full + (rest > 0 and not (self.drop_last or self._joins(full, rest)))

    @staticmethod
    def _joins(full: int, rest: int) -> bool:
        """Whether the last row joins the batch before."""
        return full > 0 and rest == 1

    def order(self, seed: int) -> list[NDArray[np.intp]]:
        """Return the rows of each batch of an epoch."""
        rng = np.random.Generator(np.random.Philox(seed))
        rows = rng.permutation(self.n_rows) if self.shuffle else np.arange(self.n_rows)
        size = self.batch_size
        if self.lengths is not None:
            pool = POOL * size if self.shuffle else self.n_rows
            pools = [rows[i : i + pool] for i in range(0, self.n_rows, pool)]
            rows = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        batches = [rows[i : i + size] for i in range(0, self.n_rows, size)][: len(self)]
        if not self.drop_last and self._joins(*divmod(self.n_rows, size)):
            batches[-1] = rows[-size - 1 :]
        if self.lengths is not None and self.shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches

    def epoch(self, number: int, seed: int, start: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Yield the batches of an epoch from the `start`-th on."""
        for rows in self.order(seed)[start:]:
            yield self.take(rows)

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """Return some rows as a batch."""
        values = [column[rows] for column in self.columns]
        return tuple(values) if self.names is None else dict(zip(self.names, values, strict=True))


class IterableBatches:
    """Batches that the caller makes.

    Parameters
    ----------
    batches : callable or iterable
        A callable is asked ``batches(epoch)`` for those of each epoch, from 0; an iterable is iterated again each time.
    """

    def __init__(self, batches: Callable[[int], Iterable[Any]] | Iterable[Any]) -> None:
        if not callable(batches) and iter(batches) is batches:
            raise TypeError("an iterator can be used only once; pass a list, or a callable that returns an iterator")
        self.batches = batches

    def __len__(self) -> int:
        """Return the number of batches, 0 if it is not known."""
        return len(self.batches) if isinstance(self.batches, Sized) else 0

    def epoch(self, number: int, seed: int, start: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """Yield the batches of an epoch from the `start`-th on."""
        batches = self.batches(number) if callable(self.batches) else self.batches
        for batch in islice(batches, start, None):
            yield batch if isinstance(batch, tuple | dict) else tuple(batch) if isinstance(batch, list) else (batch,)


@runtime_checkable
class Source(Protocol):
    """What a trainer takes batches from."""

    def __len__(self) -> int:
        """Return the number of batches of an epoch, 0 if it is not known."""

    def epoch(self, number: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from the `start`-th on; the same seed gives the same ones."""


def source_of(data: Any, target: Any = None, **options: Any) -> Source:
    """Return the batches of `data`: arrays, with `options` of :class:`ArrayBatches`, or what yields batches."""
    if isinstance(data, Source):
        return data
    is_list_of_batches = isinstance(data, list) and len(data) > 0 and isinstance(data[0], tuple | dict)
    if isinstance(data, np.ndarray | Tensor | tuple | Mapping) or (isinstance(data, list) and not is_list_of_batches):
        return ArrayBatches(data, target, **options)
    if target is not None:
        raise TypeError("y goes with arrays only: an iterable of batches holds its targets itself")
    return IterableBatches(data)


def n_rows_of(batch: Batch) -> int:
    """Return the length of the first array of a batch."""
    first = next(iter(batch.values() if isinstance(batch, Mapping) else batch), None)
    return len(first) if isinstance(first, Sized) else 1


def _column(values: Any, padding: int) -> Any:
    if isinstance(values, Tensor):
        values = values.data
    if isinstance(values, list) and values and hasattr(values[0], "__len__"):
        is_whole = np.asarray(values[0]).dtype.kind in "iu"
        return Ragged(values, padding if is_whole else 0)
    values = np.asarray(values)
    if values.ndim == 0:
        raise ValueError("a column of data must be an array with an axis of rows, got a single value")
    return values
