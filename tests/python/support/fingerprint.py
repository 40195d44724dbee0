"""A number for all that a model is: two models are the same, bit for bit, if they have the same one."""

import hashlib
from typing import Any

import numpy as np
import scipy.sparse as sp

METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "transform",
    "kneighbors",
)
"""What a model can be asked about rows or texts."""


def fingerprint(model: Any, X: Any = None) -> str:
    """Return a digest of the fitted attributes of a model, or "" if it has none; with `X` also of its answers on X."""
    names = set(model._fitted_attributes())
    if not names and (X is None or needs_fit(model)):
        return ""
    state = {name: value for name, value in model._get_state().items() if name in names}
    return digest([state, answers(model, X) if X is not None else None])


def answers(model: Any, X: Any) -> dict[str, Any]:
    """Return what every method of a model says of X; sparse rows as arrays."""
    found = {method: getattr(model, method)(X) for method in METHODS if hasattr(model, method)}
    if "kneighbors" in found:
        found["kneighbors"], found["rows of kneighbors"] = found["kneighbors"]
    return {method: value.toarray() if sp.issparse(value) else value for method, value in found.items()}


def needs_fit(model: Any) -> bool:
    """Whether a model can say nothing before it is fitted."""
    return bool(model.__sklearn_tags__().requires_fit)


def digest(value: Any) -> str:
    """Return a digest of arrays, numbers, texts, and lists and dicts of them."""
    hashed = hashlib.sha256()
    _add(value, hashed)
    return hashed.hexdigest()[:16]


def _add(value: Any, hashed: Any) -> None:
    if isinstance(value, np.ndarray) and value.dtype != object:
        hashed.update(f"{value.dtype.str}{value.shape}".encode())
        hashed.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            if key != "seconds":  # of the clock
                hashed.update(repr(key).encode())
                _add(value[key], hashed)
    elif isinstance(value, list | tuple | np.ndarray):
        hashed.update(f"{type(value).__name__}{len(value)}".encode())
        for item in value:
            _add(item, hashed)
    else:
        assert isinstance(value, str | bytes | int | float | np.generic | type(None)), f"no plain value: {value!r}"
        hashed.update(repr(value).encode())
