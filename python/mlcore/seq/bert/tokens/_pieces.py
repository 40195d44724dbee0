"""Texts as pieces of words, one text after the other: parts of them, pairs that are too long, markers around them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.seq.bert.tokens._batch import BertBatch


class Pieces(NamedTuple):
    """Texts as pieces of words, without markers, one text after the other."""

    ids: NDArray[np.int64]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Text b is rows ``offsets[b]`` to ``offsets[b + 1]``; shape (B + 1,)."""
    words: NDArray[np.int64] | None = None
    """Word of its text that each is of, shape (N,)."""
    spans: NDArray[np.int64] | None = None
    """First character of each in its text, and the one after the last, shape (N, 2)."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of each text, shape (B,)."""
        return np.diff(self.offsets)

    def take(self, rows: Any, starts: Any = 0, lengths: Any = None) -> "Pieces":
        """Return parts of some texts.

        Parameters
        ----------
        rows : array of int, shape (n,)
            The texts, in the order that is wanted; a text may come more than once.
        starts : int or array of int, shape (n,), default=0
            First piece of each.
        lengths : int, array of int of shape (n,), or None, default=None
            Pieces of each at most; None: all that follow.

        Returns
        -------
        Pieces
        """
        rows = np.asarray(rows, np.int64)
        left = np.maximum(self.lengths[rows] - starts, 0)
        chosen = left if lengths is None else np.minimum(lengths, left)
        offsets = offsets_of(chosen)
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] + starts - offsets[:-1], chosen)
        words, spans = (None if values is None else values[places] for values in (self.words, self.spans))
        return Pieces(self.ids[places], offsets, words, spans)


class BertEncoding(NamedTuple):
    """Texts, or pairs of texts, as BERT reads them."""

    batch: BertBatch
    """The tokens, markers included."""
    words: NDArray[np.int64] | None
    """Word of its text that each token is of, -1 for markers, shape (N,). None: not asked for."""
    spans: NDArray[np.int64] | None
    """First character of each token in its text, and the one after the last, (0, 0) for markers, shape (N, 2). None:
    not asked for."""
    is_cut: NDArray[np.bool_]
    """Whether each text, or pair, was longer than `max_length`, shape (B,)."""

    @property
    def n_cut(self) -> int:
        """How many texts, or pairs, were longer than `max_length`."""
        return int(self.is_cut.sum())


def with_markers(first: Pieces, second: Pieces | None, cls: int, sep: int) -> BertEncoding:
    """Put markers around texts, or pairs of texts: their ids are `cls` and `sep`.

    Raises
    ------
    ValueError
        If there are other numbers of texts.
    """
    parts = [first] if second is None else [first, second]
    n = len(first.offsets) - 1
    if any(len(part.offsets) - 1 != n for part in parts):
        raise ValueError(f"there must be as many pairs as texts, got {len(parts[-1].offsets) - 1} and {n}")
    offsets = offsets_of(np.sum([part.lengths + 1 for part in parts], axis=0) + 1)
    ids = np.full(offsets[-1], sep, np.int64)
    ids[offsets[:-1]] = cls
    types = np.zeros(offsets[-1], np.int64)
    has_words = all(part.words is not None for part in parts)
    has_spans = all(part.spans is not None for part in parts)
    words = np.full(offsets[-1], -1, np.int64) if has_words else None
    spans = np.zeros((offsets[-1], 2), np.int64) if has_spans else None
    starts = offsets[:-1] + 1
    for number, part in enumerate(parts):
        places = np.arange(part.offsets[-1]) + np.repeat(starts - part.offsets[:-1], part.lengths)
        ids[places] = part.ids
        if words is not None:
            words[places] = part.words
        if spans is not None:
            spans[places] = part.spans
        starts = starts + part.lengths + 1
        if number:
            types[places] = 1
            types[starts - 1] = 1
    return BertEncoding(BertBatch(ids, types, offsets), words, spans, np.zeros(n, bool))


def longest_first(
    first: NDArray[np.int64], second: NDArray[np.int64], room: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many pieces of pairs of texts remain where those of both must be `room` at most.

    The longer text gives pieces until both are of one length, then both do; of an odd `room`, the text that was
    longer, or else the second, has one more.

    Parameters
    ----------
    first, second : array of int, shape (n,)
        Pieces of each text.
    room : int

    Returns
    -------
    first, second : array of int, shape (n,)
    """
    short = np.minimum(np.minimum(first, second), np.where(first + second > room, room // 2, room))
    is_first_longer = first > second
    kept_first = np.where(is_first_longer, np.minimum(first, room - short), short)
    kept_second = np.where(is_first_longer, short, np.minimum(second, room - short))
    return kept_first, kept_second


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where sequences of these lengths begin, one after the other, and the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
