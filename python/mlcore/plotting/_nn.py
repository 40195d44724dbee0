"""Plots of networks: what attention looks at, and how far gradients reach."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.plotting._axes import new_axes
from mlcore.plotting._history import history_of
from mlcore.seq._attention import Attention

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_attention(
    weights: Any,
    queries: Sequence[Any] | None = None,
    keys: Sequence[Any] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw attention weights as a heat map: a row for each query, a column for each key.

    Parameters
    ----------
    weights : Tensor, array of shape (Tq, Tk), or Attention
        What an attention layer returns with ``need_weights=True``, of one entry of the batch and one head (or the
        average of the heads); or what ``generate(..., return_attention=True)`` of a model of :mod:`mlcore.seq` returns
        for one text, which knows its labels.
    queries, keys : sequence of length Tq and Tk, default=None
        Labels, such as the words of two sentences. None: those of `weights` if it has some, else positions.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes with the weights as an image

    Raises
    ------
    ValueError
        If the weights are not a finite matrix, or there is not a label for each row and column.
    """
    if isinstance(weights, Attention):
        queries = weights.queries if queries is None else queries
        keys = weights.keys if keys is None else keys
        weights = weights.weights
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"weights of plot_attention must have shape (queries, keys), got {values.shape}: take one entry of the "
            "batch, and one head or the average of all"
        )
    if not np.isfinite(values).all():
        raise ValueError("weights of plot_attention must be finite, but they have NaN or infinity")
    for name, labels, n in (("queries", queries, values.shape[0]), ("keys", keys, values.shape[1])):
        if labels is not None and len(labels) != n:
            raise ValueError(f"{name} of plot_attention must have {n} entries, one for each, got {len(labels)}")
    ax = new_axes(ax)
    image = ax.imshow(values, aspect="auto", cmap="viridis", vmin=0, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="weight")
    for axis, labels, angle in ((ax.yaxis, queries, 0), (ax.xaxis, keys, 90)):
        if labels is not None:
            texts = [str(label) for label in labels]
            axis.set_ticks(range(len(texts)), texts, rotation=angle, fontsize="small", parse_math=False)
    ax.set_xlabel("key")
    ax.set_ylabel("query")
    ax.set_title("Attention weights")
    return ax


def plot_gradient_flow(source: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw the mean norm of the gradient of each layer, a line an epoch from pale to dark.

    Where lines fall towards the first layers gradients vanish; where they rise far they explode.

    Parameters
    ----------
    source : Trainer, History, NeuralClassifier or NeuralRegressor
        Whose training.
    ax : matplotlib Axes or None, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib Axes with a line for each epoch shown, at most ten

    Raises
    ------
    TypeError
        If `source` is no training of a network.
    ValueError
        If no epoch was done.
    """
    history = history_of(source, "plot_gradient_flow")
    if history is None:
        raise TypeError(
            "plot_gradient_flow takes a Trainer, its history, or a fitted network as an estimator, got "
            f"{type(source).__name__}"
        )
    flow = history.gradient_flow
    ax = new_axes(ax)
    layers = list(flow[0])
    shown = sorted({round(i) for i in np.linspace(0, len(flow) - 1, min(len(flow), 10))})
    for epoch in shown:
        norms = [flow[epoch][layer] for layer in layers]
        depth = 0.25 + 0.75 * (epoch + 1) / len(flow)
        label = f"epoch {epoch + 1}" if epoch in (shown[0], shown[-1]) else None
        ax.plot(np.arange(len(layers)), norms, marker="o", color="C0", alpha=depth, label=label)
    if any(norm > 0 for epoch in shown for norm in flow[epoch].values()):
        ax.set_yscale("log")
    ax.set_xticks(np.arange(len(layers)), layers, rotation=90 if len(layers) > 6 else 0)
    ax.set_xlabel("layer")
    ax.set_ylabel("norm of the gradient")
    ax.set_title("Gradient flow")
    ax.legend()
    return ax
