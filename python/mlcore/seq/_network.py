"""What networks that write sequences have in common: the estimators train and ask any of them through these methods."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn import init
from mlcore.nn.functional._offsets import checked_offsets
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor, no_grad
from mlcore.nn.training._steps import evaluating
from mlcore.seq._packed import Packed


def new_embedding(n_tokens: int, size: int) -> Embedding:
    """Return the vectors (n_tokens, size) of tokens, drawn from N(0, 1 / size)."""
    embedding = Embedding(n_tokens, size)
    init.normal_(embedding.weight, std=size**-0.5)
    return embedding


def inputs_and_labels(target: Packed) -> tuple[Packed, NDArray[np.int64]]:
    """Split targets with begin and end into what the decoder reads and what it is to write.

    Parameters
    ----------
    target : Packed
        Sequences of two tokens or more: begin, the tokens, end.

    Returns
    -------
    inputs : Packed
        All tokens of each sequence but the last.
    labels : int64 array (N - B,)
        For each of them the token that follows.
    """
    ids, offsets = target.ids, checked_offsets(target.offsets, len(target.ids))
    if len(offsets) > 1 and np.diff(offsets).min() < 2:
        raise ValueError("a target needs a begin and an end: two tokens or more")
    is_input, is_label = np.ones(len(ids), bool), np.ones(len(ids), bool)
    is_input[offsets[1:] - 1] = False
    is_label[offsets[:-1]] = False
    return Packed(ids[is_input], offsets - np.arange(len(offsets))), ids[is_label]


class SequenceNetwork(Module):
    """Base class of networks that write a sequence of tokens, given a source or (language models) none.

    A subclass defines the methods that raise NotImplementedError, and has the attributes. Sources and targets are
    batches of ids, packed; language models get None for the source.

    Attributes
    ----------
    label_smoothing : float
        Share of the probability that labels spread over all tokens, while training.
    never : tuple of int
        Tokens that :meth:`decoder` never writes.
    """

    label_smoothing: float
    never: tuple[int, ...]

    def _hidden(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        """Return what the output layer reads, rows (N, d)."""
        raise NotImplementedError(f"{type(self).__name__} must define _hidden")

    def _output_layer(self) -> tuple[Parameter, Parameter]:
        """Return weight (V, d) and bias (V,) of the output layer."""
        raise NotImplementedError(f"{type(self).__name__} must define _output_layer")

    def loss(self, source: Packed | None, target: Packed) -> tuple[Tensor, int]:
        """Return the mean cross-entropy over the tokens that are to be written, and their number.

        Parameters
        ----------
        source : Packed or None
            Sequences to read.
        target : Packed
            Sequences to write, each from its begin to its end token. Label smoothing is for training alone.

        Returns
        -------
        loss : Tensor with one entry
        n_tokens : int
        """
        inputs, labels = inputs_and_labels(target)
        smoothing = self.label_smoothing if self.training else 0.0
        hidden, (weight, bias) = self._hidden(source, inputs), self._output_layer()
        return F.linear_cross_entropy(hidden, weight, labels, bias, label_smoothing=smoothing), len(labels)

    def negative_log_likelihoods(self, target: Packed, source: Packed | None = None) -> NDArray[np.float64]:
        """Return the sum of -log p over the tokens of each target, shape (B,)."""
        inputs, labels = inputs_and_labels(target)
        weight, bias = self._output_layer()
        with evaluating(self):
            losses = F.linear_cross_entropy(self._hidden(source, inputs), weight, labels, bias, reduction="none")
        return np.add.reduceat(losses.data.astype(np.float64), inputs.offsets[:-1])

    def forward(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        """Return the logits (N, V) of the token after each of the `target_inputs`."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def start_at(self, log_frequencies: NDArray[np.float64]) -> None:
        """Let the output begin with the logarithms of the frequencies (V,) of the tokens, before training."""
        with no_grad():
            self._output_layer()[1].copy_(log_frequencies.astype(np.float32))

    def write_frequencies(self, log_frequencies: NDArray[np.float64]) -> None:
        """Become the network that gives each token its frequency whatever it reads: the best that knows nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define write_frequencies")

    def _writing_bias(self) -> NDArray[np.float32]:
        """Return the bias of the output layer (V,), -inf for the tokens that are never written."""
        bias: NDArray[np.float32] = self._output_layer()[1].data.copy()
        bias[list(self.never)] = -np.inf
        return bias

    def decoder(self, quantize: bool = False) -> Any:
        """Return a decoder without a tape, with the weights of now: what a search asks for one token after the other.

        Parameters
        ----------
        quantize : bool, default=False
            Whether its weights are held as int8.

        Returns
        -------
        object of the core
            A step model; :meth:`start` gives it what to write about.
        """
        raise NotImplementedError(f"{type(self).__name__} must define decoder")

    def start(self, decoder: Any, source: Packed) -> None:
        """Encode the sources and hand what was found over to a decoder of :meth:`decoder`.

        Parameters
        ----------
        decoder : object of the core
            Of this network.
        source : Packed
            What is read; the prompts, for a language model.
        """
        raise NotImplementedError(f"{type(self).__name__} must define start")

    def attention(self, source: Packed, target: Packed) -> list[NDArray[np.float32]]:
        """Return how each target looked at its source: arrays (tokens written, tokens read), rows sum to 1.

        Parameters
        ----------
        source, target : Packed
            As :meth:`loss` takes them: targets from begin to end.
        """
        raise NotImplementedError(f"{type(self).__name__} has no attention to look at")
