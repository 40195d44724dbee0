"""What the networks read: packed sequences as they are, padded ones packed, and results padded back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn.functional._offsets import checked_offsets, positions_in
from mlcore.nn.tensor import ShapeError, Tensor, record
from mlcore.seq.bert.network._config import BertConfig

Ints = NDArray[np.int64]


class BertInputs:
    """Checked ids of tokens, of segments and of positions of packed sequences.

    Parameters
    ----------
    config : BertConfig
        Says what is in range.
    input_ids : int array (N,) with `offsets`, else (B, T)
    token_type_ids, position_ids : int array of that shape, optional
        0; the places in each sequence, from 0.
    attention_mask : array (B, T) of 0 and 1 or bool, optional
        1 for each real token.
    offsets : int array (B + 1,), optional

    Attributes
    ----------
    ids, types, positions : int64 array (N,)
    offsets : int64 array (B + 1,)
    rows : int64 array (N,) or None
        Place of each token in the padded batch, counted row by row; None: the input is packed.
    """

    def __init__(
        self,
        config: BertConfig,
        input_ids: Any,
        token_type_ids: Any = None,
        attention_mask: Any = None,
        offsets: Any = None,
        position_ids: Any = None,
    ) -> None:
        ids = _integers("input_ids", input_ids)
        self.shape: tuple[int, ...] = ids.shape
        self.rows: Ints | None = None
        if offsets is not None:
            if attention_mask is not None:
                raise ValueError("packed sequences (offsets) have no padding: they take no attention_mask")
            if ids.ndim != 1:
                raise ShapeError(f"input_ids with offsets must have shape (N,), got {ids.shape}")
            self.offsets = checked_offsets(offsets, len(ids))
        else:
            if ids.ndim != 2:
                raise ShapeError(f"input_ids must have shape (B, T), or (N,) with offsets, got {ids.shape}")
            is_real = _is_real(attention_mask, ids.shape)
            self.rows = np.flatnonzero(is_real)
            ends = np.cumsum(np.count_nonzero(is_real, axis=1))
            self.offsets = checked_offsets(np.concatenate([[0], ends]), len(self.rows))
        self.ids = self._of_tokens("input_ids", ids, config.vocab_size, "vocab_size")
        if token_type_ids is None:
            self.types = np.zeros(len(self.ids), np.int64)
        else:
            types = _integers("token_type_ids", token_type_ids)
            self.types = self._of_tokens("token_type_ids", types, config.type_vocab_size, "type_vocab_size")
        longest, most = int(self.lengths.max(initial=0)), config.max_position_embeddings
        if position_ids is not None:
            positions = _integers("position_ids", position_ids)
            self.positions = self._of_tokens("position_ids", positions, most, "max_position_embeddings")
        elif longest > most:
            which = int(self.lengths.argmax())
            raise ValueError(
                f"sequence {which} has {longest} tokens, but the network takes at most {most} "
                "(max_position_embeddings): cut it first"
            )
        else:
            self.positions = positions_in(self.offsets)

    @property
    def lengths(self) -> Ints:
        """Length of each sequence, (B,)."""
        return np.diff(self.offsets)

    def firsts(self) -> Ints:
        """Return the row of the first token of each sequence, (B,). Raises ValueError if one is empty."""
        lengths = self.lengths
        if len(lengths) and lengths.min() == 0:
            raise ValueError(f"sequence {int(lengths.argmin())} is empty: there is no first token to read")
        return self.offsets[:-1]

    def of_tokens(self, name: str, values: Any) -> NDArray[Any]:
        """Return an array with one entry a token, in the form of `input_ids`, as (N, ...)."""
        array = np.asarray(values.data if isinstance(values, Tensor) else values)
        if array.shape[: len(self.shape)] != self.shape:
            raise ShapeError(f"{name} has shape {array.shape}, but input_ids {self.shape}")
        if self.rows is None:
            return array
        return array.reshape(-1, *array.shape[2:])[self.rows]

    def labels(self, name: str, values: Any) -> Ints:
        """Return integers, one a token, in the form of `input_ids`, as (N,)."""
        return self.of_tokens(name, _integers(name, values))

    def checked_rows(self, name: str, rows: Any) -> Ints:
        """Return numbers of tokens, or raise: TypeError, ShapeError, ValueError."""
        numbers, n = _integers(name, rows), len(self.ids)
        if numbers.ndim != 1:
            raise ShapeError(f"{name} must have one axis, got shape {numbers.shape}")
        if numbers.size and (numbers.min() < 0 or numbers.max() >= n):
            worst = int(numbers.min() if numbers.min() < 0 else numbers.max())
            raise ValueError(f"{name} must be in [0, {n}), the number of tokens, got {worst}")
        return numbers

    def places(self) -> tuple[Ints, tuple[int, int]]:
        """Return where each token is in a padded batch, counted row by row, and the shape of that batch.

        It is the batch that was given, or one with padding on the right.
        """
        if self.rows is not None:
            return self.rows, (self.shape[0], self.shape[1])
        lengths = self.lengths
        longest = int(lengths.max(initial=0))
        return positions_in(self.offsets) + np.repeat(np.arange(len(lengths)) * longest, lengths), (
            len(lengths),
            longest,
        )

    def padded(self, x: Tensor, fill: float = 0.0) -> Tensor:
        """Return rows (N, ...) in the form of `input_ids`: (N, ...), or (B, T, ...) with `fill` where no token is."""
        return x if self.rows is None else padded_rows(x, self.rows, self.shape, fill)

    def _of_tokens(self, name: str, values: Ints, n: int, key: str) -> Ints:
        values = np.ascontiguousarray(self.of_tokens(name, values))
        if values.size and (values.min() < 0 or values.max() >= n):
            worst = int(values.min() if values.min() < 0 else values.max())
            raise ValueError(f"{name} must be in [0, {n}), as {key} of the network says, got {worst}")
        return values


def padded_rows(x: Tensor, rows: Ints, shape: tuple[int, ...], fill: float = 0.0) -> Tensor:
    """Put rows of x (N, ...) to places `rows` of an array of shape (*shape, ...), which is `fill` elsewhere."""
    out = np.full((int(np.prod(shape)), *x.shape[1:]), fill, np.float32)
    out[rows] = x.data
    tail = x.shape[1:]
    return record(
        "padding", out.reshape(*shape, *tail), [x], lambda dy: [np.ascontiguousarray(dy.reshape(-1, *tail)[rows])]
    )


def rows_of(x: Tensor, rows: Ints) -> Tensor:
    """Return some rows of x (N, d)."""
    return F.embedding(rows, x)


def _integers(name: str, values: Any) -> Ints:
    array = np.asarray(values.data if isinstance(values, Tensor) else values)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name} must be integers, got {array.dtype}")
    return array.astype(np.int64, copy=False)


def _is_real(attention_mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if attention_mask is None:
        return np.ones(shape, bool)
    mask = np.asarray(attention_mask.data if isinstance(attention_mask, Tensor) else attention_mask)
    if mask.shape != shape:
        raise ShapeError(f"attention_mask has shape {mask.shape}, but input_ids {shape}")
    is_real = mask.astype(bool)
    if mask.dtype.kind not in "biuf" or not np.array_equal(mask, is_real):
        raise ValueError("attention_mask must be 1 where a token is real and 0 where it is padding")
    return is_real
