"""How many clusters: several numbers are tried, and a criterion decides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from mlcore._progress import Progress
from mlcore._tables import Floats, canonical_csr, is_sparse, read_rows
from mlcore._validation import row_weights
from mlcore.cluster._criteria import CRITERIA, NAMES, OF_DENSE_ROWS, Table, chosen, judge
from mlcore.cluster._gap import gap_statistic
from mlcore.cluster._kmeans import KMeans
from mlcore.cluster._kmeans_path import KMeansFit, KMeansPath
from mlcore.cluster._partitions import Partition, kmeans_partition, partitions
from mlcore.cluster._points import require_squares
from mlcore.cluster._x_means import x_means


@dataclass(frozen=True, eq=False)
class KChoice:
    """What :func:`choose_k` has found."""

    criterion: str
    """The criterion that has decided."""
    best_k: int
    """The number of clusters that it takes."""
    best_estimator: Any
    """The estimator with that number, fitted."""
    table: Table
    """An array for each column, one entry for each number of clusters: ``k``, and of ``inertia``, ``silhouette``,
    ``silhouette_error``, ``calinski_harabasz``, ``davies_bouldin``, ``bic``, ``aic``, ``gap``, ``gap_error`` those that
    apply. NaN where a criterion is not defined, as the silhouette of one cluster."""

    @property
    def choices(self) -> dict[str, int]:
        """The number of clusters that each criterion of the table takes."""
        found = {name: chosen(self.table, name) for name in NAMES}
        return {name: k for name, k in found.items() if k is not None}

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame, with the number of clusters as its index."""
        import pandas as pd

        return pd.DataFrame(self.table).set_index("k")

    def __repr__(self) -> str:
        columns = [name for name in self.table if not name.endswith("_error")]
        cells = [[f"{value:.6g}" for value in self.table[name]] for name in columns]
        widths = [max(map(len, [name, *column])) for name, column in zip(columns, cells, strict=True)]
        lines = [f"KChoice: best_k={self.best_k} by criterion={self.criterion!r}"]
        lines.append("   " + "  ".join(name.rjust(width) for name, width in zip(columns, widths, strict=True)))
        for k, row in zip(self.table["k"], zip(*cells, strict=True), strict=True):
            mark = " > " if k == self.best_k else "   "
            lines.append(mark + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
        lines.append("k by criterion: " + ", ".join(f"{name} {k}" for name, k in self.choices.items()))
        return "\n".join(lines)


def choose_k(
    X: Any,
    estimator: Any,
    k_range: Iterable[int] = range(1, 21),
    *,
    criterion: str = "silhouette",
    sample_weight: Any = None,
    n_references: int = 10,
    reference: str = "principal",
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> KChoice:
    """Fit an estimator for several numbers of clusters and choose one of them.

    KMeans and GaussianMixture start each number from the one before, and fresh, on points that are prepared once;
    AgglomerativeClustering grows one tree. All criteria that apply are computed, whichever decides, but for the gap
    statistic, which needs runs on other rows. Numbers above that of the distinct rows are left out.

    Parameters
    ----------
    X : {array, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
        Rows, as the estimator takes them. Sparse ones have no "calinski_harabasz", "davies_bouldin" and "gap".
    estimator : estimator
        KMeans, MiniBatchKMeans, GaussianMixture, AgglomerativeClustering, or any other with a parameter `n_clusters` or
        `n_components`, and labels. It is cloned, never fitted itself.
    k_range : iterable of int, default=range(1, 21)
        Numbers of clusters to try, each >= 1, in any order.
    criterion : str, default="silhouette"
        "silhouette": the largest mean silhouette, exact up to some 6,300 rows, beyond that of a sample of 500 rows or
        more against all rows, with its standard error; "calinski_harabasz": the largest; "davies_bouldin": the least;
        "gap": the least k whose gap statistic is not exceeded, by more than one standard error by the next number or
        four by any larger one (of more than 5,000 rows a sample is taken); "bic", "aic": the least, of the mixture, or
        of k-means as a mixture of spheres of one size; "elbow": where the inertia is farthest below the straight line
        between its ends; "xmeans": KMeans alone: from the least k on clusters are split in two, up to the largest k,
        and the least BIC on the way is taken. Which one when, and formulas: docs/clustering.md.
    sample_weight : float or array of shape (n_samples,), default=None
        Weights for fit. Rows without weight do not count; the silhouette and the two ratios of variances know no other
        weights.
    n_references : int, default=10
        Sets of rows without groups that the gap statistic compares with.
    reference : {"principal", "uniform"}, default="principal"
        What those are uniform in: the box along the principal axes of X, or along its columns.
    random_state : int, RandomState or None, default=None
        Seed of starts, samples and references. None: that of the estimator.
    n_jobs : int or None, default=None
        Threads; None: as the estimator says. Results do not depend on it.
    verbose : int, default=0
        1: a progress bar over numbers of clusters and references; 2: lines through ``logging.getLogger("mlcore")``.

    Returns
    -------
    KChoice
        `best_k`, `best_estimator` and the `table` of all criteria; ``mlcore.plotting.plot_choose_k`` draws it.

    Raises
    ------
    ValueError
        If `k_range` is empty or holds a number below 1, all of its numbers are above that of the distinct rows, or the
        criterion is not defined for any of them.
    TypeError
        If the estimator has no number of clusters.

    References
    ----------
    P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", Journal of
    Computational and Applied Mathematics, 1987.

    R. Tibshirani, G. Walther and T. Hastie, "Estimating the number of clusters in a data set via the gap statistic",
    Journal of the Royal Statistical Society B, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore.cluster import KMeans, choose_k
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(m, 1.0, size=(100, 2)) for m in (0.0, 10.0, 20.0)])
    >>> choose_k(X, KMeans(random_state=0), range(1, 8)).best_k
    3
    """
    _check_estimator(estimator)
    ks = _read_range(k_range)
    for name, value, allowed in (
        ("criterion", criterion, CRITERIA),
        ("reference", reference, ("principal", "uniform")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} of choose_k must be one of {', '.join(allowed)}, got {value!r}")
    if not _is_whole(n_references):
        raise ValueError(f"n_references of choose_k must be an int >= 1, got {n_references!r}")
    params = estimator.get_params()
    model = clone(estimator)
    if n_jobs is not None and "n_jobs" in params:
        model.set_params(n_jobs=n_jobs)
    seed = params.get("random_state") if random_state is None else random_state
    return choose(
        model,
        X,
        ks,
        criterion,
        weight=row_weights(sample_weight, X, "choose_k"),
        n_references=int(n_references),
        reference=reference,
        random_state=check_random_state(seed),
        verbose=verbose,
    )


def choose(
    model: Any,
    X: Any,
    ks: Sequence[int],
    criterion: str,
    *,
    weight: Floats | None,
    n_references: int = 10,
    reference: str = "principal",
    random_state: np.random.RandomState,
    verbose: int,
) -> KChoice:
    """Return the choice for checked arguments; `ks` are ascending."""
    if is_sparse(X) and criterion in OF_DENSE_ROWS:
        raise ValueError(
            f"criterion {criterion!r} of choose_k is for dense rows, and X is sparse: take 'silhouette', 'bic', 'aic', "
            "'elbow' or 'xmeans', or make X dense (X.toarray(), or fewer columns by TruncatedSVD)"
        )
    n = _num_samples(X) if weight is None else int(np.count_nonzero(weight))
    ks = [k for k in ks if k <= n]
    if not ks:
        raise ValueError(f"all numbers of clusters are above the number of rows with a weight, which is {n}")
    counted = None if weight is None or weight.all() else weight > 0
    sample_seed = int(random_state.randint(2**31))
    with Progress(len(ks) + n_references * (criterion == "gap"), verbose, "choose_k", unit="fits") as progress:
        found: list[tuple[Partition, dict[str, float]]] = []
        runs = (
            _x_means_rounds(model, X, weight, ks, random_state)
            if criterion == "xmeans"
            else partitions(model, X, weight, ks, random_state)
        )
        rows: Any = None
        for partition in runs:
            if rows is None:  # once X has been taken by an estimator
                rows = canonical_csr(X) if is_sparse(X) else np.asarray(X)
                rows = rows if counted is None else rows[counted]
            labels = partition.labels if counted is None else partition.labels[counted]
            figures = judge(rows, labels, partition.inertia, sample_seed)
            found.append((partition, {"inertia": partition.inertia, **figures, **partition.likelihoods}))
            progress.update()
        if not found:
            raise ValueError(f"X has fewer distinct rows than {ks[0]}, the least number of clusters")
        table = _table(found)
        if criterion == "gap":
            table |= _gap_columns(model, X, table, n_references, reference, random_state, progress)
    best = chosen(table, "bic" if criterion == "xmeans" else criterion)
    if best is None and len(found) == 1:
        best = int(table["k"][0])  # there is no other
    if best is None:
        others = ", ".join(repr(name) for name in NAMES if chosen(table, name) is not None)
        raise ValueError(
            f"criterion {criterion!r} is not defined for any number of clusters among {table['k'].tolist()}; "
            f"those that are: {others}"
        )
    partition = next(partition for partition, _ in found if partition.k == best)
    return KChoice(criterion, best, partition.estimator(), table)


def _check_estimator(estimator: Any) -> None:
    """Raise TypeError unless it is an estimator with a number of clusters; the message says what to do instead."""
    kind = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
    needs = f"choose_k needs a clusterer or a mixture with n_clusters or n_components, got {kind}"
    if isinstance(estimator, type):
        raise TypeError(f"{needs} itself, the class: write {kind}()")
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    has_labels = hasattr(estimator, "fit_predict") or hasattr(estimator, "predict")
    if has_labels and {"n_clusters", "n_components"} & params.keys():
        return
    if hasattr(estimator, "steps"):
        needs += ": choose_k(pipeline[:-1].fit_transform(X), pipeline[-1]) takes its last step, on what the others make"
    elif {"min_samples", "eps", "min_cluster_size"} & params.keys():
        needs += ", which finds the number of clusters itself: fit it, n_clusters_ says how many"
    raise TypeError(needs)


def _is_whole(value: Any) -> bool:
    """Whether it is an int >= 1."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def _read_range(k_range: Iterable[int]) -> list[int]:
    if not isinstance(k_range, Iterable):
        raise TypeError(f"k_range of choose_k must be the numbers to try, as range(1, 21), got {k_range!r}")
    ks = list(k_range)
    if not ks or not all(map(_is_whole, ks)):
        raise ValueError(f"k_range of choose_k must hold ints >= 1, got {ks!s:.80}")
    return sorted({int(k) for k in ks})


def _table(found: list[tuple[Partition, dict[str, float]]]) -> Table:
    table: Table = {"k": np.array([partition.k for partition, _ in found])}
    for name in found[0][1]:
        table[name] = np.array([figures[name] for _, figures in found])
    return table


def _gap_columns(
    model: Any,
    X: Any,
    table: Table,
    n_references: int,
    reference: str,
    random_state: np.random.RandomState,
    progress: Progress,
) -> Table:
    ks = table["k"].tolist()
    rows = read_rows(clone(model), X, reset=True, accept_sparse=False)

    def inertias(rows: Floats, random_state: np.random.RandomState) -> Floats:
        return np.array([partition.inertia for partition in partitions(model, rows, None, ks, random_state)])

    gap, error = gap_statistic(
        np.asarray(rows, dtype=np.float64),
        ks,
        inertias,
        n_references=n_references,
        reference=reference,
        random_state=random_state,
        after_each=progress.update,
    )
    return {"gap": gap, "gap_error": error}


def _x_means_rounds(
    model: Any, X: Any, weight: Floats | None, ks: Sequence[int], random_state: np.random.RandomState
) -> list[Partition]:
    if not isinstance(model, KMeans):
        raise TypeError(f"criterion 'xmeans' of choose_k splits clusters of KMeans, got {type(model).__name__}")
    rows = read_rows(clone(model), X, reset=True)
    require_squares(rows, "choose_k")

    def path_of(rows: Any, weight: Floats | None, k_max: int) -> KMeansPath:
        return KMeansPath(model, rows, weight, random_state, k_max)

    fits = x_means(path_of, rows, weight, ks[0], ks[-1])
    best: dict[int, KMeansFit] = {}
    for fit in fits:  # splits and merges may pass the same number
        k = len(fit.centers)
        best[k] = min(best.get(k, fit), fit, key=lambda fit: fit.inertia)
    return [kmeans_partition(model, X, rows, weight, best[k]) for k in sorted(best)]
