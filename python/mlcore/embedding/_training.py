"""The loop of Word2Vec around the core's trainer: epochs, slices of them, losses, progress."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlcore._native import core
from mlcore._progress import Progress

_SLICE_SECONDS = 1.0
"""Time between two updates of a bar when several threads train: they wait for each other there."""
_SLICE_PIECES = 8
"""Pieces of a slice when one thread trains: always the same, so that sums of losses have the same bits in every run."""


@dataclass
class Task:
    """All that a run of training needs; see `train`."""

    model: "core.embedding.Word2VecModel"
    corpus: "core.embedding.TextCorpus | core.embedding.IdCorpus"
    epochs: int
    alpha: float
    min_alpha: float
    n_threads: int
    verbose: int
    name: str


@dataclass
class _Epoch:
    """Sums over what an epoch has seen so far."""

    loss: float = 0.0
    terms: int = 0
    words: int = 0
    start: float = field(default_factory=time.perf_counter)

    @property
    def mean_loss(self) -> float:
        return self.loss / self.terms if self.terms else math.nan

    @property
    def words_per_second(self) -> float:
        return self.words / max(time.perf_counter() - self.start, 1e-9)


def train(task: Task) -> list[float]:
    """Train the model on all pieces of the corpus `epochs` times.

    Returns
    -------
    list of float
        Mean loss of each epoch: by pair of words for skip-gram, by window for CBOW; NaN for one without any window.
    """
    shows_words = task.verbose == 1
    n_words = task.corpus.n_tokens
    total, unit = (n_words * task.epochs, " words") if shows_words else (task.epochs, "it")
    losses = []
    with Progress(total, task.verbose, task.name, unit=unit) as progress:
        for number in range(task.epochs):
            epoch = _Epoch()
            for words in _slices(task, number, epoch):
                if shows_words:
                    progress.update(words, loss=epoch.mean_loss, alpha=_alpha(task, number, epoch.words / n_words))
            losses.append(epoch.mean_loss)
            if not shows_words:
                progress.update(
                    loss=epoch.mean_loss,
                    words_per_second=epoch.words_per_second,
                    alpha=_alpha(task, number, 1.0),
                    seconds_left=(task.epochs - 1 - number) * n_words / epoch.words_per_second,
                )
    return losses


def _slices(task: Task, number: int, epoch: _Epoch) -> Iterator[int]:
    """Run an epoch slice by slice, add each to `epoch` and yield its words."""
    n_pieces, first = task.corpus.n_pieces, 0
    # Several threads run an epoch in one go, or as far as a bar can wait.
    size = _SLICE_PIECES if task.n_threads == 1 else 4 * task.n_threads if task.verbose == 1 else n_pieces
    while first < n_pieces:
        last = min(first + size, n_pieces)
        began = time.perf_counter()
        loss, terms, words = task.model.train(
            task.corpus,
            epoch=number,
            epochs=task.epochs,
            first_piece=first,
            last_piece=last,
            alpha=task.alpha,
            min_alpha=task.min_alpha,
            n_threads=task.n_threads,
        )
        epoch.loss += loss
        epoch.terms += terms
        epoch.words += words
        yield words
        if task.n_threads > 1:
            rate = (last - first) / max(time.perf_counter() - began, 1e-3)
            size = max(task.n_threads, round(rate * _SLICE_SECONDS))
        first = last


def _alpha(task: Task, epoch: int, share: float) -> float:
    """Learning rate when that share of the epoch is done."""
    return task.alpha + (task.min_alpha - task.alpha) * (epoch + share) / task.epochs
