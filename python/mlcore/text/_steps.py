"""The steps from a text to its terms as plain functions on str: accents, n-grams of words and of characters.

`build_analyzer` and its like return them, and they make terms of the tokens of a function of the user. Documents that
need no such function are analyzed by the core (``cpp/text/vectorizer``), to the same terms.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from unicodedata import combining, normalize

_SPACES = re.compile(r"\s\s+")
"""Two white spaces or more, which n-grams of characters see as one blank. A single one stays as it is."""


def strip_accents_ascii(text: str) -> str:
    """Return the ASCII characters of a text whose accented letters were taken apart (NFKD); all others are left out."""
    return text if text.isascii() else normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def strip_accents_unicode(text: str) -> str:
    """Return a text whose accented letters were taken apart (NFKD), without the accents."""
    if text.isascii():
        return text
    return "".join(character for character in normalize("NFKD", text) if not combining(character))


def preprocess(text: Any, *, lowercase: bool, strip_accents: Callable[[Any], Any] | None) -> Any:
    """Return a text in lower case, if so wanted, and then without accents."""
    if lowercase:
        text = text.lower()
    return text if strip_accents is None else strip_accents(text)


def apply(document: Any, *, steps: Sequence[Callable[[Any], Any]]) -> Any:
    """Return what the steps make of a document, one after the other."""
    for step in steps:
        document = step(document)
    return document


def word_ngrams(
    tokens: Sequence[Any], *, min_n: int, max_n: int, stop_words: Collection[str] | None = None
) -> Sequence[Any]:
    """Return n-grams of the tokens that are no stop words: shorter ones first, each joined by blanks."""
    if stop_words is not None:
        tokens = [token for token in tokens if token not in stop_words]
    if max_n == 1:
        return tokens
    terms = list(tokens) if min_n == 1 else []
    for n in range(max(min_n, 2), min(max_n, len(tokens)) + 1):
        terms += [" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return terms


def char_ngrams(text: str, *, min_n: int, max_n: int) -> list[str]:
    """Return n-grams of the characters, shorter ones first."""
    text = _SPACES.sub(" ", text)
    return [gram for n in range(min_n, min(max_n, len(text)) + 1) for gram in _windows(text, n)]


def char_wb_ngrams(text: str, *, min_n: int, max_n: int) -> list[str]:
    """Return n-grams of the characters of each word, which has a blank at either end; a short word counts once."""
    terms: list[str] = []
    for word in text.split():
        padded = f" {word} "
        for n in range(min_n, max_n + 1):
            if len(padded) <= n:  # longer n-grams would be the whole word again
                terms.append(padded)
                break
            terms += _windows(padded, n)
    return terms


def _windows(text: str, n: int) -> Iterator[str]:
    return (text[i : i + n] for i in range(len(text) - n + 1))
