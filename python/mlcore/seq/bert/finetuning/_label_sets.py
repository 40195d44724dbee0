"""Several labels of a text: indicators, and collections of labels."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mlcore._validation import encode_labels, known_codes, read_labels
from mlcore.text._documents import parts

Indicator = NDArray[np.float32]


def holds_sets(y: Any) -> bool:
    """Whether targets are an indicator of several columns, or hold a collection of several labels, or of none."""
    shape: Any = getattr(y, "shape", ())
    if len(shape) == 2:
        return bool(shape[1] > 1)
    is_column = isinstance(y, list | tuple) or getattr(getattr(y, "dtype", None), "kind", "") == "O"
    return is_column and any(isinstance(labels, list | tuple | set | frozenset) and len(labels) != 1 for labels in y)


def read_label_sets(y: Any, owner: str, name: str, known: NDArray[Any] | None) -> tuple[NDArray[Any], Indicator, bool]:
    """Return the labels that there are, which of them each text has, and whether they came as an indicator.

    Parameters
    ----------
    y : array, frame or sparse matrix (n_samples, n_labels) of 0 and 1, or column of collections of labels
        A list is a column of collections, whatever is in it. The labels of a frame are the names of its columns, those
        of an array 0, 1, ...
    owner, name : str
        Who asks, and what the user knows `y` as, for messages.
    known : array of shape (n_classes,) or None
        The labels of a fitted model; None: they are found.

    Returns
    -------
    classes : array of shape (n_classes,)
        Sorted.
    target : float32 array of shape (n_samples, n_classes)
        1 where a text has a label.
    is_indicator : bool

    Raises
    ------
    ValueError
        If entries are missing, an indicator holds other numbers, there are fewer than two labels, or one that is not
        among the known.
    TypeError
        If `y` holds no collections, or labels of several types.
    """
    if sp.issparse(y) or hasattr(y, "columns") or getattr(y, "ndim", 1) == 2:
        return (*_read_indicator(y, owner, name, known), True)
    sets = read_sets(y, owner, name)
    rows = np.repeat(np.arange(len(sets)), [len(labels) for labels in sets])
    flat = [label for labels in sets for label in labels]
    if flat:
        labels = read_labels(flat, owner, name)
        if labels.dtype.kind == "U":
            labels = np.array(flat, dtype=object)
        classes, codes = (
            (known, known_codes(labels, known, name)) if known is not None else encode_labels(labels, owner)
        )
    elif known is None:
        raise ValueError(f"{name} of {owner} must hold at least 2 labels, got none")
    else:
        classes, codes = known, np.empty(0, np.int32)
    target = np.zeros((len(sets), len(classes)), np.float32)
    target[rows, codes] = 1
    return classes, target, False


def read_sets(y: Any, owner: str, name: str) -> list[list[Any]]:
    """Return the labels of each text. Raises TypeError if `y` is no column of collections."""
    if isinstance(y, str | bytes) or not isinstance(y, Iterable):
        raise TypeError(f"{name} of {owner} must be an indicator or hold collections of labels, got a {_kind(y)}")
    sets = [item for part in parts(y) for item in part]
    for i, labels in enumerate(sets):
        if isinstance(labels, str | bytes | dict) or not isinstance(labels, Iterable):
            raise TypeError(
                f"{name} of {owner} with multilabel=True must hold collections: entry {i} is a {_kind(labels)}"
            )
    return [list(labels) for labels in sets]


def _read_indicator(y: Any, owner: str, name: str, known: NDArray[Any] | None) -> tuple[NDArray[Any], Indicator]:
    names = [str(column) for column in y.columns] if hasattr(y, "columns") else None
    try:
        dense: Any = y.toarray() if sp.issparse(y) else y  # type: ignore[attr-defined]
        values = np.asarray(dense, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} of {owner} must hold 0 and 1 where it is an indicator: {error}") from error
    if not np.isin(values, (0, 1)).all():
        what = "NaN" if np.isnan(values).any() else "other numbers"
        raise ValueError(f"{name} of {owner} must hold 0 and 1 where it is an indicator, got {what}")
    if values.shape[1] < 2:
        raise ValueError(f"{name} of {owner} must hold at least 2 labels, got {values.shape[1]}")
    classes = np.arange(values.shape[1]) if names is None else np.array(names, dtype=object)
    order = np.argsort(classes, kind="stable")
    if len(set(classes.tolist())) < len(classes):
        raise ValueError(f"the columns of {name} of {owner} must have different names, got {names!r:.200}")
    if known is not None:
        if len(known) != len(classes) or (names is not None and known.tolist() != classes[order].tolist()):
            raise ValueError(
                f"{name} of {owner} must have a column for each of {known.tolist()}, got {classes.tolist()}"
            )
        return known, values[:, order].astype(np.float32)
    return classes[order], values[:, order].astype(np.float32)


def _kind(value: Any) -> str:
    return type(value).__name__
