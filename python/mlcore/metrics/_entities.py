"""Entities that are written as tags of words, and how many of them are found: the F1 of CoNLL's shared tasks.

Tags are "O", outside, or a prefix and a type: "B-person" begins an entity, "I-person" continues one; "E-" or "L-" is
its last word, "S-" or "U-" its only one (BIO, BIOES, BILOU). Sequences that break these rules are read as conlleval
and seqeval's default read them: "I-" (or "E-") begins an entity where none of its type is open.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sklearn.exceptions import UndefinedMetricWarning

from mlcore._warnings import warn

__all__ = ["EntityScore", "entity_score", "entity_spans", "is_entity_tag"]

Span = tuple[int, int, str]
"""First word, the word after the last one, type."""

_TAG = re.compile(r"([BIESLU])-(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EntityScore:
    """How many entities are found; `entity_score` returns it.

    Attributes
    ----------
    precision : float
        Share of the predicted entities that are right; 0 where none is predicted.
    recall : float
        Share of the true entities that are predicted; 0 where there is none.
    f1 : float
        ``2 precision recall / (precision + recall)``, 0 where none is right. In [0, 1], higher is better.
    support : int
        Number of true entities.
    n_predicted : int
        Number of predicted entities.
    by_type : dict of str to EntityScore
        Of the entities of each type alone; empty in these.
    """

    precision: float
    recall: float
    f1: float
    support: int
    n_predicted: int
    by_type: "dict[str, EntityScore]" = field(default_factory=dict)


def entity_score(y_true: Iterable[Sequence[str]], y_pred: Iterable[Sequence[str]]) -> EntityScore:
    """Precision, recall and F1 of entities: right are those whose words, all of them, and type are.

    The numbers are those of seqeval in its default mode, and of conlleval, over all entities ("micro").

    Parameters
    ----------
    y_true, y_pred : iterable of sequences of str
        For each sentence the tag of each word, "O" or a prefix and a type, such as "B-person". "I-" begins an entity
        where none of its type is open.

    Returns
    -------
    EntityScore

    Raises
    ------
    ValueError
        If the sentences, or the words of one, are not as many in both, or a tag has no such form.
    TypeError
        If they are no lists of lists of str.

    Warns
    -----
    UndefinedMetricWarning
        If there is no entity in either: F1 is then 0.

    Examples
    --------
    >>> from mlcore.metrics import entity_score
    >>> y_true = [["B-person", "I-person", "O", "B-place"]]
    >>> y_pred = [["B-person", "I-person", "O", "O"]]
    >>> score = entity_score(y_true, y_pred)
    >>> score.precision, score.recall, round(score.f1, 3)
    (1.0, 0.5, 0.667)
    """
    truth, predicted = _sentences(y_true, "y_true"), _sentences(y_pred, "y_pred")
    if len(truth) != len(predicted):
        raise ValueError(f"y_true and y_pred must have as many sentences, got {len(truth)} and {len(predicted)}")
    for i, (true_tags, tags) in enumerate(zip(truth, predicted, strict=True)):
        if len(true_tags) != len(tags):
            raise ValueError(
                f"sentence {i} must have a tag for each word in y_true and in y_pred, got {len(true_tags)} and "
                f"{len(tags)} tags"
            )
    score = count_entities(truth, predicted)
    if not score.support and not score.n_predicted:
        warn("there is no entity in y_true nor in y_pred: F1 is 0", UndefinedMetricWarning)
    return score


def count_entities(truth: list[list[str]], predicted: list[list[str]]) -> EntityScore:
    """Return what :func:`entity_score` does for as many sentences of as many words, without a warning."""
    right, true, found = Counter[str](), Counter[str](), Counter[str]()
    for true_tags, tags in zip(truth, predicted, strict=True):
        true_spans, spans = entity_spans(true_tags), entity_spans(tags)
        right.update(kind for _, _, kind in set(true_spans) & set(spans))
        true.update(kind for _, _, kind in true_spans)
        found.update(kind for _, _, kind in spans)
    by_type = {kind: _score(right[kind], true[kind], found[kind]) for kind in sorted(true | found)}
    return _score(right.total(), true.total(), found.total(), by_type)


def entity_spans(tags: Iterable[str]) -> list[Span]:
    """Return the entities of the tags of a sentence, in their order.

    Raises
    ------
    ValueError, TypeError
        If a tag is neither "O" nor a prefix and a type.
    """
    spans: list[Span] = []
    start, kind, i = -1, "", -1  # the entity that is open, if its start is not negative
    for i, tag in enumerate(tags):
        prefix, tag_kind = _parts(tag)
        if start >= 0 and (prefix in "OBS" or tag_kind != kind):
            spans.append((start, i, kind))
            start = -1
        if prefix != "O" and start < 0:
            start, kind = i, tag_kind
        if prefix in "ES":
            spans.append((start, i + 1, kind))
            start = -1
    if start >= 0:
        spans.append((start, i + 1, kind))
    return spans


def is_entity_tag(tag: Any) -> bool:
    """Whether a tag is "O", or a prefix and a type."""
    return isinstance(tag, str) and (tag == "O" or _TAG.fullmatch(tag) is not None)


@lru_cache(maxsize=1024)
def _parts(tag: str) -> tuple[str, str]:
    """Return one of B, I, E, S and O, and the type."""
    if not isinstance(tag, str):
        raise TypeError(f"a tag must be a str, got {tag!r}")
    if tag == "O":
        return "O", ""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise ValueError(f"a tag of entities must be 'O', or B-, I-, E-, L-, S- or U- and a type, got {tag!r}")
    prefix, kind = found.groups()
    return {"L": "E", "U": "S"}.get(prefix, prefix), kind


def _sentences(sentences: Any, name: str) -> list[list[str]]:
    how = f"{name} must be a list of sentences, each a list of tags"
    if isinstance(sentences, str | bytes | Mapping | AbstractSet) or not isinstance(sentences, Iterable):
        raise TypeError(f"{how}, got a value of type {type(sentences).__name__!r}")
    found = list(sentences)
    for i, tags in enumerate(found):
        if isinstance(tags, str | bytes | Mapping | AbstractSet) or not isinstance(tags, Iterable):
            raise TypeError(f"{how}; sentence {i} is of type {type(tags).__name__!r}")
    return [list(tags) for tags in found]


def _score(right: int, true: int, predicted: int, by_type: dict[str, EntityScore] | None = None) -> EntityScore:
    return EntityScore(
        precision=right / max(predicted, 1),
        recall=right / max(true, 1),
        f1=2 * right / max(true + predicted, 1),
        support=true,
        n_predicted=predicted,
        by_type=by_type or {},
    )
