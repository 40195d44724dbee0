"""Documents as counts of terms in plain Python: what the vectorizers must give, and the rules they follow.

A document goes through five steps:

1. lower case: ``str.lower``;
2. accents: "ascii": letters are taken apart (NFKD), what is not ASCII then is left out; "unicode": letters are taken
   apart, and combining characters left out; a document of ASCII alone stays as it is;
3. tokens: all matches of a regular expression (`word`), all characters with runs of white space as one blank (`char`),
   or the words between white space with a blank at either end (`char_wb`);
4. stop words are left out (`word`);
5. n-grams of tokens, joined by blanks (`word`), or of characters; a word shorter than n counts once (`char_wb`).
"""

import re
import unicodedata
from collections import Counter

import numpy as np

TOKEN_PATTERN = r"(?u)\b\w\w+\b"


def plain(text, lowercase=True, accents=None):
    """Steps 1 and 2."""
    if lowercase:
        text = text.lower()
    if accents is None or text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    if accents == "ascii":
        return "".join(c for c in apart if ord(c) < 128)
    return "".join(c for c in apart if unicodedata.combining(c) == 0)


def word_terms(text, pattern=TOKEN_PATTERN, min_n=1, max_n=1, stop_words=()):
    tokens = [token for token in re.findall(pattern, text) if token not in stop_words]
    return ngrams(tokens, min_n, max_n)


def ngrams(tokens, min_n, max_n):
    return [" ".join(tokens[i : i + n]) for n in range(min_n, max_n + 1) for i in range(len(tokens) - n + 1)]


def char_terms(text, min_n=1, max_n=1):
    text = re.sub(r"\s\s+", " ", text)
    return [text[i : i + n] for n in range(min_n, max_n + 1) for i in range(len(text) - n + 1)]


def char_wb_terms(text, min_n=1, max_n=1):
    terms = []
    for word in text.split():
        padded = f" {word} "
        for n in range(min_n, max_n + 1):
            if n >= len(padded):
                terms.append(padded)
                break
            terms += [padded[i : i + n] for i in range(len(padded) - n + 1)]
    return terms


def terms_of(text, level, pattern, lowercase, accents, min_n, max_n, stop_words):
    """All five steps."""
    text = plain(text, lowercase, accents)
    if level == "word":
        return word_terms(text, pattern, min_n, max_n, set(stop_words))
    return {"char": char_terms, "char_wb": char_wb_terms}[level](text, min_n, max_n)


# ---- counts ----------------------------------------------------------------------------------------------------------


def counted(documents):
    """Return all terms in order, in how many documents each is, how often it occurs, and the counts of each document.

    `documents` are lists of terms.
    """
    rows = [Counter(terms) for terms in documents]
    terms = sorted(set().union(*rows))
    document_counts = [sum(term in row for row in rows) for term in terms]
    return terms, document_counts, [sum(row[term] for row in rows) for term in terms], rows


def matrix(rows, columns, binary=False):
    """Counts of the terms that have a column, as a dense array. `columns` is a dict."""
    X = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for term, count in row.items():
            if term in columns:
                X[i, columns[term]] = 1 if binary else count
    return X


# ---- weights ---------------------------------------------------------------------------------------------------------


def idf(document_counts, n_documents, smooth=True):
    df = np.asarray(document_counts, dtype=float)
    return np.log((n_documents + smooth) / (df + smooth)) + 1


def tfidf(X, weights=None, sublinear=False, norm="l2"):
    """Weights of counts, dense."""
    X = np.array(X, dtype=float)
    if sublinear:
        X[X > 0] = 1 + np.log(X[X > 0])
    if weights is not None:
        X = X * weights
    if norm is None:
        return X
    norms = np.abs(X).sum(axis=1) if norm == "l1" else np.sqrt((X**2).sum(axis=1))
    return X / np.where(norms == 0, 1, norms)[:, np.newaxis]


# ---- hashes ----------------------------------------------------------------------------------------------------------


def murmur3(data, seed=0):
    """MurmurHash3_x86_32 (A. Appleby, public domain) of bytes, as a signed number."""

    def rotated(x, by):
        return (x << by | x >> (32 - by)) & 0xFFFFFFFF

    def mixed(k):
        return rotated(k * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF

    h = seed
    whole = len(data) - len(data) % 4
    for i in range(0, whole, 4):
        h = (rotated(h ^ mixed(int.from_bytes(data[i : i + 4], "little")), 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if whole < len(data):
        h ^= mixed(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    h ^= h >> 16
    return h - (h >> 31 << 32)


def hashed_column(term, n_features, alternate_sign=True):
    """The column of a term and its sign. The absolute value of -2**31 counts as n_features more than that of 2**31."""
    h = murmur3(term.encode())
    column = abs(h) % n_features if h != -(2**31) else (2**31 - 1 - (n_features - 1)) % n_features
    return column, -1 if alternate_sign and h < 0 else 1


def hashed_rows(documents, n_features, alternate_sign=True):
    """For each list of terms a dict from column to sum; a sum of 0 stays."""
    rows = []
    for terms in documents:
        row = Counter()
        for term in terms:
            column, sign = hashed_column(term, n_features, alternate_sign)
            row[column] += sign
        rows.append(row)
    return rows
