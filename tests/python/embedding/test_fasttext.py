"""Vectors of fastText: n-grams, files, and questions with words that are not known."""

import pickle
import struct

import numpy as np
import pytest

import mlcore
from mlcore.embedding import FastTextVectors, KeyedVectors

WORDS, D, BUCKETS = ["the", "tree", "bäume", "</s>"], 5, 40


def ngrams(word, min_n, max_n):
    """Rows of n-grams, the slow way."""
    rows, text = [], f"<{word}>"
    for begin in range(len(text)):
        for n in range(min_n, max_n + 1):
            part = text[begin : begin + n]
            if len(part) < n or part in ("<", ">"):
                continue
            value = 2166136261
            for byte in part.encode():
                value ^= byte if byte < 128 else byte | 0xFFFFFF00
                value = value * 16777619 % 2**32
            rows.append(value % BUCKETS)
    return rows


@pytest.fixture
def table():
    return np.random.default_rng(0).normal(size=(len(WORDS) + BUCKETS, D)).astype(np.float32)


def file_of(table, *, version=12, model=2, min_n=2, max_n=4, words=WORDS, labels=(), quantised=False, n_pruned=-1):
    entries = [(word.encode() if isinstance(word, str) else word, 0) for word in words]
    entries += [(label.encode(), 1) for label in labels]
    data = struct.pack("<ii12id", 793712314, version, D, 5, 1, 1, 5, 1, 2, model, BUCKETS, min_n, max_n, 100, 1e-4)
    data += struct.pack("<iiiqq", len(entries), len(words), len(labels), 99, n_pruned)
    for count, (word, kind) in enumerate(entries, 3):
        data += word + b"\0" + struct.pack("<qb", count, kind)
    data += struct.pack("<?qq", quantised, *table.shape) + table.tobytes()
    return data + struct.pack("<?qq", False, 2, D) + np.zeros((2, D), np.float32).tobytes()


def load(tmp_path, data, **options):
    (tmp_path / "model.bin").write_bytes(data)
    return FastTextVectors.load_fasttext(tmp_path / "model.bin", **options)


@pytest.fixture
def vectors(table, tmp_path):
    return load(tmp_path, file_of(table))


def made_of(table, word):
    return table[[len(WORDS) + row for row in ngrams(word, 2, 4)]].mean(axis=0)


def test_vectors_of_known_and_unknown_words(vectors, table):
    assert vectors.index_to_key == WORDS
    np.testing.assert_array_equal(vectors.counts, [3, 4, 5, 6])
    assert (vectors.min_n, vectors.max_n, vectors.ngram_vectors.shape) == (2, 4, (BUCKETS, D))
    for row, word in enumerate(WORDS):
        rows = [row, *(len(WORDS) + ngram for ngram in (ngrams(word, 2, 4) if word != "</s>" else []))]
        np.testing.assert_allclose(vectors[word], table[rows].mean(axis=0), rtol=1e-5, atol=1e-6)
    for word in ("trees", "ö", "日本"):
        np.testing.assert_allclose(vectors[word], made_of(table, word), rtol=1e-5, atol=1e-6)
        assert word not in vectors
    np.testing.assert_allclose(vectors[["the", "trees"]], np.stack([vectors["the"], vectors["trees"]]))


def test_unknown_words_in_questions(vectors, table):
    known = KeyedVectors(
        [*WORDS, "trees", "that"], np.r_[vectors.vectors, [made_of(table, w) for w in ("trees", "that")]]
    )
    np.testing.assert_allclose(vectors.similarity("trees", "that"), known.similarity("trees", "that"), atol=1e-6)
    np.testing.assert_allclose(vectors.similarity("trees", "the"), known.similarity("trees", "the"), atol=1e-6)
    for ask in ("most_similar", "most_similar_cosmul"):
        for query in (("trees",), (["trees", "the"], ["that"])):
            got = getattr(vectors, ask)(*query)
            right = [pair for pair in getattr(known, ask)(*query) if pair[0] in WORDS]
            assert [word for word, _ in got] == [word for word, _ in right]
            np.testing.assert_allclose([s for _, s in got], [s for _, s in right], rtol=1e-4, atol=1e-6)
    for words in (["trees"], ["trees", "the", "trees"]):
        for options in ({}, {"pre_normalize": False}, {"post_normalize": True}):
            np.testing.assert_allclose(
                vectors.mean_vector(words, **options), known.mean_vector(words, **options), rtol=1e-4, atol=1e-6
            )
    np.testing.assert_allclose(
        vectors.n_similarity(["trees", "the"], ["that"]), known.n_similarity(["trees", "the"], ["that"]), atol=1e-6
    )
    np.testing.assert_allclose(
        vectors.distances("trees", ["that", "the"]), known.distances("trees", ["that", "the"]), atol=1e-6
    )
    np.testing.assert_allclose(vectors.distances(["trees", "the"]), known.distances(["trees", "the"])[:, :4], atol=1e-6)
    assert vectors.doesnt_match(["trees", "the", "that"]) == known.doesnt_match(["trees", "the", "that"])
    np.testing.assert_allclose(vectors.get_vector("trees", norm=True), known.get_vector("trees", norm=True), atol=1e-6)


def test_words_without_any_ngram(vectors):
    longer = FastTextVectors(WORDS, vectors.vectors, vectors.ngram_vectors, min_n=4, max_n=6)
    for ask in (
        lambda: longer.rank("trees", "the"),  # among known words only
        lambda: longer.most_similar(["the", "x"]),
        lambda: longer["x"],
        lambda: longer.similarity("the", "x"),
        lambda: longer.distances("the", ["x"]),
    ):
        with pytest.raises(KeyError, match="is not in the vocabulary"):
            ask()
    np.testing.assert_allclose(longer.mean_vector(["the", "x"], ignore_missing=True), longer.mean_vector(["the"]))


def test_a_table_of_chosen_words_has_unknown_ones_too(vectors):
    chosen = vectors.vectors_for_all(["trees", "the", "trees", "日本"])
    assert chosen.index_to_key == ["trees", "the", "日本"]
    np.testing.assert_array_equal(chosen.vectors, vectors[["trees", "the", "日本"]])
    np.testing.assert_array_equal(chosen.counts, [0, 3, 0])


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_saved_and_loaded(vectors, mmap_mode, tmp_path):
    mlcore.save(vectors, tmp_path / "m.safetensors")
    loaded = mlcore.load(tmp_path / "m.safetensors", mmap_mode=mmap_mode)
    for other in (loaded, pickle.loads(pickle.dumps(vectors))):
        np.testing.assert_array_equal(other[["the", "trees"]], vectors[["the", "trees"]])
        assert other.most_similar("trees") == vectors.most_similar("trees")


def test_made_from_arrays(vectors):
    mine = FastTextVectors(WORDS, vectors.vectors, vectors.ngram_vectors, min_n=2, max_n=4)
    np.testing.assert_array_equal(mine["trees"], vectors["trees"])
    assert FastTextVectors(["a"], [[1, 2]], np.zeros((0, 2)), max_n=0).similarity("a", "a") == pytest.approx(1)
    with pytest.raises(ValueError, match=r"must be numbers \(n_buckets, 5\) as the vectors are long"):
        FastTextVectors(WORDS, vectors.vectors, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="1 <= min_n <= max_n"):
        FastTextVectors(WORDS, vectors.vectors, vectors.ngram_vectors, min_n=4, max_n=3)


def test_other_kinds_of_models(table, tmp_path):
    supervised = load(tmp_path, file_of(table, version=11, model=3))  # had no n-grams of characters then
    np.testing.assert_array_equal(supervised.vectors, table[: len(WORDS)])
    with pytest.raises(KeyError):
        supervised["trees"]
    labelled = load(tmp_path, file_of(table, model=3, labels=["__label__a"]))
    assert labelled.index_to_key == WORDS
    with pytest.warns(UserWarning, match="1 words that are empty or repeat an earlier one are left out"):
        cut = load(tmp_path, file_of(table, words=["the", b"na\xc3", b"na\xc4", "of"]), errors="ignore")
    assert cut.index_to_key == ["the", "na", "of"]
    np.testing.assert_array_equal(cut.counts, [3, 4, 6])


def test_bad_files(table, tmp_path):
    good = file_of(table)
    for size in [*range(0, 200, 7), len(good) - 2 * 4 * D - 18]:
        with pytest.raises(ValueError, match=r"model\.bin: "):
            load(tmp_path, good[:size])
    for data, message in (
        (b"4 5\nthe 1 2 3 4 5\n", "is no model of fastText"),
        (file_of(table, version=13), "has version 13"),
        (file_of(table, quantised=True), "is quantised or pruned"),
        (file_of(table, n_pruned=3), "is quantised or pruned"),
        (file_of(table, min_n=5), "has n-grams of 5 to 4 characters"),
        (file_of(table[:-1]), r"input matrix of 43 x 5 for 4 words, 40 buckets"),
        (file_of(table, words=["the", b"\xff", "a", "b"]), "word 2 is not UTF-8"),
        (file_of(np.where(np.arange(D) == 2, np.nan, table).astype(np.float32)), "the vector of 'the' is not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            load(tmp_path, data)
    with pytest.raises(FileNotFoundError):
        FastTextVectors.load_fasttext(tmp_path / "none.bin")
    rng = np.random.default_rng(0)
    n_loaded = 0
    for _ in range(2000):  # damage anywhere, mostly in the header
        data = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(180 if rng.random() < 0.8 else len(data))] = rng.integers(256)
        try:
            loaded = load(tmp_path, bytes(data), errors="replace")
            assert np.isfinite(loaded.vectors).all()
            loaded.most_similar(loaded.index_to_key[0])
            n_loaded += 1
        except ValueError:
            pass
    assert 0 < n_loaded < 2000
