"""From what the network says of the tokens of windows to answers, as places in the contexts."""

from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import combining

import numpy as np
from numpy.typing import NDArray

from mlcore.seq.bert.spans._best_spans import BestSpans, WindowScores, best_spans
from mlcore.seq.bert.tokens._pieces import Pieces
from mlcore.seq.bert.tokens._windows import QuestionWindows


class AnswerSpan(NamedTuple):
    """An answer that :class:`BertQuestionAnswering` has found."""

    text: str
    """As it stands in the context; "": there is no answer."""
    start: int
    """Its first character in the context; -1: there is no answer."""
    end: int
    """The one after the last; -1: there is no answer."""
    score: float
    """Its probability among all places in the context, and that there is no answer."""


class Found(NamedTuple):
    """What is found for one question."""

    best: BestSpans
    context: str
    spans: NDArray[np.int64]
    """First character of each piece of the context, and the one after the last, shape (n_pieces, 2)."""

    @property
    def margin(self) -> float:
        """Score of no answer less that of the best span; infinity where there is none."""
        return self.best.null_score - float(self.best.scores[0]) if len(self.best.scores) else np.inf

    def answers(self, n_best: int, null_threshold: float) -> list[AnswerSpan]:
        """Return the best answers; no answer has its place where its score less the threshold puts it."""
        best, found = self.best, []
        for (first, last), probability in zip(best.pieces.tolist(), best.probabilities.tolist(), strict=True):
            start, end = int(self.spans[first, 0]), int(self.spans[last, 1])
            while end < len(self.context) and combining(self.context[end]):
                end += 1  # accents of their own, which the tokenizer may leave out
            found.append(AnswerSpan(self.context[start:end], start, end, probability))
        before = int(np.count_nonzero(best.scores >= best.null_score - null_threshold))
        found.insert(before, AnswerSpan("", -1, -1, best.null_probability))
        return found[:n_best]


def found_in_windows(
    outputs: NDArray[np.float32],
    windows: QuestionWindows,
    contexts: Pieces,
    context_of: NDArray[np.int64],
    texts: list[str],
    *,
    max_answer_length: int,
    n_best: int,
) -> Iterator[Found]:
    """Yield what is found for each question.

    Parameters
    ----------
    outputs : array of shape (n_tokens, 2)
        Score of each token of all windows to be the first of the answer, and the last.
    windows : QuestionWindows
    contexts : Pieces
        With spans.
    context_of : array of int, shape (n_questions,)
        Context of each question.
    texts : list of str
        The contexts.
    max_answer_length : int
        Pieces of an answer at most.
    n_best : int
        Answers to each question at most.
    """
    assert contexts.spans is not None
    firsts = np.searchsorted(windows.questions, np.arange(len(context_of) + 1)).tolist()
    markers, places = windows.batch.offsets[:-1].tolist(), windows.places.tolist()
    starts, lengths = windows.starts.tolist(), windows.lengths.tolist()
    for question, context in enumerate(context_of.tolist()):
        parts = []
        for i in range(firsts[question], firsts[question + 1]):
            begin = markers[i] + places[i]
            scores = outputs[begin : begin + lengths[i]]
            null = float(outputs[markers[i], 0]) + float(outputs[markers[i], 1])
            parts.append(WindowScores(starts[i], scores[:, 0], scores[:, 1], null))
        first, last = contexts.offsets[context : context + 2].tolist()
        best = best_spans(parts, last - first, max_answer_length, n_best)
        yield Found(best, texts[context], contexts.spans[first:last])
