"""The best spans of a context by the scores of their first and last pieces, over all windows of a question.

A span from piece i to piece j has the score ``start_i + end_j``, in the window where that is highest. That there is no
answer has the score of the first marker of a window, in the window where that is lowest (Devlin et al., 2019, 4.3): a
text has no answer if none of its windows has.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class BestSpans(NamedTuple):
    """The spans of one context that are most probably the answer, best first."""

    pieces: NDArray[np.int64]
    """First and last piece of each, shape (n, 2)."""
    scores: Floats
    """Shape (n,)."""
    probabilities: Floats
    """Of each among all spans and no answer, shape (n,)."""
    null_score: float
    """Of no answer."""
    null_probability: float


class WindowScores(NamedTuple):
    """What the network says of a window."""

    start: int
    """First piece of the context in the window."""
    starts: NDArray[np.float32]
    """Score of each piece of the context in the window to be the first of the answer, shape (n,)."""
    ends: NDArray[np.float32]
    """To be the last, shape (n,)."""
    null: float
    """Score of the marker to be both."""


def best_spans(windows: Iterable[WindowScores], n_pieces: int, max_answer_length: int, n_best: int) -> BestSpans:
    """Return the best spans over all windows of a question.

    Parameters
    ----------
    windows : iterable of WindowScores
        One or more.
    n_pieces : int
        Pieces of the context.
    max_answer_length : int
        Pieces of a span at most.
    n_best : int
        Spans at most.

    Returns
    -------
    BestSpans
        Of equal scores, the span that begins first, then the shorter one, comes first.
    """
    longest = max(min(max_answer_length, n_pieces), 1)
    scores = np.full((n_pieces, longest), -np.inf)  # of the span from a piece on, one more piece in each column
    null = np.inf
    for window in windows:
        null = min(null, float(window.null))
        n = len(window.starts)
        if not n:
            continue
        ends = np.full(n + longest - 1, -np.inf)
        ends[:n] = window.ends
        found = window.starts.astype(np.float64)[:, None] + np.lib.stride_tricks.sliding_window_view(ends, longest)[:n]
        part = scores[window.start : window.start + n]
        np.maximum(part, found, out=part)
    flat = scores.ravel()
    n_best = min(n_best, int(np.count_nonzero(flat > -np.inf)))
    least = np.partition(flat, -n_best)[-n_best] if n_best else np.inf
    chosen = np.flatnonzero(flat >= least)
    order = chosen[np.argsort(-flat[chosen], kind="stable")][:n_best]
    top = max(null, float(flat.max(initial=-np.inf)))
    total = float(np.exp(flat - top).sum()) + float(np.exp(null - top))
    first, more = np.divmod(order, longest)
    return BestSpans(
        np.stack([first, first + more], axis=1),
        flat[order],
        np.exp(flat[order] - top) / total,
        null,
        float(np.exp(null - top)) / total,
    )


def best_threshold(margins: Floats, if_answered: Floats, if_not: Floats) -> float:
    """Return the threshold of no answer with the highest mean score.

    Parameters
    ----------
    margins : array of float, shape (n_questions,)
        Score of no answer less that of the best span. A question is answered where that is not above the threshold.
    if_answered, if_not : array of float, shape (n_questions,)
        What each question then brings.

    Returns
    -------
    float
        In the middle between two margins; of equal means the lowest.
    """
    order = np.argsort(margins, kind="stable")
    sorted_margins = margins[order]
    gains = np.concatenate([[0.0], np.cumsum((if_answered - if_not)[order])])  # of answering the first i of them
    is_between = np.ones(len(gains), bool)
    is_between[1:-1] = np.diff(sorted_margins) > 0
    # What differs by rounding alone is equal.
    n_answered = int(np.flatnonzero(is_between & (gains >= gains[is_between].max() - 1e-9 * len(gains)))[0])
    if n_answered == 0:
        return float(np.nextafter(sorted_margins[0], -np.inf))
    if n_answered == len(order):
        return float(sorted_margins[-1])
    return float(sorted_margins[n_answered - 1 : n_answered + 1].mean())
