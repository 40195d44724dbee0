"""PositionalEncoding: tells attention, which is blind to order, the position of a vector."""

from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._offsets import checked_offsets, positions_in
from mlcore.nn.functional._position import add_positions, rotary_embedding, sinusoids
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
    scale : float, default=1.0
        What vectors are multiplied by first: sqrt(D) for embeddings, as in the paper.

    Attributes
    ----------
    weight : Parameter (max_len, D)
        The learned table, drawn from N(0, 0.02^2); of the others nothing is in the state.
    """

    def __init__(
        self,
        d_model: int,
        max_len: int = 5000,
        kind: str = "sinusoidal",
        *,
        batch_first: bool = True,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if kind not in ("sinusoidal", "learned", "rotary"):
            raise ValueError(f"kind must be 'sinusoidal', 'learned' or 'rotary', got {kind!r}")
        if d_model < 1 or max_len < 1:
            raise ValueError(f"d_model and max_len must be positive, got {d_model} and {max_len}")
        if kind == "rotary" and d_model % 2:
            raise ValueError(f"rotary positions rotate pairs of entries, but d_model is {d_model}")
        self.d_model, self.max_len, self.kind = d_model, max_len, kind
        self.batch_first, self.scale = batch_first, scale
        if kind == "sinusoidal":
            self._table = sinusoids(max_len, d_model)
        elif kind == "learned":
            self.weight = Parameter(np.empty((max_len, d_model), np.float32))
            init.normal_(self.weight, std=0.02)

    def forward(self, input: Any, offset: int = 0, *, offsets: Any = None) -> Tensor:
        """Mark (B, T, D) or (T, D), of any number of leading axes.

        Parameters
        ----------
        input : Tensor
            What to mark.
        offset : int, default=0
            Position of the first vector: for sequences that come in pieces.
        offsets : array of int (B + 1,), optional
            Packed sequences: `input` is (rows, D), all of them one after the other, and positions begin again at each
            ``offsets[b]``.
        """
        x = as_tensor(input)
        if x.ndim < 2 or x.shape[-1] != self.d_model:
            raise ShapeError(f"input of shape {x.shape} does not end in the {self.d_model} entries of a vector")
        if offsets is not None and x.ndim != 2:
            raise ShapeError(f"input with offsets must have shape (rows, {self.d_model}), got {x.shape}")
        if offset < 0:
            raise ShapeError(f"offset must be at least 0, got {offset}")
        time_first = x.ndim > 2 and not self.batch_first
        if time_first:
            x = x.transpose(0, -2)
        if self.kind == "rotary":
            x = x if self.scale == 1 else x * self.scale
            if offsets is not None:
                offsets = checked_offsets(offsets, x.shape[0])
                places = offset + positions_in(offsets)
            else:
                places = np.arange(offset, offset + x.shape[-2])
            x = rotary_embedding(x, places)
        else:
            table = self._table if self.kind == "sinusoidal" else self.weight
            x = add_positions(x, table, offsets=offsets, first=offset, scale=self.scale)
        return x.transpose(0, -2) if time_first else x

    def extra_repr(self) -> str:
        """Return the sizes and the kind."""
        return f"{self.d_model}, max_len={self.max_len}, kind={self.kind!r}"
