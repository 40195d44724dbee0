"""Packed sequences: rows of all sequences one after the other, and offsets that say where each begins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import ShapeError, Tensor


def checked_offsets(offsets: Any, n_rows: int, name: str = "offsets") -> NDArray[np.int64]:
    """Return offsets as int64 (B + 1,) that nobody else can change, or raise: TypeError, ShapeError, ValueError.

    What it has returned it returns again without a copy, so that a layer may check before its parts do.
    """
    if isinstance(offsets, np.ndarray) and offsets.dtype == np.int64 and offsets.ndim == 1 and len(offsets):
        flags = offsets.flags
        if flags.owndata and flags.c_contiguous and not flags.writeable and offsets[-1] == n_rows:
            return offsets  # kernels look at each offset before they trust it
    values = np.array(offsets.data if isinstance(offsets, Tensor) else offsets)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {values.dtype}")
    if values.ndim != 1 or len(values) == 0:
        raise ShapeError(f"{name} must have shape (B + 1,), got {values.shape}")
    values = np.ascontiguousarray(values, dtype=np.int64)
    if values[0] != 0 or (values[1:] < values[:-1]).any():
        raise ValueError(f"{name} must rise from 0, got {values}")
    if values[-1] != n_rows:
        raise ValueError(f"{name} must end with the number of rows, {n_rows}, got {values[-1]}")
    values.flags.writeable = False
    return values


def positions_in(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each row in its sequence, (N,)."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
