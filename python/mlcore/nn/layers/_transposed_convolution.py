"""ConvTranspose1d and ConvTranspose2d: layers that make sequences and images larger."""

from typing import Any

from mlcore.nn.functional._convolution import Sizes, sizes
from mlcore.nn.functional._transposed_convolution import conv_transpose1d, conv_transpose2d
from mlcore.nn.layers._convolution import ConvolutionBase
from mlcore.nn.tensor import Tensor


class _TransposedConvolution(ConvolutionBase):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding = sizes("padding", padding, self.n_axes, 0)
        self.output_padding = sizes("output_padding", output_padding, self.n_axes, 0)
        if any(e >= max(s, d) for e, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True)):
            raise ValueError(f"output_padding must be smaller than stride or dilation, got {output_padding!r}")
        self._draw_weights(in_channels, out_channels // groups, bias)

    def forward(self, input: Any, output_size: Sizes | None = None) -> Tensor:
        """Convolve; `output_size` picks the result's rows and columns among those a stride leaves open."""
        convolve = conv_transpose2d if self.n_axes == 2 else conv_transpose1d
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _extra(self, x: Any, output_size: Sizes) -> tuple[int, ...]:
        wanted = sizes("output_size", output_size, self.n_axes, 1)
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, k, s, d, p in zip(
                x.shape[-self.n_axes :], self.kernel_size, self.stride, self.dilation, self.padding, strict=True
            )
        ]
        extra = tuple(n - m for n, m in zip(wanted, least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ValueError(f"output_size must be between {tuple(least)} and {most}, got {output_size!r}")
        return extra


class ConvTranspose2d(_TransposedConvolution):
    """Transposed convolution of images: (n, in_channels, rows, columns) to (n, out_channels, rows out, columns out).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    kernel_size, stride, padding, output_padding, groups, dilation
        As of :func:`mlcore.nn.functional.conv_transpose2d`.
    bias : bool, default=True
        Whether there is b.

    Attributes
    ----------
    weight : Parameter (in_channels, out_channels / groups, kernel rows, kernel columns)
        w, drawn from U(-s, s) with s = 1 / sqrt(out_channels / groups * entries of the kernel).
    bias : Parameter (out_channels,) or None
        b, drawn likewise.
    """

    n_axes = 2


class ConvTranspose1d(_TransposedConvolution):
    """Transposed convolution of sequences: (n, in_channels, length). Parameters as of ConvTranspose2d."""

    n_axes = 1
