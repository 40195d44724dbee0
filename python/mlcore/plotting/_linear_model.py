"""Plots of linear models: coefficients along a penalty, paths of optimizers."""

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_X_y

from mlcore.plotting._axes import new_axes, plain_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_regularization_path(
    path: Any,
    X: Any = None,
    y: Any = None,
    ax: "Axes | None" = None,
    *,
    strengths: Any = None,
    output: int = 0,
    feature_names: Iterable[str] | None = None,
    max_named: int = 10,
) -> "Axes":
    """Draw each coefficient against the strength of the penalty, from strong on the left to weak on the right.

    An L1 penalty keeps coefficients at exactly zero until they are worth their price; an L2 penalty shrinks all of them
    and lets none vanish. The numbers along the upper edge tell how many are not zero.

    Parameters
    ----------
    path : tuple or estimator
        What :func:`~mlcore.linear_model.logistic_path`, :func:`~mlcore.linear_model.lasso_path` or
        :func:`~mlcore.linear_model.enet_path` returned; or a linear model with a parameter ``C`` or ``alpha``, such as
        Ridge, copies of which are fitted to `X`, `y`.
    X : {array, sparse matrix, frame} of shape (n_samples, n_features), default=None
        Training rows, with an estimator only.
    y : array of shape (n_samples,), default=None
        Their targets.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    strengths : array of shape (n,), default=None
        Values of C or alpha, > 0, for an estimator. None: 50 of them from 0.001 to 1000.
    output : int, default=0
        Which row of the coefficients, where there is one for each class or target.
    feature_names : iterable of str, default=None
        Names of the columns. None: those of the frame `X`, or their numbers.
    max_named : int, default=10
        Number of coefficients, those of the largest mean size over the path, that have a colour and a name. The others
        are grey.

    Returns
    -------
    matplotlib Axes with a line for each coefficient

    Raises
    ------
    TypeError
        If `path` is none of the above.
    ValueError
        If shapes do not fit, there are fewer than two strengths, or one is not a finite number > 0.
    """
    if isinstance(path, tuple):
        if X is not None or y is not None or strengths is not None:
            raise TypeError("X, y and strengths of plot_regularization_path go with an estimator, not with a path")
        parameter, grid, coefs = _path_of_tuple(path, output)
    else:
        parameter, grid, coefs = _path_of_estimator(path, X, y, strengths, output)
        if feature_names is None and hasattr(X, "columns"):
            feature_names = X.columns
    n_features = coefs.shape[1]
    names = [f"column {j}" for j in range(n_features)] if feature_names is None else [str(f) for f in feature_names]
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names for {n_features} columns")

    ax = new_axes(ax)
    ranking = np.argsort(-np.abs(coefs).mean(axis=0), kind="stable")
    ax.axhline(0, color="grey", linewidth=0.8)
    for j in ranking[max_named:]:
        ax.plot(grid, coefs[:, j], color="lightgrey", linewidth=0.8)
    for j in ranking[:max_named]:
        ax.plot(grid, coefs[:, j], label=names[j])
    ax.set_xscale("log")
    weak, strong = (grid.max(), grid.min()) if parameter == "C" else (grid.min(), grid.max())
    ax.set_xlim(strong, weak)
    ax.set_xlabel(f"{parameter} (weaker penalty to the right)")
    ax.set_ylabel("coefficient")
    ax.set_title("Regularization path")
    if max_named > 0:
        plain_legend(ax, fontsize="small")
    marks = np.unique(np.linspace(0, len(grid) - 1, 8).round().astype(int))
    top = ax.secondary_xaxis("top")
    top.set_xticks(grid[marks], [str(np.count_nonzero(coefs[mark])) for mark in marks])
    top.set_xticks([], minor=True)
    top.set_xlabel("coefficients that are not zero")
    return ax


def _path_of_tuple(path: tuple[Any, ...], output: int) -> tuple[str, NDArray[Any], NDArray[Any]]:
    """Return the name of the strength, strengths (n,) and coefficients (n, n_features) of one output."""
    if len(path) < 2:
        raise ValueError(f"a path is a tuple (strengths, coefficients, ...), got {len(path)} entries")
    grid, coefs = _checked_grid(path[0]), np.asarray(path[1], dtype=np.float64)
    if grid[0] < grid[-1]:  # logistic_path: C rises, (n, K, d + 1) with intercepts
        if coefs.ndim != 3 or len(coefs) != len(grid):
            raise ValueError(
                f"{len(grid)} ascending strengths are taken for values of C, with coefficients of shape "
                f"({len(grid)}, n_outputs, n_features + 1) as logistic_path returns them, got {coefs.shape}"
            )
        return "C", grid, coefs[:, _checked_output(output, coefs.shape[1]), :-1]
    if coefs.ndim not in (2, 3) or coefs.shape[-1] != len(grid):
        raise ValueError(
            f"{len(grid)} descending strengths are taken for values of alpha, with coefficients of shape "
            f"(n_features, {len(grid)}) or (n_targets, n_features, {len(grid)}) as lasso_path returns them, got "
            f"{coefs.shape}"
        )
    coefs = coefs.reshape(-1, *coefs.shape[-2:])
    return "alpha", grid, coefs[_checked_output(output, len(coefs))].T


def _path_of_estimator(
    estimator: Any, X: Any, y: Any, strengths: Any, output: int
) -> tuple[str, NDArray[Any], NDArray[Any]]:
    """Return the same by fitting copies of an estimator, from strong penalties to weak ones."""
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    parameter = next((name for name in ("C", "alpha") if name in parameters), None)
    if parameter is None:
        raise TypeError(
            "plot_regularization_path takes what a path function returned, or an estimator with a parameter C or "
            f"alpha, got {type(estimator).__name__}"
        )
    if X is None or y is None:
        raise TypeError("plot_regularization_path needs X and y to fit an estimator to")
    grid = np.sort(_checked_grid(np.geomspace(1e-3, 1e3, 50) if strengths is None else strengths))
    if parameter == "alpha":
        grid = grid[::-1]
    model = clone(estimator)
    if "warm_start" in parameters:
        model.set_params(warm_start=True)
    coefs = []
    for strength in grid:
        model.set_params(**{parameter: float(strength)}).fit(X, y)
        rows = np.atleast_2d(model.coef_)
        coefs.append(rows[_checked_output(output, len(rows))].copy())
    return parameter, grid, np.array(coefs, dtype=np.float64)


def _checked_grid(strengths: Any) -> NDArray[np.float64]:
    grid = np.asarray(strengths, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2 or not ((grid > 0) & np.isfinite(grid)).all():
        raise ValueError(f"a path needs at least two strengths, finite and > 0, got {strengths!r}")
    return grid


def _checked_output(output: int, n_outputs: int) -> int:
    if not 0 <= output < n_outputs:
        raise ValueError(f"output of plot_regularization_path must be in 0 .. {n_outputs - 1}, got {output}")
    return output


def plot_optimizer_paths(
    X: Any,
    y: Any,
    ax: "Axes | None" = None,
    *,
    solvers: Iterable[str] = ("gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam"),
    max_iter: int = 20,
    start: tuple[float, float] = (0.0, 0.0),
    learning_rate: float | Literal["auto"] | Mapping[str, float | Literal["auto"]] = "auto",
    C: float = 1.0,
    l1_ratio: float = 0.0,
    batch_size: int | None = 32,
    momentum: float = 0.9,
    random_state: int = 0,
) -> "Axes":
    """Draw the path of each optimizer over the objective of a logistic regression with two coefficients.

    The objective is that of :class:`~mlcore.linear_model.LogisticRegression` without an intercept, drawn as level lines
    around its minimum. The marks on a path are the coefficients after each epoch (exact solvers: after each iteration),
    and the legend tells how far above the minimum the objective is at the last one.

    Parameters
    ----------
    X : array of shape (n_samples, 2)
        Training rows. Centre them: there is no intercept.
    y : array of shape (n_samples,)
        Labels of two classes.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    solvers : iterable of str, default=("gd", "sgd", "minibatch", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
        Solvers of LogisticRegression.
    max_iter : int, default=20
        Epochs, at least 1. Each mark is a fit from the start on, so the time grows with the square of it.
    start : tuple of two floats, default=(0.0, 0.0)
        Coefficients at the start.
    learning_rate : float, "auto", or mapping of solvers to such, default="auto"
        As in LogisticRegression; solvers that a mapping leaves out have "auto".
    C, l1_ratio, batch_size, momentum :
        As in LogisticRegression.
    random_state : int, default=0
        Seed of the order of rows.

    Returns
    -------
    matplotlib Axes with a line for each solver, and the minimum

    Raises
    ------
    ValueError
        If `X` has not two columns, `y` not two classes, there is no solver, or `max_iter` is below 1.
    """
    from mlcore.linear_model import LogisticRegression

    X, y = check_X_y(X, y, dtype=np.float64)
    solvers = list(dict.fromkeys([solvers] if isinstance(solvers, str) else solvers))
    if X.shape[1] != 2:
        raise ValueError(f"X of plot_optimizer_paths must have 2 columns, one for each axis, got {X.shape[1]}")
    if len(np.unique(y)) != 2:
        raise ValueError(f"y of plot_optimizer_paths must hold 2 classes, got {len(np.unique(y))}")
    if not solvers or max_iter < 1:
        raise ValueError(f"plot_optimizer_paths needs a solver and max_iter >= 1, got {solvers} and {max_iter}")
    rates = learning_rate if isinstance(learning_rate, Mapping) else dict.fromkeys(solvers, learning_rate)
    settings: dict[str, Any] = {"C": C, "l1_ratio": l1_ratio, "fit_intercept": False}
    best = LogisticRegression(tol=1e-10, **settings)
    settings |= {"batch_size": batch_size, "momentum": momentum, "random_state": random_state, "tol": 0.0}

    def state_after(solver: str, n_epochs: int) -> tuple[NDArray[np.float64], float]:
        """Coefficients after so many epochs from the start, and the objective there."""
        model = LogisticRegression(
            solver=solver, max_iter=n_epochs, learning_rate=rates.get(solver, "auto"), warm_start=True, **settings
        )
        model.classes_, model.coef_, model.intercept_ = best.classes_, np.array([start], dtype=np.float64), np.zeros(1)
        model.fit(X, y)
        return model.coef_[0], float(model.loss_curve_[-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # they are stopped on purpose
        best.fit(X, y)
        states = {solver: [state_after(solver, epoch) for epoch in range(1, max_iter + 1)] for solver in solvers}
    target, least = best.coef_[0], float(best.loss_curve_[-1])
    paths = {solver: np.array([start, *(point for point, _ in found)]) for solver, found in states.items()}

    ax = new_axes(ax)
    everything = np.vstack([target, *paths.values()])
    middle, reach = (everything.max(axis=0) + everything.min(axis=0)) / 2, np.ptp(everything, axis=0)
    reach = 0.6 * np.maximum(reach, max(0.1 * reach.max(), 1e-3))
    first, second = (np.linspace(middle[j] - reach[j], middle[j] + reach[j], 80) for j in range(2))
    heights = _objective_on_grid(X, y == best.classes_[1], first, second, C, l1_ratio) - least
    levels = heights.max() * np.geomspace(1e-4, 1, 13)
    ax.contour(first, second, heights, levels=levels, colors="grey", linewidths=0.5)
    for solver, path in paths.items():
        label = f"{solver}: {max(states[solver][-1][1] - least, 0.0):.1e} above"
        ax.plot(path[:, 0], path[:, 1], marker="o", markersize=3, linewidth=1, label=label)
    ax.plot(*target, marker="*", markersize=14, color="black", linestyle="none", label="minimum")
    ax.set_xlabel("first coefficient")
    ax.set_ylabel("second coefficient")
    ax.set_title(f"{max_iter} epochs")
    ax.legend(fontsize="small")
    return ax


def _objective_on_grid(
    X: NDArray[np.float64],
    is_positive: NDArray[np.bool_],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    C: float,
    l1_ratio: float,
) -> NDArray[np.float64]:
    """Return the objective of LogisticRegression for two coefficients, shape (len(second), len(first))."""
    from mlcore._native import core

    table, y = np.ascontiguousarray(X), is_positive.astype(np.int32)
    options: dict[str, Any] = {"n_classes": 2, "l2": 0.0, "fit_intercept": False, "n_threads": 1}
    losses = [
        [
            core.linear_model.logistic_value_and_gradient(table, y, None, np.array([[a, b, 0.0]]), **options)[0]
            for a in first
        ]
        for b in second
    ]
    a, b = np.meshgrid(first, second)
    penalty = (1 - l1_ratio) / 2 * (a**2 + b**2) + l1_ratio * (np.abs(a) + np.abs(b))
    return np.array(losses) + penalty / (C * len(y))
