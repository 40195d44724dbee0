"""Documents as tf-idf of their terms."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from mlcore._warnings import warn
from mlcore.text._analysis import TOKEN_PATTERN
from mlcore.text._count import CountVectorizer
from mlcore.text._matrix import Parts, as_matrix, check_dtype
from mlcore.text._terms import TermTable
from mlcore.text._weights import WEIGHT_CONSTRAINTS, inverse_document_frequency, weigh


class TfidfVectorizer(CountVectorizer, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Weigh the terms of documents by tf-idf: scikit-learn's class, with all threads, streams and `partial_fit`.

    With tf(d, t) the count of term t in document d, n documents and df(t) those that hold t, the weights are
    ``tf(d, t) * idf(t)`` with ``idf(t) = log((n + 1) / (df(t) + 1)) + 1``, and each row is divided by its norm. It is
    :class:`CountVectorizer` followed by :class:`TfidfTransformer`, in one step.

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
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        Whether terms are n-grams of words, of characters, or of the characters of each word with a blank at either
        end. A callable from a document (read and decoded) to a list of str makes all terms, in Python.
    stop_words : {"english"}, list of str or None, default=None
        Words that are left out before n-grams are made. "english" is scikit-learn's list, which has known flaws. For
        ``analyzer="word"``.
    token_pattern : str or None, default=r"(?u)\b\w\w+\b"
        Regular expression of a token; of one group, if it has one. The default and the common ones (one set of
        characters, repeated) are found by the core, all others by Python. For ``analyzer="word"``.
    ngram_range : tuple (min_n, max_n), default=(1, 1)
        The least and the greatest number of words, or of characters, of a term.
    max_df : float or int, default=1.0
        Terms in more documents get no column: a float is a share of all documents, an int a number. Ignored with
        `vocabulary`, as the next two are.
    min_df : float or int, default=1
        Terms in fewer documents get no column.
    max_features : int or None, default=None
        No more than so many terms get a column: those that occur most often.
    vocabulary : mapping, iterable of str or None, default=None
        The terms that have columns, as a mapping from term to column or in the order of columns. None: they are
        learned.
    binary : bool, default=False
        Whether a term counts once a document.
    dtype : type, default=np.float64
        Of the weights: float32 or float64.
    norm : {"l1", "l2"} or None, default="l2"
        What is 1 for each row: the sum of its weights, or of their squares. None: rows stay as they are.
    use_idf : bool, default=True
        Whether terms are weighted by idf; else all weigh 1.
    smooth_idf : bool, default=True
        False: ``idf(t) = log(n / df(t)) + 1``, which is infinite for terms that no document holds.
    sublinear_tf : bool, default=False
        Whether ``1 + log(tf)`` takes the place of tf.
    n_jobs : int or None, default=None
        Threads, in fit and transform. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar, in documents; 2: a line now and then through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The column of each term. Made when it is first asked for; may be set. A change to the dict changes nothing here.
    fixed_vocabulary_ : bool
        Whether `vocabulary` was given.
    idf_ : array of shape (n_terms,)
        The idf of each term, with ``use_idf=True``; may be set.
    n_samples_seen_ : int
        How many documents were seen.

    See Also
    --------
    CountVectorizer : The counts.
    TfidfTransformer : The weights of counts.

    Examples
    --------
    >>> from mlcore import TfidfVectorizer
    >>> vectorizer = TfidfVectorizer()
    >>> vectorizer.fit_transform(["a cat and a cat", "one dog, one cat"]).toarray().round(2)
    array([[0.57, 0.82, 0.  , 0.  ],
           [0.  , 0.3 , 0.43, 0.85]])
    >>> vectorizer.idf_.round(2)
    array([1.41, 1.  , 1.41, 1.41])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CountVectorizer._parameter_constraints,
        **WEIGHT_CONSTRAINTS,
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
        analyzer: Any = "word",
        stop_words: Any = None,
        token_pattern: str | None = TOKEN_PATTERN,
        ngram_range: tuple[int, int] = (1, 1),
        max_df: float = 1.0,
        min_df: float = 1,
        max_features: int | None = None,
        vocabulary: Any = None,
        binary: bool = False,
        dtype: Any = np.float64,
        norm: str | None = "l2",
        use_idf: bool = True,
        smooth_idf: bool = True,
        sublinear_tf: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            analyzer=analyzer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            max_df=max_df,
            min_df=min_df,
            max_features=max_features,
            vocabulary=vocabulary,
            binary=binary,
            dtype=dtype,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf

    @property
    def idf_(self) -> NDArray[Any]:
        """The idf of each term, with ``use_idf=True``; may be set."""
        check_is_fitted(self)
        weights = self._settled().weights
        if weights is None:
            raise AttributeError(f"{type(self).__name__} has no idf_ with use_idf=False")
        return weights

    @idf_.setter
    def idf_(self, value: Any) -> None:
        name = type(self).__name__
        if not self.use_idf:
            raise ValueError(f"idf_ of {name} can be set with use_idf=True only")
        weights = np.array(value, dtype=self._weight_dtype())
        if weights.ndim != 1:
            raise ValueError(f"idf_ of {name} must have shape (n_terms,), got {weights.shape}")
        if "_table" in vars(self):
            table = self._settled()
        else:
            vocabulary = self._given_vocabulary()
            table = TermTable.empty() if vocabulary is None else TermTable.of_vocabulary(vocabulary)
            self.fixed_vocabulary_ = vocabulary is not None
        if table.n_columns not in (0, len(weights)):
            raise ValueError(f"idf_ of {name} must have shape ({table.n_columns},), one a term, got {weights.shape}")
        self._table = table.changed(weights=weights)

    def _check(self, raw_documents: Any) -> dict[str, int] | None:
        vocabulary = super()._check(raw_documents)
        dtype = check_dtype(self.dtype, type(self).__name__)
        if dtype.kind == "c":
            raise ValueError(
                f"The 'dtype' parameter of {type(self).__name__} must be a type of real numbers. Got {self.dtype!r} "
                "instead."
            )
        if dtype not in (np.float32, np.float64):
            warn(f"dtype of {type(self).__name__} should be float32 or float64: {dtype} counts are turned into float64")
        return vocabulary

    def _weight_dtype(self) -> np.dtype[Any]:
        dtype = check_dtype(self.dtype, type(self).__name__)
        return dtype if dtype == np.float32 else np.dtype(np.float64)

    def _with_weights(self, table: TermTable) -> TermTable:
        if not self.use_idf or table.document_counts is None:
            return table.changed(weights=None)
        counts = table.document_counts if table.places is None else table.document_counts[table.places]
        weights = inverse_document_frequency(counts, table.n_documents, self._weight_dtype(), smooth=self.smooth_idf)
        return table.changed(weights=weights)

    def _table_of(self, counter: Any, n_threads: int) -> TermTable:
        return self._with_weights(super()._table_of(counter, n_threads))

    def _seen(self, raw_documents: Any, table: TermTable, n_threads: int, *, with_rows: bool) -> tuple[TermTable, Any]:
        found = np.zeros(table.n_columns, dtype=np.int64)
        n_documents = 0
        parts: list[Parts] = []
        for part in self._rows(raw_documents, table, n_threads):
            _, indices, indptr = part
            found += np.bincount(indices, minlength=table.n_columns)
            n_documents += len(indptr) - 1
            if with_rows:
                parts.append(part)
        n_documents += table.n_documents
        if n_documents == 0:
            raise ValueError(f"raw_documents of {type(self).__name__} must hold one document at least, got none")
        former = 0 if table.document_counts is None else table.document_counts
        table = table.changed(document_counts=former + found[table.columns], n_documents=n_documents)
        X = as_matrix(parts, table.n_columns, check_dtype(self.dtype, type(self).__name__)) if with_rows else None
        return self._with_weights(table), X

    def _ready(self) -> TermTable:
        check_is_fitted(self)  # a vocabulary is not enough
        return super()._ready()

    def _check_weights(self, table: TermTable) -> None:
        if self.use_idf and table.weights is None:
            raise NotFittedError(f"{type(self).__name__} has terms, but no idf_ of them: fit it, or set idf_")

    def _check_loaded(self, *, is_mapped: bool) -> None:
        super()._check_loaded(is_mapped=is_mapped)
        if self._table.n_columns:
            self._check_weights(self._table)

    def _weighed(self, X: Any, table: TermTable, n_threads: int) -> Any:
        self._check_weights(table)
        X = X.astype(self._weight_dtype(), copy=False)
        weigh(X, table.weights, sublinear=self.sublinear_tf, norm=self.norm, n_threads=n_threads)
        return X
