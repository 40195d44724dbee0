"""Questions about contexts, and their answers, as users hold them: files of SQuAD, lists of dicts, columns, pairs."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

from mlcore.seq._inputs import read_texts
from mlcore.text._documents import is_missing, parts

_FORMS = (
    "{who} must be a dict as in a file of SQuAD (key 'data'), a list of its articles, a list of dicts with the keys "
    "'question' and 'context', a table with these columns, or a list of pairs (question, context)"
)


class Answer(NamedTuple):
    """A right answer."""

    text: str
    start: int | None
    """Its first character in the context; None: not said."""


Answers = list[Answer] | None
"""Right answers to a question; empty: there is none; None: not said."""


class Questions(NamedTuple):
    """Questions, the contexts that they are about, each once, and right answers."""

    questions: list[str]
    contexts: list[str]
    context_of: NDArray[np.int64]
    """Context of each question, shape (n_questions,)."""
    answers: list[Answers]

    def __len__(self) -> int:
        return len(self.questions)

    def gold(self, who: str) -> list[list[str]]:
        """Return the texts of the right answers to each question.

        Raises
        ------
        ValueError
            If those to a question are not said.
        """
        return [[answer.text for answer in answers] for answers in self._known(who)]

    def spans(self, who: str) -> NDArray[np.int64]:
        """Return where the first right answer to each question stands in its context, without blanks around it.

        Returns
        -------
        array of int, shape (n_questions, 2)
            First character, and the one after the last; -1, -1 where there is no answer.

        Raises
        ------
        ValueError
            If the answers to a question are not said, or the first one is not where it is said to be.
        """
        spans = np.full((len(self), 2), -1, np.int64)
        for i, answers in enumerate(self._known(who)):
            if answers:
                spans[i] = _place(answers[0], self.contexts[self.context_of[i]], f"question {i} of {who}")
        return spans

    def _known(self, who: str) -> Iterator[list[Answer]]:
        for i, answers in enumerate(self.answers):
            if answers is None:
                raise ValueError(
                    f"{who} needs answers, and question {i} has none: give y, or a key 'answers'; an empty list says "
                    "that the text does not answer the question"
                )
            yield answers


def read_questions(X: Any, y: Any = None, *, who: str) -> Questions:
    """Return questions, contexts and, where they are said, answers.

    Parameters
    ----------
    X : dict, list or table
        A file of SQuAD, its articles or paragraphs; a list of dicts, or columns, with "question", "context" and
        perhaps "answers"; or pairs (question, context).
    y : iterable of answers, default=None
        Answers to each question, in the place of those in X. Each a text, a list of texts, a dict of SQuAD with "text"
        and "answer_start", a list of these, or a dict with lists "text" and "answer_start"; "", None or an empty list:
        there is no answer.
    who : str
        What X is, for messages.

    Returns
    -------
    Questions

    Raises
    ------
    TypeError
        If X has none of these forms, or a question, context or answer is no text.
    ValueError
        If a dict lacks a key, or y has another length.
    """
    rows = list(_rows(X, who))
    questions = read_texts([row[0] for row in rows], f"the questions of {who}")
    read_texts([row[1] for row in rows], f"the contexts of {who}")
    numbers: dict[str, int] = {}
    context_of = np.array([numbers.setdefault(row[1], len(numbers)) for row in rows], dtype=np.int64)
    found = [row[2] for row in rows]
    if y is not None:
        if isinstance(y, str | bytes | Mapping | AbstractSet) or not isinstance(y, Iterable):
            raise TypeError(f"y of {who} must be a list of answers, got a value of type {type(y).__name__!r}")
        found = [[] if is_missing(answers) else answers for part in parts(y) for answers in part]
        check_consistent_length(rows, found)
    answers = [_answers(value, f"question {i} of {who}") for i, value in enumerate(found)]
    return Questions(questions, list(numbers), context_of, answers)


# ---- the forms of X --------------------------------------------------------------------------------------------------


def _rows(X: Any, who: str) -> Iterator[tuple[Any, Any, Any]]:
    """Yield question, context and answers, which are None where they are not said."""
    forms = _FORMS.format(who=who)
    if isinstance(X, str | bytes | AbstractSet):
        raise TypeError(f"{forms}, got a value of type {type(X).__name__!r}")
    if isinstance(X, Mapping) and "data" in X:
        X = X["data"]
    elif isinstance(X, Mapping) and ("paragraphs" in X or "qas" in X):
        X = [X]
    if isinstance(X, Mapping) or hasattr(X, "columns") or hasattr(X, "column_names"):
        yield from _columns(X, who)
        return
    if isinstance(X, str | bytes) or not isinstance(X, Iterable):
        raise TypeError(f"{forms}, got a value of type {type(X).__name__!r}")
    for i, entry in enumerate(X):
        if isinstance(entry, Mapping):
            yield from _of_dict(entry, f"entry {i} of {who}")
        elif isinstance(entry, tuple | list | np.ndarray) and len(entry) == 2:
            yield entry[0], entry[1], None
        else:
            hint = ": a single pair goes into a list, [(question, context)]" if isinstance(entry, str) else ""
            raise TypeError(f"{forms}; entry {i} is {entry!r:.60}{hint}")


def _columns(X: Any, who: str) -> Iterator[tuple[Any, Any, Any]]:
    names = X.keys() if isinstance(X, Mapping) else getattr(X, "column_names", None) or X.columns
    missing = {"question", "context"} - set(names)
    if missing:
        raise ValueError(f"{who} must have columns 'question' and 'context', got {list(names)!r:.80}")
    if isinstance(X["question"], str):
        raise TypeError(f"{who} must be a list of dicts, got one: pass [X]")
    columns = [list(X[name]) for name in ("question", "context", "answers") if name in names]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"columns of {who} must be of one length, got {[len(column) for column in columns]}")
    for question, context, *answers in zip(*map(_plain, columns), strict=True):
        yield question, context, answers[0] if answers else None


def _plain(column: list[Any]) -> list[Any]:
    """Return the values of a column of Arrow as Python's."""
    return [value.as_py() if hasattr(value, "as_py") else value for value in column]


def _of_dict(entry: Mapping[Any, Any], who: str) -> Iterator[tuple[Any, Any, Any]]:
    if "paragraphs" in entry:
        for i, paragraph in enumerate(_list(entry["paragraphs"], f"'paragraphs' of {who}")):
            yield from _of_dict(_dict(paragraph, f"paragraph {i} of {who}"), f"paragraph {i} of {who}")
    elif "qas" in entry:
        for i, question in enumerate(_list(entry["qas"], f"'qas' of {who}")):
            name = f"question {i} of {who}"
            yield _get(_dict(question, name), "question", name), _get(entry, "context", who), _said(question)
    else:
        yield _get(entry, "question", who), _get(entry, "context", who), _said(entry)


def _said(question: Mapping[Any, Any]) -> Any:
    """Return the answers that a dict holds, none where it says that there is none."""
    return [] if question.get("is_impossible") is True else question.get("answers")


def _get(entry: Mapping[Any, Any], key: str, who: str) -> Any:
    if key not in entry:
        raise ValueError(f"{who} must have a key {key!r}, got {list(entry)!r:.80}")
    return entry[key]


def _dict(value: Any, who: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{who} must be a dict, got a value of type {type(value).__name__!r}")
    return value


def _list(value: Any, who: str) -> list[Any]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        raise TypeError(f"{who} must be a list, got a value of type {type(value).__name__!r}")
    return list(value)


# ---- answers ---------------------------------------------------------------------------------------------------------


def _answers(value: Any, who: str) -> Answers:
    if is_missing(value):
        return None
    if isinstance(value, str):
        return [Answer(_text(value, who), None)] if value else []
    if isinstance(value, Mapping) and not isinstance(value.get("text"), str):
        texts = _list(_get(value, "text", f"the answer to {who}"), f"'text' of the answers to {who}")
        starts = _list(value.get("answer_start", [None] * len(texts)), f"'answer_start' of the answers to {who}")
        if len(texts) != len(starts):
            raise ValueError(f"the answers to {who} must have as many 'text' as 'answer_start'")
        return [Answer(_text(text, who), _start(start, who)) for text, start in zip(texts, starts, strict=True)]
    entries = [value] if isinstance(value, Mapping) else _list(value, f"answers to {who}")
    found = []
    for entry in entries:
        if isinstance(entry, str):
            found.append(Answer(_text(entry, who), None))
        else:
            entry = _dict(entry, f"an answer to {who}")
            text = _text(_get(entry, "text", f"an answer to {who}"), who)
            found.append(Answer(text, _start(entry.get("answer_start"), who)))
    return found


def _text(text: Any, who: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"an answer to {who} must be a str, got a value of type {type(text).__name__!r}")
    return text


def _start(start: Any, who: str) -> int | None:
    if start is None:
        return None
    if isinstance(start, bool) or not isinstance(start, int | np.integer):
        raise TypeError(f"'answer_start' of {who} must be an int, got {start!r}")
    return int(start)


def _place(answer: Answer, context: str, who: str) -> tuple[int, int]:
    """Return where an answer stands, without blanks around it."""
    text, start = answer
    if start is None:
        start = context.find(text)
        if start < 0:
            raise ValueError(f"the answer {text!r:.60} to {who} does not stand in its context")
    elif start < 0 or not context.startswith(text, start):
        found = context[max(start, 0) : max(start, 0) + len(text)]
        raise ValueError(
            f"the answer {text!r:.60} to {who} does not begin at character answer_start={start} of its context, where "
            f"there is {found!r:.60}; characters are those of Python, not bytes and not UTF-16"
        )
    bare = text.strip()
    if not bare:
        raise ValueError(
            f"the answer {text!r:.60} to {who} has only blanks: an empty list says that there is no answer"
        )
    start += text.index(bare)
    return start, start + len(bare)
