# Submodule `nn` of every _core_<level> extension module.
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# ---- matrix products, memory (nn/nn.cpp) ----

def matmul(a: Floats, b: Floats, *, n_threads: int) -> Floats: ...
def matmul_batched(a: Floats, b: Floats, *, n_threads: int) -> Floats: ...
def linear(
    x: Floats,
    weight: Floats,
    bias: Floats | None,
    residual: Floats | None,
    *,
    activation: str,
    keep_input: bool,
    n_threads: int,
) -> tuple[Floats, Floats | None]: ...
def empty(shape: Sequence[int]) -> Floats: ...
def idle_bytes() -> int: ...
def release_memory() -> None: ...

# ---- activations, arithmetic of arrays (nn/elementwise.cpp) ----

def activation(x: Floats, *, activation: str, slope: float = 0.01, n_threads: int) -> Floats: ...
def activation_backward(
    saved: Floats, dy: Floats, *, activation: str, slope: float = 0.01, n_threads: int
) -> Floats: ...
def add(a: Floats, b: Floats, *, n_threads: int) -> Floats: ...
def mul(a: Floats, b: Floats, *, n_threads: int) -> Floats: ...
def scale(a: Floats, factor: float, *, out: Floats | None = None, n_threads: int) -> Floats: ...
def sum_rows(x: Floats, *, n_threads: int) -> Floats: ...
def sum_axis(x: Floats, *, factor: float = 1.0, n_threads: int) -> Floats: ...
def cumulate(x: Floats, *, backwards: bool = False, n_threads: int) -> Floats: ...

# ---- attention (nn/attention.cpp) ----

def attention(
    q: Floats,
    k: Floats,
    v: Floats,
    out: Floats,
    bias: Floats | None,
    lengths: NDArray[np.int64] | None,
    offsets: NDArray[np.int64] | None,
    key_offsets: NDArray[np.int64] | None,
    *,
    scale: float,
    causal: bool,
    dropout: float,
    seed: int,
    n_threads: int,
) -> Floats: ...
def attention_backward(
    q: Floats,
    k: Floats,
    v: Floats,
    out: Floats,
    log_sums: Floats,
    dout: Floats,
    dq: Floats | None,
    dk: Floats | None,
    dv: Floats | None,
    bias: Floats | None,
    lengths: NDArray[np.int64] | None,
    offsets: NDArray[np.int64] | None,
    key_offsets: NDArray[np.int64] | None,
    *,
    scale: float,
    causal: bool,
    dropout: float,
    seed: int,
    needs_dscores: bool,
    n_threads: int,
) -> Floats | None: ...
def attention_weights(
    q: Floats,
    k: Floats,
    v: Floats,
    log_sums: Floats,
    bias: Floats | None,
    lengths: NDArray[np.int64] | None,
    offsets: NDArray[np.int64] | None,
    key_offsets: NDArray[np.int64] | None,
    *,
    scale: float,
    causal: bool,
    n_threads: int,
) -> Floats: ...

# ---- attention whose weights are kept (nn/pair_attention.cpp) ----

def pair_attention(
    score: str,
    a: Floats,
    c: Floats,
    w: Floats | None,
    v: Floats,
    bias: Floats | None,
    lengths: NDArray[np.int64] | None,
    offsets: NDArray[np.int64] | None,
    key_offsets: NDArray[np.int64] | None,
    *,
    n_threads: int,
) -> tuple[Floats, Floats]: ...
def pair_attention_backward(
    score: str,
    a: Floats,
    c: Floats,
    w: Floats | None,
    v: Floats,
    bias: Floats | None,
    lengths: NDArray[np.int64] | None,
    offsets: NDArray[np.int64] | None,
    key_offsets: NDArray[np.int64] | None,
    weights: Floats,
    dout: Floats,
    *,
    needs: Sequence[bool],
    n_threads: int,
) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None, Floats]: ...

# ---- positions (nn/positions.cpp) ----

def add_positions(x: Floats, table: Floats, offsets: NDArray[np.int64], *, scale: float, n_threads: int) -> Floats: ...
def position_gradients(dy: Floats, offsets: NDArray[np.int64], *, n_positions: int, n_threads: int) -> Floats: ...
def rotate(
    x: Floats,
    cosines: Floats,
    sines: Floats,
    places: NDArray[np.int64] | None,
    out: Floats,
    *,
    back: bool,
    n_threads: int,
) -> None: ...

# ---- recurrent layers (nn/recurrent.cpp) ----

def pack_sequences(x: Floats, lengths: NDArray[np.int64] | None, *, n_threads: int) -> Floats: ...
def unpack_sequences(
    packed: Floats,
    lengths: NDArray[np.int64] | None,
    *,
    n_batch: int,
    n_steps: int,
    batch_first: bool,
    n_threads: int,
) -> Floats: ...
def rows_to_steps(rows: Floats, offsets: NDArray[np.int64], *, n_threads: int) -> Floats: ...
def steps_to_rows(steps: Floats, offsets: NDArray[np.int64], *, n_threads: int) -> Floats: ...
def recurrent_forward(
    kind: str,
    x: Floats,
    h0: Floats | None,
    c0: Floats | None,
    weights: Sequence[Sequence[Floats | None]],
    lengths: NDArray[np.int64] | None,
    *,
    n_batch: int,
    n_steps: int,
    keep: bool,
    n_threads: int,
) -> tuple[Floats, Floats, Floats | None, Floats | None, Floats | None]: ...
def recurrent_backward(
    kind: str,
    x: Floats,
    h0: Floats | None,
    c0: Floats | None,
    weights: Sequence[Sequence[Floats | None]],
    lengths: NDArray[np.int64] | None,
    *,
    n_batch: int,
    n_steps: int,
    y: Floats,
    gates: Floats | None,
    cells: Floats | None,
    dy: Floats | None,
    dh_n: Floats | None,
    dc_n: Floats | None,
    needs_x: bool,
    needs_states: bool,
    needs_weights: bool,
    n_threads: int,
) -> tuple[
    Floats | None,
    Floats | None,
    Floats | None,
    list[tuple[Floats, Floats, Floats | None, Floats | None]],
]: ...

# ---- optimizers (nn/optim.cpp) ----

def optimizer_step(
    parameters: Sequence[Floats],
    gradients: Sequence[Floats],
    rows: Sequence[NDArray[np.int64] | None],
    velocities: Sequence[Floats],
    squares: Sequence[Floats],
    extras: Sequence[Floats],
    steps: Sequence[int],
    *,
    rule: str,
    learning_rate: float,
    momentum: float = 0.0,
    damping: float = 0.0,
    rho: float = 0.0,
    beta1: float = 0.0,
    beta2: float = 0.0,
    epsilon: float = 0.0,
    amsgrad: bool = False,
    centred: bool = False,
    is_decoupled: bool = False,
    share_of_gradient: float = 0.0,
    share_of_velocity: float = 1.0,
    weight_decay: float = 0.0,
    gradient_scale: float = 1.0,
    clip_value: float = ...,
    n_threads: int,
) -> None: ...
def square_sums(arrays: Sequence[Floats], *, n_threads: int) -> NDArray[np.float64]: ...
def blend(targets: Sequence[Floats], sources: Sequence[Floats], *, weight: float, n_threads: int) -> None: ...

# ---- convolution, pooling, batch norm (nn/convolution.cpp) ----

Spans = tuple[NDArray[np.int64], NDArray[np.int64], Floats]  # begins, ends, divisors

def convolution(
    x: Floats,
    weight: Floats,
    bias: Floats | None,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    activation: str,
    keep_input: bool,
    n_threads: int,
) -> tuple[Floats, Floats | None]: ...
def convolution_backward(
    x: Floats,
    weight: Floats,
    dy: Floats,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    wanted: tuple[bool, bool, bool],
    n_threads: int,
) -> tuple[Floats | None, Floats | None, Floats | None]: ...
def max_pool(
    x: Floats,
    *,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_size: Sequence[int],
    n_threads: int,
) -> tuple[Floats, NDArray[np.int32]]: ...
def max_pool_spans(x: Floats, *, rows: Spans, cols: Spans, n_threads: int) -> tuple[Floats, NDArray[np.int32]]: ...
def max_pool_backward(dy: Floats, where: NDArray[np.int32], *, shape: Sequence[int], n_threads: int) -> Floats: ...
def average_pool(x: Floats, *, rows: Spans, cols: Spans, n_threads: int) -> Floats: ...
def average_pool_backward(dy: Floats, *, rows: Spans, cols: Spans, shape: Sequence[int], n_threads: int) -> Floats: ...
def batch_statistics(x: Floats, *, n_threads: int) -> tuple[Floats, Floats]: ...
def batch_normalize(
    x: Floats, mean: Floats, inverse: Floats, weight: Floats | None, bias: Floats | None, *, n_threads: int
) -> Floats: ...
def batch_norm_backward(
    dy: Floats,
    x: Floats,
    mean: Floats,
    inverse: Floats,
    weight: Floats | None,
    *,
    of_batch: bool,
    want_dx: bool,
    n_threads: int,
) -> tuple[Floats | None, Floats, Floats]: ...

# ---- norms, dropout, rows of a table (nn/elementwise.cpp) ----

Ids = NDArray[np.int64]

def layer_norm(
    x: Floats, weight: Floats | None, bias: Floats | None, *, epsilon: float, centered: bool, n_threads: int
) -> tuple[Floats, Floats | None, Floats]: ...
def layer_norm_backward(
    x: Floats,
    dy: Floats,
    mean: Floats | None,
    rstd: Floats,
    weight: Floats | None,
    *,
    want_input: bool,
    want_weight: bool,
    want_bias: bool,
    n_threads: int,
) -> tuple[Floats | None, Floats | None, Floats | None]: ...
def dropout(x: Floats, residual: Floats | None, *, p: float, seed: int, n_threads: int) -> Floats: ...
def dropout_with_mask(
    x: Floats, residual: Floats | None, *, p: float, seed: int, n_threads: int
) -> tuple[Floats, NDArray[np.int32]]: ...
def dropout_backward(dy: Floats, mask: NDArray[np.int32], *, p: float, n_threads: int) -> Floats: ...
def gaussian_noise(x: Floats, *, std: float, seed: int, n_threads: int) -> Floats: ...
def gather_rows(table: Floats, ids: Ids, *, n_threads: int) -> Floats: ...
def scatter_add_rows(rows: Floats, ids: Ids, *, n_rows: int, skipped: int = -1, n_threads: int) -> Floats: ...

# ---- softmax, losses (nn/softmax.cpp) ----

def softmax(x: Floats, *, n_threads: int) -> Floats: ...
def softmax_backward(y: Floats, dy: Floats, *, n_threads: int) -> Floats: ...
def log_softmax(x: Floats, *, n_threads: int) -> Floats: ...
def log_softmax_backward(y: Floats, dy: Floats, *, n_threads: int) -> Floats: ...
def logsumexp(x: Floats, *, n_threads: int) -> Floats: ...
def logsumexp_backward(x: Floats, dlse: Floats, *, n_threads: int) -> Floats: ...
def cross_entropy(
    x: Floats,
    target: Ids | Floats,
    *,
    class_weight: Floats | None = None,
    row_factor: Floats | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    gamma: float = 0.0,
    reduction: str,
    with_gradient: bool,
    n_threads: int,
) -> tuple[Floats, Floats | None]: ...
def linear_cross_entropy(
    x: Floats,
    weight: Floats,
    bias: Floats | None,
    target: Ids,
    *,
    row_factor: Floats | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str,
    want_input: bool,
    want_weight: bool,
    want_bias: bool,
    n_threads: int,
) -> tuple[Floats, Floats | None, Floats | None, Floats | None]: ...
def pointwise_loss(
    x: Floats,
    target: Floats,
    *,
    weight: Floats | None = None,
    positive_weight: Floats | None = None,
    dy: Floats | None = None,
    kind: str,
    beta: float = 1.0,
    gamma: float = 2.0,
    alpha: float = -1.0,
    reduction: str,
    with_gradient: bool,
    n_threads: int,
) -> tuple[Floats, Floats | None]: ...

# ---- networks without a tape (nn/inference.cpp, nn/transformer_decoder.cpp, nn/transformer_encoder.cpp) ----

class StepModel:
    """A network that writes one token after the other."""

    @property
    def n_tokens(self) -> int: ...
    @property
    def n_sources(self) -> int: ...
    def step(self, parents: NDArray[np.int32], tokens: NDArray[np.int32], *, n_threads: int) -> Floats: ...

class TransformerDecoder(StepModel):
    """The decoder of a Transformer, or a language model, without a tape."""

    def __init__(
        self,
        layers: list[dict[str, Floats]],
        embedding: Floats,
        output_weight: Floats,
        *,
        n_heads: int,
        output_bias: Floats | None = None,
        embedding_scale: float = 1.0,
        positions: Floats | str | None = None,
        rotary_base: float = 10000.0,
        final_norm: tuple[Floats | None, Floats | None] | None = None,
        norm_first: bool = False,
        activation: str = "relu",
        epsilon: float = 1e-05,
        quantize: bool = False,
        n_threads: int,
    ) -> None: ...
    def start(self, memory: Floats, offsets: Ids, *, n_threads: int) -> None: ...
    def start_prompts(self, ids: Ids, offsets: Ids, *, n_threads: int) -> None: ...
    @property
    def reads_memory(self) -> bool: ...
    @property
    def n_blocks_in_use(self) -> int: ...

# ---- networks without a tape (nn/transformer_encoder.cpp) ----

class TransformerEncoder:
    def __init__(
        self,
        layers: list[dict[str, Floats]],
        *,
        n_heads: int,
        rotary: bool = False,
        rotary_base: float = 10000.0,
        final_norm: tuple[Floats | None, Floats | None] | None = None,
        norm_first: bool = False,
        activation: str = "relu",
        epsilon: float = 1e-05,
        quantize: bool = False,
        n_threads: int,
    ) -> None: ...
    def __call__(self, rows: Floats, offsets: Ids, *, n_threads: int) -> Floats: ...

# ---- BERT without a tape (nn/bert_encoder.cpp) ----

class BertEncoder:
    def __init__(
        self,
        embeddings: dict[str, Floats],
        layers: list[dict[str, Floats]],
        *,
        n_heads: int,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        dtype: str = "float32",
        exclude: Sequence[str] = [],
        n_threads: int,
    ) -> None: ...
    @property
    def width(self) -> int: ...
    def __call__(
        self,
        ids: Ids,
        types: Ids,
        offsets: Ids,
        *,
        pooling: str | None = None,
        normalize: bool = False,
        n_threads: int,
    ) -> Floats: ...

# ---- tokens written one after the other (nn/search.cpp) ----

def search(
    model: StepModel,
    *,
    begin: int | Ids,
    end: int | None,
    max_length: int | Ids,
    min_length: int = 0,
    length_penalty: float = 0.0,
    method: str = "greedy",
    beam_size: int = 5,
    n_best: int = 1,
    early_stopping: bool | str = False,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    keys: Ids | None = None,
    seed: int = 0,
    n_threads: int,
) -> list[list[tuple[Ids, float, float]]]: ...

# ---- recurrent decoder (nn/recurrent_decoder.cpp) ----

class RecurrentDecoder(StepModel):
    def __init__(
        self,
        cell: str,
        layers: list[dict[str, Any]],
        embedding: Floats,
        output_weight: Floats,
        output_bias: Floats | None = None,
        *,
        attention: str | None = None,
        attention_arrays: dict[str, Any] | None = None,
        input_feeding: bool = False,
        quantize: bool = False,
        n_threads: int,
    ) -> None: ...
    def start(
        self,
        h: Floats,
        c: Floats | None,
        memory: Floats | None,
        offsets: NDArray[np.int64],
        *,
        n_threads: int,
    ) -> None: ...
