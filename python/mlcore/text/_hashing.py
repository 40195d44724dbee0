"""Documents as counts of hashed terms: no vocabulary, nothing to learn."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs
from mlcore._native import core
from mlcore._progress import Progress
from mlcore.text._analysis import ANALYSIS_CONSTRAINTS, TOKEN_PATTERN, AnalysisMixin
from mlcore.text._documents import batches, check_documents, length_of
from mlcore.text._matrix import Parts, as_matrix, check_dtype
from mlcore.text._weights import weigh


class HashingVectorizer(AnalysisMixin, TransformerMixin, StateMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg,misc]
    r"""Count terms by their hash: scikit-learn's class, with all threads and streams.

    The column of a term is its hash: no vocabulary is learned or kept, any number of processes agree on it, and a
    stream needs no `fit`. In return terms share columns now and then, their names are lost, and there is no idf. The
    hash is scikit-learn's, the signed 32-bit MurmurHash3 of UTF-8.

    Parameters
    ----------
    input : {"content", "filename", "file"}, default="content"
        What documents are: str or bytes themselves, paths of files, or objects with a method `read`.
    encoding : str, default="utf-8"
        How bytes, and so files, are decoded.
    decode_error : {"strict", "ignore", "replace"}, default="strict"
        What becomes of bytes that are not of `encoding`: an error, nothing, or the character U+FFFD.
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        "ascii", "unicode": letters are taken apart (NFKD), and all but ASCII, or combining characters, left out. A
        callable from str to str takes their place, in Python.
    lowercase : bool, default=True
        Whether documents are turned into lower case first, as ``str.lower`` does it.
    preprocessor : callable or None, default=None
        From str to str: takes the place of `lowercase` and `strip_accents`, in Python.
    tokenizer : callable or None, default=None
        From str to list of str: takes the place of `token_pattern`, in Python. For ``analyzer="word"``.
    stop_words : {"english"}, list of str or None, default=None
        Words that are left out before n-grams are made. "english" is scikit-learn's list, which has known flaws. For
        ``analyzer="word"``.
    token_pattern : str or None, default=r"(?u)\b\w\w+\b"
        Regular expression of a token; of one group, if it has one. The default and the common ones (one set of
        characters, repeated) are found by the core, all others by Python. For ``analyzer="word"``.
    ngram_range : tuple (min_n, max_n), default=(1, 1)
        The least and the greatest number of words, or of characters, of a term.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        Whether terms are n-grams of words, of characters, or of the characters of each word with a blank at either
        end. A callable from a document (read and decoded) to a list of str makes all terms, in Python.
    n_features : int, default=1048576
        Number of columns.
    binary : bool, default=False
        Whether all entries are 1.
    norm : {"l1", "l2"} or None, default="l2"
        What is 1 for each row: the sum of its entries without their signs, or of their squares. None: rows stay as they
        are.
    alternate_sign : bool, default=True
        Whether half of the terms count -1, so that those which share a column cancel out on average.
    dtype : type, default=np.float64
        Of the entries.
    n_jobs : int or None, default=None
        Threads, in fit and transform. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar, in documents; 2: a line now and then through ``logging.getLogger("mlcore")``.

    See Also
    --------
    CountVectorizer : Knows its terms.

    Examples
    --------
    >>> from mlcore import HashingVectorizer
    >>> X = HashingVectorizer(n_features=8, norm=None).transform(["a cat and a cat", "one dog, one cat"])
    >>> X.toarray().astype(int)
    array([[ 0,  0,  0,  0,  0, -1,  0,  2],
           [ 0,  0,  0,  0, -2, -1,  0,  1]])
    """

    _documents_name = "X"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ANALYSIS_CONSTRAINTS,
        "n_features": [Interval(Integral, 1, np.iinfo(np.int32).max, closed="both")],
        "binary": ["boolean"],
        "norm": [StrOptions({"l1", "l2"}), None],
        "alternate_sign": ["boolean"],
        "dtype": "no_validation",  # NumPy and check_dtype say what one is
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        input: str = "content",  # noqa: A002 - scikit-learn's name
        encoding: str = "utf-8",
        decode_error: str = "strict",
        strip_accents: Any = None,
        lowercase: bool = True,
        preprocessor: Any = None,
        tokenizer: Any = None,
        stop_words: Any = None,
        token_pattern: str | None = TOKEN_PATTERN,
        ngram_range: tuple[int, int] = (1, 1),
        analyzer: Any = "word",
        n_features: int = 1048576,
        binary: bool = False,
        norm: str | None = "l2",
        alternate_sign: bool = True,
        dtype: Any = np.float64,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.input = input
        self.encoding = encoding
        self.decode_error = decode_error
        self.strip_accents = strip_accents
        self.lowercase = lowercase
        self.preprocessor = preprocessor
        self.tokenizer = tokenizer
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.ngram_range = ngram_range
        self.analyzer = analyzer
        self.n_features = n_features
        self.binary = binary
        self.norm = norm
        self.alternate_sign = alternate_sign
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : iterable
            Documents, which are not read.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, or `X` is no iterable of documents; the message says which.

        Warns
        -----
        UserWarning
            If a parameter has no effect because of others.
        """
        self._validate_params()
        check_dtype(self.dtype, type(self).__name__)
        check_documents(X, f"X of {type(self).__name__}")
        self._warn_of_unused()
        self._check_ngram_range()
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters, as `fit` does.

        Parameters
        ----------
        X : iterable
            Documents, which are not read.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
        """
        return self.fit(X, y)

    def transform(self, X: Any) -> Any:
        """Count the hashes of the terms of documents.

        Parameters
        ----------
        X : iterable
            Documents: str or bytes, paths or files, as `input` says. A list, an array, a column of pandas or polars, or
            a generator, whose documents are read some megabytes at a time.

        Returns
        -------
        sparse matrix of shape (n_documents, n_features)
            In CSR format with sorted indices. A ``scipy.sparse`` matrix or array, as ``sparse_interface`` of
            scikit-learn's configuration says.

        Raises
        ------
        ValueError
            If there is no document, one is missing or cannot be decoded, or a parameter is out of range.
        TypeError
            If a document is no text, or a callable has not returned text.
        OSError
            If a file cannot be read.

        Warns
        -----
        UserWarning
            If stop words do not fit the tokens.
        """
        name = type(self).__name__
        n_features: Any = self.n_features
        if not isinstance(n_features, int | np.integer):  # fit, which says so too, need not have been called
            self._validate_params()
        check_documents(X, f"X of {name}")
        self._check_ngram_range()
        dtype = check_dtype(self.dtype, name)
        n_threads = effective_n_jobs(self.n_jobs)
        kind = np.dtype(np.float32 if dtype == np.float32 else np.float64)
        parts = list(self._rows(X, kind, n_threads))
        if not parts:
            raise ValueError(f"X of {name} must hold one document at least, got none")
        rows = as_matrix(parts, self.n_features, dtype)
        if self.norm is not None:
            rows = rows.astype(kind, copy=False)
            weigh(rows, None, sublinear=False, norm=self.norm, n_threads=n_threads)
        return rows

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Check the parameters and count.

        Parameters
        ----------
        X : iterable
            As in `transform`.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        sparse matrix of shape (n_documents, n_features)
            As from `transform`.
        """
        return self.fit(X, y).transform(X)

    def _rows(self, X: Any, dtype: np.dtype[Any], n_threads: int) -> Iterator[Parts]:
        """Count hashes, batch by batch."""
        name = type(self).__name__
        pipeline = self._pipeline()
        options: dict[str, Any] = {
            "n_features": self.n_features,
            "alternate_sign": self.alternate_sign,
            "binary": self.binary,
            "dtype": dtype,
            "n_threads": n_threads,
        }
        with Progress(length_of(X), self.verbose, name, unit=" documents") as progress:
            for batch in batches(X, f"X of {name}", pipeline.prepare, is_plain=pipeline.is_plain):
                if pipeline.analysis is None:
                    yield core.text.hash_tokens(batch, **options)
                else:
                    yield core.text.hash_documents(batch, pipeline.analysis, **options)
                progress.update(len(batch))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        return tags

    def _get_state(self) -> dict[str, Any]:
        state = super()._get_state()
        state.pop("_checked_stop_words", None)
        return state
