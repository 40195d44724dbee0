"""Words and tags: which piece speaks for a word, whatever becomes of words in pieces, and in which window it does.

A word is tagged by its first piece, the pieces that follow have no label (Devlin et al., 2019). A word that the
tokenizer leaves nothing of, such as a zero-width space, is read as an unknown one, so that each word has a piece and
no tag slips to another word.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

from mlcore.metrics._entities import entity_spans, is_entity_tag
from mlcore.seq._inputs import read_sequences
from mlcore.seq._packed import Packed
from mlcore.seq.bert.network._network import IGNORED
from mlcore.seq.bert.tokens._batch import BertBatch
from mlcore.seq.bert.tokens._pieces import Pieces, offsets_of
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer
from mlcore.seq.bert.tokens._windows import windows_over

Ints = NDArray[np.int64]

_OVERLAP = 128
"""Pieces that windows over a long sentence share."""


class EntitySpan(NamedTuple):
    """An entity that :class:`BertTokenClassifier` has found."""

    start: int
    """Its first word; in a text its first character."""
    end: int
    """The one after the last."""
    type: str
    """Such as "person"."""
    score: float
    """Mean of the probabilities of the tags of its words."""


class WordPieces(NamedTuple):
    """Sentences as pieces; each word has one or more."""

    pieces: Pieces
    firsts: Ints
    """First piece of each word, counted through all sentences, shape (n_words,)."""
    offsets: Ints
    """Words of sentence b are ``offsets[b]`` to ``offsets[b + 1]``; shape (B + 1,)."""


class WordWindows(NamedTuple):
    """Sentences as a network reads them: one window each, or several where they are long."""

    batch: BertBatch
    sentences: Ints
    """Sentence of each window, shape (W,)."""
    tokens: Ints
    """Token of the batch that speaks for each word, shape (n_words,): its first piece, in the window that has most of
    its surroundings."""
    offsets: Ints
    """Words of sentence b are ``offsets[b]`` to ``offsets[b + 1]``; shape (B + 1,)."""

    def labels(self, labels: Ints) -> Packed:
        """Return labels of words (n_words,) as labels of tokens, `IGNORED` where no word begins."""
        found = np.full(len(self.batch.ids), IGNORED, np.int64)
        found[self.tokens] = labels
        return Packed(found, self.batch.offsets)


def pieces_of_words(tokenizer: BertTokenizer, sentences: list[list[str]], *, n_jobs: int | None = None) -> WordPieces:
    """Return lists of words as pieces.

    Parameters
    ----------
    tokenizer : BertTokenizer
    sentences : list of lists of str
    n_jobs : int or None, default=None
        As for :meth:`BertTokenizer.encode`.

    Returns
    -------
    WordPieces
    """
    pieces = tokenizer.pieces_of_words(sentences, keep=["words"], n_jobs=n_jobs)
    offsets = offsets_of(np.fromiter(map(len, sentences), np.int64, len(sentences)))
    counts = _counts(pieces, offsets)
    gone = np.flatnonzero(counts == 0)
    if len(gone):
        assert pieces.words is not None
        # A piece for each word that has none, before the first piece of the word that follows.
        places = (np.cumsum(counts) - counts)[gone]
        sentence = np.searchsorted(offsets, gone, side="right") - 1
        lengths = pieces.lengths + np.bincount(sentence, minlength=len(sentences))
        pieces = Pieces(
            np.insert(pieces.ids, places, tokenizer.unknown),
            offsets_of(lengths),
            np.insert(pieces.words, places, gone - offsets[sentence]),
        )
        counts[gone] = 1
    return WordPieces(pieces, np.cumsum(counts) - counts, offsets)


def pieces_of_texts(
    tokenizer: BertTokenizer, texts: list[str], *, n_jobs: int | None = None
) -> tuple[WordPieces, Ints]:
    """Return texts as pieces of the words that the tokenizer makes of them, and where these words stand.

    Returns
    -------
    words : WordPieces
    spans : array of int, shape (n_words, 2)
        First character of each word in its text, and the one after the last.
    """
    pieces = tokenizer.pieces(texts, keep=["words", "spans"], n_jobs=n_jobs)
    assert pieces.words is not None
    assert pieces.spans is not None
    is_first = np.ones(len(pieces.ids), bool)
    is_first[1:] = np.diff(pieces.words) != 0
    is_first[pieces.offsets[:-1][pieces.lengths > 0]] = True
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts, len(pieces.ids))[1:] - 1
    spans = np.stack([pieces.spans[firsts, 0], pieces.spans[lasts, 1]], axis=1)
    words = WordPieces(pieces, firsts, np.searchsorted(firsts, pieces.offsets))
    return words, spans.astype(np.int64)


def windows_of_words(tokenizer: BertTokenizer, words: WordPieces, max_length: int) -> WordWindows:
    """Return sentences with markers, in windows of `max_length` tokens at most.

    Parameters
    ----------
    tokenizer : BertTokenizer
        Whose markers are put around them.
    words : WordPieces
    max_length : int
        Tokens of a window at most, markers included.

    Returns
    -------
    WordWindows

    Raises
    ------
    ValueError
        If `max_length` has no room for a piece.
    """
    if max_length < 3:
        raise ValueError(f"tags of words need a network of 3 positions or more, got {max_length}")
    pieces = words.pieces
    windows = windows_over(pieces.lengths, max_length - 2, _OVERLAP)
    batch = tokenizer.join(pieces.take(windows.rows, windows.starts, windows.lengths)).batch
    begins = pieces.offsets[windows.rows]
    window = np.searchsorted(begins + windows.owned, words.firsts, side="right") - 1
    tokens = batch.offsets[window] + 1 + words.firsts - begins[window] - windows.starts[window]
    return WordWindows(batch, windows.rows, tokens, words.offsets)


def are_texts(X: Any) -> bool:
    """Whether a column of users begins with a text; it is no iterator."""
    first: Any = next(iter(X), None) if isinstance(X, Iterable) and not isinstance(X, str) else None
    return isinstance(first.as_py() if hasattr(first, "as_py") else first, str)


def read_words(X: Any, who: str) -> list[list[str]]:
    """Return lists of words of users.

    Raises
    ------
    TypeError, ValueError
        If they are none.
    """
    if isinstance(X, Iterator):
        X = list(X)
    if are_texts(X):
        raise TypeError(f"{who} must be a list of sentences, each a list of words, got a list of str: split it first")
    sentences = read_sequences(X, who)
    for i, words in enumerate(sentences):
        if words and not isinstance(words[0], str):
            raise TypeError(
                f"words of {who} must be str, got a value of type {type(words[0]).__name__!r} in sentence {i}"
            )
    return sentences  # type: ignore[return-value]


def read_tags(y: Any, sentences: list[list[str]], *, name: str, who: str) -> list[list[Any]]:
    """Return a tag for each word of users: str, or int.

    Raises
    ------
    TypeError, ValueError
        If they are none, or not as many as words.
    """
    if isinstance(y, list | tuple) and any(isinstance(found, str) for found in y):
        raise TypeError(f"{name} must be a list of lists of tags, one for each word, got a str for a sentence")
    tags = read_sequences(y, name)
    check_consistent_length(sentences, tags)
    for i, (words, found) in enumerate(zip(sentences, tags, strict=True)):
        if len(words) != len(found):
            raise ValueError(
                f"{name} must have a tag for each word: sentence {i} of {who} has {len(words)} words and {len(found)} "
                "tags"
            )
    return tags


def entities(tags: list[str], probabilities: NDArray[np.float64], places: Ints) -> list[EntitySpan]:
    """Return the entities of a sentence.

    Parameters
    ----------
    tags : list of str
    probabilities : array of shape (n_words,)
        Of the tags.
    places : array of int, shape (n_words, 2)
        What a span counts: where each word begins, and ends.
    """
    return [
        EntitySpan(int(places[start, 0]), int(places[end - 1, 1]), kind, float(probabilities[start:end].mean()))
        for start, end, kind in entity_spans(tags)
    ]


def by_sentence(words: Any, offsets: Ints) -> list[Any]:
    """Return values of words, a list or an array, by sentence."""
    return [words[begin:end] for begin, end in pairwise(offsets.tolist())]


def of_words(weight: NDArray[np.float64] | None, sentences: list[Any]) -> NDArray[np.float64] | None:
    """Return weights of sentences as weights of their words."""
    return None if weight is None else np.repeat(weight, list(map(len, sentences)))


def entity_tags(sentences: list[Any]) -> list[list[str]]:
    """Return tags with those that are none of entities, which a model of entities does not know, as no entity."""
    return [[tag if is_entity_tag(tag) else "O" for tag in sentence] for sentence in sentences]


def accuracy(y_true: list[Any], y_pred: list[Any]) -> float:
    """Return the share of words with the right tag."""
    pairs = [tags for both in zip(y_true, y_pred, strict=True) for tags in zip(*both, strict=True)]
    if not pairs:
        raise ValueError("the score needs a word or more, got none")
    return float(np.mean([true == predicted for true, predicted in pairs]))


def _counts(pieces: Pieces, offsets: Ints) -> Ints:
    """Return how many pieces each word has, shape (n_words,)."""
    assert pieces.words is not None
    words = np.repeat(offsets[:-1], pieces.lengths) + pieces.words
    return np.bincount(words, minlength=int(offsets[-1])).astype(np.int64)
