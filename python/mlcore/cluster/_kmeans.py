"""k-means by Lloyd's iterations."""

import warnings
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from mlcore._base import core_count, effective_n_jobs, fitting
from mlcore._progress import Progress
from mlcore._tables import read_rows
from mlcore._validation import row_weights
from mlcore.cluster._centers import CentersEstimator, Init, check_n_clusters, prepare
from mlcore.cluster._criteria import CRITERIA
from mlcore.cluster._points import Unit


class KMeans(CentersEstimator):
    """Clusters around centers: each row belongs to the nearest one, each center is the mean of its rows [1]_.

    Rows are compared with centers by products in float32; where their rounding leaves a doubt, float64 decides, so that
    labels are those of float64, for float32 and float64 input alike. `fit` gives the same bits for any `n_jobs`.

    Parameters
    ----------
    n_clusters : int or "auto", default=8
        Number of clusters, at most the number of rows with a weight. "auto": what `criterion` takes, of 1 to `k_max`.
    init : {"k-means++", "random"}, callable or array of shape (n_clusters, n_features), default="k-means++"
        First centers. "k-means++": as :func:`kmeans_plusplus`; "random": rows drawn by weight; a callable
        ``init(X, n_clusters, random_state)`` returns them.
    n_init : "auto" or int, default="auto"
        Starts, of which the one with the least inertia is kept. "auto": 1 for "k-means++" and given centers, 10 for
        "random" and a callable. Given centers are started from once, whatever it is.
    max_iter : int, default=300
        Most iterations of one start.
    tol : float, default=1e-4
        Stop when the squares of what all centers have moved sum to `tol` times the mean variance of the features, or
        less. No label changing ends a start in any case.
    random_state : int, RandomState or None, default=None
        For the first centers.
    algorithm : {"auto", "lloyd"}, default="auto"
        "auto": rows whose distances are known well enough to keep their label, by the triangle inequality [2]_, are not
        compared with the centers again. "lloyd": all rows are compared with all centers in every iteration. Both find
        the same; "auto" is faster and takes 8 bytes a row.
    k_max : int or None, default=None
        Most clusters of ``n_clusters="auto"``. None: 20. Never more than there are rows.
    criterion : str, default="silhouette"
        How ``n_clusters="auto"`` chooses: "silhouette", "calinski_harabasz", "davies_bouldin", "gap", "bic", "aic",
        "elbow" or "xmeans", see :func:`choose_k`, which also shows what all criteria say. Only "gap", "bic", "aic" and
        "xmeans" can find that there is one cluster.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        Centers, float64.
    labels_ : int32 array of shape (n_samples,)
        Nearest center of each row, of equally near ones the first.
    inertia_ : float
        Weighted sum of squared distances of rows to their centers, summed from float64 differences.
    n_iter_ : int
        Iterations of the start that was kept.
    n_clusters_ : int
        Number of clusters: `n_clusters`, or what "auto" has found.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    Notes
    -----
    scikit-learn's ``algorithm="elkan"`` and ``copy_x`` are left out: "auto" has bounds too, and X is never changed. The
    same `random_state` draws other first centers than scikit-learn's; from given ones the result is the same.

    A cluster that loses all its rows gets the row furthest from its center, as in scikit-learn. Weights are taken as
    copies of rows, in the variance that `tol` is relative to as well (scikit-learn takes it without weights).

    References
    ----------
    .. [1] S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory, 1982.
    .. [2] G. Hamerly, "Making k-means even faster", SDM, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import KMeans
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]])
    >>> model = KMeans(2, init=X[[0, 2]]).fit(X)
    >>> model.labels_.tolist(), model.cluster_centers_.tolist()
    ([0, 0, 1, 1], [[0.0, 0.5], [9.0, 8.5]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CentersEstimator._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "algorithm": [StrOptions({"auto", "lloyd"})],
        "k_max": [Interval(Integral, 1, None, closed="left"), None],
        "criterion": [StrOptions(set(CRITERIA))],
    }

    def __init__(
        self,
        n_clusters: int | Literal["auto"] = 8,
        *,
        init: Init = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = None,
        algorithm: Literal["auto", "lloyd"] = "auto",
        k_max: int | None = None,
        criterion: str = "silhouette",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters  # type: ignore[assignment]
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.algorithm = algorithm
        self.k_max = k_max
        self.criterion = criterion
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Find the clusters.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows, finite. float32, float64 and CSR are read in place.
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative. Rows of weight 0 get a label, and have no other part in the fit.

        Returns
        -------
        self
            The fitted estimator; unfitted if fit fails or is interrupted (Ctrl-C).

        Raises
        ------
        ValueError
            If a parameter or the data is out of range; the message says which.
        KeyboardInterrupt
            On Ctrl-C.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If there are fewer distinct clusters than `n_clusters`, as of duplicate rows.
        """
        self._validate_params()
        with fitting(self):
            n_clusters: Any = self.n_clusters
            if n_clusters == "auto":
                from mlcore.cluster._auto_k import fit_auto  # it stands on this class

                fit_auto(self, X, sample_weight)
            else:
                self._fit(X, sample_weight)
        return self

    def _fit(self, X: Any, sample_weight: Any) -> None:
        rows = read_rows(self, X, reset=True)
        weight = row_weights(sample_weight, rows, type(self).__name__)
        check_n_clusters(self.n_clusters, rows.shape[0], weight)
        n_threads = effective_n_jobs(self.n_jobs)
        random = check_random_state(self.random_state)
        unit = Unit.of(rows)
        points = prepare(unit.scaled(rows), weight, n_threads)
        best: Any = None
        with Progress(None, self.verbose, type(self).__name__) as progress:

            def report(_done: int, moved: float) -> None:
                progress.update(center_shift=moved)

            for _ in range(self._n_starts(n_random=10)):
                found = points.fit(
                    unit.scaled(self._first_centers(rows, weight, points, random, n_threads)),
                    max_iter=core_count(self.max_iter),
                    tol=float(self.tol),
                    algorithm=self.algorithm,
                    n_threads=n_threads,
                    report=report if self.verbose else None,
                )
                if best is None or found[2] < best[2]:
                    best = found
        self.labels_, centers, inertia, self.n_iter_ = best
        self.cluster_centers_, self.inertia_ = unit.lengths(centers), float(unit.lengths(inertia, 2))
        n_distinct = len(np.unique(self.labels_))
        if n_distinct < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({n_distinct}) found smaller than n_clusters ({self.n_clusters}). "
                "Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=4,
            )
