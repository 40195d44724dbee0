"""Layers that pool."""

from collections.abc import Sequence
from typing import Any

from mlcore.nn.functional import _pooling as pooling
from mlcore.nn.functional._convolution import Sizes, sizes
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor


class _MaxPool(Module):
    n_axes: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes("kernel_size", kernel_size, self.n_axes, 1)
        self.stride = self.kernel_size if stride is None else sizes("stride", stride, self.n_axes, 1)
        self.padding = sizes("padding", padding, self.n_axes, 0)
        self.dilation = sizes("dilation", dilation, self.n_axes, 1)
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Tensor:
        """Pool."""
        pool = pooling.max_pool2d if self.n_axes == 2 else pooling.max_pool1d
        return pool(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(_MaxPool):
    """The largest entry of each window of images: see :func:`mlcore.nn.functional.max_pool2d`."""

    n_axes = 2


class MaxPool1d(_MaxPool):
    """The largest entry of each window of sequences: see :func:`mlcore.nn.functional.max_pool1d`."""

    n_axes = 1


class _AvgPool(Module):
    n_axes: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes("kernel_size", kernel_size, self.n_axes, 1)
        self.stride = self.kernel_size if stride is None else sizes("stride", stride, self.n_axes, 1)
        self.padding = sizes("padding", padding, self.n_axes, 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Any) -> Tensor:
        """Pool."""
        pool = pooling.avg_pool2d if self.n_axes == 2 else pooling.avg_pool1d
        return pool(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of images: see :func:`mlcore.nn.functional.avg_pool2d`."""

    n_axes = 2


class AvgPool1d(_AvgPool):
    """The mean of each window of sequences: see :func:`mlcore.nn.functional.avg_pool1d`."""

    n_axes = 1


class _AdaptivePool(Module):
    pool: Any  # of functional

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Tensor:
        """Pool."""
        pooled: Tensor = type(self).pool(input, self.output_size)
        return pooled

    def extra_repr(self) -> str:
        """Return the size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of just `output_size` windows: see :func:`mlcore.nn.functional.adaptive_avg_pool2d`."""

    pool = staticmethod(pooling.adaptive_avg_pool2d)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of just `output_size` windows of sequences."""

    pool = staticmethod(pooling.adaptive_avg_pool1d)


class AdaptiveMaxPool2d(_AdaptivePool):
    """The largest entries of just `output_size` windows: see :func:`mlcore.nn.functional.adaptive_max_pool2d`."""

    pool = staticmethod(pooling.adaptive_max_pool2d)


class AdaptiveMaxPool1d(_AdaptivePool):
    """The largest entries of just `output_size` windows of sequences."""

    pool = staticmethod(pooling.adaptive_max_pool1d)
