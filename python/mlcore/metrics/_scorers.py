"""The metrics by the names that scikit-learn gives them as scorers: ``scoring="roc_auc"``."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from sklearn.metrics import check_scoring, get_scorer_names, make_scorer

from mlcore import metrics

PROBABILITY = "predict_proba"
SCORE = ("decision_function", "predict_proba")
"""What a scorer asks the model for: a list means the first that it has. Without it: ``predict``."""


class Score(NamedTuple):
    """A metric, and what it is computed from."""

    metric: Callable[..., Any]
    response: str | tuple[str, ...] = "predict"
    arguments: dict[str, Any] = {}  # noqa: RUF012 - never changed
    greater_is_better: bool = True
    is_of_numbers: bool = False
    """Of a regressor's predictions."""


@cache
def scores() -> dict[str, Score]:
    """Return all of them by name; losses have the name of a score, "neg_log_loss"."""
    found = {
        "accuracy": Score(metrics.accuracy_score),
        "balanced_accuracy": Score(metrics.balanced_accuracy_score),
        "matthews_corrcoef": Score(metrics.matthews_corrcoef),
        "top_k_accuracy": Score(metrics.top_k_accuracy_score, SCORE),
        "average_precision": Score(metrics.average_precision_score, SCORE),
        "roc_auc": Score(metrics.roc_auc_score, SCORE),
        "d2_log_loss_score": Score(metrics.d2_log_loss_score, PROBABILITY),
        "d2_brier_score": Score(metrics.d2_brier_score, PROBABILITY),
        "neg_log_loss": Score(metrics.log_loss, PROBABILITY, greater_is_better=False),
        "neg_brier_score": Score(metrics.brier_score_loss, PROBABILITY, greater_is_better=False),
        "r2": Score(metrics.r2_score, is_of_numbers=True),
        "explained_variance": Score(metrics.explained_variance_score, is_of_numbers=True),
        "d2_absolute_error_score": Score(metrics.d2_absolute_error_score, is_of_numbers=True),
    }
    for kind in ("ovr", "ovo"):
        for suffix, average in (("", "macro"), ("_weighted", "weighted")):
            arguments = {"multi_class": kind, "average": average}
            found[f"roc_auc_{kind}{suffix}"] = Score(metrics.roc_auc_score, PROBABILITY, arguments)
    for name in ("precision", "recall", "f1", "jaccard"):
        metric = getattr(metrics, f"{name}_score")
        found[name] = Score(metric, arguments={"average": "binary"})
        for average in ("macro", "micro", "samples", "weighted"):
            found[f"{name}_{average}"] = Score(metric, arguments={"average": average, "pos_label": None})
    for name in (
        *("mean_absolute_error", "mean_absolute_percentage_error", "median_absolute_error", "mean_squared_error"),
        *("mean_squared_log_error", "root_mean_squared_error", "root_mean_squared_log_error", "max_error"),
        *("mean_poisson_deviance", "mean_gamma_deviance"),
    ):
        found[f"neg_{name}"] = Score(getattr(metrics, name), greater_is_better=False, is_of_numbers=True)
    return found


def find_scorer(estimator: Any, scoring: Any) -> Callable[..., float]:
    """Return ``scorer(estimator, X, y)`` for what scikit-learn's `scoring` may be; by our metrics where it is a name.

    Raises ValueError for a name that neither knows.
    """
    if isinstance(scoring, str) and scoring in scores():
        metric, response, arguments, greater_is_better, _ = scores()[scoring]
        return make_scorer(metric, response_method=response, greater_is_better=greater_is_better, **arguments)  # type: ignore[no-any-return]
    names = get_scorer_names()
    if isinstance(scoring, str) and scoring not in names:
        raise ValueError(f"scoring must be a callable or one of {', '.join(names)}; got {scoring!r}")
    return check_scoring(estimator, scoring=scoring)  # type: ignore[no-any-return]
