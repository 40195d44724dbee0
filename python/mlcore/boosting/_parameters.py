"""Parameters of both estimators: what each may be, and what the core makes of them."""

import itertools
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _check_monotonic_cst

from mlcore._base import N_JOBS
from mlcore._native import core
from mlcore.boosting._losses import Loss

CONSTRAINTS: dict[str, list[Any]] = {
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "growth": [StrOptions({"leaf", "depth"})],
    "newton": ["boolean"],
    "max_leaf_nodes": [Interval(Integral, 2, None, closed="left"), None],
    "max_depth": [Interval(Integral, 1, None, closed="left"), None],
    "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
    "min_child_weight": [Interval(Real, 0, None, closed="left")],
    "min_split_gain": [Interval(Real, 0, None, closed="left")],
    "reg_lambda": [Interval(Real, 0, None, closed="left")],
    "reg_alpha": [Interval(Real, 0, None, closed="left")],
    "max_delta_step": [Interval(Real, 0, None, closed="left")],
    "max_bins": [Interval(Integral, 2, 255, closed="both")],
    "subsample": [Interval(Real, 0, 1, closed="right")],
    "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
    "colsample_bylevel": [Interval(Real, 0, 1, closed="right")],
    "colsample_bynode": [Interval(Real, 0, 1, closed="right")],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "max_cat_to_onehot": [Interval(Integral, 1, None, closed="left")],
    "max_cat_threshold": [Interval(Integral, 1, None, closed="left"), None],
    "cat_smooth": [Interval(Real, 0, None, closed="left"), None],
    "cat_l2": [Interval(Real, 0, None, closed="left"), None],
    "min_data_per_group": [Interval(Integral, 1, None, closed="left"), None],
    "monotonic_cst": ["array-like", dict, None],
    "interaction_cst": [list, tuple, StrOptions({"pairwise", "no_interactions"}), None],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [
        Interval(RealNotInt, 0, 1, closed="neither"),
        Interval(Integral, 1, None, closed="left"),
        None,
    ],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "scoring": [str, callable, None],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "n_jobs": [*N_JOBS],
    "verbose": ["verbose"],
}


def core_params(estimator: Any, loss: Loss) -> "core.boosting.Params":
    """Return the parameters of the core. Raises ValueError for constraints on columns that are not there."""
    params = core.boosting.Params()
    params.growth = estimator.growth
    params.newton = bool(estimator.newton)
    params.max_leaf_nodes = int(estimator.max_leaf_nodes or 0)
    params.max_depth = int(estimator.max_depth or 0)
    params.min_samples_leaf = int(estimator.min_samples_leaf)
    for name in ("min_child_weight", "min_split_gain", "reg_lambda", "reg_alpha", "max_delta_step"):
        setattr(params, name, float(getattr(estimator, name)))
    for name in ("learning_rate", "subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"):
        setattr(params, name, float(getattr(estimator, name)))
    if estimator.monotonic_cst is not None:
        directions = _check_monotonic_cst(estimator, estimator.monotonic_cst)
        if loss.n_outputs > 1 and directions.any():
            raise ValueError("monotonic_cst is not possible with more than two classes: raw scores compete there")
        if (directions[estimator.is_categorical_] != 0).any():
            raise ValueError("monotonic_cst must be 0 for categorical features: categories have no order")
        params.monotonic_cst = directions.tolist()
    params.interaction_cst = _interaction_groups(estimator)
    params.max_cat_to_onehot = int(estimator.max_cat_to_onehot)
    params.max_cat_threshold = int(estimator.max_cat_threshold or 0)
    for name in ("cat_smooth", "cat_l2", "min_data_per_group"):
        wanted = getattr(estimator, name)
        setattr(params, name, -1.0 if wanted is None else float(wanted))  # negative: by the size of the node
    params.seed = estimator._seed
    return params


def _interaction_groups(estimator: Any) -> list[list[int]]:
    n, wanted = estimator.n_features_in_, estimator.interaction_cst
    if wanted is None:
        return []
    if wanted == "no_interactions":
        return [[j] for j in range(n)]
    if wanted == "pairwise":
        return [list(pair) for pair in itertools.combinations(range(n), 2)]
    groups = []
    for group in wanted:
        if isinstance(group, str) or not hasattr(group, "__iter__"):
            raise ValueError(
                f"interaction_cst must be a sequence of groups of names or positions of features, got {wanted!r}"
            )
        groups.append(sorted({_position_of(estimator, feature, "interaction_cst") for feature in group}))
    rest = sorted(set(range(n)).difference(*groups))
    return [group for group in [*groups, rest] if group]


def _position_of(estimator: Any, feature: Any, name: str) -> int:
    """Return the position of a feature that is named or numbered in the parameter `name`."""
    if isinstance(feature, str):
        names = getattr(estimator, "feature_names_in_", None)
        if names is None:
            raise ValueError(f"{name} has names, but X has no column names: pass a frame or positions")
        found = np.flatnonzero(names == feature)
        if not len(found):
            raise ValueError(f"{name} must hold names of columns of X, got {feature!r}")
        return int(found[0])
    n = estimator.n_features_in_
    if not isinstance(feature, (int, np.integer)) or isinstance(feature, bool) or not 0 <= feature < n:
        raise ValueError(f"{name} must hold positions of features from 0 to {n - 1}, got {feature!r}")
    return int(feature)
