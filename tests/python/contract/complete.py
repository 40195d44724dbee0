"""Small fits of all estimators that set every attribute there is, from data that have names."""

from functools import cache

import estimator_table
import pandas as pd
import pytest

from contract import cases

ESTIMATORS = estimator_table.estimators()

FRAME = pd.DataFrame(cases.rows(200), columns=[f"column {j}" for j in range(cases.N_COLUMNS)])

_OPTIONS = {
    "GBDTClassifier": {"early_stopping": True},
    "GBDTRegressor": {"early_stopping": True},
    "HDBSCAN": {"store_centers": "both"},
    "NuSVC": {"kernel": "linear"},
    "NuSVR": {"kernel": "linear"},
    "OneClassSVM": {"kernel": "linear"},
    "RidgeCV": {"store_cv_results": True},
    "SVC": {"kernel": "linear"},
    "SVR": {"kernel": "linear"},
    "Word2Vec": {"loss": "hs", "epochs": 2},
}
"""With which attributes are set that others have not."""


def is_of_texts(cls):
    return cases.kind(cls.__name__) in ("texts", "documents", "sequences")


def data_of(cls):
    """Return what fit takes."""
    X, y = cases.typical(cls.__name__)
    return (X, y) if is_of_texts(cls) else (pd.DataFrame(X, columns=FRAME.columns), y)


def make(cls, **options):
    """Return an unfitted estimator that fits quickly, always the same."""
    return cases.make(cls.__name__, **{**_OPTIONS.get(cls.__name__, {}), "n_jobs": 1, **options})


@cache
def fitted(cls):
    return make(cls).fit(*data_of(cls))


def each(condition=lambda cls: True):
    """Parametrize a test with the estimators for which this is so, one at least."""
    classes = [cls for cls in ESTIMATORS.values() if condition(cls)]
    assert classes
    return pytest.mark.parametrize("cls", classes, ids=lambda cls: cls.__name__)
