# Submodule `metrics` of every _core_<level> extension module: how good predictions are.
from typing import Any

import numpy as np
from numpy.typing import NDArray

def bleu_statistics(
    hypotheses: list[Any],
    references: list[list[Any]],
    tokenize: str,
    lowercase: bool,
    max_ngram_order: int,
    sums: bool,
    n_threads: int,
) -> tuple[Any, int, int, int]: ...
def bleu_score(
    sums: list[int], smooth_method: str, smooth_value: float, effective_order: bool
) -> tuple[float, list[float], float]: ...
def bleu_scores(
    sums: NDArray[np.int64], smooth_method: str, smooth_value: float, effective_order: bool
) -> NDArray[np.float64]: ...
def chrf_statistics(
    hypotheses: list[Any],
    references: list[list[Any]],
    lowercase: bool,
    char_order: int,
    word_order: int,
    beta: float,
    whitespace: bool,
    eps_smoothing: bool,
    sums: bool,
    n_threads: int,
) -> tuple[Any, int, int]: ...
def chrf_scores(
    sums: NDArray[np.int64], char_order: int, word_order: int, beta: float, whitespace: bool, eps_smoothing: bool
) -> NDArray[np.float64]: ...
def bootstrap_sums(
    statistics: NDArray[np.int64],
    n_resamples: int,
    state_high: int,
    state_low: int,
    increment_high: int,
    increment_low: int,
    n_threads: int,
) -> NDArray[np.int64]: ...
