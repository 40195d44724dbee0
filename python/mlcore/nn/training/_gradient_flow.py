"""How gradients flow: their norm by layer, warnings when they vanish or explode, and where a NaN came from."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore._state import Array, Int, MapOf, Number, Spec, check_entries
from mlcore.nn._nested import flat
from mlcore.nn.layers._module import Module, Parameter
from mlcore.nn.optim._optimizer import Optimizer
from mlcore.nn.tensor import Tensor, stored_values

_VANISHING = 1e-6
"""A layer whose gradient is smaller than the largest of all layers by this factor hardly learns."""
_EXPLODING = 1e4
"""A layer whose gradient is longer by this factor than the longest of the first epoch is about to diverge."""
_HUGE = 1e8
"""The same in the first epoch: a gradient that is longer than the weights by this factor."""


class GradientFlowWarning(UserWarning):
    """Gradients vanish or explode on their way through the layers."""


class NonFiniteError(ArithmeticError):
    """A loss or gradient is NaN or infinite; names the layer. Parameters are as before the step."""


class GradientFlow:
    """Mean norms of the gradients of layers over the steps of an epoch.

    Parameters
    ----------
    model : Module
        A layer is a module with parameters of its own; its name is its path.
    optimizer : Optimizer
        Layers without a parameter of it are not judged.
    """

    _state_spec: ClassVar[Spec] = {
        "sums": Array("f8", ("n_layers",)),
        "total": Number(),
        "n_steps": Int(),
        "first": MapOf(Number()),
    }

    def __init__(self, model: Module, optimizer: Optimizer) -> None:
        self.model, self.optimizer = model, optimizer
        named = list(model.named_parameters())
        self.parameters = [p for _, p in named]
        self.layer_of = [name.rpartition(".")[0] or type(model).__name__ for name, _ in named]
        self.layers = list(dict.fromkeys(self.layer_of))
        self._place = np.array([self.layers.index(layer) for layer in self.layer_of], dtype=np.intp)
        self.sums, self.n_steps = np.zeros(len(self.layers)), 0
        self.total = 0.0
        self.first: dict[str, float] = {}
        self._warned: set[str] = set()
        self.warns = True  # estimators switch it off whose users cannot change the layers

    def add(self, parameters: Sequence[Parameter], squares: NDArray[np.float64], scale: float) -> None:
        """Count one step: sums of squares of the gradients of some of the parameters, which are still to be scaled."""
        by_id = {id(p): value for p, value in zip(parameters, squares, strict=True)}
        values = np.array([by_id.get(id(p), 0.0) for p in self.parameters])
        self.sums += scale * np.sqrt(np.bincount(self._place, values, len(self.layers)))
        self.total += scale * math.sqrt(values.sum())
        self.n_steps += 1

    def end_epoch(self) -> tuple[dict[str, float], float]:
        """Return the mean norm by layer and of all together, warn where they are bad, and start again.

        One step alone tells nothing: where the last layer starts at zero, those before it have no gradient in it.
        """
        n, is_telling = max(self.n_steps, 1), self.n_steps > 1 or len(self.first) > 0
        norms = dict(zip(self.layers, (self.sums / n).tolist(), strict=True))
        total = self.total / n
        self.sums[:], self.total, self.n_steps = 0.0, 0.0, 0
        self.first = self.first or (norms if total > 0 else {})
        if is_telling and self.warns:
            self._judge(norms)
        return norms, total

    def state_dict(self) -> dict[str, Any]:
        """Return sums and what later epochs are compared with."""
        return {"sums": self.sums.copy(), "total": self.total, "n_steps": self.n_steps, "first": self.first}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned. Raises ValueError if it is not that."""
        sizes = check_entries(self._state_spec, state, type(self).__name__)
        if sizes["n_layers"] != len(self.layers):
            raise ValueError(f"state is of {sizes['n_layers']} layers, the network has {len(self.layers)}")
        self.sums, self.total, self.n_steps = np.array(state["sums"]), float(state["total"]), int(state["n_steps"])
        self.first = dict(state["first"])

    def _judge(self, norms: dict[str, float]) -> None:
        moved = {id(p) for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad}
        trained = {layer for p, layer in zip(self.parameters, self.layer_of, strict=True) if id(p) in moved}
        largest, at_first = max(norms.values(), default=0.0), max(self.first.values(), default=0.0)
        weights = np.bincount(self._place, [float(np.vdot(p.data, p.data)) for p in self.parameters], len(self.layers))
        vanishing, exploding = [], []
        for layer, weight in zip(self.layers, np.sqrt(weights), strict=True):
            norm = norms[layer]
            if layer not in trained or largest == 0:
                continue
            if norm < _VANISHING * largest:
                vanishing.append(layer)
            elif norm > _HUGE * max(weight, 1.0) or (at_first > 0 and norm > _EXPLODING * at_first):
                exploding.append(layer)
        self._warn(
            vanishing,
            f"vanishes: that of other layers is up to {largest:.3g}. Residual connections, norms between the layers, "
            "or ReLU in place of sigmoid and tanh help; zero are those of ReLUs that no row reaches",
            norms,
        )
        self._warn(
            exploding,
            "explodes. A smaller learning rate, clipping (max_norm of the optimizer) or norms between the layers help",
            norms,
        )

    def _warn(self, layers: list[str], what: str, norms: dict[str, float]) -> None:
        fresh = [layer for layer in layers if layer not in self._warned]
        if fresh:
            self._warned.update(fresh)
            names = ", ".join(f"{layer!r} ({norms[layer]:.3g})" for layer in fresh[:5])
            text = f"the gradient (its norm) of {names}{' and more' * (len(fresh) > 5)} {what}"
            warnings.warn(text, GradientFlowWarning, stacklevel=6)


# ---- where a NaN came from -------------------------------------------------------------------------------------------


def first_nonfinite_layer(model: Module, run: Callable[[], Any]) -> str:
    """Say in which layer the first NaN or infinity stands when `run` calls the model again."""
    for name, p in model.named_parameters():
        if not np.isfinite(p.data).all():
            return f"parameter {name!r} itself is not finite"
    found: list[str] = []

    def hook_of(name: str) -> Callable[[Module, tuple[Any, ...], Any], None]:
        def hook(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
            if found or _is_finite(output):
                return
            label = f"layer {name!r} ({type(module).__name__})" if name else f"the network ({type(module).__name__})"
            given = "its input is finite" if _is_finite(inputs) else "its input was not finite already"
            found.append(f"the first output that is not finite is that of {label}; {given}")

        return hook

    removers = [module.register_forward_hook(hook_of(name)) for name, module in model.named_modules()]
    try:
        run()
    finally:
        for remove in removers:
            remove()
    return found[0] if found else "the outputs of all layers are finite, so it is the loss itself"


def nonfinite_gradients(model: Module) -> list[str]:
    """Return the names of parameters whose gradients are not finite, the nearest to the loss first."""
    bad = []
    for name, p in model.named_parameters():
        gradient = stored_values(p.grad)
        if gradient is not None and not np.isfinite(gradient).all():
            bad.append(name)
    return bad[::-1]


def _is_finite(values: Any) -> bool:
    """Whether all floats within nested tuples, lists and dicts of tensors and arrays are finite."""
    arrays = (value.data if isinstance(value, Tensor) else value for value in flat(values))
    return all(np.isfinite(a).all() for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f")
