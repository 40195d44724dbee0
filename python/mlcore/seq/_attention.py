"""Where a network looked while it wrote: weights with the tokens that they belong to."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Attention(NamedTuple):
    """Attention of a text that was written to the text that was read.

    :func:`mlcore.plotting.plot_attention` draws it.
    """

    weights: NDArray[np.float32]
    """Shape (tokens written, tokens read), rows sum to 1: where each token looked."""

    queries: list[str]
    """The tokens written, and the end."""

    keys: list[str]
    """The tokens read, and the end."""
