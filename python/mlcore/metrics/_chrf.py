"""chrF and chrF++ (Popović, WMT 2015 and 2017), with the numbers of sacreBLEU 2.6."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.metrics._translation import (
    Texts,
    TranslationScore,
    check_number,
    read_hypotheses,
    read_references,
    read_sentence,
    signature,
    threads_for,
)


@dataclass(frozen=True, slots=True)
class CHRFScore(TranslationScore):
    """A chrF score; `corpus_chrf` and `sentence_chrf` return it. ``str(score)`` is as sacreBLEU's, "chrF2 = 59.73".

    Attributes
    ----------
    score : float
        In [0, 100].
    char_order, word_order : int
        Longest n-grams of characters and of words.
    beta : float
        Recall counts beta² times as much as precision.
    signature : str
        Under which settings the score was computed, see `corpus_chrf`.
    """

    score: float
    char_order: int
    word_order: int
    beta: float
    signature: str

    @property
    def name(self) -> str:
        """Name of the metric: "chrF2" for a beta of 2, "chrF2++" with n-grams of two words."""
        return f"chrF{self.beta}{'+' * self.word_order}"


class Chrf:
    """The metric chrF with its settings: from texts to rows of counts, from their sums to scores."""

    def __init__(
        self,
        *,
        char_order: int = 6,
        word_order: int = 0,
        beta: float = 2,
        remove_whitespace: bool = True,
        lowercase: bool = False,
        eps_smoothing: bool = False,
    ) -> None:
        check_number(beta, "beta")
        self.char_order = char_order
        self.word_order = word_order
        self.beta = beta
        self.whitespace = not remove_whitespace
        self.lowercase = bool(lowercase)
        self.eps_smoothing = bool(eps_smoothing)

    @property
    def name(self) -> str:
        """As that of a score."""
        return f"chrF{self.beta}{'+' * self.word_order}"

    def statistics(
        self, hypotheses: Texts, references: list[Texts], n_threads: int, *, sums: bool = False
    ) -> tuple[Any, tuple[int, int]]:
        """Return counts of each segment (n_segments, 3 orders), or a list of their sums, and how many references."""
        counts, fewest, most = core.metrics.chrf_statistics(
            hypotheses, references, lowercase=self.lowercase, sums=sums, n_threads=n_threads, **self._score_options()
        )
        return counts, (fewest, most)

    def scores(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the score of each row of sums."""
        return core.metrics.chrf_scores(sums, **self._score_options())

    def score(self, sums: list[int], n_references: tuple[int, int]) -> CHRFScore:
        """Return the score of one row of sums."""
        score = float(self.scores(np.array([sums], dtype=np.int64))[0])
        return CHRFScore(score, self.char_order, self.word_order, self.beta, self.signature(n_references))

    def signature(self, n_references: tuple[int, int], resampling: Mapping[str, object] | None = None) -> str:
        """Return the settings as sacreBLEU's signature."""
        settings = {
            "case": "lc" if self.lowercase else "mixed",
            "eff": "no" if self.eps_smoothing else "yes",
            "nc": self.char_order,
            "nw": self.word_order,
            "space": "yes" if self.whitespace else "no",
        }
        return signature(n_references, resampling or {}, settings)

    def _score_options(self) -> dict[str, Any]:
        return {
            "char_order": self.char_order,
            "word_order": self.word_order,
            "beta": float(self.beta),
            "whitespace": self.whitespace,
            "eps_smoothing": self.eps_smoothing,
        }


def corpus_chrf(
    hypotheses: Iterable[str],
    references: Iterable[Iterable[str | None]],
    *,
    char_order: int = 6,
    word_order: int = 0,
    beta: float = 2,
    remove_whitespace: bool = True,
    lowercase: bool = False,
    eps_smoothing: bool = False,
    n_jobs: int | None = None,
) -> CHRFScore:
    """Compute chrF or chrF++ of a corpus, equal to sacreBLEU 2.6.

    It needs no tokenizer and gives credit for parts of words, which suits languages of rich inflection.

    Parameters
    ----------
    hypotheses : iterable of str
        Translations to be judged.
    references : iterable of iterables of str or None
        One list for each reference *stream*, each with one text a hypothesis, as in `corpus_bleu`; of several, the one
        with the best score counts for each hypothesis.
    char_order : int, default=6
        Longest n-grams of characters, from 0 to 100.
    word_order : int, default=0
        Longest n-grams of words, from 0 to 100; 2 makes it chrF++.
    beta : float, default=2
        Recall counts beta² times as much as precision.
    remove_whitespace : bool, default=True
        White space is no part of the n-grams of characters.
    lowercase : bool, default=False
        Compare without case, by ``str.lower``.
    eps_smoothing : bool, default=False
        Average the F-scores of all orders, as chrF++.py, NLTK and Moses do, instead of precisions and recalls of the
        orders that the texts are long enough for.
    n_jobs : int or None, default=None
        Threads; None: all CPUs that this process may use. The result is the same for any number.

    Returns
    -------
    CHRFScore
        Its `signature` has sacreBLEU's fields, such as ``nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:...``;
        scores compare if all but the version are equal.

    Raises
    ------
    TypeError
        If a text is no str.
    ValueError
        If lengths differ, references are nested in another way, or an option is out of range.

    Examples
    --------
    >>> from mlcore.metrics import corpus_chrf
    >>> hypotheses = ["The dog bit the man.", "It was not surprising."]
    >>> references = [["The dog bit the man.", "It was not unexpected."]]
    >>> print(corpus_chrf(hypotheses, references))
    chrF2 = 64.75
    """
    chrf = Chrf(
        char_order=char_order,
        word_order=word_order,
        beta=beta,
        remove_whitespace=remove_whitespace,
        lowercase=lowercase,
        eps_smoothing=eps_smoothing,
    )
    texts = read_hypotheses(hypotheses)
    streams = read_references(references, len(texts))
    return chrf.score(*chrf.statistics(texts, streams, threads_for(n_jobs, texts), sums=True))


def sentence_chrf(
    hypothesis: str,
    references: Iterable[str | None],
    *,
    char_order: int = 6,
    word_order: int = 0,
    beta: float = 2,
    remove_whitespace: bool = True,
    lowercase: bool = False,
    eps_smoothing: bool = False,
) -> CHRFScore:
    """Compute chrF or chrF++ of one sentence, equal to sacreBLEU 2.6.

    Parameters
    ----------
    hypothesis : str
        Translation to be judged.
    references : iterable of str or None
        Its references; None is one that is missing. The one with the best score counts.
    char_order, word_order, beta, remove_whitespace, lowercase, eps_smoothing
        As in `corpus_chrf`.

    Returns
    -------
    CHRFScore

    Raises
    ------
    TypeError
        If a text is no str, or `references` is one.
    ValueError
        If there is no reference, or an option is out of range.

    Examples
    --------
    >>> from mlcore.metrics import sentence_chrf
    >>> print(sentence_chrf("The dog bit the man.", ["The dog had bit the man."], word_order=2))
    chrF2++ = 70.39
    """
    chrf = Chrf(
        char_order=char_order,
        word_order=word_order,
        beta=beta,
        remove_whitespace=remove_whitespace,
        lowercase=lowercase,
        eps_smoothing=eps_smoothing,
    )
    return chrf.score(*chrf.statistics(*read_sentence(hypothesis, references), 1, sums=True))
