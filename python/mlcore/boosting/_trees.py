"""Trees as arrays, as files hold them, and as a table for people."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore._state import Array, Spec

if TYPE_CHECKING:
    import pandas as pd


FOREST: Spec = {
    "n_features": Array("i8", (1,), low=1),
    "baseline": Array("f8", ("n_outputs",), is_finite=True),
    "tree_offset": Array("i8", ("n_offsets",), low=0),
    "feature": Array("i4", ("n_nodes",), low=-1),
    "threshold": Array("f8", ("n_nodes",)),
    "left": Array("i4", ("n_nodes",)),
    "right": Array("i4", ("n_nodes",)),
    "default_left": Array("u1", ("n_nodes",)),
    "category_offset": Array("i8", ("n_nodes",)),
    "category_size": Array("i4", ("n_nodes",)),
    "value": Array("f8", ("n_nodes",), is_finite=True),
    "gain": Array("f8", ("n_nodes",)),
    "cover": Array("f8", ("n_nodes",)),
    "count": Array("f8", ("n_nodes",)),
    "category_words": Array("u4", ("n_words",)),
}
"""The arrays of a forest; the core checks that its trees are trees."""


def check_forest(trees: dict[str, NDArray[Any]], categories: list[NDArray[Any] | None]) -> None:
    """Raise ValueError where splits are on features that are not there, or on sets of other categories."""
    if trees["n_features"][0] != len(categories):
        raise ValueError(f"the trees are for {trees['n_features'][0]} features, and there are {len(categories)}")
    is_categorical = (trees["feature"] >= 0) & (trees["category_offset"] >= 0)
    feature, n_words = trees["feature"][is_categorical], trees["category_size"][is_categorical]
    expected = np.array([0 if known is None else (max(len(known), 1) + 31) // 32 for known in categories])
    if feature.max(initial=-1) >= len(categories) or (n_words != expected[feature]).any() or (n_words < 1).any():
        raise ValueError("the trees have splits on other categories than there are")


def to_frame(
    trees: dict[str, NDArray[Any]], categories: list[NDArray[Any] | None], names: NDArray[Any] | None
) -> "pd.DataFrame":
    """Return one row a node; see `trees_to_frame` of the estimators for the columns.

    Parameters
    ----------
    trees : dict of arrays
        The state of a forest.
    categories : list of n_features arrays or None
        Categories of each feature in the order of their codes.
    names : array of shape (n_features,), or None
        Names of the features; None: their numbers are shown.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("trees_to_frame needs pandas: pip install pandas") from error

    offset, n_outputs = trees["tree_offset"], len(trees["baseline"])
    n_nodes = np.diff(offset)
    tree = np.repeat(np.arange(len(n_nodes)), n_nodes)
    node = np.arange(offset[-1]) - offset[tree]
    is_leaf = trees["feature"] < 0
    is_category = ~is_leaf & (trees["category_offset"] >= 0)
    labels = np.arange(len(categories)) if names is None else names
    feature = np.where(is_leaf, None, np.asarray(labels, dtype=object)[trees["feature"]])
    missing = np.where(trees["default_left"] != 0, "left", "right").astype(object)
    missing[is_leaf] = None
    columns: dict[str, Any] = {
        "tree": tree,
        "iteration": tree // n_outputs,
        "output": tree % n_outputs,
        "node": node,
        "depth": _depths(trees),
        "feature": pd.Series(feature, dtype="object"),
        "threshold": np.where(is_leaf | is_category, np.nan, trees["threshold"]),
        "categories": pd.Series(
            [_left_categories(trees, i, categories) if is_category[i] else None for i in range(len(node))],
            dtype="object",
        ),
        "left": np.where(is_leaf, -1, trees["left"]),
        "right": np.where(is_leaf, -1, trees["right"]),
        "missing": pd.Series(missing, dtype="object"),
        "value": trees["value"],
        "gain": np.where(is_leaf, np.nan, trees["gain"]),
        "cover": trees["cover"],
        "count": trees["count"],
    }
    return pd.DataFrame(columns)


def _depths(trees: dict[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Return the distance of each node from its root. Children come after their parent."""
    depth = np.zeros(len(trees["feature"]), dtype=np.intp)
    for begin, end in zip(trees["tree_offset"][:-1], trees["tree_offset"][1:], strict=True):
        for i in range(begin, end):
            if trees["feature"][i] >= 0:
                depth[begin + trees["left"][i]] = depth[begin + trees["right"][i]] = depth[i] + 1
    return depth


def _left_categories(trees: dict[str, NDArray[Any]], i: int, categories: list[NDArray[Any] | None]) -> list[Any]:
    begin = trees["category_offset"][i]
    words = trees["category_words"][begin : begin + trees["category_size"][i]]
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    known = categories[trees["feature"][i]]
    assert known is not None
    return list(known[np.flatnonzero(bits[: len(known)])].tolist())
