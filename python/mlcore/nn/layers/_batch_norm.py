"""BatchNorm1d and BatchNorm2d."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.functional._batch_norm import batch_norm
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


class _BatchNorm(Module):
    _later_state = ("num_batches_tracked",)
    ndims: tuple[int, ...]
    shapes: str
    running_mean: NDArray[np.float32] | None
    running_var: NDArray[np.float32] | None
    num_batches_tracked: NDArray[np.int64]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        if num_features < 1:
            raise ValueError(f"num_features must be at least 1, got {num_features}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        for name, start in (("weight", 1.0), ("bias", 0.0)):
            parameter = Parameter(np.full(num_features, start, np.float32)) if affine else None
            self.register_parameter(name, parameter)
        tracks = track_running_stats
        self.register_buffer("running_mean", np.zeros(num_features, np.float32) if tracks else None)
        self.register_buffer("running_var", np.ones(num_features, np.float32) if tracks else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if tracks else None)

    def forward(self, input: Any) -> Tensor:
        """Normalise: by the batch while training or without running statistics, else by those."""
        x = as_tensor(input)
        if x.ndim not in self.ndims or x.shape[1] != self.num_features:
            raise ShapeError(f"input of shape {x.shape} must be {self.shapes} with {self.num_features} channels")
        by_batch = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        n_batches = int(self.num_batches_tracked) + 1 if self.track_running_stats else 0
        if self.training and self.track_running_stats and self.momentum is None:  # the plain mean over all batches
            momentum = 1 / n_batches
        mean, variance = (self.running_mean, self.running_var) if self.track_running_stats else (None, None)
        y = batch_norm(x, mean, variance, self.weight, self.bias, by_batch, momentum, self.eps)
        if self.training and self.track_running_stats:
            self.num_batches_tracked = np.array(n_batches, np.int64)
        return y

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean = np.zeros(self.num_features, np.float32)
            self.running_var = np.ones(self.num_features, np.float32)
            self.num_batches_tracked = np.zeros((), np.int64)

    def extra_repr(self) -> str:
        """Return the parameters."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of (n, channels, rows, columns): see :func:`mlcore.nn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float, default=1e-5
        Added to the variance.
    momentum : float or None, default=0.1
        Weight of the newest batch in the running statistics. None: all batches count alike.
    affine : bool, default=True
        Whether there are `weight` and `bias`.
    track_running_stats : bool, default=True
        Whether statistics are kept for :meth:`eval`; otherwise those of the batch are used there as well.

    Attributes
    ----------
    weight, bias : Parameter (num_features,) or None
        Start as 1 and 0.
    running_mean, running_var : ndarray of float32 (num_features,) or None
        Start as 0 and 1.
    num_batches_tracked : ndarray of int64 () or None
        Batches seen while training.
    """

    ndims, shapes = (4,), "(n, channels, rows, columns)"


class BatchNorm1d(_BatchNorm):
    """As :class:`BatchNorm2d`, for (n, channels) and (n, channels, length)."""

    ndims, shapes = (2, 3), "(n, channels) or (n, channels, length)"
