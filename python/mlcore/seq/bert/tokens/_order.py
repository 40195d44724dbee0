"""In which order, and how many at once, texts pass the tokenizer and the network."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def runs(sizes: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Yield entries one after the other, so many at once that their sizes sum to `most` at most, but one at least.

    Parameters
    ----------
    sizes : int64 array (n,)
    most : int

    Yields
    ------
    slice
    """
    ends = np.cumsum(sizes)
    begin = done = 0
    while begin < len(ends):
        end = max(begin + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield slice(begin, end)
        begin, done = end, int(ends[end - 1])


def batches_by_length(lengths: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.intp]]:
    """Yield which sequences make a batch: long ones first, with `batch_tokens` tokens at most, or one sequence.

    Parameters
    ----------
    lengths : int64 array (B,)
    batch_tokens : int

    Yields
    ------
    array of int
    """
    order = np.argsort(-lengths, kind="stable")
    return (order[run] for run in runs(lengths[order], batch_tokens))
