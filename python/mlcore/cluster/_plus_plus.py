"""First centers by k-means++, as a function."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from mlcore._base import effective_n_jobs, seed_from
from mlcore._sparse import check_sparse
from mlcore._tables import READ, as_rows, is_sparse
from mlcore._validation import read_count, row_weights
from mlcore.cluster._centers import check_n_clusters, local_trials, prepare


def kmeans_plusplus(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    random_state: Any = None,
    n_local_trials: int | None = None,
    n_jobs: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Choose rows as first centers of k-means [1]_, by the greedy k-means++.

    The first is drawn by weight; each further one with a probability proportional to weight times squared distance to
    the nearest row chosen before. Of `n_local_trials` such draws the one is taken that lowers the sum of these most.

    Parameters
    ----------
    X : {array, sparse matrix, frame} of shape (n_samples, n_features)
        Rows, finite.
    n_clusters : int
        How many rows to choose, from 1 to n_samples.
    sample_weight : float or array of shape (n_samples,), default=None
        Weights, not negative.
    random_state : int, RandomState or None, default=None
        An int makes the choice reproducible.
    n_local_trials : int or None, default=None
        Draws for each center but the first. None: 2 + log(n_clusters). 1 is the plain k-means++.
    n_jobs : int or None, default=None
        Threads. None and -1: all CPUs that this process may use. The choice does not depend on it.

    Returns
    -------
    centers : {array, CSR array} of shape (n_clusters, n_features)
        The rows, dense and of the type of X.
    indices : int64 array of shape (n_clusters,)
        Their positions: ``X[indices]`` are the centers.

    Raises
    ------
    ValueError
        If there are fewer rows than clusters, or a number is out of range.
    TypeError
        If a number is no int.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import kmeans_plusplus
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]])
    >>> centers, indices = kmeans_plusplus(X, 2, random_state=0)
    >>> bool((X[indices] == centers).all())
    True
    """
    owner = "kmeans_plusplus"
    n_clusters = read_count(n_clusters, "n_clusters", owner)
    if n_local_trials is not None:
        n_local_trials = read_count(n_local_trials, "n_local_trials", owner)
    check_sparse(X, owner)
    rows = as_rows(check_array(X, **READ))
    weight = row_weights(sample_weight, rows, owner)
    check_n_clusters(n_clusters, rows.shape[0], weight)
    n_threads = effective_n_jobs(n_jobs)
    trials = local_trials(n_clusters) if n_local_trials is None else n_local_trials
    indices: NDArray[np.int64] = prepare(rows, weight, n_threads).plus_plus(
        n_clusters, seed=seed_from(random_state), n_local_trials=trials, n_threads=n_threads
    )
    chosen: Any = rows[indices]
    return (chosen.toarray() if is_sparse(chosen) else chosen), indices
