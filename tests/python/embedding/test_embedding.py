"""Word2Vec against its naive twin step for step, and what it learns."""

import copy
import gzip
import itertools
import logging
import math
import pickle
import weakref
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import mlcore
from mlcore import Word2Vec
from mlcore.embedding import word2vec
from support.planted import planted_texts, topic_margin
from twins import embedding as naive

MODELS = list(itertools.product(("skipgram", "cbow"), ("ns", "hs")))

# ---- the twin itself -------------------------------------------------------------------------------------------------


def numeric_gradient(f, x, step=1e-6):
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + step
        above = f()
        x[i] = kept - step
        gradient[i] = (above - f()) / (2 * step)
        x[i] = kept
    return gradient


@pytest.mark.parametrize("loss", ["ns", "hs"])
@pytest.mark.parametrize("pooling", ["none", "mean", "sum"])
def test_gradient_of_a_window_is_that_of_finite_differences(pooling, loss):
    rng = np.random.default_rng(0)
    tree = naive.huffman_tree([5, 9, 2, 2, 1, 7])
    W, C = rng.normal(size=(6, 4)), rng.normal(size=(5 if loss == "hs" else 6, 4))
    if loss == "hs":
        nodes, codes = naive.path(tree, 4)
        outputs, labels = nodes, [1 - code for code in codes]
    else:
        outputs, labels = [4, 0, 3, 3, 0], [1, 0, 0, 0, 0]  # the same negative twice counts twice
    window = naive.Window([1, 2, 1, 0], outputs, labels, pooling)  # as does the same word in a window
    dW, dC = window.gradient(W, C)
    np.testing.assert_allclose(dW, numeric_gradient(lambda: window.loss(W, C), W), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(dC, numeric_gradient(lambda: window.loss(W, C), C), rtol=1e-6, atol=1e-8)


# ---- step for step ---------------------------------------------------------------------------------------------------


def random_texts(n_texts=40, length=12, n_words=30, seed=0):
    """Words "w0", "w1", ... with frequencies like those of a language, texts of 0 to 2 * `length` words."""
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, n_words + 1)
    return [
        " ".join(f"w{i}" for i in rng.choice(n_words, size, p=p / p.sum()))
        for size in rng.integers(0, 2 * length, n_texts)
    ]


def pieces_of(texts, words, size=None):
    """Ids of known words in pieces of `size` tokens, or one of all."""
    known = {word: i for i, word in enumerate(words)}
    tokens = [text.split() if isinstance(text, str) else text for text in texts]
    if size is None:
        pieces = [tokens]
    else:
        pieces, room = [[]], size
        for text in tokens:
            rest = text
            while rest:
                pieces[-1].append(rest[:room])
                taken = len(pieces[-1][-1])
                rest, room = rest[taken:], room - taken
                if room == 0:
                    pieces.append([])
                    room = size
        pieces = [piece for piece in pieces if piece]
    return [
        naive.Piece([[known[w] for w in text if w in known] for text in piece], sum(map(len, piece)))
        for piece in pieces
    ]


def twin_of(model, counts, **more):
    names = ("vector_size", "window", "algorithm", "loss", "negative", "ns_exponent", "sample", "cbow_mean")
    names += ("shrink_windows", "shared_negatives")
    return naive.Word2Vec(counts=counts, **{name: getattr(model, name) for name in names}, **more)


def schedule(model):
    return {name: getattr(model, name) for name in ("epochs", "alpha", "min_alpha")}


def assert_same(model, twin, losses):
    np.testing.assert_allclose(model.vectors_, twin.vectors, rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(model.context_vectors_, twin.context_vectors, rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(model.loss_curve_[-len(losses) :], losses, rtol=1e-6)


def tiny(**parameters):
    """A large learning rate: vectors move far, so that a wrong step shows."""
    defaults = {"vector_size": 9, "window": 3, "min_count": 2, "sample": 0.05, "epochs": 2, "alpha": 0.1}
    return Word2Vec(**defaults | {"n_jobs": 1, "random_state": 0} | parameters)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sample": 0.0},
        {"shrink_windows": False},
        {"vector_size": 1, "window": 1},
        {"vector_size": 16, "window": 40, "alpha": 0.02},
        {"vector_size": 40, "epochs": 1},
        {"max_vocab_size": 7},
        {"cbow_mean": False},
        {"shared_negatives": False},
        {"negative": 1, "ns_exponent": -0.5},
        {"negative": 30, "ns_exponent": 1.0, "min_count": 5, "alpha": 0.05},
    ],
    ids=str,
)
@pytest.mark.parametrize(("algorithm", "loss"), MODELS)
def test_training_equals_the_twin_step_for_step(algorithm, loss, options):
    texts = random_texts()
    model = tiny(algorithm=algorithm, loss=loss, **options).fit(texts)
    if loss == "hs":
        np.testing.assert_array_equal(model.tree_leaves_, naive.huffman_tree(model.word_counts_)[0])
        np.testing.assert_array_equal(model.tree_inner_, naive.huffman_tree(model.word_counts_)[1])
    twin = twin_of(model, model.word_counts_, seed=model._seed)
    losses = twin.train(pieces_of(texts, model.words_), **schedule(model))
    assert_same(model, twin, losses)
    assert np.abs(model.context_vectors_).max() > 0.005  # they began with zeros


@pytest.mark.parametrize(("algorithm", "loss"), MODELS)
def test_a_corpus_of_several_pieces_equals_the_twin(algorithm, loss):
    texts = [*random_texts(10), " ".join(random_texts(1500, seed=1)), *random_texts(600, seed=2)]
    model = tiny(algorithm=algorithm, loss=loss, sample=1e-3, epochs=1, vector_size=4).fit(texts)
    assert model.n_words_ > 20_000
    twin = twin_of(model, model.word_counts_, seed=model._seed)
    losses = twin.train(pieces_of(texts, model.words_, size=10_000), **schedule(model))
    assert_same(model, twin, losses)


def test_vocabulary_is_exact():
    texts = ["b a c a", "c a b é", ["d e", "d e", "a"], ""]
    model = tiny(min_count=1, sample=0).fit(texts)
    assert model.words_ == ["a", "b", "c", "d e", "é"]
    np.testing.assert_array_equal(model.word_counts_, [4, 2, 2, 2, 1])
    assert model.n_words_ == 11
    assert tiny(min_count=2, sample=0).fit(texts).words_ == ["a", "b", "c", "d e"]
    assert tiny(min_count=1, sample=0, max_vocab_size=2).fit(texts).words_ == ["a", "b"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.text("ab\u00e9\u5b57\U0001f600\x1c\u00a0.-", min_size=1, max_size=3), max_size=6), min_size=1),
    st.sampled_from([" ", "\t", "  \r", "\v\f"]),
    st.integers(1, 3),
)
def test_any_texts(texts, space, min_count):
    """Words stand between the six white spaces of ASCII; all else belongs to them."""
    counts = {word: n for word, n in Counter(itertools.chain(*texts)).items() if n >= min_count}
    expected = sorted(counts, key=lambda word: (-counts[word], word.encode()))
    model = tiny(min_count=min_count, sample=0, window=100)
    nothing_near = all(sum(word in counts for word in text) < 2 for text in texts)
    for X in (texts, [space.join(text) for text in texts]):
        if len(counts) < 2 or nothing_near:
            with pytest.raises(ValueError, match=r"empty|min_count|nothing"):
                model.fit(X)
            continue
        assert model.fit(X).words_ == expected
        assert dict(zip(model.words_, model.word_counts_.tolist(), strict=True)) == counts
        np.testing.assert_array_equal(model.transform(X).any(axis=1), [any(map(counts.get, text)) for text in texts])
        assert model.score(X) < 0


# ---- partial_fit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_new", [0, 1, 6])
@pytest.mark.parametrize(("algorithm", "loss"), MODELS)
def test_partial_fit_equals_the_twin(algorithm, loss, n_new):
    texts = random_texts()
    model = tiny(algorithm=algorithm, loss=loss).partial_fit(texts)
    old = clone(model).fit(texts)  # the first call is a fit
    np.testing.assert_array_equal(model.vectors_, old.vectors_)

    rng = np.random.default_rng(5)
    more = [text + "".join(f" new{i}" for i in range(n_new)) for text in random_texts(20, seed=3)]
    more = [" ".join(rng.permutation(text.split())) for text in more]
    model.set_params(epochs=3, alpha=0.2).partial_fit(more)
    n_old = len(old.words_)
    assert model.words_[:n_old] == old.words_
    assert sorted(set(model.words_[n_old:]) - {"w29", "w28"})[:n_new] == sorted(f"new{i}" for i in range(n_new))
    assert model.loss_curve_.shape == (5,)
    assert model.n_iter_ == 5
    assert model.n_words_ == old.n_words_ + sum(len(text.split()) for text in more)
    added = np.array([sum(text.split().count(word) for text in more) for word in model.words_])
    np.testing.assert_array_equal(model.word_counts_, added + np.r_[old.word_counts_, [0] * (len(added) - n_old)])

    tree = None
    if loss == "hs":
        tree = old.tree_leaves_, old.tree_inner_
        if len(model.words_) > n_old:
            tree = naive.grow_tree(*tree, model.word_counts_[n_old:])
        np.testing.assert_array_equal(model.tree_leaves_, tree[0])
        np.testing.assert_array_equal(model.tree_inner_, tree[1])
    twin = twin_of(model, model.word_counts_, seed=model._seed + 2, tree=tree)
    twin.set_rows(old.vectors_, old.context_vectors_)
    losses = twin.train(pieces_of(more, model.words_), **schedule(model))
    assert_same(model, twin, losses)
    assert np.shares_memory(model.keyed_vectors_.vectors, model.vectors_)


def test_partial_fit_that_fails_changes_nothing():
    model = tiny().fit(random_texts())
    before = pickle.dumps(model)
    for call, message in (
        (lambda: model.partial_fit([]), "is empty"),
        (lambda: model.partial_fit(["x y z"]), "no known word, and none of its 3 distinct words reaches min_count=2"),
        (lambda: model.set_params(vector_size=3).partial_fit(random_texts()), "vector_size of Word2Vec was 9"),
        (lambda: model.set_params(loss="hs").partial_fit(random_texts()), "loss of Word2Vec was 'ns'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
        model.set_params(vector_size=9, loss="ns")
        assert pickle.dumps(model) == before


def test_vocabulary_may_grow_up_to_its_limit():
    model = tiny(max_vocab_size=3, min_count=1, sample=0).fit(["a b a b"])
    model.partial_fit(["a c d d c d"])
    assert model.words_ == ["a", "b", "d"]


# ---- bits ------------------------------------------------------------------------------------------------------------


def same_bits(a, b):
    return (
        a.words_ == b.words_
        and a.loss_curve_.tobytes() == b.loss_curve_.tobytes()
        and a.vectors_.tobytes() == b.vectors_.tobytes()
        and a.context_vectors_.tobytes() == b.context_vectors_.tobytes()
    )


@pytest.mark.parametrize(("algorithm", "loss"), MODELS)
def test_one_thread_gives_the_same_bits_on_every_route(algorithm, loss, tmp_path):
    texts = random_texts()  # one piece: larger corpora are cut in other places where they are files
    plain, packed = tmp_path / "texts.txt", tmp_path / "texts.txt.gz"
    plain.write_text("\n".join(texts) + "\n")
    with gzip.open(packed, "wt") as file:
        file.write("\n".join(texts))

    class Texts:
        def __iter__(self):
            return iter(texts)

    model = tiny(algorithm=algorithm, loss=loss).fit(texts)
    for X in (
        texts,
        tuple(texts),
        np.array(texts),
        np.array(texts, dtype=object),
        pd.Series(texts),
        pl.Series(texts),
        Texts(),
        [text.split() for text in texts],
        [tuple(text.split()) for text in texts],
        plain,
        str(plain),
        [plain],
        packed,
    ):
        assert same_bits(clone(model).fit(X), model), type(X)
    assert same_bits(model.fit(texts), clone(model).set_params(verbose=1).fit(texts))
    assert not same_bits(clone(model).set_params(random_state=1).fit(texts), model)


def test_a_long_corpus_has_the_same_bits_with_and_without_a_bar(capsys):
    texts = random_texts(6000)
    model = tiny(epochs=1).fit(texts)
    assert model.n_words_ > 60_000
    assert same_bits(clone(model).set_params(verbose=1).fit(texts), model)
    assert same_bits(model, clone(model).fit(texts))


def test_words_that_are_too_rare_are_forgotten_before_training(monkeypatch):
    opened, trained = [], []

    def recorded(*args, **options):
        corpus = word2vec.open_corpus_before(*args, **options)
        opened.append(weakref.ref(corpus))
        return corpus

    def train(task):
        trained.append(opened[-1]() is None)
        return word2vec.train_before(task)

    for name, instead in (("open_corpus", recorded), ("train", train)):
        monkeypatch.setattr(word2vec, f"{name}_before", getattr(word2vec, name), raising=False)
        monkeypatch.setattr(word2vec, name, instead)
    tiny().fit(random_texts()).partial_fit(random_texts())
    assert trained == [True, True]


def test_random_state_may_be_a_generator_of_numbers():
    texts = random_texts()
    a, b = (tiny(random_state=np.random.RandomState(4)).fit(texts) for _ in range(2))
    assert same_bits(a, b)


# ---- what is learned -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def topics():
    """Texts, and the number of the topic of each."""
    return planted_texts()


def good(**parameters):
    defaults = {"vector_size": 24, "min_count": 1, "sample": 0.0, "epochs": 5, "random_state": 0, "n_jobs": 1}
    return Word2Vec(**defaults | parameters)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("algorithm", "loss", "shared_negatives"), [*((*model, True) for model in MODELS), ("skipgram", "ns", False)]
)
def test_neighbours_are_of_the_same_topic(algorithm, loss, shared_negatives, n_jobs, topics):
    texts, _ = topics
    rate = 0.05 if algorithm == "skipgram" else 0.1
    model = good(algorithm=algorithm, loss=loss, alpha=rate, n_jobs=n_jobs, shared_negatives=shared_negatives).fit(
        texts
    )
    assert topic_margin(model.words_, model.vectors_) > 0.3
    words = model.keyed_vectors_
    right = sum(near[:2] == word[:2] for word in words.index_to_key for near, _ in words.most_similar(word, topn=5))
    assert right > 0.98 * 5 * len(words)
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]
    assert model.score(texts[:200]) > math.log(1 / len(model.words_)) + 1


def test_threads_differ_in_bits_only(topics):
    texts, _ = topics
    one, many = (good(alpha=0.05, n_jobs=n_jobs).fit(texts) for n_jobs in (1, 4))
    assert many.loss_curve_ == pytest.approx(one.loss_curve_, rel=0.1)
    assert many.words_ == one.words_


def test_score_tells_text_from_shuffled_words(topics):
    texts, _ = topics
    rng = np.random.default_rng(1)
    held_out, train = texts[:300], texts[300:]
    words = [word for text in held_out for word in text.split()]
    shuffled = [" ".join(part) for part in np.array_split(rng.permutation(words), len(held_out))]
    for algorithm, loss in MODELS:
        model = good(algorithm=algorithm, loss=loss, alpha=0.05).fit(train)
        assert model.score(held_out) > model.score(shuffled) + 0.3


@pytest.mark.parametrize(("algorithm", "loss"), MODELS)
@pytest.mark.parametrize("cbow_mean", [True, False])
def test_score_is_the_mean_of_log_probabilities(algorithm, loss, cbow_mean):
    """By predict_context, which takes another way, and that in turn by its definition."""
    texts = ["a b c a d", "unknown", "d x c", "e f a b", "a"]
    model = tiny(algorithm=algorithm, loss=loss, min_count=1, window=2, sample=0, cbow_mean=cbow_mean)
    model.fit([*texts[:1], *texts[2:]] * 3)
    model.set_params(n_jobs=2)
    log_p = []
    for text in texts:
        ids = [word for word in text.split() if word in model.words_]
        for i, centre in enumerate(ids):
            near = ids[max(0, i - 2) : i] + ids[i + 1 : i + 3]
            for context in [[word] for word in near] if algorithm == "skipgram" else [near] if near else []:
                answer = dict(model.predict_context(context, topn=None))
                assert sum(answer.values()) == pytest.approx(1.0)
                log_p.append(math.log(answer[centre]))
    assert model.score(texts) == pytest.approx(np.mean(log_p), rel=1e-5)

    h = model.vectors_[[0, 1]].astype(np.float64).mean(axis=0)
    if algorithm == "cbow" and not cbow_mean:
        h *= 2
    if loss == "ns":
        p = model.word_counts_**0.75 * np.exp(model.context_vectors_ @ h)
    else:
        p = np.ones(len(model.words_))
        for word in range(len(p)):
            for node, code in zip(*naive.path((model.tree_leaves_, model.tree_inner_), word), strict=True):
                p[word] /= 1 + np.exp((2 * code - 1) * (model.context_vectors_[node] @ h))
    answer = dict(model.predict_context(model.words_[:2], topn=None))
    np.testing.assert_allclose([answer[word] for word in model.words_], p / p.sum(), rtol=1e-5)


def test_predict_context(topics):
    texts, _ = topics
    model = good(alpha=0.05).fit(texts)
    answer = model.predict_context(["t3w1", "t3w2", "t3w5"])
    assert len(answer) == 10
    assert [p for _, p in answer] == sorted((p for _, p in answer), reverse=True)
    assert all(word.startswith("t3") for word, _ in answer[:5])
    assert len(model.predict_context(("t3w1",), topn=3)) == 3
    assert len(model.predict_context(["t3w1"], topn=10_000)) == len(model.words_)


# ---- transform, pipelines --------------------------------------------------------------------------------------------


def test_transform_is_the_mean_of_the_words():
    model = tiny(min_count=1, sample=0).fit(["a b c", "c c b"] * 3)
    a, b, c = (model.vectors_[model.words_.index(word)] for word in "abc")
    texts = ["a b b", ["c", "not known"], "", "not known at all", "b"]
    expected = np.array([(a + 2 * b) / 3, c, 0 * a, 0 * a, b])
    vectors = model.transform(texts)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, rtol=1e-6, atol=1e-7)  # float32 sums in another order
    for X in (np.array(["a b b"]), pd.Series(["a b b"]), pl.Series(["a b b"]), (["a", "b", "b"],)):
        np.testing.assert_array_equal(model.transform(X), vectors[:1])
    assert model.transform([]).shape == (0, 9)

    model.set_params(doc_weights="tfidf")
    idf = {word: np.log(18 / count) for word, count in (("a", 3), ("b", 6), ("c", 9))}
    expected[0] = (idf["a"] * a + 2 * idf["b"] * b) / (idf["a"] + 2 * idf["b"])
    np.testing.assert_allclose(model.transform(texts), expected, rtol=1e-5)


def test_pipeline_before_a_classifier(topics):
    texts, topic = topics
    texts, topic = texts[:600], topic[:600] % 2
    pipeline = make_pipeline(good(alpha=0.1), LogisticRegression())
    assert cross_val_score(pipeline, texts, topic, cv=3).min() > 0.95
    assert cross_val_score(pipeline, pd.Series(texts), topic, cv=2).min() > 0.95
    search = GridSearchCV(
        pipeline, {"word2vec__vector_size": [2, 8], "word2vec__doc_weights": ["mean", "tfidf"]}, cv=2
    ).fit([text.split() for text in texts], topic)
    assert search.best_score_ > 0.9
    alone = GridSearchCV(good(epochs=2), {"alpha": [1e-5, 0.1]}, cv=2).fit(texts)  # by the likelihood of held-out text
    assert alone.best_params_ == {"alpha": 0.1}


def test_frames_and_names():
    series = pd.Series(["a b", "b c", "c a"], index=[5, 6, 7])
    model = tiny(min_count=1, sample=0, vector_size=2)
    frame = model.set_output(transform="pandas").fit_transform(series)
    assert list(frame.columns) == list(model.get_feature_names_out()) == ["word2vec0", "word2vec1"]
    assert list(frame.index) == [5, 6, 7]
    assert isinstance(model.set_output(transform="polars").transform(pl.Series(["a b"])), pl.DataFrame)
    assert not hasattr(model, "n_features_in_")


# ---- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["ns", "hs"])
@pytest.mark.parametrize("route", ["pickle", "deepcopy", "file", "mapped file"])
def test_state_comes_back(route, loss, tmp_path):
    texts = [*random_texts(), "ünï çødé 字 words " * 3]
    model = tiny(loss=loss, min_count=1).fit(texts)
    model.keyed_vectors_.most_similar("w1")
    if route == "pickle":
        back = pickle.loads(pickle.dumps(model))
    elif route == "deepcopy":
        back = copy.deepcopy(model)
    else:
        mlcore.save(model, tmp_path / "model.safetensors")
        back = mlcore.load(tmp_path / "model.safetensors", mmap_mode="r" if route == "mapped file" else None)
    assert same_bits(back, model)
    assert back.get_params() == model.get_params()
    np.testing.assert_array_equal(back.transform(texts), model.transform(texts))
    assert back.predict_context(["w1", "字"]) == model.predict_context(["w1", "字"])
    assert back.score(texts) == model.score(texts)
    assert back.keyed_vectors_.most_similar("字") == model.keyed_vectors_.most_similar("字")
    more = random_texts(seed=4)
    assert same_bits(back.partial_fit(more), model.partial_fit(more))


def test_an_unfitted_model_says_so():
    model = Word2Vec()
    for call in (
        lambda: model.transform(["a"]),
        lambda: model.score(["a"]),
        lambda: model.predict_context(["a"]),
        lambda: model.keyed_vectors_,
        lambda: model.get_feature_names_out(),
    ):
        with pytest.raises(NotFittedError):
            call()


def test_a_fit_that_fails_leaves_nothing():
    model = tiny().fit(random_texts())
    with pytest.raises(ValueError, match="empty"):
        model.fit([])
    assert not [name for name in vars(model) if name.endswith("_") or name.startswith("_")]
    with pytest.raises(NotFittedError):
        model.transform(["a"])


def test_keyed_vectors_share_the_memory():
    model = tiny().fit(random_texts())
    words = model.keyed_vectors_
    assert words is model.keyed_vectors_
    assert np.shares_memory(words.vectors, model.vectors_)
    assert words.index_to_key == model.words_
    np.testing.assert_array_equal(words.counts, model.word_counts_)
    np.testing.assert_array_equal(words["w1"], model.vectors_[model.words_.index("w1")])
    model.fit(["x y"] * 5)
    assert model.keyed_vectors_.index_to_key == ["x", "y"]


# ---- progress --------------------------------------------------------------------------------------------------------


def test_bar(capsys):
    tiny(verbose=1).fit(random_texts())
    shown = capsys.readouterr().err
    assert "Word2Vec: 100%" in shown
    assert "words/s" in shown
    assert "loss=" in shown
    assert "alpha=" in shown


def test_log(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="mlcore"):
        model = tiny(verbose=2, epochs=3).fit(random_texts())
    assert len(caplog.messages) == 4
    assert f"{model.n_words_} words of text, vocabulary of {len(model.words_)}" in caplog.messages[0]
    assert caplog.messages[3].startswith("Word2Vec 3/3  loss ")
    for figure in ("words_per_second", "alpha 0.0001", "seconds_left 0"):
        assert figure in caplog.messages[3]
    assert capsys.readouterr() == ("", "")
