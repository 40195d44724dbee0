"""Text features beside scikit-learn: tf-idf and hashing of 20 newsgroups, growth with the text, memory.

Every matrix is asserted to be scikit-learn's, entry for entry and term for term, before the clock starts. Both read the
same list of str. scikit-learn has one thread; ours use `--threads`. Memory is the peak of a process of its own above
what it held when it had read the documents. Without the data set, words drawn by Zipf's law take its place.
"""

import json
import lzma
from argparse import SUPPRESS
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.feature_extraction.text as peer
from _bench import DATA, in_child, machine, medians, memory_mb, parser, reset_peak, table, timed

from mlcore import text

PARTS = ("speed", "growth", "memory")
NEWS = DATA / "textclass" / "20news_bydate.jsonl.xz"
GROWTH_MB = (1, 10, 100)

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "tf-idf, words": ("TfidfVectorizer", {}),
    "tf-idf, one word and two": ("TfidfVectorizer", {"ngram_range": (1, 2)}),
    "tf-idf, char_wb 3 to 5": ("TfidfVectorizer", {"analyzer": "char_wb", "ngram_range": (3, 5)}),
    "hashing, words": ("HashingVectorizer", {}),
}
"""Class and options of both libraries."""


def documents() -> tuple[str, list[str]]:
    """Return the name of the data set and its documents."""
    if NEWS.exists():
        with lzma.open(NEWS, "rt", encoding="utf-8") as lines:
            return "20 newsgroups", [json.loads(line)["text"] for line in lines]
    return "made-up documents", made_up(20_000)


def made_up(n: int) -> list[str]:
    """Return documents of words drawn by Zipf's law."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlcumwfgypb"))
    ranks = np.arange(1, 200_001)
    words = np.array(["".join(letters[[rank // 20**k % 20 for k in range(2 + rank % 7)]]) for rank in ranks])
    weights = 1 / ranks
    drawn = rng.choice(words, size=280 * n, p=weights / weights.sum())
    return [" ".join(part) for part in drawn.reshape(n, 280)]


def resized(texts: list[str], mb: float) -> list[str]:
    """Return so many MB of documents: the first ones, or all again and again with words that were not there before."""
    kept: list[str] = []
    size, round_ = 0.0, 0
    while size < mb * 1e6:
        for document in texts:
            # Every eighth word gets a suffix in later rounds: the vocabulary goes on growing, as that of real text.
            words = document.split(" ")
            words[::8] = [word + (f"q{round_}" if round_ else "") for word in words[::8]]
            kept.append(" ".join(words))
            size += len(kept[-1])
            if size >= mb * 1e6:
                break
        round_ += 1
    return kept


def megabytes(texts: list[str]) -> float:
    return sum(map(len, texts)) / 1e6


def fit(module: Any, case: str, texts: list[str], threads: int) -> tuple[Any, Any]:
    """Return a vectorizer and the matrix of its documents."""
    name, options = CASES[case]
    own = {"n_jobs": threads} if module is text else {}
    vectorizer = getattr(module, name)(**options, **own)
    return vectorizer, vectorizer.fit_transform(texts)


def assert_equal(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    """Compare two matrices, and the terms of their columns."""
    X, R = ours[1], theirs[1].copy()
    R.sort_indices()
    assert X.shape == R.shape
    assert X.dtype == R.dtype
    np.testing.assert_array_equal(X.indptr, R.indptr)
    np.testing.assert_array_equal(X.indices, R.indices)
    # scikit-learn adds up the squares of a row in the order in which its terms came first, ours in that of columns:
    # norms of rows of thousands of entries differ by some tens of roundings.
    np.testing.assert_allclose(X.data, R.data, rtol=1e-12)
    if hasattr(theirs[0], "vocabulary_"):
        assert list(ours[0].get_feature_names_out()) == list(theirs[0].get_feature_names_out())


def speed(texts: list[str], name: str, threads: int, repeats: int) -> None:
    """All cases: seconds, MB/s, how many times as fast."""
    mb = megabytes(texts)
    rows = []
    for case in CASES:
        assert_equal(fit(text, case, texts, threads), fit(peer, case, texts, 1))
        found = medians(
            {
                "ours": lambda case=case: fit(text, case, texts, threads)[1],
                "theirs": lambda case=case: fit(peer, case, texts, 1)[1],
            },
            repeats,
        )
        (own, X), (other, _) = found["ours"], found["theirs"]
        rows.append((case, X.shape[1], X.nnz, own, other, mb / own, mb / other, other / own))
    columns = ("", "columns", "entries", "mlcore, s", "scikit-learn, s", "mlcore, MB/s", "scikit-learn, MB/s", "times")
    table(f"{name}, {len(texts):,} documents, {mb:.1f} MB: fit_transform", columns, rows)


def growth(texts: list[str], name: str, threads: int, repeats: int) -> None:
    """Ours alone, over sizes of text: MB/s should stay."""
    rows = []
    for mb in GROWTH_MB:
        some = resized(texts, mb)
        size = megabytes(some)
        row: list[Any] = [f"{size:.0f}", len(some)]
        for case in CASES:
            seconds = min(timed(lambda case=case, some=some: fit(text, case, some, threads))[0] for _ in range(repeats))
            row.append(size / seconds)
        rows.append(row)
    table(f"{name}, cut or continued: MB/s of mlcore", ("MB", "documents", *CASES), rows)


def memory(_texts: list[str], name: str, threads: int, _repeats: int) -> None:
    """Peak of each library in a process of its own."""
    rows = []
    for case in CASES:
        peak = {
            who: in_child(__file__, "--child-memory", who, case, "--threads", str(threads))
            for who in ("ours", "theirs")
        }
        matrix = peak["ours"]["matrix"]
        own, other = peak["ours"]["peak"], peak["theirs"]["peak"]
        rows.append((case, matrix, own, other, own / other))
    table(f"{name}: peak memory of fit_transform, MB", ("", "matrix", "mlcore", "scikit-learn", "share"), rows)


def child_memory(who: str, case: str, threads: int) -> None:
    """Print the peak of one fit above what was there before, as JSON."""
    module = text if who == "ours" else peer
    _, texts = documents()
    fit(module, case, texts[:20], threads)  # imports, threads
    reset_peak()
    before = memory_mb("VmRSS")
    _, X = fit(module, case, texts, threads)
    matrix = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 2**20
    print(json.dumps({"peak": memory_mb("VmHWM") - before, "matrix": matrix}))


def main() -> None:
    """Print the tables that were asked for."""
    options = parser(__doc__.splitlines()[0], PARTS)
    options.add_argument("--child-memory", nargs=2, help=SUPPRESS)
    args = options.parse_args()
    if args.child_memory:
        child_memory(*args.child_memory, args.threads)
        return
    runs: dict[str, Callable[[list[str], str, int, int], None]] = {"speed": speed, "growth": growth, "memory": memory}
    name, texts = documents()
    print(machine(args.threads, ("scikit-learn", "numpy", "scipy")))
    for part in args.parts or PARTS:
        runs[part](texts, name, args.threads, args.repeats)


if __name__ == "__main__":
    main()
