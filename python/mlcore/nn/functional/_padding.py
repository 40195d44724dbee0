"""Entries around an array: constant, or taken from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor import Array, ShapeError, Tensor, float_tensor, operands, record

MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: Tensor | Array, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Add entries before and after the last axes.

    Parameters
    ----------
    input : Tensor of any shape
        x.
    pad : sequence of int
        How many before and after: of the last axis, then of the one before it, and so on. Negative ones remove entries.
    mode : {"constant", "reflect", "replicate", "circular"}, default="constant"
        What is added: `value`; x mirrored at its first and last entry, which are not repeated; the first or last entry
        repeated; or x from its other end.
    value : float, optional
        0 unless given; for "constant" alone.

    Returns
    -------
    Tensor
        The gradient with respect to an entry is the sum of the dy of all its copies.

    Raises
    ------
    ShapeError
        If there are more pairs than axes, or more is asked for than x has: "reflect" can add one less than the length
        of an axis, "circular" the length, "replicate" any number if there is an entry.
    ValueError
        For an odd number of paddings, another mode, or a value with it.
    """
    x = float_tensor(operands(input)[0], "input of pad")
    if mode not in MODES:
        raise ValueError(f"mode of pad must be one of {', '.join(MODES)}, got {mode!r}")
    if mode != "constant" and value is not None:
        raise ValueError(f"value of pad goes with mode 'constant', not with {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ShapeError(f"pad must hold a pair for each of at most {x.ndim} axes, got {tuple(pad)}")
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2)
    pairs += [(int(pad[i]), int(pad[i + 1])) for i in range(len(pad) - 2, -1, -2)]
    sources = [_sources(n, *pair, mode, x.shape) if any(pair) else None for n, pair in zip(x.shape, pairs, strict=True)]
    out = x.data
    for axis, source in enumerate(sources):
        if source is not None:
            out = _taken(out, axis, source, np.float32(0 if value is None else value))

    shape = x.shape

    def backward(dy: Array) -> list[Array]:
        for axis, source in reversed(list(enumerate(sources))):
            if source is not None:
                dy = _added(dy, axis, source, shape[axis])
        return [dy]

    return record("pad", out.copy() if out is x.data else out, (x,), backward)


def _sources(n: int, before: int, after: int, mode: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return from which of n entries each is taken; -1: from none."""
    at = np.arange(-before, n + after)
    if at.size == 0 or n + before + after < 0:
        raise ShapeError(f"pad ({before}, {after}) leaves nothing of an axis of length {n}, shape {shape}")
    most = {"constant": np.inf, "reflect": n - 1, "replicate": np.inf if n else 0, "circular": n}[mode]
    if max(before, after) > most:
        raise ShapeError(f"mode {mode!r} can add {most} entries to an axis of length {n}, got ({before}, {after})")
    if mode == "constant":
        return np.where((at < 0) | (at >= n), -1, at)
    if mode == "replicate":
        return np.clip(at, 0, n - 1)
    return at % n if mode == "circular" else np.where(at < 0, -at, np.where(at >= n, 2 * (n - 1) - at, at))


def _taken(x: Array, axis: int, source: NDArray[np.int64], value: np.float32) -> Array:
    outside = source < 0
    if not outside.any():
        return x.take(source, axis)
    shape: list[Any] = [*x.shape[:axis], len(source), *x.shape[axis + 1 :]]
    out = np.full(shape, value, np.float32)
    inside = np.flatnonzero(~outside)
    if inside.size:
        places = (slice(None),) * axis
        first = source[inside[0]]
        out[(*places, slice(inside[0], inside[-1] + 1))] = x[(*places, slice(first, first + len(inside)))]
    return out


def _added(dy: Array, axis: int, source: NDArray[np.int64], n: int) -> Array:
    """Return sums of length n along an axis: the entries that follow one another as a piece, others one by one."""
    out = np.zeros([*dy.shape[:axis], n, *dy.shape[axis + 1 :]], np.float32)
    to, given = np.moveaxis(out, axis, 0), np.moveaxis(dy, axis, 0)
    cuts = np.flatnonzero((np.diff(source) != 1) | (source[:-1] < 0)) + 1
    for piece in np.split(np.arange(len(source)), cuts):
        first = source[piece[0]]
        if first >= 0:
            to[first : first + len(piece)] += given[piece[0] : piece[-1] + 1]
    return out
