"""Comparisons of tensors, entry by entry, and logic on their results: tensors of bool, which have no gradient."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.nn.tensor._errors import ShapeError
from mlcore.nn.tensor._tape import TensorBase, wrap

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor


def compare(ufunc: Any, x: Any, other: Any) -> Any:
    """Return a tensor of bool, or NotImplemented for what is no number."""
    values = [v.data if isinstance(v, TensorBase) else v for v in (x, other)]
    if not all(isinstance(v, np.ndarray | np.generic | int | float) for v in values):
        return NotImplemented  # Python asks the other side, then compares identities
    try:
        return wrap(np.asarray(ufunc(*values)))
    except ValueError:
        shapes = " and ".join(str(np.shape(v)) for v in values)
        raise ShapeError(f"shapes {shapes} do not broadcast") from None


def _logic(ufunc: Any, x: Any, other: Any) -> "Tensor":
    values = [v.data if isinstance(v, TensorBase) else np.asarray(v) for v in (x, other)]
    if any(v.dtype != np.bool_ for v in values):
        raise TypeError(f"logic takes tensors of bool, got {values[0].dtype} and {values[1].dtype}")
    result: Tensor = compare(ufunc, *values)
    return result


class Comparisons(TensorBase):
    """Comparisons entry by entry, and logic on tensors of bool."""

    __slots__ = ()
    __hash__ = object.__hash__  # by identity: parameters are keys of dictionaries

    def __eq__(self, other: object) -> Any:
        return compare(np.equal, self, other)

    def __ne__(self, other: object) -> Any:
        return compare(np.not_equal, self, other)

    def __lt__(self, other: Any) -> Any:
        return compare(np.less, self, other)

    def __le__(self, other: Any) -> Any:
        return compare(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return compare(np.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return compare(np.greater_equal, self, other)

    def __and__(self, other: Any) -> "Tensor":
        """Return a logical and, of tensors of bool."""
        return _logic(np.logical_and, self, other)

    def __or__(self, other: Any) -> "Tensor":
        """Return a logical or, of tensors of bool."""
        return _logic(np.logical_or, self, other)

    def __xor__(self, other: Any) -> "Tensor":
        """Return a logical exclusive or, of tensors of bool."""
        return _logic(np.logical_xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> "Tensor":
        """Return a tensor of bool with True and False exchanged."""
        if self.dtype != np.bool_:
            raise TypeError(f"~ takes a tensor of bool, got {self.dtype}")
        return wrap(np.asarray(~self.data))
