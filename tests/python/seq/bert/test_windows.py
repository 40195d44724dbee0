"""Windows over long texts, answers in them, and the best spans over all windows beside an exhaustive search."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.seq.bert import BertTokenizer
from mlcore.seq.bert.spans._best_spans import WindowScores, best_spans, best_threshold
from mlcore.seq.bert.tokens._windows import piece_spans, question_windows, windows_over
from support.bert import small_vocabulary

pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

NONE = -np.inf


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "vocab.txt").write_text("\n".join(small_vocabulary()) + "\n", encoding="utf-8")
    return BertTokenizer.from_pretrained(folder)


# ---- windows over texts ----------------------------------------------------------------------------------------------


def test_windows_share_pieces_with_their_neighbours():
    windows = windows_over(np.array([10, 0, 4, 5]), 4, 2)
    assert windows.rows.tolist() == [0, 0, 0, 0, 1, 2, 3, 3]
    assert windows.starts.tolist() == [0, 2, 4, 6, 0, 0, 0, 2]
    assert windows.lengths.tolist() == [4, 4, 4, 4, 0, 4, 4, 3]
    assert windows.owned.tolist() == [0, 3, 5, 7, 0, 0, 0, 3]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=5),
    st.integers(0, 50),
)
def test_each_piece_lies_in_a_window_and_is_owned_by_the_one_with_most_around_it(texts, overlap):
    lengths, rooms = (np.array([text[i] for text in texts], np.int64) for i in range(2))
    windows = windows_over(lengths, rooms, overlap)
    for row, (length, room) in enumerate(texts):
        mine = np.flatnonzero(windows.rows == row)
        starts, ends = windows.starts[mine], (windows.starts + windows.lengths)[mine]
        assert starts[0] == 0
        assert ends[-1] == length
        assert len(mine) >= 1
        assert (windows.lengths[mine] <= room).all()
        assert (windows.lengths[mine[:-1]] == room).all()
        shared = min(overlap, room // 2)
        assert (ends[:-1] - starts[1:] == shared).all()
        if length:
            assert (ends > starts).all()
        for piece in range(length):
            owner = np.searchsorted(windows.owned[mine], piece, side="right") - 1
            before = np.where(starts == 0, length, piece - starts)  # where a text begins nothing is missing
            after = np.where(ends == length, length, ends - 1 - piece)
            around = np.minimum(before, after)
            inside = (piece >= starts) & (piece < ends)
            assert inside[owner]
            assert around[owner] >= around[inside].max() - 1


# ---- questions and contexts ------------------------------------------------------------------------------------------

CONTEXT = "the cat  sees\na dog , the bird likes the tree"  # 10 pieces and no ends
QUESTIONS = ["two birds", "one", "", "the cat the cat the cat the cat"]


def windows_of(tokenizer, max_length=10, max_question_length=4, doc_stride=2):
    questions = tokenizer.pieces(QUESTIONS)
    contexts = tokenizer.pieces([CONTEXT, ""], keep=["spans"])
    context_of = np.array([0, 1, 0, 0])
    options = {"max_length": max_length, "max_question_length": max_question_length, "doc_stride": doc_stride}
    return question_windows(tokenizer, questions, contexts, context_of, **options), contexts


def test_windows_hold_the_question_and_a_part_of_the_context(tokenizer):
    windows, _ = windows_of(tokenizer)
    offsets = windows.batch.offsets
    texts = [" ".join(tokenizer.tokens(windows.batch.ids[a:b])) for a, b in pairwise(offsets)]
    assert texts == [
        "[CLS] two bird ##s [SEP] the cat sees a [SEP]",
        "[CLS] two bird ##s [SEP] sees a dog , [SEP]",
        "[CLS] two bird ##s [SEP] dog , the bird [SEP]",
        "[CLS] two bird ##s [SEP] the bird likes the [SEP]",
        "[CLS] two bird ##s [SEP] likes the tree [SEP]",
        "[CLS] one [SEP] [SEP]",
        "[CLS] [SEP] the cat sees a dog , the [SEP]",
        "[CLS] [SEP] , the bird likes the tree [SEP]",
        "[CLS] the cat the cat [SEP] the cat sees [SEP]",
        "[CLS] the cat the cat [SEP] sees a dog [SEP]",
        "[CLS] the cat the cat [SEP] dog , the [SEP]",
        "[CLS] the cat the cat [SEP] the bird likes [SEP]",
        "[CLS] the cat the cat [SEP] likes the tree [SEP]",
    ]
    assert windows.questions.tolist() == [0] * 5 + [1] + [2] * 2 + [3] * 5
    for window, (a, b) in enumerate(pairwise(offsets)):
        place, n = windows.places[window], windows.lengths[window]
        assert windows.batch.types[a:b].tolist() == [0] * place + [1] * (n + 1)


def test_answers_are_places_in_the_windows_that_hold_them_wholly(tokenizer):
    windows, contexts = windows_of(tokenizer)
    begin = CONTEXT.index("dog")
    spans = piece_spans(contexts, np.array([0, 1, 0, 0]), np.array([[begin, begin + 5], [-1, -1], [4, 7], [-1, -1]]))
    assert spans.tolist() == [[4, 5], [-1, -1], [1, 1], [-1, -1]]
    starts, ends = windows.targets(spans)
    assert starts.tolist() == [0, 7, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert ends.tolist() == [0, 8, 6, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert tokenizer.tokens(windows.batch.ids[windows.batch.offsets[1] + np.array([7, 8])]) == ["dog", ","]


@pytest.mark.parametrize(
    ("context", "answer", "covered"),
    [
        ("the 😀 cat", "cat", "cat"),
        ("日本の the", "本", "本"),
        ("the  \n cats runs", "cats", "cats"),
        ("the cats", "cat", "cat"),  # a piece of a word
        ("the cats", "s", "s"),
        ("house", "ous", "house"),  # within a piece
        ("e\u0301 cat", "cat", "cat"),
        ("the\u00a0cat sees", "cat sees", "cat sees"),
    ],
)
def test_answers_are_found_by_characters_of_the_original(tokenizer, context, answer, covered):
    contexts = tokenizer.pieces(["", context], keep=["spans"])
    begin = context.index(answer)
    ((first, last),) = piece_spans(contexts, np.array([1]), np.array([[begin, begin + len(answer)]]))
    assert context[contexts.spans[first][0] : contexts.spans[last][1]] == covered


def test_an_answer_that_the_tokenizer_leaves_nothing_of_is_in_no_piece(tokenizer):
    contexts = tokenizer.pieces(["the \u200b cat", "\u200b"], keep=["spans"])
    spans = piece_spans(contexts, np.array([0, 1, 0]), np.array([[4, 5], [0, 1], [3, 3]]))
    assert (spans == -1).all()


# ---- the best spans --------------------------------------------------------------------------------------------------


def exhaustive(windows, max_answer_length):
    """Return the score of each span, by a search through all pairs of pieces, and that of no answer."""
    found = {}
    for window in windows:
        for i, start in enumerate(window.starts):
            for j, end in enumerate(window.ends):
                if i <= j < i + max_answer_length:
                    span = window.start + i, window.start + j
                    found[span] = max(found.get(span, NONE), float(start) + float(end))
    return found, min(window.null for window in windows)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_best_spans_are_those_of_an_exhaustive_search(data):
    n_pieces = data.draw(st.integers(0, 12))
    room = data.draw(st.integers(1, 6))
    longest, n_best = data.draw(st.integers(1, 15)), data.draw(st.integers(0, 20))
    cut = windows_over(np.array([n_pieces]), room, data.draw(st.integers(0, 6)))
    score = st.integers(-3, 3).map(float)  # with ties
    windows = []
    for start, n in zip(cut.starts.tolist(), cut.lengths.tolist(), strict=True):
        starts, ends = (np.array(data.draw(st.lists(score, min_size=n, max_size=n)), np.float32) for _ in range(2))
        windows.append(WindowScores(start, starts, ends, data.draw(score)))
    found, null = exhaustive(windows, longest)
    best = best_spans(windows, n_pieces, longest, n_best)
    order = sorted(found, key=lambda span: (-found[span], span))[:n_best]
    assert list(map(tuple, best.pieces.tolist())) == order
    assert best.scores.tolist() == [found[span] for span in order]
    assert best.null_score == null
    total = np.exp(list(found.values())).sum() + np.exp(null)
    assert best.probabilities == pytest.approx([np.exp(found[span]) / total for span in order], rel=1e-12)
    assert best.null_probability == pytest.approx(np.exp(null) / total, rel=1e-12)


def test_large_scores_do_not_overflow():
    window = WindowScores(0, np.array([3e4, 0], np.float32), np.array([3e4, 0], np.float32), -3e4)
    best = best_spans([window], 2, 5, 3)
    assert best.pieces.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert best.probabilities.tolist() == [1, 0, 0]
    assert best.null_probability == 0


# ---- the threshold of no answer --------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=12))
def test_the_threshold_is_as_good_as_any(rows):
    margins, answered, empty = (np.array(column, float) for column in zip(*rows, strict=True))
    answered /= 4

    def mean(threshold):
        return np.where(margins <= threshold, answered, empty).mean()

    best = best_threshold(margins, answered, empty)
    assert np.isfinite(best)
    assert mean(best) == pytest.approx(max(mean(t) for t in [-9, *margins]), abs=1e-12)
