"""What estimators with a trained network have in common, whichever the network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.nn.training._history import History

Shapes = dict[str, tuple[int, ...]]
"""Of the weights of a network, by name."""


class Trained:
    """An estimator with the history of its training."""

    history_: History

    @property
    def loss_curve_(self) -> NDArray[np.float64]:
        """Training loss of each epoch, shape (n_iter_,): ``history_["loss"]``."""
        return self.history_["loss"]


def check_epochs(state: dict[str, Any]) -> None:
    """Raise ValueError where `n_iter_` of a state is not the number of epochs of its history."""
    if state["n_iter_"] != len(state["history_"]["epochs"]):
        raise ValueError(f"history_ must have {state['n_iter_']} epochs, got {len(state['history_']['epochs'])}")


def check_shapes(weights: dict[str, NDArray[Any]], shapes: Shapes) -> None:
    """Raise ValueError where weights of a state are not those of its network: before that is built."""
    found = {name: values.shape for name, values in weights.items()}
    if found != shapes:
        name = next(name for name in {**shapes, **found} if shapes.get(name) != found.get(name))
        raise ValueError(f"{name!s:.80} of module_ must have shape {shapes.get(name)}, got {found.get(name)}")
