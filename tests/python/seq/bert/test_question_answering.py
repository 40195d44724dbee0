"""BertQuestionAnswering: answers in windows, no answers, thresholds, forms of data; beside transformers."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import mlcore
from mlcore.metrics import squad_score
from mlcore.metrics._answers import answer_f1
from mlcore.nn import no_grad
from mlcore.seq.bert import AnswerSpan, BertQuestionAnswering
from mlcore.seq.bert.spans._best_spans import WindowScores, best_spans

pytest.importorskip("tokenizers", reason="the extra nlp is not installed")

NAMES, PETS = ("Ann", "Bob", "Eve"), ("cat", "dog", "fish")
CONTEXTS = [f"  {name} has\n a {pet}  today ." for name in NAMES for pet in PETS] * 3
PAIRS = [(question, context) for context in CONTEXTS for question in ("Who ?", "What ?")]
ANSWERS = [context.split()[0 if question == "Who ?" else 3] for question, context in PAIRS]
WITH_NULL = [*PAIRS, *(("Where ?", context) for context in CONTEXTS)]
NULL_ANSWERS = [*ANSWERS, *([""] * len(CONTEXTS))]
SMALL = {"hidden_size": 32, "initializer_range": 0.15, "intermediate_size": 64}
QUICK = {"config": SMALL, "max_epochs": 30, "learning_rate": 5e-3, "random_state": 0, "n_jobs": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def model():
    """It knows questions without an answer."""
    return BertQuestionAnswering(**QUICK).fit(WITH_NULL, NULL_ANSWERS)


# ---- what it learns --------------------------------------------------------------------------------------------------


def test_it_learns_what_is_asked_for(model):
    assert model.score(WITH_NULL, NULL_ANSWERS) == 100
    assert model.null_threshold_ == 0
    score = model.evaluate(WITH_NULL, NULL_ANSWERS)
    assert (score.exact_match, score.has_answer.f1, score.no_answer.f1) == (100, 100, 100)
    assert model.predict([("what ?", "ANN has a dog today ."), ("Where ?", "Eve has a cat today .")]) == ["dog", ""]


def test_answers_stand_in_the_context(model):
    for (_, context), (answer,) in zip(WITH_NULL, model.predict_spans(WITH_NULL), strict=True):
        assert isinstance(answer, AnswerSpan)
        if answer.text:
            assert context[answer.start : answer.end] == answer.text
            assert answer.text in (*NAMES, *PETS)
        else:
            assert answer[:3] == ("", -1, -1)
        assert 0.5 < answer.score <= 1


def test_a_context_without_words(model):
    X = [("Who ?", ""), ("", " \u200b\n"), ("", "Ann has a cat today .")]
    assert model.predict(X)[:2] == ["", ""]
    assert model.predict_spans(X, n_best=3)[:2] == [[AnswerSpan("", -1, -1, 1.0)]] * 2
    assert np.isinf(model.null_odds(X)).tolist() == [True, True, False]
    assert model.predict([]) == model.predict_spans([]) == []


def test_accents_that_the_tokenizer_leaves_out_belong_to_an_answer(model):
    context = "Anne\u0301 has a cat\u0301 today ."
    starts = {answer.text for answer in model.predict_spans([("What ?", context)], n_best=500)[0]}
    assert {"cat\u0301", "Anne\u0301"} <= starts
    assert "cat" not in starts


# ---- the search ------------------------------------------------------------------------------------------------------


def exhaustive(model, question, context, doc_stride, max_length):
    """Return (score, start, end) of all spans over all windows, and the score of no answer, in the plainest way."""
    tokenizer = model.tokenizer_
    asked = tokenizer.encode([question]).batch.ids[1:-1]
    told = tokenizer.encode([context], keep=["spans"])
    pieces, spans = told.batch.ids[1:-1], told.spans[1:-1].tolist()
    room = max_length - 3 - len(asked)
    found, null, begin = {}, np.inf, 0
    while True:
        part = pieces[begin : begin + room]
        ids = np.concatenate([[tokenizer.cls], asked, [tokenizer.sep], part, [tokenizer.sep]])
        types = np.concatenate([np.zeros(len(asked) + 2, int), np.ones(len(part) + 1, int)])
        with no_grad():
            starts, ends = (x.data for x in model.module_(ids, token_type_ids=types, offsets=np.array([0, len(ids)])))
        null = min(null, float(starts[0]) + float(ends[0]))
        for i in range(len(part)):
            for j in range(i, min(i + model.max_answer_length, len(part))):
                span = spans[begin + i][0], spans[begin + j][1]
                score = float(starts[len(asked) + 2 + i]) + float(ends[len(asked) + 2 + j])
                found[span] = max(found.get(span, -np.inf), score)
        if begin + room >= len(pieces):
            return found, null
        begin += room - min(doc_stride, room // 2)


def test_the_best_answers_are_those_of_an_exhaustive_search(model):
    question, context = "Who ?", " ".join(context.strip() for context in CONTEXTS[:6])
    options = {"max_length": 16, "doc_stride": 4, "max_answer_length": 5}
    narrow = pickle.loads(pickle.dumps(model)).set_params(**options)
    spans, null = exhaustive(narrow, question, context, 4, 16)
    found = narrow.predict_spans([(question, context)], n_best=len(spans) + 1)[0]
    total = np.exp(np.array([*spans.values(), null]) - null).sum()
    null_answers = [answer for answer in found if not answer.text]
    answers = [answer for answer in found if answer.text]
    assert [a.score for a in null_answers] == pytest.approx([1 / total], abs=1e-6)
    best = sorted(spans.values(), reverse=True)
    assert [a.score for a in answers] == pytest.approx(np.exp(np.array(best) - null) / total, abs=1e-6)
    for answer in answers:
        assert answer.score == pytest.approx(np.exp(spans[answer.start, answer.end] - null) / total, abs=1e-6)
    assert narrow.null_odds([(question, context)])[0] == pytest.approx(null - best[0], abs=1e-4)


def test_a_question_has_the_same_bits_in_any_batch(model):
    together = model.predict_spans(WITH_NULL, n_best=5)
    for question, answers in zip(WITH_NULL[:3], together, strict=False):
        assert model.predict_spans([question], n_best=5)[0] == answers
    assert model.set_params(n_jobs=3).predict_spans(WITH_NULL, n_best=5) == together
    model.set_params(n_jobs=1)


def test_answers_are_not_longer_than_asked_for(model):
    short = pickle.loads(pickle.dumps(model)).set_params(max_answer_length=1)
    for answers in short.predict_spans(WITH_NULL, n_best=50):
        assert all(len(model.tokenizer_.pieces([answer.text]).ids) <= 1 for answer in answers)
        assert sum(answer.text == "" for answer in answers) == 1


# ---- long contexts and questions -------------------------------------------------------------------------------------


def test_answers_are_learned_and_found_in_windows():
    filler = "the day was long and the rain was cold " * 4
    X = [(q, f"{filler}{c} {filler}" if i % 2 else f"{c} {filler}") for i, (q, c) in enumerate(PAIRS)]
    model = BertQuestionAnswering(**QUICK, max_length=24, doc_stride=8).fit(X, ANSWERS)
    assert model.null_threshold_ == np.inf
    assert model.score(X, ANSWERS) > 95
    assert all(model.predict(X))


def test_a_question_that_is_too_long_is_cut(model):
    question = "Who " * 100
    with pytest.warns(UserWarning, match="1 of 2 questions are longer than 64 tokens"):
        (answer, _) = model.predict([(question, CONTEXTS[0]), PAIRS[0]])
    assert answer in (CONTEXTS[0], "") or answer in CONTEXTS[0]
    narrow = BertQuestionAnswering(**{**QUICK, "max_epochs": 1}, max_length=8)
    with pytest.warns(UserWarning, match="longer than 2 tokens"):
        narrow.fit([("Who is that ?", "Ann"), ("Who ?", "Bob")], ["Ann", "Bob"])


# ---- no answers ------------------------------------------------------------------------------------------------------


def test_the_threshold_is_tuned_on_validation_questions(model):
    rng = np.random.default_rng(0)
    shuffled = [NULL_ANSWERS[i] if rng.random() < 0.7 else "" for i in range(len(WITH_NULL))]
    tuned = pickle.loads(pickle.dumps(model))
    threshold = tuned.tune_null_threshold(WITH_NULL, shuffled)
    assert threshold == tuned.null_threshold_
    odds = tuned.null_odds(WITH_NULL)
    answers = [found[0].text or found[1].text for found in tuned.predict_spans(WITH_NULL, n_best=2)]

    def f1(limit):
        predictions = [text if odd <= limit else "" for text, odd in zip(answers, odds, strict=True)]
        return squad_score(predictions, [[text] if text else [] for text in shuffled]).f1

    assert tuned.score(WITH_NULL, shuffled) == pytest.approx(max(f1(t) for t in [-np.inf, *odds, np.inf]))
    fitted = BertQuestionAnswering(**{**QUICK, "max_epochs": 3}).fit(
        WITH_NULL, NULL_ANSWERS, X_val=WITH_NULL, y_val=NULL_ANSWERS
    )
    assert fitted.score(WITH_NULL, NULL_ANSWERS) >= 100 / 3  # at least what no answer at all brings
    before = fitted.null_threshold_
    assert fitted.tune_null_threshold(WITH_NULL, NULL_ANSWERS) == before


def test_a_given_threshold(model):
    always, never = (BertQuestionAnswering(**{**QUICK, "max_epochs": 1}, null_threshold=t) for t in (np.inf, -1e9))
    assert all(always.fit(WITH_NULL, NULL_ANSWERS).predict(WITH_NULL))
    assert not any(never.fit(PAIRS, ANSWERS).predict(PAIRS))
    other = pickle.loads(pickle.dumps(model))
    other.null_threshold_ = np.inf
    assert all(other.predict(WITH_NULL))
    for answers in other.predict_spans(WITH_NULL, n_best=3):
        assert answers[0].text  # no answer comes last, however probable
        assert answers[0].score >= answers[1].score


# ---- forms of data ---------------------------------------------------------------------------------------------------


def test_answers_in_the_data():
    rows = [
        {"question": q, "context": c, "answers": {"text": [a], "answer_start": [c.index(a)]}}
        for (q, c), a in zip(PAIRS, ANSWERS, strict=True)
    ]
    model = BertQuestionAnswering(**{**QUICK, "max_epochs": 2})
    expected = model.fit(PAIRS, ANSWERS).null_odds(PAIRS)
    assert (clone(model).fit(rows).null_odds(rows) == expected).all()
    frame = pd.DataFrame(rows)
    validated = clone(model).fit(frame, X_val=frame)
    apart = clone(model).fit(PAIRS, ANSWERS, X_val=PAIRS, y_val=ANSWERS)
    assert (validated.history_["validation_loss"] == apart.history_["validation_loss"]).all()
    assert validated.score(frame) == apart.score(PAIRS, ANSWERS)


def test_the_first_of_several_answers_is_learned_and_any_counts():
    X = [("?", "one two three four"), ("?", "two one four three")] * 20
    model = BertQuestionAnswering(**QUICK).fit(X, [["one", "three"]] * 40)
    assert set(model.predict(X)) == {"one"}
    assert model.score(X, [["three", "one"]] * 40) == 100


def test_sample_weights(model):
    X, y = [("?", "one two"), ("?", "one two")] * 20, ["one", "two"] * 20
    assert BertQuestionAnswering(**QUICK).fit(X, y, [3, 1] * 20).predict(X[:1]) == ["one"]
    assert BertQuestionAnswering(**QUICK).fit(X, y, [0, 1] * 20).predict(X[:1]) == ["two"]


def test_validation_by_score():
    model = BertQuestionAnswering(**{**QUICK, "max_epochs": 4}, scoring="score", early_stopping=True)
    model.fit(WITH_NULL, NULL_ANSWERS)
    scores = model.history_["validation_score"]
    assert len(scores) == model.n_iter_
    assert ((scores >= 0) & (scores <= 1)).all()
    again = (
        clone(model).set_params(early_stopping=False).fit(WITH_NULL, NULL_ANSWERS, X_val=WITH_NULL, y_val=NULL_ANSWERS)
    )
    again.null_threshold_ = 0.0
    expected = np.mean([answer_f1(p, [a]) for p, a in zip(again.predict(WITH_NULL), NULL_ANSWERS, strict=True)])
    assert again.history_["validation_score"][-1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ([], None, ValueError, "must hold a text or more"),
        (PAIRS, None, ValueError, "needs answers, and question 0 has none"),
        (PAIRS, [""] * len(PAIRS), ValueError, "an answer to one question at least, got none"),
        (PAIRS[:1], ["Zoe"], ValueError, "'Zoe' to question 0 of X of BertQuestionAnswering does not stand in"),
        (PAIRS, ANSWERS[1:], ValueError, "inconsistent numbers of samples"),
        ([("?", "a \u200b b")], ["\u200b"], ValueError, "leaves nothing of the answer"),
        (["Who ?"], ["x"], TypeError, "must be a dict as in a file of SQuAD"),
    ],
)
def test_bad_input(X, y, error, message):
    with pytest.raises(error, match=message):
        BertQuestionAnswering(**QUICK).fit(X, y)


def test_bad_calls(model):
    with pytest.raises(NotFittedError):
        BertQuestionAnswering().predict(PAIRS)
    with pytest.raises(ValueError, match="must be given together, got only X_val"):
        BertQuestionAnswering(**QUICK).fit(PAIRS, ANSWERS, X_val=PAIRS)
    with pytest.raises(ValueError, match="n_best must be an int >= 1, got 0"):
        model.predict_spans(PAIRS, n_best=0)
    with pytest.raises(ValueError, match="must hold a question or more"):
        model.tune_null_threshold([])
    with pytest.raises(ValueError, match="needs a network of 6 positions or more"):
        BertQuestionAnswering(**{**QUICK, "config": {**SMALL, "max_position_embeddings": 5}}).fit(PAIRS, ANSWERS)


# ---- files and folders -----------------------------------------------------------------------------------------------


def test_files(model, tmp_path):
    model = pickle.loads(pickle.dumps(model))
    model.null_threshold_ = 0.5
    expected = model.predict_spans(WITH_NULL, n_best=3)
    mlcore.save(model, tmp_path / "qa.safetensors")
    model.save_pretrained(tmp_path / "folder")
    for other in (
        mlcore.load(tmp_path / "qa.safetensors"),
        BertQuestionAnswering.from_pretrained(tmp_path / "folder"),
    ):
        assert other.null_threshold_ == 0.5
        assert other.predict_spans(WITH_NULL, n_best=3) == expected
    model.null_threshold_ = np.inf
    model.save_pretrained(tmp_path / "folder")
    assert BertQuestionAnswering.from_pretrained(tmp_path / "folder").null_threshold_ == np.inf
    assert BertQuestionAnswering.from_pretrained(tmp_path / "folder", null_threshold=-1).null_threshold_ == -1
    again = BertQuestionAnswering(tmp_path / "folder", **{**QUICK, "config": None, "max_epochs": 10})
    assert again.fit(PAIRS, ANSWERS).score(PAIRS, ANSWERS) == 100
    more = clone(model).set_params(warm_start=True, max_epochs=5).fit(PAIRS, ANSWERS).fit(PAIRS, ANSWERS)
    assert more.n_iter_ == 10


@pytest.mark.peers
def test_windows_and_scores_are_those_of_transformers(model, tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model.save_pretrained(tmp_path)
    peer = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    question, context = "Who ?", " ".join(context.strip() for context in CONTEXTS[:6])
    options = {"max_length": 24, "stride": 7, "truncation": "only_second", "return_overflowing_tokens": True}
    windows, parts = tokenizer(question, context, **options), []
    n_asked = len(tokenizer.tokenize(question)) + 2
    for i, ids in enumerate(windows["input_ids"]):
        with torch.no_grad():
            types = torch.tensor([windows["token_type_ids"][i]])
            outputs = peer(input_ids=torch.tensor([ids]), token_type_ids=types)
        starts, ends = (x[0].numpy() for x in (outputs.start_logits, outputs.end_logits))
        room = 24 - n_asked - 1
        parts.append(WindowScores(i * (room - 7), starts[n_asked:-1], ends[n_asked:-1], float(starts[0] + ends[0])))
    n_pieces = len(tokenizer.tokenize(context))
    best = best_spans(parts, n_pieces, 30, 20)
    narrow = pickle.loads(pickle.dumps(model)).set_params(max_length=24, doc_stride=7)
    spans = tokenizer(context, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    found = {answer[1:3]: answer.score for answer in narrow.predict_spans([(question, context)], n_best=500)[0]}
    for (first, last), probability in zip(best.pieces.tolist(), best.probabilities, strict=True):
        assert found[spans[first][0], spans[last][1]] == pytest.approx(probability, abs=1e-4)
    assert found[-1, -1] == pytest.approx(best.null_probability, abs=1e-4)
