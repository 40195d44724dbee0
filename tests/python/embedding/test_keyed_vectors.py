"""Questions to word vectors: each against a few lines of NumPy, batches against single queries, and bad input."""

import copy
import pickle
import re

import joblib
import numpy as np
import pytest

import mlcore
from mlcore._native import core
from mlcore.embedding import KeyedVectors
from mlcore.embedding._words import pack_words, unpack_words

rng = np.random.default_rng(0)
V, D = 700, 23
WORDS = [f"w{i}" for i in range(V)]
VECTORS = (rng.normal(size=(V, D)) * rng.uniform(0.1, 3, (V, 1))).astype(np.float32)
UNIT = VECTORS / np.linalg.norm(VECTORS.astype(np.float64), axis=1, keepdims=True)


@pytest.fixture(scope="module")
def kv():
    return KeyedVectors(WORDS, VECTORS, np.arange(V, 0, -1))


def check(answer, scores, excluded=(), n=10):
    """Whether `answer` is the top of `scores` (V,) without some rows."""
    order = [i for i in np.argsort(-scores, kind="stable") if i not in excluded][:n]
    assert [word for word, _ in answer] == [WORDS[i] for i in order]
    np.testing.assert_allclose([score for _, score in answer], scores[order], rtol=1e-5, atol=1e-6)
    assert all(type(score) is float for _, score in answer)


# ---- lookup ----


def test_lookup(kv):
    np.testing.assert_array_equal(kv["w3"], VECTORS[3])
    np.testing.assert_array_equal(kv[["w3", "w1"]], VECTORS[[3, 1]])
    np.testing.assert_array_equal(kv[np.array(["w3", "w1"])], VECTORS[[3, 1]])
    assert kv[[]].shape == (0, D)
    assert "w3" in kv
    assert "x" not in kv
    assert 3 not in kv
    assert len(kv) == V
    assert list(kv) == WORDS == kv.index_to_key
    assert kv.key_to_index["w9"] == 9
    assert kv.vector_size == D
    assert kv.counts.tolist() == list(range(V, 0, -1))
    assert repr(kv) == "<KeyedVectors: 700 words, 23 dimensions>"
    np.testing.assert_allclose(kv.get_vector("w3", norm=True), UNIT[3], rtol=1e-6)
    np.testing.assert_allclose(kv.get_normed_vectors(), UNIT, rtol=1e-5)
    with pytest.raises(ValueError, match="read-only"):
        kv["w3"][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        kv.vectors[0] = 1


def test_vectors_for_all(kv):
    part = kv.vectors_for_all(["w5", "nothing", "w2", "w5"])
    assert part.index_to_key == ["w5", "w2"]
    np.testing.assert_array_equal(part.vectors, VECTORS[[5, 2]])
    assert part.counts.tolist() == [V - 5, V - 2]
    with pytest.raises(ValueError, match="not empty"):
        kv.vectors_for_all(["nothing"])


@pytest.mark.parametrize(
    "ask",
    [
        lambda kv, *words: kv[words[0]] if len(words) == 1 else kv[list(words)],
        lambda kv, *words: kv.most_similar(list(words)),
        lambda kv, *words: kv.most_similar(["w1"], list(words)),
        lambda kv, *words: kv.most_similar([["w1"], list(words)]),
        lambda kv, *words: kv.most_similar_cosmul(list(words)),
        lambda kv, *words: kv.similar_by_word(list(words)),
        lambda kv, *words: kv.similarity(*words) if len(words) == 2 else kv.similarity("w1", words[0]),
        lambda kv, *words: kv.n_similarity(["w1", words[0]], ["w2", words[-1]]),
        lambda kv, *words: kv.doesnt_match(["w1", "w2", *words]),
        lambda kv, *words: kv.distances(words[0], ["w1", words[-1]]),
        lambda kv, *words: kv.distances(list(words)),
        lambda kv, *words: kv.closer_than(words[0], words[-1]),
        lambda kv, *words: kv.rank(words[0], words[-1]),
        lambda kv, *words: kv.mean_vector(["w1", *words]),
    ],
)
def test_unknown_words_are_all_named(ask, kv):
    with pytest.raises(KeyError, match="word 'blue' is not in the vocabulary"):
        ask(kv, "blue")
    with pytest.raises(KeyError, match="words 'blue', 'grün' are not in the vocabulary"):
        ask(kv, "blue", "grün")


# ---- search ----


def test_most_similar(kv):
    check(kv.most_similar("w4"), UNIT @ UNIT[4], [4])
    check(kv.similar_by_word("w4", topn=3), UNIT @ UNIT[4], [4], 3)
    query = UNIT[4] + UNIT[8] - UNIT[15]
    scores = UNIT @ query / np.linalg.norm(query)
    check(kv.most_similar(["w4", "w8"], ["w15"]), scores, [4, 8, 15])
    check(kv.most_similar(["w4", "w8"], "w15"), scores, [4, 8, 15])
    np.testing.assert_allclose(kv.most_similar(["w4", "w8"], ["w15"], topn=None), scores, atol=1e-6)
    query = 0.3 * UNIT[4] + 2 * UNIT[8] - 0.5 * UNIT[15] - UNIT[16]
    scores = UNIT @ query / np.linalg.norm(query)
    check(kv.most_similar([("w4", 0.3), ("w8", 2)], [("w15", -0.5), "w16"]), scores, [4, 8, 15, 16])
    vector = rng.normal(size=D)
    query = vector + UNIT[3]
    check(kv.most_similar([vector, "w3"]), UNIT @ query / np.linalg.norm(query), [3])
    check(kv.most_similar(negative=["w3"]), -UNIT @ UNIT[3], [3])
    assert kv.most_similar("w3", ["w3"], topn=2) == [("w0", 0.0), ("w1", 0.0)]  # a zero sum is similar to nothing


def test_restrict_and_topn(kv):
    check(kv.most_similar("w4", restrict_vocab=50), (UNIT @ UNIT[4])[:50], [4])
    check(kv.most_similar("w4", restrict_vocab=10**9), UNIT @ UNIT[4], [4])
    assert kv.most_similar("w4", topn=None, restrict_vocab=50).shape == (50,)
    assert len(kv.most_similar("w4", topn=10**9)) == V - 1
    assert kv.most_similar("w4", topn=0) == []
    assert kv.most_similar("w0", restrict_vocab=1) == []


@pytest.mark.parametrize("n_positive", [1, 2])
@pytest.mark.parametrize("n_negative", [0, 1, 2])
def test_most_similar_cosmul(kv, n_positive, n_negative):
    factors = (1 + UNIT @ UNIT[:4].T) / 2
    scores = factors[:, :n_positive].prod(axis=1) / (factors[:, 2 : 2 + n_negative].prod(axis=1) + 1e-6)
    used = [*range(n_positive), *range(2, 2 + n_negative)]
    positive, negative = WORDS[:n_positive], WORDS[2 : 2 + n_negative]
    check(kv.most_similar_cosmul(positive, negative), scores, used)
    np.testing.assert_allclose(kv.most_similar_cosmul(positive, negative, topn=None), scores, rtol=1e-4)
    vectors = [VECTORS[i] for i in range(n_positive)]
    check(kv.most_similar_cosmul(vectors, negative), scores, range(2, 2 + n_negative))


def test_similar_by_vector(kv):
    vectors = rng.normal(size=(30, D))
    expected = UNIT @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    for i, answer in enumerate(kv.similar_by_vector(vectors)):
        check(answer, expected[:, i])
        assert answer == kv.similar_by_vector(list(vectors[i]))
    np.testing.assert_allclose(kv.similar_by_vector(vectors, topn=None), expected.T, atol=1e-6)
    check(kv.similar_by_vector(VECTORS[3]), UNIT @ UNIT[3])  # the word itself is an answer
    assert kv.similar_by_vector(np.empty((0, D))) == []
    assert kv.similar_by_vector(np.empty((0, D)), topn=None).shape == (0, V)


def test_batches_equal_single_queries_whatever_the_number_of_threads(kv):
    positive = [[WORDS[i] for i in rng.integers(0, V, 1 + k % 3)] for k in range(200)]
    negative = [[WORDS[i] for i in rng.integers(0, V, k % 2)] for k in range(200)]
    for method in (kv.most_similar, kv.most_similar_cosmul):
        answers = method(positive, negative)
        assert answers == [method(p, n) for p, n in zip(positive, negative, strict=True)]
        for n_jobs in (1, 2, 5, np.int32(2)):
            assert method(positive, negative, n_jobs=n_jobs) == answers
        assert method(positive, negative, topn=None).shape == (200, V)
        assert method([["w1"]]) == [method("w1")]
    assert kv.similar_by_word(WORDS[:9]) == [kv.similar_by_word(word) for word in WORDS[:9]]
    assert kv.similar_by_word([]) == []


def test_equal_vectors_come_in_the_order_of_the_words():
    same = KeyedVectors([f"w{i}" for i in range(40)], np.tile(np.float32([0.1, 0.7, -0.3]), (40, 1)))
    assert [word for word, _ in same.most_similar("w2", topn=4)] == ["w0", "w1", "w3", "w4"]


def test_distances_rank_closer_than(kv):
    cosines = UNIT @ UNIT[5]
    np.testing.assert_allclose(kv.distances("w5"), 1 - cosines, atol=1e-6)
    np.testing.assert_allclose(kv.distances(VECTORS[5], ["w3", "w9"]), 1 - cosines[[3, 9]], atol=1e-6)
    np.testing.assert_allclose(kv.distances(["w5", "w6"], ["w3"]), 1 - UNIT[[5, 6]] @ UNIT[[3]].T, atol=1e-6)
    np.testing.assert_allclose(kv.distances(VECTORS[:7]), 1 - UNIT[:7] @ UNIT.T, atol=1e-6)
    assert kv.distances([]).shape == (0, V)
    closer = [word for i, word in enumerate(WORDS) if cosines[i] > cosines[9] and i != 5]
    assert kv.closer_than("w5", "w9") == closer
    assert kv.rank("w5", "w9") == len(closer) + 1
    assert kv.rank("w5", kv.most_similar("w5", topn=1)[0][0]) == 1


def test_means_and_similarities(kv):
    assert kv.similarity("w1", "w2") == pytest.approx(UNIT[1] @ UNIT[2], abs=1e-7)
    assert kv.similarity("w1", "w1") == pytest.approx(1)
    np.testing.assert_allclose(kv.mean_vector(["w1", "w2"]), UNIT[1:3].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        kv.mean_vector(["w1", "w2"], [1, -3], pre_normalize=False), (VECTORS[1] - 3 * VECTORS[2]) / 4, rtol=1e-5
    )
    assert np.linalg.norm(kv.mean_vector(["w1", "w2"], post_normalize=True)) == pytest.approx(1)
    np.testing.assert_allclose(kv.mean_vector(["x", "w2"], [5, 1], ignore_missing=True), UNIT[2], rtol=1e-5)
    assert not kv.mean_vector(["x"], ignore_missing=True, post_normalize=True).any()
    a, b = VECTORS[:3].mean(axis=0), VECTORS[3:5].mean(axis=0)
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert kv.n_similarity(WORDS[:3], WORDS[3:5]) == pytest.approx(expected, abs=1e-6)
    expected = WORDS[3 + int(np.argmin(UNIT[3:9] @ UNIT[3:9].mean(axis=0)))]
    assert kv.doesnt_match(WORDS[3:9]) == expected


def test_a_vector_of_zeros_is_similar_to_nothing():
    kv = KeyedVectors(["zero", "a", "b"], [[0, 0], [1, 0], [-1, 0]])
    assert kv.most_similar("zero") == [("a", 0.0), ("b", 0.0)]
    assert kv.most_similar("a") == [("zero", 0.0), ("b", -1.0)]
    assert kv.similarity("zero", "a") == 0.0
    assert kv.n_similarity(["a", "b"], ["a"]) == 0.0
    assert not kv.get_vector("zero", norm=True).any()


@pytest.mark.parametrize("scale", [1e-19, 1e-30, 1e-44])
def test_a_very_short_vector_counts_as_zeros(scale):
    kv = KeyedVectors(["short", "a", "b"], [[scale, 0], [1e-17, 0], [-1e18, 1e18]])
    assert kv.most_similar("short") == [("a", 0.0), ("b", 0.0)]
    assert dict(kv.most_similar("a"))["short"] == 0.0
    assert dict(kv.most_similar_cosmul("short")) == pytest.approx({"a": 0.5, "b": 0.5}, abs=1e-5)
    assert dict(kv.most_similar_cosmul("a"))["short"] == pytest.approx(0.5, abs=1e-5)
    assert dict(kv.similar_by_vector(np.array([1.0, 0.0])))["short"] == 0.0
    assert kv.most_similar("a", topn=None)[0] == 0.0
    assert kv.most_similar_cosmul("short", topn=None).tolist() == pytest.approx([0.5] * 3, abs=1e-5)
    assert kv.similarity("short", "a") == kv.similarity("short", "short") == 0.0
    assert kv.n_similarity(["short"], ["a"]) == 0.0
    assert not kv.get_vector("short", norm=True).any()
    assert not kv.get_normed_vectors()[0].any()
    for pre_normalize in (False, True):
        assert not kv.mean_vector(["short"], pre_normalize=pre_normalize, post_normalize=True).any()
    assert kv.distances("short").tolist() == [1.0, 1.0, 1.0]
    assert kv.distances("a", ["short"]).tolist() == [1.0]
    assert kv.closer_than("short", "a") == []
    assert kv.similarity("a", "b") == pytest.approx(-(0.5**0.5))
    (_, _), (_, _), ratio = kv.evaluate_word_pairs([("short", "a", 0), ("a", "b", -1), ("b", "b", 1)])
    assert ratio == 0.0


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-30, 1e30, 1e300])
def test_lengths_of_vectors_and_weights_may_be_anything(scale, kv):
    vector = np.zeros(D)
    vector[:2] = 1, -1
    long = scale * vector
    check(kv.similar_by_vector(long), UNIT @ vector / 2**0.5)
    np.testing.assert_array_equal(kv.similar_by_vector(long, topn=None), kv.similar_by_vector(vector, topn=None))
    np.testing.assert_array_equal(kv.distances(long), kv.distances(vector))
    assert kv.most_similar([long]) == kv.most_similar([vector])
    assert kv.most_similar_cosmul([long], ["w1"]) == kv.most_similar_cosmul([vector], ["w1"])
    weighted = kv.most_similar([("w4", scale), ("w8", 2 * scale)], [("w15", -scale)])
    assert weighted == kv.most_similar(["w4", ("w8", 2)], ["w15"])
    if scale > 1e-308:
        together = kv.most_similar([(long, 1 / scale), "w4"])
        assert dict(together) == pytest.approx(dict(kv.most_similar([vector, "w4"])))
    words = ["w1", "w2", "w3"]
    np.testing.assert_allclose(
        kv.mean_vector(words, [scale, scale, -scale]), kv.mean_vector(words, [1, 1, -1]), rtol=1e-6
    )
    assert not kv.mean_vector(words, [0, 0, 0], post_normalize=True).any()


def test_a_long_unknown_word_is_named_by_its_beginning(kv):
    with pytest.raises(KeyError) as caught:
        kv["x" * 10**6]
    assert caught.value.args[0] == f"word '{'x' * 100}'... is not in the vocabulary"


def test_numbers_of_terms_that_wrap_round():
    """As nobody but the core's own callers could ask."""
    vectors = np.eye(3, dtype=np.float32)
    norms, _ = core.embedding.inverse_norms(vectors, 1)
    for n_positive, n_negative in ((0xAAAAAAAAAAAAAAAB, 0), (2**64 - 1, 2)):
        with pytest.raises(ValueError, match="terms do not make 3 queries of"):
            core.embedding.nearest(
                vectors,
                norms,
                vectors[:1],
                n_positive=n_positive,
                n_negative=n_negative,
                product=True,
                excluded=np.zeros(0, np.int32),
                excluded_offsets=np.zeros(4, np.int64),
                k=1,
                n_rows=3,
                n_threads=1,
            )


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda kv: kv[3.0], TypeError, "not iterable"),
        (lambda kv: kv[len(kv)], IndexError, f"positions of words go from 0 to {V - 1}, got {V}"),
        (lambda kv: kv[-1], IndexError, "got -1"),
        (lambda kv: kv[["w1", 2**70]], IndexError, "got 1180591620717411303424"),
        (lambda kv: kv.get_vector(3.0), TypeError, "a word must be a str, or its position, got 3.0"),
        (lambda kv: kv.get_vector(True), TypeError, "a word must be a str, or its position, got True"),
        (lambda kv: kv[["w1", 3.0]], TypeError, "words must be str, got 3.0"),
        (lambda kv: kv.most_similar(), ValueError, "at least one word or vector"),
        (lambda kv: kv.most_similar([]), ValueError, "at least one word or vector"),
        (lambda kv: kv.most_similar([["w1"], []]), ValueError, "at least one word or vector"),
        (lambda kv: kv.most_similar([["w1"], "w2"]), TypeError, "must be words or vectors, or pairs"),
        (lambda kv: kv.most_similar([["w1"], ["w2"]], [["w3"]]), ValueError, "lists of equally many lists"),
        (lambda kv: kv.most_similar([["w1"], ["w2"]], ["w3", "w4"]), ValueError, "lists of equally many lists"),
        (lambda kv: kv.most_similar(3.0), TypeError, "must be words, vectors, or lists of them, got float"),
        (lambda kv: kv.most_similar([3.0]), TypeError, "must be words or vectors, or pairs"),
        (lambda kv: kv.most_similar("w1", restrict_vocab=[]), ValueError, "restrict_vocab must name at least one word"),
        (lambda kv: kv.most_similar("w1", restrict_vocab=["w2", "none"]), KeyError, "'none' is not in the vocabulary"),
        (lambda kv: kv.add_vectors(["w1"], np.ones((1, D))), ValueError, "'w1' has a vector already: replace=True"),
        (lambda kv: kv.add_vectors(["new"], np.ones((1, D + 1))), ValueError, f"must have {D} numbers, got {D + 1}"),
        (lambda kv: kv.add_vectors(["new"], np.ones((2, D))), ValueError, "1 words and 2 vectors"),
        (lambda kv: kv.add_vectors(["new"], np.full((1, D), np.nan)), ValueError, "that of 'new' has nan"),
        (lambda kv: kv.add_vectors(["new"], np.ones((1, D)), replace=1), TypeError, "replace must be True or False"),
        (lambda kv: kv.most_similar([("w1", np.nan)]), ValueError, "weight of 'w1' must be finite"),
        (lambda kv: kv.most_similar_cosmul([("w1", 2)]), TypeError, r"must be words or vectors, got \('w1', 2\)"),
        (lambda kv: kv.most_similar([np.ones(4)]), ValueError, r"must have 23 numbers .* shape \(4,\)"),
        (
            lambda kv: kv.similar_by_vector(np.ones((2, 2, D))),
            ValueError,
            r"must have 23 numbers .* shape \(2, 2, 23\)",
        ),
        (lambda kv: kv.similar_by_vector(np.full(D, np.inf)), ValueError, "vector must be finite"),
        (lambda kv: kv.similar_by_vector(["a"] * D), TypeError, "vector must be numbers"),
        (lambda kv: kv.most_similar("w1", topn=-1), ValueError, "topn must be at least 0 or None, got -1"),
        (lambda kv: kv.most_similar("w1", topn=2.5), TypeError, "topn must be an int or None, got 2.5"),
        (lambda kv: kv.most_similar("w1", restrict_vocab=0), ValueError, "restrict_vocab must be at least 1"),
        (lambda kv: kv.most_similar("w1", n_jobs=0), ValueError, "n_jobs must be a positive int"),
        (lambda kv: kv.similarity(["a"], ["b"]), TypeError, r"words must be str, got \['a'\]"),
        (lambda kv: kv.rank("w1", 3.0), TypeError, "words must be str, got 3.0"),
        (lambda kv: kv.most_similar([("w1", "w2")]), TypeError, "weight of 'w1' must be a number, got 'w2'"),
        (lambda kv: kv.most_similar([("w1", 10**400)]), ValueError, "weight of 'w1' must be finite, got 1000"),
        (lambda kv: kv.most_similar("w1", topn=2**70), ValueError, "topn must be at most"),
        (lambda kv: kv.most_similar("w1", n_jobs="a"), TypeError, "n_jobs .* got 'a'"),
        (lambda kv: kv.most_similar("w1", n_jobs=1.5), TypeError, r"n_jobs .* got 1\.5"),
        (lambda kv: kv.mean_vector(["w1"], ["a"]), TypeError, r"weights must be 1 finite numbers, got \['a'\]"),
        (lambda kv: kv.doesnt_match([]), ValueError, "at least one word"),
        (lambda kv: kv.doesnt_match("w1"), TypeError, "a list of words, got the lone word 'w1'"),
        (lambda kv: kv.n_similarity([], ["w1"]), ValueError, "at least one word"),
        (lambda kv: kv.mean_vector(["w1"], [1, 2]), ValueError, "weights must be 1 finite numbers"),
        (lambda kv: kv.mean_vector(["w1"], [np.nan]), ValueError, "weights must be 1 finite numbers"),
    ],
)
def test_bad_questions(ask, error, message, kv):
    with pytest.raises(error, match=message):
        ask(kv)


# ---- making ----


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a", "b", "a"], np.ones((3, 2))), ValueError, "words must be unique, but 'a' occurs in places 0 and 2"),
        ((["a", "b"], np.ones((3, 2))), ValueError, "equally many, got 2 words and 3 vectors"),
        ((["a", 3], np.ones((2, 2))), TypeError, "words of KeyedVectors must be str, got 3 in place 1"),
        (("ab", np.ones((2, 2))), TypeError, "got the lone str 'ab'"),
        ((["a"], np.ones(2)), ValueError, r"must be a 2-D array, not empty, got shape \(2,\)"),
        (([], np.ones((0, 2))), ValueError, "not empty"),
        ((["a"], np.ones((1, 0))), ValueError, "not empty"),
        ((["a"], [["x"]]), TypeError, "must be numbers"),
        ((["a"], np.ones((1, 2), dtype=complex)), TypeError, "must be numbers, got complex128"),
        ((["a", "b"], [[1, 2], [3, np.nan]]), ValueError, "that of 'b' has nan"),
        ((["a", "b"], [[1, np.inf], [3, 4]]), ValueError, "that of 'a' has inf"),
        (
            (["a", "b"], [[1, 2], [3, 1e39]]),
            ValueError,
            "finite in float32 and not beyond 1e18, but that of 'b' has inf",
        ),
        ((["a", "b"], [[1, 2], [3, -2e18]]), ValueError, r"not beyond 1e18, but that of 'b' has -2e\+18"),
        ((["a"], [[1, 2]], [1, 2]), ValueError, "counts of KeyedVectors must be 1 as the words, got 2"),
        ((["a"], [[1, 2]], [-1]), ValueError, "must not be negative, got -1"),
        ((["a"], [[1, 2]], [0.5]), ValueError, "1-D array of int, got float64"),
    ],
)
def test_bad_tables(arguments, error, message):
    with pytest.raises(error, match=message):
        KeyedVectors(*arguments)


def test_arrays_are_used_where_they_lie_if_they_can_be(tmp_path):
    def base(kv):
        return kv.vectors.__array_interface__["data"][0]

    array = VECTORS.copy()
    assert base(KeyedVectors(WORDS, array)) != array.ctypes.data  # whoever made it may change it
    view = array.view()
    view.flags.writeable = False
    assert base(KeyedVectors(WORDS, view)) != array.ctypes.data
    assert array.flags.writeable
    array.flags.writeable = False
    assert base(KeyedVectors(WORDS, array)) == array.ctypes.data
    np.save(tmp_path / "v.npy", array)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    kv = KeyedVectors(WORDS, mapped)
    assert base(kv) == mapped.ctypes.data
    check(kv.most_similar("w4"), UNIT @ UNIT[4], [4])
    wide = np.ones((V, D + 5), dtype=np.float32)
    wide[:, 2:-3] = array
    wide.flags.writeable = False
    kv = KeyedVectors(WORDS, wide[:, 2:-3])  # rows apart
    assert base(kv) == wide.ctypes.data + 8
    check(kv.most_similar("w4"), UNIT @ UNIT[4], [4])
    check(copy.copy(kv).most_similar("w4"), UNIT @ UNIT[4], [4])
    unaligned = np.frombuffer(b"x" + array.tobytes(), dtype=np.float32, offset=1).reshape(V, D)
    for other in (array.astype(np.float64), np.asfortranarray(array), array[::-1][::-1], array[::-1], unaligned):
        kv = KeyedVectors(WORDS, other)
        np.testing.assert_array_equal(kv.vectors, other)
        scores = kv.most_similar("w4", topn=None)
        np.testing.assert_allclose(scores, kv.get_normed_vectors() @ kv.get_vector("w4", norm=True), atol=1e-5)
    assert KeyedVectors(np.array(["a", "b"]), [[1], [2]]).index_to_key == ["a", "b"]
    kv = KeyedVectors(("a", "b"), np.array([[1], [2]], dtype=np.float16), counts=np.array([3, 2], dtype=np.uint8))
    assert kv.vectors.dtype == np.float32
    assert kv.counts.dtype == np.int64


# ---- state ----


def same(a, b):
    np.testing.assert_array_equal(a.vectors, b.vectors)
    assert a.index_to_key == b.index_to_key
    assert (a.counts is None) == (b.counts is None)
    if a.counts is not None:
        np.testing.assert_array_equal(a.counts, b.counts)
        assert b.counts.dtype == np.int64
    return a.most_similar(a.index_to_key[0]) == b.most_similar(a.index_to_key[0])


@pytest.mark.parametrize("words", [["a", "b", "c"], ["new york", "", "bläu 北京 \U0001f600"]])
@pytest.mark.parametrize("counts", [None, [3, 2, 0]])
def test_pickle_and_model_files(words, counts, tmp_path):
    kv = KeyedVectors(words, rng.normal(size=(3, 5)), counts)
    assert same(kv, pickle.loads(pickle.dumps(kv)))
    joblib.dump(kv, tmp_path / "kv.joblib")
    assert same(kv, joblib.load(tmp_path / "kv.joblib"))
    assert same(kv, joblib.load(tmp_path / "kv.joblib", mmap_mode="r"))
    path = tmp_path / "kv.safetensors"
    mlcore.save(kv, path)
    assert same(kv, mlcore.load(path))
    assert same(kv, mlcore.load(path, mmap_mode="r"))
    again = mlcore.load(path, mmap_mode="r")
    mlcore.save(again, path)  # over the file that it is mapped from
    assert same(kv, again)
    assert same(kv, mlcore.load(path))


def test_words_are_packed_and_unpacked():
    for words in ([], ["a"], ["", "ab", ""], ["ä", "b", "\U0001f600\U0001f600"], [f"w{i}" for i in range(1000)]):
        utf8, offsets = pack_words(words)
        assert utf8.dtype == np.uint8
        assert offsets.dtype == np.int64
        assert len(offsets) == len(words) + 1
        assert unpack_words(utf8, offsets) == words
    with pytest.raises(ValueError, match=re.escape(repr("b\ud800"))):
        pack_words(["a", "b\ud800"])
    utf8, offsets = pack_words(["ä", "b"])
    for bad in ([0, 1, 3], [0, 2], [1, 2, 3], [0, 3, 2], [0, 5, 3], []):
        with pytest.raises(ValueError, match="packed words"):
            unpack_words(utf8, np.array(bad, dtype=np.int64))
    with pytest.raises(ValueError, match="packed words"):
        unpack_words(utf8, offsets.astype(np.int32))


def test_vectors_do_not_follow_the_array_they_were_made_of():
    array, counts = VECTORS.copy(), np.arange(V)
    kv = KeyedVectors(WORDS, array, counts)
    before = kv.distances("w1")
    array *= 10
    counts += 1
    np.testing.assert_array_equal(kv.distances("w1"), before)
    np.testing.assert_array_equal(kv.counts, np.arange(V))


def test_cosines_stay_in_their_range():
    rng = np.random.default_rng(0)
    words = [str(i) for i in range(300)]
    kv = KeyedVectors([*words, "twin"], np.r_[rows := rng.normal(size=(300, 50)), rows[:1]])
    assert kv.distances(words).min() == 0
    assert max(kv.similarity(word, word) for word in words) <= 1
    assert kv.most_similar("0", topn=1) == [("twin", 1.0)]
    assert np.abs(kv.most_similar("7", topn=None)).max() <= 1


def test_positions_stand_for_words(kv):
    np.testing.assert_array_equal(kv[3], kv["w3"])
    np.testing.assert_array_equal(kv[np.int64(3)], kv["w3"])
    np.testing.assert_array_equal(kv[[3, "w1"]], kv[["w3", "w1"]])
    np.testing.assert_array_equal(kv[np.array([3, 1])], kv[["w3", "w1"]])
    assert kv.most_similar(3) == kv.most_similar("w3")
    assert kv.most_similar([3, ("w1", 2)], [5]) == kv.most_similar(["w3", ("w1", 2)], ["w5"])
    assert kv.most_similar_cosmul([3], [1]) == kv.most_similar_cosmul(["w3"], ["w1"])
    assert kv.similarity(3, 4) == kv.similarity("w3", "w4")
    assert kv.rank(3, 4) == kv.rank("w3", "w4")


def test_search_within_a_list_of_words(kv):
    words = ["w9", "w2", "w5", "w2", "w4"]
    scores = kv.most_similar("w4", topn=None, restrict_vocab=words)
    np.testing.assert_allclose(scores, [kv.similarity("w4", word) for word in words], atol=1e-6)
    found = kv.most_similar("w4", topn=10, restrict_vocab=words)  # without itself
    best = sorted(
        {word: kv.similarity("w4", word) for word in words if word != "w4"}.items(), key=lambda item: -item[1]
    )
    assert [word for word, _ in found] == [word for word, _ in best]
    np.testing.assert_allclose([score for _, score in found], [score for _, score in best], atol=1e-6)
    all_of = kv.most_similar_cosmul(["w1", "w3"], ["w4"], topn=None)
    found = kv.most_similar_cosmul(["w1", "w3"], ["w4"], topn=2, restrict_vocab=words)
    for word, score in found:
        np.testing.assert_allclose(score, all_of[kv.key_to_index[word]], rtol=1e-5)
    assert {word for word, _ in found} <= set(words)
    batch = kv.most_similar([["w4"], ["w9"]], restrict_vocab=words)
    assert batch == [kv.most_similar(["w4"], restrict_vocab=words), kv.most_similar(["w9"], restrict_vocab=words)]
    assert kv.similar_by_vector(VECTORS[4], restrict_vocab=["w4"]) == [("w4", 1.0)]


def test_vectors_can_be_added():
    kv = KeyedVectors(["a", "b"], [[1, 0], [0, 1]], counts=[5, 4])
    old = kv.vectors
    assert kv.add_vectors(["c", "d"], [[1, 1], [-1, 0]], counts=[3, 2]) is kv
    assert kv.index_to_key == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(kv.counts, [5, 4, 3, 2])
    np.testing.assert_array_equal(kv["d"], [-1, 0])
    np.testing.assert_allclose(kv.similarity("c", "b"), 2**-0.5, rtol=1e-6)
    np.testing.assert_array_equal(old, [[1, 0], [0, 1]])
    kv.add_vectors("e", [0, -1])
    np.testing.assert_array_equal(kv.counts, [5, 4, 3, 2, 0])
    kv.add_vectors(["f", "b"], [[2, 2], [9, 0]], replace=True)
    assert kv.index_to_key == ["a", "b", "c", "d", "e", "f"]
    np.testing.assert_array_equal(kv[["b", "f"]], [[9, 0], [2, 2]])
    np.testing.assert_array_equal(kv.counts, [5, 4, 3, 2, 0, 0])
    assert kv.similarity("a", "b") == 1
    assert KeyedVectors(["a"], [[1, 2]]).add_vectors(["b"], [[1, 2]], counts=[7]).counts is None
