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
def row_loss(
    loss: str,
    y_true: Any,
    values: Any,
    sample_weight: Any,
    known: dict[Any, int] | None = None,
    positive: Any = None,
    exact: bool = True,
) -> tuple[float, float, bool, bool] | None: ...
def error_sum(
    error: str, parameter: float, y_true: Any, y_pred: Any, sample_weight: _Floats | None
) -> tuple[float, float, float, float, bool]: ...
def largest_error(y_true: Any, y_pred: Any) -> float: ...
def variance_sums(
    y_true: Any, y_pred: Any, sample_weight: _Floats | None
) -> tuple[float, float, float, float, float]: ...
def median_error(y_true: Any, y_pred: Any, sample_weight: _Floats | None) -> float: ...
def quantile(values: Any, sample_weight: _Floats | None, level: float) -> float: ...

# Metrics of scores. They return None where labels or scores cannot be read as they are.
def roc_auc(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, max_fpr: float, n_threads: int
) -> tuple[float, float, float, bool] | None: ...
def average_precision(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, n_threads: int
) -> tuple[float, float, float, bool] | None: ...
def ks_statistic(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, n_threads: int
) -> tuple[float, float, float, bool] | None: ...
def roc_curve(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, drop_intermediate: bool, n_threads: int
) -> tuple[Any, ...] | None: ...
def precision_recall_curve(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, drop_intermediate: bool, n_threads: int
) -> tuple[Any, ...] | None: ...
def det_curve(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, drop_intermediate: bool, n_threads: int
) -> tuple[Any, ...] | None: ...
def counts_at_thresholds(
    y_true: Any, y_score: Any, sample_weight: Any, positive: int | None, n_threads: int
) -> tuple[Any, ...] | None: ...
def column_areas(
    metric: str,
    y_true: NDArray[np.uint8],
    y_score: NDArray[Any],
    sample_weight: NDArray[np.float64] | None,
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None: ...
def class_areas(
    metric: str,
    classes: NDArray[np.int32],
    y_score: NDArray[Any],
    sample_weight: NDArray[np.float64] | None,
    probabilities: bool,
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None: ...
def pair_areas(classes: NDArray[np.int32], y_score: NDArray[Any], n_threads: int) -> NDArray[np.float64]: ...
def mean_gain(
    y_true: NDArray[np.float64],
    y_score: NDArray[np.float64],
    discount: NDArray[np.float64],
    ignore_ties: bool,
    normalized: bool,
    sample_weight: NDArray[np.float64] | None,
    n_threads: int,
) -> float: ...
def label_ranking(
    metric: str,
    y_true: NDArray[np.uint8],
    y_score: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
    n_threads: int,
) -> float: ...
def class_places(classes: NDArray[np.int32], y_score: NDArray[np.float64], n_threads: int) -> NDArray[np.int64]: ...
def first_ranks(
    y_true: NDArray[np.uint8], y_score: NDArray[np.float64], ties: str, n_threads: int
) -> NDArray[np.float64]: ...
def probability_bins(
    came_true: NDArray[np.uint8], probability: NDArray[np.float64], inner_edges: NDArray[np.float64], n_threads: int
) -> NDArray[np.float64]: ...
def bootstrap_scores(
    metric: str,
    y_true: NDArray[np.uint8],
    y_score: NDArray[Any],
    sample_weight: NDArray[np.float64] | None,
    n_resamples: int,
    stratified: bool,
    seed: int,
    n_threads: int,
) -> NDArray[np.float64] | None: ...
def bootstrap_cells(
    cells: NDArray[np.uint8],
    n_cells: int,
    sample_weight: NDArray[np.float64] | None,
    strata: NDArray[np.uint8] | None,
    n_resamples: int,
    seed: int,
    n_threads: int,
) -> NDArray[np.float64]: ...
def bootstrap_means(
    values: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
    strata: NDArray[np.uint8] | None,
    n_resamples: int,
    seed: int,
    n_threads: int,
) -> NDArray[np.float64]: ...
def bootstrap_counts(n: int, strata: NDArray[np.uint8] | None, resample: int, seed: int) -> NDArray[np.uint8]: ...

# Indices of clusterings.
def silhouettes(
    X: _Floats, codes: NDArray[np.int32], n_clusters: int, metric: str, rows: NDArray[np.int64] | None = None
) -> _Floats: ...
def silhouettes_of_distances(D: _Floats, first: int, codes: NDArray[np.int32], n_clusters: int) -> _Floats: ...
def calinski_harabasz(X: _Floats, codes: NDArray[np.int32], n_clusters: int) -> float: ...
def davies_bouldin(X: _Floats, codes: NDArray[np.int32], n_clusters: int) -> float: ...

class Contingency:
    @property
    def n_rows(self) -> int: ...
    @property
    def n_classes(self) -> int: ...
    @property
    def n_clusters(self) -> int: ...
    @property
    def homogeneous(self) -> bool: ...
    @property
    def complete(self) -> bool: ...
    @property
    def class_entropy(self) -> float: ...
    @property
    def cluster_entropy(self) -> float: ...
    def cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
    def pairs(self) -> tuple[int, int, int, int]: ...
    def mutual_information(self) -> float: ...
    def expected_mutual_information(self) -> float: ...

def contingency(labels_true: Any, labels_pred: Any) -> Contingency | None: ...
def contingency_of_cells(
    rows: NDArray[np.int64], columns: NDArray[np.int64], counts: NDArray[np.int64]
) -> Contingency: ...
def density_validity(
    X: _Floats, rows: NDArray[np.int64], codes: NDArray[np.int32], n_clusters: int, metric: str | None, d: float | None
) -> _Floats: ...
