"""What SVC and NuSVC share: labels, weights of classes, and one decision out of many one-vs-one decisions."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from mlcore._sparse import check_sparse
from mlcore._state import Array, Labels, Optional, Spec
from mlcore._tables import Floats, Rows
from mlcore._validation import class_factors, encode_labels, read_labels, with_factors
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
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "decision_function_shape": [StrOptions({"ovr", "ovo"})],
        "break_ties": ["boolean"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _bounds(self, weight: Floats, y: NDArray[np.intp]) -> Floats:
        """Return the bound of each row's dual variable, from the product of its weights. Raises ValueError."""

    def _check_target(self, y: Any, n_samples: int) -> NDArray[Any]:  # noqa: ARG002
        name = type(self).__name__
        self.classes_, codes = encode_labels(read_labels(y, name), name)
        return codes

    def _weigh(self, y: NDArray[Any], weight: Floats) -> Floats:
        factors = class_factors(self.class_weight, self.classes_, y, weight, type(self).__name__)
        self.class_weight_ = np.ones(len(self.classes_)) if factors is None else factors
        return weight if factors is None else with_factors(weight, factors, y, type(self).__name__)

    def _dual_problem(self, y: NDArray[Any], weight: Floats) -> tuple[Floats, Floats]:
        return y.astype(np.float64), self._bounds(weight, y)

    def _train(self, matrix: Rows, y: Floats, C: Floats, n_threads: int) -> dict[str, Any]:
        present, codes = np.unique(y.astype(np.intp), return_inverse=True)
        if len(present) == len(self.classes_):
            return super()._train(matrix, y, C, n_threads)
        result = super()._train(matrix, codes.astype(np.float64), C, n_threads) if len(present) > 1 else _NO_PAIRS
        return _with_absent_classes(result, present, len(self.classes_))

    def _finish(self) -> None:
        if len(self.classes_) == 2:  # positive values are for classes_[1], as everywhere in scikit-learn
            self.dual_coef_, self.intercept_ = -self.dual_coef_, -self.intercept_

    def _n_problems(self, y: Floats) -> int:
        n_classes = len(np.unique(y))
        return n_classes * (n_classes - 1) // 2

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
        """Return confidence scores of the classes.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
            For ``kernel="precomputed"`` of shape (n_samples, n_samples_fit): the kernel between these rows and the
            training rows.

        Returns
        -------
        array of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_classes * (n_classes - 1) / 2)
            For two classes one value a row: positive for ``classes_[1]``, and the distance from the border in
            feature space is its size over the norm of w. For more, with ``decision_function_shape="ovr"``, the number
            of pairs that a class wins plus a number in (-1/3, 1/3) that breaks ties by the sum of its values; with
            "ovo" the value of each pair (0, 1), (0, 2), ..., positive for its first class. A class without weight in
            fit loses its pairs by 1.
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


_NO_PAIRS: dict[str, Any] = {
    "support": np.empty(0, dtype=np.int32),
    "n_support": np.zeros(1, dtype=np.int32),
    "dual_coef": np.empty((1, 0)),
    "intercept": np.empty(0),
    "n_iter": np.empty(0, dtype=np.int64),
    "gap": np.empty(0),
    "converged": np.empty(0, dtype=np.bool_),
}


def _with_absent_classes(result: dict[str, Any], present: NDArray[np.intp], n_classes: int) -> dict[str, Any]:
    """Lay out what the core found for the classes that have a weight as for all of them.

    A class without weight loses to each of the others wherever a row is, by a decision value of 1: so it has fewer
    votes than any of them.
    """
    n_support = np.zeros(n_classes, dtype=np.int32)
    n_support[present] = result["n_support"]
    dual_coef = np.zeros((n_classes - 1, len(result["support"])))
    ends = np.cumsum(result["n_support"])
    for a, (i, end) in enumerate(zip(present, ends, strict=True)):
        columns = slice(end - result["n_support"][a], end)
        for b, j in enumerate(present):
            if a != b:
                dual_coef[j - (j > i), columns] = result["dual_coef"][b - (b > a), columns]
    pairs = list(combinations(range(n_classes), 2))
    here = np.isin(np.arange(n_classes), present)
    of_both = np.array([here[i] and here[j] for i, j in pairs])

    def of_pairs(name: str, otherwise: Any) -> NDArray[Any]:
        values = np.array(otherwise, dtype=result[name].dtype)
        values[of_both] = result[name]
        return values

    zeros = [0] * len(pairs)
    return {
        "support": result["support"],
        "n_support": n_support,
        "dual_coef": dual_coef,
        "intercept": of_pairs("intercept", [float(here[i]) - float(here[j]) for i, j in pairs]),
        "n_iter": of_pairs("n_iter", zeros),
        "gap": of_pairs("gap", zeros),
        "converged": of_pairs("converged", [True] * len(pairs)),
    }


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
