"""What batch norm and instance norm share: weight and bias of each channel, and running statistics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.layers._module import Module, Parameter


def register_affine(module: Module, n_channels: int, affine: bool) -> None:
    """Give a layer `weight` and `bias` (n_channels,), which start as 1 and 0; both are None without `affine`."""
    for name, start in (("weight", 1.0), ("bias", 0.0)):
        values = np.full(n_channels, start, np.float32)
        module.register_parameter(name, Parameter(values) if affine else None)


class RunningNorm(Module):
    """A norm of each channel that can keep running statistics."""

    _later_state = ("num_batches_tracked",)
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
        register_affine(self, num_features, affine)
        for name, start in self._initial_statistics().items():
            self.register_buffer(name, start if track_running_stats else None)

    def _initial_statistics(self) -> dict[str, NDArray[Any]]:
        n = self.num_features
        return {
            "running_mean": np.zeros(n, np.float32),
            "running_var": np.ones(n, np.float32),
            "num_batches_tracked": np.zeros((), np.int64),
        }

    @property
    def _uses_input(self) -> bool:
        """Whether mean and variance are those of the input."""
        return self.training or not self.track_running_stats

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            self._buffers.update(self._initial_statistics())

    def extra_repr(self) -> str:
        """Return the parameters."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
