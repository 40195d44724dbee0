"""Naive twin of the kernel machines of the core (`core.svm`) in NumPy: slow, short, and meant to be read.

All five formulations are one dual problem over m variables a with signs s in {-1, +1} and bounds c:

    minimise  D(a) = 1/2 a'Qa + p'a   subject to  0 <= a_t <= c_t,  s'a fixed,   Q_tu = s_t s_u k(x_t, x_u);

the nu formulations fix the sum of a within each sign too. SMO moves two variables at a time, chosen by the second-order
rule of Fan, Chen and Lin (2005), until no pair violates the KKT conditions by tol. The whole kernel matrix is held and
everything is float64. Left out: cache, shrinking, working sets, threads.

Letters: G = Qa + p the gradient, v = -sG, "up" the variables that may move along +s, "low" those along -s; a is
optimal if max v over up <= min v over low.
"""

from itertools import combinations

import numpy as np
import scipy.sparse as sp

TINY = 1e-12  # curvature of a pair along which D is flat or, for a kernel that is no inner product, falls


def dense(X):
    """A table as the core takes it (array, or the four parts of a CSR matrix), as a float64 array."""
    if isinstance(X, tuple):
        data, indices, indptr, shape = X
        return sp.csr_array((data, indices, indptr), shape=shape).toarray().astype(np.float64)
    return np.asarray(X, dtype=np.float64)


def kernel_matrix(X, Z, *, kernel, gamma, degree, coef0, n_threads=1):
    """k(x, z) for all rows x of X (n, d) and z of Z (m, d)."""
    X, Z = dense(X), dense(Z)
    if kernel == "linear":
        return X @ Z.T
    if kernel == "poly":
        return (gamma * (X @ Z.T) + coef0) ** degree
    if kernel == "rbf":
        return np.exp(-gamma * ((X[:, None, :] - Z[None, :, :]) ** 2).sum(axis=2))
    if kernel == "sigmoid":
        return np.tanh(gamma * (X @ Z.T) + coef0)
    raise ValueError(f"kernel {kernel!r}")


# ---- the solver ------------------------------------------------------------------------------------------------------


def violating_pair(a, s, c, G, Q, groups):
    """The pair to move next and the largest violation: i by its violation, j by the decrease of D it promises."""
    v = -s * G
    up = np.where(s > 0, a < c, a > 0)
    low = np.where(s > 0, a > 0, a < c)
    best, gap = (-np.inf, -1, -1), -np.inf
    for group in groups:
        ups, lows = np.flatnonzero(group & up), np.flatnonzero(group & low)
        if len(ups) == 0 or len(lows) == 0:
            continue
        i = ups[np.argmax(v[ups])]
        gap = max(gap, v[i] - v[lows].min())
        lows = lows[v[lows] < v[i]]
        if len(lows) == 0:
            continue
        curvature = Q[i, i] + np.diag(Q)[lows] - 2 * s[i] * s[lows] * Q[i, lows]
        gain = (v[i] - v[lows]) ** 2 / np.maximum(curvature, TINY)
        k = np.argmax(gain)
        best = max(best, (gain[k], i, lows[k]))
    return best[1], best[2], max(gap, 0.0)


def smo(Q, p, s, c, a, *, per_sign, tol, max_iter):
    """Minimise D from the feasible start a. Returns a, G, the number of steps, the gap, and whether gap < tol."""
    a = a.copy()
    G = Q @ a + p
    groups = [s > 0, s < 0] if per_sign else [np.ones(len(s), dtype=bool)]
    n_iter = 0
    while True:
        i, j, gap = violating_pair(a, s, c, G, Q, groups)
        if gap < tol or i < 0 or (max_iter >= 0 and n_iter >= max_iter):
            return a, G, n_iter, gap, gap < tol or i < 0
        curvature = max(Q[i, i] + Q[j, j] - 2 * s[i] * s[j] * Q[i, j], TINY)
        room_i = c[i] - a[i] if s[i] > 0 else a[i]
        room_j = a[j] if s[j] > 0 else c[j] - a[j]
        step = min((-s[i] * G[i] + s[j] * G[j]) / curvature, room_i, room_j)
        moved = ((i, s[i] * step, room_i), (j, -s[j] * step, room_j))
        for t, change, room in moved:
            # A step that uses all the room ends on the bound itself, whatever rounding says.
            a[t] = (c[t] if change > 0 else 0.0) if step == room else a[t] + change
        G += Q[:, i] * moved[0][1] + Q[:, j] * moved[1][1]
        n_iter += 1


def level(a, s, c, G, group):
    """The common value of sG of the free variables of a group; with none, the middle of what the bound ones allow."""
    z = (s * G)[group]
    a, s, c = a[group], s[group], c[group]
    free = (a > 0) & (a < c)
    if free.any():
        return z[free].mean()
    can_rise = np.where(s > 0, a < c, a > 0)
    most, least = z[can_rise], z[~can_rise]  # sG >= level, sG <= level
    if len(most) == 0 or len(least) == 0:
        return (np.r_[most, least].max() if len(most) == 0 else most.min()) if len(z) else 0.0
    return (most.min() + least.max()) / 2


def fill(c, total):
    """The start of the nu formulations: bounds are used up in order until their sum is `total`."""
    before = np.r_[0.0, np.cumsum(c)[:-1]]
    return np.clip(total - before, 0.0, c)


# ---- the five formulations -------------------------------------------------------------------------------------------


def solve(kind, K, y, c, *, nu, epsilon, tol, max_iter):
    """One problem: coefficients of the rows, intercept, D, steps, gap, converged. y is in {-1, +1} for the SVCs."""
    n = len(y)
    ones, everyone = np.ones(n), np.ones(n, dtype=bool)
    options = {"tol": tol, "max_iter": max_iter}
    if kind in ("c_svc", "one_class"):
        s = y if kind == "c_svc" else ones
        p = -ones if kind == "c_svc" else 0 * ones
        start = 0 * ones if kind == "c_svc" else fill(c, nu * c.sum())
        a, G, *rest = smo(np.outer(s, s) * K, p, s, c, start, per_sign=False, **options)
        return (s * a, -level(a, s, c, G, everyone), 0.5 * a @ (G + p), *rest)
    if kind == "nu_svc":
        start = np.zeros(n)
        for sign in (1, -1):
            start[y == sign] = fill(c[y == sign], nu * c.sum() / 2)
        a, G, *rest = smo(np.outer(y, y) * K, 0 * ones, y, c, start, per_sign=True, **options)
        plus, minus = level(a, y, c, G, y > 0), -level(a, y, c, G, y < 0)
        scale = (plus + minus) / 2
        return (y * a / scale, -(plus - minus) / 2 / scale, 0.5 * a @ G / scale**2, *rest)
    s, doubled = np.r_[ones, -ones], np.r_[c, c]
    Q = np.outer(s, s) * np.tile(K, (2, 2))
    if kind == "epsilon_svr":
        p, start = np.r_[epsilon - y, epsilon + y], np.zeros(2 * n)
    else:
        p, start = np.r_[-y, y], np.tile(fill(c, nu * c.sum() / 2), 2)
    a, G, *rest = smo(Q, p, s, doubled, start, per_sign=kind == "nu_svr", **options)
    if kind == "epsilon_svr":
        rho = level(a, s, doubled, G, np.ones(2 * n, dtype=bool))
    else:
        rho = (level(a, s, doubled, G, s > 0) + level(a, s, doubled, G, s < 0)) / 2
    return (a[:n] - a[n:], -rho, 0.5 * a @ (G + p), *rest)


def train(
    kind,
    X,
    y,
    C,
    *,
    nu,
    epsilon,
    kernel,
    gamma,
    degree,
    coef0,
    tol,
    cache_size=0,
    shrinking=True,
    max_iter=-1,
    n_threads=1,
    report=None,
):
    """`core.svm.train`: classes are taught in pairs; row j - 1 (or j) of dual_coef is class j's as seen by another."""
    K = (
        dense(X)
        if kernel == "precomputed"
        else kernel_matrix(X, X, kernel=kernel, gamma=gamma, degree=degree, coef0=coef0)
    )
    options = {"nu": nu, "epsilon": epsilon, "tol": tol, "max_iter": max_iter}
    n = len(C)
    if kind not in ("c_svc", "nu_svc"):
        found = [solve(kind, K, y, C, **options)]
        coef = found[0][0][None, :]
        order = np.arange(n)
        n_classes = 1
    else:
        classes = y.astype(int)
        n_classes = classes.max() + 1
        coef = np.zeros((n_classes - 1, n))
        found = []
        for first, second in combinations(range(n_classes), 2):
            rows = np.r_[np.flatnonzero(classes == first), np.flatnonzero(classes == second)]
            signs = np.where(classes[rows] == first, 1.0, -1.0)
            found.append(solve(kind, K[np.ix_(rows, rows)], signs, C[rows], **options))
            coef[np.where(signs > 0, second - 1, first), rows] = found[-1][0]
            if report is not None:
                report(len(found), float(n_classes * (n_classes - 1) // 2 - len(found)))
        order = np.argsort(classes, kind="stable")
    support = order[(coef[:, order] != 0).any(axis=0)]
    intercept, objective, n_iter, gap, converged = (np.array([entry[k] for entry in found]) for k in range(1, 6))
    return {
        "support": support.astype(np.int32),
        "n_support": np.bincount(classes[support] if n_classes > 1 else 0 * support, minlength=n_classes).astype(
            np.int32
        ),
        "dual_coef": np.ascontiguousarray(coef[:, support]),
        "intercept": intercept.astype(np.float64),
        "n_iter": n_iter.astype(np.int64),
        "gap": gap.astype(np.float64),
        "objective": objective.astype(np.float64),
        "converged": converged.astype(bool),
        "cache_peak": 0,
    }


def decision_function(
    X, support_vectors, dual_coef, n_support, intercept, *, kernel, gamma, degree, coef0, n_threads=1
):
    """`core.svm.decision_function`: > 0 speaks for the first class of the pair."""
    if kernel == "precomputed":
        K = dense(X)
    else:
        K = kernel_matrix(X, support_vectors, kernel=kernel, gamma=gamma, degree=degree, coef0=coef0)
    if len(n_support) == 1:
        return K @ dual_coef.T + intercept
    ends = np.cumsum(n_support)
    of_class = [slice(end - n, end) for end, n in zip(ends, n_support, strict=True)]
    columns = []
    for (first, second), bias in zip(combinations(range(len(n_support)), 2), intercept, strict=True):
        a, b = of_class[first], of_class[second]
        columns.append(K[:, a] @ dual_coef[second - 1, a] + K[:, b] @ dual_coef[first, b] + bias)
    return np.stack(columns, axis=1)
