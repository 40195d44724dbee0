"""Windows over texts that are longer than a network reads: of words to be tagged, and of contexts beside a question.

All pieces of a text lie in a window. Neighbours share some, so that what lies at the edge of one has its surroundings
in the other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._pieces import Pieces
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer

Ints = NDArray[np.int64]


class Windows(NamedTuple):
    """Parts of texts, in the order of the texts, and in each from the left to the right."""

    rows: Ints
    """Text of each window, shape (W,)."""
    starts: Ints
    """Its first piece, shape (W,)."""
    lengths: Ints
    """Its pieces, shape (W,)."""
    owned: Ints
    """First piece that is farther from the edges of this window than from those of the window before, shape (W,)."""


def windows_over(lengths: Ints, rooms: Ints | int, overlap: int) -> Windows:
    """Return windows over texts.

    Parameters
    ----------
    lengths : array of int, shape (n_texts,)
        Pieces of each. An empty text has one window, which is empty.
    rooms : int or array of int, shape (n_texts,)
        Pieces of a window of each at most, >= 1.
    overlap : int
        Pieces that a window shares with the one before it, but not more than half of its room.

    Returns
    -------
    Windows
    """
    rooms = np.broadcast_to(np.asarray(rooms, np.int64), lengths.shape)
    shared = np.minimum(overlap, rooms // 2)
    steps = rooms - shared
    counts = 1 + np.maximum(-(-(lengths - rooms) // steps), 0)
    rows = np.repeat(np.arange(len(lengths)), counts)
    numbers = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = numbers * steps[rows]
    owned = np.where(numbers > 0, starts + shared[rows] // 2, 0)
    return Windows(rows, starts, np.minimum(rooms[rows], lengths[rows] - starts), owned)


class QuestionWindows(NamedTuple):
    """Questions, each with one window of its context after the other: ``[CLS] question [SEP] context [SEP]``."""

    batch: BertBatch
    questions: Ints
    """Question of each window, shape (W,), not falling."""
    starts: Ints
    """First piece of the context that is in the window, shape (W,)."""
    lengths: Ints
    """Pieces of the context in the window, shape (W,)."""
    places: Ints
    """Where in the window its context begins, shape (W,)."""

    def targets(self, spans: Ints) -> tuple[Ints, Ints]:
        """Return where answers begin and end within windows.

        Parameters
        ----------
        spans : array of int, shape (n_questions, 2)
            First and last piece of the context; -1, -1 where there is no answer.

        Returns
        -------
        starts, ends : array of int, shape (W,)
            Tokens of each window; 0, the first marker, in windows that the answer is not wholly in.
        """
        first, last = spans[self.questions].T - self.starts
        is_in = (first >= 0) & (last < self.lengths)
        return np.where(is_in, first + self.places, 0), np.where(is_in, last + self.places, 0)


def question_windows(
    tokenizer: BertTokenizer,
    questions: Pieces,
    contexts: Pieces,
    context_of: Ints,
    *,
    max_length: int,
    max_question_length: int,
    doc_stride: int,
) -> QuestionWindows:
    """Return questions, each with windows of its context.

    Parameters
    ----------
    tokenizer : BertTokenizer
        Whose markers are put around them.
    questions, contexts : Pieces
    context_of : array of int, shape (n_questions,)
        Context of each question.
    max_length : int
        Tokens of a window at most, markers included.
    max_question_length : int
        Pieces of a question at most: what follows is cut off. Below ``max_length - 3``.
    doc_stride : int
        Pieces of a context that neighbouring windows share, but not more than half of the room for it.

    Returns
    -------
    QuestionWindows
    """
    sizes = np.minimum(questions.lengths, max_question_length)
    windows = windows_over(contexts.lengths[context_of], max_length - 3 - sizes, doc_stride)
    parts = contexts.take(context_of[windows.rows], windows.starts, windows.lengths)
    batch = tokenizer.join(questions.take(windows.rows, 0, sizes[windows.rows]), parts).batch
    return QuestionWindows(batch, windows.rows, windows.starts, windows.lengths, sizes[windows.rows] + 2)


def piece_spans(contexts: Pieces, context_of: Ints, characters: Ints) -> Ints:
    """Return the pieces that answers cover.

    Parameters
    ----------
    contexts : Pieces
        With spans.
    context_of : array of int, shape (n_answers,)
        Context of each answer.
    characters : array of int, shape (n_answers, 2)
        First character of each answer, and the one after the last.

    Returns
    -------
    array of int, shape (n_answers, 2)
        First and last piece, counted from the first one of the context; -1, -1 where the answer is in no piece.
    """
    assert contexts.spans is not None
    found = np.full((len(context_of), 2), -1, np.int64)
    for i, (context, (start, end)) in enumerate(zip(context_of, characters, strict=True)):
        begins, ends = contexts.spans[contexts.offsets[context] : contexts.offsets[context + 1]].T
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(begins, end, side="left")) - 1
        if first <= last and start < end:
            found[i] = first, last
    return found
