"""Training of a network of sequences: batches by tokens, Adam with warm-up, and a safe end."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from mlcore._warnings import warn
from mlcore.nn import optim
from mlcore.nn.tensor import no_grad
from mlcore.nn.training._averaging import CheckpointAverage
from mlcore.nn.training._history import History
from mlcore.nn.training._token_batches import TokenBatches
from mlcore.nn.training._trainer import Trainer
from mlcore.seq._network import SequenceNetwork, inputs_and_labels
from mlcore.seq._packed import Packed

Pairs = tuple[Packed | None, Packed]
"""Sources, None for language models, and targets."""

_MOST_TOKENS, _FEWEST_TOKENS, _BATCHES = 4096, 64, 50
"""Of a batch that is chosen by itself; of an epoch, where that leaves so many."""

_SAMPLE = 8192
"""Tokens of the training that the network is compared with the frequencies on."""

_NOISE = 0.1
"""A loss that is above that of the frequencies by less than this share of log V comes from data without anything to
learn, or from label smoothing."""


def batches_of(pairs: Pairs, batch_tokens: int | str, *, shuffle: bool = True) -> TokenBatches:
    """Return batches of `batch_tokens` tokens; "auto": a fiftieth of all, from 64 to 4096."""
    source, target = pairs
    if batch_tokens == "auto":
        sizes = target.lengths if source is None else np.maximum(source.lengths, target.lengths)
        batch_tokens = min(max(int(sizes.sum()) // _BATCHES, _FEWEST_TOKENS), _MOST_TOKENS)
    return TokenBatches([source, target], int(batch_tokens), shuffle=shuffle)


def log_frequencies(ids: NDArray[np.int64], n_tokens: int) -> NDArray[np.float64]:
    """Return the logarithm of the frequency of each token, shape (V,); each is counted once more.

    Those that are not there have what one in a hundred tokens more would give them.
    """
    counts = np.bincount(ids, minlength=n_tokens).astype(np.float64)
    counts += np.where(counts > 0, 1.0, 0.01)
    logs: NDArray[np.float64] = np.log(counts / counts.sum())
    return logs


def adam(parameters: Any, learning_rate: float, max_norm: float | None) -> optim.Optimizer:
    """Return Adam as Vaswani et al. set it."""
    return optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.98), eps=1e-9, max_norm=max_norm)


def warm_up(warmup_steps: int | None) -> Callable[[optim.Optimizer, int], optim.Schedule]:
    """Return the schedule of so many steps of warm-up; None: a tenth of all steps, at most 4000."""

    def schedule(optimizer: optim.Optimizer, n_steps: int) -> optim.Schedule:
        steps = min(max(n_steps // 10, 1), 4000) if warmup_steps is None else warmup_steps
        return optim.InverseSqrtLR(optimizer, steps)

    return schedule


def average_of(average_last: int | None, max_epochs: int) -> CheckpointAverage | None:
    """Return the average over the last epochs; None: of a fifth of them, at most 5."""
    n_last = min(5, max_epochs // 5) if average_last is None else average_last
    return CheckpointAverage(n_last) if n_last > 1 else None


def epochs_for(n_steps: int, chosen: int | None, automatic: tuple[int, int, int]) -> int:
    """Return how many epochs of `n_steps` steps are to be done.

    Those that were chosen; None: of `automatic` the epochs, or more of them for so many steps, but so many at most.
    """
    if chosen is not None:
        return int(chosen)
    epochs, steps, most = automatic
    return min(max(epochs, -(-steps // n_steps)), most)


def go_on(trainer: Trainer, history: History, n_epochs: int) -> None:
    """Let a trainer do so many epochs more than a history has."""
    trainer.history, trainer.epoch = history, len(history)
    trainer.max_epochs = len(history) + n_epochs


def former_history(estimator: Any, *, continuing: bool) -> History:
    """Return a copy of the history that a fit goes on with, or an empty one."""
    history = History()
    if continuing:
        history.load_state_dict(copy.deepcopy(estimator.history_.state_dict()))
    return history


def some_of(lengths: NDArray[np.int64], n_tokens: int) -> NDArray[np.intp]:
    """Return sequences that have about so many tokens together, from all over the data, in order."""
    spread = np.random.Generator(np.random.Philox(0)).permutation(len(lengths))
    n = max(1, int(np.searchsorted(np.cumsum(lengths[spread]), n_tokens)))
    rows: NDArray[np.intp] = np.sort(spread[:n])
    return rows


def train_step(network: Any, batch: Any) -> Any:
    """What a trainer does with a batch."""
    return network.loss(*batch)


def mean_loss(network: SequenceNetwork, batches: TokenBatches) -> float:
    """Return the loss of a network that evaluates, over all batches, by token."""
    total, n_tokens = 0.0, 0
    with no_grad():
        for batch in batches.epoch(0, 0):
            loss, n = network.loss(*batch)
            total, n_tokens = total + n * float(loss.item()), n_tokens + n
    return total / max(n_tokens, 1)


def fall_back_to_frequencies(
    network: SequenceNetwork, pairs: Pairs, log_p: NDArray[np.float64], batch_tokens: int, name: str
) -> None:
    """Let the network give each token its frequency, where training has not brought it to less loss than that."""
    source, target = pairs
    rows = some_of(target.lengths, _SAMPLE)
    sample = (None if source is None else source.take(rows), target.take(rows))
    end = mean_loss(network, batches_of(sample, batch_tokens, shuffle=False))
    constant = -float(log_p[inputs_and_labels(sample[1])[1]].mean())
    if end <= constant:
        return
    network.write_frequencies(log_p)
    if not end <= constant + _NOISE * math.log(len(log_p)):
        warn(
            f"{name} did not get below the loss of the frequencies of the tokens ({end:.4g} after training, "
            f"{constant:.4g} for those), and writes by them now. A smaller learning_rate or more warmup_steps may help",
            ConvergenceWarning,
        )


def check_cut(n_cut: int, n: int, max_length: int, what: str) -> None:
    """Warn once of what is longer than `max_length`."""
    if n_cut:
        warn(f"{n_cut} of {n} {what} are longer than max_length={max_length} tokens, and are cut there", UserWarning)
