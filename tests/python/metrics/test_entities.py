"""Entities of tags: the rules of conlleval, and the numbers of seqeval 1.2.2 in its default mode."""

import pytest
from sklearn.exceptions import UndefinedMetricWarning

from mlcore.metrics import entity_score
from mlcore.metrics._entities import entity_spans, is_entity_tag

TRUTH = [
    "B-a I-a O B-b I-b O",
    "O O B-a B-a I-a",
    "I-a I-b O E-a B-a",
    "S-b S-b O B-b I-b E-b",
    "",
    "B-a O B-a",
]
PREDICTED = [
    "B-a I-a O B-b O O",
    "O B-a I-a B-a I-a",
    "B-a B-b O I-a I-a",
    "B-b B-b O B-b I-b I-b",
    "",
    "I-a O O",
]
FROZEN = {
    "counts": (13, 11),
    "all": (0.7272727272727273, 0.6153846153846154, 0.6666666666666667),
    "by_type": {
        "a": (0.6666666666666666, 0.5, 0.5714285714285715, 8),
        "b": (0.8, 0.8, 0.8000000000000002, 5),
    },
}


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("", []),
        ("O O", []),
        ("B-x I-x O B-y", [(0, 2, "x"), (3, 4, "y")]),
        ("B-x B-x I-x", [(0, 1, "x"), (1, 3, "x")]),
        ("B-x I-y I-y", [(0, 1, "x"), (1, 3, "y")]),  # another type begins another entity
        ("I-x I-x O I-x", [(0, 2, "x"), (3, 4, "x")]),  # an entity without a begin is one
        ("B-x E-x I-x O E-y E-y", [(0, 2, "x"), (2, 3, "x"), (4, 5, "y"), (5, 6, "y")]),
        ("S-x I-x S-x B-x", [(0, 1, "x"), (1, 2, "x"), (2, 3, "x"), (3, 4, "x")]),
        ("U-x B-x L-x L-x", [(0, 1, "x"), (1, 3, "x"), (3, 4, "x")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
        ("I-a I-b O E-a B-a B-a I-a", [(0, 1, "a"), (1, 2, "b"), (3, 4, "a"), (4, 5, "a"), (5, 7, "a")]),
    ],
)
def test_broken_sequences_are_read_as_conlleval_reads_them(tags, spans):
    assert entity_spans(tags.split()) == spans


def test_score_has_the_numbers_of_seqeval():
    score = entity_score([tags.split() for tags in TRUTH], [tags.split() for tags in PREDICTED])
    assert (score.support, score.n_predicted) == FROZEN["counts"]
    assert (score.precision, score.recall, score.f1) == pytest.approx(FROZEN["all"], rel=1e-12)
    for kind, numbers in FROZEN["by_type"].items():
        part = score.by_type[kind]
        assert (part.precision, part.recall, part.f1, part.support) == pytest.approx(numbers, rel=1e-12)
        assert part.by_type == {}
    assert list(score.by_type) == ["a", "b"]


def test_without_entities_f1_is_undefined():
    with pytest.warns(UndefinedMetricWarning, match="no entity"):
        assert entity_score([["O", "O"]], [["O", "O"]]).f1 == 0
    nothing_right = entity_score([["B-x"]], [["O"]])
    assert (nothing_right.precision, nothing_right.recall, nothing_right.f1) == (0, 0, 0)


def test_sentences_may_be_tuples_and_come_from_a_generator():
    assert entity_score((tags for tags in [("B-x", "I-x")]), [["B-x", "I-x"]]).f1 == 1


@pytest.mark.parametrize(
    ("y_true", "y_pred", "error", "message"),
    [
        ([["O"]], [], ValueError, "as many sentences, got 1 and 0"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], ValueError, "sentence 1 .* got 2 and 1"),
        ([["O"]], [["X"]], ValueError, "must be 'O', or B-"),
        ([["B-"]], [["O"]], ValueError, "got 'B-'"),
        ([["b-x"]], [["O"]], ValueError, "got 'b-x'"),
        ([[1]], [[1]], TypeError, "must be a str, got 1"),
        (["O"], ["O"], TypeError, "each a list of tags; sentence 0 is of type 'str'"),
        ("O", "O", TypeError, "y_true must be a list of sentences"),
        ([None], [["O"]], TypeError, "sentence 0 is of type 'NoneType'"),
        ({"a": ["O"]}, [["O"]], TypeError, "of type 'dict'"),
    ],
)
def test_what_are_no_tags_is_refused(y_true, y_pred, error, message):
    with pytest.raises(error, match=message):
        entity_score(y_true, y_pred)


def test_what_is_a_tag_of_entities():
    assert all(map(is_entity_tag, ["O", "B-x", "I-a-b", "U-1", "L- "]))
    assert not any(map(is_entity_tag, ["", "B", "B-", "o", "NOUN", "X-x", 0, None]))
