"""The four tasks of the recipe of BERT: their data, in the forms that the estimators take, and their scores."""

import json
import lzma
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.metrics import entity_score, squad_score

DATA = Path(os.environ.get("MLCORE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@dataclass(frozen=True)
class Split:
    """Examples and what is to be predicted for each."""

    X: Sequence[Any]
    """Texts; sentences as lists of words; (question, context)."""
    y: Sequence[Any]
    """Labels; lists of tags; answers as SQuAD has them, a dict for each question."""

    def first(self, n: int | None) -> "Split":
        return Split(self.X[:n], self.y[:n])


@dataclass(frozen=True)
class Task:
    """One data set, and how a small network is fine-tuned on it."""

    read: Callable[[], tuple[Split, Split]]
    """Return the training and the test set."""
    score: Callable[[Sequence[Any], Sequence[Any]], float]
    """From what is true and what was predicted to a figure in percent."""
    epochs: int
    learning_rate: float
    """From weights that know a language."""
    figure: str
    batch_size: int = 32
    max_length: int = 128

    def settings(self, start: str) -> dict[str, Any]:
        """Return what a training has in all libraries; one from scratch goes on for longer, in larger steps."""
        scratch = start == "scratch"
        return {
            "max_epochs": 2 * self.epochs if scratch else self.epochs,
            "learning_rate": 5e-4 if scratch else self.learning_rate,
            "batch_size": self.batch_size,
            "max_length": self.max_length,
            "warmup_ratio": 0.1,
            "weight_decay": 0.01,
            "max_norm": 1.0,
        }


def lines(path: str) -> list[str]:
    with lzma.open(DATA / path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def text(path: str) -> str:
    with lzma.open(DATA / path, "rt", encoding="utf-8") as file:
        return file.read()


def sst2() -> tuple[Split, Split]:
    def read(part: str) -> Split:
        rows = [line.rsplit("\t", 1) for line in lines(f"textclass/sst2.{part}.tsv.xz")]
        return Split([sentence for sentence, _ in rows], np.array([label for _, label in rows]))

    return read("train"), read("test")


def trec() -> tuple[Split, Split]:
    def read(part: str) -> Split:
        rows = [line.split(" ", 1) for line in lines(f"textclass/trec.{part}.txt.xz")]
        return Split([question for _, question in rows], np.array([label.split(":")[0] for label, _ in rows]))

    return read("train"), read("test")


def wnut17() -> tuple[Split, Split]:
    def read(part: str) -> Split:
        X: list[list[str]] = [[]]
        y: list[list[str]] = [[]]
        for line in lines(f"ner/wnut17.{part}.conll.xz"):
            if line.strip():
                word, tag = line.split("\t")
                X[-1].append(word)
                y[-1].append(tag)
            elif X[-1]:
                X.append([])
                y.append([])
        return Split([words for words in X if words], [tags for tags in y if tags])

    return read("train"), read("test")


TEST_ARTICLES = 4
"""Articles at the end that the test is of: no paragraph of theirs is in training."""


def squad2() -> tuple[Split, Split]:
    articles = json.loads(text("qa/squad2_dev_half.json.xz"))["data"]

    def read(articles: Sequence[dict[str, Any]]) -> Split:
        rows = [(qa, part["context"]) for article in articles for part in article["paragraphs"] for qa in part["qas"]]
        X = [(qa["question"], context) for qa, context in rows]
        answers = ([(a["text"], a["answer_start"]) for a in qa["answers"]] for qa, _ in rows)
        y = [{"text": [t for t, _ in found], "answer_start": [start for _, start in found]} for found in answers]
        return Split(X, y)

    return read(articles[:-TEST_ARTICLES]), read(articles[-TEST_ARTICLES:])


def accuracy(true: Sequence[Any], predicted: Sequence[Any]) -> float:
    return 100 * float(np.mean(np.asarray(true, str) == np.asarray(predicted, str)))


def entity_f1(true: Sequence[Any], predicted: Sequence[Any]) -> float:
    return 100 * entity_score(true, predicted).f1


def answer_f1(true: Sequence[Any], predicted: Sequence[Any]) -> float:
    return squad_score(predicted, [answers["text"] for answers in true]).f1


TASKS = {
    "sst2": Task(sst2, accuracy, epochs=4, learning_rate=1e-4, figure="accuracy"),
    "trec": Task(trec, accuracy, epochs=8, learning_rate=1e-4, figure="accuracy"),
    "wnut17": Task(wnut17, entity_f1, epochs=8, learning_rate=2e-4, figure="entity F1"),
    "squad2": Task(squad2, answer_f1, epochs=3, learning_rate=1e-4, figure="F1", batch_size=16, max_length=256),
}


# ---- text to learn the language from ----


def documents(n_words: int | None = None) -> list[list[str]]:
    """Return articles of Wikipedia as lists of sentences, at most so many words, and the texts of the training sets.

    Articles have no punctuation: lines of 32 words stand for their sentences. The training sets' texts, without their
    labels, bring punctuation and the words of the tasks; the tests' texts are left out.
    """
    found = []
    left = n_words
    for article in lines("wordvec/wiki100m.txt.xz"):
        words = article.split()[:left]
        found.append([" ".join(words[i : i + 32]) for i in range(0, len(words), 32)])
        if left is not None:
            left -= len(words)
            if left <= 0:
                break
    found.append([line.strip().replace("<unk>", "[UNK]") for line in lines("lm/ptb.train.txt.xz")])
    found += [list(TASKS[task].read()[0].X) for task in ("sst2", "trec")]
    found.append([" ".join(words) for words in wnut17()[0].X])
    found += [[part for part in context.split(". ") if part] for context in {c for _, c in squad2()[0].X}]
    return [[line for line in document if line] for document in found]
