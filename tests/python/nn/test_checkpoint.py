"""Checkpoints: a run that is killed goes on as if it had not been."""

import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from mlcore.nn import _runtime, optim
from mlcore.nn.functional._cross_entropy import cross_entropy
from mlcore.nn.layers._containers import Sequential
from mlcore.nn.layers._linear import Linear
from mlcore.nn.layers._module import Module
from mlcore.nn.tensor import Tensor
from mlcore.nn.training._averaging import EMA, SWA, CheckpointAverage
from mlcore.nn.training._checkpoint import read_checkpoint, write_checkpoint
from mlcore.nn.training._trainer import Trainer


class Noisy(Module):
    """With random numbers of its own, and a buffer that changes."""

    def __init__(self):
        super().__init__()
        self.body = Sequential(Linear(6, 8, activation="relu"), Linear(8, 3))
        self.register_buffer("n_seen", np.zeros((), np.int64))

    def forward(self, x):
        if self.training:
            x = x + _runtime.generator().numpy().normal(scale=0.1, size=x.shape).astype(np.float32)
            self.n_seen = self.n_seen + len(x)
        return self.body(x)


class KilledError(Exception):
    pass


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6)).astype(np.float32)
    return X, (X @ rng.normal(size=(6, 3))).argmax(axis=1)


def make(path, *, kill_at=None, **options):
    _runtime.manual_seed(0)
    n_seen = 0

    def augment(batch, rng):
        nonlocal n_seen
        n_seen += 1
        if kill_at is not None and n_seen > kill_at:
            raise KilledError
        return batch[0] * rng.uniform(0.9, 1.1), batch[1]

    def augment32(batch, rng):
        x, y = augment(batch, rng)
        return x.astype(np.float32), y

    settings = {
        "optimizer": lambda p: optim.AdamW(p, lr=0.02, max_norm=1.0),
        "schedule": lambda o, n: optim.warmup_cosine(o, 3, n),
        "metrics": "accuracy",
        "batch_size": 16,
        "max_epochs": 5,
        "random_state": 3,
        "augment": augment32,
    }
    return Trainer(Noisy(), cross_entropy, checkpoint=path, **settings | options)


def fit(trainer, **options):
    X, y = data()
    return trainer.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:], **options)


def result(trainer):
    epochs = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in trainer.history.epochs]
    state = {name: value.tobytes() for name, value in trainer.model.state_dict().items()}
    return state, epochs, trainer.history.gradient_flow, trainer.history.best_epoch, trainer.generator.get_state()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"average": "ema", "accumulate": 2},
        {"average": "swa", "schedule": None},
        {"average": "last"},
        {"patience": 2, "schedule_every": "epoch"},
        {"bucket_by_length": np.arange(100) % 7, "optimizer": lambda p: optim.SGD(p, 0.05, 0.9, nesterov=True)},
    ],
    ids=["plain", "ema and accumulation", "swa", "last epochs", "early stopping", "buckets"],
)
@pytest.mark.parametrize("kill_at", [1, 9, 34])
def test_a_run_that_is_cut_goes_on_bit_for_bit(tmp_path, options, kill_at):
    def options_of_run():
        average = {"ema": EMA(0.9), "swa": SWA(1), "last": CheckpointAverage(2)}.get(options.get("average"))
        return options | {"average": average, "checkpoint_every": 2}

    expected = result(fit(make(tmp_path / "whole", **options_of_run())))
    path = tmp_path / "cut"
    with pytest.raises(KilledError):
        fit(make(path, kill_at=kill_at, **options_of_run()))
    assert path.exists() == (kill_at >= 2 * options.get("accumulate", 1))
    assert result(fit(make(path, **options_of_run()), resume=True)) == expected
    assert result(fit(make(path, **options_of_run()), resume=True)) == expected  # one that has ended


def test_a_carried_state_is_in_the_checkpoint(tmp_path):
    class Walk(Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = Linear(6, 6, activation="tanh"), Linear(6, 3)

        def forward(self, x, state):
            state = self.cell(x if state is None else x + state["h"][0])
            return self.head(state), {"h": (state, None)}

    def run(path, cut, resume=False):
        _runtime.manual_seed(0)
        calls = 0

        def step(model, batch, state):
            nonlocal calls
            calls += 1
            if calls == cut:
                raise KilledError
            output, state = model(batch[0], state)
            return cross_entropy(output, batch[1]), state

        X, y = data()
        trainer = Trainer(
            Walk(),
            step=step,
            carry=True,
            shuffle=False,
            batch_size=15,
            checkpoint=path,
            checkpoint_every=1,
            max_epochs=3,
        )
        return trainer.fit(X, y, resume=resume)

    expected = result(run(tmp_path / "whole", None))[:4]
    with pytest.raises(KilledError):
        run(tmp_path / "cut", 16)
    assert result(run(tmp_path / "cut", None, resume=True))[:4] == expected


SCRIPT = """
    import sys, time
    sys.path.insert(0, {folder!r})
    from nn.test_checkpoint import fit, make, result
    trainer = make({path!r}, checkpoint_every=1, max_epochs=60)
    step = trainer.optimizer.step
    trainer.optimizer.step = lambda **options: (time.sleep(0.002), step(**options))
    fit(trainer, resume=True)
"""


def test_kill_and_resume(tmp_path):
    """Killed by the system at moments of chance, again and again, until it is through."""
    path, folder = tmp_path / "run.safetensors", os.path.dirname(__file__)  # noqa: PTH120
    script = textwrap.dedent(SCRIPT.format(folder=folder, path=str(path)))
    for seconds in (0.3, 0.1):
        process = subprocess.Popen([sys.executable, "-c", script])
        deadline = time.monotonic() + 60
        while not path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if path.exists():
            read_checkpoint(path)  # whole at any moment
    resumed = fit(make(path, checkpoint_every=50, max_epochs=60), resume=True)
    whole = fit(make(tmp_path / "whole", max_epochs=60))
    assert result(resumed) == result(whole)


def test_what_a_resumed_run_shows(tmp_path, capsys, caplog):
    fit(make(tmp_path / "run", max_epochs=2))
    with caplog.at_level(logging.INFO, logger="mlcore"):
        fit(make(tmp_path / "run", max_epochs=4, verbose=2), resume=True)
    assert [record.getMessage().split("  ")[0] for record in caplog.records] == ["Noisy 3/4", "Noisy 4/4"]
    fit(make(tmp_path / "run", max_epochs=5, verbose=1), resume=True)
    done, total = re.findall(r"(\d+)/(\d+)", capsys.readouterr().err)[-1]
    assert done == total


def test_another_run_is_refused(tmp_path):
    path = tmp_path / "run"
    fit(make(path))
    with pytest.raises(ValueError, match=r"another kind of run.*average"):
        fit(make(path, average=EMA()), resume=True)
    _runtime.manual_seed(0)
    other = Trainer(Sequential(Linear(6, 3)), cross_entropy, checkpoint=path, schedule=lambda o, n: optim.StepLR(o, n))
    with pytest.raises(ValueError, match="missing"):
        other.fit(*data(), resume=True)
    with pytest.raises(ValueError, match="resume=True needs a checkpoint"):
        Trainer(Noisy(), cross_entropy).fit(*data(), resume=True)
    with pytest.raises(ValueError, match="checkpoint_every needs a checkpoint"):
        Trainer(Noisy(), cross_entropy, checkpoint_every=1)
    with pytest.raises(FileNotFoundError, match=r"folder of checkpoint .*none.run does not exist"):  # before it trains
        Trainer(Noisy(), cross_entropy, checkpoint=tmp_path / "none" / "run").fit(*data())


def test_damaged_checkpoints_are_refused(tmp_path):
    path = tmp_path / "run"
    write_checkpoint(path, {"a": [1, (2.0, np.arange(3))], "b": {0: Tensor([1.0]), "inf": float("inf")}})
    state = read_checkpoint(path)
    assert state["a"][0] == 1
    assert state["a"][1][1].tolist() == [0, 1, 2]
    assert isinstance(state["b"][0], Tensor)
    whole = path.read_bytes()
    for n in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"damaged|truncated"):
            read_checkpoint(path)
    path.write_bytes(whole[:-3] + b"\x07" + whole[-2:])
    with pytest.raises(ValueError, match="checksum"):
        read_checkpoint(path)
    from mlcore.nn.layers._serialization import save_weights

    save_weights(Linear(2, 2), path)
    with pytest.raises(ValueError, match="no checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("epoch",), 7),
        (("epoch",), "1"),
        (("n_steps",), -1),
        (("generator", "seed"), 1.5),
        (("history", "epochs"), [3]),
        (("best", "weights"), {"body.0.weight": np.zeros((1, 1), np.float32)}),
        (("best", "n_worse"), None),
        (("within", "sums"), [1]),
        (("flow", "sums"), np.zeros(9)),
        (("optimizer", "param_groups"), []),
        (("optimizer", "param_groups", 0, "lr"), -1.0),
        (("optimizer", "param_groups", 0, "lr"), "fast"),
        (("optimizer", "state", 0, "step"), "many"),
        (("model", "body.0.weight"), np.zeros((2, 2), np.float32)),
        (("model",), 3),
        (("average", "values"), [np.zeros(3, np.float32)]),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(place, value, tmp_path):
    path = tmp_path / "run"
    average = {"average": EMA(0.9)} if place[0] == "average" else {}
    make(path, max_epochs=1, patience=3, **average).fit(*data())
    state = read_checkpoint(path)
    node = state
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    write_checkpoint(path, state)
    trainer = make(path, max_epochs=2, patience=3, **({"average": EMA(0.9)} if average else {}))
    before = trainer.model.state_dict()
    with pytest.raises(ValueError, match=r"\w"):
        trainer.fit(*data(), resume=True)
    for name, values in trainer.model.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    assert len(trainer.history) == 0
    assert trainer.epoch == 0


def test_no_state_at_all(tmp_path):
    write_checkpoint(tmp_path / "run", [1.0])
    with pytest.raises(ValueError, match="its state is a list"):
        read_checkpoint(tmp_path / "run")
