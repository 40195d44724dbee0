"""Words and their vectors: lookup and files. Queries are in `_similarity` and `_evaluation`."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore._base import StateMixin
from mlcore._native import core
from mlcore._state import Array, Nothing, OneOf, Sizes, Spec
from mlcore.embedding._evaluation import Evaluation
from mlcore.embedding._search import Floats, Table, check_count, is_position, n_threads
from mlcore.embedding._similarity import Similarity
from mlcore.embedding._vector_files import read_counts, read_vectors, write_counts, write_vectors, writing
from mlcore.embedding._words import PACKED_WORDS, check_packed, index_words, pack_words, unpack_words

LARGEST = np.float32(1e18)  # entry, as in the core


class KeyedVectors(Similarity, Evaluation, StateMixin):
    """Words and their vectors.

    Made by ``Word2Vec(...).fit(X).keyed_vectors_``, read from a file by :meth:`load_word2vec_format` or
    :func:`mlcore.load`, or from arrays of your own. Only :meth:`add_vectors` changes it: the lengths of the vectors are
    computed once, and no second table of unit vectors is kept. ``vectors["word"]`` is a vector, as is ``vectors[3]``,
    by position; ``"word" in vectors`` and ``len(vectors)`` do what they say, and iteration gives the words. Wherever a
    word is asked for, its position will do.

    Parameters
    ----------
    words : sequence of n_words str
        Each one once.
    vectors : array of shape (n_words, vector_size)
        Finite numbers, none beyond 1e18; a vector shorter than 1e-18 counts as one of zeros, which is similar to
        nothing. The array is copied, unless it is float32 in C order that nobody can write to (read-only, or mapped so
        from a file): then it is used without a copy.
    counts : array of int of shape (n_words,) or None, default=None
        How often each word was seen.

    Attributes
    ----------
    index_to_key : list of str
        The words. Not to be changed, nor is the next one.
    key_to_index : dict of str to int
        Position of each word.
    vectors : array of float32, shape (n_words, vector_size)
        Read-only.
    counts : array of int64, shape (n_words,), or None
    vector_size : int

    See Also
    --------
    Word2Vec : Trains such vectors.

    Notes
    -----
    ``mlcore.load(path, mmap_mode="r")`` maps the vectors of a file instead of reading them. The list and the dict of
    words are made when they are first needed.

    Examples
    --------
    >>> from mlcore import KeyedVectors
    >>> vectors = KeyedVectors(["cat", "dog", "car"], [[1, 0], [1, 1], [-1, 2]])
    >>> vectors["dog"]
    array([1., 1.], dtype=float32)
    >>> vectors.most_similar("cat", topn=1)
    [('dog', 0.7071067690849304)]
    >>> vectors.doesnt_match(["cat", "dog", "car"])
    'car'
    """

    _state_spec: ClassVar[Spec] = {
        "vectors": Array("f4", ("n_words", "vector_size")),
        "counts": OneOf(Nothing(), Array("i8", ("n_words",), low=0)),
        "words": PACKED_WORDS,
    }
    _vectors: Floats
    _counts: NDArray[np.int64] | None
    _words: list[str] | None
    _packed: tuple[NDArray[np.uint8], NDArray[np.int64]] | None
    _index: dict[str, int] | None
    _inverse_norms: Floats | None

    def __init__(self, words: Sequence[str], vectors: ArrayLike, counts: ArrayLike | None = None) -> None:
        if isinstance(words, str):
            raise TypeError(f"words of KeyedVectors must be a sequence of str, got the lone str {words!r}")
        listed: list[Any] = np.asarray(words).tolist() if hasattr(words, "dtype") else list(words)
        for position, word in enumerate(listed):
            if not isinstance(word, str):
                raise TypeError(f"words of KeyedVectors must be str, got {word!r} in place {position}")
        self._fill(_checked_vectors(vectors), _checked_counts(counts), words=listed)
        if len(listed) != len(self._vectors):
            raise ValueError(
                f"words and vectors of KeyedVectors must be equally many, got {len(listed)} words and "
                f"{len(self._vectors)} vectors"
            )
        if self._counts is not None and len(self._counts) != len(listed):
            raise ValueError(f"counts of KeyedVectors must be {len(listed)} as the words, got {len(self._counts)}")
        self._index = index_words(listed)
        self._norms()

    def _fill(
        self,
        vectors: Floats,
        counts: NDArray[np.int64] | None,
        *,
        words: list[str] | None = None,
        packed: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None,
    ) -> None:
        self._vectors = vectors.view()
        self._vectors.flags.writeable = False
        self._counts, self._words, self._packed = counts, words, packed
        self._index = self._inverse_norms = None

    # ---- lookup ----

    @property
    def index_to_key(self) -> list[str]:
        """The words, in the order of their vectors."""
        if self._words is None:
            assert self._packed is not None
            self._words = unpack_words(*self._packed)
        return self._words

    @property
    def key_to_index(self) -> dict[str, int]:
        """Where the vector of each word is."""
        if self._index is None:
            self._index = index_words(self.index_to_key)
        return self._index

    @property
    def vectors(self) -> Floats:
        """The vectors, (n_words, vector_size), read-only."""
        return self._vectors

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """How often each word was seen, (n_words,), if that is known."""
        return self._counts

    @property
    def vector_size(self) -> int:
        """Length of the vectors."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return len(self._vectors)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word in self.key_to_index

    def __getitem__(self, words: str | int | Sequence[str | int]) -> Floats:
        if isinstance(words, str) or is_position(words):
            return self.get_vector(words)  # type: ignore[arg-type]
        listed = self._as_words(words)
        made = self._made_vectors(listed)
        vectors: Floats = self._vectors[[self.key_to_index.get(word, 0) for word in listed]]
        for row, word in enumerate(listed if made else ()):
            vectors[row] = made.get(word, vectors[row])
        return vectors

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} words, {self.vector_size} dimensions>"

    def get_vector(self, word: str | int, *, norm: bool = False) -> Floats:
        """Return the vector of a word.

        Parameters
        ----------
        word : str or int
            The word, or its position.
        norm : bool, default=False
            Whether the vector shall have unit length.

        Returns
        -------
        array of float32, shape (vector_size,)
            Read-only where it is a row of `vectors`.

        Raises
        ------
        KeyError
            If the word is not known; the message names it.
        IndexError
            If there is no word at this position.
        """
        if is_position(word):
            word = self._word_at(word)
        if not isinstance(word, str):
            raise TypeError(f"a word must be a str, or its position, got {word!r}")
        row = self.key_to_index.get(word)
        vector: Floats
        if norm:
            vector = self._unit([word])[0].astype(np.float32)
        else:
            vector = self._made_vectors([word])[word] if row is None else self._vectors[row]
        return vector

    def get_normed_vectors(self) -> Floats:
        """All vectors with unit length, (n_words, vector_size): a new array, as large as `vectors`."""
        unit: Floats = self._vectors * self._norms()[:, np.newaxis]
        return unit

    def vectors_for_all(self, words: Iterable[str]) -> "KeyedVectors":
        """Return some of the words and their vectors as a table of their own.

        Parameters
        ----------
        words : iterable of str
            Words to keep, in this order; those without a vector are left out, repeated ones are kept once.

        Returns
        -------
        KeyedVectors
            A copy.

        Raises
        ------
        ValueError
            If none of the words has a vector.
        """
        index = self.key_to_index
        chosen = [word for word in dict.fromkeys(words) if word in index or self._made(word) is not None]
        counts = None
        if self._counts is not None:
            counts = np.array([self._counts[index[word]] if word in index else 0 for word in chosen], dtype=np.int64)
        return KeyedVectors(chosen, self[chosen] if chosen else np.empty((0, self.vector_size)), counts)

    def add_vectors(
        self,
        words: Sequence[str] | str,
        vectors: ArrayLike,
        counts: ArrayLike | None = None,
        *,
        replace: bool = False,
    ) -> Self:
        """Add words and their vectors after those that are there.

        Parameters
        ----------
        words : sequence of n str, or one str
        vectors : array of shape (n, vector_size), or (vector_size,) for one word
            As those of the constructor.
        counts : array of int of shape (n,) or None, default=None
            How often each word was seen; without, the new words count 0 if the others have counts.
        replace : bool, default=False
            Whether a word that is there already gets the new vector (and count); else it is a ValueError.

        Returns
        -------
        self
            Arrays that were taken from it before stay as they are.
        """
        _check_flags(replace=replace)
        if isinstance(words, str):
            words, vectors = [words], np.atleast_2d(np.asarray(vectors))
        added = KeyedVectors(words, vectors, counts)
        if added.vector_size != self.vector_size:
            raise ValueError(f"new vectors must have {self.vector_size} numbers, got {added.vector_size}")
        known = [word for word in added if word in self.key_to_index]
        if known and not replace:
            raise ValueError(f"the word {known[0]!r} has a vector already: replace=True gives it the new one")
        is_new = np.array([word not in self.key_to_index for word in added])
        rows = self._rows(known)
        table = np.concatenate([self._vectors, added.vectors[is_new]])
        table[rows] = added.vectors[~is_new]
        new_counts = self._counts
        if new_counts is not None:
            of_added = np.zeros(len(added), dtype=np.int64) if added.counts is None else added.counts
            new_counts = np.concatenate([new_counts, of_added[is_new]])
            new_counts[rows] = of_added[~is_new] if added.counts is not None else new_counts[rows]
        self._fill(table, new_counts, words=[*self.index_to_key, *compress(added, is_new)])
        return self

    def _norms(self, n_jobs: int | None = None) -> Floats:
        if self._inverse_norms is None:
            norms, first_bad = core.embedding.inverse_norms(self._vectors, n_threads(n_jobs))
            if first_bad >= 0:
                row = self._vectors[first_bad]
                raise ValueError(
                    "vectors of KeyedVectors must be finite in float32 and not beyond 1e18, but that of "
                    f"{self.index_to_key[first_bad]!r} has {row[~(np.abs(row) <= LARGEST)][0]:g}"
                )
            self._inverse_norms = norms
        return self._inverse_norms

    def _table(self, restrict_vocab: int | Sequence[str] | None = None, n_jobs: int | None = None) -> Table:
        if isinstance(restrict_vocab, list | tuple | np.ndarray):
            listed = self._as_words(restrict_vocab)
            if not listed:
                raise ValueError("restrict_vocab must name at least one word, got none")
            return Table(self._vectors, self._norms(n_jobs), len(self), n_jobs, self._rows(listed))
        n_rows = check_count(restrict_vocab, "restrict_vocab", 1) or len(self)
        return Table(self._vectors, self._norms(n_jobs), min(n_rows, len(self)), n_jobs)

    # ---- files ----

    @classmethod
    def load_word2vec_format(
        cls,
        path: str | os.PathLike[str],
        *,
        binary: bool = False,
        limit: int | None = None,
        no_header: bool = False,
        errors: str = "strict",
        fvocab: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ) -> Self:
        """Read vectors that word2vec.c, gensim, fastText (.vec) or GloVe have written.

        A word in a text file may have blanks inside (". . ." of GloVe): the last fields of a line are the vector.

        Parameters
        ----------
        path : str or path-like
            The file; .gz, .xz and .bz2 are unpacked in memory.
        binary : bool, default=False
            Whether it is in the binary format.
        limit : int or None, default=None
            Read only the first words, the most frequent ones as a rule.
        no_header : bool, default=False
            Whether a text file begins with the first vector, as GloVe's do.
        errors : {"strict", "replace", "ignore"}, default="strict"
            What to do with words that are not UTF-8 (word2vec.c cuts long words anywhere), as of :meth:`bytes.decode`.
        fvocab : str, path-like or None, default=None
            File of the counts: a word and a number a line, as ``word2vec -save-vocab`` writes it.
        n_jobs : int or None, default=None
            Threads for text; None: all CPUs.

        Returns
        -------
        KeyedVectors

        Warns
        -----
        UserWarning
            If words repeat earlier ones: the first vector of a word stays. If more vectors follow than the first line
            announces: they are not read.

        Raises
        ------
        ValueError
            If the file is damaged, truncated or in another format, has no word that `errors` leaves, or a number that
            is not finite or beyond 1e18. The message names the line, word or byte.
        OSError
            If the file cannot be read.
        """
        if errors not in ("strict", "replace", "ignore"):
            raise ValueError(f"errors must be 'strict', 'replace' or 'ignore', got {errors!r}")
        _check_flags(binary=binary, no_header=no_header)
        if binary and no_header:
            raise ValueError("no_header is for text files: a binary one cannot be read without its header")
        words, vectors = read_vectors(
            Path(path),
            binary=binary,
            limit=check_count(limit, "limit", 1),
            no_header=no_header,
            errors=errors,
            n_threads=n_threads(n_jobs),
        )
        self = cls.__new__(cls)
        self._fill(vectors, None if fvocab is None else read_counts(Path(fvocab), words, errors), words=words)
        return self

    def save_word2vec_format(
        self,
        path: str | os.PathLike[str],
        *,
        binary: bool = False,
        write_header: bool = True,
        fvocab: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        """Write the vectors as word2vec.c does, for any program that knows its format.

        Text has the fewest digits that give the same float32 again. :func:`mlcore.save` keeps everything (counts,
        words of any kind), and its files can be mapped.

        Parameters
        ----------
        path : str or path-like
            The file, replaced when the new one is whole (and that of the counts, too); compressed if it ends in .gz,
            .xz or .bz2. A link stays one, and the permissions of the old file stay.
        binary : bool, default=False
            Whether to write the binary format: smaller and faster.
        write_header : bool, default=True
            Whether the first line has the numbers of words and dimensions; False gives GloVe's format (text only).
        fvocab : str, path-like or None, default=None
            Another file to write the counts to: a word and a number a line.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Raises
        ------
        ValueError
            If a word is empty or holds white space, which the formats cannot tell from the space between words; if
            there are no counts for `fvocab`, or it is the same file as `path`.
        OSError
            If the file cannot be written, or is a folder, a device or a pipe.
        """
        _check_flags(binary=binary, write_header=write_header)
        if binary and not write_header:
            raise ValueError("write_header=False is for text files: a binary one cannot be read without its header")
        if fvocab is not None and self._counts is None:
            raise ValueError("there are no counts to write to fvocab")
        if fvocab is not None and os.path.realpath(path) == os.path.realpath(fvocab):
            raise ValueError(f"fvocab must be another file than path, got {os.fspath(fvocab)!r} for both")
        with writing(*(Path(place) for place in (path, fvocab) if place is not None)) as files:
            write_vectors(
                files[0],
                self.index_to_key,
                self._vectors,
                binary=binary,
                write_header=write_header,
                n_threads=n_threads(n_jobs),
            )
            if self._counts is not None and fvocab is not None:
                write_counts(files[1], self.index_to_key, self._counts)

    def _get_state(self) -> dict[str, Any]:
        packed = self._packed if self._packed is not None else pack_words(self.index_to_key)
        return {"vectors": self._vectors, "counts": self._counts, "words": packed}

    def _fitted_attributes(self) -> list[str]:
        return ["vectors", "counts", "words"]

    def _set_state(self, state: dict[str, Any]) -> None:
        """Take the arrays without reading the vectors, which may be mapped; they are checked when first used."""
        vectors, counts, packed = state["vectors"], state["counts"], tuple(state["words"])
        self._fill(_for_core(vectors), counts, packed=packed)

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        if sizes["n_words"] < 1 or sizes["vector_size"] < 1:
            raise ValueError(f"vectors must not be empty, got shape {state['vectors'].shape}")
        utf8, offsets = state["words"]
        check_packed(utf8, offsets, sizes["n_words"])

    def _check_loaded(self, *, is_mapped: bool) -> None:
        if not is_mapped:  # else nothing is read before it is used
            self._norms()
            index_words(self.index_to_key)


def _check_flags(**flags: Any) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def _checked_vectors(vectors: ArrayLike) -> Floats:
    array = np.asarray(vectors)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"vectors of KeyedVectors must be numbers, got {array.dtype}")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"vectors of KeyedVectors must be a 2-D array, not empty, got shape {array.shape}")
    with np.errstate(over="ignore"):  # infinity then, which is refused by name
        array = array.astype(np.float32, copy=False)
    array = _for_core(array)
    return array if _is_frozen(array) or not np.may_share_memory(array, np.asarray(vectors)) else array.copy()


def _is_frozen(array: Floats) -> bool:
    """Whether nobody can write to the memory of an array."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return True


def _for_core(vectors: Floats) -> Floats:
    """Return the array itself if its rows are contiguous, one after the other; else a copy."""
    in_place = vectors.strides[1] == 4 and vectors.strides[0] >= 4 * vectors.shape[1] and vectors.flags.aligned
    return vectors if in_place else np.array(vectors, order="C")


def _checked_counts(counts: ArrayLike | None) -> NDArray[np.int64] | None:
    if counts is None:
        return None
    array = np.asarray(counts)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(f"counts of KeyedVectors must be a 1-D array of int, got {array.dtype} of shape {array.shape}")
    array = array.astype(np.int64)
    if (array < 0).any():
        raise ValueError(f"counts of KeyedVectors must not be negative, got {array.min()}")
    return array
