"""Questions as users hold them: files of SQuAD, lists of dicts, tables, pairs; answers and where they stand."""

import json
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlcore.seq.bert.spans._questions import Answer, read_questions

SQUAD2 = Path(__file__).parents[5] / "shared/data/qa/squad2_dev_half.json.xz"

CONTEXT = "The Normans were in  France\nin the 10th century."
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Normans",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "1",
                            "question": "Where?",
                            "answers": [{"text": "France", "answer_start": 21}, {"text": "in", "answer_start": 17}],
                            "is_impossible": False,
                        },
                        {
                            "id": "2",
                            "question": "Who?",
                            "answers": [],
                            "plausible_answers": [{"text": "Normans", "answer_start": 4}],
                            "is_impossible": True,
                        },
                    ],
                },
                {"context": "Nothing.", "qas": []},
            ],
        }
    ],
}
WHERE = [Answer("France", 21), Answer("in", 17)]
FLAT = [
    {
        "id": "1",
        "question": "Where?",
        "context": CONTEXT,
        "answers": {"text": ["France", "in"], "answer_start": [21, 17]},
    },
    {"id": "2", "question": "Who?", "context": CONTEXT, "answers": {"text": [], "answer_start": []}},
]
COLUMNS = {name: [row[name] for row in FLAT] for name in ("id", "question", "context", "answers")}


@pytest.mark.parametrize(
    "X",
    [
        SQUAD,
        SQUAD["data"],
        tuple(SQUAD["data"]),
        SQUAD["data"][0],
        SQUAD["data"][0]["paragraphs"],
        SQUAD["data"][0]["paragraphs"][0],
        FLAT,
        (row for row in FLAT),
        COLUMNS,
        pd.DataFrame(COLUMNS),
        pd.DataFrame({**COLUMNS, "answers": [{k: np.array(v) for k, v in row["answers"].items()} for row in FLAT]}),
    ],
    ids=lambda x: type(x).__name__,
)
def test_all_forms_say_the_same(X):
    found = read_questions(X, who="X")
    assert found.questions == ["Where?", "Who?"]
    assert [found.contexts[i] for i in found.context_of] == [CONTEXT] * 2
    assert found.answers == [WHERE, []]
    assert found.gold("X") == [["France", "in"], []]
    assert found.spans("X").tolist() == [[21, 27], [-1, -1]]


def test_a_table_of_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    found = read_questions(pyarrow.table(COLUMNS), who="X")
    assert found.answers == [WHERE, []]
    assert found.contexts == [CONTEXT]


PAIRS = [("Where?", CONTEXT), ["Who?", CONTEXT]]


@pytest.mark.parametrize(
    ("y", "spans"),
    [
        (["France", None], [[21, 27], [-1, -1]]),
        ([["France", "in"], ""], [[21, 27], [-1, -1]]),
        ([{"text": "in", "answer_start": 17}, []], [[17, 19], [-1, -1]]),
        ([[{"text": "in", "answer_start": 28}], ()], [[28, 30], [-1, -1]]),
        ([{"text": np.array(["in"])}, {"text": []}], [[17, 19], [-1, -1]]),
        (pd.Series(["  France\n", None]), [[21, 27], [-1, -1]]),
        (pl.Series(["France", None]), [[21, 27], [-1, -1]]),
        (pa.chunked_array([["France"], [None]]), [[21, 27], [-1, -1]]),
        (pa.array([["France", "in"], []]), [[21, 27], [-1, -1]]),
    ],
)
def test_answers_may_stand_apart(y, spans):
    found = read_questions(PAIRS, y, who="X")
    assert found.spans("X").tolist() == spans


@pytest.mark.parametrize(
    ("text", "start", "span"),
    [
        (" Normans ", 3, [4, 11]),
        ("in  France\nin", 17, [17, 30]),
        ("10th", 35, [35, 39]),
    ],
)
def test_blanks_around_an_answer_are_left_out(text, start, span):
    y = [{"text": text, "answer_start": start}]
    assert read_questions(PAIRS[:1], y, who="X").spans("X").tolist() == [span]


def test_offsets_count_characters():
    context = "😀😀 日本 dog"
    row = {"question": "?", "context": context, "answers": [{"text": "dog", "answer_start": 6}]}
    assert read_questions([row], who="X").spans("X").tolist() == [[6, 9]]
    row["answers"][0]["answer_start"] = 8  # of UTF-16
    with pytest.raises(ValueError, match=r"does not begin at character answer_start=8.*not UTF-16"):
        read_questions([row], who="X").spans("X")


def test_without_answers_there_is_nothing_to_learn_from():
    found = read_questions(PAIRS, who="X of QA")
    assert found.answers == [None, None]
    for read in (found.spans, found.gold):
        with pytest.raises(ValueError, match="X of QA needs answers, and question 0 has none"):
            read("X of QA")


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ("Who?", None, TypeError, "must be a dict as in a file of SQuAD"),
        (["Who?"], None, TypeError, "entry 0 is 'Who"),
        (("Who?", "Ann."), None, TypeError, r"a single pair goes into a list, \[\(question, context\)\]"),
        (None, None, TypeError, "of type 'NoneType'"),
        ([("a", "b", "c")], None, TypeError, "list of pairs"),
        ([("a", None)], None, ValueError, "entry 0 of the contexts of X is missing"),
        ([(1, "b")], None, TypeError, "text 0 of the questions of X must be a str"),
        ([("a", "\ud800")], None, ValueError, "surrogate"),
        ({"question": "a", "context": "b"}, None, TypeError, r"got one: pass \[X\]"),
        ({"question": ["a"]}, None, ValueError, "columns 'question' and 'context'"),
        ({"question": ["a"], "context": []}, None, ValueError, r"one length, got \[1, 0\]"),
        ([{"question": "a"}], None, ValueError, "entry 0 of X must have a key 'context'"),
        ([{"context": "a"}], None, ValueError, "entry 0 of X must have a key 'question'"),
        ({"data": [{"paragraphs": 3}]}, None, TypeError, "'paragraphs' of entry 0 of X must be a list"),
        ({"data": [{"paragraphs": [3]}]}, None, TypeError, "paragraph 0 of entry 0 of X must be a dict"),
        ({"data": 3}, None, TypeError, "got a value of type 'int'"),
        ([{"qas": [3], "context": ""}], None, TypeError, "question 0 of entry 0 of X must be a dict"),
        ([{"qas": [{"question": "a"}]}], None, ValueError, "entry 0 of X must have a key 'context'"),
        (PAIRS, ["x"], ValueError, "inconsistent numbers of samples"),
        (PAIRS, "xy", TypeError, "y of X must be a list of answers"),
        (PAIRS, [3, 4], TypeError, "answers to question 0 of X must be a list"),
        (PAIRS, [[3], []], TypeError, "an answer to question 0 of X must be a dict"),
        (PAIRS, [{"answer_start": 3}, []], ValueError, "must have a key 'text'"),
        (PAIRS, [{"text": ["a"], "answer_start": []}, []], ValueError, "as many 'text' as 'answer_start'"),
        (PAIRS, [{"text": "in", "answer_start": 1.5}, []], TypeError, "must be an int, got 1.5"),
        (PAIRS, [{"text": [1]}, []], TypeError, "an answer to question 0 of X must be a str"),
        (PAIRS, [{"text": "in", "answer_start": 3}, []], ValueError, "answer_start=3 .* there is ' N'"),
        (PAIRS, [{"text": "in", "answer_start": -5}, []], ValueError, "answer_start=-5"),
        (PAIRS, ["Berlin", []], ValueError, "'Berlin' to question 0 of X does not stand in its context"),
        (PAIRS, [" ", []], ValueError, "only blanks"),
    ],
)
def test_what_are_no_questions_is_refused(X, y, error, message):
    with pytest.raises(error, match=message):
        read_questions(X, y, who="X").spans("X")


@pytest.mark.skipif(not SQUAD2.exists(), reason="shared/data is not beside this checkout")
def test_squad():
    with lzma.open(SQUAD2) as file:
        found = read_questions(json.load(file), who="X")
    spans = found.spans("X")
    assert (len(found), len(found.contexts)) == (6078, 646)
    assert (spans[:, 0] < 0).sum() == 3168
