"""Counts of terms as tf-idf."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, effective_n_jobs, fitting
from mlcore._sparse import validate_rows
from mlcore._state import FEATURES, Array, Int, Optional, Spec
from mlcore.text._matrix import configured
from mlcore.text._weights import WEIGHT_CONSTRAINTS, inverse_document_frequency, weigh


class TfidfTransformer(OneToOneFeatureMixin, TransformerMixin, StateMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg,misc]
    """Turn counts of terms into tf-idf: scikit-learn's class, with all threads and `partial_fit`.

    With tf(d, t) the count of term t in document d, n documents and df(t) those that hold t, the weights are
    ``tf(d, t) * idf(t)``, and each row is divided by its norm. ``idf(t) = log((n + 1) / (df(t) + 1)) + 1``, so that
    rare terms weigh more, and those that all documents hold are not lost.

    Parameters
    ----------
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

    Attributes
    ----------
    idf_ : array of shape (n_features_in_,)
        The idf of each term, with ``use_idf=True``; may be set. float32 where the counts are, else float64.
    document_counts_ : array of int64, shape (n_features_in_,)
        df: in how many documents each term was found.
    n_samples_seen_ : int
        n: how many documents were seen.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    TfidfVectorizer : From texts to tf-idf in one step.

    Examples
    --------
    >>> from mlcore import TfidfTransformer
    >>> counts = [[3, 0, 1], [2, 0, 0], [3, 1, 0]]
    >>> TfidfTransformer(norm=None).fit_transform(counts).toarray().round(2)
    array([[3.  , 0.  , 1.69],
           [2.  , 0.  , 0.  ],
           [3.  , 1.69, 0.  ]])
    """

    _state_spec: ClassVar[Spec] = {
        "idf_": Optional(Array("f4 f8", ("n_features",))),
        "document_counts_": Array("i8", ("n_features",), low=0),
        "n_samples_seen_": Int(1),
        **FEATURES,
    }
    idf_: NDArray[Any]
    document_counts_: NDArray[np.int64]
    n_samples_seen_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**WEIGHT_CONSTRAINTS, "n_jobs": [*N_JOBS]}

    def __init__(
        self,
        *,
        norm: str | None = "l2",
        use_idf: bool = True,
        smooth_idf: bool = True,
        sublinear_tf: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Count the documents of each term.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_documents, n_terms)
            Counts.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        ValueError
            If a parameter or the data is out of range; the message says which.
        """
        self._validate_params()
        with fitting(self):
            self._learn(X)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Count further documents: after any number of calls all is as after one `fit` on all of them.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_documents, n_terms)
            Counts.
        y : object, default=None
            Ignored, for scikit-learn.

        Returns
        -------
        self
            The estimator. If the call fails or is interrupted (Ctrl-C), it is as it was before.

        Raises
        ------
        ValueError
            As in `fit`, and if `X` has other columns than before.
        """
        self._validate_params()
        with fitting(self, continuing=True):
            self._learn(X)
        return self

    def _learn(self, X: Any) -> None:
        is_first = not hasattr(self, "document_counts_")
        X = validate_rows(self, X, accept_sparse=("csr", "csc"), accept_large_sparse=True, reset=is_first)
        dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
        found = _document_counts(X)
        self.document_counts_ = found if is_first else self.document_counts_ + found
        self.n_samples_seen_ = X.shape[0] + (0 if is_first else self.n_samples_seen_)
        if self.use_idf:
            self.idf_ = inverse_document_frequency(
                self.document_counts_, self.n_samples_seen_, dtype, smooth=self.smooth_idf
            )

    def transform(self, X: Any, copy: bool = True) -> Any:
        """Weigh counts.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_documents, n_terms)
            Counts.
        copy : bool, default=True
            False: a CSR matrix of float32 or float64 may be overwritten.

        Returns
        -------
        sparse matrix of shape (n_documents, n_terms)
            Weights, in CSR format, of float32 where `X` is, else of float64. A ``scipy.sparse`` matrix or array, as
            ``sparse_interface`` of scikit-learn's configuration says.

        Raises
        ------
        ValueError
            If `X` has other columns than in `fit`, or holds NaN or infinity.
        """
        check_is_fitted(self)
        X = validate_rows(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], copy=copy, reset=False)
        X = configured(X)
        weigh(
            X,
            getattr(self, "idf_", None),
            sublinear=self.sublinear_tf,
            norm=self.norm,
            n_threads=effective_n_jobs(self.n_jobs),
        )
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "idf_") or hasattr(self, "document_counts_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _document_counts(X: Any) -> NDArray[np.int64]:
    """Return in how many rows each column is stored (sparse) or not zero (dense)."""
    counts: NDArray[np.int64]
    if isinstance(X, np.ndarray):
        counts = np.count_nonzero(X, axis=0).astype(np.int64)
    elif X.format == "csc":
        counts = np.diff(X.indptr).astype(np.int64)
    else:
        counts = np.bincount(X.indices, minlength=X.shape[1]).astype(np.int64)
    return counts
