"""Embedding: a table of learned rows."""

from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._embedding import embedding
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor, no_grad


class Embedding(Module):
    """One learned row for each id.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Number of rows, and their length.
    padding_idx : int, optional
        The id whose row is 0 and stays so; negative: from the end.
    sparse : bool, default=False
        Whether the gradient holds only the rows that were looked up: see :func:`mlcore.nn.functional.embedding`.

    Attributes
    ----------
    weight : Parameter (num_embeddings, embedding_dim)
        Drawn from the standard normal distribution.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, sparse: bool = False
    ) -> None:
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"padding_idx={padding_idx} is outside the {num_embeddings} rows of the Embedding")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.sparse = padding_idx, sparse
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), np.float32))
        init.normal_(self.weight)
        if padding_idx is not None:
            with no_grad():
                self.weight.data[padding_idx] = 0

    def forward(self, input: Any) -> Tensor:
        """Look up ids of any shape."""
        return embedding(input, self.weight, self.padding_idx, self.sparse)

    def extra_repr(self) -> str:
        """Return the sizes."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        return text + ", sparse=True" * self.sparse
