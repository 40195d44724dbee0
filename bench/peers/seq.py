"""Sequences to sequences beside PyTorch, CTranslate2 and transformers: training steps, decoding, memory, growth.

All sides have the same weights, read the same batches and write as many tokens: no text ends before its maximal
length. Losses and texts are compared beside the times. PyTorch is given batches of like length, padded; ours are
packed. The ways from our weights to theirs are in `tests/python/support/translators.py`.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bench import in_child, machine, medians, memory_mb, parser, reset_peak, table, timed

from mlcore import nn
from mlcore.seq._packed import Packed

sys.path.append(str(Path(__file__).parents[2] / "tests" / "python"))
from support import recurrent_translators, translators
from support.translators import BEGIN, END, PAD, UNKNOWN, Shape

PARTS = ("train", "lstm", "decode", "memory", "growth")
V = 9000
N_TOKENS = 4000
"""Target tokens of a batch, about."""
LENGTH = 25
"""Tokens of a source and of its translation where all are alike."""
SPECIAL = (PAD, UNKNOWN, BEGIN, END)

Batch = tuple[list[np.ndarray], list[np.ndarray]]
"""Sources and targets; targets have begin and end."""


def sizes(d_model: int, **options: Any) -> Shape:
    return Shape(V, d_model, dim_feedforward=4 * d_model, **options)


# ---- batches ----


def lengths_of_captions(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw lengths of sources and targets as those of Multi30k in subwords: 15 on average, 5 to 45."""
    rng = np.random.default_rng(seed)
    source = np.clip(np.rint(rng.gamma(9, 15 / 9, n)), 5, 45).astype(int)
    target = np.clip(np.rint(source * rng.normal(1, 0.15, n)), 4, 50).astype(int)
    return source, target


def texts(lengths: Sequence[int], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(len(SPECIAL), V, n) for n in lengths]


def batches(ragged: bool, n: int, length: int = LENGTH, alike: bool = True) -> list[Batch]:
    """Return `n` batches; the ragged ones of like length, as if sorted within fifty of them, or as they are drawn."""
    per_batch = max(N_TOKENS // length, 1)
    if ragged:
        per_batch = N_TOKENS // 15
        source, target = lengths_of_captions(50 * per_batch, 0)
        order = np.lexsort((source, target)) if alike else np.arange(50 * per_batch)
        order = order.reshape(50, per_batch)
        chosen = order[np.linspace(0, 49, n + 2).astype(int)[1:-1]]  # neither the shortest nor the longest alone
        sides = [(source[rows], target[rows]) for rows in chosen]
    else:
        sides = [(np.full(per_batch, length), np.full(per_batch, length))] * n
    return [
        (
            texts(source, 2 * i),
            [np.r_[BEGIN, ids, END] for ids in texts(target - 1, 2 * i + 1)],
        )
        for i, (source, target) in enumerate(sides)
    ]


def tokens_of(work: Sequence[Batch]) -> int:
    """Return how many tokens are to be written: all of the targets but the first of each."""
    return sum(len(ids) - 1 for _, target in work for ids in target)


# ---- training steps ----


@dataclass
class Trained:
    """A network of one library in training."""

    step: Callable[[Any], float]
    """One step on a batch; the loss before it."""
    work: list[Any]
    """Batches as the library takes them."""

    def run(self) -> list[float]:
        return [self.step(batch) for batch in self.work]


RATE, SMOOTHING = 1e-3, 0.1
ADAM: dict[str, Any] = {"lr": RATE, "betas": (0.9, 0.98), "eps": 1e-9}


def ours_trained(network: Any, work: Sequence[Batch]) -> Trained:
    optimizer = nn.optim.Adam(network.parameters(), **ADAM)

    def step(batch: tuple[Packed, Packed]) -> float:
        optimizer.zero_grad()
        loss, _ = network.loss(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Trained(step, [(Packed.of(source), Packed.of(target)) for source, target in work])


def torch_trained(network: Any, work: Sequence[Batch]) -> Trained:
    optimizer = torch.optim.Adam(network.parameters(), fused=True, **ADAM)

    def step(batch: tuple[Any, ...]) -> float:
        optimizer.zero_grad()
        loss = network.loss(*batch, SMOOTHING)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return Trained(step, [tuple(translators.padded(side) for side in batch) for batch in work])


Pair = Callable[[float], tuple[Any, Any]]
"""From a rate of dropout to two networks of equal weights, ours and PyTorch's."""


def transformer_pair(shape: Shape) -> Pair:
    weights = translators.random_weights(shape, never=())

    def pair(dropout: float) -> tuple[Any, Any]:
        ours = translators.mlcore_network(weights, shape, dropout=dropout, label_smoothing=SMOOTHING)
        return ours, translators.torch_model(weights, shape, dropout)

    return pair


def lstm_pair(attention: str) -> Pair:
    options = {"attention": attention, "label_smoothing": SMOOTHING}
    return lambda dropout: recurrent_translators.pair(V, 256, 512, dropout=dropout, **options)


def compare_steps(name: str, pair: Pair, work: list[Batch], target: float, repeats: int) -> Iterator[list[Any]]:
    """Yield a row without dropout, where both see the same numbers, and one with it, as trainings have it."""
    for dropout in (0.0, 0.1):
        ours, theirs = pair(dropout)
        sides = {"ours": ours_trained(ours.train(), work), "theirs": torch_trained(theirs.train(), work)}
        first = {side: trained.run() for side, trained in sides.items()}
        apart = max(abs(a / b - 1) for a, b in zip(first["ours"], first["theirs"], strict=True))
        # With dropout the draws differ, and with them the losses of a few steps.
        assert apart < (1e-4 if dropout == 0 else 0.05), f"{name}: losses are {apart:.1e} apart"
        found = medians({side: trained.run for side, trained in sides.items()}, repeats)
        rates = {side: tokens_of(work) / seconds for side, (seconds, _) in found.items()}
        yield [name, dropout, rates["ours"], rates["theirs"], rates["ours"] / rates["theirs"], target, apart]


STEP_COLUMNS = ["step", "dropout", "mlcore tokens/s", "PyTorch tokens/s", "times PyTorch", "target", "losses apart"]


def train(options: Namespace) -> None:
    rows: list[list[Any]] = []
    for d_model, target in ((128, 2.2), (256, 1.6)):
        pair = transformer_pair(sizes(d_model))
        for kind, ragged in ((f"{N_TOKENS // LENGTH} x ({LENGTH} + {LENGTH})", False), ("captions", True)):
            name = f"Transformer, d {d_model}, {kind}"
            rows += compare_steps(name, pair, batches(ragged, options.batches), target, options.repeats)
    table("training step of a Transformer, 4 + 4 layers, 9,000 words", STEP_COLUMNS, rows)


def lstm(options: Namespace) -> None:
    rows: list[list[Any]] = []
    kinds = (
        (f"{N_TOKENS // LENGTH} x ({LENGTH} + {LENGTH})", False, True, 1.25),
        ("captions of like length", True, True, 3),
        ("captions as drawn", True, False, 3),
    )
    for kind, ragged, alike, target in kinds:
        work = batches(ragged, options.batches, alike=alike)
        for attention in ("general", "additive"):
            name = f"LSTM, {attention} attention, {kind}"
            rows += compare_steps(name, lstm_pair(attention), work, target, options.repeats)
    table("training step of a recurrent network, embeddings 256, hidden 512, 9,000 words", STEP_COLUMNS, rows)


# ---- decoding ----

Write = Callable[[], list[list[int]]]


def fastest(ways: list[Write]) -> Write:
    """Return the way that is fastest here: CTranslate2's threads share the work, or each has a part of the batch."""
    for write in ways:
        write()
    return min(ways, key=lambda write: timed(write)[0])


@dataclass
class Decoders:
    """What writes with one set of weights."""

    shape: Shape
    threads: int

    def __post_init__(self) -> None:
        weights = translators.random_weights(self.shape, never=SPECIAL)
        network = translators.mlcore_network(weights, self.shape).eval()
        self._ours = {q: (network, network.decoder(quantize=q)) for q in (False, True)}
        make = translators.ctranslate2_model
        self._ctranslate2 = {
            kind: [make(weights, self.shape, kind, *ways) for ways in ((1, self.threads), (self.threads, 1))]
            for kind in ("float32", "int8")
        }
        self._marian = translators.marian_model(weights, self.shape)

    def writers(self, sources: list[list[int]], beam: int, length: int) -> dict[str, Write]:
        marian = {"min_new_tokens": length, **({"early_stopping": True} if beam > 1 else {})}
        return {
            "mlcore": lambda: translators.mlcore_write(*self._ours[False], sources, beam, length),
            "mlcore int8": lambda: translators.mlcore_write(*self._ours[True], sources, beam, length),
            **{
                f"CTranslate2 {kind}": fastest(
                    [lambda t=t: translators.ctranslate2_write(t, sources, beam, length) for t in ways]
                )
                for kind, ways in self._ctranslate2.items()
            },
            "transformers": lambda: translators.marian_write(self._marian, sources, beam, length, **marian),
        }


def equal_share(a: list[list[int]], b: list[list[int]]) -> float:
    """Return the share of texts that are equal."""
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a)


TARGETS = (
    ("greedy", "mlcore", "CTranslate2 float32", 1.5),
    ("beam 5", "mlcore", "CTranslate2 float32", 1.35),
    ("greedy", "mlcore int8", "CTranslate2 int8", 1.5),
    ("beam 5", "mlcore int8", "CTranslate2 int8", 1.5),
    ("greedy", "mlcore", "transformers", 2.5),
    ("beam 5", "mlcore", "transformers", 2.5),
)


def decode(options: Namespace) -> None:
    decoders = Decoders(sizes(256, tied=False), options.threads)
    lengths, _ = lengths_of_captions(64, 1)
    rows, factors = [], []
    for batch in (64, 1):
        sources = [ids.tolist() for ids in texts(lengths[:batch], 3)]
        for beam in (1, 5):
            how = "greedy" if beam == 1 else f"beam {beam}"
            writers = decoders.writers(sources, beam, LENGTH)
            for write in writers.values():
                write()
            found = medians(writers, options.repeats)
            written = {name: result for name, (_, result) in found.items()}
            assert all(len(ids) == LENGTH for result in written.values() for ids in result)
            rates = {name: batch * LENGTH / seconds for name, (seconds, _) in found.items()}
            same = {name: equal_share(result, written["mlcore"]) for name, result in written.items()}
            # Rounding may decide between two tokens that are all but equally likely, and what follows is another text.
            assert min(same["CTranslate2 float32"], same["transformers"]) >= 0.95, (batch, how, same)
            # Random weights find many tokens about as likely, so that int8 changes texts; about as few as the peer's:
            # two standard deviations of the difference of two shares of 64 texts are .18.
            assert batch == 1 or same["mlcore int8"] >= same["CTranslate2 int8"] - 0.18, (batch, how, same)
            rows += [[batch, how, name, rates[name], same[name]] for name in writers]
            factors += [
                [batch, kind, ours, peer, rates[ours] / rates[peer], target]
                for kind, ours, peer, target in TARGETS
                if kind == how
            ]
    title = f"decoding, d 256, 4 + 4 layers, {LENGTH} tokens for sources of 5 to 45"
    table(title, ["batch", "search", "library", "tokens/s", "texts as mlcore's float32"], rows)
    table("times the peer", ["batch", "search", "ours", "peer", "times", "target"], factors)


# ---- memory and growth ----


def peak(library: str, model: str, ragged: str, threads: int) -> None:
    """In a process of its own: MB that the first three steps add to what the weights take, at their peak."""
    set_threads(threads)
    work = batches(ragged == "ragged", 3)
    pair = lstm_pair("general") if model == "lstm" else transformer_pair(sizes(int(model)))
    networks = pair(0.1)
    ours = library == "mlcore"
    network = networks[0 if ours else 1].train()
    del networks
    trained = (ours_trained if ours else torch_trained)(network, work)
    reset_peak()
    before = memory_mb("VmRSS")
    trained.run()
    print(json.dumps(memory_mb("VmHWM") - before))


def memory(options: Namespace) -> None:
    rows = []
    for model in ("128", "256", "lstm"):
        for kind in ("dense", "ragged"):
            call = ("--peak", model, kind, str(options.threads))
            ours, theirs = (in_child(__file__, call[0], library, *call[1:]) for library in ("mlcore", "torch"))
            assert ours < theirs, f"{model}, {kind}: {ours} MB, PyTorch {theirs}"
            rows.append(["LSTM" if model == "lstm" else f"Transformer, d {model}", kind, ours, theirs, theirs / ours])
    table("memory that training steps add to the weights", ["network", "batches", "mlcore MB", "PyTorch MB", "x"], rows)


def growth(options: Namespace) -> None:
    rows = []
    shape = sizes(128)
    pair = transformer_pair(shape)
    for length in (10, 25, 50, 100, 200, 400):
        work = batches(False, 1, length)
        ours, theirs = pair(0.0)
        sides = {"ours": ours_trained(ours.train(), work), "theirs": torch_trained(theirs.train(), work)}
        found = medians({side: trained.run for side, trained in sides.items()}, options.repeats)
        rates = {side: tokens_of(work) / seconds for side, (seconds, _) in found.items()}
        rows.append([length, len(work[0][0]), rates["ours"], rates["theirs"], rates["ours"] / rates["theirs"]])
    columns = ["length", "sentences", "mlcore tokens/s", "PyTorch tokens/s", "times PyTorch"]
    table(f"training step, d 128, about {N_TOKENS} target tokens, by length", columns, rows)

    decoders = Decoders(replace(sizes(256), tied=False, max_length=1024), options.threads)
    cases = [
        *(("length", length, 16, 1) for length in (10, 25, 50, 100, 200, 400)),
        *(("beam", LENGTH, 16, beam) for beam in (1, 2, 4, 8, 16)),
        *(("batch", LENGTH, batch, 1) for batch in (1, 4, 16, 64, 256)),
    ]
    rows = []
    for grows, length, batch, beam in cases:
        sources = [ids.tolist() for ids in texts([length] * batch, 5)]
        writers = decoders.writers(sources, beam, length)
        both = {name: writers[name] for name in ("mlcore", "CTranslate2 float32")}
        for write in both.values():
            write()
        rates = [batch * length / seconds for seconds, _ in medians(both, options.repeats).values()]
        rows.append([grows, length, batch, beam, *rates, rates[0] / rates[1]])
    columns = ["grows", "length", "batch", "beam", "mlcore tokens/s", "CTranslate2 tokens/s", "times CTranslate2"]
    table("decoding, d 256", columns, rows)


def set_threads(threads: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    nn.set_num_threads(threads)


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        peak(*sys.argv[2:5], int(sys.argv[5]))
        return
    p = parser(__doc__ or "", PARTS)
    p.add_argument("--batches", type=int, default=4, help="training steps of a run")
    options = p.parse_args()
    set_threads(options.threads)
    print(machine(options.threads, ["torch", "ctranslate2", "transformers"]))
    for part in options.parts or PARTS:
        globals()[part](options)


if __name__ == "__main__":
    main()
