"""Documents of users as tokens: what pre-training draws its sequences from."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore._warnings import warn
from mlcore.seq._inputs import read_texts
from mlcore.seq.bert.tokens._pieces import Pieces, offsets_of
from mlcore.seq.bert.tokens._tokenizer import BertTokenizer
from mlcore.text._documents import check_documents, is_missing, parts

_SENTENCE_ENDS = re.compile(r"(?<=[.!?])[\"'\u201d\u2019)\]]*\s+|[\n\r\u2028\u2029]+")
"""Where a document that is one text is taken apart: at the ends of lines, and behind the mark that ends a sentence.

The finer the better: sequences are filled with whole sentences, and no token of a sentence is lost by cutting it.
"""

_REPEATED = 0.2
"""Share of the text in sentences that occurred before, from which on there is a warning."""

Ints = NDArray[np.int64]


class Corpus(NamedTuple):
    """Tokens of documents, without markers, one document after the other."""

    pieces: Pieces
    """All tokens, as one text; words are numbered through."""

    sentences: Ints
    """Sentence s is tokens ``sentences[s]`` to ``sentences[s + 1]``; shape (n_sentences + 1,)."""

    documents: Ints
    """Document d is sentences ``documents[d]`` to ``documents[d + 1]``; shape (n_documents + 1,)."""

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return int(self.sentences[-1])

    @property
    def longest_document(self) -> int:
        """Tokens of the longest document."""
        return int(np.diff(self.sentences[self.documents]).max())

    @property
    def could_have_neighbours(self) -> bool:
        """Whether there are true neighbours, and random ones in other documents."""
        n = np.diff(self.documents)
        return len(n) > 1 and int(n.max()) > 1

    @property
    def has_neighbours(self) -> bool:
        """Whether, besides, documents of one sentence are not in the majority."""
        n = np.diff(self.documents)
        return self.could_have_neighbours and 2 * int(np.count_nonzero(n > 1)) >= len(n)


def read_documents(documents: Any, who: str) -> list[list[str]]:
    """Return documents as lists of sentences; empty ones are left out.

    Parameters
    ----------
    documents : iterable of str, or of iterables of str
        A list, a generator, or a column of NumPy, pandas, polars or Arrow. A document is a list of its sentences, or
        one text, which is taken apart at the ends of lines and of sentences.
    who : str
        What they are, for messages.

    Returns
    -------
    list of lists of str

    Raises
    ------
    ValueError
        If there is one text instead of several, none has a letter, or one is missing.
    TypeError
        If they are no documents.
    """
    check_documents(documents, who)
    if isinstance(documents, set | frozenset | dict):
        raise TypeError(f"{who} must be a list, a column or an iterable in order, got a {type(documents).__name__}")
    found: list[list[str]] = []
    position = 0
    for part in parts(documents):
        for document in part:
            if is_missing(document):
                raise ValueError(f"document {position} of {who} is missing ({document}): leave such documents out")
            found.append(_sentences(document, f"document {position} of {who}"))
            position += 1
    found = [sentences for sentences in found if sentences]
    if not found:
        raise ValueError(f"{who} must hold a text or more, got {'none' if not position else 'empty ones alone'}")
    return found


def _sentences(document: Any, who: str) -> list[str]:
    if isinstance(document, str):
        (text,) = read_texts([document], who)
        sentences: list[str] = _split(text)
    elif isinstance(document, bytes) or not hasattr(document, "__iter__"):
        raise TypeError(f"{who} must be a str or a list of str, got a value of type {type(document).__name__!r}")
    else:
        sentences = read_texts(document, who)
    return [sentence for sentence in sentences if not sentence.isspace() and sentence]


def _split(text: str) -> list[str]:
    """Take a text apart; closing quotes and brackets stay with their sentence."""
    places = [0, *(match.end() for match in _SENTENCE_ENDS.finditer(text)), len(text)]
    return [text[begin:end].strip() for begin, end in pairwise(places)]


def warn_of_repeated(documents: Sequence[Sequence[str]], who: str) -> None:
    """Warn if much of the text is repeated sentences.

    A network learns those by heart: its loss falls, or stays near that of the frequencies of tokens, without anything
    being learned of the language.
    """
    counts = Counter(sentence for document in documents for sentence in document)
    total = sum(len(sentence) * n for sentence, n in counts.items())
    repeated = sum(len(sentence) * (n - 1) for sentence, n in counts.items() if n > 1)
    if repeated <= _REPEATED * total:
        return
    most, n = max(counts.items(), key=lambda item: (len(item[0]) * (item[1] - 1), item[0]))
    warn(
        f"{100 * repeated / total:.0f} % of {who} are repeated sentences; {most[:60]!r} occurs {n} times. "
        "Repeated text is learned by heart, and not much else is: leave it out",
        UserWarning,
    )


def corpus_of(
    documents: Sequence[Sequence[str]],
    tokenizer: BertTokenizer,
    longest: int,
    *,
    with_words: bool,
    n_jobs: int | None,
) -> Corpus:
    """Cut documents into tokens; sentences longer than `longest` are divided.

    Parameters
    ----------
    documents : sequence of sequences of str
    tokenizer : BertTokenizer
    longest : int
        Tokens of a sentence at most.
    with_words : bool
        Whether the words that tokens are of are kept.
    n_jobs : int or None

    Returns
    -------
    Corpus
        Sentences and documents without a token are left out.
    """
    texts: Iterable[str] = [sentence for document in documents for sentence in document]
    keep = ["words"] if with_words else []
    pieces = tokenizer.pieces(texts, keep=keep, n_jobs=n_jobs)
    words = None if pieces.words is None else _numbered_through(pieces)
    lengths = pieces.lengths
    document = np.repeat(np.arange(len(documents)), [len(sentences) for sentences in documents])
    n_parts = -(-lengths // longest)
    ends = np.repeat(pieces.offsets[1:], n_parts)
    first = np.repeat(np.cumsum(n_parts) - n_parts, n_parts)
    place = np.arange(len(ends)) - first + 1  # of the part in its sentence, from 1
    ends = np.repeat(pieces.offsets[:-1], n_parts) + np.repeat(lengths, n_parts) * place // np.repeat(n_parts, n_parts)
    counts = np.bincount(np.repeat(document, n_parts), minlength=len(documents))
    whole = Pieces(pieces.ids, np.array([0, len(pieces.ids)], np.int64), words)
    return Corpus(whole, np.concatenate([[0], ends]).astype(np.int64), offsets_of(counts[counts > 0]))


def _numbered_through(pieces: Pieces) -> Ints:
    """Return the word of each token, counted over all sentences."""
    assert pieces.words is not None
    words = pieces.words
    is_new = np.ones(len(words), bool)
    is_new[1:] = words[1:] != words[:-1]
    is_new[pieces.offsets[:-1][pieces.lengths > 0]] = True
    return np.cumsum(is_new) - 1
