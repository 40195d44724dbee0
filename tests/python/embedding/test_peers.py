"""Word2Vec beside gensim: equal settings give models of equal quality."""

import numpy as np
import pytest

from mlcore import Word2Vec
from mlcore._native import core
from mlcore.embedding._likelihood import WordModel
from support.planted import planted_texts, topic_margin

pytestmark = pytest.mark.peers
gensim_models = pytest.importorskip("gensim.models")

D, WINDOW, EPOCHS, ALPHA, MIN_ALPHA = 24, 4, 4, 0.05, 1e-3


@pytest.fixture(scope="module")
def texts():
    """Topics, each text with words of another one strewn in: not so easy that every model is perfect."""
    rng = np.random.default_rng(2)
    texts, _ = planted_texts(n_texts=1500)
    everything = " ".join(texts).split()
    return [text.split() + list(rng.choice(everything, 4)) for text in texts]


def theirs(texts, algorithm, loss, seed):
    return gensim_models.Word2Vec(
        texts,
        vector_size=D,
        window=WINDOW,
        min_count=1,
        sg=int(algorithm == "skipgram"),
        hs=int(loss == "hs"),
        negative=5 if loss == "ns" else 0,
        sample=0,
        epochs=EPOCHS,
        alpha=ALPHA,
        min_alpha=MIN_ALPHA,
        workers=1,
        seed=seed,
    )


def ours(texts, algorithm, loss, seed, **more):
    options = {"vector_size": D, "window": WINDOW, "min_count": 1, "sample": 0, "epochs": EPOCHS, "alpha": ALPHA}
    return Word2Vec(
        algorithm=algorithm, loss=loss, min_alpha=MIN_ALPHA, random_state=seed, n_jobs=1, **options, **more
    ).fit(texts)


def likelihood_of_theirs(model, texts):
    """By our functions, on their matrices."""
    words = model.wv.index_to_key
    counts = np.array([model.wv.get_vecattr(word, "count") for word in words])
    noise = 0.75 * np.log(counts)
    noise -= np.logaddexp.reduce(noise)
    judge = WordModel(model.wv.vectors, model.syn1neg, noise, None, 1)
    ids, indptr = core.embedding.Vocabulary(words, counts).encode(texts, 0)
    if model.sg:
        total, n = judge.skipgram_likelihood(ids, indptr, WINDOW)
    else:
        total, n = judge.cbow_likelihood(ids, indptr, WINDOW, mean=True)
    return total / n


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_topics_are_learned_as_well(algorithm, loss, texts):
    def margin(model_vectors):
        return topic_margin(*model_vectors)

    peers = [theirs(texts, algorithm, loss, seed) for seed in range(3)]
    peer = [margin((model.wv.index_to_key, model.wv.vectors)) for model in peers]
    own = [margin((model.words_, model.vectors_)) for model in (ours(texts, algorithm, loss, s) for s in range(3))]
    # Other random numbers, the same model: as far apart as seeds are, with something for so few of them.
    assert np.mean(own) > np.mean(peer) - 2 * np.std(peer) - 0.02


@pytest.mark.parametrize("shared_negatives", [True, False])
@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_likelihood_is_as_high(algorithm, shared_negatives, texts):
    train, held_out = texts[:1200], texts[1200:]
    peer = [likelihood_of_theirs(theirs(train, algorithm, "ns", seed), held_out) for seed in range(2)]
    models = [ours(train, algorithm, "ns", seed, shared_negatives=shared_negatives) for seed in range(2)]
    own = [model.score(held_out) for model in models]
    assert np.mean(own) == pytest.approx(np.mean(peer), abs=0.03)


def test_code_lengths_are_those_of_gensim(texts):
    """Both are Huffman's: the lengths of single words may differ where counts are equal, the sum may not."""
    peer, own = theirs(texts, "skipgram", "hs", 0), ours(texts, "skipgram", "hs", 0)

    def length(link):
        return 0 if link < 0 else 1 + length(own.tree_inner_[link // 2])

    expected = sum(
        peer.wv.get_vecattr(word, "count") * len(peer.wv.get_vecattr(word, "code")) for word in peer.wv.index_to_key
    )
    assert sum(count * length(link) for count, link in zip(own.word_counts_, own.tree_leaves_, strict=True)) == expected


def test_vocabulary_is_that_of_gensim(texts):
    peer = gensim_models.Word2Vec(vector_size=2, min_count=200)
    peer.build_vocab(texts)
    own = Word2Vec(vector_size=2, min_count=200, sample=0, epochs=1).fit(texts)
    counts = {word: peer.wv.get_vecattr(word, "count") for word in peer.wv.index_to_key}
    assert dict(zip(own.words_, own.word_counts_.tolist(), strict=True)) == counts
