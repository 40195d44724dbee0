"""How good predictions are: of labels, probabilities, scores, numbers and translations."""

from mlcore.metrics._accuracy import accuracy_score, balanced_accuracy_score, hamming_loss, zero_one_loss
from mlcore.metrics._agreement import cohen_kappa_score, matthews_corrcoef
from mlcore.metrics._bleu import BLEUScore, corpus_bleu, sentence_bleu
from mlcore.metrics._chrf import CHRFScore, corpus_chrf, sentence_chrf
from mlcore.metrics._confusion import class_likelihood_ratios, confusion_matrix, multilabel_confusion_matrix
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
from mlcore.metrics._precision import (
    f1_score,
    fbeta_score,
    jaccard_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)
from mlcore.metrics._probabilities import (
    brier_score_loss,
    d2_brier_score,
    d2_log_loss_score,
    hinge_loss,
    log_loss,
)
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
from mlcore.metrics._translation_bootstrap import BootstrapResult, corpus_bootstrap, paired_bootstrap

__all__ = [
    "BLEUScore",
    "BootstrapResult",
    "CHRFScore",
    "accuracy_score",
    "balanced_accuracy_score",
    "brier_score_loss",
    "class_likelihood_ratios",
    "classification_report",
    "cohen_kappa_score",
    "confusion_matrix",
    "corpus_bleu",
    "corpus_bootstrap",
    "corpus_chrf",
    "d2_absolute_error_score",
    "d2_brier_score",
    "d2_log_loss_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "explained_variance_score",
    "f1_score",
    "fbeta_score",
    "hamming_loss",
    "hinge_loss",
    "jaccard_score",
    "log_loss",
    "matthews_corrcoef",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_squared_error",
    "mean_squared_log_error",
    "mean_tweedie_deviance",
    "median_absolute_error",
    "multilabel_confusion_matrix",
    "paired_bootstrap",
    "precision_recall_fscore_support",
    "precision_score",
    "r2_score",
    "recall_score",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
    "sentence_bleu",
    "sentence_chrf",
    "zero_one_loss",
]
