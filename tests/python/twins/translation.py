"""Naive twin of BLEU, chrF and their bootstrap (`core.metrics`): the definitions with `re` and `Counter`.

BLEU counts matched n-grams of words, clipped by the reference that has most of each; chrF averages precision and
recall of n-grams of characters over the orders. The tokenizers are the substitutions of the scripts mteval-v13a and
mteval-v14, one after the other, each on what the one before has made.
"""

import math
import re
import unicodedata
from collections import Counter

import numpy as np

ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def western(text):
    """Blanks around the punctuation of ASCII, but for what stands within numbers, apostrophes and hyphens."""
    text = re.sub(r"([{-~\[-` -&(-+:-@/])", r" \1 ", text)
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text)


def tokenize_13a(text):
    for escape, meaning in (("<skipped>", ""), ("-\n", ""), ("\n", " ")):
        text = text.replace(escape, meaning)
    for escape, meaning in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(escape, meaning)
    return western(f" {text} ").split()


def tokenize_intl(text):
    """Each character is written as its class, P, S, N or "x", so that plain patterns say where blanks belong."""

    def classes(text):
        return "".join(unicodedata.category(c)[0] if unicodedata.category(c)[0] in "PSN" else "x" for c in text)

    def insert(text, pattern, before, between, after):
        parts, end = [], 0
        for match in re.finditer(pattern, classes(text)):
            i = match.start()
            parts += [text[end:i], " " * before, text[i], " " * between, text[i + 1 : match.end()], " " * after]
            end = match.end()
        return "".join(parts) + text[end:]

    text = insert(text, "[^N]P", 0, 1, 1)
    text = insert(text, "P[^N]", 1, 1, 0)
    return insert(text, "S", 1, 1, 0).split()


CHINESE = (
    "3400-4DB5 4E00-9FBB F900-FA2D FA30-FA6A FA70-FAD9 2001-2A6D FF00-FFEF 2E80-2EFF 3000-303F 31C0-31EF 2F00-2FDF"
)
CHINESE += " 2FF0-2FFF 3100-312F 31A0-31BF FE10-FE1F FE30-FE4F 3200-33FF"
CHINESE_RANGES = [tuple(int(end, 16) for end in part.split("-")) for part in CHINESE.split()]


def is_chinese(c):
    return any(first <= ord(c) <= last for first, last in CHINESE_RANGES)


def tokenize_zh(text):
    return western("".join(f" {c} " if is_chinese(c) else c for c in text.strip())).split()


TOKENIZERS = {
    "13a": tokenize_13a,
    "intl": tokenize_intl,
    "zh": tokenize_zh,
    "char": lambda text: "".join(text.split()),
    "none": str.split,
}


def n_grams(items, n):
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def bleu_counts(hypothesis, references, *, tokenize="13a", lowercase=False, max_order=4):
    """One row of statistics: both lengths, matches, n-grams of the hypothesis."""
    words, *others = (
        TOKENIZERS[tokenize]((text.lower() if lowercase else text).rstrip())
        for text in (hypothesis, *references)
        if text is not None
    )
    matches, totals = [], []
    for n in range(1, max_order + 1):
        own, most = n_grams(words, n), Counter()
        for other in others:
            most |= n_grams(other, n)
        matches.append((own & most).total())
        totals.append(own.total())
    closest = min((abs(len(other) - len(words)), len(other)) for other in others)[1]
    return [len(words), closest, *matches, *totals]


def bleu_score(counts, smooth_method="exp", smooth_value=0.0, effective_order=False):
    """Score in percent of a row of statistics."""
    order = len(counts) // 2 - 1
    length, reference_length = counts[:2]
    matches, totals = list(counts[2 : 2 + order]), list(counts[2 + order :])
    if not any(matches):
        return 0.0
    precisions, halved = [], 1
    for n, (matched, total) in enumerate(zip(matches, totals, strict=True)):
        if smooth_method == "add-k" and n > 0:
            matched, total = matched + smooth_value, total + smooth_value
        if total == 0:
            precisions += [] if effective_order else [0.0] * (order - n)
            break
        if matched == 0 and smooth_method == "exp":
            halved *= 2
            matched = 1 / halved
        elif matched == 0 and smooth_method == "floor":
            matched = smooth_value
        precisions.append(matched / total)
    if 0 in precisions:
        return 0.0
    penalty = min(1.0, math.exp(1 - reference_length / length))
    return 100 * penalty * math.exp(sum(map(math.log, precisions)) / len(precisions))


def chrf_words(text):
    for word in text.split():
        if len(word) > 1 and word[-1] in ASCII_PUNCTUATION:
            yield from (word[:-1], word[-1])
        elif len(word) > 1 and word[0] in ASCII_PUNCTUATION:
            yield from (word[0], word[1:])
        else:
            yield word


def chrf_counts(hypothesis, references, *, char_order=6, word_order=0, whitespace=False, **scoring):
    """One row of statistics against the reference with the best score: (own, its, matches) of each order."""

    def all_n_grams(text):
        characters = text if whitespace else "".join(text.split())
        words = list(chrf_words(text))
        return [n_grams(characters, n) for n in range(1, char_order + 1)] + [
            n_grams(words, n) for n in range(1, word_order + 1)
        ]

    rows = []
    for reference in references:
        if reference is None:
            continue
        row = []
        for own, other in zip(all_n_grams(hypothesis), all_n_grams(reference), strict=True):
            row += [own.total() if other else 0, other.total(), (own & other).total()]
        rows.append(row)
    return max(rows, key=lambda row: chrf_score(row, **scoring))


def chrf_score(counts, *, beta=2, eps_smoothing=False):
    """Score in percent of a row of statistics."""
    tiny = 1e-16
    rows = np.reshape(counts, (-1, 3))
    precisions = [matched / own if own else tiny for own, _, matched in rows]
    recalls = [matched / other if other else tiny for _, other, matched in rows]

    def f_score(p, r, if_zero):
        return (1 + beta**2) * p * r / (beta**2 * p + r) if beta**2 * p + r > 0 else if_zero

    if eps_smoothing:
        return 100 * sum(f_score(p, r, tiny) for p, r in zip(precisions, recalls, strict=True)) / len(rows)
    used = [i for i, (own, other, _) in enumerate(rows) if own and other]
    if not used:
        return 0.0
    return 100 * f_score(sum(precisions[i] for i in used) / len(used), sum(recalls[i] for i in used) / len(used), 0.0)


def resampled_sums(counts, n_resamples, seed):
    """Sums (n_resamples, columns) of the rows that NumPy's default generator draws."""
    n = len(counts)
    drawn = np.random.default_rng(seed).choice(n, size=(n_resamples, n), replace=True)
    return np.array([counts[rows].sum(axis=0) for rows in drawn])
