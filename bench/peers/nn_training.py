"""Whole trainings beside PyTorch: the same network, initial weights, batches and optimizer, on real data.

Loss curves must agree, the validation figure within 1 %; what is compared is the time of an epoch. No dropout, so that
both see the same numbers. The larger data sets are left out where they are not at hand.
"""

import lzma
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _bench import DATA, machine, parser, table
from sklearn.datasets import load_digits

from mlcore import nn
from mlcore.nn import functional as F

PARTS = ("digits", "usps", "lstm", "transformer")
TF = torch.nn.functional


@dataclass
class Training:
    """One network in both libraries, and its batches."""

    name: str
    ours: nn.Module
    theirs: torch.nn.Module
    batches: list[tuple[np.ndarray, np.ndarray]]
    """Of one epoch: inputs, classes."""
    validation: list[tuple[np.ndarray, np.ndarray]]
    rate: float
    clip: float
    figure: str
    """"accuracy" or "perplexity"."""
    epochs: int


# ---- convolution networks ----


def small_cnn(side: int) -> tuple[nn.Module, torch.nn.Module]:
    def build(lib: Any) -> Any:
        return lib.Sequential(
            lib.Conv2d(1, 16, 3, padding=1),
            lib.ReLU(),
            lib.MaxPool2d(2),
            lib.Conv2d(16, 32, 3, padding=1),
            lib.ReLU(),
            lib.MaxPool2d(2),
            lib.Flatten(),
            lib.Linear(32 * (side // 4) ** 2, 128),
            lib.ReLU(),
            lib.Linear(128, 10),
        )

    return build(nn), build(torch.nn)


def cut(X: np.ndarray, y: np.ndarray, size: int, seed: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    order = np.arange(len(y)) if seed is None else np.random.default_rng(seed).permutation(len(y))
    return [(X[rows], y[rows]) for rows in (order[i : i + size] for i in range(0, len(y), size))]


def digits() -> Iterator[Training]:
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    batches, validation = cut(X[:1400], y[:1400], 64, seed=0), cut(X[1400:], y[1400:], 256)
    yield Training("digits, small CNN", *small_cnn(8), batches, validation, 1e-3, 0, "accuracy", 10)


def usps() -> Iterator[Training]:
    if not (path := DATA / "svm" / "usps.npz").exists():
        return
    data = np.load(path)
    X, y = data["X_train"].reshape(-1, 1, 16, 16), data["y_train"].astype(np.int64)
    Xv, yv = data["X_test"].reshape(-1, 1, 16, 16), data["y_test"].astype(np.int64)
    batches, validation = cut(X, y, 64, seed=0), cut(Xv, yv, 256)
    yield Training("USPS, small CNN", *small_cnn(16), batches, validation, 1e-3, 0, "accuracy", 5)


# ---- language models ----


class LSTMModel(nn.Module):
    """Embedding, two layers of LSTM, linear; the state goes from batch to batch."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.lstm = nn.LSTM(size, size, num_layers=2, batch_first=True)
        self.output = nn.Linear(size, vocabulary)
        self.state: Any = None

    def forward(self, ids: np.ndarray) -> nn.Tensor:
        y, state = self.lstm(self.embedding(ids), self.state)
        self.state = tuple(s.detach() for s in state)
        return self.output(y)


class LSTMPeer(torch.nn.Module):
    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, size)
        self.lstm = torch.nn.LSTM(size, size, num_layers=2, batch_first=True)
        self.output = torch.nn.Linear(size, vocabulary)
        self.state: Any = None

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        y, state = self.lstm(self.embedding(ids), self.state)
        self.state = tuple(s.detach() for s in state)
        return self.output(y)


class TransformerModel(nn.Module):
    """Embedding and learned positions, causal layers with the norm first, linear."""

    def __init__(self, vocabulary: int, size: int, heads: int, layers: int, steps: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.position = nn.Embedding(steps, size)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(size, heads, 4 * size, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size)
        self.output = nn.Linear(size, vocabulary)

    def forward(self, ids: np.ndarray) -> nn.Tensor:
        x = self.embedding(ids) + self.position(np.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x, is_causal=True)
        return self.output(self.norm(x))


class TransformerPeer(torch.nn.Module):
    def __init__(self, vocabulary: int, size: int, heads: int, layers: int, steps: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, size)
        self.position = torch.nn.Embedding(steps, size)
        self.layers = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(size, heads, 4 * size, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = torch.nn.LayerNorm(size)
        self.output = torch.nn.Linear(size, vocabulary)
        self.register_buffer("mask", torch.nn.Transformer.generate_square_subsequent_mask(steps), persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids) + self.position(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x, src_mask=self.mask[: ids.shape[1], : ids.shape[1]], is_causal=True)
        return self.output(self.norm(x))


def treebank() -> tuple[np.ndarray, np.ndarray, int] | None:
    """Word ids of the training and the validation text, size of the vocabulary."""
    texts = []
    for name in ("train", "valid"):
        if not (path := DATA / "lm" / f"ptb.{name}.txt.xz").exists():
            return None
        texts.append(lzma.decompress(path.read_bytes()).decode().replace("\n", " <eos> ").split())
    ids = {word: i for i, word in enumerate(sorted(set(texts[0])))}
    train, valid = (np.array([ids[word] for word in text if word in ids]) for text in texts)
    return train, valid, len(ids)


def streams(text: np.ndarray, rows: int, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """`rows` pieces of the text side by side, `steps` words at a time; the next words as classes."""
    length = (len(text) - 1) // rows
    x, y = text[: rows * length].reshape(rows, length), text[1 : rows * length + 1].reshape(rows, length)
    starts = range(0, length - steps + 1, steps)
    return [(np.ascontiguousarray(x[:, i : i + steps]), np.ascontiguousarray(y[:, i : i + steps])) for i in starts]


def lstm() -> Iterator[Training]:
    if (data := treebank()) is None:
        return
    train, valid, vocabulary = data
    models = LSTMModel(vocabulary, 256), LSTMPeer(vocabulary, 256)
    batches, validation = streams(train, 32, 35), streams(valid, 32, 35)
    yield Training("Penn Treebank, LSTM 2 x 256", *models, batches, validation, 2e-3, 0.5, "perplexity", 1)


def transformer() -> Iterator[Training]:
    if (data := treebank()) is None:
        return
    train, valid, vocabulary = data
    shape = (vocabulary, 128, 4, 4, 64)
    models = TransformerModel(*shape), TransformerPeer(*shape)
    order = np.random.default_rng(0)
    batches, validation = streams(train, 32, 64), streams(valid, 32, 64)
    batches = [batches[i] for i in order.permutation(len(batches))]
    yield Training(
        "Penn Treebank, causal Transformer 4 x 128", *models, batches, validation, 1e-3, 1.0, "perplexity", 1
    )


# ---- the loop ----


@dataclass
class Result:
    seconds: float
    losses: list[float]
    figure: float


@dataclass
class Library:
    """What the loop takes from a library; the rest has the same names in both."""

    optim: Any
    cross_entropy: Callable[..., Any]
    clip: Callable[..., Any]
    no_grad: Callable[[], Any]
    tensor: Callable[[np.ndarray], Any]
    """From an array to what the network takes."""


OURS = Library(nn.optim, F.cross_entropy, nn.optim.clip_grad_norm_, nn.no_grad, lambda array: array)
THEIRS = Library(torch.optim, TF.cross_entropy, torch.nn.utils.clip_grad_norm_, torch.no_grad, torch.from_numpy)


def train(work: Training, model: Any, library: Library, epochs: int) -> Result:
    batches, validation = (
        [(library.tensor(x), library.tensor(y)) for x, y in data] for data in (work.batches, work.validation)
    )
    optimizer = library.optim.AdamW(model.parameters(), lr=work.rate)
    losses, seconds = [], 0.0
    for _ in range(epochs):
        model.state = None
        start = time.perf_counter()
        for x, y in batches:
            optimizer.zero_grad()
            logits = model(x)
            loss = library.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
            loss.backward()
            if work.clip:
                library.clip(model.parameters(), work.clip)
            optimizer.step()
            losses.append(loss.item())
        seconds += time.perf_counter() - start
    model.eval()
    model.state = None
    total, right, n = 0.0, 0, 0
    with library.no_grad():
        for x, y in validation:
            logits = model(x)
            flat, labels = logits.reshape(-1, logits.shape[-1]), y.reshape(-1)
            total += library.cross_entropy(flat, labels).item() * len(labels)
            right += int((flat.data.argmax(1) == labels).sum())
            n += len(labels)
    return Result(seconds / epochs, losses, right / n if work.figure == "accuracy" else math.exp(total / n))


def compare(work: Training, epochs: int) -> list[Any]:
    work.ours.load_state_dict({name: values.numpy() for name, values in work.theirs.state_dict().items()})
    ours, theirs = train(work, work.ours, OURS, epochs), train(work, work.theirs, THEIRS, epochs)
    curves = [np.convolve(r.losses, np.ones(20) / 20, "valid") for r in (ours, theirs)]
    apart = float(np.abs(curves[0] - curves[1]).max() / np.abs(curves[1]).max())
    assert apart < 0.05, f"{work.name}: loss curves differ by {apart}"
    assert abs(ours.figure / theirs.figure - 1) < 0.01, f"{work.name}: {ours.figure} and {theirs.figure}"
    times = theirs.seconds / ours.seconds
    return [work.name, epochs, ours.seconds, theirs.seconds, times, ours.figure, theirs.figure, apart]


def main() -> None:
    p = parser(__doc__ or "", PARTS)
    p.add_argument("--epochs", type=int, default=None, help="passes over the data; else as each training has it")
    p.add_argument("--batches", type=int, default=None, help="batches of an epoch; else all")
    args = p.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    nn.set_num_threads(args.threads)
    print(machine(args.threads, ["torch"]))
    parts: dict[str, Callable[[], Iterator[Training]]] = {name: globals()[name] for name in args.parts or PARTS}
    for name, make in parts.items():
        rows = []
        for work in make():
            work.batches = work.batches[: args.batches]
            rows.append(compare(work, args.epochs or work.epochs))
        columns = ["training", "epochs", "mlcore s/epoch", "PyTorch s/epoch", "times PyTorch"]
        if rows:
            table(name, [*columns, "mlcore figure", "PyTorch figure", "curves apart"], rows)


if __name__ == "__main__":
    main()
