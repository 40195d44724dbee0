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

from mlcore.embedding._files import blocks
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


class Evaluation:
    """Standard tests, for a class that has words and a table to search."""

    @property
    def index_to_key(self) -> list[str]:
        """The words, in the order of their vectors."""
        raise NotImplementedError

    def _table(self, restrict_vocab: int | None = None, n_jobs: int | None = None) -> Table:
        raise NotImplementedError

    def evaluate_word_analogies(
        self,
        analogies: str | os.PathLike[str] | Iterable[str | Sequence[str]],
        *,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
        n_jobs: int | None = None,
    ) -> tuple[float, list[AnalogySection]]:
        """Ask "a is to b as c is to what?" of a whole file and count the right answers.

        Parameters
        ----------
        analogies : str, path-like, or iterable of str or of 4 words
            A file (plain, .gz, .xz or .bz2), or its lines: four words each, ``a b c expected``, in sections that begin
            with a line ``: name``.
        restrict_vocab : int or None, default=300000
            Only the first words are known: as questions and as answers.
        case_insensitive : bool, default=True
            Whether words that differ in upper and lower case are the same. The first one's vector is taken, and no
            variant of a word of the question is an answer.
        dummy4unknown : bool, default=False
            Whether a question with an unknown word counts as answered wrongly; else it is not counted.
        similarity_function : {"most_similar", "most_similar_cosmul"}, default="most_similar"
            How the answer is chosen: by sums or products of cosines.
        n_jobs : int or None, default=None
            Threads; None: all CPUs.

        Returns
        -------
        accuracy : float
            Share of right answers.
        sections : list of dict
            Each with "section" (name), "correct", "incorrect" and "unknown" (numbers of questions; unknown ones are in
            "incorrect", too, if they count). The last one is "Total accuracy".

        Raises
        ------
        ValueError
            If a line is no question, or no question has all its words known.
        OSError
            If the file cannot be read.
        """
        table = self._table(restrict_vocab, n_jobs)
        return _evaluate_analogies(
            analogies,
            table,
            self.index_to_key,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
            similarity_function=similarity_function,
        )

    def evaluate_word_pairs(
        self,
        pairs: str | os.PathLike[str] | Iterable[str | Sequence[Any]],
        *,
        delimiter: str = "\t",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        r"""Compare the similarity of pairs of words with what people have said of them.

        Parameters
        ----------
        pairs : str, path-like, or iterable of str or of (word, word, number)
            A file (plain, .gz, .xz or .bz2), or its lines: two words and a number. Lines that begin with # are
            comments; a first line that has no number is a heading.
        delimiter : str, default="\t"
            The separator of the three.
        restrict_vocab : int or None, default=300000
            Only the first words are known.
        case_insensitive : bool, default=True
            Whether words that differ in upper and lower case are the same. The first one's vector is taken.
        dummy4unknown : bool, default=False
            Whether a pair with an unknown word has similarity 0; else it is left out.

        Returns
        -------
        pearson, spearman : (float, float)
            Correlation and its two-sided p-value.
        oov_ratio : float
            Pairs with an unknown word, in percent.

        Raises
        ------
        ValueError
            If a line is no pair, or fewer than two pairs are known.
        OSError
            If the file cannot be read.
        """
        return _evaluate_pairs(
            pairs,
            self._table(restrict_vocab),
            self.index_to_key,
            delimiter=delimiter,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
        )


def _evaluate_analogies(
    source: Source,
    table: Table,
    words: list[str],
    *,
    case_insensitive: bool,
    dummy4unknown: bool,
    similarity_function: str,
) -> tuple[float, list[AnalogySection]]:
    """See :meth:`Evaluation.evaluate_word_analogies`; only the first ``table.n_rows`` of `words` are known."""
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


def _evaluate_pairs(
    source: Source,
    table: Table,
    words: list[str],
    *,
    delimiter: str,
    case_insensitive: bool,
    dummy4unknown: bool,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """See :meth:`Evaluation.evaluate_word_pairs`; only the first ``table.n_rows`` of `words` are known."""
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
    """Lines of a file or items of an iterable, each with its place in words, for messages."""
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
