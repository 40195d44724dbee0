# Submodule `embedding` of every _core_<level> extension module.
from typing import Any

import numpy as np
from numpy.typing import NDArray

# ---- words and corpora (embedding/corpus.cpp) ----

class WordTable:
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def words(self) -> list[str]: ...
    def counts(self) -> NDArray[np.int64]: ...
    def add_texts(self, texts: list[Any], first: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...

class Vocabulary:
    def __init__(self, words: list[str], counts: NDArray[np.int64]) -> None: ...
    @staticmethod
    def build(table: WordTable, min_count: int, max_size: int) -> Vocabulary: ...
    def grow(self, table: WordTable, min_count: int, max_size: int) -> Vocabulary: ...
    def __len__(self) -> int: ...
    def words(self) -> list[str]: ...
    def counts(self) -> NDArray[np.int64]: ...
    def id(self, word: str) -> int: ...
    def ids(self, words: list[str]) -> NDArray[np.int32]: ...
    def encode(self, texts: list[Any], first: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...

class Corpus:
    @property
    def n_pieces(self) -> int: ...
    @property
    def n_tokens(self) -> int: ...
    def tokens_before(self, piece: int) -> int: ...
    def set_vocabulary(self, vocabulary: Vocabulary) -> None: ...
    def read(self, piece: int) -> tuple[NDArray[np.int32], NDArray[np.int64], bool]: ...

class TextCorpus(Corpus):
    def __init__(self, buffers: list[NDArray[np.uint8]], names: list[str]) -> None: ...
    @property
    def n_texts(self) -> int: ...
    def count(self, n_threads: int) -> WordTable: ...

class IdCorpus(Corpus):
    def __init__(self, ids: NDArray[np.int32], ends: NDArray[np.int64], table: WordTable) -> None: ...
    @property
    def n_texts(self) -> int: ...

class TextStream:
    def __init__(self, table: WordTable, name: str) -> None: ...
    def feed(self, block: bytes) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
    def finish(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...

def count_phrases(
    corpus: TextCorpus | IdCorpus,
    vocabulary: Vocabulary,
    is_connector: NDArray[np.uint8],
    min_count: int,
    max_distinct: int,
    n_threads: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], int]: ...

class PhraseFinder:
    def __init__(
        self,
        words: list[str],
        is_connector: NDArray[np.uint8],
        ids: NDArray[np.int32],
        starts: NDArray[np.int64],
        joined: list[str],
    ) -> None: ...
    def apply(self, texts: list[Any], first: int) -> list[list[str]]: ...

# ---- vectors (embedding/vectors.cpp) ----

def inverse_norms(vectors: NDArray[np.float32], n_threads: int) -> tuple[NDArray[np.float32], int]: ...
def nearest(
    vectors: NDArray[np.float32],
    inverse_norms: NDArray[np.float32],
    terms: NDArray[np.float32],
    *,
    n_positive: int,
    n_negative: int,
    product: bool,
    excluded: NDArray[np.int32],
    excluded_offsets: NDArray[np.int64],
    k: int,
    n_rows: int,
    n_threads: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]: ...
def cosines(
    vectors: NDArray[np.float32], inverse_norms: NDArray[np.float32], queries: NDArray[np.float32], n_threads: int
) -> NDArray[np.float32]: ...
def parse_vectors(
    data: NDArray[np.uint8], *, binary: bool, has_header: bool, limit: int, n_threads: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], bool]: ...
def subword_means(
    utf8: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    own: NDArray[np.uint8],
    buckets: NDArray[np.uint8],
    *,
    cols: int,
    min_n: int,
    max_n: int,
    n_buckets: int,
    n_threads: int,
) -> tuple[NDArray[np.float32], int]: ...
def ngram_rows(word: str, *, min_n: int, max_n: int, n_buckets: int) -> NDArray[np.int64]: ...
def parse_fasttext_entries(
    data: NDArray[np.uint8], n_entries: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]: ...
def format_vectors(
    utf8: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    vectors: NDArray[np.float32],
    *,
    binary: bool,
    n_threads: int,
) -> bytes: ...

# ---- training (embedding/embedding.cpp) ----

def huffman_tree(counts: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
def check_tree(leaves: NDArray[np.int32], inner: NDArray[np.int32]) -> None: ...
def grow_tree(
    leaves: NDArray[np.int32], inner: NDArray[np.int32], new_counts: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...

class Word2VecModel:
    def __init__(
        self,
        counts: NDArray[np.int64],
        *,
        vector_size: int,
        algorithm: str,
        loss: str,
        window: int,
        negative: int,
        ns_exponent: float,
        sample: float,
        cbow_mean: bool,
        shrink_windows: bool,
        shared_negatives: bool,
        seed: int,
        tree: tuple[NDArray[np.int32], NDArray[np.int32]] | None = None,
    ) -> None: ...
    def set_rows(
        self, vectors: NDArray[np.float32] | None, context_vectors: NDArray[np.float32] | None, *, n_threads: int
    ) -> None: ...
    def train(
        self,
        corpus: TextCorpus | IdCorpus,
        *,
        epoch: int,
        epochs: int,
        first_piece: int,
        last_piece: int,
        alpha: float,
        min_alpha: float,
        n_threads: int,
    ) -> tuple[float, int, int]: ...
    def take(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
    def tree(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
