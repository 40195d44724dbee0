"""BERT with the heads of fine-tuning: classes or numbers of sequences, classes of tokens, answers to questions."""

from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn.layers._dropout import Dropout
from mlcore.nn.tensor import ShapeError, Tensor
from mlcore.seq.bert.network._config import BertConfig
from mlcore.seq.bert.network._inputs import Ints, padded_rows
from mlcore.seq.bert.network._layers import new_linear
from mlcore.seq.bert.network._network import IGNORED, BertNetwork, InputOptions, as_labels, labelled_rows


class BertForQuestionAnsweringOutput(NamedTuple):
    """What :class:`BertForQuestionAnswering` returns."""

    start_logits: Tensor
    """That the answer starts at a token, (N,) or (B, T)."""

    end_logits: Tensor
    """That it ends there."""


class BertForSequenceClassification(BertNetwork):
    """Predicts one class, several classes or numbers of each sequence.

    Parameters
    ----------
    config : BertConfig
        ``n_labels`` classes or numbers; `problem_type` says which loss there is.

    Attributes
    ----------
    bert : BertModel
    dropout : Dropout
        Of what the pooler returns.
    classifier : Linear
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=True)
        self.dropout = _classifier_dropout(config)
        self.classifier = new_linear(config, config.hidden_size, config.n_labels)

    def forward(self, input_ids: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return logits, or numbers, (B, n_labels).

        Parameters and errors are those of :meth:`BertModel.forward`.
        """
        return self.classifier(self.dropout(self.bert.pooled(self._inputs(input_ids, options))))  # type: ignore[no-any-return]

    def loss(self, input_ids: Any, *, labels: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return the mean loss that `problem_type` of the configuration says.

        Parameters
        ----------
        input_ids, **options
            As in :meth:`forward`.
        labels : array
            "single_label_classification": classes, int (B,), -100 for what does not count; cross-entropy.
            "multi_label_classification": 1 for each class that holds, (B, n_labels); binary cross-entropy.
            "regression": numbers (B, n_labels), or (B,) for one; squared error. Without a problem type: "regression"
            if `n_labels` is 1, else the first for integers (B,) and the second for all others.
        """
        values = np.asarray(labels.data if isinstance(labels, Tensor) else labels)
        kind = self.config.problem_type
        if kind is None:
            is_class = values.dtype.kind in "iu" and values.ndim == 1
            kind = "single_label_classification" if is_class else "multi_label_classification"
            kind = "regression" if self.config.n_labels == 1 else kind
        outputs = self(input_ids, **options)
        if kind == "single_label_classification":
            return F.cross_entropy(outputs, as_labels("labels", values))
        if kind == "regression" and self.config.n_labels == 1 and values.ndim == 1:
            values = values[:, None]
        if values.dtype.kind not in "biuf":
            raise TypeError(f"labels must be numbers, got {values.dtype}")
        if values.shape != outputs.shape:
            raise ShapeError(f"labels must have shape {outputs.shape}, got {values.shape}")
        values = values.astype(np.float32)
        return (F.mse_loss if kind == "regression" else F.binary_cross_entropy_with_logits)(outputs, values)


class BertForTokenClassification(BertNetwork):
    """Predicts a class of each token.

    Parameters
    ----------
    config : BertConfig
        ``n_labels`` classes.

    Attributes
    ----------
    bert : BertModel
        Without a pooler.
    dropout : Dropout
    classifier : Linear
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=False)
        self.dropout = _classifier_dropout(config)
        self.classifier = new_linear(config, config.hidden_size, config.n_labels)

    def forward(self, input_ids: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return logits (N, n_labels) or (B, T, n_labels).

        Parameters and errors are those of :meth:`BertModel.forward`.
        """
        inputs = self._inputs(input_ids, options)
        return inputs.padded(self.classifier(self.dropout(self.bert.hidden(inputs))))

    def loss(self, input_ids: Any, *, labels: Any, **options: Unpack[InputOptions]) -> Tensor:
        """Return the mean cross-entropy over the tokens with a label; 0 without any.

        Parameters
        ----------
        input_ids, **options
            As in :meth:`forward`.
        labels : int array of the shape of `input_ids`
            Classes; -100 for tokens that do not count.
        """
        inputs = self._inputs(input_ids, options)
        classes = inputs.labels("labels", labels)
        rows = labelled_rows(classes)
        hidden = self.dropout(self.bert.hidden(inputs, rows))
        classifier = self.classifier
        return F.linear_cross_entropy(hidden, classifier.weight, classes[rows], classifier.bias, ignore_index=IGNORED)


class BertForQuestionAnswering(BertNetwork):
    """Predicts where in a sequence an answer starts and ends.

    Parameters
    ----------
    config : BertConfig

    Attributes
    ----------
    bert : BertModel
        Without a pooler.
    qa_outputs : Linear
        Its outputs: start, end.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=False)
        self.qa_outputs = new_linear(config, config.hidden_size, 2)

    def forward(self, input_ids: Any, **options: Unpack[InputOptions]) -> BertForQuestionAnsweringOutput:
        """Return logits that an answer starts and ends at a token, each (N,) or (B, T).

        Parameters and errors are those of :meth:`BertModel.forward`.
        """
        inputs = self._inputs(input_ids, options)
        logits = inputs.padded(self.qa_outputs(self.bert.hidden(inputs)))
        return BertForQuestionAnsweringOutput(logits[..., 0], logits[..., 1])

    def loss(
        self, input_ids: Any, *, start_positions: Any, end_positions: Any, **options: Unpack[InputOptions]
    ) -> Tensor:
        """Return the mean of the cross-entropies of start and end over the tokens of each sequence.

        Parameters
        ----------
        input_ids, **options
            As in :meth:`forward`.
        start_positions, end_positions : int array (B,)
            Places in their sequence, from 0: of padded sequences columns. -100, and places beyond the sequence: do not
            count.
        """
        inputs = self._inputs(input_ids, options)
        places, shape = inputs.places()
        is_token = np.zeros(shape, bool)
        is_token.reshape(-1)[places] = True
        targets = [
            _places_of_tokens(name, positions, is_token)
            for name, positions in (("start_positions", start_positions), ("end_positions", end_positions))
        ]
        logits = padded_rows(self.qa_outputs(self.bert.hidden(inputs)), places, shape, -np.inf)
        return (F.cross_entropy(logits[..., 0], targets[0]) + F.cross_entropy(logits[..., 1], targets[1])) * 0.5


def _places_of_tokens(name: str, positions: Any, is_token: NDArray[np.bool_]) -> Ints:
    """Return positions (B,) as int64, `IGNORED` where there is no token: `is_token` has shape (B, T)."""
    places, n_columns = as_labels(name, positions), is_token.shape[1]
    if places.shape != is_token.shape[:1]:
        raise ShapeError(f"{name} must have shape {is_token.shape[:1]}, got {places.shape}")
    if ((places < 0) & (places != IGNORED)).any():
        raise ValueError(f"{name} must be at least 0, or {IGNORED}, got {places.min()}")
    inside = (places >= 0) & (places < n_columns)
    inside[inside] = is_token[inside, places[inside]]
    return np.where(inside, places, IGNORED)


def _classifier_dropout(config: BertConfig) -> Dropout:
    p = config.classifier_dropout
    return Dropout(config.hidden_dropout_prob if p is None else p)
