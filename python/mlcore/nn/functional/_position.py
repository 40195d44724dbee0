"""Positions in a sequence: rows of a table to add, sinusoids or learned ones, and rotations."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.functional._offsets import checked_offsets, positions_in
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, record


def sinusoids(n_positions: int, d_model: int, base: float = 10000.0) -> Array:
    """Return the table of Vaswani et al. (NIPS 2017): sin and cos of the position, at descending frequencies.

    Parameters
    ----------
    n_positions : int
        T.
    d_model : int
        D.
    base : float, default=10000.0
        The frequency of the columns 2 i and 2 i + 1 is base^(-2 i / D).

    Returns
    -------
    ndarray (T, D)
        Column 2 i holds sin, column 2 i + 1 cos.
    """
    angles = _angles(np.arange(n_positions), d_model, base)
    table = np.empty((n_positions, d_model), np.float32)
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : d_model // 2])
    return table


def add_positions(
    input: Tensor | Array, table: Tensor | Array, *, offsets: Any = None, first: int = 0, scale: float = 1.0
) -> Tensor:
    """Compute ``scale x + table[position]``: positions for attention, which is blind to order.

    Parameters
    ----------
    input : Tensor (..., T, D), or (N, D) with `offsets`
        x.
    table : Tensor (P, D)
        A row for each position: :func:`sinusoids`, or learned.
    offsets : array of int (B + 1,), optional
        Packed sequences: sequence b is rows ``offsets[b]`` to ``offsets[b + 1]`` of `input`; positions begin again in
        each.
    first : int, default=0
        Position of the first vector of each sequence.
    scale : float, default=1.0
        sqrt(D) for embeddings, as Vaswani et al. (NIPS 2017) have it.

    Returns
    -------
    Tensor like input
        dx = scale dy; the gradient with respect to a row of the table is the sum of the dy at that position.

    Raises
    ------
    ShapeError
        If the shapes do not go together, or there are more positions than rows.
    ValueError
        If `first` is negative, or offsets do not rise from 0 to N.
    """
    x, t = float_tensor(input, "input of add_positions"), float_tensor(table, "table of add_positions")
    if x.ndim < 2 or t.ndim != 2 or x.shape[-1] != t.shape[1] or (offsets is not None and x.ndim != 2):
        raise ShapeError(f"input of shape {x.shape} does not go with a table of shape {t.shape}")
    if first < 0:
        raise ValueError(f"first of add_positions must be at least 0, got {first}")
    n_rows, length = x.size // max(x.shape[-1], 1), x.shape[-2]
    if offsets is not None:
        ends = checked_offsets(offsets, n_rows)
        length = int(np.diff(ends).max(initial=0))
    else:
        ends = np.arange(0, n_rows + 1, max(length, 1), dtype=np.int64)
    if first + length > t.shape[0]:
        raise ShapeError(f"input of shape {x.shape} from position {first} on leaves [0, {t.shape[0]})")
    rows = np.ascontiguousarray(x.data).reshape(n_rows, x.shape[-1])
    here = np.ascontiguousarray(t.data[first : first + length])
    y = core.nn.add_positions(rows, here, ends, scale=scale, n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        by_table = None
        if t.requires_grad:
            by_table = np.zeros(t.shape, np.float32)
            d = np.ascontiguousarray(dy).reshape(rows.shape)
            by_table[first : first + length] = core.nn.position_gradients(
                d, ends, n_positions=length, n_threads=n_threads()
            )
        return [(dy if scale == 1 else dy * np.float32(scale)) if x.requires_grad else None, by_table]

    return record("positions", y.reshape(x.shape), [x, t], backward)


def rotary_embedding(
    input: Tensor | Array, positions: Any = None, base: float = 10000.0, *, offsets: Any = None
) -> Tensor:
    """Rotate pairs of entries by angles that grow with the position: an inner product then sees the distance alone.

    Parameters
    ----------
    input : Tensor (..., T, D)
        Queries or keys of a head, D even.
    positions : array of int (T,), optional
        0 .. T - 1 unless given.
    base : float, default=10000.0
        Entries i and i + D / 2 are rotated by position * base^(-2 i / D).
    offsets : array of int (B + 1,), optional
        In the place of `positions`: those of packed sequences, which begin again at each offset.

    Returns
    -------
    Tensor (..., T, D)
        Rotated; the gradient is rotated back.

    Raises
    ------
    ShapeError
        If D is odd, or positions do not fit.
    ValueError
        If offsets do not rise from 0 to T, or are given beside positions.

    Notes
    -----
    Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021.
    """
    x = float_tensor(input, "input of rotary_embedding")
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(f"rotary_embedding takes (..., T, D) with an even D, got shape {x.shape}")
    places = None if positions is None else _places(positions, x.shape)
    if offsets is not None:
        if places is not None:
            raise ValueError("rotary_embedding takes positions or offsets, not both")
        places = positions_in(checked_offsets(offsets, x.shape[-2]))
    rotations = Rotations(x.shape[-2], x.shape[-1], places, base)
    return record("rotary embedding", rotations.turned(x.data), (x,), lambda dy: [rotations.turned(dy, back=True)])


class Rotations:
    """Rotations of rows (..., T, D) by their places, or by 0 .. T - 1."""

    def __init__(self, n_rows: int, depth: int, places: NDArray[np.int64] | None = None, base: float = 10000.0) -> None:
        first, last = (0, n_rows - 1) if places is None or not n_rows else (places.min(), places.max())
        if places is None or (first >= 0 and last < 8 * n_rows + 1024):
            self.places, self.table = places, _rotations(1 << max(int(last), 0).bit_length(), depth, base)
        else:  # far from the beginning: a table of these places alone
            self.places, self.table = None, _rotations_at(places, depth, base)

    def turned(self, x: Array, back: bool = False, out: Array | None = None) -> Array:
        """Rotate (..., T, D), or rotate it back: into `out`, which may be x itself, or a new array."""
        if out is None:
            out = core.nn.empty(x.shape)
        as_heads = (math.prod(x.shape[:-3]), *((1, *x.shape) if x.ndim < 3 else x.shape)[-3:])
        core.nn.rotate(
            _vectors(x).reshape(as_heads),
            *self.table,
            self.places,
            out.reshape(as_heads),
            back=back,
            n_threads=n_threads(),
        )
        return out


def _vectors(x: Array) -> Array:
    """Return x with contiguous vectors; copied only where they are not."""
    return x if x.strides[-1] == x.itemsize or x.shape[-1] == 1 else np.ascontiguousarray(x)


def _angles(places: NDArray[Any], depth: int, base: float) -> NDArray[np.float64]:
    return np.outer(places, base ** (-np.arange(0, depth, 2) / depth))


@lru_cache(maxsize=16)
def _rotations(n_positions: int, depth: int, base: float) -> tuple[Array, Array]:
    return _rotations_at(np.arange(n_positions), depth, base)


def _rotations_at(places: NDArray[Any], depth: int, base: float) -> tuple[Array, Array]:
    angles = _angles(places, depth, base)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _places(positions: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    places = np.array(positions.data if isinstance(positions, Tensor) else positions)  # ours: backward needs them
    if places.dtype.kind not in "iu":
        raise TypeError(f"positions must be integers, got {places.dtype}")
    if places.shape != shape[-2:-1]:
        raise ShapeError(f"positions of shape {places.shape} do not fit input of shape {shape}")
    return places.astype(np.int64)
