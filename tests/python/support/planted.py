"""Texts with planted topics: words of a topic keep company, so their vectors must be near."""

import numpy as np


def planted_texts(n_topics=8, n_words=10, n_texts=1500, length=12, seed=0):
    """Texts of words "t3w7" of one topic each, and the numbers of the topics."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, n_topics, n_texts)
    texts = [" ".join(f"t{topic}w{word}" for word in rng.integers(0, n_words, length)) for topic in topics]
    return texts, topics


def topic_margin(words, vectors):
    """Mean cosine of two words of one topic, less that of words of two."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    topic = np.array([word[:2] for word in words])
    same = topic[:, None] == topic
    other = ~same
    np.fill_diagonal(same, False)
    return cosines[same].mean() - cosines[other].mean()
