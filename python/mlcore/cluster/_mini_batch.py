"""k-means by steps over small batches of rows."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from mlcore._base import effective_n_jobs, fitting, seed_from
from mlcore._progress import Progress
from mlcore._state import Array, Int, Optional, Spec
from mlcore._tables import Floats, Rows, is_sparse, read_rows
from mlcore._validation import row_weights
from mlcore.cluster._centers import CentersEstimator, Init, check_n_clusters, prepare
from mlcore.cluster._points import require_squares


class MiniBatchKMeans(CentersEstimator):
    """Clusters around centers, found by steps over batches of rows drawn at random [1]_.

    Each step moves a center to the mean of all rows that were nearest to it so far. That is less exact than
    :class:`KMeans`, and for tables that do not fit into memory: :meth:`partial_fit` takes them batch by batch.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters, at most the number of rows with a weight.
    init : {"k-means++", "random"}, callable or array of shape (n_clusters, n_features), default="k-means++"
        First centers, as of :class:`KMeans`, from `init_size` rows drawn at random.
    n_init : "auto" or int, default="auto"
        First centers to try, of which those with the least inertia on `init_size` rows are taken. "auto": 1 for
        "k-means++" and given centers, 3 for "random" and a callable.
    max_iter : int, default=100
        Most passes over the rows.
    batch_size : int, default=1024
        Rows of a step.
    tol : float, default=0.0
        Stop when the squares of what all centers have moved in a step sum to `tol` times the mean variance of the
        features, or less. 0: never for that reason.
    max_no_improvement : int or None, default=10
        Stop after so many steps in which the smoothed inertia of batches has not become less. None: never.
    init_size : int or None, default=None
        Rows for the first centers. None: three batches. Where that is less than `n_clusters`, 3 n_clusters are taken,
        with a warning if it was given.
    reassignment_ratio : float, default=0.01
        Centers that had less than this part of the heaviest one's rows are replaced by rows of the batch now and then.
        More than 1 is as 1.
    compute_labels : bool, default=True
        Whether to find labels and inertia of all rows in the end.
    random_state : int, RandomState or None, default=None
        For first centers, batches and replaced centers.
    n_jobs : int or None, default=None
        Threads, in fit and predict. None and -1: all CPUs that this process may use. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: lines through ``logging.getLogger("mlcore")``.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        Centers, float64.
    labels_ : int32 array of shape (n_samples,)
        Nearest center of each row, of the last batch after `partial_fit`; only with `compute_labels`.
    inertia_ : float
        Weighted sum of squared distances of those rows to their centers. Without `compute_labels` it is estimated from
        the last batches, and not there after `partial_fit`.
    n_iter_ : int
        Passes over the rows, rounded up; only after `fit`.
    n_steps_ : int
        Batches seen.
    n_clusters_ : int
        Number of clusters.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if all are strings.

    References
    ----------
    .. [1] D. Sculley, "Web-scale k-means clustering", WWW, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import MiniBatchKMeans
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]])
    >>> model = MiniBatchKMeans(2, random_state=0)
    >>> for _ in range(5):
    ...     model = model.partial_fit(X)
    >>> bool(model.labels_[0] == model.labels_[1] != model.labels_[2])
    True
    """

    n_steps_: int
    _counts: Floats
    _seed: int
    _since_reassigned: int

    _private_state = ("_counts", "_seed", "_since_reassigned")

    _state_spec: ClassVar[Spec] = {
        **{
            name: Optional(entry) if name in ("labels_", "inertia_", "n_iter_") else entry
            for name, entry in CentersEstimator._state_spec.items()
        },
        "n_steps_": Int(1),
        "_counts": Array("f8", ("n_centers",), low=0, is_finite=True),
        "_seed": Int(),
        "_since_reassigned": Int(),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CentersEstimator._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "compute_labels": ["boolean"],
        "max_no_improvement": [Interval(Integral, 0, None, closed="left"), None],
        "init_size": [Interval(Integral, 1, None, closed="left"), None],
        "reassignment_ratio": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 100,
        batch_size: int = 1024,
        tol: float = 0.0,
        max_no_improvement: int | None = 10,
        init_size: int | None = None,
        reassignment_ratio: float = 0.01,
        compute_labels: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.reassignment_ratio = reassignment_ratio
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Find the clusters by batches drawn from all rows.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows, finite.
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative: rows are drawn with probabilities proportional to them.

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
        """
        self._validate_params()
        with fitting(self):
            self._fit(X, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Take one step over a batch; the first one also chooses the first centers from it.

        Parameters
        ----------
        X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows, finite; in the first call at least `n_clusters` of them.
        y : object, default=None
            Ignored, for scikit-learn.
        sample_weight : float or array of shape (n_samples,), default=None
            Weights, not negative.

        Returns
        -------
        self
            The estimator; as it was if the step fails or is interrupted (Ctrl-C).

        Raises
        ------
        ValueError
            If a parameter or the data is out of range; the message says which.
        KeyboardInterrupt
            On Ctrl-C.
        """
        self._validate_params()
        is_first = not hasattr(self, "cluster_centers_")
        with fitting(self, continuing=True):
            rows = read_rows(self, X, reset=is_first)
            require_squares(rows, type(self).__name__)  # steps end, and starts are compared, by inertia
            weight = row_weights(sample_weight, rows, type(self).__name__)
            if is_first:
                self._begin(rows, weight, check_random_state(self.random_state))
            self._step(rows, weight, len(self.cluster_centers_))
            self.n_steps_ += 1
            self._forget("n_iter_")
            self._label(rows, weight)
        return self

    def _begin(self, rows: Rows, weight: Floats | None, random: np.random.RandomState) -> None:
        """Choose the first centers."""
        n, n_threads = rows.shape[0], effective_n_jobs(self.n_jobs)
        check_n_clusters(self.n_clusters, n, weight)
        size = 3 * min(int(self.batch_size), n) if self.init_size is None else int(self.init_size)
        if size < self.n_clusters:
            if self.init_size is not None:
                warnings.warn(
                    f"init_size={self.init_size} is less than n_clusters={self.n_clusters}: {3 * self.n_clusters} rows "
                    "are taken",
                    RuntimeWarning,
                    stacklevel=4,
                )
            size = 3 * int(self.n_clusters)
        best: tuple[float, Floats] | None = None
        n_starts = self._n_starts(n_random=3)
        draw = _Draw(n, weight)
        probe = prepare(rows[draw(random, min(size, n))], None, n_threads) if n_starts > 1 else None
        for _ in range(n_starts):
            sample, sample_weight = rows, weight
            if size < n and isinstance(self.init, str):
                chosen = draw(random, size)
                sample, sample_weight = rows[chosen], None
            points = prepare(sample, sample_weight, n_threads)
            centers = self._first_centers(sample, sample_weight, points, random, n_threads)
            inertia = 0.0 if probe is None else float(probe.assign(centers, n_threads=n_threads)[1].sum())
            if best is None or inertia < best[0]:
                best = inertia, centers
        assert best is not None
        self.cluster_centers_ = best[1]
        self._counts = np.zeros(self.n_clusters)
        self._seed = seed_from(random)
        self._since_reassigned = 0
        self.n_steps_ = 0

    def _step(self, rows: Rows, weight: Floats | None, n_clusters: int) -> float:
        """Move the centers by one batch; return its inertia before that."""
        n, n_threads = rows.shape[0], effective_n_jobs(self.n_jobs)
        centers, counts = self.cluster_centers_, self._counts
        labels, squared = prepare(rows, None, n_threads).assign(centers, n_threads=n_threads)
        each = np.ones(n) if weight is None else weight
        members = sp.csc_array((each, labels, np.arange(n + 1)), shape=(n_clusters, n))
        added = np.bincount(labels, weights=each, minlength=n_clusters)
        products: Any = members @ rows
        sums = np.asarray(products.toarray() if is_sparse(products) else products, dtype=np.float64)
        counts = counts + added
        moved = added > 0
        centers = centers.copy()
        centers[moved] += (sums[moved] - added[moved, None] * centers[moved]) / counts[moved, None]
        self._since_reassigned += n
        if (counts == 0).any() or self._since_reassigned >= 10 * n_clusters:
            self._since_reassigned = 0
            centers, counts = self._reassign(rows, weight, centers, counts)
        self.cluster_centers_, self._counts = centers, counts
        return float(each @ squared)

    def _reassign(self, rows: Rows, weight: Floats | None, centers: Floats, counts: Floats) -> tuple[Floats, Floats]:
        """Replace centers with few rows by rows of the batch."""
        light = counts < min(self.reassignment_ratio, 1.0) * counts.max()  # never the heaviest itself
        allowed = int(0.5 * rows.shape[0])
        places = np.arange(rows.shape[0]) if weight is None else np.flatnonzero(weight)
        allowed = min(allowed, len(places))
        if light.sum() > allowed:
            light[np.argsort(counts, kind="stable")[allowed:]] = False
        if not light.any():
            return centers, counts
        words = [self._seed & 0xFFFFFFFF, self._seed >> 32, self.n_steps_]
        chosen = np.random.RandomState(words).choice(places, size=int(light.sum()), replace=False)
        picked: Any = rows[chosen]
        centers[light] = picked.toarray() if is_sparse(picked) else picked
        counts = counts.copy()
        counts[light] = counts[~light].min()  # not so few that they are replaced at once again
        return centers, counts

    def _forget(self, *names: str) -> None:
        """Delete attributes that are there."""
        for name in names:
            if hasattr(self, name):
                delattr(self, name)

    def _label(self, rows: Rows, weight: Floats | None) -> None:
        """Set labels and inertia of rows, if they are wanted."""
        self._forget("labels_", "inertia_")
        if self.compute_labels:
            n_threads = effective_n_jobs(self.n_jobs)
            points = prepare(rows, None, n_threads)
            self.labels_, squared = points.assign(self.cluster_centers_, n_threads=n_threads)
            self.inertia_ = float(squared.sum() if weight is None else weight @ squared)

    def _fit(self, X: Any, sample_weight: Any) -> None:
        rows = read_rows(self, X, reset=True)
        require_squares(rows, type(self).__name__)  # steps end, and starts are compared, by inertia
        weight = row_weights(sample_weight, rows, type(self).__name__)
        random = check_random_state(self.random_state)
        self._begin(rows, weight, random)
        n = rows.shape[0]
        batch = min(int(self.batch_size), n)
        n_steps = max(1, int(self.max_iter) * n // batch)
        least_move = self.tol * _mean_variance(rows) if self.tol > 0 else -1.0
        watch = _Watch(self.max_no_improvement, min(batch * 2.0 / (n + 1), 1.0))
        draw = _Draw(n, weight)
        with Progress(n_steps, self.verbose, type(self).__name__) as progress:
            while self.n_steps_ < n_steps:
                before = self.cluster_centers_
                inertia = self._step(rows[draw(random, batch)], None, int(self.n_clusters)) / batch
                self.n_steps_ += 1
                progress.update(inertia=inertia)
                if self.n_steps_ == 1:
                    continue  # its inertia is that of the first centers
                has_settled = least_move >= 0 and float(((self.cluster_centers_ - before) ** 2).sum()) <= least_move
                if watch.is_over(inertia) or has_settled:
                    break
        self.n_iter_ = -(-self.n_steps_ * batch // n)
        self._label(rows, weight)
        if not self.compute_labels:
            total = float(n if weight is None else weight.sum())
            self.inertia_ = total * (inertia if watch.smoothed is None else watch.smoothed)


class _Draw:
    """Draws rows, with replacement, by weight."""

    def __init__(self, n: int, weight: Floats | None) -> None:
        self._n = n
        # Equal weights are none: the same rows are drawn.
        self._sums = None if weight is None or (weight == weight[0]).all() else np.cumsum(weight)

    def __call__(self, random: np.random.RandomState, size: int) -> NDArray[np.intp]:
        if self._sums is None:
            return np.asarray(random.randint(0, self._n, size), dtype=np.intp)
        places = random.uniform(size=size) * self._sums[-1]
        found: NDArray[np.intp] = np.minimum(np.searchsorted(self._sums, places, side="right"), self._n - 1)
        return found


class _Watch:
    """Says when the smoothed inertia of batches has stopped falling."""

    def __init__(self, patience: int | None, alpha: float) -> None:
        self._patience, self._alpha = patience, alpha
        self._least, self._n_without = np.inf, 0
        self.smoothed: float | None = None

    def is_over(self, inertia: float) -> bool:
        last = self.smoothed
        self.smoothed = inertia if last is None else last * (1 - self._alpha) + inertia * self._alpha
        if self.smoothed < self._least:
            self._least, self._n_without = self.smoothed, 0
        else:
            self._n_without += 1
        return self._patience is not None and self._n_without >= self._patience


def _mean_variance(rows: Rows) -> float:
    """Return the mean over features of the variance of rows."""
    if isinstance(rows, np.ndarray):
        return float(np.var(rows, axis=0, dtype=np.float64).mean())
    mean = np.asarray(rows.mean(axis=0, dtype=np.float64)).ravel()
    squares = np.asarray(rows.multiply(rows).mean(axis=0, dtype=np.float64)).ravel()
    return float(np.maximum(squares - mean**2, 0).mean())
