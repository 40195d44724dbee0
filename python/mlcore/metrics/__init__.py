"""How good predictions are: of labels, probabilities, scores, numbers and translations."""

from mlcore.metrics._bleu import BLEUScore, corpus_bleu, sentence_bleu
from mlcore.metrics._chrf import CHRFScore, corpus_chrf, sentence_chrf
from mlcore.metrics._translation_bootstrap import BootstrapResult, corpus_bootstrap, paired_bootstrap

__all__ = [
    "BLEUScore",
    "BootstrapResult",
    "CHRFScore",
    "corpus_bleu",
    "corpus_bootstrap",
    "corpus_chrf",
    "paired_bootstrap",
    "sentence_bleu",
    "sentence_chrf",
]
