"""Batches of pre-training: sequences, pairs of texts and masks are drawn again each epoch."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.training._token_batches import TokenBatches
from mlcore.seq.bert.pretraining._documents import Corpus
from mlcore.seq.bert.pretraining._masking import Masking
from mlcore.seq.bert.pretraining._sentence_pairs import Segments, draw_pairs, draw_texts
from mlcore.seq.bert.tokens._pieces import with_markers

Ints = NDArray[np.int64]


class PretrainingBatch(NamedTuple):
    """Packed sequences, masked."""

    input_ids: Ints
    """What is read, shape (N,)."""
    token_type_ids: Ints
    """0 for the first text of a pair, 1 for the second; shape (N,)."""
    offsets: Ints
    """Shape (B + 1,)."""
    labels: Ints
    """The token that was there, -100 where none is to be predicted; shape (N,)."""
    next_sentence_label: Ints | None
    """Of pairs 0 for a true neighbour, 1 for a random one; shape (B,)."""


class PretrainingBatches:
    """Batches of about `batch_tokens` tokens, of sequences of like length.

    What is drawn in an epoch, pairs, order and masks, depends on its seed alone, and the masks of a batch on that and
    the number of the batch: neither on threads nor on where a run was interrupted.

    Parameters
    ----------
    corpus : Corpus
    masking : Masking
    cls, sep : int
        The markers.
    max_length : int
        Tokens of a sequence at most.
    batch_tokens : int
    has_pairs : bool
        Whether sequences are pairs of texts.
    shuffle : bool, default=True
    n_batches : int or None, default=None
        Batches of all epochs together; the last epoch ends there. None: no limit.
    first_epoch : int, default=0
        Number of the epoch that they begin with.

    Attributes
    ----------
    unit : str
        What a progress bar counts.
    n_units : int
        How many of them an epoch has, about; the mean over the epochs of `n_batches`.
    """

    unit = " tokens"

    def __init__(
        self,
        corpus: Corpus,
        masking: Masking,
        cls: int,
        sep: int,
        *,
        max_length: int,
        batch_tokens: int,
        has_pairs: bool,
        shuffle: bool = True,
        n_batches: int | None = None,
        first_epoch: int = 0,
    ) -> None:
        self.corpus, self.masking, self.cls, self.sep = corpus, masking, cls, sep
        self.max_length, self.batch_tokens, self.has_pairs = max_length, batch_tokens, has_pairs
        self.shuffle, self.n_batches, self.first_epoch = shuffle, n_batches, first_epoch
        drawn = self._draw(0)
        self.n_units = int(drawn.lengths.sum())
        # Each draw has at least the tokens of the corpus: in no epoch a batch remains without a sequence.
        longest = max_length if has_pairs else min(max_length, corpus.longest_document + 2)
        self._n_each = max(1, min(-(-self.n_units // batch_tokens), corpus.n_tokens // longest))
        if n_batches is not None:
            self.n_units = self.n_units * n_batches // (self._n_each * self.n_epochs)

    def __len__(self) -> int:
        return self._n_each if self.n_batches is None else min(self._n_each, self.n_batches)

    @property
    def n_epochs(self) -> int:
        """Epochs that all batches together take, where they have a limit."""
        assert self.n_batches is not None
        return -(-self.n_batches // self._n_each)

    def epoch(self, number: int, seed: int, start: int = 0) -> Iterator[PretrainingBatch]:
        """Return the batches of an epoch from the `start`-th on."""
        end = self._n_each
        if self.n_batches is not None:
            end = min(end, self.n_batches - (number - self.first_epoch) * self._n_each)
        return self._drawn(seed, start, end)

    def sample(self) -> Iterator[PretrainingBatch]:
        """Yield the batches of a whole epoch, the same ones each time."""
        return self._drawn(0, 0, self._n_each)

    def _drawn(self, seed: int, start: int, end: int) -> Iterator[PretrainingBatch]:
        drawn = self._draw(seed)
        batches = TokenBatches([drawn], self.batch_tokens, shuffle=self.shuffle, n_batches=self._n_each)
        for i, rows in enumerate(batches.order(seed)[start:end], start):
            yield self._masked(drawn.take(rows), _generator(seed, i + 1))

    def _draw(self, seed: int) -> Segments:
        draw = draw_pairs if self.has_pairs else draw_texts
        return draw(self.corpus, self.max_length, _generator(seed, 0))

    def _masked(self, drawn: Segments, rng: np.random.Generator) -> PretrainingBatch:
        row = np.zeros(len(drawn.begins), np.int64)
        texts = [
            self.corpus.pieces.take(row, begins, sizes)
            for begins, sizes in zip(drawn.begins.T, drawn.sizes.T, strict=True)
        ]
        batch, words, _, _ = with_markers(texts[0], texts[1] if self.has_pairs else None, self.cls, self.sep)
        is_marker = np.zeros(len(batch.ids), bool)
        is_marker[batch.offsets[:-1]] = is_marker[batch.offsets[1:] - 1] = True
        if self.has_pairs:
            is_marker[batch.offsets[:-1] + 1 + drawn.sizes[:, 0]] = True
        inputs, labels = self.masking.apply(batch.ids, is_marker, words, rng)
        return PretrainingBatch(inputs, batch.types, batch.offsets, labels, drawn.labels)


def _generator(seed: int, number: int) -> np.random.Generator:
    """Return the stream of that number of a seed of 64 bits."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)))
