"""How good predictions are: of labels, probabilities, scores, numbers and translations."""

from mlcore.metrics._accuracy import accuracy_score, balanced_accuracy_score, hamming_loss, zero_one_loss
from mlcore.metrics._agreement import cohen_kappa_score, matthews_corrcoef
from mlcore.metrics._bleu import BLEUScore, corpus_bleu, sentence_bleu
from mlcore.metrics._chrf import CHRFScore, corpus_chrf, sentence_chrf
from mlcore.metrics._confusion import class_likelihood_ratios, confusion_matrix, multilabel_confusion_matrix
from mlcore.metrics._precision import (
    f1_score,
    fbeta_score,
    jaccard_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)
from mlcore.metrics._report import classification_report
from mlcore.metrics._translation_bootstrap import BootstrapResult, corpus_bootstrap, paired_bootstrap

__all__ = [
    "BLEUScore",
    "BootstrapResult",
    "CHRFScore",
    "accuracy_score",
    "balanced_accuracy_score",
    "class_likelihood_ratios",
    "classification_report",
    "cohen_kappa_score",
    "confusion_matrix",
    "corpus_bleu",
    "corpus_bootstrap",
    "corpus_chrf",
    "f1_score",
    "fbeta_score",
    "hamming_loss",
    "jaccard_score",
    "matthews_corrcoef",
    "multilabel_confusion_matrix",
    "paired_bootstrap",
    "precision_recall_fscore_support",
    "precision_score",
    "recall_score",
    "sentence_bleu",
    "sentence_chrf",
    "zero_one_loss",
]
