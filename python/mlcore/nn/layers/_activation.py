"""Activations and softmax as layers."""

from typing import Any

import numpy as np

from mlcore.nn.functional._activation import (
    elu,
    gelu,
    hardswish,
    leaky_relu,
    mish,
    prelu,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from mlcore.nn.functional._softmax import log_softmax, softmax
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor


class ReLU(Module):
    """``max(x, 0)``."""

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return relu(input)


class LeakyReLU(Module):
    """x where x > 0, else `negative_slope` x.

    Parameters
    ----------
    negative_slope : float, default=0.01
        At least 0.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the slope."""
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x where x > 0, else w x, w learned.

    Parameters
    ----------
    num_parameters : int, default=1
        One w for all, or one for each channel, along axis 1 of the input.
    init : float, default=0.25
        What w starts with.

    Attributes
    ----------
    weight : Parameter (num_parameters,)
        w.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        if num_parameters < 1:
            raise ValueError(f"num_parameters must be at least 1, got {num_parameters}")
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the number of w."""
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """x where x > 0, else ``alpha (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float, default=1
        At least 0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return elu(input, self.alpha)

    def extra_repr(self) -> str:
        """Return alpha."""
        return f"alpha={self.alpha}"


class Hardswish(Module):
    """``x min(max(x + 3, 0), 6) / 6``."""

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return hardswish(input)


class Mish(Module):
    """``x tanh(log(1 + exp(x)))``."""

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return mish(input)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``."""

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return sigmoid(input)


class Tanh(Module):
    """``tanh(x)``."""

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return tanh(input)


class GELU(Module):
    """``x Phi(x)``, Phi the normal distribution function.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default="none"
        "tanh": the authors' approximation.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return the variant."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """``x sigmoid(x)``."""

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return silu(input)


class Softplus(Module):
    """``log(1 + exp(beta x)) / beta``.

    Parameters
    ----------
    beta : float, default=1
        Positive.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return softplus(input, self.beta)

    def extra_repr(self) -> str:
        """Return beta."""
        return f"beta={self.beta}"


class Softmax(Module):
    """``exp(x_j) / sum_k exp(x_k)`` along axis `dim`.

    Parameters
    ----------
    dim : int
        The axis.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Tensor:
        """Apply to an input that has this axis."""
        return softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """``x_j - log(sum_k exp(x_k))`` along axis `dim`.

    Parameters
    ----------
    dim : int
        The axis.
    """

    def forward(self, input: Any) -> Tensor:
        """Apply to an input that has this axis."""
        return log_softmax(input, self.dim)
