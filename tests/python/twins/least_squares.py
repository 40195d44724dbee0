"""Plain NumPy twins of the least-squares solvers, for tests: what the maths says, without care for speed."""

import numpy as np


def centred(X, y, weight=None, fit_intercept=True):
    """X and y without their weighted means, as float64; the means; the weights as an array."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    y = np.asarray(y, dtype=np.float64)
    s = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    m = np.average(X, axis=0, weights=s) if fit_intercept else np.zeros(X.shape[1])
    b = np.average(y, axis=0, weights=s) if fit_intercept else 0.0
    return X - m, y - b, m, b, s


def objective(X, y, w, alpha, l1_ratio=1.0, weight=None, fit_intercept=True):
    """1/(2 S) sum s r^2 + alpha (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2) with the best intercept."""
    X, y, _, _, s = centred(X, y, weight, fit_intercept)
    r = y - X @ w
    return (s * r**2).sum() / (2 * s.sum()) + alpha * (l1_ratio * abs(w).sum() + (1 - l1_ratio) / 2 * (w**2).sum())


def elastic_net(X, y, alpha, l1_ratio=1.0, weight=None, fit_intercept=True, positive=False, sweeps=20_000):
    """Coordinate descent until nothing moves. Returns coefficients and intercept."""
    X, y, m, b, s = centred(X, y, weight, fit_intercept)
    total = s.sum()
    l1, l2 = alpha * l1_ratio * total, alpha * (1 - l1_ratio) * total
    w, r = np.zeros(X.shape[1]), y.copy()
    squares = (s[:, None] * X**2).sum(axis=0)
    for _ in range(sweeps):
        moved = 0.0
        for j in np.flatnonzero(squares > 1e-25):
            t = X[:, j] @ (s * r) + w[j] * squares[j]
            new = 0.0 if positive and t < 0 else np.sign(t) * max(abs(t) - l1, 0) / (squares[j] + l2)
            r -= (new - w[j]) * X[:, j]
            moved = max(moved, abs(new - w[j]))
            w[j] = new
        if moved <= 1e-13 * max(abs(w).max(), 1e-300):
            break
    return w, b - m @ w


def kkt_violation(X, y, w, alpha, l1_ratio=1.0, weight=None, fit_intercept=True, positive=False):
    """Largest distance of zero from the subgradient of the objective at w."""
    X, y, _, _, s = centred(X, y, weight, fit_intercept)
    slope = X.T @ (s * (y - X @ w)) / s.sum() - alpha * (1 - l1_ratio) * w
    l1 = alpha * l1_ratio
    at_zero = np.maximum(slope - l1, 0) if positive else np.maximum(abs(slope) - l1, 0)
    return np.where(w == 0, at_zero, abs(slope - l1 * np.sign(w))).max()


def ridge(X, y, alpha, weight=None, fit_intercept=True):
    """By the normal equations. Returns coefficients (t, d) and intercepts (t,)."""
    y = np.asarray(y, dtype=np.float64)
    X, Y, m, b, s = centred(X, y.reshape(len(y), -1), weight, fit_intercept)
    gram = X.T @ (s[:, None] * X)
    alphas = np.broadcast_to(alpha, Y.shape[1])
    w = np.array([np.linalg.solve(gram + a * np.eye(len(gram)), X.T @ (s * Y[:, t])) for t, a in enumerate(alphas)])
    return w, b - w @ m
