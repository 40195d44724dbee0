"""chrF and chrF++: equal to frozen numbers of sacreBLEU and to a naive twin on random text."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.metrics import corpus_chrf, sentence_chrf
from mlcore.metrics._chrf import Chrf
from support import sacrebleu_numbers as frozen
from twins import translation as twin

BOTH = [frozen.REFERENCES, frozen.SECOND_REFERENCES]
PIECES = ["a", "b", "ab", " ", ".", "(", "é", "中", "😀", "\n", "\u2009", "\x1c", "a.b"]
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.characters()), max_size=25).map("".join)


@pytest.mark.parametrize(("options", "single", "double", "text", "signature"), frozen.CHRF, ids=lambda x: str(x)[:40])
def test_corpus_has_the_numbers_of_sacrebleu(options, single, double, text, signature):
    score = corpus_chrf(frozen.HYPOTHESES, [frozen.REFERENCES], **options)
    assert score.score == pytest.approx(single, rel=1e-12)
    assert str(score) == text
    assert score.signature.rsplit("|", 1)[0] == "nrefs:1|" + signature
    score = corpus_chrf(frozen.HYPOTHESES, BOTH, **options)
    assert score.score == pytest.approx(double, rel=1e-12)
    assert score.signature.startswith("nrefs:var|" + signature)


def test_sentences_have_the_numbers_of_sacrebleu():
    for hypothesis, *references, numbers in zip(frozen.HYPOTHESES, *BOTH, frozen.SENTENCES, strict=True):
        assert sentence_chrf(hypothesis, references).score == pytest.approx(numbers[2], rel=1e-12)
        assert sentence_chrf(hypothesis, references, word_order=2).score == pytest.approx(numbers[3], rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_counts_and_scores_are_those_of_the_twin(data):
    hypothesis = data.draw(texts)
    reference = st.one_of(texts, st.tuples(texts, st.just(hypothesis)).map("".join), st.just(hypothesis[2:]))
    references = data.draw(st.lists(reference, min_size=1, max_size=3))
    orders = data.draw(st.sampled_from([(6, 0), (6, 2), (0, 1), (3, 0), (1, 3), (9, 0)]))
    remove_whitespace, beta, eps_smoothing = data.draw(st.booleans()), data.draw(st.sampled_from([0, 1, 2, 0.5])), False
    if len(references) == 1:  # with several, scores that are equal but for rounding would decide
        eps_smoothing = data.draw(st.booleans())
    settings_ = {"char_order": orders[0], "word_order": orders[1], "beta": beta, "eps_smoothing": eps_smoothing}
    chrf = Chrf(remove_whitespace=remove_whitespace, **settings_)
    counts, _ = chrf.statistics([hypothesis], [[text] for text in references], 1)
    scoring = {"beta": beta, "eps_smoothing": eps_smoothing}
    expected = twin.chrf_counts(
        hypothesis, references, char_order=orders[0], word_order=orders[1], whitespace=not remove_whitespace, **scoring
    )
    if len(references) == 1:
        assert counts[0].tolist() == expected
    score = sentence_chrf(hypothesis, references, remove_whitespace=remove_whitespace, **settings_)
    assert score.score == pytest.approx(twin.chrf_score(expected, **scoring), rel=1e-12, abs=1e-12)


def test_a_score_is_written_as_sacrebleu_writes_it():
    score = corpus_chrf(["abcde"], [["abcdf"]], word_order=2, beta=3)
    assert score.name == "chrF3++"
    assert str(score) == f"chrF3++ = {score.score:.2f}"
    assert score.format(signature=score.signature).startswith("chrF3++|nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|")
    assert json.loads(score.format(is_json=True))["nc"] == "6"


def test_edges():
    assert corpus_chrf([""], [["a"]]).score == 0
    assert corpus_chrf(["a"], [[""]]).score == 0
    assert corpus_chrf([" \t"], [["\n"]]).score == 0
    assert sentence_chrf("a b", ["ab"]).score == pytest.approx(100)
    assert sentence_chrf("a b", ["ab"], remove_whitespace=False).score < 100
    assert sentence_chrf("AB", ["ab"], lowercase=True).score == pytest.approx(100)
    assert sentence_chrf("ab", ["xy", None, "ab"]).score == pytest.approx(100)


def test_a_document_of_many_characters():
    rng = np.random.default_rng(0)
    reference = "".join(map(chr, rng.integers(0x4E00, 0x5200, 20_000)))
    hypothesis = reference[3000:9000] + "".join(map(chr, rng.integers(0x4E00, 0x5200, 5000)))
    counts, _ = Chrf().statistics([hypothesis], [[reference]], 1)
    assert counts[0].tolist() == twin.chrf_counts(hypothesis, [reference])


def test_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    words = np.array(["der", "Mann", "geht", "in", "die", "Stadt", ",", "und", "das", "ist", "schön", "."])
    hypotheses, references = ([" ".join(rng.choice(words, 12)) for _ in range(2000)] for _ in range(2))
    scores = [corpus_chrf(hypotheses, [references], word_order=2, n_jobs=n_jobs) for n_jobs in (1, 2, 3, 8, None)]
    assert all(score == scores[0] for score in scores)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"char_order": -1}, "char_order must be an int from 0 to 100, got -1"),
        ({"word_order": 101}, "word_order must be an int from 0 to 100, got 101"),
        ({"char_order": 0}, "char_order and word_order must not both be 0"),
        ({"beta": -1}, "beta must be a finite number >= 0, got -1"),
        ({"beta": float("nan")}, "beta must be a finite number >= 0, got nan"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        corpus_chrf(["a"], [["a"]], **options)


def test_bad_texts():
    with pytest.raises(ValueError, match="one list for each of the 2 hypotheses"):
        corpus_chrf(["a", "b"], [["a"], ["b"]])
    with pytest.raises(TypeError, match=r"got a str; pass \[references\]"):
        sentence_chrf("a", "a")
    with pytest.raises(ValueError, match="hypothesis 0 has no reference"):
        sentence_chrf("a", [None])
