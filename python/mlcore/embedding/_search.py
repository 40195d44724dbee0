"""Questions to the core's search: what users pass becomes blocks of query vectors and rows that are no answers."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from operator import index as as_int
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcore._base import effective_n_jobs
from mlcore._native import core

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int32]
Term: TypeAlias = tuple[str | NDArray[np.float64], float]
"""A word or a vector, and its weight."""

_BLOCK = 4096  # queries whose vectors are in memory at once


@dataclass(frozen=True)
class Table:
    """The rows that are searched."""

    vectors: Floats
    inverse_norms: Floats
    n_rows: int
    """Only the first ones are searched."""
    n_jobs: int | None
    subset: NDArray[np.intp] | None = None
    """If given, only these rows are searched."""

    def unit(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return rows of any shape of ids, of unit length (or zero)."""
        scale = self.inverse_norms[ids].astype(np.float64)
        return np.asarray(self.vectors[ids] * scale[..., np.newaxis])

    def rows(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return rows as long as they are, but zeros for those that count as zeros."""
        return np.where(self.inverse_norms[ids, np.newaxis] > 0, self.vectors[ids].astype(np.float64), 0.0)

    def nearest(
        self,
        terms: NDArray[Any],
        k: int,
        excluded: Sequence[Sequence[int]],
        *,
        n_positive: int = 1,
        n_negative: int = 0,
        product: bool = False,
    ) -> tuple[Ids, Floats]:
        """Search for the best `k` rows of each query.

        Parameters
        ----------
        terms : array of shape (n_positive + n_negative, n_queries, d)
        k : int
        excluded : sequence of n_queries sequences of int
            Rows that must not be in the answer.
        n_positive, n_negative : int
            Terms of each query.
        product : bool
            The score is a product of cosines; else it is the cosine with the only term.

        Returns
        -------
        rows : array of int32, shape (n_queries, min(k, n_rows))
            Best first; -1 where there are no more.
        scores : array of shape (n_queries, min(k, n_rows))
        """
        if self.subset is not None:
            searched = np.unique(self.subset)  # ascending: of equal scores the first row is the better one
            place_of = {row: place for place, row in enumerate(searched.tolist())}
            part = Table(self.vectors[searched], self.inverse_norms[searched], len(searched), self.n_jobs)
            inside = [[place_of[row] for row in rows if row in place_of] for rows in excluded]
            places, scores = part.nearest(
                terms, k, inside, n_positive=n_positive, n_negative=n_negative, product=product
            )
            return np.where(places >= 0, searched.astype(np.int32)[places], np.int32(-1)), scores
        offsets = np.zeros(len(excluded) + 1, dtype=np.int64)
        np.cumsum([len(set(rows)) for rows in excluded], out=offsets[1:])
        return core.embedding.nearest(
            self.vectors,
            self.inverse_norms,
            np.ascontiguousarray(terms, dtype=np.float32).reshape(-1, terms.shape[-1]),
            n_positive=n_positive,
            n_negative=n_negative,
            product=product,
            excluded=np.array([row for rows in excluded for row in sorted(set(rows))], dtype=np.int32),
            excluded_offsets=offsets,
            k=min(k, self.n_rows),
            n_rows=self.n_rows,
            n_threads=n_threads(self.n_jobs),
        )

    def cosines(self, queries: NDArray[Any]) -> Floats:
        """Cosines of queries (q, d) with the searched rows, (q, n_rows), or with those of `subset` in its order."""
        searched = slice(self.n_rows) if self.subset is None else self.subset
        return core.embedding.cosines(
            self.vectors[searched],
            self.inverse_norms[searched],
            np.ascontiguousarray(queries, dtype=np.float32),
            n_threads(self.n_jobs),
        )


@dataclass(frozen=True)
class Query:
    """Words and vectors that an answer shall be like, and unlike."""

    positive: list[Term]
    negative: list[Term]


def parse_queries(
    positive: Any, negative: Any, vector_size: int, word_at: Callable[[Any], str], *, weighted: bool
) -> tuple[list[Query], bool]:
    """Return the queries and whether they came as a batch, that is as lists of lists.

    `word_at` gives the word for a position. `weighted`: items may be pairs of a word or a vector and a weight.
    """
    sides = [_as_list(positive), _as_list(negative)]
    is_batch = any(side and all(isinstance(item, list) for item in side) for side in sides)
    if not is_batch:
        batches = [[side] for side in sides]
    else:
        size = max(len(side) for side in sides)
        if any(len(side) not in (0, size) or not all(isinstance(item, list) for item in side) for side in sides):
            raise ValueError("positive and negative of a batch must be lists of equally many lists")
        batches = [side or [[]] * size for side in sides]
    queries = []
    for words, opposites in zip(*batches, strict=True):
        if not words and not opposites:
            raise ValueError("a query must have at least one word or vector, got none")
        queries.append(
            Query(
                [_as_term(item, 1.0, vector_size, weighted, word_at) for item in words],
                [_as_term(item, -1.0, vector_size, weighted, word_at) for item in opposites],
            )
        )
    return queries, is_batch


def words_of(queries: Sequence[Query]) -> list[str]:
    """Return all words of queries, in order."""
    return [item for query in queries for item, _ in query.positive + query.negative if isinstance(item, str)]


def search_sums(table: Table, queries: Sequence[Query], index: dict[str, int], k: int) -> Iterator[tuple[Ids, Floats]]:
    """Yield the answers of blocks of queries: rows like the weighted sum of unit vectors of words, and of vectors."""
    for begin in range(0, len(queries), _BLOCK):
        block = queries[begin : begin + _BLOCK]
        yield table.nearest(sum_terms(table, block, index)[np.newaxis], k, [_rows_of(query, index) for query in block])


def search_products(
    table: Table, queries: Sequence[Query], index: dict[str, int], k: int
) -> Iterator[tuple[int, Ids, Floats]]:
    """Yield number and answer of each query by products of cosines; equally long ones go to the core together."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, query in enumerate(queries):
        groups.setdefault((len(query.positive), len(query.negative)), []).append(number)
    for (n_positive, n_negative), group in groups.items():
        for begin in range(0, len(group), _BLOCK):
            numbers = group[begin : begin + _BLOCK]
            block = [queries[number] for number in numbers]
            rows, scores = table.nearest(
                product_terms(table, block, index),
                k,
                [_rows_of(query, index) for query in block],
                n_positive=n_positive,
                n_negative=n_negative,
                product=True,
            )
            yield from ((number, rows[i : i + 1], scores[i : i + 1]) for i, number in enumerate(numbers))


def sum_terms(table: Table, queries: Sequence[Query], index: dict[str, int]) -> Floats:
    """Direction of each query, (n_queries, d), of unit length or zero."""
    sums = np.zeros((len(queries), table.vectors.shape[1]))
    for total, query in zip(sums, queries, strict=True):
        terms = query.positive + query.negative
        # Weights and vectors of any size: of each the largest becomes 1, so that no product is out of range.
        most = max(abs(weight) for _, weight in terms) or 1.0
        longest = max(1.0 if isinstance(item, str) else float(np.abs(item).max()) for item, _ in terms) or 1.0
        for item, weight in terms:
            if isinstance(item, str):
                total += weight / most / longest * table.unit(np.asarray(index[item]))
            else:
                total += weight / most * (item / longest)
    return to_unit(sums).astype(np.float32)


def product_terms(table: Table, queries: Sequence[Query], index: dict[str, int]) -> Floats:
    """All terms of queries that have equally many, (n_terms, n_queries, d), of unit length or zero."""
    rows = [
        [
            table.unit(np.asarray(index[item])) if isinstance(item, str) else item
            for item, _ in query.positive + query.negative
        ]
        for query in queries
    ]
    return to_unit(np.array(rows)).astype(np.float32).swapaxes(0, 1)


def to_unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale vectors (..., d) to length 1, be they as long or short as float64 can tell; zeros stay zeros."""
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(vectors, largest, out=np.zeros_like(vectors), where=largest > 0)
    np.divide(unit, np.linalg.norm(unit, axis=-1, keepdims=True), out=unit, where=largest > 0)  # squares are in range
    return unit


def as_vectors(value: Any, vector_size: int, name: str) -> NDArray[np.float64]:
    """Return one vector or several as float64 (..., d). Raises TypeError, ValueError."""
    vectors = np.asarray(value)
    if vectors.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be numbers, got {type(value).__name__} of {vectors.dtype}")
    if vectors.ndim not in (1, 2) or vectors.shape[-1] != vector_size:
        raise ValueError(f"{name} must have {vector_size} numbers as the vectors have, got shape {vectors.shape}")
    with np.errstate(over="ignore"):
        vectors = vectors.astype(np.float64, copy=False)
    if not np.isfinite(vectors).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return vectors


def check_count(value: Any, name: str, least: int) -> int | None:
    """Return `value` as an int, or None. Raises TypeError, ValueError."""
    number = _as_int(value, name)
    if number is None:
        return None
    if number < least:
        raise ValueError(f"{name} must be at least {least} or None, got {value!r}")
    if number > sys.maxsize:
        raise ValueError(f"{name} must be at most {sys.maxsize} or None, got {value!r}")
    return number


def n_threads(n_jobs: Any) -> int:
    """Return the number of threads that `n_jobs` means. Raises TypeError, ValueError."""
    return effective_n_jobs(_as_int(n_jobs, "n_jobs"))


def _as_int(value: Any, name: str) -> int | None:
    try:
        return None if value is None else as_int(value)
    except TypeError:
        raise TypeError(f"{name} must be an int or None, got {value!r}") from None


def _as_list(side: Any) -> list[Any]:
    if side is None:
        return []
    if is_position(side) or isinstance(side, str):
        return [side]
    if isinstance(side, np.ndarray) and side.ndim == 1 and side.dtype.kind in "fiu":
        return [side]
    if isinstance(side, list | tuple | np.ndarray):
        return list(side)
    raise TypeError(f"positive and negative must be words, vectors, or lists of them, got {type(side).__name__}")


def is_position(item: Any) -> bool:
    """Return whether an item names a word by its position."""
    return isinstance(item, int | np.integer) and not isinstance(item, bool)


def _as_term(item: Any, weight: float, vector_size: int, weighted: bool, word_at: Callable[[Any], str]) -> Term:
    if isinstance(item, tuple) and len(item) == 2 and weighted:
        item, weight = item[0], _as_weight(*item)
    if is_position(item):
        return word_at(item), weight
    if isinstance(item, str):
        return str(item), weight
    if isinstance(item, np.ndarray) and item.ndim == 1:
        return as_vectors(item, vector_size, "a vector in a query"), weight
    pairs = ", or pairs of one and a weight" if weighted else ""
    raise TypeError(f"items of positive and negative must be words or vectors{pairs}, got {item!r}")


def _as_weight(item: Any, weight: Any) -> float:
    if not isinstance(weight, Real):
        raise TypeError(f"the weight of {item!r} must be a number, got {weight!r}")
    try:
        number = float(weight)
    except OverflowError:  # of a large int
        number = np.inf
    if not np.isfinite(number):
        raise ValueError(f"the weight of {item!r} must be finite, got {weight!r:.100}")
    return number


def _rows_of(query: Query, index: dict[str, int]) -> list[int]:
    return [index[item] for item, _ in query.positive + query.negative if isinstance(item, str)]


def pairs(words: list[str], rows: Ids, scores: Floats) -> list[list[tuple[str, float]]]:
    """Return answers (q, k) as lists of words and scores."""
    return [
        [(words[row], score) for row, score in zip(line, values, strict=True) if row >= 0]
        for line, values in zip(rows.tolist(), scores.tolist(), strict=True)
    ]
