"""What the mean of a loss was taken over: means of batches are put together by it, not by the rows of a batch.

The mean of a cross-entropy is over the targets that are not ignored, weighted by their classes. A mean over data that
comes in batches is that over all of it only if each batch counts for as much as its own mean was taken over. The losses
say so here while a :class:`Watch` is open; otherwise they spend nothing on it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mlcore.nn.tensor import Tensor


class Watch:
    """The losses that were reduced while it was open."""

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, str, Callable[[], float]]] = []

    def weight(self, loss: Tensor, n_rows: int) -> float | None:
        """Return what `loss` is a mean over; None: it is a sum.

        A loss that was computed further (a factor, a penalty, several terms) is a mean over what its terms are means
        over, if that is the same for all of them; else over the rows of the batch, as one that nothing is known of.
        """
        for other, reduction, over in self.seen:
            if other is loss:
                return None if reduction == "sum" else over()
        weights = {over() for _, reduction, over in self.seen if reduction == "mean"}
        only_means = all(reduction == "mean" for _, reduction, _ in self.seen)
        return weights.pop() if len(weights) == 1 and only_means else float(n_rows)


_WATCH: ContextVar[Watch | None] = ContextVar("mlcore_reductions", default=None)


@contextmanager
def watching() -> Iterator[Watch]:
    """Within the block the losses say what they were reduced over."""
    watch = Watch()
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)


def reduced(loss: Tensor, reduction: str, over: Callable[[], float]) -> Tensor:
    """Return `loss`; where somebody watches, `over` is asked what a mean was taken over."""
    watch = _WATCH.get()
    if watch is not None and reduction != "none":
        watch.seen.append((loss, reduction, over))
    return loss
