"""Tensor: an array with all operations, recorded on the tape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.tensor._arithmetic import Arithmetic
from mlcore.nn.tensor._comparisons import Comparisons
from mlcore.nn.tensor._operands import own_values_of
from mlcore.nn.tensor._protocols import Protocols
from mlcore.nn.tensor._reductions import Reductions
from mlcore.nn.tensor._shapes import Shapes


class Tensor(Arithmetic, Comparisons, Reductions, Shapes, Protocols, is_result=True):
    """A NumPy array that remembers how it was made.

    Parameters
    ----------
    data : array-like
        float32, integers or bool; lists and numbers of Python's float become float32. A copy is made: what the caller
        does with an array afterwards changes no tensor, and no gradient. :func:`as_tensor` shares the memory.
    requires_grad : bool, default=False
        Whether :meth:`backward` shall compute the gradient with respect to it. Only for float32.

    Attributes
    ----------
    data : ndarray
        The values. Change them with :meth:`copy_` and its like: what is written into the array itself goes unseen.
    grad : ndarray of float32, SparseGradient or None
        Gradient of what :meth:`backward` was called on, summed over calls until :meth:`zero_grad`.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self._start(own_values_of(data), requires_grad)

    def __repr__(self) -> str:
        text = np.array2string(self.data, precision=4, separator=", ", threshold=100)
        made = f", made_by={self._node.op}" if self._node is not None else ", requires_grad" * self.requires_grad
        return f"Tensor({text}, shape={self.shape}{made})"

    def numpy(self) -> NDArray[Any]:
        """Return the values, read-only where a gradient may depend on them."""
        view = self.data.view()
        view.flags.writeable = view.flags.writeable and not self.requires_grad
        return view
