"""Analogies and judged pairs: counted as question by question in NumPy; bad files are refused with the line."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from mlcore.embedding import KeyedVectors


@pytest.fixture(scope="module")
def towns():
    """Capitals are their countries plus one offset and some noise; case variants come last."""
    random = np.random.default_rng(5)
    country = random.normal(size=(40, 20))
    capital = country + random.normal(size=20) * 1.5 + random.normal(size=(40, 20)) * 0.7
    words = [f"Land{i}" for i in range(40)] + [f"Town{i}" for i in range(40)] + ["land3", "TOWN1", "LAND0"]
    extra = np.array([country[3] * 1.1, capital[1] * 0.9, country[0] + 0.1])
    return KeyedVectors(words, np.vstack([country, capital, extra]))


def naive_analogies(kv, questions, known, fold):
    """3CosAdd, question by question."""
    unit = kv.get_normed_vectors().astype(np.float64)[:known]
    folded = [fold(word) for word in kv.index_to_key[:known]]
    right = []
    for question in questions:
        a, b, c, expected = (fold(word) for word in question)
        if not {a, b, c, expected} <= set(folded):
            right.append(None)
            continue
        query = unit[folded.index(b)] + unit[folded.index(c)] - unit[folded.index(a)]
        best = next(i for i in np.argsort(-unit @ query, kind="stable") if folded[i] not in (a, b, c))
        right.append(folded[best] == expected)
    return right


@pytest.mark.parametrize("case_insensitive", [True, False])
@pytest.mark.parametrize("dummy4unknown", [True, False])
@pytest.mark.parametrize("known", [83, 75])
def test_analogies(towns, tmp_path, case_insensitive, dummy4unknown, known):
    pairs = [(f"Land{i}", f"Town{i}") for i in range(40)] + [("land3", "Town3"), ("Atlantis", "x")]
    questions = [(*a, *b) for a, b in pairwise(pairs * 3)]
    lines = [": first part\n", *(" ".join(q) + "\n" for q in questions[:50])]
    lines += ["\n", ":second\n", *("\t".join(q) + " \r\n" for q in questions[50:])]
    path = tmp_path / "questions.txt"
    path.write_text("".join(lines))
    right = naive_analogies(towns, questions, known, str.upper if case_insensitive else str)
    options = {"case_insensitive": case_insensitive, "dummy4unknown": dummy4unknown, "restrict_vocab": known}
    accuracy, sections = towns.evaluate_word_analogies(path, **options)
    expected = []
    for name, part in (("first part", right[:50]), ("second", right[50:]), ("Total accuracy", right)):
        unknown = part.count(None)
        wrong = part.count(False) + dummy4unknown * unknown
        expected.append({"section": name, "correct": part.count(True), "incorrect": wrong, "unknown": unknown})
    assert sections == expected
    assert 0.2 < accuracy < 0.95
    assert accuracy == expected[2]["correct"] / (expected[2]["correct"] + expected[2]["incorrect"])
    for n_jobs in (1, 3):
        assert towns.evaluate_word_analogies(lines, n_jobs=n_jobs, **options) == (accuracy, sections)
    total = towns.evaluate_word_analogies(questions, **options)[1]
    assert total == [{**sections[-1], "section": ""}, sections[-1]]


def test_analogies_by_products(towns):
    questions = [(f"Land{i}", f"Town{i}", f"Land{i + 1}", f"Town{i + 1}") for i in range(39)]
    _, sections = towns.evaluate_word_analogies(
        questions, similarity_function="most_similar_cosmul", case_insensitive=False
    )
    answers = towns.most_similar_cosmul([[b, c] for _, b, c, _ in questions], [[a] for a, *_ in questions], topn=1)
    n_right = sum(answer[0][0] == question[3] for answer, question in zip(answers, questions, strict=True))
    assert sections[-1]["correct"] == n_right


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([": a", "a b c"], "item 1 must be four words or ': name of a section', got 'a b c'"),
        ([("a", "b", "c", 3)], "item 0 must be four words"),
        ([], r"no question has all its words known \(0 have not\)"),
        ([": a", "a b c d"], r"no question has all its words known \(1 have not\)"),
    ],
)
def test_bad_analogies(lines, message, towns, tmp_path):
    with pytest.raises(ValueError, match=message):
        towns.evaluate_word_analogies(lines)
    if all(isinstance(line, str) for line in lines):
        path = tmp_path / "file"
        path.write_text("\n".join(lines))
        with pytest.raises(ValueError, match=message.replace("item 1", "line 2 of .*file")):
            towns.evaluate_word_analogies(str(path))


def test_bad_evaluation_files(towns, tmp_path):
    with pytest.raises(FileNotFoundError):
        towns.evaluate_word_analogies(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        towns.evaluate_word_pairs("none")
    (tmp_path / "latin").write_bytes("Land1\tT\xe4\t3\n".encode("latin-1"))
    with pytest.raises(ValueError, match="latin is not UTF-8 at byte 7"):
        towns.evaluate_word_pairs(tmp_path / "latin")
    with pytest.raises(TypeError, match="item 0 must be a line or a tuple, got 3"):
        towns.evaluate_word_pairs([3])
    with pytest.raises(ValueError, match="similarity_function must be one of"):
        towns.evaluate_word_analogies(["a b c d"], similarity_function="most")


@pytest.mark.parametrize("dummy4unknown", [True, False])
def test_word_pairs(towns, tmp_path, dummy4unknown):
    random = np.random.default_rng(1)
    rows = random.integers(0, 80, (60, 2))
    pairs = [(towns.index_to_key[a], towns.index_to_key[b].lower(), float(random.integers(10))) for a, b in rows]
    pairs[7:7] = [("Land1", "Atlantis", 3.0), ("y", "x", 1.0)]
    unit = towns.get_normed_vectors().astype(np.float64)
    cosines = list((unit[rows[:, 0]] * unit[rows[:, 1]]).sum(axis=1))
    judged = [judgement for *_, judgement in pairs]
    if dummy4unknown:
        cosines[7:7] = [0.0, 0.0]
    else:
        del judged[7:9]
    path = tmp_path / "pairs.csv"
    lines = ["word one,word two,Human (mean)", "# a comment", "", *(f"{a},{b},{n}" for a, b, n in pairs)]
    path.write_text("\n".join(lines))
    result = towns.evaluate_word_pairs(path, delimiter=",", dummy4unknown=dummy4unknown)
    pearson, spearman, oov = result
    expected = pearsonr(judged, cosines)
    np.testing.assert_allclose(pearson, (expected.statistic, expected.pvalue), rtol=1e-4)
    expected = spearmanr(judged, cosines)
    np.testing.assert_allclose(spearman, (expected.statistic, expected.pvalue), rtol=1e-4)
    assert oov == pytest.approx(100 * 2 / 62)
    assert towns.evaluate_word_pairs(pairs, dummy4unknown=dummy4unknown) == result
    assert towns.evaluate_word_pairs(lines, delimiter=",", dummy4unknown=dummy4unknown) == result
    *_, oov = towns.evaluate_word_pairs(pairs, case_insensitive=False, dummy4unknown=True)
    assert oov > 95  # their second words are in lower case, and only "land3" is known so


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["a\tb\t3", "a b 3"], r"item 1 must be two words and a number with '\\t' between, got 'a b 3'"),
        (["a\tb\t3", "a\tb\tc"], "item 1 must be two words and a number"),
        ([("a", "b")], "item 0 must be two words and a number"),
        ([("a", 3, 3)], "item 0 must be two words and a number"),
        ([("Land1", "Land2", 1), ("Land1", "Land2", "nan")], "item 1 must be two words and a number"),
        ([("Land1", "Land2", 3), ("a", "b", 2)], "1 of 2 pairs have both words known: at least 2 are needed"),
        ([], "0 of 0 pairs"),
    ],
)
def test_bad_pairs(pairs, message, towns):
    with pytest.raises(ValueError, match=message):
        towns.evaluate_word_pairs(pairs)
