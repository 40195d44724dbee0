"""A whole training run against the same one in PyTorch: equal initial weights, batches, schedule, clipping."""

import numpy as np
import pytest

from mlcore.nn import _runtime, optim
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.training._trainer import Trainer

pytestmark = pytest.mark.peers


def test_loss_curves_agree():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 12)).astype(np.float32)
    y = (X @ rng.normal(size=(12, 4))).argmax(axis=1)
    n_epochs, size = 6, 25
    _runtime.manual_seed(0)
    ours = Sequential(Linear(12, 32, activation="gelu"), Linear(32, 4))
    theirs = torch.nn.Sequential(torch.nn.Linear(12, 32), torch.nn.GELU(), torch.nn.Linear(32, 4))
    places = {"0.weight": 0, "0.bias": 0, "1.weight": 2, "1.bias": 2}
    for name, values in ours.state_dict().items():
        getattr(theirs[places[name]], name.split(".")[1]).data.copy_(torch.tensor(values))

    trainer = Trainer(
        ours,
        cross_entropy,
        optimizer=lambda p: optim.AdamW(p, lr=0.02, max_norm=0.5),
        schedule=optim.CosineAnnealingLR,
        max_epochs=n_epochs,
        batch_size=size,
        shuffle=False,
    ).fit(X, y)

    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs * len(X) // size)
    losses = []
    for _ in range(n_epochs):
        total = 0.0
        for i in range(0, len(X), size):
            loss = torch.nn.functional.cross_entropy(
                theirs(torch.tensor(X[i : i + size])), torch.tensor(y[i : i + size])
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * size
        losses.append(total / len(X))
    np.testing.assert_allclose(trainer.history["loss"], losses, rtol=2e-4)
    for name, p in ours.named_parameters():
        expected = getattr(theirs[places[name]], name.split(".")[1]).detach().numpy()
        np.testing.assert_allclose(p.data, expected, atol=2e-3)
