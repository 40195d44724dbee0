"""Values that name categories: brought to few types without two of them becoming one, and found again.

Categories are float64 where they are numbers that float64 holds, int64 or uint64 where whole numbers lie beyond 2^53,
else strings (objects that are all str). Dates are strings as in ISO 8601, in UTC and as short as they can be, so that
one date is one category in any container and in any unit of time.
"""

import datetime as dt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.intp]
Categories: TypeAlias = NDArray[Any]  # float64, int64, uint64, or objects that are all str

_EXACT = 2**53
"""Up to here float64 holds every whole number."""
_NUMBERS = (bool, int, float, np.number, np.bool_)


def as_categories(given: Any, column: str) -> Categories:
    """Return values as categories: numbers, or strings.

    Parameters
    ----------
    given : array-like of shape (n,)
        Nothing missing.
    column : str
        Where they come from, for messages.

    Raises
    ------
    ValueError
        If strings and numbers are mixed, or whole numbers cannot be told apart in 64 bits.
    """
    values: NDArray[Any] = np.asarray(given)
    kind = values.dtype.kind
    if kind in "bf":
        return values.astype(np.float64)
    if kind in "iu":
        return _whole_numbers(values)
    if kind == "M":
        return _dates(values)
    if kind == "m":
        return _whole_numbers(values.astype("m8[ns]").astype(np.int64))
    items = values.tolist()
    if all(isinstance(item, str) for item in items):
        return values.astype(object)
    if all(isinstance(item, _NUMBERS) for item in items):
        return _numbers(items, column)
    if any(isinstance(item, (str, *_NUMBERS)) for item in items):
        kinds = sorted({type(item).__name__ for item in items})
        raise ValueError(
            f"categories of {column} must be all strings or all numbers, got a mixture of {', '.join(kinds)}"
        )
    if all(isinstance(item, dt.date) for item in items):
        return _dates(np.array([_instant(item) for item in items]))
    return np.array([str(item) for item in items], dtype=object)  # intervals, times of day ...


def factorize(values: Categories) -> tuple[Codes, Categories]:
    """Return the code of each value and the distinct values."""
    distinct, codes = np.unique(values, return_inverse=True)
    return codes.reshape(-1), distinct


def positions(values: Categories, categories: Categories, column: str, kind: Any) -> Codes:
    """Return where each value stands in `categories`, -1 if nowhere.

    Parameters
    ----------
    values : array of shape (n,)
        As :func:`as_categories` returns them.
    categories : array of shape (n_categories,)
    column, kind
        Where the values come from and of what type they were, for messages.

    Raises
    ------
    ValueError
        If the ones are strings and the others numbers.
    """
    if len(values) == 0:
        return np.empty(0, dtype=np.intp)
    if (categories.dtype == object) != (values.dtype == object) and len(categories):
        was, got = ("strings", f"values of type {kind}") if categories.dtype == object else ("numbers", "strings")
        raise ValueError(f"{column} held categories that are {was} when the model was fitted, got {got}")
    if categories.dtype == object:
        code_of = {value: code for code, value in enumerate(categories.tolist())}
        return np.array([code_of.get(value, -1) for value in values.tolist()], dtype=np.intp)
    if len(categories) == 0:
        return np.full(len(values), -1, dtype=np.intp)
    wanted, is_exact = _exactly_as(values, categories.dtype)
    order = np.argsort(categories)
    at = np.minimum(np.searchsorted(categories, wanted, sorter=order), len(categories) - 1)
    return np.where(is_exact & (categories[order[at]] == wanted), order[at], -1)


def is_missing(value: Any) -> bool:
    """Tell whether an object of a column stands for nothing: None, NaN, NaT or pandas' NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # NA has no truth value
        return True


def _whole_numbers(values: NDArray[Any]) -> Categories:
    if len(values) == 0 or (int(values.min()) >= -_EXACT and int(values.max()) <= _EXACT):
        return values.astype(np.float64)
    return values.astype(np.int64 if int(values.max()) <= np.iinfo(np.int64).max else np.uint64)


def _numbers(items: list[Any], column: str) -> Categories:
    whole = [isinstance(item, (int, np.integer)) for item in items]
    if not any(is_int and abs(int(item)) > _EXACT for item, is_int in zip(items, whole, strict=True)):
        return np.array(items, dtype=np.float64)
    if not all(is_int or float(item).is_integer() for item, is_int in zip(items, whole, strict=True)):
        raise ValueError(
            f"categories of {column} must be all whole numbers if some lie beyond 2**53, got fractions as well: "
            "turn them into strings"
        )
    exact = [int(item) for item in items]
    low, high = min(exact), max(exact)
    if low >= np.iinfo(np.int64).min and high <= np.iinfo(np.int64).max:
        return np.array(exact, dtype=np.int64)
    if low >= 0 and high <= np.iinfo(np.uint64).max:
        return np.array(exact, dtype=np.uint64)
    raise ValueError(f"categories of {column} must fit 64 bits, got {low} to {high}: turn them into strings")


def _exactly_as(values: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values in another type of numbers, and for which of them nothing is lost."""
    if values.dtype == dtype:
        return values, np.ones(len(values), dtype=bool)
    if dtype.kind == "f":
        rounded = values.astype(dtype)
        back, fits = _exactly_as(rounded, values.dtype)
        return rounded, fits & (back == values)
    limits = np.iinfo(dtype)
    if values.dtype.kind == "f":  # float(limits.max) is rounded up to the power of two that does not fit
        fits = (values == np.floor(values)) & (values >= float(limits.min)) & (values < float(limits.max))
    elif dtype.kind == "u":
        fits = values >= 0
    else:
        fits = values <= np.uint64(limits.max)
    return np.where(fits, values, 0).astype(dtype), fits


def _instant(value: Any) -> np.datetime64:
    """Return a date or a point in time as that of UTC."""
    if hasattr(value, "to_datetime64"):  # a Timestamp of pandas: up to nanoseconds
        return np.datetime64(value.to_datetime64())
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return np.datetime64(value)


def _dates(values: NDArray[Any]) -> Categories:
    if np.datetime_data(values.dtype)[0] in "YMWDhm":
        values = values.astype("M8[s]")
    return np.array([_short(text) for text in np.datetime_as_string(values).tolist()], dtype=object)


def _short(text: str) -> str:
    """Return 2020-01-01T00:00:00.000 as 2020-01-01."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.removesuffix("T00:00:00")
