r"""Texts as words and punctuation marks, and back: what networks that write text read and write.

A word is a run of letters, digits and their marks, with apostrophes and hyphens within it ("don't", "T-Shirt") and,
between digits, points and commas ("3.5", "1,000"). Every other visible character is a punctuation mark, a token of its
own, which keeps the space that stands before or after it: ``", "`` after a word, ``" ("`` before one. So tokens joined
one after the other, with a space between two words, are the text again, up to white space: runs of it are one space,
and there is none at the ends.

Left out on purpose: languages that are written without spaces, whose sentences are one word here; subwords serve them.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache


def split_words(text: str) -> list[str]:
    """Cut a text into words and punctuation marks.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        None of them empty; a space is in those of punctuation marks alone, at their ends.

    Examples
    --------
    >>> from mlcore.text._words import join_words, split_words
    >>> split_words('He (just) said: "3.5!"')
    ['He', ' (', 'just', ') ', 'said', ': ', '"', '3.5', '!', '"']
    """
    text = " ".join(text.split())
    tokens = []
    before = end = 0  # end of the last token, with the space that it has taken
    for found in _pattern().finditer(text):
        begin, end = found.span()
        if _is_word(text[begin]):
            tokens.append(text[begin:end])
        else:
            begin = before if tokens and text[before] == " " else begin
            end += text[end : end + 1] == " "
            tokens.append(text[begin:end])
        before = end
    return tokens


def join_words(tokens: Iterable[str]) -> str:
    """Return the text of words and punctuation marks as :func:`split_words` cuts them.

    Parameters
    ----------
    tokens : iterable of str
        A space at the begin or the end, or one where another one stands already, is left out.

    Returns
    -------
    str
    """
    pieces: list[str] = []
    follows_word = False
    for token in tokens:
        is_word = _is_word(token.strip()[:1])
        pieces += [" ", token] if is_word and follows_word else [token]
        follows_word = is_word
    return " ".join("".join(pieces).split())


def _is_word(text: str) -> bool:
    """Whether a token that begins so is a word."""
    return bool(text) and (text[0].isalnum() or text[0] == "_" or text[0] in _marks())


@cache
def _marks() -> frozenset[str]:
    """Return the characters that are marks of the letter before them, such as accents and the vowels of Devanagari."""
    return frozenset(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M")


@cache
def _pattern() -> re.Pattern[str]:
    letter = rf"[\w{''.join(sorted(_marks()))}]"
    within = rf"['’-](?={letter})|(?<=\d)[.,](?=\d)"
    return re.compile(rf"{letter}(?:{letter}|{within})*|\S")
