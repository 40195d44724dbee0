"""Linear support vector machines for regression. What both share is in `_linear.py`, the solvers are in C++."""

from numbers import Real
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._linear import LinearRegressor
from mlcore._native import core
from mlcore._state import FEATURES, Array, Int, Spec
from mlcore._tables import Floats
from mlcore._validation import read_targets
from mlcore.svm._linear import BaseLinearSVM


class LinearSVR(LinearRegressor, BaseLinearSVM):
    """Linear support vector regression, for many rows or many features [1]_.

    Minimises ``|w|^2 / 2 + C * sum_i s_i loss(y_i - w.x_i)``, where what is within a tube of half width `epsilon` costs
    nothing. Rows are read in place: dense float32 and float64, and CSR. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
    epsilon : float, default=0.0
        Half width of the tube, >= 0, in units of y.
    tol : float, default=1e-4
        Stop at this part of the violation of the optimality conditions that there was at the start. Dual: the sum over
        rows, and that of the first pass. Primal: length of the gradient, and that at w = 0. These are liblinear's
        rules, but that each entry of a gradient is divided by the root of the curvature, so that units of features do
        not matter.
    C : float, default=1.0
        Cost of the loss, > 0. Smaller is smoother.
    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, default="epsilon_insensitive"
        max(0, abs(y - w.x) - epsilon), the loss of SVR, or its square.
    fit_intercept : bool, default=True
        Whether to have an intercept; without, it is zero.
    intercept_scaling : float, default=1.0
        The intercept is the weight of a constant feature of this value, > 0, and that weight is penalised as any other:
        the larger the value, the less the penalty weighs on it. Targets far from zero need a large one.
    dual : "auto" or bool, default="auto"
        Whether the dual problem is solved, by coordinate descent [1]_, or the primal one, by Newton's method. "auto":
        the dual one if there are more features than rows and for "epsilon_insensitive", which has no other, else the
        primal one. On the dual, coordinate descent that has not ended after some passes is finished by Newton's
        method, if features are few.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.
    random_state : int, RandomState or None, default=None
        Seed of the order in which coordinate descent takes rows.
    max_iter : int, default=1000
        Most passes over the data and Newton steps; reached, it is a ConvergenceWarning.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.

    Attributes
    ----------
    coef_ : array of shape (n_features_in_,)
        Coefficients, float64.
    intercept_ : array of shape (1,)
        Intercept.
    n_iter_ : int
        Passes and Newton steps.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    SVR : The same loss with kernels, and an intercept without a penalty.
    Ridge : Squares of all errors.

    References
    ----------
    .. [1] C.-H. Ho and C.-J. Lin, "Large-scale linear support vector regression", JMLR, 2012.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from mlcore import LinearSVR
    >>> X, y = make_regression(n_features=4, noise=1.0, random_state=0)
    >>> model = LinearSVR(C=10.0, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.99)
    True
    """

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "coef_": Array("f8", ("n_features",), is_finite=True),
        "intercept_": Array("f8", (1,), is_finite=True),
        "n_iter_": Int(),
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseLinearSVM._parameter_constraints,
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
    }

    def __init__(
        self,
        *,
        epsilon: float = 0.0,
        tol: float = 1e-4,
        C: float = 1.0,
        loss: Literal["epsilon_insensitive", "squared_epsilon_insensitive"] = "epsilon_insensitive",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dual: bool | Literal["auto"] = "auto",
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
        n_jobs: int | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.tol = tol
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dual = dual
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def _can_be_primal(self) -> bool:
        return self.loss == "squared_epsilon_insensitive"

    def _can_be_dual(self) -> bool:
        return True

    def _check_target(self, y: Any) -> NDArray[Any]:
        if self.loss == "epsilon_insensitive" and self.dual != "auto" and not self.dual:
            raise ValueError("loss='epsilon_insensitive' of LinearSVR needs dual=True or 'auto', got dual=False")
        return read_targets(y, "LinearSVR")

    def _solve(self, rows: Any, y: NDArray[Any], weight: Floats, **settings: Any) -> dict[str, Any]:
        result = core.linear_model.linear_svr(
            rows, y, self._costs(weight), loss=self.loss, epsilon=float(self.epsilon), **settings
        )
        result["coef"] = result["coef"].ravel()
        return result
