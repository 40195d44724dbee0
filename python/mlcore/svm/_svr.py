"""Support vector machines for regression: epsilon-SVR and nu-SVR. What they share with the others is in `_base.py`."""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval

from mlcore._tables import Floats
from mlcore.svm._base import BaseSVM


class BaseSVR(RegressorMixin, BaseSVM):  # type: ignore[misc]
    """Fit and predict of both."""

    C: float

    def _dual_problem(self, y: NDArray[Any], weight: Floats) -> tuple[Floats, Floats]:
        return np.ascontiguousarray(y, dtype=np.float64), self._costs(weight)

    def _finish(self) -> None:
        if hasattr(self, "n_iter_"):
            self.n_iter_ = int(self.n_iter_[0])

    def predict(self, X: Any) -> Floats:
        """Return the prediction for each row.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)
            For ``kernel="precomputed"`` of shape (n_samples, n_samples_fit): the kernel between these rows and the
            training rows.

        Returns
        -------
        array of shape (n_samples,)
        """
        return self._decision_values(X).ravel()


class SVR(BaseSVR):
    """Epsilon-support vector regression by sequential minimal optimisation [1]_ [2]_.

    A function in the feature space of a kernel, as flat as can be; rows further from it than `epsilon` cost `C` times
    how much further. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
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
    tol : float, default=1e-3
        Stop when no pair of variables violates the KKT conditions by more, as a part of the spread of the targets (1.48
        times the median of their distances from their median).
    C : float, default=1.0
        Cost of a row outside the tube, per unit; > 0, inf allowed. Smaller is flatter.
    epsilon : float, default=0.1
        Half the width of the tube in which rows cost nothing, >= 0.
    shrinking : bool, default=True
        Leave variables that have settled at a bound out of the search until the end. The solution is the same to within
        `tol`.
    cache_size : float, default=200
        Most memory for kernel values during fit, in MiB.
    max_iter : int, default=-1
        Most steps; -1: ten million or 100 a row, whichever is more. Reached, it is a ConvergenceWarning with the
        largest KKT violation left.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    support_ : int32 array of shape (n_SV,)
        Positions of the support vectors among the training rows, ascending.
    support_vectors_ : {array, CSR array} of shape (n_SV, n_features)
        The support vectors, of the kind and float type of X. Empty for a precomputed kernel; rows of whatever X was for
        a callable one.
    n_support_ : int32 array of shape (1,)
        Number of support vectors.
    dual_coef_ : array of shape (1, n_SV)
        Dual coefficients, dense for sparse X too: positive for rows above the tube, negative for rows below it.
    coef_ : array of shape (1, n_features)
        Weights of the features, for a linear kernel only; dense, read-only.
    intercept_ : array of shape (1,)
        Constant of the function.
    fit_status_ : int
        0, or 1 if `max_iter` was reached.
    n_iter_ : int
        Steps done.
    shape_fit_ : tuple of int
        Shape of the training rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    NuSVR : The same with a bound on the share of support vectors in the place of `epsilon`.
    LinearSVR : A linear kernel only, for many rows.

    References
    ----------
    .. [1] A. J. Smola and B. Schölkopf, "A tutorial on support vector regression", Statistics and Computing, 2004.
    .. [2] R.-E. Fan, P.-H. Chen and C.-J. Lin, "Working set selection using second order information for training
       support vector machines", JMLR, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import SVR
    >>> x = np.linspace(0, 6, 200)[:, None]
    >>> model = SVR(C=10.0, epsilon=0.05).fit(x, np.sin(x[:, 0]))
    >>> bool(model.score(x, np.sin(x[:, 0])) > 0.99)
    True
    """

    _kind = "epsilon_svr"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSVR._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="right")],
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        kernel: str | Callable[[Any, Any], Any] = "rbf",
        degree: int = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        C: float = 1.0,
        epsilon: float = 0.1,
        shrinking: bool = True,
        cache_size: float = 200,
        max_iter: int = -1,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.C = C
        self.epsilon = epsilon
        self.shrinking = shrinking
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose


class NuSVR(BaseSVR):
    """Nu-support vector regression by sequential minimal optimisation [1]_ [2]_.

    As :class:`SVR`, but the width of the tube is found such that at most the share `nu` of the weight of the rows lies
    outside of it, and at least this share are support vectors.

    Parameters
    ----------
    nu : float, default=0.5
        In (0, 1].
    C : float, default=1.0
        Cost of a row outside the tube, per unit; > 0 and finite. Smaller is flatter.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        As in :class:`SVR`.
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
        Stop when no pair of variables violates the KKT conditions by more, as a part of the spread of the targets (1.48
        times the median of their distances from their median).
    cache_size : float, default=200
        Most memory for kernel values during fit, in MiB.
    max_iter : int, default=-1
        Most steps; -1: ten million or 100 a row, whichever is more. Reached, it is a ConvergenceWarning with the
        largest KKT violation left.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    support_, support_vectors_, n_support_, dual_coef_, coef_, intercept_, fit_status_, n_iter_, shape_fit_
        As in :class:`SVR`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    SVR : The same with a given width `epsilon` of the tube.

    References
    ----------
    .. [1] B. Schölkopf, A. J. Smola, R. C. Williamson and P. L. Bartlett, "New support vector algorithms", Neural
       Computation, 2000.
    .. [2] C.-C. Chang and C.-J. Lin, "Training nu-support vector regression: theory and algorithms", Neural
       Computation, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import NuSVR
    >>> x = np.linspace(0, 6, 200)[:, None]
    >>> model = NuSVR(nu=0.3, C=10.0).fit(x, np.sin(x[:, 0]))
    >>> bool(model.score(x, np.sin(x[:, 0])) > 0.99)
    True
    """

    _kind = "nu_svr"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSVR._parameter_constraints,
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
    }

    def __init__(
        self,
        *,
        nu: float = 0.5,
        C: float = 1.0,
        kernel: str | Callable[[Any, Any], Any] = "rbf",
        degree: int = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        tol: float = 1e-3,
        cache_size: float = 200,
        max_iter: int = -1,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.nu = nu
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose
