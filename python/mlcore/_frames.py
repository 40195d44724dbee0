"""Containers of users' data behind one face: columns as numbers or as codes of categories.

pandas, polars and Arrow are never imported on their own account: whoever passes a frame has done so.
"""

import sys
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlcore._categories import Categories, Codes, as_categories, factorize, is_missing, positions
from mlcore._tables import float_type


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
        self._values = values
        self.shape: tuple[int, int] = (values.shape[0], values.shape[1])
        self.is_numeric = values.dtype.kind in "biuf"

    def looks_categorical(self, j: int) -> bool:  # noqa: ARG002
        return False

    def as_floats(self) -> NDArray[Any]:
        """Return the whole table, if it is numeric, as float32 or float64: itself if it is of these."""
        return self._values.astype(float_type(self._values.dtype), copy=False)

    def numeric(self, j: int) -> NDArray[Any]:
        column = self._values[:, j]
        if self.is_numeric:
            return column.astype(float_type(column.dtype), copy=False)
        if column.dtype.kind in "mM":
            raise ValueError(f"column {j} of X must hold numbers, got dtype {column.dtype}: turn it into numbers")
        try:
            if column.dtype == object:
                column = np.array([np.nan if is_missing(value) else value for value in column.tolist()], dtype=object)
            return column.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"column {j} of X must hold numbers or be named in categorical_features: {error}"
            ) from error

    def factorize(self, j: int) -> tuple[Codes, Categories]:
        present, values = self._column(j)
        codes, distinct = factorize(values)
        return _spread(codes, present), distinct

    def lookup(self, j: int, categories: Categories) -> Codes:
        present, values = self._column(j)
        return _spread(positions(values, categories, f"column {j}", "number"), present)

    def _column(self, j: int) -> tuple[NDArray[np.bool_], Categories]:
        """Return which values are there, and those."""
        column = self._values[:, j]
        if column.dtype.kind == "f":
            present = ~np.isnan(column)
        elif column.dtype.kind in "mM":
            present = ~np.isnat(column)
        elif self.is_numeric:
            present = np.ones(len(column), dtype=bool)
        else:
            present = np.array([not is_missing(value) for value in column.tolist()], dtype=bool)
        return present, as_categories(column[present], f"column {j}")


class PandasTable:
    """A pandas frame with columns of NumPy, nullable, Arrow, categorical or string types."""

    def __init__(self, frame: Any) -> None:
        self._pd: Any = sys.modules["pandas"]
        self._frame = frame
        self.shape: tuple[int, int] = (int(frame.shape[0]), int(frame.shape[1]))

    def looks_categorical(self, j: int) -> bool:
        column = self._frame.iloc[:, j]
        if isinstance(column.dtype, self._pd.CategoricalDtype) or _dictionary_values(column.dtype) is not None:
            return True
        return self._is_text(column)

    def numeric(self, j: int) -> NDArray[Any]:
        column = self._column(j)
        dtype = column.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            return np.asarray(column.to_numpy(dtype=float_type(dtype)))
        if str(getattr(dtype, "pyarrow_dtype", "")) == "null":  # a column without any value
            return np.full(len(column), np.nan)
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
        column = self._column(j)
        if isinstance(column.dtype, self._pd.CategoricalDtype):
            return column.cat.codes.to_numpy(dtype=np.intp), self._as_categories(column.cat.categories, j)
        codes, values = self._pd.factorize(column)
        return codes.astype(np.intp, copy=False), self._as_categories(values, j)

    def lookup(self, j: int, categories: Categories) -> Codes:
        codes, values = self.factorize(j)
        found = positions(values, categories, self._name(j), self._frame.dtypes.iloc[j])
        return np.append(found, -1)[codes]

    def _column(self, j: int) -> Any:
        """Return the column; a dictionary of Arrow as the values that it stands for."""
        column = self._frame.iloc[:, j]
        values = _dictionary_values(column.dtype)
        return column if values is None else column.astype(self._pd.ArrowDtype(values))

    def _as_categories(self, values: Any, j: int) -> Categories:
        plain = getattr(values.dtype, "numpy_dtype", None)  # of nullable and Arrow types; nothing is missing here
        if isinstance(plain, np.dtype) and plain.kind in "biuf":
            values = values.to_numpy(dtype=plain)
        return as_categories(values, self._name(j))

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
        if not self.looks_categorical(j):
            present, values = self._values(j)
            codes, distinct = factorize(values)
            return _spread(codes, present), distinct
        column = self._text(j)
        categories = column.drop_nulls().unique(maintain_order=True).to_numpy().astype(object)
        return self._text_codes(column, categories), categories

    def lookup(self, j: int, categories: Categories) -> Codes:
        if self.looks_categorical(j) and categories.dtype == object:
            return self._text_codes(self._text(j), categories)
        present, values = self._values(j)
        return _spread(positions(values, categories, self._name(j), self._frame.dtypes[j]), present)

    def _text(self, j: int) -> Any:
        return self._frame.to_series(j).cast(self._pl.String)

    def _text_codes(self, column: Any, categories: Categories) -> Codes:
        codes = column.cast(self._pl.Enum(categories.tolist()), strict=False).to_physical()
        return np.asarray(codes.cast(self._pl.Int64).fill_null(-1).to_numpy())

    def _values(self, j: int) -> tuple[NDArray[np.bool_], Categories]:
        """Return which values are there, and those."""
        column, pl = self._frame.to_series(j), self._pl
        if self.looks_categorical(j):
            column = column.cast(pl.String)
        elif column.dtype == pl.Null or column.dtype.is_decimal():
            column = column.cast(pl.Float64)
        if column.dtype.is_float():
            column = column.fill_nan(None)
        present = column.is_not_null().to_numpy()
        return present, as_categories(column.drop_nulls().to_numpy(), self._name(j))

    def _name(self, j: int) -> str:
        return f"column {self._frame.columns[j]!r}"


def _spread(codes: Codes, present: NDArray[np.bool_]) -> Codes:
    """Return codes of values that are there as those of all rows, -1 where nothing is."""
    if present.all():
        return codes
    spread = np.full(len(present), -1, dtype=np.intp)
    spread[present] = codes
    return spread


def _dictionary_values(dtype: Any) -> Any:
    """Return the type of the values of an Arrow dictionary, None for any other type of a pandas column."""
    arrow: Any = getattr(dtype, "pyarrow_dtype", None)
    return arrow.value_type if hasattr(arrow, "index_type") else None


def wrap_frame(X: Any) -> Table | None:
    """Return the table of a pandas or polars frame, None for anything else."""
    for module, table in (("pandas", PandasTable), ("polars", PolarsTable)):
        if module in sys.modules and isinstance(X, sys.modules[module].DataFrame):
            return table(X)
    return None


def from_arrow(X: Any) -> Any:
    """Return a table or a batch of Arrow as a pandas frame on the same memory, anything else as it is."""
    arrow = sys.modules.get("pyarrow")
    if arrow is None or not isinstance(X, (arrow.Table, arrow.RecordBatch)):
        return X
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("tables of Arrow are read through pandas: pip install pandas") from error
    return X.to_pandas(types_mapper=pd.ArrowDtype)
