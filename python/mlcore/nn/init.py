"""Initial values of parameters, written in place; under PyTorch's names, from the random numbers of this context."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec

import numpy as np
from scipy.special import ndtr, ndtri

from mlcore.nn._runtime import generator
from mlcore.nn.tensor import Tensor, no_grad

_is_skipped: ContextVar[bool] = ContextVar("mlcore.nn init skipped", default=False)
_P = ParamSpec("_P")


@contextmanager
def skipped() -> Iterator[None]:
    """Leave parameters without values within a ``with`` block: for networks that get all of them from elsewhere.

    Nothing is drawn then. What is not written afterwards holds whatever was in memory.
    """
    token = _is_skipped.set(True)
    try:
        yield
    finally:
        _is_skipped.reset(token)


def _unless_skipped(fill: Callable[_P, Tensor]) -> Callable[_P, Tensor]:
    @wraps(fill)
    def filled(*args: _P.args, **options: _P.kwargs) -> Tensor:
        if _is_skipped.get():
            return args[0] if args else options["tensor"]  # type: ignore[return-value]
        return fill(*args, **options)

    return filled


@_unless_skipped
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with draws from [a, b)."""
    with no_grad():
        return tensor.copy_(generator().numpy().uniform(a, b, tensor.shape))


@_unless_skipped
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with normal draws."""
    with no_grad():
        return tensor.copy_(generator().numpy().normal(mean, std, tensor.shape))


@_unless_skipped
def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    with no_grad():
        return tensor.fill_(value)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs an output is made from, and the reverse: of (outputs, inputs, *kernel)."""
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need a weight of two axes or more, got shape {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Glorot and Bengio (2010): variance 2 / (fan in + fan out)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """As :func:`xavier_uniform_`, normal."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0) -> Tensor:
    """He et al. (2015): for layers before a (leaky, slope `a`) ReLU."""
    bound = math.sqrt(6 / ((1 + a * a) * fans(tensor)[0]))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0) -> Tensor:
    """As :func:`kaiming_uniform_`, normal."""
    return normal_(tensor, 0.0, math.sqrt(2 / ((1 + a * a) * fans(tensor)[0])))


@_unless_skipped
def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill with normal draws that fall in [a, b]; the others are drawn again.

    Parameters
    ----------
    tensor : Tensor
        What is filled.
    mean, std : float, default=0 and 1
        Of the normal distribution before it is cut.
    a, b : float, default=-2 and 2
        Smallest and largest value.

    Raises
    ------
    ValueError
        If a > b or std is not positive.
    """
    if not a <= b or not std > 0:
        raise ValueError(f"trunc_normal_ needs a <= b and std > 0, got a={a}, b={b}, std={std}")
    low, high = (a - mean) / std, (b - mean) / std
    uniform = generator().numpy().uniform(size=tensor.shape)
    if low > 0:  # by the upper tail, where the distribution function keeps its digits
        values = -ndtri(ndtr(-high) + (ndtr(-low) - ndtr(-high)) * uniform)
    else:
        values = ndtri(ndtr(low) + (ndtr(high) - ndtr(low)) * uniform)
    with no_grad():
        return tensor.copy_(np.clip(mean + std * values, a, b))


@_unless_skipped
def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with a random matrix whose rows are orthogonal (or its columns, if there are fewer), times `gain`.

    A weight of more than two axes counts as one of (outputs, all others). Saxe, McClelland and Ganguli, 2014.

    Parameters
    ----------
    tensor : Tensor of two axes or more
        What is filled.
    gain : float, default=1
        Length of a row.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs a weight of two axes or more, got shape {tensor.shape}")
    rows, cols = tensor.shape[0], math.prod(tensor.shape[1:])
    if tensor.size == 0:
        return tensor
    q, r = np.linalg.qr(generator().numpy().normal(size=(max(rows, cols), min(rows, cols))))
    q *= np.sign(np.diag(r))  # else some matrices would be drawn more often than others
    with no_grad():
        return tensor.copy_(gain * (q if rows >= cols else q.T).reshape(tensor.shape))
