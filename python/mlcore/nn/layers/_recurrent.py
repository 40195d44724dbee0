"""RNN, LSTM, GRU: recurrent layers, under PyTorch's names; sequences of different lengths cost no padding."""

import math
import warnings
from typing import Any

import numpy as np

from mlcore.nn import init
from mlcore.nn.functional._recurrent import Weights, gru, lstm, rnn
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.tensor import Tensor


class _Recurrent(Module):
    """What the three share."""

    n_blocks: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if dropout > 0 and num_layers == 1:
            levels = 2 if type(self).__init__ is _Recurrent.__init__ else 3  # names the line that made the layer
            warnings.warn("dropout acts between layers, and there is only one", UserWarning, stacklevel=levels)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        bound, rows = 1 / math.sqrt(hidden_size), self.n_blocks * hidden_size
        for layer, suffix in self._places():
            width = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}  # type: ignore[dict-item]
            for name, shape in shapes.items():
                parameter = Parameter(np.empty(shape, np.float32))
                init.uniform_(parameter, -bound, bound)
                self.register_parameter(f"{name}_{suffix}", parameter)

    def _places(self) -> list[tuple[int, str]]:
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return [(layer, f"l{layer}{direction}") for layer in range(self.num_layers) for direction in directions]

    def _weights(self) -> Weights:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [[self._parameters.get(f"{name}_{suffix}") for name in names] for _, suffix in self._places()]

    def _options(self, lengths: Any, offsets: Any) -> dict[str, Any]:
        return {
            "dropout": self.dropout,
            "training": self.training,
            "bidirectional": self.bidirectional,
            "batch_first": self.batch_first,
            "lengths": lengths,
            "offsets": offsets,
        }

    def extra_repr(self) -> str:
        """Return sizes, and the options that are not the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(_Recurrent):
    """Elman's network: ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`` from step to step, or with the ReLU.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of a step, I, and of a state, H.
    num_layers : int, default=1
        Layers, each of which reads the states of the one below.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Only for :class:`RNN`.
    bias : bool, default=True
        Whether there are b_ih and b_hh.
    batch_first : bool, default=False
        Input and output are (B, T, features) instead of (T, B, features).
    dropout : float in [0, 1), default=0
        Between the layers, while training.
    bidirectional : bool, default=False
        A second set of weights reads each sequence from its end; the states of both are side by side.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ... : Parameter
        (H, I), above the first layer (H, D H) for D directions; (H, H), (H,), (H,). Drawn from U(-s, s) with
        s = 1 / sqrt(H).
    """

    n_blocks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None, lengths: Any = None, offsets: Any = None) -> tuple[Tensor, Tensor]:
        """Return (output, h_n): see :func:`mlcore.nn.functional.rnn`."""
        return rnn(input, hx, self._weights(), nonlinearity=self.nonlinearity, **self._options(lengths, offsets))

    def extra_repr(self) -> str:
        """Return sizes, and the options that are not the default."""
        text = super().extra_repr()
        return text if self.nonlinearity == "tanh" else f"{text}, nonlinearity={self.nonlinearity!r}"


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997): see :func:`mlcore.nn.functional.lstm`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As those of :class:`RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ... : Parameter
        As those of :class:`RNN`, with 4 H rows: gates i, f, g, o.
    """

    n_blocks = 4

    def forward(
        self, input: Any, hx: Any = None, lengths: Any = None, offsets: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return (output, (h_n, c_n)): see :func:`mlcore.nn.functional.lstm`."""
        return lstm(input, hx, self._weights(), **self._options(lengths, offsets))


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al., 2014): see :func:`mlcore.nn.functional.gru`.

    Parameters and attributes are those of :class:`LSTM`, with 3 H rows: r (reset), u (update), n (new).
    """

    n_blocks = 3

    def forward(self, input: Any, hx: Any = None, lengths: Any = None, offsets: Any = None) -> tuple[Tensor, Tensor]:
        """Return (output, h_n): see :func:`mlcore.nn.functional.gru`."""
        return gru(input, hx, self._weights(), **self._options(lengths, offsets))
