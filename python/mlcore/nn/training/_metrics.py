"""Metrics beside the loss: means over batches, and scores of all rows at once."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.metrics._scorers import Score, scores
from mlcore.nn.tensor import ShapeError

Metric = Callable[[Any, Any], Any]
"""Takes output and target of a batch as arrays, returns a mean over its rows, or (mean, what it was taken over)."""


class MetricValue(NamedTuple):
    """A loss or metric of one batch."""

    value: float
    weight: float | None
    """What it is the mean over: rows, targets that count, their weights. None: it is a sum, as are those of all."""


def accuracy(output: NDArray[Any], target: NDArray[Any]) -> MetricValue:
    """Return the share of correct predictions, among those that are not -100 (padding).

    The choice is the largest output along the axis of classes, (n, n_classes) or (n, n_classes, ...) as in
    cross_entropy; where outputs have the shape of the target, output > 0.
    """
    chosen = output.argmax(axis=1) if output.ndim == target.ndim + 1 else (output > 0).astype(target.dtype)
    if chosen.shape != target.shape or (output.ndim > target.ndim and output.shape[1] < 2):
        raise ShapeError(f"accuracy of outputs of shape {output.shape} for a target of shape {target.shape}")
    correct = (chosen == target)[target != -100]
    return MetricValue(float(correct.mean()) if correct.size else 0.0, correct.size)


def mean_absolute_error(output: NDArray[Any], target: NDArray[Any]) -> MetricValue:
    """Return the mean distance of outputs and targets."""
    if output.shape != target.shape:
        raise ShapeError(f"mean_absolute_error of outputs of shape {output.shape}, targets of shape {target.shape}")
    return MetricValue(float(np.abs(output - target).mean(dtype=np.float64)), output.size)


MEANS: dict[str, Metric] = {"accuracy": accuracy, "mean_absolute_error": mean_absolute_error}
"""Metrics that are means over rows, so that those of batches make that of an epoch."""


class ScoreOfAll:
    """A metric of :mod:`mlcore.metrics` that is no mean over rows (AUC, F1, R2): it needs the outputs of all batches.

    Parameters
    ----------
    name : str
        As scikit-learn names scorers: "roc_auc", "f1_macro", "r2".
    """

    def __init__(self, name: str) -> None:
        self.name, self._score = name, scores()[name]

    def __call__(self, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
        """Return the score; that of a loss has its sign changed.

        Parameters
        ----------
        outputs : array of shape (n, n_classes), (n, n_classes, ...) or that of the targets
            Logits as `cross_entropy` takes them, logits of two classes as `binary_cross_entropy_with_logits` does, or
            predictions of numbers.
        targets : array
            Classes (-100: padding, left out), or numbers.
        """
        metric, response, arguments, greater_is_better, _ = self._score
        if outputs.ndim == targets.ndim + 1:
            rows = np.moveaxis(outputs, 1, -1).reshape(-1, outputs.shape[1]), targets.ravel()
            logits, targets = (array[rows[1] != -100] for array in rows)
            predicted = _response_of_classes(logits, response)
            if response != "predict" and logits.shape[1] > 2:
                arguments = {"labels": np.arange(logits.shape[1]), **arguments}
        elif outputs.shape != targets.shape:
            raise ShapeError(f"{self.name} of outputs of shape {outputs.shape} for targets of shape {targets.shape}")
        else:
            outputs, targets = (array.ravel() if array.ndim != 2 else array for array in (outputs, targets))
            predicted = _response_of_pairs(outputs, self._score, is_two_classes=bool(np.isin(targets, (0, 1)).all()))
        value = float(metric(targets, predicted, **arguments))
        return value if greater_is_better else -value


def _response_of_classes(logits: NDArray[Any], response: Any) -> NDArray[Any]:
    """What a classifier with these logits, a column a class, answers."""
    if response == "predict":
        return np.asarray(logits.argmax(axis=1))
    if logits.shape[1] == 2 and response != "predict_proba":
        return np.asarray(logits[:, 1] - logits[:, 0])
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return np.asarray(probabilities[:, 1] if logits.shape[1] == 2 else probabilities)


def _response_of_pairs(outputs: NDArray[Any], score: Score, *, is_two_classes: bool) -> NDArray[Any]:
    """What outputs of the shape of the target say: a logit of each entry, or a number."""
    if score.is_of_numbers:
        return outputs
    if not is_two_classes:
        raise ValueError("outputs of the shape of the target are logits of two classes: targets must be 0 or 1")
    if score.response == "predict":
        return (outputs > 0).astype(np.int8)
    if score.response == "predict_proba":
        return np.asarray(0.5 * (1 + np.tanh(0.5 * outputs.astype(np.float64))))  # the sigmoid, without overflow
    return outputs


def metrics_of(metrics: Any) -> tuple[dict[str, Metric], dict[str, ScoreOfAll]]:
    """Return means over rows and scores of all rows by name: from a dict of functions, or from names."""
    if metrics is None:
        return {}, {}
    if isinstance(metrics, Mapping):
        return dict(metrics), {}
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    of_all = [name for name in scores() if name not in MEANS]
    if unknown := [name for name in names if name not in MEANS and name not in of_all]:
        raise ValueError(
            f"unknown metric {unknown[0]!r}; known are {', '.join([*MEANS, *of_all])}, or pass a dict of functions"
        )
    means = {name: MEANS[name] for name in names if name in MEANS}
    return means, {name: ScoreOfAll(name) for name in names if name not in MEANS}
