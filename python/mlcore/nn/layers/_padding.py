"""Layers that add entries around images and sequences."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore.nn.functional._padding import pad
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


class _Pad(Module):
    n_axes: int
    mode = "constant"
    value: float | None = None

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = (padding,) * (2 * self.n_axes) if isinstance(padding, int | np.integer) else tuple(padding)
        if len(sides) != 2 * self.n_axes or not all(isinstance(side, int | np.integer) for side in sides):
            raise ValueError(f"padding must be an int or {2 * self.n_axes} of them, got {padding!r}")
        self.padding = tuple(int(side) for side in sides)

    def forward(self, input: Any) -> Tensor:
        """Pad (n, channels, ...), or one example without n."""
        if (ndim := as_tensor(input).ndim) not in (self.n_axes + 1, self.n_axes + 2):
            raise ShapeError(f"input must have {self.n_axes + 2} axes or {self.n_axes + 1}, got {ndim}")
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """Return the padding."""
        return f"padding={self.padding}" if self.value in (None, 0.0) else f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_Pad):
    """Add `value` before and after each sequence: see :func:`mlcore.nn.functional.pad`.

    Parameters
    ----------
    padding : int or (int, int)
        How many before and after; negative ones remove entries.
    value : float
        What is added.
    """

    n_axes = 1

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad2d(ConstantPad1d):
    """Add `value` around each image; `padding` is an int or (left, right, top, bottom)."""

    n_axes = 2


class ZeroPad1d(_Pad):
    """Add zeros before and after each sequence; `padding` is an int or (before, after)."""

    n_axes = 1


class ZeroPad2d(_Pad):
    """Add zeros around each image; `padding` is an int or (left, right, top, bottom)."""

    n_axes = 2


class ReflectionPad1d(_Pad):
    """Mirror each sequence at its first and last entry, which are not repeated."""

    n_axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Mirror each image at its edges, which are not repeated."""

    n_axes, mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """Repeat the first and the last entry of each sequence."""

    n_axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Repeat the edges of each image."""

    n_axes, mode = 2, "replicate"


class CircularPad1d(_Pad):
    """Continue each sequence with its other end."""

    n_axes, mode = 1, "circular"


class CircularPad2d(_Pad):
    """Continue each image with its other side."""

    n_axes, mode = 2, "circular"
