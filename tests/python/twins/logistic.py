"""Naive twin of the logistic solvers (`core.linear_model.logistic_*`) in NumPy: slow, short, and meant to be read.

Objective, gradient and smallest subgradient are written from their definitions; the exact solution comes from SciPy's
L-BFGS-B on positive and negative parts and is polished by Newton steps on the coefficients that are not zero, so that
it shares no idea with the engine's solvers. Each classical optimizer is its update rule, one line each.

The classical optimizers work with standardised columns, as the engine does: a penalty is then one for each column.

Letters: F(W, b) = (1/S) sum_i s_i loss_i + l2/2 |W|^2 + l1 |W|_1; `coef` (K, d + 1) holds W and, in the last column,
b. Two classes have one row (K = 1).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit, log_expit, logsumexp, softmax

from twins.embedding import philox


def dense(X):
    return (csr_array(X[:3], shape=X[3]).toarray() if isinstance(X, tuple) else np.asarray(X)).astype(np.float64)


def scores(X, coef):
    """Shape (n, K)."""
    return X @ coef[:, :-1].T + coef[:, -1]


def losses(Z, y):
    """Negative log-likelihood of each row."""
    if Z.shape[1] == 1:
        return -log_expit(np.where(y == 1, Z[:, 0], -Z[:, 0]))
    return logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]


def residuals(Z, y):
    """Derivative of each row's loss in its scores: p - y, shape (n, K)."""
    if Z.shape[1] == 1:
        return expit(Z) - y[:, None]
    return softmax(Z, axis=1) - np.eye(Z.shape[1])[y]


def smooth(X, y, weight, coef, l2, fit_intercept=True):
    """Value and gradient of F without its L1 part; the gradient of intercepts that are not fitted is zero."""
    weight = np.ones(len(y)) if weight is None else weight
    Z, W = scores(X, coef), coef[:, :-1]
    value = weight @ losses(Z, y) / weight.sum() + l2 / 2 * (W**2).sum()
    R = weight[:, None] * residuals(Z, y) / weight.sum()
    gradient = np.column_stack([R.T @ X + l2 * W, R.sum(axis=0) * fit_intercept])
    return value, gradient


def objective(X, y, weight, coef, l1, l2):
    return smooth(X, y, weight, coef, l2)[0] + l1 * np.abs(coef[:, :-1]).sum()


def subgradient(gradient, coef, l1):
    """The subgradient of F of smallest norm, from the gradient of its smooth part."""
    W, G = coef[:, :-1], gradient[:, :-1]
    at_zero = np.sign(G) * np.maximum(np.abs(G) - l1, 0)
    return np.column_stack([np.where(W != 0, G + l1 * np.sign(W), at_zero), gradient[:, -1]])


def optimality(X, y, weight, coef, l1, l2, fit_intercept=True):
    """Largest entry of the subgradient by the coefficients of standardised columns."""
    m, u = standardised(X, weight, l2, fit_intercept)
    G = smooth(X, y, weight, coef, l2, fit_intercept)[1]
    G = np.column_stack([(G[:, :-1] - G[:, -1:] * m) / u, G[:, -1]])
    return np.abs(subgradient(G, coef, l1 / u)).max()


def hessian(X, y, weight, coef, l2):
    """Hessian of the smooth part of F, shape (K (d + 1), K (d + 1))."""
    n, d = X.shape
    K = len(coef)
    weight = np.ones(n) if weight is None else weight
    Z, A = scores(X, coef), np.column_stack([X, np.ones(n)])
    P = expit(Z) if K == 1 else softmax(Z, axis=1)
    H = np.empty((K, d + 1, K, d + 1))
    for a in range(K):
        for b in range(K):
            h = P[:, a] * ((a == b) - P[:, b])
            H[a, :, b, :] = A.T @ (A * (weight / weight.sum() * h)[:, None])
    H = H.reshape(K * (d + 1), -1)
    return H + l2 * np.diag(np.tile(np.r_[np.ones(d), 0.0], K))


# ---- the exact solution ----------------------------------------------------------------------------------------------


def solve(X, y, weight, start, l1, l2, fit_intercept=True):
    """Minimiser of F to the last digits."""
    shape, size = start.shape, start.size
    is_free = np.ones(shape, dtype=bool)
    is_free[:, -1] = fit_intercept

    def split(parts):  # coef = plus - minus, both >= 0: then |coef|_1 is linear
        plus, minus = parts.reshape(2, *shape)
        value, gradient = smooth(X, y, weight, plus - minus, l2, fit_intercept)
        l1s = np.zeros(shape)
        l1s[:, :-1] = l1
        return value + (l1s * (plus + minus)).sum(), np.r_[(gradient + l1s).ravel(), (l1s - gradient).ravel()]

    parts = np.r_[np.maximum(start, 0).ravel(), np.maximum(-start, 0).ravel()]
    options = {"maxiter": 50_000, "maxfun": 10**6, "ftol": 0, "gtol": 1e-8, "maxls": 100}
    parts = minimize(split, parts, jac=True, method="L-BFGS-B", bounds=[(0, None)] * (2 * size), options=options).x
    coef = parts[:size].reshape(shape) - parts[size:].reshape(shape)
    if l1 > 0:
        coef[:, :-1][np.abs(coef[:, :-1]) < 1e-7] = 0
        is_free[:, :-1] = coef[:, :-1] != 0
    for _ in range(20):  # Newton on what is not zero, signs kept
        gradient = subgradient(smooth(X, y, weight, coef, l2, fit_intercept)[1], coef, l1)[is_free]
        H = hessian(X, y, weight, coef, l2)[np.ix_(is_free.ravel(), is_free.ravel())]
        step = np.linalg.lstsq(H, gradient, rcond=1e-13)[0]
        coef[is_free] -= step
        if np.abs(step).max(initial=0) < 1e-13:
            break
    return coef


def one_solution(coef, l1, l2):
    """Of solutions that differ by a constant in all outputs (K > 1) the smallest; under L1 alone, of its corners."""
    K, found = len(coef), coef.copy()
    if K == 1:
        return found
    found[:, -1] -= coef[:, -1].mean()
    for j in range(coef.shape[1] - 1):
        if l1 == l2 == 0:
            found[:, j] -= coef[:, j].mean()
        elif l2 == 0 and K % 2 == 0:  # |coef - t|_1 is flat between the two values in the middle
            ends = np.sort(coef[:, j])[[K // 2 - 1, K // 2]]
            found[:, j] -= min(ends, key=lambda t: ((coef[:, j] - t) ** 2).sum())
    return found


def centred(coef, l1):
    """Coefficients without what they have in common over outputs, which only a smooth penalty makes smaller."""
    first = coef.shape[1] - 1 if l1 > 0 else 0
    shift = np.zeros(coef.shape[1])
    shift[first:] = coef[:, first:].mean(axis=0) * (len(coef) > 1)
    return coef - shift


# ---- the classical optimizers ----------------------------------------------------------------------------------------


@dataclass
class Rule:
    """Update rules, after PyTorch where papers differ: ``update(g)`` is what is to be taken from the parameters."""

    name: str
    rate: float
    m: float = 0.9
    rho: float = 0.9
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        self.t, self.v, self.s = 0, 0.0, 0.0
        has_velocity = self.name in ("momentum", "nesterov")
        self.metric = self.rate / (1 - self.m) if has_velocity else self.rate  # what a gradient of 1 that stays moves

    def update(self, g):
        return getattr(self, self.name)(g)

    def sgd(self, g):
        return self.rate * g

    gd = minibatch = sgd

    def momentum(self, g):
        self.v = self.m * self.v + g
        return self.rate * self.v

    def nesterov(self, g):
        self.v = self.m * self.v + g
        return self.rate * (g + self.m * self.v)

    def adagrad(self, g):
        self.s = self.s + g**2
        self.metric = self.rate / (np.sqrt(self.s) + self.epsilon)
        return self.metric * g

    def rmsprop(self, g):
        self.s = self.rho * self.s + (1 - self.rho) * g**2
        self.metric = self.rate / (np.sqrt(self.s) + self.epsilon)
        return self.metric * g

    def adam(self, g):
        self.t += 1
        self.v = self.b1 * self.v + (1 - self.b1) * g
        self.s = self.b2 * self.s + (1 - self.b2) * g**2
        self.metric = self.rate / (np.sqrt(self.s / (1 - self.b2**self.t)) + self.epsilon)
        return self.metric * self.v / (1 - self.b1**self.t)


def proximal(coef, shrink):
    """Minimiser of |coef - x|^2 / (2 metric) + l1 |x|_1, with shrink = metric l1."""
    return np.sign(coef) * np.maximum(np.abs(coef) - shrink, 0)


def shuffled(n, seed, epoch):
    """Rows in the order of an epoch: Fisher and Yates's shuffle with draws from Philox."""
    order = np.arange(n)
    for i in range(n, 1, -1):
        low, high = philox(seed, epoch + 1, i)[:2]
        j = ((high << 32 | low) * i) >> 64
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


def standardised(X, weight, l2, fit_intercept):
    """Means m and units u of the columns: coefficients of (X - m) / u are u W, their intercepts b + m W."""
    weight = np.ones(len(X)) if weight is None else weight
    m = np.average(X, axis=0, weights=weight) * fit_intercept
    return m, np.sqrt(np.average((X - m) ** 2, axis=0, weights=weight) + 4 * l2)


def descend(X, y, weight, start, *, rule, l1, l2, fit_intercept, batches):
    """One epoch of steps on the given batches, lists of rows; returns the new coefficients."""
    n, coef = len(y), start.copy()
    m, u = standardised(X, weight, l2, fit_intercept)
    X, l1, l2 = (X - m) / u, l1 / u, l2 / u**2
    coef[:, -1] += coef[:, :-1] @ m
    coef[:, :-1] *= u
    weight = np.ones(n) if weight is None else weight
    free = np.ones(coef.shape)
    free[:, -1] = fit_intercept
    for rows in batches:
        # The mean over the batch with weights s_i n / S: on average over batches, the gradient of F.
        s = weight[rows] * (n / weight.sum())
        R = s[:, None] * residuals(scores(X[rows], coef), y[rows]) / len(rows)
        g = np.column_stack([R.T @ X[rows] + l2 * coef[:, :-1], R.sum(axis=0)]) * free
        coef = coef - rule.update(g)
        if l1.any():
            shrink = np.broadcast_to(rule.metric, coef.shape)[:, :-1] * l1
            coef[:, :-1] = proximal(coef[:, :-1], shrink)
    coef[:, :-1] /= u
    coef[:, -1] -= coef[:, :-1] @ m
    return coef


# ---- the face of the core --------------------------------------------------------------------------------------------


def logistic_fit(
    X,
    y,
    sample_weight,
    start,
    *,
    n_classes,
    l1,
    l2,
    fit_intercept,
    solver,
    tol,
    max_iter,
    learning_rate,
    batch_size,
    momentum,
    n_threads,
    seed,
    report,
):
    X = dense(X)
    problem = (X, y, sample_weight)
    curve = [objective(*problem, start, l1, l2)]
    if solver in ("lbfgs", "newton-cholesky", "coordinate_descent", "saga"):
        coef = solve(*problem, start, l1, l2, fit_intercept)
        curve.append(objective(*problem, coef, l1, l2))
    else:
        coef, n = centred(start, l1), len(y)
        curve = [objective(*problem, coef, l1, l2)]
        rule = Rule("sgd" if solver in ("gd", "minibatch") else solver, learning_rate or 0.1, momentum)
        size = {"gd": n, "sgd": 1}.get(solver, batch_size)
        for epoch in range(max_iter):
            order = shuffled(n, seed, epoch) if solver != "gd" else np.arange(n)
            batches = [order[i : i + size] for i in range(0, n, size)]
            coef = descend(*problem, coef, rule=rule, l1=l1, l2=l2, fit_intercept=fit_intercept, batches=batches)
            coef = centred(coef, l1)
            curve.append(objective(*problem, coef, l1, l2))
            if optimality(*problem, coef, l1, l2, fit_intercept) <= tol:
                break
    left = optimality(*problem, coef, l1, l2, fit_intercept)
    return {
        "coef": coef,
        "n_iter": len(curve) - 1,
        "optimality": left,
        "converged": left <= tol,
        "loss_curve": np.array(curve),
    }


def logistic_value_and_gradient(X, y, sample_weight, coef, *, n_classes, l2, fit_intercept, n_threads):
    return smooth(dense(X), y, sample_weight, coef, l2, fit_intercept)


def linear_scores(X, coef, intercept, *, n_threads):
    return dense(X) @ coef.T + intercept
