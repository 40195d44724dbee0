"""What the mean of a loss was taken over: means of batches are put together by it, not by the rows of a batch.

The mean of a cross-entropy is over the targets that are not ignored, weighted by their classes. A mean over data that
comes in batches is that over all of it only if each batch counts for as much as its own mean was taken over. The losses
record that here while a :class:`ReductionLog` is open; otherwise they spend nothing on it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mlcore.nn.tensor import Tensor


class ReductionLog:
    """The losses that were reduced while it was open."""

    def __init__(self) -> None:
        self.entries: list[tuple[Tensor, str, Callable[[], float]]] = []

    def weight(self, loss: Tensor, n_rows: int) -> float | None:
        """Return what `loss` is a mean over; None: it is a sum.

        A loss that was computed further (a factor, a penalty, several terms) is a mean over what its terms are means
        over, if that is the same for all of them; else over the rows of the batch, as one that nothing is known of.
        """
        for other, reduction, weight_of in self.entries:
            if other is loss:
                return None if reduction == "sum" else weight_of()
        weights = {weight_of() for _, reduction, weight_of in self.entries if reduction == "mean"}
        only_means = all(reduction == "mean" for _, reduction, _ in self.entries)
        return weights.pop() if len(weights) == 1 and only_means else float(n_rows)


_LOG: ContextVar[ReductionLog | None] = ContextVar("mlcore.nn reductions", default=None)


@contextmanager
def reduction_log() -> Iterator[ReductionLog]:
    """Within the block the losses record what they were reduced over."""
    log = ReductionLog()
    token = _LOG.set(log)
    try:
        yield log
    finally:
        _LOG.reset(token)


def log_reduction(loss: Tensor, reduction: str, weight_of: Callable[[], float]) -> Tensor:
    """Return `loss`; where a log is open, `weight_of` will be asked what its mean was taken over."""
    log = _LOG.get()
    if log is not None and reduction != "none":
        log.entries.append((loss, reduction, weight_of))
    return loss
