# Submodule `cluster` of every _core_<level> extension module: groups of rows that nobody has labelled.
import numpy as np
from numpy.typing import NDArray

# `from` is a keyword: by position
def single_linkage(
    from_: NDArray[np.int32], to: NDArray[np.int32], weights: NDArray[np.float64], /
) -> NDArray[np.float64]: ...
