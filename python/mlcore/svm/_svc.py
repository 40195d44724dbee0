"""Support vector machines for classification: C-SVC and nu-SVC. Shared code is in `_classifier.py` and `_base.py`."""

from collections.abc import Callable
from itertools import combinations
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from mlcore._tables import Floats
from mlcore.svm._classifier import BaseSVC


class SVC(BaseSVC):
    """C-support vector classification by sequential minimal optimisation [1]_ [2]_.

    The border with the widest margin in the feature space of a kernel; rows within the margin or beyond it cost `C`
    times how far. More than two classes are trained in pairs, side by side on all CPUs; kernel values are computed in
    blocks and kept within `cache_size`. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
    C : float, default=1.0
        Cost of a row on the wrong side of its margin, per unit; > 0, inf for a hard margin. Smaller is smoother.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        "linear": x.z; "poly": (gamma x.z + coef0)^degree; "rbf": exp(-gamma (x - z).(x - z)); "sigmoid":
        tanh(gamma x.z + coef0); "precomputed": X is the kernel matrix itself, dense: in fit symmetric, (n_samples,
        n_samples). A callable ``kernel(X, Z)`` returns the matrix of shape (rows of X, rows of Z): it is called with
        the training rows twice, later with new rows and the support vectors. What it is given is not looked at:
        strings and graphs are fine.
    degree : int, default=3
        Degree of "poly", >= 0.
    gamma : {"scale", "auto"} or float, default="scale"
        Factor in "rbf", "poly" and "sigmoid", >= 0. "scale": 1 / (n_features * X.var()), where
        weights count as copies of a row; "auto": 1 / n_features.
    coef0 : float, default=0.0
        Constant of "poly" and "sigmoid".
    shrinking : bool, default=True
        Leave variables that have settled at a bound out of the search until the end. The solution is the same to within
        `tol`.
    tol : float, default=1e-3
        Stop when no pair of variables violates the KKT conditions by more, as a part of the margin, or of what decision
        values can vary by if that is less (a tiny `C`).
    cache_size : float, default=200
        Most memory for kernel values during fit, in MiB.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, and so on `C`, as a dict from label to factor; "balanced": such that all
        classes have the same sum of weights. A factor of 0 takes the rows of a class out of the fit.
    max_iter : int, default=-1
        Most steps for each pair of classes; -1: ten million or 100 a row, whichever is more. Reached, it is a
        ConvergenceWarning with the largest KKT violation left.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        Whether `decision_function` returns a value a class or a value a pair of classes.
    break_ties : bool, default=False
        Whether `predict` lets `decision_function` choose between classes that win as many pairs; it takes longer.
    random_state : int, RandomState or None, default=None
        Without effect: nothing here is random. For code that sets it.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted. A class whose rows all weigh 0 is one of them and is never predicted; if one class alone has
        a weight, it is predicted everywhere.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    support_ : int32 array of shape (n_SV,)
        Positions of the support vectors among the training rows: by class, then ascending.
    support_vectors_ : {array, CSR array} of shape (n_SV, n_features)
        The support vectors, of the kind and float type of X. Empty for a precomputed kernel; rows of whatever X was for
        a callable one.
    n_support_ : int32 array of shape (n_classes,)
        Number of support vectors of each class.
    dual_coef_ : array of shape (n_classes - 1, n_SV)
        Dual coefficients times the sign of the class in the pair, dense for sparse X too. For two classes positive for
        ``classes_[1]``; for more, row j - 1 for a vector of class i < j (positive) and row i for one of class j
        (negative) belong to the pair (i, j).
    coef_ : array of shape (n_classes * (n_classes - 1) / 2, n_features)
        Weights of the features, for a linear kernel only; dense, read-only.
    intercept_ : array of shape (n_classes * (n_classes - 1) / 2,)
        Constants of the decision values.
    fit_status_ : int
        0, or 1 if `max_iter` was reached.
    n_iter_ : int array of shape (n_classes * (n_classes - 1) / 2,)
        Steps of each pair.
    shape_fit_ : tuple of int
        Shape of the training rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    NuSVC : The same with a bound on the share of support vectors in the place of `C`.
    LinearSVC : A linear kernel only, for many rows.

    Notes
    -----
    There is no `probability`: ``CalibratedClassifierCV(SVC(), ensemble=False)`` of scikit-learn gives probabilities
    that agree with `predict`. Decision values are computed from kernel values in float32 precision. In contrast to
    scikit-learn, a model that was fitted to dense rows predicts sparse ones, "balanced" counts weights as copies of a
    row, and negative weights are an error.

    References
    ----------
    .. [1] C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning, 1995.
    .. [2] R.-E. Fan, P.-H. Chen and C.-J. Lin, "Working set selection using second order information for training
       support vector machines", JMLR, 2005.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SVC(C=10.0).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.9)
    True
    """

    _kind = "c_svc"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSVC._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="right")],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: str | Callable[[Any, Any], Any] = "rbf",
        degree: int = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        tol: float = 1e-3,
        cache_size: float = 200,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        max_iter: int = -1,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _bounds(self, weight: Floats, y: NDArray[np.intp]) -> Floats:  # noqa: ARG002
        return self._costs(weight)


class NuSVC(BaseSVC):
    """Nu-support vector classification by sequential minimal optimisation [1]_ [2]_.

    As :class:`SVC`, but for `nu`, which takes the place of `C`: at most this share of the weight of the rows lies
    within the margin or beyond it, and at least this share are support vectors.

    Parameters
    ----------
    nu : float, default=0.5
        In (0, 1]. Of two classes with weights a >= b it can be at most 2 b / (a + b).
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        As in :class:`SVC`.
    degree : int, default=3
        Degree of "poly", >= 0.
    gamma : {"scale", "auto"} or float, default="scale"
        Factor in "rbf", "poly" and "sigmoid", >= 0. "scale": 1 / (n_features * X.var()), where
        weights count as copies of a row; "auto": 1 / n_features.
    coef0 : float, default=0.0
        Constant of "poly" and "sigmoid".
    shrinking : bool, default=True
        Leave variables that have settled at a bound out of the search until the end. The solution is the same to within
        `tol`.
    tol : float, default=1e-3
        Stop when no pair of variables violates the KKT conditions by more, as a part of what a row can add to a
        decision value, and of the margin.
    cache_size : float, default=200
        Most memory for kernel values during fit, in MiB.
    class_weight : dict, "balanced" or None, default=None
        Factor on the weights of each class, as a dict from label to factor; "balanced": such that all classes have the
        same sum of weights, and any `nu` is possible. A factor of 0 takes the rows of a class out of the fit.
    max_iter : int, default=-1
        Most steps for each pair of classes; -1: ten million or 100 a row, whichever is more. Reached, it is a
        ConvergenceWarning with the largest KKT violation left.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        Whether `decision_function` returns a value a class or a value a pair of classes.
    break_ties : bool, default=False
        Whether `predict` lets `decision_function` choose between classes that win as many pairs; it takes longer.
    random_state : int, RandomState or None, default=None
        Without effect: nothing here is random. For code that sets it.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted. A class whose rows all weigh 0 is one of them and is never predicted; if one class alone has
        a weight, it is predicted everywhere.
    class_weight_ : array of shape (n_classes,)
        Factor on the weights of each class.
    support_, support_vectors_, n_support_, dual_coef_, coef_, intercept_, fit_status_, n_iter_, shape_fit_
        As in :class:`SVC`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    SVC : The same with a cost `C`.

    Notes
    -----
    scikit-learn's NuSVC has a `class_weight` too, but takes no notice of it.

    References
    ----------
    .. [1] B. Schölkopf, A. J. Smola, R. C. Williamson and P. L. Bartlett, "New support vector algorithms", Neural
       Computation, 2000.
    .. [2] C.-C. Chang and C.-J. Lin, "Training nu-support vector classifiers: theory and algorithms", Neural
       Computation, 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlcore import NuSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NuSVC(nu=0.1).fit(X[::2], y[::2])
    >>> bool(model.score(X[1::2], y[1::2]) > 0.9)
    True
    """

    _kind = "nu_svc"
    _why_not_finite = (
        "with this kernel and nu there is no margin between the classes. Take a larger nu or another kernel"
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSVC._parameter_constraints,
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
    }

    def __init__(
        self,
        *,
        nu: float = 0.5,
        kernel: str | Callable[[Any, Any], Any] = "rbf",
        degree: int = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        tol: float = 1e-3,
        cache_size: float = 200,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        max_iter: int = -1,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.nu = nu
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _bounds(self, weight: Floats, y: NDArray[np.intp]) -> Floats:
        """Weights themselves, if `nu` is possible with them.

        Each class of a pair must hold half of the sum of the variables, nu times the weight of both.
        """
        sums = np.bincount(y, weights=weight)
        present = np.flatnonzero(sums).tolist()
        if len(present) < 2:
            return weight
        nu, small, large = min(
            (2 * min(sums[i], sums[j]) / (sums[i] + sums[j]), *sorted((i, j), key=sums.__getitem__))
            for i, j in combinations(present, 2)
        )
        if self.nu > nu * (1 + 1e-12):
            labels = self.classes_.tolist()
            raise ValueError(
                f"nu={self.nu:g} of NuSVC is infeasible: it can be at most {nu:.6g}, twice the share of class "
                f"{labels[small]!r} in the weight (number of rows, if all weigh 1) of the classes {labels[small]!r} "
                f"and {labels[large]!r}, which have {sums[small]:g} and {sums[large]:g}"
            )
        return weight
