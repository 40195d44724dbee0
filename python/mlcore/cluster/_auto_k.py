"""``KMeans(n_clusters="auto")``: the number of clusters by a criterion, then the fit with it."""

from typing import Any

from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from mlcore._validation import row_weights
from mlcore.cluster._choose_k import choose

DEFAULT_K_MAX = 20


def fit_auto(model: Any, X: Any, sample_weight: Any) -> None:
    """Set what fit of KMeans sets, with the number of clusters that ``model.criterion`` takes from 1 to `k_max`."""
    k_max = min(DEFAULT_K_MAX if model.k_max is None else int(model.k_max), _num_samples(X))
    choice = choose(
        clone(model),
        X,
        list(range(1, k_max + 1)),
        model.criterion,
        weight=row_weights(sample_weight, X, type(model).__name__),
        random_state=check_random_state(model.random_state),
        verbose=model.verbose,
    )
    fitted = choice.best_estimator
    for name in fitted._fitted_attributes():
        setattr(model, name, getattr(fitted, name))
