"""What the state of a class looks like: one table beside each class, and the piece that compares a state with it.

A state is what ``_get_state`` returns and a model file holds: plain values and arrays by the names of attributes. A
table maps each name to one of the entries below. Sizes go by names: where an entry says that an array has shape
``("n_classes", "n_features")``, the first entry that says "n_features" sets it, and all others must agree. So a file
that does not hold together is refused before anything is built from it or memory is asked for, and what was loaded
serves every call.

What a table cannot say (the sum of one array is the length of another) is for the method ``_check_state`` of the class.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp

from mlcore._sparse import check_sparse
from mlcore._tables import canonical_csr

Sizes: TypeAlias = dict[str, int]
Size: TypeAlias = int | str | Callable[[Sizes], int]
"""A number, a name, or a function of the sizes by name."""


class Entry(Protocol):
    """What a value must be."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        """Raise ValueError unless `value` is so; `where` names it. Sets sizes that are not known yet."""


Spec: TypeAlias = Mapping[str, Entry]


def check_entries(spec: Spec, state: Mapping[str, Any], owner: str) -> Sizes:
    """Compare a state with its table.

    Parameters
    ----------
    spec : mapping of str to Entry
    state : mapping of str to value
    owner : str
        Whose state it is, for messages.

    Returns
    -------
    dict of str to int
        The sizes by name.

    Raises
    ------
    ValueError
        If a value is missing, not in the table, or not what the table says.
    """
    sizes: Sizes = {}
    _check_dict(spec, state, "", owner, sizes)
    return sizes


def _check_dict(spec: Spec, state: Any, path: str, owner: str, sizes: Sizes) -> None:
    if not isinstance(state, Mapping):
        raise ValueError(f"the state of {owner} must be a dict, got {_shown(state)}")
    for name, entry in spec.items():
        if name in state:
            entry.check(state[name], path + name, sizes)
        elif not isinstance(entry, Optional):
            raise ValueError(f"{path + name!r} of {owner} is missing")
    if unknown := [name for name in state if name not in spec]:
        raise ValueError(f"{path}{unknown[0]!s:.80} is no fitted attribute of {owner}")


@dataclass(frozen=True)
class Optional:
    """What may be missing."""

    entry: Entry

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        self.entry.check(value, where, sizes)


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`."""

    low: int = 0
    high: int = 2**63 - 1
    size: str | None = None
    """The size that it is."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise _wrong(where, "a whole number", value)
        if not self.low <= value <= self.high:
            raise _wrong(where, f"from {self.low} to {self.high}", value)
        if self.size is not None:
            _agree(int(value), self.size, where, sizes)


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`."""

    low: float = -np.inf
    high: float = np.inf
    is_finite: bool = False
    """Whether NaN and infinity are none."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:  # noqa: ARG002
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise _wrong(where, "a number", value)
        if (isinstance(value, int) and abs(value) > 2**63) or (self.is_finite and not np.isfinite(value)):
            raise _wrong(where, "a finite number", value)
        if value < self.low or value > self.high:
            raise _wrong(where, f"from {self.low} to {self.high}", value)


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:  # noqa: ARG002
        if not isinstance(value, bool | np.bool_):
            raise _wrong(where, "True or False", value)


@dataclass(frozen=True)
class Text:
    """A text; one of `choices` if there are any."""

    choices: tuple[str, ...] = ()

    def check(self, value: Any, where: str, sizes: Sizes) -> None:  # noqa: ARG002
        if not isinstance(value, str) or (self.choices and value not in self.choices):
            raise _wrong(where, " or ".join(map(repr, self.choices)) or "a text", value)


@dataclass(frozen=True)
class Nothing:
    """None."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:  # noqa: ARG002
        if value is not None:
            raise _wrong(where, "None", value)


@dataclass(frozen=True)
class Anything:
    """Whatever it is."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class OneOf:
    """What fits one of the entries; sizes are those of the first that fits."""

    entries: tuple[Entry, ...]

    def __init__(self, *entries: Entry) -> None:
        object.__setattr__(self, "entries", entries)

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        for entry in self.entries:
            attempt = dict(sizes)
            try:
                entry.check(value, where, attempt)
            except ValueError as error:
                last = error
            else:
                sizes.update(attempt)
                return
        raise last


@dataclass(frozen=True)
class Array:
    """An array of one of the dtypes (as "f8", or "f4 f8") and of this shape."""

    dtypes: str | None = None
    """None: any."""
    shape: tuple[Size, ...] | None = None
    """None: any."""
    low: float | None = None
    high: float | None = None
    """Both ends belong to the range."""
    is_finite: bool = False
    """Whether NaN and infinity are refused."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        names = [] if self.dtypes is None else self.dtypes.split()
        if not isinstance(value, np.ndarray) or (names and value.dtype not in [np.dtype(name) for name in names]):
            raise _wrong(where, f"an array of {' or '.join(names) or 'numbers'}", value)
        if self.shape is not None:
            if value.ndim != len(self.shape):
                raise _wrong(where, f"an array of {len(self.shape)} dimensions", value)
            for size, expected in zip(value.shape, self.shape, strict=True):
                _agree(size, expected, where, sizes)
        if value.size == 0:
            return
        if self.is_finite and not np.isfinite([value.min(), value.max()]).all():  # NaN if one is
            raise ValueError(f"{where} must be finite, and is not")
        for bound, worst, is_beyond in ((self.low, np.min, np.less), (self.high, np.max, np.greater)):
            if bound is not None and is_beyond(found := worst(value), bound):
                raise ValueError(f"{where} must be from {self.low} to {self.high}, got {found}")


@dataclass(frozen=True)
class Labels:
    """At least two distinct labels of one type, in ascending order."""

    size: str = "n_classes"

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "biufUO" or len(value) < 2:
            raise _wrong(where, "an array of two labels or more", value)
        if value.dtype.kind == "O" and not all(
            isinstance(item, str | bool | int | float) and item == item for item in value.tolist()
        ):
            raise _wrong(where, "an array of labels", value)
        if value.dtype.kind == "f" and not (np.isfinite(value).all() and (value == np.trunc(value)).all()):
            raise ValueError(f"{where} of floats must be whole numbers, as labels are, got {value.tolist()!s:.80}")
        try:
            is_sorted = bool(np.all(value[:-1] < value[1:]))
        except TypeError as error:
            raise ValueError(f"{where} must be of one type: {error}") from error
        if not is_sorted:
            raise ValueError(f"{where} must be distinct and in ascending order, got {value.tolist()!s:.80}")
        _agree(len(value), self.size, where, sizes)


@dataclass(frozen=True)
class Distinct:
    """An array of one axis without repeats: float64 but NaN, int64, uint64, or texts."""

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        kinds = [np.dtype(name) for name in ("f8", "i8", "u8", "O")]
        if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype not in kinds:
            raise _wrong(where, "an array of float64, int64, uint64 or texts", value)
        if value.dtype.kind == "O":
            Names(len(value), is_unique=True).check(value, where, sizes)
        elif len(np.unique(value)) < len(value) or (value != value).any():
            raise ValueError(f"{where} must hold numbers, each once")


@dataclass(frozen=True)
class Names:
    """An array of `size` texts."""

    size: Size
    is_unique: bool = False

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind != "O":
            raise _wrong(where, "an array of texts", value)
        names = value.tolist()
        if not all(isinstance(name, str) for name in names) or (self.is_unique and len(set(names)) < len(names)):
            raise _wrong(where, "an array of texts" + ", each once" * self.is_unique, value)
        _agree(len(value), self.size, where, sizes)


@dataclass(frozen=True)
class ListOf:
    """A list of `size` equal entries."""

    entry: Entry
    size: Size | None = None

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        if self.size is not None:
            _agree(len(value), self.size, where, sizes)
        for i, item in enumerate(value):
            self.entry.check(item, f"{where}[{i}]", sizes)


@dataclass(frozen=True)
class Tuple:
    """A tuple or list of these entries."""

    entries: tuple[Entry, ...]

    def __init__(self, *entries: Entry) -> None:
        object.__setattr__(self, "entries", entries)

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, tuple | list) or len(value) != len(self.entries):
            raise _wrong(where, f"{len(self.entries)} values", value)
        for i, (entry, item) in enumerate(zip(self.entries, value, strict=True)):
            entry.check(item, f"{where}[{i}]", sizes)


@dataclass(frozen=True)
class Dict:
    """A dict with these names, and of any others if there is an entry for them."""

    spec: Spec
    others: Entry | None = None

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        if not isinstance(value, Mapping):
            raise _wrong(where, "a dict", value)
        others = {} if self.others is None else {name: self.others for name in value if name not in self.spec}
        _check_dict({**self.spec, **others}, value, f"{where}.", "the model", sizes)


@dataclass(frozen=True)
class MapOf:
    """A dict of any texts (or whole numbers, with `by_number`) to equal entries."""

    entry: Entry
    by_number: bool = False

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        kind = int if self.by_number else str
        if not isinstance(value, Mapping) or not all(type(name) is kind for name in value):
            raise _wrong(where, f"a dict of {kind.__name__}", value)
        for name, item in value.items():
            self.entry.check(item, f"{where}.{name!s:.40}", sizes)


@dataclass(frozen=True)
class Csr:
    """A CSR matrix of finite numbers in canonical form, as :func:`pack_csr` returns it."""

    shape: tuple[Size, Size]

    def check(self, value: Any, where: str, sizes: Sizes) -> None:
        OneOf(Dict(_PARTS | _SHAPE), Dict({"csr": Dict(_PARTS), **_SHAPE})).check(value, where, {})
        for size, expected in zip(value["shape"], self.shape, strict=True):
            _agree(size, expected, where, sizes)
        matrix = unpack_csr(value)
        check_sparse(matrix, "the model", where)
        if not matrix.has_canonical_format or len(matrix.data) != matrix.nnz:
            raise ValueError(f"{where} must name each place once, in ascending order")


_PARTS: dict[str, Entry] = {
    "data": Array("f4 f8", ("n_stored",), is_finite=True),
    "indices": Array("i4 i8", ("n_stored",)),
    "indptr": Array("i4 i8"),
}
_SHAPE: dict[str, Entry] = {"shape": Tuple(Int(), Int())}


def pack_csr(matrix: Any) -> dict[str, Any]:
    """Return a sparse matrix as plain arrays and its shape. Raises ValueError if what it says of itself is not true."""
    check_sparse(matrix, "the model", "an attribute")
    csr = canonical_csr(matrix)
    parts = {"data": csr.data, "indices": csr.indices, "indptr": csr.indptr}
    return {"csr": parts, "shape": [int(size) for size in csr.shape]}


def is_packed_csr(name: str, value: Any) -> bool:
    """Whether the value of a fitted attribute is what :func:`pack_csr` returned."""
    is_packed = isinstance(value, dict) and value.keys() in (_PARTS.keys() | _SHAPE.keys(), {"csr", "shape"})
    return is_packed and name.endswith("_")


def unpack_csr(packed: Mapping[str, Any]) -> sp.csr_array:
    """Return the matrix of :func:`pack_csr`; what it says is not checked."""
    parts = packed.get("csr", packed)  # older files of logistic regression have all in one dict
    matrix: Any = sp.csr_array((1, 1))
    matrix.data, matrix.indices, matrix.indptr = parts["data"], parts["indices"], parts["indptr"]
    matrix._shape = tuple(packed["shape"])
    return matrix  # type: ignore[no-any-return]


FEATURES: Spec = {
    "n_features_in_": Int(1, 2**31 - 1, size="n_features"),
    "feature_names_in_": Optional(Names("n_features")),
}
"""What scikit-learn keeps of X."""


def _agree(found: int, expected: Size, where: str, sizes: Sizes) -> None:
    if isinstance(expected, str):
        wanted, name = sizes.setdefault(expected, found), f" ({expected})"
    else:
        wanted, name = expected if isinstance(expected, int) else expected(sizes), ""
    if found != wanted:
        raise ValueError(f"{where} must have size {wanted}{name}, got {found}")


def _wrong(where: str, expected: str, got: Any) -> ValueError:
    return ValueError(f"{where} must be {expected}, got {_shown(got)}")


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    return (
        f"{type(value).__name__} {value!r:.60}" if isinstance(value, int | float | str | None) else type(value).__name__
    )
