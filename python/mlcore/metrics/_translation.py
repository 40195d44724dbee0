"""What BLEU, chrF and their bootstrap share: hypotheses and references as users hold them, scores as text."""

import json
import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from mlcore._base import effective_n_jobs
from mlcore._native import core

Texts = list[Any]
"""The str of one list; where references may be missing, None and NaN too. The core checks."""

VERSION = f"mlcore-{core.build_info()['version']}"
"""What a signature says of who computed the score."""


def read_texts(texts: Iterable[Any], name: str) -> Texts:
    """Return the texts of any ordered collection or iterator as a list."""
    if isinstance(texts, str | bytes | AbstractSet | Mapping) or not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be a list of str, got a value of type {type(texts).__name__!r}")
    return list(texts)


def read_hypotheses(hypotheses: Iterable[str], name: str = "hypotheses") -> Texts:
    """Return hypotheses as a list that is not empty."""
    texts = read_texts(hypotheses, name)
    if not texts:
        raise ValueError(f"{name} must hold at least one text, got none")
    return texts


def read_references(references: Iterable[Iterable[str | None]], n_hypotheses: int) -> list[Texts]:
    """Return the reference streams as lists, each with one text a hypothesis."""
    how = (
        "references must hold one list for each reference stream, each with one text a hypothesis: "
        "[[first reference of every hypothesis], [second reference of every hypothesis], ...]"
    )
    if isinstance(references, str | bytes):
        raise TypeError(f"{how}, got a value of type {type(references).__name__!r}")
    streams: list[Any] = read_texts(references, "references")
    if not streams:
        raise ValueError(f"{how}, got an empty list")
    if any(isinstance(stream, str) or stream is None for stream in streams):
        raise ValueError(f"{how}, got a flat list of str; if it has the only reference of each, pass [references]")
    streams = [read_texts(stream, f"references[{i}]") for i, stream in enumerate(streams)]
    lengths = [len(stream) for stream in streams]
    for i, length in enumerate(lengths):
        if length == n_hypotheses:
            continue
        if len(streams) == n_hypotheses:
            raise ValueError(
                f"{how}; got one list for each of the {n_hypotheses} hypotheses: turn them by "
                "list(itertools.zip_longest(*references))"
            )
        raise ValueError(f"{how}; got {n_hypotheses} hypotheses, but references[{i}] has {length} texts")
    return streams


def read_sentence(hypothesis: str, references: Iterable[str | None]) -> tuple[Texts, list[Texts]]:
    """Return one hypothesis and its references as a corpus of one segment."""
    if not isinstance(hypothesis, str):
        raise TypeError(f"hypothesis must be a str, got a value of type {type(hypothesis).__name__!r}")
    if isinstance(references, str):
        raise TypeError("references must be a list of str, got a str; pass [references] if it is the only one")
    streams = [[reference] for reference in read_texts(references, "references")]
    if not streams:
        raise ValueError("references must hold at least one text, got none")
    return [hypothesis], streams


def threads_for(n_jobs: int | None, hypotheses: Texts) -> int:
    """Return the number of threads; a small corpus takes less time than to ask which CPUs this process may use."""
    if n_jobs is None and len(hypotheses) <= 64 and sum(len(t) for t in hypotheses if isinstance(t, str)) <= 8192:
        return 1
    return effective_n_jobs(n_jobs)


def signature(n_references: tuple[int, int], resampling: Mapping[str, object], settings: Mapping[str, object]) -> str:
    """Return the fields of sacreBLEU's signature, in its order.

    Parameters
    ----------
    n_references : tuple of int
        References of the segments with the fewest and with the most of them.
    resampling, settings : mapping of str to object
        Further fields.
    """
    fewest, most = n_references
    fields: dict[str, object] = {
        "nrefs": fewest if fewest == most else "var",
        **resampling,
        **settings,
        "version": VERSION,
    }
    return "|".join(f"{key}:{value}" for key, value in fields.items())


class TranslationScore:
    """What the scores of all metrics can do: be written as sacreBLEU writes them."""

    __slots__ = ()

    score: float
    signature: str

    @property
    def name(self) -> str:
        """Name of the metric."""
        raise NotImplementedError

    def _details(self) -> str:
        """Text after the score."""
        return ""

    def format(self, width: int = 2, score_only: bool = False, signature: str = "", is_json: bool = False) -> str:
        """Return the score as text, as sacreBLEU writes it.

        Parameters
        ----------
        width : int, default=2
            Digits after the decimal point.
        score_only : bool, default=False
            The number alone.
        signature : str, default=""
            Text after the name, such as ``score.signature``.
        is_json : bool, default=False
            A JSON object with the fields of the signature.

        Returns
        -------
        str
        """
        number, details = f"{self.score:.{width}f}", self._details()
        if score_only:
            return number
        if is_json:
            signature = signature or self.signature
            fields: dict[str, object] = {"name": self.name, "score": float(number), "signature": signature}
            if details:
                fields["verbose_score"] = details
            fields.update((key, value) for key, _, value in (entry.partition(":") for entry in signature.split("|")))
            return json.dumps(fields, indent=1, ensure_ascii=False)
        title = f"{self.name}|{signature}" if signature else self.name
        return f"{title} = {number} {details}".rstrip()

    def __str__(self) -> str:
        return self.format()


def check_number(value: Any, name: str) -> float:
    """Return a finite number that is not negative."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str | bool) or not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
    return number
