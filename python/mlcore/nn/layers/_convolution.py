"""Conv1d and Conv2d: layers that convolve."""

import math
from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._convolution import Sizes, both_sides, conv1d, conv2d, sizes
from mlcore.nn.functional._padding import MODES, pad
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor


class ConvolutionBase(Module):
    """What a convolution and a transposed one share: sizes, groups, and how weights are drawn."""

    n_axes: int

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes, dilation: Sizes, groups: int
    ) -> None:
        super().__init__()
        if in_channels < 1 or out_channels < 1 or groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide in_channels and out_channels, got groups={groups}, in_channels={in_channels}, "
                f"out_channels={out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = sizes("kernel_size", kernel_size, self.n_axes, 1)
        self.stride = sizes("stride", stride, self.n_axes, 1)
        self.dilation = sizes("dilation", dilation, self.n_axes, 1)

    def _draw_weights(self, n_first: int, n_second: int, bias: bool) -> None:
        """Draw weight (n_first, n_second, kernel...) and bias from U(-s, s), s = 1 / sqrt(entries of ``weight[0]``)."""
        bound = 1 / math.sqrt(n_second * math.prod(self.kernel_size))
        self.weight = Parameter(np.empty((n_first, n_second, *self.kernel_size), np.float32))
        init.uniform_(self.weight, -bound, bound)
        self.register_parameter("bias", None)
        if bias:
            self.bias = Parameter(np.empty(self.out_channels, np.float32))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not the default."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        zeros, ones = (0,) * self.n_axes, (1,) * self.n_axes
        defaults: dict[str, Any] = {"padding": zeros, "output_padding": zeros, "dilation": ones, "groups": 1}
        defaults |= {"padding_mode": "zeros", "activation": "identity"}
        for name, default in defaults.items():
            if (value := getattr(self, name, default)) != default:
                text += f", {name}={value!r}"
        return text if self.bias is not None else f"{text}, bias=False"


class _Convolution(ConvolutionBase):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        activation: str = "identity",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups)
        sides = both_sides(padding, self.kernel_size, self.stride, self.dilation)  # raises if it makes no sense
        if padding_mode not in ("zeros", *MODES[1:]):
            raise ValueError(f"padding_mode must be one of zeros, {', '.join(MODES[1:])}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        # For pad: the last axis first.
        self._sides = [side for axis in reversed(range(self.n_axes)) for side in sides[2 * axis : 2 * axis + 2]]
        self.padding = padding if isinstance(padding, str) else sizes("padding", padding, self.n_axes, 0)
        self.activation = activation
        self._draw_weights(out_channels, in_channels // groups, bias)

    def forward(self, input: Any) -> Tensor:
        """Convolve."""
        convolve = conv2d if self.n_axes == 2 else conv1d
        padded = self.padding_mode != "zeros"
        return convolve(
            pad(input, self._sides, self.padding_mode) if padded else input,
            self.weight,
            self.bias,
            self.stride,
            0 if padded else self.padding,
            self.dilation,
            self.groups,
            activation=self.activation,
        )


class Conv2d(_Convolution):
    """Convolve images: (n, in_channels, rows, columns) to (n, out_channels, rows out, columns out).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    kernel_size, stride, padding, dilation, groups
        As of :func:`mlcore.nn.functional.conv2d`.
    bias : bool, default=True
        Whether there is b.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}, default="zeros"
        What the padding holds: see :func:`mlcore.nn.functional.pad`.
    activation : str, default="identity"
        Fused with the convolution.

    Attributes
    ----------
    weight : Parameter (out_channels, in_channels / groups, kernel rows, kernel columns)
        w, drawn from U(-s, s) with s = 1 / sqrt(in_channels / groups * entries of the kernel).
    bias : Parameter (out_channels,) or None
        b, drawn likewise.
    """

    n_axes = 2


class Conv1d(_Convolution):
    """Convolve sequences: (n, in_channels, length) to (n, out_channels, length out). Parameters as of Conv2d."""

    n_axes = 1
