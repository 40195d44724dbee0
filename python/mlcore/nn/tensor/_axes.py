"""Axes by their numbers: what `dim` means everywhere. Negative ones count from the end."""

import operator
from typing import Any

import numpy as np

from mlcore.nn.tensor._errors import AxisError

Dim = int | tuple[int, ...] | None


def one_axis(dim: Any, shape: tuple[int, ...], n_axes: int | None = None) -> int:
    """Return the axis `dim` as a number of at least 0.

    Parameters
    ----------
    dim : int or NumPy integer
        In [-n_axes, n_axes).
    shape : tuple of int
        Of the tensor, for the message.
    n_axes : int, optional
        Axes to count by; those of `shape` unless given. A tensor without axes is taken to have one, as in PyTorch.

    Raises
    ------
    AxisError
        If there is no such axis.
    TypeError
        If `dim` is no integer.
    """
    n = max(len(shape) if n_axes is None else n_axes, 1)
    try:
        d = operator.index(dim)
    except TypeError:
        raise TypeError(f"dim must be an int, got {type(dim).__name__}") from None
    if not -n <= d < n:
        raise AxisError(f"dim {d} of a tensor with shape {shape}: it must be in [{-n}, {n})")
    return d % n


def axes(dim: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `dim` (one, several, or None for all) as ascending numbers of axes of `shape`."""
    if dim is None:
        return tuple(range(len(shape)))
    given = tuple(dim) if isinstance(dim, tuple | list | np.ndarray) else (dim,)
    found = [one_axis(d, shape) for d in given]
    if len(set(found)) != len(found):
        raise AxisError(f"dim {given} of a tensor with shape {shape}: an axis comes twice")
    return tuple(sorted(d for d in found if d < len(shape)))


def lengths_of(values: tuple[Any, ...]) -> tuple[int, ...]:
    """Return ``f(2, 3)`` and ``f((2, 3))`` alike as (2, 3)."""
    many = values[0] if len(values) == 1 and not isinstance(values[0], int | np.integer) else values
    return tuple(map(operator.index, many))
