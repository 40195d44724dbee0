"""BLEU: equal to frozen numbers of sacreBLEU, to a naive twin on random text, and clear about bad input."""

import copy
import itertools
import json
import pickle
import unicodedata

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlcore.metrics import BLEUScore, corpus_bleu, paired_bootstrap, sentence_bleu
from mlcore.metrics._bleu import Bleu
from support import sacrebleu_numbers as frozen
from twins import translation as twin

TOKENIZERS = ("13a", "intl", "zh", "char", "none")
BOTH = [frozen.REFERENCES, frozen.SECOND_REFERENCES]

# What the rules of the tokenizers speak of, and some of what they do not.
PIECES = [
    *"aB5- .,'($+\n\t&<;é²½“。中ア😀\u2009\xa0\x1c\x85\u3000",
    "&quot;",
    "&amp;",
    "&lt;",
    "<skipped>",
    "-\n",
    "3.14",
]
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.characters()), max_size=25).map("".join)


def one(hypothesis, references, **options):
    """Counts of one segment."""
    score = sentence_bleu(hypothesis, references, **options)
    return [score.sys_len, score.ref_len, *score.counts, *score.totals]


@pytest.mark.parametrize(("options", "single", "double", "text", "signature"), frozen.BLEU, ids=lambda x: str(x)[:40])
def test_corpus_has_the_numbers_of_sacrebleu(options, single, double, text, signature):
    score = corpus_bleu(frozen.HYPOTHESES, [frozen.REFERENCES], **options)
    assert score.score == pytest.approx(single, rel=1e-12)
    assert str(score) == text
    assert score.signature.rsplit("|", 1)[0] == "nrefs:1|" + signature
    assert score.signature.rsplit("|", 1)[1].startswith("version:mlcore-")
    score = corpus_bleu(frozen.HYPOTHESES, BOTH, **options)
    assert score.score == pytest.approx(double, rel=1e-12)
    assert score.signature.startswith("nrefs:var|" + signature)


def test_sentences_have_the_numbers_of_sacrebleu():
    for hypothesis, *references, numbers in zip(frozen.HYPOTHESES, *BOTH, frozen.SENTENCES, strict=True):
        assert sentence_bleu(hypothesis, references).score == pytest.approx(numbers[0], rel=1e-12)
        floor = sentence_bleu(hypothesis, references, smooth_method="floor", effective_order=False)
        assert floor.score == pytest.approx(numbers[1], rel=1e-12)


@pytest.mark.parametrize("tokenize", TOKENIZERS)
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_counts_are_those_of_the_twin(tokenize, data):
    hypothesis = data.draw(texts)
    # Parts of the hypothesis, so that there are matches.
    reference = st.one_of(texts, st.tuples(texts, st.just(hypothesis)).map("".join), st.just(hypothesis[2:]))
    references = data.draw(st.lists(st.one_of(st.none(), reference), min_size=1, max_size=3))
    if all(reference is None for reference in references):
        references.append("a")
    lowercase = data.draw(st.booleans())
    expected = twin.bleu_counts(hypothesis, references, tokenize=tokenize, lowercase=lowercase)
    assert one(hypothesis, references, tokenize=tokenize, lowercase=lowercase) == expected


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.integers(0, 8),
    st.sampled_from([("exp", None), ("none", None), ("floor", 0.1), ("floor", 0), ("add-k", 1), ("add-k", 0.3)]),
    st.booleans(),
)
@example([1, 2], 0, ("exp", None), True)
def test_scores_are_those_of_the_twin(words, n_missing, smoothing, effective_order):
    method, value = smoothing
    hypothesis = " ".join("abcde"[word] for word in words)
    reference = " ".join("abcx" * 3)[: 2 * n_missing + 1]
    counts = twin.bleu_counts(hypothesis, [reference])
    options = {"smooth_method": method, "effective_order": effective_order}
    score = sentence_bleu(hypothesis, [reference], smooth_value=value, **options)
    assert score.score == pytest.approx(twin.bleu_score(counts, smooth_value=value or 0, **options), rel=1e-12)


def test_every_character_has_the_class_that_python_gives_it():
    codes = [*range(0x20000), *range(0x20000, 0x110000, 13)]
    characters = [c for c in map(chr, codes) if c not in "\n&<"]
    hypotheses, references = [f"a{c}b" for c in characters], ["x"] * len(characters)

    def n_tokens(c, is_token):
        return 2 if c.isspace() else 3 if is_token(c) else 1

    def ascii_token(c):
        return c < "\x7f" and not c.isalnum() and c.isprintable() and c not in "-'"

    rules = {
        "13a": ascii_token,
        "intl": lambda c: unicodedata.category(c)[0] in "PS",
        "zh": lambda c: ascii_token(c) or twin.is_chinese(c),
        "char": lambda c: True,
        "none": lambda c: False,
    }
    for tokenize, is_token in rules.items():
        counts, _ = Bleu(tokenize=tokenize, max_ngram_order=1).statistics(hypotheses, [references], 2)
        expected = np.array([n_tokens(c, is_token) for c in characters])
        assert np.array_equal(counts[:, 0], expected), tokenize


def test_parts_of_a_score():
    score = corpus_bleu(["a b c d", "e f"], [["a b c d", "e g h"]])
    assert (score.counts, score.totals) == ([5, 3, 2, 1], [6, 4, 2, 1])
    assert (score.sys_len, score.ref_len, score.ratio) == (6, 7, 6 / 7)
    assert score.bp == pytest.approx(np.exp(1 - 7 / 6))
    assert score.precisions == pytest.approx([500 / 6, 75, 100, 100])
    assert score.name == "BLEU"
    with pytest.raises(AttributeError):
        score.score = 100
    added = corpus_bleu(["a b c d", "e f"], [["a b c d", "e g h"]], smooth_method="add-k")
    assert (added.counts, added.totals) == ([5, 4, 3, 2], [6, 5, 3, 2])


def test_a_score_can_be_copied_and_stored():
    score = corpus_bleu(["a b c d"], [["a b c d"]])
    assert pickle.loads(pickle.dumps(score)) == copy.deepcopy(score) == score


def test_a_score_is_written_as_sacrebleu_writes_it():
    score = corpus_bleu(["a b c d e"], [["a b c d f"]])
    assert score.format(score_only=True) == "66.87"
    assert score.format(width=4, score_only=True) == "66.8740"
    assert score.format(signature="nrefs:1").startswith("BLEU|nrefs:1 = 66.87 80.0/75.0/66.7/50.0 (BP = 1.000")
    fields = json.loads(score.format(is_json=True))
    assert list(fields)[:5] == ["name", "score", "signature", "verbose_score", "nrefs"]
    assert fields["score"] == 66.87
    assert fields["tok"] == "13a"
    assert json.loads(score.format(is_json=True, signature="tok:x"))["tok"] == "x"


def test_edges():
    assert corpus_bleu([""], [["a"]]).score == 0
    assert corpus_bleu([""], [["a"]]).bp == 0
    assert corpus_bleu(["a"], [[""]]).ratio == 0
    assert corpus_bleu(["", "a b c d"], [["", "a b c d"]]).score == 100  # not a little more, by rounding
    assert sentence_bleu("a b", ["a b"]).score == pytest.approx(100)
    assert sentence_bleu("a b", ["a b"], effective_order=False).score == 0
    assert sentence_bleu("a b c d  \n", ["a b c d"], tokenize="none").score == pytest.approx(100)
    assert sentence_bleu("x", ["y z", None]).signature.startswith("nrefs:1|")
    long = " ".join(map(str, range(5000)))
    assert one(long + " x", [long])[:6] == [5001, 5000, 5000, 4999, 4998, 4997]


def test_the_nearest_reference_length_is_the_shorter_of_two():
    assert sentence_bleu("a b c", ["a b c d e", "a"]).ref_len == 1
    assert sentence_bleu("a b c", ["a b c d", "a"]).ref_len == 4
    assert sentence_bleu("a b c", ["a", "a b c d e"]).ref_len == 1


def test_lower_case_is_that_of_python():
    # Characters that become two, and a sigma whose form depends on its place.
    assert sentence_bleu("İSTANBUL ΟΔΟΣ x y", ["i̇stanbul οδος X Y"], lowercase=True).score == pytest.approx(100)


def test_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    words = np.array(["der", "Mann", "geht", "in", "die", "Stadt", ",", "und", "das", "ist", "gut", "."])
    hypotheses, references = ([" ".join(rng.choice(words, 12)) for _ in range(2000)] for _ in range(2))
    scores = [corpus_bleu(hypotheses, [references], force=True, n_jobs=n_jobs) for n_jobs in (1, 2, 3, 8, None)]
    assert all(score == scores[0] for score in scores)


@pytest.mark.parametrize(
    "collection",
    [list, tuple, iter, np.array, lambda x: np.array(x, dtype=object), pd.Series, pl.Series, lambda x: (t for t in x)],
)
def test_texts_may_come_in_any_collection(collection):
    expected = corpus_bleu(frozen.HYPOTHESES, [frozen.REFERENCES])
    assert corpus_bleu(collection(frozen.HYPOTHESES), [collection(frozen.REFERENCES)]) == expected
    assert corpus_bleu(collection(frozen.HYPOTHESES), iter([collection(frozen.REFERENCES)])) == expected


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT])
def test_missing_references(missing):
    second = [missing if text is None else text for text in frozen.SECOND_REFERENCES]
    expected = corpus_bleu(frozen.HYPOTHESES, BOTH)
    assert corpus_bleu(frozen.HYPOTHESES, [frozen.REFERENCES, second]) == expected
    assert corpus_bleu(frozen.HYPOTHESES, [frozen.REFERENCES, pd.Series(second, dtype=object)]) == expected


def test_references_one_list_a_hypothesis():
    turned = list(itertools.zip_longest(*BOTH))
    with pytest.raises(ValueError, match=r"each of the 6 hypotheses: turn them by list\(itertools.zip_longest"):
        corpus_bleu(frozen.HYPOTHESES, turned)
    assert isinstance(corpus_bleu(frozen.HYPOTHESES, list(itertools.zip_longest(*turned))), BLEUScore)
    with pytest.raises(ValueError, match="one list for each of the 1 hypotheses"):
        corpus_bleu(["a"], [["a", "b"]])


@pytest.mark.parametrize(
    ("hypotheses", "references", "error", "message"),
    [
        (["a", "b"], ["a", "b"], ValueError, r"a flat list of str; if it has the only reference of each, pass \[refer"),
        (["a"], "a", TypeError, "one list for each reference stream"),
        ("a", [["a"]], TypeError, "hypotheses must be a list of str, got a value of type 'str'"),
        (["a", "b"], [["a", "b"], ["a"]], ValueError, None),
        (["a", "b", "c"], [["a", "b", "c"], ["a"]], ValueError, r"3 hypotheses, but references\[1\] has 1 texts"),
        ([], [[]], ValueError, "hypotheses must hold at least one text, got none"),
        (["a"], [], ValueError, "got an empty list"),
        ([b"a"], [["a"]], TypeError, r"hypotheses\[0\] must be a str, got a value of type 'bytes'"),
        ([None], [["a"]], TypeError, r"hypotheses\[0\] must be a str"),
        (["a"], [[3]], TypeError, r"references\[0\]\[0\] must be a str or None, got a value of type 'int'"),
        (["a"], [[["a"]]], TypeError, r"references\[0\]\[0\] must be a str or None, got a value of type 'list'"),
        (["a", "b"], [["a", None]], ValueError, "hypothesis 1 has no reference"),
        (3, [["a"]], TypeError, "hypotheses must be a list of str, got a value of type 'int'"),
        ({"a"}, [["a"]], TypeError, "hypotheses must be a list of str, got a value of type 'set'"),
        (["a"], [{"a": 1}], TypeError, r"references\[0\] must be a list of str, got a value of type 'dict'"),
        (["a"], pd.DataFrame({"r": ["a"]}), ValueError, "a flat list of str"),
    ],
)
def test_bad_texts(hypotheses, references, error, message):
    with pytest.raises(error, match=message):
        corpus_bleu(hypotheses, references)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenize": "spm"}, "tokenize must be '13a', 'intl', 'zh', 'char' or 'none', got 'spm'"),
        ({"smooth_method": "geometric"}, "smooth_method must be 'exp', 'floor', 'add-k' or 'none'"),
        ({"smooth_value": 0.1}, "must be None for 'exp'"),
        ({"smooth_method": "floor", "smooth_value": -1}, "smooth_value must be a finite number >= 0, got -1"),
        ({"smooth_method": "floor", "smooth_value": "1"}, "smooth_value must be a finite number >= 0, got '1'"),
        ({"max_ngram_order": 0}, "max_ngram_order must be an int from 1 to 100, got 0"),
        ({"max_ngram_order": 101}, "max_ngram_order must be an int from 1 to 100, got 101"),
        ({"n_jobs": 0}, "n_jobs must be a positive int"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        corpus_bleu(["a"], [["a"]], **options)


def test_bad_sentences():
    with pytest.raises(TypeError, match="hypothesis must be a str, got a value of type 'list'"):
        sentence_bleu(["a"], ["a"])
    with pytest.raises(TypeError, match=r"got a str; pass \[references\]"):
        sentence_bleu("a", "a")
    with pytest.raises(ValueError, match="references must hold at least one text"):
        sentence_bleu("a", [])
    with pytest.raises(ValueError, match="hypothesis 0 has no reference"):
        sentence_bleu("a", [None])


def test_tokenized_hypotheses_are_warned_of():
    hypotheses, references = ["It is good ."] * 100, [["It is good."] * 100]
    with pytest.warns(UserWarning, match="100 hypotheses end in ' .', as tokenized text does") as record:
        corpus_bleu(hypotheses, references)
    assert record[0].filename == __file__
    with pytest.warns(UserWarning, match="100 hypotheses end in ' .'") as record:
        paired_bootstrap(hypotheses, [], references, n_resamples=1)
    assert record[0].filename == __file__
    corpus_bleu(hypotheses, references, force=True)
    corpus_bleu(hypotheses[:99], [references[0][:99]])


def test_a_str_of_a_class_with_its_own_lower():
    class Odd(str):
        __slots__ = ()

        def lower(self):
            return 3

    with pytest.raises(TypeError, match=r"hypotheses\[0\] must be a str, got a value of type 'int'"):
        corpus_bleu([Odd("a")], [["a"]], lowercase=True)
    assert corpus_bleu([Odd("a b c d")], [["a b c d"]]).score == pytest.approx(100)


def test_lone_surrogates_are_characters_as_any_other():
    assert sentence_bleu("\ud800 b c \udfff.", ["\ud800 b c \udfff."], tokenize="intl").score == pytest.approx(100)
