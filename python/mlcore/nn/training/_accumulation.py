"""Batches that make one step together, with the gradient that they would have as one batch."""


class Accumulated:
    """Batches whose gradients wait for a step: the gradient of each is multiplied by a factor, their sum by `scale`."""

    def __init__(self) -> None:
        self.n_batches, self.total = 0, 0.0
        self._unit = 0.0  # factors are relative to the first weight: 1 where all batches are alike
        self._is_sum = False

    def count(self, weight: float | None) -> float:
        """Return the factor of the next batch, whose loss is a mean over `weight`, or a sum."""
        self.n_batches += 1
        self._is_sum = weight is None
        self._unit = self._unit or weight or 0.0
        factor = 1.0 if weight is None else weight / self._unit if self._unit else 0.0
        self.total += factor
        return factor

    @property
    def scale(self) -> float:
        """What the sum of gradients is multiplied by to be that of one batch."""
        return 1.0 if self._is_sum or self.total == 0 else 1 / self.total
