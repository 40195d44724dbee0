"""What networks that write sequences have in common: the estimators train and ask any of them through these methods."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import init
from mlcore.nn.functional._offsets import checked_offsets
from mlcore.nn.layers._embedding import Embedding
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor
from mlcore.seq._packed import Packed

Shapes = dict[str, tuple[int, ...]]
"""Of the arrays in the state of a network, by name."""


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

    A subclass defines the methods below. Sources and targets are batches of ids, packed; language models get None for
    the source.
    """

    def loss(self, source: Packed | None, target: Packed) -> tuple[Tensor, int]:
        """Return the mean cross-entropy over the tokens that are to be written, and their number.

        Parameters
        ----------
        source : Packed or None
            Sequences to read.
        target : Packed
            Sequences to write, each from its begin to its end token.

        Returns
        -------
        loss : Tensor with one entry
        n_tokens : int
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss")

    def forward(self, source: Packed | None, target_inputs: Packed) -> Tensor:
        """Return the logits (N, V) of the token after each of the `target_inputs`."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def start_at(self, log_frequencies: NDArray[np.float64]) -> None:
        """Let the output begin with the logarithms of the frequencies (V,) of the tokens, before training."""
        raise NotImplementedError(f"{type(self).__name__} must define start_at")

    def write_frequencies(self, log_frequencies: NDArray[np.float64]) -> None:
        """Become the network that gives each token its frequency whatever it reads: the best that knows nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define write_frequencies")

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
