"""PositionalEncoding: tells attention, which is blind to order, the position of a vector."""

from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._position import rotary_embedding, sinusoids
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import ShapeError, Tensor, as_tensor


class PositionalEncoding(Module):
    """Mark vectors with their positions.

    Parameters
    ----------
    d_model : int
        D, the length of the vectors.
    max_len : int, default=5000
        Number of positions; not used for "rotary", which has no limit.
    kind : {"sinusoidal", "learned", "rotary"}, default="sinusoidal"
        Add sines and cosines (Vaswani et al., 2017); add a table that is learned; or rotate pairs of entries (Su et
        al., 2021), for the queries and keys of each head: :func:`mlcore.nn.functional.rotary_embedding`.
    batch_first : bool, default=True
        Axes are (B, T, D); else (T, B, D). Without B it makes no difference.

    Attributes
    ----------
    weight : Parameter (max_len, D)
        The learned table, drawn from N(0, 0.02^2); of the others nothing is in the state.
    """

    def __init__(
        self, d_model: int, max_len: int = 5000, kind: str = "sinusoidal", *, batch_first: bool = True
    ) -> None:
        super().__init__()
        if kind not in ("sinusoidal", "learned", "rotary"):
            raise ValueError(f"kind must be 'sinusoidal', 'learned' or 'rotary', got {kind!r}")
        if d_model < 1 or max_len < 1:
            raise ValueError(f"d_model and max_len must be positive, got {d_model} and {max_len}")
        if kind == "rotary" and d_model % 2:
            raise ValueError(f"rotary positions rotate pairs of entries, but d_model is {d_model}")
        self.d_model, self.max_len, self.kind, self.batch_first = d_model, max_len, kind, batch_first
        if kind == "sinusoidal":
            self._table = sinusoids(max_len, d_model)
        elif kind == "learned":
            self.weight = Parameter(np.empty((max_len, d_model), np.float32))
            init.normal_(self.weight, std=0.02)

    def forward(self, input: Any, offset: int = 0) -> Tensor:
        """Mark (B, T, D) or (T, D), of any number of leading axes.

        Parameters
        ----------
        input : Tensor
            What to mark.
        offset : int, default=0
            Position of the first vector: for sequences that come in pieces.
        """
        x = as_tensor(input)
        if x.ndim < 2 or x.shape[-1] != self.d_model:
            raise ShapeError(f"input of shape {x.shape} does not end in the {self.d_model} entries of a vector")
        time_first = x.ndim > 2 and not self.batch_first
        n = x.shape[0] if time_first else x.shape[-2]
        if offset < 0 or (self.kind != "rotary" and offset + n > self.max_len):
            raise ShapeError(f"input of shape {x.shape} from position {offset} on leaves [0, {self.max_len})")
        if self.kind == "rotary":
            places = np.arange(offset, offset + n)
            if time_first:
                return rotary_embedding(x.transpose(0, -2), places).transpose(0, -2)
            return rotary_embedding(x, places)
        here = slice(offset, offset + n)
        rows = as_tensor(self._table[here]) if self.kind == "sinusoidal" else self.weight[here]
        return x + (rows.reshape(n, *(1,) * (x.ndim - 2), self.d_model) if time_first else rows)

    def extra_repr(self) -> str:
        """Return the sizes and the kind."""
        return f"{self.d_model}, max_len={self.max_len}, kind={self.kind!r}"
