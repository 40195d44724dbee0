"""Recurrent layers over whole sequences, stacked, in one or both directions, without work for padding."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcore._native import core
from mlcore.nn._runtime import generator, n_threads
from mlcore.nn.functional._offsets import checked_offsets
from mlcore.nn.tensor import Array, Gradients, ShapeError, Tensor, float_tensor, grad_enabled, operands, record_many

Weights = Sequence[Sequence[Tensor | Array | None]]  # W_ih, W_hh, b_ih, b_hh for each direction of each layer
Lengths = Any  # Tensor, array or list of integers, or None
_BLOCKS = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


def rnn(
    input: Tensor | Array,
    hx: Tensor | Array | None,
    weights: Weights,
    *,
    nonlinearity: str = "tanh",
    dropout: float = 0.0,
    training: bool = False,
    bidirectional: bool = False,
    batch_first: bool = False,
    lengths: Lengths = None,
    offsets: Any = None,
) -> tuple[Tensor, Tensor]:
    """Compute ``h' = f(W_ih x + b_ih + W_hh h + b_hh)`` from step to step (Elman, 1990).

    Parameters
    ----------
    input : Tensor (T, B, I), (B, T, I) with `batch_first`, or (T, I) for one sequence; (N, I) with `offsets`
        x.
    hx : Tensor (L D, B, H), (L D, H) for one sequence, or None
        h before the first step, for each layer and its D directions; None: zeros.
    weights : sequence of (W_ih, W_hh, b_ih, b_hh)
        One for each direction of each layer: (P H, I or D H), (P H, H), (P H,), (P H,); biases may be None. P is 1
        here, 4 for :func:`lstm`, 3 for :func:`gru`.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        f.
    dropout : float in [0, 1), default=0
        Applied to the input of each layer but the first, if `training`.
    training : bool, default=False
        Whether dropout drops.
    bidirectional : bool, default=False
        Whether D is 2: the second direction goes from the last step of each sequence to the first.
    batch_first : bool, default=False
        Order of the axes of `input` and the output.
    lengths : (B,) integers in [1, T], optional
        Steps of each sequence, in any order. What lies beyond is neither read nor computed.
    offsets : (B + 1,) integers, optional
        The sequences are packed, one after the other: sequence b is ``input[offsets[b]:offsets[b + 1]]``, with at least
        one step. States are then (L D, B, H).

    Returns
    -------
    output : Tensor, as `input`, with D H features
        h after each step of the last layer, zero beyond the end of a sequence.
    h_n : Tensor, as `hx`
        h after the last step of each sequence; for the second direction, after the first.

    Raises
    ------
    ShapeError
        If the shapes do not go together.
    ValueError
        If there are no sequences or no steps, a length is out of range, or offsets do not go from 0 to N.
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    states = (hx,)
    output, h_n, _ = _run(
        f"rnn_{nonlinearity}", input, states, weights, dropout * training, bidirectional, batch_first, lengths, offsets
    )
    return output, h_n


def lstm(
    input: Tensor | Array,
    hx: tuple[Tensor | Array, Tensor | Array] | None,
    weights: Weights,
    *,
    dropout: float = 0.0,
    training: bool = False,
    bidirectional: bool = False,
    batch_first: bool = False,
    lengths: Lengths = None,
    offsets: Any = None,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000).

    From z = W_ih x + b_ih + W_hh h + b_hh in blocks i, f, g, o of H values, s the sigmoid:
    ``c' = s(z_f) c + s(z_i) tanh(z_g)`` and ``h' = s(z_o) tanh(c')``.

    Parameters and errors are those of :func:`rnn`, but `hx` is a pair (h, c), and so is the second result.

    Returns
    -------
    output : Tensor, as `input`, with D H features
        h after each step of the last layer, zero beyond the end of a sequence.
    (h_n, c_n) : Tensors, as those of `hx`
        States after the last step of each sequence.
    """
    if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
        raise TypeError("hx of an LSTM is a pair (h, c)")
    states = (None, None) if hx is None else (hx[0], hx[1])
    output, h_n, c_n = _run(
        "lstm", input, states, weights, dropout * training, bidirectional, batch_first, lengths, offsets
    )
    assert c_n is not None
    return output, (h_n, c_n)


def gru(
    input: Tensor | Array,
    hx: Tensor | Array | None,
    weights: Weights,
    *,
    dropout: float = 0.0,
    training: bool = False,
    bidirectional: bool = False,
    batch_first: bool = False,
    lengths: Lengths = None,
    offsets: Any = None,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent unit (Cho et al., 2014), with the reset gate after the product, as PyTorch has it.

    In blocks r, u, n of H values, s the sigmoid: ``r, u = s(W_ih x + b_ih + W_hh h + b_hh)``,
    ``n = tanh(W_in x + b_in + r (W_hn h + b_hn))`` and ``h' = (1 - u) n + u h``.

    Parameters, results and errors are those of :func:`rnn`.
    """
    states = (hx,)
    output, h_n, _ = _run(
        "gru", input, states, weights, dropout * training, bidirectional, batch_first, lengths, offsets
    )
    return output, h_n


class _Layer(NamedTuple):
    """What a layer needs for its gradient."""

    x: Array  # (N, I), after dropout
    states: tuple[Array | None, Array | None]
    y: Array  # (N, D H)
    gates: Array | None
    cells: Array | None
    seed: int  # of the dropout before it


class _Padded:
    """The sequences of a batch: how they lie in the tensors, and as the kernels' rows (N, features), step by step."""

    def __init__(self, x: Tensor, batch_first: bool, lengths: Lengths) -> None:
        if x.ndim not in (2, 3):
            raise ShapeError(
                f"input has shape {x.shape}; expected (T, B, I), (B, T, I) with batch_first, or (T, I) for one sequence"
            )
        self.batched = x.ndim == 3
        self.batch_first = batch_first and self.batched
        axes = x.shape[:2] if self.batched else (x.shape[0], 1)
        self.n_batch, self.n_steps = axes if self.batch_first else axes[::-1]
        if self.n_steps == 0:
            raise ValueError(f"input of shape {x.shape} holds no steps")
        self.lengths = None if lengths is None else self._checked(lengths)
        self.sizes: dict[str, Any] = {"n_batch": self.n_batch, "n_steps": self.n_steps}
        # Rows step by step: they are what is in memory already.
        self.as_given = self.lengths is None and (not self.batch_first or 1 in axes)

    def _checked(self, lengths: Lengths) -> NDArray[np.int64] | None:
        given = np.array(lengths.data if isinstance(lengths, Tensor) else lengths)  # ours: backward needs them
        if given.dtype.kind not in "iu":
            raise TypeError(f"lengths must be integers, got {given.dtype}")
        if given.shape != (self.n_batch,):
            raise ShapeError(f"lengths has shape {given.shape} for {self.n_batch} sequences")
        wrong = np.flatnonzero((given < 1) | (given > self.n_steps))
        if wrong.size:
            raise ValueError(
                f"lengths must be in [1, {self.n_steps}], got {given[wrong[0]]} for sequence {int(wrong[0])}"
            )
        return None if (given == self.n_steps).all() else np.ascontiguousarray(given, np.int64)

    def pack(self, x: Array) -> Array:
        """Return the rows of an array like the input, step by step."""
        if self.as_given:
            return np.ascontiguousarray(x).reshape(self.n_batch * self.n_steps, x.shape[-1])
        by_sequence = x if self.batch_first else x[:, None].swapaxes(0, 1) if not self.batched else x.swapaxes(0, 1)
        return core.nn.pack_sequences(by_sequence, self.lengths, n_threads=n_threads())

    def unpack(self, rows: Array) -> Array:
        """Return an array like the input, zero beyond the end of a sequence."""
        sizes = (self.n_batch, self.n_steps) if self.batch_first else (self.n_steps, self.n_batch)
        if not self.batched:
            sizes = (self.n_steps,)  # type: ignore[assignment]
        if not self.as_given:
            rows = core.nn.unpack_sequences(
                rows, self.lengths, **self.sizes, batch_first=self.batch_first, n_threads=n_threads()
            )
        return rows.reshape(*sizes, rows.shape[-1])


class _Packed:
    """The same for sequences that lie one after the other."""

    batched = True

    def __init__(self, x: Tensor, offsets: Any, lengths: Lengths) -> None:
        if lengths is not None:
            raise ValueError("either lengths or offsets can be given: packed sequences have no padding")
        if x.ndim != 2:
            raise ShapeError(f"input has shape {x.shape}; expected (N, I) with offsets")
        self.offsets = checked_offsets(offsets, len(x.data))
        steps = np.diff(self.offsets)
        self.n_batch = len(steps)
        if self.n_batch and steps.min() == 0:
            raise ValueError(f"sequence {int(steps.argmin())} holds no steps: a recurrent layer needs one at least")
        self.n_steps = int(steps.max(initial=0))
        self.lengths = None if (steps == self.n_steps).all() else steps
        self.sizes: dict[str, Any] = {"n_batch": self.n_batch, "n_steps": self.n_steps}
        self.as_given = self.n_batch == 1 or self.n_steps == 1

    def pack(self, x: Array) -> Array:
        """Return the rows of an array like the input, step by step."""
        x = np.ascontiguousarray(x)
        return x if self.as_given else core.nn.rows_to_steps(x, self.offsets, n_threads=n_threads())

    def unpack(self, rows: Array) -> Array:
        """Return an array like the input."""
        return rows if self.as_given else core.nn.steps_to_rows(rows, self.offsets, n_threads=n_threads())


def _check_weights(kind: str, weights: Weights, n_directions: int, n_features: int) -> list[list[Tensor | None]]:
    """Return the weights as tensors; all shapes fit."""
    if len(weights) == 0 or len(weights) % n_directions:
        raise ValueError(f"{len(weights)} sets of weights for layers of {n_directions} directions")
    checked: list[list[Any]] = [list(part) for part in weights]
    first = checked[0][1]
    if any(len(part) != 4 or part[0] is None or part[1] is None for part in checked) or first is None:
        raise ValueError("weights of a direction are W_ih, W_hh, b_ih and b_hh; only the biases may be None")
    hidden = first.shape[-1] if first.ndim == 2 else 0
    rows = _BLOCKS[kind] * hidden
    for i, part in enumerate(checked):
        width = n_features if i < n_directions else n_directions * hidden
        for name, w, shape in zip(
            ("W_ih", "W_hh", "b_ih", "b_hh"), part, ((rows, width), (rows, hidden), (rows,), (rows,)), strict=True
        ):
            if w is not None and w.shape != shape:
                raise ShapeError(
                    f"{name} of layer {i // n_directions} has shape {w.shape}, expected {shape}: {n_features} features "
                    f"in, {hidden} hidden units"
                )
        if (part[2] is None) != (checked[0][2] is None) or (part[3] is None) != (checked[0][2] is None):
            raise ValueError("either all biases are given or none")
    return checked


def _nothing(
    kind: str, x: Tensor, n_features: int, state_shape: tuple[int, ...], parents: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return what comes of no sequences: empty results, gradients of zeros."""
    shapes = [(*x.shape[:-1], n_features), state_shape, state_shape][: 3 if kind == "lstm" else 2]
    zeros = [np.zeros(t.shape, np.float32) for t in parents]
    results = [np.zeros(shape, np.float32) for shape in shapes]
    tensors = record_many(kind, results, parents, lambda *_: zeros)
    return tensors[0], tensors[1], tensors[2] if len(tensors) > 2 else None


def _run(
    kind: str,
    input_: Tensor | Array,
    states: Sequence[Tensor | Array | None],
    weights: Weights,
    p: float,
    bidirectional: bool,
    batch_first: bool,
    lengths: Lengths,
    offsets: Any,
) -> tuple[Tensor, Tensor, Tensor | None]:
    flat = operands(input_, *states, *(w for part in weights for w in part))
    x, started = float_tensor(flat[0], "input"), flat[1 : len(states) + 1]
    given = iter(flat[len(states) + 1 :])
    weights = [[next(given) for _ in part] for part in weights]
    batch: _Padded | _Packed = _Padded(x, batch_first, lengths) if offsets is None else _Packed(x, offsets, lengths)
    directions = 2 if bidirectional else 1
    parts = _check_weights(kind, weights, directions, x.shape[-1])
    n_layers, hidden = len(parts) // directions, parts[0][1].shape[1]  # type: ignore[union-attr]
    if not 0 <= p < 1:
        raise ValueError(f"dropout must be in [0, 1), got {p}")
    state_shape: tuple[int, ...] = (n_layers * directions, *([batch.n_batch] if batch.batched else []), hidden)
    for state in started:
        if state is not None and state.shape != state_shape:
            raise ShapeError(f"hx has shape {state.shape}, expected {state_shape}")

    parents = [x, *(s for s in started if s is not None), *(w for part in parts for w in part if w is not None)]
    keep = grad_enabled() and any(t.requires_grad for t in parents)
    arrays = [[None if w is None else np.ascontiguousarray(w.data) for w in part] for part in parts]
    whole_shape = (n_layers, directions, batch.n_batch, hidden)
    by_layer = [None if s is None else np.ascontiguousarray(s.data).reshape(whole_shape) for s in started]

    if batch.n_batch == 0:
        return _nothing(kind, x, directions * hidden, state_shape, parents)
    rows = batch.pack(x.data)
    layers: list[_Layer] = []
    last: list[tuple[Array, Array | None]] = []
    for i in range(n_layers):
        seed = 0
        if i > 0 and p > 0:
            seed = generator().next_seed()
            rows = core.nn.dropout(rows, None, p=p, seed=seed, n_threads=n_threads())
        before = [None if s is None else s[i] for s in by_layer]
        start = (before[0], before[1] if len(before) > 1 else None)
        y, h_n, c_n, gates, cells = core.nn.recurrent_forward(
            kind,
            rows,
            *start,
            arrays[i * directions : (i + 1) * directions],
            batch.lengths,
            **batch.sizes,
            keep=keep,
            n_threads=n_threads(),
        )
        layers.append(_Layer(rows, start, y, gates, cells, seed))
        last.append((h_n, c_n))
        rows = y

    def backward(dy: Array | None, dh: Array | None = None, dc: Array | None = None) -> Gradients:
        gradients = [None if g is None else np.ascontiguousarray(g).reshape(whole_shape) for g in (dh, dc)]
        packed = None if dy is None else batch.pack(dy)
        state_wanted = any(s is not None and s.requires_grad for s in started)
        learned = [
            any(
                w is not None and w.requires_grad for part in parts[i * directions : (i + 1) * directions] for w in part
            )
            for i in range(n_layers)
        ]
        dstates: list[list[Array]] = [[], []]
        dweights: list[Any] = [None] * len(parts)
        for i in reversed(range(n_layers)):
            layer = layers[i]
            goes_on = x.requires_grad or state_wanted or any(learned[:i])
            if not goes_on and not learned[i]:
                break
            dx, dh0, dc0, dw = core.nn.recurrent_backward(
                kind,
                layer.x,
                *layer.states,
                arrays[i * directions : (i + 1) * directions],
                batch.lengths,
                **batch.sizes,
                y=layer.y,
                gates=layer.gates,
                cells=layer.cells,
                dy=packed,
                dh_n=None if gradients[0] is None else gradients[0][i],
                dc_n=None if gradients[1] is None else gradients[1][i],
                needs_x=x.requires_grad if i == 0 else goes_on,
                needs_states=state_wanted,
                needs_weights=learned[i],
                n_threads=n_threads(),
            )
            for all_layers, one in zip(dstates, (dh0, dc0), strict=True):
                if one is not None:
                    all_layers.insert(0, one)
            dweights[i * directions : (i + 1) * directions] = dw if learned[i] else [None] * directions
            packed = dx
            if i > 0 and p > 0 and packed is not None:
                packed = core.nn.dropout(packed, None, p=p, seed=layer.seed, n_threads=n_threads())
        results: list[Any] = [batch.unpack(packed) if x.requires_grad and packed is not None else None]
        for s, dstate in zip(started, dstates[: len(started)], strict=True):
            if s is not None:
                results.append(np.concatenate(dstate).reshape(s.shape) if s.requires_grad else None)
        for part, dpart in zip(parts, dweights, strict=True):
            for w, dw in zip(part, dpart or [None] * 4, strict=True):
                if w is not None:
                    results.append(dw if w.requires_grad else None)
        return results

    output = batch.unpack(rows)
    results = [output, np.concatenate([h for h, _ in last]).reshape(state_shape)]
    if last[0][1] is not None:
        results.append(np.concatenate([c for _, c in last if c is not None]).reshape(state_shape))
    op = kind.removesuffix("_tanh").removesuffix("_relu")
    tensors = record_many(op, results, parents, backward, saved=parents, output_saved=batch.as_given)
    return tensors[0], tensors[1], tensors[2] if len(tensors) > 2 else None
