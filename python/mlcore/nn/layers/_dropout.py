"""Layers that add noise to their input while training, and return it unchanged in evaluation."""

from typing import Any

from mlcore.nn.functional._dropout import check_probability, dropout, gaussian_noise
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor


class Dropout(Module):
    """Entries become 0 with probability p, the others are scaled by ``1 / (1 - p)`` (Srivastava et al. 2014).

    Parameters
    ----------
    p : float in [0, 1], default=0.5
        Probability of 0.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_probability(p)
        self.p = p

    def forward(self, input: Any, residual: Any = None) -> Tensor:
        """Apply to an input of any shape; `residual` of the same shape is added in the same pass."""
        return dropout(input, self.p, self.training, residual=residual)

    def extra_repr(self) -> str:
        """Return p."""
        return f"p={self.p}"


class GaussianNoise(Module):
    """Adds normal noise.

    Parameters
    ----------
    std : float, default=0.1
        Its standard deviation, at least 0.
    """

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        if not std >= 0:
            raise ValueError(f"std of GaussianNoise must be at least 0, got {std}")
        self.std = std

    def forward(self, input: Any) -> Tensor:
        """Apply to an input of any shape."""
        return gaussian_noise(input, self.std, self.training)

    def extra_repr(self) -> str:
        """Return the standard deviation."""
        return f"std={self.std}"
