"""Activations and softmax as layers."""

import numpy as np

from mlcore.nn.functional import _activation as functions
from mlcore.nn.functional._softmax import log_softmax, softmax
from mlcore.nn.layers._function_layer import FunctionLayer
from mlcore.nn.layers._module import Parameter


class ReLU(FunctionLayer):
    """``max(x, 0)``."""

    _function = staticmethod(functions.relu)


class LeakyReLU(FunctionLayer):
    """x where x > 0, else `negative_slope` x.

    Parameters
    ----------
    negative_slope : float, default=0.01
        At least 0.
    """

    _function = staticmethod(functions.leaky_relu)
    _options = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope


class PReLU(FunctionLayer):
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

    _function = staticmethod(functions.prelu)
    _options = ("weight",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        if num_parameters < 1:
            raise ValueError(f"num_parameters must be at least 1, got {num_parameters}")
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def extra_repr(self) -> str:
        """Return the number of w."""
        return f"num_parameters={self.num_parameters}"


class ELU(FunctionLayer):
    """x where x > 0, else ``alpha (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float, default=1
        At least 0.
    """

    _function = staticmethod(functions.elu)
    _options = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha


class Hardswish(FunctionLayer):
    """``x min(max(x + 3, 0), 6) / 6``."""

    _function = staticmethod(functions.hardswish)


class Mish(FunctionLayer):
    """``x tanh(log(1 + exp(x)))``."""

    _function = staticmethod(functions.mish)


class Sigmoid(FunctionLayer):
    """``1 / (1 + exp(-x))``."""

    _function = staticmethod(functions.sigmoid)


class Tanh(FunctionLayer):
    """``tanh(x)``."""

    _function = staticmethod(functions.tanh)


class GELU(FunctionLayer):
    """``x Phi(x)``, Phi the normal distribution function.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default="none"
        "tanh": the authors' approximation.
    """

    _function = staticmethod(functions.gelu)
    _options = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class SiLU(FunctionLayer):
    """``x sigmoid(x)``."""

    _function = staticmethod(functions.silu)


class Softplus(FunctionLayer):
    """``log(1 + exp(beta x)) / beta``.

    Parameters
    ----------
    beta : float, default=1
        Positive.
    """

    _function = staticmethod(functions.softplus)
    _options = ("beta",)

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta


class Softmax(FunctionLayer):
    """``exp(x_j) / sum_k exp(x_k)`` along axis `dim`.

    Parameters
    ----------
    dim : int
        The axis.
    """

    _function = staticmethod(softmax)
    _options = ("dim",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim


class LogSoftmax(Softmax):
    """``x_j - log(sum_k exp(x_k))`` along axis `dim`.

    Parameters
    ----------
    dim : int
        The axis.
    """

    _function = staticmethod(log_softmax)
