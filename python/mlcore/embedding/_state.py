"""Checks of a Word2Vec that comes from a file: the core relies on arrays that fit together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlcore._native import core


def check_arrays(state: Mapping[str, Any]) -> None:
    """Raise ValueError unless the fitted arrays and `words_` are those of one model."""
    n_words = n_outputs = len(state["words_"])
    vectors, counts = state["vectors_"], state["word_counts_"]
    if "tree_leaves_" in state:
        core.embedding.check_tree(state["tree_leaves_"], state["tree_inner_"])
        n_outputs -= 1
        if len(state["tree_leaves_"]) != n_words:
            raise ValueError(f"tree_leaves_ has {len(state['tree_leaves_'])} entries for {n_words} words")
    for name, dtype, shape in (
        ("word_counts_", np.int64, (n_words,)),
        ("vectors_", np.float32, (n_words, *vectors.shape[1:2])),
        ("context_vectors_", np.float32, (n_outputs, *vectors.shape[1:2])),
    ):
        array = state[name]
        if array.dtype != dtype or array.shape != shape or vectors.ndim != 2:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected {dtype.__name__} of {shape}")
    if n_words < 2 or counts.min() < 1:
        raise ValueError("words_ must be two at least, each of them counted")
