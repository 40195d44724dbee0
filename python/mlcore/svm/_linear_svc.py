"""Linear support vector machines for classification. What both share is in `_linear.py`, the solvers are in C++.

Left out on purpose: the joint objective of Crammer and Singer.
"""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from mlcore._linear import LinearClassifier
from mlcore._native import core
from mlcore._state import Int, Spec
from mlcore._tables import Floats
from mlcore._validation import class_factors, encode_labels, has_weight, read_labels
from mlcore.svm._linear import BaseLinearSVM

_NEVER = -1e30  # score of a class without weight: below any that a row may get, and finite in float32 too


class LinearSVC(LinearClassifier, BaseLinearSVM):
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
        w = 0, times the share of the rarer class. These are liblinear's rules, but that each entry of a gradient is
        divided by the root of the curvature, so that units of features do not matter.
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
        Factor on the weights of each class, and so on `C`, as a dict from label to factor; "balanced": such that all
        classes have the same sum of weights. A factor of 0 takes the rows of a class out of the fit. With more than
        two classes, other factors count in the problem of that class against the rest only, where the rest counts 1,
        as in liblinear.
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
        The labels, sorted. A class whose rows all weigh 0 is one of them and is never predicted; if one class alone has
        a weight, it is predicted everywhere.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    coef_ : array or CSR matrix of shape (1, n_features_in_) or (n_classes, n_features_in_)
        Coefficients, float64; one row for two classes. Sparse after :meth:`sparsify`.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; -1e30 for a class without weight in fit, of more than two.
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

    _state_spec: ClassVar[Spec] = {**LinearClassifier._state_spec, "n_iter_": Int()}
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

    def _can_be_primal(self) -> bool:
        return self.loss == "squared_hinge"

    def _can_be_dual(self) -> bool:
        return self.penalty == "l2"

    def _check_target(self, y: Any) -> NDArray[Any]:
        self._check_combination()
        return read_labels(y, "LinearSVC")

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
        self.classes_, codes = encode_labels(y, "LinearSVC")
        factors = class_factors(self.class_weight, self.classes_, codes, weight, "LinearSVC")
        if factors is not None:
            self._costs(weight * factors.max())
            weight = np.where(factors[codes] > 0, weight, 0.0)  # a factor of 0 removes the rows, from the rest too
        else:
            factors = np.ones(len(self.classes_))
        self.class_weight_ = factors
        present = np.flatnonzero(has_weight(codes, weight, len(self.classes_)))
        if len(present) == 1:
            return self._constant(present[0])
        places = np.zeros(len(self.classes_), dtype=np.int32)  # rows without weight may have any place
        places[present] = np.arange(len(present))
        of_class, of_rest = factors[present], np.ones(len(present))
        if len(present) == 2:  # one problem, in which positive scores are for the second class
            of_class, of_rest = of_class[1:], of_class[:1]
        result = core.linear_model.linear_svc(
            rows,
            places[codes],
            self._costs(weight),
            of_class,
            of_rest,
            penalty=self.penalty,
            loss=self.loss,
            **settings,
        )
        return result if len(present) == len(self.classes_) else self._with_absent_classes(result, present)

    def _constant(self, winner: int) -> dict[str, Any]:
        """What is to be said if one class alone has a weight: scores of 1 for it."""
        n_classes, n_features = len(self.classes_), self.n_features_in_
        intercept = np.where(np.arange(n_classes) == winner, 1.0, -1.0)
        if n_classes == 2:
            intercept = intercept[1:]
        nothing = np.zeros(1)
        return {
            "coef": np.zeros((len(intercept), n_features)),
            "intercept": intercept,
            "n_iter": np.zeros(1, dtype=np.int32),
            "converged": np.ones(1, dtype=np.bool_),
            "violation": nothing,
            "allowed": nothing,
        }

    def _with_absent_classes(self, result: dict[str, Any], present: NDArray[Any]) -> dict[str, Any]:
        """Lay out what the core found for the classes that have a weight as for all of them."""
        coef, intercept = result["coef"], result["intercept"]
        if len(present) == 2:
            coef, intercept = np.vstack([-coef, coef]), np.r_[-intercept, intercept]
        of_all = {
            "coef": np.zeros((len(self.classes_), coef.shape[1])),
            "intercept": np.full(len(self.classes_), _NEVER),
        }
        of_all["coef"][present], of_all["intercept"][present] = coef, intercept
        return result | of_all
