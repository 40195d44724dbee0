"""Answers to questions: frozen numbers of the official script of SQuAD 2.0."""

import pytest

from mlcore.metrics import squad_score
from mlcore.metrics._answers import answer_exact_match, answer_f1

# prediction, right answers, exact match, F1
CASES = [
    ("the Cat!", ["cat"], 1, 1),
    ("A-B co", ["AB  the co", "b"], 1, 1),
    ("", [], 1, 1),
    ("dog", [], 0, 0),
    ("the", [""], 1, 1),  # an answer without words is none
    ("", ["an", "the cat"], 0, 0),
    ("in 1066 AD", ["1066", "year 1066 AD of"], 0, 4 / 7),
    ("“dog” x", ["dog"], 0, 0),  # only ASCII punctuation is left out
    ("dog dog cat", ["dog cat cat"], 0, 2 / 3),  # words count as often as they are in both
    ("café", ["cafe"], 0, 0),
    (" theatre\n an  ", ["Theatre"], 1, 1),
]


@pytest.mark.parametrize(("prediction", "answers", "exact", "f1"), CASES)
def test_an_answer_has_the_numbers_of_the_official_script(prediction, answers, exact, f1):
    assert answer_exact_match(prediction, answers) == exact
    assert answer_f1(prediction, answers) == pytest.approx(f1, rel=1e-15)


def test_score_is_the_mean_over_questions():
    score = squad_score((case[0] for case in CASES), [case[1] for case in CASES])
    assert (score.exact_match, score.f1) == pytest.approx((45.45454545454545, 56.709956709956714), rel=1e-14)
    assert score.total == 11
    assert (score.has_answer.exact_match, score.has_answer.f1) == pytest.approx((44.44444444444444, 58.2010582010582))
    assert (score.no_answer.exact_match, score.no_answer.f1) == (50, 50)
    assert (score.has_answer.total, score.no_answer.total) == (9, 2)
    assert score.has_answer.has_answer is None


def test_parts_without_questions_are_missing():
    assert squad_score(["x"], [["x"]]).no_answer is None
    assert squad_score(["x"], [[]]).has_answer is None


@pytest.mark.parametrize(
    ("predictions", "answers", "error", "message"),
    [
        ([], [], ValueError, "at least one"),
        (["x"], [], ValueError, "as many predictions as answers, got 1 and 0"),
        ("x", [["x"]], TypeError, "predictions must be a list of str, got a value of type 'str'"),
        (["x"], ["x"], TypeError, r"answers\[0\] must be a list of str, got a value of type 'str'"),
        (["x"], "x", TypeError, "answers must be a list of lists of str"),
        ([None], [["x"]], TypeError, r"predictions\[0\] must hold str"),
        (["x"], [[1]], TypeError, r"answers\[0\] must hold str"),
        ({"id": "x"}, [["x"]], TypeError, "of type 'dict'"),
    ],
)
def test_what_are_no_answers_is_refused(predictions, answers, error, message):
    with pytest.raises(error, match=message):
        squad_score(predictions, answers)
