"""What SVC and NuSVC share: labels, weights of classes, and one decision out of many one-vs-one decisions."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import _safe_indexing, assert_all_finite, check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, check_is_fitted

from mlcore._matrix import Floats
from mlcore._sparse import check_sparse
from mlcore._state import Array, Labels, Optional, Spec
from mlcore.svm._base import BaseSVM
from mlcore.svm._model_file import LibsvmModel, whole_labels

_BLOCK = 1 << 23  # one-vs-one decision values that are held at once


class BaseSVC(ClassifierMixin, BaseSVM):  # type: ignore[misc]
    """Classes by one-vs-one: a machine for each pair, the class with the most votes wins."""

    classes_: NDArray[Any]
    class_weight_: Floats

    _state_spec: ClassVar[Spec] = {
        "classes_": Labels(),
        "class_weight_": Optional(Array("f8", ("n_classes",), low=0)),
        **BaseSVM._state_spec,
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSVM._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "decision_function_shape": [StrOptions({"ovr", "ovo"})],
        "break_ties": ["boolean"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _bounds(self, weight: Floats, y: NDArray[np.intp]) -> Floats:
        """Return the bound of each row's dual variable, from the product of its weights. Raises ValueError."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Training rows, finite. float32 and float64 are read in place. For ``kernel="precomputed"`` the dense,
            symmetric matrix of the kernel, of shape (n_samples, n_samples); for a callable kernel whatever it takes.
        y : array of shape (n_samples,)
            Labels of two classes or more.
        sample_weight : array of shape (n_samples,), default=None
            Weights, not negative. A weight of 0 is the same as removing the row, of 2 the same as a second copy of it.

        Returns
        -------
        self
            The fitted estimator. If fit fails or is interrupted (Ctrl-C), the estimator is left unfitted.

        Raises
        ------
        ValueError
            If a parameter or the data is out of range; the message says which.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` was reached; the message has the largest KKT violation left.
        """
        return self._fit_guarded(X, y, sample_weight)

    def _check_target(self, y: Any, n_samples: int) -> NDArray[Any]:  # noqa: ARG002
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        y = column_or_1d(check_array(y, dtype=None, ensure_2d=False, input_name="y", estimator=self), warn=True)
        assert_all_finite(y, input_name="y")
        try:
            check_classification_targets(y)
        except TypeError as error:
            raise TypeError(f"labels of {type(self).__name__} must be of one type: {error}") from error
        return np.asarray(y)

    def _dual_problem(self, y: NDArray[Any], weight: Floats) -> tuple[Floats, Floats]:
        name = type(self).__name__
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y of {name} must have at least 2 classes with a weight > 0, got 1 class: {self.classes_.tolist()}"
            )
        if self.class_weight == "balanced":  # a weight counts as copies
            sums = np.bincount(codes, weights=weight)
            self.class_weight_ = sums.sum() / (len(sums) * sums)
        else:
            factors = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            self.class_weight_ = np.asarray(factors, dtype=np.float64)
        if not (np.isfinite(self.class_weight_).all() and (self.class_weight_ > 0).all()):
            raise ValueError(f"class_weight of {name} must be finite and > 0, got {self.class_weight!r}")
        return codes.astype(np.float64), self._bounds(weight * self.class_weight_[codes], codes)

    def _finish(self) -> None:
        if len(self.classes_) == 2:  # positive values speak for classes_[1], as everywhere in scikit-learn
            self.dual_coef_, self.intercept_ = -self.dual_coef_, -self.intercept_

    def _n_problems(self) -> int:
        return len(self.classes_) * (len(self.classes_) - 1) // 2

    # ---- predict ----

    def _blocks(self, X: Any) -> Iterator[Any]:
        """Parts of X such that the decision values of all pairs of classes do not fill the memory."""
        check_is_fitted(self)
        check_sparse(X, type(self).__name__)
        rows, n = max(1024, _BLOCK // len(self.intercept_)), _num_samples(X)
        if n <= rows or not hasattr(X, "shape"):
            yield X
            return
        for begin in range(0, n, rows):
            yield _safe_indexing(X, slice(begin, min(begin + rows, n)))

    def decision_function(self, X: Any) -> Floats:
        """Return how much speaks for each class.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
            For ``kernel="precomputed"`` of shape (n_samples, n_samples_fit): the kernel between these rows and the
            training rows.

        Returns
        -------
        array of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_classes * (n_classes - 1) / 2)
            For two classes one value a row: positive speaks for ``classes_[1]``, and the distance from the border in
            feature space is its size over the norm of w. For more, with ``decision_function_shape="ovr"``, the number
            of pairs that a class wins plus a number in (-1/3, 1/3) that breaks ties by the sum of its values; with
            "ovo" the value of each pair (0, 1), (0, 2), ..., positive for its first class.
        """
        if len(self._fitted_classes()) > 2 and self.decision_function_shape == "ovr":
            n_classes = len(self.classes_)
            return np.concatenate([_one_vs_rest(self._decision_values(part), n_classes) for part in self._blocks(X)])
        values = self._decision_values(X)
        return values.ravel() if len(self.classes_) == 2 else values

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
            For ``kernel="precomputed"`` of shape (n_samples, n_samples_fit).

        Returns
        -------
        array of shape (n_samples,)
            Labels, of the type that fit was given. The class that wins the most pairs; of several the first one, or,
            with `break_ties`, the one that `decision_function` prefers.

        Raises
        ------
        ValueError
            If `break_ties` is True and `decision_function_shape` is "ovo", which has no such preference.
        """
        if self.break_ties and self.decision_function_shape == "ovo":
            raise ValueError(f"break_ties=True of {type(self).__name__} needs decision_function_shape='ovr', got 'ovo'")
        n_classes = len(self._fitted_classes())
        if n_classes == 2:
            codes = (self._decision_values(X)[:, 0] >= 0).astype(np.intp)
        elif self.break_ties:
            codes = self.decision_function(X).argmax(axis=1)
        else:
            # a value of exactly 0 is a vote for the second class, as in libsvm
            parts = (_votes(self._decision_values(part) > 0, n_classes) for part in self._blocks(X))
            codes = np.concatenate([votes.argmax(axis=1) for votes in parts])
        return np.asarray(self.classes_[codes])

    def _fitted_classes(self) -> NDArray[Any]:
        check_is_fitted(self)
        return self.classes_

    def _primal_coef(self) -> Floats:
        if len(self.classes_) == 2:
            return super()._primal_coef()
        ends = np.cumsum(self.n_support_)
        of_class = [slice(end - n, end) for end, n in zip(ends, self.n_support_, strict=True)]
        vectors, rows = self.support_vectors_, []
        for i, j in combinations(range(len(ends)), 2):
            a, b = of_class[i], of_class[j]
            rows.append(self.dual_coef_[j - 1, a] @ vectors[a] + self.dual_coef_[i, b] @ vectors[b])
        return np.asarray(np.stack(rows), dtype=np.float64)

    # ---- model files ----

    def _to_libsvm(self) -> LibsvmModel:
        model = super()._to_libsvm()
        is_flipped = len(self.classes_) == 2
        return replace(
            model,
            n_classes=len(self.classes_),
            rho=[-rho if is_flipped else rho for rho in model.rho],
            labels=whole_labels(self.classes_, type(self).__name__),
            n_support=self.n_support_.tolist(),
            dual_coef=-model.dual_coef if is_flipped else model.dual_coef,
        )

    def _from_libsvm(self, model: LibsvmModel) -> None:
        self.classes_ = np.array(model.labels, dtype=np.int64)
        super()._from_libsvm(model)
        self.n_support_ = np.array(model.n_support, dtype=np.int32)


def _votes(is_first: NDArray[np.bool_], n_classes: int) -> Floats:
    """How many pairs each class wins, shape (n_samples, n_classes), from whether the first class of a pair does."""
    votes = np.zeros((len(is_first), n_classes))
    for k, (i, j) in enumerate(combinations(range(n_classes), 2)):
        votes[:, i] += is_first[:, k]
        votes[:, j] += ~is_first[:, k]
    return votes


def _one_vs_rest(values: Floats, n_classes: int) -> Floats:
    """One value a class out of one a pair: votes, and the sum of the values squeezed to less than a third of a vote."""
    sums = np.zeros((len(values), n_classes))
    for k, (i, j) in enumerate(combinations(range(n_classes), 2)):
        sums[:, i] += values[:, k]
        sums[:, j] -= values[:, k]
    return np.asarray(_votes(values >= 0, n_classes) + sums / (3 * (np.abs(sums) + 1)))
