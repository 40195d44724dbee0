"""Dropout and Gaussian noise: what is drawn is a function of one seed a call."""

import numpy as np

from mlcore._native import core
from mlcore.nn._runtime import generator, n_threads
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, grad_enabled, record


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
        ``y_i = x_i k_i / (1 - p) + r_i``; ``dx_i = dy_i k_i / (1 - p)``. The k_i are a function of one seed, whatever
        the number of threads; they are kept for the gradient, a bit each.

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
    rows, mask = np.asarray(x.data, order="C"), None
    if drops and x.requires_grad and grad_enabled():
        y, mask = core.nn.dropout_with_mask(rows, rest, p=rate, seed=seed, n_threads=n_threads())
    else:
        y = core.nn.dropout(rows, rest, p=rate, seed=seed, n_threads=n_threads())
    # Not the tensors themselves, whose memory nobody else may need any more.
    wanted = [t.requires_grad for t in (x, r) if t is not None]

    def backward(dy: Array) -> Gradients:
        dx = dy if wanted[0] else None
        if mask is not None:
            dx = core.nn.dropout_backward(np.asarray(dy, order="C"), mask, p=rate, n_threads=n_threads())
        return [dx, dy if wanted[-1] else None][: len(wanted)]

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
