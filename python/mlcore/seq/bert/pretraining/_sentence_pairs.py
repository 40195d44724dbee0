"""The sequences of pre-training: parts of documents, or pairs of them (Devlin et al., 2019, appendix A.2).

Sentences of a document are put together until no more fit. Of pairs the first text is some of them, and the second the
rest, the true neighbour, or, in half of the pairs, sentences of another document; those that were not used begin the
next pair. As in the paper a tenth of the sequences are shorter than they need be, so that short ones are known too.

Unlike there, no true text is ever cut: a text that ends within a sentence would give away that it was put there to fill
the room that is left, and each token of the corpus is read once an epoch. And where a sentence stands alone, whose
neighbour can only be random, coins of later pairs make up for it, so that half of them remain true.
"""

from bisect import bisect_right
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore.seq.bert.pretraining._documents import Corpus

IS_NEXT, IS_RANDOM = 0, 1
"""Labels of pairs."""

_SHORT = 0.1
"""Share of sequences of a length that is drawn."""

_TRIES = 10
"""Draws of a random text before one is cut that does not fit."""

Ints = NDArray[np.int64]


class Segments(NamedTuple):
    """Sequences of one text or two, as places in a corpus."""

    begins: Ints
    """First token of each text, shape (n, 1) or (n, 2)."""

    sizes: Ints
    """Tokens of each text, of that shape."""

    labels: Ints | None
    """Of pairs: `IS_NEXT` or `IS_RANDOM`, shape (n,)."""

    @property
    def lengths(self) -> Ints:
        """Tokens of each sequence, markers included, shape (n,)."""
        n_markers = 1 + self.sizes.shape[1]
        lengths: Ints = self.sizes.sum(axis=1) + n_markers
        return lengths

    def take(self, rows: Any) -> "Segments":
        """Return some of them."""
        return Segments(self.begins[rows], self.sizes[rows], None if self.labels is None else self.labels[rows])


def longest_sentence(max_length: int) -> int:
    """Return how many tokens a sentence may have, so that a pair of any two fits into a sequence."""
    return max(1, (max_length - 3) // 2)


def draw_texts(corpus: Corpus, max_length: int, rng: np.random.Generator) -> Segments:
    """Return sequences of one text each, the sentences of documents in order.

    Parameters
    ----------
    corpus : Corpus
    max_length : int
        Tokens of a sequence at most, its two markers included.
    rng : numpy.random.Generator
    """
    room, sentences = max_length - 2, corpus.sentences.tolist()
    begins, ends = [], []
    for first, last in _documents(corpus):
        while first < last:
            end = _filled(sentences, first, last, _target(room, rng))
            begins.append(sentences[first])
            ends.append(sentences[end])
            first = end
    starts = np.array(begins, np.int64)[:, None]
    return Segments(starts, np.array(ends, np.int64)[:, None] - starts, None)


def draw_pairs(corpus: Corpus, max_length: int, rng: np.random.Generator) -> Segments:
    """Return pairs of texts, half of them neighbours.

    Parameters
    ----------
    corpus : Corpus
        Of two documents or more; sentences have at most `longest_sentence` tokens.
    max_length : int
        Tokens of a sequence at most, its three markers included.
    rng : numpy.random.Generator
    """
    room, sentences = max_length - 3, corpus.sentences.tolist()
    found: list[tuple[int, int, int, int, int]] = []
    n_alone = 0  # random neighbours that no coin has decided
    for document, (first, last) in enumerate(_documents(corpus)):
        begin = first
        while begin < last:
            target = _target(room, rng)
            end = max(_filled(sentences, begin, last, target), min(begin + 2, last))
            n = end - begin
            # A random neighbour has the room of the true one, which may be more than was drawn.
            target = max(target, sentences[end] - sentences[begin]) if n > 1 else room
            middle = begin + 1 + int(rng.random() * (n - 1))
            is_random = n == 1 or rng.random() < 0.5
            if n == 1:
                n_alone += 1
            elif is_random and n_alone >= 2:  # of which coins had made one true
                is_random, n_alone = False, n_alone - 2
            if is_random:
                size = sentences[middle] - sentences[begin]
                second = _random_text(corpus, sentences, document, target - size, rng)
                found.append((sentences[begin], size, *second, IS_RANDOM))
                begin = middle
            else:
                sizes = sentences[middle] - sentences[begin], sentences[end] - sentences[middle]
                found.append((sentences[begin], sizes[0], sentences[middle], sizes[1], IS_NEXT))
                begin = end
    table = np.array(found, np.int64)
    return Segments(table[:, [0, 2]], table[:, [1, 3]], table[:, 4])


def _documents(corpus: Corpus) -> list[tuple[int, int]]:
    """Return the first sentence of each document, and the one after its last."""
    ends = corpus.documents.tolist()
    return list(pairwise(ends))


def _target(room: int, rng: np.random.Generator) -> int:
    """Return how many tokens a sequence is to have."""
    return room if rng.random() >= _SHORT else 2 + int(rng.random() * (room - 1))


def _filled(sentences: list[int], first: int, last: int, target: int) -> int:
    """Return the sentence before which a text of `target` tokens ends that begins with `first`: one at least."""
    return max(bisect_right(sentences, sentences[first] + target, first + 1, last + 1) - 1, first + 1)


def _random_text(
    corpus: Corpus, sentences: list[int], document: int, room: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Return the first token and the number of tokens of sentences of another document, each as likely as any other."""
    own_first, own_last = int(corpus.documents[document]), int(corpus.documents[document + 1])
    n_others = len(sentences) - 1 - (own_last - own_first)
    for _ in range(_TRIES):
        first = int(rng.random() * n_others)
        first += (own_last - own_first) * (first >= own_first)
        if sentences[first + 1] - sentences[first] <= room:
            break
    owner = int(np.searchsorted(corpus.documents, first, side="right"))
    end = _filled(sentences, first, int(corpus.documents[owner]), room)
    return sentences[first], min(sentences[end] - sentences[first], room)
