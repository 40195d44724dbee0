"""Progress of long loops: ``verbose=1`` shows a bar, ``verbose=2`` logs a line an iteration, 0 is silent."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

logger = logging.getLogger("mlcore")


class Progress:
    """Progress of a loop; use it as a context manager.

    Parameters
    ----------
    total : int or None
        Number of iterations; None: not known before the end.
    verbose : int or bool
        0: nothing; 1: a tqdm bar on standard error; 2 or more: a line an iteration through
        ``logging.getLogger("mlcore")`` at level INFO. Logging is set up by the application, as always:
        ``logging.basicConfig(level=logging.INFO)`` shows it.
    name : str
        What is running, for example the class of the estimator.
    unit : str, default="it"
        What is counted, for the bar; large numbers of anything but iterations are shown as 12.3k.
    begin : int, default=0
        Iterations that were done before, by the run that this one goes on with.
    """

    def __init__(self, total: int | None, verbose: int, name: str, *, unit: str = "it", begin: int = 0) -> None:
        self._total, self._verbose, self._name, self._unit = total, int(verbose), name, unit
        self._done = self._begin = begin
        self._bar: Any = None

    @property
    def done(self) -> int:
        """Iterations counted so far, those of before too."""
        return self._done

    def __enter__(self) -> Self:
        if self._verbose == 1:
            from tqdm.auto import tqdm

            options: dict[str, Any] = {
                "total": self._total,
                "initial": self._begin,
                "desc": self._name,
                "unit": self._unit,
            }
            is_large = self._total is None or self._total >= 1000
            self._bar = tqdm(unit_scale=self._unit != "it" and is_large, **options)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, n: int = 1, /, **figures: float) -> None:
        """Count one iteration, or `n`; `figures` (loss and the like) are shown beside it."""
        self._done += n
        if self._bar is not None:
            self._bar.set_postfix({key: f"{value:.5g}" for key, value in figures.items()}, refresh=False)
            self._bar.update(n)
        elif self._verbose >= 2:
            text = "".join(f"  {key} {value:.6g}" for key, value in figures.items())
            of_total = "" if self._total is None else f"/{self._total}"
            logger.info("%s %d%s%s", self._name, self._done, of_total, text)

    def callback(self, figure: str, *, begin: int = 0) -> Callable[[int, float], None] | None:
        """Return what the core calls with the iterations done so far and the value of `figure`; None: nothing to show.

        The core calls at a fixed rate, so that one call may count many iterations. `begin` iterations were done before
        it counts.
        """
        if not self._verbose:
            return None

        def report(done: int, value: float) -> None:
            self.update(begin + done - self._done, **{figure: value})

        return report
