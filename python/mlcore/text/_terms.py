"""The terms that a vectorizer has learned, in plain arrays: a million of them take some 15 MB instead of 150."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from numbers import Integral
from operator import ge
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mlcore._native import core
from mlcore._state import Array, Dict, Int, Optional, Sizes


@dataclass(frozen=True)
class TermTable:
    """Terms in lexicographic order, the column of each, and how often each was seen."""

    utf8: NDArray[np.uint8]
    """The terms, nothing between them."""
    starts: NDArray[np.int64]
    """Shape (n_terms + 1,): term i is ``utf8[starts[i]:starts[i + 1]]``."""
    columns: NDArray[np.int32] | None = None
    """Shape (n_terms,): the column of each term, -1 for terms that have none. None: term i is column i."""
    document_counts: NDArray[np.int64] | None = None
    """Shape (n_terms,): in how many documents each occurs; None: not kept."""
    term_counts: NDArray[np.int64] | None = None
    """Shape (n_terms,): how often each occurs; None: not kept."""
    n_documents: int = 0
    """How many documents were seen."""
    weights: NDArray[Any] | None = None
    """Shape (n_columns,): the inverse document frequency of each column; None: there is none."""

    @classmethod
    def of_vocabulary(cls, vocabulary: Mapping[str, int]) -> "TermTable":
        """Make a table of terms and their columns."""
        terms = sorted(vocabulary)
        columns = np.fromiter((vocabulary[term] for term in terms), dtype=np.int32, count=len(terms))
        table = cls(*core.text.pack_terms(terms), columns)
        vars(table)["vocabulary"] = dict(vocabulary)  # it is there already, in the order of the user
        return table

    @classmethod
    def empty(cls) -> "TermTable":
        """Make a table without terms."""
        return cls(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))

    def changed(self, **changes: Any) -> "TermTable":
        """Return the table with other counts or weights of the same terms and columns."""
        table = replace(self, **changes)
        made = {name: value for name, value in vars(self).items() if name in _MADE}
        vars(table).update(made)
        return table

    @cached_property
    def n_columns(self) -> int:
        """How many terms have a column."""
        return len(self.starts) - 1 if self.columns is None else int((self.columns >= 0).sum())

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """The column of each term that has one."""
        terms = self.terms
        if self.columns is None:
            return dict(zip(terms, range(len(terms)), strict=True))
        return {term: column for term, column in zip(terms, self.columns.tolist(), strict=True) if column >= 0}

    @property
    def terms(self) -> list[str]:
        """All terms in lexicographic order."""
        return core.text.unpack_terms(self.utf8, self.starts)

    @cached_property
    def places(self) -> NDArray[np.intp] | None:
        """The term of each column; None: column i is term i."""
        if self.columns is None:
            return None
        kept = np.flatnonzero(self.columns >= 0)
        order = np.empty(len(kept), dtype=np.intp)
        order[self.columns[kept]] = kept
        return order

    def names(self) -> NDArray[Any]:
        """Return the terms of the columns, as objects."""
        names = np.array(self.terms, dtype=object)
        return names if self.places is None else names[self.places]

    @cached_property
    def index(self) -> "core.text.TermIndex":
        """What finds the columns of the terms of documents."""
        columns = np.arange(len(self.starts) - 1, dtype=np.int32) if self.columns is None else self.columns
        return core.text.TermIndex(self.utf8, self.starts, columns)

    def to_state(self) -> dict[str, Any]:
        """Return the arrays that are there."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in state.items() if value is not None}

    def kept(self) -> "TermTable":
        """Return the table of the terms that have a column, without counts."""
        if self.columns is None:
            return self.changed(document_counts=None, term_counts=None)
        is_kept = self.columns >= 0
        lengths = np.diff(self.starts)
        starts = np.r_[0, np.cumsum(lengths[is_kept])]
        return TermTable(
            self.utf8[np.repeat(is_kept, lengths)], starts, n_documents=self.n_documents, weights=self.weights
        )


_MADE = ("n_columns", "vocabulary", "places", "index")
"""What a table makes of its terms and columns when it is first asked for."""

TERM_TABLE = Dict(
    {
        "utf8": Array("u1", ("n_bytes",)),
        "starts": Array("i8", ("n_starts",), low=0),
        "columns": Optional(Array("i4", ("n_terms",), low=-1)),
        "document_counts": Optional(Array("i8", ("n_terms",), low=0)),
        "term_counts": Optional(Array("i8", ("n_terms",), low=0)),
        "n_documents": Int(),
        "weights": Optional(Array("f4 f8", ("n_columns",))),
    }
)
"""A :class:`TermTable` in the description of a state."""


def check_term_table(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Raise ValueError where the arrays of a table do not fit each other."""
    terms = core.text.unpack_terms(state["utf8"], state["starts"])
    if sizes.get("n_terms", len(terms)) != len(terms):
        raise ValueError(f"there must be {sizes['n_terms']} terms, got {len(terms)}")
    if any(map(ge, terms, terms[1:])):
        raise ValueError("the terms must be distinct and in lexicographic order")
    n_columns = len(terms)
    columns = state.get("columns")
    if columns is not None:
        kept = np.sort(columns[columns >= 0])
        n_columns = len(kept)
        if not np.array_equal(kept, np.arange(n_columns)):
            raise ValueError("the columns of terms must be 0, 1, 2 and so on, each once")
    if sizes.get("n_columns", n_columns) != n_columns:
        raise ValueError(f"there must be a weight for each of {n_columns} columns, got {sizes['n_columns']}")
    counts = state.get("document_counts")
    if counts is not None and counts.size and counts.max() > state["n_documents"]:
        raise ValueError(f"no term can be in more than {state['n_documents']} documents, got {counts.max()}")


# ---- vocabularies of users -------------------------------------------------------------------------------------------


def check_vocabulary(vocabulary: Any, who: str) -> dict[str, int]:
    """Return the column of each term of a vocabulary as users give them.

    Parameters
    ----------
    vocabulary : mapping of str to int, or iterable of str
        Terms and their columns, or terms in the order of their columns; a set is sorted.
    who : str
        What it is, for messages.

    Raises
    ------
    TypeError
        If a term is no str, or a column no whole number.
    ValueError
        If there is none, a term occurs twice, or the columns are not 0, 1, 2 and so on.
    """
    if isinstance(vocabulary, Mapping):
        columns = dict(vocabulary)
        others = [column for column in columns.values() if not isinstance(column, Integral)]
        if others:
            raise TypeError(f"{who} must have whole numbers as columns, got {others[0]!r:.80}")
        _check_columns(columns, who)
    else:
        columns = _numbered(sorted(vocabulary) if isinstance(vocabulary, set | frozenset) else vocabulary, who)
    if not columns:
        raise ValueError(f"{who} must hold one term at least, got none")
    if not set(map(type, columns)) <= {str}:
        for term in columns:
            if not isinstance(term, str):
                raise TypeError(f"{who} must hold terms of str, got {term!r:.80}")
    return {str.__str__(term): int(column) for term, column in columns.items()}


def _numbered(terms: Iterable[Any], who: str) -> dict[Any, int]:
    columns: dict[Any, int] = {}
    for column, term in enumerate(terms):
        if columns.setdefault(term, column) != column:
            raise ValueError(f"{who} must hold each term once, got {term!r:.80} twice")
    return columns


def _check_columns(columns: dict[Any, Any], who: str) -> None:
    n = len(columns)
    found = set(columns.values())
    if len(found) < n:
        raise ValueError(f"{who} must give each term a column of its own, and two have the same")
    missing = [column for column in range(n) if column not in found]
    if missing:
        raise ValueError(
            f"{who} of {n} terms must give them the columns 0 to {n - 1}, and none has column {missing[0]}"
        )


# ---- which terms get a column ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """Which terms get a column."""

    max_df: float
    min_df: float
    """An int: documents; a float: a share of all."""
    max_features: int | None
    binary: bool
    """Whether a term counts once a document."""
    dtype: Any
    """Of the counts whose sums are compared."""

    @property
    def keep_all(self) -> bool:
        """Whether each term gets a column, whatever the documents are."""
        keeps_frequent = self.max_df == 1 and not isinstance(self.max_df, int | np.integer)
        keeps_rare = self.min_df == (1 if isinstance(self.min_df, int | np.integer) else 0)
        return keeps_frequent and keeps_rare and self.max_features is None

    def documents(self, n_documents: int) -> tuple[float, float]:
        """Return the least and the greatest number of documents of a term."""

        def number(bound: float) -> float:
            return float(bound if isinstance(bound, int | np.integer) else bound * n_documents)

        return number(self.min_df), number(self.max_df)

    def columns(self, table: TermTable) -> NDArray[np.int32] | None:
        """Return the columns of the terms, in their order; None if each has one."""
        assert table.document_counts is not None
        assert table.term_counts is not None
        low, high = self.documents(table.n_documents)
        is_kept = (table.document_counts >= low) & (table.document_counts <= high)
        if self.max_features is not None and is_kept.sum() > self.max_features:
            counts = table.document_counts if self.binary else table.term_counts
            # scikit-learn's choice among terms of the same count is that of this very call, for this very type
            counts = counts[is_kept].astype(sp.csr_array((1, 1), dtype=self.dtype).sum(axis=0).dtype)
            chosen = np.flatnonzero(is_kept)[(-counts).argsort()[: self.max_features]]
            is_kept = np.zeros(len(is_kept), dtype=bool)
            is_kept[chosen] = True
        if is_kept.all():
            return None
        return np.where(is_kept, np.cumsum(is_kept) - 1, -1).astype(np.int32)

    def why_empty(self, table: TermTable, who: str) -> ValueError:
        """Return the error for a vocabulary without columns."""
        if len(table.starts) == 1:
            return ValueError(
                f"the documents of {who} hold no terms: they are empty, or have nothing but stop words and what the "
                "token pattern leaves out"
            )
        low, high = self.documents(table.n_documents)
        if low > high:
            return ValueError(
                f"max_df of {who} allows {high:g} documents of a term at most, min_df {low:g} at least: none can remain"
            )
        return ValueError(
            f"no term of {who} is in as few documents as max_df={self.max_df} and in as many as min_df={self.min_df} "
            f"say, of {table.n_documents} documents: take a greater max_df or a smaller min_df"
        )
