"""Calls of mlcore.metrics beside those of sklearn.metrics: the same figures, errors and warnings."""

import warnings

import numpy as np
import sklearn.metrics as peer

from mlcore import metrics


def outcome(function, *arguments, **options):
    """What a call gives: a value, or the type of its error; and the categories of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = function(*arguments, **options)
        except Exception as error:
            value = type(error)
    categories = {w.category for w in caught if not issubclass(w.category, RuntimeWarning)}
    return value, categories


def equal(ours, theirs, rtol=1e-12):
    if isinstance(theirs, type):  # an invalid parameter is both a ValueError and a TypeError
        return isinstance(ours, type) and (issubclass(ours, theirs) or issubclass(theirs, ours))
    if isinstance(theirs, str):
        return ours == theirs
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[k], theirs[k], rtol) for k in theirs)
    if isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(equal(a, b, rtol) for a, b in zip(ours, theirs, strict=True))
    if isinstance(theirs, np.ndarray):
        same = isinstance(ours, np.ndarray) and ours.dtype == theirs.dtype and ours.shape == theirs.shape
        return same and np.allclose(ours, theirs, rtol=rtol, atol=rtol, equal_nan=True)
    if theirs is None or isinstance(ours, type):
        return ours is theirs
    return np.isclose(ours, theirs, rtol=rtol, atol=rtol, equal_nan=True)  # other orders of additions


def compare(name, *arguments, rtol=1e-12, **options):
    """Assert that both libraries give the same figures, errors and warnings; sums are taken in another order."""
    ours, our_warnings = outcome(getattr(metrics, name), *arguments, **options)
    theirs, their_warnings = outcome(getattr(peer, name), *arguments, **options)
    assert equal(ours, theirs, rtol), (name, options, ours, theirs)
    assert our_warnings == their_warnings, (name, options)
