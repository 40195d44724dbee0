# Submodule `text` of every _core_<level> extension module: documents as counts of terms.
from typing import Literal

import numpy as np
from numpy.typing import NDArray

def character_facts(begin: int, end: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...
def knows_pattern(pattern: str) -> bool: ...
def words(
    texts: list[str], pattern: str, lowercase: bool, accents: Literal["ascii", "unicode"] | None
) -> list[list[str]]: ...
def characters(
    texts: list[str], lowercase: bool, accents: Literal["ascii", "unicode"] | None
) -> list[list[str]]: ...
