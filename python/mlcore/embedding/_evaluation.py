"""Standard tests of word vectors: analogies (Mikolov et al., 2013) and similarity as judged by people.

Both count as gensim does, word2vec.c's ``compute-accuracy`` with sections. Questions run as matrix products, thousands
at once.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from mlcore.embedding._corpus import blocks
from mlcore.embedding._search import Table

Source: TypeAlias = str | os.PathLike[str] | Iterable[Any]

_BLOCK = 4096  # questions at once
_FUNCTIONS = ("most_similar", "most_similar_cosmul")


class AnalogySection(TypedDict):
    """Answers to the questions of a section."""

    section: str
    correct: int
    incorrect: int
    unknown: int


@dataclass
class _Section:
    name: str
    n_unknown: int = 0
    questions: list[list[str]] = field(default_factory=list)


def evaluate_analogies(
    source: Source,
    table: Table,
    words: list[str],
    *,
    case_insensitive: bool,
    dummy4unknown: bool,
    similarity_function: str,
) -> tuple[float, list[AnalogySection]]:
    """See :meth:`KeyedVectors.evaluate_word_analogies`; only the first ``table.n_rows`` of `words` are known."""
    if similarity_function not in _FUNCTIONS:
        raise ValueError(f"similarity_function must be one of {', '.join(_FUNCTIONS)}, got {similarity_function!r}")
    variants = _variants(words[: table.n_rows], case_insensitive)
    sections = _read_analogies(source, case_insensitive, variants)
    questions = [question for section in sections for question in section.questions]
    is_right = _answer(questions, table, variants, by_products=similarity_function == "most_similar_cosmul")
    results: list[AnalogySection] = []
    end = 0
    for section in sections:
        begin, end = end, end + len(section.questions)
        n_right = int(is_right[begin:end].sum())
        n_wrong = end - begin - n_right + (section.n_unknown if dummy4unknown else 0)
        results.append(
            {"section": section.name, "correct": n_right, "incorrect": n_wrong, "unknown": section.n_unknown}
        )
    total: AnalogySection = {
        "section": "Total accuracy",
        "correct": sum(result["correct"] for result in results),
        "incorrect": sum(result["incorrect"] for result in results),
        "unknown": sum(result["unknown"] for result in results),
    }
    n_asked = total["correct"] + total["incorrect"]
    if n_asked == 0:
        raise ValueError(f"no question has all its words known ({total['unknown']} have not)")
    return total["correct"] / n_asked, [*results, total]


def evaluate_pairs(
    source: Source,
    table: Table,
    words: list[str],
    *,
    delimiter: str,
    case_insensitive: bool,
    dummy4unknown: bool,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """See :meth:`KeyedVectors.evaluate_word_pairs`; only the first ``table.n_rows`` of `words` are known."""
    from scipy.stats import pearsonr, spearmanr

    variants = _variants(words[: table.n_rows], case_insensitive)
    rows: list[tuple[int, int]] = []
    judged: list[float] = []
    is_known: list[bool] = []
    for a, b, judgement in _read_pairs(source, delimiter, case_insensitive):
        known = a in variants and b in variants
        is_known.append(known)
        if known or dummy4unknown:
            rows.append((variants[a][0], variants[b][0]) if known else (0, 0))
            judged.append(judgement)
    if len(judged) < 2:
        raise ValueError(f"{len(judged)} of {len(is_known)} pairs have both words known: at least 2 are needed")
    a_rows, b_rows = np.array(rows).T
    similarity = np.einsum("ij,ij->i", table.unit(a_rows), table.unit(b_rows))
    if dummy4unknown:
        similarity[~np.array(is_known)] = 0.0
    pearson, spearman = pearsonr(judged, similarity), spearmanr(judged, similarity)
    return (
        (float(pearson.statistic), float(pearson.pvalue)),
        (float(spearman.statistic), float(spearman.pvalue)),
        100.0 * is_known.count(False) / len(is_known),
    )


def _answer(
    questions: list[list[str]], table: Table, variants: dict[str, list[int]], *, by_products: bool
) -> NDArray[np.bool_]:
    """Whether the answer to each question is the expected one."""
    ids = np.array([[variants[word][0] for word in question] for question in questions], dtype=np.intp).reshape(-1, 4)
    is_right = np.zeros(len(questions), dtype=np.bool_)
    for begin in range(0, len(questions), _BLOCK):
        block = questions[begin : begin + _BLOCK]
        a, b, c, _ = table.unit(ids[begin : begin + _BLOCK].T)
        terms = np.array([b, c, a] if by_products else [b + c - a])
        excluded = [[row for word in question[:3] for row in variants[word]] for question in block]
        rows, _ = table.nearest(
            terms, 1, excluded, n_positive=2 if by_products else 1, n_negative=int(by_products), product=by_products
        )
        is_right[begin : begin + len(block)] = [
            row in variants[question[3]] for question, row in zip(block, rows[:, 0].tolist(), strict=True)
        ]
    return is_right


def _variants(words: list[str], case_insensitive: bool) -> dict[str, list[int]]:
    """Rows of the words that are the same to the reader, the first one first."""
    variants: dict[str, list[int]] = {}
    for row, word in enumerate(words):
        variants.setdefault(word.upper() if case_insensitive else word, []).append(row)
    return variants


def _read_analogies(source: Source, case_insensitive: bool, variants: dict[str, list[int]]) -> list[_Section]:
    sections: list[_Section] = []
    for place, item in _items(source):
        if isinstance(item, str):
            if item.startswith(":"):
                sections.append(_Section(item.lstrip(": ").strip()))
                continue
            question = item.split()
            if not question:
                continue
        else:
            question = list(item)
        if len(question) != 4 or not all(isinstance(word, str) for word in question):
            raise ValueError(f"{place} must be four words or ': name of a section', got {item!r}")
        if not sections:
            sections.append(_Section(""))
        if case_insensitive:
            question = [word.upper() for word in question]
        if all(word in variants for word in question):
            sections[-1].questions.append(question)
        else:
            sections[-1].n_unknown += 1
    return sections


def _read_pairs(source: Source, delimiter: str, case_insensitive: bool) -> Iterator[tuple[str, str, float]]:
    is_first = True
    for place, item in _items(source):
        if isinstance(item, str):
            if not item.strip() or item.startswith("#"):
                continue
            fields: Sequence[Any] = item.strip().split(delimiter)
        else:
            fields = item
        may_be_heading, is_first = is_first and isinstance(item, str), False
        try:
            a, b, judgement = fields
            number = float(judgement)
            if not (isinstance(a, str) and isinstance(b, str) and np.isfinite(number)):
                raise ValueError
        except (ValueError, TypeError):
            if may_be_heading:
                continue
            raise ValueError(
                f"{place} must be two words and a number with {delimiter!r} between, got {item!r}"
            ) from None
        yield (a.upper(), b.upper(), number) if case_insensitive else (a, b, number)


def _items(source: Source) -> Iterator[tuple[str, Any]]:
    """Lines of a file or items of an iterable, each with words for messages where it stands."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            text = b"".join(blocks(path)).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 at byte {error.start}") from error
        yield from ((f"line {number} of {path}", line) for number, line in enumerate(text.split("\n"), 1))
    else:
        for number, item in enumerate(source):
            if not isinstance(item, str | list | tuple):
                raise TypeError(f"item {number} must be a line or a tuple, got {item!r}")
            yield f"item {number}", item
