"""Elementwise nonlinearities. All take float32 of any shape; ``linear(..., activation=...)`` fuses them with a product.

==========================  ==============================================  ==================================
function                    y                                               dx / dy
==========================  ==============================================  ==================================
relu                        max(x, 0)                                       1 where y > 0, else 0
leaky_relu                  x where x > 0, else slope x                     1 or slope
sigmoid                     1 / (1 + exp(-x))                               y (1 - y)
tanh                        tanh(x)                                         1 - y^2
gelu                        x Phi(x), Phi the normal distribution function  Phi(x) + x phi(x)
gelu, approximate="tanh"    x (1 + tanh(u)) / 2,                            derivative of that
                            u = sqrt(2 / pi) (x + 0.044715 x^3)
silu                        x / (1 + exp(-x))                               s (1 + x (1 - s)), s = sigmoid(x)
softplus                    log(1 + exp(beta x)) / beta                     sigmoid(beta x)
elu                         x where x > 0, else alpha (exp(x) - 1)          1 or alpha exp(x)
prelu                       x where x > 0, else w x                         1 or w; dw: x where x <= 0
hardswish                   x min(max(x + 3, 0), 6) / 6                     0, x / 3 + 1 / 2 or 1
mish                        x w, w = tanh(softplus(x))                      w + x sigmoid(x) (1 - w^2)
==========================  ==============================================  ==================================
"""

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, as_tensor, float_tensor, operands, record, summed_to

_FROM_INPUT = (
    "gelu",
    "gelu_tanh",
    "silu",
    "softplus",
    "hardswish",
    "mish",
)  # the gradient is made from x; from y otherwise


def _activation(kind: str, input: Tensor | Array, slope: float = 0.01) -> Tensor:
    x = float_tensor(operands(input)[0], f"input of {kind}")
    xs = np.asarray(x.data, order="C")
    y = core.nn.activation(xs, activation=kind, slope=slope, n_threads=n_threads())
    from_input = kind in _FROM_INPUT
    kept = xs if from_input else y

    def backward(dy: Array) -> Gradients:
        d = np.asarray(dy, order="C")
        return [core.nn.activation_backward(kept, d, activation=kind, slope=slope, n_threads=n_threads())]

    return record(kind, y, [x], backward, saved=(x,) if from_input else (), output_saved=not from_input)


def relu(input: Tensor | Array) -> Tensor:
    """Compute ``max(x, 0)``."""
    return _activation("relu", input)


def leaky_relu(input: Tensor | Array, negative_slope: float = 0.01) -> Tensor:
    """Compute x where x > 0, else `negative_slope` x (Maas, Hannun and Ng 2013); the slope is at least 0."""
    return _activation("leaky_relu", input, negative_slope)


def sigmoid(input: Tensor | Array) -> Tensor:
    """Compute ``1 / (1 + exp(-x))``."""
    return _activation("sigmoid", input)


def tanh(input: Tensor | Array) -> Tensor:
    """Compute ``tanh(x)``."""
    return _activation("tanh", input)


def gelu(input: Tensor | Array, approximate: str = "none") -> Tensor:
    """Compute ``x Phi(x)`` (Hendrycks and Gimpel 2016), or with `approximate` "tanh" the authors' approximation."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate of gelu must be 'none' or 'tanh', got {approximate!r}")
    return _activation("gelu" if approximate == "none" else "gelu_tanh", input)


def silu(input: Tensor | Array) -> Tensor:
    """Compute ``x sigmoid(x)`` (Elfwing, Uchibe and Doya 2018)."""
    return _activation("silu", input)


def softplus(input: Tensor | Array, beta: float = 1.0) -> Tensor:
    """Compute ``log(1 + exp(beta x)) / beta``, to full accuracy for any x."""
    if not beta > 0:
        raise ValueError(f"beta of softplus must be positive, got {beta}")
    if beta == 1:
        return _activation("softplus", input)
    return _scaled(_activation("softplus", _scaled(input, beta)), 1 / beta)


def elu(input: Tensor | Array, alpha: float = 1.0) -> Tensor:
    """Compute x where x > 0, else ``alpha (exp(x) - 1)`` (Clevert, Unterthiner and Hochreiter 2016); alpha >= 0."""
    y = _activation("elu", input)
    return y if alpha == 1 else _activation("leaky_relu", y, alpha)


def hardswish(input: Tensor | Array) -> Tensor:
    """Compute ``x min(max(x + 3, 0), 6) / 6`` (Howard et al. 2019)."""
    return _activation("hardswish", input)


def mish(input: Tensor | Array) -> Tensor:
    """Compute ``x tanh(log(1 + exp(x)))`` (Misra 2019), to full accuracy for any x."""
    return _activation("mish", input)


def prelu(input: Tensor | Array, weight: Tensor | Array) -> Tensor:
    """Compute x where x > 0, else w x, w learned (He, Zhang, Ren and Sun 2015).

    Parameters
    ----------
    input : Tensor of any shape
        x; with several w it has channels along axis 1 (along axis 0, if there is no other).
    weight : Tensor (1,), () or (channels,)
        w.

    Returns
    -------
    Tensor of the same shape
        y; dw is the sum of dy x over all x <= 0 of a channel.

    Raises
    ------
    ShapeError
        If there are neither one w nor as many as channels.
    """
    x, w = operands(input, weight)
    float_tensor(x, "input of prelu")
    axis = min(x.ndim - 1, 1)
    if w.ndim > 1 or (w.size != 1 and (x.ndim == 0 or x.shape[axis] != w.size)):
        raise ShapeError(f"weight of prelu has shape {w.shape}, which does not fit input of shape {x.shape}")
    slopes = w.data.reshape(()) if w.size == 1 else w.data.reshape(-1, *(1,) * (x.ndim - 1 - axis))
    values = x.data
    negative = values <= 0

    def backward(dy: Array) -> Gradients:
        dw = None
        if w.requires_grad:
            products = np.where(negative, dy * values, np.float32(0))
            dw = summed_to(products, slopes.shape).reshape(w.shape)
        return [np.where(negative, dy * slopes, dy) if x.requires_grad else None, dw]

    return record("prelu", np.where(negative, slopes * values, values), [x, w], backward, saved=(x, w))


def _scaled(input: Tensor | Array, factor: float) -> Tensor:
    x = as_tensor(input)

    def times(a: Array) -> Array:
        return core.nn.scale(np.asarray(a, order="C"), factor, n_threads=n_threads())

    return record("scale", times(x.data), [x], lambda dy: [times(dy)])
