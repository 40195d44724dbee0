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

_Floats = NDArray[np.float64]

class LabelCounts:
    @property
    def n_rows(self) -> int: ...
    @property
    def n_labels(self) -> int: ...
    @property
    def whole(self) -> bool: ...
    @property
    def weighted(self) -> bool: ...
    @property
    def weight_sum(self) -> float: ...
    @property
    def hit_sum(self) -> float: ...
    @property
    def true_sum(self) -> float: ...
    @property
    def classes(self) -> NDArray[Any]: ...
    @property
    def true_sums(self) -> _Floats: ...
    @property
    def predicted_sums(self) -> _Floats: ...
    @property
    def hits(self) -> _Floats: ...
    def occurs(self, position: int) -> bool: ...
    def position(self, label: Any) -> int: ...
    def matrix(self) -> _Floats: ...
    def scores(
        self, positions: int | NDArray[np.int64] | None, average: str | None, beta: float, zero_division: float
    ) -> tuple[Any, Any, Any, Any, int]: ...
    def matthews(self) -> float: ...
    def balanced(self) -> tuple[float, int, int]: ...
    def disagreement(self, weights: str | None) -> tuple[float, float, float]: ...

def count_labels(
    y_true: Any, y_pred: Any, sample_weight: Any, names: NDArray[Any] | None = None
) -> LabelCounts | None: ...
def encode_labels(y: Any) -> tuple[NDArray[Any], NDArray[np.int32]] | None: ...
def scores_of(
    true_sums: _Floats,
    predicted_sums: _Floats,
    hits: _Floats,
    row_weight: _Floats | None,
    average: str | None,
    beta: float,
    zero_division: float,
) -> tuple[Any, Any, Any, Any, int]: ...
def disagreement_of(confusion_matrix: _Floats, weights: str | None) -> tuple[float, float, float]: ...
