"""What all linear models share: scores X w + b, and what classifiers and regressors make of them."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils.validation import check_is_fitted

from mlcore._base import effective_n_jobs
from mlcore._native import core
from mlcore._sparse import check_sparse
from mlcore._state import FEATURES, Array, Csr, Labels, OneOf, Optional, Sizes, Spec
from mlcore._tables import Floats, Matrix, for_core, is_sparse, read_rows


def linear_scores(rows: Matrix, coef: Floats, intercept: Floats, n_threads: int) -> Floats:
    """Return X coef^T + intercept.

    Parameters
    ----------
    rows : array or parts of a CSR array, of shape (n_samples, n_features)
        As :func:`mlcore._tables.for_core` returns them.
    coef : array of shape (n_outputs, n_features)
    intercept : array of shape (n_outputs,)
    n_threads : int

    Returns
    -------
    array of shape (n_samples, n_outputs)
    """
    return core.linear_model.linear_scores(rows, coef, intercept, n_threads=n_threads)


class LinearModel:
    """Scores of an estimator with `coef_` of shape (n_features,) or (n_outputs, n_features) and `intercept_`."""

    coef_: Any
    intercept_: Any
    n_features_in_: int
    n_jobs: int | None

    def _coefficients(self) -> tuple[Floats, Floats]:
        """Return coefficients (n_outputs, n_features) and intercepts (n_outputs,), both dense."""
        coef = self.coef_
        check_sparse(coef, type(self).__name__, "coef_")  # which users may change
        dense = coef.toarray() if is_sparse(coef) else np.asarray(coef)  # sparsify() was called
        table = np.asarray(dense, dtype=np.float64).reshape(-1, self.n_features_in_)
        return table, np.broadcast_to(np.asarray(self.intercept_, dtype=np.float64), len(table))

    def _scores(self, X: Any) -> Floats:
        """X w + b, shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        rows = for_core(read_rows(self, X))
        return linear_scores(rows, *self._coefficients(), effective_n_jobs(self.n_jobs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = True
        return tags


class LinearRegressor(LinearModel, RegressorMixin):  # type: ignore[misc]
    """Predictions of a linear model."""

    def predict(self, X: Any) -> Floats:
        """Predict the targets of rows.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            In the form of the targets that fit was given.
        """
        values = self._scores(X)
        return values[:, 0] if self.coef_.ndim == 1 else values


class LinearClassifier(LinearModel, ClassifierMixin, SparseCoefMixin):  # type: ignore[misc]
    """Scores and classes of a linear model with one output for two classes, else one a class.

    ``sparsify`` and ``densify`` are scikit-learn's: all methods, pickle and model files take both kinds of `coef_`.
    """

    classes_: NDArray[Any]
    class_weight_: Floats

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "classes_": Labels(),
        "class_weight_": Optional(Array("f8", ("n_classes",), low=0, is_finite=True)),  # older files have none
        "coef_": OneOf(Array("f8", ("n_outputs", "n_features"), is_finite=True), Csr(("n_outputs", "n_features"))),
        "intercept_": Array("f8", ("n_outputs",), is_finite=True),
    }

    def decision_function(self, X: Any) -> Floats:
        """Return confidence scores of the classes: X w + b.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), or (n_samples, n_classes) for more than two classes
            For two classes one value a row, positive for ``classes_[1]``; of a logistic regression its log-odds.
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row: the one with the largest score.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
            Labels, of the type that fit was given.
        """
        scores = self._scores(X)
        codes = (scores[:, 0] > 0).astype(np.intp) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:  # noqa: ARG002
        n_classes = sizes["n_classes"]
        n_outputs = 1 if n_classes == 2 else n_classes
        if sizes["n_outputs"] != n_outputs:
            raise ValueError(f"coef_ must have {n_outputs} rows for {n_classes} classes, got {sizes['n_outputs']}")


class ProbabilisticLinearClassifier(LinearClassifier):
    """A linear classifier whose scores are log-odds: of the second class of two, or of a softmax."""

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return np.asarray(expit(np.hstack([-scores, scores])))  # 1 - p would lose the small ones
        return np.asarray(softmax(scores, axis=1))

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithm of the probability of each class; it is finite however small that is.

        Parameters
        ----------
        X
            As for :meth:`predict_proba`.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return np.asarray(log_expit(np.hstack([-scores, scores])))
        return np.asarray(log_softmax(scores, axis=1))
