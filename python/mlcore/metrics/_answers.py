"""Answers to questions as SQuAD measures them (Rajpurkar et al., 2016; 2018): exact match, and F1 of words.

Answers are compared in lower case, without ASCII punctuation and English articles, as the official script of SQuAD 2.0
does it. A question without an answer is answered by an empty text.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

__all__ = ["SquadScore", "answer_exact_match", "answer_f1", "squad_score"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class SquadScore:
    """How good answers are; `squad_score` returns it.

    Attributes
    ----------
    exact_match : float
        Questions in a hundred whose answer is one of the right ones.
    f1 : float
        Mean over questions of the F1 of words with the nearest right answer, in [0, 100]; higher is better.
    total : int
        Number of questions.
    has_answer, no_answer : SquadScore or None
        Of the questions that have an answer, and of those that have none, alone; None where there are no such
        questions, and in these.
    """

    exact_match: float
    f1: float
    total: int
    has_answer: "SquadScore | None" = None
    no_answer: "SquadScore | None" = None


def squad_score(predictions: Iterable[str], answers: Iterable[Iterable[str]]) -> SquadScore:
    """Exact match and F1 of answers, as the official script of SQuAD 2.0 has them.

    Parameters
    ----------
    predictions : iterable of str
        The answer to each question; empty for none.
    answers : iterable of iterables of str
        The right answers to each question, the best of which counts; none for a question that has no answer.

    Returns
    -------
    SquadScore

    Raises
    ------
    ValueError
        If there are not as many of both, or no question at all.
    TypeError
        If `predictions` is no list of str, or `answers` no list of lists of str.

    Examples
    --------
    >>> from mlcore.metrics import squad_score
    >>> answers = [["Norman dukes", "dukes"], [], ["in 1066", "the year 1066"]]
    >>> score = squad_score(["The Norman dukes", "", "1066"], answers)
    >>> round(score.exact_match, 2), round(score.f1, 2), score.no_answer.f1
    (66.67, 88.89, 100.0)
    """
    texts = [_checked(text, f"predictions[{i}]") for i, text in enumerate(_items(predictions, "predictions"))]
    gold = [
        [_checked(text, f"answers[{i}]") for text in _items(each, f"answers[{i}]")]
        for i, each in enumerate(_items(answers, "answers"))
    ]
    if len(texts) != len(gold):
        raise ValueError(f"there must be as many predictions as answers, got {len(texts)} and {len(gold)}")
    if not texts:
        raise ValueError("predictions must hold at least one answer, got none")
    pairs = [(answer_exact_match(*both), answer_f1(*both)) for both in zip(texts, gold, strict=True)]
    answered = [pair for pair, each in zip(pairs, gold, strict=True) if _has_answer(each)]
    empty = [pair for pair, each in zip(pairs, gold, strict=True) if not _has_answer(each)]
    return _mean(pairs, has_answer=_mean(answered) if answered else None, no_answer=_mean(empty) if empty else None)


def answer_exact_match(prediction: str, answers: Iterable[str]) -> float:
    """Return 1 if an answer is one of the right ones, but for case, punctuation and articles, else 0.

    Parameters
    ----------
    prediction : str
        Empty: there is no answer.
    answers : iterable of str
        The right ones; those without any word do not count, and without others the right answer is that there is none.

    Returns
    -------
    float
    """
    found = _normalized(prediction)
    return float(any(found == _normalized(answer) for answer in _golden(answers)))


def answer_f1(prediction: str, answers: Iterable[str]) -> float:
    """Return the F1 of the words that an answer shares with a right one, of the right answer where it is highest.

    Parameters
    ----------
    prediction : str
        Empty: there is no answer.
    answers : iterable of str
        The right ones; those without any word do not count, and without others the right answer is that there is none.

    Returns
    -------
    float
        In [0, 1].
    """
    words = _normalized(prediction).split()
    return max(_f1(words, _normalized(answer).split()) for answer in _golden(answers))


def _f1(words: list[str], expected: list[str]) -> float:
    if not words or not expected:
        return float(words == expected)
    common = (Counter(words) & Counter(expected)).total()
    return 2 * common / (len(words) + len(expected))


def _normalized(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def _golden(answers: Iterable[str]) -> list[str]:
    return [answer for answer in answers if _normalized(answer)] or [""]


def _has_answer(answers: list[str]) -> bool:
    """As the official script: any text, even one without words, says that there is an answer."""
    return bool(answers)


def _mean(pairs: list[tuple[float, float]], **parts: "SquadScore | None") -> SquadScore:
    exact, f1 = (100 * sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    return SquadScore(exact, f1, len(pairs), **parts)


def _items(values: Any, name: str) -> list[Any]:
    if isinstance(values, str | bytes | Mapping | AbstractSet) or not isinstance(values, Iterable):
        what = "a list of lists of str" if name == "answers" else "a list of str"
        raise TypeError(f"{name} must be {what}, got a value of type {type(values).__name__!r}")
    return list(values)


def _checked(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{name} must hold str, got a value of type {type(text).__name__!r}")
    return text
