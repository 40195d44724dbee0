"""A small convolution network on the 8 x 8 digits that scikit-learn brings along, and what it gets wrong."""

import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlcore import nn
from mlcore.nn.functional import cross_entropy


def moved(batch, rng):
    """Return the images shifted by up to one pixel: a digit stays what it is."""
    padded = np.pad(batch[0], ((0, 0), (0, 0), (1, 1), (1, 1)))
    down, right = rng.integers(0, 3, size=2)
    return np.ascontiguousarray(padded[:, :, down : down + 8, right : right + 8]), batch[1]


X, y = load_digits(return_X_y=True)
images = (X.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(images, y, test_size=0.25, random_state=0, stratify=y)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.15, random_state=0, stratify=y_train)

nn.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
    *(nn.Conv2d(32, 64, 3, padding=1, activation="relu"), nn.MaxPool2d(2)),
    *(nn.Conv2d(64, 64, 3, padding=1, activation="relu"), nn.AdaptiveAvgPool2d(2)),
    *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, 10)),
)
print(nn.summary(model, X_train[:1]))
optimizer = nn.optim.AdamW(model.parameters(), lr=2e-3)
options = {"max_epochs": 15, "batch_size": 64, "metrics": "accuracy", "patience": 5, "random_state": 0}
trainer = nn.Trainer(model, cross_entropy, optimizer=optimizer, augment=moved, **options)
start = time.perf_counter()
trainer.fit(X_train, y_train, X_val=X_val, y_val=y_val)
print(f"\n{trainer.epoch} epochs of {len(X_train)} digits in {time.perf_counter() - start:.1f} s")
scores = trainer.predict(X_test)
wrong = np.flatnonzero(scores.argmax(axis=1) != y_test)
print(f"accuracy on {len(X_test)} digits it has not seen: {1 - len(wrong) / len(X_test):.1%} ({len(wrong)} wrong)")

try:
    from matplotlib.figure import Figure

    from mlcore.plotting import plot_history
except ImportError:
    raise SystemExit("matplotlib is not installed: no picture") from None
figure = Figure(figsize=(13, 5), layout="constrained")
left, right = figure.subfigures(1, 2)
plot_history(trainer.history, ax=left.subplots())
for ax, i in zip(right.subplots(2, 4).flat, [*wrong, *range(8)], strict=False):
    ax.imshow(X_test[i, 0], cmap="gray_r")
    ax.set(title=f"{y_test[i]}, read as {scores[i].argmax()}", xticks=[], yticks=[])
figure.savefig("digits_cnn.png", dpi=120)
print("Loss, and what it got wrong:", Path("digits_cnn.png").resolve())
