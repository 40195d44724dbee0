"""BLEU (Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002).

The numbers are those of sacreBLEU 2.6, tokenizers and smoothing included.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._warnings import warn
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

SmoothMethod = Literal["exp", "floor", "add-k", "none"]
Tokenize = Literal["13a", "intl", "zh", "char", "none"]

SMOOTH_VALUES = {"exp": None, "none": None, "floor": 0.1, "add-k": 1}
"""The default of `smooth_value` for each method; None where there is nothing to choose."""


@dataclass(frozen=True, slots=True)
class BLEUScore(TranslationScore):
    """A BLEU score and what it is made of; `corpus_bleu` and `sentence_bleu` return it.

    ``str(score)`` is sacreBLEU's line of text, "BLEU = 48.53 82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 ...)".

    Attributes
    ----------
    score : float
        In [0, 100].
    counts, totals : list of int or float
        Matched n-grams and n-grams of the hypotheses, for n = 1, 2, ...; with ``smooth_method="add-k"`` k is added
        from n = 2 on.
    precisions : list of float
        In percent, after smoothing.
    bp : float
        Brevity penalty, in [0, 1].
    sys_len, ref_len : int
        Words of the hypotheses, and of the references nearest to them in length.
    signature : str
        Under which settings the score was computed, see `corpus_bleu`.
    """

    score: float
    counts: list[float]
    totals: list[float]
    precisions: list[float]
    bp: float
    sys_len: int
    ref_len: int
    signature: str

    @property
    def name(self) -> str:
        """Name of the metric."""
        return "BLEU"

    @property
    def ratio(self) -> float:
        """Words of the hypotheses to words of the references; 0 where the references have none."""
        return self.sys_len / self.ref_len if self.ref_len else 0.0

    def _details(self) -> str:
        precisions = "/".join(f"{p:.1f}" for p in self.precisions)
        return (
            f"{precisions} (BP = {self.bp:.3f} ratio = {self.ratio:.3f} hyp_len = {self.sys_len:d} "
            f"ref_len = {self.ref_len:d})"
        )


class Bleu:
    """BLEU with its settings: from texts to rows of counts, from their sums to scores."""

    name = "BLEU"

    def __init__(
        self,
        *,
        tokenize: Tokenize = "13a",
        smooth_method: SmoothMethod = "exp",
        smooth_value: float | None = None,
        max_ngram_order: int = 4,
        effective_order: bool = False,
        lowercase: bool = False,
        force: bool = False,
    ) -> None:
        default = SMOOTH_VALUES.get(smooth_method)
        if smooth_value is None:
            smooth_value = default
        elif default is None and smooth_method in SMOOTH_VALUES:
            raise ValueError(
                f"smooth_value is for smooth_method 'floor' and 'add-k', must be None for {smooth_method!r}"
            )
        else:
            check_number(smooth_value, "smooth_value")
        self.tokenize = tokenize
        self.smooth_method = smooth_method
        self.smooth_value = smooth_value
        self.max_ngram_order = max_ngram_order
        self.effective_order = bool(effective_order)
        self.lowercase = bool(lowercase)
        self.force = force

    def statistics(
        self, hypotheses: Texts, references: list[Texts], n_threads: int, *, sums: bool = False
    ) -> tuple[Any, tuple[int, int]]:
        """Return counts of each segment (n_segments, 2 + 2 n), or a list of their sums, and how many references."""
        counts, fewest, most, n_tokenized = core.metrics.bleu_statistics(
            hypotheses,
            references,
            tokenize=self.tokenize,
            lowercase=self.lowercase,
            max_ngram_order=self.max_ngram_order,
            sums=sums,
            n_threads=n_threads,
        )
        if n_tokenized >= 100 and not self.force:
            warn(
                f"{n_tokenized} hypotheses end in ' .', as tokenized text does. BLEU tokenizes by itself and expects "
                "text as people write it: tokens that are divided again change the score. Pass force=True if the text "
                "is meant to be so",
                UserWarning,
            )
        return counts, (fewest, most)

    def scores(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the score of each row of sums."""
        return core.metrics.bleu_scores(sums, **self._score_options())

    def score(self, sums: list[int], n_references: tuple[int, int]) -> BLEUScore:
        """Return the score of one row of sums with all its parts."""
        score, precisions, bp = core.metrics.bleu_score(sums, **self._score_options())
        counts: list[float] = list(sums[2 : 2 + self.max_ngram_order])
        totals: list[float] = list(sums[2 + self.max_ngram_order :])
        if self.smooth_method == "add-k" and any(counts):
            k = self.smooth_value or 0
            counts[1:] = [n + k for n in counts[1:]]
            totals[1:] = [n + k for n in totals[1:]]
        return BLEUScore(score, counts, totals, precisions, bp, sums[0], sums[1], self.signature(n_references))

    def signature(self, n_references: tuple[int, int], resampling: Mapping[str, object] | None = None) -> str:
        """Return the settings as sacreBLEU's signature."""
        value = "" if self.smooth_value is None else f"[{self.smooth_value:.2f}]"
        settings = {
            "case": "lc" if self.lowercase else "mixed",
            "eff": "yes" if self.effective_order else "no",
            "tok": self.tokenize,
            "smooth": self.smooth_method + value,
        }
        return signature(n_references, resampling or {}, settings)

    def _score_options(self) -> dict[str, Any]:
        return {
            "smooth_method": self.smooth_method,
            "smooth_value": self.smooth_value or 0.0,
            "effective_order": self.effective_order,
        }


def corpus_bleu(
    hypotheses: Iterable[str],
    references: Iterable[Iterable[str | None]],
    *,
    tokenize: Tokenize = "13a",
    smooth_method: SmoothMethod = "exp",
    smooth_value: float | None = None,
    max_ngram_order: int = 4,
    effective_order: bool = False,
    lowercase: bool = False,
    force: bool = False,
    n_jobs: int | None = None,
) -> BLEUScore:
    """Compute BLEU of a corpus, equal to sacreBLEU 2.6.

    Parameters
    ----------
    hypotheses : iterable of str
        Translations to be judged, as people write text: BLEU tokenizes by itself.
    references : iterable of iterables of str or None
        One list for each reference *stream*, each with one text a hypothesis. None (or NaN) is a reference that is
        missing; an empty str is a reference without words. Each hypothesis needs one reference.
    tokenize : {"13a", "intl", "zh", "char", "none"}, default="13a"
        How texts become words: "13a" as mteval-v13a of NIST and WMT; "intl" by punctuation and symbols of Unicode;
        "zh" with each Chinese character a word; "char" each character; "none" white space alone.
    smooth_method : {"exp", "floor", "add-k", "none"}, default="exp"
        What becomes of orders without a match (Chen and Cherry, 2014): 1/2, 1/4, ... matches for the first, second,
        ... of them; `smooth_value` matches; `smooth_value` added to matches and n-grams of n > 1; nothing, and a score
        of 0.
    smooth_value : float or None, default=None
        For "floor" (None: 0.1) and "add-k" (None: 1), not negative.
    max_ngram_order : int, default=4
        Longest n-grams, in words, from 1 to 100.
    effective_order : bool, default=False
        Leave out the orders that the hypotheses are too short for; made for single sentences.
    lowercase : bool, default=False
        Compare without case, by ``str.lower``.
    force : bool, default=False
        Do not warn of hypotheses that look tokenized.
    n_jobs : int or None, default=None
        Threads; None: all CPUs that this process may use. The result is the same for any number.

    Returns
    -------
    BLEUScore
        Its `signature` has sacreBLEU's fields, such as ``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:...``;
        scores compare if all but the version are equal.

    Raises
    ------
    TypeError
        If a text is no str.
    ValueError
        If lengths differ, references are nested in another way, or an option is none of those above.

    Warns
    -----
    UserWarning
        If 100 or more hypotheses end in " .".

    See Also
    --------
    sentence_bleu : BLEU of one sentence.
    corpus_bootstrap : Its confidence interval.
    paired_bootstrap : Whether one system is better than another.

    Examples
    --------
    >>> from mlcore.metrics import corpus_bleu
    >>> hypotheses = ["The dog bit the man.", "It was not surprising."]
    >>> references = [["The dog bit the man.", "It was not unexpected."]]
    >>> print(corpus_bleu(hypotheses, references))
    BLEU = 74.19 90.9/77.8/71.4/60.0 (BP = 1.000 ratio = 1.000 hyp_len = 11 ref_len = 11)
    """
    bleu = Bleu(
        tokenize=tokenize,
        smooth_method=smooth_method,
        smooth_value=smooth_value,
        max_ngram_order=max_ngram_order,
        effective_order=effective_order,
        lowercase=lowercase,
        force=force,
    )
    texts = read_hypotheses(hypotheses)
    streams = read_references(references, len(texts))
    return bleu.score(*bleu.statistics(texts, streams, threads_for(n_jobs, texts), sums=True))


def sentence_bleu(
    hypothesis: str,
    references: Iterable[str | None],
    *,
    tokenize: Tokenize = "13a",
    smooth_method: SmoothMethod = "exp",
    smooth_value: float | None = None,
    max_ngram_order: int = 4,
    effective_order: bool = True,
    lowercase: bool = False,
) -> BLEUScore:
    """Compute BLEU of one sentence, equal to sacreBLEU 2.6.

    BLEU was made for corpora: of single sentences it is a coarse measure, and the mean over sentences is not the BLEU
    of the corpus.

    Parameters
    ----------
    hypothesis : str
        Translation to be judged.
    references : iterable of str or None
        Its references; None is one that is missing.
    tokenize, smooth_method, smooth_value, max_ngram_order, lowercase
        As in `corpus_bleu`.
    effective_order : bool, default=True
        Leave out the orders that the hypothesis is too short for.

    Returns
    -------
    BLEUScore

    Raises
    ------
    TypeError
        If a text is no str, or `references` is one.
    ValueError
        If there is no reference, or an option is none of those of `corpus_bleu`.

    Examples
    --------
    >>> from mlcore.metrics import sentence_bleu
    >>> print(sentence_bleu("The dog bit the man.", ["The dog had bit the man."]).format(score_only=True))
    51.15
    """
    bleu = Bleu(
        tokenize=tokenize,
        smooth_method=smooth_method,
        smooth_value=smooth_value,
        max_ngram_order=max_ngram_order,
        effective_order=effective_order,
        lowercase=lowercase,
    )
    return bleu.score(*bleu.statistics(*read_sentence(hypothesis, references), 1, sums=True))
