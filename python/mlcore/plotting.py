"""Pictures of fitted models. Needs matplotlib, which is imported at the first call."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_outlier_detector
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, check_X_y

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_decision_boundary",
    "plot_embedding",
    "plot_feature_importance",
    "plot_learning_curve",
    "plot_loss",
    "plot_optimizer_paths",
    "plot_regularization_path",
]


def plot_feature_importance(
    estimator: Any,
    ax: "Axes | None" = None,
    *,
    kind: Literal["gain", "split", "cover"] = "gain",
    max_features: int | None = 20,
) -> "Axes":
    """Draw the share of each feature in the splits of all trees, the largest at the top.

    Parameters
    ----------
    estimator : GBDTClassifier or GBDTRegressor
        A fitted model.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    kind : {"gain", "split", "cover"}, default="gain"
        What is counted, see :meth:`~mlcore.boosting.GBDTClassifier.importance`.
    max_features : int or None, default=20
        Show only so many, the most important ones; None: all.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If the estimator has no importances.
    ImportError
        If matplotlib is not installed.
    """
    check_is_fitted(estimator)
    if not hasattr(estimator, "importance"):
        raise TypeError(f"plot_feature_importance takes a boosting model, got {type(estimator).__name__}")
    importance = estimator.importance(kind)
    share = importance / max(importance.sum(), np.finfo(np.float64).tiny)
    names = getattr(estimator, "feature_names_in_", None)
    labels = [f"feature {j}" for j in range(len(share))] if names is None else [str(name) for name in names]
    shown = np.argsort(-share, kind="stable")[:max_features][::-1]

    ax = _axes(ax)
    bars = ax.barh([labels[j] for j in shown], share[shown])
    ax.bar_label(bars, fmt="{:.1%}", padding=3, fontsize="small")
    ax.margins(x=0.15)
    ax.set_xlabel(f"share of the {kind} of all splits")
    left_out = len(share) - len(shown)
    ax.set_title("Feature importance" + (f" ({left_out} more features not shown)" if left_out else ""))
    return ax


def plot_learning_curve(estimator: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw training and validation loss (or score) against the iteration, with a mark at the iteration kept.

    Parameters
    ----------
    estimator : GBDTClassifier or GBDTRegressor
        A fitted model.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the model has recorded no scores, as with a loss of one's own and no scorer.
    ImportError
        If matplotlib is not installed.
    """
    check_is_fitted(estimator)
    train, validation = estimator.train_score_, estimator.validation_score_
    if len(train) == 0:
        raise ValueError(f"this {type(estimator).__name__} has recorded no scores: set scoring to a scorer")
    is_loss = isinstance(estimator.scoring, str) and estimator.scoring == "loss"
    sign = -1.0 if is_loss else 1.0
    first = estimator.n_iter_ + 1 - len(train) if len(train) <= estimator.n_iter_ else 0
    iterations = np.arange(first, first + len(train))

    ax = _axes(ax)
    ax.plot(iterations, sign * train, label="training")
    if len(validation):
        ax.plot(iterations, sign * validation, label="validation")
    if estimator.n_iter_ < iterations[-1]:
        ax.axvline(estimator.n_iter_, color="grey", linestyle=":", label=f"kept: {estimator.n_iter_}")
    ax.set_xlabel("iteration")
    ax.set_ylabel("loss" if is_loss else str(estimator.scoring) if isinstance(estimator.scoring, str) else "score")
    ax.set_title("Learning curve")
    ax.legend()
    return ax


def plot_loss(estimator: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the training loss against the epoch.

    Parameters
    ----------
    estimator : Word2Vec
        A fitted model, or any other that records one loss an epoch in ``loss_curve_``.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If the estimator records no losses.
    ValueError
        If it has recorded none.
    ImportError
        If matplotlib is not installed.
    """
    check_is_fitted(estimator)
    losses = getattr(estimator, "loss_curve_", None)
    if losses is None:
        raise TypeError(f"plot_loss takes a model with a loss_curve_, got {type(estimator).__name__}")
    if len(losses) == 0:
        raise ValueError(f"this {type(estimator).__name__} has recorded no losses: it was trained for no epoch")
    ax = _axes(ax)
    from matplotlib.ticker import MaxNLocator

    ax.plot(np.arange(1, len(losses) + 1), losses, marker="o")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("mean loss")
    ax.set_title("Training loss")
    return ax


def plot_embedding(
    embedding: Any,
    words: Iterable[str] | None = None,
    ax: "Axes | None" = None,
    *,
    groups: Mapping[str, Iterable[str]] | None = None,
    annotate: bool = True,
) -> "Axes":
    """Draw words as points of the plane that shows most of how their vectors differ.

    Vectors are scaled to length 1, so that distances follow the cosine similarity, and projected on the first two
    principal components of the words shown (not of the whole vocabulary).

    Parameters
    ----------
    embedding : Word2Vec, KeyedVectors or tuple of (words, vectors)
        Where the vectors are; in a tuple, vectors have shape (n_words, vector_size).
    words : iterable of str or None, default=None
        Words to show. None: those of `groups`, or without groups the 50 most frequent.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    groups : mapping of str to iterable of str, or None, default=None
        Names of groups and their words, each word in one of them: each group has a colour and a line in the legend.
        Shown words of no group are grey.
    annotate : bool, default=True
        Write the words beside their points.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    KeyError
        If a word has no vector.
    ValueError
        If there are fewer than two words to show, a word is in two groups, words and vectors of a tuple do not match,
        one of its words stands twice, or its vectors are not finite.
    TypeError
        If `embedding` or `groups` is none of the above.
    ImportError
        If matplotlib is not installed.
    """
    known, vectors, counts = _words_and_vectors(embedding)
    rows = {word: row for row, word in enumerate(known)}
    group_of = _group_of(groups)
    if words is None:
        words = group_of or [known[row] for row in np.argsort(-counts, kind="stable")[:50]]
    elif isinstance(words, str):
        raise TypeError(f"words of plot_embedding must be an iterable of words, got the string {words!r}")
    shown = list(dict.fromkeys(words))
    if missing := [word for word in shown if word not in rows]:
        raise KeyError(f"no vector for {', '.join(map(repr, missing))}")
    if len(shown) < 2:
        raise ValueError(f"plot_embedding needs at least two words to show, got {len(shown)}")
    points, shares = _plane(vectors[[rows[word] for word in shown]])

    ax = _axes(ax)
    names = [group_of.get(word) for word in shown]
    for name in dict.fromkeys(names):
        members = [i for i, other in enumerate(names) if other == name]
        colour = "grey" if groups and name is None else None
        ax.scatter(points[members, 0], points[members, 1], s=18, color=colour, label=name)
    ax.margins(0.1)
    if annotate:
        _label(ax, shown, points)
    if any(name is not None for name in names):
        for text in ax.legend().get_texts():
            text.set_parse_math(False)
    ax.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
    ax.set_ylabel(f"second component ({shares[1]:.0%})")
    ax.set_title(f"{len(shown)} words of {len(known):,}")
    return ax


def _label(ax: "Axes", words: list[str], points: NDArray[np.float64]) -> None:
    """Write each word on that side of its point where it covers least of the points and of the words before it."""
    ax.autoscale_view()
    places = ax.transData.transform(points) * 72 / ax.figure.dpi
    gap, height, width = 3, 10, 5  # of a mark, a line and a letter; all in typographic points, 72 an inch
    taken = np.vstack([places.T - gap, places.T + gap])  # left, bottom, right, top of all that is there already
    sides = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)])
    for word, point, place in zip(words, points, places, strict=True):
        extent = np.array([width * len(word), height])
        lower = (place + gap * sides + extent * (sides - 1) / 2)[:, :, None]
        common = np.minimum(lower + extent[:, None], taken[2:]) - np.maximum(lower, taken[:2])
        covered = common.clip(min=0).prod(axis=1).sum(axis=1)
        best = int(np.argmin(covered))
        taken = np.column_stack([taken, [*lower[best, :, 0], *(lower[best, :, 0] + extent)]])
        right, up = sides[best]
        ax.annotate(
            word,
            point,
            xytext=(gap * right, gap * up),
            textcoords="offset points",
            horizontalalignment=("center", "left", "right")[right],
            verticalalignment=("center", "bottom", "top")[up],
            fontsize="small",
            parse_math=False,  # a dollar is a letter
        )


def _group_of(groups: Mapping[str, Iterable[str]] | None) -> dict[str, str]:
    """Return the group of each word that is in one."""
    if not isinstance(groups, Mapping | None):
        raise TypeError(
            f"groups of plot_embedding must be a mapping of names to iterables of words, got {type(groups).__name__}"
        )
    group_of: dict[str, str] = {}
    for name, members in (groups or {}).items():
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise TypeError(
                "groups of plot_embedding must be a mapping of names to iterables of words, got "
                f"{members!r} as group {name!r}"
            )
        for word in members:
            if group_of.setdefault(word, name) != name:
                raise ValueError(f"groups of plot_embedding have {word!r} twice, in {group_of[word]!r} and {name!r}")
    return group_of


def _words_and_vectors(embedding: Any) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """Return words, vectors (n_words, vector_size), and counts to rank the words by."""
    if isinstance(embedding, tuple) and len(embedding) == 2:
        words, vectors = list(embedding[0]), np.asarray(embedding[1], dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(words):
            raise ValueError(f"{len(words)} words need vectors of shape ({len(words)}, d), got {vectors.shape}")
        word, n_times = max(Counter(words).items(), key=lambda item: item[1], default=("", 0))
        if n_times > 1:
            raise ValueError(f"words of plot_embedding must be unique, but {word!r} stands there {n_times} times")
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if bad.size:
            raise ValueError(
                f"vectors of plot_embedding must be finite, but that of {words[bad[0]]!r} has NaN or infinity"
            )
        return words, vectors, np.zeros(len(words))
    if hasattr(embedding, "partial_fit"):
        check_is_fitted(embedding)
        embedding = getattr(embedding, "keyed_vectors_", embedding)
    if not (hasattr(embedding, "index_to_key") and hasattr(embedding, "vectors")):
        raise TypeError(
            f"plot_embedding takes a Word2Vec, KeyedVectors or a tuple (words, vectors), got {type(embedding).__name__}"
        )
    counts = getattr(embedding, "counts", None)
    return embedding.index_to_key, embedding.vectors, np.zeros(len(embedding.vectors)) if counts is None else counts


def _plane(vectors: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two principal coordinates (n, 2) of unit vectors, and the shares of the variance along them."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0).astype(np.float64)
    unit = np.divide(vectors, largest, out=np.zeros(vectors.shape), where=largest > 0)  # squares are in range now
    unit = np.divide(unit, np.linalg.norm(unit, axis=1, keepdims=True), out=unit, where=largest > 0)
    if unit.shape[1] == 1:
        unit = np.column_stack([unit, np.zeros(len(unit))])
    if (unit == unit[0]).all():
        return np.zeros((len(unit), 2)), np.zeros(2)
    pca = PCA(n_components=2, svd_solver="full").fit(unit)
    return pca.transform(unit), pca.explained_variance_ratio_


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
        So many coefficients, those of the largest mean size over the path, have a colour and a name. The rest is grey.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `path` is none of the above.
    ValueError
        If shapes do not fit, there are fewer than two strengths, or one is not a finite number > 0.
    ImportError
        If matplotlib is not installed.
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

    ax = _axes(ax)
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
        for text in ax.legend(fontsize="small").get_texts():
            text.set_parse_math(False)
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
                f"{len(grid)} rising strengths are taken for values of C, with coefficients of shape "
                f"({len(grid)}, n_outputs, n_features + 1) as logistic_path returns them, got {coefs.shape}"
            )
        return "C", grid, coefs[:, _checked_output(output, coefs.shape[1]), :-1]
    if coefs.ndim not in (2, 3) or coefs.shape[-1] != len(grid):
        raise ValueError(
            f"{len(grid)} falling strengths are taken for values of alpha, with coefficients of shape "
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
    """Draw the way of each optimizer over the objective of a logistic regression with two coefficients.

    The objective is that of :class:`~mlcore.linear_model.LogisticRegression` without an intercept, drawn as level lines
    around its minimum. The marks on a way are where the optimizer stands after each epoch (exact solvers: after each
    iteration), and the legend tells how far above the minimum its last one lies.

    Parameters
    ----------
    X : array of shape (n_samples, 2)
        Training rows. Centre them: there is no intercept.
    y : array of shape (n_samples,)
        Labels of two classes.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    solvers : iterable of str
        Solvers of LogisticRegression; all classical optimizers by default.
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
    matplotlib Axes

    Raises
    ------
    ValueError
        If `X` has not two columns, `y` not two classes, there is no solver, or `max_iter` is below 1.
    ImportError
        If matplotlib is not installed.
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

    def stand(solver: str, n_epochs: int) -> tuple[NDArray[np.float64], float]:
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
        stands = {solver: [stand(solver, epoch) for epoch in range(1, max_iter + 1)] for solver in solvers}
    target, least = best.coef_[0], float(best.loss_curve_[-1])
    ways = {solver: np.array([start, *(point for point, _ in found)]) for solver, found in stands.items()}

    ax = _axes(ax)
    everything = np.vstack([target, *ways.values()])
    middle, reach = (everything.max(axis=0) + everything.min(axis=0)) / 2, np.ptp(everything, axis=0)
    reach = 0.6 * np.maximum(reach, max(0.1 * reach.max(), 1e-3))
    first, second = (np.linspace(middle[j] - reach[j], middle[j] + reach[j], 80) for j in range(2))
    heights = _objective_on_grid(X, y == best.classes_[1], first, second, C, l1_ratio) - least
    levels = heights.max() * np.geomspace(1e-4, 1, 13)
    ax.contour(first, second, heights, levels=levels, colors="grey", linewidths=0.5)
    for solver, way in ways.items():
        label = f"{solver}: {max(stands[solver][-1][1] - least, 0.0):.1e} above"
        ax.plot(way[:, 0], way[:, 1], marker="o", markersize=3, linewidth=1, label=label)
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


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: pip install matplotlib") from error
    return plt.subplots(layout="constrained")[1]


def plot_decision_boundary(
    estimator: Any,
    X: Any,
    y: Any = None,
    ax: "Axes | None" = None,
    *,
    margins: bool = True,
    resolution: int = 200,
) -> "Axes":
    """Draw the regions of a classifier with two features, its border and margins, rows and support vectors.

    With two classes and a ``decision_function``, lines are drawn where it is 0 (solid) and, with `margins`, where it is
    -1 and 1 (dashed): the border and the margins of a support vector machine. With more classes, lines separate the
    regions. An outlier detector has an inside and an outside.

    Parameters
    ----------
    estimator : classifier or outlier detector
        A fitted one of two features; of any library, also a Pipeline or a grid search around it.
    X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, 2)
        Rows to show; they set the limits of the picture. Names of columns become names of axes.
    y : array of shape (n_samples,), default=None
        Labels, which give points their colours (of an outlier detector: 1 inside, -1 outside). None: points are grey.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.
    margins : bool, default=True
        Draw the margins of a classifier with two classes.
    resolution : int, default=200
        Points along each axis at which the estimator is asked, >= 2.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If the estimator is no classifier and no outlier detector.
    ValueError
        If X is not finite or does not have two columns, the estimator has not learnt from two features, y does not
        belong to X, or has labels that the estimator does not know.
    ImportError
        If matplotlib is not installed.

    Notes
    -----
    Support vectors are ringed where the estimator has ``support_vectors_``. Behind the steps of a pipeline they are
    found among the rows of X, by ``support_``: they are ringed if X is what the pipeline was fitted to.
    """
    check_is_fitted(estimator)
    name = type(estimator).__name__
    is_detector = is_outlier_detector(estimator)
    if not (is_detector or is_classifier(estimator)):
        raise TypeError(f"plot_decision_boundary takes a classifier or an outlier detector, got {name}")
    points, columns = _two_columns(X, estimator)
    if resolution < 2:
        raise ValueError(f"resolution of plot_decision_boundary must be at least 2, got {resolution}")
    if not is_detector and np.ndim(estimator.classes_[0]) > 0:
        raise ValueError(f"plot_decision_boundary draws one output, and this {name} has several")
    classes = np.array([-1, 1]) if is_detector else np.asarray(estimator.classes_)
    codes = None if y is None else _codes(y, classes, len(points))

    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, 0.1 * (high - low), 0.5)
    across, up = np.linspace(low - room, high + room, resolution).T
    grid = np.column_stack([side.ravel() for side in np.meshgrid(across, up)])
    asked = type(X)(dict(zip(X.columns, grid.T, strict=True))) if hasattr(X, "columns") else grid
    regions = np.searchsorted(classes, estimator.predict(asked)).reshape(resolution, resolution)
    has_values = (is_detector or len(classes) == 2) and hasattr(estimator, "decision_function")

    ax = _axes(ax)
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    palette = mpl.colormaps["tab10" if len(classes) <= 10 else "turbo"]
    colours = [palette(c if len(classes) <= 10 else c / (len(classes) - 1)) for c in range(len(classes))]
    paint: dict[str, Any] = {"cmap": ListedColormap(colours), "vmin": -0.5, "vmax": len(classes) - 0.5, "alpha": 0.25}
    ax.pcolormesh(across, up, regions, shading="nearest", rasterized=True, **paint)
    if has_values:
        values = np.asarray(estimator.decision_function(asked), dtype=np.float64).reshape(regions.shape)
        lines = {-1.0: "dashed", 0.0: "solid", 1.0: "dashed"} if margins and not is_detector else {0.0: "solid"}
        lines = {level: style for level, style in lines.items() if values.min() < level < values.max()}
        if lines:
            ax.contour(across, up, values, list(lines), colors="black", linestyles=list(lines.values()), linewidths=1)
    else:
        for c in np.unique(regions)[1:]:
            ax.contour(across, up, regions == c, [0.5], colors="black", linewidths=1)

    labels = ["outside", "inside"] if is_detector else [str(label) for label in classes]
    if codes is None:
        ax.scatter(points[:, 0], points[:, 1], s=12, color="grey")
    else:
        for c in np.unique(codes):
            members = points[codes == c]
            ax.scatter(members[:, 0], members[:, 1], s=12, color=colours[c], label=labels[c])
    vectors = _support_vectors(estimator, X, points)
    if vectors is not None:
        text = f"{len(vectors):,} support vectors"
        ax.scatter(
            vectors[:, 0], vectors[:, 1], s=50, facecolors="none", edgecolors="black", linewidths=0.6, label=text
        )
    if codes is not None or vectors is not None:
        for entry in ax.legend(fontsize="small").get_texts():
            entry.set_parse_math(False)
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])
    ax.set_xlabel(columns[0], parse_math=False)
    ax.set_ylabel(columns[1], parse_math=False)
    ax.set_title(type(_innermost(estimator)).__name__)
    return ax


def _two_columns(X: Any, estimator: Any) -> tuple[NDArray[np.float64], list[str]]:
    """Return X as an array of shape (n_samples, 2), and names for its columns."""
    points = _dense(X)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(
            f"X of plot_decision_boundary must have rows and 2 columns, got shape {points.shape}: fit the estimator to "
            "two features, or to the two first components of PCA"
        )
    try:
        points = points.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X of plot_decision_boundary must have numbers only: {error}") from error
    if not np.isfinite(points).all():
        raise ValueError("X of plot_decision_boundary must be finite, but it has NaN or infinity")
    n_features = getattr(estimator, "n_features_in_", 2)
    if n_features != 2:
        name = type(estimator).__name__
        raise ValueError(f"plot_decision_boundary draws two features, and this {name} has learnt from {n_features}")
    names = X.columns if hasattr(X, "columns") else getattr(estimator, "feature_names_in_", ["feature 0", "feature 1"])
    return points, [str(name) for name in names]


def _dense(X: Any) -> NDArray[Any]:
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X)


def _codes(y: Any, classes: NDArray[Any], n_rows: int) -> NDArray[np.intp]:
    """Return the position of each label in `classes`."""
    labels = np.asarray(y)
    if labels.shape != (n_rows,):
        raise ValueError(f"y of plot_decision_boundary must have shape ({n_rows},), as X has rows, got {labels.shape}")
    unknown = sorted({str(label) for label in labels[~np.isin(labels, classes)]})
    if unknown:
        raise ValueError(
            f"y of plot_decision_boundary has labels that the estimator does not know: {', '.join(unknown[:5])}"
            f"{', ...' if len(unknown) > 5 else ''}; it knows {', '.join(str(label) for label in classes)}"
        )
    return np.searchsorted(classes, labels)


def _innermost(estimator: Any) -> Any:
    """Return what a grid search has found, and of a pipeline the last step."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _support_vectors(estimator: Any, X: Any, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the support vectors as rows like those of X; None if there are none, or they are not found."""
    model = getattr(estimator, "best_estimator_", estimator)
    last = _innermost(model)
    vectors = getattr(last, "support_vectors_", None)
    if vectors is None:
        return None
    vectors = _dense(vectors).astype(np.float64)
    if model is last:
        return vectors
    support = getattr(last, "support_", None)
    if support is None or len(support) == 0 or max(support) >= len(points):
        return None
    seen = _dense(model[:-1].transform(X))[support].astype(np.float64)
    return points[support] if seen.shape == vectors.shape and np.allclose(seen, vectors) else None
