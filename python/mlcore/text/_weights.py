"""Tf-idf: counts of terms become weights.

With tf(d, t) the count of term t in document d, n documents and df(t) those that hold t:

    idf(t) = log((n + s) / (df(t) + s)) + 1                 s = 1 with smooth_idf, else 0
    x(d, t) = tf(d, t) idf(t)                               or (1 + log tf(d, t)) idf(t) with sublinear_tf

and each row is divided by its norm, the root of the sum of squares (l2) or the sum (l1).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from mlcore._native import core

WEIGHT_CONSTRAINTS: dict[str, list[Any]] = {
    "norm": [StrOptions({"l1", "l2"}), None],
    "use_idf": ["boolean"],
    "smooth_idf": ["boolean"],
    "sublinear_tf": ["boolean"],
}
"""What the parameters of tf-idf may be."""


def inverse_document_frequency(
    document_counts: NDArray[np.int64], n_documents: int, dtype: np.dtype[Any], *, smooth: bool
) -> NDArray[Any]:
    """Return idf(t) of all terms, computed in `dtype` by the operations of scikit-learn.

    Parameters
    ----------
    document_counts : array of int64, shape (n_terms,)
        df.
    n_documents : int
        n.
    dtype : numpy.dtype
        float32 or float64.
    smooth : bool
        Whether a document that holds every term is added. Without, a term that no document holds has an infinite idf.
    """
    df = document_counts.astype(dtype)
    df += float(smooth)
    idf = np.full_like(df, n_documents + int(smooth))
    idf /= df
    np.log(idf, out=idf)
    idf += 1.0
    return idf


def weigh(X: Any, idf: NDArray[Any] | None, *, sublinear: bool, norm: Any, n_threads: int) -> None:
    """Turn the counts of a CSR matrix of float32 or float64 into tf-idf, in place.

    Raises ValueError where a weight is infinite, so that its row has no norm.
    """
    if idf is not None and idf.dtype != X.dtype:
        idf = idf.astype(X.dtype)
    core.text.tfidf(X.data, X.indices, X.indptr, idf, sublinear=sublinear, norm=norm, n_threads=n_threads)
    if norm is not None and not np.isfinite(X.data.sum()):
        raise ValueError(
            "a weight is infinite, so that its row has no norm: the idf of a term that no document holds is infinite "
            "with smooth_idf=False; take smooth_idf=True or norm=None"
        )
