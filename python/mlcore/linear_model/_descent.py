"""Coordinate descent of the elastic net: the call of the core, and the parameters that estimators and paths share."""

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import N_JOBS, effective_n_jobs, seed_from
from mlcore._native import core
from mlcore._tables import Floats
from mlcore.linear_model._least_squares import COUNT, Problem, check_finite

DESCENT: dict[str, list[Any]] = {
    "fit_intercept": ["boolean"],
    "precompute": [StrOptions({"auto"}), "boolean", "array-like"],
    "copy_X": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "tol": [Interval(Real, 0, None, closed="left")],
    "positive": ["boolean"],
    "random_state": ["random_state"],
    "selection": [StrOptions({"cyclic", "random"})],
    "n_jobs": [*N_JOBS],
}
"""Constraints on the parameters of :func:`descend`."""


def descend(
    problem: Problem,
    alphas: Floats | int,
    l1_ratio: float,
    params: Mapping[str, Any],
    owner: str,
    *,
    eps: float = 1.0,
    start: Floats | None = None,
    report: Callable[[int, float], None] | None = None,
) -> dict[str, Any]:
    """Solve one elastic net for each alpha, from the largest to the smallest, each from the solution before it.

    Parameters
    ----------
    problem : Problem
    alphas : array of shape (n_alphas,), descending, or int
        Penalties; or how many: then they fall from the smallest for which all coefficients are zero.
    l1_ratio : float
    params : mapping
        The parameters in `DESCENT`.
    owner : str
        Who asks, for messages.
    eps : float, default=1.0
        The smallest alpha over the largest, where `alphas` is a number.
    start : array of shape (n_targets * n_features,), or None
        Coefficients to start from.
    report : callable or None
        Told the alphas done so far and the last duality gap.

    Returns
    -------
    dict
        ``alphas``, and for each target and alpha ``coef``, ``intercept``, ``gap``, ``n_iter``, ``converged``.

    Raises
    ------
    ValueError
        If the numbers overflow, or `precompute` is no Gram matrix.
    """
    is_random = params["selection"] == "random"
    found: dict[str, Any] = core.linear_model.elastic_net_path(
        problem.X,
        problem.Y,
        problem.weight,
        None if isinstance(alphas, int) else alphas,
        alphas if isinstance(alphas, int) else len(alphas),
        float(eps),
        start,
        l1_ratio=float(l1_ratio),
        tol=float(params["tol"]),
        max_iter=COUNT if params["max_iter"] is None else min(int(params["max_iter"]), COUNT),
        fit_intercept=bool(params["fit_intercept"]),
        positive=bool(params["positive"]),
        random_order=is_random,
        precompute=_gram(params["precompute"], problem.n_features, owner),
        n_threads=effective_n_jobs(params["n_jobs"]),
        seed=seed_from(params["random_state"]) if is_random else 0,
        report=report,
    )
    for name in ("coef", "intercept", "gap"):
        check_finite(found[name], problem, owner)
    return found


def _gram(precompute: Any, n_features: int, owner: str) -> str:
    """Return the core's word for the parameter `precompute`."""
    if isinstance(precompute, str) or precompute is False or precompute is np.False_:
        return "auto"
    if precompute is True or precompute is np.True_:
        return "gram"
    shape = np.shape(precompute)
    if shape != (n_features, n_features):
        raise ValueError(
            f"precompute of {owner} must be a bool or a Gram matrix of shape {(n_features, n_features)}, got an array "
            f"of shape {shape}"
        )
    return "gram"
