"""How a recurrent decoder looks at what was read: additive, dot and general attention over packed rows."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn import functional as F
from mlcore.nn import init
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor

ATTENTIONS = ("additive", "dot", "general")


class RecurrentAttention(Module):
    """Averages of what was read, by how well each row fits the state of a decoder, and what becomes of both.

    With the state h of the decoder after its step and the rows m_j of the source, the weights p_j are the softmax of
    ``score(h, m_j)`` over j, and the result is ``tanh(W_h h + b + sum_j p_j W_c m_j)``: the ``tanh(W [h; c])`` of Luong
    et al., with the rows projected before they are averaged, once a source. The score is ``w . tanh(W_q h + W_k m_j)``
    (additive), ``h . m_j`` (dot) or ``h . W_k m_j`` (general).

    Parameters
    ----------
    score : {"additive", "dot", "general"}
        The first of Bahdanau, Cho and Bengio (ICLR 2015), the others of Luong, Pham and Manning (EMNLP 2015).
    hidden_size : int
        H, features of a state and of the result.
    memory_size : int
        M, features of a row of the source; H for "dot".

    Attributes
    ----------
    query_proj : Linear or None
        W_q (H, H), additive alone.
    key_proj : Linear or None
        W_k (H, M); None for dot.
    weight : Parameter (H,) or None
        w, additive alone; drawn from U(-s, s) with s = 1 / sqrt(H).
    state_proj, value_proj : Linear
        W_h (H, H) with b, and W_c (H, M).
    """

    def __init__(self, score: str, hidden_size: int, memory_size: int) -> None:
        super().__init__()
        if score not in ATTENTIONS:
            raise ValueError(f"attention must be None, 'additive', 'dot' or 'general', got {score!r}")
        if score == "dot" and memory_size != hidden_size:
            raise ValueError(f"attention by 'dot' needs rows of {hidden_size} features, got {memory_size}")
        self.score = score
        self.query_proj = Linear(hidden_size, hidden_size, bias=False) if score == "additive" else None
        self.key_proj = None if score == "dot" else Linear(memory_size, hidden_size, bias=False)
        self.register_parameter("weight", None)
        if score == "additive":
            bound = 1 / math.sqrt(hidden_size)
            self.weight = Parameter(np.empty(hidden_size, np.float32))
            init.uniform_(self.weight, -bound, bound)
        self.state_proj = Linear(hidden_size, hidden_size)
        self.value_proj = Linear(memory_size, hidden_size, bias=False)

    def read(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (N, H) of the rows (N, M) of sources: once, however many steps look at them."""
        return memory if self.key_proj is None else self.key_proj(memory), self.value_proj(memory)

    def forward(
        self, states: Tensor, read: tuple[Tensor, Tensor], offsets: Any, memory_offsets: Any
    ) -> tuple[Tensor, list[NDArray[np.float32]]]:
        """Look at the sources.

        Parameters
        ----------
        states : Tensor (Nq, H)
            Of the decoder, sequence by sequence.
        read : pair of Tensors (N, H)
            Keys and values of the sources, of :meth:`read`.
        offsets, memory_offsets : int64 arrays (B + 1,)
            Where each sequence begins among the states, and among the rows of the sources.

        Returns
        -------
        Tensor (Nq, H)
            The results.
        list of arrays (Tq, Tk)
            The weights of each sequence.
        """
        keys, values = read
        packing: dict[str, Any] = {"offsets": offsets, "key_offsets": memory_offsets, "need_weights": True}
        if self.query_proj is not None:
            found, weights = F.additive_attention(self.query_proj(states), keys, values, self.weight, **packing)
        else:
            found, weights = F.dot_attention(states, keys, values, **packing)
        linear = self.state_proj
        return F.linear(states, linear.weight, linear.bias, activation="tanh", residual=found), weights

    def extra_repr(self) -> str:
        """Return the score."""
        return repr(self.score)
