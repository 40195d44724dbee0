"""Texts and other sequences: Seq2Seq, Transformer, language models and BERT as estimators."""

from mlcore.seq._attention import Attention
from mlcore.seq._language_model import TransformerLM
from mlcore.seq._network import SequenceNetwork
from mlcore.seq._packed import Packed
from mlcore.seq._recurrent_network import RecurrentNetwork
from mlcore.seq._seq2seq import Seq2Seq
from mlcore.seq._transformer import TransformerSeq2Seq
from mlcore.seq._transformer_network import TransformerLMNetwork, TransformerNetwork
from mlcore.seq.bert import (
    BertClassifier,
    BertEncoder,
    BertPretrainer,
    BertQuestionAnswering,
    BertRegressor,
    BertTokenClassifier,
)

__all__ = [
    "Attention",
    "BertClassifier",
    "BertEncoder",
    "BertPretrainer",
    "BertQuestionAnswering",
    "BertRegressor",
    "BertTokenClassifier",
    "Packed",
    "RecurrentNetwork",
    "Seq2Seq",
    "SequenceNetwork",
    "TransformerLM",
    "TransformerLMNetwork",
    "TransformerNetwork",
    "TransformerSeq2Seq",
]
