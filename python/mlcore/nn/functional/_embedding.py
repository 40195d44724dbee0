"""Rows of a table by their numbers."""

from typing import Any

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, SparseGradient, Tensor, operands, record


def embedding(input: Any, weight: Tensor | Array, padding_idx: int | None = None, sparse: bool = False) -> Tensor:
    """Look up rows: ``y_i = W[id_i]``.

    Parameters
    ----------
    input : int array of any shape
        Ids in [0, len(weight)).
    weight : Tensor (n, d)
        W.
    padding_idx : int, optional
        The id whose row gets no gradient; negative: from the end.
    sparse : bool, default=False
        Whether the gradient is a :class:`SparseGradient` of the rows that were looked up, which an optimizer can use
        without a pass over the whole table.

    Returns
    -------
    Tensor (*shape of input, d)
        y. dW[k] is the sum of the dy_i with id_i = k, added in the order of the positions: the same bits for any number
        of threads.

    Raises
    ------
    TypeError
        If the ids are no integers.
    ValueError
        If one is out of range; the message says which, and where.
    """
    ids, w = operands(input, weight)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"input of embedding must hold integers, got {ids.dtype}")
    if w.ndim != 2 or w.dtype != np.float32:
        raise ShapeError(f"weight of embedding must be float32 of shape (n, d), got {w.dtype} of shape {w.shape}")
    n = w.shape[0]
    if padding_idx is not None and not -n <= padding_idx < n:
        raise ValueError(f"padding_idx={padding_idx} of embedding is outside the table of {n} rows")
    skipped = -1 if padding_idx is None else padding_idx % n
    numbers = np.asarray(ids.data, np.int64, order="C")
    y = core.nn.gather_rows(np.ascontiguousarray(w.data), numbers, n_threads=n_threads())

    sparse = sparse and w._node is None  # operations that the table comes from want a gradient of all of it

    def backward(dy: Array) -> Gradients:
        d = np.asarray(dy, order="C")
        if not sparse:
            return [core.nn.scatter_add_rows(d, numbers, n_rows=n, skipped=skipped, n_threads=n_threads())]
        rows, places = np.unique(numbers, return_inverse=True)
        values = core.nn.scatter_add_rows(
            d, places.astype(np.int64, copy=False).reshape(numbers.shape), n_rows=len(rows), n_threads=n_threads()
        )
        if skipped in rows:
            kept = rows != skipped
            rows, values = rows[kept], values[kept]
        return [SparseGradient(rows, values, w.shape)]

    return record("embedding", y, [w], backward, saved=(ids,))
