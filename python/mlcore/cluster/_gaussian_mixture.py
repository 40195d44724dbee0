"""Gaussian mixtures. EM itself is in ``cpp/cluster/mixture``, its start in `_mixture_start.py`."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mlcore._base import N_JOBS, StateMixin, core_count, effective_n_jobs, fitting
from mlcore._native import core
from mlcore._progress import Progress
from mlcore._state import FEATURES, Array, Flag, Int, Number, OneOf, Sizes, Spec
from mlcore._tables import Floats
from mlcore._validation import read_count, row_weights, weighted_rows
from mlcore.cluster._mixture_start import covariance_shape, division, read_start
from mlcore.cluster._points import Points, read_points, require_variances

_PARTS = ("weights", "means", "covariances", "precisions_cholesky")


class GaussianMixture(DensityMixin, StateMixin, BaseEstimator):  # type: ignore[misc]
    """Rows as draws from several normal distributions, by expectation maximisation [1]_.

    The density is ``sum_c weights_[c] N(x; means_[c], S_c)``; a row belongs to each component with a probability. One
    pass over the rows does both steps of an iteration, in O(n) memory. `fit` gives the same bits for any `n_jobs`, and
    a change of the unit or of the zero of a column changes nothing but rounding ("spherical" components have one
    variance for all columns, which must have one unit).

    Parameters
    ----------
    n_components : int, default=1
        Number of components, from 1 to the number of rows.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        "full": a covariance matrix for each component; "tied": one for all; "diag": a variance for each component and
        column; "spherical": a variance for each component.
    tol : float, default=1e-3
        Stop when the mean log-likelihood of a row changes by less.
    reg_covar : float, default=1e-6
        Share of each column's variance that is added to that column's variance in every component, so that components
        of few rows keep a positive definite covariance. (scikit-learn adds the number itself: the same for columns of
        variance 1.) "spherical": share of the mean variance of the columns. A constant column counts as of variance 1.
    max_iter : int, default=100
        Most iterations. 0: the start is the result.
    n_init : int, default=1
        Starts; the best mean log-likelihood is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        First division of the rows: "kmeans": a run of k-means; "k-means++": its start alone, a row each; "random":
        shares drawn uniformly; "random_from_data": rows drawn uniformly, one each. k-means is run on columns divided by
        their standard deviation (but for "spherical").
    weights_init : array of shape (n_components,), default=None
        First weights, with a sum of 1. None: of the first division.
    means_init : array of shape (n_components, n_features), default=None
        First means.
    precisions_init : array, default=None
        First inverse covariances, of the shape of `covariances_`.
    random_state : int, RandomState or None, default=None
        Seed of the starts and of `sample`.
    warm_start : bool, default=False
        Go on from the last fit, if there was one with as many components and features; `n_init` is then not looked at.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        Shares of the rows.
    means_ : array of shape (n_components, n_features)
        Means, in the units of X.
    covariances_ : array
        Covariances: (n_components, n_features, n_features) if "full", (n_features, n_features) if "tied",
        (n_components, n_features) if "diag", (n_components,) if "spherical".
    precisions_cholesky_ : array
        Upper triangular P with ``P @ P.T`` the inverse of the covariance ("full", "tied"); 1 / deviation.
    precisions_ : array
        Inverse covariances.
    converged_ : bool
        Whether `tol` was reached by the start that was kept.
    n_iter_ : int
        Its iterations.
    lower_bound_ : float
        Its last mean log-likelihood of a row, before the last M step, as in scikit-learn.
    lower_bounds_ : array of shape (n_iter_,)
        That of each iteration.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum likelihood from incomplete data via the EM algorithm",
       Journal of the Royal Statistical Society B, 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(100, 2)), rng.normal(8.0, 1.0, size=(50, 2))])
    >>> model = GaussianMixture(2, random_state=0).fit(X)
    >>> np.sort(model.weights_).round(2).tolist()
    [0.33, 0.67]
    """

    weights_: Floats
    means_: Floats
    covariances_: Floats
    precisions_cholesky_: Floats
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: Floats
    n_features_in_: int

    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "weights_": Array("f8", ("n_components",), low=0, high=1 + 1e-9),
        "means_": Array("f8", ("n_components", "n_features"), is_finite=True),
        "covariances_": Array("f8", is_finite=True),
        "precisions_cholesky_": Array("f8", is_finite=True),
        "converged_": Flag(),
        "n_iter_": Int(0),
        "lower_bound_": OneOf(Number(is_finite=True), Number(-np.inf, -np.inf)),
        "lower_bounds_": Array("f8", ("n_bounds",), is_finite=True),
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "reg_covar": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({"kmeans", "k-means++", "random", "random_from_data"})],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "n_jobs": [*N_JOBS],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: Literal["full", "tied", "diag", "spherical"] = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: Literal["kmeans", "k-means++", "random", "random_from_data"] = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose

    # ---- fit ----

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Fit the mixture.

        Parameters
        ----------
        X : {array, pandas or polars frame} of shape (n_samples, n_features)
            At least two rows, finite.
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative. A weight of 0 is the same as removing the row, of 2 the same as a second copy of it
            (but for what is drawn at random). Their unit does not matter.

        Returns
        -------
        self
            The fitted estimator; unfitted if fit fails or is interrupted (Ctrl-C), with `warm_start` as it was.

        Raises
        ------
        ValueError
            If there are fewer rows than components, X is not finite, the start has another shape, or a component has
            lost its rows with ``reg_covar=0``.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter` was reached.
        """
        self._validate_params()
        continuing = self.warm_start and hasattr(self, "converged_")
        with fitting(self, continuing=continuing):
            points = read_points(self, X)
            weight = row_weights(sample_weight, points, type(self).__name__)
            kept = weighted_rows(weight)
            if kept is not None and weight is not None:
                points, weight = points[kept], weight[kept]
            self._check_rows(points)
            self._run(points, weight, continuing=continuing)
            self._warn()
        return self

    def _check_rows(self, points: Points) -> None:
        n = len(points)
        if n < 2:
            raise ValueError(f"Found array with {n} sample(s) while a minimum of 2 is required by GaussianMixture")
        if n < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, n_samples = {n}"
            )
        require_variances(points, type(self).__name__, has_one=self.covariance_type == "spherical")

    def _run(
        self,
        points: Points,
        weight: Floats | None,
        *,
        continuing: bool = False,
        first: NDArray[np.int32] | None = None,
        random_state: np.random.RandomState | None = None,
    ) -> None:
        """Set all that fit does, by EM from `n_init` starts.

        first : labels of the rows in place of the first start.
        random_state : in place of the parameter.
        """
        n_threads = effective_n_jobs(self.n_jobs)
        random_state = check_random_state(self.random_state if random_state is None else random_state)
        if continuing:
            shape = covariance_shape(self.covariance_type, self.n_components, points.shape[1])
            if self.means_.shape != (self.n_components, points.shape[1]) or self.covariances_.shape != shape:
                raise ValueError("warm_start needs components of the same number, shape and features as the last fit")
        n_init, max_iter = 1 if continuing else int(self.n_init), core_count(self.max_iter)
        best: dict[str, Any] = {}
        with Progress(n_init * max_iter or None, self.verbose, type(self).__name__) as progress:
            for i in range(n_init):
                start = self._parts() if continuing else self._start(points, weight, random_state, first)
                first = None
                last = self.lower_bound_ if continuing else -np.inf
                if self.max_iter == 0:
                    found = start | {"lower_bounds": np.empty(0), "converged": False}
                else:
                    found = core.cluster.fit_mixture(
                        points,
                        weight,
                        **{name: start[name] for name in _PARTS if name != "covariances"},
                        covariance_type=self.covariance_type,
                        last=last,
                        reg_covar=float(self.reg_covar),
                        tol=float(self.tol),
                        max_iter=max_iter,
                        n_threads=n_threads,
                        report=progress.callback("mean log-likelihood", begin=i * max_iter),
                    )
                bound = float(found["lower_bounds"][-1]) if len(found["lower_bounds"]) else last
                if not best or bound > best["bound"]:
                    best = found | {"bound": bound}
        for name in _PARTS:
            setattr(self, f"{name}_", best[name])
        self.converged_ = bool(best["converged"])
        self.lower_bounds_, self.lower_bound_ = best["lower_bounds"], best["bound"]
        self.n_iter_ = len(self.lower_bounds_)

    def _warn(self) -> None:
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                f"GaussianMixture stopped after max_iter={self.max_iter} iterations before the mean log-likelihood "
                f"changed by less than tol={self.tol}: raise max_iter or tol, or take another start (init_params)",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _start(
        self,
        points: Points,
        weight: Floats | None,
        random_state: np.random.RandomState,
        labels: NDArray[np.int32] | None,
    ) -> dict[str, Any]:
        """Return the first components: those of a division of the rows, but for what the user gives."""
        k, given = self.n_components, read_start(self, points.shape[1])
        if {"weights", "means", "precisions_cholesky"} <= given.keys():
            return given | {"covariances": self._covariances(given["precisions_cholesky"])}
        if labels is None:
            divided = division(self.init_params, points, weight, k, self.covariance_type, random_state, self.n_jobs)
        else:
            divided = {"labels": labels, "responsibilities": None}
        found: dict[str, Any] = core.cluster.mixture_components(
            points,
            weight,
            **divided,
            n_components=k,
            covariance_type=self.covariance_type,
            reg_covar=float(self.reg_covar),
            n_threads=effective_n_jobs(self.n_jobs),
        )
        if "precisions_cholesky" in given:
            given["covariances"] = self._covariances(given["precisions_cholesky"])
        return found | given

    def _covariances(self, P: Floats) -> Floats:
        if self.covariance_type in ("diag", "spherical"):
            return 1 / P**2
        inverse = np.linalg.inv(P)
        return np.asarray(np.swapaxes(inverse, -1, -2) @ inverse)

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, f"{name}_") for name in _PARTS}

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        shape = covariance_shape(self.covariance_type, sizes["n_components"], sizes["n_features"])
        for name in ("covariances_", "precisions_cholesky_"):
            if state[name].shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {state[name].shape}")

    # ---- what the mixture says ----

    def _of_rows(self, X: Any, what: str) -> NDArray[Any]:
        check_is_fitted(self)
        found: NDArray[Any] = core.cluster.predict_mixture(
            read_points(self, X, reset=False),
            weights=self.weights_,
            means=self.means_,
            precisions_cholesky=self.precisions_cholesky_,
            covariance_type=self.covariance_type,
            what=what,
            n_threads=effective_n_jobs(self.n_jobs),
        )
        return found

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return the number of the component that each row most probably belongs to.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)

        Returns
        -------
        int64 array of shape (n_samples,)
        """
        return self._of_rows(X, "labels")

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[np.int64]:
        """Fit the mixture and return the component of each row: ``fit(X).predict(X)``.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)
        y : object, default=None
            Ignored.
        sample_weight : float or array of shape (n_samples,), default=None

        Returns
        -------
        int64 array of shape (n_samples,)
        """
        return self.fit(X, y, sample_weight).predict(X)

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability that each row belongs to each component.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_components)
        """
        return self._of_rows(X, "responsibilities")

    def score_samples(self, X: Any) -> Floats:
        """Return the logarithm of the density of the mixture at each row.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        return self._of_rows(X, "log_density")

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean of :meth:`score_samples`.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)
        y : object, default=None
            Ignored.

        Returns
        -------
        float
        """
        return float(self.score_samples(X).mean())

    def _n_parameters(self) -> int:
        k, d = self.means_.shape
        covariances = {"full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": k * d, "spherical": k}
        return int(covariances[self.covariance_type] + k * d + k - 1)

    def bic(self, X: Any) -> float:
        """Return the Bayesian information criterion, ``p ln n - 2 ln L``: lower is better.

        p is the number of free parameters, n that of the rows, L their likelihood.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)

        Returns
        -------
        float

        References
        ----------
        G. Schwarz, "Estimating the dimension of a model", Annals of Statistics, 1978.
        """
        scores = self.score_samples(X)
        return float(-2 * scores.sum() + self._n_parameters() * np.log(len(scores)))

    def aic(self, X: Any) -> float:
        """Return Akaike's information criterion, ``2 p - 2 ln L``: lower is better.

        Parameters
        ----------
        X : {array, frame} of shape (n_samples, n_features)

        Returns
        -------
        float

        References
        ----------
        H. Akaike, "A new look at the statistical model identification", IEEE Transactions on Automatic Control, 1974.
        """
        return float(-2 * self.score_samples(X).sum() + 2 * self._n_parameters())

    def sample(self, n_samples: int = 1) -> tuple[Floats, NDArray[np.int64]]:
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows, >= 1.

        Returns
        -------
        X : array of shape (n_samples, n_features)
            Rows, component after component.
        y : int64 array of shape (n_samples,)
            The component of each.

        Raises
        ------
        ValueError
            If `n_samples` is below 1.
        TypeError
            If it is no int.
        """
        check_is_fitted(self)
        n_samples = read_count(n_samples, "n_samples", "sample")
        rng = check_random_state(self.random_state)
        counts = rng.multinomial(n_samples, self.weights_ / self.weights_.sum())
        rows = []
        for c, count in enumerate(counts):
            S = self.covariances_ if self.covariance_type == "tied" else self.covariances_[c]
            if self.covariance_type in ("full", "tied"):
                rows.append(rng.multivariate_normal(self.means_[c], S, int(count)))
            else:
                rows.append(self.means_[c] + rng.standard_normal(size=(int(count), self.means_.shape[1])) * np.sqrt(S))
        return np.concatenate(rows), np.repeat(np.arange(len(counts), dtype=np.int64), counts)

    @property
    def precisions_(self) -> Floats:
        """Inverse covariances, of the shape of `covariances_`."""
        P = self.precisions_cholesky_
        return np.asarray(P**2 if self.covariance_type in ("diag", "spherical") else P @ np.swapaxes(P, -1, -2))
