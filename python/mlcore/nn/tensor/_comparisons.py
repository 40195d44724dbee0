"""Comparisons of tensors, entry by entry, and logic on their results: tensors of bool, through which nothing flows."""

from typing import Any

import numpy as np

from mlcore.nn.tensor._tape import ShapeError, Tensor, wrap


def _compare(ufunc: Any, x: Any, other: Any) -> Any:
    """Return a tensor of bool, or NotImplemented for what is no number."""
    values = [v.data if isinstance(v, Tensor) else v for v in (x, other)]
    if not all(isinstance(v, np.ndarray | np.generic | int | float) for v in values):
        return NotImplemented  # Python asks the other side, then compares identities
    try:
        return wrap(np.asarray(ufunc(*values)))
    except ValueError:
        shapes = " and ".join(str(np.shape(v)) for v in values)
        raise ShapeError(f"shapes {shapes} do not broadcast") from None


def _logic(ufunc: Any, x: Any, other: Any) -> Any:
    values = [v.data if isinstance(v, Tensor) else np.asarray(v) for v in (x, other)]
    if any(v.dtype != np.bool_ for v in values):
        raise TypeError(f"logic takes tensors of bool, got {values[0].dtype} and {values[1].dtype}")
    return _compare(ufunc, *values)


def invert(x: Tensor) -> Tensor:
    """Return a tensor of bool with True and False exchanged."""
    if x.dtype != np.bool_:
        raise TypeError(f"~ takes a tensor of bool, got {x.dtype}")
    return wrap(np.asarray(~x.data))


METHODS: dict[str, Any] = {
    "__eq__": lambda x, other: _compare(np.equal, x, other),
    "__ne__": lambda x, other: _compare(np.not_equal, x, other),
    "__lt__": lambda x, other: _compare(np.less, x, other),
    "__le__": lambda x, other: _compare(np.less_equal, x, other),
    "__gt__": lambda x, other: _compare(np.greater, x, other),
    "__ge__": lambda x, other: _compare(np.greater_equal, x, other),
    "__hash__": object.__hash__,  # by identity: parameters are keys of dictionaries
    "__and__": lambda x, other: _logic(np.logical_and, x, other),
    "__rand__": lambda x, other: _logic(np.logical_and, x, other),
    "__or__": lambda x, other: _logic(np.logical_or, x, other),
    "__ror__": lambda x, other: _logic(np.logical_or, x, other),
    "__xor__": lambda x, other: _logic(np.logical_xor, x, other),
    "__rxor__": lambda x, other: _logic(np.logical_xor, x, other),
    "__invert__": invert,
}
UFUNCS: dict[Any, Any] = {
    ufunc: (lambda f: lambda x, other: _compare(f, x, other))(ufunc)
    for ufunc in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
}
