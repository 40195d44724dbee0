"""Word vectors beside gensim: the same answers to the same questions, and files that each reads of the other."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from mlcore.embedding import FastTextVectors, KeyedVectors

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning"),  # by gensim itself
]
gensim = pytest.importorskip("gensim", reason="needs the peers extra")

SETS = Path(__file__).parents[4] / "shared" / "data" / "wordvec"  # of the development machine


def pair_of(words, vectors):
    theirs = gensim.models.KeyedVectors(vectors.shape[1])
    theirs.add_vectors(words, vectors)
    return KeyedVectors(words, vectors), theirs


@pytest.fixture(scope="module")
def both():
    rng = np.random.default_rng(0)
    words = [f"{'Ab'[i % 2]}ord{i}" for i in range(2000)]
    words[1500:1510] = [word.upper() for word in words[:10]]
    return pair_of(words, rng.normal(size=(2000, 40)).astype(np.float32))


def same_answers(ours, theirs):
    # gensim computes in float32: the last digit differs, and with it the order of near-equals (there are none here)
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([score for _, score in ours], [score for _, score in theirs], rtol=1e-4, atol=1e-6)


QUERIES = [
    (["Aord0"], []),
    (["Aord0", "bord7"], ["Aord4"]),
    ("Aord12", "bord13"),
    ([("Aord0", 0.2), ("bord3", 1.5)], [("bord5", -0.3), "bord1"]),
    ([np.linspace(-1, 2, 40).astype(np.float32), "Aord6"], []),
    ([], ["Aord8"]),
]


@pytest.mark.parametrize(("positive", "negative"), QUERIES)
@pytest.mark.parametrize("options", [{}, {"topn": 3}, {"restrict_vocab": 100}])
def test_most_similar(both, positive, negative, options):
    ours, theirs = (kv.most_similar(positive, negative, **options) for kv in both)
    same_answers(ours, theirs)
    ours, theirs = (kv.most_similar(positive, negative, **(options | {"topn": None})) for kv in both)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("positive", "negative"),
    [(["Aord0"], []), (["Aord0", "bord7"], ["Aord4"]), ("Aord12", "bord13"), (["Aord0", "bord3"], ["bord5", "bord1"])],
)
def test_most_similar_cosmul(both, positive, negative):
    ours, theirs = (kv.most_similar_cosmul(positive, negative) for kv in both)
    same_answers(ours, theirs)
    ours, theirs = (kv.most_similar_cosmul(positive, negative, topn=None) for kv in both)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)  # the divisor may be small


def test_other_questions(both):
    ours, theirs = both
    rng = np.random.default_rng(3)
    words = ours.index_to_key
    for _ in range(30):
        a, b, *more = (words[i] for i in rng.integers(0, 2000, 7))
        same_answers(ours.similar_by_word(a), theirs.similar_by_word(a))
        same_answers(ours.similar_by_vector(ours[a] + ours[b]), theirs.similar_by_vector(theirs[a] + theirs[b]))
        assert ours.similarity(a, b) == pytest.approx(float(theirs.similarity(a, b)), abs=1e-6)
        assert ours.n_similarity([a, b], more) == pytest.approx(float(theirs.n_similarity([a, b], more)), abs=1e-6)
        assert ours.doesnt_match([a, b, *more]) == theirs.doesnt_match([a, b, *more])
        assert ours.closer_than(a, b) == theirs.closer_than(a, b)
        assert ours.rank(a, b) == theirs.rank(a, b)
        np.testing.assert_allclose(ours.distances(a), theirs.distances(a), atol=1e-6)
        np.testing.assert_allclose(ours.distances(a, more), theirs.distances(a, more), atol=1e-6)
        for pre in (True, False):
            for post in (True, False):
                options = {"pre_normalize": pre, "post_normalize": post}
                np.testing.assert_allclose(
                    ours.mean_vector([a, b, *more], np.arange(1.0, 8.0), **options),
                    theirs.get_mean_vector([a, b, *more], np.arange(1.0, 8.0), **options),
                    atol=1e-6,
                )
    np.testing.assert_allclose(ours.get_normed_vectors(), theirs.get_normed_vectors(), rtol=1e-5)


# ---- evaluation ----


def counts(sections):
    return [(s["section"], len(s["correct"]), len(s["incorrect"])) for s in sections]


@pytest.mark.parametrize("case_insensitive", [True, False])
@pytest.mark.parametrize("dummy4unknown", [True, False])
def test_analogies(case_insensitive, dummy4unknown, tmp_path):
    rng = np.random.default_rng(5)
    country = rng.normal(size=(60, 15))
    capital = country + 1.5 * rng.normal(size=15) + 0.7 * rng.normal(size=(60, 15))
    words = [f"Land{i}" for i in range(60)] + [f"Town{i}" for i in range(60)] + ["land3", "TOWN1", "x"]
    extra = np.array([country[3] * 1.1, capital[1], rng.normal(size=15)])
    ours, theirs = pair_of(words, np.vstack([country, capital, extra]).astype(np.float32))
    path = tmp_path / "questions"
    with path.open("w") as file:
        for part in range(3):
            file.write(f": part {part}\n")
            for i, j in rng.integers(0, 66, (80, 2)):
                file.write(f"Land{i} town{i} LAND{j} Town{j}\n" if part else f"Land{i} Town{i} Land{j} Town{j}\n")
    for restrict_vocab in (300_000, 110):
        options = {
            "case_insensitive": case_insensitive,
            "dummy4unknown": dummy4unknown,
            "restrict_vocab": restrict_vocab,
        }
        accuracy, sections = ours.evaluate_word_analogies(path, **options)
        expected, parts = theirs.evaluate_word_analogies(str(path), **options)
        assert [(s["section"], s["correct"], s["incorrect"]) for s in sections] == counts(parts)
        assert accuracy == expected


@pytest.mark.parametrize("case_insensitive", [True, False])
@pytest.mark.parametrize("dummy4unknown", [True, False])
def test_word_pairs(both, case_insensitive, dummy4unknown, tmp_path):
    ours, theirs = both
    rng = np.random.default_rng(6)
    path = tmp_path / "pairs"
    with path.open("w") as file:
        file.write("# Word 1\tWord 2\tHuman (mean)\n")
        for i, j in rng.integers(0, 2100, (300, 2)):
            a, b = (f"{'Ab'[k % 2]}ord{k}" for k in (i, j))
            file.write(f"{a.lower() if i % 5 == 0 else a}\t{b}\t{rng.integers(100) / 10}\n")
    options = {"case_insensitive": case_insensitive, "dummy4unknown": dummy4unknown, "restrict_vocab": 1800}
    pearson, spearman, oov = ours.evaluate_word_pairs(path, **options)
    expected_pearson, expected_spearman, expected_oov = theirs.evaluate_word_pairs(str(path), **options)
    np.testing.assert_allclose(pearson, expected_pearson, rtol=1e-4)
    np.testing.assert_allclose(spearman, expected_spearman, rtol=1e-4)  # ranks: equal but for the sum's rounding
    assert oov == pytest.approx(expected_oov)


@pytest.mark.skipif(not SETS.is_dir(), reason="the standard sets are not part of the repository")
@pytest.mark.parametrize("name", ["wordsim353.tsv", "simlex999.txt", "EN-MEN-TR-3k.txt"])
def test_standard_pairs(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(lzma.decompress((SETS / f"{name}.xz").read_bytes()))
    text = path.read_text("utf-8")
    words = sorted({word for line in text.split("\n") if line[:1] != "#" for word in line.split("\t")[:2]})
    words = [word for word in words if word][::-1][:-100]
    rng = np.random.default_rng(0)
    ours, theirs = pair_of(words, rng.normal(size=(len(words), 20)).astype(np.float32))
    pearson, spearman, oov = ours.evaluate_word_pairs(SETS / f"{name}.xz")
    expected_pearson, expected_spearman, expected_oov = theirs.evaluate_word_pairs(str(path))
    np.testing.assert_allclose(pearson, expected_pearson, rtol=1e-4)
    np.testing.assert_allclose(spearman, expected_spearman, rtol=1e-4)
    assert oov == pytest.approx(expected_oov)


# ---- files ----


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_files_of_each_other(both, binary, ending, tmp_path):
    ours, theirs = both
    mine, other = str(tmp_path / f"ours{ending}"), str(tmp_path / f"theirs{ending}")
    ours.save_word2vec_format(mine, binary=binary)
    theirs.save_word2vec_format(other, binary=binary)
    for loaded in (
        gensim.models.KeyedVectors.load_word2vec_format(mine, binary=binary),
        KeyedVectors.load_word2vec_format(other, binary=binary),
    ):
        assert loaded.index_to_key == ours.index_to_key
        np.testing.assert_array_equal(loaded.vectors, ours.vectors)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # gensim's
def test_counts_and_files_without_header(both, tmp_path):
    ours = KeyedVectors(both[0].index_to_key, both[0].vectors, np.arange(2000, 0, -1))
    ours.save_word2vec_format(tmp_path / "v", fvocab=tmp_path / "counts", write_header=False)
    theirs = gensim.models.KeyedVectors.load_word2vec_format(
        str(tmp_path / "v"), fvocab=str(tmp_path / "counts"), no_header=True
    )
    assert theirs.get_vecattr("bord7", "count") == 1993
    np.testing.assert_array_equal(theirs.vectors, ours.vectors)
    theirs.save_word2vec_format(str(tmp_path / "v"), fvocab=str(tmp_path / "counts"))
    again = KeyedVectors.load_word2vec_format(tmp_path / "v", fvocab=tmp_path / "counts")
    np.testing.assert_array_equal(again.counts, ours.counts)


def test_fasttext_model_of_gensim(tmp_path):
    texts = [["die", "bäume", "wachsen"], ["der", "baum", "wächst"], ["bäumchen", "die", "wachsen"]] * 5
    theirs = gensim.models.FastText(texts, vector_size=12, min_count=1, min_n=2, max_n=4, bucket=200, epochs=3, seed=1)
    gensim.models.fasttext.save_facebook_model(theirs, str(tmp_path / "m.bin"))
    theirs = gensim.models.fasttext.load_facebook_vectors(str(tmp_path / "m.bin"))
    ours = FastTextVectors.load_fasttext(tmp_path / "m.bin")
    assert ours.index_to_key == theirs.index_to_key
    for word in (*theirs.index_to_key, "baumes", "unbekannt", "日本語", "x"):
        np.testing.assert_allclose(ours[word], theirs[word], rtol=1e-4, atol=1e-6)  # they sum in float32
    same_answers(ours.most_similar("baumes"), theirs.most_similar("baumes"))
