# Submodule `text` of every _core_<level> extension module: documents as counts of terms.
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
