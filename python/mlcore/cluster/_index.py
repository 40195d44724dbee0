"""What is searched for neighbours beside points: rows of which only the direction counts, sparse rows, distances.

All answer in order of (distance, row). A search among the rows of the index themselves (queries None) has each row as
its own first neighbour in `k_nearest`, and as one of its neighbours in `within`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mlcore._tables import Floats
from mlcore.cluster._point_index import Rows, Within
from mlcore.cluster._points import directions

SPARSE_METRICS = ("euclidean", "cosine")

_BLOCK = 1 << 22  # distances that are looked at in one go


class Index(Protocol):
    """What a search asks. `queries` are of the kind of its rows, or None for these themselves."""

    def k_nearest(self, queries: Any, k: int, n_threads: int) -> tuple[Floats, Rows]:
        """Return distances and rows of the k nearest, (n_queries, k); k is at most the number of rows."""

    def within(self, queries: Any, radius: float, n_threads: int) -> Within:
        """Return all rows at a distance of at most `radius`."""


class CosineIndex:
    """Rows of which only the direction counts: points of length 1. Rows of zeros are at distance 1 from all others."""

    def __init__(self, rows: Any, make: Any) -> None:
        """Index `rows`, dense or CSR; `make` returns the index of those that were scaled to length 1."""
        unit, has_length = unit_rows(rows)
        self._n = len(has_length)
        self._rows, self._zeros = np.flatnonzero(has_length), np.flatnonzero(~has_length)
        self._inner = make(unit if not len(self._zeros) else unit[self._rows]) if len(self._rows) else None

    def k_nearest(self, queries: Any, k: int, n_threads: int) -> tuple[Floats, Rows]:
        if queries is None:
            n, mine, unit, asked = self._n, self._rows, None, len(self._rows) > 0
        else:
            unit, has_length = unit_rows(queries)
            n, mine = len(has_length), np.flatnonzero(has_length)
            unit, asked = unit if len(mine) == n else unit[mine], len(mine) > 0
        # What is not asked: rows of zeros. All are at distance 1, but for the row itself.
        distances, rows = np.ones((n, k)), np.tile(np.arange(k), (n, 1))
        if queries is None:
            for i in self._zeros.tolist():
                rows[i] = [i, *(r for r in range(min(k, self._n)) if r != i)][:k]
                distances[i, 0] = 0
        if not asked or self._inner is None:
            return distances, rows
        found, places = self._inner.k_nearest(unit, min(k, len(self._rows)), n_threads)
        found, places = np.minimum(found, 2.0), self._rows[places]
        if len(self._zeros):
            zeros = self._zeros[:k]
            found = np.hstack([found, np.ones((len(mine), len(zeros)))])
            places = np.hstack([places, np.tile(zeros, (len(mine), 1))])
            if queries is None:
                found[:, 0] = -1  # the row itself stays the first
            order = np.lexsort((places, found), axis=1)[:, :k]
            found, places = np.take_along_axis(found, order, axis=1), np.take_along_axis(places, order, axis=1)
            found = np.maximum(found, 0.0)
        distances[mine], rows[mine] = found, places
        return distances, rows

    def within(self, queries: Any, radius: float, n_threads: int) -> Within:
        if queries is None:
            n, mine, zeros, unit = self._n, self._rows, self._zeros, None
        else:
            unit, has_length = unit_rows(queries)
            n, mine, zeros = len(has_length), np.flatnonzero(has_length), np.flatnonzero(~has_length)
            unit = unit if len(mine) == n else unit[mine]
        parts: list[tuple[Rows, Rows, Floats]] = []
        if len(mine) and self._inner is not None:
            found = self._inner.within(unit, radius, n_threads)
            parts.append((mine[found.queries()], self._rows[found.rows], np.minimum(found.distances, 2.0)))
        if radius >= 1 and len(zeros):
            parts.append(
                (np.repeat(zeros, self._n), np.tile(np.arange(self._n), len(zeros)), np.ones(len(zeros) * self._n))
            )
        if radius >= 1 and len(self._zeros):
            size = len(mine) * len(self._zeros)
            parts.append((np.repeat(mine, len(self._zeros)), np.tile(self._zeros, len(mine)), np.ones(size)))
        if radius < 1 and queries is None:
            parts.append((zeros, zeros, np.zeros(len(zeros))))
        if not parts:
            return Within(np.zeros(n + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        owners, rows, distances = (np.concatenate(part) for part in zip(*parts, strict=True))
        if queries is None:
            distances[(owners == rows) & np.isin(owners, zeros)] = 0
        if len(parts) > 1:
            order = np.lexsort((rows, owners))
            owners, rows, distances = owners[order], rows[order], distances[order]
        return Within.of_places(n, owners, rows, distances)


def unit_rows(rows: Any) -> tuple[Any, NDArray[np.bool_]]:
    """Return the rows scaled to length 1, dense or CSR as they are, and which of them have a length at all."""
    if isinstance(rows, sp.csr_array):
        largest = np.zeros(rows.shape[0])
        owners = _owners(rows)
        np.maximum.at(largest, owners, np.abs(rows.data))
        has_length = largest > 0
        scale = np.where(has_length, largest, 1.0)[owners]
        data = rows.data / scale
        length = np.sqrt(np.bincount(owners, weights=data * data, minlength=rows.shape[0]))
        length = np.where(has_length, length, 1.0)  # of a row whose entries are zeros that are stored
        unit = sp.csr_array((data / length[owners], rows.indices, rows.indptr), rows.shape)
        return unit, has_length
    return directions(rows)


@dataclass
class SparseIndex:
    """Sparse rows by squared Euclidean distance ("cosine": of rows of length 1), by products.

    Products say which rows are near to within their rounding; the distances of these are then sums of squared
    differences, as those of dense points are.
    """

    rows: sp.csr_array
    metric: str

    def k_nearest(self, queries: sp.csr_array | None, k: int, n_threads: int) -> tuple[Floats, Rows]:  # noqa: ARG002
        n = self.rows.shape[0] if queries is None else queries.shape[0]
        distances, rows = np.empty((n, k)), np.empty((n, k), np.int64)
        for begin, asked, products, error in self._blocks(queries):
            sure = np.partition(products + error, k - 1, axis=1)[:, k - 1 : k]
            owners, places = np.nonzero(products - error <= sure)
            exact = self._exact(asked, owners, places)
            if queries is None:
                exact[places == owners + begin] = -1
            distances[begin : begin + asked.shape[0]], rows[begin : begin + asked.shape[0]] = _first(
                owners, places, exact, asked.shape[0], k
            )
        return self._distance(np.maximum(distances, 0.0)), rows

    def within(self, queries: sp.csr_array | None, radius: float, n_threads: int) -> Within:  # noqa: ARG002
        found = self.within_squared(queries, (2 * radius if self.metric == "cosine" else radius * radius) * (1 + 1e-12))
        distances = self._distance(found.distances)
        near = distances <= radius
        return Within.of_places(len(found.offsets) - 1, found.queries()[near], found.rows[near], distances[near])

    def within_squared(self, queries: sp.csr_array | None, most: float) -> Within:
        """Return all rows at a squared Euclidean distance of at most `most`, and these squares."""
        n = self.rows.shape[0] if queries is None else queries.shape[0]
        parts: list[tuple[Rows, Rows, Floats]] = []
        for begin, asked, products, error in self._blocks(queries):
            owners, places = np.nonzero(products - error <= most)
            squared = self._exact(asked, owners, places)
            near = squared <= most
            parts.append((owners[near] + begin, places[near], squared[near]))
        owners, rows, squared = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Within.of_places(n, owners, rows, squared)

    def _distance(self, squared: Floats) -> Floats:
        return squared / 2 if self.metric == "cosine" else np.sqrt(squared)

    def _blocks(self, queries: sp.csr_array | None) -> Iterator[tuple[int, sp.csr_array, Floats, Floats]]:
        """Yield, of some queries after the other: the first, these, squared distances by products, and their error."""
        queries = self.rows if queries is None else queries
        squares, asked_squares = _squares(self.rows), _squares(queries)
        step = max(1, _BLOCK // self.rows.shape[0])
        transposed = self.rows.T.tocsr()
        terms = int(np.diff(self.rows.indptr).max(initial=0)) + 8
        for begin in range(0, queries.shape[0], step):
            part = queries[begin : begin + step]
            sums = asked_squares[begin : begin + step, None] + squares
            products = sums - 2 * (part @ transposed).toarray()
            yield begin, part, products, 2 * terms * np.finfo(np.float64).eps * sums

    def _exact(self, asked: sp.csr_array, owners: Rows, places: Rows) -> Floats:
        result = np.empty(len(owners))
        step = 1 << 16
        for i in range(0, len(owners), step):
            difference = (asked[owners[i : i + step]] - self.rows[places[i : i + step]]).tocsr()
            difference.sort_indices()
            result[i : i + step] = _squares(difference)
        return result


def _owners(rows: sp.csr_array) -> Rows:
    """Return the row of each stored entry."""
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))


def _squares(rows: sp.csr_array) -> Floats:
    return np.bincount(_owners(rows), weights=rows.data**2, minlength=rows.shape[0]).astype(np.float64)


def _first(owners: Rows, places: Rows, distances: Floats, n: int, k: int) -> tuple[Floats, Rows]:
    """Return the first k of each owner by (distance, place); owners ascend and have k at least."""
    order = np.lexsort((places, distances, owners))
    starts = np.searchsorted(owners, np.arange(n))
    chosen = order[starts[:, None] + np.arange(k)]
    return distances[chosen], places[chosen]


@dataclass
class Distances:
    """Distances themselves, (n, n), dense or CSR; queries are their distances to the n rows, (n_queries, n)."""

    distances: Any

    def k_nearest(self, queries: Any, k: int, n_threads: int) -> tuple[Floats, Rows]:  # noqa: ARG002
        given = self.distances if queries is None else queries
        own = None if queries is not None else np.arange(given.shape[0])
        if isinstance(given, sp.csr_array):
            owners, places, values = _stored(given)
            if own is not None:  # the row itself, whether its distance is stored or not
                other = owners != places
                owners = np.concatenate([own, owners[other]])
                places, values = np.concatenate([own, places[other]]), np.concatenate([own * 0.0 - 1, values[other]])
                order = np.argsort(owners, kind="stable")
                owners, places, values = owners[order], places[order], values[order]
            counts = np.bincount(owners, minlength=given.shape[0])
            if (short := counts < k).any():
                i = int(short.argmax())
                what = f"{k} neighbors" if queries is not None else f"{k - 1} neighbors besides itself"
                raise ValueError(
                    f"row {i} of the precomputed distances has {counts[i] - (own is not None)} stored entries, but "
                    f"{what} are asked for"
                )
            distances, rows = _first(owners, places, values, given.shape[0], k)
            return np.maximum(distances, 0.0), rows
        n = given.shape[0]
        distances, rows = np.empty((n, k)), np.empty((n, k), np.int64)
        step = max(1, _BLOCK // given.shape[1])
        for begin in range(0, n, step):
            part = given[begin : begin + step]
            if own is not None:
                part = part.copy()
                part[np.arange(len(part)), np.arange(begin, begin + len(part))] = -1
            owners, places = np.nonzero(part <= np.partition(part, k - 1, axis=1)[:, k - 1 : k])
            here = slice(begin, begin + len(part))
            distances[here], rows[here] = _first(owners, places, part[owners, places], len(part), k)
        return np.maximum(distances, 0.0), rows

    def within(self, queries: Any, radius: float, n_threads: int) -> Within:  # noqa: ARG002
        given = self.distances if queries is None else queries
        if isinstance(given, sp.csr_array):
            owners, places, values = _stored(given)
            near = values <= radius
            owners, places, values = owners[near], places[near], values[near]
        else:
            owners, places = np.nonzero(given <= radius)
            values = given[owners, places]
        return Within.of_places(given.shape[0], owners, places, values)


def _stored(distances: sp.csr_array) -> tuple[Rows, Rows, Floats]:
    return _owners(distances), distances.indices.astype(np.int64), distances.data
