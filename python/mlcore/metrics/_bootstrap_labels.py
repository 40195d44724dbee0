"""The bootstrap of metrics of predicted labels: of resampled counts, not of resampled rows.

Rows with the same label, the same prediction and the same weight cannot be told apart by such a metric. How often each
kind of row is in a resample of n rows is multinomial, with the shares of the kinds as probabilities, so that a resample
of a million rows of ten classes costs a hundred draws and a metric of a hundred rows with weights.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.metrics import _rates
from mlcore.metrics._inputs import Floats, plain_column, positive_label, read_labels
from mlcore.metrics._scorers import Score, scores

__all__ = ["are_predictions", "named_score", "resample_labels"]

Counts = NDArray[np.int64]


def named_score(name: Any) -> Score | None:
    """Return the metric of predictions, labels or numbers, that is a scorer by this name; None if there is none."""
    score = scores().get(name) if isinstance(name, str) else None
    return score if score is not None and score.response == "predict" else None


def are_predictions(name: str, y_true: Any, y_score: Any, pos_label: Any) -> bool:
    """Whether `y_score` holds predicted labels, and no scores that a threshold makes decisions of.

    Labels 0 and 1 that are predicted are both, and the metric is the same either way.
    """
    if name not in _rates.METRICS:
        return True
    if named_score(name) is None:
        return False
    predicted = np.asarray(plain_column(y_score))
    if predicted.dtype.kind in "OUST" and any(isinstance(label, str) for label in predicted.ravel()[:1]):
        return True
    classes = read_labels(y_true, "y_true").classes
    if classes.dtype.kind in "OUS" or set(classes.tolist()) <= {0, 1} or set(classes.tolist()) <= {-1, 1}:
        return False
    return pos_label is None or bool(np.isin(predicted, classes).all())


def resample_labels(
    score: Score,
    y_true: Any,
    y_pred: Any,
    weight: Floats | None,
    n_resamples: int,
    seed: int,
    stratified: bool,
    pos_label: Any,
) -> tuple[float, Floats]:
    """Return a metric of labels, and that of each resample of the rows.

    A label that a resample lacks is left out of its averages over labels, as in a call on its rows.

    Raises
    ------
    ValueError
        If `y_true` and `y_pred` are no columns of labels, or the metric cannot be computed from them.
    """
    true, predicted = read_labels(y_true, "y_true"), read_labels(y_pred, "y_score")
    options = dict(score.arguments)
    if (true.classes.dtype.kind in "OUS") != (predicted.classes.dtype.kind in "OUS"):
        raise ValueError("labels of y_true and y_score of bootstrap must be of one kind, got strings and numbers")
    names = np.union1d(true.classes, predicted.classes)
    if options.get("average") == "binary":
        if len(names) > 2:
            raise ValueError(
                f"{len(names)} labels occur, and this metric is one of two: take an average over labels, such as "
                "'f1_macro' for 'f1'"
            )
        positive = positive_label(pos_label, names)
        if positive not in names.tolist():
            raise ValueError(f"pos_label={positive!r} is none of the labels of bootstrap, {names.tolist()}")
        options["pos_label"] = names.tolist().index(positive)
    codes = [np.searchsorted(names, side.classes)[side.codes] for side in (true, predicted)]
    kinds, counts = _kinds_of_rows(codes, weight)

    def measure(times: Counts) -> float:
        drawn = times > 0  # a label without a row does not occur
        rows = kinds[:, drawn]
        weights = times[drawn] if weight is None else times[drawn] * rows[2]
        return float(score.metric(*rows[:2].astype(np.int64), sample_weight=weights, **options))

    value = measure(counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of labels that a resample lacks
        strata = kinds[0] if stratified else np.zeros(len(counts))
        samples = np.fromiter(map(measure, _draws(counts, strata, n_resamples, seed)), np.float64, n_resamples)
    return value, samples


def _kinds_of_rows(codes: list[NDArray[np.int64]], weight: Floats | None) -> tuple[Floats, Counts]:
    """Return the distinct rows (label, prediction and weight; a column each), and how many there are of each."""
    if weight is None:
        width = int(codes[1].max()) + 1
        pairs, counts = np.unique(codes[0] * width + codes[1], return_counts=True)
        return np.array(np.divmod(pairs, width), dtype=np.float64), counts
    return np.unique(np.array([*codes, weight], dtype=np.float64), axis=1, return_counts=True)


def _draws(counts: Counts, strata: Floats, n_resamples: int, seed: int) -> Iterator[Counts]:
    """Yield how often each kind of row is in a resample that has as many rows of each stratum as there are."""
    random = np.random.RandomState(np.random.MT19937(seed))  # RandomState, whose draws no version of NumPy changes
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    totals = [int(counts[rows].sum()) for rows in members]
    shares = [counts[rows] / total for rows, total in zip(members, totals, strict=True)]
    for _ in range(n_resamples):
        times = np.empty_like(counts)
        for rows, total, share in zip(members, totals, shares, strict=True):
            times[rows] = random.multinomial(total, share)
        yield times
