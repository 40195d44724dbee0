"""Where EM begins: rows divided by k-means or at random, or what the user knows of the components."""

from typing import Any

import numpy as np
from sklearn.utils import check_array

from mlcore._tables import Floats
from mlcore.cluster._kmeans import KMeans
from mlcore.cluster._kmeans_path import KMeansPath
from mlcore.cluster._points import Points


def standardised(points: Points, covariance_type: str) -> Points:
    """Return the points in units in which distances say something.

    Where each column has a variance of its own, its unit is its deviation. "spherical" components have one variance,
    so that columns have one unit already.
    """
    scaled: Points = points - points.mean(axis=0)
    if covariance_type != "spherical":
        largest = np.abs(scaled).max(axis=0)
        scaled /= np.where(largest > 0, largest, 1)  # squares of what is left neither overflow nor vanish
        deviation = scaled.std(axis=0)
        scaled /= np.where(deviation > 0, deviation, 1)
    return scaled


def kmeans_path(
    points: Points,
    weight: Floats | None,
    covariance_type: str,
    random_state: np.random.RandomState,
    n_jobs: int | None,
    k_max: int,
) -> KMeansPath:
    """Return the runs of k-means whose labels EM starts from."""
    return KMeansPath(KMeans(n_jobs=n_jobs), standardised(points, covariance_type), weight, random_state, k_max)


def division(
    method: str,
    points: Points,
    weight: Floats | None,
    k: int,
    covariance_type: str,
    random_state: np.random.RandomState,
    n_jobs: int | None,
) -> dict[str, Any]:
    """Return how EM divides the rows at first: as `labels`, -1 for rows that belong nowhere, or `responsibilities`."""
    n = len(points)
    if method == "random":
        shares = random_state.uniform(size=(n, k))
        return {"labels": None, "responsibilities": shares / shares.sum(axis=1, keepdims=True)}
    if method == "kmeans":
        path = kmeans_path(points, weight, covariance_type, random_state, n_jobs, k)
        return {"labels": path.run(k).labels, "responsibilities": None}
    labels = np.full(n, -1, dtype=np.int32)
    if method == "random_from_data":
        labels[random_state.choice(n, size=k, replace=False)] = np.arange(k)
    else:
        labels[kmeans_path(points, weight, covariance_type, random_state, n_jobs, k).plus_plus(k)] = np.arange(k)
    return {"labels": labels, "responsibilities": None}


def covariance_shape(covariance_type: str, k: int, d: int) -> tuple[int, ...]:
    """Return the shape of `covariances_`."""
    return {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[covariance_type]


def read_start(model: Any, d: int) -> dict[str, Floats]:
    """Return what the user gives of the first components, checked, as the core names it.

    Raises
    ------
    ValueError
        If an array has another shape than the components, weights are not shares of 1, or precisions are not positive
        definite.
    """
    k, found = model.n_components, {}
    shapes = {
        "weights": (k,),
        "means": (k, d),
        "precisions": covariance_shape(model.covariance_type, k, d),
    }
    for name, shape in shapes.items():
        value = getattr(model, f"{name}_init")
        if value is None:
            continue
        array = check_array(
            value, dtype=np.float64, order="C", ensure_2d=False, allow_nd=True, input_name=f"{name}_init"
        )
        if array.shape != shape:
            raise ValueError(f"{name}_init of GaussianMixture must have shape {shape}, got {array.shape}")
        found[name] = array
    if "weights" in found:
        weights = found["weights"]
        if (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ValueError(f"weights_init of GaussianMixture must be >= 0 and have a sum of 1, got {weights}")
    if "precisions" in found:
        found["precisions_cholesky"] = _factors(found.pop("precisions"), model.covariance_type)
    return found


def _factors(precisions: Floats, covariance_type: str) -> Floats:
    """Return P, upper triangular, with P P' = the precision."""
    if covariance_type in ("diag", "spherical"):
        if (precisions <= 0).any():
            raise ValueError("precisions_init of GaussianMixture must be positive")
        return np.sqrt(precisions)
    matrices = precisions if precisions.ndim == 3 else precisions[None]
    out = np.empty_like(matrices)
    for i, matrix in enumerate(matrices):
        if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=0):
            raise ValueError("precisions_init of GaussianMixture must be symmetric")
        try:  # P P' with P upper triangular: the Cholesky factor of the matrix read from its last row and column on
            out[i] = np.linalg.cholesky(matrix[::-1, ::-1])[::-1, ::-1]
        except np.linalg.LinAlgError as error:
            raise ValueError("precisions_init of GaussianMixture must be positive definite") from error
    return out.reshape(precisions.shape)
