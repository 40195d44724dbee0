"""Softmax, cross-entropy and the losses of single entries as formulas, with their gradients."""

import numpy as np


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(dy, x):
    y = softmax(x)
    return [y * (dy - (dy * y).sum(-1, keepdims=True))]


def logsumexp(x):
    most = x.max(-1)
    return most + np.log(np.exp(x - most[..., None]).sum(-1))


def logsumexp_backward(dy, x):
    return [dy[..., None] * softmax(x)]


def log_softmax(x):
    return x - logsumexp(x)[..., None]


def log_softmax_backward(dy, x):
    return [dy - softmax(x) * dy.sum(-1, keepdims=True)]


def class_distribution(target, n, ignore_index, smoothing):
    """Rows of q: (1 - a) at the target and a / n everywhere, 0 for targets to ignore."""
    q = np.full((len(target), n), smoothing / n)
    q[np.arange(len(target)), np.maximum(target, 0)] += 1 - smoothing
    q[target == ignore_index] = 0
    return q


def cross_entropy(x, q, w):
    """A loss a row: -sum_j q_j w_j log p_j."""
    return -(q * w * log_softmax(x)).sum(-1)


def cross_entropy_backward(dy, x, q, w):
    return [dy[:, None] * (softmax(x) * (q * w).sum(-1, keepdims=True) - q * w), None, None]


def linear_cross_entropy(x, weight, bias, q):
    """A loss a row: -sum_j q_j log p_j with p = softmax(x W^T + b)."""
    return cross_entropy(x @ weight.T + bias, q, 1.0)


def linear_cross_entropy_backward(dy, x, weight, bias, q):
    dz = cross_entropy_backward(dy, x @ weight.T + bias, q, 1.0)[0]
    return [dz @ weight, dz.T @ x, dz.sum(0), None]


def focal(x, target, w, gamma):
    log_p = log_softmax(x)[np.arange(len(x)), target]
    return -w[target] * (1 - np.exp(log_p)) ** gamma * log_p


def focal_backward(dy, x, target, w, gamma):
    p, at = softmax(x), np.arange(len(x))
    pt = p[at, target]
    slope = (1 - pt) ** gamma - gamma * pt * (1 - pt) ** (gamma - 1) * np.log(pt)
    p[at, target] -= 1
    return [(dy * w[target] * slope)[:, None] * p, None, None, None]


def sigmoid(x):
    return np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x)))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def pointwise(kind, x, t, weight=1.0, positive=1.0, beta=1.0, gamma=2.0, alpha=-1.0):
    """The losses, and their derivatives by x."""
    d, p = x - t, sigmoid(x)
    inner = np.abs(d) < beta
    logistic = (1 - t) * softplus(x) + positive * t * softplus(-x)
    match kind:
        case "squared":
            value, slope = d**2, 2 * d
        case "absolute":
            value, slope = np.abs(d), np.sign(d)
        case "smooth_absolute":
            value, slope = (
                np.where(inner, d**2 / (2 * beta), np.abs(d) - beta / 2),
                np.where(inner, d / beta, np.sign(d)),
            )
        case "huber":
            value = np.where(inner, d**2 / 2, beta * (np.abs(d) - beta / 2))
            slope = np.where(inner, d, beta * np.sign(d))
        case "logistic":
            value, slope = logistic, (1 - t) * p - positive * t * (1 - p)
        case "focal":
            miss = p * (1 - t) + (1 - p) * t
            a = 1.0 if alpha < 0 else alpha * t + (1 - alpha) * (1 - t)
            value = a * miss**gamma * logistic
            slope = a * (miss**gamma * (p - t) + gamma * miss ** (gamma - 1) * p * (1 - p) * (1 - 2 * t) * logistic)
        case "divergence":
            value, slope = np.where(t > 0, t * (np.log(np.where(t > 0, t, 1)) - x), 0), -t
        case "log_divergence":
            value, slope = np.exp(t) * (t - x), -np.exp(t)
    return weight * value, weight * slope
