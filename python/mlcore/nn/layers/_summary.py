"""summary: the layers of a network as a table, with the shapes that come out of them and what they learn."""

from typing import Any

from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor, no_grad


def _shape_text(output: Any) -> str:
    if isinstance(output, Tensor):
        return str(output.shape)
    if isinstance(output, tuple | list):
        return ", ".join(text for text in map(_shape_text, output) if text)
    return ""


def summary(module: Module, *inputs: Any) -> str:
    """Return a table of all layers: path, class, shape of the output, number of parameters.

    Parameters
    ----------
    module : Module
        The network.
    *inputs : array or Tensor
        One batch as :meth:`Module.forward` takes it, for the shapes; it is run in evaluation mode, and nothing is
        recorded. Without one the column is left out.

    Returns
    -------
    str
        To print. The last line gives the total, trained and frozen.

    Examples
    --------
    >>> import numpy as np
    >>> from mlcore import nn
    >>> net = nn.Sequential(nn.Linear(4, 8, activation="relu"), nn.Linear(8, 3))
    >>> print(nn.summary(net, np.zeros((2, 4), np.float32)))
    layer  class       output  parameters
           Sequential  (2, 3)
    0      Linear      (2, 8)          40
    1      Linear      (2, 3)          27
    67 parameters, 67 of them trained
    """
    shapes: dict[int, str] = {}
    layers = list(module.named_modules())
    if inputs:
        removers = [
            layer.register_forward_hook(lambda m, _, output: shapes.update({id(m): _shape_text(output)}))
            for _, layer in layers
        ]
        modes = [(layer, layer.training) for _, layer in layers]
        try:
            module.eval()
            with no_grad():
                module(*inputs)
        finally:
            for remove in removers:
                remove()
            for layer, mode in modes:
                object.__setattr__(layer, "training", mode)
    rows = [("layer", "class", "output", "parameters")]
    for path, layer in layers:
        own = sum(p.size for p in layer._parameters.values() if p is not None)
        rows.append((path, type(layer).__name__, shapes.get(id(layer), ""), f"{own:,}" if own else ""))
    if not inputs:
        rows = [(row[0], row[1], row[3]) for row in rows]  # type: ignore[misc]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.rjust(width) if i == len(row) - 1 else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    total = sum(p.size for p in module.parameters())
    trained = sum(p.size for p in module.parameters() if p.requires_grad)
    return "\n".join([*lines, f"{total:,} parameters, {trained:,} of them trained"])
