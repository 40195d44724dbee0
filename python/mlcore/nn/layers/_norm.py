"""Layer norm and RMS norm as layers. Batch norm has a file of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore.nn.functional._norm import layer_norm, normalized_sizes, rms_norm
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor


class LayerNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last axes (Ba, Kiros and Hinton 2016).

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of these axes.
    eps : float, default=1e-5
        Added to the variance.
    elementwise_affine : bool, default=True
        Whether there are weight and bias.
    bias : bool, default=True
        Whether there is a bias beside the weight.

    Attributes
    ----------
    weight, bias : Parameter of normalized_shape, or None
        1 and 0 at first.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = normalized_sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if elementwise_affine:
            self.weight = Parameter(np.ones(self.normalized_shape, np.float32))
            if bias:
                self.bias = Parameter(np.zeros(self.normalized_shape, np.float32))

    def forward(self, input: Any) -> Tensor:
        """Apply to (..., *normalized_shape)."""
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return shape and eps."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last axes (Zhang and Sennrich 2019).

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of these axes.
    eps : float, optional
        The smallest step from 1 in float32 if None.
    elementwise_affine : bool, default=True
        Whether there is a weight.

    Attributes
    ----------
    weight : Parameter of normalized_shape, or None
        1 at first.
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        self.normalized_shape = normalized_sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", None)
        if elementwise_affine:
            self.weight = Parameter(np.ones(self.normalized_shape, np.float32))

    def forward(self, input: Any) -> Tensor:
        """Apply to (..., *normalized_shape)."""
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return shape and eps."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
