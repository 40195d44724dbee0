"""BERT with the heads of pre-training: masked language model, next sentence prediction, and both."""

from typing import Any, NamedTuple, Unpack

import numpy as np

from mlcore.nn import functional as F
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.layers._norm import LayerNorm
from mlcore.nn.tensor import Tensor
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._inputs import Ints, rows_of
from mlcore.seq.bert.network._layers import new_linear
from mlcore.seq.bert.network._network import IGNORED, BertNetwork, InputOptions, as_labels, labelled_rows


class BertForPreTrainingOutput(NamedTuple):
    """What :class:`BertForPreTraining` returns."""

    prediction_logits: Tensor
    """Of the tokens, (N, V) or (B, T, V)."""

    seq_relationship_logits: Tensor
    """(B, 2): 0 says that the second text follows the first, 1 that it does not."""


# ---- the parts of heads ----


class _Transform(Module):
    """A product with the encoder's activation, and layer norm."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = new_linear(config, config.hidden_size, config.hidden_size, config.activation)
        self.LayerNorm = LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x))  # type: ignore[no-any-return]


class _Decoder(Module):
    """The weight of an output layer that is not tied to the word embeddings."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.weight = new_linear(config, config.hidden_size, config.vocab_size).weight


class _Predictions(Module):
    """The head of the masked language model: a transform, and an output layer with a bias of its own."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.transform = _Transform(config)
        self.bias = Parameter(np.zeros(config.vocab_size, np.float32))
        self.decoder = None if config.tie_word_embeddings else _Decoder(config)


class _PretrainingHeads(Module):
    """The heads of pre-training, under `cls`, where `transformers` has them."""

    def __init__(self, config: BertConfig, *, masked_lm: bool, next_sentence: bool) -> None:
        super().__init__()
        if masked_lm:
            self.predictions = _Predictions(config)
        if next_sentence:
            self.seq_relationship = new_linear(config, config.hidden_size, 2)


class _MaskedLanguageModel(BertNetwork):
    """A network with `cls.predictions`."""

    def output_layer(self) -> tuple[Parameter, Parameter]:
        """Return weight (V, d), that of the word embeddings where it is tied, and bias (V,) of the output layer."""
        predictions = self.cls.predictions
        tied = predictions.decoder is None
        return (self.bert.embeddings.word_embeddings if tied else predictions.decoder).weight, predictions.bias

    def _logits(self, rows: Tensor) -> Tensor:
        return F.linear(self.cls.predictions.transform(rows), *self.output_layer())

    def _masked_loss(self, rows: Tensor, labels: Ints) -> Tensor:
        weight, bias = self.output_layer()
        return F.linear_cross_entropy(self.cls.predictions.transform(rows), weight, labels, bias, ignore_index=IGNORED)


# ---- the networks ----


class BertForPreTraining(_MaskedLanguageModel):
    """Predicts masked tokens, and whether the second text follows the first.

    Parameters
    ----------
    config : BertConfig

    Attributes
    ----------
    bert : BertModel
    cls : Module
        ``predictions`` (its output layer tied to the word embeddings if `config` says so) and ``seq_relationship``.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=True)
        self.cls = _PretrainingHeads(config, masked_lm=True, next_sentence=True)

    def forward(self, input_ids: Any, **options: Unpack[InputOptions]) -> BertForPreTrainingOutput:
        """Return logits of the tokens (N, V) or (B, T, V), and of the two texts (B, 2).

        Parameters and errors are those of :meth:`BertModel.forward`.
        """
        inputs = self._inputs(input_ids, options)
        hidden = self.bert.hidden(inputs)
        pooled = self.bert.pool(rows_of(hidden, inputs.firsts()))
        return BertForPreTrainingOutput(inputs.padded(self._logits(hidden)), self.cls.seq_relationship(pooled))

    def loss(self, input_ids: Any, *, labels: Any, next_sentence_label: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return the mean cross-entropy of the masked tokens plus that of the pairs of texts.

        Parameters
        ----------
        input_ids, **options
            As in :meth:`forward`.
        labels : int array of the shape of `input_ids`
            The token that was there, -100 for tokens that do not count. Without any that count their part is 0.
        next_sentence_label : int array (B,)
            0 where the second text follows the first, 1 where it does not; -100: does not count.
        """
        inputs = self._inputs(input_ids, options)
        classes = inputs.labels("labels", labels)
        masked, firsts = labelled_rows(classes), inputs.firsts()
        needed = np.union1d(masked, firsts)
        hidden = self.bert.hidden(inputs, needed)
        pooled = self.bert.pool(rows_of(hidden, np.searchsorted(needed, firsts)))
        relations = self.cls.seq_relationship(pooled)
        masked_loss = self._masked_loss(rows_of(hidden, np.searchsorted(needed, masked)), classes[masked])
        return masked_loss + F.cross_entropy(relations, as_labels("next_sentence_label", next_sentence_label))


class BertForMaskedLM(_MaskedLanguageModel):
    """Predicts masked tokens.

    Parameters
    ----------
    config : BertConfig

    Attributes
    ----------
    bert : BertModel
        Without a pooler.
    cls : Module
        ``predictions``, its output layer tied to the word embeddings if `config` says so.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=False)
        self.cls = _PretrainingHeads(config, masked_lm=True, next_sentence=False)

    def forward(self, input_ids: Any, *, mask_rows: Any = None, **options: Unpack[InputOptions]) -> Tensor:
        """Return logits of all tokens (N, V) or (B, T, V), or of some (M, V).

        Parameters
        ----------
        input_ids, **options
            As in :meth:`BertModel.forward`.
        mask_rows : int array (M,), optional
            Rows of packed sequences whose logits are asked for; the last layer and the head compute no others.
        """
        inputs = self._inputs(input_ids, options)
        if mask_rows is None:
            return inputs.padded(self._logits(self.bert.hidden(inputs)))
        if inputs.rows is not None:
            raise ValueError("mask_rows are rows of packed sequences: give offsets")
        rows, places = np.unique(inputs.checked_rows("mask_rows", mask_rows), return_inverse=True)
        logits = self._logits(self.bert.hidden(inputs, rows))
        return logits if np.array_equal(places, np.arange(len(rows))) else rows_of(logits, places)

    def loss(self, input_ids: Any, *, labels: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return the mean cross-entropy of the masked tokens; 0 without any.

        Parameters
        ----------
        input_ids, **options
            As in :meth:`BertModel.forward`.
        labels : int array of the shape of `input_ids`
            The token that was there, -100 for tokens that do not count.
        """
        inputs = self._inputs(input_ids, options)
        classes = inputs.labels("labels", labels)
        masked = labelled_rows(classes)
        return self._masked_loss(self.bert.hidden(inputs, masked), classes[masked])


class BertForNextSentencePrediction(BertNetwork):
    """Predicts whether the second text follows the first.

    Parameters
    ----------
    config : BertConfig

    Attributes
    ----------
    bert : BertModel
    cls : Module
        ``seq_relationship``.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=True)
        self.cls = _PretrainingHeads(config, masked_lm=False, next_sentence=True)

    def forward(self, input_ids: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return logits (B, 2): 0 says that the second text follows the first, 1 that it does not.

        Parameters and errors are those of :meth:`BertModel.forward`.
        """
        return self.cls.seq_relationship(self.bert.pooled(self._inputs(input_ids, options)))  # type: ignore[no-any-return]

    def loss(self, input_ids: Any, *, labels: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return the mean cross-entropy.

        Parameters
        ----------
        input_ids, **options
            As in :meth:`forward`.
        labels : int array (B,)
            0 where the second text follows the first, 1 where it does not; -100: does not count.
        """
        return F.cross_entropy(self(input_ids, **options), as_labels("labels", labels))
