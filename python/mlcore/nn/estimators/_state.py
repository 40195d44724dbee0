"""The state of an estimator with a network: what pickle and files hold, and how the network is built again from it."""

from itertools import pairwise
from typing import Any, ClassVar

from mlcore._base import StateMixin
from mlcore._state import FEATURES, Array, Dict, Int, MapOf, Nothing, OneOf, Optional, Sizes, Spec, Tuple
from mlcore.nn._runtime import Generator, random_stream
from mlcore.nn.layers._module import Module
from mlcore.nn.training._history import History
from mlcore.nn.training._trained import Shapes, Trained, check_epochs, check_shapes
from mlcore.nn.training._trainer import Trainer


class NetworkState(Trained, StateMixin):
    """Weights by their names, and the history as numbers, in the place of the network and the History."""

    _private_state: tuple[str, ...] = ("_sizes", "_trainer")
    _state_spec: ClassVar[Spec] = {
        **FEATURES,
        "_sizes": Tuple(Int(1, 2**31 - 1), Int(1, 2**31 - 1)),
        "n_iter_": Int(),
        "history_": Dict(History._state_spec),
        "module_": MapOf(Array("f4", is_finite=True)),
        # What files of versions lack that did not standardize; None where it is switched off.
        "input_center_": Optional(OneOf(Nothing(), Array("f8", ("n_features",), is_finite=True))),
        "input_width_": Optional(OneOf(Nothing(), Array("f8", ("n_features",), low=0, is_finite=True))),
        "input_offset_": Optional(OneOf(Nothing(), Array("f8", ("n_features",), low=-20, high=20, is_finite=True))),
    }
    _SCALES: ClassVar[tuple[str, ...]] = ("input_center_", "input_width_", "input_offset_")
    module: Any
    module_: Module
    history_: History
    _sizes: tuple[int, int]  # inputs, outputs
    _trainer: Trainer  # of partial_fit; in no file, because it holds optimizers and functions of users

    def _layer_sizes(self, n_inputs: int, n_outputs: int) -> list[int]:
        raise NotImplementedError

    def _make_module(self) -> Module:
        raise NotImplementedError

    def _check_state(self, state: dict[str, Any], sizes: Sizes) -> None:
        """Compare the sizes of the layers before any is built."""
        n_inputs, n_outputs = state["_sizes"]
        if n_inputs != sizes["n_features"] or n_outputs != sizes.get("n_classes", n_outputs):
            raise ValueError(f"_sizes {n_inputs, n_outputs} do not fit {sizes['n_features']} features and the classes")
        check_epochs(state)
        if self.module is not None:
            raise ValueError("a file holds no module of your own")
        for what in ("input_", "target_"):
            names = [name for name in self._SCALES if name.startswith(what)]
            if len({state.get(name) is None for name in names}) > 1:
                raise ValueError(f"of {', '.join(names)} all or none must be there")
        shapes: Shapes = {}
        for i, (a, b) in enumerate(pairwise(self._layer_sizes(n_inputs, n_outputs))):
            shapes |= {f"{i}.weight": (b, a), f"{i}.bias": (b,)}
        check_shapes(state["module_"], shapes)

    def _get_state(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "_trainer"}
        if "module_" in state:
            state["module_"] = dict(self.module_.state_dict())
            state["history_"] = self.history_.state_dict()
        return state

    def _set_state(self, state: dict[str, Any]) -> None:
        if "module_" in state and "input_center_" not in state:  # of a version that did not standardize
            state = {"drop_last": False, **state, **dict.fromkeys(self._SCALES), "standardize": False}
        weights, history = state.get("module_"), state.get("history_")
        super()._set_state({name: value for name, value in state.items() if name not in ("module_", "history_")})
        if weights is None or history is None:
            return
        self._sizes = (int(self._sizes[0]), int(self._sizes[1]))
        with random_stream(Generator(0)):
            module = self._make_module()
        module.load_state_dict(weights)
        self.module_, self.history_ = module.eval(), History()
        self.history_.load_state_dict(history)
