"""k-means for one number of clusters after the other, on points that are prepared once.

The centers of k clusters are those of the number before, and one draw of k-means++ for each cluster that is new: rows
by their squared distance from the centers, of some the one that lowers the inertia most. Fresh starts stand beside it,
because what was good for k - 1 centers may hold back k of them: the first k rows of a draw of k-means++ for the largest
number, which are a draw for k themselves. After a few iterations the start of the lowest inertia goes on alone. On the
way back each number starts once more, from the centers of the number above, of which those are merged that cost least:
where a group was cut in two and two groups were one, more centers find both, and merging undoes the cut.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mlcore._base import core_count, effective_n_jobs, seed_from
from mlcore._tables import Floats, Rows
from mlcore.cluster._centers import Labels, dense_rows, local_trials, prepare
from mlcore.cluster._kmeans import KMeans

_TRIAL_ITERATIONS = 10
"""Iterations after which starts are compared."""


class KMeansFit(NamedTuple):
    """k-means of one number of clusters."""

    labels: Labels
    centers: Floats
    inertia: float
    n_iter: int

    @property
    def is_full(self) -> bool:
        """Whether all clusters have rows: there are distinct ones enough."""
        return bool(np.bincount(self.labels, minlength=len(self.centers)).all())


class KMeansPath:
    """Runs of k-means for ascending numbers of clusters.

    Parameters
    ----------
    model : KMeans
        Its settings are those of all runs. `n_init`: starts for each number of clusters, one from the number before,
        the others fresh, of these one at least.
    rows : {array, CSR array} of shape (n_samples, n_features)
        Rows that were checked.
    weight : array of shape (n_samples,) or None
        Their weights.
    random_state : RandomState
        Draws the starts.
    k_max : int
        The largest number that will be asked for.
    """

    def __init__(
        self, model: KMeans, rows: Rows, weight: Floats | None, random_state: np.random.RandomState, k_max: int
    ) -> None:
        self._model: KMeans = clone(model)
        self._rows, self._weight, self._random_state = rows, weight, random_state
        self._n_threads = effective_n_jobs(model.n_jobs)
        self._points = prepare(rows, weight, self._n_threads)
        self._k_max = k_max
        self._fresh: list[Floats] | None = None
        self._last: Floats | None = None

    def run_all(self, ks: Sequence[int]) -> list[KMeansFit]:
        """Return the best fits for ascending numbers, up to that of the distinct rows."""
        fits: list[KMeansFit] = []
        for k in ks:
            fit = self.run(k)
            if not fit.is_full:
                break
            fits.append(fit)
        for i in range(len(fits) - 2, -1, -1):
            fit = self.fit(self.merged(fits[i + 1], len(fits[i].centers)))
            if fit.inertia < fits[i].inertia and fit.is_full:
                fits[i] = fit
        return fits

    def merged(self, fit: KMeansFit, k: int) -> Floats:
        """Return k centers: pairs whose common mean raises the inertia least become one."""
        centers = fit.centers.copy()
        sizes = np.bincount(fit.labels, weights=self._weight, minlength=len(centers)).astype(np.float64)
        while len(centers) > k:
            squares = ((centers[:, None] - centers[None]) ** 2).sum(axis=-1)
            total = sizes[:, None] + sizes
            cost = sizes[:, None] * sizes / np.where(total > 0, total, 1) * squares
            np.fill_diagonal(cost, np.inf)
            a, b = divmod(int(np.argmin(cost)), len(centers))
            if sizes[a] + sizes[b] > 0:
                centers[a] = (sizes[a] * centers[a] + sizes[b] * centers[b]) / (sizes[a] + sizes[b])
            sizes[a] += sizes[b]
            centers, sizes = np.delete(centers, b, axis=0), np.delete(sizes, b)
        return centers

    def run(self, k: int) -> KMeansFit:
        """Return the best of the starts for k clusters, k above all numbers before."""
        if k == 1:
            starts = self._first_centers(k)[:1]
        elif self._last is None:
            starts = self._first_centers(k)
        else:
            starts = [self._grown(self._last, k), *self._first_centers(k)[: self._n_fresh]]
        max_iter = core_count(self._model.max_iter)
        if len(starts) == 1:
            best = self.fit(starts[0], max_iter)
        else:
            trial = min(_TRIAL_ITERATIONS, max_iter)
            best = min((self.fit(centers, trial) for centers in starts), key=lambda fit: fit.inertia)
            if best.n_iter == trial < max_iter:
                rest = self.fit(best.centers, max_iter - trial)
                best = rest._replace(n_iter=trial + rest.n_iter)
        self._last = best.centers
        return best

    @property
    def _n_fresh(self) -> int:
        """Fresh starts beside the one from the number before."""
        return max(1, self._model._n_starts(n_random=10) - 1)

    def _first_centers(self, k: int) -> list[Floats]:
        """Return fresh starts for k clusters."""
        if isinstance(self._model.init, str) and self._fresh is not None:
            return [centers[:k] for centers in self._fresh]
        model = self._model.set_params(n_clusters=self._k_max if isinstance(self._model.init, str) else k)
        drawn = [
            model._first_centers(self._rows, self._weight, self._points, self._random_state, self._n_threads)
            for _ in range(model._n_starts(n_random=10))
        ]
        self._fresh = drawn
        return [centers[:k] for centers in drawn]

    def fit(self, centers: Floats, max_iter: int | None = None) -> KMeansFit:
        """Return what the iterations make of these centers."""
        model = self._model
        found = self._points.fit(
            np.ascontiguousarray(centers),
            max_iter=core_count(model.max_iter) if max_iter is None else max_iter,
            tol=float(model.tol),
            algorithm=model.algorithm,
            n_threads=self._n_threads,
        )
        return KMeansFit(*found)

    def plus_plus(self, k: int) -> NDArray[np.int64]:
        """Return the rows that k-means++ draws."""
        seed = seed_from(self._random_state)
        rows: NDArray[np.int64] = self._points.plus_plus(
            k, seed=seed, n_local_trials=local_trials(k), n_threads=self._n_threads
        )
        return rows

    def _grown(self, centers: Floats, k: int) -> Floats:
        """Return the centers and draws of k-means++ after them, k in all."""
        nearest = self._weighted(centers)
        while len(centers) < k:
            total = nearest.sum()
            if total > 0:
                drawn = self._random_state.uniform(size=local_trials(k)) * total
                at = np.searchsorted(nearest.cumsum(), drawn, side="right")
            else:  # each row is a center already
                at = self._random_state.randint(len(nearest), size=1)
            candidates = dense_rows(self._rows, np.minimum(at, len(nearest) - 1))
            left = [np.minimum(nearest, self._weighted(candidate[None])) for candidate in candidates]
            best = int(np.argmin([distances.sum() for distances in left]))
            centers, nearest = np.concatenate([centers, candidates[best : best + 1]]), left[best]
        return centers

    def _weighted(self, centers: Floats) -> Floats:
        distances: Floats = self._points.assign(centers, n_threads=self._n_threads)[1]
        return distances if self._weight is None else distances * self._weight
