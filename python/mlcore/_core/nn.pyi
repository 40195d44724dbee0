# Submodule `nn` of every _core_<level> extension module.
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# ---- matrix products, memory (bind_nn.cpp) ----

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

# ---- activations, arithmetic of arrays (bind_nn_elementwise.cpp) ----

def activation(x: Floats, *, activation: str, slope: float = 0.01, n_threads: int) -> Floats: ...
def activation_backward(
    saved: Floats, dy: Floats, *, activation: str, slope: float = 0.01, n_threads: int
) -> Floats: ...
def add(a: Floats, b: Floats, *, n_threads: int) -> Floats: ...
def mul(a: Floats, b: Floats, *, n_threads: int) -> Floats: ...
def scale(a: Floats, factor: float, *, n_threads: int) -> Floats: ...
def sum_rows(x: Floats, *, n_threads: int) -> Floats: ...

# ---- attention (bind_nn_attention.cpp) ----

def attention(
    q: Floats,
    k: Floats,
    v: Floats,
    out: Floats,
    bias: Floats | None,
    lengths: NDArray[np.int64] | None,
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
    *,
    scale: float,
    causal: bool,
    n_threads: int,
) -> Floats: ...
