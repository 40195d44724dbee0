"""BatchNorm1d and BatchNorm2d."""

from typing import Any

import numpy as np

from mlcore.nn.functional._batch_norm import batch_norm
from mlcore.nn.layers._running_norm import RunningNorm
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


class _BatchNorm(RunningNorm):
    ndims: tuple[int, ...]
    shapes: str

    def forward(self, input: Any) -> Tensor:
        """Normalise: by the batch while training or without running statistics, else by those."""
        x = as_tensor(input)
        if x.ndim not in self.ndims or x.shape[1] != self.num_features:
            raise ShapeError(f"input of shape {x.shape} must be {self.shapes} with {self.num_features} channels")
        momentum = 0.0 if self.momentum is None else self.momentum
        n_batches = int(self.num_batches_tracked) + 1 if self.track_running_stats else 0
        if self.training and self.track_running_stats and self.momentum is None:  # the plain mean over all batches
            momentum = 1 / n_batches
        mean, variance = (self.running_mean, self.running_var) if self.track_running_stats else (None, None)
        y = batch_norm(x, mean, variance, self.weight, self.bias, self._uses_input, momentum, self.eps)
        if self.training and self.track_running_stats:
            self.num_batches_tracked = np.array(n_batches, np.int64)
        return y


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
