"""Vectors of fastText: words that were never seen have vectors, too, made of their n-grams of characters."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._state import Array, Int, Spec
from mlcore.embedding._fasttext_file import read_fasttext
from mlcore.embedding._search import Floats, n_threads
from mlcore.embedding._vector_files import without_repeats
from mlcore.embedding._words import pack_words
from mlcore.embedding.keyed_vectors import LARGEST, KeyedVectors


class FastTextVectors(KeyedVectors):
    """Words, their vectors, and the vectors of n-grams of characters, of which those of unknown words are made [1]_.

    Read from a model of fastText by :meth:`load_fasttext`. A word that is not known has the mean of the vectors of its
    n-grams, and may be used wherever a known one may: ``vectors["unheard"]``, `similarity`,
    `most_similar`, `mean_vector`, `n_similarity`, `distances`, `doesnt_match`. What the answers are chosen from, and
    ``in``, ``len``, `rank` and `closer_than`, are the known words. A word without any n-gram, such as "" or one of
    a single character if `min_n` is above 3, is a KeyError.

    Parameters
    ----------
    words : sequence of n_words str
        Each one once.
    vectors : array of shape (n_words, vector_size)
        The vectors of these words, as of :class:`KeyedVectors`.
    ngram_vectors : array of shape (n_buckets, vector_size)
        The vectors of n-grams, which share a row where their hashes do.
    min_n : int, default=3
        Fewest characters of an n-gram, the brackets around a word included.
    max_n : int, default=6
        Most of them; 0: there are no n-grams.
    counts : array of int of shape (n_words,) or None, default=None
        How often each word was seen.

    Attributes
    ----------
    index_to_key : list of str
        The words.
    vectors : array of float32, shape (n_words, vector_size)
        Of each the mean of its own vector and those of its n-grams; read-only.
    ngram_vectors : array of float32, shape (n_buckets, vector_size)
        Read-only. An n-gram has the row ``hash(n-gram) % n_buckets``.
    counts : array of int64, shape (n_words,)
        How often each word was seen.
    min_n, max_n : int
        Fewest and most characters of n-grams, the brackets around a word included; `max_n` 0: there are none.

    See Also
    --------
    KeyedVectors : The same without n-grams; its :meth:`~KeyedVectors.load_word2vec_format` reads fastText's ``.vec``.

    References
    ----------
    .. [1] P. Bojanowski, E. Grave, A. Joulin and T. Mikolov, "Enriching Word Vectors with Subword Information",
       TACL 2017.
    """

    _state_spec: ClassVar[Spec] = {
        **KeyedVectors._state_spec,
        "ngrams": Array("u1", ("n_buckets", lambda sizes: 4 * sizes["vector_size"])),
        "min_n": Int(0, 2**31 - 1),
        "max_n": Int(0, 2**31 - 1),
    }
    min_n: int
    max_n: int
    _ngrams: NDArray[np.uint8]

    def __init__(
        self,
        words: Sequence[str],
        vectors: Any,
        ngram_vectors: Any,
        *,
        min_n: int = 3,
        max_n: int = 6,
        counts: Any = None,
    ) -> None:
        super().__init__(words, vectors, counts)
        rows = np.asarray(ngram_vectors)
        if rows.ndim != 2 or rows.shape[1] != self.vector_size or rows.dtype.kind not in "fiu":
            raise ValueError(
                f"ngram_vectors of FastTextVectors must be numbers (n_buckets, {self.vector_size}) as the vectors are "
                f"long, got {rows.dtype} of shape {rows.shape}"
            )
        self._set_ngrams(np.array(rows, dtype=np.float32, order="C").reshape(-1).view(np.uint8), min_n, max_n)

    def _set_ngrams(self, ngrams: NDArray[np.uint8], min_n: int, max_n: int) -> None:
        for name, value in (("min_n", min_n), ("max_n", max_n)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool):
                raise TypeError(f"{name} of FastTextVectors must be an int, got {value!r}")
        if max_n != 0 and not 1 <= min_n <= max_n <= 1 << 20:
            raise ValueError(f"n-grams must have 1 <= min_n <= max_n, or max_n 0, got min_n {min_n} and max_n {max_n}")
        self._ngrams, self.min_n, self.max_n = ngrams, int(min_n), int(max_n)

    @property
    def ngram_vectors(self) -> Floats:
        """The vectors of n-grams, (n_buckets, vector_size), read-only."""
        rows: Floats = self._ngrams.view(np.float32).reshape(-1, self.vector_size)
        rows.flags.writeable = False
        return rows

    @property
    def _n_buckets(self) -> int:
        return int(self._ngrams.size // (4 * self.vector_size))

    @classmethod
    def load_fasttext(cls, path: str | os.PathLike[str], *, errors: str = "strict", n_jobs: int | None = None) -> Self:
        """Read a model of fastText, as ``fasttext skipgram``, ``cbow`` and ``supervised`` write it (``.bin``).

        The vectors of the words are computed; those of the n-grams stay in the file, which is mapped and must stay as
        it is as long as they are in use.

        Parameters
        ----------
        path : str or path-like
            The file, of version 11 or 12 of the format.
        errors : {"strict", "replace", "ignore"}, default="strict"
            What to do with words that are not UTF-8, as of :meth:`bytes.decode`. A word that is then equal to an
            earlier one is left out, with a warning.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        FastTextVectors

        Raises
        ------
        ValueError
            If the file is damaged, truncated, quantised (``.ftz``) or no model of fastText.
        OSError
            If it cannot be read.
        """
        if errors not in ("strict", "replace", "ignore"):
            raise ValueError(f"errors must be 'strict', 'replace' or 'ignore', got {errors!r}")
        path = Path(path)
        model = read_fasttext(path, errors)
        n_own = 4 * len(model.words) * model.vector_size
        ngrams = model.input_rows[n_own:]
        vectors = _means(
            model.words,
            model.input_rows[:n_own],
            ngrams,
            model.vector_size,
            (model.min_n, model.max_n, model.n_buckets),
            n_jobs,
            str(path),
        )
        words, vectors, counts = without_repeats(path, model.words, vectors, model.counts)
        self = cls.__new__(cls)
        self._fill(vectors, counts, words=words)
        self._set_ngrams(ngrams, model.min_n, model.max_n)
        return self

    # ---- words that are not known ----

    def _made(self, word: str) -> Floats | None:
        """Mean of the vectors of the n-grams of a word, (vector_size,); None if it has none."""
        rows = core.embedding.ngram_rows(word, min_n=self.min_n, max_n=self.max_n, n_buckets=self._n_buckets)
        if len(rows) == 0:
            return None
        spec = (self.min_n, self.max_n, self._n_buckets)
        none = np.empty(0, dtype=np.uint8)
        made: Floats = _means([word], none, self._ngrams, self.vector_size, spec, 1, "FastTextVectors")[0]
        return made

    # ---- state ----

    def _get_state(self) -> dict[str, Any]:
        ngrams = self._ngrams.reshape(-1, 4 * self.vector_size)
        return {**super()._get_state(), "ngrams": ngrams, "min_n": self.min_n, "max_n": self.max_n}

    def _fitted_attributes(self) -> list[str]:
        return [*super()._fitted_attributes(), "ngrams", "min_n", "max_n"]

    def _set_state(self, state: dict[str, Any]) -> None:
        super()._set_state(state)
        self._set_ngrams(state["ngrams"].reshape(-1), state["min_n"], state["max_n"])

    def _check_loaded(self, *, is_mapped: bool) -> None:
        super()._check_loaded(is_mapped=is_mapped)
        if not is_mapped and not np.abs(self.ngram_vectors).max(initial=0.0) <= LARGEST:  # of NaN, too
            raise ValueError(f"ngrams must be finite and at most {LARGEST:g}")


def _means(
    words: list[str],
    own: NDArray[np.uint8],
    ngrams: NDArray[np.uint8],
    vector_size: int,
    spec: tuple[int, int, int],
    n_jobs: int | None,
    owner: str,
) -> Floats:
    utf8, offsets = pack_words(words)
    min_n, max_n, n_buckets = spec
    vectors, first_bad = core.embedding.subword_means(
        utf8,
        offsets,
        own,
        ngrams,
        cols=vector_size,
        min_n=min_n,
        max_n=max_n,
        n_buckets=n_buckets,
        n_threads=n_threads(n_jobs),
    )
    if first_bad >= 0:
        raise ValueError(f"{owner}: the vector of {words[first_bad]!r:.100} is not finite or beyond 1e18")
    return vectors
