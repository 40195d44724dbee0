"""Containers of users' data behind one face: columns as numbers or as codes of categories.

pandas and polars are never imported: whoever passes a frame has done so.
"""

import sys
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcore._matrix import float_type

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]
Categories: TypeAlias = NDArray[Any]  # float64, or objects that are all str


class Table(Protocol):
    """Columns of the user's data, one kind of container each below."""

    shape: tuple[int, int]

    def looks_categorical(self, j: int) -> bool:
        """Tell whether the type of column `j` says that it holds categories."""

    def numeric(self, j: int) -> NDArray[Any]:
        """Return column `j` as float32 (if its type fits) or float64, missing values as NaN. Raises ValueError."""

    def factorize(self, j: int) -> tuple[Codes, Categories]:
        """Return codes of column `j` (-1 = missing) and what they stand for, in any order."""

    def lookup(self, j: int, categories: Categories) -> Codes:
        """Return the position in `categories` of each value of column `j`, -1 if it is missing or not among them."""


class ArrayTable:
    """A 2-D NumPy array of numbers, or of objects or strings."""

    def __init__(self, values: NDArray[Any]) -> None:
        if values.dtype.kind in "biuf" and values.dtype not in (np.float32, np.float64):
            values = values.astype(float_type(values.dtype))
        self.values = values
        self.shape: tuple[int, int] = (values.shape[0], values.shape[1])
        self.is_float = values.dtype.kind == "f"

    def looks_categorical(self, j: int) -> bool:  # noqa: ARG002
        return False

    def numeric(self, j: int) -> NDArray[Any]:
        column = self.values[:, j]
        if self.is_float:
            return column
        if column.dtype.kind in "mM":
            raise ValueError(f"column {j} of X must hold numbers, got dtype {column.dtype}: turn it into numbers")
        try:
            return column.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"column {j} of X must hold numbers or be named in categorical_features: {error}"
            ) from error

    def factorize(self, j: int) -> tuple[Codes, Categories]:
        column, present = self._column(j)
        values = _as_categories(column[present], f"column {j}")
        distinct, inverse = np.unique(values, return_inverse=True)
        codes = np.full(len(column), -1, dtype=np.intp)
        codes[present] = inverse
        return codes, distinct

    def lookup(self, j: int, categories: Categories) -> Codes:
        column, present = self._column(j)
        values = _as_categories(column[present], f"column {j}")
        codes = np.full(len(column), -1, dtype=np.intp)
        if categories.dtype != object:
            if values.dtype == object and len(values):
                raise ValueError(f"column {j} held categories that are numbers when the model was fitted, got strings")
            codes[present] = _positions(values.astype(np.float64), categories)
        else:
            if values.dtype != object and len(values):
                raise _text_expected(f"column {j}", "number")
            code_of = {value: code for code, value in enumerate(categories.tolist())}
            codes[present] = [code_of.get(value, -1) for value in values.tolist()]
        return codes

    def _column(self, j: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        column = self.values[:, j]
        if self.is_float:
            return column, ~np.isnan(column)
        missing = [value is None or value != value for value in column.tolist()]
        return column, ~np.array(missing, dtype=bool)


class PandasTable:
    """A pandas frame with columns of NumPy, nullable, Arrow, categorical or string types."""

    def __init__(self, frame: Any) -> None:
        self._pd: Any = sys.modules["pandas"]
        self._frame = frame
        self.shape: tuple[int, int] = (int(frame.shape[0]), int(frame.shape[1]))

    def looks_categorical(self, j: int) -> bool:
        column = self._frame.iloc[:, j]
        return isinstance(column.dtype, self._pd.CategoricalDtype) or self._is_text(column)

    def numeric(self, j: int) -> NDArray[Any]:
        column = self._frame.iloc[:, j]
        dtype = column.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            return np.asarray(column.to_numpy(dtype=float_type(dtype)))
        if isinstance(dtype, self._pd.CategoricalDtype):
            dtype = dtype.categories.dtype
        is_number = self._pd.api.types.is_numeric_dtype(dtype) or self._pd.api.types.is_bool_dtype(dtype)
        if is_number or (dtype == np.object_ and not self._is_text(column)):
            narrow = getattr(dtype, "numpy_dtype", np.dtype(np.float64))
            try:
                return np.asarray(column.astype("Float64").to_numpy(dtype=float_type(narrow), na_value=np.nan))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{self._name(j)} must hold numbers or be categorical: {error}") from error
        hint = "name it in categorical_features or " if self._is_text(column) else ""
        raise ValueError(f"{self._name(j)} must hold numbers, got dtype {column.dtype}: {hint}turn it into numbers")

    def factorize(self, j: int) -> tuple[Codes, Categories]:
        column = self._frame.iloc[:, j]
        if isinstance(column.dtype, self._pd.CategoricalDtype):
            return column.cat.codes.to_numpy(dtype=np.intp), _as_categories(column.cat.categories, self._name(j))
        codes, values = self._pd.factorize(column)
        return codes.astype(np.intp, copy=False), _as_categories(values, self._name(j))

    def lookup(self, j: int, categories: Categories) -> Codes:
        codes, values = self.factorize(j)
        if categories.dtype == object and values.dtype != object and len(values):
            raise _text_expected(self._name(j), self._frame.dtypes.iloc[j])
        if categories.dtype != object and values.dtype == object and len(values):
            raise ValueError(
                f"{self._name(j)} held categories that are numbers when the model was fitted, got {values[0]!r}"
            )
        if categories.dtype == object:
            code_of = {value: code for code, value in enumerate(categories.tolist())}
            positions = np.array([*(code_of.get(value, -1) for value in values.tolist()), -1], dtype=np.intp)
        else:
            positions = np.append(_positions(values.astype(np.float64), categories), -1)
        return positions[codes]

    def _is_text(self, column: Any) -> bool:
        types = self._pd.api.types
        if column.dtype == object:
            return bool(types.infer_dtype(column, skipna=True) == "string")
        return bool(types.is_string_dtype(column.dtype))

    def _name(self, j: int) -> str:
        return f"column {self._frame.columns[j]!r}"


class PolarsTable:
    """A polars frame."""

    def __init__(self, frame: Any) -> None:
        self._pl: Any = sys.modules["polars"]
        self._frame = frame
        self.shape: tuple[int, int] = (int(frame.height), int(frame.width))

    def looks_categorical(self, j: int) -> bool:
        return self._frame.dtypes[j] in (self._pl.Categorical, self._pl.Enum, self._pl.String)

    def numeric(self, j: int) -> NDArray[Any]:
        column = self._frame.to_series(j)
        pl, dtype = self._pl, column.dtype
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            hint = "name it in categorical_features or " if self.looks_categorical(j) else ""
            raise ValueError(f"{self._name(j)} must hold numbers, got dtype {dtype}: {hint}turn it into numbers")
        is_narrow = dtype in (pl.Float32, pl.Int8, pl.Int16, pl.UInt8, pl.UInt16, pl.Boolean)
        return np.asarray(column.cast(pl.Float32 if is_narrow else pl.Float64).to_numpy())

    def factorize(self, j: int) -> tuple[Codes, Categories]:
        column = self._column(j)
        if column.dtype != self._pl.String:
            return ArrayTable(column.to_numpy().reshape(-1, 1)).factorize(0)
        categories = column.drop_nulls().unique(maintain_order=True).to_numpy().astype(object)
        return self.lookup(j, categories), categories

    def lookup(self, j: int, categories: Categories) -> Codes:
        column = self._column(j)
        if categories.dtype != object:
            if column.dtype == self._pl.String:
                raise ValueError(
                    f"{self._name(j)} held categories that are numbers when the model was fitted, got strings"
                )
            return _positions(column.to_numpy(), categories)
        if column.dtype != self._pl.String:
            if column.is_nan().all():
                return np.full(len(column), -1, dtype=np.intp)
            raise _text_expected(self._name(j), self._frame.dtypes[j])
        codes = column.cast(self._pl.Enum(categories.tolist()), strict=False).to_physical()
        return np.asarray(codes.cast(self._pl.Int64).fill_null(-1).to_numpy())

    def _column(self, j: int) -> Any:
        """Return the column as String or Float64, the two kinds of categories there are."""
        column, pl = self._frame.to_series(j), self._pl
        return column.cast(pl.String if self.looks_categorical(j) else pl.Float64)

    def _name(self, j: int) -> str:
        return f"column {self._frame.columns[j]!r}"


def _as_categories(given: Any, column: str) -> Categories:
    """Return distinct values as categories: float64 if they are numbers or truth values, else all strings."""
    values: NDArray[Any] = np.asarray(given)
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if all(isinstance(value, str) for value in values.tolist()):
        return values.astype(object)
    if all(isinstance(value, (bool, int, float, np.number, np.bool_)) for value in values.tolist()):
        return values.astype(np.float64)
    if any(isinstance(value, (str, bool, int, float, np.number, np.bool_)) for value in values.tolist()):
        kinds = sorted({type(value).__name__ for value in values.tolist()})
        raise ValueError(
            f"categories of {column} must be all strings or all numbers, got a mixture of {', '.join(kinds)}"
        )
    return np.array([str(value) for value in values.tolist()], dtype=object)  # intervals, dates ...


def _positions(values: Floats, categories: Floats) -> Codes:
    """Return where each number stands in `categories`, -1 if nowhere."""
    if len(categories) == 0:
        return np.full(len(values), -1, dtype=np.intp)
    order = np.argsort(categories)
    at = np.minimum(np.searchsorted(categories, values, sorter=order), len(categories) - 1)
    position = order[at]
    return np.where(categories[position] == values, position, -1)


def _text_expected(column: str, got: Any) -> ValueError:
    return ValueError(f"{column} held categories that are strings when the model was fitted, got values of type {got}")


def wrap_frame(X: Any) -> Table | None:
    """Return the table of a pandas or polars frame, None for anything else."""
    for module, table in (("pandas", PandasTable), ("polars", PolarsTable)):
        if module in sys.modules and isinstance(X, sys.modules[module].DataFrame):
            return table(X)
    return None
