"""Where to draw, and what plots share."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(ax: "Axes | None") -> "Axes":
    """Return the axes that the caller named, else those of a new figure. Raises ImportError without matplotlib."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: pip install matplotlib") from error
    return plt.subplots(layout="constrained")[1]


def whole_numbers_on_x(ax: "Axes") -> None:
    """Put ticks at whole numbers alone: there is nothing between two epochs."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def plain_legend(ax: "Axes", **options: Any) -> None:
    """Add a legend in which a dollar is a letter: names of users are no mathematics."""
    for text in ax.legend(**options).get_texts():
        text.set_parse_math(False)
