"""Documents as counts of terms."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import metadata_routing
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt
from sklearn.utils.validation import check_array, check_is_fitted

from mlcore._base import N_JOBS, effective_n_jobs, fitting
from mlcore._sparse import check_sparse
from mlcore.text._analysis import ANALYSIS_CONSTRAINTS, TOKEN_PATTERN
from mlcore.text._documents import check_documents
from mlcore.text._learning import TermLearner
from mlcore.text._matrix import as_matrix, check_dtype
from mlcore.text._terms import TermTable, check_vocabulary


class CountVectorizer(TermLearner, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg,misc]
    r"""Count the terms of documents: scikit-learn's class, with all threads, streams and `partial_fit`.

    A document becomes terms in five steps: lower case, accents, tokens, stop words, n-grams; each has parameters here.
    The core does all of it, with all threads, where no callable of yours is in the way; then Python makes the terms,
    and the core counts them. Documents are read once, and none is kept.

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
    dtype : type, default=np.int64
        Of the counts.
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
    n_samples_seen_ : int
        How many documents were seen.

    See Also
    --------
    TfidfVectorizer : Weighs the counts.
    HashingVectorizer : Needs no vocabulary, and so no fit.

    Notes
    -----
    The columns are those of scikit-learn: terms in the order of their code points, and with `max_features` the same
    choice among terms of the same count. Rows have sorted indices, with `fit_transform` too. docs/text.md says what
    else differs.

    Examples
    --------
    >>> from mlcore import CountVectorizer
    >>> vectorizer = CountVectorizer()
    >>> X = vectorizer.fit_transform(["A cat and a cat.", "One dog, one cat!"])
    >>> vectorizer.get_feature_names_out()
    array(['and', 'cat', 'dog', 'one'], dtype=object)
    >>> X.toarray()
    array([[1, 2, 0, 0],
           [0, 1, 1, 2]])

    A stream of documents, in parts:

    >>> stream = CountVectorizer(min_df=2)
    >>> for part in (["a red cat", "a blue cat"], ["a red dog"]):
    ...     stream = stream.partial_fit(part)
    >>> stream.vocabulary_
    {'cat': 0, 'red': 1}
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__partial_fit: ClassVar[dict[str, str]] = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__transform: ClassVar[dict[str, str]] = {"raw_documents": metadata_routing.UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ANALYSIS_CONSTRAINTS,
        "max_df": [Interval(RealNotInt, 0, 1, closed="both"), Interval(Integral, 1, None, closed="left")],
        "min_df": [Interval(RealNotInt, 0, 1, closed="both"), Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "vocabulary": [Mapping, HasMethods("__iter__"), None],
        "binary": ["boolean"],
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
        max_df: float = 1.0,
        min_df: float = 1,
        max_features: int | None = None,
        vocabulary: Any = None,
        binary: bool = False,
        dtype: Any = np.int64,
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
        self.max_df = max_df
        self.min_df = min_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.binary = binary
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose

    # ---- learning ----------------------------------------------------------------------------------------------------

    def fit(self, raw_documents: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Learn the terms of documents, which are read once and not kept.

        Parameters
        ----------
        raw_documents : iterable
            Documents: str or bytes, paths or files, as `input` says. A list, an array, a column of pandas or polars, or
            a generator, whose documents are read some megabytes at a time.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        ValueError
            If a parameter is out of range, a document is missing or cannot be decoded, `raw_documents` is one
            document, or no term remains; the message says which.
        TypeError
            If a document is no text, or a callable has not returned text.
        OSError
            If a file cannot be read.

        Warns
        -----
        UserWarning
            If a parameter has no effect because of others, stop words do not fit the tokens, or terms of a given
            vocabulary cannot occur.
        """
        vocabulary = self._check(raw_documents)
        with fitting(self):
            self._fit(raw_documents, vocabulary, effective_n_jobs(self.n_jobs), with_rows=False)
        return self

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:  # noqa: ARG002
        """Learn the terms of documents and count them; quicker than `fit` and `transform`.

        Parameters
        ----------
        raw_documents : iterable
            As in `fit`.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        sparse matrix of shape (n_documents, n_terms)
            As from `transform`.

        Raises
        ------
        ValueError, TypeError, OSError
            As in `fit`.
        """
        vocabulary = self._check(raw_documents)
        n_threads = effective_n_jobs(self.n_jobs)
        with fitting(self):
            return self._weighed(
                self._fit(raw_documents, vocabulary, n_threads, with_rows=True), self._table, n_threads
            )

    def partial_fit(self, raw_documents: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Learn the terms of further documents.

        After any number of calls all is as after one `fit` on the documents of all of them: terms that `max_df`,
        `min_df` and `max_features` leave out now are counted on, and columns are given when they are first asked for.

        Parameters
        ----------
        raw_documents : iterable
            As in `fit`.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The estimator. If the call fails or is interrupted (Ctrl-C), it is as it was before.

        Raises
        ------
        ValueError, TypeError, OSError
            As in `fit`; ValueError also where `fit` has dropped the counts of rare or frequent terms.
        """
        vocabulary = self._check(raw_documents)
        with fitting(self, continuing=True):
            self._continue(raw_documents, vocabulary)
        return self

    def _check(self, raw_documents: Any) -> dict[str, int] | None:
        """Check parameters and the kind of the documents; return the vocabulary that the user gives."""
        name = type(self).__name__
        self._validate_params()
        check_dtype(self.dtype, name)
        check_documents(raw_documents, f"raw_documents of {name}")
        self._check_ngram_range()
        self._warn_of_unused()
        return self._given_vocabulary(is_fit=True)

    # ---- asking ------------------------------------------------------------------------------------------------------

    def transform(self, raw_documents: Any) -> Any:
        """Count the terms of documents that have a column; all others are left out.

        Parameters
        ----------
        raw_documents : iterable
            As in `fit`.

        Returns
        -------
        sparse matrix of shape (n_documents, n_terms)
            In CSR format with sorted indices; of type `dtype`. A ``scipy.sparse`` matrix or array, as
            ``sparse_interface`` of scikit-learn's configuration says.

        Raises
        ------
        ValueError, TypeError, OSError
            As in `fit`; sklearn.exceptions.NotFittedError, a ValueError, if there is no vocabulary.
        """
        check_documents(raw_documents, f"raw_documents of {type(self).__name__}")
        table = self._ready()
        n_threads = effective_n_jobs(self.n_jobs)
        parts = list(self._rows(raw_documents, table, n_threads))
        X = as_matrix(parts, table.n_columns, check_dtype(self.dtype, type(self).__name__))
        return self._weighed(X, table, n_threads)

    def inverse_transform(self, X: Any) -> list[NDArray[Any]]:
        """Return the terms of each row.

        Parameters
        ----------
        X : {array, sparse matrix} of shape (n_documents, n_terms)
            Counts or weights.

        Returns
        -------
        list of n_documents arrays of str
            The terms whose entries are not zero.

        Raises
        ------
        ValueError
            If `X` has another number of columns; sklearn.exceptions.NotFittedError, a ValueError, if there is no
            vocabulary.
        """
        table = self._ready()
        who = type(self).__name__
        check_sparse(X, who)
        X = check_array(X, accept_sparse="csr", ensure_min_samples=0)
        if X.shape[1] != table.n_columns:
            raise ValueError(f"X of {who} must have {table.n_columns} columns, one a term, got {X.shape[1]}")
        rows, columns = X.nonzero()
        names = table.names()[columns]
        ends = np.searchsorted(rows, np.arange(X.shape[0]), side="right")
        return [part.astype(str) for part in np.split(names, ends)[:-1]]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Return the terms, column by column.

        Parameters
        ----------
        input_features : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        array of str objects, shape (n_terms,)
        """
        return self._ready().names()

    @property
    def vocabulary_(self) -> dict[str, int]:
        """The column of each term; made when it is first asked for."""
        check_is_fitted(self)
        return self._ready().vocabulary

    @vocabulary_.setter
    def vocabulary_(self, vocabulary: Any) -> None:
        columns = check_vocabulary(vocabulary, f"vocabulary_ of {type(self).__name__}")
        table = TermTable.of_vocabulary(columns)
        former = vars(self).get("_table")
        if former is not None and former.weights is not None and len(former.weights) == len(columns):
            table = table.changed(weights=former.weights)
        self._clear_fitted()
        self.fixed_vocabulary_ = False
        self._table = table

    @property
    def n_samples_seen_(self) -> int:
        """How many documents were seen."""
        check_is_fitted(self)
        counter = vars(self).get("_counter")
        return int(self._table.n_documents if counter is None else counter.n_documents)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
