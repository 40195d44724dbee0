"""What an operation computes with: tensors, made of whatever the caller has given."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn.tensor._tape import Array, TensorBase, checked_dtype, requires_gradient, wrap

if TYPE_CHECKING:
    from mlcore.nn.tensor._tensor import Tensor


def values_of(data: Any) -> NDArray[Any]:
    """Return the values of what a tensor may be made of: an array itself, not a copy."""
    if isinstance(data, TensorBase):
        return data.data
    if not isinstance(data, np.ndarray | np.generic):
        if isinstance(data, list | tuple) and any(isinstance(item, TensorBase) for item in data):
            raise TypeError(
                f"got a {type(data).__name__} of tensors: take one of them, or join them with nn.stack or "
                "nn.concatenate"
            )
        data = np.asarray(data)
        if data.dtype == np.float64:
            data = data.astype(np.float32)
    return checked_dtype(np.asarray(data))


def own_values_of(data: Any) -> NDArray[Any]:
    """Return values that nobody else can change: a copy, unless `data` is no array and was made into one here."""
    values = values_of(data)
    if isinstance(data, list | tuple | int | float | np.generic):
        return values
    if values.size < 1 << 15 or values.dtype != np.float32 or not values.flags.c_contiguous:
        return np.array(values)
    out: Array = core.nn.empty(values.shape)  # from the pool: fresh pages would cost more than copying
    out[...] = values
    return out


def as_tensor(data: Any) -> "Tensor":
    """Return `data` itself if it is a Tensor, else a Tensor around it that shares an array's memory.

    What is written into the array later changes the tensor, but no gradient: operations that keep it for theirs make a
    copy, as :class:`Tensor` does at once. Only where the tensor itself requires a gradient it must not be written to.
    """
    if isinstance(data, TensorBase):
        return data  # type: ignore[return-value]
    tensor = wrap(values_of(data))
    tensor._is_shared = True
    return tensor


def operands(*values: Any) -> tuple[Any, ...]:
    """Return what an operation computes with as tensors; None stays None.

    Where a gradient may be asked for, arrays are copied: the operation keeps what its gradient needs, and the caller
    may fill an array again before `backward`. Changes of a Tensor are seen by its version.
    """
    for v in values:
        if v is not None and (not isinstance(v, TensorBase) or v._is_shared):
            break
    else:
        return values
    copies = requires_gradient(values)
    return tuple(
        v
        if v is None or (isinstance(v, TensorBase) and (v.requires_grad or not v._is_shared))
        else (wrap(own_values_of(v)) if copies else as_tensor(v))
        for v in values
    )


def float_tensor(data: Any, name: str) -> "Tensor":
    """Return `data` as a Tensor of float32, or raise TypeError that calls it `name`."""
    tensor = as_tensor(data)
    if tensor.dtype != np.float32:
        raise TypeError(f"{name} must be float32, got {tensor.dtype}")
    return tensor
