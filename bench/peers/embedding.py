"""word2vec beside gensim on real text: vocabulary, speed, quality, growth with the corpus, memory.

Both libraries read the same file, gensim in its fastest way (``corpus_file``), with equal settings: window 5, at least
5 occurrences a word, 5 negatives, subsampling 1e-3, rates from 0.025 to 0.0001. Vectors of both are judged by the same
code. Quality is asserted beside speed: on every measure our mean over the seeds may lie at most one standard deviation
of gensim's below gensim's mean.
"""

import json
import lzma
import math
import shutil
import sys
import tempfile
import threading
from argparse import SUPPRESS, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import gensim.models
import numpy as np
from _bench import DATA, in_child, machine, medians, memory_mb, parser, reset_peak, table, timed

from mlcore import _native
from mlcore.embedding import KeyedVectors, Word2Vec
from mlcore.embedding._corpus import open_corpus

PARTS = ("vocabulary", "speed", "quality", "scale", "memory")
FOLDER = DATA / "wordvec"
PAIRS = {"WordSim-353": "wordsim353.tsv", "SimLex-999": "simlex999.txt", "MEN": "EN-MEN-TR-3k.txt"}
ANALOGIES = "questions-words.txt"
FREQUENT = 30_000
"""Analogies are asked and answered among so many of the most frequent words."""
JUDGED = (*PAIRS, "analogies")
SPEED_WORDS = 2_000_000
FRACTIONS = (1 / 16, 1 / 4, 1)
"""Prefixes of the text to show growth with."""


@dataclass(frozen=True)
class Model:
    """One of the four, in the words of both libraries."""

    title: str
    ours: dict[str, Any]
    theirs: dict[str, Any]


MODELS = {
    "sgns": Model("skip-gram, ns", {"algorithm": "skipgram", "loss": "ns"}, {"sg": 1, "hs": 0, "negative": 5}),
    "cbowns": Model("CBOW, ns", {"algorithm": "cbow", "loss": "ns"}, {"sg": 0, "hs": 0, "negative": 5}),
    "sghs": Model("skip-gram, hs", {"algorithm": "skipgram", "loss": "hs"}, {"sg": 1, "hs": 1, "negative": 0}),
    "cbowhs": Model("CBOW, hs", {"algorithm": "cbow", "loss": "hs"}, {"sg": 0, "hs": 1, "negative": 0}),
}


# ---- text ----


@dataclass(frozen=True)
class Text:
    """A file with one text a line."""

    path: str
    n_words: int

    @property
    def mb(self) -> float:
        return Path(self.path).stat().st_size / 2**20


class Texts:
    """The text and the tests of `DATA`, decompressed once into a folder that lives as long as this object."""

    def __init__(self) -> None:
        if not FOLDER.exists():
            print(f"left out: no text at {FOLDER}; set MLCORE_DATA to the folder that holds wordvec/wiki100m.txt.xz")
            sys.exit()
        self._folder = tempfile.TemporaryDirectory(prefix="mlcore_embedding_")
        self._prefixes: dict[int, Text] = {}

    def file(self, name: str) -> str:
        path = Path(self._folder.name) / name
        if not path.exists():
            with lzma.open(FOLDER / f"{name}.xz") as packed, path.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        return str(path)

    @cached_property
    def whole(self) -> Text:
        path = self.file("wiki100m.txt")
        with Path(path).open("rb") as lines:
            return Text(path, sum(len(line.split()) for line in lines))

    def prefix(self, n_words: float) -> Text:
        """Return the first lines that hold `n_words` words; of all the words, if there are not more."""
        if n_words >= self.whole.n_words:
            return self.whole
        wanted = round(n_words)
        if wanted not in self._prefixes:
            path, n = Path(self._folder.name) / f"{wanted}.txt", 0
            with Path(self.whole.path).open("rb") as lines, path.open("wb") as out:
                while n < wanted:
                    line = next(lines)
                    out.write(line)
                    n += len(line.split())
            self._prefixes[wanted] = Text(str(path), n)
        return self._prefixes[wanted]


# ---- training: the two libraries side by side ----


def ours(model: str, options: Namespace, threads: int, **more: Any) -> Word2Vec:
    settings = {"vector_size": options.vector_size, "epochs": options.epochs, **more}
    return Word2Vec(**MODELS[model].ours, n_jobs=threads, **settings)


def theirs(model: str, options: Namespace, threads: int, seed: int = 1) -> Any:
    return gensim.models.Word2Vec(
        **MODELS[model].theirs,
        vector_size=options.vector_size,
        window=5,
        min_count=5,
        sample=1e-3,
        ns_exponent=0.75,
        cbow_mean=1,
        alpha=0.025,
        min_alpha=1e-4,
        shrink_windows=True,
        workers=threads,
        seed=seed,
    )


def count_ours(text: Text, threads: int) -> int:
    corpus = open_corpus(text.path, n_jobs=threads, who="the benchmark")
    return len(_native.core.embedding.Vocabulary.build(corpus.table, 5, 0))


def count_theirs(text: Text, peer: Any) -> int:
    peer.build_vocab(corpus_file=text.path)
    return len(peer.wv)


def train_theirs(peer: Any, text: Text, epochs: int) -> None:
    totals = {"total_words": peer.corpus_total_words, "total_examples": peer.corpus_count}
    peer.train(corpus_file=text.path, epochs=epochs, **totals)


@dataclass(frozen=True)
class Trained:
    vectors: KeyedVectors
    threads: int
    words_per_second: float
    """Of training alone; NaN: not known."""


def trained_ours(model: str, text: Text, seed: int, options: Namespace) -> Trained:
    counting, _ = timed(partial(count_ours, text, options.threads))
    fitting, fitted = timed(lambda: ours(model, options, options.threads, random_state=seed).fit(text.path))
    return Trained(fitted.keyed_vectors_, options.threads, text.n_words * options.epochs / (fitting - counting))


def trained_theirs(model: str, text: Text, seed: int, options: Namespace) -> Trained:
    """Train gensim, or take what it trained before from ``--peer-cache``.

    With one thread: of several, each lowers the learning rate as if it had the whole text to itself, so that the rate
    stays above what was asked for, and settings are not equal.
    """
    path = None
    if options.peer_cache is not None:
        path = Path(options.peer_cache) / f"{model}_{options.epochs}_{text.n_words}_{seed}.npz"
        if path.exists():
            with np.load(path) as kept:
                vectors, words = kept["vectors"], kept["words"].tolist()
                seconds = float(kept["seconds"]) if "seconds" in kept else math.nan
            if vectors.shape[1] == options.vector_size:
                return Trained(KeyedVectors(words, vectors), 1, text.n_words * options.epochs / seconds)
    peer = theirs(model, options, 1, seed)
    count_theirs(text, peer)
    seconds, _ = timed(partial(train_theirs, peer, text, options.epochs))
    words, vectors = peer.wv.index_to_key, peer.wv.vectors
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, vectors=vectors, words=np.array(words), seconds=seconds)
    return Trained(KeyedVectors(words, vectors), 1, text.n_words * options.epochs / seconds)


TRAINED: dict[str, Callable[[str, Text, int, Namespace], Trained]] = {"mlcore": trained_ours, "gensim": trained_theirs}


def quality_of(vectors: KeyedVectors, texts: Texts) -> dict[str, float]:
    """Spearman's correlation with people's similarities; shares of analogies solved, in all and by halves."""
    found = {name: float(vectors.evaluate_word_pairs(texts.file(f))[1][0]) for name, f in PAIRS.items()}
    accuracy, sections = vectors.evaluate_word_analogies(texts.file(ANALOGIES), restrict_vocab=FREQUENT)
    halves = {"semantic": [0, 0], "syntactic": [0, 0]}
    for section in sections[:-1]:  # the last one is the total
        half = halves["syntactic" if section["section"].startswith("gram") else "semantic"]
        half[0] += section["correct"]
        half[1] += section["correct"] + section["incorrect"]
    shares = {name: right / asked if asked else math.nan for name, (right, asked) in halves.items()}
    return found | {"analogies": accuracy} | shares


# ---- tables ----


def vocabulary(options: Namespace, texts: Texts) -> None:
    rows = []
    for text in prefixes(options, texts):
        runs = {
            "mlcore": partial(count_ours, text, options.threads),
            "gensim": lambda text=text: count_theirs(text, theirs("sgns", options, options.threads)),
        }
        done = medians(runs, options.repeats)
        (mine, n_mine), (their, n_their) = done["mlcore"], done["gensim"]
        assert n_mine == n_their, f"vocabulary of {n_mine} words, gensim's has {n_their}"
        rows.append([text.n_words, n_mine, mine, text.n_words / mine / 1e6, their, text.n_words / their / 1e6])
        rows[-1].append(their / mine)
    columns = ("words", "vocabulary", "mlcore, s", "million words/s", "gensim, s", "million words/s", "ratio")
    table("Vocabulary pass (gensim's build_vocab has one thread)", columns, rows)


def speed(options: Namespace, texts: Texts) -> None:
    """Training alone: the pass over the text that counts words is not in the seconds of either library."""
    text, epochs, rows = texts.prefix(options.words or SPEED_WORDS), 2, []
    for model in MODELS:
        for threads in sorted({1, options.threads}):
            peer = theirs(model, options, threads)
            count_theirs(text, peer)
            seconds: dict[str, list[float]] = {"mlcore": [], "gensim": []}
            for _ in range(options.repeats):
                counting, _ = timed(partial(count_ours, text, threads))
                mine = ours(model, options, threads, epochs=epochs, random_state=1)
                seconds["mlcore"].append(timed(partial(mine.fit, text.path))[0] - counting)
                peer.init_weights()  # gensim makes no step for a pair that is learnt well
                seconds["gensim"].append(timed(partial(train_theirs, peer, text, epochs))[0])
            rate = {name: text.n_words * epochs / median(took) for name, took in seconds.items()}
            row = [f"{x:,.0f}" for r in rate.values() for x in (r, r / threads)]
            rows.append([MODELS[model].title, threads, *row, rate["mlcore"] / rate["gensim"]])
    columns = ("model", "threads", "mlcore, words/s", "a core", "gensim, words/s", "a core", "ratio")
    what = f"{text.n_words:,} words x {epochs}, vectors of {options.vector_size}"
    table(f"Training, {what}, median of {options.repeats}", columns, rows)


def quality(options: Namespace, texts: Texts) -> list[str]:
    """Return what is worse than it may be; one seed gives no verdict."""
    text, rows, worse = texts.prefix(options.words or math.inf), [], []
    for model, names in MODELS.items():
        found: dict[str, dict[str, list[float]]] = {library: {} for library in TRAINED}
        for seed in range(1, options.seeds + 1):
            for library, train in TRAINED.items():
                for measure, value in quality_of(train(model, text, seed, options).vectors, texts).items():
                    found[library].setdefault(measure, []).append(value)
        for measure, mine in found["mlcore"].items():
            their, verdict = found["gensim"][measure], ""
            spread = [stdev(values) if len(values) > 1 else 0.0 for values in (mine, their)]
            ahead = fmean(mine) - fmean(their)
            if measure in JUDGED and options.seeds > 1:
                verdict = "ok" if ahead >= -spread[1] else f"WORSE, deviation {spread[1]:.4f}"
                worse += [f"{names.title}, {measure}: {ahead:+.4f}, {verdict}"] if verdict != "ok" else []
            figures = [f"{fmean(v):.4f} +- {s:.4f}" for v, s in zip((mine, their), spread, strict=True)]
            rows.append([names.title, measure, *figures, f"{ahead:+.4f}", verdict])
    title = f"Quality, {text.n_words:,} words x {options.epochs} epochs"
    columns = ("model", "measure", *TRAINED, "ahead", "verdict")
    table(f"{title}: mean +- standard deviation of {options.seeds} seeds", columns, rows)
    return worse


def scale(options: Namespace, texts: Texts) -> None:
    rows = []
    for text in prefixes(options, texts):
        for library, train in TRAINED.items():
            done = train("sgns", text, 1, options)
            found = quality_of(done.vectors, texts)
            rate = "-" if math.isnan(done.words_per_second) else f"{done.words_per_second:,.0f}"
            measures = [f"{found[measure]:.4f}" for measure in JUDGED]
            rows.append([text.n_words, len(done.vectors), library, done.threads, rate, *measures])
    title = f"Growth with the text, skip-gram with negative sampling, {options.epochs} epochs"
    table(title, ("words", "vocabulary", "library", "threads", "words/s", *JUDGED), rows)


def memory(options: Namespace, texts: Texts) -> None:
    """The peak of a process of its own over fit: matrices and words, but not the text."""
    rows, beside = [], []
    for text in prefixes(options, texts):
        n_distinct = len(open_corpus(text.path, n_jobs=options.threads, who="the benchmark").table)
        row: list[Any] = [text.n_words, text.mb, n_distinct]
        for library in TRAINED:
            call = ("--child-memory", library, text.path, "--threads", str(options.threads))
            used = in_child(__file__, *call, "--vector-size", str(options.vector_size))
            row += [used["own"], used["all"]] if library == "mlcore" else [used["own"]]
            if library == "mlcore":
                row.insert(3, used["model"])
                beside.append((n_distinct, used["own"] - used["model"]))
        rows.append(row)
    columns = (
        "words",
        "text, MB",
        "different words",
        "matrices, MB",
        "mlcore, MB",
        "with pages of the file",
        "gensim, MB",
    )
    table("Peak memory added by fit, one epoch (the system takes pages of the file back as it likes)", columns, rows)
    (few, first), (many, last) = beside[0], beside[-1]
    grown = (last - first) * 2**20 / max(many - few, 1)
    assert grown < 300, f"memory beside the matrices grows by {grown:.0f} bytes with each different word"


def child_memory(library: str, path: str, options: Namespace) -> None:
    def fit(corpus: str) -> int:
        if library == "mlcore":
            return len(ours("sgns", options, options.threads, epochs=1).fit(corpus).words_)
        peer = theirs("sgns", options, options.threads)
        n_words = count_theirs(Text(corpus, 0), peer)
        train_theirs(peer, Text(corpus, 0), 1)
        return n_words

    with tempfile.NamedTemporaryFile("w") as small:  # libraries are loaded, threads started
        small.write("a b c d e f g\n" * 200)
        small.flush()
        fit(small.name)
    reset_peak()
    before, resident = memory_mb("RssAnon"), memory_mb("VmRSS")
    most, done = before, threading.Event()

    def watch() -> None:  # the system keeps a peak of all pages, not of this process's own
        nonlocal most
        while not done.wait(0.002):
            most = max(most, memory_mb("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    n_words = fit(path)
    done.set()
    watcher.join()
    model = n_words * options.vector_size * 2 * 4 / 2**20
    print(json.dumps({"model": model, "own": most - before, "all": memory_mb("VmHWM") - resident}))


def prefixes(options: Namespace, texts: Texts) -> list[Text]:
    whole = min(options.words or math.inf, texts.whole.n_words)
    return [texts.prefix(whole * fraction) for fraction in FRACTIONS]


def main() -> None:
    options = parser(__doc__.splitlines()[0], PARTS)
    options.add_argument("--words", type=int, help="use so many words of the text; None: all, for speed 2,000,000")
    options.add_argument("--epochs", type=int, default=5, help="for quality and scale")
    options.add_argument("--seeds", type=int, default=3, help="trainings of each model for quality")
    options.add_argument("--vector-size", type=int, default=100)
    options.add_argument("--peer-cache", metavar="DIR", help="keep gensim's vectors here, and take them from here")
    options.add_argument("--child-memory", nargs=2, help=SUPPRESS)
    args = options.parse_args()
    if args.child_memory:
        child_memory(*args.child_memory, args)
        return
    runs = {"vocabulary": vocabulary, "speed": speed, "quality": quality, "scale": scale, "memory": memory}
    texts = Texts()
    print(machine(args.threads, ("gensim", "numpy")))
    worse = [line for part in args.parts or PARTS for line in runs[part](args, texts) or ()]
    if worse:
        sys.exit("\nQuality below gensim's mean minus one standard deviation:\n  " + "\n  ".join(worse))


if __name__ == "__main__":
    main()
