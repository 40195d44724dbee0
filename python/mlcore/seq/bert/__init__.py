"""BERT (Devlin et al., 2019): pre-training, fine-tuning, and weights of Hugging Face's folders.

Networks have the names of `transformers`; estimators, which read texts, are made of them.
"""

from mlcore.seq.bert._answer_spans import AnswerSpan
from mlcore.seq.bert._batch import BertBatch
from mlcore.seq.bert._classifier import BertClassifier
from mlcore.seq.bert._config import BertConfig
from mlcore.seq.bert._encoder import BertEncoder, TokenVectors
from mlcore.seq.bert._heads import (
    BertForQuestionAnswering,
    BertForQuestionAnsweringOutput,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from mlcore.seq.bert._model import BertModel, BertOutput
from mlcore.seq.bert._pieces import BertEncoding, Pieces
from mlcore.seq.bert._pretrainer import BertPretrainer
from mlcore.seq.bert._pretraining_heads import (
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForPreTrainingOutput,
)
from mlcore.seq.bert._question_answering import BertQuestionAnswering
from mlcore.seq.bert._regressor import BertRegressor
from mlcore.seq.bert._tags import EntitySpan
from mlcore.seq.bert._token_classifier import BertTokenClassifier
from mlcore.seq.bert._tokenizer import BertTokenizer
from mlcore.seq.bert._words import FilledMask

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
