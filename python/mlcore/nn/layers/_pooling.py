"""Layers that pool."""

from collections.abc import Sequence

from mlcore.nn.functional import _pooling as pooling
from mlcore.nn.functional._convolution import Sizes, sizes
from mlcore.nn.layers._function_layer import FunctionLayer


class _WindowPool(FunctionLayer):
    """Keeps size, stride and padding of the windows, each with an entry an axis."""

    n_axes: int

    def __init__(self, kernel_size: Sizes, stride: Sizes | None, padding: Sizes) -> None:
        super().__init__()
        self.kernel_size = sizes("kernel_size", kernel_size, self.n_axes, 1)
        self.stride = self.kernel_size if stride is None else sizes("stride", stride, self.n_axes, 1)
        self.padding = sizes("padding", padding, self.n_axes, 0)


class _MaxPool(_WindowPool):
    _options = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.dilation, self.ceil_mode = sizes("dilation", dilation, self.n_axes, 1), ceil_mode


class MaxPool2d(_MaxPool):
    """The largest entry of each window of images: see :func:`mlcore.nn.functional.max_pool2d`."""

    n_axes, _function = 2, staticmethod(pooling.max_pool2d)


class MaxPool1d(_MaxPool):
    """The largest entry of each window of sequences: see :func:`mlcore.nn.functional.max_pool1d`."""

    n_axes, _function = 1, staticmethod(pooling.max_pool1d)


class _AvgPool(_WindowPool):
    _options = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad


class AvgPool2d(_AvgPool):
    """The mean of each window of images: see :func:`mlcore.nn.functional.avg_pool2d`."""

    n_axes, _function = 2, staticmethod(pooling.avg_pool2d)


class AvgPool1d(_AvgPool):
    """The mean of each window of sequences: see :func:`mlcore.nn.functional.avg_pool1d`."""

    n_axes, _function = 1, staticmethod(pooling.avg_pool1d)


class _AdaptivePool(FunctionLayer):
    _options = ("output_size",)

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of just `output_size` windows: see :func:`mlcore.nn.functional.adaptive_avg_pool2d`."""

    _function = staticmethod(pooling.adaptive_avg_pool2d)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of just `output_size` windows of sequences."""

    _function = staticmethod(pooling.adaptive_avg_pool1d)


class AdaptiveMaxPool2d(_AdaptivePool):
    """The largest entries of just `output_size` windows: see :func:`mlcore.nn.functional.adaptive_max_pool2d`."""

    _function = staticmethod(pooling.adaptive_max_pool2d)


class AdaptiveMaxPool1d(_AdaptivePool):
    """The largest entries of just `output_size` windows of sequences."""

    _function = staticmethod(pooling.adaptive_max_pool1d)
