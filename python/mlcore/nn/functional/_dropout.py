"""Dropout and Gaussian noise: what is drawn is a function of one seed a call, so nothing but the seed is kept."""

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import generator, n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, record


def check_probability(p: float) -> None:
    """Raise ValueError unless `p` is in [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"p of dropout must be in [0, 1], got {p}")


def dropout(
    input: Tensor | Array, p: float = 0.5, training: bool = True, *, residual: Tensor | Array | None = None
) -> Tensor:
    """Set entries to 0 with probability p, scale the others by ``1 / (1 - p)`` (Srivastava et al. 2014).

    Parameters
    ----------
    input : Tensor of any shape
        x.
    p : float in [0, 1], default=0.5
        Probability of 0.
    training : bool, default=True
        False: nothing is dropped or scaled.
    residual : Tensor of the same shape, optional
        Added to the result in the same pass.

    Returns
    -------
    Tensor of the same shape
        ``y_i = x_i k_i / (1 - p) + r_i``; ``dx_i = dy_i k_i / (1 - p)``, the k_i drawn again from the same seed,
        whatever the number of threads.

    Raises
    ------
    ValueError
        If p is out of range.
    ShapeError
        If `residual` has another shape.
    """
    check_probability(p)
    x = float_tensor(input, "input of dropout")
    r = None if residual is None else float_tensor(residual, "residual of dropout")
    if r is not None and r.shape != x.shape:
        raise ShapeError(f"residual of dropout has shape {r.shape}, but input has shape {x.shape}")
    drops = training and p > 0
    if not drops and r is None:
        return x
    seed = generator().next_seed() if drops else 0
    rate = p if drops else 0.0
    rest = None if r is None else np.asarray(r.data, order="C")
    y = core.nn.dropout(np.asarray(x.data, order="C"), rest, p=rate, seed=seed, n_threads=n_threads())

    def backward(dy: Array) -> Gradients:
        dx = None
        if x.requires_grad:
            d = np.asarray(dy, order="C")
            dx = core.nn.dropout(d, None, p=rate, seed=seed, n_threads=n_threads()) if drops else d
        return [dx] if r is None else [dx, dy if r.requires_grad else None]

    return record("dropout", y, [x] if r is None else [x, r], backward)


def gaussian_noise(input: Tensor | Array, std: float = 0.1, training: bool = True) -> Tensor:
    """Add normal noise of standard deviation `std`; dx = dy.

    Parameters
    ----------
    input : Tensor of any shape
        x.
    std : float, default=0.1
        At least 0.
    training : bool, default=True
        False: x is returned.

    Returns
    -------
    Tensor of the same shape
        ``y = x + std z``, z drawn by Box and Muller's method, whatever the number of threads.

    Raises
    ------
    ValueError
        If `std` is negative.
    """
    if not std >= 0:
        raise ValueError(f"std of gaussian_noise must be at least 0, got {std}")
    x = float_tensor(input, "input of gaussian_noise")
    if not training or std == 0:
        return x
    seed = generator().next_seed()
    y = core.nn.gaussian_noise(np.asarray(x.data, order="C"), std=std, seed=seed, n_threads=n_threads())
    return record("gaussian_noise", y, [x], lambda dy: [dy])
