"""Regression as attention (Nadaraya, Watson): the plain average, a Gaussian kernel, one whose width is learned."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mlcore import nn
from mlcore.nn.optim import SGD

rng = np.random.default_rng(0)


def curve(x):
    """Return what is to be found behind the noise."""
    return 2 * np.sin(x) + x**0.8


x_train = np.sort(rng.uniform(0, 5, (50, 1)), axis=0).astype(np.float32)
y_train = (curve(x_train) + rng.normal(0, 0.5, x_train.shape)).astype(np.float32)
x_test = np.linspace(0, 5, 200, dtype=np.float32)[:, None]

layers = {kernel: nn.NadarayaWatson(kernel) for kernel in ("average", "gaussian", "learned")}
learned, loss = layers["learned"], nn.MSELoss()
optimizer = SGD(learned.parameters(), lr=1.0)
others = ~np.eye(len(x_train), dtype=bool)  # no point may look at its own value
for step in range(61):
    error = loss(learned(x_train, x_train, y_train, others), y_train)
    if step % 20 == 0:
        print(f"step {step:>2}: width {learned.width.item():.2f}, error of points left out {error.item():.3f}")
    optimizer.zero_grad()
    error.backward()
    optimizer.step()

print(f"\n{'kernel':<10}{'width':>6}{'distance to the curve':>23}")
found = {kernel: layer(x_test, x_train, y_train, need_weights=True) for kernel, layer in layers.items()}
for kernel, (prediction, _) in found.items():
    width = "" if kernel == "average" else f"{nn.as_tensor(layers[kernel].width).item():.2f}"
    print(f"{kernel:<10}{width:>6}{np.abs(prediction.data - curve(x_test)).mean():>23.3f}")

if find_spec("matplotlib"):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    from mlcore.plotting import plot_attention

    figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained")
    for column, (kernel, (prediction, weights)) in zip(axes.T, found.items(), strict=True):
        column[0].plot(x_train, y_train, "o", x_test, curve(x_test), "--", x_test, prediction.data)
        column[0].set_title(kernel)
        plot_attention(weights, ax=column[1])
    figure.savefig("attention_regression.png", dpi=120)
    print("\nCurves and heat maps of the weights:", Path("attention_regression.png").resolve())
