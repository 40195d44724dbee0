"""Tensors: what an operation needs to compute with them and to be recorded on the tape.

The tape (`_tape`) knows how a tensor was made, and no operation. Each kind of operations is a class with a file of its
own: `_arithmetic`, `_comparisons`, `_reductions`, `_shapes`, and `_protocols` for what Python and NumPy ask of numbers
and arrays. `_tensor` puts them together: :class:`Tensor` is what users see, and what every operation returns.
"""

from mlcore.nn.tensor._arithmetic import where
from mlcore.nn.tensor._axes import one_axis
from mlcore.nn.tensor._errors import AxisError, ShapeError
from mlcore.nn.tensor._operands import as_tensor, float_tensor, operands
from mlcore.nn.tensor._reductions import sum_over, summed_to
from mlcore.nn.tensor._shapes import concatenate, stack
from mlcore.nn.tensor._sparse_gradient import SparseGradient, stored_values
from mlcore.nn.tensor._tape import Array, Gradients, grad_enabled, no_grad, record, record_many
from mlcore.nn.tensor._tensor import Tensor

__all__ = [
    "Array",
    "AxisError",
    "Gradients",
    "ShapeError",
    "SparseGradient",
    "Tensor",
    "as_tensor",
    "concatenate",
    "float_tensor",
    "grad_enabled",
    "no_grad",
    "one_axis",
    "operands",
    "record",
    "record_many",
    "stack",
    "stored_values",
    "sum_over",
    "summed_to",
    "where",
]
