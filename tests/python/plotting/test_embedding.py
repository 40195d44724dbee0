"""Pictures of word vectors: what is drawn, not how it looks."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError

from mlcore.embedding import KeyedVectors, Word2Vec
from mlcore.plotting import plot_embedding


@pytest.fixture(scope="module")
def word2vec():
    texts = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    return Word2Vec(vector_size=8, min_count=1, epochs=4, random_state=0, n_jobs=1).fit(texts)


def shown_words(ax):
    return [text.get_text() for text in ax.texts]


def test_embedding(word2vec):
    ax = plot_embedding(word2vec)
    assert shown_words(ax)[0] == "the"  # the most frequent
    assert sorted(shown_words(ax)) == sorted(word2vec.words_)
    assert ax.get_legend() is None
    figure, mine = plt.subplots()
    assert plot_embedding(word2vec.keyed_vectors_, ["dog", "cat", "dog"], mine, annotate=False) is mine
    assert len(mine.collections[0].get_offsets()) == 2
    assert not mine.texts
    figure.draw_without_rendering()


def test_embedding_most_frequent():
    words = [f"w{i}" for i in range(80)]
    vectors = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32)
    assert shown_words(plot_embedding((words, vectors))) == words[:50]
    counted = KeyedVectors(words, vectors, counts=np.arange(80))
    assert shown_words(plot_embedding(counted)) == words[:29:-1]


def test_embedding_points():
    # Two directions, with lengths that must not matter, and a vector of zeros that has no direction.
    words, vectors = ["a", "b", "nothing"], np.array([[5.0, 0.0], [0.0, 0.1], [0.0, 0.0]])
    ax = plot_embedding((words, vectors))
    points = ax.collections[0].get_offsets()
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(distances, [[0, 2**0.5, 1], [2**0.5, 0, 1], [1, 1, 0]], atol=1e-6)
    assert "75%" in ax.get_xlabel()
    assert "25%" in ax.get_ylabel()


@pytest.mark.parametrize("vectors", [np.array([[1.0], [-2.0], [3.0]]), np.ones((3, 4))])
def test_embedding_on_a_line_or_a_point(vectors):
    ax = plot_embedding((["a", "b", "c"], vectors))
    assert shown_words(ax) == ["a", "b", "c"]
    ax.figure.draw_without_rendering()


def test_embedding_labels_do_not_cover_each_other():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ax = plot_embedding((["here", "there", "everywhere", "away"], vectors))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_embedding_groups(word2vec):
    groups = {"animals": ["cat", "dog"], "things": ["mat", "rug"]}
    ax = plot_embedding(word2vec, groups=groups)
    assert shown_words(ax) == ["cat", "dog", "mat", "rug"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["animals", "things"]
    colours = {tuple(c.get_facecolor()[0]) for c in ax.collections}
    assert len(colours) == 2
    ax = plot_embedding(word2vec, ["the", "cat"], groups=groups)
    assert shown_words(ax) == ["the", "cat"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["animals"]


def test_embedding_of_any_length():
    unit = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    for scale in (1e-300, 1e-30, 1e30, 1e300):
        points = plot_embedding((["a", "b", "c"], scale * unit)).collections[0].get_offsets()
        np.testing.assert_allclose(np.linalg.norm(points[0] - points[2]), 2, atol=1e-6)


def test_embedding_words_are_no_mathematics(tmp_path):
    words = [r"$\foo$", "$x^2$", "100$"]
    ax = plot_embedding((words, np.eye(3)), groups={r"$\bar$": words})
    ax.figure.savefig(tmp_path / "words.png")
    assert shown_words(ax) == words
    assert not any(text.get_parse_math() for text in [*ax.texts, *ax.get_legend().get_texts()])


def test_embedding_groups_that_make_no_sense(word2vec):
    for groups, message in (
        ([["cat", "dog"]], "got list"),
        ({"animals": "cat"}, "got 'cat' as group 'animals'"),
        ({"animals": 3}, "got 3 as group 'animals'"),
    ):
        with pytest.raises(TypeError, match=f"groups of plot_embedding must be a mapping .* {message}"):
            plot_embedding(word2vec, groups=groups)
    with pytest.raises(ValueError, match="have 'cat' twice, in 'animals' and 'pets'"):
        plot_embedding(word2vec, groups={"animals": ["cat", "dog"], "pets": ["cat"]})


def test_embedding_that_cannot_be_drawn(word2vec):
    with pytest.raises(KeyError, match="no vector for 'bird', 'fish'"):
        plot_embedding(word2vec, ["cat", "bird", "fish"])
    with pytest.raises(ValueError, match="at least two words to show, got 1"):
        plot_embedding(word2vec, ["cat", "cat"])
    with pytest.raises(TypeError, match="got the string 'cat'"):
        plot_embedding(word2vec, "cat")
    with pytest.raises(ValueError, match=r"2 words need vectors of shape \(2, d\), got \(3, 4\)"):
        plot_embedding((["a", "b"], np.ones((3, 4))))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite, but that of 'b' has NaN or infinity"):
            plot_embedding((["a", "b"], [[1.0, 2.0], [3.0, bad]]))
    with pytest.raises(ValueError, match="must be unique, but 'b' occurs 2 times"):
        plot_embedding((["a", "b", "b"], np.ones((3, 4))))
    with pytest.raises(TypeError, match=r"takes a Word2Vec, KeyedVectors .* got ndarray"):
        plot_embedding(np.ones((3, 4)))
    with pytest.raises(NotFittedError):
        plot_embedding(Word2Vec())
