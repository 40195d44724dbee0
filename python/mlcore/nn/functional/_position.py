"""Positions in a sequence: sinusoids to add, rotations."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn.tensor import Array, ShapeError, Tensor, float_tensor, record


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


def rotary_embedding(input: Tensor | Array, positions: Any = None, base: float = 10000.0) -> Tensor:
    """Rotate pairs of entries by angles that grow with the position: an inner product then sees the distance alone.

    Parameters
    ----------
    input : Tensor (..., T, D)
        Queries or keys of a head, D even.
    positions : array of int (T,), optional
        0 .. T - 1 unless given.
    base : float, default=10000.0
        Entries i and i + D / 2 are rotated by position * base^(-2 i / D).

    Returns
    -------
    Tensor (..., T, D)
        Rotated; the gradient is rotated back.

    Raises
    ------
    ShapeError
        If D is odd, or positions do not fit.

    Notes
    -----
    Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021.
    """
    x = float_tensor(input, "input of rotary_embedding")
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(f"rotary_embedding takes (..., T, D) with an even D, got shape {x.shape}")
    places = None if positions is None else _places(positions, x.shape)
    data = rotated(x.data, places, base)
    return record("rotary embedding", data, (x,), lambda dy: [rotated(dy, places, base, back=True)])


def rotated(x: Array, places: NDArray[Any] | None = None, base: float = 10000.0, back: bool = False) -> Array:
    """Rotate (..., T, D), or rotate it back: a new array."""
    n, depth = x.shape[-2:]
    cos, sin = _rotations(n, depth, base) if places is None else _rotations_at(places, depth, base)
    half = depth // 2
    low, high, out = x[..., :half], x[..., half:], core.nn.empty(x.shape)
    np.multiply(low, cos, out=out[..., :half])
    np.multiply(high, cos, out=out[..., half:])
    if back:
        low, high = -low, -high
    out[..., :half] -= high * sin
    out[..., half:] += low * sin
    return out


def _angles(places: NDArray[Any], depth: int, base: float) -> NDArray[np.float64]:
    return np.outer(places, base ** (-np.arange(0, depth, 2) / depth))


@lru_cache(maxsize=16)
def _rotations(n_positions: int, depth: int, base: float) -> tuple[Array, Array]:
    return _rotations_at(np.arange(n_positions), depth, base)


def _rotations_at(places: NDArray[Any], depth: int, base: float) -> tuple[Array, Array]:
    angles = _angles(places, depth, base)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _places(positions: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    places = np.array(positions.data if isinstance(positions, Tensor) else positions)  # ours: backward needs them
    if places.dtype.kind not in "iu":
        raise TypeError(f"positions must be integers, got {places.dtype}")
    if places.shape != shape[-2:-1]:
        raise ShapeError(f"positions of shape {places.shape} do not fit input of shape {shape}")
    return places
