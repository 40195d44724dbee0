"""y = f(x W^T + b + r) and its gradient, in plain NumPy."""

import numpy as np
from scipy.special import erf

ACTIVATIONS = ("identity", "relu", "leaky_relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "softplus")


def activate(name, z):
    """f(z) and f'(z)."""
    s = 1 / (1 + np.exp(-z))
    if name == "relu":
        return np.maximum(z, 0), (z > 0).astype(z.dtype)
    if name == "leaky_relu":
        return np.where(z > 0, z, 0.01 * z), np.where(z > 0, 1, 0.01)
    if name == "sigmoid":
        return s, s * (1 - s)
    if name == "tanh":
        return np.tanh(z), 1 - np.tanh(z) ** 2
    if name == "gelu":
        phi, density = (1 + erf(z / np.sqrt(2))) / 2, np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        return z * phi, phi + z * density
    if name == "gelu_tanh":
        c = np.sqrt(2 / np.pi)
        t = np.tanh(c * (z + 0.044715 * z**3))
        return z * (1 + t) / 2, (1 + t) / 2 + z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z) / 2
    if name == "silu":
        return z * s, s * (1 + z * (1 - s))
    if name == "softplus":
        return np.logaddexp(0, z), s
    return z, np.ones_like(z)


def linear_forward(x, w, b, r, activation="identity"):
    return activate(activation, x @ w.T + b + r)[0]


def linear_backward(dy, x, w, b, r, activation="identity"):
    dz = dy * activate(activation, x @ w.T + b + r)[1]
    rows = dz.reshape(-1, w.shape[0])
    return dz @ w, rows.T @ x.reshape(-1, w.shape[1]), rows.sum(0), dz
