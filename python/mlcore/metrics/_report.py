"""The main metrics of every label in one table of text."""

from typing import Any

import numpy as np

from mlcore._warnings import warn
from mlcore.metrics._counting import IndicatorCounts, chosen_labels, count, positions_of
from mlcore.metrics._inputs import invalid
from mlcore.metrics._precision import Selection, columns_of, score_selection

__all__ = ["classification_report"]

_HEADERS = ("precision", "recall", "f1-score", "support")
_WARN_FOR = ("precision", "recall", "f-score")


def classification_report(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    target_names: Any = None,
    sample_weight: Any = None,
    digits: int = 2,
    output_dict: bool = False,
    zero_division: Any = "warn",
) -> str | dict[str, Any]:
    """Precision, recall, F1 and rows of each label, and their averages, as text.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or indicator matrix of shape (n_samples, n_labels)
        Labels and predicted labels.
    labels : array-like of shape (n_labels,), default=None
        Labels to report, in this order; None: all that occur, sorted. Columns of indicator matrices by number.
    target_names : array-like of str of shape (n_labels,), default=None
        Names to print for the labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    digits : int, default=2
        Digits after the point.
    output_dict : bool, default=False
        A dict of dicts of floats instead of text.
    zero_division : {"warn", 0, 1, nan}, default="warn"
        What stands for 0 / 0; "warn" is 0 with a warning; NaN is left out of averages.

    Returns
    -------
    str or dict
        A line a label; then accuracy (the micro average, where not all labels are reported or rows have several), the
        mean over labels and the one weighted by their rows; for indicator matrices the mean over rows too.

    Raises
    ------
    ValueError
        If the targets are no labels, or the number of `target_names` is not that of the labels.
    """
    if not isinstance(digits, int | np.integer) or digits < 0:
        raise invalid("classification_report", "digits", "an int >= 0", digits)
    counts = count(y_true, y_pred, sample_weight, "classification_report")
    several = isinstance(counts, IndicatorCounts)
    named = counts.classes if labels is None else chosen_labels(labels)
    if len(named) == 0:
        raise ValueError("labels names no label to report: give one or more")
    complete = labels is None or set(named.tolist()) >= set(counts.classes.tolist())
    if target_names is None:
        target_names = [f"{label}" for label in named]
    elif len(target_names) != len(named):
        if labels is None:
            raise ValueError(
                f"target_names has {len(target_names)} names, and {len(named)} labels occur: name the labels to report "
                "with labels="
            )
        warn(f"target_names has {len(target_names)} names for {len(named)} labels: what has no partner is left out")
    positions = None
    if labels is not None:
        positions = columns_of(named, counts) if several else positions_of(named, counts.classes)
    selection = Selection(counts, positions)

    def scores(average: str | None) -> list[Any]:
        return list(score_selection(selection, average, 1.0, _WARN_FOR, zero_division, "classification_report")[:3])

    support = selection.support()
    rows = list(zip(target_names, *scores(None), support, strict=False))
    averages = {
        "accuracy" if average == "micro" and complete and not several else f"{average} avg": [
            *scores(average),
            np.sum(support),
        ]
        for average in ("micro", "macro", "weighted", *(("samples",) if several else ()))
    }
    if output_dict:
        report: dict[str, Any] = {
            label: dict(zip(_HEADERS, map(float, figures), strict=True))
            for label, *figures in (*rows, *((k, *v) for k, v in averages.items()))
        }
        if "accuracy" in averages:
            report["accuracy"] = report["accuracy"]["precision"]
        return report
    return _text(target_names, rows, averages, int(digits))


def _text(target_names: Any, rows: list[Any], averages: dict[str, list[Any]], digits: int) -> str:
    width = max(*(len(name) for name in target_names), len("weighted avg"), digits)
    line = "{:>{width}s} " + " {:>9.{digits}f}" * 3 + " {:>9}\n"
    head = "{:>{width}s} " + " {:>9}" * len(_HEADERS)
    text = head.format("", *_HEADERS, width=width) + "\n\n"
    text += "".join(line.format(*row, width=width, digits=digits) for row in rows) + "\n"
    for heading, figures in averages.items():
        if heading == "accuracy":
            blank = "{:>{width}s} " + " {:>9}" * 2 + " {:>9.{digits}f} {:>9}\n"
            text += blank.format(heading, "", "", *figures[2:], width=width, digits=digits)
        else:
            text += line.format(heading, *figures, width=width, digits=digits)
    return text
