"""What can be asked of word vectors: the half of KeyedVectors that reads and never writes."""

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.embedding._search import (
    Floats,
    Query,
    Table,
    Term,
    as_vectors,
    check_count,
    is_position,
    pairs,
    parse_queries,
    product_terms,
    search_products,
    search_sums,
    sum_terms,
    to_unit,
    words_of,
)
from mlcore.embedding._words import unknown_words

Similar: TypeAlias = list[tuple[str, float]]
"""Words and scores, best first."""

_EPSILON = 1e-6  # of the product of cosines, as in the core


class Similarity:
    """Similarity of words by the cosine of their vectors; a vector of zeros is similar to nothing (0).

    Vectors shorter than 1e-18 count as zeros, and none may have an entry beyond 1e18.
    """

    @property
    def index_to_key(self) -> list[str]:
        """The words, in the order of their vectors."""
        raise NotImplementedError

    @property
    def key_to_index(self) -> dict[str, int]:
        """Where the vector of each word is."""
        raise NotImplementedError

    @property
    def vectors(self) -> Floats:
        """The vectors, (n_words, vector_size), read-only."""
        raise NotImplementedError

    def _table(self, restrict_vocab: int | Sequence[str] | None = None, n_jobs: int | None = None) -> Table:
        raise NotImplementedError

    def _made(self, word: str) -> Floats | None:  # noqa: ARG002
        """Vector of a word that is not known, (vector_size,), where there is one."""
        return None

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        *,
        restrict_vocab: int | Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> Any:
        """Find the words most similar to some and least to others.

        Similar is who has a large cosine with the mean of the unit vectors of the `positive` words and the negated
        ones of the `negative` words [1]_. The words of a query are never among its answers.

        Parameters
        ----------
        positive, negative : str, array of shape (vector_size,), list of them, or list of such lists, default=None
            Words (or their positions), or vectors, which are taken as long as they are. An item may be a pair (word,
            weight); the weight then replaces 1 or -1. A list of lists is a batch: one query an item.
        topn : int or None, default=10
            How many words to return; None: the similarities of all words (those of a list in its order) instead.
        restrict_vocab : int, list of str or None, default=None
            Search the first words only, the most frequent ones as a rule, or only those of a list.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        list of (str, float)
            Words and similarities, best first, equal ones in the order of the words. For a batch, a list of such lists.
            With ``topn=None`` an array of shape (n_words,), or (n_queries, n_words).

        Raises
        ------
        KeyError
            If words are not known; the message names all of them.
        TypeError, ValueError
            If the query is empty, or no query.

        References
        ----------
        .. [1] T. Mikolov, W. Yih and G. Zweig, "Linguistic Regularities in Continuous Space Word Representations",
           NAACL 2013.

        Examples
        --------
        >>> from mlcore import KeyedVectors
        >>> vectors = KeyedVectors(["king", "queen", "man", "woman"], [[1, 1], [-1, 1], [1, 0], [-1, 0]])
        >>> [word for word, _ in vectors.most_similar(["king", "woman"], ["man"])]
        ['queen']
        """
        k = check_count(topn, "topn", 0)
        table = self._table(restrict_vocab, n_jobs)
        queries, is_batch = self._parse(positive, negative, weighted=True)
        if k is None:
            scores = table.cosines(sum_terms(table, queries, self.key_to_index))
            return scores if is_batch else scores[0]
        found: list[Similar] = []
        for rows, values in search_sums(table, queries, self.key_to_index, k):
            found += pairs(self.index_to_key, rows, values)
        return found if is_batch else found[0]

    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        *,
        restrict_vocab: int | Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> Any:
        """Find the words most similar to some and least to others, by products instead of sums.

        The score of a word is the product of (1 + cosine) / 2 with the `positive` words, divided by that with the
        `negative` ones plus 1e-6 (3CosMul [1]_): no single large similarity outweighs the others.

        Parameters
        ----------
        positive, negative : str, array of shape (vector_size,), list of them, or list of such lists, default=None
            Words or vectors. A list of lists is a batch: one query an item.
        topn : int or None, default=10
            How many words to return; None: the scores of all words instead.
        restrict_vocab : int, list of str or None, default=None
            Search the first words only, or those of a list.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        list of (str, float)
            As of :meth:`most_similar`.

        Raises
        ------
        KeyError, TypeError, ValueError
            As of :meth:`most_similar`.

        References
        ----------
        .. [1] O. Levy and Y. Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations",
           CoNLL 2014.
        """
        k = check_count(topn, "topn", 0)
        table = self._table(restrict_vocab, n_jobs)
        queries, is_batch = self._parse(positive, negative, weighted=False)
        if k is None:
            all_scores = []
            for query in queries:
                factors = (1 + table.cosines(product_terms(table, [query], self.key_to_index)[:, 0])) / 2
                n_positive = len(query.positive)
                divisor = factors[n_positive:].prod(axis=0) + np.float32(_EPSILON)
                all_scores.append(factors[:n_positive].prod(axis=0) / divisor)
            return np.array(all_scores) if is_batch else all_scores[0]
        found: list[Similar] = [[]] * len(queries)
        for number, rows, values in search_products(table, queries, self.key_to_index, k):
            found[number] = pairs(self.index_to_key, rows, values)[0]
        return found if is_batch else found[0]

    def similar_by_word(
        self,
        word: str | Sequence[str],
        topn: int | None = 10,
        *,
        restrict_vocab: int | Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> Any:
        """Find the words most similar to a word, or to each of several.

        Parameters
        ----------
        word : str or sequence of str
        topn, restrict_vocab, n_jobs
            As of :meth:`most_similar`.

        Returns
        -------
        list of (str, float)
            As of :meth:`most_similar`; a list of such lists for a sequence of words.
        """
        options: dict[str, Any] = {"topn": topn, "restrict_vocab": restrict_vocab, "n_jobs": n_jobs}
        if isinstance(word, str):
            return self.most_similar(word, **options)
        words = self._as_words(word)
        return self.most_similar([[one] for one in words], **options) if words else []

    def similar_by_vector(
        self,
        vector: ArrayLike,
        topn: int | None = 10,
        *,
        restrict_vocab: int | Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> Any:
        """Find the words most similar to a vector, or to each of several.

        Parameters
        ----------
        vector : array of shape (vector_size,) or (n_queries, vector_size)
            Their lengths do not matter.
        topn, restrict_vocab, n_jobs
            As of :meth:`most_similar`.

        Returns
        -------
        list of (str, float)
            As of :meth:`most_similar`; a list of such lists for a 2-D array.
        """
        k = check_count(topn, "topn", 0)
        table = self._table(restrict_vocab, n_jobs)
        vectors = as_vectors(vector, table.vectors.shape[1], "vector")
        queries = np.atleast_2d(to_unit(vectors))
        if k is None:
            scores = table.cosines(queries)
            return scores[0] if vectors.ndim == 1 else scores
        found = pairs(self.index_to_key, *table.nearest(queries[np.newaxis], k, [()] * len(queries)))
        return found[0] if vectors.ndim == 1 else found

    def similarity(self, w1: str, w2: str) -> float:
        """Return the cosine of the vectors of two words.

        Parameters
        ----------
        w1, w2 : str
            The words.

        Returns
        -------
        float
            From -1 to 1.

        Raises
        ------
        KeyError
            If a word is not known; the message names all of them.
        """
        return _cosine(*self._unit(self._as_words([w1, w2])))

    def n_similarity(self, ws1: Sequence[str], ws2: Sequence[str]) -> float:
        """Return the cosine of the mean vectors of two lists of words.

        Parameters
        ----------
        ws1, ws2 : sequence of str
            The words. Their vectors are taken as long as they are, so that those of frequent words, which tend to be
            longer, count for more.

        Returns
        -------
        float
            From -1 to 1.

        Raises
        ------
        KeyError
            If words are not known; the message names all of them.
        ValueError
            If a list is empty.
        """
        self._made_vectors([*self._as_words(ws1), *self._as_words(ws2)])
        return _cosine(*(self.mean_vector(words, pre_normalize=False).astype(np.float64) for words in (ws1, ws2)))

    def mean_vector(
        self,
        words: Sequence[str],
        weights: ArrayLike | None = None,
        *,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = False,
    ) -> Floats:
        """Mean of the vectors of some words.

        Parameters
        ----------
        words : sequence of str
        weights : array of shape (n_words,) or None, default=None
            One finite number a word; the sum is divided by the sum of their absolute values. None: all 1.
        pre_normalize : bool, default=True
            Whether to take vectors of unit length.
        post_normalize : bool, default=False
            Whether the mean shall have unit length.
        ignore_missing : bool, default=False
            Whether to leave words that are not known out of the mean. With none left it is zero.

        Returns
        -------
        array of shape (vector_size,)

        Raises
        ------
        KeyError
            If words are not known, and not ignored; the message names all of them.
        ValueError
            If there are no words, or the weights do not fit them.
        """
        words = self._as_words(words)
        if not words:
            raise ValueError("words must hold at least one word, got none")
        try:
            weight = np.ones(len(words)) if weights is None else np.asarray(weights, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"weights must be {len(words)} finite numbers, got {weights!r:.100}") from None
        if weight.shape != (len(words),) or not np.isfinite(weight).all():
            raise ValueError(f"weights must be {len(words)} finite numbers as there are words, got {weights!r}")
        if ignore_missing:
            is_known = [word in self.key_to_index or self._made(word) is not None for word in words]
            weight, words = weight[is_known], list(compress(words, is_known))
        vectors = self._unit(words) if pre_normalize else self._long(words)
        weight = weight / (np.abs(weight).max(initial=0) or 1)  # of any size: neither sum is out of range then
        mean = (weight @ vectors) / (np.abs(weight).sum() or 1)
        return (to_unit(mean) if post_normalize else mean).astype(np.float32)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """Return the word that is least similar to the mean of all.

        Parameters
        ----------
        words : sequence of str
            Of unit length each in the mean. Of equally dissimilar ones the first is returned.

        Raises
        ------
        KeyError
            If words are not known; the message names all of them.
        ValueError
            If there are no words.
        """
        words = self._as_words(words)
        if not words:
            raise ValueError("words must hold at least one word, got none")
        vectors = self._unit(words)
        return words[int(np.argmin(vectors @ vectors.mean(axis=0)))]

    def distances(
        self,
        word_or_vector: Any,
        other_words: Sequence[str] = (),
        *,
        n_jobs: int | None = None,
    ) -> Floats:
        """Return 1 - cosine with some words, or with all.

        Parameters
        ----------
        word_or_vector : str, array of shape (vector_size,), list of str or array of shape (n_queries, vector_size)
        other_words : sequence of str, default=()
            An empty one means all words, in the order of `index_to_key`.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        array of shape (n_others,)
            (n_queries, n_others) for several queries.

        Raises
        ------
        KeyError
            If words are not known; the message names all of them.
        """
        table = self._table(None, n_jobs)
        others = self._as_words(other_words)
        if isinstance(word_or_vector, str):
            self._made_vectors([word_or_vector, *others])
            queries = self._unit([word_or_vector])[0]
        elif isinstance(word_or_vector, list | tuple | np.ndarray) and all(isinstance(w, str) for w in word_or_vector):
            words = self._as_words(word_or_vector)
            self._made_vectors([*words, *others])
            queries = self._unit(words)
        else:
            queries = to_unit(as_vectors(word_or_vector, table.vectors.shape[1], "word_or_vector"))
        if others and not self._made_vectors(others):
            table = Table(table.vectors, table.inverse_norms, table.n_rows, n_jobs, self._rows(others))
        elif others:
            units = self._unit(others).astype(np.float32)
            inverse_norms = np.asarray(units.any(axis=1), dtype=np.float32)
            table = Table(units, inverse_norms, len(units), n_jobs)
        distances = 1 - table.cosines(np.atleast_2d(queries))
        return distances[0] if queries.ndim == 1 else distances

    def closer_than(self, w1: str, w2: str, *, n_jobs: int | None = None) -> list[str]:
        """Return all words that are more similar to a word than another one is.

        Parameters
        ----------
        w1 : str
            The word that others are compared with.
        w2 : str
            The word that they must be more similar than.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        list of str
            In the order of `index_to_key`, without `w1` itself.

        Raises
        ------
        KeyError
            If words are not known; the message names all of them.
        """
        first, second = self._rows(self._as_words([w1, w2]))
        table = self._table(None, n_jobs)
        cosines = table.cosines(table.unit(np.array([first])))[0]
        return [self.index_to_key[row] for row in np.flatnonzero(cosines > cosines[second]) if row != first]

    def rank(self, w1: str, w2: str, *, n_jobs: int | None = None) -> int:
        """Return the place of a word among those most similar to another.

        Parameters
        ----------
        w1 : str
            The word that others are compared with.
        w2 : str
            The word whose place it is.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        int
            1 for the most similar word.

        Raises
        ------
        KeyError
            If words are not known; the message names all of them.
        """
        return len(self.closer_than(w1, w2, n_jobs=n_jobs)) + 1

    def _as_words(self, words: Any) -> list[str]:
        if isinstance(words, str):
            raise TypeError(f"words must be a list of words, got the lone word {words!r}")
        listed = [self._word_at(word) if is_position(word) else word for word in words]
        for word in listed:
            if not isinstance(word, str):
                raise TypeError(f"words must be str, got {word!r}")
        return listed

    def _word_at(self, position: Any) -> str:
        if not 0 <= position < len(self.vectors):
            raise IndexError(f"positions of words go from 0 to {len(self.vectors) - 1}, got {position}")
        return str(self.index_to_key[position])

    def _parse(self, positive: Any, negative: Any, *, weighted: bool) -> tuple[list[Query], bool]:
        """Return queries whose words are all known: those that are made of something else are vectors then."""
        queries, is_batch = parse_queries(positive, negative, self.vectors.shape[1], self._word_at, weighted=weighted)
        if made := self._made_vectors(words_of(queries)):
            units = {word: to_unit(vector.astype(np.float64)) for word, vector in made.items()}

            def replaced(terms: list[Term]) -> list[Term]:
                return [(units.get(item, item) if isinstance(item, str) else item, weight) for item, weight in terms]

            queries = [Query(replaced(query.positive), replaced(query.negative)) for query in queries]
        return queries, is_batch

    def _made_vectors(self, words: Sequence[str]) -> dict[str, Floats]:
        """Return the vectors of those words that are not known. Raises KeyError naming all that have none."""
        made = {word: self._made(word) for word in words if word not in self.key_to_index}
        if unknown := [word for word, vector in made.items() if vector is None]:
            raise unknown_words(unknown)
        return made  # type: ignore[return-value]

    def _unit(self, words: Sequence[str]) -> NDArray[np.float64]:
        """Vectors of words (n, d), of unit length or zero; unknown words may have one."""
        return self._vectors_of(words, self._table().unit, to_unit)

    def _long(self, words: Sequence[str]) -> NDArray[np.float64]:
        """Vectors of words (n, d) as long as they are, but zeros for those that count as zeros."""
        return self._vectors_of(words, self._table().rows, lambda vector: vector)

    def _vectors_of(
        self,
        words: Sequence[str],
        of_rows: Callable[[NDArray[Any]], NDArray[np.float64]],
        of_made: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        made = self._made_vectors(words)
        if not made:
            return of_rows(self._rows(words))
        vectors = of_rows(np.array([self.key_to_index.get(word, 0) for word in words], dtype=np.intp))
        for vector, word in zip(vectors, words, strict=True):
            if word in made:
                vector[:] = of_made(made[word].astype(np.float64))
        return vectors

    def _rows(self, words: Sequence[str]) -> NDArray[np.intp]:
        if unknown := [word for word in words if word not in self.key_to_index]:
            raise unknown_words(unknown)
        return np.array([self.key_to_index[word] for word in words], dtype=np.intp)


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.clip(to_unit(a) @ to_unit(b), -1.0, 1.0))  # rounding may lead out of the range
