"""Linear support vector machines for classes. What both linear machines share is in `_linear.py`, the solvers in C++.

Left out on purpose: the joint objective of Crammer and Singer.
"""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from mlcore._matrix import Floats
from mlcore._native import core
from mlcore._state import Labels, Spec
from mlcore.svm._linear import BaseLinearSVM


class LinearSVC(ClassifierMixin, SparseCoefMixin, BaseLinearSVM):  # type: ignore[misc]
    """Linear support vector classification, for many rows or many features [1]_ [2]_.

    Minimises ``penalty(w) + C * sum_i s_i loss(y_i, w.x_i)`` for each class against the rest, side by side on all CPUs.
    Rows are read in place: dense float32 and float64, and CSR. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
    penalty : {"l1", "l2"}, default="l2"
        "l2": half the sum of squares; "l1": sum of absolute values, which makes coefficients of features that help
        little exactly zero; it goes with the squared hinge.
    loss : {"hinge", "squared_hinge"}, default="squared_hinge"
        max(0, 1 - y w.x), the loss of SVC, or its square.
    dual : "auto" or bool, default="auto"
        Whether the dual problem is solved, by coordinate descent [1]_, or the primal one, by Newton's method [3]_ or,
        with L1 and many features, by coordinate descent [4]_. "auto": the dual one if there are more features than
        rows and for the hinge, else the primal one. The hinge has only the dual, L1 only the primal one. On the dual,
        coordinate descent that has not ended after some passes is finished by Newton's method, if features are few.
    tol : float, default=1e-4
        Stop at this violation of the optimality conditions. Dual: the largest minus the smallest entry of the
        projected gradient. Primal: length of the gradient (L1: sum of the smallest subgradients) as a part of that at
        w = 0, times the share of the rarer class. These are liblinear's rules.
    C : float, default=1.0
        Cost of the loss, > 0. Smaller is smoother.
    multi_class : {"ovr"}, default="ovr"
        Each class against the rest. "crammer_singer" of scikit-learn is left out.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    intercept_scaling : float, default=1.0
        The intercept is the weight of a constant feature of this value, > 0, and that weight is penalised as any other:
        the larger the value, the less the penalty weighs on it.
    class_weight : dict, "balanced" or None, default=None
        Factor on `C` of each class, as a dict from label to factor; "balanced": such that all classes have the same sum
        of weights. With more than two classes, the factor of a class counts in the problem of that class against the
        rest only, and the rest counts 1 there, as in liblinear.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.
    random_state : int, RandomState or None, default=None
        Seed of the order in which coordinate descent takes rows or features.
    max_iter : int, default=1000
        Most passes over the data and Newton steps, for each class; reached, it is a ConvergenceWarning.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    coef_ : array or CSR matrix of shape (1, n_features_in_) or (n_classes, n_features_in_)
        Coefficients, float64; one row for two classes. Sparse after :meth:`sparsify`.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts.
    n_iter_ : int
        Passes and Newton steps, the most of any class.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    SVC : The hinge loss with kernels, and an intercept without a penalty.
    LogisticRegression : The same for a loss that gives probabilities.

    References
    ----------
    .. [1] C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. S. Keerthi and S. Sundararajan, "A dual coordinate descent method for
       large-scale linear SVM", ICML 2008.
    .. [2] R.-E. Fan, K.-W. Chang, C.-J. Hsieh, X.-R. Wang and C.-J. Lin, "LIBLINEAR: a library for large linear
       classification", JMLR, 2008.
    .. [3] S. S. Keerthi and D. DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs",
       JMLR, 2005.
    .. [4] G.-X. Yuan, K.-W. Chang, C.-J. Hsieh and C.-J. Lin, "A comparison of optimization methods and software for
       large-scale L1-regularized linear classification", JMLR, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mlcore import LinearSVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LinearSVC(C=0.1)).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.95)
    True
    """

    classes_: NDArray[Any]

    _state_spec: ClassVar[Spec] = {"classes_": Labels(), **BaseLinearSVM._state_spec}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseLinearSVM._parameter_constraints,
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],  # the second for a message that says more
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        penalty: Literal["l1", "l2"] = "l2",
        loss: Literal["hinge", "squared_hinge"] = "squared_hinge",
        *,
        dual: bool | Literal["auto"] = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: Literal["ovr"] = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Training rows, finite. float32 and float64 are read in place, CSR too.
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
            If a parameter or the data is out of range, or the combination of penalty, loss and dual has no solver; the
            message says which.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` was reached; the message has the violation left.
        """
        return self._fit_guarded(X, y, sample_weight)

    def _can_be_primal(self) -> bool:
        return self.loss == "squared_hinge"

    def _can_be_dual(self) -> bool:
        return self.penalty == "l2"

    def _check_target(self, y: Any) -> NDArray[Any]:
        self._check_combination()
        if y is None:
            raise ValueError("LinearSVC requires y to be passed, but the target y is None")
        y = column_or_1d(check_array(y, dtype=None, ensure_2d=False, input_name="y", estimator=self), warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        return np.asarray(y)

    def _check_combination(self) -> None:
        if self.multi_class != "ovr":
            raise ValueError("multi_class of LinearSVC must be 'ovr': the objective of Crammer and Singer is left out")
        if self.penalty == "l1" and self.loss == "hinge":
            raise ValueError("penalty='l1' of LinearSVC needs loss='squared_hinge', got loss='hinge'")
        if self.penalty == "l1" and self.dual is not False and self.dual != "auto" and self.dual:
            raise ValueError("penalty='l1' of LinearSVC needs dual=False or 'auto', got dual=True")
        if self.loss == "hinge" and self.dual != "auto" and not self.dual:
            raise ValueError("loss='hinge' of LinearSVC needs dual=True or 'auto', got dual=False")

    def _solve(self, rows: Any, y: NDArray[Any], weight: Floats, **settings: Any) -> dict[str, Any]:
        try:
            self.classes_ = np.unique(y[weight > 0])
        except TypeError as error:
            raise TypeError(f"labels of LinearSVC must be of one type: {error}") from error
        if len(self.classes_) < 2:
            raise ValueError(
                f"y of LinearSVC must have at least 2 classes with a weight > 0, got 1 class: {self.classes_.tolist()}"
            )
        codes = np.zeros(len(y), dtype=np.int32)  # rows without weight may have a label of their own: any will do
        codes[weight > 0] = np.searchsorted(self.classes_, y[weight > 0])
        if self.class_weight == "balanced":  # a weight counts as copies
            sums = np.bincount(codes, weights=weight)
            factors = sums.sum() / (len(sums) * sums)
        else:
            factors = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
        factors = np.asarray(factors, dtype=np.float64)
        if not (np.isfinite(factors).all() and (factors > 0).all()):
            raise ValueError(f"class_weight of LinearSVC must be finite and > 0, got {self.class_weight!r}")
        of_class, of_rest = factors, np.ones(len(factors))
        if len(factors) == 2:  # one problem, in which positive scores speak for classes_[1]
            of_class, of_rest = factors[1:], factors[:1]
        self._costs(weight * factors.max())
        return core.svm.linear_svc(
            rows, codes, self._costs(weight), of_class, of_rest, penalty=self.penalty, loss=self.loss, **settings
        )

    # ---- predict ----

    def decision_function(self, X: Any) -> Floats:
        """Return how much speaks for each class: w.x + b.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            For two classes one value a row, positive for ``classes_[1]``; for more, one a class.
        """
        scores = self._scores(X)
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row.

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
