"""BLEU, chrF and the bootstrap beside sacreBLEU: speed, growth with the corpus, memory.

Hypotheses are the German or French sentences of Multi30k with some words left out, exchanged or inserted, references
the sentences themselves. Both libraries get the same lists; scores, counts and p-values must be equal. sacreBLEU keeps
tokenized lines in caches that belong to one metric object, so that each run makes a new one.
"""

import lzma
import random
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import sacrebleu
from _bench import DATA, in_child, machine, medians, memory_mb, parser, reset_peak, table, timed
from sacrebleu.significance import PairedTest

from mlcore.metrics import corpus_bleu, corpus_chrf, paired_bootstrap, sentence_bleu, sentence_chrf

PARTS = ("corpus", "sentence", "bootstrap", "growth", "memory")
N_PAIRS = 10_000
INSERTED = ["1.5", "(rot)", "zwei-drei", "d'été", "...", "nicht", "ein", "de"]


def sentences(language: str) -> list[str]:
    path = DATA / "mt" / f"multi30k.train.{language}.xz"
    if not path.exists():
        print(f"left out: no text at {path}; set MLCORE_DATA to the folder that holds mt/")
        sys.exit()
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def perturbed(texts: list[str], seed: int) -> list[str]:
    """Every fifth word or so is left out, exchanged with another, or one is inserted."""
    rng = random.Random(seed)
    out = []
    for text in texts:
        words = text.split(" ")
        for _ in range(max(1, len(words) // 5)):
            i, j, kind = rng.randrange(len(words)), rng.randrange(len(words)), rng.randrange(3)
            if kind == 0 and len(words) > 1:
                del words[i]
            elif kind == 1:
                words[i], words[j] = words[j], words[i]
            else:
                words.insert(i, rng.choice(INSERTED))
        out.append(" ".join(words))
    return out


class Corpus:
    """Pairs of one language; more than the data has are the same ones again."""

    def __init__(self, language: str, n: int) -> None:
        texts = sentences(language)
        self.references = (texts * (n // len(texts) + 1))[:n]
        self.hypotheses = perturbed(self.references, 1)
        self.other = perturbed(self.references, 2)

    @property
    def mb(self) -> float:
        return sum(len(text.encode()) for text in self.hypotheses + self.references) / 2**20


Pair = tuple[Callable[[], Any], Callable[[], Any]]


def metrics(corpus: Corpus, threads: int) -> dict[str, Pair]:
    """By name: ours and theirs; both return a score."""
    h, r = corpus.hypotheses, [corpus.references]
    runs: dict[str, Pair] = {
        f"BLEU {tokenize}": (
            lambda tokenize=tokenize: corpus_bleu(h, r, tokenize=tokenize, n_jobs=threads),
            lambda tokenize=tokenize: sacrebleu.BLEU(tokenize=tokenize).corpus_score(h, r),
        )
        for tokenize in ("13a", "intl", "zh", "char", "none")
    }
    runs["BLEU 13a, lower case"] = (
        lambda: corpus_bleu(h, r, lowercase=True, n_jobs=threads),
        lambda: sacrebleu.BLEU(lowercase=True).corpus_score(h, r),
    )
    runs["chrF"] = (lambda: corpus_chrf(h, r, n_jobs=threads), lambda: sacrebleu.CHRF().corpus_score(h, r))
    runs["chrF++"] = (
        lambda: corpus_chrf(h, r, word_order=2, n_jobs=threads),
        lambda: sacrebleu.CHRF(word_order=2).corpus_score(h, r),
    )
    return runs


def expect_equal(name: str, ours: Any, theirs: Any) -> None:
    assert abs(ours.score - theirs.score) < 1e-9, (name, ours, theirs)
    assert str(ours) == str(theirs), (name, ours, theirs)


def compare(name: str, pair: Pair, mb: float, repeats: int) -> list[Any]:
    """One row: both libraries in turn, equal in their scores."""
    found = medians({"ours": pair[0], "theirs": pair[1]}, repeats)
    (seconds, score), (their_seconds, their_score) = found["ours"], found["theirs"]
    expect_equal(name, score, their_score)
    return [name, seconds * 1e3, their_seconds * 1e3, their_seconds / seconds, mb / seconds, score.format()[:60]]


def corpora(options: Namespace) -> None:
    for language in ("de", "fr"):
        corpus = Corpus(language, N_PAIRS)
        rows = [
            compare(name, pair, corpus.mb, options.repeats) for name, pair in metrics(corpus, options.threads).items()
        ]
        columns = ["metric", "mlcore ms", "sacreBLEU ms", "ratio", "mlcore MB/s", "score of both"]
        table(f"{N_PAIRS} pairs of {language}, {corpus.mb:.1f} MB", columns, rows)


def single(options: Namespace) -> None:
    """Sentence by sentence, on one thread."""
    corpus = Corpus("de", 2000)
    pairs = list(zip(corpus.hypotheses, corpus.references, strict=True))
    rows = []
    for name, ours, theirs in (
        ("sentence_bleu", sentence_bleu, sacrebleu.sentence_bleu),
        ("sentence_chrf", sentence_chrf, sacrebleu.sentence_chrf),
    ):
        for hypothesis, reference in pairs[:200]:
            expect_equal(name, ours(hypothesis, [reference]), theirs(hypothesis, [reference]))
        found = medians(
            {which: lambda f=f: [f(h, [r]) for h, r in pairs] for which, f in (("ours", ours), ("theirs", theirs))},
            options.repeats,
        )
        micro = {which: 1e6 * seconds / len(pairs) for which, (seconds, _) in found.items()}
        rows.append([name, micro["ours"], micro["theirs"], micro["theirs"] / micro["ours"]])
    table("one sentence", ["function", "mlcore us", "sacreBLEU us", "ratio"], rows)


def paired(corpus: Corpus, metric: str, threads: int) -> Pair:
    """Baseline and one system, from texts to p-values, ours and theirs."""
    r = [corpus.references]
    systems = [("baseline", corpus.hypotheses), ("other", corpus.other)]

    def theirs() -> Any:
        scorer = {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF}[metric]()
        _, scores = PairedTest(systems, {metric: scorer}, r, test_type="bs", n_samples=1000)()
        return next(results for name, results in scores.items() if name != "System")

    return (
        lambda: paired_bootstrap(corpus.hypotheses, {"other": corpus.other}, r, metric=metric, n_jobs=threads),
        theirs,
    )


def bootstrap(options: Namespace) -> None:
    corpus = Corpus("de", N_PAIRS)
    rows = []
    for metric in ("bleu", "chrf"):
        ours, theirs = paired(corpus, metric, options.threads)
        found = medians({"ours": ours, "theirs": theirs}, options.repeats)
        (seconds, results), (their_seconds, their_results) = found["ours"], found["theirs"]
        for result, peer in zip(results, their_results, strict=True):
            # sacreBLEU divides in single precision
            assert abs(result.mean - peer.mean) < 1e-4, (result, peer)
            assert abs(result.ci - peer.ci) < 1e-4, (result, peer)
            assert result.p_value == peer.p_value, (result, peer)
        rows.append([metric, seconds * 1e3, their_seconds * 1e3, their_seconds / seconds, results[1].p_value])
    columns = ["metric", "mlcore ms", "sacreBLEU ms", "ratio", "p-value of both"]
    table(f"paired bootstrap, 2 systems, {N_PAIRS} pairs x 1,000 resamples", columns, rows)


def growth(options: Namespace) -> None:
    rows = []
    for n in (1000, 10_000, 100_000, 1_000_000):
        corpus = Corpus("de", n)
        bleu, _ = timed(lambda c=corpus: corpus_bleu(c.hypotheses, [c.references], n_jobs=options.threads))
        chrf, _ = timed(lambda c=corpus: corpus_chrf(c.hypotheses, [c.references], n_jobs=options.threads))
        rows.append([n, corpus.mb, bleu * 1e3, corpus.mb / bleu, chrf * 1e3, corpus.mb / chrf])
    table("growth, mlcore alone", ["pairs", "MB", "BLEU ms", "MB/s", "chrF ms", "MB/s"], rows)


def peak(which: str, task: str, threads: int) -> None:
    """In a process of its own: the memory of one run beyond what the texts take."""
    corpus = Corpus("de", N_PAIRS)
    pair = paired(corpus, "bleu", threads) if task == "paired bootstrap" else metrics(corpus, threads)[task]
    run = pair[0] if which == "mlcore" else pair[1]
    reset_peak()
    before = memory_mb("VmRSS")
    run()
    print(memory_mb("VmHWM") - before)


def memory(options: Namespace) -> None:
    rows = []
    for task in ("BLEU 13a", "chrF", "paired bootstrap"):
        found = [in_child(__file__, "--peak", which, task, str(options.threads)) for which in ("mlcore", "sacreBLEU")]
        rows.append([task, *found])
    table(f"peak memory beyond the texts, MB, {N_PAIRS} pairs", ["task", "mlcore", "sacreBLEU"], rows)


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        return peak(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    options = parser(__doc__ or "", PARTS).parse_args()
    print(machine(options.threads, ["sacrebleu", "numpy"]))
    runs = {"corpus": corpora, "sentence": single, "bootstrap": bootstrap, "growth": growth, "memory": memory}
    for part in options.parts or PARTS:
        runs[part](options)
    return None


if __name__ == "__main__":
    main()
