"""Phrases: words that occur together more often than by chance become one word ("new", "york" -> "new_york").

Counting and joining are in C++ (phrase_counter, phrase_finder); scores are computed here.
Left out on purpose: scores of one's own, and pruning of rare candidates while counting, which makes counts inexact.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, fitting
from mlcore._native import core
from mlcore._state import Array, Int, Sizes, Spec, Tuple
from mlcore.embedding._corpus import as_paths, batches, check_texts, open_corpus
from mlcore.embedding._files import Lines
from mlcore.embedding._words import PACKED_WORDS, check_packed, pack_words, unpack_words

ENGLISH_CONNECTOR_WORDS = (
    *("a", "an", "the"),  # articles
    *("at", "by", "for", "from", "in", "of", "on", "to", "with", "without"),  # prepositions
    *("and", "or"),
)
"""Words that may occur inside an English phrase ("bank of america"), but not at its ends."""

_MAX_DISTINCT = 1 << 26
"""Candidates counted at a time, of 43 bytes at most: with more of them the corpus is read several times."""


class Phrases(TransformerMixin, StateMixin, BaseEstimator):  # type: ignore[misc]
    """Find phrases of two words and join them [1]_ [2]_.

    Two words that follow each other are a phrase if they do so much more often than their own frequencies explain.
    For phrases of more words fit another one on the output of the first: see the examples.

    Parameters
    ----------
    min_count : int, default=5
        ``scoring="default"``: taken off each count of a pair, so that rare pairs score low. "npmi": pairs that occur
        less often are no phrases.
    threshold : float, default=10.0
        Pairs with a greater score are phrases: > 0, or for "npmi" from -1 to 1 (there 0.5 is a good start).
    scoring : {"default", "npmi"}, default="default"
        With the counts n of the words and the pair, N the number of words in the corpus and V that of distinct words
        and pairs in it: "default" is ``(n_ab - min_count) / (n_a * n_b) * V`` [1]_; "npmi", the normalised pointwise
        mutual information, is ``log(p_ab / (p_a * p_b)) / -log(p_ab)`` with ``p = n / N`` [2]_, from -1 (never
        together) over 0 (independent) to 1 (always together). Both as in gensim.
    delimiter : str, default="_"
        What joins the words of a phrase.
    connector_words : collection of str, default=()
        Words that may occur between the two words of a phrase, any number of them, and at neither end; part of the
        phrase. `ENGLISH_CONNECTOR_WORDS` is a list for English.
    n_jobs : int or None, default=None
        Threads, in fit and transform. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    phrases_ : list of tuple of str
        The words of each phrase, connectors included, by descending score.
    scores_ : array of float64, shape (n_phrases,)
        Their scores.
    phrase_counts_ : array of int64, shape (n_phrases,)
        How often each occurs.
    n_words_ : int
        Words of the corpus.

    See Also
    --------
    Word2Vec : Takes the texts that `transform` and `stream` give.

    Notes
    -----
    Counts are exact. A corpus with more than some 67 million distinct pairs is read several times, so that memory
    stays below 4 GB and what the distinct words need.

    References
    ----------
    .. [1] T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed Representations of Words and Phrases
       and their Compositionality", NeurIPS 2013.
    .. [2] G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", GSCL 2009.

    Examples
    --------
    >>> from mlcore import Phrases
    >>> texts = ["new york is a city", "she went to new york", "a new day in york", "new york by night"]
    >>> phrases = Phrases(min_count=1, threshold=2).fit(texts)
    >>> phrases.phrases_
    [('new', 'york')]
    >>> phrases.transform(["the new york times"])
    [['the', 'new_york', 'times']]

    Phrases of three words and more, on a corpus that need not fit into memory::

        pairs = Phrases().fit("corpus.txt")
        longer = Phrases().fit(pairs.stream("corpus.txt"))
        Word2Vec().fit(longer.stream(pairs.stream("corpus.txt")))
    """

    _private_state = ("_finder",)
    _state_spec: ClassVar[Spec] = {
        "phrases_": Tuple(*PACKED_WORDS.entries, Array("i8", ("n_starts",), low=0)),
        "scores_": Array("f8", ("n_phrases",)),
        "phrase_counts_": Array("i8", ("n_phrases",), low=0),
        "n_words_": Int(),
    }
    phrases_: list[tuple[str, ...]]
    scores_: NDArray[np.float64]
    phrase_counts_: NDArray[np.int64]
    n_words_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "min_count": [Interval(Integral, 1, 2**62, closed="both")],
        "threshold": [Interval(Real, -1, None, closed="left")],
        "scoring": [StrOptions({"default", "npmi"})],
        "delimiter": [str],
        "connector_words": [list, tuple, set, frozenset],
        "n_jobs": [*N_JOBS],
    }

    def __init__(
        self,
        min_count: int = 5,
        threshold: float = 10.0,
        scoring: str = "default",
        delimiter: str = "_",
        connector_words: Iterable[str] = (),
        n_jobs: int | None = None,
    ) -> None:
        self.min_count = min_count
        self.threshold = threshold
        self.scoring = scoring
        self.delimiter = delimiter
        self.connector_words = connector_words
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Find the phrases of a corpus.

        Parameters
        ----------
        X : str, path-like, list of path-like, or re-iterable of texts
            One file or several (a text a line, plain or .gz, .xz, .bz2), or texts: each a str, split at whitespace, or
            a list of words. A generator is refused: it can be read only once.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        TypeError
            If `X` is no corpus or is a generator.
        ValueError
            If a parameter is out of range, the corpus has no words, is not UTF-8 or holds NUL.
        OSError
            If a file cannot be read.
        """
        self._validate_params()
        self._check_parameters()
        with fitting(self):
            self._fit(X)
        return self

    def _fit(self, X: Any) -> None:
        n_threads = effective_n_jobs(self.n_jobs)
        corpus = open_corpus(X, n_jobs=n_threads, who=type(self).__name__)
        vocabulary = core.embedding.Vocabulary.build(corpus.table, 1, 0)
        if len(vocabulary) == 0:
            raise ValueError(f"X of {type(self).__name__} has no words")
        is_connector = np.zeros(len(vocabulary), dtype=np.uint8)
        connectors = vocabulary.ids(list(self.connector_words))
        is_connector[connectors[connectors >= 0]] = True
        ids, starts, counts, n_distinct = core.embedding.count_phrases(
            corpus.core, vocabulary, is_connector, self.min_count, _MAX_DISTINCT, n_threads
        )
        n_words = corpus.core.n_tokens
        word_counts = vocabulary.counts()
        scores = _scores(
            self.scoring,
            word_counts[ids[starts[:-1]]],
            word_counts[ids[starts[1:] - 1]],
            counts,
            n_distinct=n_distinct + len(vocabulary) - int(is_connector.sum()),
            n_words=n_words,
            min_count=self.min_count,
        )
        chosen = np.flatnonzero(scores > self.threshold)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        words = vocabulary.words()
        self.phrases_ = [tuple(words[k] for k in ids[starts[i] : starts[i + 1]]) for i in chosen]
        self.scores_ = scores[chosen]
        self.phrase_counts_ = counts[chosen]
        self.n_words_ = n_words

    def transform(self, X: Any) -> list[list[str]]:
        """Join the phrases in texts: greedy, from left to right.

        Parameters
        ----------
        X : corpus
            As in `fit`. Here the lines of files that are empty count, too.

        Returns
        -------
        list of n_texts lists of str
            The words of each text.

        Raises
        ------
        TypeError, ValueError, OSError
            As in `fit`.
        """
        return list(self.stream(X))

    def stream(self, X: Any) -> Iterable[list[str]]:
        """Join the phrases in texts while somebody reads them.

        Parameters
        ----------
        X : corpus
            As in `fit`.

        Returns
        -------
        iterable of lists of str
            As from `transform`, but computed again each time it is iterated over: a corpus for `Word2Vec` or for
            another `Phrases` that takes no memory.
        """
        check_is_fitted(self)
        who = type(self).__name__
        paths = as_paths(X, who)
        return _Stream(self._get_finder(), Lines(paths) if paths is not None else check_texts(X, who))

    def _check_parameters(self) -> None:
        if self.scoring == "default" and self.threshold <= 0:
            raise ValueError(f"threshold must be > 0 for scoring='default', got {self.threshold}")
        if self.scoring == "npmi" and self.threshold > 1:
            raise ValueError(
                f"threshold must be from -1 to 1 for scoring='npmi', got {self.threshold}: no score is greater than 1"
            )
        for word in self.connector_words:
            if not isinstance(word, str):
                raise TypeError(f"connector_words must hold str, got {word!r}")
            _check_text(word, "connector_words")
        _check_text(self.delimiter, "delimiter")

    def _get_finder(self) -> "core.embedding.PhraseFinder":
        finder: core.embedding.PhraseFinder | None = vars(self).get("_finder")
        if finder is None:
            words = list(dict.fromkeys(word for phrase in self.phrases_ for word in phrase))
            connectors = set(self.connector_words).union(word for phrase in self.phrases_ for word in phrase[1:-1])
            words += sorted(connectors.difference(words))
            number = dict(zip(words, range(len(words)), strict=True))
            finder = core.embedding.PhraseFinder(
                words,
                np.array([word in connectors for word in words], dtype=np.uint8),
                np.array([number[word] for phrase in self.phrases_ for word in phrase], dtype=np.int32),
                np.cumsum([0, *map(len, self.phrases_)], dtype=np.int64),
                [self.delimiter.join(phrase) for phrase in self.phrases_],
            )
            self._finder = finder
        return finder

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        state.pop("_finder", None)
        if "phrases_" in state:
            words = pack_words([word for phrase in self.phrases_ for word in phrase])
            state["phrases_"] = (*words, np.cumsum([0, *map(len, self.phrases_)], dtype=np.int64))
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "phrases_" in state:
            utf8, offsets, starts = state["phrases_"]
            state = {**state, "phrases_": _unpack_phrases(unpack_words(utf8, offsets), starts)}
        super()._set_state(state)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        utf8, offsets, starts = state["phrases_"]
        check_packed(utf8, offsets)
        if len(starts) != sizes["n_phrases"] + 1:
            raise ValueError(f"there are {len(starts) - 1} phrases, and scores of {sizes['n_phrases']}")
        _check_starts(starts, len(offsets) - 1)

    def _check_loaded(self, *, is_mapped: bool) -> None:  # noqa: ARG002
        self._check_parameters()
        self._get_finder()


class _Stream:
    """Texts with their phrases joined; a corpus that can be read again and again."""

    def __init__(self, finder: "core.embedding.PhraseFinder", texts: Iterable[Any]) -> None:
        self._finder, self._texts = finder, texts

    def __iter__(self) -> Iterator[list[str]]:
        for first, batch in batches(self._texts):
            yield from self._finder.apply(batch, first)


def _check_text(text: str, name: str) -> None:
    """Raise ValueError for what no word of a corpus can hold."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"{name} of Phrases must be text that UTF-8 can write, without NUL, got {text!r}")


def _scores(
    scoring: str,
    count_a: NDArray[np.int64],
    count_b: NDArray[np.int64],
    count_ab: NDArray[np.int64],
    *,
    n_distinct: int,
    n_words: int,
    min_count: int,
) -> NDArray[np.float64]:
    """Return the score of each pair from the counts of its words and its own."""
    if scoring == "default":
        return (count_ab - min_count) / (count_a.astype(np.float64) * count_b) * n_distinct
    p_a, p_b, p_ab = (count / n_words for count in (count_a, count_b, count_ab))
    return np.log(p_ab / (p_a * p_b)) / -np.log(p_ab)  # p_ab < 1: a pair is two words


def _unpack_phrases(words: list[str], starts: NDArray[np.int64]) -> list[tuple[str, ...]]:
    _check_starts(starts, len(words))
    bounds = starts.tolist()
    return [tuple(words[begin:end]) for begin, end in pairwise(bounds)]


def _check_starts(starts: NDArray[np.int64], n_words: int) -> None:
    """Raise ValueError unless words may be cut at `starts` into phrases."""
    if starts.ndim != 1 or starts.size == 0 or starts[0] != 0 or starts[-1] != n_words:
        raise ValueError("the starts of phrases must ascend from 0 to the number of their words")
    if (np.diff(starts) < 2).any():
        raise ValueError("a phrase must have two words or more")
