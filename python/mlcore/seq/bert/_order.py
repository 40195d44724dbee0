"""The order in which texts pass the network."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


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
    ends = np.cumsum(lengths[order])
    begin = 0
    while begin < len(order):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + batch_tokens, side="right")))
        yield order[begin:end]
        begin = end
