"""Methods of tensors as plain NumPy in float64, and the derivative of any function by central differences."""

import numpy as np


def differences(function, x, dy, step=1e-6):
    """The gradient of ``sum(function(x) * dy)`` by x, one entry after the other."""
    x = np.array(x, np.float64)
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[at] += sign * step
            sides.append(float(np.sum(function(moved) * dy)))
        gradient[at] = (sides[0] - sides[1]) / (2 * step)
    return gradient


def var(x, axis=None, correction=1, keepdims=False):
    return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)


def gather(x, dim, index):
    y = np.empty(index.shape, x.dtype)
    for at in np.ndindex(index.shape):
        place = list(at)
        place[dim] = index[at]
        y[at] = x[tuple(place)]
    return y
