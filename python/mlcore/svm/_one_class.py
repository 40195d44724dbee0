"""Support vector machine for one class. What it shares with the others is in `_base.py`."""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils._param_validation import Interval

from mlcore._base import fitting
from mlcore._state import Array, Spec
from mlcore._tables import Floats
from mlcore.svm._base import BaseSVM


class OneClassSVM(OutlierMixin, BaseSVM):  # type: ignore[misc]
    """The region where most rows are, by sequential minimal optimisation [1]_ [2]_.

    In the feature space of a kernel rows are cut off from the origin by the plane that is furthest from it; at most the
    share `nu` of the rows is left outside. `fit` gives the same bits for any `n_jobs`.

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
        Stop when no pair of variables violates the KKT conditions by more, as a part of what a row (or all of them, if
        `nu` times their weight is less than one row's) can add to a decision value.
    nu : float, default=0.5
        In (0, 1]: at most this share of the weight of the rows are outliers, at least this share are support vectors.
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
        Dual coefficients, > 0, dense for sparse X too. Their sum is `nu` times the sum of the weights.
    coef_ : array of shape (1, n_features)
        Weights of the features, for a linear kernel only; dense, read-only.
    intercept_ : array of shape (1,)
        Constant of the decision function.
    offset_ : array of shape (1,)
        Minus that: ``decision_function = score_samples - offset_``.
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

    References
    ----------
    .. [1] B. Schölkopf, J. C. Platt, J. Shawe-Taylor, A. J. Smola and R. C. Williamson, "Estimating the support of a
       high-dimensional distribution", Neural Computation, 2001.
    .. [2] R.-E. Fan, P.-H. Chen and C.-J. Lin, "Working set selection using second order information for training
       support vector machines", JMLR, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import OneClassSVM
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = OneClassSVM(nu=0.1).fit(X)
    >>> model.predict([[0.0, 0.0], [9.0, 9.0]]).tolist()
    [1, -1]
    """

    _kind = "one_class"
    offset_: Floats

    _state_spec: ClassVar[Spec] = {**BaseSVM._state_spec, "offset_": Array("f8", (1,), is_finite=True)}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSVM._parameter_constraints,
        "nu": [Interval(Real, 0.0, 1.0, closed="right")],
    }

    def __init__(
        self,
        *,
        kernel: str | Callable[[Any, Any], Any] = "rbf",
        degree: int = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        nu: float = 0.5,
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
        self.nu = nu
        self.shrinking = shrinking
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Training rows, as in :class:`SVC`.
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative.

        Returns
        -------
        self
            The fitted estimator; unfitted if fit fails or is interrupted (Ctrl-C).

        Raises
        ------
        ValueError, KeyboardInterrupt
            As by :meth:`SVC.fit`.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter` was reached.
        """
        self._validate_params()
        with fitting(self):
            self._fit(X, y, sample_weight, continuing=False)
        return self

    def _check_target(self, y: Any, n_samples: int) -> NDArray[Any]:  # noqa: ARG002
        return np.zeros(n_samples)

    def _dual_problem(self, y: NDArray[Any], weight: Floats) -> tuple[Floats, Floats]:
        return np.asarray(y, dtype=np.float64), weight

    def _finish(self) -> None:
        self.offset_ = -self.intercept_
        if hasattr(self, "n_iter_"):
            self.n_iter_ = int(self.n_iter_[0])

    def decision_function(self, X: Any) -> Floats:
        """Return how far within the region each row is: positive for inliers, negative for outliers.

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

    def score_samples(self, X: Any) -> Floats:
        """Return the decision values without their constant: ``decision_function(X) + offset_``.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        return np.asarray(self.decision_function(X) + self.offset_)

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Return 1 for rows within the region and -1 for outliers.

        Parameters
        ----------
        X : {array, sparse matrix, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        return np.where(self.decision_function(X) >= 0, 1, -1).astype(np.intp)
