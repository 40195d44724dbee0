"""Linear: the fully connected layer."""

import math
from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._linear import linear
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor


class Linear(Module):
    """``y = activation(x W^T + b)`` over the last axis.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of the last axis before and after.
    bias : bool, default=True
        Whether there is b.
    activation : str, default="identity"
        Fused with the product: see :func:`mlcore.nn.functional.linear`.

    Attributes
    ----------
    weight : Parameter (out_features, in_features)
        W, drawn from U(-s, s) with s = 1 / sqrt(in_features).
    bias : Parameter (out_features,) or None
        b, drawn likewise.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, activation: str = "identity") -> None:
        super().__init__()
        self.in_features, self.out_features, self.activation = in_features, out_features, activation
        bound = 1 / math.sqrt(max(in_features, 1))
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        init.uniform_(self.weight, -bound, bound)
        self.register_parameter("bias", None)
        if bias:
            self.bias = Parameter(np.empty(out_features, np.float32))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Tensor:
        """Apply to (..., in_features)."""
        return linear(input, self.weight, self.bias, activation=self.activation)

    def extra_repr(self) -> str:
        """Return the sizes."""
        text = f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        return text if self.activation == "identity" else f"{text}, activation={self.activation!r}"
