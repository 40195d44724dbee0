"""The decision of a classifier over two features."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_outlier_detector
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from mlcore.plotting._axes import new_axes, plain_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        Rows to show; they set the limits of the axes. Names of columns become names of axes.
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
    matplotlib Axes with the regions, their borders, the rows and the support vectors

    Raises
    ------
    TypeError
        If the estimator is no classifier and no outlier detector.
    ValueError
        If X is not finite or does not have two columns, the estimator has not learnt from two features, y does not
        belong to X, or has labels that the estimator does not know.

    Notes
    -----
    Support vectors are ringed where the estimator has ``support_vectors_``. After the steps of a pipeline they are
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

    ax = new_axes(ax)
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
        plain_legend(ax, fontsize="small")
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
