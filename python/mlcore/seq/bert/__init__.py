"""BERT (Devlin et al., 2019): pre-training, fine-tuning, and weights of Hugging Face's folders.

Networks have the names of `transformers`; estimators, which read texts, are made of them. Rooms, each on those before:
`network` and `tokens`; `_state`, `_start`, `_rates` (what a file holds, where training begins, how fast parts move);
`encoder` (vectors of texts), `pretraining`, `finetuning` (classes and numbers of texts), `spans` (tags, answers).
"""

from mlcore.seq.bert.encoder._encoder import BertEncoder, TokenVectors
from mlcore.seq.bert.encoder._words import FilledMask
from mlcore.seq.bert.finetuning._classifier import BertClassifier
from mlcore.seq.bert.finetuning._regressor import BertRegressor
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._heads import (
    BertForQuestionAnswering,
    BertForQuestionAnsweringOutput,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from mlcore.seq.bert.network._model import BertModel, BertOutput
from mlcore.seq.bert.network._pretraining_heads import (
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForPreTrainingOutput,
)
from mlcore.seq.bert.pretraining._pretrainer import BertPretrainer
from mlcore.seq.bert.spans._answer_spans import AnswerSpan
from mlcore.seq.bert.spans._question_answering import BertQuestionAnswering
from mlcore.seq.bert.spans._tags import EntitySpan
from mlcore.seq.bert.spans._token_classifier import BertTokenClassifier
from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._pieces import BertEncoding, Pieces
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer

__all__ = [
    "AnswerSpan",
    "BertBatch",
    "BertClassifier",
    "BertConfig",
    "BertEncoder",
    "BertEncoding",
    "BertForMaskedLM",
    "BertForNextSentencePrediction",
    "BertForPreTraining",
    "BertForPreTrainingOutput",
    "BertForQuestionAnswering",
    "BertForQuestionAnsweringOutput",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "BertOutput",
    "BertPretrainer",
    "BertQuestionAnswering",
    "BertRegressor",
    "BertTokenClassifier",
    "BertTokenizer",
    "EntitySpan",
    "FilledMask",
    "Pieces",
    "TokenVectors",
]
