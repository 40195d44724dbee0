"""How good predictions are: of labels, probabilities, scores, numbers, clusterings, translations, entities, answers."""

from mlcore.metrics._accuracy import accuracy_score, balanced_accuracy_score, hamming_loss, zero_one_loss
from mlcore.metrics._agreement import cohen_kappa_score, matthews_corrcoef
from mlcore.metrics._answers import SquadScore, squad_score
from mlcore.metrics._bleu import BLEUScore, corpus_bleu, sentence_bleu
from mlcore.metrics._bootstrap import BootstrapInterval, bootstrap
from mlcore.metrics._calibration import calibration_curve, expected_calibration_error
from mlcore.metrics._chrf import CHRFScore, corpus_chrf, sentence_chrf
from mlcore.metrics._confusion import class_likelihood_ratios, confusion_matrix, multilabel_confusion_matrix
from mlcore.metrics._contingency import contingency_matrix
from mlcore.metrics._density import dbcv_score
from mlcore.metrics._deviance import (
    d2_absolute_error_score,
    d2_pinball_score,
    d2_tweedie_score,
    explained_variance_score,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_tweedie_deviance,
    r2_score,
)
from mlcore.metrics._dispersion import calinski_harabasz_score, davies_bouldin_score
from mlcore.metrics._entities import EntityScore, entity_score
from mlcore.metrics._information import (
    adjusted_mutual_info_score,
    completeness_score,
    homogeneity_completeness_v_measure,
    homogeneity_score,
    mutual_info_score,
    normalized_mutual_info_score,
    v_measure_score,
)
from mlcore.metrics._label_ranking import coverage_error, label_ranking_average_precision_score, label_ranking_loss
from mlcore.metrics._ndcg import dcg_score, ndcg_score
from mlcore.metrics._pairs import adjusted_rand_score, fowlkes_mallows_score, pair_confusion_matrix, rand_score
from mlcore.metrics._precision import (
    f1_score,
    fbeta_score,
    jaccard_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)
from mlcore.metrics._precision_recall import average_precision_score, precision_recall_curve
from mlcore.metrics._probabilities import brier_score_loss, d2_brier_score, d2_log_loss_score, hinge_loss, log_loss
from mlcore.metrics._regression import (
    max_error,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_pinball_loss,
    mean_squared_error,
    mean_squared_log_error,
    median_absolute_error,
    root_mean_squared_error,
    root_mean_squared_log_error,
)
from mlcore.metrics._report import classification_report
from mlcore.metrics._roc import auc, confusion_matrix_at_thresholds, det_curve, ks_statistic, roc_curve
from mlcore.metrics._roc_auc import roc_auc_score
from mlcore.metrics._silhouette import (
    SilhouetteEstimate,
    silhouette_estimate,
    silhouette_samples,
    silhouette_score,
)
from mlcore.metrics._thresholds import BestThreshold, ThresholdCurve, threshold_curve
from mlcore.metrics._top_k import hits_at_k, mean_reciprocal_rank, top_k_accuracy_score
from mlcore.metrics._translation_bootstrap import BootstrapResult, corpus_bootstrap, paired_bootstrap

__all__ = [
    "BLEUScore",
    "BestThreshold",
    "BootstrapInterval",
    "BootstrapResult",
    "CHRFScore",
    "EntityScore",
    "SilhouetteEstimate",
    "SquadScore",
    "ThresholdCurve",
    "accuracy_score",
    "adjusted_mutual_info_score",
    "adjusted_rand_score",
    "auc",
    "average_precision_score",
    "balanced_accuracy_score",
    "bootstrap",
    "brier_score_loss",
    "calibration_curve",
    "calinski_harabasz_score",
    "class_likelihood_ratios",
    "classification_report",
    "cohen_kappa_score",
    "completeness_score",
    "confusion_matrix",
    "confusion_matrix_at_thresholds",
    "contingency_matrix",
    "corpus_bleu",
    "corpus_bootstrap",
    "corpus_chrf",
    "coverage_error",
    "d2_absolute_error_score",
    "d2_brier_score",
    "d2_log_loss_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "davies_bouldin_score",
    "dbcv_score",
    "dcg_score",
    "det_curve",
    "entity_score",
    "expected_calibration_error",
    "explained_variance_score",
    "f1_score",
    "fbeta_score",
    "fowlkes_mallows_score",
    "hamming_loss",
    "hinge_loss",
    "hits_at_k",
    "homogeneity_completeness_v_measure",
    "homogeneity_score",
    "jaccard_score",
    "ks_statistic",
    "label_ranking_average_precision_score",
    "label_ranking_loss",
    "log_loss",
    "matthews_corrcoef",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_reciprocal_rank",
    "mean_squared_error",
    "mean_squared_log_error",
    "mean_tweedie_deviance",
    "median_absolute_error",
    "multilabel_confusion_matrix",
    "mutual_info_score",
    "ndcg_score",
    "normalized_mutual_info_score",
    "pair_confusion_matrix",
    "paired_bootstrap",
    "precision_recall_curve",
    "precision_recall_fscore_support",
    "precision_score",
    "r2_score",
    "rand_score",
    "recall_score",
    "roc_auc_score",
    "roc_curve",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
    "sentence_bleu",
    "sentence_chrf",
    "silhouette_estimate",
    "silhouette_samples",
    "silhouette_score",
    "squad_score",
    "threshold_curve",
    "top_k_accuracy_score",
    "v_measure_score",
    "zero_one_loss",
]
