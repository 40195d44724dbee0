"""How training went: one plot for networks, boosting and all that descends a loss."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from mlcore.linear_model._logistic_fit import EXACT_SOLVERS
from mlcore.plotting._axes import new_axes, whole_numbers_on_x

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class _Curves:
    """A quantity that was recorded during training."""

    training: NDArray[np.float64]
    name: str
    unit: str
    """What passes between two entries: "epoch" or "iteration"."""
    first: int = 1
    """Iterations done at the first entry."""
    validation: NDArray[np.float64] | None = None
    best: int | None = None
    """Iterations done at the best entry, if one was looked for."""


def plot_history(source: Any, figure: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw what a training has recorded against the epoch or iteration, with a mark at the best one.

    Parameters
    ----------
    source : Trainer, History or fitted estimator
        Whose training: a network's, or that of any estimator with a ``train_score_`` (boosting) or a ``loss_curve_``
        (logistic regression, word2vec; estimators of other libraries too).
    figure : str or None, default=None
        What to draw of a network's history: "loss", a metric, "learning_rate", "gradient_norm". None: the loss. Of
        others there is one record: the loss, or the score that boosting was told to watch (`scoring`). A
        ``train_score_`` of losses is drawn with its sign changed, so that it falls.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes with a line for training, one for validation if there was any, one for the mark if there is one

    Raises
    ------
    TypeError
        If `source` has no such record.
    KeyError
        If `figure` was not recorded.
    ValueError
        If nothing was recorded.
    """
    curves = _curves(source, figure)
    at = np.arange(curves.first, curves.first + len(curves.training))
    marker = "o" if len(at) == 1 else None
    ax = new_axes(ax)
    ax.plot(at, curves.training, marker=marker, label="training")
    if curves.validation is not None:
        ax.plot(at, curves.validation, marker=marker, label="validation")
    if curves.best is not None and curves.best < at[-1]:
        ax.axvline(curves.best, color="grey", linestyle=":", label=f"best: {curves.best}")
    whole_numbers_on_x(ax)
    ax.set_xlabel(curves.unit)
    ax.set_ylabel(curves.name.replace("_", " "))
    ax.set_title("Training")
    if len(ax.lines) > 1:
        ax.legend()
    return ax


def history_of(source: Any, owner: str) -> Any:
    """Return the History of a network's training, or None if `source` is something else. Raises ValueError if empty."""
    history = getattr(source, "history_", getattr(source, "history", source))
    if not hasattr(history, "gradient_flow"):
        return None
    if len(history) == 0:
        raise ValueError(f"{owner} has nothing to draw: no epoch was done")
    return history


def _curves(source: Any, figure: str | None) -> _Curves:
    if hasattr(source, "get_params"):
        check_is_fitted(source)
    history = history_of(source, "plot_history")
    if history is not None:
        return _of_network(history, "loss" if figure is None else figure)
    name = type(source).__name__
    if hasattr(source, "train_score_"):
        found = _of_boosting(source)
    elif hasattr(source, "loss_curve_"):
        found = _of_descent(source)
    else:
        raise TypeError(
            "plot_history takes a Trainer, its history, or a fitted estimator with a history_, train_score_ or "
            f"loss_curve_, got {name}"
        )
    if figure not in (None, found.name):
        raise KeyError(f"no {figure!r} was recorded by {name}, only {found.name}")
    if len(found.training) == 0:
        raise ValueError(f"plot_history has nothing to draw: this {name} has recorded no {found.name}")
    return found


def _of_network(history: Any, figure: str) -> _Curves:
    validation = f"validation_{figure}"
    return _Curves(
        training=history[figure],
        name=figure,
        unit="epoch",
        validation=history[validation] if validation in history.names() else None,
        best=None if history.best_epoch is None else history.best_epoch + 1,
    )


def _of_boosting(estimator: Any) -> _Curves:
    train, validation = np.asarray(estimator.train_score_), np.asarray(estimator.validation_score_)
    scoring = estimator.scoring
    is_loss = isinstance(scoring, str) and scoring == "loss"
    sign = -1.0 if is_loss else 1.0
    return _Curves(
        training=sign * train,
        name=scoring if isinstance(scoring, str) else "score",
        unit="iteration",
        first=_first(estimator.n_iter_, len(train)),
        validation=sign * validation if len(validation) else None,
        best=int(estimator.n_iter_),
    )


def _of_descent(estimator: Any) -> _Curves:
    curve = np.asarray(estimator.loss_curve_, dtype=np.float64)
    n_iter = np.max(getattr(estimator, "n_iter_", len(curve)))
    is_exact = getattr(estimator, "solver_", None) in EXACT_SOLVERS  # all others go through the rows in epochs
    unit = "iteration" if is_exact else "epoch"
    return _Curves(training=curve, name="loss", unit=unit, first=_first(n_iter, len(curve)))


def _first(n_iter: Any, n_recorded: int) -> int:
    """Iterations done at the first entry: 0 where the start was recorded too, more where recording began later."""
    return max(int(n_iter) + 1 - n_recorded, 0)
