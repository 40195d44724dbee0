# Submodule `text` of every _core_<level> extension module: documents as counts of terms.
from collections.abc import Callable
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

def character_facts(begin: int, end: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...
def knows_pattern(pattern: str) -> bool: ...
def words(
    texts: list[str], pattern: str, lowercase: bool, accents: Literal["ascii", "unicode"] | None
) -> list[list[str]]: ...
def characters(texts: list[str], lowercase: bool, accents: Literal["ascii", "unicode"] | None) -> list[list[str]]: ...

@final
class Analysis:
    def __init__(
        self,
        analyzer: Literal["word", "char", "char_wb"],
        pattern: str,
        lowercase: bool,
        accents: Literal["ascii", "unicode"] | None,
        min_n: int,
        max_n: int,
        stop_words: list[str],
    ) -> None: ...

# Terms cross the border packed: their bytes in UTF-8 ("surrogatepass"), one after the other, and where each begins (one
# place more than terms). Documents are looked up in place; results do not depend on n_threads.

# Counts the terms of documents. `analysis` is that of `add`; None: documents come as tokens. One Python thread at a
# time.
@final
class TermCounter:
    def __init__(self, analysis: Analysis | None) -> None: ...
    # After an exception in one of these four the counter is of no use. report(documents done, terms so far), at most
    # ten times a second.
    def add(
        self,
        documents: list[str],
        *,
        keep_rows: bool,
        report: Callable[[int, float], Any] | None = None,
        n_threads: int,
    ) -> None: ...
    def add_tokens(self, documents: list[list[str]], *, keep_rows: bool, n_threads: int) -> None: ...
    # Adds to the counts of terms, as `terms` of another counter had them.
    def restore(
        self,
        utf8: NDArray[np.uint8],
        starts: NDArray[np.int64],
        documents: NDArray[np.int64],
        occurrences: NDArray[np.int64],
        n_documents: int,
    ) -> None: ...
    # Adds what another counter has counted, without its rows.
    def merge(self, other: TermCounter) -> None: ...
    @property
    def n_documents(self) -> int: ...
    @property
    def n_terms(self) -> int: ...
    # In lexicographic order: utf8, starts, number of documents with each term, occurrences of each term.
    def terms(
        self, *, n_threads: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
    # The rows that were kept, as data, indices and indptr; columns[i]: that of term i in sorted order, -1: it has none.
    # Memory of the counter becomes that of the matrix: it is of no use any more.
    def rows(
        self, columns: NDArray[np.int32] | NDArray[np.int64], *, binary: bool, dtype: np.dtype[Any], n_threads: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...

# Counts the terms of a fixed vocabulary. What it finds terms by is made at the first transform, and again when the
# analysis has other stop words or begins or ceases to make n-grams of words. columns as those of rows.
@final
class TermIndex:
    def __init__(
        self,
        utf8: NDArray[np.uint8],
        starts: NDArray[np.int64],
        columns: NDArray[np.int32] | NDArray[np.int64],
    ) -> None: ...
    def transform(
        self, documents: list[str], analysis: Analysis, *, binary: bool, dtype: np.dtype[Any], n_threads: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
    def transform_tokens(
        self, documents: list[list[str]], *, binary: bool, dtype: np.dtype[Any], n_threads: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...

def pack_terms(terms: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]: ...
def unpack_terms(utf8: NDArray[np.uint8], starts: NDArray[np.int64]) -> list[str]: ...

# In place, data of float32 or float64; idf of the same dtype, one a column.
def tfidf(
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    idf: NDArray[Any] | None,
    *,
    sublinear: bool,
    norm: Literal["l1", "l2"] | None,
    n_threads: int,
) -> None: ...
def hash_documents(
    documents: list[str],
    analysis: Analysis,
    *,
    n_features: int,
    alternate_sign: bool,
    binary: bool,
    dtype: np.dtype[Any],
    n_threads: int,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
def hash_tokens(
    documents: list[list[str]],
    *,
    n_features: int,
    alternate_sign: bool,
    binary: bool,
    dtype: np.dtype[Any],
    n_threads: int,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...
