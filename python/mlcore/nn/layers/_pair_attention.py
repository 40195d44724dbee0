"""Layers whose attention scores are no inner products: AdditiveAttention, NadarayaWatson."""

import math
from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._pair_attention import additive_attention, kernel_regression
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor


class _PairAttention(Module):
    def _averages(self, query: Any, key: Any, value: Any, attn_mask: Any, **options: Any) -> Any:
        raise NotImplementedError

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        attn_mask: Any = None,
        *,
        lengths: Any = None,
        need_weights: bool = False,
        **packing: Any,
    ) -> Any:
        """Average values. Arguments and results: :func:`mlcore.nn.functional.scaled_dot_product_attention`.

        :class:`AdditiveAttention` takes packed sequences as well, by `offsets` and `key_offsets`.
        """
        return self._averages(query, key, value, attn_mask, lengths=lengths, need_weights=need_weights, **packing)


class AdditiveAttention(_PairAttention):
    """Average values by ``softmax(w . tanh(W_q q + W_k k))``, of Bahdanau, Cho and Bengio (ICLR 2015).

    Parameters
    ----------
    query_size, key_size : int
        Lengths of the vectors of queries and of keys.
    hidden_size : int
        Length of what both are projected to.

    Attributes
    ----------
    query_proj, key_proj : Linear
        W_q and W_k, without bias.
    weight : Parameter (hidden_size,)
        w, drawn from U(-s, s) with s = 1 / sqrt(hidden_size).

    Notes
    -----
    `forward` takes `query` (B, Tq, query_size), `key` (B, Tk, key_size), `value` (B, Tk, Dv); or packed rows (Nq,
    query_size), (Nk, key_size), (Nk, Dv) with `offsets` (B + 1,) of the queries and `key_offsets` of the keys, those of
    the queries unless given.
    """

    def __init__(self, query_size: int, key_size: int, hidden_size: int) -> None:
        super().__init__()
        self.query_proj = Linear(query_size, hidden_size, bias=False)
        self.key_proj = Linear(key_size, hidden_size, bias=False)
        bound = 1 / math.sqrt(hidden_size)
        self.weight = Parameter(np.empty(hidden_size, np.float32))
        init.uniform_(self.weight, -bound, bound)

    def _averages(self, query: Any, key: Any, value: Any, attn_mask: Any, **options: Any) -> Any:
        q, k = self.query_proj(query), self.key_proj(key)
        return additive_attention(q, k, value, self.weight, attn_mask, **options)


class NadarayaWatson(_PairAttention):
    """Kernel regression as attention: values averaged by how near their keys are to the query.

    Parameters
    ----------
    kernel : {"learned", "gaussian", "average"}, default="learned"
        A Gaussian kernel whose width is learned; one whose width stays as it is; or none, the plain average.
    width : float, default=1.0
        How narrow the kernel is (at the start): 1 / its standard deviation.

    Attributes
    ----------
    width : Parameter (1,) or buffer (1,)
        Learned or not; absent without a kernel.

    Notes
    -----
    `forward` takes `query` (..., Tq, D), `key` (..., Tk, D), `value` (..., Tk, Dv) and returns (..., Tq, Dv). A learned
    kernel that is trained on its own points would shrink to nothing: hide each point from itself by `attn_mask`.
    Nadaraya, "On estimating regression", 1964; Watson, "Smooth regression analysis", 1964.
    """

    def __init__(self, kernel: str = "learned", width: float = 1.0) -> None:
        super().__init__()
        if kernel not in ("learned", "gaussian", "average"):
            raise ValueError(f"kernel must be 'learned', 'gaussian' or 'average', got {kernel!r}")
        if not math.isfinite(width):
            raise ValueError(f"width must be finite, got {width}")
        self.kernel = kernel
        if kernel == "learned":
            self.width = Parameter([width])
        elif kernel == "gaussian":
            self.register_buffer("width", np.array([width], np.float32))

    def _averages(self, query: Any, key: Any, value: Any, attn_mask: Any, **options: Any) -> Any:
        width: Tensor | None = None if self.kernel == "average" else self.width
        return kernel_regression(query, key, value, width, attn_mask, **options)

    def extra_repr(self) -> str:
        """Return the kernel."""
        return repr(self.kernel)
